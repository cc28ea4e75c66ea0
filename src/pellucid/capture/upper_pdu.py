"""Wireshark's exported PDUs: tags that say whose bytes these are, and the bytes, without IP or TCP.

What TCP had to do with them is done: they are in order and complete.
"""

from __future__ import annotations

from pellucid.capture.packets import Packet
from pellucid.capture.segments import ACK, Segment, Unread

# Tags, from Wireshark's epan/exported_pdu.h. A tag is 2 bytes, as is the length of its value.
_END = 0
_DISSECTOR = 12
_IPV4_SOURCE, _IPV4_DESTINATION, _IPV6_SOURCE, _IPV6_DESTINATION = 20, 21, 22, 23
_PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT = 24, 25, 26

_TCP = 2  # among port types
_TLS = (b"tls", b"ssl")  # the second is what Wireshark called it before version 3


def read_upper_pdu(packet: Packet) -> Segment:
    """The bytes of TLS in such a packet; `Unread` where it has none."""
    data = packet.data
    tags: dict[int, bytes] = {}
    at = 0
    while True:
        if at + 4 > len(data):
            raise Unread("exported PDU cut short")
        tag = data[at] << 8 | data[at + 1]
        end = at + 4 + (data[at + 2] << 8 | data[at + 3])
        if tag == _END:
            break
        tags[tag] = data[at + 4 : end]
        at = end
    if tags.get(_DISSECTOR, b"").rstrip(b"\0") not in _TLS:
        raise Unread("exported PDU of another protocol")
    if int.from_bytes(tags.get(_PORT_TYPE, bytes([_TCP])), "big") != _TCP:
        raise Unread("not TCP")
    payload = data[end:]
    return Segment(
        source=_address(tags, _IPV4_SOURCE, _IPV6_SOURCE),
        destination=_address(tags, _IPV4_DESTINATION, _IPV6_DESTINATION),
        source_port=_port(tags, _SOURCE_PORT),
        destination_port=_port(tags, _DESTINATION_PORT),
        sequence=None,
        acknowledgment=0,
        flags=ACK,
        payload=payload,
        length=len(payload),
        time_ns=packet.time_ns,
        packet_number=packet.number,
    )


def _address(tags: dict[int, bytes], version4: int, version6: int) -> bytes:
    for tag, length in ((version4, 4), (version6, 16)):
        if len(value := tags.get(tag, b"")) == length:
            return value
    return b""


def _port(tags: dict[int, bytes], tag: int) -> int:
    return int.from_bytes(tags.get(tag, b"")[-2:], "big")
