"""A trace as a capture that Wireshark opens decrypted: real records in packets that are made up.

    capture = Capture("pellucid 1.0")
    file.write(capture.start())
    connection = capture.connection(trace, client=Endpoint(...), server=Endpoint(...))
    file.write(connection.advance(key_log_lines))     # what is new since the last time
    file.write(connection.finish())

The secrets stand before the packets that need them, since readers may look for them nowhere else. Each packet
is one record, and has as comments its step of the narration and the steps that its sender took to get there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from pellucid.printable import escaped, printable
from pellucid.trace.blocks import (
    decryption_secrets,
    enhanced_packet,
    interface,
    name_resolution,
    section_header,
)
from pellucid.trace.comments import Comments
from pellucid.trace.events import (
    AlertEvent,
    Event,
    MessageEvent,
    RecordEvent,
    Side,
    UnreadEvent,
    other_side,
)
from pellucid.trace.explanations import sender
from pellucid.trace.recorder import Trace
from pellucid.trace.summary import final_outcome
from pellucid.trace.tcpip import Socket, SyntheticTcp

__all__ = ["Capture", "CapturedConnection", "Endpoint", "client_randoms", "write_pcapng"]

_ABOUT = "The TLS records are real. The TCP and IP headers around them are synthetic."

# Wireshark takes what goes over these ports for TLS: some are assigned to protocols over TLS, the others to
# none that it knows, so that it looks at the bytes. Over 8080, say, it would read HTTP.
_TLS_PORTS = frozenset({443, 465, 636, 853, 993, 995, 4433, 5061, 5671, 6443, 8443, 8883, 9443, 10443})
_USUAL_PORT = 443
# From these no protocol is read either. One for each connection keeps the streams apart.
_CLIENT_PORTS = range(50000, 57000)

# RFC 5737 and RFC 3849: addresses for documentation, which are nobody's.
_PLACEHOLDERS: dict[int, dict[Side, IPv4Address | IPv6Address]] = {
    4: {"client": IPv4Address("192.0.2.1"), "server": IPv4Address("192.0.2.2")},
    6: {"client": IPv6Address("2001:db8::1"), "server": IPv6Address("2001:db8::2")},
}

# RFC 9850: secrets that records are not read with; who has them could do more than read.
_NOT_FOR_READING = ("EXPORTER_SECRET ", "EARLY_EXPORTER_SECRET ")
# A ClientHello begins with type, length and legacy_version; its random follows (RFC 9846 4.2.2).
_RANDOM = slice(6, 38)

# How a failure is called where the peer closed TCP without a word, and where it did nothing at all.
_CLOSED_BY_PEER = frozenset({"closed_after_client_hello", "closed_during_handshake", "truncated"})
_PEER_IS_SILENT = frozenset({"silent_after_client_hello", "stalled_mid_flight", "timeout"})

_MICROSECOND = 1000


class Endpoint(NamedTuple):
    """One end of a connection, as far as it is known: address, port, and the name to show for the address."""

    address: str = ""
    port: int = 0
    name: str = ""

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address, an IPv4 one also where a socket of IPv6 has told it; None where there is none."""
        try:
            found = ip_address(self.address.partition("%")[0])
        except ValueError:
            return None
        return getattr(found, "ipv4_mapped", None) or found

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


class Capture:
    """One file. What the methods return is to be written to it, in the order in which it was returned."""

    def __init__(self, application: str = "pellucid") -> None:
        self._application = application
        self._connections = 0
        self.named: dict[IPv4Address | IPv6Address, str] = {}

    def start(self) -> bytes:
        """What the file begins with."""
        return section_header(_ABOUT, self._application) + interface("pellucid", "traced connections")

    def connection(
        self, trace: Trace, client: Endpoint | None = None, server: Endpoint | None = None
    ) -> CapturedConnection:
        """One more connection, ``trace``, between these ends.

        An address that is not known is replaced by one for documentation, and so are two that are the same,
        for which of them sends could not be seen.
        """
        port = _CLIENT_PORTS[self._connections % len(_CLIENT_PORTS)]
        self._connections += 1
        return CapturedConnection(self, trace, client or Endpoint(), server or Endpoint(), port)


