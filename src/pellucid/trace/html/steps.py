"""The steps of the narration with all that the page shows of each: bytes, fields, choices, checks, paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pellucid.codes import AlertDescription, AlertLevel, ContentType
from pellucid.messages import Alert, ChangeCipherSpec, describe
from pellucid.trace.agreed import Agreed
from pellucid.trace.details import GREAT_CHECKS, OPTIONAL_CHOICES
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
    other_side,
)
from pellucid.trace.explanations import explain, known_id
from pellucid.trace.fingerprints import fingerprints
from pellucid.trace.html.fields import field_nodes
from pellucid.trace.html.records import Records
from pellucid.trace.html.schedule import Schedule
from pellucid.trace.html.values import Json, cut
from pellucid.trace.narration import Step
from pellucid.trace.paths import PathsEvent
from pellucid.trace.texts import texts

__all__ = ["Parts", "step_node"]


MOST_NAMES = 200


class Parts:
    """Makes the parts of steps, with what they refer to."""

    def __init__(self, agreed: Agreed, records: Records, schedule: Schedule) -> None:
        self._agreed = agreed
        self._records = records
        self._schedule = schedule

    def of(self, step: Step) -> list[Json]:
        """One for each event that has something to show, in order."""
        made: list[Json] = []
        for event in step.events:
            part = self._part(event)
            if part and part["kind"] == "data" and made and made[-1]["kind"] == "data":
                made[-1]["size"] += part["size"]
                made[-1]["records"] += [one for one in part["records"] if one not in made[-1]["records"]]
            elif part and part not in made:  # both sides may have told of one secret
                made.append(part)
        if any(part.get("what") == "certificate_signatures" for part in made):
            for part in made:
                if part["kind"] == "certificate":
                    part["judged"] = False
        return made

    def _part(self, event: Event) -> Json | None:
        match event:
            case MessageEvent():
                proof = {"key": key} if (key := self._schedule.id_of(event)) else {}
                made = self._bytes(event, event.name, event.raw, self._fields(event))
                return made | proof | _made_by(event)
            case AlertEvent():
                return self._alert(event)
            case RecordEvent(content_type=ContentType.change_cipher_spec):
                raw = event.raw[len(event.header) :] or b"\x01"
                nodes = field_nodes(describe(raw, ChangeCipherSpec), raw, "ChangeCipherSpec")
                return self._bytes(event, "ChangeCipherSpec", raw, nodes)
            case DataEvent():
                return {"kind": "data", "size": event.length, "records": [*self._records.of(event)]}
            case SecretEvent() | KeysEvent():
                key = self._schedule.id_of(event)
                return {"kind": "secret", "key": key} if key else None
            case ChoiceEvent():
                return self._choice(event)
            case CheckEvent():
                return self._check(event)
            case CertificateEvent():
                return _certificate(event)
            case PathsEvent():
                return _paths(event)
        return None

    def _fields(self, event: MessageEvent) -> list[Json]:
        return field_nodes(event.fields, event.raw, event.name)

    def _bytes(self, event: Event, name: str, raw: bytes, nodes: list[Json]) -> Json:
        return {
            "kind": "message", "name": name, "raw": raw.hex(), "fields": nodes,
            "records": self._records.of(event),
        }  # fmt: skip

    def _alert(self, event: AlertEvent) -> Json:
        level, description = (
            registry.__members__.get(name)
            for registry, name in ((AlertLevel, event.level), (AlertDescription, event.description))
        )
        if level is None or description is None:  # a number that nobody has given a name
            return {"kind": "alert", "name": event.description, "records": self._records.of(event)}
        raw = bytes((level, description))
        nodes = field_nodes(describe(raw, Alert), raw, "Alert")
        return self._bytes(event, "Alert", raw, nodes)

    def _choice(self, event: ChoiceEvent) -> Json:
        found = explain(event, self._agreed)
        other = other_side(event.side)
        optional = event.what in OPTIONAL_CHOICES
        sides: list[Json] = [{"side": event.side, "has": _first(event.ours)}]
        if event.theirs:
            sides.append({"side": other, "has": _first(event.theirs)})
        made: Json = {
            "kind": "choice", "what": event.what, "title": found.title if found else event.what,
            "text": found.text if found else "", "rfc": found.rfc if found else "",
            "sides": sides, "chosen": event.chosen, "rule": event.rule,
            "ok": bool(event.chosen) or optional, "side": event.side,
        }  # fmt: skip
        if event.what == "cipher_suite" and event.chosen == self._agreed.cipher_suite:
            made["pieces"] = list(self._pieces())
        return made

    def _pieces(self) -> Iterator[Json]:
        """A suite of TLS 1.2 taken apart."""
        suite = self._agreed.suite
        for part in suite.parts(encrypt_then_mac=self._agreed.encrypt_then_mac) if suite else ():
            lacks = {"lacks": part.lacks, "why": part.why} if part.lacks else {}
            yield {"role": part.role, "name": part.name, "text": part.text} | lacks

    def _check(self, event: CheckEvent) -> Json:
        found = explain(event, self._agreed)
        return {
            "kind": "check", "what": event.what, "title": found.title if found else event.what,
            # The words of a great check are the step's own.
            "text": found.text if found and event.what not in GREAT_CHECKS else "",
            "rfc": found.rfc if found else "", "expected": event.expected, "found": event.found,
            # Who comes with a ticket that is too old gets a full handshake: no fault.
            "ok": event.ok, "harmless": event.what == "ticket",
        }  # fmt: skip


def _made_by(event: MessageEvent) -> Json:
    """By what a ClientHello is told from those of other programs."""
    found = fingerprints(event.raw) if event.name == "ClientHello" else None
    return {"fingerprints": {name: cut(text) for name, text in asdict(found).items()}} if found else {}


def _first(names: Sequence[str]) -> list[str]:
    """As many as anybody reads, and how many more there are: a hello may offer 30,000 suites."""
    rest = len(names) - MOST_NAMES
    return [*names[:MOST_NAMES], *([f"and {rest:,} more"] if rest > 0 else [])]


def _certificate(event: CertificateEvent) -> Json:
    path = [
        {
            "subject": one.subject, "issuer": one.issuer, "names": _first(one.names), "key": one.key,
            "not_before": one.not_before, "not_after": one.not_after,
            "signature_algorithm": one.signature_algorithm, "verdict": one.verdict, "ok": one.verdict == "ok",
        }
        for one in event.path
    ]  # fmt: skip
    return {
        "kind": "certificate",
        "whose": event.whose,
        "judge": "onlooker" if event.by_onlooker else event.side,
        "judged": True,
        "ok": event.ok,
        "path": path,
    }


def _paths(event: PathsEvent) -> Json:
    """As a check: what each path breaks, and what others say."""
    paths = [
        f"{one.line}: {one.failed[0].found if one.failed else 'every rule holds'}" for one in event.candidates
    ]
    verdicts = "; ".join(f"{one.profile} {one.short}" for one in event.verdicts)
    return {
        "kind": "check", "what": "paths", "title": "candidate paths, and other verifiers", "text": "",
        "rfc": "RFC 5280 6.1", "expected": "a path that holds every rule",
        "found": "\n".join([*paths, verdicts]), "ok": event.ok, "harmless": False,
    }  # fmt: skip


def step_node(step: Step, parts: Sequence[Json], time_us: int) -> Json:
    """A step as the page has it."""
    made: Json = {
        "number": step.number, "kind": step.kind, "side": step.side, "title": step.title,
        "purpose": step.purpose, "rfc": step.rfc, "ok": step.ok,
        "time": time_us, "parts": list(parts),
    }  # fmt: skip
    if step.kind == "message":
        made |= {"size": step.size, "protection": step.protection, "clear": step.protection == "in the clear"}
    if step.textbook:
        made["textbook"] = step.textbook
    if step.onlooker:
        made["onlooker"] = True
    if without := _without(step):
        made["without"] = without
    # What the events do not say themselves, such as the words of a demonstration.
    if any(isinstance(event, DataEvent | SealedEvent) for event in step.events):
        made["rows"] = [{"label": row.label, "value": row.value} for row in step.details]
    if any(isinstance(event, SealedEvent) for event in step.events):
        made["sealed"] = True
    return made


def _without(step: Step) -> str:
    """What would go wrong without it, under its id or the longest that it begins with."""
    known = texts("html/without.toml")
    identifier = known_id(f"{step.id}:{step.side}") or step.id
    while identifier not in known and ":" in identifier:
        identifier = identifier.rpartition(":")[0]
    return known.get(identifier, {}).get("text", "")
