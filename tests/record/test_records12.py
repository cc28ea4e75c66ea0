"""Reader and writer with the records of TLS 1.2: what may come when, sizes, and that the two agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protections12 import PROTECTIONS, Protection

from pellucid.codes import ContentType
from pellucid.errors import Misuse, PeerMisbehaved, Reason
from pellucid.record import Record, RecordReader, RecordWriter
from pellucid.trace import RecordEvent, Trace

CCS = int(ContentType.change_cipher_spec)
ALERT = int(ContentType.alert)
HANDSHAKE = int(ContentType.handshake)
DATA = int(ContentType.application_data)

each_protection = pytest.mark.parametrize("protection", PROTECTIONS, ids=str)
each_way = pytest.mark.parametrize(
    "read", [RecordReader.next, RecordReader.next_data], ids=["next", "next_data"]
)


def plain(content_type: int, fragment: bytes) -> bytes:
    return bytes([content_type]) + b"\x03\x03" + len(fragment).to_bytes(2, "big") + fragment


def reader_of(protection: Protection) -> RecordReader:
    reader = RecordReader()
    reader.install(protection.opener())
    return reader


def writer_of(protection: Protection) -> RecordWriter:
    writer = RecordWriter()
    writer.install(protection.sealer())
    return writer


def everything(reader: RecordReader) -> list[tuple[int, bytes, bool]]:
    found = []
    while (record := reader.next()) is not None:
        found.append((record.content_type, record.fragment, record.encrypted))
    return found


def drained(writer: RecordWriter, limit: int = 65536) -> bytes:
    takes = []
    while taken := writer.take(limit):
        assert len(taken) <= limit
        takes.append(taken)
    return b"".join(takes)


def headers(wire: bytes) -> list[tuple[int, int]]:
    """The type and length that each record's header says."""
    found = []
    while wire:
        length = int.from_bytes(wire[3:5], "big")
        found.append((wire[0], length))
        wire = wire[5 + length :]
    return found


def refusal(reader: RecordReader, wire: bytes, read: Callable[[RecordReader], object] = everything) -> Reason:
    reader.feed(wire)
    with pytest.raises(PeerMisbehaved) as caught:
        read(reader)
    return caught.value.reason