class CapturedConnection:
    """The packets of one connection. Made by ``Capture.connection``."""

    def __init__(
        self, capture: Capture, trace: Trace, client: Endpoint, server: Endpoint, client_port: int
    ) -> None:
        self._capture = capture
        self._trace = trace
        self._ends: dict[Side, Endpoint] = {"client": client, "server": server}
        server_port = server.port if server.port in _TLS_PORTS else _USUAL_PORT
        self._addresses = _addresses(client.ip, server.ip)
        self._tcp = SyntheticTcp(
            Socket(self._addresses["client"], client_port), Socket(self._addresses["server"], server_port)
        )
        self._server_port = server_port
        self._view: Side = "client"
        self._told: set[int] = set()  # numbers of the steps that stand in a comment
        self._written = 0  # how many events were looked at
        self._secrets: set[str] = set()
        self._time_ns = 0  # of the last packet

    def advance(self, key_log: Iterable[str] = ()) -> bytes:
        """What has happened since the last call; ``key_log``: all lines, of which those for it are written.

        They have to be complete when the server's answer has come.
        """
        return b"".join(self._advance(list(self._trace.events), key_log))

    def finish(self, key_log: Iterable[str] = (), *, reset_by: Side | None = None) -> bytes:
        """The rest, and how TCP ended, which is made up as well, but for ``reset_by``: who broke it off."""
        events = list(self._trace.events)
        blocks = list(self._advance(events, key_log))
        if self._time_ns and not self._trace.dropped:
            blocks += self._ending(events, reset_by)
        return b"".join(blocks)

    def _advance(self, events: Sequence[Event], key_log: Iterable[str]) -> Iterator[bytes]:
        sides = {event.side for event in events}
        self._view = "client" if "client" in sides else "server"
        packets = _shown(events[self._written :], both=len(sides) > 1)
        self._written = len(events)
        if not packets:
            return
        first = not self._time_ns
        if first:
            yield from self._names()
        randoms = client_randoms(events)
        own = [line for line in key_log if line.split()[1:2] and line.split()[1].lower() in randoms]
        lines = [line for line in own if not line.startswith(_NOT_FOR_READING)]
        if new := [line for line in lines if line not in self._secrets]:
            self._secrets.update(new)
            yield decryption_secrets(new)
        if first:
            yield from self._opening(self._moment(packets[0]))
        comments = Comments(events, self._told)
        for event in packets:
            side = _sender(event)
            texts = comments.of(event)
            for packet in self._tcp.send(side, event.raw):
                yield self._packet(side, packet, texts, self._moment(event))
                texts = []

    def _names(self) -> Iterator[bytes]:
        names = {
            self._addresses[side]: printable(end.name or (side if end.ip != self._addresses[side] else ""))
            for side, end in self._ends.items()
        }
        known = self._capture.named
        new = [(ip, name) for ip, name in names.items() if name not in ("", str(ip), known.get(ip))]
        if new:
            known.update(new)
            yield name_resolution(new)

    def _opening(self, first_record_ns: int) -> Iterator[bytes]:
        text = f"{_ABOUT}{self._replaced()}"
        started = first_record_ns - 3 * _MICROSECOND  # there are as many packets before it
        for side, packet in self._tcp.open():
            yield self._packet(side, packet, [text], started)
            text = "no step: TCP opens, synthetic"

    def _replaced(self) -> str:
        """What of addresses and ports is not as it was."""
        client, server = self._ends["client"], self._ends["server"]
        told = f" This connection was from {client} to {server}." if client.ip and server.ip else ""
        if server.port and server.port != self._server_port:
            told += (
                f" The server's port was {server.port}; it is {self._server_port} here, because over other "
                "ports Wireshark might not look for TLS."
            )
        return told

    def _ending(self, events: Sequence[Event], reset_by: Side | None) -> Iterator[bytes]:
        comments = Comments(events, self._told)
        ended = self._moment(events[-1])
        outcome = final_outcome(events)
        failure = outcome.failure if outcome else None
        failed = [escaped(f"The connection failed: {failure.id}. {failure.observed}")] if failure else []
        if reset_by:
            texts = [*comments.left("client"), *comments.left("server"), *failed]
            texts.append(f"no step: the {reset_by} breaks TCP off")
            yield self._packet(reset_by, self._tcp.reset(reset_by), texts, ended)
            return
        for side, packet in self._tcp.close(_closes_first(events)):
            texts = [*comments.left(side), *failed, "no step: TCP closes, synthetic"]
            yield self._packet(side, packet, texts, ended)
            if failure and failure.id in _PEER_IS_SILENT:
                return
            failed = []

    def _packet(self, side: Side, packet: bytes, comments: Sequence[str], time_ns: int) -> bytes:
        """A packet, later than the one before it even where the clock stands still."""
        self._time_ns = max(time_ns, self._time_ns + _MICROSECOND)
        return enhanced_packet(packet, self._time_ns, comments, outbound=side == self._view)

    def _moment(self, event: Event) -> int:
        # In microseconds a time of today is a number that a float holds exactly; in nanoseconds it is not.
        return (round(self._trace.started_at * 1e6) + event.time_us) * _MICROSECOND


