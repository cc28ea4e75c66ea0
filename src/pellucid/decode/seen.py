"""What a connection shows to everybody: who spoke when, which records, of which length, and how it ended."""

from __future__ import annotations

from typing import Final

from pellucid.codes import ContentType
from pellucid.decode.speaker import ObservedRecord
from pellucid.messages import ClientHello, NewSessionTicket
from pellucid.plain import plain
from pellucid.record.limits import HEADER_LENGTH
from pellucid.trace.events import Side

__all__ = ["Seen", "Turn"]

#: Messages of which the names are remembered. A handshake's are among the first.
MAX_REMEMBERED = 64

#: The same for turns under protection; and for the lengths of records that may be alerts.
MAX_TURNS = 16

#: Of a connection: with a HelloRetryRequest there are two, and a renegotiation has one of its own.
MAX_HELLOS = 4

# RFC 9846 5.2: an alert in a protected record is 2 bytes, a type, and a tag of 16 (8 for one suite). Few hide
# its length; a Finished, which may come in its place, has 36 bytes or more where that has 2.
_ALERT_LENGTHS: Final = (19, 11)
_FINISHED_LENGTHS: Final = frozenset(4 + mac + 1 + tag for mac in (32, 48) for tag in (16, 8))

_HANDSHAKE = int(ContentType.handshake)
_ALERT = int(ContentType.alert)
_CHANGE_CIPHER_SPEC = int(ContentType.change_cipher_spec)
_APPLICATION_DATA = int(ContentType.application_data)


@plain
class Turn:
    """Records under protection that one side sent while the other was silent; alerts are none of them.

    ``has_finished``: one of them is as long as a Finished is that stands alone.
    """

    side: Side
    records: int = 0
    has_finished: bool = False


class Seen:
    """The evidence for how a connection ended, where nobody says so.

    ``missing``: whose bytes are not all in the capture. ``began_late``: it has no ClientHello of the
    connection. ``turns``: who spoke under protection, one after the other. ``alerts``: lengths of what each
    side sent that stayed closed and is, or is as long as, an alert. ``changed``: who has sent a
    ChangeCipherSpec; ``finished12``: and a handshake message after it, as up to TLS 1.2. ``in_clear``: who
    has sent one before. ``fatal``: who sent which fatal alert, the first one.
    """

    def __init__(self) -> None:
        self.missing: set[Side] = set()
        self.began_late = False
        self.spoke: set[Side] = set()
        self.records = 0
        self.turns: list[Turn] = []
        self.alerts: dict[Side, list[int]] = {"client": [], "server": []}
        self.changed: set[Side] = set()
        self.finished12: set[Side] = set()
        self.in_clear: set[Side] = set()
        self.fatal: tuple[Side, int] | None = None
        self.hellos: list[bytes] = []
        self.messages: list[tuple[Side, str]] = []
        self.not_tls: dict[Side, bytes] = {}
        #: Who has sent data that was opened.
        self.data: set[Side] = set()

    def record(self, side: Side, record: ObservedRecord) -> bool:
        """Take a record; whether it says something under protection that is no alert."""
        self.records += 1
        self.spoke.add(side)
        if record.raw[0] == _HANDSHAKE:
            is_protected = side in self.changed and record.encrypted and not _is_hello(record.raw)
            (self.finished12 if is_protected else self.in_clear).add(side)
        elif record.content_type == _CHANGE_CIPHER_SPEC:
            self.changed.add(side)
        elif record.content_type == _APPLICATION_DATA and not record.is_closed:
            self.data.add(side)
        if not record.encrypted or record.content_type == _CHANGE_CIPHER_SPEC:
            return False
        length = len(record.raw) - HEADER_LENGTH
        if record.content_type == _ALERT or (record.is_closed and length in _ALERT_LENGTHS):
            if record.is_closed and len(self.alerts[side]) < MAX_TURNS:
                self.alerts[side].append(length)
            return False
        if record.raw[0] == _APPLICATION_DATA:
            self._take_turn(side, length)
        return True

    def _take_turn(self, side: Side, length: int) -> None:
        if not self.turns or self.turns[-1].side != side:
            if len(self.turns) == MAX_TURNS:
                return
            self.turns.append(Turn(side))
        turn = self.turns[-1]
        turn.records += 1
        turn.has_finished = turn.has_finished or length in _FINISHED_LENGTHS

    def message(self, side: Side, name: str, raw: bytes) -> None:
        if name == ClientHello.name and side == "client" and len(self.hellos) < MAX_HELLOS:
            self.hellos.append(raw)
        if len(self.messages) < MAX_REMEMBERED:
            self.messages.append((side, name))

    def has_gone_on(self, side: Side) -> bool:
        """Whether ``side`` has sent what only comes behind the handshake."""
        return side in self.data or (side, NewSessionTicket.name) in self.messages

    @property
    def answered(self) -> list[Turn]:
        """The turns from the server's flight on: what a client said before is early data."""
        turns = self.turns
        while turns and turns[0].side == "client":
            turns = turns[1:]
        return turns

    @property
    def client_has_gone_on(self) -> bool:
        """Whether the client has said something to the server's answer that is no alert."""
        said = any(side == "client" and name != ClientHello.name for side, name in self.messages)
        return said or any(turn.side == "client" for turn in self.answered) or "client" in self.finished12

    def alert(self, side: Side, description: int, *, fatal: bool) -> None:
        if fatal and self.fatal is None:
            self.fatal = side, description


def _is_hello(record: bytes) -> bool:
    """Whether it is a hello in the clear: in TLS 1.3 one may come behind a ChangeCipherSpec."""
    fragment = record[HEADER_LENGTH:]
    return fragment[:1] in (b"\1", b"\2") and int.from_bytes(fragment[1:4]) == len(fragment) - 4
