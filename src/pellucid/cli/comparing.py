"""``connect --compare``: what several verifiers say of the certificates that a server has sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid.cli.exits import Exit

if TYPE_CHECKING:
    from pellucid.cli.render import Storyteller
    from pellucid.config import ClientConfig
    from pellucid.identity import Purpose
    from pellucid.trace import Trace
    from pellucid.trace.paths import PathsEvent, VerdictSummary

__all__ = ["compare", "exit_code_of", "show_comparison", "verdicts_of"]


def compare(trace: Trace, config: ClientConfig, server_name: str, profiles: Sequence[str]) -> None:
    """Explain the server's chain to the trace, unless a refusal has done so, or no chain came."""
    from pellucid.errors import CertificateRejected, Misuse
    from pellucid.identity import parse_server_name
    from pellucid.identity.reasoning.explain import explain
    from pellucid.trace.paths import path_parts

    chain = _chain_in(trace)
    if not chain or _told(trace):
        return
    decided = config.certificate_profile
    others = [profile for profile in profiles if profile != decided]
    assert config.trust is not None  # a client's configuration has one
    try:
        report = explain(
            chain,
            config.trust,
            _purpose(trace),
            parse_server_name(server_name),
            config.clock(),
            profiles=(decided, *others),
            max_chain_length=config.max_chain_length,
        )
    except (CertificateRejected, Misuse):
        return  # what cannot be parsed has no paths
    trace.view("client").paths(whose="server", **path_parts(report))


def _chain_in(trace: Trace) -> list[bytes]:
    """The last chain that the server sent, DER; empty where none came, or none that can be read."""
    from pellucid.errors import BadMessage
    from pellucid.messages import decode_handshake, tls12, tls13
    from pellucid.trace import MessageEvent

    for event in reversed(trace.events):
        if isinstance(event, MessageEvent) and event.name == "Certificate" and event.direction == "received":
            kind = tls12.Certificate if event.cls is tls12.Certificate else tls13.Certificate
            try:
                message = decode_handshake(event.raw, [kind])
            except BadMessage:
                return []
            if isinstance(message, tls12.Certificate):
                return list(message.certificate_list)
            assert isinstance(message, tls13.Certificate)
            return [entry.cert_data for entry in message.certificate_list]
    return []


def _purpose(trace: Trace) -> Purpose:
    from pellucid.identity import Purpose
    from pellucid.trace.agreed import agreed_in

    return Purpose.KEY_EXCHANGE if agreed_in(trace.events).key_exchange == "RSA" else Purpose.SERVER


def _told(trace: Trace) -> PathsEvent | None:
    from pellucid.trace.paths import PathsEvent

    return next((event for event in reversed(trace.events) if isinstance(event, PathsEvent)), None)


def verdicts_of(trace: Trace, profiles: Sequence[str]) -> list[VerdictSummary]:
    """What those that were asked for say; empty where no certificates came."""
    told = _told(trace)
    by_profile = {verdict.profile: verdict for verdict in told.verdicts} if told else {}
    return [by_profile[profile] for profile in profiles if profile in by_profile]


def exit_code_of(code: Exit, verdicts: Sequence[VerdictSummary]) -> Exit:
    """That of the connection; of one that is fine, "findings" where somebody would refuse it."""
    refused = any(not verdict.accepted for verdict in verdicts)
    return Exit.FINDINGS if code == Exit.DONE and refused else code


def show_comparison(story: Storyteller, verdicts: Sequence[VerdictSummary]) -> None:
    """A row for each, with the reason where it refuses."""
    from pellucid.cli.verdicts import show_verdicts

    story.line()
    if verdicts:
        story.line("What verifiers say of the server's certificates:")
        show_verdicts(story, verdicts)
    else:
        story.line("No certificates came that could be compared.")
