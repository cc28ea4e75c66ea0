"""Captures made by hand: headers of links, IP and TCP, and the files that they stand in."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from ipaddress import ip_address

from pellucid.capture import CaptureError, CaptureReader, Packet, Secrets, Segment, StreamEvent, read_packets

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::2"
CLIENT_PORT, SERVER_PORT = 50_000, 443

# -- packets


def checksum(data: bytes) -> int:
    """RFC 1071."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def tcp(
    payload: bytes = b"",
    *,
    sequence: int = 1000,
    acknowledgment: int = 1,
    flags: int = ACK,
    ports: tuple[int, int] = (CLIENT_PORT, SERVER_PORT),
    addresses: tuple[str, str] = (CLIENT, SERVER),
    options: bytes = b"",
) -> bytes:
    """A TCP segment; the addresses are for its checksum."""
    offset = (20 + len(options)) << 2
    head = struct.pack(
        "!HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, acknowledgment & 0xFFFFFFFF, offset, flags, 65_535, 0, 0
    )
    data = head + options + payload
    packed = b"".join(ip_address(each).packed for each in addresses)
    total = checksum(packed + struct.pack("!HH", 6, len(data)) + data)
    return data[:16] + total.to_bytes(2, "big") + data[18:]


def ipv4(
    payload: bytes,
    *,
    addresses: tuple[str, str] = (CLIENT, SERVER),
    protocol: int = 6,
    identification: int = 1,
    fragment: int = 0,
    options: bytes = b"",
    length: int | None = None,
) -> bytes:
    """An IPv4 packet. ``fragment``: the 16 bits of flags and offset."""
    header_length = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH",
        0x40 | header_length // 4,
        0,
        header_length + len(payload) if length is None else length,
        identification,
        fragment,
        64,
        protocol,
        0,
    )
    head += b"".join(ip_address(each).packed for each in addresses) + options
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + payload


def ipv6(
    payload: bytes,
    *,
    addresses: tuple[str, str] = (CLIENT6, SERVER6),
    protocol: int = 6,
    length: int | None = None,
) -> bytes:
    size = len(payload) if length is None else length
    return (
        struct.pack("!IHBB", 6 << 28, size, protocol, 64)
        + b"".join(ip_address(each).packed for each in addresses)
        + payload
    )


def ethernet(packet: bytes) -> bytes:
    ether_type = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return bytes(12) + ether_type + packet


def tag(number: int, value: bytes) -> bytes:
    """One of the tags before an exported PDU."""
    padded = value + b"\0" * (-len(value) % 4)
    return struct.pack("!HH", number, len(padded)) + padded


def exported_pdu(payload: bytes, *, addresses: tuple[str, str] = (CLIENT, SERVER)) -> bytes:
    """Bytes of TLS without IP and TCP, as Wireshark exports them."""
    source, destination = (ip_address(each).packed for each in addresses)
    ports = (CLIENT_PORT.to_bytes(4, "big"), SERVER_PORT.to_bytes(4, "big"))
    tags = [(12, b"tls"), (20, source), (21, destination), (24, b"\0\0\0\2"), (25, ports[0]), (26, ports[1])]
    return b"".join(tag(number, value) for number, value in tags) + bytes(4) + payload


def packet(data: bytes, link_type: int = 101, number: int = 1, **changes: int) -> Packet:
    """As a file gives it."""
    values = {"time_ns": 0, "original_length": len(data), **changes}
    return Packet(number=number, link_type=link_type, data=data, comment="", **values)


# -- pcap


def pcap(
    packets: Iterable[tuple[int, bytes]], *, order: str = "<", unit_ns: int = 1000, link_type: int = 101
) -> bytes:
    """A pcap file of packets, each a time in nanoseconds and data."""
    magic = 0xA1B2C3D4 if unit_ns == 1000 else 0xA1B23C4D
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link_type)]
    for time_ns, data in packets:
        seconds, rest = divmod(time_ns, 1_000_000_000)
        parts += [struct.pack(order + "IIII", seconds, rest // unit_ns, len(data), len(data)), data]
    return b"".join(parts)


# -- pcapng


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def options(*pairs: tuple[int, bytes], order: str = "<") -> bytes:
    parts = [
        struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)
        for code, value in pairs
    ]
    return b"".join([*parts, bytes(4)]) if parts else b""


def section(order: str = "<", *, version: tuple[int, int] = (1, 0), **more: bytes) -> bytes:
    return block(
        0x0A0D0D0A,
        struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1) + more.get("options", b""),
        order,
    )


