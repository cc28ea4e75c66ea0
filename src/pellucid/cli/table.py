"""How the list of a capture's connections looks: a line each, what they came to, and why some stay closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from pellucid.cli.listing import MOST_ROWS, Row, words
from pellucid.trace.explanations import explanation

if TYPE_CHECKING:
    from pellucid.cli.listing import Listing
    from pellucid.cli.render import Storyteller

__all__ = ["show_list", "show_reasons"]

# Up to so many connections without TLS are listed; more are only counted, unless asked for with -v.
_FEW = 10

_GAP = "  "
# Wide enough for most; where both ends are as narrow as they get, it gives way, and goes on below.
_NARROWEST_OUTCOME = 31
_NARROWEST_END = 18
_WIDEST_END = 45
_WIDEST_LINE = 160

_MARKS = {"connected": "✓", "failed": "✗", "unknown": "?", "": "-"}
_STYLES = {"connected": "green", "failed": "bold red", "unknown": "yellow", "": "dim"}
_STATUSES = {"connected": "connected", "failed": "failed", "unknown": "with an unknown end"}


def show_list(story: Storyteller, listing: Listing) -> None:
    """The table, and below it what the connections came to."""
    # What is not TLS must not hide what is.
    everything = story.verbosity > 0 or listing.statuses[""] <= _FEW or not listing.tls
    rows = sorted(row for row in listing.rows if row.status or everything)
    if rows:
        table = _Table(story, rows)
        for row in rows:
            table.show(row)
    below = list(_below(listing, everything=everything))
    if below:
        story.line()
    for text, style in below:
        story.paragraph(text, style, 0, 2)


def _below(listing: Listing, *, everything: bool) -> Iterable[tuple[str, str]]:
    """What is said of all connections together, and how it looks."""
    if listing.left_out:
        text = (
            f"{listing.left_out:,} more are not listed: of those that failed, and of all others, "
            f"{MOST_ROWS:,} are. The JSON has all of them, and --connection shows any."
        )
        yield text, ""
    if listing.tls > 1:
        yield _tally(listing), ""
    if listing.statuses["failed"] > 1:
        for kind, count, numbers in listing.failures.lines():
            yield f"✗ {words(kind)}: {count:,} ({numbers})", "red"
    if not everything:
        yield f"Without TLS, and not listed: {listing.statuses['']:,} (-v lists them).", "dim"


def show_reasons(story: Storyteller, listing: Listing) -> None:
    """Why connections stay closed, and what to do about it: once for each reason."""
    for reason, count, numbers in listing.reasons.lines():
        found = explanation(f"sealed:{reason}")
        title = found.title if found else words(reason)
        which = "all of them" if 1 < count == listing.tls else numbers
        story.line()
        story.paragraph(f"Sealed: {title} ({which})", "bold", 0)
        if found:
            story.paragraph(found.text, "", 2)
            story.paragraph(found.fix, "", 2)


def _tally(listing: Listing) -> str:
    counts = [f"{listing.statuses[status]:,} {told}" for status, told in _STATUSES.items()]
    parts = [part for part, status in zip(counts, _STATUSES, strict=True) if listing.statuses[status]]
    opened = f"; {listing.opened:,} decrypted, {listing.sealed:,} sealed" if listing.sealed else ""
    return f"With TLS: {', '.join(parts)}{opened}."


class _Table:
    """Columns as wide as the terminal lets them be. What all rows have in common is said above them, once."""

    def __init__(self, story: Storyteller, rows: Sequence[Row]) -> None:
        self._story = story
        self._days = len({row.at.date() for row in rows}) > 1
        self._clients = len({row.client for row in rows}) > 1 or len(rows) == 1
        self._number = max(len(str(rows[-1].number)), 2)
        self._version = max(3, *(len(row.version) for row in rows))
        self._server = min(_longest("server", (row.server for row in rows)), _WIDEST_END)
        self._client = min(_longest("client", (row.client for row in rows)), _WIDEST_END)
        self._width = min(story.console.width, _WIDEST_LINE)
        self._fit()
        if not self._clients:
            story.paragraph(f"The client of all is {rows[0].client or 'without an address'}.", "dim", 0)
        heading = self._line("#", "time", "client", "server", "TLS")
        story.line(Text(f"{heading}outcome", "dim"))

    def _fit(self) -> None:
        """Let the longer of both ends give way until the line fits."""
        while self._room() < _NARROWEST_OUTCOME:
            client = self._client if self._clients else 0
            if max(client, self._server) <= _NARROWEST_END:
                return
            if self._server >= client:
                self._server -= 1
            else:
                self._client -= 1

    def _room(self) -> int:
        """What is left for the outcome, with its mark."""
        return self._width - cell_len(self._line("", "", "", "", ""))

    def _line(self, number: str, time: str, client: str, server: str, version: str) -> str:
        """All columns but the outcome."""
        cells = [number.rjust(self._number), time.ljust(14 if self._days else 8)]
        if self._clients:
            cells.append(_fitted(client, self._client, by_its_end=True))
        cells += [_fitted(server, self._server), version.ljust(self._version), ""]
        return _GAP.join(cells)

    def show(self, row: Row) -> None:
        """The line of a connection; below it what does not fit, or is asked for with -v."""
        time = f"{row.at:%m-%d %H:%M:%S}" if self._days else f"{row.at:%H:%M:%S}"
        head = self._line(str(row.number), time, row.client, row.server, row.version)
        style = _STYLES[row.status]
        first, *more = wrap(row.outcome, max(self._room() - 2, 10), break_on_hyphens=False)
        line = Text(head, "" if row.status else "dim")
        line.append(f"{_MARKS[row.status]} {first}", style)
        self._story.line(line)
        for words_below in more:
            self._story.line(Text(" " * (cell_len(head) + 2) + words_below, style))
        if self._story.verbosity:
            for note in row.notes:
                self._story.paragraph(note, "dim", self._number + len(_GAP))


def _longest(heading: str, cells: Iterable[str]) -> int:
    return max(cell_len(heading), *map(cell_len, cells))


def _fitted(text: str, width: int, *, by_its_end: bool = False) -> str:
    """``text`` in ``width`` cells. Of a name the start is kept, and the port; of an address the end."""
    if cell_len(text) > width:
        name, colon, port = text.rpartition(":")
        tail = "" if by_its_end or not port.isdigit() else colon + port
        name = name if tail else text
        while name and cell_len(name) + 1 + len(tail) > width:
            name = name[1:] if by_its_end else name[:-1]
        text = f"…{name}" if by_its_end else f"{name}…{tail}"
    return text + " " * (width - cell_len(text))
