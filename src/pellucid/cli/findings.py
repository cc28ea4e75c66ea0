"""What ``decode`` keeps of a capture while it reads it, and what it writes of it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.capture import CaptureError
from pellucid.cli.listing import Listing
from pellucid.trace.collection import Collection

if TYPE_CHECKING:
    from pellucid.cli.output import Output
    from pellucid.decode import Decoded, Decoder

__all__ = ["Findings", "where"]

# A page holds all bytes of its connections, so it gets only a few.
_MOST_ON_A_PAGE = 5


def where(problem: CaptureError) -> str:
    """Why a capture cannot be read further, as a sentence."""
    return f"{problem.detail} (at byte {problem.offset:,})" if problem.offset else problem.detail


class Findings:
    """A row of each connection, and few of the traces: those that are told and shown.

    ``asked_for``: the number of the connection that was asked for; None: any may be.
    """

    def __init__(self, output: Output, asked_for: int | None) -> None:
        self.listing = Listing()
        #: The one whose story is told: that was asked for, or the only one with TLS, or at all.
        self.chosen: Decoded | None = None
        self._asked_for = asked_for
        data = output.json_data()
        self._written = Collection(data.write) if data else None
        self._page = output.html_file is not None
        self._failed: list[Decoded] = []
        self._others: list[Decoded] = []

    def wants(self, number: int) -> bool:
        """Whether the connection's trace may be used for anything."""
        if self._asked_for is not None:
            return number == self._asked_for
        # That it is the only one with TLS, nobody knows before the end.
        return self._written is not None or self._page or self.listing.tls < 2

    def read(self, decoder: Decoder) -> CaptureError | None:
        """Take what the capture tells, up to its end or to the connection that was asked for.

        Returns why it could not be read further.
        """
        try:
            for decoded in decoder.connections():
                self._take(decoded)
                if decoded.number == self._asked_for:
                    break
        except CaptureError as error:
            return error
        return None

    def _take(self, decoded: Decoded) -> None:
        self.listing.add(decoded)
        if self._asked_for not in {None, decoded.number}:
            return
        if self._written and decoded.trace:
            self._written.add(decoded, decoded.trace)
        if self._asked_for is not None:
            self.chosen = decoded
        elif decoded.tls:
            self.chosen = decoded if self.listing.tls == 1 else None
        elif not self.listing.tls:
            self.chosen = decoded if self.listing.total == 1 else None
        if self._page and decoded.tls:
            failed = decoded.outcome is not None and decoded.outcome.status == "failed"
            kept = self._failed if failed else self._others
            if len(kept) < _MOST_ON_A_PAGE:
                kept.append(decoded)

    def finish(self, decoder: Decoder, problem: CaptureError | None) -> None:
        """End the JSON, with what the capture came to unless only a part of it was read."""
        if self._written is None:
            return
        if self._asked_for is not None:
            self._written.finish()
            return
        self._written.finish(
            packets=decoder.packets,
            segments=decoder.segments,
            skipped=decoder.skipped,
            problem=(problem.fault, where(problem)) if problem else None,
        )

    def for_page(self) -> tuple[list[Decoded], str]:
        """The connections that a page shows, in order, and in words which these are; none for a single one.

        Where some have failed, these are what somebody looks for.
        """
        if self.chosen and (self.chosen.tls or self._asked_for is not None):
            return [self.chosen], ""
        kept = sorted(self._failed or self._others, key=lambda decoded: decoded.number)
        of_all, kind = self.listing.tls, "with TLS"
        if self._failed:
            of_all, kind = self.listing.statuses["failed"], "that failed"
        numbers = ", ".join(str(decoded.number) for decoded in kept)
        return kept, f"{len(kept)} of the {of_all:,} connections {kind} ({numbers})"
