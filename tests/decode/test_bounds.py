"""What a capture may cost: memory that does not grow with it, and no work that nobody wants."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO, RawIOBase
from itertools import chain
from typing import Any

import pytest
from captures import pcap
from conversations import Conversation, converse
from watched import Turns, Wire, decode_all, decode_one, turns_of

from pellucid.crypto.suites import SUITES
from pellucid.decode import Decoded, Decoder, KeyMaterial, conversation, decoder, following, telling
from pellucid.keys import next_traffic_secret, traffic_keys
from pellucid.record import Opener, Sealer
from pellucid.trace.events import DataEvent, KeysEvent, MessageEvent, OutcomeEvent, RecordEvent

MIB = 2**20


@cache
def talk() -> Conversation:
    return converse("full")


def turns() -> Turns:
    return turns_of(talk())


def handshake() -> Turns:
    """Up to the client's Finished and the tickets."""
    return turns()[:7]


def secret(label: str) -> bytes:
    line = next(line for line in talk().key_log if line.startswith(label + " "))
    return bytes.fromhex(line.split()[2])


def sealer(side: str, generation: int = 0) -> Sealer:
    """For what ``side`` sends behind the handshake, under the key of this generation."""
    suite = SUITES[0x1301]
    value = secret(f"{side.upper()}_TRAFFIC_SECRET_0")
    for _ in range(generation):
        value = next_traffic_secret(suite.hash_name, value)
    return Sealer(suite, traffic_keys(suite, value))


