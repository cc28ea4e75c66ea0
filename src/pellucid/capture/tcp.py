"""TCP connections out of segments that come as a network, or a capture, happens to bring them."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import TypeAlias

from pellucid.capture.direction import Direction, Given
from pellucid.capture.events import Closed, Connection, Endpoint, How, Opened, Side, StreamEvent
from pellucid.capture.segments import ACK, FIN, RST, SYN, Segment

__all__ = ["MAX_CONNECTIONS", "MAX_WAITING", "MAX_WAITING_IN_ALL", "Streams"]

#: Connections followed at once. Each takes about 1.5 KiB: 24 MiB, whatever a scan of ports has left behind.
MAX_CONNECTIONS = 2**14

#: Bytes of one direction that wait for others before them, with what it costs to keep them. A window of TCP
#: may be larger; but what is late comes within milliseconds, and what the capture has lost never comes.
MAX_WAITING = 2**20

#: The same for all connections together.
MAX_WAITING_IN_ALL = 2**26

# Segments remembered to hold retransmissions against, which follow closely but for what others send between.
_MOST_RECENT = 256

# How far a RST may be from the next byte of who sends it. RFC 5961 3.2 has receivers take only an exact one,
# but a capture does not always show how far they are. No larger window than 16 MiB is in use.
_RST_WINDOW = 2**24

# RFC 6335 6: the System Ports, on which services are found.
_SYSTEM_PORTS = range(1, 1024)

# The place behind everything.
_EVERYTHING = 2**80

_Key: TypeAlias = tuple[bytes, int, bytes, int]


class Streams:
    """Fed with segments, tells what the two sides of every connection said: an answer behind what it answers.

    The bytes of a direction are given once and in order: duplicates are dropped, and where segments overlap,
    the first one wins. Bytes that are not in the capture are told as ``Missing`` as soon as that is certain:
    the other side has answered what came behind them, the connection is over, or too much waits for them.
    Memory is bounded by the limits above, whatever comes.
    """

    def __init__(self) -> None:
        self._directions: dict[_Key, Direction] = {}
        # What the first segment of each was sent in; the one idle for longest first.
        self._open: OrderedDict[Connection, tuple[_Key, Direction]] = OrderedDict()
        # Addresses and ports of connections that are over: what still comes of these begins no new one.
        self._over: OrderedDict[_Key, None] = OrderedDict()
        self._recent: deque[Given] = deque(maxlen=_MOST_RECENT)
        self._holding: OrderedDict[Direction, None] = OrderedDict()  # those with bytes that wait
        self._waiting = 0  # the cost of these
        self._connections = 0
        self._time_ns = 0
        self._packet_number = 0

    def feed(self, segment: Segment) -> list[StreamEvent]:
        """What a segment brings about; often nothing."""
        out: list[StreamEvent] = []
        flags = segment.flags
        key = (segment.source, segment.source_port, segment.destination, segment.destination_port)
        self._time_ns = segment.time_ns
        self._packet_number = segment.packet_number
        direction = self._directions.get(key)
        if direction is None or flags & SYN:
            direction = self._begin(key, segment, direction, out)
            if direction is None:
                return out
            if flags & SYN and segment.sequence is not None:  # which takes a number itself: RFC 9293 3.4
                segment = segment._replace(sequence=segment.sequence + 1)
        self._open.move_to_end(direction.connection)
        if not direction.connection.wanted:
            self._follow(direction, flags, out)
        elif flags & RST:
            if self._is_plausible_reset(direction, segment):
                _note_places(direction, segment)
                self._close(direction.connection, How.RESET, direction, out)
        else:
            self._take(direction, segment, out)
        return out

    def finish(self) -> Iterator[StreamEvent]:
        """The capture is over: gives what still waits, and closes what is still open."""
        while self._open:
            out: list[StreamEvent] = []
            self._close(next(iter(self._open)), How.CAPTURE_ENDED, None, out)
            yield from out

    # -- beginning

    def _begin(
        self, key: _Key, segment: Segment, direction: Direction | None, out: list[StreamEvent]
    ) -> Direction | None:
        """The direction of a segment that has none, or has a SYN."""
        flags = segment.flags
        is_first = flags & (SYN | ACK) == SYN
        if direction is None:
            # Without a SYN a connection is worth following only if it says something.
            if flags & RST or not (flags & SYN or segment.length) or (key in self._over and not is_first):
                return None
            return self._open_for(key, segment, out)
        assert segment.sequence is not None  # nothing without TCP's header has its flags
        sequence = segment.sequence + 1
        is_known = direction.started and direction.place_of(sequence) == 0
        if is_known or flags & RST:
            return direction
        if not direction.started or not (direction.place or direction.waiting):
            direction.start(sequence)
        elif is_first:
            self._close(direction.connection, How.REPLACED, direction, out)
            return self._open_for(key, segment, out)
        return direction

    def _open_for(self, key: _Key, segment: Segment, out: list[StreamEvent]) -> Direction:
        if len(self._open) == MAX_CONNECTIONS:
            self._close(next(iter(self._open)), How.CROWDED_OUT, None, out)
        self._connections += 1
        source, destination = Endpoint.of(key[0], key[1]), Endpoint.of(key[2], key[3])
        syn_seen = bool(segment.flags & SYN)
        is_of_client = _is_of_client(segment)
        if is_of_client:
            connection = Connection(self._connections, source, destination, syn_seen)
        else:
            connection = Connection(self._connections, destination, source, syn_seen)
        direction = Direction(connection, "client" if is_of_client else "server", self._recent)
        peer = Direction(connection, "server" if is_of_client else "client", self._recent)
        direction.peer, peer.peer = peer, direction
        reverse = _reversed(key)
        # In this order: where both ends are the same, as where neither is known, all is the opener's.
        self._directions[reverse] = peer
        self._directions[key] = direction
        for each in (key, reverse):
            self._over.pop(each, None)
        self._open[connection] = (key, direction)
        out.append(Opened(connection, segment.time_ns, segment.packet_number))
        if segment.sequence is not None:
            direction.start(segment.sequence + bool(segment.flags & SYN))
        return direction

    # -- going on

    def _take(self, direction: Direction, segment: Segment, out: list[StreamEvent]) -> None:
        peer = direction.peer
        sequence = segment.sequence
        if sequence is not None:
            if not direction.started:
                direction.start(sequence)
            if segment.flags & ACK:
                self._acknowledge(peer, segment, out)
        if segment.payload:
            direction.add(segment, out)
            if direction.waiting and direction.acknowledged > direction.place:
                direction.give_up(direction.acknowledged, segment.time_ns, segment.packet_number, out)
        if segment.flags & FIN and sequence is not None:
            direction.end(direction.place_of(sequence + segment.length))
        if direction.cost != direction.counted or peer.cost != peer.counted:
            self._count(peer)
            self._keep_limits(direction, out)
        if direction.fin >= 0 or peer.fin >= 0:
            self._conclude(direction, out)

    def _acknowledge(self, peer: Direction, segment: Segment, out: list[StreamEvent]) -> None:
        """Who answers has seen all that it acknowledges: what is not in the capture by then will not come.

        An acknowledgment alone does not count: it may be captured a little before what it is for. It does
        where a FIN was seen, which came behind everything.
        """
        acknowledgment = segment.acknowledgment
        if not peer.started:
            peer.start(acknowledgment)
        elif acknowledgment != peer.next and (segment.length or segment.flags & FIN or peer.fin >= 0):
            place = peer.place_of(acknowledgment)
            if place > peer.acknowledged:
                peer.acknowledged = place
                peer.give_up(place, segment.time_ns, segment.packet_number, out)

    def _follow(self, direction: Direction, flags: int, out: list[StreamEvent]) -> None:
        """A connection of which nothing but its end is wanted."""
        for each in (direction, direction.peer):
            each.forget()
            self._count(each)
        direction.finished = direction.finished or bool(flags & FIN)
        if flags & RST:
            self._close(direction.connection, How.RESET, direction, out)
        elif direction.finished and direction.peer.finished:
            self._close(direction.connection, How.FIN, direction, out)

    # -- limits

    def _count(self, direction: Direction) -> None:
        """Brings the sum of what waits up to date."""
        self._waiting += direction.cost - direction.counted
        direction.counted = direction.cost
        if direction.cost:
            self._holding.setdefault(direction)
        else:
            self._holding.pop(direction, None)

    def _keep_limits(self, direction: Direction, out: list[StreamEvent]) -> None:
        """Gives up what is missing where too much waits for it: here, or where waiting began first."""
        while direction.cost > MAX_WAITING:
            direction.give_up_first(self._time_ns, self._packet_number, out)
        self._count(direction)
        while self._waiting > MAX_WAITING_IN_ALL:
            oldest = next(iter(self._holding))
            oldest.give_up_first(self._time_ns, self._packet_number, out)
            self._count(oldest)
            if oldest.fin >= 0 and oldest.connection is not direction.connection:
                self._conclude(oldest, out)

    # -- ending

    def _is_plausible_reset(self, direction: Direction, segment: Segment) -> bool:
        """Whether the receiver would have taken a RST: others are injected, by somebody who guesses."""
        if segment.sequence is None or not direction.started:
            return True
        place = direction.place_of(segment.sequence)
        furthest = max(direction.place, direction.fin, *(piece.end for piece in direction.waiting[-1:]))
        return direction.place - _RST_WINDOW <= place <= furthest + _RST_WINDOW

    def _conclude(self, direction: Direction, out: list[StreamEvent]) -> None:
        """Closes a connection in which both sides have sent a FIN, and all before it."""
        for each in (direction, direction.peer):
            each.finish(self._time_ns, self._packet_number, out)
        if direction.finished and direction.peer.finished:
            self._close(direction.connection, How.FIN, direction, out)

    def _close(self, connection: Connection, how: How, by: Direction | None, out: list[StreamEvent]) -> None:
        """The last of a connection: gives what waits in both directions, and lets go of it."""
        key, direction = self._open.pop(connection)
        peer = direction.peer
        lost: list[Side] = []
        for each in (direction, peer):
            if connection.wanted:
                each.give_up(_EVERYTHING, self._time_ns, self._packet_number, out)
                each.finish(self._time_ns, self._packet_number, out)
                if each.acknowledged > each.place + each.finished:  # a FIN counts as one: RFC 9293 3.4
                    lost.append(each.side)
            each.forget()
            self._count(each)
        del direction.peer, peer.peer  # or they would wait for the garbage collector
        for each_key in (key, _reversed(key)):
            self._directions.pop(each_key, None)
            self._over[each_key] = None
        while len(self._over) > 2 * MAX_CONNECTIONS:
            self._over.popitem(last=False)
        side = by.side if by else None
        out.append(Closed(connection, how, side, self._time_ns, self._packet_number, tuple(lost)))


def _reversed(key: _Key) -> _Key:
    return key[2], key[3], key[0], key[1]


def _note_places(direction: Direction, reset: Segment) -> None:
    """A RST tells how far both sides have got, which may be farther than the capture shows."""
    if reset.sequence is None:
        return
    places = [(direction, reset.sequence)]
    if reset.flags & ACK:
        places.append((direction.peer, reset.acknowledgment))
    for each, number in places:
        # Not every RST has sensible numbers: those that somebody injects have made-up ones.
        if each.started and each.place < (place := each.place_of(number)) <= each.place + _RST_WINDOW:
            each.acknowledged = max(each.acknowledged, place)


def _is_of_client(segment: Segment) -> bool:
    """Whether a connection's first segment comes from its client."""
    if segment.flags & SYN:
        return not segment.flags & ACK
    # A guess: the client speaks first, unless who speaks first has a port that services have.
    return segment.source_port not in _SYSTEM_PORTS or segment.destination_port in _SYSTEM_PORTS
