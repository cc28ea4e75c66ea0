"""What a connection came to, in words: a row each for what was agreed, who was proved, and what it took."""

from __future__ import annotations

from pellucid.trace.details import Detail
from pellucid.trace.events import CertificateSummary
from pellucid.trace.explanations import explanation
from pellucid.trace.summary import Summary

__all__ = ["summary_rows"]

_MOST_NAMES = 3
_NOT_SEEN = "not seen: it is in what stays closed"
_SILENCE = (
    "the client refused the server's certificate: it ended the connection without sending anything, as those "
    "do that look at the name last; or it had only come to look"
)


def summary_rows(summary: Summary) -> list[Detail]:
    """Key exchange, server, client, round trips, bytes, time, forward secrecy; none unless it connected.

    Of a capture whose handshake stays closed in part, what is in that part is not guessed.
    """
    outcome = summary.outcome
    if outcome is None or outcome.status != "connected":
        return []
    rows = [
        Detail("key exchange", _key_exchange(summary)),
        Detail("server", _server(summary)),
        Detail("client", _client(summary)),
    ]
    if outcome.alpn:
        rows.append(Detail("protocol inside", outcome.alpn))
    if summary.left_in_silence:
        rows.append(Detail("perhaps", _SILENCE))
    rows.append(Detail("round trips", f"{summary.round_trips}, then the client could send data"))
    hidden = _hides(summary)
    if not hidden:
        handshake = _sizes(summary.handshake_bytes_from_client, summary.handshake_bytes_from_server)
        rows.append(Detail("handshake", handshake))
    if summary.bytes_from_client:
        rows.append(Detail("on the wire", _sizes(summary.bytes_from_client, summary.bytes_from_server)))
    if summary.handshake_us and not hidden:  # when it was over is not seen either
        milliseconds = summary.handshake_us / 1000
        rows.append(Detail("time", f"{milliseconds:.1f} ms until the handshake was complete"))
    secrecy = explanation(summary.forward_secrecy)
    if secrecy and rows[0].value != _NOT_SEEN:  # it hangs on the key exchange
        rows.append(Detail("forward secrecy", f"{secrecy.title}. {secrecy.text}"))
    return rows


def _hides(summary: Summary) -> bool:
    """Whether a part of the handshake stays closed: in TLS 1.3 the one that has the certificates."""
    outcome = summary.outcome
    return outcome is not None and any(event.n < outcome.n for event in summary.sealed)


def _key_exchange(summary: Summary) -> str:
    group = summary.outcome.group if summary.outcome else ""
    if summary.agreed.key_exchange == "RSA":
        return "RSA: the secret was sent encrypted with the server's public key"
    if summary.agreed.tls12 and summary.outcome and summary.outcome.resumed:
        return "none: the session's master secret, with two new randoms"
    if summary.agreed.key_exchange:
        # Of versions and suites that are not followed, the message that names the group is not read.
        unnamed = "" if _hides(summary) else "in a group without a name"
        named = group or summary.agreed.group or unnamed
        return ", ".join(filter(None, (summary.agreed.key_exchange, named)))
    if not group and _hides(summary):
        return _NOT_SEEN
    return group or "none: pre-shared key alone"


def _sizes(client: int, server: int) -> str:
    return f"{client:,} bytes from the client, {server:,} from the server"


def _server(summary: Summary) -> str:
    outcome = summary.outcome
    unproved = summary.server_unproved and _hides(summary)
    if outcome and outcome.resumed:
        if unproved:
            return (
                "the one of the earlier session, if it knew that session's key: that is in what stays closed"
            )
        return "the one of the earlier session: it knew that session's key"
    if summary.server_fault:
        subject = summary.server_shown.subject if summary.server_shown else "not proved"
        return f"{subject}, which does not pass here: {summary.server_fault}"
    rsa = summary.agreed.key_exchange == "RSA"
    identity, key = summary.server_identity, summary.server_key
    if identity is None and not key:
        if unproved:
            return _NOT_SEEN
        if rsa:
            return "as it claims: it could decrypt the secret"
        return "proved by a pre-shared key" if outcome and not outcome.signature_scheme else "as it claims"
    proof = f", signed with {outcome.signature_scheme}" if outcome and outcome.signature_scheme else ""
    if rsa:
        closed = ", if it could decrypt the secret: that is in what stays closed"
        proof = closed if unproved else ", which could decrypt the secret"
    unjudged = " (trust was not judged: no --cafile)" if summary.unjudged else ""
    return (_identity(identity) if identity else _by_key(key)) + unjudged + proof


def _client(summary: Summary) -> str:
    if summary.client_identity is not None:
        return _identity(summary.client_identity)
    if summary.client_key:
        return _by_key(summary.client_key)
    if summary.client_claim:
        return f"showed {summary.client_claim}, and the server has not objected"
    if summary.outcome and summary.outcome.mutual:
        return "the one of the earlier session" if summary.outcome.resumed else "showed its certificate"
    if _hides(summary) and not summary.agreed.tls12:
        return _NOT_SEEN
    if summary.client_asked:
        return "anonymous: it was asked, and showed no certificate"
    return "anonymous: it was not asked who it is"


def _by_key(key: str) -> str:
    return f"{key}, which is on the list of trusted keys"


def _identity(certificate: CertificateSummary) -> str:
    names = ", ".join(certificate.names[:_MOST_NAMES]) + (
        ", …" if len(certificate.names) > _MOST_NAMES else ""
    )
    return f"{certificate.subject or names}, vouched for by {certificate.issuer}"
