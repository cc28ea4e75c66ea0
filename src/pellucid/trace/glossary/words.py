"""Entries for all that is no number of IANA's: messages, secrets, terms, failures, fields, and the rest."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.alerts import ALERTS
from pellucid.codes import ContentType, HandshakeType
from pellucid.errors import Reason
from pellucid.trace.explanations import Explanation, explanations
from pellucid.trace.glossary.codepoints import cause_and_cure
from pellucid.trace.glossary.entry import NO_NUMBER, Entry, Row, listed
from pellucid.trace.texts import texts

__all__ = ["failures", "fields", "messages", "others", "sealed", "secrets", "terms"]

_WITHOUT = "html/without.toml"

# Explanations of one message in one case, by how its id goes on; told as rows of the message.
_CASES = {
    "second": "the second one",
    "client": "the client's",
    "tls12": "in TLS 1.2",
    "tls12:client": "TLS 1.2, client's",
    "tls12:resuming": "1.2, resuming",
    "RSA": "with RSA",
    "DHE": "with DHE",
    "ECDHE": "with ECDHE",
    "extended": "extended",
    "kem": "with a KEM",
    "unjudged": "not judged",
}
# The kinds of explanations that are terms of the narration, and what they are called here.
_KINDS = {
    "choice": "choice",
    "check": "check",
    "certificate": "check",
    "keys": "keys",
    "state": "state",
    "record": "record of type",
    "outcome": "outcome",
}


def terms() -> Iterator[Entry]:
    for name, term in texts("glossary/terms.toml").items():
        number = term.get("code", "")
        yield Entry(
            f"term:{name}", term.get("kind", "term"), name, term["text"],
            int(number, 0) if number else NO_NUMBER, number, also=listed(term.get("also")),
            without=term.get("without", ""), textbook=term.get("textbook", ""), rfc=term["rfc"],
            related=listed(term["related"]),
        )  # fmt: skip


def messages() -> Iterator[Entry]:
    codes = {code.name.replace("_", ""): code for code in HandshakeType}
    for identifier, found in explanations().items():
        kind, _, name = identifier.partition(":")
        if kind != "message" or ":" in name or name == "unknown":
            continue
        yield _explained(identifier, found, "message", rows=_cases(identifier), code=codes.get(name.lower()))


def secrets() -> Iterator[Entry]:
    for identifier, found in explanations().items():
        if identifier.startswith("secret:") and identifier.count(":") == 1:
            yield _explained(identifier, found, "secret", rows=_cases(identifier))


def _explained(
    identifier: str,
    found: Explanation,
    kind: str,
    *,
    rows: tuple[Row, ...] = (),
    code: int | None = None,
    passing: bool = False,
) -> Entry:
    more = texts("glossary/additions.toml").get(identifier, {})
    own_name = identifier.partition(":")[2]
    also: dict[str, None] = dict.fromkeys(
        (*listed(more.get("also")), *([own_name] if kind == "secret" else []))
    )
    return Entry(
        identifier, kind, found.title, found.text, *_number(code), also=tuple(also),
        without=more.get("without") or texts(_WITHOUT).get(identifier, {}).get("text", ""),
        textbook=found.textbook, rows=rows, rfc=found.rfc, related=listed(more.get("related")),
        passing=passing,
    )  # fmt: skip


def _number(code: int | None) -> tuple[int, str]:
    return (NO_NUMBER, "") if code is None else (int(code), str(int(code)))


def _cases(identifier: str) -> tuple[Row, ...]:
    """What is said of it in one case or another."""
    known = explanations()
    found = ((label, known.get(f"{identifier}:{case}")) for case, label in _CASES.items())
    return tuple(Row(label, case.text) for label, case in found if case is not None)


def failures() -> Iterator[Entry]:
    for name, failure in texts("failures.toml").items():
        rows = list(cause_and_cure({**failure, "inferred": ""}))
        alert = ALERTS[Reason(name)] if name in set(Reason) else None
        if alert is not None:
            rows.append(Row("alert sent", f"{alert} ({int(alert)})"))
        more = texts("glossary/additions.toml").get(f"failure:{name}", {})
        own = listed(more.get("related"))
        alerted = () if alert is None or alert.name in (name, *own) else (alert.name,)
        yield Entry(
            f"failure:{name}", "failure", name, failure["inferred"], also=listed(more.get("also")),
            rows=tuple(rows), rfc=failure["rfc"], related=(*own, *alerted),
        )  # fmt: skip


def sealed() -> Iterator[Entry]:
    """Why a side of a captured connection stays closed."""
    for identifier, reason in texts("sealed.toml").items():
        kind, _, name = identifier.partition(":")
        if kind != "sealed":  # said again of the other side
            continue
        rows = tuple(cause_and_cure(reason))
        yield Entry(
            identifier, "closed recording", name, reason["text"], also=(reason["title"],), rows=rows,
            rfc=reason.get("rfc", ""), related=("key log", "forward secrecy"),
        )  # fmt: skip


def fields() -> Iterator[Entry]:
    """The fields of messages, records and certificates."""
    for key, field in texts("html/fields.toml").items():
        whose, _, name = key.rpartition("/")
        shown = name.removesuffix("[]")
        yield Entry(
            f"field:{key}", "field", shown, field["text"], why=field.get("odd", ""), rfc=field.get("rfc", ""),
            rows=_place(whose, name), passing=True,
        )  # fmt: skip


def _place(whose: str, name: str) -> tuple[Row, ...]:
    rows = []
    if whose:
        rows.append(Row("stands in", {"x509": "certificates"}.get(whose, whose)))
    if name.endswith("[]"):
        rows.append(Row("one of", "a list of these"))
    return tuple(rows)


def others() -> Iterator[Entry]:
    """Choices, checks, keys, states and records, by the names that the narration gives them."""
    for identifier, found in explanations().items():
        kind, _, rest = identifier.partition(":")
        if kind in _KINDS and ":" not in rest and rest != "unknown":
            code = ContentType.__members__.get(rest) if kind == "record" else None
            yield _explained(
                identifier, found, _KINDS[kind], rows=_cases(identifier), passing=True, code=code
            )
