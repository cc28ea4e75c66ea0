"""The trace as a document, "pellucid.trace/1", described by ``schema/trace-1.json`` in this package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pellucid.codes import ContentType, name_of
from pellucid.trace.events import CertificateSummary, Event, MessageEvent, OutcomeEvent, RecordEvent, Redacted
from pellucid.trace.fingerprints import fingerprints
from pellucid.trace.summary import final_outcome
from pellucid.trace.texts import Place
from pellucid.trace.timing import timings

if TYPE_CHECKING:
    from pellucid.messages import Field
    from pellucid.trace.recorder import Trace

__all__ = ["SCHEMA", "dumps", "schema", "to_json"]

SCHEMA = "pellucid.trace/1"

# What all events have, and the class that reads a message, which shows in ``fields``.
_ELSEWHERE = frozenset({"n", "time_us", "side", "cls"})
# Of what a record carries, the messages have what can be read; a capture (``pcapng``) has all of it.
_NOT_OF_RECORDS = frozenset({"raw"})


def to_json(
    trace: Trace, previous: Sequence[Trace] = (), why: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The trace as JSON values; ``previous`` are earlier connections of the same command, oldest first.

    ``why``: what they came to, where they were made to find out why the first has failed.
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "outcome": _outcome(trace),
        "events": [_event(event, trace.place) for event in trace.events],
    }
    if trace.trust:
        document["trust"] = asdict(trace.trust)
    if steps := timings(trace.events):
        document["timing"] = [{"step": each.step, "us": each.us, "ok": each.ok} for each in steps]
    if trace.dropped:
        document["dropped"] = trace.dropped
    if previous:
        document["previous"] = [to_json(earlier) for earlier in previous]
    if why is not None:
        document["why"] = dict(why)
    return document


def dumps(trace: Trace, previous: Sequence[Trace] = (), why: Mapping[str, Any] | None = None) -> str:
    """The document as text, one line an event would be too much: indented by one."""
    return json.dumps(to_json(trace, previous, why), indent=1, ensure_ascii=True) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    import pkgutil  # noqa: PLC0415 - only who validates pays for it

    data = pkgutil.get_data("pellucid.trace", "schema/trace-1.json")
    found: dict[str, Any] = json.loads(data or b"")
    return found


def _outcome(trace: Trace) -> dict[str, Any]:
    # None: the recording stopped before it was known, and that is not a connection.
    outcome = final_outcome(trace.events) or OutcomeEvent(n=0, time_us=0, side="client", status="failed")
    return _outcome_fields(outcome, trace.place)


def _outcome_fields(outcome: OutcomeEvent, place: Place) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "protocol": outcome.protocol or None,
        "cipher_suite": outcome.cipher_suite or None,
        "group": outcome.group or None,
        "signature_scheme": outcome.signature_scheme or None,
        "alpn": outcome.alpn or None,
        "resumed": outcome.resumed,
        "server_name": outcome.server_name or None,
        "mutual": outcome.mutual,
        "failure": _value(outcome.failure.at(place)) if outcome.failure else None,
    }


def _event(event: Event, place: Place) -> dict[str, Any]:
    document: dict[str, Any] = {
        "n": event.n,
        "time_us": event.time_us,
        "side": event.side,
        "kind": event.kind,
    }
    if isinstance(event, OutcomeEvent):
        return document | _outcome_fields(event, place)
    left_out = _ELSEWHERE | _NOT_OF_RECORDS if isinstance(event, RecordEvent) else _ELSEWHERE
    for name in (f.name for f in fields(event) if f.name not in left_out):
        document[name] = _value(getattr(event, name))
    if document.get("mac_key") == "":  # most suites have none
        del document["mac_key"]
    if document.get("by_onlooker") is False:  # as of all who take part
        del document["by_onlooker"]
    if isinstance(event, MessageEvent):
        document["fields"] = [_field(field) for field in event.fields]
        if event.name == "ClientHello" and (found := fingerprints(event.raw)):
            document |= {"ja3": found.ja3, "ja4": found.ja4}
    if isinstance(event, RecordEvent):
        document["content_type"] = name_of(event.content_type, ContentType)
    return document


def _value(value: Any) -> Any:
    """Bytes as hex, redacted secrets as length and fingerprint, named inputs as a list of objects."""
    match value:
        case bytes():
            return value.hex()
        case Redacted() | CertificateSummary():
            return {name: _value(item) for name, item in asdict(value).items()}
        case tuple():
            if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
                return [{"name": name, "value": _value(item)} for name, item in value]
            return [_value(item) for item in value]
        case Mapping():
            return {str(key): _value(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _value(item) for name, item in asdict(value).items()}
    return value


def _field(field: Field) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": field.name,
        "offset": field.offset,
        "length": field.length,
        "value": field.value,
        "meaning": field.meaning,
    }
    if field.fields:
        document["fields"] = [_field(inner) for inner in field.fields]
    return document
