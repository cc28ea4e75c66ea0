"""``pellucid demo``: a client and a server shake hands over loopback TCP, and every step is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import (
    CERTIFICATE_KINDS,
    OUTPUTS,
    common,
    fault_options,
    group_option,
    only_with_faults,
    suite_option,
    tls_option,
)
from pellucid.cli.plan import KEY_EXCHANGES, Plan

if TYPE_CHECKING:
    from pellucid.cli.output import Output
    from pellucid.config import ClientConfig, ServerConfig
    from pellucid.trace import Trace
    from pellucid.trace.narration import Step

__all__ = ["demo"]

# What they say to each other once they may: as HTTP, which whoever opens a capture of it can read.
_HELLO = "Hello, server. Nobody but you can read this line."
_REPLY = "Hello, client. Nor could anybody change this one unnoticed."
_REQUEST = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(_HELLO)}\r\n\r\n{_HELLO}".encode()
_RESPONSE = f"HTTP/1.1 200 OK\r\nContent-Length: {len(_REPLY)}\r\n\r\n{_REPLY}".encode()
_SERVER_NAME = "localhost"
_NOTE = "A client and a server on one machine, over TCP, with certificates of a laboratory."
_BANNER = "This was a demonstration: its keys and certificates were made for it, and thrown away."
_CLIENT_NAME = "client.pellucid.example"

# For these the demo's client sends a key share at once. For any other group it shares x25519 alone, so that
# the server has to ask again (HelloRetryRequest): that is worth seeing.
_SHARED_AT_ONCE = ("X25519MLKEM768", "x25519")

_HELP = """Watch a TLS handshake: a client and a server on this machine, over TCP, step by step.

The demo makes a little PKI of its own (root, intermediate, certificates), connects, says a line each way and
closes properly. Nothing leaves this machine and nothing is kept.

\b
Examples:
  pellucid demo                       the handshake that a browser makes
  pellucid demo -v                    with every field of every message
  pellucid demo --mutual              the client shows a certificate, too
  pellucid demo --resume              come back with a ticket
  pellucid demo --group secp384r1     a wrong guess, and HelloRetryRequest
  pellucid demo --certificate mldsa65    post-quantum signatures
  pellucid demo --tls 1.2 --key-exchange rsa      that of the textbooks
  pellucid demo --tls 1.2 --key-exchange ecdhe    with forward secrecy
  pellucid demo --tls 1.2 --resume    the abbreviated handshake
  pellucid demo --suite TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA --tls 1.2
  pellucid demo --fault certificate_expired    what a client finds
  pellucid demo --seed 1 --json -     the same each time, as data
  pellucid demo --html page.html      all of it in a browser
  pellucid demo --pcapng - | wireshark -k -i -    in Wireshark, decrypted
