"""The pair of streams that a TLS connection of asyncio becomes, and its way there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from pellucid.errors import TLSError
from pellucid.io.aio_protocol import Endpoint, TLSProtocol
from pellucid.io.diagnosing import locate
from pellucid.io.steps import network_step

if TYPE_CHECKING:
    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.io.aio_transport import TLSTransport
    from pellucid.trace import TraceView

__all__ = ["Opening", "Streams", "TLSStreamReader", "tcp_connection"]

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

P = TypeVar("P", bound=asyncio.BaseProtocol)


class TLSStreamReader(asyncio.StreamReader):
    """A StreamReader that gives what arrived intact before it raises the ``TLSError`` that ended it.

    asyncio's own raises first, so that a peer's data would be lost or not depending on how TCP cut it.
    """

    _failure: TLSError | None = None

    def set_exception(self, exc: Exception) -> None:
        if isinstance(exc, TLSError):
            self._failure = exc
            self.feed_eof()
        else:
            super().set_exception(exc)

    def exception(self) -> Exception | None:
        return self._failure or super().exception()

    def at_eof(self) -> bool:
        return self._failure is None and super().at_eof()

    async def read(self, n: int = -1) -> bytes:
        data = await super().read(n)
        if not data and n and self._failure is not None:
            raise self._failure
        return data

    async def readexactly(self, n: int) -> bytes:
        try:
            return await super().readexactly(n)
        except asyncio.IncompleteReadError as error:
            raise self._failure or error from None

    async def readuntil(self, separator: Any = b"\n") -> bytes:  # a tuple from 3.13 on
        try:
            return await super().readuntil(separator)
        except asyncio.IncompleteReadError as error:
            raise self._failure or error from None


class Opening:
    """One connection until its handshake is complete. ``tls`` is the protocol for its TCP transport."""

    def __init__(
        self,
        make_engine: Callable[[], ClientConnection | ServerConnection],
        *,
        limit: int,
        handshake_timeout: float,
        shutdown_timeout: float,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._reader = TLSStreamReader(limit=limit, loop=loop)
        self._protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        self._ready: asyncio.Future[None] = loop.create_future()
        self.tls = TLSProtocol(
            Endpoint(
                loop=loop,
                make_engine=make_engine,
                established=self._established,
                failed=self._failed,
                handshake_timeout=handshake_timeout,
                shutdown_timeout=shutdown_timeout,
                server_side=False,  # somebody waits for this one, also where the other side begins
            )
        )

    def _established(self, _: TLSTransport) -> asyncio.Protocol:
        if not self._ready.done():
            self._ready.set_result(None)
        return self._protocol

    def _failed(self, _: TLSTransport, error: Exception) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # seen: asyncio need not report it if we were cancelled and nobody asks

    def keep(self, writer: asyncio.StreamWriter) -> None:
        """Keep the writer in whose place this comes: from Python 3.13 on, one that is dropped closes."""
        self.tls.transport.kept = writer

    async def streams(self) -> Streams:
        """The streams, once the handshake is complete; its error, if it fails."""
        await self._ready
        return self._reader, asyncio.StreamWriter(
            self.tls.transport, self._protocol, self._reader, self._loop
        )


async def tcp_connection(
    make_protocol: Callable[[], P],
    address: tuple[str | None, int | None],
    options: dict[str, Any],
    view: TraceView | None,
) -> P:
    """``loop.create_connection``: the protocol, connected. ``view`` is told how long name and TCP took.

    ``address`` is None and None where ``options`` brings a socket.
    """
    with ExitStack() as stack:
        note = stack.enter_context(network_step(view, "tcp"))

        def connected() -> P:
            # Called when TCP stands, before the protocol says anything.
            stack.close()
            return make_protocol()

        note.detail = "over a socket that was there" if address[0] is None else f"connected to {address[0]}"
        where: Any = address
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(connected, *where, **options)
        except OSError as error:
            host, port = address
            if host is not None and port is not None:
                locate(error, host, port)
            raise
    return protocol
