"""The core that both drivers share, with an engine that does as it is told."""

from __future__ import annotations

from collections import deque

import pytest

from pellucid.errors import Misuse, PeerMisbehaved, Reason
from pellucid.events import DataReceived, PeerClosed
from pellucid.io.pump import PIECE_BYTES, Pump


class ScriptedEngine:
    """Returns the events it was given; "seals" a piece of data by handing it out in brackets."""

    def __init__(self) -> None:
        self.events: deque[object] = deque()
        self.out: deque[bytes] = deque()
        self.given: list[bytes | memoryview] = []

    def receive_data(self, _data: bytes) -> list[object]:
        event = self.events.popleft()
        if isinstance(event, Exception):
            raise event
        return [event]

    def receive_eof(self) -> list[object]:
        raise PeerMisbehaved(Reason.TRUNCATED)

    def data_to_send(self) -> bytes:
        return self.out.popleft() if self.out else b""

    def send_data(self, data: bytes | memoryview) -> None:
        self.given.append(data)
        self.out.append(b"[" + bytes(data) + b"]")

    def close(self) -> None:
        self.out.append(b"close_notify")


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def pump(engine: ScriptedEngine) -> Pump:
    pump = Pump(engine)  # type: ignore[arg-type]
    pump.established = True
    return pump


def receive(pump: Pump, engine: ScriptedEngine, *chunks: bytes) -> None:
    for chunk in chunks:
        engine.events.append(DataReceived(chunk))
        pump.feed(b"sealed")


def drain(pump: Pump) -> list[bytes]:
    return list(iter(pump.take, b""))


def test_a_chunk_that_fits_is_handed_out_without_copying(pump: Pump, engine: ScriptedEngine) -> None:
    chunk = b"x" * 1000
    receive(pump, engine, chunk)
    assert pump.read(1000) is chunk


def test_reading_in_small_steps_keeps_order_and_count(pump: Pump, engine: ScriptedEngine) -> None:
    receive(pump, engine, b"abcde", b"fgh")
    steps = []
    while pump.readable_bytes:
        steps.append((pump.readable_bytes, pump.read(2)))
    assert steps == [(8, b"ab"), (6, b"cd"), (4, b"e"), (3, b"fg"), (1, b"h")]


def test_read_into_fills_across_chunks(pump: Pump, engine: ScriptedEngine) -> None:
    receive(pump, engine, b"abc", b"def")
    buffer = bytearray(5)
    assert pump.read_into(memoryview(buffer)) == 5
    assert buffer == b"abcde"
    assert pump.read(9) == b"f"


def test_an_error_is_kept_and_what_came_before_it_can_be_read(pump: Pump, engine: ScriptedEngine) -> None:
    receive(pump, engine, b"good")
    error = PeerMisbehaved(Reason.BAD_RECORD_MAC)
    engine.events.append(error)
    pump.feed(b"bad")
    assert pump.error is error
    assert pump.read(10) == b"good"


def test_after_an_error_the_engine_is_fed_nothing_and_given_no_data(
    pump: Pump, engine: ScriptedEngine
) -> None:
    pump.write(b"waiting")
    engine.events.append(PeerMisbehaved(Reason.BAD_RECORD_MAC))
    engine.out.append(b"alert")
    pump.feed(b"bad")
    pump.feed(b"would fail: the script is at its end")
    assert drain(pump) == [b"alert"]
    assert engine.given == []


def test_a_tcp_end_is_an_error_only_without_close_notify(engine: ScriptedEngine) -> None:
    truncated, closed = Pump(engine), Pump(engine)  # type: ignore[arg-type]
    engine.events.append(PeerClosed())
    closed.feed(b"close_notify")
    closed.feed_eof()
    truncated.feed_eof()
    assert closed.error is None
    assert truncated.error is not None
    assert truncated.error.reason is Reason.TRUNCATED


def test_small_writes_share_a_record(pump: Pump, engine: ScriptedEngine) -> None:
    for word in (b"small ", b"writes ", b"together"):
        pump.write(word)
    assert drain(pump) == [b"[small writes together]"]


def test_nothing_is_sealed_before_it_is_taken(pump: Pump, engine: ScriptedEngine) -> None:
    pump.write(memoryview(bytes(3 * PIECE_BYTES)))
    pump.take()
    assert [len(piece) for piece in engine.given] == [PIECE_BYTES]
    assert pump.unsent_bytes == 2 * PIECE_BYTES


def test_bytes_are_given_to_the_engine_whole_and_as_they_are(pump: Pump, engine: ScriptedEngine) -> None:
    data = bytes(3 * PIECE_BYTES)
    pump.write(data)
    pump.take()
    assert engine.given[0] is data


def test_what_the_engine_has_to_say_goes_before_queued_data(pump: Pump, engine: ScriptedEngine) -> None:
    engine.out.append(b"KeyUpdate")
    pump.write(b"data")
    assert drain(pump) == [b"KeyUpdate", b"[data]"]


def test_close_notify_follows_the_data_and_is_said_once(pump: Pump, engine: ScriptedEngine) -> None:
    pump.write(b"data")
    pump.close()
    pump.close()
    assert drain(pump) == [b"[data]", b"close_notify"]


def test_writing_after_close_is_refused(pump: Pump) -> None:
    pump.close()
    with pytest.raises(Misuse) as caught:
        pump.write(b"late")
    assert caught.value.reason is Reason.CONNECTION_CLOSED


def test_a_backlog_of_its_own_does_not_change_with_the_callers_buffer(
    pump: Pump, engine: ScriptedEngine
) -> None:
    buffer = bytearray(b"before")
    pump.write(memoryview(buffer))
    pump.own_backlog()
    buffer[:] = b"after!"
    assert drain(pump) == [b"[before]"]
