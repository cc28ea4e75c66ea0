"""What a failure means: who is to blame, what was seen, what follows, and what to do.

What is observed comes from the error and from the trace before it. What is inferred and suggested is text
keyed by the failure's id (``failures.toml``); it never names a cause that the reason does not imply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pellucid.codes import AlertDescription, name_of
from pellucid.errors import AlertReceived, CertificateRejected, Reason, TLSError
from pellucid.trace.details import OPTIONAL_CHOICES
from pellucid.trace.events import AlertEvent, ChoiceEvent, Event, MessageEvent, RecordEvent
from pellucid.trace.texts import texts

__all__ = ["CERTIFICATE_ALERTS", "Failure", "failure_id", "failure_of", "tls_began"]

# By these the peer says that it does not accept our certificate (RFC 9846 6.2).
CERTIFICATE_ALERTS = frozenset(
    {
        AlertDescription.bad_certificate,
        AlertDescription.unsupported_certificate,
        AlertDescription.certificate_revoked,
        AlertDescription.certificate_expired,
        AlertDescription.certificate_unknown,
        AlertDescription.unknown_ca,
        AlertDescription.access_denied,
        AlertDescription.certificate_required,
        AlertDescription.bad_certificate_status_response,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, for people and programs.

    ``id`` is stable; ``alert`` and ``direction`` are None where no alert went. ``observed`` is fact,
    ``inferred`` follows from it, ``possible`` does not; ``fix`` and ``confirm`` say what to do and how to
    see whether it worked. Empty text is "nothing to say".
    """

    id: str
    blame: str
    alert: str | None
    direction: Literal["sent", "received"] | None
    observed: str
    inferred: str
    possible: str
    fix: str
    confirm: str
    rfc: str

    def at(self, place: tuple[str, int | str]) -> Failure:
        """With host and port of the connection in its advice, where {host} and {port} stand."""
        host, port = place

        def filled(text: str) -> str:
            return text.replace("{host}", host).replace("{port}", str(port))

        return replace(
            self,
            inferred=filled(self.inferred),
            possible=filled(self.possible),
            fix=filled(self.fix),
            confirm=filled(self.confirm),
        )


def failure_of(
    error: TLSError, events: Sequence[Event] = (), side: str = "client", *, identifier: str = ""
) -> Failure:
    """What ``error`` means for ``side``, with ``events``, the trace until then, as the evidence.

    ``identifier`` is for who knows the id better than the error's reason and the trace tell.
    """
    own = [event for event in events if event.side == side]
    identifier = identifier or failure_id(error, own, side)
    known = texts("failures.toml")
    text = known.get(identifier) or known["protocol" if error.blame == "peer" else "internal_error"]
    alert, direction = _alert(error, own)
    return Failure(
        id=identifier,
        blame="peer" if isinstance(error, CertificateRejected) else error.blame,
        alert=alert,
        direction=direction,
        observed=_observed(error, own, side),
        inferred=text.get("inferred", ""),
        possible=text.get("possible", ""),
        fix=text.get("fix", ""),
        confirm=text.get("confirm", ""),
        rfc=text.get("rfc", ""),
    )


def tls_began(own: Sequence[Event]) -> bool:
    """Whether a record went out or came in: until then there was at most TCP."""
    return any(isinstance(event, RecordEvent) for event in own)


def failure_id(error: TLSError, own: Sequence[Event], side: str) -> str:
    """The stable id: the reason, made more precise where the trace of the side that failed allows it."""
    nothing_came = not any(isinstance(e, MessageEvent) and e.direction == "received" for e in own)
    match error.reason:
        case Reason.NO_SHARED_APPLICATION_PROTOCOL:
            return "alpn_mismatch"
        case Reason.CLOSED_DURING_HANDSHAKE if nothing_came and side == "client":
            return "closed_after_client_hello"
        case Reason.CONNECTION_FAILED if tls_began(own):
            alone = nothing_came and side == "client"
            return "reset_after_client_hello" if alone else "closed_during_handshake"
        case Reason.TIMEOUT if tls_began(own) and side == "client":
            return "silent_after_client_hello" if nothing_came else "stalled_mid_flight"
        case Reason.ALERT_RECEIVED if isinstance(error, AlertReceived):
            return _received_id(error.description, own, side)
    return str(error.reason)


