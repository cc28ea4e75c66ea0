"""From an error and its evidence to the diagnosis: the rule that holds, its text, and what was observed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pellucid.codes import AlertDescription, name_of
from pellucid.diagnosis.case import Case
from pellucid.diagnosis.evidence import ALERT, Choice, Evidence
from pellucid.diagnosis.rules import Rule, rule_for, rule_of
from pellucid.diagnosis.steps import step_of
from pellucid.diagnosis.variants import Known
from pellucid.errors import AlertReceived, CertificateRejected, TLSError
from pellucid.printable import printable
from pellucid.trace.details import OPTIONAL_CHOICES
from pellucid.trace.failure import Diagnosis, Fact
from pellucid.trace.texts import texts

__all__ = ["diagnose_error", "diagnosis_of", "identify"]

_TEXTS = ("inferred", "possible", "fix", "confirm", "rfc")


def identify(error: TLSError, evidence: Evidence) -> str:
    """The stable id: the reason, made more precise where the evidence allows it."""
    return rule_of(Case(error, evidence)).id


def diagnosis_of(
    error: TLSError, evidence: Evidence | None = None, *, identifier: str = "", cause: str = ""
) -> Diagnosis:
    """What ``error`` means, with what is known around it. {host} and {port} still stand in its advice.

    ``identifier`` is for who knows the id better than the rules do: then the texts are those of the id alone.
    ``cause`` is the operating system's name of what it said (``ECONNREFUSED``).
    """
    case = Case(error, evidence or Evidence(), cause)
    rule = rule_for(identifier) if identifier else rule_of(case)
    text = _text(rule, case, more=not identifier)
    alert, direction = _alert(case)
    return Diagnosis(
        id=rule.id,
        blame="peer" if isinstance(error, CertificateRejected) else error.blame,
        alert=alert,
        direction=direction,
        step=step_of(case.evidence),
        observed=_observed(case),
        evidence=tuple(_facts(rule, case)),
        **text,
    )


def diagnose_error(error: TLSError, evidence: Evidence | None, cause: str = "") -> Diagnosis:
    """The same with host and port, as far as they are known."""
    found = evidence or Evidence()
    return diagnosis_of(error, found, cause=cause).at(found.place)


def _text(rule: Rule, case: Case, *, more: bool) -> dict[str, str]:
    known = texts("failures.toml")
    fallback = "protocol" if case.error.blame == "peer" else "internal_error"
    base = known.get(rule.id) or known[fallback]
    found = {name: base.get(name, "") for name in _TEXTS}
    for variant in rule.variants if more else ():
        if (knows := variant(case)) is not None:
            found = _with(found, rule.id, knows)
    # A server can connect to itself, and sees by that neither a client's certificate nor what ails one.
    elsewhere = "--why" in found["confirm"] or isinstance(case.error, CertificateRejected)
    if not case.is_client and elsewhere and "{host}" in found["confirm"]:
        found["confirm"] = ""
    return found


def _with(found: dict[str, str], identifier: str, knows: Known) -> dict[str, str]:
    """The texts with those of a variant in their place; ``also`` is one more thing that is possible."""
    name, words = knows
    variant = {
        key: re.sub(r"\{(\w+)\}", lambda place: words.get(place[1], place[0]), text)
        for key, text in texts("variants.toml")[f"{identifier}:{name}"].items()
    }
    also = variant.pop("also", "")
    found = found | variant
    if also:
        found["possible"] = " ".join(filter(None, (found["possible"], also)))
    return found


#: Evidence is shown on a screen, and who sends a lot is not to fill it: pieces, and characters of each.
MOST_FACTS, MOST_CHARACTERS = 24, 600

#: Characters of what the error says; that of a path names certificates and lists.
MOST_SAID = 2_000


def _facts(rule: Rule, case: Case) -> Iterable[Fact]:
    count = 0
    for observe in rule.observes:
        for fact in observe(case):
            if count == MOST_FACTS:
                return
            count += 1
            cut = len(fact.found) > MOST_CHARACTERS
            yield Fact(fact.what, f"{fact.found[:MOST_CHARACTERS]}...") if cut else fact


def _alert(case: Case) -> tuple[str | None, Literal["sent", "received"] | None]:
    if isinstance(case.error, AlertReceived):
        return case.alert, "received"
    # Not merely due: a peer that is gone, or deaf, is told nothing.
    sent = [
        s.raw for s in case.evidence.messages if s.name == ALERT and s.direction == "sent" and len(s.raw) == 2
    ]
    return (name_of(sent[-1][1], AlertDescription), "sent") if sent else (None, None)


def _observed(case: Case) -> str:
    error, evidence = case.error, case.evidence
    said = printable(error.detail, MOST_SAID)  # that of a signer or of a callback is not ours
    sentences = [_sentence(said or error.reason.replace("_", " "))]
    # Of several choices about one thing the last counts.
    latest = {choice.what: choice for choice in evidence.choices}
    sentences += filter(None, (_not_chosen(each, case) for each in latest.values() if not each.chosen))
    messages = [spoken for spoken in evidence.messages if spoken.name != ALERT]
    if messages and evidence.began and not evidence.completed:
        last = messages[-1]
        sentences.append(f"The last message before was {last.name}, {last.direction} by the {case.side}.")
    return " ".join(sentences)


def _not_chosen(choice: Choice, case: Case) -> str:
    side = case.side
    if choice.what == "client_certificate":
        if choice.ours:
            return f"Of the certificates that the {side} has ({', '.join(choice.ours)}) none was shown."
        return f"The {side} has no certificate to show."
    if choice.what in OPTIONAL_CHOICES or _named(choice, case.error.detail):
        return ""
    theirs = "client" if side == "server" else "server"
    return (
        f"For {choice.what.replace('_', ' ')} the {side} has {', '.join(choice.ours) or 'nothing'}; "
        f"the {theirs} has {', '.join(choice.theirs) or 'nothing'}."
    )


def _named(choice: Choice, detail: str) -> bool:
    """Whether the error has said already what each side has."""
    names = (*choice.ours, *choice.theirs)
    return bool(names) and all(name in detail for name in names)


def _sentence(text: str) -> str:
    if text.partition(" ")[0].isalpha():  # not a file's or an algorithm's name
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
