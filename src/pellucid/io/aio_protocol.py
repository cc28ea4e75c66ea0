"""TLSProtocol: what stands between a TCP transport of asyncio (``raw``) and the application's protocol.

    WAITING    server only: the client has sent nothing yet, or waits for a place among the handshakes
    HANDSHAKE  the application does not exist yet
    OPEN       data flows; either direction may have been ended by a close_notify
    CLOSING    close() was called: what was written and a close_notify leave, what arrives is dropped
    FAILED     the alert leaves, what arrives is dropped
    CLOSED     ``raw`` is closed, or its connection_lost is on its way

One timer bounds the phase that is on: the handshake from the TCP connection to its end, however busy the
peer; the closing; the lingering after it. OPEN has no bound: that is the application's affair.

Lingering. A socket that is closed with unread data sends a RST, which destroys what is still on its way to
the peer: the alert that says what went wrong, or the end of a response. So after an alert, and after a close
with unread data, we end our TCP stream and read on for a moment before we close.

Backpressure. To send, ``pump`` is asked for at most 64 KiB at a time, and only while ``raw`` buffers less
than its high-water mark; the rest waits unsealed, and the application is paused until all of it has gone to
``raw``. To receive, an application that pauses reading pauses ``raw``; what was decrypted by then waits here.
"""

from __future__ import annotations

import asyncio
import enum
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from pellucid.io.aio_transport import TLSTransport
from pellucid.io.diagnosing import attach
from pellucid.io.measuring import Meter
from pellucid.io.pump import RECEIVE_BYTES, Pump

if TYPE_CHECKING:
    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.events import SignatureWanted, StatusWanted
    from pellucid.io.aio_gate import HandshakeGate

# How long, and for how much data, we linger.
LINGER_SECONDS = 1.0
LINGER_BYTES = 1 << 20


class State(enum.Enum):
    """The phases of a connection; see the module's docstring."""

    WAITING = enum.auto()
    HANDSHAKE = enum.auto()
    OPEN = enum.auto()
    CLOSING = enum.auto()
    FAILED = enum.auto()
    CLOSED = enum.auto()


