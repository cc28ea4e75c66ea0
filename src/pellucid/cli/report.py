"""The ends of a story: what was agreed, or why it failed and what to do."""

from __future__ import annotations

from rich.text import Text

from pellucid.cli.exits import Exit
from pellucid.cli.render import Storyteller
from pellucid.trace.ending import summary_rows
from pellucid.trace.events import Side, other_side
from pellucid.trace.explanations import explain
from pellucid.trace.failure import Diagnosis
from pellucid.trace.summary import Summary
from pellucid.trace.texts import NOWHERE, Place

__all__ = ["show_failure", "show_summary"]


def show_summary(story: Storyteller, summary: Summary) -> None:
    """What a connection came to: version, suite, group, signature, who was proved, bytes, round trips.

    Of a failed one nothing: see ``show_failure``.
    """
    outcome = summary.outcome
    if outcome is None or outcome.status == "failed":
        return
    if outcome.status == "unknown":
        story.line(Text("? how it ended is not known", "bold yellow"))
        found = explain(outcome)
        if found:
            story.paragraph(found.text)
        return
    agreed = " ".join(filter(None, (outcome.protocol, outcome.cipher_suite)))
    story.line(Text(f"✓ connected: {agreed or 'by what was not captured'}", "bold green"))
    for row in summary_rows(summary):
        story.row(row.label, row.value, row.note)


def show_failure(
    story: Storyteller,
    failure: Diagnosis,
    code: Exit | None = None,
    *,
    place: Place = NOWHERE,
    seen_on: Side | None = None,
) -> None:
    """What happened, why, and what to do next; ``place``, where the server is, goes into the commands.

    ``code`` is what the command exits with on account of it. ``seen_on``: it is neither ours nor the peer's
    failure but that of this side of somebody's connection.
    """
    failure = failure.at(place)
    story.line(Text(f"✗ failed: {failure.id.replace('_', ' ')}", "bold red"))
    rows = [
        ("Observed", failure.observed),
        ("Step", failure.step),
        ("Alert", _alert(failure, seen_on)),
        *(
            ("Evidence" if n == 0 else "", f"{fact.what}: {fact.found}")
            for n, fact in enumerate(failure.evidence)
        ),
        ("Inferred", failure.inferred),
        ("Possible", failure.possible),
        ("Fix", failure.fix),
        ("Confirm", failure.confirm),
        ("Read on", failure.rfc),
        ("Exit code", f"{int(code)}, id {failure.id}") if code is not None else ("Id", failure.id),
    ]
    for label, text in rows:
        if text:
            story.row(label, text)


def _alert(failure: Diagnosis, seen_on: Side | None) -> str:
    if failure.alert is None:
        return ""
    received = failure.direction == "received"
    if seen_on is None:
        return f"{failure.alert}, sent by {'the peer: the peer' if received else 'us: we'} found the fault"
    finder = other_side(seen_on) if received else seen_on
    return f"{failure.alert}, sent by the {finder}: the {finder} found the fault"
