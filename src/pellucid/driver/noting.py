"""Which messages went by, for the diagnosis of a connection that fails."""

from __future__ import annotations

__all__ = ["ALERT", "Note", "lasting"]

#: What an alert is called among them.
ALERT = "alert"

#: A message or an alert: "sent" or "received", its name, its bytes.
Note = tuple[str, str, bytes]

#: An empty list of certificates is shorter than this.
_START = 9


def lasting(notes: list[Note]) -> list[Note]:
    """What is kept once the handshake is complete: in TLS 1.3 a client may still hear what a server thinks of
    its certificate. Nothing else of it matters any more, and connections are many.
    """
    if not any(name == "CertificateRequest" for _, name, _ in notes):
        return []
    return [
        (direction, name, raw if name == "CertificateRequest" else raw[:_START])
        for direction, name, raw in notes
        if name in ("CertificateRequest", "Certificate")
    ]
