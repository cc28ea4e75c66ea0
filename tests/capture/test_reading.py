"""A capture from the file to its streams, whole, cut short or spoilt."""

from __future__ import annotations

import tracemalloc
from io import BytesIO

import pytest
from captures import (
    SYN,
    conversation,
    enhanced,
    ethernet,
    events,
    interface,
    ipv4,
    pcap,
    secrets,
    section,
    tcp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.capture import (
    Bytes,
    CaptureError,
    CaptureFault,
    CaptureReader,
    Closed,
    Opened,
    Secrets,
    StreamEvent,
)

TURNS = [("client", b"hello " * 50), ("server", b"answer " * 700), ("client", b"bye")]
PACKETS = conversation(TURNS, most=536)
LINE = b"CLIENT_RANDOM 00 11\n"

PCAP = pcap([(number * 1000, ethernet(data)) for number, data in enumerate(PACKETS)], link_type=1)
PCAPNG = (
    section()
    + interface(101, "<", (9, b"\x09"))
    + secrets(LINE)
    + b"".join(enhanced(data, number, "<", (1, b"comment")) for number, data in enumerate(PACKETS))
)
BOTH = pytest.mark.parametrize("file", [PCAP, PCAPNG], ids=["pcap", "pcapng"])


def said(found: list[StreamEvent | Secrets], direction: str) -> bytes:
    return b"".join(each.data for each in found if isinstance(each, Bytes) and each.direction == direction)


@BOTH
def test_what_both_sides_said_comes_out_of_the_file(file: bytes) -> None:
    found = events(file)
    assert said(found, "client") == TURNS[0][1] + TURNS[2][1]
    assert said(found, "server") == TURNS[1][1]
    assert isinstance(found[-1], Closed)


def test_secrets_stand_where_the_file_has_them() -> None:
    assert events(PCAPNG)[0] == Secrets(LINE.decode())
    assert isinstance(events(PCAPNG)[1], Opened)


def test_packets_are_counted_and_so_are_those_that_say_nothing() -> None:
    strange = enhanced(ipv4(b"datagram", protocol=17)) * 3
    fragment = enhanced(ipv4(tcp(bytes(80)), fragment=0x2000))
    reader = CaptureReader(BytesIO(PCAPNG + strange + fragment))
    assert list(reader.events())
    assert (reader.packets, reader.segments) == (len(PACKETS) + 4, len(PACKETS))
    assert reader.skipped == {"not TCP": 3, "IP fragment without the rest of its datagram": 1}


@BOTH
def test_of_a_file_that_is_cut_short_all_that_is_there_is_told_before_the_error(file: bytes) -> None:
    found: list[StreamEvent | Secrets] = []
    with pytest.raises(CaptureError) as caught:
        found.extend(CaptureReader(BytesIO(file[: len(file) // 2])).events())
    assert caught.value.fault is CaptureFault.CUT_SHORT
    assert said(found, "client") == TURNS[0][1]
    assert TURNS[1][1].startswith(said(found, "server"))
    assert isinstance(found[-1], Closed)


def read_through(file: bytes) -> CaptureError | None:
    """Reads what may be anything; the error with which it ends, if it does."""
    try:
        for _ in CaptureReader(BytesIO(file)).events():
            pass
    except CaptureError as error:
        assert 0 <= error.offset <= len(file)  # noqa: PT017 - no error is no fault either
        return error
    return None


@BOTH
def test_wherever_a_file_is_cut_it_is_read_or_refused(file: bytes) -> None:
    for end in range(len(file)):
        error = read_through(file[:end])
        assert error is None or error.fault in {CaptureFault.CUT_SHORT, CaptureFault.NOT_A_CAPTURE}


@BOTH
@settings(max_examples=300)
@given(data=st.data())
def test_whatever_bytes_are_changed_a_file_is_read_or_refused(file: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(file)
    places = st.one_of(st.integers(0, 200), st.integers(0, len(file) - 1))
    for _ in range(data.draw(st.integers(1, 8))):
        spoilt[data.draw(places)] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x45, 0x60]))
    read_through(bytes(spoilt))


@BOTH
def test_no_byte_that_is_turned_over_harms(file: bytes) -> None:
    """Of the headers of the file and of the first packets, all of which are of different kinds."""
    for place in range(400):
        for change in (0xFF, 0x80, 0x01):
            spoilt = bytearray(file[:1500])
            spoilt[place] ^= change
            read_through(bytes(spoilt))


@given(st.binary(max_size=300), st.sampled_from([PCAP[:24], section() + interface(1), section(">")]))
def test_anything_behind_a_good_start_is_read_or_refused(rest: bytes, start: bytes) -> None:
    read_through(start + rest)


LINKS = [0, 1, 12, 14, 101, 108, 113, 228, 229, 252, 276]
STARTS = [
    b"",
    bytes(12) + b"\x08\x00\x45",
    bytes(12) + b"\x86\xdd\x60",
    b"\x45",
    b"\x60",
    b"\0\x0c\0\x03tls",
]


@given(st.binary(max_size=120), st.sampled_from(LINKS), st.sampled_from(STARTS))
def test_any_packet_of_any_link_is_read_or_skipped(data: bytes, link_type: int, start: bytes) -> None:
    assert read_through(pcap([(0, start + data)] * 2, link_type=link_type)) is None


class Long:
    """A capture of 17 MB that is made as it is read: bulk data, of which now and then a packet was lost."""

    def __init__(self) -> None:
        self.left = b""
        self.packet = 0
        self.made = enhanced(ipv4(tcp(bytes(1460))))

    def read(self, size: int) -> bytes:
        if not self.left:
            if self.packet == 12_000:
                return b""
            self.left = b"".join(map(self.next, range(100)))
        piece, self.left = self.left[:size], self.left[size:]
        return piece

    def next(self, _index: int) -> bytes:
        self.packet += 1
        if self.packet == 1:
            return section() + interface() + enhanced(ipv4(tcp(sequence=0, flags=SYN)))
        at = self.packet + (self.packet > 6_000)
        place = self.made.index((1000).to_bytes(4, "big"))
        return self.made[:place] + (at * 1460).to_bytes(4, "big") + self.made[place + 4 :]


def test_memory_does_not_grow_with_the_file() -> None:
    reader = CaptureReader(Long())  # type: ignore[arg-type] # all that is asked of a file is read
    given_bytes = 0
    tracemalloc.start()
    for event in reader.events():
        if isinstance(event, Bytes):
            given_bytes += len(event.data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert given_bytes == 11_999 * 1460
    assert most < 2**22
