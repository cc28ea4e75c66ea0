"""The pcapng format: sections, interfaces, the kinds of packet blocks, secrets, and what is passed over."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from captures import block, enhanced, interface, items, options, packets, secrets, section, until_error

from pellucid.capture import CaptureFault, Packet, Secrets, read_packets

TIME = 1_700_000_000_123_456_789
LINE = b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"11" * 48 + b"\n"


@pytest.mark.parametrize("order", "<>")
def test_a_packet_is_read_in_either_byte_order(order: str) -> None:
    file = section(order) + interface(1, order) + enhanced(b"bytes", TIME // 1000, order, original=60)
    assert packets(file) == [(1, TIME // 1000 * 1000, 1, b"bytes", 60, "")]


@pytest.mark.parametrize(
    "resolution, count, time_ns",
    [
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (6, TIME // 1000, TIME // 1000 * 1000),
        (9, TIME, TIME),
        (12, 1_700_000_000_123_456, 1_700_000_000_123),
        (0x80 | 10, 1024 + 512, 1_500_000_000),
        (0x80, 7, 7_000_000_000),
    ],
    ids=["seconds", "us", "ns", "ps", "1/1024 s", "2^0 s"],
)
def test_an_interface_says_what_unit_its_times_are_in(resolution: int, count: int, time_ns: int) -> None:
    file = section() + interface(101, "<", (9, bytes([resolution]))) + enhanced(b"x", count)
    assert packets(file)[0].time_ns == time_ns


def test_an_interface_says_from_where_its_times_count() -> None:
    file = section() + interface(101, "<", (14, struct.pack("<q", -10))) + enhanced(b"x", 11_000_000)
    assert packets(file)[0].time_ns == 1_000_000_000


@pytest.mark.parametrize("resolution", [0, 0x80], ids=["10^0", "2^0"])
def test_a_time_beyond_all_calendars_is_none(resolution: int) -> None:
    file = section() + interface(101, "<", (9, bytes([resolution]))) + enhanced(b"x", 2**64 - 1)
    assert packets(file)[0].time_ns == 0


def test_a_packet_has_the_link_type_of_its_interface() -> None:
    file = section() + interface(1) + interface(113) + enhanced(b"a", number=1) + enhanced(b"b", number=0)
    assert [each.link_type for each in packets(file)] == [113, 1]


def test_comments_come_with_their_packet() -> None:
    pairs = [(1, "first \u2713".encode()), (2, bytes(4)), (1, b"second"), (1, b"\xff")]
    file = section() + interface() + enhanced(b"abc", 0, "<", *pairs)
    assert packets(file)[0].comment == "first \u2713\nsecond\n\ufffd"


@pytest.mark.parametrize("broken", [b"\x01\x00\xff\xff", b"\x01\x00\x08\x00abcd", b"\x01\x00"])
def test_an_option_that_reaches_beyond_its_packet_costs_no_packet(broken: bytes) -> None:
    head = struct.pack("<IIIII", 0, 0, 0, 4, 4)
    file = section() + interface() + block(6, head + b"data" + broken) + enhanced(b"next")
    assert [(each.data, each.comment) for each in packets(file)] == [(b"data", ""), (b"next", "")]


def test_a_simple_packet_has_the_first_interface_and_the_last_time() -> None:
    simple = block(3, struct.pack("<I", 5) + b"bytes")
    file = section() + interface(1) + interface(113) + enhanced(b"x", 7, number=1) + simple
    assert packets(file)[1] == (2, 7000, 1, b"bytes", 5, "")


def test_a_simple_packet_is_as_long_as_its_interface_keeps() -> None:
    file = section() + interface(1, snap_length=6) + block(3, struct.pack("<I", 1500) + b"abcdef")
    assert packets(file) == [(1, 0, 1, b"abcdef", 1500, "")]


def test_the_older_packet_block_is_read() -> None:
    head = struct.pack("<HHIIII", 1, 0xFFFF, 0, 9, 3, 60)
    file = section() + interface(1) + interface(113) + block(2, head + b"abc\0" + options((1, b"old")))
    assert packets(file) == [(1, 9000, 113, b"abc", 60, "old")]


@pytest.mark.parametrize("order", "<>")
def test_secrets_come_where_they_stand(order: str) -> None:
    file = section(order) + interface(101, order) + enhanced(b"a", 0, order) + secrets(LINE, order)
    first, second = items(file)
    assert isinstance(first, Packet)
    assert second == Secrets(LINE.decode())


def test_secrets_of_other_protocols_are_passed_over() -> None:
    assert items(section() + secrets(b"ssh", kind=0x5353484B)) == []


def test_secrets_that_are_no_text_harm_nobody() -> None:
    assert items(section() + secrets(b"\xff\xfe" + LINE)) == [Secrets("\ufffd\ufffd" + LINE.decode())]


def test_every_section_has_its_own_byte_order_and_interfaces() -> None:
    file = section("<") + interface(1, "<") + enhanced(b"a", 0, "<")
    file += section(">") + interface(113, ">") + enhanced(b"b", 0, ">")
    assert [(each.number, each.link_type) for each in packets(file)] == [(1, 1), (2, 113)]
    error = until_error(section() + interface() + section(">") + enhanced(b"a", 0, ">"))[1]
    assert error.fault is CaptureFault.DAMAGED


def test_names_statistics_and_unknown_blocks_are_passed_over() -> None:
    others = b"".join(block(kind, b"what ever it is") for kind in (4, 5, 9, 0xBAD, 0x40000BAD, 0xFFFFFFFF))
    assert len(packets(section(options=options((1, b"hi"))) + interface() + others + enhanced(b"x"))) == 1


class Endless:
    """A block of 4 GiB, as far as anybody reads; says how much was asked for at once."""

    def __init__(self, start: bytes) -> None:
        self.start = BytesIO(start)
        self.most = 0
        self.read_bytes = 0

    def read(self, size: int) -> bytes:
        self.most = max(self.most, size)
        self.read_bytes += size
        if self.read_bytes > 2**26:
            return b""
        return self.start.read(size) or bytes(size)


def test_an_unknown_block_of_any_length_takes_no_memory() -> None:
    source = Endless(section() + struct.pack("<II", 0xBAD, 2**32 - 4))
    with pytest.raises(Exception, match=r"ends inside a block of 4294967292 bytes at byte 28 \[cut_short\]"):
        list(read_packets(source))  # type: ignore[arg-type] # all that is asked of a file is read
    assert source.most < 2**20


@pytest.mark.parametrize("kind", [0x0A0D0D0A, 1, 2, 3, 6, 10])
def test_a_known_block_of_absurd_length_is_damage(kind: int) -> None:
    order_magic = struct.pack("<I", 0x1A2B3C4D)
    file = section() + struct.pack("<II", kind, 2**24 + 4) + order_magic + bytes(100)
    error = until_error(file)[1]
    assert error.fault is CaptureFault.DAMAGED
    assert "16777216 is the most" in error.detail


@pytest.mark.parametrize("length", [0, 8, 11, 13, 30])
def test_a_length_that_no_block_has_is_damage(length: int) -> None:
    file = section() + interface() + enhanced(b"x") + struct.pack("<II", 6, length) + bytes(40)
    found, error = until_error(file)
    assert len(found) == 1
    assert error.fault is CaptureFault.DAMAGED
    assert error.offset == len(file) - 48
    assert error.detail == f"a block of {length} bytes"


def test_an_error_behind_a_long_block_says_where_it_is() -> None:
    file = section() + block(0xBAD, bytes(200_000)) + block(0xBAD, bytes(70_000))
    assert until_error(file + bytes(40))[1].offset == len(file)


@pytest.mark.parametrize("kind", [6, 0xBAD], ids=["known", "unknown"])
def test_a_block_whose_lengths_differ_is_damage(kind: int) -> None:
    spoilt = block(kind, struct.pack("<IIIII", 0, 0, 0, 4, 4) + b"data")[:-4] + struct.pack("<I", 99)
    error = until_error(section() + interface() + spoilt)[1]
    assert (error.fault, error.detail) == (CaptureFault.DAMAGED, "a block whose two lengths differ")


@pytest.mark.parametrize(
    "spoilt",
    [
        block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9) + b"8 bytes!"),
        block(6, struct.pack("<IIIII", 0, 0, 0, 2**32 - 1, 9) + b"8 bytes!"),
        block(6, bytes(16)),
        block(6, struct.pack("<IIIII", 1, 0, 0, 4, 4) + b"data"),
        block(2, bytes(16)),
        block(3, b""),
        block(3, struct.pack("<I", 300_000) + bytes(300_000)),
        block(1, bytes(4)),
        block(10, bytes(4)),
        block(10, struct.pack("<II", 0x544C534B, 5) + b"four"),
        block(0x0A0D0D0A, struct.pack("<I", 0x1A2B3C4D)),
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4E, 1, 0, -1)),
    ],
)
def test_a_block_that_contradicts_itself_is_damage(spoilt: bytes) -> None:
    found, error = until_error(section() + interface() + enhanced(b"before") + spoilt)
    assert len(found) == 1
    assert error.fault is CaptureFault.DAMAGED


def test_interfaces_are_bounded() -> None:
    file = section() + interface() * (2**16 + 1)
    assert until_error(file)[1].detail == "a section with more than 65536 interfaces"


def test_another_version_of_the_format_is_refused() -> None:
    assert until_error(section(version=(2, 0)))[1].fault is CaptureFault.UNSUPPORTED
    assert items(section(version=(1, 2))) == []


def test_a_file_that_ends_inside_a_block_gives_those_before() -> None:
    whole = section() + interface() + enhanced(b"first")
    for last in (enhanced(b"second"), secrets(LINE), block(0xBAD, bytes(40)), section(">")):
        for end in range(1, len(last)):
            found, error = until_error(whole + last[:end])
            assert len(found) == 1
            assert error.fault is CaptureFault.CUT_SHORT
            assert error.offset == len(whole)
