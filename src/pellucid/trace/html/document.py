"""All that the page shows, as one JSON document: connections, each with its steps, records and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import accumulate

from pellucid.trace.ending import summary_rows
from pellucid.trace.events import (
    Event,
    KeysEvent,
    MessageEvent,
    RecordEvent,
    Redacted,
    SecretEvent,
    UnreadEvent,
)
from pellucid.trace.explanations import explain
from pellucid.trace.failure import tls_began
from pellucid.trace.html.fields import about_texts
from pellucid.trace.html.origins import Origins
from pellucid.trace.html.records import Records
from pellucid.trace.html.schedule import Schedule
from pellucid.trace.html.steps import Parts, step_node
from pellucid.trace.html.values import Json
from pellucid.trace.narration import Step, narrate
from pellucid.trace.recorder import Trace
from pellucid.trace.summary import Summary, summarise

__all__ = ["document"]

#: Host and port.

# Of what could not be read, the start tells what it was.
_MOST_UNREAD = 512
# A handshake has some thirty steps. Where a connection went on for long, its beginning is shown, and its end.
MOST_STEPS, _LAST_STEPS = 400, 20


def document(traces: Sequence[Trace], *, heading: str, note: str, retell: Callable[[Step], Step]) -> Json:
    """The document of these connections, oldest first."""
    earlier: dict[Redacted, tuple[int, str]] = {}
    connections = []
    for number, trace in enumerate(traces, 1):
        connection = _connection(trace, retell, dict(earlier))
        connections.append(connection)
        for event in trace.events:
            if isinstance(event, SecretEvent) and (key := connection["key_of"].get(event.n)):
                earlier.setdefault(_fingerprint(event.value), (number, key))
        del connection["key_of"]
    return {
        "heading": heading,
        "note": note,
        "revealed": any(_reveals(trace.events) for trace in traces),
        "about": about_texts(_nodes(connections)),
        "connections": connections,
    }


def _fingerprint(value: bytes | Redacted) -> Redacted:
    return value if isinstance(value, Redacted) else Redacted.of(value)


def _reveals(events: Sequence[Event]) -> bool:
    return any(
        (isinstance(event, SecretEvent) and isinstance(event.value, bytes))
        or (isinstance(event, KeysEvent) and isinstance(event.key, bytes))
        for event in events
    )


def _nodes(connections: Sequence[Json]) -> Iterator[Json]:
    """The roots of all field trees."""
    for connection in connections:
        for record in connection["records"]:
            yield from record["fields"]
        for step in connection["steps"]:
            for part in step["parts"]:
                yield from part.get("fields", ())


def _connection(
    trace: Trace, retell: Callable[[Step], Step], earlier: dict[Redacted, tuple[int, str]]
) -> Json:
    events = trace.events
    summary = summarise(events)
    agreed = summary.agreed
    both = len({event.side for event in events}) > 1
    steps = [retell(step) for step in narrate(events)]
    if summary.outcome and summary.outcome.status == "failed" and not tls_began(events):
        steps = []  # a hello that was made and never sent
    seen = events
    if len(steps) > MOST_STEPS:
        steps = steps[: MOST_STEPS - _LAST_STEPS] + steps[-_LAST_STEPS:]
        seen = _of_steps(events, steps)
    places = _places(steps, seen)
    records = Records(events, agreed, both=both)
    records.place(steps)
    schedule = Schedule(seen, agreed, Origins(seen, lambda message: places.get(message.n), earlier))
    parts = Parts(agreed, records, schedule)
    nodes = [
        step_node(step, parts.of(step), time_us) for step, time_us in zip(steps, _times(steps), strict=True)
    ]
    return {
        "title": _title(summary),
        "outcome": _outcome(summary, trace),
        "summary": [asdict(row) for row in summary_rows(summary)],
        "sees": "both" if both else (events[0].side if events else "client"),
        "still": len({event.time_us for event in events}) < 2,
        "started": trace.started_at,
        "dropped": trace.dropped,
        "steps": nodes,
        "records": records.nodes,
        "keys": schedule.nodes,
        "unread": [e.raw[:_MOST_UNREAD].hex() for e in events if isinstance(e, UnreadEvent)],
        "key_of": {event.n: schedule.id_of(event) for event in events},
    }


def _of_steps(events: Sequence[Event], steps: Sequence[Step]) -> list[Event]:
    """The events of these steps, and what else happened until the last of them begin."""
    own = {event.n for step in steps for event in step.events}
    until = max(event.n for step in steps[:-_LAST_STEPS] for event in step.events)
    return [event for event in events if event.n <= until or event.n in own]


def _times(steps: Sequence[Step]) -> list[int]:
    """When each step had happened, in microseconds since the first: no step is before the one above it.

    It may have been recorded a little earlier, as the order is that of the wire, or of the textbook.
    """
    # Records are recorded when they are sealed, after all messages of their flight.
    moments = [
        next((event.time_us for event in step.events if not isinstance(event, RecordEvent)), 0)
        for step in steps
    ]
    # What a command does before, such as looking up a name, is no part of the connection.
    began = moments[0] if moments else 0
    return [moment - began for moment in accumulate(moments, max)]


def _places(steps: Sequence[Step], events: Sequence[Event]) -> dict[int, tuple[int, int]]:
    """The step of each message, and its place among the messages of that step, by the ``n`` of its event.

    Of a trace of both sides a step has the message that was sent; the one received is the same.
    """
    places: dict[int, tuple[int, int]] = {}
    raws: dict[bytes, tuple[int, int]] = {}
    for step in steps:
        for index, message in enumerate(event for event in step.events if isinstance(event, MessageEvent)):
            places[message.n] = step.number, index
            raws.setdefault(message.raw, (step.number, index))
    for event in events:
        if isinstance(event, MessageEvent) and event.n not in places and event.raw in raws:
            places[event.n] = raws[event.raw]
    return places


def _title(summary: Summary) -> str:
    outcome = summary.outcome
    if outcome is None:
        return "a connection"
    name = f" with {outcome.server_name}" if outcome.server_name else ""
    if outcome.status == "failed":
        return f"a connection{name} that failed"
    if outcome.status == "unknown":
        return f"a connection{name} whose end is not known"
    return f"{outcome.protocol}{name}{', resumed' if outcome.resumed else ''}"


def _outcome(summary: Summary, trace: Trace) -> Json:
    outcome = summary.outcome
    if outcome is None:
        return {"status": "unknown"}
    made: Json = {
        "status": outcome.status, "protocol": outcome.protocol, "cipher_suite": outcome.cipher_suite,
        "group": outcome.group, "side": outcome.side,
    }  # fmt: skip
    if outcome.failure:
        failure = asdict(outcome.failure.at(trace.place))
        made["failure"] = {name: value for name, value in failure.items() if value}
    if found := explain(outcome):
        made["text"] = found.text
    return made
