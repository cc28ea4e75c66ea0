"""``pellucid connect``: a handshake with a real server, told and, where it fails, explained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import (
    OUTPUTS,
    common,
    group_option,
    policy_option,
    profiles_option,
    protocols,
    readable_file,
    revocation_options,
    revocation_settings,
    suite_option,
    tls_option,
)

if TYPE_CHECKING:
    from pellucid.cli.capturing import Captured
    from pellucid.cli.output import Output
    from pellucid.config import ClientConfig
    from pellucid.io.blocking import TLSSocket
    from pellucid.trace import Trace

__all__ = ["connect", "parse_target"]

_DEFAULT_PORT = 443
_MAX_PORT = 65535

# After the handshake we listen for so long: for tickets, which come by themselves, and for an alert about
# our certificate, which in TLS 1.3 comes after our side of the handshake is complete.
_LISTEN_SECONDS = 0.3
_LISTEN_IF_ASKED_SECONDS = 1.0

_HELP = """Connect to a TLS server, tell the handshake, and say what went wrong if it fails.

HOST is a name or an address; an IPv6 address with a port stands in brackets: [::1]:4433. Without a port, 443
is taken. The connection is closed again at once: nothing is asked of the application behind it.

\b
Examples:
  pellucid connect example.org
  pellucid connect localhost:4433 --cafile root.pem -v
  pellucid connect 192.0.2.7:8443 --server-name www.example.org
  pellucid connect api.example.org --cert me.pem --key me.key
  pellucid connect example.org --alpn h2 --alpn http/1.1 --json trace.json
  pellucid connect example.org --tls 1.2    nothing newer, even if it could
  pellucid connect example.org --compare openssl,python
  pellucid connect example.org --revocation hard --fetch-status
  pellucid connect old.example.org --policy compatible    take what is old