class Stream(RawIOBase):
    """A capture that is made while it is read, and cannot be sought."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def peak_of(
    source: Any, *, key_log: Sequence[str] | None = None, **options: Any
) -> tuple[int, list[Decoded]]:
    """The most memory at any time while it is decoded, beyond what there was before; and what is left."""
    keys = KeyMaterial()
    keys.add_key_log("\n".join([*(talk().key_log if key_log is None else key_log), ""]))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        last = None
        count = 0
        for found in Decoder(source, keys=keys, **options).connections():
            last, count = found, count + 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert last is not None
    return peak - before, [last] * count


def download(size: int, *, most: int = 16_384) -> Iterator[bytes]:
    """A connection in which the server sends so many bytes, as a capture."""
    wire = Wire()
    yield pcap([])

    def written() -> bytes:
        packets, wire.packets = wire.packets, []
        return pcap(packets)[24:]

    yield written()
    wire.say(*handshake())
    yield written()
    seals = sealer("server")
    seals.seal(22, b"ticket")  # which the handshake has sent
    content = bytes(most)
    for _ in range(size // most):
        wire.say(("server", seals.seal(23, content)), most=8000)
        yield written()
    wire.close()
    yield written()


def many(count: int, *, closed: bool) -> Iterator[bytes]:
    yield pcap([])
    said = handshake()
    for number in range(count):
        wire = Wire(10_000 + number).say(*said)
        yield pcap((wire.close() if closed else wire).packets)[24:]


def test_of_a_long_download_only_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", 2 * MIB)
    peak, (found,) = peak_of(Stream(download(12 * MIB)))
    assert found.trace is not None
    assert found.bytes_from_server > 12 * MIB
    assert found.trace.dropped > 600
    assert peak < 5 * MIB


def test_of_an_unwanted_download_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = 0
    real = Opener.open

    def counted(self: Opener, *args: Any) -> tuple[int, bytes]:
        nonlocal opened
        opened += 1
        return real(self, *args)

    monkeypatch.setattr(Opener, "open", counted)
    peak, (found,) = peak_of(Stream(download(6 * MIB)), wanted=lambda _: False)
    assert (found.trace, found.sealed) == (None, ())
    assert found.bytes_from_server > 6 * MIB
    assert found.outcome is not None
    assert (found.outcome.status, found.server_name, len(found.hellos)) == ("connected", "localhost", 1)
    assert opened < 2 * following.MAX_UNWANTED
    assert peak < 3 * MIB


def test_an_unwanted_download_that_stays_closed_costs_nothing_either() -> None:
    peak, (found,) = peak_of(Stream(download(6 * MIB)), key_log=(), wanted=lambda _: False)
    assert {s.reason for s in found.sealed} == {"no_secrets"}
    assert peak < 3 * MIB


def test_connections_that_have_ended_are_forgotten() -> None:
    few, _ = peak_of(Stream(many(30, closed=True)))
    peak, found = peak_of(Stream(many(200, closed=True)))
    assert len(found) == 200
    assert peak < few + MIB


def test_so_many_connections_are_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_FOLLOWED", 20)
    peak, found = peak_of(Stream(many(200, closed=False)))
    assert len(found) == 200
    assert peak < 5 * MIB
    assert found[0].outcome is not None
    assert found[0].outcome.status == "connected"


def test_the_one_idle_for_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_FOLLOWED", 2)
    wires = [Wire(50_001 + number) for number in range(3)]
    parts = [wire.packets for wire in wires]
    for wire in wires:
        wire.packets = []
        wire.say(turns()[0])
    # The first says something when the third has not begun.
    packets = [*parts[0], *parts[1], *wires[0].packets, *parts[2]]
    found = decode_all(pcap((number, data) for number, (_, data) in enumerate(packets)))
    assert [each.client.port for each in found] == [50_002, 50_001, 50_003]


def test_what_one_side_says_too_early_is_not_kept() -> None:
    wire = Wire().say(turns()[0])
    record = b"\x17\x03\x03\x40\x00" + bytes(16_384)
    wire.say(*[("client", record)] * 10, *turns()[1:4])
    found = decode_one(wire.capture, talk().key_log)
    assert [(s.side, s.reason) for s in found.sealed] == [("client", "not_followed")]
    assert "or for the server to answer what came before" in found.sealed[0].detail
    assert found.bytes_from_client > conversation.MAX_BUFFERED
    assert found.trace is not None
    names = [e.name for e in found.trace.events if isinstance(e, MessageEvent) and e.side == "server"]
    assert names[-1] == "Finished"


def updates(count: int) -> Turns:
    """KeyUpdates of the client, each under the next key."""
    update = bytes.fromhex("1800000100")
    return [("client", sealer("client", number).seal(22, update)) for number in range(count)]


def test_key_updates_without_end_are_followed_and_not_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MAX_EVENTS", 300)
    last = ("client", sealer("client", 100).seal(23, b"after all"))
    found = decode_one(Wire().say(*handshake(), *updates(100), last).close().capture, talk().key_log)
    assert found.sealed == ()
    assert found.trace is not None
    assert 300 < len(found.trace.events) < 330
    assert found.trace.dropped > 100
    assert found.outcome is not None
    assert found.outcome.status == "connected"


def test_as_many_key_updates_as_there_are_lead_to_the_right_key() -> None:
    last = ("client", sealer("client", 40).seal(23, b"after all"))
    found = decode_one(Wire().say(*handshake(), *updates(40), last).close().capture, talk().key_log)
    assert found.trace is not None
    epochs = [e.epoch for e in found.trace.events if isinstance(e, KeysEvent) and e.direction == "write"]
    assert epochs[-1] == "application 40"
    assert [e.length for e in found.trace.events if isinstance(e, DataEvent)] == [9, 9]


def test_one_connection_leaves_the_others_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MAX_KEPT_OF_ONE", 100_000)
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", 200_000)
    hog = Wire(50_001).say(turns()[0], ("server", bytes.fromhex("1603031000") + b"\0\0\0\0" * 1024))
    other = Wire(50_002).say(*turns()).close()
    found = {
        each.client.port: each for each in decode_all(pcap([*hog.packets, *other.packets]), talk().key_log)
    }
    greedy, modest = found[50_001].trace, found[50_002].trace
    assert greedy is not None
    assert modest is not None
    assert greedy.dropped
    assert sum(isinstance(e, MessageEvent) and e.name == "Finished" for e in modest.events) == 4


def test_bytes_are_kept_up_to_a_limit_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", 40_000)
    one, two = Wire(50_001).say(*turns()).close(), Wire(50_002).say(*turns()).close()
    found = decode_all(pcap([*one.packets, *two.packets]), talk().key_log)
    for each in found:
        assert each.trace is not None
        assert (
            sum(len(e.raw) for e in each.trace.events if isinstance(e, RecordEvent | MessageEvent)) < 60_000
        )
        assert each.trace.dropped >= 2
        finished = [e for e in each.trace.events if isinstance(e, MessageEvent) and e.name == "Finished"]
        # The handshake comes first, and what one connection has kept is the next one's when it has ended.
        assert len(finished) == 4


@pytest.mark.parametrize("keys", [True, False])
def test_of_an_unwanted_connection_the_same_is_found_out(keys: bool) -> None:
    lines = talk().key_log if keys else []
    capture = Wire().say(*turns()).close().capture
    wanted, unwanted = decode_one(capture, lines), decode_one(capture, lines, wanted=lambda _: False)
    assert unwanted.trace is None

    def facts(found: Decoded) -> list[Any]:
        told = found.outcome
        assert told is not None
        outcome = [getattr(told, f) for f in ("side", "status", "cipher_suite", "group", "signature_scheme")]
        sealed = [(s.side, s.reason, s.detail) for s in found.sealed]
        return [outcome, sealed, found.hellos, found.bytes_from_client, found.bytes_from_server, found.tls]

    assert facts(unwanted) == facts(wanted)


def test_of_what_is_not_even_listed_nothing_is_read() -> None:
    one, two = Wire(50_001).say(*turns()).close(), Wire(50_002).say(*turns()).close()
    asked: list[int] = []

    def wanted(number: int) -> bool | None:
        asked.append(number)
        return True if number == 2 else None

    found = decode_all(pcap([*one.packets, *two.packets]), talk().key_log, wanted=wanted)
    assert ([each.number for each in found], asked) == ([2], [1, 2])


def test_a_capture_that_cannot_be_sought_is_read_once() -> None:
    data = Wire().say(*turns()).close().capture
    keys = KeyMaterial()
    keys.add_key_log("\n".join([*talk().key_log, ""]))
    (found,) = Decoder(Stream(chain([data])), keys=keys).connections()
    assert found.sealed == ()


def test_outcomes_are_told_where_nothing_else_is_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MAX_EVENTS", 5)
    found = decode_one(Wire().say(*turns()).close().capture, talk().key_log)
    assert found.trace is not None
    assert [e.status for e in found.trace.events if isinstance(e, OutcomeEvent)] == ["connected"] * 2


def test_packets_are_counted() -> None:
    wire = Wire().say(*turns()).close()
    reader = Decoder(BytesIO(wire.capture))
    list(reader.connections())
    assert (reader.packets, reader.segments, dict(reader.skipped)) == (
        len(wire.packets),
        len(wire.packets),
        {},
    )


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("kept", [0, MIB])
def test_alerts_without_end_are_not_all_told(
    monkeypatch: pytest.MonkeyPatch, wanted: bool, kept: int
) -> None:
    monkeypatch.setattr(telling, "MAX_EVENTS", 100)
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", kept)
    told: list[int] = []
    real = telling.Story.end

    def end(self: telling.Story) -> None:
        real(self)
        told.append(len(self.trace.events))

    monkeypatch.setattr(telling.Story, "end", end)
    warning = b"\x15\x03\x03\x00\x02\x01\x5a"
    said = [turns()[0], ("server", warning * 2000), ("client", warning * 2000)]
    decode_one(Wire().say(*said).close().capture, wanted=lambda _: wanted)
    assert max(told) < 120


def test_a_message_that_never_ends_is_not_collected() -> None:
    endless = b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + bytes(16_380)
    more = b"\x16\x03\x03\x40\x00" + bytes(16_384)
    wire = Wire().say(turns()[0], ("server", endless), *[("server", more)] * 100)
    found = decode_one(wire.capture)
    assert [(s.side, s.reason) for s in found.sealed] == [("server", "not_followed")]
    assert "announces 16,777,215 bytes" in found.sealed[0].detail.replace("16777215", "16,777,215")
    assert found.trace is not None
    assert sum(isinstance(e, RecordEvent) for e in found.trace.events) < 10


def test_small_messages_count_with_what_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", MIB)
    requests = ("server", b"\x16\x03\x03\x40\x00" + bytes(16_384))  # 4,096 HelloRequests
    wires = [Wire(50_001 + number).say(turns()[0], *[requests] * 5) for number in range(20)]
    peak, _ = peak_of(BytesIO(pcap(packet for wire in wires for packet in wire.packets)))
    assert peak < 4 * MIB


def test_records_that_are_not_kept_take_no_room_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", 3 * MIB)
    seals = sealer("server")
    seals.sequence = 1  # behind the ticket
    said = [("server", seals.seal(23, bytes(2000))) for _ in range(2000)]
    one, two = Wire(50_001).say(*handshake(), *said), Wire(50_002).say(*turns())
    found = decode_all(pcap([*one.packets, *two.packets]), talk().key_log)
    kept = [sum(isinstance(e, RecordEvent) for e in each.trace.events) for each in found if each.trace]
    assert kept[0] < 1000
    assert kept[1] == 2 * len(turns())


def test_what_follows_from_messages_is_not_told_for_ever_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder, "MAX_KEPT_BYTES", 40_000)
    found = decode_one(Wire().say(*handshake(), *updates(400)).close().capture, talk().key_log)
    assert found.trace is not None
    assert len(found.trace.events) < 1000
    assert found.sealed == ()


@pytest.mark.parametrize("content_type", [22, 23])
def test_what_waits_is_bounded_for_all_connections_together(
    monkeypatch: pytest.MonkeyPatch, content_type: int
) -> None:
    monkeypatch.setattr(decoder, "Budget", lambda left: telling.Budget(left, MIB))
    # A Certificate that is not complete, or early data that nobody has answered.
    begun = bytes((content_type, 3, 3, 0x40, 0)) + b"\x0b\x03\xff\xff" + bytes(16_380)
    side = "server" if content_type == 22 else "client"
    wires = [Wire(50_001 + number).say(turns()[0], *[(side, begun)] * 6) for number in range(100)]
    found = decode_all(pcap(packet for wire in wires for packet in wire.packets))
    reasons = [[s.reason for s in each.sealed] for each in found]
    assert reasons.count([]) in range(8, 20)
    assert reasons.count(["not_followed"]) == 100 - reasons.count([])
