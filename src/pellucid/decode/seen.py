"""What a connection shows to everybody: who spoke when, which records, of which length, and how it ended."""

from __future__ import annotations

from pellucid.codes import ContentType
from pellucid.decode.speaker import ObservedRecord
from pellucid.messages import ClientHello, NewSessionTicket
from pellucid.record.limits import HEADER_LENGTH
from pellucid.trace.events import Side

__all__ = ["Closed", "Seen"]

#: Records that stay closed: what is remembered of them. A handshake's are among the first.
MAX_REMEMBERED = 64

#: Of a connection: with a HelloRetryRequest there are two, and a renegotiation has one of its own.
MAX_HELLOS = 4

Closed = tuple[Side, int, int]


class Seen:
    """The evidence for how a connection ended, where nobody says so.

    ``closed``: sender, outer type and length of the fragment of the first records that stayed closed;
    ``changed``: who has sent a ChangeCipherSpec. ``fatal``: who sent which fatal alert, the first one.
    """

    def __init__(self) -> None:
        self.spoke: set[Side] = set()
        self.records = 0
        self.closed: list[Closed] = []
        self.changed: set[Side] = set()
        self.fatal: tuple[Side, int] | None = None
        self.said_goodbye: set[Side] = set()
        self.hellos: list[bytes] = []
        self.messages: list[tuple[Side, str]] = []
        self.not_tls: dict[Side, bytes] = {}
        #: Who has sent data that was opened.
        self.data: set[Side] = set()
        self.last_speaker: Side | None = None

    def record(self, side: Side, record: ObservedRecord) -> None:
        self.records += 1
        self.spoke.add(side)
        self.last_speaker = side
        if record.is_closed:
            if len(self.closed) < MAX_REMEMBERED:
                self.closed.append((side, record.content_type, len(record.raw) - HEADER_LENGTH))
        elif record.content_type == ContentType.change_cipher_spec:
            self.changed.add(side)
        elif record.content_type == ContentType.application_data:
            self.data.add(side)

    def message(self, side: Side, name: str, raw: bytes) -> None:
        if name == ClientHello.name and side == "client" and len(self.hellos) < MAX_HELLOS:
            self.hellos.append(raw)
        if len(self.messages) < MAX_REMEMBERED:
            self.messages.append((side, name))

    def has_gone_on(self, side: Side) -> bool:
        """Whether ``side`` has sent what only comes behind the handshake."""
        return side in self.data or (side, NewSessionTicket.name) in self.messages

    def alert(self, side: Side, description: int, *, fatal: bool) -> None:
        if fatal and self.fatal is None:
            self.fatal = side, description
        if not fatal:
            self.said_goodbye.add(side)
