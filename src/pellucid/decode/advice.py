"""A failure, told to who reads a capture: what was found of the certificate that was refused, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pellucid.decode.certificates import Judgement
from pellucid.trace.events import Side, other_side
from pellucid.trace.failure import Diagnosis
from pellucid.trace.texts import texts

__all__ = ["advised"]

#: Failures that are about a certificate, by whose it is.
_REFUSED: dict[str, Side] = {
    "server_certificate_refused": "server",
    "client_rejected_certificate": "server",
    "client_certificate_untrusted": "client",
}

# By these alerts something else is meant than a name.
_NOT_OF_NAMES = frozenset({"unknown_ca", "certificate_expired", "certificate_revoked", "access_denied"})


def advised(failure: Diagnosis, side: Side, judged: Mapping[Side, Judgement]) -> Diagnosis:
    """``failure`` of ``side``, in the words of somebody who takes no side and cannot change either."""
    words: dict[str, Any] = texts("onlooker.toml").get(f"failure:{failure.id}", {})
    failure = replace(failure, **words)
    owner = _REFUSED.get(failure.id)
    if owner is not None:
        failure = _refused(failure, owner, judged.get(owner))
    return _by_name(failure, other_side(side))


def _refused(failure: Diagnosis, owner: Side, judgement: Judgement | None) -> Diagnosis:
    """With what was found of the certificate here; ``possible`` is left to what that does not answer."""
    known = texts("onlooker.toml")
    refuser, alert = other_side(owner), failure.alert
    possible = known.get(f"alert:{alert}", {}).get("possible", "") if alert else failure.possible
    inferred, fix, confirm = failure.inferred, failure.fix, failure.confirm
    if judgement is not None:
        inferred = " ".join((inferred, *_findings(judgement, alert)))
        if reason := _reason(judgement, alert):
            possible, fix = "", known.get(f"reason:{reason}", {}).get("fix", fix)
        elif judgement.by_roots:
            holds = known.get(f"holds:{alert}", {})
            possible, fix = holds.get("possible", possible), holds.get("fix", fix)
        if judgement.by_roots:
            confirm = known[f"confirm:{owner}"]["confirm"]
    roles = {"{refuser}": refuser, "{owner}": owner, "{root}": judgement.top if judgement else ""}

    def named(text: str) -> str:
        return re.sub(r"\{(refuser|owner|root)\}", lambda found: roles[found[0]], text)

    return replace(
        failure, inferred=named(inferred), possible=named(possible), fix=named(fix), confirm=named(confirm)
    )


def _findings(judgement: Judgement, alert: str | None) -> Iterable[str]:
    """Sentences: what this certificate is like, seen from here."""
    if judgement.by_roots and not judgement.reason:
        yield "With the roots given the path holds" + (
            ": this {refuser} does not have that root." if alert == "unknown_ca" else "."
        )
    elif judgement.reason:
        roots = "With the roots given" if judgement.by_roots else "Here"
        yield f"{roots} it does not pass either: {judgement.found}."
    if judgement.missing and alert in ("unknown_ca", None):
        yield (
            f"Of the certificates sent the last was issued by {judgement.missing}, whose own was not: "
            "the {refuser} has to have that already."
        )
    for fault in (judgement.name_fault, judgement.date_fault):
        if fault and fault not in judgement.found:
            besides = fault == judgement.name_fault and alert in _NOT_OF_NAMES
            yield f"Besides, {fault}." if besides else f"{fault[:1].upper()}{fault[1:]}."


def _reason(judgement: Judgement, alert: str | None) -> str:
    """The id of what is known to be wrong with it, and may be why; "" for nothing."""
    if judgement.reason:
        return judgement.reason
    if judgement.name_fault and alert not in _NOT_OF_NAMES:
        return "hostname_mismatch"
    return "certificate_expired" if judgement.date_fault and alert == "certificate_expired" else ""


def _by_name(failure: Diagnosis, peer: Side) -> Diagnosis:
    """With the peer called by its name."""

    def named(text: str) -> str:
        return re.sub(r"\bpeer\b", peer, text)

    return replace(
        failure,
        inferred=named(failure.inferred),
        possible=named(failure.possible),
        fix=named(failure.fix),
    )