@each_protection
class TestWhatMayCome:
    def test_records_of_all_types_are_protected(self, protection: Protection) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        contents = [(HANDSHAKE, b"finished"), (DATA, b"data"), (DATA, b""), (ALERT, b"\x01\x00")]
        reader.feed(b"".join(sealer.seal(kind, content) for kind, content in contents))
        assert everything(reader) == [(kind, content, True) for kind, content in contents]

    @pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 100])
    def test_the_stream_may_be_cut_anywhere(self, protection: Protection, step: int) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        contents = [(HANDSHAKE, b"h" * 300), (DATA, b""), (DATA, b"x"), (DATA, b"d" * 2000)]
        stream = b"".join(sealer.seal(kind, content) for kind, content in contents)
        found = []
        for start in range(0, len(stream), step):
            reader.feed(stream[start : start + step])
            found += everything(reader)
        assert found == [(kind, content, True) for kind, content in contents]
        assert reader.buffered == 0

    @pytest.mark.parametrize(
        "kind,fragment", [(CCS, b"\x01"), (ALERT, b"\x01\x00"), (HANDSHAKE, b"\x00\x00\x00\x00")]
    )
    def test_nothing_unprotected_once_there_are_keys(
        self, protection: Protection, kind: int, fragment: bytes
    ) -> None:
        assert refusal(reader_of(protection), plain(kind, fragment)) is Reason.BAD_RECORD_MAC

    def test_no_protected_change_cipher_spec(self, protection: Protection) -> None:
        assert (
            refusal(reader_of(protection), protection.sealer().seal(CCS, b"\x01")) is Reason.UNEXPECTED_RECORD
        )

    @pytest.mark.parametrize("kind", [ALERT, HANDSHAKE])
    def test_no_empty_record_but_of_data(self, protection: Protection, kind: int) -> None:
        assert refusal(reader_of(protection), protection.sealer().seal(kind, b"")) is Reason.UNEXPECTED_RECORD

    @each_way
    def test_empty_data_within_the_limit(
        self, protection: Protection, read: Callable[[RecordReader], object]
    ) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        reader.feed(b"".join(sealer.seal(DATA, b"") for _ in range(32)) + sealer.seal(DATA, b"data"))
        while reader.buffered:
            read(reader)
        flood = b"".join(sealer.seal(DATA, b"") for _ in range(33))

        def all_of_it(reader: RecordReader) -> None:
            while reader.buffered:
                read(reader)

        assert refusal(reader, flood, all_of_it) is Reason.TOO_MANY_EMPTY_RECORDS

    @each_way
    @pytest.mark.parametrize("kind", [0, 19, 24, 255])
    def test_no_type_but_those_of_tls(
        self, protection: Protection, read: Callable[[RecordReader], object], kind: int
    ) -> None:
        reader, sealer = reader_of(protection), protection.sealer()
        reader.feed(sealer.seal(DATA, b"first"))
        assert read(reader)
        assert refusal(reader, sealer.seal(kind, b"x")) is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize("kind", [HANDSHAKE, DATA])
    def test_a_header_that_announces_more_than_2_to_14_and_2048(
        self, protection: Protection, kind: int
    ) -> None:
        reader = reader_of(protection)
        reader.feed(bytes([kind]) + b"\x03\x03\x48\x00")
        assert reader.next() is None
        other = reader_of(protection)
        assert refusal(other, bytes([kind]) + b"\x03\x03\x48\x01") is Reason.RECORD_OVERFLOW

    def test_every_altered_byte_of_a_stream_is_refused(self, protection: Protection) -> None:
        sealer = protection.sealer()
        wire = (
            sealer.seal(HANDSHAKE, b"finished") + sealer.seal(DATA, b"data") + sealer.seal(ALERT, b"\x01\x00")
        )
        for index in range(len(wire)):
            reader = reader_of(protection)
            # Behind it more comes, so that a length that was raised does not wait for the rest for ever.
            altered = wire[:index] + bytes([wire[index] ^ 1]) + wire[index + 1 :] + bytes(20000)
            assert refusal(reader, altered) in {Reason.BAD_RECORD_MAC, Reason.UNEXPECTED_RECORD}

    def test_of_two_keys_in_one_chunk_each_opens_its_own(self, protection: Protection) -> None:
        reader = RecordReader()
        reader.feed(plain(CCS, b"\x01") + protection.sealer().seal(HANDSHAKE, b"finished"))
        assert reader.next() == Record(CCS, b"\x01", encrypted=False)
        reader.install(protection.opener())
        assert reader.next() == Record(HANDSHAKE, b"finished", encrypted=True)

    def test_a_header_that_came_before_the_keys_is_judged_with_them(self, protection: Protection) -> None:
        reader = RecordReader()
        wire = protection.sealer().seal(HANDSHAKE, b"finished")
        reader.feed(wire[:5])
        assert reader.next() is None
        reader.install(protection.opener())
        reader.feed(wire[5:])
        assert reader.next() == Record(HANDSHAKE, b"finished", encrypted=True)


@each_protection
class TestBulk:
    def test_all_that_is_there_is_joined(self, protection: Protection) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        reader.feed(b"".join(sealer.seal(DATA, bytes([number]) * number) for number in range(1, 60)))
        found = b""
        while (data := reader.next_data()) is not None:
            found += data
        assert found == b"".join(bytes([number]) * number for number in range(1, 60))

    @pytest.mark.parametrize("kind", [HANDSHAKE, ALERT])
    @pytest.mark.parametrize("before", [0, 1, 3])
    def test_it_stops_before_a_record_of_another_type(
        self, protection: Protection, kind: int, before: int
    ) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        wire = b"".join(sealer.seal(DATA, b"dd") for _ in range(before))
        reader.feed(wire + sealer.seal(kind, b"\x01\x00") + sealer.seal(DATA, b"after"))
        assert reader.next_data() == (b"dd" * before or None)
        assert reader.next_data() is None
        assert reader.next() == Record(kind, b"\x01\x00", encrypted=True)
        assert reader.next_data() == b"after"

    def test_four_full_records_fill_the_limit_exactly(self, protection: Protection) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        reader.feed(b"".join(sealer.seal(DATA, b"d" * 16384) for _ in range(5)))
        found = []
        while (data := reader.next_data()) is not None:
            found.append(len(data))
        assert sum(found) == 5 * 16384
        assert max(found) <= 65536

    def test_data_before_a_fault_is_handed_out_and_then_the_fault(self, protection: Protection) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        records = [sealer.seal(DATA, content * 50) for content in (b"good", b"more", b"evil")]
        reader.feed(b"".join(records[:2]) + records[2][:-1] + bytes([records[2][-1] ^ 1]))
        assert reader.next_data() == b"good" * 50 + b"more" * 50
        with pytest.raises(PeerMisbehaved) as caught:
            reader.next_data()
        assert caught.value.reason is Reason.BAD_RECORD_MAC