"""


@click.command(help=_HELP)
@tls_option("Version to speak.", "1.3")
@click.option(
    "--key-exchange",
    type=click.Choice(KEY_EXCHANGES),
    help="How both come to a secret; TLS 1.3 has no rsa. Default: ecdhe, or what --suite or --group say.",
)
@group_option("Group of the key exchange; the server accepts only this one.")
@suite_option("Cipher suite; the server accepts only this one.")
@click.option(
    "--certificate",
    type=click.Choice(CERTIFICATE_KINDS),
    metavar="KIND",
    help=f"Kind of the certificates' keys: {', '.join(CERTIFICATE_KINDS)}. Default: ecdsa; rsa where TLS 1.2"
    " needs it for the key exchange.",
)
@click.option("--mutual", is_flag=True, help="The client shows a certificate as well (mutual TLS).")
@click.option("--resume", is_flag=True, help="Connect twice; the second time with the ticket of the first.")
@click.option(
    "--seed",
    type=int,
    metavar="N",
    help="Make keys, randoms and time from a number, so that the story is the same each time"
    " (but for signatures by RSA and ML-DSA keys, which are random).",
)
@fault_options
@common
@click.pass_context
def demo(context: click.Context, /, **options: Any) -> None:
    """The command; its help is ``_HELP``."""
    from pellucid.cli.output import Output

    outputs = {name: options.pop(name) for name in OUTPUTS}
    if faults := options.pop("faults"):
        from pellucid.cli.failing_on_purpose import demonstrate

        only_with_faults(context)
        if len(faults) > 1:
            raise click.UsageError("one fault at a time; pellucid serve can do with several")
        context.exit(demonstrate(faults[0], context.with_resource(Output(**outputs))))
    plan = Plan(**options).settled()
    context.exit(run(plan, context.with_resource(Output(**outputs))))


def run(plan: Plan, output: Output) -> int:
    """Do it, tell it, and return the exit code."""
    from pellucid.cli.exits import exit_code
    from pellucid.cli.failing import record_failure
    from pellucid.trace.texts import Place

    client, server = configurations(plan, output)
    traces: list[Trace] = []
    error = None
    for number in range(1 + plan.resume):
        trace = output.trace(still=plan.seed is not None, laboratory=True)
        trace.place = Place(_SERVER_NAME, "PORT")
        traces.append(trace)
        captured = output.capture(trace, _SERVER_NAME)
        error = _connect(replace(client, trace=trace), replace(server, trace=trace))
        if error is not None:
            record_failure(trace, "client", error)
        captured.finish("client", error)
        _tell(output.told(trace), output, plan, error, final=number == plan.resume or error is not None)
        if error is not None:
            break
    output.write_json(traces[-1], traces[:-1])
    heading = f"TLS {plan.tls}, step by step"
    output.write_html(traces, heading=heading, note=_NOTE, banner=_BANNER, retell=_with_words)
    return exit_code(error)


def configurations(plan: Plan, output: Output) -> tuple[ClientConfig, ServerConfig]:
    """The two sides' configurations, with a laboratory's certificates."""
    from pellucid import policy
    from pellucid.cli.seeded import FIXED_NOW, SeededEntropy
    from pellucid.config import ClientConfig, ServerConfig
    from pellucid.identity.lab import Laboratory
    from pellucid.sessions import SessionStore, TicketKeys

    now = time.time() if plan.seed is None else FIXED_NOW
    laboratory = Laboratory(None if plan.seed is None else f"demo {plan.seed}".encode(), now)
    credential = laboratory.credential(plan.kind)
    # A client that offers all that the version has lets the server choose what is to be seen.
    offered = policy.POLICIES["compatible" if plan.tls12 else "default"]
    own = credential.schemes12 if plan.tls12 else credential.schemes
    schemes = _with(offered.signature_schemes, *own)
    client: dict[str, Any] = {
        "protocols": [plan.version],
        "trust": laboratory.trust,
        "groups": _with(offered.groups, plan.group),
        "cipher_suites": _with(offered.cipher_suites, *plan.suites),
        "signature_schemes": schemes,
        "key_log": output.key_log,
    }
    if plan.group and not plan.tls12:
        client["key_shares"] = [plan.group if plan.group in _SHARED_AT_ONCE else "x25519"]
    server: dict[str, Any] = {
        "protocols": [plan.version],
        "credentials": [credential],
        "groups": [plan.group] if plan.group else (),
        "cipher_suites": plan.suites,
        "signature_schemes": schemes,
    }
    if plan.mutual:
        client["credentials"] = [laboratory.credential(plan.kind, (_CLIENT_NAME,), "client")]
        server |= {"trust": laboratory.trust, "client_authentication": "required"}
    entropy: Callable[[int], bytes] = os.urandom
    if plan.seed is not None:
        client |= {"clock": lambda: FIXED_NOW, "entropy": SeededEntropy(plan.seed, "client")}
        entropy = SeededEntropy(plan.seed, "server")
        server |= {"clock": lambda: FIXED_NOW, "entropy": entropy}
    # Both connections of --resume have to share these, though each has a configuration with its own trace.
    client["sessions"] = SessionStore()
    server["tickets"] = TicketKeys(entropy, lambda: now)
    return ClientConfig(**client), ServerConfig(**server)


def _with(defaults: Sequence[object], *more: object) -> list[str]:
    """The names of ``defaults``, and those of ``more`` that are not among them."""
    names = [str(code) for code in defaults]
    return names + [str(code) for code in more if code is not None and str(code) not in names]


def _connect(client: ClientConfig, server: ServerConfig) -> Exception | None:
    """Handshake, a line each way, close_notify each way. Returns what ended it early."""
    from pellucid.cli.lockstep import Lockstep
    from pellucid.connection import ClientConnection, ServerConnection

    us, them = ClientConnection(client, _SERVER_NAME), ServerConnection(server)
    try:
        with Lockstep(us, them) as wire:
            error = wire.settle()
            talk = partial(us.send_data, _REQUEST), partial(them.send_data, _RESPONSE)
            for act in (*talk, us.close, them.close):
                if error is None:
                    act()
                    error = wire.settle()
            return error
    except OSError as broken:
        return broken


def _tell(trace: Trace, output: Output, plan: Plan, error: Exception | None, *, final: bool) -> None:
    """The story of one connection. Of a first one that only fetches a ticket, the end will do."""
    from pellucid.cli.exits import exit_code
    from pellucid.cli.report import show_failure, show_summary
    from pellucid.trace.narration import narrate
    from pellucid.trace.summary import summarise

    story = output.story
    steps = [_with_words(step) for step in narrate(trace.events)]
    summary = summarise(trace.events)
    if final:
        story.heading(f"TLS {plan.tls}, {'the second time' if plan.resume else 'step by step'}")
        story.steps(steps)
    else:
        story.heading(f"The first connection, in {len(steps)} steps (see them with -v)")
        if story.verbosity:
            story.steps(steps)
    story.line()
    show_summary(story, summary)
    if summary.outcome and summary.outcome.failure:
        show_failure(story, summary.outcome.failure, exit_code(error), place=trace.place)
    if final and story.has_redacted(steps):
        story.line()
        story.paragraph(
            "Secrets are shown by length and fingerprint. Here, where all keys are thrown away, "
            "--reveal-secrets does no harm.",
            "dim",
            0,
        )
    story.line()


def _with_words(step: Step) -> Step:
    """A data step, with the line that was said: both ends are ours, so there is nothing to keep secret."""
    from pellucid.trace.narration import Detail

    if step.id not in ("message:data", "message:data:tls12"):
        return step
    words = _HELLO if step.side == "client" else _REPLY
    return replace(step, details=(*step.details, Detail("says", f'"{words}"', "as HTTP")))
