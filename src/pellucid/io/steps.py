"""The steps before TLS, told to a trace as they are made: a name looked up, TCP, a proxy, STARTTLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.preamble.talk import Talk
    from pellucid.trace import TraceView
    from pellucid.trace.network import NetworkStep

__all__ = ["NetworkNote", "network_step"]


class NetworkNote:
    """What there is to be told of a step once it has ended."""

    def __init__(self) -> None:
        self.detail = ""
        self.talk: Talk | None = None


@contextmanager
def network_step(view: TraceView | None, what: NetworkStep) -> Iterator[NetworkNote]:
    """Record what is done within into ``view``, with its time, also where it fails; None: nobody watches."""
    note = NetworkNote()
    if view is None:
        yield note
        return
    from pellucid.trace.network import ClearLine  # noqa: PLC0415 - for who watches

    _, began_us = view.trace.stamp()
    ok = False
    try:
        yield note
        ok = True
    finally:
        said = note.talk.said if note.talk else ()
        lines = [ClearLine(each.direction, each.text) for each in said]
        view.network(what=what, detail=note.detail, began_us=began_us, ok=ok, lines=lines)
