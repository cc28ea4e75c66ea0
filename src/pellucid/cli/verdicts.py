"""What several verifiers say of one chain, and why: the same rows for a connection and for files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pellucid.cli.render import Storyteller
from pellucid.trace.paths import CandidateSummary, RuleCheck, VerdictSummary

__all__ = ["show_candidates", "show_verdicts"]


def show_verdicts(
    story: Storyteller, verdicts: Sequence[VerdictSummary], *, with_reasons: bool = True
) -> None:
    """A row for each profile; nothing is said twice. ``with_reasons``: also why it is refused."""
    said: dict[str, str] = {}
    for verdict in verdicts:
        mark = "✓" if verdict.accepted else "✗"
        note = verdict.sentence if verdict.accepted or with_reasons else ""
        if note in said:
            note = f"as {said[note]}"
        elif note:
            said[note] = verdict.profile
        style = "" if verdict.accepted else "bold red"
        story.row(verdict.profile, f"{mark} {verdict.short}", note, style=style)


def show_candidates(story: Storyteller, candidates: Sequence[CandidateSummary]) -> None:
    """Every candidate path with each rule; what does not hold stands out."""
    for candidate in candidates:
        story.row("path", candidate.line, _ENDS[candidate.end])
        for rule, group in groupby(candidate.checks, lambda check: check.rule):
            checks = list(group)
            found = "; ".join(_found(check) for check in checks)
            note = f"wanted: {checks[0].expected}; {checks[0].rfc}"
            story.row(f"  {rule}", found, note, style="" if all(one.ok for one in checks) else "bold red")


def _found(check: RuleCheck) -> str:
    return f"✓ {check.position}: {check.found}" if check.ok else f"✗ {check.found}"


_ENDS = {
    "trusted": "to a trusted certificate",
    "no_issuer": "nobody has the next one",
    "bad_signature": "the last one's key does not verify the signature",
    "loop": "it goes in a circle",
    "too_deep": "it goes on and on",
}
