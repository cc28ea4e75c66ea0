"""Two endpoints over real TCP, in one thread: what one sends is read by the other before anything else.

So the order of events does not depend on the scheduler, and a demo with a seed tells the same story each
time. Both sockets are driven by ``select`` and everything has to happen before one deadline.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Self

from pellucid.errors import TLSError
from pellucid.events import DataReceived

if TYPE_CHECKING:
    from pellucid.connection import ClientConnection, ServerConnection

__all__ = ["Endpoint", "Lockstep"]

_PIECE_BYTES = 65536


class Endpoint:
    """One side: its engine, its socket, what it received, and the error that ended it."""

    def __init__(self, engine: ClientConnection | ServerConnection, sock: socket.socket) -> None:
        self.engine = engine
        self.sock = sock
        self.received = bytearray()
        self.error: TLSError | None = None
        sock.setblocking(False)

    def feed(self, data: bytes) -> None:
        """Give the engine bytes from the network; its error is kept, as its alert has to leave first."""
        try:
            events = self.engine.receive_data(data)
        except TLSError as error:
            self.error = error
            return
        for event in events:
            if isinstance(event, DataReceived):
                self.received += event.data


class Lockstep:
    """A client and a server over loopback TCP. A context manager; leaving it closes the sockets."""

    def __init__(
        self, client: ClientConnection, server: ServerConnection, *, deadline_seconds: float = 20.0
    ) -> None:
        self.deadline = time.monotonic() + deadline_seconds
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname(), timeout=deadline_seconds)
            try:
                listener.settimeout(deadline_seconds)
                far = listener.accept()[0]
            except BaseException:
                near.close()
                raise
        self.client = Endpoint(client, near)
        self.server = Endpoint(server, far)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.sock.close()
        self.server.sock.close()

    @property
    def error(self) -> TLSError | None:
        """The error of the side that found the fault, rather than of the one that was told by an alert."""
        errors = [side.error for side in (self.client, self.server) if side.error]
        told = [error for error in errors if error.reason == "alert_received"]
        return next((error for error in errors if error not in told), None) or (told[0] if told else None)

    def settle(self) -> TLSError | None:
        """Carry bytes both ways, the client's first, until neither has anything to say; what went wrong."""
        moved = True
        while moved:
            moved = self._carry(self.client, self.server)
            moved = self._carry(self.server, self.client) or moved
        return self.error

    def _carry(self, source: Endpoint, target: Endpoint) -> bool:
        """Bring all that ``source`` has to send to ``target``; whether there was anything."""
        moved = False
        while out := source.engine.data_to_send():
            moved = True
            arrived = self._through_tcp(source.sock, target.sock, out)
            if target.error is None:
                target.feed(arrived)
        return moved

    def _through_tcp(self, source: socket.socket, target: socket.socket, data: bytes) -> bytes:
        unsent = memoryview(data)
        arrived = bytearray()
        while len(arrived) < len(data):
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the two sides did not finish in time")
            writers = [source] if unsent else []
            readable, writable, _ = select.select([target], writers, [], left)
            if writable:
                unsent = unsent[source.send(unsent[:_PIECE_BYTES]) :]
            if readable:
                piece = target.recv(_PIECE_BYTES)
                if not piece:
                    raise ConnectionResetError("the loopback connection ended")
                arrived += piece
        return bytes(arrived)
