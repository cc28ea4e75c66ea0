"""What each step is for, as data keyed by id: terminal, viewer, capture and JSON tell the same story."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from pellucid.codes import ContentType, name_of
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
    SecretEvent,
    StateEvent,
)
from pellucid.trace.texts import texts

__all__ = ["Explanation", "event_id", "explain", "explanation", "explanations", "sender"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one kind of event is about.

    ``text`` says what it is for; ``textbook`` corrects the usual picture, where that is needed; ``rfc``
    says where to read on.
    """

    title: str
    text: str
    textbook: str = ""
    rfc: str = ""


@cache
def explanations() -> dict[str, Explanation]:
    """All of them, by id. Read once from the package's ``explanations.toml``."""
    return {key: Explanation(**entry) for key, entry in texts("explanations.toml").items()}


def explanation(identifier: str) -> Explanation | None:
    """The explanation of this id, or of the longest id that it begins with up to a colon, or None.

    "message:Finished:client" falls back to "message:Finished".
    """
    table = explanations()
    while identifier.count(":") >= 1:
        if identifier in table:
            return table[identifier]
        identifier = identifier.rpartition(":")[0]
    return None


def sender(event: MessageEvent | RecordEvent | AlertEvent | DataEvent) -> str:
    """Which side sent it."""
    if event.direction == "sent":
        return event.side
    return "server" if event.side == "client" else "client"


def event_id(event: Event) -> str:
    """The id under which the event is explained, as precise as possible: "message:Certificate:client"."""
    match event:
        case MessageEvent():
            return f"message:{event.name}:{sender(event)}"
        case ChoiceEvent() | CheckEvent():
            return f"{event.kind}:{event.what}"
        case SecretEvent():
            return _secret_id(event)
        case KeysEvent():
            epoch, _, count = event.epoch.partition(" ")
            return "keys:updated" if epoch == "application" and count.strip("0") else f"keys:{epoch}"
        case CertificateEvent():
            return f"certificate:{event.whose}"
        case AlertEvent():
            return f"alert:{event.description}"
        case StateEvent():
            return f"state:{event.name}"
        case DataEvent():
            return f"data:{event.direction}"
        case RecordEvent():
            return f"record:{name_of(event.content_type, ContentType)}"
        case OutcomeEvent():
            return f"outcome:{event.status}"
    return event.kind


def _secret_id(event: SecretEvent) -> str:
    # client_application_traffic_secret_0, _1, ... are one thing
    name = re.sub(r"_\d+$", "", event.name)
    if name == "shared_secret" and "MLKEM" in event.formula:
        name += ":kem"
    return f"secret:{name}"


def explain(event: Event) -> Explanation | None:
    """What this event is about. None only for what nobody has written about yet."""
    return explanation(event_id(event))
