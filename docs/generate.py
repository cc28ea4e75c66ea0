"""Writes docs/glossary.md, diagnosis.md and faults.md from what the package knows: `python docs/generate.py`.

tests/test_docs.py compares the pages with `pages()`, so that they cannot fall behind.
"""

from __future__ import annotations

import ast
from pathlib import Path

from pellucid.alerts import ALERTS
from pellucid.cli.standings import standings
from pellucid.diagnosis.catalogue import CATALOGUE, Row
from pellucid.errors import Reason
from pellucid.faults import FAULTS, Fault
from pellucid.trace.glossary import Entry
from pellucid.trace.glossary import glossary as make_glossary
from pellucid.trace.texts import texts

HERE = Path(__file__).parent

GLOSSARY = """# Glossary

What `pellucid explain NAME` knows, which tells more of each: the words of the narration and the page
(`src/pellucid/trace/explanations.toml`, and `explanations12.toml` and `suites.toml` beside it;
`src/pellucid/trace/html/fields.toml`), and those of `src/pellucid/trace/glossary/`.
This page is made by `python docs/generate.py`.
"""
WHAT = "what it is"
# By kind of entry: told in paragraphs, or in a table of its name and these rows.
PARAGRAPHS = {
    "term": "Terms",
    "version": "Versions",
    "message": "Messages",
    "secret": "Secrets",
    "keys": "Keys",
    "extension": "Extensions",
    "choice": "Choices",
    "check": "Checks",
    "closed recording": "Why a recording stays closed",
}
TABLES = {
    "alert": ("Alerts", (WHAT, "who sends it", "usual cause", "what to do")),
    "cipher suite": ("Cipher suites", ("forward secrecy", "verdict")),
    "group": ("Groups", (WHAT, "security", "share", "offered")),
    "signature scheme": ("Signature schemes", (WHAT, "key", "hash", "offered")),
}
# In a table there is room for less.
SHORT = {"no: one stolen key opens every recording": "no"}

TESTS = HERE.parent / "tests"

DIAGNOSIS = """# Why a connection failed

A failure has a diagnosis with a stable id: `failure` in JSON, `error.diagnosis` of a `TLSError`, and
`pellucid.diagnose(error)` of any exception that a call raises, such as a `TimeoutError`. It says what was
observed, with the evidence, what follows from that, what is possible, what to do, and how to confirm it.
Rules (`src/pellucid/diagnosis/rules.py`) make it of the evidence, the words are in
`src/pellucid/trace/failures.toml`, and in `variants.toml` beside it where the evidence tells more.
This page is made by `python docs/generate.py`.

## The catalogue

What people meet most. The alert is given as the side sees it that is told the id: "sent" by it, or
"received". Each row is shown by faults ([faults.md](faults.md); `pellucid demo --fault ID`), against which
`tests/faults/test_our_client.py`, `tests/cli/test_faults.py` and `tests/diagnosis/test_errors_explain.py`
hold id, alert and exit code, and by the tests that it names, most of them with real peers.

"""
DIAGNOSIS_HEAD = ("row", "id", "what happens", "alert", "how it is told", "fix", "shown by")

ALL_FAILURES = """## All failures

What follows from each and what to do, the alert that this side sends, and the faults that show it.
"""

FAULTS_PAGE = """# Servers that fail on purpose

    pellucid demo --fault ID        what our client makes of it
    pellucid serve --fault ID       what yours does; `all` for every fault, each on its own port

`serve` writes the root for clients to trust, prints the addresses, and says of each connection what the
client did. A client that does not look for a fault reads a page that tells it so: nothing else is wrong with
the server. The faults are in `src/pellucid/faults/`; `tests/faults/test_our_client.py` and
`tests/cli/test_faults.py` hold the id, the alert and the exit code for each, and
`tests/peers/test_faults.py` what openssl, curl and gnutls-cli say.
This page is made by `python docs/generate.py`.

The id is that of [what is wrong](diagnosis.md). Where one connection cannot tell as much, "told as" is
what it can tell. The alert is sent by the client, unless it stands with "received".

"""
FAULTS_HEAD = ("fault", "what is wrong", "told as", "alert", "exit code", "needs")


def pages() -> dict[str, str]:
    """The text of each generated page by its file name."""
    return {"glossary.md": glossary(), "diagnosis.md": diagnosis(), "faults.md": faults()}


def glossary() -> str:
    entries = make_glossary(standings()).entries
    parts = [GLOSSARY]
    for kind, heading in PARAGRAPHS.items():
        found = [entry for entry in entries if entry.kind == kind]
        parts.append(f"## {heading}\n")
        parts += [_paragraph(entry) for entry in sorted(found, key=lambda entry: entry.name.lower())]
    for kind, (heading, rows) in TABLES.items():
        parts.append(f"## {heading}\n")
        parts.append(_table([entry for entry in entries if entry.kind == kind], rows))
    return "\n".join(parts)


