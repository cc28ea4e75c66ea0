"""IP fragments put together again, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from pellucid.capture.segments import Skipped, Unread

# An IP datagram's length has 16 bits in either version.
_LONGEST = 65_535

# Datagrams that are under way at once. On a network that fragments at all there are a few; beyond so many,
# the one begun first is given up. With the next limit it takes some 30 MiB at most.
_MOST_DATAGRAMS = 256

# The longest datagram over links of 576 bytes, the least that RFC 791 asks of a host to take, has 119.
_MOST_FRAGMENTS = 256

# Linux's ipfrag_time. After it, fragments with the same identification belong to another datagram.
_PATIENCE_NS = 30_000_000_000

_NEVER_WHOLE = "IP fragment without the rest of its datagram"
_OVERLAP = "IP fragments that overlap"

_Addresses: TypeAlias = tuple[bytes, bytes]
_Key: TypeAlias = tuple[_Addresses, int]


class Fragment(NamedTuple):
    """What a header says of the fragment behind it. ``more``: others come behind this one."""

    identification: int
    offset: int
    more: bool
    protocol: int


class _Datagram:
    __slots__ = ("begun_ns", "have", "parts", "protocol", "size")

    def __init__(self, begun_ns: int) -> None:
        self.begun_ns = begun_ns
        self.parts: dict[int, bytes] = {}  # by offset
        self.have = 0
        self.size = -1  # known with the last fragment
        self.protocol = 0  # known with the first


class Fragments:
    """Fragments that wait for the rest of their datagram. Those that never see it are counted as skipped."""

    def __init__(self, skipped: Skipped) -> None:
        self._skipped = skipped
        self._datagrams: dict[_Key, _Datagram] = {}

    def add(
        self, addresses: _Addresses, fragment: Fragment, payload: bytes, time_ns: int
    ) -> tuple[int, bytes] | None:
        """The protocol and the payload of the datagram that a fragment completes; None where it does not.

        `Unread` where it fits no datagram.
        """
        key = addresses, fragment.identification
        datagram = self._datagrams.get(key)
        if datagram is not None and abs(time_ns - datagram.begun_ns) > _PATIENCE_NS:
            self._give_up(key, _NEVER_WHOLE)
            datagram = None
        if datagram is None:
            datagram = self._begin(key, time_ns)
        end = fragment.offset + len(payload)
        if end > _LONGEST or not payload or len(datagram.parts) == _MOST_FRAGMENTS:
            self._give_up(key, _NEVER_WHOLE)
            raise Unread("malformed IP fragment")
        seen = datagram.parts.get(fragment.offset)
        if seen == payload:
            raise Unread("IP fragment seen before")
        if seen is not None:
            # RFC 8200 4.5: where fragments overlap, "reassembly of that packet must be abandoned". The
            # reasons for it hold for IPv4, too.
            self._give_up(key, _OVERLAP)
            raise Unread(_OVERLAP)
        datagram.parts[fragment.offset] = payload
        datagram.have += len(payload)
        if not fragment.offset:
            datagram.protocol = fragment.protocol  # RFC 8200 4.5: that of the first counts
        if not fragment.more:
            datagram.size = end
        return self._whole(key, datagram)

    def finish(self) -> None:
        """The capture is over: nothing that waits becomes whole any more."""
        for key in list(self._datagrams):
            self._give_up(key, _NEVER_WHOLE)

    def _whole(self, key: _Key, datagram: _Datagram) -> tuple[int, bytes] | None:
        if datagram.size < 0 or datagram.have < datagram.size:
            return None
        parts = sorted(datagram.parts.items())
        expected = 0
        for offset, part in parts:
            if offset != expected:
                self._give_up(key, _OVERLAP)
                return None
            expected += len(part)
        del self._datagrams[key]
        return datagram.protocol, b"".join([part for _, part in parts])

    def _begin(self, key: _Key, time_ns: int) -> _Datagram:
        if len(self._datagrams) == _MOST_DATAGRAMS:
            self._give_up(next(iter(self._datagrams)), _NEVER_WHOLE)
        datagram = self._datagrams[key] = _Datagram(time_ns)
        return datagram

    def _give_up(self, key: _Key, reason: str) -> None:
        for _ in self._datagrams.pop(key).parts:
            self._skipped.note(reason)
