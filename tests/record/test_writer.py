"""The writer: what becomes a record, under which key, in which order, and how much at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.codes import ContentType
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import Misuse, Reason
from pellucid.keys.key_schedule import TrafficKeys
from pellucid.record import Opener, RecordReader, RecordWriter, Sealer
from pellucid.trace import RecordEvent, Trace

CCS = int(ContentType.change_cipher_spec)
ALERT = int(ContentType.alert)
HANDSHAKE = int(ContentType.handshake)
DATA = int(ContentType.application_data)

SUITE: Suite = SUITES[0x1301]
KEYS = [TrafficKeys(bytes([number]) * 16, b"i" * 12) for number in range(100)]
CLIENT_HELLO = b"\x01\x00\x00\x02hi"
KEY_UPDATE = b"\x18\x00\x00\x01\x00"


def sealer(generation: int = 0, limit: int = 2**24) -> Sealer:
    made = Sealer(SUITE, KEYS[generation])
    made.limit = limit
    return made


def protected_writer() -> RecordWriter:
    writer = RecordWriter()
    writer.install(sealer())
    return writer


def drained(writer: RecordWriter, limit: int = 65536) -> list[bytes]:
    takes = []
    while taken := writer.take(limit):
        takes.append(taken)
    return takes


def headers(wire: bytes) -> list[bytes]:
    found = []
    while wire:
        found.append(wire[:5])
        wire = wire[5 + int.from_bytes(wire[3:5], "big") :]
    return found


def opened(wire: bytes, generation: int | None = 0) -> list[tuple[int, bytes]]:
    """What a reader makes of `wire`: it changes to the next key behind every KeyUpdate."""
    reader = RecordReader()
    if generation is not None:
        reader.install(Opener(SUITE, KEYS[generation]))
    reader.feed(wire)
    found = []
    while (record := reader.next()) is not None:
        found.append((record.content_type, record.fragment))
        if record.fragment == KEY_UPDATE:
            assert generation is not None
            generation += 1
            reader.install(Opener(SUITE, KEYS[generation]))
    assert reader.buffered == 0
    return found


class KeyUpdates:
    """What a connection offers as `make_key_update`."""

    def __init__(self, limit: int) -> None:
        self.generation = 0
        self.limit = limit

    def __call__(self) -> tuple[bytes, Sealer]:
        self.generation += 1
        return KEY_UPDATE, sealer(self.generation, self.limit)


def writer_with_limit(limit: int) -> tuple[RecordWriter, KeyUpdates]:
    writer = RecordWriter()
    writer.install(sealer(0, limit))
    updates = KeyUpdates(limit)
    writer.make_key_update = updates
    return writer, updates


class TestUnprotected:
    def test_the_initial_client_hello_says_tls_1_0(self) -> None:
        writer = RecordWriter()
        writer.queue(HANDSHAKE, CLIENT_HELLO)
        assert writer.take() == b"\x16\x03\x01\x00\x06" + CLIENT_HELLO

    def test_all_records_of_a_long_one_do(self) -> None:
        writer = RecordWriter()
        writer.queue(HANDSHAKE, CLIENT_HELLO + bytes(20000))
        assert headers(writer.take()) == [b"\x16\x03\x01\x40\x00", b"\x16\x03\x01\x0e\x26"]

    def test_a_second_client_hello_says_tls_1_2(self) -> None:
        writer = RecordWriter()
        writer.queue(HANDSHAKE, CLIENT_HELLO)
        writer.take()
        writer.queue(HANDSHAKE, CLIENT_HELLO)
        assert writer.take()[:3] == b"\x16\x03\x03"

    @pytest.mark.parametrize(
        "kind,data", [(HANDSHAKE, b"\x02\x00\x00\x00"), (ALERT, b"\x02\x28"), (CCS, b"\x01")]
    )
    def test_everything_else_says_tls_1_2(self, kind: int, data: bytes) -> None:
        writer = RecordWriter()
        writer.queue(kind, data)
        assert writer.take() == bytes([kind]) + b"\x03\x03" + len(data).to_bytes(2, "big") + data

    def test_application_data_is_never_sent_so(self) -> None:
        writer = RecordWriter()
        writer.queue(DATA, b"secret")
        with pytest.raises(Misuse) as caught:
            writer.take()
        assert caught.value.reason is Reason.HANDSHAKE_NOT_COMPLETE

    def test_a_change_cipher_spec_is_unprotected_among_protected_records(self) -> None:
        writer = protected_writer()
        writer.queue(CCS, b"\x01")
        writer.queue(HANDSHAKE, b"finished")
        wire = writer.take()
        assert wire[:6] == b"\x14\x03\x03\x00\x01\x01"
        assert opened(wire) == [(CCS, b"\x01"), (HANDSHAKE, b"finished")]


class TestRecords:
    def test_handshake_messages_of_one_key_share_a_record(self) -> None:
        writer = protected_writer()
        for message in (b"extensions", b"certificate", b"verify", b"finished"):
            writer.queue(HANDSHAKE, message)
        assert opened(writer.take()) == [(HANDSHAKE, b"extensionscertificateverifyfinished")]

    def test_they_fill_as_few_records_as_possible(self) -> None:
        writer = protected_writer()
        for _ in range(5):
            writer.queue(HANDSHAKE, b"m" * 10000)
        assert [len(fragment) for _, fragment in opened(writer.take())] == [16384, 16384, 16384, 848]

    def test_they_never_span_a_key_change(self) -> None:
        writer = RecordWriter()
        writer.queue(HANDSHAKE, b"server_hello")
        writer.install(sealer())
        writer.queue(HANDSHAKE, b"extensions")
        wire = writer.take()
        assert wire[:17] == b"\x16\x03\x03\x00\x0cserver_hello"
        assert opened(wire[17:]) == [(HANDSHAKE, b"extensions")]

    def test_an_alert_is_a_record_of_its_own(self) -> None:
        writer = protected_writer()
        writer.queue(ALERT, b"\x01\x5a")
        writer.queue(ALERT, b"\x01\x00")
        assert opened(writer.take()) == [(ALERT, b"\x01\x5a"), (ALERT, b"\x01\x00")]

    def test_small_writes_share_a_record(self) -> None:
        writer = protected_writer()
        for _ in range(300):
            writer.queue(DATA, b"d" * 100)
        assert [len(fragment) for _, fragment in opened(writer.take())] == [16384, 13616]

    def test_empty_application_data_is_a_record_of_its_own(self) -> None:
        writer = protected_writer()
        for data in (b"a", b"", b"", b"b"):
            writer.queue(DATA, data)
        assert [fragment for _, fragment in opened(writer.take())] == [b"a", b"", b"", b"b"]

    @pytest.mark.parametrize("size", [1, 16384, 16385, 49152, 65536, 200000])
    def test_data_is_cut_into_full_records(self, size: int) -> None:
        data = bytes(index % 253 for index in range(size))
        writer = protected_writer()
        writer.queue(DATA, data)
        fragments = [fragment for _, fragment in opened(b"".join(drained(writer)))]
        assert b"".join(fragments) == data
        assert all(len(fragment) == 16384 for fragment in fragments[:-1])

    def test_the_end_of_a_large_write_shares_its_record_with_the_next_one(self) -> None:
        writer = protected_writer()
        for size in (16384 * 2 + 100, 50):
            writer.queue(DATA, b"d" * size)
        assert [len(fragment) for _, fragment in opened(writer.take())] == [16384, 16384, 150]

    def test_the_peers_limit_is_kept_by_protected_records(self) -> None:
        writer = RecordWriter()
        writer.max_fragment = 63
        writer.queue(HANDSHAKE, b"h" * 100)
        writer.install(sealer())
        writer.queue(HANDSHAKE, b"h" * 100)
        writer.queue(DATA, b"d" * 100)
        wire = writer.take()
        assert headers(wire)[0][3:] == b"\x00\x64"  # RFC 8449 4: unprotected messages are not subject to it
        assert [len(fragment) for _, fragment in opened(wire[105:])] == [63, 37, 63, 37]

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_the_callers_buffer_may_change_after_it_was_queued(self, kind: Callable[[bytes], bytes]) -> None:
        source = bytearray(b"data")
        writer = protected_writer()
        writer.queue(DATA, kind(source))
        source[:] = b"gone"
        assert opened(writer.take()) == [(DATA, b"data")]

    @pytest.mark.parametrize("kind,data", [(HANDSHAKE, b""), (ALERT, b""), (CCS, b""), (24, b"x"), (0, b"x")])
    def test_what_must_not_be_sent_is_misuse(self, kind: int, data: bytes) -> None:
        with pytest.raises(Misuse):
            RecordWriter().queue(kind, data)


class TestTake:
    @pytest.mark.parametrize("limit", [512, 1000, 16405, 16406, 16407, 40000, 65536, 200000])
    def test_a_limit_is_kept_with_whole_records(self, limit: int) -> None:
        writer = protected_writer()
        for size in (1, 100, 70000, 16384, 3):
            writer.queue(DATA, b"d" * size)
        writer.queue(ALERT, b"\x01\x00")
        takes = drained(writer, limit)
        assert max(len(taken) for taken in takes) <= limit
        for taken in takes:
            assert sum(5 + int.from_bytes(header[3:], "big") for header in headers(taken)) == len(taken)
        assert sum(len(fragment) for _, fragment in opened(b"".join(takes))) == 86488 + 2

    def test_full_records_are_not_cut_to_fill_a_take(self) -> None:
        writer = protected_writer()
        writer.queue(DATA, bytes(65536))
        assert [len(taken) for taken in drained(writer)] == [3 * 16406, 16406]

    def test_a_limit_without_room_for_a_record_is_misuse(self) -> None:
        writer = protected_writer()
        writer.queue(DATA, b"d")
        with pytest.raises(Misuse):
            writer.take(511)

    def test_nothing_queued_is_nothing_taken(self) -> None:
        assert RecordWriter().take() == b""

    def test_pending_counts_what_is_not_sealed(self) -> None:
        writer = protected_writer()
        writer.queue(DATA, bytes(65536))
        writer.queue(ALERT, b"\x01\x00")
        counted = [writer.pending]
        while writer.take():
            counted.append(writer.pending)
        assert counted == [65538, 16386, 0]

    def test_records_sealed_counts_under_the_key_in_use(self) -> None:
        writer = RecordWriter()
        counts = [writer.records_sealed]
        writer.install(sealer())
        writer.queue(DATA, bytes(16384 * 3))
        writer.take()
        counts.append(writer.records_sealed)
        writer.install(sealer(1))
        counts.append(writer.records_sealed)
        assert counts == [0, 3, 0]


class TestPadding:
    def test_a_policy_is_asked_for_every_protected_record(self) -> None:
        writer = RecordWriter()
        writer.padding = lambda kind, length: -length % 64 if kind == DATA else 3
        writer.queue(HANDSHAKE, b"hello")
        writer.install(sealer())
        writer.queue(HANDSHAKE, b"finished")
        writer.queue(DATA, b"d" * 100)
        assert [header[3:].hex() for header in headers(writer.take())] == ["0005", "001c", "0091"]

    def test_padding_that_does_not_fit_is_left_out(self) -> None:
        writer = protected_writer()
        writer.padding = lambda *_: 100000
        writer.queue(DATA, b"d" * 40000)
        wire = b"".join(drained(writer))
        assert {header[3:].hex() for header in headers(wire)} == {"4011"}
        assert [len(fragment) for _, fragment in opened(wire)] == [16384, 16384, 7232]

    def test_it_counts_towards_the_peers_limit(self) -> None:
        writer = protected_writer()
        writer.max_fragment = 63
        writer.padding = lambda *_: 100
        writer.queue(DATA, b"d" * 10)
        assert headers(writer.take()) == [b"\x17\x03\x03\x00\x50"]

    def test_a_take_with_padding_stays_within_its_limit(self) -> None:
        writer = protected_writer()
        writer.padding = lambda *_: 300
        for _ in range(20):
            writer.queue(ALERT, b"\x01\x00")
        assert max(len(taken) for taken in drained(writer, 600)) <= 600

    def test_a_policy_that_asks_for_less_than_nothing_is_misuse(self) -> None:
        writer = protected_writer()
        writer.padding = lambda *_: -1
        writer.queue(DATA, b"d")
        with pytest.raises(Misuse):
            writer.take()


class TestKeyUpdate:
    def test_one_large_write_changes_its_key_in_time(self) -> None:
        writer, updates = writer_with_limit(4)
        data = bytes(index % 251 for index in range(16384 * 10))
        writer.queue(DATA, data)
        found = opened(b"".join(drained(writer)))
        kinds = [kind for kind, _ in found]
        assert kinds == [DATA, DATA, DATA, HANDSHAKE] * 3 + [DATA]
        assert b"".join(fragment for kind, fragment in found if kind == DATA) == data
        assert updates.generation == 3

    @pytest.mark.parametrize("size", [1, 5000, 16384])
    def test_so_do_many_small_ones(self, size: int) -> None:
        writer, updates = writer_with_limit(4)
        wire = b""
        for _ in range(7):
            writer.queue(DATA, b"d" * size)
            wire += b"".join(drained(writer))
        assert [kind for kind, _ in opened(wire)] == [DATA, DATA, DATA, HANDSHAKE] * 2 + [DATA]
        assert updates.generation == 2

    def test_so_do_padded_ones(self) -> None:
        writer, _ = writer_with_limit(4)
        writer.padding = lambda *_: 10
        writer.queue(DATA, bytes(16384 * 4))
        assert [kind for kind, _ in opened(b"".join(drained(writer)))] == [DATA, DATA, DATA, HANDSHAKE, DATA]

    @pytest.mark.parametrize("limit", [512, 20000, 65536])
    def test_no_key_seals_more_than_its_limit_at_any_size_of_take(self, limit: int) -> None:
        writer, _ = writer_with_limit(5)
        writer.queue(DATA, bytes(100000))
        runs = [0]
        for kind, _ in opened(b"".join(drained(writer, limit))):
            runs[-1] += 1
            if kind == HANDSHAKE:
                runs.append(0)
        assert max(runs) == 5

    def test_without_a_way_to_update_data_stops_at_the_limit(self) -> None:
        writer = RecordWriter()
        writer.install(sealer(0, 4))
        writer.queue(DATA, bytes(16384 * 4))
        assert len(opened(writer.take())) == 3
        with pytest.raises(Misuse) as caught:
            writer.take()
        assert caught.value.reason is Reason.KEY_LIMIT_REACHED

    def test_and_an_alert_can_still_say_so(self) -> None:
        writer = RecordWriter()
        writer.install(sealer(0, 4))
        writer.queue(DATA, bytes(16384 * 4))
        writer.take()
        writer.drop_data()
        writer.queue(ALERT, b"\x02\x50")
        assert len(writer.take()) == 24

    def test_a_requested_update_overtakes_queued_data(self) -> None:
        writer, _ = writer_with_limit(1000)
        writer.queue(DATA, bytes(100000))
        wire = writer.take()
        writer.request_key_update()
        wire += b"".join(drained(writer))
        assert [kind for kind, _ in opened(wire)] == [DATA] * 3 + [HANDSHAKE] + [DATA] * 4

    def test_it_is_sent_when_nothing_else_is_queued(self) -> None:
        writer, _ = writer_with_limit(1000)
        writer.request_key_update()
        writer.request_key_update()
        assert opened(b"".join(drained(writer))) == [(HANDSHAKE, KEY_UPDATE)]

    def test_it_waits_for_key_changes_that_are_queued(self) -> None:
        writer = RecordWriter()
        writer.make_key_update = KeyUpdates(1000)
        writer.queue(HANDSHAKE, b"finished")
        writer.install(sealer())
        writer.queue(DATA, b"data")
        writer.request_key_update()
        wire = writer.take()
        assert wire[:13] == b"\x16\x03\x03\x00\x08finished"
        assert opened(wire[13:]) == [(HANDSHAKE, KEY_UPDATE), (DATA, b"data")]

    def test_it_does_not_cut_a_handshake_message(self) -> None:
        writer, _ = writer_with_limit(1000)
        writer.queue(HANDSHAKE, b"t" * 20000)
        writer.queue(DATA, b"data")
        wire = writer.take(16406)
        writer.request_key_update()
        found = opened(wire + b"".join(drained(writer)))
        assert [len(fragment) for _, fragment in found] == [16384, 3616, 5, 4]

    @pytest.mark.parametrize("limit", [0, 1])
    def test_a_limit_that_leaves_no_room_for_data_is_misuse(self, limit: int) -> None:
        with pytest.raises(Misuse):
            RecordWriter().install(sealer(0, limit))

    def test_such_a_limit_of_the_next_key_is_misuse(self) -> None:
        writer, updates = writer_with_limit(2)
        updates.limit = 1
        writer.queue(DATA, bytes(20000))
        with pytest.raises(Misuse):
            drained(writer)

    def test_without_keys_it_is_misuse(self) -> None:
        writer = RecordWriter()
        writer.make_key_update = KeyUpdates(1000)
        with pytest.raises(Misuse):
            writer.request_key_update()


class TestDropData:
    def test_data_goes_and_the_rest_stays_in_order(self) -> None:
        writer = protected_writer()
        writer.queue(DATA, bytes(100000))
        writer.queue(HANDSHAKE, b"ticket")
        writer.queue(DATA, b"more")
        wire = writer.take()
        writer.drop_data()
        writer.queue(ALERT, b"\x02\x28")
        assert writer.pending == 8
        wire += b"".join(drained(writer))
        assert [(kind, len(data)) for kind, data in opened(wire)] == [(DATA, 16384)] * 3 + [
            (HANDSHAKE, 6),
            (ALERT, 2),
        ]

    def test_a_handshake_message_half_sent_is_finished(self) -> None:
        writer = protected_writer()
        writer.queue(HANDSHAKE, b"c" * 20000)
        wire = writer.take(16406)
        writer.drop_data()
        assert writer.pending == 3616
        wire += b"".join(drained(writer))
        assert [len(fragment) for _, fragment in opened(wire)] == [16384, 3616]

    def test_a_key_change_stays(self) -> None:
        writer = protected_writer()
        writer.queue(DATA, b"data")
        writer.install(sealer(1))
        writer.drop_data()
        writer.queue(ALERT, b"\x02\x28")
        assert opened(writer.take(), generation=1) == [(ALERT, b"\x02\x28")]


entries = st.one_of(
    st.tuples(st.just(HANDSHAKE), st.binary(min_size=1, max_size=400)),
    st.tuples(st.just(ALERT), st.just(b"\x01\x00")),
    st.tuples(st.just(CCS), st.just(b"\x01")),
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


@settings(max_examples=60)
@given(
    st.lists(entries, max_size=12),
    st.sampled_from([512, 5000, 17000, 65536]),
    st.sampled_from([64, 1000, 16384]),
    st.sampled_from([None, 0, 20]),
    st.sampled_from([1, 777, 65536]),
    st.booleans(),
)
def test_whatever_is_written_is_read(
    queued: list[tuple[int, bytes]], limit: int, max_fragment: int, padding: int | None, step: int, bulk: bool
) -> None:
    writer = protected_writer()
    writer.max_fragment = max_fragment
    if padding is not None:
        writer.padding = lambda *_: padding
    for kind, data in queued:
        writer.queue(kind, data)
    wire = b"".join(drained(writer, limit))
    reader = RecordReader()
    reader.install(Opener(SUITE, KEYS[0]))
    reader.max_fragment = max_fragment
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
    trace = Trace()
    writer = RecordWriter(trace.view("client"))
    writer.queue(HANDSHAKE, CLIENT_HELLO)
    writer.queue(CCS, b"\x01")
    writer.install(sealer())
    writer.queue(HANDSHAKE, b"finished")
    writer.queue(DATA, bytes(20000))
    writer.take()
    told = [event for event in trace.events if isinstance(event, RecordEvent)]
    assert {event.direction for event in told} == {"sent"}
    assert [(event.content_type, event.length, event.encrypted, event.header.hex()) for event in told] == [
        (HANDSHAKE, 6, False, "1603010006"),
        (CCS, 1, False, "1403030001"),
        (HANDSHAKE, 25, True, "1703030019"),
        (DATA, 16401, True, "1703034011"),
        (DATA, 3633, True, "1703030e31"),
    ]