_USABLE = frozenset((State.WAITING, State.HANDSHAKE, State.OPEN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What the connections of one server, or one client connection, have in common.

    ``established`` returns the application's protocol. Either it or ``failed`` is called, once, for each
    connection, except for a client that leaves a server without having sent a byte. Times are seconds.
    """

    loop: asyncio.AbstractEventLoop
    make_engine: Callable[[], ClientConnection | ServerConnection]
    established: Callable[[TLSTransport], asyncio.Protocol]
    failed: Callable[[TLSTransport, Exception], None]
    handshake_timeout: float
    shutdown_timeout: float
    server_side: bool
    gate: HandshakeGate | None = None


class _ReceiveBuffer(threading.local):
    def __init__(self) -> None:
        self.view = memoryview(bytearray(RECEIVE_BYTES))


# One buffer for all connections of a thread. A selector loop reads into it and calls ``buffer_updated`` at
# once, by the end of which the engine has taken its copy.
_shared = _ReceiveBuffer()


def _receive_buffer(loop: asyncio.AbstractEventLoop) -> memoryview:
    if isinstance(loop, asyncio.SelectorEventLoop):
        return _shared.view
    return memoryview(bytearray(RECEIVE_BYTES))  # Windows' proactor holds on to it while it waits


class TLSProtocol(asyncio.BufferedProtocol):
    """One connection. ``transport`` is its face towards the application."""

    raw: asyncio.Transport
    pump: Pump

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.state = State.WAITING
        self.transport = TLSTransport(self)
        self.app: asyncio.Protocol | None = None
        self.reading_paused = False
        self._raw_paused = False
        self._app_paused = False
        self._eof_told = False
        self._lingering = False
        self._lingered_bytes = 0
        self._error: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._signing: asyncio.Task[bytes | None] | None = None
        self._in_gate = False
        self._early = b""  # what a client sent before there was a place for it

    # -- called by raw

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.raw = cast("asyncio.Transport", transport)
        if self.state is State.CLOSED:  # given up while TCP was connecting
            self.raw.abort()
            return
        self._buffer = _receive_buffer(self.endpoint.loop)
        self._start_timer(self.endpoint.handshake_timeout, self._handshake_too_slow)
        if not self.endpoint.server_side:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        was, self.state = self.state, State.CLOSED
        self._stop_signing()
        self._leave_gate()
        error = self._error or exc
        if error is None and was is State.OPEN and not self.pump.peer_closed:
            # such as Server.close_clients(): nobody may take that for the peer's end
            error = ConnectionAbortedError("TCP was closed under the TLS connection")
        if error is not None and was is not State.WAITING:
            attach(error, self.pump.engine)
        if self.app is not None:
            self.app.connection_lost(error)
        elif error is not None or was is not State.WAITING:
            self.endpoint.failed(
                self.transport, error or ConnectionAbortedError("TCP was closed during the TLS handshake")
            )

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio always says -1
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = self._buffer[:nbytes]
        if self.state is State.OPEN or self.state is State.HANDSHAKE:
            if self._signing is not None:
                self.raw.pause_reading()  # so much may wait for the answer, and no more
            self._meter.received_bytes += nbytes
            self.pump.feed(data)
            self._after_input()
        elif self.state is State.WAITING:
            self._first_bytes(data)
        elif self._lingering:
            self._lingered_bytes += nbytes
            if self._lingered_bytes > LINGER_BYTES:
                self.raw.abort()

    def eof_received(self) -> bool:
        """True: ``raw`` stays open for what we still have to send."""
        if self.state is State.HANDSHAKE or self.state is State.OPEN:
            self.pump.feed_eof()
            self._after_input()
            return True
        return self.state is State.CLOSING and not self._lingering

    def pause_writing(self) -> None:
        self._raw_paused = True
        if self.app is not None and not self._app_paused:
            self._app_paused = True
            self.app.pause_writing()

    def resume_writing(self) -> None:
        self._raw_paused = False
        self.flush()

    # -- handshake

    def _first_bytes(self, data: memoryview) -> None:
        gate = self.endpoint.gate
        if gate is not None and not self._in_gate:
            if not gate.enter(self._admitted):
                self._early = bytes(data)
                self.raw.pause_reading()
                return
            self._in_gate = True
        self._begin()
        self._meter.received_bytes += len(data)
        self.pump.feed(data)
        self._after_input()

    def _admitted(self) -> None:
        """Another handshake has ended. We run later: its connection is in the middle of something."""
        self._in_gate = True
        self.endpoint.loop.call_soon(self._begin_late)

    def _begin_late(self) -> None:
        if self.state is not State.WAITING:
            return  # lost meanwhile, and the place given back
        early, self._early = self._early, b""
        self._first_bytes(memoryview(early))
        self.raw.resume_reading()

    def _leave_gate(self) -> None:
        gate = self.endpoint.gate
        if gate is None:
            return
        if self._in_gate:
            self._in_gate = False
            gate.leave()
        elif self._early:
            self._early = b""
            gate.give_up(self._admitted)

    def _begin(self) -> None:
        self.pump = Pump(self.endpoint.make_engine())
        self._meter = Meter(self.raw.get_extra_info("socket"), self.raw.get_extra_info("peername"))
        self.pump.engine.circumstances = self._meter
        self._meter.start()
        # A function that takes its time holds up nobody else.
        self.pump.engine.defers_signing = self.pump.engine.defers_status = True
        self.state = State.HANDSHAKE
        self.flush()

    def _establish(self) -> None:
        self._stop_timer()
        self._leave_gate()
        self.state = State.OPEN
        self.app = self.endpoint.established(self.transport)
        self.app.connection_made(self.transport)
        if self._raw_paused:
            self.pause_writing()

    # -- signing, and asking authorities

    def _start_signing(self, wanted: SignatureWanted | StatusWanted) -> None:
        from pellucid.io.signing import answer_to  # noqa: PLC0415 - for who has a signer, or asks somebody

        self._signing = self.endpoint.loop.create_task(answer_to(wanted))
        self._signing.add_done_callback(partial(self._signed, wanted))

    def _signed(self, wanted: SignatureWanted | StatusWanted, task: asyncio.Task[bytes | None]) -> None:
        """It is done, has failed, or was cancelled: by us, where nobody waits for it any more."""
        error = asyncio.CancelledError("it was cancelled") if task.cancelled() else task.exception()
        answer = task.result() if error is None else error
        if self._signing is task:
            self._signing = None
            self.pump.provide(wanted, answer)
            self.raw.resume_reading()
            self._after_input()

    def _stop_signing(self) -> None:
        task, self._signing = self._signing, None
        if task is not None:
            task.cancel()

    def _handshake_too_slow(self) -> None:
        waiting = "no place was free" if self._early else "nothing came"
        where = waiting if self.state is State.WAITING else f"state {self.pump.engine.state}"
        seconds = self.endpoint.handshake_timeout
        self._error = TimeoutError(f"the TLS handshake did not finish within {seconds:g} s ({where})")
        self.raw.abort()

    # -- data

    def _after_input(self) -> None:
        if self.pump.wanted is not None and self.pump.error is None:
            # What there is to send leaves with the answer, as one flight.
            if self._signing is None:
                self._start_signing(self.pump.wanted)
            return
        self.flush()
        if self.state is State.HANDSHAKE:
            if self.pump.established:
                self._establish()
            elif self.pump.error is not None:
                self._fail(self.pump.error)
        self.deliver()

    def deliver(self) -> None:
        """Give the application what has been decrypted; then, if so, the end or the error after it."""
        pump, app = self.pump, self.app
        if app is None:
            return
        # What came before an error is handed out even to an application that has paused: it is the last.
        while pump.received and self.state is State.OPEN and (not self.reading_paused or pump.error):
            app.data_received(pump.next_chunk())
        if pump.received or self.state is not State.OPEN:
            return
        if pump.error is not None:
            self._fail(pump.error)
        elif pump.peer_closed and not self._eof_told:
            self._eof_told = True
            if not app.eof_received():
                self.close()

    def flush(self) -> None:
        """Give ``raw`` what there is to send, as long as it takes it."""
        raw, pump = self.raw, self.pump
        while not self._raw_paused and not raw.is_closing():
            out = pump.take()
            if not out:
                self._all_taken()
                return
            raw.write(out)

    def _all_taken(self) -> None:
        if self.state is State.CLOSING and not self._lingering:
            if self.reading_paused:
                self._linger()
            else:
                self.raw.close()
        elif self._app_paused and self.app is not None:
            self._app_paused = False
            self.app.resume_writing()

    # -- the end

    @property
    def closing(self) -> bool:
        """True once nothing more can be written or read."""
        return self.state not in _USABLE or self.raw.is_closing()

    def close(self) -> None:
        """Send what was written and a close_notify, then close TCP."""
        if self.state is State.OPEN:
            self.state = State.CLOSING
            self.pump.close()
            self._start_timer(self.endpoint.shutdown_timeout, self._shutdown_too_slow)
            self.raw.resume_reading()  # a peer that waits for us to read may not read before
            self.flush()
        elif self.state is State.WAITING or self.state is State.HANDSHAKE:
            self.abort()

    def abort(self) -> None:
        """Close TCP at once."""
        self.state = State.CLOSED
        self._stop_signing()
        if hasattr(self, "raw"):
            self.raw.abort()

    def _shutdown_too_slow(self) -> None:
        seconds = self.endpoint.shutdown_timeout
        self._error = TimeoutError(f"the peer did not take what was written within {seconds:g} s of close()")
        self.raw.abort()

    def _fail(self, error: Exception) -> None:
        self.state = State.FAILED
        self._error = error
        self._stop_signing()
        self._leave_gate()
        while out := self.pump.take():  # the alert: it has to leave, however full ``raw`` is
            self.raw.write(out)
        if self.pump.should_linger:
            self._linger()
        else:
            self.raw.close()

    def _linger(self) -> None:
        self._lingering = True
        self._start_timer(LINGER_SECONDS, self.raw.abort)
        with suppress(OSError):  # the peer has reset the connection: raw will notice by itself
            self.raw.write_eof()
        self.raw.resume_reading()

    def _start_timer(self, seconds: float, action: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self.endpoint.loop.call_later(seconds, action)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
