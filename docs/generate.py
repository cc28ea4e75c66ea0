"""Writes docs/glossary.md, diagnosis.md and faults.md from what the package knows: `python docs/generate.py`.

tests/test_docs.py compares the pages with `pages()`, so that they cannot fall behind.
"""

from __future__ import annotations

from pathlib import Path

from pellucid.alerts import ALERTS
from pellucid.errors import Reason
from pellucid.faults import FAULTS, Fault
from pellucid.trace.explanations import Explanation, explanations
from pellucid.trace.texts import texts

HERE = Path(__file__).parent

GLOSSARY = """# Glossary

What each thing is for that a handshake shows, in the words of the narration
(`src/pellucid/trace/explanations.toml`, and `explanations12.toml` and `suites.toml` beside it).
This page is made by `python docs/generate.py`.
"""
SECTIONS = {
    "message": "Messages",
    "message tls12": "Messages as they are in TLS 1.2",
    "secret": "Secrets",
    "choice": "Choices",
    "check": "Checks",
    "alert": "Alerts",
}
SUITES = """## Cipher suites of TLS 1.2

A name says it all: TLS, key exchange, server's proof (not with RSA key exchange), WITH, encryption, and the
hash, which with CBC is that of the MAC. What a suite with such a piece lacks stands beside it.
"""

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
    parts = [GLOSSARY]
    for kind, heading in SECTIONS.items():
        parts.append(f"## {heading}\n")
        found = [one for key, one in explanations().items() if _section(key) == kind]
        parts += [_term(one) for one in sorted(found, key=lambda one: one.title.lower())]
    parts.append(SUITES)
    for key, entry in texts("suites.toml").items():
        role, _, name = key.partition(":")
        lacks = f" **Lacks {entry['lacks']}**: {entry['why']}." if "lacks" in entry else ""
        parts.append(f"**{name}** ({role}): {entry['text']}.{lacks}\n")
    return "\n".join(parts)


def _section(key: str) -> str:
    """Which section an explanation goes to; those for one side or one case go to none."""
    kind, *rest = key.split(":")
    if len(rest) == 1:
        return kind
    return f"{kind} tls12" if len(rest) == 2 and rest[1] == "tls12" else ""


def _term(one: Explanation) -> str:
    lines = [f"**{one.title}**: {one.text}"]
    if one.textbook:
        lines.append(f"*Unlike the textbook:* {one.textbook}")
    if one.rfc:
        lines.append(f"({one.rfc})")
    return " ".join(lines) + "\n"


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
