"""The reader: framing under any cut of the stream, and the fate of every record that must not come."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.codes import ContentType
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import Misuse, PeerIncompatible, PeerMisbehaved, Reason, TLSError
from pellucid.keys.key_schedule import TrafficKeys
from pellucid.record import Opener, Record, RecordReader, Sealer
from pellucid.trace import RecordEvent, Trace

CCS = int(ContentType.change_cipher_spec)
ALERT = int(ContentType.alert)
HANDSHAKE = int(ContentType.handshake)
DATA = int(ContentType.application_data)

SUITE: Suite = SUITES[0x1301]
KEYS = TrafficKeys(b"k" * 16, b"i" * 12)
OTHER_KEYS = TrafficKeys(b"K" * 16, b"I" * 12)


def plain(content_type: int, fragment: bytes, version: bytes = b"\x03\x03") -> bytes:
    return bytes([content_type]) + version + len(fragment).to_bytes(2, "big") + fragment


def reader_with_keys() -> RecordReader:
    reader = RecordReader()
    reader.install(Opener(SUITE, KEYS))
    return reader


def everything(reader: RecordReader) -> list[tuple[int, bytes, bool]]:
    found = []
    while (record := reader.next()) is not None:
        found.append((record.content_type, record.fragment, record.encrypted))
    return found


def refusal(reader: RecordReader, wire: bytes, read: Callable[[RecordReader], object] = everything) -> Reason:
    reader.feed(wire)
    with pytest.raises(PeerMisbehaved) as caught:
        read(reader)
    return caught.value.reason


class TestFraming:
    def test_records_are_cut_out_of_the_stream(self) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, b"one") + plain(ALERT, b"\x02\x28") + plain(HANDSHAKE, b"two"))
        assert everything(reader) == [
            (HANDSHAKE, b"one", False),
            (ALERT, b"\x02\x28", False),
            (HANDSHAKE, b"two", False),
        ]

    @pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7, 100])
    def test_chunks_of_any_size_give_the_same_records(self, step: int) -> None:
        sealer = Sealer(SUITE, KEYS)
        contents = [
            (HANDSHAKE, b"h" * 300),
            (DATA, b""),
            (DATA, b"x"),
            (ALERT, b"\x01\x00"),
            (DATA, b"d" * 2000),
        ]
        stream = b"".join(sealer.seal(kind, content) for kind, content in contents)
        reader = reader_with_keys()
        found = []
        for start in range(0, len(stream), step):
            reader.feed(stream[start : start + step])
            found += everything(reader)
        assert found == [(kind, content, True) for kind, content in contents]
        assert reader.buffered == 0

    def test_many_chunks_that_nobody_reads_are_kept_together(self) -> None:
        stream = plain(HANDSHAKE, b"a" * 1000) + plain(HANDSHAKE, b"b" * 1000)
        reader = RecordReader()
        for byte in stream:
            reader.feed(bytes([byte]))
        assert reader.buffered == len(stream)
        assert everything(reader) == [(HANDSHAKE, b"a" * 1000, False), (HANDSHAKE, b"b" * 1000, False)]

    def test_a_stream_of_large_chunks_is_joined_only_where_a_record_crosses(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        stream = b"".join(sealer.seal(DATA, bytes([number]) * 16384) for number in range(40))
        reader = reader_with_keys()
        for start in range(0, len(stream), 65536):
            reader.feed(stream[start : start + 65536])
        data = bytearray()
        while (piece := reader.next_data()) is not None:
            data += piece
        assert data == b"".join(bytes([number]) * 16384 for number in range(40))

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_the_callers_buffer_may_change_after_it_was_fed(self, kind: Callable[[bytes], bytes]) -> None:
        source = bytearray(plain(HANDSHAKE, b"message"))
        reader = RecordReader()
        reader.feed(kind(source) if kind is not memoryview else memoryview(source))
        source[:] = bytes(len(source))
        assert everything(reader) == [(HANDSHAKE, b"message", False)]

    def test_buffered_counts_what_was_not_handed_up(self) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, b"message") + b"\x16\x03")
        everything(reader)
        reader.feed(b"\x03")
        assert reader.buffered == 3

    def test_a_chunk_that_was_read_is_not_held(self) -> None:
        chunk = plain(HANDSHAKE, b"m" * 1000)
        before = sys.getrefcount(chunk)
        reader = RecordReader()
        reader.feed(chunk)
        everything(reader)
        gc.collect()
        assert sys.getrefcount(chunk) == before

    @pytest.mark.parametrize("version", [b"\x03\x00", b"\x03\x01", b"\x03\x04", b"\x03\xff"])
    def test_the_legacy_version_is_ignored(self, version: bytes) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, b"message", version))
        assert everything(reader) == [(HANDSHAKE, b"message", False)]

    def test_after_the_first_record_its_major_number_is_ignored_too(self) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, b"first") + plain(HANDSHAKE, b"second", b"\xff\xff"))
        assert everything(reader)[1] == (HANDSHAKE, b"second", False)


class TestNotTLS:
    @pytest.mark.parametrize(
        "wire,shown",
        [
            (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", '"HTTP/1.1 400 Bad Request"'),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", "plain HTTP request"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH banner"),
            (b"220 mail.example ESMTP\r\n", "STARTTLS"),
            (b"* OK IMAP4rev1\r\n", "IMAP"),
            (b"\x80\x2e\x01\x05\x01\x00\x15\x00\x00", "80 2e 01 05 01"),
            (b"\x80\x2e\x04\x00\x02\x00\x15\x00\x00", "80 2e 04 00 02"),
            (b"\x00\x01\x02\x03\x04\x05", "00 01 02 03 04 05"),
            (b"\x19\x03\x03\x00\x05hello", "19 03 03"),
        ],
    )
    def test_it_is_recognised_and_shown(self, wire: bytes, shown: str) -> None:
        reader = RecordReader()
        reader.feed(wire)
        with pytest.raises(PeerMisbehaved) as caught:
            reader.next()
        assert caught.value.reason is Reason.NOT_TLS
        assert shown in caught.value.detail

    @pytest.mark.parametrize("version", [b"\x00\x00", b"\x02\x00", b"\x04\x01", b"\xff\xff"])
    def test_the_version_of_the_first_record_is_ignored(self, version: bytes) -> None:
        """RFC 9846 5.1: legacy_record_version "MUST be ignored for all purposes"."""
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, b"hello", version))
        assert everything(reader) == [(HANDSHAKE, b"hello", False)]

    def test_it_is_recognised_in_single_bytes_at_the_fifth(self) -> None:
        reader = RecordReader()
        for byte in b"HTTP":
            reader.feed(bytes([byte]))
            assert reader.next() is None
        assert refusal(reader, b"/") is Reason.NOT_TLS

    def test_control_characters_never_reach_the_message(self) -> None:
        reader = RecordReader()
        reader.feed(b"<\x1b[2Jred")
        with pytest.raises(PeerMisbehaved) as caught:
            reader.next()
        assert "\x1b" not in caught.value.detail

    @pytest.mark.parametrize(
        "version,name",
        [
            (b"\x00\x02", "SSL 2.0 itself"),
            (b"\x03\x00", "SSLv3"),
            (b"\x03\x01", "TLSv1"),
            (b"\x03\x02", "TLSv1.1"),
            (b"\x03\x03", "TLSv1.2"),
            (b"\x03\x09", "unknown (0x0309)"),
        ],
    )
    @pytest.mark.parametrize("end", [5, 48])
    def test_a_hello_of_ssl_2_is_refused_by_its_name(self, version: bytes, name: str, end: int) -> None:
        wire = b"\x80\x2e\x01" + version + b"\x00\x15\x00\x00\x00\x10" + bytes(37)
        reader = RecordReader()
        for byte in wire[:4]:
            reader.feed(bytes([byte]))
            assert reader.next() is None
        reader.feed(wire[4:end])
        with pytest.raises(PeerIncompatible) as caught:
            reader.next()
        assert caught.value.reason is Reason.NO_SHARED_VERSION
        assert "SSL 2.0 CLIENT-HELLO" in caught.value.detail
        assert name in caught.value.detail
        for read in (RecordReader.next, RecordReader.next_data):
            with pytest.raises(PeerIncompatible):
                read(reader)

    def test_later_rubbish_is_a_fault_of_the_record_layer(self) -> None:
        reader = RecordReader()
        assert refusal(reader, plain(HANDSHAKE, b"hello") + b"HTTP/1.1 400") is Reason.UNEXPECTED_RECORD


class TestRefusedWithoutKeys:
    @pytest.mark.parametrize("content_type", [24])
    def test_a_type_that_is_not_of_tls_1_3(self, content_type: int) -> None:
        assert refusal(RecordReader(), plain(content_type, b"x")) is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize("content_type", [0, 19, 24, 64, 255])
    def test_such_a_type_later(self, content_type: int) -> None:
        wire = plain(HANDSHAKE, b"hello") + plain(content_type, b"x")
        assert refusal(RecordReader(), wire) is Reason.UNEXPECTED_RECORD

    def test_application_data(self) -> None:
        assert refusal(RecordReader(), plain(DATA, b"early")) is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize("content_type", [ALERT, HANDSHAKE])
    def test_an_empty_record(self, content_type: int) -> None:
        assert refusal(RecordReader(), plain(content_type, b"")) is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize("content_type", [CCS, ALERT, HANDSHAKE])
    def test_a_header_that_announces_more_than_2_to_14(self, content_type: int) -> None:
        assert refusal(RecordReader(), bytes([content_type]) + b"\x03\x03\x40\x01") is Reason.RECORD_OVERFLOW

    def test_2_to_14_bytes_are_allowed(self) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, bytes(16384)))
        assert everything(reader) == [(HANDSHAKE, bytes(16384), False)]


class TestRefusedWithKeys:
    @pytest.mark.parametrize("content_type", [ALERT, HANDSHAKE])
    def test_an_unprotected_record(self, content_type: int) -> None:
        assert refusal(reader_with_keys(), plain(content_type, b"\x02\x28")) is Reason.UNEXPECTED_RECORD

    def test_a_header_that_announces_more_than_2_to_14_and_256(self) -> None:
        assert refusal(reader_with_keys(), b"\x17\x03\x03\x41\x01") is Reason.RECORD_OVERFLOW

    def test_one_that_announces_just_that_is_waited_for(self) -> None:
        reader = reader_with_keys()
        reader.feed(b"\x17\x03\x03\x41\x00")
        assert reader.next() is None

    def test_and_is_then_refused_for_what_is_in_it(self) -> None:
        assert refusal(reader_with_keys(), plain(DATA, bytes(16384 + 256))) is Reason.BAD_RECORD_MAC

    @pytest.mark.parametrize("content_type", [CCS, 1, 24, 255])
    def test_a_protected_record_of_another_type(self, content_type: int) -> None:
        wire = Sealer(SUITE, KEYS).seal(content_type, b"\x01")
        assert refusal(reader_with_keys(), wire) is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize("content_type", [ALERT, HANDSHAKE])
    @pytest.mark.parametrize("padding", [0, 20])
    def test_an_empty_one(self, content_type: int, padding: int) -> None:
        wire = Sealer(SUITE, KEYS).seal(content_type, b"", padding)
        assert refusal(reader_with_keys(), wire) is Reason.UNEXPECTED_RECORD

    def test_content_beyond_our_own_limit(self) -> None:
        reader = reader_with_keys()
        reader.max_fragment = 100
        assert refusal(reader, Sealer(SUITE, KEYS).seal(DATA, bytes(101))) is Reason.RECORD_OVERFLOW

    @pytest.mark.parametrize("read", [everything, RecordReader.next_data], ids=["next", "next_data"])
    def test_a_record_of_another_key(self, read: Callable[[RecordReader], object]) -> None:
        wire = Sealer(SUITE, OTHER_KEYS).seal(DATA, b"data")
        assert refusal(reader_with_keys(), wire, read) is Reason.BAD_RECORD_MAC

    def test_the_first_fault_is_final(self) -> None:
        reader = reader_with_keys()
        assert refusal(reader, plain(HANDSHAKE, b"plain")) is Reason.UNEXPECTED_RECORD
        for read in (RecordReader.next, RecordReader.next_data):
            assert refusal(reader, Sealer(SUITE, KEYS).seal(DATA, b"data"), read) is Reason.UNEXPECTED_RECORD


class TestHandedUp:
    @pytest.mark.parametrize("fragment", [b"\x01", b"\x02", b"\x01\x01", b""])
    def test_an_unprotected_change_cipher_spec_among_protected_records(self, fragment: bytes) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(HANDSHAKE, b"a") + plain(CCS, fragment) + sealer.seal(HANDSHAKE, b"b"))
        assert everything(reader) == [
            (HANDSHAKE, b"a", True),
            (CCS, fragment, False),
            (HANDSHAKE, b"b", True),
        ]

    def test_bulk_reading_stops_before_a_change_cipher_spec(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(DATA, b"a") + plain(CCS, b"\x01") + sealer.seal(DATA, b"b"))
        assert reader.next_data() == b"a"
        assert reader.next_data() is None
        assert reader.next() == Record(CCS, b"\x01", encrypted=False)
        assert reader.next_data() == b"b"

    def test_an_unprotected_alert_where_the_peer_may_have_no_keys(self) -> None:
        reader = RecordReader()
        reader.install(Opener(SUITE, KEYS), plaintext_alerts=True)
        reader.feed(plain(ALERT, b"\x02\x2f"))
        assert everything(reader) == [(ALERT, b"\x02\x2f", False)]

    @pytest.mark.parametrize("read", [RecordReader.next, RecordReader.next_data], ids=["next", "next_data"])
    def test_but_not_once_the_peer_has_shown_that_it_has(
        self, read: Callable[[RecordReader], object]
    ) -> None:
        reader = RecordReader()
        reader.install(Opener(SUITE, KEYS), plaintext_alerts=True)
        reader.feed(Sealer(SUITE, KEYS).seal(DATA, b"a"))
        assert read(reader) is not None
        assert refusal(reader, plain(ALERT, b"\x02\x2f")) is Reason.UNEXPECTED_RECORD

    def test_a_header_that_came_before_a_key_change_is_judged_after_it(self) -> None:
        reader = reader_with_keys()
        wire = plain(HANDSHAKE, b"hello")
        reader.install(None)
        reader.feed(wire[:5])
        assert reader.next() is None
        reader.install(Opener(SUITE, KEYS))
        assert refusal(reader, wire[5:]) is Reason.UNEXPECTED_RECORD

    def test_records_of_two_keys_in_one_chunk(self) -> None:
        reader = reader_with_keys()
        reader.feed(
            Sealer(SUITE, KEYS).seal(HANDSHAKE, b"finished") + Sealer(SUITE, OTHER_KEYS).seal(DATA, b"data")
        )
        assert reader.next() == Record(HANDSHAKE, b"finished", encrypted=True)
        reader.install(Opener(SUITE, OTHER_KEYS))
        assert reader.next_data() == b"data"


class TestBulk:
    def test_all_that_is_there_is_joined(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(b"".join(sealer.seal(DATA, bytes([number]) * number, number) for number in range(1, 60)))
        assert reader.next_data() == b"".join(bytes([number]) * number for number in range(1, 60))

    def test_a_limit_is_kept_and_the_rest_follows(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(b"".join(sealer.seal(DATA, b"d" * 10000) for _ in range(5)))
        assert [len(reader.next_data(25000) or b"") for _ in range(4)] == [20000, 20000, 10000, 0]

    @pytest.mark.parametrize("limit", [0, 16383, 65537])
    def test_a_limit_that_cannot_be_kept_is_misuse(self, limit: int) -> None:
        with pytest.raises(Misuse):
            reader_with_keys().next_data(limit)

    def test_four_full_records_fill_the_limit_exactly(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(b"".join(sealer.seal(DATA, b"d" * 16384) for _ in range(5)))
        assert [len(reader.next_data() or b"") for _ in range(2)] == [65536, 16384]

    def test_a_long_padded_record_at_the_end_of_a_run(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(b"".join(sealer.seal(DATA, b"a" * 16384) for _ in range(3)))
        reader.feed(sealer.seal(DATA, b"b" * 10, 16374) + sealer.seal(DATA, b"c"))
        assert (reader.next_data() or b"")[49152:] == b"b" * 10 + b"c"

    @pytest.mark.parametrize("content_type", [HANDSHAKE, ALERT])
    @pytest.mark.parametrize("before", [0, 1, 3])
    def test_another_record_ends_the_run_and_is_the_next(self, content_type: int, before: int) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        wire = b"".join(sealer.seal(DATA, b"d") for _ in range(before))
        reader.feed(wire + sealer.seal(content_type, b"\x01\x00") + sealer.seal(DATA, b"after"))
        assert reader.next_data() == (b"d" * before or None)
        assert reader.next_data() is None
        assert reader.next() == Record(content_type, b"\x01\x00", encrypted=True)
        assert reader.next_data() == b"after"

    def test_such_a_record_must_be_taken_before_the_key_changes(self) -> None:
        reader = reader_with_keys()
        reader.feed(Sealer(SUITE, KEYS).seal(HANDSHAKE, b"key_update"))
        assert reader.next_data() is None
        with pytest.raises(Misuse):
            reader.install(Opener(SUITE, OTHER_KEYS))

    def test_nothing_is_handed_out_without_keys(self) -> None:
        reader = RecordReader()
        reader.feed(plain(HANDSHAKE, b"hello"))
        assert reader.next_data() is None

    def test_data_before_a_fault_is_handed_out_and_then_the_fault(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(DATA, b"good") + sealer.seal(DATA, b"good too") + plain(DATA, bytes(40)))
        assert reader.next_data() == b"goodgood too"
        with pytest.raises(PeerMisbehaved) as caught:
            reader.next_data()
        assert caught.value.reason is Reason.BAD_RECORD_MAC

    def test_so_it_is_where_all_records_are_as_long(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        wire = b"".join(sealer.seal(DATA, bytes([number]) * 5000) for number in range(3))
        reader = reader_with_keys()
        reader.feed(wire[:-1] + bytes([wire[-1] ^ 1]))
        assert reader.next_data() == bytes(5000) + b"\x01" * 5000
        with pytest.raises(PeerMisbehaved) as caught:
            reader.next_data()
        assert caught.value.reason is Reason.BAD_RECORD_MAC

    @pytest.mark.parametrize("content_type", [HANDSHAKE, ALERT])
    def test_another_record_as_long_as_the_data_ends_the_run(self, content_type: int) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        kinds = (DATA, DATA, content_type, DATA)
        reader.feed(b"".join(sealer.seal(kind, b"%d" % index) for index, kind in enumerate(kinds)))
        assert reader.next_data() == b"01"
        assert reader.next_data() is None
        assert reader.next() == Record(content_type, b"2", encrypted=True)
        assert reader.next_data() == b"3"

    def test_padding_in_the_middle_of_a_run_is_taken_off(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        contents = (b"full", b"p", b"full", b"", b"full")
        reader.feed(b"".join(sealer.seal(DATA, content, 4 - len(content)) for content in contents))
        assert reader.next_data() == b"fullpfullfull"

    def test_it_is_drained_when_all_that_came_was_handed_out(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        assert reader.drained
        reader.feed(sealer.seal(DATA, b"data") + sealer.seal(DATA, b"data")[:-1])
        reader.next_data()
        assert not reader.drained

    def test_it_is_not_drained_while_a_record_is_to_be_taken(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(DATA, b"data") + sealer.seal(ALERT, b"\x01\x00"))
        assert reader.next_data() == b"data"
        assert not reader.drained
        reader.next()
        assert reader.drained

    def test_it_is_not_drained_while_a_fault_is_to_be_told(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(DATA, b"data") + b"".join(sealer.seal(DATA, b"") for _ in range(33)))
        assert reader.next_data() == b"data"
        assert (reader.buffered, reader.drained) == (0, False)

    def test_what_was_handed_out_does_not_change(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(DATA, b"a" * 9000) + sealer.seal(DATA, b"a" * 9000))
        first = reader.next_data()
        reader.feed(sealer.seal(DATA, b"b" * 9000) + sealer.seal(DATA, b"b" * 9000))
        assert reader.next_data() == b"b" * 18000
        assert first == b"a" * 18000


class TestEmptyRecords:
    @pytest.mark.parametrize("read", [everything, RecordReader.next_data], ids=["next", "next_data"])
    def test_32_in_a_row_are_allowed(self, read: Callable[[RecordReader], object]) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        for _ in range(3):
            reader.feed(b"".join(sealer.seal(DATA, b"", 100) for _ in range(32)) + sealer.seal(DATA, b"x"))
            read(reader)
        assert reader.buffered == 0

    @pytest.mark.parametrize("read", [everything, RecordReader.next_data], ids=["next", "next_data"])
    def test_33_are_not(self, read: Callable[[RecordReader], object]) -> None:
        sealer = Sealer(SUITE, KEYS)
        wire = b"".join(sealer.seal(DATA, b"") for _ in range(33))
        assert refusal(reader_with_keys(), wire, read) is Reason.TOO_MANY_EMPTY_RECORDS

    @pytest.mark.parametrize("read", [everything, RecordReader.next_data], ids=["next", "next_data"])
    def test_nor_when_they_come_one_by_one(self, read: Callable[[RecordReader], object]) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        for _ in range(32):
            reader.feed(sealer.seal(DATA, b""))
            read(reader)
        assert refusal(reader, sealer.seal(DATA, b""), read) is Reason.TOO_MANY_EMPTY_RECORDS

    def test_bulk_reading_drops_them(self) -> None:
        sealer = Sealer(SUITE, KEYS)
        reader = reader_with_keys()
        reader.feed(sealer.seal(DATA, b"") + sealer.seal(DATA, b"data") + sealer.seal(DATA, b"", 5))
        assert reader.next_data() == b"data"
        assert reader.next_data() is None
        assert reader.buffered == 0


class TestRefusedEarlyData:
    def test_what_the_handshake_keys_do_not_open_is_dropped(self) -> None:
        early = Sealer(SUITE, OTHER_KEYS)
        reader = reader_with_keys()
        reader.skip_early_data(1000)
        reader.feed(early.seal(DATA, b"0-RTT") + plain(CCS, b"\x01") + early.seal(DATA, b"more"))
        reader.feed(Sealer(SUITE, KEYS).seal(HANDSHAKE, b"finished"))
        assert everything(reader) == [(CCS, b"\x01", False), (HANDSHAKE, b"finished", True)]

    def test_after_the_first_that_they_open_nothing_is_dropped(self) -> None:
        reader = reader_with_keys()
        reader.skip_early_data(1000)
        reader.feed(Sealer(SUITE, KEYS).seal(HANDSHAKE, b"finished"))
        everything(reader)
        assert refusal(reader, Sealer(SUITE, OTHER_KEYS).seal(DATA, b"late")) is Reason.BAD_RECORD_MAC

    def test_bulk_reading_does_not_drop(self) -> None:
        reader = reader_with_keys()
        reader.skip_early_data(1000)
        reader.feed(Sealer(SUITE, OTHER_KEYS).seal(DATA, b"0-RTT"))
        assert reader.next_data() is None
        assert reader.next() is None
        assert reader.buffered == 0

    def test_after_a_hello_retry_request_application_data_is_dropped_unopened(self) -> None:
        early = Sealer(SUITE, OTHER_KEYS)
        reader = RecordReader()
        reader.skip_early_data(1000)
        reader.feed(
            early.seal(DATA, b"0-RTT")
            + plain(CCS, b"\x01")
            + early.seal(DATA, b"x")
            + plain(HANDSHAKE, b"hello")
        )
        assert everything(reader) == [(CCS, b"\x01", False), (HANDSHAKE, b"hello", False)]

    def test_until_the_second_hello(self) -> None:
        reader = RecordReader()
        reader.skip_early_data(1000)
        reader.feed(plain(HANDSHAKE, b"hello"))
        everything(reader)
        assert refusal(reader, Sealer(SUITE, OTHER_KEYS).seal(DATA, b"x")) is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize("keys", [True, False])
    def test_its_size_is_counted_without_type_and_tag(self, keys: bool) -> None:
        reader = reader_with_keys() if keys else RecordReader()
        reader.skip_early_data(100)
        early = Sealer(SUITE, OTHER_KEYS)
        reader.feed(early.seal(DATA, b"d" * 60) + early.seal(DATA, b"d" * 40))
        assert everything(reader) == []
        assert refusal(reader, early.seal(DATA, b"")) is Reason.TOO_MUCH_EARLY_DATA

    def test_a_record_too_long_is_refused_all_the_same(self) -> None:
        reader = RecordReader()
        reader.skip_early_data(100000)
        assert refusal(reader, b"\x17\x03\x03\x41\x01") is Reason.RECORD_OVERFLOW


def outcome(
    wire: bytes, step: int, keys: bool, skip: int | None
) -> tuple[list[tuple[int, bytes, bool]], Reason | None]:
    """All the records that a reader hands up, and why it stopped."""
    reader = reader_with_keys() if keys else RecordReader()
    if skip is not None:
        reader.skip_early_data(skip)
    found: list[tuple[int, bytes, bool]] = []
    try:
        for start in range(0, len(wire), step):
            reader.feed(wire[start : start + step])
            while (record := reader.next()) is not None:
                found.append((record.content_type, record.fragment, record.encrypted))
    except TLSError as error:
        return found, error.reason
    return found, None


def sealed_stream(contents: list[tuple[int, bytes]]) -> bytes:
    sealer = Sealer(SUITE, KEYS)
    return b"".join(sealer.seal(kind, content) for kind, content in contents)


contents = st.lists(st.tuples(st.sampled_from([ALERT, HANDSHAKE, DATA]), st.binary(max_size=30)), max_size=6)
streams = st.one_of(
    st.binary(max_size=200),
    contents.map(sealed_stream),
    contents.map(lambda records: b"".join(plain(kind, content) for kind, content in records)),
)


@given(streams, st.integers(0, 400), st.integers(0, 255), st.booleans(), st.sampled_from([None, 0, 50]))
def test_any_bytes_give_records_or_one_fault_however_they_are_cut(
    wire: bytes, position: int, byte: int, keys: bool, skip: int | None
) -> None:
    altered = wire[:position] + bytes([byte]) + wire[position + 1 :]
    whole = outcome(altered, len(altered), keys, skip)
    assert outcome(altered, 1, keys, skip) == whole


def test_the_trace_tells_every_record_with_its_true_type() -> None:
    trace = Trace()
    sealer = Sealer(SUITE, KEYS)
    reader = RecordReader(trace.view("client"))
    reader.feed(plain(HANDSHAKE, b"hello"))
    everything(reader)
    reader.install(Opener(SUITE, KEYS))
    reader.feed(
        sealer.seal(HANDSHAKE, b"secret")
        + plain(CCS, b"\x01")
        + sealer.seal(DATA, b"a")
        + sealer.seal(DATA, b"b")
    )
    reader.next()
    reader.next()
    reader.next_data()
    reader.feed(sealer.seal(DATA, b"c"))
    reader.next_data()
    told = [event for event in trace.events if isinstance(event, RecordEvent)]
    assert {event.direction for event in told} == {"received"}
    assert [(event.content_type, event.length, event.encrypted, event.header.hex()) for event in told] == [
        (HANDSHAKE, 5, False, "1603030005"),
        (HANDSHAKE, 23, True, "1703030017"),
        (CCS, 1, False, "1403030001"),
        (DATA, 18, True, "1703030012"),
        (DATA, 18, True, "1703030012"),
        (DATA, 18, True, "1703030012"),
    ]
