"""The order in which a story is told, where it is not the one in which the events were recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pellucid.codes import ContentType
from pellucid.trace.events import (
    AlertEvent,
    DataEvent,
    Event,
    MessageEvent,
    RecordEvent,
    Side,
    other_side,
)

__all__ = ["as_delivered", "is_change_cipher_spec", "with_change_cipher_specs_in_place"]


def is_change_cipher_spec(event: Event) -> bool:
    """Whether it is the record; TLS 1.2 has a message event for it besides."""
    return isinstance(event, RecordEvent) and event.content_type == ContentType.change_cipher_spec


def with_change_cipher_specs_in_place(events: Sequence[Event]) -> list[Event]:
    """Put each ChangeCipherSpec record where it is on the wire: before what its flight says
    encrypted.

    Messages are traced when they are queued and records when they are sealed, so that all records of a flight
    come after it. For TLS 1.3.
    """
    ordered: list[Event] = []
    for event in events:
        sent = isinstance(event, RecordEvent) and is_change_cipher_spec(event) and event.direction == "sent"
        ordered.insert(_place(event, ordered) if sent else len(ordered), event)
    return ordered


def _place(ccs: Event, ordered: Sequence[Event]) -> int:
    """Where in ``ordered`` a ChangeCipherSpec belongs."""
    behind = plaintext = len(ordered)
    records = alerts = 0
    for index in range(len(ordered) - 1, -1, -1):
        other = ordered[index]
        ours = other.side == ccs.side and getattr(other, "direction", "") == "sent"
        if ours and isinstance(other, RecordEvent):
            records += 1
            alerts += other.content_type == ContentType.alert
        elif ours and isinstance(other, AlertEvent):
            # Its record is not there yet: so the ChangeCipherSpec went before it.
            behind = behind if alerts else index
            alerts -= 1
        if not isinstance(other, MessageEvent):
            continue
        if not ours:
            break  # what was said before it is another flight
        if other.encrypted:
            behind = index
        else:
            plaintext = index
    if behind < len(ordered):
        return behind
    # Without anything encrypted: at the end of the flight, unless its record was the first of it, as with the
    # ClientHello that follows a HelloRetryRequest.
    return len(ordered) if records else plaintext


def as_delivered(events: Sequence[Event]) -> list[Event]:
    """The events of two sides as if each message arrived before the next one is sent.

    So it is taught: the certificate, then that it is verified, then the next message. It is the same
    conversation, since each side's events keep their order and nothing arrives before it was sent; but on the
    wire the messages of a flight travel together, and so they are recorded.
    """
    waiting = {side: deque(event for event in events if event.side == side) for side in ("client", "server")}
    under_way = _UnderWay()
    ordered: list[Event] = []
    turn: Side = "client"
    while queue := waiting[turn] or waiting[turn := other_side(turn)]:
        event, others = queue[0], waiting[other_side(turn)]
        if others and _waits_for(event, others[0], under_way):
            turn = other_side(turn)
            continue
        under_way.note(event)
        ordered.append(queue.popleft())
    return ordered


def _waits_for(event: Event, other: Event, under_way: _UnderWay) -> bool:
    """Whether the other side's next event, ``other``, has to be told before this side's."""
    if under_way.is_missing(event):
        # It arrives and has not been sent. Where that was not recorded at all, the older event goes on.
        return not under_way.is_missing(other) or other.n < event.n
    if under_way.is_missing(other) or not _sends(event):
        return False
    if isinstance(event, AlertEvent):
        return other.n < event.n  # it ends the story: what was sent before it comes before it
    return under_way.has_something_for(other.side) and not _sends(other)


def _travels(event: Event) -> bool:
    return isinstance(event, MessageEvent | AlertEvent | DataEvent)


def _sends(event: Event) -> bool:
    return _travels(event) and getattr(event, "direction", "") == "sent"


class _UnderWay:
    """How many messages and alerts, and how many bytes of data, each side has yet to receive."""

    def __init__(self) -> None:
        self._amounts: dict[tuple[str, str], int] = {}

    def has_something_for(self, side: str) -> bool:
        return any(amount for (to, _), amount in self._amounts.items() if to == side)

    def is_missing(self, event: Event) -> bool:
        """Whether this arrives, and has not been sent."""
        arrives = _travels(event) and not _sends(event)
        return arrives and not self._amounts.get((event.side, event.kind))

    def note(self, event: Event) -> None:
        if not _travels(event):
            return
        size = event.length if isinstance(event, DataEvent) else 1
        to = other_side(event.side) if _sends(event) else event.side
        amount = self._amounts.get((to, event.kind), 0)
        self._amounts[to, event.kind] = max(0, amount + size if _sends(event) else amount - size)
