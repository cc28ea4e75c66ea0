"""``pellucid connect``: a handshake with a real server, told and, where it fails, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import (
    OUTPUTS,
    common,
    group_option,
    policy_option,
    profiles_option,
    readable_file,
    revocation_options,
    seconds_to_wait,
    suite_option,
    tls_option,
)
from pellucid.cli.raw_keys import raw_key_option, trusted_keys_option
from pellucid.cli.request import Request, parse_target
from pellucid.cli.way import proxy_option, starttls_option
from pellucid.cli.why import why_option
from pellucid.preamble import STARTTLS

if TYPE_CHECKING:
    from pellucid.cli.exits import Exit
    from pellucid.cli.output import Output
    from pellucid.trace import Trace

__all__ = ["connect"]

_HELP = """Connect to a TLS server, tell the handshake, and say what went wrong if it fails.

HOST is a name or an address; an IPv6 address with a port stands in brackets: [::1]:4433. Without a port, 443
is taken, or that of the protocol of --starttls. The connection is closed again at once: nothing is asked of
the application behind it.

\b
Examples:
  pellucid connect example.org
  pellucid connect localhost:4433 --cafile root.pem -v
  pellucid connect 192.0.2.7:8443 --server-name www.example.org
  pellucid connect api.example.org --cert me.pem --key me.key
  pellucid connect device.example --server-key device.pub --raw-key me.key
  pellucid connect example.org --alpn h2 --alpn http/1.1 --json trace.json
  pellucid connect example.org --tls 1.2    nothing newer, even if it could
  pellucid connect mail.example.org:587 --starttls smtp
  pellucid connect example.org --proxy http://proxy.example:3128
  pellucid connect example.org --why    if it fails: on what does it depend?
  pellucid connect example.org --compare openssl,python
  pellucid connect example.org --revocation hard --fetch-status
  pellucid connect old.example.org --policy compatible    take what is old
"""


@click.command(help=_HELP)
@click.argument("target", metavar="HOST[:PORT]")
@tls_option("Offer this version alone. Default: both.")
@policy_option
@click.option("--server-name", metavar="NAME", help="Who the server must prove to be; default: HOST.")
@click.option("--cafile", type=readable_file(), metavar="FILE", help="Trust these roots (PEM) and no others.")
@click.option(
    "--cert", type=readable_file(), metavar="FILE", help="Our certificates (PEM), for a server that asks."
)
@click.option("--key", type=readable_file(), metavar="FILE", help="The private key of --cert (PEM).")
@raw_key_option(
    "Show the public half of this private key (PEM), without a certificate, to a server that asks."
)
@trusted_keys_option(
    "--server-key",
    "Take this key of the server's in place of a certificate (RFC 7250), or with --cafile either.",
)
@click.option("--alpn", multiple=True, metavar="NAME", help="Offer this protocol inside; can be repeated.")
@click.option(
    "--profile",
    type=click.Choice(["web", "private"]),
    default="web",
    show_default=True,
    help="Judge the certificates as browsers do, or by RFC 5280 alone, as for an internal authority.",
)
@profiles_option(
    "--compare", "Also say what these make of the certificates; exit code 10 if one refuses.", default=""
)
@why_option
@revocation_options
@group_option("Offer only this group for the key exchange.")
@suite_option("Offer only this cipher suite.")
@starttls_option
@proxy_option
@click.option(
    "--timeout",
    "timeout_seconds",
    type=seconds_to_wait(),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For all of it together, from the name to the handshake.",
)
@common
@click.pass_context
def connect(context: click.Context, /, *, target: str, **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.output import Output

    starttls = options["starttls"]
    host, port = parse_target(target, STARTTLS[starttls].port) if starttls else parse_target(target)
    output = context.with_resource(Output(**{name: options.pop(name) for name in OUTPUTS}))
    if bool(options["cert"]) != bool(options["key"]):
        raise click.UsageError("--cert and --key go together")
    context.exit(run(Request(host, port, **options), output))


def run(request: Request, output: Output) -> int:
    """Connect, tell it, and return the exit code."""
    from pellucid.cli.attempt import attempt

    first = attempt(request, output)
    trace, code = first.trace, first.code
    if request.compare and first.config is not None:
        from pellucid.cli.comparing import compare, exit_code_of, verdicts_of

        compare(trace, first.config, request.name, request.compare)
        code = exit_code_of(code, verdicts_of(trace, request.compare))
    _tell(trace, output, request, code)
    traces, why = [trace], None
    if request.why:
        from pellucid.cli.why import ask_why

        reasons = ask_why(first, output)
        traces, why = [trace, *reasons.traces], reasons.document
    output.write_json(traces[-1], traces[:-1], why)
    output.write_html(traces, heading=f"{request.host} port {request.port}")
    return int(code)


def _tell(trace: Trace, output: Output, request: Request, code: Exit) -> None:
    from pellucid.cli.report import show_failure, show_summary
    from pellucid.cli.way import show_measures, show_way
    from pellucid.trace.failure import tls_began
    from pellucid.trace.narration import narrate
    from pellucid.trace.summary import summarise

    story = output.story
    story.heading(f"{request.host} port {request.port}")
    show_way(story, trace.events)
    if tls_began(trace.events):
        story.steps(narrate(trace.events))
        story.line()
    summary = summarise(trace.events)
    if summary.outcome:
        show_summary(story, summary)
        if summary.outcome.failure:
            show_failure(story, summary.outcome.failure, code, place=trace.place)
    show_measures(story, trace)
    if request.compare:
        from pellucid.cli.comparing import show_comparison, verdicts_of

        show_comparison(story, verdicts_of(trace, request.compare))
