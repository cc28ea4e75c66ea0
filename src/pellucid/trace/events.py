"""The kinds of events in a trace: one frozen value for each thing that happened.

Every event says when (``n`` from 1, ``time_us`` since the trace began), on whose side it was seen
("client" or "server"), and by its type what it was. Values that must stay secret are ``Redacted``
unless the trace was told to reveal them, and are never part of a repr in either case.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pellucid.messages import Field, describe

if TYPE_CHECKING:
    from pellucid.trace.failure import Diagnosis
    from pellucid.wire import Wire

__all__ = [
    "AlertEvent",
    "CertificateEvent",
    "CertificateSummary",
    "CheckEvent",
    "ChoiceEvent",
    "DataEvent",
    "Event",
    "KeysEvent",
    "MessageEvent",
    "OutcomeEvent",
    "RecordEvent",
    "Redacted",
    "SealedEvent",
    "SecretEvent",
    "Side",
    "StateEvent",
    "Status",
    "UnreadEvent",
    "other_side",
]

Side = Literal["client", "server"]
Direction = Literal["sent", "received"]
#: How a connection ended. "unknown" is what a capture may leave open, never who took part.
Status = Literal["connected", "failed", "unknown"]


def other_side(side: Side) -> Side:
    """The one that ``side`` talks to."""
    return "server" if side == "client" else "client"


@dataclass(frozen=True, slots=True)
class Redacted:
    """A secret that is not shown: its length in bytes, and the first 32 bits of its SHA-256.

    The fingerprint lets a reader see that both sides hold the same secret. Of a key it tells nothing; of a
    guessable external PSK it tells no more than the binder in the ClientHello, which travels in the clear.
    """

    length: int
    fingerprint: str

    @classmethod
    def of(cls, value: bytes) -> Redacted:
        return cls(len(value), hashlib.sha256(value).hexdigest()[:8])

    def __str__(self) -> str:
        return f"{self.length} bytes, fingerprint {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have: position, microseconds since the trace began, and whose view it is."""

    kind: ClassVar[str] = "event"
    n: int
    time_us: int
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvent(Event):
    """One record on the wire. ``content_type`` is the true one, which of a protected record stands inside it.

    ``header`` is the five bytes before the fragment; ``length`` the fragment's length in bytes, as told
    there; ``content_length`` that of the content in it, without type, padding and tag: 0 where it could not
    be opened. ``raw`` is all of the record, header and fragment, as it was on the wire.
    """

    kind: ClassVar[str] = "record"
    direction: Direction
    content_type: int
    length: int
    encrypted: bool
    header: bytes
    content_length: int = 0
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadEvent(Event):
    """Bytes that arrived and were not taken for a record: refused, cut short, or behind what ended it all."""

    kind: ClassVar[str] = "unread"
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEvent(Event):
    """One whole handshake message, ``raw`` with its 4-byte header, as it stands in the transcript.

    ``epoch`` names the keys that carried it: "plaintext", "handshake", "application", "application N"; in
    TLS 1.2, "plaintext" or "session". There a ChangeCipherSpec is one of these events, too, and ``raw`` its
    single byte. ``cls`` is the class that reads ``raw`` where its type alone does not tell, as in TLS 1.2.
    """

    kind: ClassVar[str] = "message"
    direction: Direction
    name: str
    raw: bytes = field(repr=False)
    encrypted: bool
    epoch: str
    cls: type[Wire] | None = field(default=None, repr=False)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The field tree: name, offset into ``raw``, length, value, meaning."""
        # Computed when asked for: a trace is often recorded and seldom read in full.
        return describe(self.raw, self.cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEvent(Event):
    """A secret was derived: its RFC 9846 name, the formula, the inputs by name, and what it is used for.

    An input is text (a label, or the name of the secret that it is), public bytes, or ``Redacted``.
    """

    kind: ClassVar[str] = "secret"
    name: str
    formula: str
    inputs: tuple[tuple[str, str | bytes | Redacted], ...] = field(repr=False)
    value: bytes | Redacted = field(repr=False)
    used_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysEvent(Event):
    """From here on this side's records in ``direction`` are protected by this key and IV.

    ``mac_key`` is not empty for the CBC suites of TLS 1.2 alone: all others encrypt and authenticate with one
    key.
    """

    kind: ClassVar[str] = "keys"
    direction: Literal["read", "write"]
    epoch: str
    cipher_suite: str
    key: bytes | Redacted = field(repr=False)
    iv: bytes | Redacted = field(repr=False)
    mac_key: bytes | Redacted = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceEvent(Event):
    """Something negotiable was decided: what both sides could do, what came of it and by which rule."""

    kind: ClassVar[str] = "choice"
    what: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    chosen: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvent(Event):
    """Something the peer sent was held against what it had to be.

    ``by_onlooker``: not ``side`` has done it, but who reads a capture, in its place. What came of it there, a
    capture does not show.
    """

    kind: ClassVar[str] = "check"
    what: str
    expected: str
    found: str
    ok: bool
    by_onlooker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSummary:
    """What a reader wants to know of one certificate.

    Dates are ISO 8601 in UTC; ``verdict`` is "ok" or the fault.
    """

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    not_before: str = ""
    not_after: str = ""
    key: str = ""
    signature_algorithm: str = ""
    verdict: str = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateEvent(Event):
    """A certificate path was judged: ``path`` from the leaf to the trust anchor, as far as it was found.

    ``by_onlooker``: see ``CheckEvent``.
    """

    kind: ClassVar[str] = "certificate"
    whose: Side
    path: tuple[CertificateSummary, ...]
    ok: bool
    by_onlooker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent(Event):
    """An alert was sent or received; ``description`` is its IANA name."""

    kind: ClassVar[str] = "alert"
    direction: Direction
    level: str
    description: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent(Event):
    """The handshake reached a state, by its name in RFC 9846 appendix A."""

    kind: ClassVar[str] = "state"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEvent(Event):
    """Application data was sent or received: only how much, in bytes; the trace does not keep the data."""

    kind: ClassVar[str] = "data"
    direction: Direction
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEvent(Event):
    """From here on what ``side`` sends stays closed to who reads a capture. Who takes part records none.

    ``reason`` is a stable id, explained in ``sealed.toml``; ``detail`` a sentence about this connection.
    """

    kind: ClassVar[str] = "sealed"
    direction: Direction
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEvent(Event):
    """How it ended for this side: what was agreed, or why it failed. Empty text is "not known" or "none"."""

    kind: ClassVar[str] = "outcome"
    status: Status
    protocol: str = ""
    cipher_suite: str = ""
    group: str = ""
    signature_scheme: str = ""
    alpn: str = ""
    resumed: bool = False
    server_name: str = ""
    mutual: bool = False
    failure: Diagnosis | None = None
