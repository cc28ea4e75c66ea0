"""TLSSocket: a TLS connection with the methods of a blocking socket.

Threads. Any thread may call any method. Calls that do the same (two ``recv``, two ``sendall``) wait for each
other; one thread may receive while another sends, and neither waits for the other. ``close`` in a third
thread ends both with an ``OSError``. The engine (``connection``) itself is not thread-safe: read from it
what you like, but call its methods only while no other thread uses the socket.
"""

from __future__ import annotations

import errno
import socket
from typing import IO, TYPE_CHECKING, Any, Self

from pellucid.errors import Misuse, Reason
from pellucid.io.duplex import Duplex
from pellucid.io.files import open_file
from pellucid.io.waiting import Deadline

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer, WriteableBuffer

    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.result import Negotiated


class TLSSocket:
    """One TLS connection. Made by ``connect`` and ``TLSListener.accept``.

    A context manager: leaving it closes the connection. ``TLSError`` means that TLS failed (the alert has
    been sent by then), ``TimeoutError`` that a call took longer than the timeout, another ``OSError`` that
    TCP failed.
    """

    def __init__(
        self, sock: socket.socket, engine: ClientConnection | ServerConnection, *, timeout: float | None
    ) -> None:
        self._duplex = Duplex(sock, engine)
        self._timeout = timeout
        self._closed = False  # by ``close``; files made from the socket may go on
        self._files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.connection.state
        return f"<TLSSocket fd={self.fileno()} {state}>"

    # -- what it is

    @property
    def connection(self) -> ClientConnection | ServerConnection:
        """The engine: its trace, exporter, state. See the module's docstring on threads."""
        return self._duplex.pump.engine

    @property
    def negotiated(self) -> Negotiated:
        """What the handshake agreed on: protocol, cipher suite, group, ALPN, the peer's chain."""
        negotiated = self.connection.negotiated
        if negotiated is None:
            raise Misuse(
                Reason.HANDSHAKE_NOT_COMPLETE, "nothing is agreed on before the handshake is complete"
            )
        return negotiated

    def fileno(self) -> int:
        """The file descriptor, -1 once closed. Readable is not the same as having data: see ``pending``."""
        return self._duplex.sock.fileno()

    def getpeername(self) -> Any:  # whatever the address family says
        """The peer's TCP address."""
        return self._duplex.sock.getpeername()

    def getsockname(self) -> Any:
        """Our TCP address."""
        return self._duplex.sock.getsockname()

    def gettimeout(self) -> float | None:
        """Seconds that a call may take; None for no limit."""
        return self._timeout

    def settimeout(self, seconds: float | None) -> None:
        """Let each later call take so long as a whole; None: no limit; 0: raise BlockingIOError at once."""
        if seconds is not None and seconds < 0:
            raise ValueError("a timeout is not negative")
        self._timeout = seconds

    def pending(self) -> int:
        """How many bytes ``recv`` can give without reading from the network."""
        return self._duplex.pump.readable_bytes

    # -- handshake

    def handshake(self) -> None:
        """Do the handshake, as a whole within the socket's timeout; return at once if it has been done.

        ``connect`` and ``accept`` do this. It is called by hand after ``accept(handshake=False)``. If it
        fails, the connection is closed.
        """
        self.handshake_until(Deadline(self._timeout))

    def handshake_until(self, deadline: Deadline) -> None:
        """``handshake`` with a deadline that began earlier."""
        try:
            self._duplex.handshake(deadline)
        finally:
            self._closed = self._duplex.gone

    # -- data

    def recv(self, limit: int) -> bytes:
        """At least one byte and at most ``limit`` bytes of data; b"" once the peer has sent close_notify.

        A TCP end without close_notify raises ``PeerMisbehaved`` with ``Reason.TRUNCATED``: somebody on the
        path may have cut the data short. What arrived before it is given first.
        """
        if limit < 0:
            raise ValueError("a number of bytes is not negative")
        self._check_usable()
        return self._duplex.read(limit, self._timeout)

    def recv_into(self, buffer: WriteableBuffer, limit: int = 0) -> int:
        """``recv`` into ``buffer``, at most ``limit`` bytes of it if given; how many bytes, 0 at the end."""
        self._check_usable()
        return self.read_into(memoryview(buffer).cast("B")[: limit or None])

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of ``data``. If it raises, part of it may have left, and nothing more can be sent."""
        self._check_usable()
        view = data if isinstance(data, bytes) else memoryview(data).cast("B")
        self._duplex.write_all(view, self._timeout)

    def send(self, data: ReadableBuffer) -> int:
        """Send the first bytes of ``data`` and return how many: up to 48 KiB.

        If it raises ``TimeoutError`` or ``BlockingIOError``, nothing of ``data`` was taken.
        """
        self._check_usable()
        return self.write_some(memoryview(data).cast("B"))

    def shutdown(self, how: int = socket.SHUT_WR) -> None:
        """Close our side: a close_notify follows what was sent. ``SHUT_WR``: receiving goes on as before.

        ``SHUT_RDWR`` ends the TCP connection as well, but keeps the descriptor. TLS cannot close the
        reading side alone.
        """
        if how not in {socket.SHUT_WR, socket.SHUT_RDWR}:
            raise ValueError("TLS closes the side that sends (SHUT_WR), or both (SHUT_RDWR)")
        self._check_usable()
        self._duplex.close_write(self._timeout)
        if how == socket.SHUT_RDWR:
            self._duplex.sock.shutdown(how)

    def close(self) -> None:
        """Send close_notify after what was sent, and close TCP, within five seconds, whatever the peer does.

        It does not wait for the peer's close_notify: use ``shutdown`` and read to the end for that.
        """
        self._closed = True
        if not self._files:
            self._duplex.close()

    def _check_usable(self) -> None:
        # After an error every call raises that error again, which says more than that we have closed.
        if self._closed and self._duplex.pump.error is None:
            raise OSError(errno.EBADF, "the connection is closed")

    # -- files

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """A file over the connection, as ``socket.makefile`` makes it; closing it leaves the socket open.

        As with sockets, the connection stays until ``close`` has been called and all its files are closed.
        """
        self._check_usable()
        made = open_file(self, mode, buffering, encoding=encoding, errors=errors, newline=newline)
        self._files += 1
        return made

    def read_into(self, view: memoryview) -> int:
        """``recv_into`` for files, which outlive ``close``."""
        return self._duplex.read_into(view, self._timeout)

    def write_some(self, view: memoryview) -> int:
        """``send`` for files, which outlive ``close``."""
        return self._duplex.write_some(view, self._timeout)

    def file_closed(self) -> None:
        """One file has been closed."""
        self._files -= 1
        if self._closed and not self._files:
            self._duplex.close()
