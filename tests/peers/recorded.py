"""A relay between two other programs, which writes down what they say to one another as a capture.

    with Relay(server.port) as relay:
        ...  # a client connects to relay.port
    file.write_bytes(relay.capture())

Each has the relay for its peer. The packets have addresses and ports of examples, and the times at which
the relay had the bytes; who closed or reset the connection is told as it was.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Literal, Self

from captures import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, ipv4, pcap, tcp

from support import DEADLINE_SECONDS

Side = Literal["client", "server"]

#: No port of another protocol, to which tshark would take the data.
SERVER_PORT = 4433
FIRST_CLIENT_PORT = 50_000

#: What Ethernet carries of TCP.
SEGMENT = 1460

_OTHER: dict[Side, Side] = {"client": "server", "server": "client"}
#: An end of a connection by SO_LINGER with a time of 0: TCP resets it.
_RESETTING = struct.pack("ii", 1, 0)


@dataclass
class Conversation:
    """One connection, told to `packets`, which are those of all in the order of their arrival, with times."""

    client_port: int
    packets: list[tuple[int, bytes]]
    _sequence: dict[Side, int] = field(default_factory=lambda: {"client": 1000, "server": 5_000_000})

    def begin(self) -> None:
        self._add("client", SYN)
        self._add("server", SYN | ACK)
        self._add("client", ACK)

    def say(self, side: Side, data: bytes) -> None:
        for start in range(0, len(data), SEGMENT):
            self._add(side, PSH | ACK, data[start : start + SEGMENT])

    def close(self, side: Side) -> None:
        self._add(side, FIN | ACK)

    def reset(self, side: Side) -> None:
        self._add(side, RST | ACK)

    def _add(self, side: Side, flags: int, payload: bytes = b"") -> None:
        by_client = side == "client"
        ends = ((CLIENT, self.client_port), (SERVER, SERVER_PORT))
        (source, from_port), (target, to_port) = ends if by_client else ends[::-1]
        segment = tcp(
            payload,
            sequence=self._sequence[side],
            acknowledgment=self._sequence[_OTHER[side]] if flags & ACK else 0,
            flags=flags,
            ports=(from_port, to_port),
            addresses=(source, target),
        )
        self.packets.append((time.time_ns(), ipv4(segment, addresses=(source, target))))
        self._sequence[side] += len(payload) + bool(flags & (SYN | FIN))


class _Pair:
    """The relay's two sockets of one connection."""

    def __init__(self, client: socket.socket, server: socket.socket, talk: Conversation) -> None:
        self.sockets: dict[Side, socket.socket] = {"client": client, "server": server}
        self.talk = talk
        self.speaking: set[Side] = {"client", "server"}
        for one in self.sockets.values():
            one.settimeout(DEADLINE_SECONDS)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pass_on(self, side: Side) -> None:
        """What `side` has sent, or that it has done with it, to the other one."""
        source, target = self.sockets[side], self.sockets[_OTHER[side]]
        try:
            data = source.recv(65536)
        except ConnectionResetError:
            self.talk.reset(side)
            self.speaking.clear()
            target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
            return
        # Who has gone gets no more; that it has is told when its own side is read.
        if data:
            self.talk.say(side, data)
            with contextlib.suppress(ConnectionError):
                target.sendall(data)
        else:
            self.talk.close(side)
            self.speaking.discard(side)
            with contextlib.suppress(OSError):  # "not connected" any more
                target.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        for one in self.sockets.values():
            one.close()


class Relay:
    """Takes connections on loopback `port` and passes them on to a server, until it is left.

    On leaving it waits until all connections have ended.
    """

    def __init__(self, server_port: int) -> None:
        self.packets: list[tuple[int, bytes]] = []
        self.connections = 0
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._left, self._leave = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave.close()
        self._thread.join(DEADLINE_SECONDS)
        if self._failure is not None and error is None:
            raise self._failure
        assert error or not self._thread.is_alive(), "a connection through the relay has not ended"

    def _run(self) -> None:
        with self._selector, self._listener, self._left:
            self._selector.register(self._listener, selectors.EVENT_READ, self._take)
            self._selector.register(self._left, selectors.EVENT_READ, self._stop_taking)
            try:
                while self._selector.get_map():
                    ready = self._selector.select(DEADLINE_SECONDS)
                    assert ready, f"nobody said anything for {DEADLINE_SECONDS} s"
                    for key, _ in ready:
                        if key.fileobj in self._selector.get_map():
                            key.data()
            except BaseException as error:  # noqa: BLE001 - raised where the relay is left
                self._failure = error

    def _stop_taking(self) -> None:
        self._selector.unregister(self._left)
        self._selector.unregister(self._listener)

    def _take(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._server_port), DEADLINE_SECONDS)
        talk = Conversation(FIRST_CLIENT_PORT + self.connections, self.packets)
        self.connections += 1
        talk.begin()
        pair = _Pair(client, server, talk)
        for side, one in pair.sockets.items():
            self._selector.register(one, selectors.EVENT_READ, partial(self._hear, pair, side))

    def _hear(self, pair: _Pair, side: Side) -> None:
        pair.pass_on(side)
        for each, one in pair.sockets.items():
            if each not in pair.speaking and one.fileno() in self._selector.get_map():
                self._selector.unregister(one)
        if not pair.speaking:
            pair.end()

    def capture(self) -> bytes:
        """A pcap file of all packets."""
        return pcap(self.packets, unit_ns=1)
