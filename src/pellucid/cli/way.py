"""The way to a server, and how long each step of it took: options of ``connect``, and rows of its story."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pellucid.preamble import STARTTLS

if TYPE_CHECKING:
    from pellucid.cli.render import Storyteller
    from pellucid.config import ClientConfig
    from pellucid.trace import Event, Trace
    from pellucid.trace.network import TrustSummary

__all__ = ["proxy_option", "show_measures", "show_way", "starttls_option", "trust_of"]

F = TypeVar("F", bound=Callable[..., Any])

# As a person calls them.
_STEPS = {
    "name": "name",
    "tcp": "TCP",
    "proxy": "proxy",
    "starttls": "STARTTLS",
    "hello": "hello",
    "flight": "server's flight",
    "verify": "verifying",
    "finished": "Finished",
    "late": "after it",
}


def starttls_option(function: F) -> F:
    """``--starttls``: what the server speaks before TLS."""
    return click.option(
        "--starttls",
        type=click.Choice(list(STARTTLS)),
        help="The server speaks this protocol, and is asked in it to go on with TLS.",
    )(function)


def proxy_option(function: F) -> F:
    """``--proxy``: who connects to the server for us."""

    def checked(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        from pellucid.errors import Misuse
        from pellucid.preamble.proxies import Proxy

        try:
            if value is not None:
                Proxy.parse(value)
        except Misuse as error:
            raise click.BadParameter(error.detail.removeprefix("proxy: ")) from None
        return value

    return click.option(
        "--proxy",
        metavar="URL",
        callback=checked,
        help="Go through it: http://[USER:PASSWORD@]HOST[:PORT] (CONNECT), or socks5://... The proxy looks"
        " the name up.",
    )(function)


def show_way(story: Storyteller, events: Sequence[Event]) -> None:
    """The steps before TLS; with -v, and where one failed, what was said in the clear."""
    from pellucid.trace.network import NetworkEvent

    steps = [event for event in events if isinstance(event, NetworkEvent)]
    for step in steps:
        note = _milliseconds(step.duration_us)
        detail = step.detail if step.ok else "✗ it went no further than this"
        story.row(_STEPS[step.what], detail, note, style="" if step.ok else "bold red")
        for line in step.lines if story.verbosity or not step.ok else ():
            arrow = "───▶" if line.direction == "sent" else "◀───"
            story.paragraph(f"{arrow} {line.text}", "dim", 8, 13)
    if steps:
        story.line()


def show_measures(story: Storyteller, trace: Trace) -> None:
    """Whom we trust, where that was asked, and where the time went."""
    from pellucid.trace.timing import timings

    if trace.trust:
        story.row("trusted here", _trust(trace.trust))
    steps = timings(trace.events)
    if steps:
        each = (f"{_STEPS[step.step]} {_milliseconds(step.us)}{'' if step.ok else ' ✗'}" for step in steps)
        story.row("step by step", ", ".join(each), f"{_milliseconds(sum(step.us for step in steps))} in all")


def _milliseconds(us: int) -> str:
    return f"{us / 1000:,.0f} ms" if us >= 100_000 else f"{us / 1000:.1f} ms"


def _trust(trust: TrustSummary) -> str:
    count = f"{trust.anchors} certificate{'' if trust.anchors == 1 else 's'}"
    parts = [f"{count} of {trust.description}" if trust.anchors or not trust.keys else trust.description]
    if trust.skipped:
        parts.append(f"{trust.skipped} more could not be read")
    return "; ".join(parts)


def trust_of(config: ClientConfig) -> TrustSummary:
    """Where the roots of ``config`` come from, and how many there are: it reads them if nobody has yet."""
    from pellucid.trace.network import TrustSummary

    trust = config.trust
    assert trust is not None  # a client's configuration has one
    return TrustSummary(trust.description, len(trust), trust.skipped, len(trust.keys), len(trust.pins))