"""


@dataclass(frozen=True)
class Request:
    """Whom to connect to, and how."""

    host: str
    port: int
    server_name: str | None = None
    timeout_seconds: float = 10.0
    cafile: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    alpn: tuple[str, ...] = ()
    group: str | None = None
    suite: str | None = None
    tls: str | None = None
    policy: str = "default"
    profile: str = "web"
    compare: tuple[str, ...] = ()
    revocation: str | None = None
    crls: tuple[Path, ...] = ()
    fetch_status: bool = False

    @property
    def name(self) -> str:
        """Who the server must prove to be."""
        return self.server_name or self.host


def parse_target(target: str) -> tuple[str, int]:
    """Host and port of ``HOST``, ``HOST:PORT``, ``[IPv6]:PORT`` or a bare IPv6 address."""
    if target.startswith("["):
        host, bracket, rest = target[1:].partition("]")
        if not bracket or not host or (rest and not rest.startswith(":")):
            raise click.BadParameter(f"{target!r} is not [ADDRESS]:PORT")
        port = rest[1:]
    elif "://" in target:
        plain = target.partition("://")[2].partition("/")[0]
        raise click.BadParameter(f"{target!r} is a URL; give HOST[:PORT]: {plain}")
    elif target.count(":") > 1:
        host, port = target, ""
    else:
        host, _, port = target.partition(":")
    if not host:
        raise click.BadParameter(f"{target!r} has no host")
    if not port:
        return host, _DEFAULT_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        raise click.BadParameter(f"{port!r} is not a port (1 to {_MAX_PORT})")
    return host, int(port)


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
@revocation_options
@group_option("Offer only this group for the key exchange.")
@suite_option("Offer only this cipher suite.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For name, TCP and handshake together.",
)
@common
@click.pass_context
def connect(context: click.Context, /, *, target: str, **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.output import Output

    host, port = parse_target(target)
    output = context.with_resource(Output(**{name: options.pop(name) for name in OUTPUTS}))
    if bool(options["cert"]) != bool(options["key"]):
        raise click.UsageError("--cert and --key go together")
    context.exit(run(Request(host, port, **options), output))


def run(request: Request, output: Output) -> int:
    """Connect, tell it, and return the exit code."""
    from pellucid.cli.exits import Exit, exit_code
    from pellucid.cli.failing import record_failure
    from pellucid.errors import TLSError
    from pellucid.trace.failure import tls_began

    trace = output.trace()
    trace.place = request.host, request.port
    captured = output.capture(trace)
    error: Exception | None = None
    config: ClientConfig | None = None
    try:
        config = configuration(request, output, trace)
        _connect(request, config, captured, trace)
    except (TLSError, OSError) as failed:
        error = failed
    began = tls_began(trace.events)
    failure_id = "" if error is None else record_failure(trace, "client", error).id
    captured.finish("client", error)
    code = int(exit_code(error, tls_began=began, failure_id=failure_id))
    if request.compare and config is not None:
        from pellucid.cli.comparing import compare, exit_code_of, verdicts_of

        compare(trace, config, request.name, request.compare)
        code = exit_code_of(code, verdicts_of(trace, request.compare))
    _tell(trace, output, request, Exit(code))
    output.write_json(trace)
    output.write_html([trace], heading=f"{request.host} port {request.port}")
    return code


def configuration(request: Request, output: Output, trace: Trace) -> ClientConfig:
    """What the options come to. Raises ``Misuse`` for files that are not what they should be."""
    from pellucid.config import ClientConfig
    from pellucid.identity import Credential, TrustStore

    settings: dict[str, Any] = {
        "policy": request.policy,
        "protocols": protocols(request.tls),
        "trace": trace,
        "key_log": output.key_log,
        "alpn_protocols": request.alpn,
        "certificate_profile": request.profile,
        **revocation_settings(request.revocation, request.crls, fetches=request.fetch_status),
    }
    if request.cafile:
        settings["trust"] = TrustStore.from_files(request.cafile)
    if request.cert and request.key:
        settings["credentials"] = [Credential.from_files(request.cert, request.key)]
    if request.group:
        settings["groups"] = [request.group]
    if request.suite:
        settings["cipher_suites"] = [request.suite]
    return ClientConfig(**settings)


def _connect(request: Request, config: ClientConfig, captured: Captured, trace: Trace) -> None:
    from pellucid.io.blocking import connect as connect_tls
    from pellucid.io.waiting import Deadline

    name = request.name
    seconds = request.timeout_seconds
    deadline = Deadline(seconds)
    with connect_tls(request.host, request.port, config, name, seconds, handshake=False) as tls:
        captured.between(tls, "client", name)
        tls.handshake_until(deadline)
        captured.advance()
        _listen(tls, trace)


def _listen(tls: TLSSocket, trace: Trace) -> None:
    """Wait a little for what the server says by itself: tickets, or an alert about our certificate."""
    from pellucid.trace import MessageEvent

    asked = any(isinstance(e, MessageEvent) and e.name == "CertificateRequest" for e in trace.events)
    tls.settimeout(_LISTEN_IF_ASKED_SECONDS if asked else _LISTEN_SECONDS)
    try:
        tls.recv(1)
    except TimeoutError:
        return  # silence is consent


def _tell(trace: Trace, output: Output, request: Request, code: Any) -> None:
    from pellucid.cli.report import show_failure, show_summary
    from pellucid.trace.failure import tls_began
    from pellucid.trace.narration import narrate
    from pellucid.trace.summary import summarise

    story = output.story
    story.heading(f"{request.host} port {request.port}")
    if tls_began(trace.events):
        story.steps(narrate(trace.events))
        story.line()
    summary = summarise(trace.events)
    if summary.outcome:
        show_summary(story, summary)
        if summary.outcome.failure:
            show_failure(story, summary.outcome.failure, code, place=trace.place)
    if request.compare:
        from pellucid.cli.comparing import show_comparison, verdicts_of

        show_comparison(story, verdicts_of(trace, request.compare))
