"""The end of the story in numbers: what was agreed, who was proved to be whom, bytes and round trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pellucid.trace.agreed import Agreed, agreed_in
from pellucid.trace.events import (
    AlertEvent,
    CertificateEvent,
    CertificateSummary,
    CheckEvent,
    ChoiceEvent,
    DataEvent,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    SealedEvent,
)

__all__ = ["Summary", "final_outcome", "summarise"]

_RECORD_HEADER = 5

# By which a server shows who it is.
_PROOFS = frozenset(
    {
        *("certificate_chain", "certificate_signatures", "raw_public_key"),
        *("certificate_verify", "server_key_exchange"),
    }
)


# Told by who has checked it.
_RAW_KEY = "raw_public_key"


@dataclass(frozen=True, slots=True)
class Summary:
    """What ``summarise`` found.

    ``*_identity`` were verified; ``*_key`` is what was found on a list of keys in place of that (RFC 7250),
    or "". ``server_shown`` is what the server has shown, ``server_fault`` what is wrong with that or with its
    proof, and ``server_unproved`` whether its Finished was not checked: in a capture a connection may go on
    all the same. ``unjudged``: by the signatures in the chain alone. ``left_in_silence``: in a capture,
    whether the client has ended a connection that was complete without sending data. ``client_claim`` is the
    subject of what the client showed, seen from its side, and ``client_asked`` whether the server asked for
    anything. ``bytes_*`` count whole records, headers included, ``handshake_bytes_*`` messages alone;
    ``round_trips`` are those before the client could send
    data. ``forward_secrecy`` is the id of the explanation that says whether there is any, "" where no keys
    were agreed on. ``sealed`` says from where on which side stays closed, in a capture: there, what is
    missing here may have been said.
    """

    outcome: OutcomeEvent | None
    agreed: Agreed
    server_identity: CertificateSummary | None
    server_shown: CertificateSummary | None
    server_fault: str
    server_unproved: bool
    unjudged: bool
    left_in_silence: bool
    client_identity: CertificateSummary | None
    server_key: str
    client_key: str
    client_claim: str
    client_asked: bool
    handshake_bytes_from_client: int
    handshake_bytes_from_server: int
    bytes_from_client: int
    bytes_from_server: int
    messages: int
    round_trips: int
    handshake_us: int
    forward_secrecy: str
    sealed: tuple[SealedEvent, ...] = ()


def final_outcome(events: Sequence[Event]) -> OutcomeEvent | None:
    """The outcome of the connection, of whichever side tells most about it.

    A failure goes before success, and the side that found the fault before the one that was told by an alert;
    otherwise the client's last word counts. In a capture it may be "unknown".
    """
    last: dict[str, OutcomeEvent] = {event.side: event for event in events if isinstance(event, OutcomeEvent)}
    failed = [outcome for outcome in last.values() if outcome.status == "failed"]
    for outcome in failed:
        if outcome.failure and outcome.failure.direction != "received":
            return outcome
    return failed[0] if failed else last.get("client") or last.get("server")


def summarise(events: Sequence[Event]) -> Summary:
    """Count and gather over one connection, seen from one side or from both."""
    side = "client" if any(event.side == "client" for event in events) else "server"
    outcomes = (e for e in events if isinstance(e, OutcomeEvent) and e.side == side)
    connected = next((e for e in outcomes if e.status == "connected"), None)
    handshake = [e for e in events if connected is None or e.n <= connected.n]
    identities = {e.whose: e.path[0] for e in events if isinstance(e, CertificateEvent) and e.ok and e.path}
    claims = [e.chosen for e in events if isinstance(e, ChoiceEvent) and e.what == "client_certificate"]
    outcome = final_outcome(events)
    agreed = agreed_in(events)
    shown = [e.path[0] for e in events if isinstance(e, CertificateEvent) and e.whose == "server" and e.path]
    of_server = [e for e in events if isinstance(e, CheckEvent) and e.side == "client"]
    keys = {e.side: e.found for e in events if isinstance(e, CheckEvent) and e.what == _RAW_KEY and e.ok}
    faults = [e.found for e in of_server if e.what in _PROOFS and not e.ok]
    return Summary(
        outcome=outcome,
        agreed=agreed,
        server_identity=identities.get("server"),
        server_shown=shown[-1] if shown else None,
        server_fault=faults[0] if faults else "",
        server_unproved=not any(e.what == "finished" for e in of_server),
        unjudged=any(e.what == "certificate_signatures" for e in of_server),
        left_in_silence=connected is not None and _left_in_silence(events),
        client_identity=identities.get("client"),
        server_key=keys.get("client", ""),
        client_key=keys.get("server", ""),
        client_claim=claims[-1] if claims else "",
        client_asked=any(isinstance(e, MessageEvent) and e.name == "CertificateRequest" for e in events),
        handshake_bytes_from_client=_handshake_bytes(events, side, "client"),
        handshake_bytes_from_server=_handshake_bytes(events, side, "server"),
        bytes_from_client=_wire_bytes(events, side, "client"),
        bytes_from_server=_wire_bytes(events, side, "server"),
        messages=sum(isinstance(e, MessageEvent) and e.side == side for e in events),
        round_trips=_round_trips(handshake, side),
        handshake_us=connected.time_us - _first_byte(events) if connected else 0,
        forward_secrecy=_forward_secrecy(connected, agreed, events) if connected else "",
        sealed=tuple(e for e in events if isinstance(e, SealedEvent)),
    )


def _left_in_silence(events: Sequence[Event]) -> bool:
    if not any(isinstance(e, CheckEvent) and e.by_onlooker for e in events):
        return False  # who takes part knows why
    if any(isinstance(e, DataEvent | SealedEvent) for e in events):
        return False
    ends = [e.side for e in events if isinstance(e, AlertEvent) and e.direction == "sent"]
    return ends[:1] == ["client"]


def _forward_secrecy(connected: OutcomeEvent, agreed: Agreed, events: Sequence[Event]) -> str:
    if not agreed.tls12:
        # A resumed session has an exchange of its own there; only external PSKs may do without.
        return "forward_secrecy:ephemeral" if connected.group else "forward_secrecy:psk"
    if connected.resumed:
        by = [e.chosen for e in events if isinstance(e, ChoiceEvent) and e.what == "session"]
        return "forward_secrecy:session:ticket" if "ticket" in by else "forward_secrecy:session"
    if agreed.suite is None or not agreed.suite.forward_secrecy:
        return "forward_secrecy:RSA"
    tickets = any(isinstance(e, MessageEvent) and e.name == "NewSessionTicket" for e in events)
    return "forward_secrecy:ticket" if tickets else "forward_secrecy:ephemeral"


def _handshake_bytes(events: Sequence[Event], side: str, source: str) -> int:
    way = "sent" if side == source else "received"
    messages = (e for e in events if isinstance(e, MessageEvent) and e.side == side and e.direction == way)
    return sum(len(e.raw) for e in messages)


def _wire_bytes(events: Sequence[Event], side: str, source: str) -> int:
    direction = "sent" if side == source else "received"
    return sum(
        e.length + _RECORD_HEADER
        for e in events
        if isinstance(e, RecordEvent) and e.side == side and e.direction == direction
    )


def _first_byte(events: Sequence[Event]) -> int:
    """When the first record was on its way, in the trace's microseconds."""
    return next((e.time_us for e in events if isinstance(e, RecordEvent)), 0)


def _round_trips(handshake: Sequence[Event], side: str) -> int:
    """How often this side's messages were answered (as client), or answered and followed up (as server)."""
    first, then = ("sent", "received") if side == "client" else ("received", "sent")
    flow = [e.direction for e in handshake if isinstance(e, MessageEvent) and e.side == side]
    return sum(before == first and after == then for before, after in pairwise(flow))
