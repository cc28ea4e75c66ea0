"""What the trace keeps of a record: its bytes, and how much was in it."""

from __future__ import annotations

import json
from functools import cache

import pytest
from conversations import KINDS, converse
from loopback import client_config, connect_pair, shake_hands

from pellucid.errors import TLSError
from pellucid.record.framing import Framing
from pellucid.trace import AlertEvent, DataEvent, Event, MessageEvent, RecordEvent, Trace, UnreadEvent
from pellucid.trace.json import dumps

recorded = cache(converse)
each_kind = pytest.mark.parametrize("kind", KINDS)


def records(events: list[Event], side: str, direction: str) -> list[RecordEvent]:
    return [
        event
        for event in events
        if isinstance(event, RecordEvent) and (event.side, event.direction) == (side, direction)
    ]


@each_kind
@pytest.mark.parametrize("side, peer", [("client", "server"), ("server", "client")])
def test_the_records_are_the_bytes_on_the_wire(kind: str, side: str, peer: str) -> None:
    talk = recorded(kind)
    for watcher, direction in ((side, "sent"), (peer, "received")):
        found = records(talk.trace.events, watcher, direction)
        assert b"".join(record.raw for record in found) == talk.wire[side]


@each_kind
def test_header_and_length_are_those_of_the_bytes(kind: str) -> None:
    for event in recorded(kind).trace.events:
        if isinstance(event, RecordEvent):
            assert event.raw[:5] == event.header
            assert len(event.raw) - 5 == event.length == int.from_bytes(event.header[3:], "big")


@each_kind
def test_both_sides_know_how_much_was_in_a_record(kind: str) -> None:
    events = recorded(kind).trace.events
    for sender, receiver in (("client", "server"), ("server", "client")):
        sent = [(r.content_type, r.content_length) for r in records(events, sender, "sent")]
        received = [(r.content_type, r.content_length) for r in records(events, receiver, "received")]
        assert sent == received


@each_kind
def test_what_was_in_the_records_is_what_was_sent(kind: str) -> None:
    """Padding, type, tag and explicit nonces do not count."""
    events = recorded(kind).trace.events
    for side in ("client", "server"):
        own = [event for event in events if event.side == side]
        messages = sum(len(e.raw) for e in own if isinstance(e, MessageEvent) and e.direction == "sent")
        data = sum(e.length for e in own if isinstance(e, DataEvent) and e.direction == "sent")
        alerts = 2 * sum(isinstance(e, AlertEvent) and e.direction == "sent" for e in own)
        # In TLS 1.3 a ChangeCipherSpec is no message.
        relics = sum(r.content_type == 20 for r in records(own, side, "sent")) if kind[:3] != "1.2" else 0
        total = sum(record.content_length for record in records(own, side, "sent"))
        assert total == messages + data + alerts + relics


def test_the_document_leaves_the_bytes_of_records_to_captures() -> None:
    found = [e for e in json.loads(dumps(recorded().trace))["events"] if e["kind"] == "record"]
    assert found
    assert [event for event in found if "raw" in event] == []
    assert {event["content_length"] for event in found} > {1, 2, 5}


# -- what was not taken for a record


def unread(trace: Trace) -> list[bytes]:
    return [event.raw for event in trace.events if isinstance(event, UnreadEvent)]


def refused(*pieces: bytes, after_handshake: bool = False) -> list[bytes]:
    """What a client has left unread of these pieces, of which it refuses the last."""
    trace = Trace()
    config = client_config(trace=trace.view("client"))
    client, _ = (shake_hands if after_handshake else connect_pair)(config)
    for piece in pieces[:-1]:
        client.receive_data(piece)
    with pytest.raises(TLSError):
        client.receive_data(pieces[-1])
    return unread(trace)


def test_what_is_not_tls_is_kept() -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    assert refused(answer) == [answer]
    assert refused(answer[:3], answer[3:]) == [answer[:3] + answer[3:]]


def test_a_record_that_does_not_open_is_kept() -> None:
    forged = b"\x17\x03\x03\x00\x20" + bytes(32)
    assert refused(forged, after_handshake=True) == [forged]


def test_what_came_behind_the_fault_is_kept() -> None:
    alert = b"\x15\x03\x03\x00\x02\x02\x28"
    assert refused(alert + b"and more") == [b"and more"]
    assert refused(alert) == []


def test_a_record_that_was_cut_short_is_kept() -> None:
    trace = Trace()
    client, _ = connect_pair(client_config(trace=trace.view("client")))
    client.receive_data(b"\x16\x03\x03\x00\x50abc")
    with pytest.raises(TLSError):
        client.receive_eof()
    assert unread(trace) == [b"\x16\x03\x03\x00\x50abc"]


def test_a_connection_that_ends_well_leaves_nothing_unread() -> None:
    assert unread(recorded().trace) == []


def test_of_much_that_is_unread_only_the_beginning_is_kept() -> None:
    (kept,) = refused(b"no TLS" * 100_000)
    assert len(kept) == 65_536


class Frames(Framing):
    """Records of which only the length is looked at."""

    def _check_header(self) -> int:
        return 5 + int.from_bytes(self._data[self._start + 3 : self._start + 5], "big")

    def skip(self) -> None:
        self._consume(self._frame())


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
def test_unread_bytes_are_those_behind_the_last_record_however_they_came(piece: int) -> None:
    stream = b"\x16\x03\x03\x00\x04four" + b"\x16\x03\x03\x00\x09" + b"the rest"
    frames = Frames()
    for start in range(0, len(stream), piece):
        frames.feed(stream[start : start + piece])
    frames.skip()
    assert frames.unread(100) == stream[9:]
    assert frames.unread(3) == stream[9:12]
    assert frames.buffered == len(stream) - 9
