"""Duplex: an engine over a blocking socket that two threads may use at once, one for each direction.

Three locks make that so. ``_read_lock`` and ``_write_lock`` are held by whoever uses that direction of the
socket, for as long as that takes; ``_lock`` is held around each call of the pump, which never waits. They are
taken in this order: read, write, ``_lock``.

Neither direction waits for the other, or a connection that is busy both ways could block itself. But reading
sometimes makes the engine want to say something (the answer to a KeyUpdate). If another thread holds the
write lock at that moment it says it before it lets go, or right after.

The socket itself never blocks: each call waits by itself, until its own deadline.
"""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from pellucid.errors import Misuse, Reason
from pellucid.events import SignatureWanted
from pellucid.io.diagnosing import attach
from pellucid.io.measuring import Meter
from pellucid.io.pump import PIECE_BYTES, RECEIVE_BYTES, Pump
from pellucid.io.waiting import Deadline, wait_readable, wait_writable

if TYPE_CHECKING:
    from pellucid.connection import ClientConnection, ServerConnection

# How long close() may take to bring the last data and the close_notify on their way.
CLOSE_SECONDS = 5.0

# After an alert we read on, so that the peer, which may be in the middle of sending, sees the alert and not
# the RST that a close with unread data sends instead. So long and so much at most.
LINGER_SECONDS = 1.0
LINGER_BYTES = 1 << 20


