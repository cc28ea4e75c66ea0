"""``connect --why``: further connections, each with one change, and what they isolate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pellucid.cli.attempt import Attempt
    from pellucid.cli.output import Output
    from pellucid.cli.render import Storyteller
    from pellucid.cli.request import Request
    from pellucid.io.waiting import Deadline
    from pellucid.trace import Event, Trace
    from pellucid.trace.texts import Place
    from pellucid.why import Finding, Probe, Seen

__all__ = ["Reasons", "ask_why", "given", "why_option"]

F = TypeVar("F", bound=Callable[..., Any])

# All further connections together have this many times --timeout: a server that is silent to each of them is
# given up on after half a minute, and one that answers only now and then still gets its chances.
_TIMES_TIMEOUT = 3


def why_option(function: F) -> F:
    """``--why``."""
    text = (
        "After a failure, connect up to 8 times more, with one thing changed each time, such as a list or a "
        "made-up certificate of ours, and say on what the failure depends; all in at most "
        f"{_TIMES_TIMEOUT} times --timeout."
    )
    return click.option("--why", is_flag=True, help=text)(function)


@dataclass(frozen=True)
class Reasons:
    """What came of asking: the traces of the further connections in order, and the JSON of the finding."""

    traces: list[Trace]
    document: dict[str, Any] | None


def ask_why(first: Attempt, output: Output) -> Reasons:
    """Find out why ``first`` failed, and tell it as it goes; of one that is fine there is nothing to ask."""
    story = output.story
    if first.failure is None or first.config is None:
        story.line()
        story.line("Why: " + ("there is nothing to connect with." if first.failure else "it did not fail."))
        return Reasons([], None)
    from pellucid.why import look
    from pellucid.why.document import document

    traces: list[Trace] = []
    story.line()
    story.heading("why")
    finding = _investigated(first, look(first.trace.events), output, traces)
    # What the first connection was made with is given in full.
    place = first.request.place._replace(way=())
    options = given(first.request)
    _show(story, finding, place, options)
    return Reasons(traces, document(finding, place, options))


def given(request: Request) -> list[tuple[str, ...]]:
    """The options of ``request`` that a connection depends on, with their values; no password is in them."""
    single = {
        "--starttls": request.starttls,
        "--proxy": request.proxy_shown,
        "--server-name": request.server_name,
        "--cafile": request.cafile,
        "--cert": request.cert,
        "--key": request.key,
        "--raw-key": request.raw_key,
        "--tls": request.tls,
        "--policy": request.policy if request.policy != "default" else None,
        "--profile": request.profile if request.profile != "web" else None,
        "--group": request.group,
        "--suite": request.suite,
        "--revocation": request.revocation,
    }
    several = {"--server-key": request.server_keys, "--alpn": request.alpn, "--crl": request.crls}
    flags: list[tuple[str, ...]] = [("--fetch-status",)] if request.fetch_status else []
    return [
        *((option, str(value)) for option, value in single.items() if value is not None),
        *((option, str(value)) for option, values in several.items() for value in values),
        *flags,
    ]


def _investigated(first: Attempt, seen: Seen, output: Output, traces: list[Trace]) -> Finding:
    from pellucid.identity import parse_server_name
    from pellucid.io.waiting import Deadline
    from pellucid.why import MOST_PROBES, SLOW, Stage, investigate

    assert first.config is not None
    # A name that cannot be one is what it failed with.
    name = None if seen.stage is Stage.UNREACHED else parse_server_name(first.request.name)
    investigation = investigate(first.config, name, seen)
    deadline = Deadline(first.request.timeout_seconds * _TIMES_TIMEOUT)
    needed = _seconds_needed(first.trace, seen.failure)
    answer: Seen | None = None
    while True:
        try:
            probe = investigation.send(answer)
        except StopIteration as end:
            finding: Finding = end.value
            return finding
        left = deadline.left()
        answer = None
        if left:
            fair = left / (MOST_PROBES - len(traces))
            share = min(first.request.timeout_seconds, left, max(fair, needed))
            answer = _try(first, probe, share, deadline, seen, output, traces)
            if answer is not None and answer.failure in SLOW and share < needed:
                # That says more of the time than of the server.
                answer = None


def _seconds_needed(trace: Trace, failure: str) -> float:
    """How long a connection may take to come as far as the first did: twice as long as that took.

    Of one that ended by our waiting only the way to TLS counts: how long it would have taken nobody knows.
    """
    from pellucid.trace import RecordEvent
    from pellucid.why import SLOW

    events: Sequence[Event] = trace.events
    if failure in SLOW:
        events = [event for event in events if isinstance(event, RecordEvent)][:1]
    return 2 * events[-1].time_us / 1e6 if events else 0.0


def _try(
    first: Attempt,
    probe: Probe,
    seconds: float,
    until: Deadline,
    seen: Seen,
    output: Output,
    traces: list[Trace],
) -> Seen | None:
    """One further connection, in at most ``seconds``, told as it goes; None if it could not be heard out.

    That happens where ``until`` comes first.
    """
    from pellucid.cli.attempt import attempt
    from pellucid.why import Tried, look
    from pellucid.why.telling import short_name, showed

    output.story.row(f"{len(traces) + 2} {short_name(probe.factor)}", probe.change)
    request = replace(first.request, timeout_seconds=seconds)
    made = attempt(request, output, until=until, **probe.settings)
    shown = look(made.trace.events)
    if shown.connected and not made.heard_out:
        output.story.row("", "→ connected, and there was no time to wait for what the server says to that")
        return None
    traces.append(made.trace)
    tried = Tried.of(probe, shown, seen)
    output.story.row("", f"→ {showed(tried, seen)}", style="bold green" if tried.further else "")
    return shown


def _show(story: Storyteller, finding: Finding, place: Place, options: list[tuple[str, ...]]) -> None:
    from pellucid.why.telling import conclusion, confirm, fix

    if finding.tried:
        story.line()
    story.row("Conclusion", " ".join(conclusion(finding)))
    for label, text in (("Fix", fix(finding, place)), ("Confirm", confirm(finding, place, options))):
        if text:
            story.row(label, text)
