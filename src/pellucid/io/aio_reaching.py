"""TLS under asyncio that does not begin with TCP: past a proxy and STARTTLS, or later still."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from pellucid.io.aio_streams import tcp_connection
from pellucid.io.way import DIALOGUE

if TYPE_CHECKING:
    from pellucid.io.aio_protocol import TLSProtocol
    from pellucid.io.aio_streams import Opening
    from pellucid.io.way import Way
    from pellucid.preamble.talk import Steps
    from pellucid.trace import TraceView

__all__ = ["ClearProtocol", "reach", "take_over"]

# What is received and not asked for yet: no dialogue is longer.
_MOST_UNREAD_BYTES = 65_536


class ClearProtocol(asyncio.Protocol):
    """The TCP connection while it is in the clear: keeps what arrives until a dialogue asks for it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = bytearray()
        self._ended = self._lost = False
        self._error: Exception | None = None
        self._changed: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _MOST_UNREAD_BYTES:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return True  # the transport stays open until the dialogue has seen it

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        self._error = exc
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def receive(self) -> bytes:
        """What has arrived, once something has; b"" at the end. Raises what TCP was lost by."""
        while not self._received and not self._ended:
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        if not self._received and self._error is not None:
            raise self._error
        return self._take()

    def hand_over(self, tls: TLSProtocol) -> None:
        """What comes next is TLS. If the end came first, it is told as such.

        Raises what TCP was lost by, if it was: that is told once, and ``tls`` would wait for it.
        """
        if self._lost:
            raise self._error or ConnectionAbortedError("the connection was closed before TLS could begin")
        _hand_over(self.transport, tls, bytes(self._received), ended=self._ended)

    def _take(self) -> bytes:
        data = bytes(self._received)
        self._received.clear()
        if not self._ended:
            self.transport.resume_reading()
        return data


async def reach(
    way: Way, view: TraceView | None, seconds: float, options: dict[str, Any]
) -> tuple[ClearProtocol, float]:
    """A TCP connection on which TLS can begin, and what is left of ``seconds``, which count from TCP on.

    Raises as ``loop.create_connection``, with the proxy named where it is that one, and ``Way.dialogue``.
    """
    first = (None, None) if "sock" in options else way.first
    try:
        clear = await tcp_connection(ClearProtocol, first, options, view)
    except OSError as error:
        if way.proxy is not None:
            error.add_note(f"this was on the way to the proxy {way.proxy}")
        raise
    try:
        return clear, await _converse(clear, way.dialogue(view), seconds)
    except BaseException:
        clear.transport.abort()
        raise


async def _converse(clear: ClearProtocol, dialogue: Steps[None], seconds: float) -> float:
    """Run a dialogue to its end within ``seconds``; what is left of them.

    What goes wrong with the network is thrown into it, and comes out as what it means.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        wanted = next(dialogue)
        while True:
            answer = b""
            try:
                if wanted is None:
                    async with asyncio.timeout_at(end):
                        answer = await clear.receive()
                else:
                    clear.transport.write(wanted)
            except TimeoutError as error:
                # With a number it is the system's own: TCP has given up, and not we.
                late = TimeoutError(f"{DIALOGUE} did not finish within {seconds:g} s")
                wanted = dialogue.throw(error if error.errno else late)
            except OSError as error:
                wanted = dialogue.throw(error)
            else:
                wanted = dialogue.send(answer)
    except StopIteration:
        return max(0.0, end - loop.time())
    finally:
        dialogue.close()


async def take_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opening: Opening) -> None:
    """Let ``opening`` have the connection of these streams, with what was received and not read.

    Raises ``ConnectionAbortedError`` for one that is closed, and what the reader has failed with.
    """
    transport = cast("asyncio.Transport", writer.transport)
    if transport.is_closing():
        raise ConnectionAbortedError("the connection was closed before TLS could begin")
    ended = reader.at_eof()
    reader.feed_eof()  # nobody waits in it from here on, and it does not wait either
    try:
        received = await reader.read()
    except BaseException:
        transport.abort()
        raise
    opening.keep(writer)
    _hand_over(transport, opening.tls, received, ended=ended)


def _hand_over(transport: asyncio.Transport, tls: TLSProtocol, received: bytes, *, ended: bool) -> None:
    """Let ``tls`` have a TCP transport that somebody else had before, and what came to that one."""
    transport.set_protocol(tls)
    tls.connection_made(transport)
    rest = memoryview(received)
    while rest:
        buffer = tls.get_buffer(-1)
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        tls.buffer_updated(size)
        rest = rest[size:]
    if ended:
        tls.eof_received()
    elif not transport.is_closing():
        transport.resume_reading()
