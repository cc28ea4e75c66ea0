"""The part of a driver that is the same for blocking sockets and asyncio.

An engine turns bytes into events and plaintext into records. A driver moves bytes. Between them stand
four small duties, and this is the one place for them: sort the engine's events into state and data,
hold received data until it is asked for, hold data to send until the network wants it, and turn an
error into state, so that the driver can send the alert before it raises.

    network --feed--> engine --> received --read--> application
    network <--take-- engine <-- backlog <--write-- application

Data to send is handed to the engine only when ``take`` is called and the engine has nothing else to say, so
that a megabyte that waits for a slow peer is never sealed, joined or copied ahead of time. The engine keeps
``bytes`` as they are and seals from them piece by piece; of anything mutable it makes a copy, so that is
handed over in pieces of ``PIECE_BYTES``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from pellucid.alerts import alert_for
from pellucid.errors import Misuse, Reason, TLSError
from pellucid.events import DataReceived, HandshakeCompleted, PeerClosed, SignatureWanted, StatusWanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.events import Event

# Three full records. Sealed, they fit in the 64 KiB that an engine gives out at a time, so that nothing
# of a piece stays behind in the engine.
PIECE_BYTES = 3 * 16384

# How much is asked of a socket in one read: seven records. Measured over loopback, receiving costs a quarter
# less CPU than with 64 KiB, since fewer records come in two parts; 256 KiB is no better.
RECEIVE_BYTES = 131072


class Pump:
    """Moves data between one engine, one application and one network, and does no IO itself.

    Not thread-safe: the blocking driver holds a lock around every call.
    """

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_close_notify_queued",
        "_closing",
        "_engine_bytes",
        "_head",
        "engine",
        "error",
        "established",
        "peer_closed",
        "readable_bytes",
        "received",
        "tcp_ended",
        "wanted",
    )

    def __init__(self, engine: ClientConnection | ServerConnection) -> None:
        self.engine = engine
        self.error: TLSError | None = None  # once set, nothing more is decrypted; only an alert may leave
        self.established = False
        self.wanted: SignatureWanted | StatusWanted | None = None  # the handshake waits for it
        self.peer_closed = False  # close_notify has come
        self.tcp_ended = False  # the network says there is no more
        self.received: deque[bytes] = deque()
        self.readable_bytes = 0  # received and not yet read
        self._backlog_bytes = 0  # written and not yet given to the engine
        self._engine_bytes = 0  # given to the engine and, by our count, not yet taken
        self._head = memoryview(b"")  # what is left of a chunk that was read in part
        self._backlog: deque[bytes | memoryview] = deque()
        self._closing = False
        self._close_notify_queued = False

    # -- from the network

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes from the network. A ``TLSError`` is not raised but kept in ``error``."""
        if self.error is not None:
            return
        try:
            events = self.engine.receive_data(data)
        except TLSError as error:
            self._fail(error)
        else:
            self._sort(events)

    def feed_eof(self) -> None:
        """The TCP stream ended. Without a close_notify before it, that is a truncation: an error."""
        self.tcp_ended = True
        if self.error is not None or self.peer_closed:
            return
        try:
            self._sort(self.engine.receive_eof())
        except TLSError as error:
            self._fail(error)

    def provide(self, wanted: SignatureWanted | StatusWanted, answer: bytes | BaseException | None) -> None:
        """Go on with a signature, or with what its signer raised; or with what authorities said, where they
        were asked (None). A ``TLSError`` is kept in ``error``.
        """
        if self.error is not None or self.wanted is not wanted:
            return  # the connection has ended meanwhile
        self.wanted = None
        try:
            self._sort(self._answered(wanted, answer))
        except TLSError as error:
            self._fail(error)

    def _answered(self, wanted: SignatureWanted | StatusWanted, answer: Any) -> Iterable[Event]:
        refused = isinstance(answer, BaseException)
        if isinstance(wanted, StatusWanted):
            if refused:
                wanted.refuse(answer)
            return self.engine.take_status()
        if refused:
            self.engine.refuse_signature(answer)
        return self.engine.provide_signature(answer)

    @property
    def should_linger(self) -> bool:
        """Whether the peer is owed an alert, and may be in the middle of sending when it comes."""
        return self.error is not None and not self.tcp_ended and alert_for(self.error) is not None

    def _sort(self, events: Iterable[Event]) -> None:
        for event in events:
            if type(event) is DataReceived:
                self.received.append(event.data)
                self.readable_bytes += len(event.data)
            elif type(event) is HandshakeCompleted:
                self.established = True
            elif type(event) is PeerClosed:
                self.peer_closed = True
            elif type(event) is SignatureWanted or type(event) is StatusWanted:
                self.wanted = event

    def _fail(self, error: TLSError) -> None:
        self._sort(error.events)  # what came before the fault is as good as if the fault had come later
        self.error = error
        self.drop_backlog()

    # -- to the application

    def read(self, limit: int) -> bytes:
        """Up to ``limit`` bytes of received data; b"" when there is none. Whole chunks are not copied."""
        if not self._head:
            if not self.received:
                return b""
            chunk = self.received.popleft()
            if len(chunk) <= limit:
                self.readable_bytes -= len(chunk)
                return chunk
            self._head = memoryview(chunk)
        data = bytes(self._head[:limit])
        self._head = self._head[limit:]
        self.readable_bytes -= len(data)
        return data

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` (of single bytes) as far as received data reaches; how many bytes that were."""
        filled = 0
        while filled < len(buffer):
            if not self._head:
                if not self.received:
                    break
                self._head = memoryview(self.received.popleft())
            part = self._head[: len(buffer) - filled]
            buffer[filled : filled + len(part)] = part
            self._head = self._head[len(part) :]
            filled += len(part)
        self.readable_bytes -= filled
        return filled

    def next_chunk(self) -> bytes:
        """The oldest chunk of received data as the engine gave it. Not to be mixed with ``read``."""
        chunk = self.received.popleft()
        self.readable_bytes -= len(chunk)
        return chunk

    # -- from the application

    def write(self, data: bytes | memoryview) -> None:
        """Queue application data (views: of single bytes). It is referred to until ``take`` has sealed it."""
        if self._closing:
            raise Misuse(Reason.CONNECTION_CLOSED, "data cannot be sent after the write side was closed")
        if data:
            self._backlog.append(data)
            self._backlog_bytes += len(data)

    @property
    def unsent_bytes(self) -> int:
        """How much was written and not taken; up to a record's overhead too little for each record taken."""
        return self._backlog_bytes + self._engine_bytes

    def own_backlog(self) -> None:
        """Copy what is still only referred to, so that the caller may change it."""
        self._backlog = deque(data if isinstance(data, bytes) else bytes(data) for data in self._backlog)

    def drop_backlog(self) -> None:
        """Forget what was written and not yet taken."""
        self._backlog.clear()
        self._backlog_bytes = 0

    def close(self) -> None:
        """After what is queued, a close_notify leaves, and then nothing more."""
        self._closing = True

    @property
    def closing(self) -> bool:
        """True once ``close`` was called: nothing more may be written."""
        return self._closing

    # -- to the network

    def take(self) -> bytes:
        """The next bytes for the network, at most 64 KiB; b"" when there is nothing to send now."""
        engine = self.engine
        out = engine.data_to_send()
        if not out and self.error is None:
            if self._backlog:
                engine.send_data(self._next_piece())
            elif self._closing and not self._close_notify_queued:
                self._close_notify_queued = True
                engine.close()
            else:
                self._engine_bytes = 0
                return b""
            out = engine.data_to_send()
        self._engine_bytes = max(0, self._engine_bytes - len(out))
        return out

    def _next_piece(self) -> bytes | memoryview:
        """What to give the engine next. Small writes are joined: a record for each would cost more."""
        piece = self._backlog[0]
        if len(piece) > PIECE_BYTES and not isinstance(piece, bytes):
            self._backlog[0] = piece[PIECE_BYTES:]
            piece = piece[:PIECE_BYTES]
        else:
            self._backlog.popleft()
            if self._backlog and len(piece) + len(self._backlog[0]) <= PIECE_BYTES:
                piece = self._join_small(piece)
        self._backlog_bytes -= len(piece)
        self._engine_bytes = len(piece)
        return piece

    def _join_small(self, first: bytes | memoryview) -> bytes:
        parts = [first]
        size = len(first)
        while self._backlog and size + len(self._backlog[0]) <= PIECE_BYTES:
            part = self._backlog.popleft()
            parts.append(part)
            size += len(part)
        return b"".join(parts)
