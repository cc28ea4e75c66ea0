"""Blocking TLS: ``connect``, ``listen``, and ``wrap`` for a connection that exists."""

from __future__ import annotations

import errno
import socket
import sys
from typing import TYPE_CHECKING, Any, Self

from pellucid.config import ClientConfig, ReloadableConfig, ServerConfig, reloadable
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import Misuse, Reason
from pellucid.io.dial import dial
from pellucid.io.engines import engine_of
from pellucid.io.tls_socket import TLSSocket
from pellucid.io.waiting import Deadline, wait_readable

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["TLSListener", "TLSSocket", "connect", "listen", "wrap"]

_TCP_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def connect(
    host: str,
    port: int,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    timeout: float | None = 10.0,
    *,
    starttls: str | None = None,
    proxy: str | None = None,
    handshake: bool = True,
) -> TLSSocket:
    """Connect to a TLS server; returns when the handshake is complete and the server's identity is verified.

    ``server_name`` is who the server must prove to be, ``host`` unless given. ``timeout`` (seconds, None for
    no limit) bounds all of it together: name resolution, TCP to whichever address answers, what comes before
    TLS, and the handshake. It is also the first timeout of each later call; see ``TLSSocket.settimeout``.

    ``starttls`` ("smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql" or "xmpp") asks a server of that
    protocol for TLS first; the next that it hears, in TLS, is yours to say (in SMTP, EHLO again). ``proxy``
    ("http://USER:PASSWORD@HOST:PORT", "socks5://...") is asked to connect to ``host``, which it looks up.
    Without ``handshake`` it returns when TLS may begin, and ``TLSSocket.handshake_until`` is to be called.

    Raises ``TLSError`` if the handshake fails (``PreambleFailed`` if it could not begin), ``TimeoutError``,
    ``socket.gaierror`` for a name without address, and ``OSError`` (often ``ConnectionRefusedError``) listing
    each address when none answers.
    """
    name = host if server_name is None else server_name
    engine = ClientConnection(config or ClientConfig(), name)
    deadline = Deadline(timeout)
    sock = _reached(host, port, engine, deadline, name, starttls=starttls, proxy=proxy)
    tls = _over(sock, engine, timeout)
    if handshake:
        tls.handshake_until(deadline)
    return tls


def _reached(
    host: str,
    port: int,
    engine: ClientConnection,
    deadline: Deadline,
    server_name: str,
    *,
    starttls: str | None,
    proxy: str | None,
) -> socket.socket:
    """A TCP connection on which TLS can begin."""
    view = None if engine.trace is None else engine.trace.view("client")
    if starttls is None and proxy is None:
        return dial(host, port, deadline, view)
    from pellucid.io.reaching import Way, reach  # noqa: PLC0415 - for who asks for it

    return reach(Way.parse(host, port, server_name, proxy=proxy, starttls=starttls), deadline, view)


def wrap(
    sock: socket.socket,
    config: ClientConfig | ServerConfig | None = None,
    server_name: str | None = None,
    timeout: float | None = 10.0,
    *,
    handshake: bool = True,
) -> TLSSocket:
    """TLS over a connected stream socket, of any family; returns when the handshake is complete.

    With a ``ClientConfig`` (or none) this side is the client, and ``server_name`` says who the server must
    prove to be; with a ``ServerConfig`` it is the server. ``timeout`` (seconds, None for no limit) bounds the
    handshake, and is the first timeout of each later call.

    The TLSSocket takes the connection over: ``sock`` is detached, as ``ssl`` does it, so that nothing can be
    said in the clear any more, and closing it closes nothing. What has been read from it belongs to whoever
    read it: before TLS, read exactly what the protocol has, or take what came beyond that for an attack.

    Raises ``TLSError``, ``TimeoutError`` and other ``OSError``; if it is ``Misuse``, ``sock`` is untouched.
    """
    if sock.type != socket.SOCK_STREAM:
        raise Misuse(Reason.BAD_CONFIGURATION, "sock: TLS needs a stream, such as TCP")
    if _encrypts(sock):
        raise Misuse(Reason.BAD_CONFIGURATION, "sock: it speaks TLS already, by the ssl module")
    engine = engine_of(config, server_name)
    sock.getpeername()  # who is not connected, and raises so, keeps the socket
    ours = socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    tls = _over(ours, engine, timeout)
    if handshake:
        tls.handshake()
    return tls


def _encrypts(sock: socket.socket) -> bool:
    # Whoever has one has imported the module, and nobody else needs it.
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(sock, ssl.SSLSocket)


def listen(
    host: str | None,
    port: int,
    config: ServerConfig | ReloadableConfig,
    *,
    backlog: int = 128,
    timeout: float | None = 10.0,
) -> TLSListener:
    """Listen for TLS connections on the first address of ``host`` (None: any), ``port`` 0 for a free one.

    ``timeout`` (seconds) bounds each handshake and is the first timeout of each accepted socket. Of a
    ``ReloadableConfig`` each connection takes what is current when its TCP connection is accepted.
    """
    source = reloadable(config)
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return TLSListener(socket.create_server(address[:2], family=family, backlog=backlog), source, timeout)


def _over(
    sock: socket.socket, engine: ClientConnection | ServerConnection, timeout: float | None
) -> TLSSocket:
    # A handshake is small messages that wait for each other, and records are sent whole: Nagle only delays.
    if sock.family in _TCP_FAMILIES:
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

    def __init__(self, sock: socket.socket, config: ReloadableConfig, timeout: float | None) -> None:
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
        sock = self._accept(Deadline(timeout))
        # Not before there is somebody: waiting may take long, and the configuration be another by then.
        tls = _over(sock, ServerConnection(self._config.current), self._timeout)
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