def write_pcapng(
    traces: Iterable[Trace],
    key_log: Iterable[str] = (),
    *,
    client: Endpoint | None = None,
    server: Endpoint | None = None,
    application: str = "pellucid",
) -> Iterator[bytes]:
    """A whole file: connections between the same two ends, one after the other.

    ``key_log``: lines for all of them, without which the file tells only what is in the clear.
    """
    capture, lines = Capture(application), list(key_log)
    yield capture.start()
    for trace in traces:
        yield capture.connection(trace, client, server).finish(lines)


def client_randoms(events: Iterable[Event]) -> set[str]:
    """By what the lines of a key log know the connection: the random of its ClientHellos, in hex."""
    hellos = (event for event in events if isinstance(event, MessageEvent) and event.name == "ClientHello")
    return {event.raw[_RANDOM].hex() for event in hellos}


def _addresses(
    client: IPv4Address | IPv6Address | None, server: IPv4Address | IPv6Address | None
) -> dict[Side, IPv4Address | IPv6Address]:
    version = (server or client or _PLACEHOLDERS[4]["server"]).version
    placeholders = _PLACEHOLDERS[version]
    if client == server or (client and server and client.version != server.version):
        return placeholders
    return {"client": client or placeholders["client"], "server": server or placeholders["server"]}


def _shown(events: Iterable[Event], *, both: bool) -> list[RecordEvent | UnreadEvent]:
    """What makes packets; of a trace of both sides each record once, where it was sent."""
    return [
        event
        for event in events
        if (isinstance(event, RecordEvent) and event.raw and not (both and event.direction == "received"))
        or (isinstance(event, UnreadEvent) and not both)
    ]


def _sender(event: RecordEvent | UnreadEvent) -> Side:
    received = isinstance(event, UnreadEvent) or event.direction == "received"
    return other_side(event.side) if received else event.side


def _closes_first(events: Sequence[Event]) -> Side:
    """Who probably closed TCP first: who is known to have gone, or the first who said so."""
    outcome = final_outcome(events)
    if outcome and outcome.failure and outcome.failure.id in _CLOSED_BY_PEER:
        return other_side(outcome.side)
    if outcome and outcome.failure and outcome.failure.id in _PEER_IS_SILENT:
        return outcome.side
    for event in events:
        if isinstance(event, AlertEvent) and (
            event.level == "fatal" or event.description in {"close_notify", "user_canceled"}
        ):
            return "client" if sender(event) == "client" else "server"
    return "client"
