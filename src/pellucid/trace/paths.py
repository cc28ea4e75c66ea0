"""The paths that a chain could have been, and what several verifiers say of it: an explanation as an event.

It is recorded where a chain was refused, or where somebody asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from pellucid.printable import escaped
from pellucid.trace.certificates import UNREADABLE, readable
from pellucid.trace.events import Event, Side

__all__ = ["CandidateSummary", "PathsEvent", "RuleCheck", "VerdictSummary", "path_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheck:
    """One rule held against the certificate at ``position`` of a path; the leaf is at 0.

    ``rule`` is a stable name; ``found`` is what the certificate has, or the sentence that refuses it.
    """

    rule: str
    position: int
    ok: bool
    expected: str
    found: str
    rfc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSummary:
    """A way from the leaf towards a trusted certificate: the subjects, leaf first, as far as it leads.

    ``end``: "trusted", "no_issuer", "bad_signature", "loop" or "too_deep". ``checks`` are by the rules of the
    event's first verdict.
    """

    certificates: tuple[str, ...]
    end: str
    checks: tuple[RuleCheck, ...]

    @property
    def failed(self) -> tuple[RuleCheck, ...]:
        return tuple(check for check in self.checks if not check.ok)

    @property
    def line(self) -> str:
        """The subjects in one line."""
        return " > ".join(f'"{subject}"' for subject in self.certificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSummary:
    """What one profile says; ``rule`` and ``reason`` are empty where it accepts the chain."""

    profile: str
    accepted: bool
    rule: str
    reason: str
    sentence: str

    @property
    def short(self) -> str:
        """In three words or four."""
        return f"refuses it by {self.rule}" if self.rule else "accepts it"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathsEvent(Event):
    """The chain of ``whose`` side explained.

    ``verdicts`` begins with the profile that decided. ``differs`` are the rules by which some profiles refuse
    it and others do not; ``cut_short`` says that there may be more candidates. ``by_onlooker``: see
    ``CheckEvent``.
    """

    kind: ClassVar[str] = "paths"
    whose: Side
    candidates: tuple[CandidateSummary, ...]
    verdicts: tuple[VerdictSummary, ...]
    differs: tuple[str, ...]
    cut_short: bool
    by_onlooker: bool = False

    @property
    def ok(self) -> bool:
        """Whether the profile that decided accepts it."""
        return self.verdicts[0].accepted


def path_parts(report: Any, worded: Callable[[str], str] = str) -> dict[str, Any]:
    """What ``TraceView.paths`` takes, of an explanation (``identity.reasoning``), known by its shape: the
    trace depends neither on it nor on how certificates are parsed.

    ``worded``: what becomes of its sentences, for who tells them of others.
    """
    return {
        "candidates": tuple(
            CandidateSummary(
                certificates=tuple(map(_subject, candidate.certificates)),
                end=str(candidate.end),
                checks=tuple(_checks(candidate.checks, worded)),
            )
            for candidate in report.candidates
        ),
        "verdicts": tuple(
            VerdictSummary(
                profile=verdict.profile,
                accepted=verdict.accepted,
                rule=verdict.rule,
                reason=str(verdict.reason or ""),
                sentence=worded(verdict.sentence),
            )
            for verdict in report.verdicts.values()
        ),
        "differs": tuple(report.differs),
        "cut_short": report.cut_short,
    }


def _subject(certificate: Any) -> str:
    return readable(lambda: escaped(certificate.subject.rfc4514_string()), UNREADABLE)


def _checks(checks: Iterable[Any], worded: Callable[[str], str]) -> Iterable[RuleCheck]:
    for check in checks:
        yield RuleCheck(
            rule=check.rule,
            position=check.position,
            ok=check.ok,
            expected=check.expected,
            found=worded(check.found),
            rfc=check.rfc,
        )
