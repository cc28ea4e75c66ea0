"""Captures of connections that end in one way or another, packet by packet."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from captures import ACK, CLIENT, CLIENT_PORT, FIN, PSH, RST, SERVER, SERVER_PORT, SYN, ipv4, pcap, tcp
from conversations import Conversation

from pellucid.decode import Decoded, Decoder, KeyMaterial
from pellucid.trace.events import RecordEvent

#: POSIX seconds; the tests' certificates are valid then.
WHEN = 1_800_000_000
MILLISECOND = 10**6

Turns = list[tuple[str, bytes]]


def turns_of(talk: Conversation) -> Turns:
    """Who sent which record, in the order in which they went."""
    return [
        (e.side, e.raw) for e in talk.trace.events if isinstance(e, RecordEvent) and e.direction == "sent"
    ]


class Wire:
    """A TCP connection as packets, each a millisecond after the one before."""

    def __init__(self, port: int = CLIENT_PORT, *, opened: bool = True) -> None:
        self.packets: list[tuple[int, bytes]] = []
        self.now_ns = WHEN * 10**9
        self._port = port
        self._sequences = {"client": 1000, "server": 5_000_000}
        if opened:
            self.send("client", SYN)
            self.send("server", SYN | ACK)
            self.send("client", ACK)

    def send(self, side: str, flags: int, payload: bytes = b"", *, lost: bool = False) -> None:
        """One packet; ``lost``: it was sent, and is not in the capture."""
        other = "server" if side == "client" else "client"
        addresses, ports = (CLIENT, SERVER), (self._port, SERVER_PORT)
        if side == "server":
            addresses, ports = addresses[::-1], ports[::-1]
        segment = tcp(
            payload,
            sequence=self._sequences[side],
            acknowledgment=self._sequences[other] if flags & ACK else 0,
            flags=flags,
            ports=ports,
            addresses=addresses,
        )
        self.now_ns += MILLISECOND
        if not lost:
            self.packets.append((self.now_ns, ipv4(segment, addresses=addresses)))
        self._sequences[side] += len(payload) + bool(flags & (SYN | FIN))

    def say(self, *turns: tuple[str, bytes], most: int = 1460) -> Wire:
        for side, data in turns:
            for start in range(0, len(data), most):
                self.send(side, PSH | ACK, data[start : start + most])
        return self

    def close(self, first: str = "client") -> Wire:
        second = "server" if first == "client" else "client"
        self.send(first, FIN | ACK)
        self.send(second, FIN | ACK)
        self.send(first, ACK)
        return self

    def half_close(self, side: str) -> Wire:
        self.send(side, FIN | ACK)
        return self

    def reset(self, side: str) -> Wire:
        self.send(side, RST | ACK)
        return self

    def wait(self, seconds: float) -> Wire:
        self.now_ns += int(seconds * 10**9)
        return self

    @property
    def capture(self) -> bytes:
        return pcap(self.packets)


def decode_all(capture: bytes, key_log: Sequence[str] = (), **options: Any) -> list[Decoded]:
    """All connections of a capture, opened with these lines."""
    keys = KeyMaterial()
    keys.add_key_log("\n".join([*key_log, ""]))
    return list(Decoder(BytesIO(capture), keys=keys, **options).connections())


def decode_one(capture: bytes, key_log: Sequence[str] = (), **options: Any) -> Decoded:
    (found,) = decode_all(capture, key_log, **options)
    return found
