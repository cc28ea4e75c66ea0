"""Who watches: from the configuration's knob to the view that a connection records into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pellucid.checking import require
from pellucid.config import Config

if TYPE_CHECKING:
    from pellucid.trace import TraceView


def trace_view(config: Config, side: Literal["client", "server"]) -> TraceView | None:
    """The view of the configuration's trace for this side, None where nobody watches."""
    trace = config.trace
    if not trace:
        return None
    # A program that watches nothing does not load what it would watch with.
    from pellucid.trace import Trace, TraceView  # noqa: PLC0415

    if isinstance(trace, TraceView):
        return trace
    require(trace is True or isinstance(trace, Trace), "trace", "give a Trace, a view of one, True or False")
    return (Trace() if trace is True else trace).view(side)
