"""What one connection has shown, reduced to what can be held against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from pellucid.codes import SignatureScheme, name_of
from pellucid.trace.agreed import agreed_in
from pellucid.trace.events import (
    CertificateEvent,
    CertificateSummary,
    ChoiceEvent,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    UnreadEvent,
)
from pellucid.why.signed import server_signature

__all__ = ["Seen", "Stage", "look"]

_RECORD_HEADER = 5


class Stage(IntEnum):
    """How far a client came. The order is that of the handshake, in either version."""

    #: There was no TCP connection, or nothing went out: nothing about TLS can have mattered.
    UNREACHED = 0
    #: A ClientHello went out, and not a byte came back.
    UNANSWERED = 1
    #: An alert, or something else that is no part of a handshake.
    ANSWERED = 2
    #: A HelloRetryRequest: version and cipher suite are agreed on, and a group is wanted.
    RETRIED = 3
    #: A ServerHello: the two have a version, a suite and, in TLS 1.3, a group in common.
    NEGOTIATED = 4
    #: The server's certificate was accepted.
    CERTIFIED = 5
    #: The handshake was complete on our side, and something went wrong behind it.
    COMPLETED = 6
    CONNECTED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One connection of a client, as its trace tells it.

    failure     the id of what it failed with, "" of one that is fine; ``alert`` and its ``direction`` as in
                the trace, None where none went
    hello_length   bytes of the record with the first ClientHello, 0 where none went out
    protocol, cipher_suite, group, scheme, alpn   what was agreed on, by name, "" where it was not reached;
                ``scheme`` is what the server signed with
    leaf        the server's own certificate, None where none came that can be read
    asked       the server asked for a certificate of ours; ``shown``: and got one
    """

    stage: Stage
    failure: str = ""
    alert: str | None = None
    direction: str | None = None
    hello_length: int = 0
    protocol: str = ""
    cipher_suite: str = ""
    group: str = ""
    scheme: str = ""
    alpn: str = ""
    leaf: CertificateSummary | None = None
    asked: bool = False
    shown: bool = False
    events: Sequence[Event] = field(default=(), repr=False, compare=False)

    @property
    def connected(self) -> bool:
        return self.stage is Stage.CONNECTED


def look(events: Sequence[Event]) -> Seen:
    """What the client's side of a trace shows, once the trace has its outcome."""
    own = [event for event in events if event.side == "client"]
    outcomes = [event for event in own if isinstance(event, OutcomeEvent)]
    failure = outcomes[-1].failure if outcomes else None
    agreed = agreed_in(own)
    chosen = {event.what: event.chosen for event in own if isinstance(event, ChoiceEvent)}
    signature = server_signature(own)
    return Seen(
        stage=_stage(own, outcomes),
        failure=failure.id if failure else "",
        alert=failure.alert if failure else None,
        direction=failure.direction if failure else None,
        hello_length=_hello_length(own),
        protocol=agreed.protocol,
        cipher_suite=agreed.cipher_suite,
        group=agreed.group,
        scheme=name_of(signature.scheme, SignatureScheme) if signature else "",
        alpn=chosen.get("alpn", ""),
        leaf=_leaf(own),
        asked=any(isinstance(event, MessageEvent) and event.name == "CertificateRequest" for event in own),
        shown=bool(chosen.get("client_certificate")),
        events=own,
    )


def _stage(own: Sequence[Event], outcomes: Sequence[OutcomeEvent]) -> Stage:
    if outcomes and outcomes[-1].status == "connected":
        return Stage.CONNECTED
    if any(outcome.status == "connected" for outcome in outcomes):
        return Stage.COMPLETED
    if any(event.ok for event in _judged(own)):
        return Stage.CERTIFIED
    messages = {e.name for e in own if isinstance(e, MessageEvent) and e.direction == "received"}
    if "ServerHello" in messages:
        return Stage.NEGOTIATED
    if "HelloRetryRequest" in messages:
        return Stage.RETRIED
    records = {event.direction for event in own if isinstance(event, RecordEvent)}
    if "received" in records or any(isinstance(event, UnreadEvent) for event in own):
        return Stage.ANSWERED
    return Stage.UNANSWERED if records else Stage.UNREACHED


def _judged(own: Sequence[Event]) -> list[CertificateEvent]:
    return [event for event in own if isinstance(event, CertificateEvent) and event.whose == "server"]


def _leaf(own: Sequence[Event]) -> CertificateSummary | None:
    paths = [event.path for event in _judged(own) if event.path]
    # What was made of it differs from one connection to the other where the certificate does not.
    return replace(paths[-1][0], verdict="") if paths else None


def _hello_length(own: Sequence[Event]) -> int:
    hellos = (event for event in own if isinstance(event, MessageEvent) and event.name == "ClientHello")
    first = next(hellos, None)
    return len(first.raw) + _RECORD_HEADER if first else 0