@each_protection
class TestSizes:
    """RFC 8449 and RFC 6066 4: the most content of a record, in either direction."""

    @pytest.mark.parametrize("kind", [HANDSHAKE, DATA])
    @pytest.mark.parametrize("limit", [64, 512, 4096])
    def test_what_is_sent_keeps_to_it(self, protection: Protection, kind: int, limit: int) -> None:
        writer, reader = writer_of(protection), reader_of(protection)
        writer.max_fragment = reader.max_fragment = limit
        content = bytes(index % 251 for index in range(10 * limit + 1))
        writer.queue(kind, content)
        wire = drained(writer)
        reader.feed(wire)
        found = everything(reader)
        assert [len(fragment) for _, fragment, _ in found] == [limit] * 10 + [1]
        assert b"".join(fragment for _, fragment, _ in found) == content

    @each_way
    @pytest.mark.parametrize("limit", [64, 512])
    @pytest.mark.parametrize("count", [1, 3])
    def test_what_exceeds_it_is_refused(
        self, protection: Protection, read: Callable[[RecordReader], object], limit: int, count: int
    ) -> None:
        sealer, reader = protection.sealer(), reader_of(protection)
        reader.max_fragment = limit
        for _ in range(count - 1):
            reader.feed(sealer.seal(DATA, bytes(limit)))
            assert read(reader)
        assert refusal(reader, sealer.seal(DATA, bytes(limit + 1)), read) is Reason.RECORD_OVERFLOW

    def test_padding_stays_within_it(self, protection: Protection) -> None:
        writer, reader = writer_of(protection), reader_of(protection)
        writer.max_fragment = reader.max_fragment = 512
        writer.padding = lambda *_: 10000
        writer.queue(DATA, bytes(500))
        padded = drained(writer)
        reader.feed(padded)
        assert everything(reader) == [(DATA, bytes(500), True)]
        # RFC 8449 4.1: not longer than "a protected record that contains the maximum amount of plaintext and
        # the minimum permitted amount of padding"
        assert len(padded) <= len(protection.sealer().seal(DATA, bytes(512)))

    def test_a_take_keeps_its_limit(self, protection: Protection) -> None:
        writer, reader = writer_of(protection), reader_of(protection)
        for size in (1, 100, 70000, 16384, 3):
            writer.queue(DATA, b"d" * size)
        writer.queue(ALERT, b"\x01\x00")
        reader.feed(drained(writer, 17000))
        assert sum(len(fragment) for _, fragment, _ in everything(reader)) == 86488 + 2


class TestUnprotectedSizes:
    def test_messages_are_cut_to_what_the_peer_takes(self) -> None:
        """RFC 6066 4: "including handshake messages"."""
        writer = RecordWriter()
        writer.plaintext_fragment = 512
        writer.queue(HANDSHAKE, b"c" * 1200)
        writer.queue(HANDSHAKE, b"d" * 200)
        writer.queue(CCS, b"\x01")
        assert headers(drained(writer)) == [(HANDSHAKE, 512), (HANDSHAKE, 512), (HANDSHAKE, 376), (CCS, 1)]

    def test_the_limit_of_protected_records_is_not_theirs(self) -> None:
        """RFC 8449 4: "Unprotected messages are not subject to this limit." """
        writer, reader = RecordWriter(), RecordReader()
        writer.max_fragment = reader.max_fragment = 64
        writer.queue(HANDSHAKE, b"c" * 1200)
        reader.feed(drained(writer))
        assert everything(reader) == [(HANDSHAKE, b"c" * 1200, False)]

    @pytest.mark.parametrize("kind", [CCS, ALERT, HANDSHAKE])
    def test_a_longer_one_is_refused_by_its_header(self, kind: int) -> None:
        reader = RecordReader()
        reader.plaintext_fragment = 512
        reader.feed(plain(HANDSHAKE, bytes(512)))
        assert everything(reader) == [(HANDSHAKE, bytes(512), False)]
        assert refusal(reader, bytes([kind]) + b"\x03\x03\x02\x01") is Reason.RECORD_OVERFLOW

    def test_the_limit_counts_from_the_record_after_the_one_that_set_it(self) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, bytes(2000)) + plain(HANDSHAKE, bytes(2000)))
        assert reader.next() == Record(HANDSHAKE, bytes(2000), encrypted=False)
        reader.plaintext_fragment = 512
        assert refusal(reader, b"") is Reason.RECORD_OVERFLOW


