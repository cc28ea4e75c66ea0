"""Captures of many connections, made of one: the same packets again, between other addresses and ports."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from ipaddress import IPv4Address
from pathlib import Path

from captures import SERVER_PORT, pcap

from pellucid.capture import Packet, Secrets, read_packets

__all__ = ["client_packets", "crowd", "packets_of", "secrets_of"]

#: When the first connection begins, 2026-01-01 at noon, and how much later the next one.
START_NS = 1_767_268_800_000_000_000
STEP_NS = 1_000_000_000

_FIRST_PORT = 10_000
_MOST_PORTS = 50_000


def packets_of(file: Path) -> list[tuple[int, bytes]]:
    """Time and data of each packet."""
    items = read_packets(BytesIO(file.read_bytes()))
    return [(item.time_ns, item.data) for item in items if isinstance(item, Packet)]


def secrets_of(file: Path) -> str:
    """The key log that stands in a capture."""
    items = read_packets(BytesIO(file.read_bytes()))
    return "".join(item.text for item in items if isinstance(item, Secrets))


def client_packets(
    packets: Sequence[tuple[int, bytes]], number: int, *, client: str = "192.0.2.1"
) -> Iterator[tuple[int, bytes]]:
    """The packets (raw IPv4) of one connection, as those of connection ``number`` of ``client``."""
    address = IPv4Address(client).packed
    port = struct.pack("!H", _FIRST_PORT + number % _MOST_PORTS)
    for time_ns, data in packets:
        header = (data[0] & 15) * 4
        to_server = struct.unpack_from("!H", data, header + 2)[0] == SERVER_PORT
        at_address, at_port = (12, header) if to_server else (16, header + 2)
        changed = bytearray(data)
        changed[at_address : at_address + 4] = address
        changed[at_port : at_port + 2] = port
        yield START_NS + number * STEP_NS + time_ns - packets[0][0], bytes(changed)


def crowd(*conversations: Sequence[tuple[int, bytes]], clients: Sequence[str] = ("192.0.2.1",)) -> bytes:
    """A pcap of these conversations, one after the other; ``clients`` take turns."""
    packets: Iterable[tuple[int, bytes]] = (
        packet
        for number, conversation in enumerate(conversations)
        for packet in client_packets(conversation, number, client=clients[number % len(clients)])
    )
    return pcap(packets)
