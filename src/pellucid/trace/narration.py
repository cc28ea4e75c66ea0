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
from pellucid.trace.agreed import Agreed, agreed_in
from pellucid.trace.details import Detail, details_of, ladder, protection_of
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
    SealedEvent,
    SecretEvent,
    Side,
)
from pellucid.trace.explanations import event_id, explanation, explanations, known_id, sender
from pellucid.trace.grouping import HELD, OWN_CHOICES, decided, group_of, has_failed, is_by_onlooker
from pellucid.trace.ordering import as_delivered, is_change_cipher_spec, with_change_cipher_specs_in_place
from pellucid.trace.paths import PathsEvent

__all__ = ["Detail", "Step", "narrate"]

_ACTIONS = (ChoiceEvent, CheckEvent, CertificateEvent, PathsEvent, SecretEvent, KeysEvent)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``side`` sends the message or does the action; ``purpose`` says what it is for in a sentence.

    ``textbook`` is not empty where the usual picture is wrong, at the first step that shows it. ``size`` is
    in bytes, without record headers and protection; ``protection`` is "in the clear" or whose key of which
    epoch protects it. ``ok`` is False for a check that failed and for a fatal alert. ``onlooker``: not
    ``side`` does it but who reads a capture, in its place. ``events`` are those that the step was made of.
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
    onlooker: bool = False
    details: tuple[Detail, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def actor(self) -> str:
        """Who does it, in a word."""
        return "onlooker" if self.onlooker else self.side


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
    onlooker: bool = False
    details: list[Detail] = field(default_factory=list)


def narrate(events: Iterable[Event]) -> list[Step]:
    """The steps of one connection, numbered from 1, of a trace that saw one side or both."""
    narrator = _Narrator(list(events))
    return _finish(narrator.drafts(), narrator.agreed)


class _Narrator:
    """Walks over the events; actions of one side gather in ``run`` until something else happens."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.agreed = agreed_in(events)
        ordered = as_delivered if self.agreed.tls12 else with_change_cipher_specs_in_place
        self.events = ordered(events)
        self.both = len({event.side for event in events}) > 1
        self.watched = any(is_by_onlooker(event) for event in events)
        self.steps: list[_Draft] = []
        self.run: list[Event] = []
        self.held: dict[str, list[Event]] = {}  # by side: secrets that its next proof is made with
        self.epochs: dict[tuple[Side, str], str] = {}  # by side and way, of the keys in force
        self.hellos = 0
        self.chosen_by_server = {
            event.what for event in events if isinstance(event, ChoiceEvent) and event.side == "server"
        }

    def drafts(self) -> list[_Draft]:
        for event in self.events:
            self.note_epoch(event)
            if isinstance(event, _ACTIONS):
                if self.run and self.run[0].side != event.side:
                    self.flush()
                self.run.append(event)
                continue
            if isinstance(event, SealedEvent):
                self.flush()
                key = event_id(event)
                self.steps.append(_Draft("action", key, event.side, "", [event]))
                continue
            if isinstance(event, MessageEvent | AlertEvent | DataEvent | RecordEvent):
                if isinstance(event, RecordEvent) and (self.agreed.tls12 or not is_change_cipher_spec(event)):
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
        if isinstance(event, MessageEvent) and event.name in _PROVING:
            draft.events += self.held.pop(side, [])
        match event:
            case MessageEvent():
                draft.id = event_id(event, self.agreed)
                draft.size = len(event.raw)
                draft.protection = protection_of(side, event.epoch if event.encrypted else "plaintext")
                draft.title = event.name
                first_flights = event.name == "ClientHello" and not event.encrypted
                self.hellos += first_flights
                if first_flights and self.hellos > 1:
                    draft.id = "message:ClientHello:second"
            case RecordEvent():
                draft.id, draft.size = "message:ChangeCipherSpec", event.length
                draft.protection = "in the clear"
            case DataEvent():
                draft.id = "message:data:tls12" if self.agreed.tls12 else "message:data"
                draft.size = event.length
                draft.protection = protection_of(side, "session" if self.agreed.tls12 else "application")
                if self.agreed.suite:
                    draft.details = [Detail("encrypted with", self.agreed.suite.cipher)]
            case AlertEvent():
                draft.id = f"alert:{event.description}"
                draft.size = 2
                draft.ok = event.description in _HARMLESS_ALERTS
                draft.protection = protection_of(side, self.epoch_of(event))
                draft.details = [Detail("alert", f"{event.level}, sent by the {side}", level=1)]
        if last and last.id == draft.id and last.side == side and draft.id in _REPEATABLE:
            last.size += draft.size
            last.events += draft.events
            return
        self.steps.append(draft)

    def note_epoch(self, event: Event) -> None:
        """An alert goes under whichever key is in force, and in the clear where there is none yet."""
        match event:
            case KeysEvent():
                self.epochs[event.side, event.direction] = event.epoch
            case RecordEvent(content_type=ContentType.alert, encrypted=False):
                self.epochs[event.side, "write"] = self.epochs[event.side, "read"] = "plaintext"

    def epoch_of(self, alert: AlertEvent) -> str:
        way = "write" if alert.direction == "sent" else "read"
        return self.epochs.get((alert.side, way), "plaintext")

    def flush(self) -> None:
        """Turn the gathered actions into steps: choosing, verifying, deriving, as they began."""
        run, self.run = self.run, []
        if self.both:
            # The client's record of what the server chose repeats what the server's own choice has told.
            run = [e for e in run if not (isinstance(e, ChoiceEvent) and self.is_repeated(e))]
        if self.watched:
            # That a client shows no certificate its message says; why, it alone knows.
            run = [e for e in run if not (isinstance(e, ChoiceEvent) and e.what == "client_certificate")]
        groups: dict[str, list[Event]] = {}
        for event in decided(run, self.agreed):
            groups.setdefault(group_of(event, run, self.agreed), []).append(event)
        if HELD in groups:
            self.held.setdefault(run[0].side, []).extend(groups.pop(HELD))
        for ticket in [key for key in groups if key.startswith("check:ticket")]:
            # A server opens the ticket before it chooses to resume, though it has chosen other things before.
            groups = {ticket: groups.pop(ticket), **groups}
        for key, events in groups.items():
            self.action(key, events)

    def is_repeated(self, event: ChoiceEvent) -> bool:
        own = event.what in OWN_CHOICES
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
        ok = not any(has_failed(event) for event in events)
        onlooker = any(is_by_onlooker(event) for event in events)
        # What was chosen in the clear is read by whoever looks on.
        onlooker = onlooker or (self.watched and key.startswith("step:answer"))
        self.steps.append(_Draft("action", key, side, "", events, ok=ok, onlooker=onlooker))


# What is proved by knowing a secret: that one's secrets are told with it.
_PROVING = frozenset({"ClientHello", "Finished"})
# Several of these in a row from one side are one step.
_REPEATABLE = frozenset({"message:data", "message:data:tls12", "message:NewSessionTicket:server"})
# After these a connection goes on, or ends as it should.
_HARMLESS_ALERTS = frozenset({"close_notify", "user_canceled", "no_renegotiation"})


def _finish(drafts: list[_Draft], agreed: Agreed) -> list[Step]:
    """Number the steps and find their words; what was said once is not said again."""
    told: set[str] = set()
    steps: list[Step] = []
    for number, draft in enumerate(drafts, 1):
        # As precise as the side, where that has words of its own.
        key = known_id(f"{draft.id}:{draft.side}")
        found = explanations().get(key) or explanation(f"{draft.id.partition(':')[0]}:unknown")
        title, purpose, textbook, rfc = draft.title, "", "", ""
        if found:
            title = found.title if key or not draft.title else draft.title
            purpose, textbook, rfc = found.text, found.textbook, found.rfc
        key = key or draft.id
        again = explanation(f"again:{key}:{draft.side}") if key in told else None
        if again:
            purpose = again.text
        told.add(key)
        details = [*draft.details, *details_of(draft.events, agreed, brief=again is not None)]
        textbook = "" if textbook in told else textbook
        if draft.kind == "action":
            title, purpose, textbook = _action_words(draft, agreed, title, purpose, textbook, told)
        told.add(textbook)
        steps.append(Step(
            number=number, kind=draft.kind, id=draft.id, side=draft.side,
            title=title + _times(draft), purpose=purpose, textbook=textbook, rfc=rfc, size=draft.size,
            protection=draft.protection, ok=draft.ok, onlooker=draft.onlooker,
            details=tuple(details), events=tuple(draft.events)))  # fmt: skip
    return steps


def _times(draft: _Draft) -> str:
    count = sum(isinstance(event, MessageEvent) for event in draft.events)
    return f" ({count} of them)" if count > 1 else ""


def _action_words(
    draft: _Draft, agreed: Agreed, title: str, purpose: str, textbook: str, told: set[str]
) -> tuple[str, str, str]:
    """An action's title is a verb phrase; a secret in it may bring a correction of the textbook along."""
    if draft.id.startswith("sealed:"):
        if draft.id == "sealed:not_tls_records":  # it is open to everybody
            return title, purpose, textbook
        return f"stays closed from here: {title}", purpose, textbook
    if draft.id.startswith("choice:"):
        title = f"chooses its {title}"
    elif not draft.id.startswith("step:"):
        title = f"verifies the {title}" if not title.startswith("Finished") else f"verifies {title}"
    for identifier in ladder(draft.events, agreed):
        found = explanation(identifier)
        if found and draft.id == "step:exchange":
            purpose = found.text
        if found and not textbook and found.textbook not in told:
            textbook = found.textbook
    return title, purpose, textbook
