"""What is known of a connection when it fails: small, typed, and without secrets.

``gather`` in ``driver/`` makes it of a live connection, ``from_events`` of a trace. It holds the few messages
that can tell why, as they were on the wire; they are read when somebody asks for the diagnosis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.codes import AlertDescription, AlertLevel
from pellucid.trace.events import (
    AlertEvent,
    ChoiceEvent,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    Side,
    StateEvent,
    UnreadEvent,
)
from pellucid.trace.texts import NOWHERE, Place

__all__ = ["ALERT", "TELLING", "Choice", "Circumstances", "Evidence", "Spoken", "from_events", "kept"]

#: What an alert is called among the messages.
ALERT = "alert"

#: The messages whose bytes are kept: what was offered, chosen and asked for.
TELLING = frozenset({ALERT, "ClientHello", "ServerHello", "HelloRetryRequest", "CertificateRequest"})

#: Enough to recognise what is spoken in the place of TLS.
MOST_FIRST_BYTES = 64


@dataclass(frozen=True, slots=True)
class Spoken:
    """One handshake message, or an alert. ``raw``: its bytes, b"" where they would tell nothing."""

    direction: str
    name: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that had to be chosen: what this side has, what the other has, and what came of it."""

    what: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    chosen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the network knows. None: nobody has measured it.

    ``received_bytes`` is all that came, records and what is none. ``seconds`` have passed since the handshake
    began. ``round_trip_seconds`` is TCP's, ``segment_bytes`` the most that one packet carries. ``address`` is
    the peer's.
    """

    received_bytes: int | None = None
    seconds: float | None = None
    round_trip_seconds: float | None = None
    segment_bytes: int | None = None
    address: tuple[str, int | str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One side's view of a connection, up to its failure.

    ``began``: a record went out or came in, so that there was more than TCP. ``completed``: for this side the
    handshake was complete. ``state`` is where it waited, by RFC 9846 appendix A's name. ``unread`` is the
    start of what came and was no record. ``accepts`` are a server's lists by what is chosen from them, as
    names. ``credentials`` are the subjects of this side's certificates, ``issuers`` the DER names of who
    issued them. ``trust`` says where the trusted roots came from. ``chain`` is what the peer showed (DER,
    leaf first), kept where it was refused; ``now`` the POSIX seconds by which it was judged. ``place`` is
    host and port of the server.
    """

    side: Side = "client"
    messages: tuple[Spoken, ...] = ()
    choices: tuple[Choice, ...] = ()
    began: bool = False
    completed: bool = False
    state: str = ""
    unread: bytes = b""
    accepts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    credentials: tuple[str, ...] = ()
    issuers: frozenset[bytes] = frozenset()
    trust: str = ""
    server_name: str = ""
    chain: tuple[bytes, ...] = ()
    now: float | None = None
    circumstances: Circumstances = Circumstances()
    place: Place = NOWHERE

    # -- what follows from the messages

    def has(self, direction: str, *names: str) -> bool:
        """Whether one of these messages went that way."""
        return any(spoken.direction == direction and spoken.name in names for spoken in self.messages)

    def last(self, name: str) -> Spoken | None:
        """The last message of this name, whoever sent it."""
        return next((spoken for spoken in reversed(self.messages) if spoken.name == name), None)

    @property
    def heard(self) -> bool:
        """Whether a message of the peer's has come."""
        return any(s.direction == "received" and s.name != ALERT for s in self.messages)

    @property
    def agreed(self) -> bool:
        """Whether there is a ServerHello: version and suite had been found, and in TLS 1.3 a group. Of a
        handshake that is complete it is not kept.
        """
        return self.completed or self.has("sent", "ServerHello") or self.has("received", "ServerHello")

    @property
    def was_asked(self) -> bool:
        """Whether this side, a client, was asked for a certificate."""
        return self.has("received", "CertificateRequest")

    @property
    def had_none(self) -> bool:
        """Whether it was asked for one, and had none to show."""
        shown = self.choice("client_certificate")
        return shown is not None and not shown.chosen

    def choice(self, what: str) -> Choice | None:
        """The last one about this: a server of TLS 1.2 looks for a certificate for one suite after the
        other.
        """
        return next((choice for choice in reversed(self.choices) if choice.what == what), None)


def kept(direction: str, name: str, raw: bytes) -> Spoken:
    """A message as it is kept."""
    return Spoken(direction, name, raw if name in TELLING else b"")


def from_events(events: Sequence[Event], side: Side, place: Place = NOWHERE) -> Evidence:
    """What a trace tells of one side of a connection."""
    own = [event for event in events if event.side == side]
    choices = tuple(Choice(e.what, e.ours, e.theirs, e.chosen) for e in own if isinstance(e, ChoiceEvent))
    unread = [event.raw for event in own if isinstance(event, UnreadEvent)]
    states = [event.name for event in own if isinstance(event, StateEvent)]
    return Evidence(
        side=side,
        messages=tuple(filter(None, map(_spoken, own))),
        choices=choices,
        began=any(isinstance(event, RecordEvent) for event in own),
        completed=any(isinstance(e, OutcomeEvent) and e.status == "connected" for e in own),
        state=states[-1] if states else "",
        unread=unread[-1][:MOST_FIRST_BYTES] if unread else b"",
        place=place,
    )


def _spoken(event: Event) -> Spoken | None:
    match event:
        case MessageEvent():
            return kept(event.direction, event.name, event.raw)
        case AlertEvent():
            level = AlertLevel.__members__.get(event.level)
            description = AlertDescription.__members__.get(event.description)
            if level is None or description is None:
                return Spoken(event.direction, ALERT)
            return Spoken(event.direction, ALERT, bytes((level, description)))
    return None