def _paragraph(entry: Entry) -> str:
    number = f" ({entry.number})" if entry.number else ""
    lines = [f"**{_marked(entry.name)}**{number}: {_marked(entry.text)}"]
    if entry.without:
        lines.append(f"Without it, {_marked(entry.without)}")
    if entry.textbook:
        lines.append(f"*Unlike the textbook:* {_marked(entry.textbook)}")
    if entry.why:
        lines.append(f"*Why so:* {_marked(entry.why)}")
    lines += [f"*{row.label}:* {_marked(row.value)}" for row in entry.rows if row.label not in _NOT_TOLD]
    if entry.rfc:
        lines.append(f"({entry.rfc})")
    return " ".join(lines) + "\n"


# Of extensions: how pellucid goes about them is not what they are.
_NOT_TOLD = ("pellucid",)


def _table(entries: list[Entry], labels: tuple[str, ...]) -> str:
    lines = [_line("number", "name", *labels), _line(*["---"] * (2 + len(labels)))]
    for entry in entries:
        values = {WHAT: entry.text, "verdict": entry.text}
        values |= {row.label: SHORT.get(row.value, row.value) for row in entry.rows}
        cells = (_marked(values.get(label, "")) for label in labels)
        lines.append(_line(entry.number, f"`{entry.name}`", *cells))
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(text: str) -> str:
    """Text in which nothing is taken for Markdown."""
    return text.replace("*", "\\*").replace("|", "\\|").replace("_", "\\_")


def diagnosis() -> str:
    tests = tests_by_id()
    rows = [DIAGNOSIS_HEAD, ("---",) * len(DIAGNOSIS_HEAD)]
    rows += [_catalogue_row(row, tests.get(row.id, [])) for row in CATALOGUE]
    parts = [DIAGNOSIS + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n", ALL_FAILURES]
    for key, entry in sorted(texts("failures.toml").items()):
        parts.append(f"### {key}\n")
        parts += [
            f"- {label}: {_plain(entry[label])}"
            for label in ("inferred", "possible", "fix", "confirm")
            if entry.get(label)
        ]
        reason = Reason(key) if key in set(Reason) else None
        alert = ALERTS[reason] if reason else None
        if alert is not None:
            parts.append(f"- alert: {alert}")
        shown_by = [fault.id for fault in FAULTS.values() if key in (fault.cause, fault.diagnosis)]
        if shown_by:
            parts.append(f"- shown by: {', '.join(shown_by)}")
        if entry.get("rfc"):
            parts.append(f"- read on: {entry['rfc']}")
        parts.append("")
    return "\n".join(parts)


def _catalogue_row(row: Row, tests: list[str]) -> tuple[str, ...]:
    shown = [f"fault `{fault.id}`" for fault in faults_of(row)] + [f"`{test}`" for test in tests]
    return (
        str(row.number),
        f"[{row.id}](#{row.id})",
        row.situation,
        " or ".join(map(_alert, row.alerts)) or "none",
        row.told,
        _plain(texts("failures.toml")[row.id]["fix"]),
        "; ".join(shown),
    )


def _alert(told: str) -> str:
    """``unknown_ca, sent`` as it stands in a list of alternatives."""
    name, _, direction = told.partition(", ")
    return f"{name} ({direction})"


def faults_of(row: Row) -> list[Fault]:
    """The faults of this row: of those of its cause, the ones with one of its alerts, where it has any."""
    told = {fault.id: f"{fault.alert}, {fault.direction}" for fault in FAULTS.values()}
    causes = [fault for fault in FAULTS.values() if fault.cause == row.id]
    return [fault for fault in causes if told[fault.id] in row.alerts or not row.alerts]


def tests_by_id() -> dict[str, list[str]]:
    """The tests that say what they show (`pytest.mark.shows`), by id, each as ``file.py::test``."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for identifier in _shown(node):
                    name = f"{path.relative_to(TESTS.parent).as_posix()}::{node.name}"
                    found.setdefault(identifier, []).append(name)
    return found


def _shown(function: ast.FunctionDef) -> list[str]:
    calls = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
    marks = [mark for mark in calls if ast.unparse(mark.func) == "pytest.mark.shows"]
    return [ast.literal_eval(argument) for mark in marks for argument in mark.args]


def faults() -> str:
    rows = [FAULTS_HEAD, ("---",) * len(FAULTS_HEAD), *map(_row, FAULTS.values())]
    return FAULTS_PAGE + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _row(fault: Fault) -> tuple[str, ...]:
    alert = fault.alert or ""
    known = texts("failures.toml")
    told = (
        f"[{fault.diagnosis}](diagnosis.md#{fault.diagnosis})"
        if fault.diagnosis in known
        else fault.diagnosis
    )
    return (
        f"`{fault.id}`",
        fault.what,
        told,
        f"{alert}, received" if fault.direction == "received" else alert,
        str(fault.exit_code),
        fault.needs,
    )


def _plain(text: str) -> str:
    return text.replace("{host}", "HOST").replace("{port}", "PORT")


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
