"""The older format of captures, pcap: a header, then packets (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from pellucid.capture.packets import MAX_PACKET, CaptureFault, Packet
from pellucid.capture.window import Window

# The first four bytes give the byte order and the unit of a packet's fraction of a second, in nanoseconds.
PCAP_MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}

_HEADER_LENGTH = 24
_PACKET_HEADER_LENGTH = 16
_MAJOR = 2


def pcap_packets(window: Window) -> Iterator[Packet]:
    """The packets of a file whose magic number is known to be one of ``PCAP_MAGICS``."""
    window.require(_HEADER_LENGTH, "the header of a pcap file")
    order, unit = PCAP_MAGICS[window.data[window.at : window.at + 4]]
    major, minor, _, _, _, link_type = Struct(order + "HHiIII").unpack_from(window.data, window.at + 4)
    if major != _MAJOR:
        raise window.error(
            CaptureFault.UNSUPPORTED, f"pcap of version {major}.{minor}; {_MAJOR}.4 is what is read here"
        )
    link_type &= 0xFFFF  # above it: whether frames end with a checksum, which the IP header's length cuts off
    window.at += _HEADER_LENGTH
    unpack = Struct(order + "IIII").unpack_from
    number = 0
    while window.fill(_PACKET_HEADER_LENGTH):
        data, at = window.data, window.at
        seconds, fraction, captured, original = unpack(data, at)
        if captured > MAX_PACKET:
            raise window.error(CaptureFault.DAMAGED, f"a packet of {captured} bytes")
        size = _PACKET_HEADER_LENGTH + captured
        if at + size > len(data):
            window.require(size, "a packet")
            data, at = window.data, window.at
        window.at = end = at + size
        number += 1
        yield Packet(
            number,
            seconds * 1_000_000_000 + fraction * unit,
            link_type,
            data[at + _PACKET_HEADER_LENGTH : end],
            original if original > captured else captured,
            "",
        )
    if window.at < len(window.data):
        window.require(_PACKET_HEADER_LENGTH, "the header of a packet")
