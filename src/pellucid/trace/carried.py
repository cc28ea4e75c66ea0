"""Which messages each record carried: a record may hold several of them, or a part of one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from pellucid.codes import ContentType
from pellucid.trace.events import AlertEvent, DataEvent, Event, MessageEvent, RecordEvent

__all__ = ["Content", "carried"]

Content = MessageEvent | AlertEvent | DataEvent

_ALERT_LENGTH = 2


def carried(events: Iterable[Event]) -> dict[int, tuple[Content, ...]]:
    """The messages, alerts and data of each record, whole or in part, by the record's ``n``.

    Empty for a record that carried none of these, such as a ChangeCipherSpec of TLS 1.3.
    """
    # What is sent before the records are made is received after they are opened: so neither is a matter of
    # the order of events. But in one direction, what is of one content type is a stream of bytes.
    streams: dict[tuple[str, str, int], deque[tuple[Content, int]]] = {}
    records: list[RecordEvent] = []
    for event in events:
        if isinstance(event, RecordEvent):
            records.append(event)
        elif isinstance(event, Content):
            content_type, size = _place(event)
            streams.setdefault((event.side, event.direction, content_type), deque()).append((event, size))
    return {
        record.n: _take(
            streams.get((record.side, record.direction, record.content_type)), record.content_length
        )
        for record in records
    }


def _place(event: Content) -> tuple[int, int]:
    """Content type and size in bytes."""
    match event:
        case MessageEvent(name="ChangeCipherSpec"):
            return ContentType.change_cipher_spec, len(event.raw)
        case MessageEvent():
            return ContentType.handshake, len(event.raw)
        case AlertEvent():
            return ContentType.alert, _ALERT_LENGTH
        case DataEvent():
            return ContentType.application_data, event.length


def _take(stream: deque[tuple[Content, int]] | None, length: int) -> tuple[Content, ...]:
    """Take ``length`` bytes off the stream: of which events they are."""
    found: list[Content] = []
    while stream and length:
        event, left = stream.popleft()
        found.append(event)
        if left > length:
            stream.appendleft((event, left - length))
            break
        length -= left
    return tuple(found)
