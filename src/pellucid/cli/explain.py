"""``pellucid explain``: what a name or a number of TLS means."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import output_file_option

if TYPE_CHECKING:
    from pellucid.cli.render import Storyteller
    from pellucid.trace.glossary import Entry, Found, Glossary

__all__ = ["explain"]

SCHEMA = "pellucid.explanation/1"

_HELP = """Say what a name or a number of TLS means, what it is for, and what would go wrong without it.

NAME is an alert, a cipher suite, a group, a signature scheme, an extension, a message, a secret, the id of a
failure, a field, or a word; as TLS, IANA, OpenSSL or a textbook has it, in any case of letters. A number is
looked up among all of them. A plural such as "alerts" lists what there is.

\b
Examples:
  pellucid explain handshake_failure
  pellucid explain 40
  pellucid explain 0xc02f
  pellucid explain ECDHE-RSA-AES128-GCM-SHA256
  pellucid explain x25519
  pellucid explain master secret
  pellucid explain groups

\b
Exit codes: 0 explained, also what is taken for a slip of the pen;
2 nothing is called so.
"""

# So many meanings are told in full; of more there is a list.
_MOST_IN_FULL = 3
_MOST_LISTED = 40


def _completed(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _glossary().names if name.casefold().startswith(incomplete.casefold())]


@click.command(help=_HELP)
@click.argument("name", nargs=-1, required=True, shell_complete=_completed)
@output_file_option("--json", "Write it as JSON; - is stdout.")
@click.pass_context
def explain(context: click.Context, /, name: tuple[str, ...], json_file: str | None) -> None:
    """The command; its help is ``_HELP``."""
    from rich.console import Console

    from pellucid.cli.exits import Exit
    from pellucid.cli.render import Storyteller

    asked = " ".join(name)
    found = _glossary().find(asked)
    if json_file:
        _write(json_file, asked, found)
    if json_file != "-" and found.entries:
        # rich obeys NO_COLOR, TERM and whether it is a terminal by itself.
        show(Storyteller(Console(soft_wrap=True)), asked, found)
    if not found.entries:
        complain(asked, found)
        context.exit(Exit.USAGE)


def _glossary() -> Glossary:
    from pellucid.cli.standings import standings
    from pellucid.trace.glossary import glossary

    return glossary(standings())


def _write(json_file: str, asked: str, found: Found) -> None:
    from pellucid.cli.output import DataFile

    with DataFile("--json", json_file, private=False) as file:
        file.write(json.dumps(document(asked, found), indent=1) + "\n")


def document(asked: str, found: Found) -> dict[str, Any]:
    """The answer as JSON values. ``found``: how it was found, as ``Found.how`` has it."""
    return {
        "schema": SCHEMA,
        "asked": asked,
        "found": found.how,
        "entries": [_entry(entry) for entry in found.entries],
        "instead": list(found.instead),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    from pellucid.trace.glossary.entry import NO_NUMBER

    made = asdict(entry)
    del made["passing"]
    return made | {"code": None if entry.code == NO_NUMBER else int(entry.code)}


def show(story: Storyteller, asked: str, found: Found) -> None:
    """The entries one below the other; of many a list."""
    if found.how == "alike":
        story.line(f"There is no {asked!r}. What looks most like it:")
        story.line()
    if len(found.entries) > _MOST_IN_FULL:
        _list(story, found)
        return
    for number, entry in enumerate(found.entries):
        if number:
            story.line()
        tell(story, entry)
    if found.instead:
        story.line()
        story.paragraph(f"Others that look like it: {', '.join(found.instead)}", indent=0)


def tell(story: Storyteller, entry: Entry) -> None:
    """One entry in full."""
    story.heading(" · ".join(filter(None, (entry.name, f"{entry.kind} {entry.number}".strip()))))
    story.paragraph(entry.text)
    if entry.without:
        story.paragraph(f"Without it, {entry.without}")
    if entry.textbook:
        story.paragraph(f"Unlike the textbook: {entry.textbook}", "italic yellow")
    if entry.why:
        story.paragraph(f"Why so: {entry.why}")
    for row in entry.rows:
        story.row(row.label, row.value)
    other_names = "others say" if entry.kind == "failure" else "also called"
    for label, value in (
        (other_names, ", ".join(name for name in entry.also if not _is_alike(name, entry.name))),
        ("read on", entry.rfc),
        ("see also", ", ".join(entry.related)),
    ):
        if value:
            story.row(label, value)


def _is_alike(name: str, other: str) -> bool:
    return name.casefold().replace("_", " ") == other.casefold().replace("_", " ")


def _list(story: Storyteller, found: Found) -> None:
    for entry in found.entries[:_MOST_LISTED] if found.how != "kind" else found.entries:
        story.row(entry.name, entry.brief, f"{entry.kind} {entry.number}".strip())
    left = len(found.entries) - _MOST_LISTED
    if found.how != "kind" and left > 0:
        story.line(f"    and {left} more")
    story.line()
    story.line("Each in full: pellucid explain NAME")


def complain(asked: str, found: Found) -> None:
    """To standard error: that there is nothing of this name, and what there is instead."""
    from pellucid.printable import escaped

    text = f"pellucid: nothing here is called {asked!r}"
    if found.instead:
        text += f"; did you mean {', '.join(found.instead)}?"
    click.echo(escaped(text), err=True)
