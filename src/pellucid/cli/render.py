"""How the story looks in a terminal: steps in two lanes, their purpose below, fields and bytes if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pellucid.cli.glyphs import to_ascii
from pellucid.printable import escaped
from pellucid.trace.events import MessageEvent, Redacted, SecretEvent
from pellucid.trace.narration import Detail, Step

if TYPE_CHECKING:
    from pellucid.messages import Field

__all__ = ["Storyteller"]

# Wider lines are harder to read, not easier.
_WIDEST = 100
_INDENT = 4
_LABEL = 17
_LANES = {"client": "client ───▶       ", "server": "       ◀─── server"}
_ACTORS = {"client": "client            ", "server": "            server", "onlooker": "     onlooker     "}
_STYLES = {"client": "cyan", "server": "magenta", "onlooker": "blue"}
_BYTES_A_LINE = 16


class Storyteller:
    """Prints steps, tables and paragraphs. ``verbosity`` 1 adds fields, 2 adds bytes."""

    def __init__(self, console: Console, verbosity: int = 0) -> None:
        self.console = console
        self.verbosity = verbosity
        self.width = min(console.width, _WIDEST)
        # Off after the first of many connections: to be corrected once is enough.
        self.corrects = True
        self.ascii = not (console.encoding or "").lower().startswith("utf")

    def line(self, text: Text | str = "") -> None:
        """One line, never wrapped nor cut by the terminal's width: whoever calls has wrapped it."""
        shown = Text(text) if isinstance(text, str) else text
        if not shown.plain.isprintable():
            # Whatever a peer has put into it: nothing of it may act on the terminal. Styles go by position,
            # so a line that needs this goes without.
            shown = Text(escaped(shown.plain, keep="\n"))
        if self.ascii:
            shown.plain = to_ascii(shown.plain)
        self.console.print(shown, no_wrap=True, overflow="ignore", crop=False, highlight=False)

    def paragraph(
        self, text: str, style: str = "", indent: int = _INDENT, hanging: int | None = None
    ) -> None:
        """Text wrapped to the width; ``hanging`` is the indent from the second line on."""
        later = " " * (indent if hanging is None else hanging)
        for line in wrap(
            text, self.width, initial_indent=" " * indent, subsequent_indent=later, break_on_hyphens=False
        ):
            self.line(Text(line, style))

    def heading(self, text: str) -> None:
        self.line(Text(f"── {text} ".ljust(self.width, "─"), "bold"))

    def row(self, label: str, value: str, note: str = "", *, style: str = "") -> None:
        """Label, value and a dim note; what does not fit goes on, under the value."""
        text = f"{value}  ({note})" if note else value
        indent = _INDENT + _LABEL
        if len(label) >= _LABEL:  # a long label keeps a line for itself
            self.line(Text(" " * _INDENT + label, style or "bold"))
            label = ""
        lines = wrap(text, self.width - indent, break_on_hyphens=False) or [""]
        first = Text(" " * _INDENT)
        first.append(label.ljust(_LABEL), "dim")
        first.append(lines[0], style)
        self.line(first)
        for line in lines[1:]:
            self.line(Text(" " * indent + line, style))

    def steps(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.step(step)

    def step(self, step: Step) -> None:
        for line in self._title(step):
            self.line(line)
        self.paragraph(step.purpose)
        if step.textbook and self.corrects:
            self.paragraph(f"Unlike the textbook: {step.textbook}", "italic yellow")
        for detail in step.details:
            if detail.level <= self.verbosity:
                self._detail(detail)
        for event in step.events:
            if isinstance(event, MessageEvent) and self.verbosity >= 1:
                self.fields(event.fields)
                if self.verbosity >= 2:
                    self.hexdump(event.raw)
            if isinstance(event, SecretEvent) and self.verbosity >= 2 and isinstance(event.value, bytes):
                self.line(Text(" " * _INDENT + event.name, "dim"))
                self.hexdump(event.value)

    def _title(self, step: Step) -> list[Text]:
        """Lane, title and, to the right, what carried it: in a line of its own where there is no room."""
        lane = (_LANES if step.kind == "message" else _ACTORS)[step.actor]
        title = Text()
        title.append(f"{step.number:>3} ", "dim")
        title.append(lane, _STYLES[step.actor])
        title.append("  ")
        if not step.ok:
            title.append("✗ ", "bold red")
        title.append(step.title, "bold" if step.ok else "bold red")
        if step.kind != "message":
            return [title]
        size = f"{step.size:,} byte{'' if step.size == 1 else 's'}, {step.protection}"
        carried = Text(size, "yellow" if step.protection == "in the clear" else "green")
        room = self.width - title.cell_len - carried.cell_len
        if room < 2:
            return [title, Text(" " * max(self.width - carried.cell_len, _INDENT)) + carried]
        return [title + Text(" " * room) + carried]

    def _detail(self, detail: Detail) -> None:
        style = "" if detail.ok else "bold red"
        self.row(detail.label, detail.value, detail.note, style=style)

    def fields(self, fields: Sequence[Field], depth: int = 0) -> None:
        """The field tree: name, value, meaning; with offsets where bytes are shown too."""
        for field in fields:
            indent = _INDENT + 2 * depth
            place = f"{field.offset:04x} " if self.verbosity >= 2 else ""
            # The items of a list stand in the list's meaning already; their places are worth lines with -vv.
            items = [f for f in field.fields if f.name.startswith(f"{field.name}[") and not f.fields]
            listed = bool(items) and len(items) == len(field.fields) and bool(field.meaning)
            inner = () if listed and self.verbosity < 2 else field.fields
            text = f"{place}{field.name}: {_meant(field, summary=not inner)}"
            self.paragraph(text, "dim", indent, indent + 4)
            self.fields(inner, depth + 1)

    def hexdump(self, raw: bytes) -> None:
        """Offset, sixteen bytes, and the same as text."""
        for offset in range(0, len(raw), _BYTES_A_LINE):
            part = raw[offset : offset + _BYTES_A_LINE]
            shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
            digits = part.hex(" ").ljust(_BYTES_A_LINE * 3 - 1)
            self.line(Text(f"{'':{_INDENT}}{offset:04x}  {digits}  {shown}", "dim"))

    def has_redacted(self, steps: Iterable[Step]) -> bool:
        """Whether a secret was withheld that would have been shown at this verbosity."""
        return self.verbosity >= 1 and any(
            isinstance(event, SecretEvent) and isinstance(event.value, Redacted)
            for step in steps
            for event in step.events
        )


def _meant(field: Field, *, summary: bool) -> str:
    """A field's value and its meaning, which is left to the fields within where these are shown."""
    if field.fields and not summary:
        return field.value
    meaning = field.meaning
    if not meaning or field.value.endswith((meaning, f"({meaning})")):
        return field.value
    return f"{field.value}  ({meaning})"
