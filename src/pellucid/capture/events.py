"""What TCP streams tell, one event after the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "Bytes",
    "Closed",
    "Conflict",
    "Connection",
    "Endpoint",
    "HalfClosed",
    "How",
    "Missing",
    "Opened",
    "Side",
    "StreamEvent",
]

Side = Literal["client", "server"]


class Endpoint(NamedTuple):
    """An address, in text, and a port. The address is empty where the capture has none."""

    address: str
    port: int

    @classmethod
    def of(cls, address: bytes, port: int) -> Endpoint:
        return cls(str(ip_address(address)) if address else "", port)

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(slots=True, eq=False)
class Connection:
    """One TCP connection. It is itself, also where another one has the same addresses and ports later.

    ``number`` counts from 1 in the order in which they begin. ``syn_seen``: the capture has a SYN of it;
    without one, who is the client is a guess, and bytes may have come before the first that is given.
    ``wanted`` is the consumer's: once set to False, no bytes are given or kept of it any more.
    """

    number: int
    client: Endpoint
    server: Endpoint
    syn_seen: bool
    wanted: bool = True


class How(StrEnum):
    """How a connection ended, or why no more is told of it."""

    FIN = "fin"  # both sides have said that they are done
    RESET = "reset"  # one side gave it up, or there was nobody there
    REPLACED = "replaced"  # a new one began with the same addresses and ports
    CAPTURE_ENDED = "capture_ended"  # it was still open then
    CROWDED_OUT = "crowded_out"  # others needed its place: it had been idle for longest


class Opened(NamedTuple):
    """A connection begins, or the capture's part of it."""

    connection: Connection
    time_ns: int
    packet_number: int


class Bytes(NamedTuple):
    """The next bytes that ``direction`` sent. Time and number are of the packet that held them: of bytes that
    waited for others, both are lower than in the event before."""

    connection: Connection
    direction: Side
    data: bytes
    time_ns: int
    packet_number: int


class Missing(NamedTuple):
    """``length`` bytes that ``direction`` sent are not in the capture. Time and number are of the packet that
    showed it."""

    connection: Connection
    direction: Side
    length: int
    time_ns: int
    packet_number: int


class Conflict(NamedTuple):
    """A packet has other bytes than one before it at the same place of a stream, as where somebody injects
    packets. The bytes that came first are the ones given."""

    connection: Connection
    direction: Side
    time_ns: int
    packet_number: int


class HalfClosed(NamedTuple):
    """``direction`` has sent its FIN, and all its bytes have been given."""

    connection: Connection
    direction: Side
    time_ns: int
    packet_number: int


class Closed(NamedTuple):
    """The last event of a connection. ``side``: who reset it, or closed last; None where nobody did.

    ``lost``: who has sent more than was told of, be it only a FIN: the other side has acknowledged it, or
    their own RST comes behind it.
    """

    connection: Connection
    how: How
    side: Side | None
    time_ns: int
    packet_number: int
    lost: tuple[Side, ...] = ()


StreamEvent: TypeAlias = Opened | Bytes | Missing | Conflict | HalfClosed | Closed
