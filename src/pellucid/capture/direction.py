"""One direction of a TCP connection: its segments put in order.

Places in the stream are counted from its first byte, without wrapping: TCP's own count of 32 bits starts
anywhere and wraps after 4 GiB.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from operator import itemgetter
from typing import NamedTuple

from pellucid.capture.events import Bytes, Conflict, Connection, HalfClosed, Missing, Side, StreamEvent
from pellucid.capture.segments import Segment

_HALF = 2**31
_MASK = 2**32 - 1

# What a segment costs that waits, beside its bytes: a tuple, its numbers, an object for the bytes. Counted,
# so that segments of one byte do not take a hundred times the memory that a limit speaks of.
_OVERHEAD = 256


class Given(NamedTuple):
    """A segment whose bytes were given not long ago: what comes again is held against it."""

    direction: Direction
    start: int
    data: bytes


class Waiting(NamedTuple):
    """Bytes that wait for those before them."""

    start: int
    data: bytes
    time_ns: int
    packet_number: int

    @property
    def end(self) -> int:
        return self.start + len(self.data)


_start = itemgetter(0)


class Direction:
    """What one side sends. Events are appended to a list that is handed in."""

    __slots__ = (
        "acknowledged", "connection", "cost", "counted", "fin", "finished", "next", "peer", "place", "recent",
        "side", "started", "waiting",
    )  # fmt: skip

    peer: Direction

    def __init__(self, connection: Connection, side: Side, recent: deque[Given]) -> None:
        self.connection = connection
        self.side: Side = side
        self.recent = recent
        self.started = False
        self.next = 0  # the sequence number of the next byte to give
        self.place = 0  # how many were given or are missing
        self.waiting: list[Waiting] = []  # in order, without overlaps
        self.cost = 0  # of what waits
        self.counted = 0  # of that, what is part of a sum over all connections
        self.acknowledged = 0  # up to where the peer has what was sent, as it said in a segment with content
        self.fin = -1  # the place behind the last byte; -1 before it is known
        self.finished = False

    def start(self, sequence: int) -> None:
        """The first byte has this sequence number."""
        self.started = True
        self.next = sequence & _MASK

    def place_of(self, sequence: int) -> int:
        """Where in the stream a sequence number is: the nearest place to the next byte that it can mean."""
        ahead = (sequence - self.next) & _MASK
        return self.place + (ahead if ahead < _HALF else ahead - _MASK - 1)

    def add(self, segment: Segment, out: list[StreamEvent]) -> None:
        """Takes a segment's bytes, and gives what is in order now."""
        data = segment.payload
        start = self.place if segment.sequence is None else self.place_of(segment.sequence)
        if self.fin >= 0 and start + len(data) > self.fin:
            data = data[: max(self.fin - start, 0)]
        if start < self.place:
            data = self._without_given(segment, start, data, out)
            start = self.place
        if not data:
            return
        if start == self.place and not self.waiting:
            self._give(data, segment.time_ns, segment.packet_number, out)
            return
        self._wait(segment, start, data, out)
        self._give_waiting(out)

    def end(self, place: int) -> None:
        """A FIN stands at ``place``. The first one counts, and none that contradicts the bytes seen."""
        if self.fin < 0 and place >= (self.waiting[-1].end if self.waiting else self.place):
            self.fin = place

    def finish(self, time_ns: int, packet_number: int, out: list[StreamEvent]) -> None:
        """Tells of the FIN, once all before it was given."""
        if not self.finished and self.place == self.fin:
            self.finished = True
            out.append(HalfClosed(self.connection, self.side, time_ns, packet_number))

    def give_up(self, place: int, time_ns: int, packet_number: int, out: list[StreamEvent]) -> None:
        """What is missing before ``place`` will not come: gives the rest that waits up to there.

        Bytes that nothing came behind are not missed here: their packet may just be late in the capture.
        """
        while self.waiting and self.waiting[0].start <= place:
            self._miss(self.waiting[0].start, time_ns, packet_number, out)
            self._give_waiting(out)
        if self.place < self.fin <= place and not self.waiting:
            self._miss(self.fin, time_ns, packet_number, out)

    def give_up_first(self, time_ns: int, packet_number: int, out: list[StreamEvent]) -> None:
        """As ``give_up``, for what is missing before the first bytes that wait."""
        self.give_up(self.waiting[0].start, time_ns, packet_number, out)

    def forget(self) -> None:
        """Gives nothing more of what waits."""
        self.waiting.clear()
        self.cost = 0

    def _miss(self, place: int, time_ns: int, packet_number: int, out: list[StreamEvent]) -> None:
        length = place - self.place
        out.append(Missing(self.connection, self.side, length, time_ns, packet_number))
        self._advance(length)

    def _advance(self, length: int) -> None:
        self.place += length
        self.next = (self.next + length) & _MASK

    def _give(self, data: bytes, time_ns: int, packet_number: int, out: list[StreamEvent]) -> None:
        out.append(Bytes(self.connection, self.side, data, time_ns, packet_number))
        self.recent.append(Given(self, self.place, data))
        self._advance(len(data))

    def _give_waiting(self, out: list[StreamEvent]) -> None:
        given = 0
        for piece in self.waiting:
            if piece.start != self.place:
                break
            self._give(piece.data, piece.time_ns, piece.packet_number, out)
            self.cost -= len(piece.data) + _OVERHEAD
            given += 1
        del self.waiting[:given]

    def _wait(self, segment: Segment, start: int, data: bytes, out: list[StreamEvent]) -> None:
        """Keeps those of the bytes that do not wait already."""
        waiting = self.waiting
        end = start + len(data)
        index = bisect_right(waiting, start, key=_start)
        if index and waiting[index - 1].end > start:
            index -= 1
        place = start
        differs = False
        while place < end:
            other = waiting[index] if index < len(waiting) else None
            stop = end if other is None else min(other.start, end)
            if place < stop:
                piece = data[place - start : stop - start]
                waiting.insert(index, Waiting(place, piece, segment.time_ns, segment.packet_number))
                self.cost += len(piece) + _OVERHEAD
                index += 1
                place = stop
            if other is not None and place < end:
                stop = min(other.end, end)
                seen = other.data[place - other.start : stop - other.start]
                differs = differs or seen != data[place - start : stop - start]
                place = stop
                index += 1
        if differs:
            self._conflict(segment, out)

    def _without_given(self, segment: Segment, start: int, data: bytes, out: list[StreamEvent]) -> bytes:
        """The bytes that were not given yet. The others are held against what was, where that is known."""
        again = data[: self.place - start]
        # A probe whether the peer is alive repeats one byte, which need not be the same: RFC 9293 3.8.4.
        is_probe = len(data) == 1 and start == self.place - 1
        if not is_probe and self._differs(start, again):
            self._conflict(segment, out)
        return data[len(again) :]

    def _differs(self, start: int, again: bytes) -> bool:
        """Whether bytes that come again are others than at first. What was given long ago is not known."""
        end = start + len(again)
        for direction, given_start, given in reversed(self.recent):
            if direction is not self:
                continue
            first = max(start, given_start)
            last = min(end, given_start + len(given))
            if first >= last:
                continue
            if again[first - start : last - start] != given[first - given_start : last - given_start]:
                return True
            if last - first == len(again):
                break
        return False

    def _conflict(self, segment: Segment, out: list[StreamEvent]) -> None:
        out.append(Conflict(self.connection, self.side, segment.time_ns, segment.packet_number))
