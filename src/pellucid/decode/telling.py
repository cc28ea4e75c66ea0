"""The story of a watched connection: two sides' events in the order in which both sides would tell them.

Somebody who takes part tells what it sends when it makes it, then the records; who receives it tells each
record, then what was in it and what it made of that, and answers. So while one side speaks, what the other
makes of it is put off until the speaker has finished: the other begins to speak, or data follows.
"""

from __future__ import annotations

from typing import Any

from pellucid.codes import AlertDescription, AlertLevel, name_of
from pellucid.decode.speaker import ObservedRecord
from pellucid.plain import plain
from pellucid.record.limits import HEADER_LENGTH
from pellucid.trace import Trace, TraceView
from pellucid.trace.events import Event, OutcomeEvent, SealedEvent, Side, other_side
from pellucid.wire import Wire

__all__ = [
    "MAX_EVENTS",
    "MAX_EXPLAINED",
    "MAX_HELD_BYTES",
    "MAX_KEPT_BYTES",
    "MAX_KEPT_OF_ONE",
    "Budget",
    "Story",
    "Told",
]

#: Events kept of one connection. A handshake has a hundred; the rest are records, tickets and KeyUpdates, of
#: which nobody reads so many.
MAX_EVENTS = 20_000

#: Bytes of records and messages kept in all stories together that have not ended yet, with what it costs to
#: keep them. Who reads a capture of many connections reads the handshakes: theirs come first, and fit a
#: thousand times.
MAX_KEPT_BYTES = 2**26

#: The same for one of them, so that it does not take what the others need.
MAX_KEPT_OF_ONE = 2**24

# What a record, a message or an alert costs beside its bytes: an event on either side, with its numbers and
# strings, and what is made of it. Counted, so that messages of four bytes do not take a hundred times the
# memory that a limit speaks of.
_OVERHEAD = 1024

# Messages for which there was no room, and what followed from them was told nevertheless.
_MOST_REFUSED = 100


#: Bytes of records and messages of all connections together that wait for their rest, or for the other side.
MAX_HELD_BYTES = 2**26


#: Refused chains of one capture whose paths are explained: each may take a second or two of work, and some
#: hundred KiB, if somebody made it to do so.
MAX_EXPLAINED = 32


@plain
class Budget:
    """What all connections of a capture share: how many bytes may still be kept, how many may wait, and how
    many chains are explained.
    """

    left: int
    held_left: int = MAX_HELD_BYTES
    explained_left: int = MAX_EXPLAINED


class Told(Trace):
    """A trace whose clock is the capture's."""

    __slots__ = ("began_ns", "now_ns")

    def __init__(self, began_ns: int, *, reveal_secrets: bool = False) -> None:
        super().__init__(reveal_secrets=reveal_secrets, clock=float, started_at=began_ns / 1e9)
        self.began_ns = self.now_ns = began_ns

    @property
    def takes_records(self) -> bool:
        """Whether there is room for a record on both sides: of a long download only the beginning is kept."""
        return self._numerous + 2 <= self._limit

    def stamp(self) -> tuple[int, int]:
        return len(self.events) + 1, (self.now_ns - self.began_ns) // 1000


class _PutOff(Trace):
    """Events that will be told later, in another trace; or, with ``events`` that keep nothing, never."""

    __slots__ = ("_told",)

    def __init__(self, told: Told, events: list[Event]) -> None:
        super().__init__(reveal_secrets=told.reveal_secrets, clock=float, started_at=told.started_at)
        self.events = events
        self._told = told
        self._known = told._known

    def stamp(self) -> tuple[int, int]:
        return 0, self._told.stamp()[1]  # the number comes when it is told

    def has_room(self) -> bool:
        return self._told.has_room()


class _Nothing(list[Event]):
    """A list that stays empty."""

    def append(self, event: Event) -> None:
        del event


class _View(TraceView):
    """A view whose trace changes with who speaks."""

    __slots__ = ()

    is_onlooker = True

    def record_into(self, trace: Trace) -> None:
        self.trace = trace
        self._add = trace.events.append


class _Skimming(_View):
    """A view for what nobody reads in full: what was said and how it ended, not how it came about."""

    __slots__ = ()

    def record(self, **_: Any) -> None: ...
    def secret(self, **_: Any) -> None: ...
    def keys(self, **_: Any) -> None: ...
    def check(self, **_: Any) -> None: ...
    def state(self, **_: Any) -> None: ...
    def data(self, **_: Any) -> None: ...


