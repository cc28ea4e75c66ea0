"""A connection told step by step: from events to numbered steps, each a message or an action on one side.

Pure data: how it looks is the business of whoever shows it. Many events make one step: a dozen derivations
are "derives the handshake keys", with the derivations as details. A trace of both sides shows each message
once, where it was sent; a trace of one side shows what that side could see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from pellucid.codes import ContentType
from pellucid.trace.details import GREAT_CHECKS, OPTIONAL_CHOICES, Detail, details_of, ladder, protection_of
from pellucid.trace.events import (
    AlertEvent,
    CertificateEvent,
    CheckEvent,
    ChoiceEvent,
    DataEvent,
    Event,
    KeysEvent,
    MessageEvent,
    RecordEvent,
    SecretEvent,
    Side,
)
from pellucid.trace.explanations import explanation, sender

__all__ = ["Detail", "Step", "narrate"]

_ACTIONS = (ChoiceEvent, CheckEvent, CertificateEvent, SecretEvent, KeysEvent)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``side`` sends the message or does the action; ``purpose`` says what it is for in a sentence.

    ``textbook`` is not empty where the usual picture is wrong, at the first step that shows it. ``size`` is
    in bytes, without record headers and protection; ``protection`` is "in the clear" or whose key of which
    epoch protects it. ``ok`` is False for a check that failed and for a fatal alert. ``events`` are those
    that the step was made of.
    """

    number: int
    kind: Literal["message", "action"]
    id: str
    side: Side
    title: str
    purpose: str
    textbook: str = ""
    rfc: str = ""
    size: int = 0
    protection: str = ""
    ok: bool = True
    details: tuple[Detail, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(slots=True)
class _Draft:
    """A step while it is still growing."""

    kind: Literal["message", "action"]
    id: str
    side: Side
    title: str
    events: list[Event] = field(default_factory=list)
    size: int = 0
    protection: str = ""
    ok: bool = True
    details: list[Detail] = field(default_factory=list)


def narrate(events: Iterable[Event]) -> list[Step]:
    """The steps of one connection, numbered from 1, of a trace that saw one side or both."""
    narrator = _Narrator(list(events))
    return _finish(narrator.drafts())


class _Narrator:
    """Walks over the events; actions of one side gather in ``run`` until something else happens."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = _in_order(events)
        self.both = len({event.side for event in events}) > 1
        self.steps: list[_Draft] = []
        self.run: list[Event] = []
        self.held: list[Event] = []  # secrets that the next message is made with
        self.hellos = 0
        self.chosen_by_server = {
            event.what for event in events if isinstance(event, ChoiceEvent) and event.side == "server"
        }

    def drafts(self) -> list[_Draft]:
        for event in self.events:
            if isinstance(event, _ACTIONS):
                if self.run and self.run[0].side != event.side:
                    self.flush()
                self.run.append(event)
                continue
            if isinstance(event, MessageEvent | AlertEvent | DataEvent | RecordEvent):
                if isinstance(event, RecordEvent) and not _is_ccs(event):
                    continue
                self.flush()
                if not (self.both and event.direction == "received"):
                    self.message(event)
        self.flush()
        return self.steps

    def message(self, event: MessageEvent | AlertEvent | DataEvent | RecordEvent) -> None:
        side = cast("Side", sender(event))
        draft = _Draft("message", "", side, "", [event])
        last = self.steps[-1] if self.steps else None
        if isinstance(event, MessageEvent):
            draft.events += self.held
            self.held = []
        match event:
            case MessageEvent():
                draft.id = f"message:{event.name}:{side}"
                draft.size = len(event.raw)
                draft.protection = protection_of(side, event.epoch if event.encrypted else "plaintext")
                draft.title = event.name
                self.hellos += event.name == "ClientHello"
                if event.name == "ClientHello" and self.hellos > 1:
                    draft.id = "message:ClientHello:second"
            case RecordEvent():
                draft.id, draft.size = "message:ChangeCipherSpec", event.length
                draft.protection = "in the clear"
            case DataEvent():
                draft.id, draft.size = "message:data", event.length
                draft.protection = protection_of(side, "application")
            case AlertEvent():
                draft.id = f"alert:{event.description}"
                draft.size = 2
                draft.ok = event.description in ("close_notify", "user_canceled")
                draft.protection = protection_of(side, self.epoch_of(event))
                draft.details = [Detail("alert", f"{event.level}, sent by the {side}", level=1)]
        if last and last.id == draft.id and last.side == side and draft.id in _REPEATABLE:
            last.size += draft.size
            last.events += draft.events
            return
        self.steps.append(draft)

    def epoch_of(self, alert: AlertEvent) -> str:
        """An alert goes under whichever key is in force, and in the clear where there is none yet."""
        way = "write" if alert.direction == "sent" else "read"
        epoch = "plaintext"
        for event in self.events:
            if event is alert:
                break
            if event.side != alert.side:
                continue
            if isinstance(event, KeysEvent) and event.direction == way:
                epoch = event.epoch
            elif isinstance(event, RecordEvent) and event.content_type == ContentType.alert:
                epoch = epoch if event.encrypted else "plaintext"
        return epoch

    def flush(self) -> None:
        """Turn the gathered actions into steps: choosing, verifying, deriving, as they began."""
        run, self.run = self.run, []
        if self.both:
            # The client's record of what the server chose repeats what the server's own choice has told.
            run = [e for e in run if not (isinstance(e, ChoiceEvent) and self.is_repeated(e))]
        groups: dict[str, list[Event]] = {}
        for event in run:
            groups.setdefault(_group(event, run), []).append(event)
        self.held += groups.pop(_HELD, [])
        if "check:ticket" in groups:
            # A server opens the ticket before it chooses to resume, though it has chosen other things before.
            groups = {"check:ticket": groups.pop("check:ticket"), **groups}
        for key, events in groups.items():
            self.action(key, events)

    def is_repeated(self, event: ChoiceEvent) -> bool:
        own = event.what in _OWN_CHOICES
        return event.side == "client" and not own and event.what in self.chosen_by_server

    def action(self, key: str, events: list[Event]) -> None:
        side = events[0].side
        secrets = [event.name for event in events if isinstance(event, SecretEvent)]
        if secrets == ["shared_secret"]:
            key = "step:exchange"
        # Keys taken into use later, and a second ticket's key, belong to where their secrets were derived.
        if key == "step:derive:resumption" or (key.startswith("step:derive:") and not secrets):
            for draft in reversed(self.steps):
                if draft.id == key and draft.side == side:
                    draft.events += events
                    return
        ok = not any(_failed(event) for event in events)
        self.steps.append(_Draft("action", key, side, "", events, ok=ok))


# Secrets that wait for the message they are for.
_HELD = "held"
# Several of these in a row from one side are one step.
_REPEATABLE = frozenset({"message:data", "message:NewSessionTicket:server"})
# What a client chooses by itself, for the certificate that it shows.
_OWN_CHOICES = frozenset({"client_certificate", "signature_scheme"})


def _failed(event: Event) -> bool:
    match event:
        case CheckEvent(what="ticket"):
            return False  # who comes with an old ticket gets a full handshake
        case CheckEvent() | CertificateEvent():
            return not event.ok
        case ChoiceEvent():
            return not event.chosen and event.what not in OPTIONAL_CHOICES
    return False


def _group(event: Event, run: Sequence[Event]) -> str:
    """The id of the step that an action belongs to."""
    match event:
        case ChoiceEvent(side="client"):
            return "choice:client_certificate" if event.what in _OWN_CHOICES else "step:answer"
        case ChoiceEvent():
            return "step:choose"
        case CertificateEvent():
            return f"certificate:{event.whose}"
        case CheckEvent(what="certificate_chain"):
            return f"certificate:{'server' if event.side == 'client' else 'client'}"
        case CheckEvent():
            if event.what in GREAT_CHECKS:
                return f"check:{event.what}"
            return "step:answer" if event.side == "client" else "step:verify"
        case SecretEvent(name="finished_key"):
            return _use_of_finished_key(event, run)
        case SecretEvent():
            return _derivation(event.name, run)
        case KeysEvent():
            if event.epoch.startswith("application "):
                return "step:derive:updated"
            return f"step:derive:{event.epoch}"
    return "step:derive"


def _use_of_finished_key(key: Event, run: Sequence[Event]) -> str:
    """It is made to check a MAC, or to make one: then it belongs to the message that holds it."""
    for event in run[run.index(key) :]:
        if isinstance(event, CheckEvent) and event.what in ("finished", "psk_binder"):
            return f"check:{event.what}"
    return _HELD


def _derivation(name: str, run: Sequence[Event]) -> str:
    names = {event.name for event in run if isinstance(event, SecretEvent)}
    if name.startswith("resumption"):
        return "step:derive:resumption"
    if "application_traffic" in name:
        return "step:derive:application" if name.endswith("_0") else "step:derive:updated"
    rung = name in ("main_secret", "exporter_secret", "derived_handshake_secret")
    if rung and any("application" in other for other in names):
        return "step:derive:application"
    if "handshake" in name or name == "shared_secret" or "handshake_secret" in names:
        return "step:derive:handshake"
    if name in ("early_secret", "derived_early_secret", "binder_key", "psk", "external_psk"):
        return "step:derive:psk"
    return "step:derive"


def _finish(drafts: list[_Draft]) -> list[Step]:
    """Number the steps and find their words; what was said once is not said again."""
    told: set[str] = set()
    steps: list[Step] = []
    for number, draft in enumerate(drafts, 1):
        found = explanation(draft.id) or explanation(f"{draft.id.partition(':')[0]}:unknown")
        title, purpose, textbook, rfc = draft.title, "", "", ""
        if found:
            unknown = explanation(draft.id) is None and draft.title
            title = draft.title if unknown else found.title
            purpose, textbook, rfc = found.text, found.textbook, found.rfc
        textbook = "" if draft.id in told else textbook
        again = explanation(f"again:{draft.id}:{draft.side}") if draft.id in told else None
        if again:
            purpose = again.text
        told.add(draft.id)
        details = [*draft.details, *details_of(draft.events, brief=again is not None)]
        if draft.kind == "action":
            title, purpose, textbook = _action_words(draft, title, purpose, textbook, told)
        steps.append(Step(
            number=number, kind=draft.kind, id=draft.id, side=draft.side,
            title=title + _times(draft), purpose=purpose, textbook=textbook, rfc=rfc, size=draft.size,
            protection=draft.protection, ok=draft.ok,
            details=tuple(details), events=tuple(draft.events)))  # fmt: skip
    return steps


def _times(draft: _Draft) -> str:
    count = sum(isinstance(event, MessageEvent) for event in draft.events)
    return f" ({count} of them)" if count > 1 else ""


def _action_words(
    draft: _Draft, title: str, purpose: str, textbook: str, told: set[str]
) -> tuple[str, str, str]:
    """An action's title is a verb phrase; a secret in it may bring a correction of the textbook along."""
    if draft.id.startswith("choice:"):
        title = f"chooses its {title}"
    elif not draft.id.startswith("step:"):
        title = f"verifies the {title}" if not title.startswith("Finished") else f"verifies {title}"
    for identifier in ladder(draft.events):
        found = explanation(identifier)
        if found and draft.id == "step:exchange":
            purpose = found.text
        if found and found.textbook and identifier not in told and not textbook:
            told.add(identifier)
            textbook = found.textbook
    return title, purpose, textbook


def _is_ccs(event: Event) -> bool:
    return isinstance(event, RecordEvent) and event.content_type == ContentType.change_cipher_spec


def _in_order(events: Sequence[Event]) -> list[Event]:
    """Put each ChangeCipherSpec sent where it is on the wire: before its flight's first encrypted message.

    Messages are traced when they are queued and records when they are sealed, so that all records of a flight
    come after it.
    """
    ordered: list[Event] = []
    for event in events:
        sent = isinstance(event, RecordEvent) and _is_ccs(event) and event.direction == "sent"
        ordered.insert(_place(event, ordered) if sent else len(ordered), event)
    return ordered


def _place(ccs: Event, ordered: Sequence[Event]) -> int:
    """Where in ``ordered`` a ChangeCipherSpec belongs."""
    encrypted = plaintext = len(ordered)
    records = False
    for index in range(len(ordered) - 1, -1, -1):
        other = ordered[index]
        ours = other.side == ccs.side and getattr(other, "direction", "") == "sent"
        records |= ours and isinstance(other, RecordEvent)
        if not isinstance(other, MessageEvent):
            continue
        if not ours:
            break  # what was said before it is another flight
        if other.encrypted:
            encrypted = index
        else:
            plaintext = index
    if encrypted < len(ordered):
        return encrypted
    # Without anything encrypted: at the end of the flight, unless its record was the first of it, as with the
    # ClientHello that follows a HelloRetryRequest.
    return len(ordered) if records else plaintext