class Duplex:
    """One connection. Errors are those of ``TLSSocket``, its face to the user."""

    def __init__(self, sock: socket.socket, engine: ClientConnection | ServerConnection) -> None:
        sock.settimeout(0)
        self.sock = sock
        self.pump = Pump(engine)
        self._meter = engine.circumstances = Meter(sock)
        self.gone = False  # TCP is closed
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._unsent = memoryview(b"")  # sealed, taken from the engine, and not yet taken by the socket
        self._answers_wait = False
        self._broken = False  # part of what ``write_all`` was given never left

    # -- handshake

    def handshake(self, deadline: Deadline) -> None:
        """Do the whole handshake, or close TCP and raise why not."""
        self._meter.start()
        try:
            with self._read_lock:
                self._flush(deadline)
                # An error behind the handshake is for whoever reads what came in between.
                while not self.pump.established:
                    self._receive(deadline, "the TLS handshake")
                    if isinstance(self.pump.wanted, SignatureWanted):
                        self._sign(self.pump.wanted, deadline)
                    if self.pump.error is not None and not self.pump.established:
                        self._raise_error()
                    self._flush(deadline)
        except BaseException as error:
            attach(error, self.pump.engine)
            self.abandon()
            if isinstance(error, TimeoutError):
                error.add_note(f"the handshake was in state {self.pump.engine.state}")
            raise

    def _sign(self, wanted: SignatureWanted, deadline: Deadline) -> None:
        """Run a coroutine function that signs. What is to be sent before it leaves with it, as one flight."""
        from pellucid.io.signing import run_signer  # noqa: PLC0415 - asyncio, for who has such a signer

        answer = run_signer(wanted, deadline)
        if self.gone:
            raise _closed()
        with self._lock:
            self.pump.provide(wanted, answer)

    def _flush(self, deadline: Deadline) -> None:
        with self._write_lock:
            self._send_pending(deadline, "the TLS handshake")

    # -- receiving

    def read(self, limit: int, timeout: float | None) -> bytes:
        """Between one byte and ``limit``; b"" after close_notify."""
        with self._read_lock:
            return self.pump.read(limit) if limit and self._data_comes(timeout) else b""

    def read_into(self, view: memoryview, timeout: float | None) -> int:
        """``read`` into ``view``; how many bytes."""
        with self._read_lock:
            return self.pump.read_into(view) if len(view) and self._data_comes(timeout) else 0

    def _data_comes(self, timeout: float | None) -> bool:
        """True when there is data to read, waiting for it if need be; False after the peer's close_notify."""
        pump = self.pump
        deadline = Deadline(timeout)
        while True:
            if pump.readable_bytes:
                return True
            if pump.error is not None:
                self._raise_error()
            if pump.peer_closed:
                return False
            # Before waiting: a KeyUpdate asked for through the engine, an answer to the peer's.
            self._answers_wait = True
            self._send_answers()
            self._receive(deadline, "receiving")

    def _receive(self, deadline: Deadline, what: str) -> None:
        """One read from the network into the engine. The read lock is held."""
        try:
            data = self._read_tcp(deadline, what)
        except ConnectionError as error:
            attach(error, self.pump.engine)
            raise
        self._meter.received_bytes += len(data)
        with self._lock:
            if data:
                self.pump.feed(data)
            else:
                self.pump.feed_eof()

    def _read_tcp(self, deadline: Deadline, what: str) -> bytes:
        while not self.gone:
            try:
                data = self.sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                wait_readable(self.sock, deadline, what)
            else:
                if data or not self.gone:  # the end may be our own close, in another thread
                    return data
        raise _closed()

    # -- sending

    def write_all(self, data: bytes | memoryview, timeout: float | None) -> None:
        """Send all of ``data``, or raise, after which nothing more can be sent."""
        with self._write_lock:
            self._check_sendable()
            with self._lock:
                self.pump.write(data)
            try:
                self._send_pending(Deadline(timeout), "sending")
            except BaseException:
                # The peer must not take what has left for all there is: so no close_notify will follow.
                self._broken = True
                with self._lock:
                    self.pump.drop_backlog()
                raise
            if self.pump.error is not None:  # found by the thread that receives, while this one sent
                raise self.pump.error
        self._send_answers()

    def write_some(self, data: memoryview, timeout: float | None) -> int:
        """Take the first bytes of ``data`` and return how many; raises without having taken any."""
        piece = bytes(data[:PIECE_BYTES])
        with self._write_lock:
            self._check_sendable()
            self._send_pending(Deadline(timeout), "sending")
            with self._lock:
                self.pump.write(piece)
            with suppress(BlockingIOError):
                self._send_pending(Deadline(0), "sending")
        self._send_answers()
        return len(piece)

    def close_write(self, timeout: float | None) -> None:
        """Send close_notify after what was sent."""
        with self._write_lock:
            self._check_sendable()
            with self._lock:
                self.pump.close()
            self._send_pending(Deadline(timeout), "sending close_notify")

    def _check_sendable(self) -> None:
        if self.pump.error is not None:
            raise self.pump.error
        if self._broken:
            raise Misuse(Reason.CONNECTION_CLOSED, "an earlier sendall() failed half way; nothing can follow")

    def _send_pending(self, deadline: Deadline, what: str) -> None:
        """Send all that the engine has to send. The write lock is held."""
        try:
            while True:
                if not self._unsent:
                    with self._lock:
                        out = self.pump.take()
                    if not out:
                        return
                    self._unsent = memoryview(out)
                try:
                    self._unsent = self._unsent[self.sock.send(self._unsent) :]
                except BlockingIOError:
                    wait_writable(self.sock, deadline, what)
        except (BrokenPipeError, ConnectionResetError) as error:
            self._raise_farewell(error)

    def _send_answers(self) -> None:
        """Send what reading made the engine say, if that is possible without waiting for anybody."""
        # Who finds the lock taken leaves: its holder comes here after letting go, and sees the flag.
        while self._answers_wait and not self._broken and self._write_lock.acquire(blocking=False):
            try:
                self._answers_wait = False
                with suppress(BlockingIOError):
                    self._send_pending(Deadline(0), "sending")
            finally:
                self._write_lock.release()

    # -- the end

    def close(self) -> None:
        """Send what can be sent within ``CLOSE_SECONDS`` and a close_notify, then close TCP. Never raises."""
        if self.gone:
            return
        with suppress(OSError):  # the peer may be gone, or not read: then nobody is there to be told
            if not self._broken:
                self._say_last(Deadline(CLOSE_SECONDS))
            # What came meanwhile (often session tickets) is read: closing with unread data sends a RST,
            # which would destroy what we sent and the peer has not read yet.
            self._discard(Deadline(0))
        self.abandon()

    def abandon(self) -> None:
        """Close TCP. Threads that wait for the socket wake up before its number can become another's."""
        if self.gone:
            return
        self.gone = True
        with suppress(OSError):  # the peer has closed it already
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def _say_last(self, deadline: Deadline) -> None:
        """Send what waits and an alert: the engine's if it failed, else close_notify. End our TCP stream."""
        if not self._write_lock.acquire(timeout=deadline.left() or 0.0):
            return  # another thread is stuck in the middle of a record
        try:
            with self._lock:
                self.pump.close()
            self._send_pending(deadline, "sending the last alert")
            self.sock.shutdown(socket.SHUT_WR)
        finally:
            self._write_lock.release()

    def _discard(self, deadline: Deadline) -> None:
        """Read and forget until the peer's TCP end, the deadline, or ``LINGER_BYTES``."""
        size = 0
        while size < LINGER_BYTES:
            try:
                more = len(self.sock.recv(RECEIVE_BYTES))
            except BlockingIOError:
                wait_readable(self.sock, deadline, "waiting for the peer's end")
                continue
            if not more:
                return
            size += more

    def _raise_error(self) -> NoReturn:
        """Bring the alert on its way, close, and raise the engine's error. The read lock is held."""
        error = self.pump.error
        assert error is not None
        if not self.gone:
            deadline = Deadline(LINGER_SECONDS)
            with suppress(OSError):  # who cannot be told is not told; the error is what matters
                self._say_last(deadline)
                if self.pump.should_linger:
                    self._discard(deadline)
            self.abandon()
        raise error

    def _raise_farewell(self, error: OSError) -> NoReturn:
        """The peer no longer takes data: raise what it said last if that says why, else ``error``."""
        if self._read_lock.acquire(blocking=False):
            try:
                with suppress(OSError):
                    while self.pump.error is None and (data := self.sock.recv(RECEIVE_BYTES)):
                        with self._lock:
                            self.pump.feed(data)
            finally:
                self._read_lock.release()
        if self.pump.error is not None:
            raise self.pump.error from error
        attach(error, self.pump.engine)
        raise error


def _closed() -> OSError:
    """By another thread of ours."""
    return OSError(errno.EBADF, "the connection was closed")
