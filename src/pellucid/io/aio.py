"""TLS for asyncio, in the shapes of asyncio's own streams. Public as ``pellucid.aio``.

    reader, writer = await aio.open_connection("example.org", 443)
    server = await aio.start_server(handle, "localhost", 8443, config=ServerConfig(credentials=[...]))

``reader`` and ``writer`` are an ``asyncio.StreamReader`` and an ``asyncio.StreamWriter`` over a
``TLSTransport``, so ``read``, ``readuntil``, ``drain``, ``wait_closed`` and flow control are asyncio's. In
addition ``writer.get_extra_info`` knows "negotiated" and "connection" (the engine), ``writer.write_eof()``
sends close_notify one way while reading goes on, and the end of the peer's data is never ambiguous: reading
returns the end only after a close_notify, and raises ``PeerMisbehaved`` with ``Reason.TRUNCATED`` for a TCP
end without one, after all data that had arrived has been read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pellucid.config import ClientConfig, ReloadableConfig, ServerConfig, reloadable
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import Misuse, Reason, TLSError
from pellucid.io.aio_gate import HandshakeGate
from pellucid.io.aio_protocol import Endpoint, TLSProtocol
from pellucid.io.aio_streams import Opening, Streams, TLSStreamReader, tcp_connection
from pellucid.io.aio_transport import TLSTransport
from pellucid.io.engines import engine_of

__all__ = ["ClientConnected", "OnError", "TLSTransport", "open_connection", "start_server", "wrap"]

LIMIT_BYTES = 65536
HANDSHAKE_TIMEOUT_SECONDS = 10.0
# As long as asyncio gives a TLS shutdown: it has to bring all that was written on its way.
SHUTDOWN_TIMEOUT_SECONDS = 30.0

ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]

#: Told of a connection that failed by itself: the error, and the client's TCP address where known.
OnError = Callable[[Exception, Any], None]


async def open_connection(
    host: str | None = None,
    port: int | None = None,
    *,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    starttls: str | None = None,
    proxy: str | None = None,
    limit: int = LIMIT_BYTES,
    handshake_timeout: float = HANDSHAKE_TIMEOUT_SECONDS,
    shutdown_timeout: float = SHUTDOWN_TIMEOUT_SECONDS,
    **options: Any,
) -> Streams:
    """Connect to a TLS server; returns when the handshake is complete and the server's identity is verified.

    ``server_name`` is who the server must prove to be, ``host`` unless given. ``starttls`` and ``proxy`` are
    those of ``pellucid.connect``. ``limit`` (bytes) is the reader's. ``handshake_timeout`` and
    ``shutdown_timeout`` are seconds: from the TCP connection to the end of the handshake, with all that comes
    before it, and for ``close`` to bring all that was written on its way. ``options`` go to
    ``loop.create_connection`` (``sock``, ``happy_eyeballs_delay``, ``local_addr`` ...); ``asyncio.timeout``
    around the call bounds name resolution and TCP as well. Cancelling it leaves nothing behind.

    Raises ``TLSError`` if the handshake fails (``PreambleFailed`` if it could not begin), ``TimeoutError``,
    and what ``loop.create_connection`` raises.
    """
    name = host if server_name is None else server_name
    if name is None:
        raise Misuse(Reason.BAD_SERVER_NAME, "server_name: say who the server must be, if not by host")
    engine = ClientConnection(config or ClientConfig(), name)
    view = None if engine.trace is None else engine.trace.view("client")
    clear, seconds = None, handshake_timeout
    if starttls is not None or proxy is not None:
        from pellucid.io.aio_reaching import reach  # noqa: PLC0415 - for who asks for it
        from pellucid.io.way import Way  # noqa: PLC0415

        way = Way.parse(host, port, name, proxy=proxy, starttls=starttls)
        clear, seconds = await reach(way, view, handshake_timeout, options)
    opening = Opening(
        lambda: engine,
        limit=limit,
        handshake_timeout=seconds,
        shutdown_timeout=shutdown_timeout,
    )
    try:
        if clear is not None:
            clear.hand_over(opening.tls)
        else:
            await tcp_connection(lambda: opening.tls, (host, port), options, view)
        return await opening.streams()
    except BaseException:
        opening.tls.abort()
        raise


async def wrap(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    config: ClientConfig | ServerConfig | None = None,
    server_name: str | None = None,
    *,
    limit: int = LIMIT_BYTES,
    handshake_timeout: float = HANDSHAKE_TIMEOUT_SECONDS,
    shutdown_timeout: float = SHUTDOWN_TIMEOUT_SECONDS,
) -> Streams:
    """TLS over a connection that exists, such as after STARTTLS; new streams once the handshake is complete.

    With a ``ClientConfig`` (or none) this side is the client, and ``server_name`` says who the server must
    prove to be; with a ``ServerConfig`` it is the server. The old streams are at their end: what was received
    and not read is the peer's first bytes of TLS, or ends the connection, but never becomes data. Times are
    those of ``open_connection``. ``Misuse`` leaves the streams as they were.
    """
    engine = engine_of(config, server_name)
    from pellucid.io.aio_reaching import take_over  # noqa: PLC0415 - for who asks for it

    opening = Opening(
        lambda: engine,
        limit=limit,
        handshake_timeout=handshake_timeout,
        shutdown_timeout=shutdown_timeout,
    )
    try:
        await take_over(reader, writer, opening)
        return await opening.streams()
    except BaseException:
        opening.tls.abort()
        raise


async def start_server(
    client_connected_cb: ClientConnected,
    host: str | None = None,
    port: int | None = None,
    *,
    config: ServerConfig | ReloadableConfig,
    limit: int = LIMIT_BYTES,
    handshake_timeout: float = HANDSHAKE_TIMEOUT_SECONDS,
    shutdown_timeout: float = SHUTDOWN_TIMEOUT_SECONDS,
    max_handshakes: int | None = None,
    on_error: OnError | None = None,
    **options: Any,
) -> asyncio.Server:
    """Serve TLS: call ``client_connected_cb(reader, writer)``, a function or coroutine function, per client.

    It is called once the handshake is complete. ``handshake_timeout`` (seconds) runs from the TCP connection
    on, so a client that sends nothing, or a byte now and then, is gone by then. At most ``max_handshakes``
    (None: any number) go on at once; who comes when there are as many waits, unread, and its time runs; a
    client that has sent nothing yet does not count. That bounds the work done at one time and is no defence
    against clients that stall: each holds its place until the timeout, and honest ones wait behind it.
    Of a ``ReloadableConfig`` each connection takes what is current when it begins. ``options`` go to
    ``loop.create_server``.

    Nothing that one client does ends the server. Errors go where this says:

    - a handshake that fails goes to ``on_error(error, peername)``. Without ``on_error``, a ``TLSError`` goes
      to the loop's exception handler and an ``OSError`` (reset, timeout) is dropped, as asyncio does with
      its own. A client that leaves without having sent a byte is no error;
    - a ``TLSError`` or ``ConnectionError`` later on is raised where ``reader`` or ``writer`` is used. If
      ``client_connected_cb`` is a coroutine function and does not catch it, it goes to ``on_error``, and
      without that to the loop's exception handler;
    - any other exception of ``client_connected_cb`` goes to the loop's exception handler.

    In the last two cases the connection is closed, as it is when the coroutine is cancelled.
    """
    loop = asyncio.get_running_loop()
    clients = _Clients(loop, client_connected_cb, limit, on_error)
    source = reloadable(config)
    endpoint = Endpoint(
        loop=loop,
        make_engine=lambda: ServerConnection(source.current),
        established=clients.established,
        failed=clients.failed,
        handshake_timeout=handshake_timeout,
        shutdown_timeout=shutdown_timeout,
        server_side=True,
        gate=None if max_handshakes is None else HandshakeGate(max_handshakes),
    )
    address: Any = (host, port)  # both None where ``options`` brings a socket
    return await loop.create_server(partial(TLSProtocol, endpoint), *address, **options)


class _Clients:
    """What a server does with its connections once TLS is up, or has failed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connected: ClientConnected,
        limit: int,
        on_error: OnError | None,
    ) -> None:
        self._loop = loop
        self._connected = connected
        self._limit = limit
        self._on_error = on_error
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references

    def established(self, transport: TLSTransport) -> asyncio.Protocol:
        reader = TLSStreamReader(limit=self._limit, loop=self._loop)
        return asyncio.StreamReaderProtocol(reader, partial(self._start, transport), loop=self._loop)

    def failed(self, transport: TLSTransport, error: Exception) -> None:
        if self._on_error is not None or not isinstance(error, OSError):
            self._report(transport, error, "TLS handshake failed", self._on_error)

    def _start(
        self, transport: TLSTransport, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        running = self._connected(reader, writer)
        if asyncio.iscoroutine(running):
            task = self._loop.create_task(running)
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, transport))

    def _ended(self, transport: TLSTransport, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            transport.close()
        elif (error := task.exception()) is not None:
            on_error = self._on_error if isinstance(error, (TLSError, ConnectionError)) else None
            self._report(transport, error, "Unhandled exception in client_connected_cb", on_error)
            transport.close()

    def _report(
        self, transport: TLSTransport, error: BaseException, message: str, on_error: OnError | None
    ) -> None:
        if on_error is not None and isinstance(error, Exception):
            on_error(error, transport.get_extra_info("peername"))
            return
        self._loop.call_exception_handler({"message": message, "exception": error, "transport": transport})