def interface(
    link_type: int = 101, order: str = "<", *pairs: tuple[int, bytes], snap_length: int = 0
) -> bytes:
    return block(
        1, struct.pack(order + "HHI", link_type, 0, snap_length) + options(*pairs, order=order), order
    )


def enhanced(
    data: bytes,
    count: int = 0,
    order: str = "<",
    *pairs: tuple[int, bytes],
    number: int = 0,
    original: int | None = None,
) -> bytes:
    """An Enhanced Packet Block; ``count`` is its time in the interface's unit, ``number`` the interface."""
    size = len(data) if original is None else original
    head = struct.pack(order + "IIIII", number, count >> 32, count & 0xFFFFFFFF, len(data), size)
    return block(6, head + data + b"\0" * (-len(data) % 4) + options(*pairs, order=order), order)


def secrets(text: bytes, order: str = "<", kind: int = 0x544C534B) -> bytes:
    return block(10, struct.pack(order + "II", kind, len(text)) + text, order)


# -- reading


def items(data: bytes) -> list[Packet | Secrets]:
    """All that is in a file."""
    return list(read_packets(BytesIO(data)))


def packets(data: bytes) -> list[Packet]:
    return [item for item in items(data) if isinstance(item, Packet)]


def until_error(data: bytes) -> tuple[list[Packet | Secrets], CaptureError]:
    """What is in a file, up to the point where it cannot be read further, and why."""
    found: list[Packet | Secrets] = []
    try:
        for item in read_packets(BytesIO(data)):
            found.append(item)  # noqa: PERF402 - what came before an error is kept
    except CaptureError as error:
        return found, error
    raise AssertionError("the file was read to its end")


def events(data: bytes) -> list[StreamEvent | Secrets]:
    return list(CaptureReader(BytesIO(data)).events())


# -- segments


def segment(
    payload: bytes = b"",
    *,
    sequence: int = 1000,
    acknowledgment: int = 1,
    flags: int = ACK,
    number: int = 1,
    reply: bool = False,
    ports: tuple[int, int] = (CLIENT_PORT, SERVER_PORT),
    length: int | None = None,
) -> Segment:
    """A segment of the client, or with ``reply`` of the server. ``number`` is its packet's, and its time."""
    ends = [(ip_address(CLIENT).packed, ports[0]), (ip_address(SERVER).packed, ports[1])]
    (source, source_port), (destination, destination_port) = ends[::-1] if reply else ends
    return Segment(
        source=source,
        destination=destination,
        source_port=source_port,
        destination_port=destination_port,
        sequence=sequence & 0xFFFFFFFF,
        acknowledgment=acknowledgment & 0xFFFFFFFF,
        flags=flags,
        payload=payload,
        length=len(payload) if length is None else length,
        time_ns=number,
        packet_number=number,
    )


def conversation(turns: Sequence[tuple[str, bytes]], *, most: int = 1460) -> list[bytes]:
    """The IPv4 packets of a connection in which the sides say what ``turns`` has, from SYN to FIN."""
    sequences = {"client": 1000, "server": 5_000_000}
    made: list[bytes] = []

    def send(side: str, flags: int, payload: bytes = b"") -> None:
        other = "server" if side == "client" else "client"
        addresses = (CLIENT, SERVER) if side == "client" else (SERVER, CLIENT)
        ports = (CLIENT_PORT, SERVER_PORT) if side == "client" else (SERVER_PORT, CLIENT_PORT)
        acknowledgment = sequences[other] if flags & ACK else 0
        made.append(
            ipv4(
                tcp(
                    payload,
                    sequence=sequences[side],
                    acknowledgment=acknowledgment,
                    flags=flags,
                    ports=ports,
                    addresses=addresses,
                ),
                addresses=addresses,
                identification=len(made) + 1,
            )
        )
        sequences[side] += len(payload) + bool(flags & (SYN | FIN))

    send("client", SYN)
    send("server", SYN | ACK)
    send("client", ACK)
    for side, data in turns:
        for start in range(0, len(data), most):
            send(side, PSH | ACK, data[start : start + most])
    send("client", FIN | ACK)
    send("server", FIN | ACK)
    send("client", ACK)
    return made
