"""Which messages a record carried, held against the records themselves."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import pytest
from conversations import KINDS, MUCH, converse

from pellucid.codes import ContentType
from pellucid.trace import AlertEvent, DataEvent, Event, MessageEvent, RecordEvent, Trace
from pellucid.trace.carried import carried

recorded = cache(converse)
each_kind = pytest.mark.parametrize("kind", KINDS)


def events_of(kind: str) -> list[Event]:
    return recorded(kind).trace.events


def records(events: list[Event]) -> list[RecordEvent]:
    return [event for event in events if isinstance(event, RecordEvent)]


@each_kind
def test_every_message_alert_and_piece_of_data_was_carried(kind: str) -> None:
    events = events_of(kind)
    found = {content.n for contents in carried(events).values() for content in contents}
    assert found == {e.n for e in events if isinstance(e, MessageEvent | AlertEvent | DataEvent)}


@each_kind
def test_a_record_in_the_clear_holds_what_it_is_said_to_carry(kind: str) -> None:
    events = events_of(kind)
    for record in records(events):
        contents = carried(events)[record.n]
        if record.encrypted or record.content_type != ContentType.handshake:
            continue
        assert contents
        joined = b"".join(content.raw for content in contents if isinstance(content, MessageEvent))
        assert record.raw[5:] in joined


@each_kind
def test_both_sides_say_the_same_of_a_record(kind: str) -> None:
    events = events_of(kind)
    told: dict[bytes, set[tuple[tuple[str, int], ...]]] = defaultdict(set)
    for record in records(events):
        contents = [c for c in carried(events)[record.n] if isinstance(c, MessageEvent)]
        told[record.raw].add(tuple((content.name, len(content.raw)) for content in contents))
    assert [raw for raw, versions in told.items() if len(versions) > 1] == []


def test_a_message_may_take_many_records() -> None:
    events = events_of("small records")
    own = (e for e in events if isinstance(e, MessageEvent) and e.side == "server")
    certificate = next(e for e in own if e.name == "Certificate")
    assert sum(certificate in contents for contents in carried(events).values()) > 5


def test_data_is_carried_by_as_many_records_as_it_took() -> None:
    events = events_of("full")
    sent = next(e for e in events if isinstance(e, DataEvent) and (e.side, e.direction) == ("server", "sent"))
    lengths = [r.content_length for r in records(events) if sent in carried(events)[r.n]]
    assert sum(lengths) == sent.length == len(MUCH)
    assert len(lengths) == 3


def test_change_cipher_spec_is_a_message_in_tls_1_2_and_nothing_in_tls_1_3() -> None:
    def of(kind: str) -> list[tuple[str, ...]]:
        events = events_of(kind)
        return [
            tuple(c.name for c in carried(events)[r.n] if isinstance(c, MessageEvent))
            for r in records(events)
            if r.content_type == ContentType.change_cipher_spec
        ]

    assert set(of("full")) == {()}
    assert set(of("1.2 ecdhe")) == {("ChangeCipherSpec",)}


def test_a_record_that_could_not_be_opened_carried_nothing_that_is_known() -> None:
    trace = Trace()
    client = trace.view("client")
    client.data(direction="received", length=3)
    for length in (0, 3):
        client.record(
            direction="received", content_type=23, length=30, encrypted=True, header=bytes(5),
            content_length=length,
        )  # fmt: skip
    found = carried(trace.events)
    assert (found[2], found[3]) == ((), (trace.events[0],))
