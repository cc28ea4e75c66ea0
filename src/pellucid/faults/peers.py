"""Servers without sockets: what they say to a client's bytes, and how they end the connection."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from pellucid.codes import AlertDescription, ContentType, name_of
from pellucid.connection import ServerConnection
from pellucid.errors import AlertReceived, TLSError
from pellucid.events import DataReceived, Event, HandshakeCompleted, PeerClosed
from pellucid.faults.tampering import STOPPED

if TYPE_CHECKING:
    from pellucid.trace import Trace

__all__ = ["Ending", "Lossy", "Peer", "Script", "Sieve", "Speaker", "damaged"]

#: A request is read so far, and what comes behind that does not matter: the answer is the same.
_MOST_REQUEST_BYTES = 2**14

#: The bytes in front of a record's content: type, version, length.
_RECORD_HEADER = 5


class Ending(StrEnum):
    """How TCP ends once there is nothing left to send."""

    CLOSE = "close"
    RESET = "reset"


class Peer:
    """One connection's server. This one hears everything and says nothing."""

    #: None: the connection stays open, until the client ends it.
    ending: Ending | None = None

    def data_to_send(self) -> bytes:
        """All that is to be sent now."""
        return b""

    def receive_data(self, data: bytes) -> None:
        """Bytes of the client's. Never raises for what they say."""

    def receive_eof(self) -> None:
        """The client has closed its side, or all of it."""
        self.ending = self.ending or Ending.CLOSE

    def told(self) -> str:
        """What the client did, for the server's log; "" where nothing can be said."""
        return ""

    @property
    def trace(self) -> Trace | None:
        """What was recorded, of a peer that speaks TLS and was told to record."""
        return None


class Script(Peer):
    """Says ``greeting`` at once, and ``answer`` to the client's first bytes, whatever they are; then ends."""

    def __init__(self, answer: bytes = b"", ending: Ending | None = None, *, greeting: bytes = b"") -> None:
        self._unsent = greeting
        self._answer = answer
        self._then = ending
        self._answered = False

    def data_to_send(self) -> bytes:
        unsent, self._unsent = self._unsent, b""
        return unsent

    def receive_data(self, data: bytes) -> None:
        if data and not self._answered:
            self._answered = True
            self._unsent += self._answer
            self.ending = self._then


class Sieve(Peer):
    """Is silent to a client whose first record is longer than ``most`` bytes; the rest get ``other``."""

    def __init__(self, most: int, other: Callable[[], Peer]) -> None:
        self._most = most
        self._other = other
        self._start = b""
        self._chosen: Peer | None = None

    def data_to_send(self) -> bytes:
        sent = self._chosen.data_to_send() if self._chosen else b""
        self._end_as_chosen()
        return sent

    def receive_data(self, data: bytes) -> None:
        if self._chosen is None:
            self._start += data
            if len(self._start) < _RECORD_HEADER:
                return
            length = int.from_bytes(self._start[3:_RECORD_HEADER], "big")
            self._chosen = Peer() if length > self._most else self._other()
            data, self._start = self._start, b""
        self._chosen.receive_data(data)
        self._end_as_chosen()

    def receive_eof(self) -> None:
        if self._chosen is None:
            super().receive_eof()
        else:
            self._chosen.receive_eof()
            self._end_as_chosen()

    def _end_as_chosen(self) -> None:
        if self._chosen is not None:
            self.ending = self._chosen.ending

    def told(self) -> str:
        return self._chosen.told() if self._chosen else ""

    @property
    def trace(self) -> Trace | None:
        return self._chosen.trace if self._chosen else None


class Lossy(Peer):
    """The first ``most`` bytes that ``other`` says come through, and no more; nothing is heard of that."""

    def __init__(self, most: int, other: Peer) -> None:
        self._left = most
        self._other = other

    def data_to_send(self) -> bytes:
        said = self._other.data_to_send()[: self._left]
        self._left -= len(said)
        return said

    def receive_data(self, data: bytes) -> None:
        self._other.receive_data(data)

    def told(self) -> str:
        return self._other.told()

    @property
    def trace(self) -> Trace | None:
        return self._other.trace


class Speaker(Peer):
    """Speaks TLS, by an engine that may be tampered with, and answers one request with ``answer``.

    ``spoil`` changes what goes over the wire. ``cut``: where the server breaks off without close_notify,
    "before" its answer or "inside" it. ``stopped``: how TCP ends when a tampered flow stops; None: it does
    not, and nothing more is said.
    """

    def __init__(
        self,
        engine: ServerConnection,
        answer: bytes,
        *,
        spoil: Callable[[bytes], bytes] | None = None,
        cut: str = "",
        stopped: Ending | None = None,
    ) -> None:
        self.engine = engine
        self._answer = answer
        self._spoil = spoil
        self._cut = cut
        self._stopped = stopped
        self._request = b""
        self._left = False

    def data_to_send(self) -> bytes:
        pieces = []
        while piece := self._take():
            pieces.append(self._spoil(piece) if self._spoil else piece)
        return b"".join(pieces)

    def _take(self) -> bytes:
        try:
            return self.engine.data_to_send()
        except TLSError:
            self.ending = Ending.CLOSE
            return b""

    def receive_data(self, data: bytes) -> None:
        try:
            events = self.engine.receive_data(data)
        except TLSError as error:
            events = list(error.events)
            self.ending = Ending.CLOSE
        for event in events:
            self._on_event(event)
        if self.engine.state == STOPPED and self._stopped is not None:
            self.ending = self._stopped

    def _on_event(self, event: Event) -> None:
        match event:
            case HandshakeCompleted() if self._cut == "before":
                self.ending = Ending.CLOSE
            case DataReceived() if self.ending is None:
                self._request += event.data[:_MOST_REQUEST_BYTES]
                if b"\r\n\r\n" in self._request or len(self._request) >= _MOST_REQUEST_BYTES:
                    self._reply()
            case PeerClosed():
                self.engine.close()
                self.ending = Ending.CLOSE

    def _reply(self) -> None:
        self.ending = Ending.CLOSE
        if self.engine.state == "CLOSED":
            return  # in TLS 1.2 a client that says its last word with its request wants no answer
        if self._cut == "inside":
            self.engine.send_data(self._answer[: len(self._answer) // 2])
        else:
            self.engine.send_data(self._answer)
            self.engine.close()

    def receive_eof(self) -> None:
        self._left = self.engine.failure is None and not self.engine.peer_closed
        self.ending = self.ending or Ending.CLOSE

    def told(self) -> str:
        failure = self.engine.failure
        if isinstance(failure, AlertReceived):
            return f"the client refused with the alert {name_of(failure.description, AlertDescription)}"
        if failure is not None:
            return f"the server ended it: {failure}"
        if self._request:
            return f"the client noticed nothing, and sent {len(self._request):,} bytes"
        if self.engine.handshake_complete:
            return "the client completed the handshake, and left without asking for anything"
        return "the client left without a word" if self._left else ""

    @property
    def trace(self) -> Trace | None:
        return self.engine.trace


def damaged(data: bytes) -> bytes:
    """The first protected record of TLS 1.3 in ``data`` with its last bit turned over, and all else."""
    position, spoiled = 0, bytearray(data)
    while position + _RECORD_HEADER <= len(data):
        end = position + _RECORD_HEADER + int.from_bytes(data[position + 3 : position + 5], "big")
        if data[position] == ContentType.application_data and end <= len(data):
            spoiled[end - 1] ^= 1
            break
        position = end
    return bytes(spoiled)
