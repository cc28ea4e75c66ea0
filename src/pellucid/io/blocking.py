"""Blocking TLS: ``connect`` and ``listen``."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any, Self

from pellucid.config import ClientConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.io.dial import dial
from pellucid.io.tls_socket import TLSSocket
from pellucid.io.waiting import Deadline, wait_readable

if TYPE_CHECKING:
    from types import TracebackType

    from pellucid.config import ServerConfig

__all__ = ["TLSListener", "TLSSocket", "connect", "listen"]


def connect(
    host: str,
    port: int,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    timeout: float | None = 10.0,
    *,
    handshake: bool = True,
) -> TLSSocket:
    """Connect to a TLS server; returns when the handshake is complete and the server's identity is verified.

    ``server_name`` is who the server must prove to be, ``host`` unless given. ``timeout`` (seconds, None for
    no limit) bounds all of it together: name resolution, TCP to whichever address answers, and the
    handshake. It is also the first timeout of each later call; see ``TLSSocket.settimeout``. Without
    ``handshake`` it returns once TCP is there, and ``TLSSocket.handshake_until`` is to be called next.

    Raises ``TLSError`` if the handshake fails, ``TimeoutError``, ``socket.gaierror`` for a name without
    address, and ``OSError`` (often ``ConnectionRefusedError``) listing each address when none answers.
    """
    engine = ClientConnection(config or ClientConfig(), host if server_name is None else server_name)
    deadline = Deadline(timeout)
    tls = _over(dial(host, port, deadline), engine, timeout)
    if handshake:
        tls.handshake_until(deadline)
    return tls


def listen(
    host: str | None,
    port: int,
    config: ServerConfig,
    *,
    backlog: int = 128,
    timeout: float | None = 10.0,
) -> TLSListener:
    """Listen for TLS connections on the first address of ``host`` (None: any), ``port`` 0 for a free one.

    ``timeout`` (seconds) bounds each handshake and is the first timeout of each accepted socket.
    """
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return TLSListener(socket.create_server(address[:2], family=family, backlog=backlog), config, timeout)


def _over(
    sock: socket.socket, engine: ClientConnection | ServerConnection, timeout: float | None
) -> TLSSocket:
    # A handshake is small messages that wait for each other, and records are sent whole: Nagle only delays.
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:  # macOS: the peer has reset the connection already
        sock.close()
        raise
    return TLSSocket(sock, engine, timeout=timeout)


class TLSListener:
    """A listening socket whose ``accept`` returns ``TLSSocket``. A context manager: leaving it closes it.

    Several threads may accept from one listener. ``close`` from another thread ends a waiting ``accept``.
    """

    def __init__(self, sock: socket.socket, config: ServerConfig, timeout: float | None) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._config = config
        self._timeout = timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> tuple[Any, ...]:
        """Where it listens: (host, port), with two more numbers for IPv6."""
        address: tuple[Any, ...] = self._sock.getsockname()
        return address

    def fileno(self) -> int:
        """The listening socket's file descriptor, -1 once closed."""
        return self._sock.fileno()

    def accept(self, *, timeout: float | None = None, handshake: bool = True) -> TLSSocket:
        """Wait (for ``timeout`` seconds, or as long as it takes) for a client, and do the handshake with it.

        A client that fails the handshake makes this raise its ``TLSError``, ``TimeoutError`` or other
        ``OSError``; the listener itself is fine, and the next ``accept`` waits for the next client. A client
        that is slow keeps the caller for the listener's timeout: a server for many hands sockets to threads
        with ``handshake=False``, and each begins with ``TLSSocket.handshake()``.
        """
        engine = ServerConnection(self._config)
        tls = _over(self._accept(Deadline(timeout)), engine, self._timeout)
        if handshake:
            tls.handshake()
        return tls

    def _accept(self, deadline: Deadline) -> socket.socket:
        while True:
            try:
                return self._sock.accept()[0]
            except (BlockingIOError, ConnectionAbortedError):  # nobody there, or left while queued
                wait_readable(self._sock, deadline, "accepting a connection")

    def close(self) -> None:
        """Stop listening. Accepted connections stay."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes those that wait in accept()
        except OSError as error:
            if error.errno not in {errno.ENOTCONN, errno.EBADF}:  # not Linux; already closed
                raise
        self._sock.close()
