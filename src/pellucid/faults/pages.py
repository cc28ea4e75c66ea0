"""What a server with a fault answers to a request: who reads it has not noticed the fault."""

from __future__ import annotations

__all__ = ["page"]

_TEXT = """This server has a fault, and you can read this.

Either your client does not look for this fault, or it was told not to mind, or it does not do what
the fault needs: see pellucid serve --list-faults.
"""


def page() -> bytes:
    """An HTTP response, whole."""
    body = _TEXT.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