class Story:
    """Tells what one connection's sides say; ``trace`` is what comes of it.

    ``budget`` is shared by the stories of a capture. ``skims``: only as much is told as it takes to say how
    the connection ended.
    """

    def __init__(
        self, began_ns: int, budget: Budget, *, reveal_secrets: bool = False, skims: bool = False
    ) -> None:
        view = _Skimming if skims else _View
        self.skims = skims
        self.trace = Told(began_ns, reveal_secrets=reveal_secrets)
        self._records = _PutOff(self.trace, [])  # of who speaks
        self._made = _PutOff(self.trace, [])  # what the other one makes of it
        self._views: dict[Side, _View] = {
            "client": view(self.trace, "client"),
            "server": view(self._made, "server"),
        }
        self._speaker: Side = "client"
        self._budget = budget
        self._kept = 0
        self._held = 0
        self._refused = 0
        self._is_full = False

    @property
    def now(self) -> float:
        """POSIX seconds."""
        return self.trace.now_ns / 1e9

    def view(self, side: Side) -> TraceView:
        return self._views[side]

    # -- whose turn it is

    def at(self, time_ns: int) -> None:
        """It is so late now. Packets may lie out of order in a capture; a story goes forward."""
        self.trace.now_ns = max(self.trace.now_ns, time_ns)

    def speaks(self, side: Side) -> None:
        """``side`` says something: what the other said before is over."""
        if side != self._speaker:
            self.finish_flight()
            self._speaker = side
            if not self._is_full:
                self._views[other_side(side)].record_into(self._made)
                self._views[side].record_into(self.trace)

    def finish_flight(self) -> None:
        """Tell what was put off: the records of who speaks, then what the other one makes of it.

        Each has the time of its packet, but for what it would stand before.
        """
        told = self.trace.events
        time_us = told[-1].time_us if told else 0
        for events in (self._records.events, self._made.events):
            for event in events:
                time_us = max(time_us, event.time_us)
                # They are nobody's yet, and making them again takes ten times as long.
                object.__setattr__(event, "n", len(told) + 1)
                object.__setattr__(event, "time_us", time_us)
                told.append(event)
            events.clear()

    # -- what is told

    def record(self, side: Side, record: ObservedRecord) -> None:
        """A record of who speaks, on both sides."""
        if self.skims or not self._keep_record(record):
            return
        facts = _facts(record)
        TraceView(self._records, side).record(direction="sent", **facts)
        self._views[other_side(side)].record(direction="received", **facts)

    def data(self, side: Side, record: ObservedRecord, *, is_received: bool) -> None:
        """A record of data, on both sides, at once: then nothing is put off.

        ``is_received``: the other side takes the data, unlike early data that it may refuse.
        """
        self.finish_flight()
        if self.skims:
            return
        length = len(record.content)
        is_kept = self._keep_record(record)
        sender, listener = self._views[side], self._views[other_side(side)]
        if length:
            sender.data(direction="sent", length=length)
        if is_kept:
            sender.record(direction="sent", **_facts(record))
            listener.record(direction="received", **_facts(record))
        if length and is_received:
            listener.data(direction="received", length=length)
        self.finish_flight()

    def message(
        self, side: Side, name: str, raw: bytes, *, encrypted: bool, epoch: str, cls: type[Wire] | None
    ) -> None:
        """A message of who speaks, on both sides."""
        if not self._keep_content(len(raw)):
            return
        facts: dict[str, Any] = {
            "name": name, "raw": raw, "encrypted": encrypted, "epoch": epoch, "cls": cls,
        }  # fmt: skip
        self._views[side].message(direction="sent", **facts)
        self._views[other_side(side)].message(direction="received", **facts)

    def alert(self, side: Side, level: int, description: int) -> None:
        if not self._keep_content(0):
            return
        facts = {"level": name_of(level, AlertLevel), "description": name_of(description, AlertDescription)}
        self._views[side].alert(direction="sent", **facts)
        self._views[other_side(side)].alert(direction="received", **facts)

    def seal(self, side: Side, reason: str, detail: str) -> None:
        """From here on what ``side`` sends stays closed."""
        self._surely(side).sealed(reason=reason, detail=detail)

    def outcome(self, side: Side, **facts: Any) -> None:
        """What the connection came to."""
        self._surely(side).outcome(**facts)

    def _surely(self, side: Side) -> TraceView:
        """The view for what is told even where there was too much of all else."""
        return TraceView(self.trace, side) if self._is_full else self._views[side]

    def explains(self) -> bool:
        """Whether one more chain may be explained: then it is counted."""
        if self.skims or self._is_full or not self._budget.explained_left:
            return False
        self._budget.explained_left -= 1
        return True

    def hold(self, size: int) -> bool:
        """Whether so many bytes in all may wait of this connection."""
        more = size - self._held
        if more > self._budget.held_left:
            return False
        self._budget.held_left -= more
        self._held = size
        return True

    def end(self) -> None:
        """All is told that there was: what is kept is the reader's business now."""
        self.finish_flight()
        self.hold(0)
        self._budget.left += self._kept
        self._kept = 0

    def forget(self) -> None:
        """Nobody wants to read it: keep nothing but how it ended, and what stayed closed."""
        self.end()
        kept = [event for event in self.trace.events if isinstance(event, OutcomeEvent | SealedEvent)]
        self.trace.events[:] = kept
        self._stop_telling()

    def _keep_record(self, record: ObservedRecord) -> bool:
        if self.trace.takes_records:
            return self._keep(len(record.raw))
        self.trace.dropped += 2
        return False

    def _keep_content(self, size: int) -> bool:
        if self._keep(size):
            return True
        # What is made of a message is told without it; not for ever.
        self._refused += 1
        if self._refused > _MOST_REFUSED and not self._is_full:
            self._stop_telling()
        return False

    def _keep(self, size: int) -> bool:
        """Whether there is room for so many bytes more, and for the events around them."""
        events = len(self.trace.events) + len(self._records.events) + len(self._made.events)
        if events > MAX_EVENTS and not self._is_full:
            self._stop_telling()
        cost = size + _OVERHEAD
        if self._is_full or cost > min(self._budget.left, MAX_KEPT_OF_ONE - self._kept):
            self.trace.dropped += 1
            return False
        self._budget.left -= cost
        self._kept += cost
        return True

    def _stop_telling(self) -> None:
        """There is enough: what views record from here on is not kept."""
        self.finish_flight()
        self._is_full = True
        nowhere = _PutOff(self.trace, _Nothing())
        for view in self._views.values():
            view.record_into(nowhere)


def _facts(record: ObservedRecord) -> dict[str, Any]:
    return {
        "content_type": record.content_type,
        "length": len(record.raw) - HEADER_LENGTH,
        "encrypted": record.encrypted,
        "header": record.raw[:HEADER_LENGTH],
        "content_length": len(record.content),
        "raw": record.raw,
    }
