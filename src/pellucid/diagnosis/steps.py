"""At which step it failed, and what had been achieved by then."""

from __future__ import annotations

from pellucid.diagnosis.evidence import Evidence

__all__ = ["step_of"]


def step_of(evidence: Evidence) -> str:
    """One sentence; "" where nothing is known of a handshake."""
    if evidence.completed:
        return "After the handshake, which was complete for this side."
    if not evidence.began:
        return "Before TLS began." if evidence.messages or evidence.state else ""
    reached = _client(evidence) if evidence.side == "client" else _server(evidence)
    waiting = f" (in {evidence.state})" if evidence.state and evidence.state != "FAILED" else ""
    return f"In the handshake{waiting}: {reached}."


def _client(evidence: Evidence) -> str:
    """From the last that can have happened to the first."""
    if evidence.state in ("WAIT_SH", "RETRY", "WAIT_SH_2") and evidence.has("received", "ServerHello"):
        return "the ServerHello had come, and nothing was agreed on by it"
    # One that is not due is no achievement.
    if evidence.has("received", "Finished") and "FINISHED" in (evidence.state or "FINISHED"):
        both = "certificate and its Finished" if evidence.has("received", "Certificate") else "Finished"
        return f"the server's {both} had been received"
    if evidence.has("received", "Certificate"):
        return "version and cipher suite were agreed on, and the server had sent its certificate"
    if evidence.has("received", "ServerHello"):
        return "version and cipher suite were agreed on"
    if evidence.has("received", "HelloRetryRequest"):
        return "version and cipher suite were agreed on, and a second ClientHello had been asked for"
    if evidence.has("sent", "ClientHello"):
        return "the ClientHello had been sent, and nothing was agreed on"
    return "nothing had been sent"


def _server(evidence: Evidence) -> str:
    if evidence.has("received", "Certificate", "ClientKeyExchange"):
        return "version and cipher suite were agreed on, and the client had gone on"
    if evidence.has("sent", "ServerHello"):
        return "version and cipher suite were agreed on, and this side had answered"
    if evidence.has("sent", "HelloRetryRequest"):
        return "version and cipher suite were agreed on, and a second ClientHello was asked for"
    if evidence.has("received", "ClientHello"):
        return "the ClientHello had been received, and nothing was agreed on"
    return "no ClientHello had been received"
