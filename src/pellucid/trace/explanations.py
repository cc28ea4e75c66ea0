"""What each step is for, as data keyed by id: terminal, viewer, capture and JSON tell the same story."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from pellucid.codes import ContentType, name_of
from pellucid.messages import CertificateRawPublicKey, tls12
from pellucid.trace.agreed import NOTHING, TLS13, Agreed, versions_offered
from pellucid.trace.events import (
    AlertEvent,
    CertificateEvent,
    CheckEvent,
    ChoiceEvent,
    DataEvent,
    Event,
    KeysEvent,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    SealedEvent,
    SecretEvent,
    StateEvent,
    UnreadEvent,
    other_side,
)
from pellucid.trace.paths import PathsEvent
from pellucid.trace.texts import texts

__all__ = [
    "Explanation",
    "event_id",
    "explain",
    "explanation",
    "explanations",
    "is_extended",
    "known_id",
    "sender",
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one kind of event is about.

    ``text`` says what it is for; ``textbook`` corrects the usual picture, where that is needed; ``rfc``
    says where to read on; ``fix`` what to do about it, where there is something to be done.
    """

    title: str
    text: str
    textbook: str = ""
    rfc: str = ""
    fix: str = ""


@cache
def explanations() -> dict[str, Explanation]:
    """All of them, by id. Read once from the package's files."""
    entries = texts("explanations.toml") | texts("explanations12.toml") | texts("sealed.toml")
    return {key: Explanation(**entry) for key, entry in entries.items()}


def known_id(identifier: str) -> str:
    """This id, or the longest that it begins with up to a colon, of those that are explained; "" if none is.

    "message:Finished:client" falls back to "message:Finished".
    """
    table = explanations()
    while ":" in identifier:
        if identifier in table:
            return identifier
        identifier = identifier.rpartition(":")[0]
    return ""


def explanation(identifier: str) -> Explanation | None:
    """The explanation of this id, or of what it falls back to, or None."""
    return explanations().get(known_id(identifier))


def sender(event: MessageEvent | RecordEvent | AlertEvent | DataEvent) -> str:
    """Which side sent it."""
    if event.direction == "sent":
        return event.side
    return other_side(event.side)


def event_id(event: Event, agreed: Agreed = NOTHING) -> str:  # noqa: PLR0912 - a branch for each kind
    """The id under which the event is explained, as precise as possible: "message:Certificate:client".

    ``agreed``: of which version and suite the connection is; then "message:Certificate:tls12:client".
    """
    variant = ":tls12" if agreed.tls12 else ""
    match event:
        case MessageEvent():
            return f"message:{event.name}{_message_variant(event, agreed)}:{sender(event)}"
        case ChoiceEvent() | CheckEvent():
            return f"{event.kind}:{event.what}{_seen(event)}{variant}"
        case SecretEvent():
            return _secret_id(event, agreed)
        case KeysEvent():
            epoch, _, count = event.epoch.partition(" ")
            return "keys:updated" if epoch == "application" and count.strip("0") else f"keys:{epoch}"
        case CertificateEvent():
            return f"certificate:{event.whose}{_seen(event)}{variant}"
        case PathsEvent():
            return "step:paths"
        case AlertEvent():
            return f"alert:{event.description}"
        case StateEvent():
            return f"state:{event.name}"
        case DataEvent():
            return f"data:{event.direction}"
        case RecordEvent():
            return f"record:{name_of(event.content_type, ContentType)}"
        case UnreadEvent():
            return "record:unread"
        case SealedEvent():
            return f"sealed:{event.reason}"
        case OutcomeEvent():
            return f"outcome:{event.status}"
    return event.kind


def _seen(event: ChoiceEvent | CheckEvent | CertificateEvent) -> str:
    """Checks of who looks on have words of their own, where those for the sides would not be true."""
    what = event.whose if isinstance(event, CertificateEvent) else event.what
    own = not isinstance(event, ChoiceEvent) and event.by_onlooker
    return ":seen" if own and f"{event.kind}:{what}:seen" in explanations() else ""


# In either version.
_RAW_KEYS = (CertificateRawPublicKey, tls12.CertificateRawPublicKey)


def _message_variant(event: MessageEvent, agreed: Agreed) -> str:
    if event.name == "ClientHello":
        return _offer_variant(event, agreed)
    if event.cls in _RAW_KEYS:
        return ":raw"
    if not agreed.tls12:
        return ""
    if event.name in ("ServerKeyExchange", "ClientKeyExchange") and agreed.key_exchange:
        return f":{agreed.key_exchange}"
    return ":tls12:resuming" if agreed.resumed and event.name == "ServerHello" else ":tls12"


def _offer_variant(event: MessageEvent, agreed: Agreed) -> str:
    """What a ClientHello offers says it alone: it may come to another version, or to none."""
    if event.encrypted:
        return ":renegotiation"
    if not any(field.name == "random" for field in event.fields):  # not readable
        return ":tls12" if agreed.tls12 else ""
    versions = versions_offered(event.fields)
    if TLS13 not in versions:
        return ":tls12:resuming" if agreed.tls12 and agreed.resumed else ":tls12"
    return ":both" if len(versions) > 1 else ""


def _secret_id(event: SecretEvent, agreed: Agreed) -> str:
    # client_application_traffic_secret_0, _1, ... are one thing
    name = re.sub(r"_\d+$", "", event.name)
    if name == "shared_secret" and "MLKEM" in event.formula:
        name += ":kem"
    elif name == "premaster_secret" and agreed.key_exchange:
        name += f":{agreed.key_exchange}"
    elif name == "master_secret" and is_extended(event):
        name += ":extended"
    return f"secret:{name}"


def is_extended(event: SecretEvent) -> bool:
    """Whether a master secret is bound to the whole handshake (RFC 7627)."""
    return any(name == "session_hash" for name, _ in event.inputs)


def explain(event: Event, agreed: Agreed = NOTHING) -> Explanation | None:
    """What this event is about. None only for what nobody has written about yet."""
    return explanation(event_id(event, agreed))
