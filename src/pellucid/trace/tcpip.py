"""Made-up packets around what was real: one TCP connection, as the bytes of IP packets.

Sequence numbers, acknowledgements and checksums are right, so that whoever reads the capture can put the
streams together. What the network did is not known: nothing is lost, late or sent twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from pellucid.trace.events import Side, other_side

__all__ = ["MAX_SEGMENT", "Socket", "SyntheticTcp"]

# RFC 791 3.1: a packet has 65,535 bytes at most, of which 20 are each header's. No record is longer.
MAX_SEGMENT = 65_535 - 20 - 20

_FIN, _SYN, _RST, _PSH, _ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_WINDOW = 65_535
# RFC 7323 2.3: 14 is the largest shift. So the window is 1 GiB, and no reader takes it for full.
_SYN_OPTIONS = b"\x02\x04" + MAX_SEGMENT.to_bytes(2, "big") + b"\x01\x03\x03\x0e"
_FIRST_SEQUENCE: dict[Side, int] = {"client": 0x10000000, "server": 0x50000000}

_TCP = Struct(">HHIIBBHHH")
_IPV4 = Struct(">BBHHHBBH4s4s")
_IPV6 = Struct(">IHBB16s16s")
_DONT_FRAGMENT = 0x4000
_HOPS = 64
_PROTOCOL_TCP = 6


class Socket(NamedTuple):
    """One end of a TCP connection."""

    address: IPv4Address | IPv6Address
    port: int


class SyntheticTcp:
    """The packets of one connection, in order. The two addresses are of the same family."""

    def __init__(self, client: Socket, server: Socket) -> None:
        self._sockets: dict[Side, Socket] = {"client": client, "server": server}
        self._sequence = dict(_FIRST_SEQUENCE)
        self._identification = 0

    def open(self) -> Iterator[tuple[Side, bytes]]:
        """Who sends what for a connection to be there: SYN, SYN and ACK, ACK."""
        yield "client", self._segment("client", _SYN, options=_SYN_OPTIONS)
        yield "server", self._segment("server", _SYN | _ACK, options=_SYN_OPTIONS)
        yield "client", self._segment("client", _ACK)

    def send(self, side: Side, data: bytes) -> Iterator[bytes]:
        """Packets with ``data``: one, unless it does not fit."""
        for start in range(0, len(data), MAX_SEGMENT):
            yield self._segment(side, _PSH | _ACK, data[start : start + MAX_SEGMENT])

    def close(self, first: Side) -> Iterator[tuple[Side, bytes]]:
        """Who sends what for the connection to end in order: FIN each way, ``first`` to begin, and an ACK."""
        yield first, self._segment(first, _FIN | _ACK)
        yield other_side(first), self._segment(other_side(first), _FIN | _ACK)
        yield first, self._segment(first, _ACK)

    def reset(self, side: Side) -> bytes:
        """``side`` breaks the connection off."""
        return self._segment(side, _RST | _ACK)

    def _segment(self, side: Side, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        source, destination = self._sockets[side], self._sockets[other_side(side)]
        sequence = self._sequence[side]
        acknowledged = self._sequence[other_side(side)] if flags & _ACK else 0
        offset = (_TCP.size + len(options)) // 4 << 4
        # RFC 9293 3.4: SYN and FIN are counted like a byte of data.
        self._sequence[side] = (sequence + len(data) + bool(flags & (_SYN | _FIN))) & 0xFFFFFFFF

        def segment(checksum: int) -> bytes:
            header = _TCP.pack(
                source.port, destination.port, sequence, acknowledged, offset, flags, _WINDOW, checksum, 0
            )
            return header + options + data

        # RFC 9293 3.1: a pseudo-header of addresses, protocol and length is summed as well.
        unsummed = segment(0)
        addresses = source.address.packed + destination.address.packed
        pseudo_header = addresses + _PROTOCOL_TCP.to_bytes(2, "big") + len(unsummed).to_bytes(4, "big")
        return self._packet(source, destination, segment(_checksum(pseudo_header + unsummed)))

    def _packet(self, source: Socket, destination: Socket, segment: bytes) -> bytes:
        packed = source.address.packed, destination.address.packed
        if source.address.version == 6:
            return _IPV6.pack(6 << 28, len(segment), _PROTOCOL_TCP, _HOPS, *packed) + segment
        self._identification = (self._identification + 1) & 0xFFFF

        def header(checksum: int) -> bytes:
            return _IPV4.pack(
                0x45, 0, _IPV4.size + len(segment), self._identification, _DONT_FRAGMENT,
                _HOPS, _PROTOCOL_TCP, checksum, *packed,
            )  # fmt: skip

        return header(_checksum(header(0))) + segment


def _checksum(data: bytes) -> int:
    """RFC 1071: the complement of the ones' complement sum of 16-bit words, none of which is all zeros."""
    # Ones' complement addition is addition modulo 2^16 - 1, and 2^16 is 1 in it: so the words need not be
    # taken apart.
    total = int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF
    return 0xFFFF - (total or 0xFFFF)