def _received_id(description: int, own: Sequence[Event], side: str) -> str:
    messages = {event.name for event in own if isinstance(event, MessageEvent)}
    asked = "CertificateRequest" in messages
    match description:
        case AlertDescription.handshake_failure if _refused_to_renegotiate(own):
            return "renegotiation_refused"
        # RFC 5246 7.4.6: to a client without a certificate the server may respond "with a fatal
        # handshake_failure alert"; not all of them take this one.
        case code if code in CERTIFICATE_ALERTS | {AlertDescription.handshake_failure} and _had_none(own):
            return "client_certificate_missing"
        case AlertDescription.certificate_required:
            return "client_certificate_missing"
        case AlertDescription.protocol_version:
            return "no_shared_version"
        case AlertDescription.no_application_protocol:
            return "alpn_mismatch"
        case AlertDescription.unrecognized_name:
            return "unrecognized_name"
        case AlertDescription.inappropriate_fallback:
            return "inappropriate_fallback"
        case AlertDescription.handshake_failure if "ServerHello" not in messages:
            return "handshake_failure"  # with a ServerHello suite and group had been found
        case code if code in CERTIFICATE_ALERTS and side == "server":
            return "our_certificate_refused"
        case code if code in CERTIFICATE_ALERTS and asked:
            return "client_certificate_untrusted"
    return "alert_received"


def _refused_to_renegotiate(own: Sequence[Event]) -> bool:
    sent = (event for event in own if isinstance(event, AlertEvent) and event.direction == "sent")
    return any(event.description == "no_renegotiation" for event in sent)


def _had_none(own: Sequence[Event]) -> bool:
    """Whether this side, a client, was asked for a certificate and had none to show."""
    choices = [e for e in own if isinstance(e, ChoiceEvent) and e.what == "client_certificate"]
    return bool(choices) and not choices[-1].chosen


def _alert(error: TLSError, own: Sequence[Event]) -> tuple[str | None, Literal["sent", "received"] | None]:
    if isinstance(error, AlertReceived):
        return name_of(error.description, AlertDescription), "received"
    sent = [event for event in own if isinstance(event, AlertEvent) and event.direction == "sent"]
    if sent:  # not merely due: a peer that is gone, or deaf, is told nothing
        return sent[-1].description, "sent"
    return None, None


def _observed(error: TLSError, own: Sequence[Event], side: str) -> str:
    sentences = [_sentence(error.detail or error.reason.replace("_", " "))]
    # Of several choices about one thing the last counts: a server of TLS 1.2 looks for a certificate for one
    # suite after the other.
    choices = {event.what: event for event in own if isinstance(event, ChoiceEvent)}
    for event in (choice for choice in choices.values() if not choice.chosen):
        if event.what == "client_certificate":
            sentences.append(
                f"Of the certificates that the {side} has ({', '.join(event.ours)}) none was shown."
                if event.ours
                else f"The {side} has no certificate to show."
            )
        elif event.what not in OPTIONAL_CHOICES and not _named(event, error.detail):
            theirs = "client" if side == "server" else "server"
            sentences.append(
                f"For {event.what.replace('_', ' ')} the {side} has {', '.join(event.ours) or 'nothing'}; "
                f"the {theirs} has {', '.join(event.theirs) or 'nothing'}."
            )
    messages = [event for event in own if isinstance(event, MessageEvent)]
    if messages and tls_began(own):
        last = messages[-1]
        sentences.append(f"The last message before was {last.name}, {last.direction} by the {side}.")
    return " ".join(sentences)


def _named(choice: ChoiceEvent, detail: str) -> bool:
    """Whether the error has said already what each side has."""
    names = (*choice.ours, *choice.theirs)
    return bool(names) and all(name in detail for name in names)


def _sentence(text: str) -> str:
    if text.partition(" ")[0].isalpha():  # not a file's or an algorithm's name
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
