"""From packets to segments through the headers of every link, and Wireshark's exported PDUs."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from captures import (
    ACK,
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    SERVER,
    SERVER6,
    SERVER_PORT,
    ethernet,
    ipv4,
    ipv6,
    packet,
    tag,
    tcp,
)

from pellucid.capture import Packet, Segment, SegmentReader

V4 = ipv4(tcp(b"hello"))
V6 = ipv6(tcp(b"hello", addresses=(CLIENT6, SERVER6)))


def read(one: Packet) -> Segment | None:
    return SegmentReader().read(one)


def skipped(one: Packet) -> str:
    """Why a packet has no segment."""
    reader = SegmentReader()
    assert reader.read(one) is None
    (reason,) = reader.skipped.elements()
    return reason


def cooked(ip: bytes, protocol: int) -> bytes:
    return struct.pack("!HHH8sH", 0, 1, 6, bytes(8), protocol) + ip


def cooked_v2(ip: bytes, protocol: int) -> bytes:
    return struct.pack("!HHIHBB8s", protocol, 0, 1, 1, 0, 6, bytes(8)) + ip


TAG = b"\x81\x00\x00\x07"
OUTER = b"\x88\xa8\x00\x01"

LINKS = {
    "NULL, little-endian": (0, b"\x02\0\0\0" + V4),
    "NULL, big-endian": (0, b"\0\0\0\x02" + V4),
    "NULL, IPv6 of Linux": (0, b"\x0a\0\0\0" + V6),
    "NULL, IPv6 of FreeBSD": (0, b"\x1c\0\0\0" + V6),
    "NULL, IPv6 of macOS": (0, b"\x1e\0\0\0" + V6),
    "NULL, IPv6 of OpenBSD": (0, b"\0\0\0\x18" + V6),
    "Ethernet": (1, ethernet(V4)),
    "Ethernet, IPv6": (1, ethernet(V6)),
    "Ethernet, VLAN": (1, bytes(12) + TAG + b"\x08\x00" + V4),
    "Ethernet, two VLANs, IPv6": (1, bytes(12) + OUTER + TAG + b"\x86\xdd" + V6),
    "Ethernet, padded": (1, ethernet(V4) + bytes(30)),
    "RAW": (101, V4),
    "RAW, IPv6": (101, V6),
    "RAW, as 12": (12, V4),
    "RAW, as 14": (14, V6),
    "LOOP": (108, b"\0\0\0\x02" + V4),
    "Linux cooked": (113, cooked(V4, 0x0800)),
    "Linux cooked, IPv6": (113, cooked(V6, 0x86DD)),
    "Linux cooked, VLAN": (113, cooked(b"\x00\x07\x08\x00" + V4, 0x8100)),
    "Linux cooked v2": (276, cooked_v2(V4, 0x0800)),
    "Linux cooked v2, IPv6": (276, cooked_v2(V6, 0x86DD)),
    "Linux cooked v2, VLAN": (276, cooked_v2(b"\x00\x07\x86\xdd" + V6, 0x8100)),
    "IPV4": (228, V4),
    "IPV6": (229, V6),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_segment_is_found_behind_the_header_of_its_link(name: str) -> None:
    link_type, data = LINKS[name]
    found = read(packet(data, link_type, 7, time_ns=99))
    ends = (CLIENT6, SERVER6) if data.endswith(V6) else (CLIENT, SERVER)
    source, destination = (ip_address(each).packed for each in ends)
    assert found == (
        *(source, destination, CLIENT_PORT, SERVER_PORT),
        *(1000, 1, ACK, b"hello", 5),
        *(99, 7),
    )


@pytest.mark.parametrize(
    "link_type, data",
    [
        (0, b"\x07\0\0\0" + V4),
        (0, b"\x02\0"),
        (1, bytes(12) + b"\x08\x06" + bytes(28)),
        (1, bytes(12) + b"\x00\x26" + bytes(38)),
        (1, bytes(13)),
        (1, b""),
        (1, bytes(12) + TAG),
        (1, bytes(12) + b"\x08\x00"),
        (101, b""),
        (101, b"\x50" + bytes(60)),
        (113, cooked(V4, 0x0004)),
        (113, bytes(15)),
        (276, cooked_v2(V4, 0x0806)),
        (276, b"\x08\x00"),
        (276, b"\x81\x00"),
        (276, b""),
    ],
)
def test_what_is_not_ip_is_counted_as_that(link_type: int, data: bytes) -> None:
    assert skipped(packet(data, link_type)) == "not IP"


def test_a_link_that_is_not_read_here_is_named() -> None:
    assert skipped(packet(V4, 105)) == "link type 105, which is not read here"


def test_reasons_are_bounded() -> None:
    reader = SegmentReader()
    for link_type in range(1000, 2000):
        reader.read(packet(V4, link_type))
    assert len(reader.skipped) == 65
    assert reader.skipped.total() == 1000


# -- exported PDUs


TLS = tag(12, b"tls")
ADDRESSES = tag(20, ip_address(CLIENT).packed) + tag(21, ip_address(SERVER).packed)
ADDRESSES6 = tag(22, ip_address(CLIENT6).packed) + tag(23, ip_address(SERVER6).packed)
PORTS = (
    tag(24, b"\0\0\0\x02") + tag(25, CLIENT_PORT.to_bytes(4, "big")) + tag(26, SERVER_PORT.to_bytes(4, "big"))
)
END = bytes(4)


@pytest.mark.parametrize("addresses, ends", [(ADDRESSES, (CLIENT, SERVER)), (ADDRESSES6, (CLIENT6, SERVER6))])
@pytest.mark.parametrize("name", [TLS, tag(12, b"ssl"), tag(12, b"tls\0\0\0\0\0")])
def test_an_exported_pdu_has_bytes_that_are_in_order(
    name: bytes, addresses: bytes, ends: tuple[str, str]
) -> None:
    found = read(packet(name + addresses + PORTS + END + b"hello", 252, 7, time_ns=99))
    source, destination = (ip_address(each).packed for each in ends)
    assert found == (
        *(source, destination, CLIENT_PORT, SERVER_PORT),
        *(None, 0, ACK, b"hello", 5),
        *(99, 7),
    )


def test_an_exported_pdu_need_not_say_whose_it_is() -> None:
    found = read(packet(TLS + END + b"hello", 252))
    assert found is not None
    assert (found.source, found.source_port, found.payload) == (b"", 0, b"hello")


@pytest.mark.parametrize(
    "data, reason",
    [
        (tag(12, b"http") + PORTS + END + b"GET", "exported PDU of another protocol"),
        (PORTS + END + b"bytes", "exported PDU of another protocol"),
        (TLS + tag(24, b"\0\0\0\x03") + END + b"DTLS", "not TCP"),
        (TLS + PORTS, "exported PDU cut short"),
        (TLS[:6], "exported PDU cut short"),
        (b"", "exported PDU cut short"),
    ],
)
def test_an_exported_pdu_of_something_else_is_skipped(data: bytes, reason: str) -> None:
    assert skipped(packet(data, 252)) == reason