@each_protection
def test_data_stops_at_the_limit_of_a_key_that_cannot_be_renewed(protection: Protection) -> None:
    sealer = protection.sealer()
    sealer.limit = 4
    writer, reader = RecordWriter(), reader_of(protection)
    writer.install(sealer)
    writer.queue(DATA, bytes(16384 * 4))
    reader.feed(writer.take())
    assert len(everything(reader)) == 3
    with pytest.raises(Misuse) as caught:
        writer.take()
    assert caught.value.reason is Reason.KEY_LIMIT_REACHED
    writer.drop_data()
    writer.queue(ALERT, b"\x02\x50")
    reader.feed(writer.take())
    assert everything(reader) == [(ALERT, b"\x02\x50", True)]


entries = st.one_of(
    st.tuples(st.just(HANDSHAKE), st.binary(min_size=1, max_size=400)),
    st.tuples(st.just(ALERT), st.just(b"\x01\x00")),
    st.tuples(st.just(DATA), st.binary(max_size=400)),
    st.tuples(st.just(DATA), st.integers(1000, 60000).map(lambda size: bytes(range(250)) * (size // 250))),
)


def joined(records: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbours of a type whose cutting into records is free, joined; empty data left out."""
    found: list[tuple[int, bytes]] = []
    for kind, fragment in records:
        if kind == DATA and not fragment:
            continue
        if found and kind in (DATA, HANDSHAKE) and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + fragment)
        else:
            found.append((kind, fragment))
    return found


@settings(max_examples=100)
@given(
    st.sampled_from(PROTECTIONS),
    st.lists(entries, max_size=8),
    st.sampled_from([512, 5000, 17000, 65536]),
    st.sampled_from([64, 1000, 16384]),
    st.sampled_from([None, 0, 20, 300]),
    st.sampled_from([1, 777, 65536]),
    st.booleans(),
)
def test_whatever_is_written_is_read(
    protection: Protection, queued: list[tuple[int, bytes]], limit: int, max_fragment: int,
    padding: int | None, step: int, bulk: bool,
) -> None:  # fmt: skip
    writer, reader = writer_of(protection), reader_of(protection)
    writer.max_fragment = reader.max_fragment = max_fragment
    if padding is not None:
        writer.padding = lambda *_: padding
    for kind, data in queued:
        writer.queue(kind, data)
    wire = drained(writer, limit)
    found = []
    step = max(step, len(wire) // 500)
    for start in range(0, len(wire), step):
        reader.feed(wire[start : start + step])
        while True:
            if bulk and (data := reader.next_data()) is not None:
                found.append((DATA, data))
            elif (record := reader.next()) is not None:
                found.append((record.content_type, record.fragment))
            else:
                break
    assert joined(found) == joined(queued)
    assert (reader.buffered, writer.pending) == (0, 0)


def test_the_trace_tells_every_record_with_its_true_type() -> None:
    protection = PROTECTIONS[0]
    trace = Trace()
    writer, reader = RecordWriter(trace.view("client")), RecordReader(trace.view("server"))
    writer.queue(CCS, b"\x01")
    writer.install(protection.sealer())
    writer.queue(HANDSHAKE, b"finished")
    writer.queue(DATA, bytes(20000))
    reader.feed(writer.take())
    reader.next()
    reader.install(protection.opener())
    reader.next()
    while reader.next_data():
        pass
    for direction in ("sent", "received"):
        told = [
            (event.content_type, event.length, event.encrypted, event.header.hex())
            for event in trace.events
            if isinstance(event, RecordEvent) and event.direction == direction
        ]
        assert told == [
            (CCS, 1, False, "1403030001"),
            (HANDSHAKE, 32, True, "1603030020"),
            (DATA, 16408, True, "1703034018"),
            (DATA, 3640, True, "1703030e38"),
        ]
