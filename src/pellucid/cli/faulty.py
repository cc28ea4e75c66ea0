"""``serve --fault`` and ``demo --fault``: servers that fail on purpose, each on a port of its own."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from textwrap import wrap
from typing import Any, Self

from pellucid.faults import FAULTS, Ending, Fault, Peer

__all__ = ["Ends", "FaultServer", "Told", "carry", "listing"]


class Ends:
    """Where a connection's two ends were, asked while it stood."""

    def __init__(self, sock: socket.socket) -> None:
        self._own: Any = sock.getsockname()
        try:
            self._peer: Any = sock.getpeername()
        except OSError:  # gone already
            self._peer = None

    def getsockname(self) -> Any:  # as a socket's: whatever the address family says
        return self._own

    def getpeername(self) -> Any:  # the same
        if self._peer is None:
            raise OSError("the peer has left")
        return self._peer


#: Called once for each connection when it has ended: which fault, between whom, what served it.
Told = Callable[[Fault, Ends, Peer], None]

#: One that is silent keeps its client waiting so long, which is longer than clients wait.
PATIENCE_SECONDS = 300.0
#: And so many at a time: the rest wait in the system's queue.
MOST_AT_A_TIME = 64
#: After its own end of TCP the server reads on, so that its last words are not lost by a reset.
_LINGER_SECONDS = 5.0
_MOST_LINGER_BYTES = 2**20
_PIECE_BYTES = 65_536
#: struct linger: whether, and for how long.
_LINGER_FORMAT = "HH" if os.name == "nt" else "ii"
_BACKLOG = 128
#: How often the accepting thread looks whether it is to end.
_LOOK_SECONDS = 0.5
_ACCEPT_ERROR_PAUSE_SECONDS = 0.1
#: Of a line in the list of faults.
_WIDTH = 79


def listing() -> str:
    """All faults, for people: what each is, what a client needs to meet it, and what ours makes of it."""
    lines = []
    for fault in FAULTS.values():
        lines.append(fault.id)
        told = f"pellucid connect: {fault.diagnosis}, exit code {fault.exit_code}."
        for text in (fault.what, f"Needs {fault.needs}." if fault.needs else "", told):
            lines += (f"    {line}" for line in wrap(text, _WIDTH - 4, break_on_hyphens=False))
    return "\n".join(lines)


def carry(sock: socket.socket, peer: Peer, seconds: float = PATIENCE_SECONDS) -> None:
    """Bring bytes between ``sock`` and ``peer`` until either ends it, and close. Raises ``OSError``."""
    deadline = time.monotonic() + seconds
    with sock:
        while True:
            if out := peer.data_to_send():
                sock.settimeout(seconds)
                sock.sendall(out)
            if peer.ending is Ending.RESET:
                # What is closed without lingering is reset (RFC 9293 3.10.7.4 calls it an abort).
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER_FORMAT, 1, 0))
                return
            if peer.ending is Ending.CLOSE:
                _hang_up(sock, peer)
                return
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            if data := sock.recv(_PIECE_BYTES):
                peer.receive_data(data)
            else:
                peer.receive_eof()


def _hang_up(sock: socket.socket, peer: Peer) -> None:
    """Say that no more comes, and hear the client out: it may have an alert to send."""
    deadline = time.monotonic() + _LINGER_SECONDS
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        heard = 0
        while heard < _MOST_LINGER_BYTES and (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            data = sock.recv(_PIECE_BYTES)
            if not data:
                peer.receive_eof()
                return
            heard += len(data)
            peer.receive_data(data)


class FaultServer:
    """Listens for each fault on a port of its own, and gives each connection a thread, up to a bound.

    ``servers`` are the faults with what makes their peers. ``port`` is the first one's, the others have those
    behind it; 0: any that are free. A context manager: leaving it ends all connections.
    """

    def __init__(
        self,
        servers: Sequence[tuple[Fault, Callable[[], Peer]]],
        host: str,
        port: int,
        told: Told,
    ) -> None:
        self._told = told
        self._room = threading.BoundedSemaphore(MOST_AT_A_TIME)
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._over = False
        # Whether nobody is accepting: only then may the listeners be closed.
        self._resting = threading.Event()
        self._resting.set()
        #: The port of each fault, by its id.
        self.ports: dict[str, int] = {}
        self.host = host
        try:
            for number, (fault, make) in enumerate(servers):
                self._listen(host, port + number if port else 0, (fault, make))
        except BaseException:
            self._close_listeners()
            raise

    def _listen(self, host: str, port: int, server: tuple[Fault, Callable[[], Peer]]) -> None:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, server)
        self.ports[server[0].id] = int(listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._resting.wait(2 * _LOOK_SECONDS + _LINGER_SECONDS)
        with self._lock:
            opened = dict(self._open)
        for sock in opened.values():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in opened:
            thread.join(_LINGER_SECONDS)
        self._close_listeners()

    def _close_listeners(self) -> None:
        for key in list((self._selector.get_map() or {}).values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def serve(self, connections: int | None = None) -> None:
        """Accept, in this thread, until so many connections have come, or until left; then wait for these."""
        self._resting.clear()
        try:
            number = 0
            while not self._over and (connections is None or number < connections):
                for key, _ in self._selector.select(_LOOK_SECONDS):
                    number += self._accept(key)
        finally:
            self._resting.set()
        with self._lock:
            waiting = list(self._open)
        for thread in waiting:
            thread.join(PATIENCE_SECONDS)

    def _accept(self, key: selectors.SelectorKey) -> bool:
        fault, make = key.data
        listener: Any = key.fileobj
        # Looks up now and then, for it may be over while all are busy being silent.
        while not self._room.acquire(timeout=_LOOK_SECONDS):
            if self._over:
                return False
        try:
            sock: socket.socket = listener.accept()[0]
        except BlockingIOError:  # it has left again
            self._room.release()
            return False
        except OSError:  # out of descriptors, for example: others will end and free some
            self._room.release()
            time.sleep(_ACCEPT_ERROR_PAUSE_SECONDS)
            return False
        thread = threading.Thread(target=self._visit, args=(sock, fault, make), daemon=True)
        with self._lock:
            self._open[thread] = sock
        thread.start()
        return True

    def _visit(self, sock: socket.socket, fault: Fault, make: Callable[[], Peer]) -> None:
        try:
            peer, ends = make(), Ends(sock)
            with suppress(OSError), sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                carry(sock, peer)
            self._told(fault, ends, peer)
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)
            self._room.release()
