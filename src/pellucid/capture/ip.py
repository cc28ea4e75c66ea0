"""IPv4 and IPv6 down to TCP: headers, options, extension headers, fragments."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from pellucid.capture.fragments import Fragment, Fragments
from pellucid.capture.packets import Packet
from pellucid.capture.segments import Segment, Skipped, Unread

_TCP = 6

# RFC 791 3.1, RFC 8200 3 and 4.5, RFC 9293 3.1; as much of each as is looked at.
_IPV4 = Struct("!BBHHHBB").unpack_from
_IPV6 = Struct("!IHB").unpack_from
_IPV6_FRAGMENT = Struct("!BBHI").unpack_from
_TCP_HEADER = Struct("!HHIIBB").unpack_from
_IPV4_LENGTH, _IPV6_LENGTH, _TCP_LENGTH = 20, 40, 20

_FRAGMENT_HEADER = 44
_AUTHENTICATION_HEADER = 51
# Extension headers, of which the first byte says what follows. In most the second is their length in units of
# eight, less one: RFC 8200 4.3 to 4.6, and those of mobility, HIP and shim6 (IANA's list of them).
_EXTENSIONS = frozenset((0, 43, 60, 135, 139, 140, _FRAGMENT_HEADER, _AUTHENTICATION_HEADER))

# More than RFC 8200 4.1 lets anybody send.
_MOST_EXTENSIONS = 16

_CUT_SHORT = "cut short in the IP header"
_MALFORMED = "malformed IP header"


class _Carried(NamedTuple):
    """What an IP header carries: ``data[at:stop]`` was captured of it; on the wire it ended at ``end``."""

    source: bytes
    destination: bytes
    data: bytes
    at: int
    stop: int
    end: int


class IPReader:
    """Reads IP packets. Fragments wait here for the rest of their datagram."""

    def __init__(self, skipped: Skipped) -> None:
        self._fragments = Fragments(skipped)

    def read(self, packet: Packet, at: int) -> Segment | None:
        """The segment in the IP packet that starts at ``at`` in a packet's data.

        `Unread` where there is none; None for a fragment that has to wait.
        """
        data = packet.data
        version = data[at] >> 4 if at < len(data) else 0
        if version == 4:
            return self._ipv4(packet, at)
        if version == 6:
            return self._ipv6(packet, at)
        raise Unread("not IP")

    def finish(self) -> None:
        """The capture is over: fragments that still wait are counted as skipped."""
        self._fragments.finish()

    def _ipv4(self, packet: Packet, at: int) -> Segment | None:
        data = packet.data
        captured = len(data)
        if at + _IPV4_LENGTH > captured:
            raise Unread(_CUT_SHORT)
        first, _, total, identification, place, _, protocol = _IPV4(data, at)
        # A capture made before the network card cuts a large send to pieces has no length yet.
        end = at + total if total else packet.original_length
        body = at + (first & 15) * 4
        if not at + _IPV4_LENGTH <= body <= end <= packet.original_length:
            raise Unread(_MALFORMED)
        stop = end if end < captured else captured
        carried = _Carried(data[at + 12 : at + 16], data[at + 16 : at + 20], data, body, stop, end)
        if place & 0x3FFF:  # RFC 791 3.1: "more fragments", or an offset
            # Datagrams of other protocols may have the same identification.
            number = protocol << 16 | identification
            return self._fragment(
                packet, carried, Fragment(number, (place & 0x1FFF) * 8, bool(place & 0x2000), protocol)
            )
        if protocol != _TCP:
            raise Unread("not TCP")
        return _segment(packet, carried)

    def _ipv6(self, packet: Packet, at: int) -> Segment | None:
        data = packet.data
        body = at + _IPV6_LENGTH
        if body > len(data):
            raise Unread(_CUT_SHORT)
        _, length, following = _IPV6(data, at)
        # As for IPv4; a jumbogram (RFC 2675) has no length here either.
        end = body + length if length else packet.original_length
        if end > packet.original_length:
            raise Unread(_MALFORMED)
        carried = _Carried(data[at + 8 : at + 24], data[at + 24 : body], data, body, min(end, len(data)), end)
        return self._following(packet, carried, following)

    def _following(
        self, packet: Packet, carried: _Carried, protocol: int, *, joined: bool = False
    ) -> Segment | None:
        """The segment behind IPv6 extension headers, if any; ``protocol`` is what comes first.

        ``joined``: fragments were, so that another fragment in them is none that anybody sends.
        """
        for _ in range(_MOST_EXTENSIONS):
            if protocol == _TCP:
                return _segment(packet, carried)
            if protocol not in _EXTENSIONS:
                raise Unread("not TCP")
            data, at = carried.data, carried.at
            if at + 8 > carried.stop:
                raise Unread(_MALFORMED if at + 8 > carried.end else _CUT_SHORT)
            if protocol == _FRAGMENT_HEADER:
                protocol, _, place, identification = _IPV6_FRAGMENT(data, at)
                carried = carried._replace(at=at + 8)
                if place & 0xFFF9:  # without offset and without more it is whole: RFC 6946
                    if joined:
                        raise Unread(_MALFORMED)
                    return self._fragment(
                        packet, carried, Fragment(identification, place & 0xFFF8, bool(place & 1), protocol)
                    )
                continue
            # RFC 4302 2.2: the length of an authentication header is in units of four, less two.
            is_authentication = protocol == _AUTHENTICATION_HEADER
            units = (data[at + 1] + 2) * 4 if is_authentication else (data[at + 1] + 1) * 8
            protocol = data[at]
            carried = carried._replace(at=at + units)
        raise Unread(_MALFORMED)

    def _fragment(self, packet: Packet, carried: _Carried, fragment: Fragment) -> Segment | None:
        """The segment of the datagram that a fragment completes."""
        source, destination, data, at, stop, end = carried
        if stop < end:
            raise Unread("cut short in an IP fragment")
        whole = self._fragments.add((source, destination), fragment, data[at:end], packet.time_ns)
        if whole is None:
            return None
        protocol, data = whole
        joined = _Carried(source, destination, data, 0, len(data), len(data))
        return self._following(packet, joined, protocol, joined=True)


def _segment(packet: Packet, carried: _Carried) -> Segment:
    source, destination, data, at, stop, end = carried
    if at + _TCP_LENGTH > stop:
        raise Unread("malformed TCP header" if at + _TCP_LENGTH > end else "cut short in the TCP header")
    source_port, destination_port, sequence, acknowledgment, offset, flags = _TCP_HEADER(data, at)
    header = (offset >> 4) * 4
    start = at + header
    if header < _TCP_LENGTH or start > end:
        raise Unread("malformed TCP header")
    return Segment(
        source,
        destination,
        source_port,
        destination_port,
        sequence,
        acknowledgment,
        flags,
        data[start:stop],
        end - start,
        packet.time_ns,
        packet.number,
    )
