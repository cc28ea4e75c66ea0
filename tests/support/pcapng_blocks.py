"""Reading what was written as a capture: blocks, packets and streams, without any of the code under test."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

SECTION, INTERFACE, NAMES, PACKET, SECRETS = 0x0A0D0D0A, 1, 4, 6, 10
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

#: How many bytes of such a block stand before its options. Of other kinds options are not read.
_BEFORE_OPTIONS = {SECTION: 16, INTERFACE: 8}

Address = IPv4Address | IPv6Address


@dataclass
class Block:
    """One block: its type, what is between its two lengths, and its options in order."""

    kind: int
    body: bytes
    options: list[tuple[int, bytes]] = field(default_factory=list)

    def option(self, code: int) -> bytes:
        """The only option of that code."""
        (value,) = [value for found, value in self.options if found == code]
        return value


@dataclass
class Packet:
    """One TCP segment of a capture."""

    time_ns: int
    comments: list[str]
    outbound: bool
    source: Address
    destination: Address
    source_port: int
    destination_port: int
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes


def blocks(data: bytes) -> list[Block]:
    """The blocks of a file; AssertionError where its structure is not what it should be."""
    found = []
    position = 0
    while position < len(data):
        kind, length = struct.unpack_from("<II", data, position)
        assert length % 4 == 0
        body = data[position + 8 : position + length - 4]
        assert struct.unpack_from("<I", data, position + length - 4) == (length,)
        found.append(Block(kind, body, _options(kind, body)))
        position += length
    assert position == len(data)
    return found


def whole_blocks(data: bytes) -> bytes:
    """``data`` up to where its last block that is there completely ends."""
    position = 0
    while position + 8 <= len(data):
        length: int = struct.unpack_from("<I", data, position + 4)[0]
        if position + length > len(data):
            break
        position += length
    return data[:position]


def _options(kind: int, body: bytes) -> list[tuple[int, bytes]]:
    if kind == PACKET:
        start = 20 + _padded(struct.unpack_from("<I", body, 12)[0])
    elif kind in _BEFORE_OPTIONS:
        start = _BEFORE_OPTIONS[kind]
    else:
        return []
    options = []
    while start < len(body):
        code, length = struct.unpack_from("<HH", body, start)
        if code == 0:
            assert (length, start + 4) == (0, len(body))
            return options
        options.append((code, body[start + 4 : start + 4 + length]))
        start += 4 + _padded(length)
    assert not options, "options end with option 0"
    return options


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4


def names(data: bytes) -> list[tuple[str, str]]:
    """Addresses and their names, in order."""
    found = []
    for block in blocks(data):
        position = 0
        while block.kind == NAMES and (record := struct.unpack_from("<HH", block.body, position))[0]:
            value = block.body[position + 4 : position + 4 + record[1]]
            size = {1: 4, 2: 16}[record[0]]
            address = (IPv4Address if size == 4 else IPv6Address)(value[:size])
            assert value.endswith(b"\0")
            found.append((str(address), value[size:-1].decode()))
            position += 4 + _padded(record[1])
    return found


def secrets(data: bytes) -> list[str]:
    """The lines of all Decryption Secrets Blocks."""
    lines = []
    for block in blocks(data):
        if block.kind == SECRETS:
            kind, length = struct.unpack_from("<II", block.body)
            assert kind == 0x544C534B
            log = block.body[8 : 8 + length].decode("ascii")
            assert log.endswith("\n")
            lines += log.splitlines()
    return lines


def packets(data: bytes) -> list[Packet]:
    """The packets of a file, whose checksums are verified."""
    return [_packet(block) for block in blocks(data) if block.kind == PACKET]


def _packet(block: Block) -> Packet:
    interface, high, low, captured, original = struct.unpack_from("<IIIII", block.body)
    assert (interface, captured) == (0, original)
    source, destination, segment = _ip(block.body[20 : 20 + captured])
    pseudo_header = source.packed + destination.packed + struct.pack(">HI", 6, len(segment))
    assert ones_complement_sum(pseudo_header + segment) == 0xFFFF
    source_port, destination_port, sequence, acknowledged, offset, flags = struct.unpack_from(
        ">HHIIBB", segment
    )
    return Packet(
        time_ns=high << 32 | low,
        comments=[value.decode() for code, value in block.options if code == 1],
        outbound=struct.unpack("<I", block.option(2)) == (2,),
        source=source,
        destination=destination,
        source_port=source_port,
        destination_port=destination_port,
        sequence=sequence,
        acknowledged=acknowledged,
        flags=flags,
        payload=segment[(offset >> 4) * 4 :],
    )


def _ip(packet: bytes) -> tuple[Address, Address, bytes]:
    if packet[0] >> 4 == 4:
        total, protocol = struct.unpack_from(">H", packet, 2)[0], packet[9]
        assert (packet[0], total, protocol) == (0x45, len(packet), 6)
        assert ones_complement_sum(packet[:20]) == 0xFFFF
        return IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), packet[20:]
    assert struct.unpack_from(">IHB", packet) == (6 << 28, len(packet) - 40, 6)
    return IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), packet[40:]


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071, word by word; 0xFFFF where a checksum in the data is right."""
    total = 0
    for (word,) in struct.iter_unpack(">H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def streams(found: Sequence[Packet]) -> dict[str, bytes]:
    """What "client" (who sent the first packet) and "server" sent, whose sequence numbers fit together."""
    client = found[0].source, found[0].source_port
    joined = {"client": bytearray(), "server": bytearray()}
    expected: dict[str, int] = {}
    for packet in found:
        side, other = "server", "client"
        if (packet.source, packet.source_port) == client:
            side, other = other, side
        assert packet.sequence == expected.get(side, packet.sequence)
        assert packet.acknowledged == (expected.get(other, 0) if packet.flags & ACK else 0)
        counted = len(packet.payload) + bool(packet.flags & SYN) + bool(packet.flags & FIN)
        expected[side] = (packet.sequence + counted) % 2**32
        joined[side] += packet.payload
    return {side: bytes(data) for side, data in joined.items()}


def told_steps(found: Sequence[Packet]) -> Iterator[str]:
    """The comments that tell a step for the first time."""
    for packet in found:
        for text in packet.comments:
            if text.startswith("step ") and ", going on:" not in text:
                yield text
