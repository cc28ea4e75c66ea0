"""Writes docs/glossary.md, diagnosis.md and faults.md from what the package knows: `python docs/generate.py`.

tests/test_docs.py compares the pages with `pages()`, so that they cannot fall behind.
"""

from __future__ import annotations

from pathlib import Path

from pellucid.alerts import ALERTS
from pellucid.cli.standings import standings
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

DIAGNOSIS = """# Why a connection failed

A failure has a stable id: the `id` of `failure` in JSON, and nearly always the `reason` of the `TLSError`.
Below, what follows from it and what to do (`src/pellucid/trace/failures.toml`), the alert that this side
sends, and the faults that show it ([faults.md](faults.md)): `pellucid demo --fault ID`.
This page is made by `python docs/generate.py`.
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
    parts = [DIAGNOSIS]
    for key, entry in sorted(texts("failures.toml").items()):
        parts.append(f"## {key}\n")
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
