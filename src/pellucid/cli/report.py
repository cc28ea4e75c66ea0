"""The ends of a story: what was agreed, or why it failed and what to do."""

from __future__ import annotations

from rich.text import Text

from pellucid.cli.exits import Exit
from pellucid.cli.render import Storyteller
from pellucid.trace.events import CertificateSummary
from pellucid.trace.explanations import explanation
from pellucid.trace.failure import Failure
from pellucid.trace.summary import Summary

__all__ = ["show_failure", "show_summary"]


def show_summary(story: Storyteller, summary: Summary) -> None:
    """What a connection came to: version, suite, group, signature, who was proved, bytes, round trips.

    Of a failed one nothing: see ``show_failure``.
    """
    outcome = summary.outcome
    if outcome is None or outcome.status == "failed":
        return
    story.line(Text(f"✓ connected: {outcome.protocol} {outcome.cipher_suite}", "bold green"))
    story.row("key exchange", _key_exchange(summary))
    story.row("server", _server(summary))
    story.row("client", _client(summary))
    if outcome.alpn:
        story.row("protocol inside", outcome.alpn)
    trips = summary.round_trips
    story.row("round trips", f"{trips}, then the client could send data")
    story.row("handshake", _sizes(summary.handshake_bytes_from_client, summary.handshake_bytes_from_server))
    if summary.bytes_from_client:
        story.row("on the wire", _sizes(summary.bytes_from_client, summary.bytes_from_server))
    if summary.handshake_us:
        story.row("time", f"{summary.handshake_us / 1000:.1f} ms until the handshake was complete")
    secrecy = explanation(summary.forward_secrecy)
    if secrecy:
        story.row("forward secrecy", f"{secrecy.title}. {secrecy.text}")


def _key_exchange(summary: Summary) -> str:
    group = summary.outcome.group if summary.outcome else ""
    if summary.agreed.key_exchange == "RSA":
        return "RSA: the secret was sent encrypted with the server's public key"
    if summary.agreed.tls12 and summary.outcome and summary.outcome.resumed:
        return "none: the session's master secret, with two new randoms"
    if summary.agreed.key_exchange:
        group = group or summary.agreed.group or "in a group without a name"
        return f"{summary.agreed.key_exchange}, {group}"
    return group or "none: pre-shared key alone"


def _sizes(client: int, server: int) -> str:
    return f"{client:,} bytes from the client, {server:,} from the server"


def _server(summary: Summary) -> str:
    outcome = summary.outcome
    if outcome and outcome.resumed:
        return "the one of the earlier session: it knew that session's key"
    if summary.server_identity is None and summary.agreed.key_exchange == "RSA":
        return "as it claims: it could decrypt the secret"
    if summary.server_identity is None:
        return "proved by a pre-shared key" if outcome and not outcome.signature_scheme else "as it claims"
    proof = f", signed with {outcome.signature_scheme}" if outcome and outcome.signature_scheme else ""
    if summary.agreed.key_exchange == "RSA":
        proof = ", which could decrypt the secret"
    return _identity(summary.server_identity) + proof


def _client(summary: Summary) -> str:
    if summary.client_identity is not None:
        return _identity(summary.client_identity)
    if summary.client_claim:
        return f"showed {summary.client_claim}, and the server has not objected"
    if summary.outcome and summary.outcome.mutual:
        return "the one of the earlier session" if summary.outcome.resumed else "showed its certificate"
    if summary.client_asked:
        return "anonymous: it was asked, and showed no certificate"
    return "anonymous: it was not asked who it is"


def _identity(certificate: CertificateSummary) -> str:
    names = ", ".join(certificate.names[:3]) + (", …" if len(certificate.names) > 3 else "")
    return f"{certificate.subject or names}, vouched for by {certificate.issuer}"


def show_failure(
    story: Storyteller, failure: Failure, code: Exit, *, host: str = "HOST", port: int | str = "PORT"
) -> None:
    """What happened, why, and what to do next; ``host`` and ``port`` go into the commands."""
    story.line(Text(f"✗ failed: {failure.id.replace('_', ' ')}", "bold red"))
    rows = [
        ("Observed", failure.observed),
        ("Alert", _alert(failure)),
        ("Inferred", failure.inferred),
        ("Possible", failure.possible),
        ("Fix", failure.fix),
        ("Confirm", failure.confirm),
        ("Read on", failure.rfc),
        ("Exit code", f"{int(code)}, id {failure.id}"),
    ]
    for label, text in rows:
        if text:
            story.row(label, text.replace("{host}", host).replace("{port}", str(port)))


def _alert(failure: Failure) -> str:
    if failure.alert is None:
        return ""
    if failure.direction == "received":
        return f"{failure.alert}, sent by the peer: the peer found the fault"
    return f"{failure.alert}, sent by us: we found the fault"
