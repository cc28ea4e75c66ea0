"""From a packet to the TCP segment in it, through the headers of the link that it was captured on.

Numbers of links are tcpdump.org's LINKTYPE_. Checksums are not looked at: where a network card computes them,
those in a capture are wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.capture.ip import IPReader
from pellucid.capture.packets import Packet
from pellucid.capture.segments import Segment, Skipped, Unread
from pellucid.capture.upper_pdu import read_upper_pdu

__all__ = ["SegmentReader"]

_UPPER_PDU = 252

# IEEE 802.1Q, 802.1ad, and what was in use before the latter: four bytes that stand before the next type.
_TAGS = frozenset((0x8100, 0x88A8, 0x9100))
_IP_TYPES = frozenset((0x0800, 0x86DD))

# Address families that loopback captures start with: IPv4 everywhere; IPv6 on Linux, the BSDs and macOS.
_FAMILIES = frozenset((2, 10, 24, 28, 30))


class SegmentReader:
    """Reads packets of any link. Fragments of IP wait here for the rest of their datagram.

    ``skipped``: how many packets had no segment that is read here, by reason.
    """

    def __init__(self) -> None:
        self.skipped = Skipped()
        self._ip = IPReader(self.skipped)

    def read(self, packet: Packet) -> Segment | None:
        """The TCP segment of a packet. None for one without, and for a fragment that completes none."""
        try:
            find = _NETWORK_HEADER.get(packet.link_type)
            if find is not None:
                return self._ip.read(packet, find(packet.data))
            if packet.link_type == _UPPER_PDU:
                return read_upper_pdu(packet)
            self.skipped.note(f"link type {packet.link_type}, which is not read here")
        except Unread as reason:
            self.skipped.note(str(reason))
        return None

    def finish(self) -> None:
        """The capture is over: what still waits will not become whole, and is counted."""
        self._ip.finish()


def _by_type(data: bytes, at: int) -> int:
    """Where IP starts, from the EtherType at ``at``."""
    while at + 2 <= len(data):
        ether_type = data[at] << 8 | data[at + 1]
        at += 2
        if ether_type in _IP_TYPES:
            return at
        if ether_type not in _TAGS:
            break
        at += 2
    raise Unread("not IP")


def _ethernet(data: bytes) -> int:
    return 14 if data[12:14] == b"\x08\x00" else _by_type(data, 12)


def _linux_cooked(data: bytes) -> int:
    return _by_type(data, 14)


def _linux_cooked_v2(data: bytes) -> int:
    """Unlike in the first version, the type comes first of 20 bytes, and a tag behind all of them."""
    if data[:2] in (b"\x08\x00", b"\x86\xdd"):
        return 20
    ether_type = int.from_bytes(data[:2], "big")
    if ether_type not in _TAGS:
        raise Unread("not IP")
    return _by_type(data, 22)


def _loopback(data: bytes) -> int:
    """An address family, in the byte order of the machine that captured: small numbers, so both are tried."""
    family = data[:4]
    if int.from_bytes(family, "little") not in _FAMILIES and int.from_bytes(family, "big") not in _FAMILIES:
        raise Unread("not IP")
    return 4


def _raw(_data: bytes) -> int:
    return 0


_NETWORK_HEADER: dict[int, Callable[[bytes], int]] = {
    0: _loopback,  # NULL
    1: _ethernet,
    12: _raw,  # RAW, as some systems number it
    14: _raw,
    101: _raw,
    108: _loopback,  # LOOP
    113: _linux_cooked,
    228: _raw,  # IPV4
    229: _raw,  # IPV6
    276: _linux_cooked_v2,
}
