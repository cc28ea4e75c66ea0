"""RFC 5246 7.4.1.1: a server may send HelloRequest at any time, and it is no part of the handshake."""

from __future__ import annotations

from pellucid.handshake.flow import AnyHandshake
from pellucid.handshake.post import too_many_renegotiations

#: The whole message.
HELLO_REQUEST = b"\0\0\0\0"

#: Each is four bytes that a client ignores; nobody needs many.
MAX_HELLO_REQUESTS = 4


def ignores_hello_request(hs: AnyHandshake, *, complete: bool) -> bool:
    """RFC 5246 7.4.1.1: it "will be ignored by the client if the client is currently negotiating a session."

    Before the version is known, as far as it can be TLS 1.2.
    """
    return hs.side == "client" and not complete and hs.may_speak12


def count_hello_request(hs: AnyHandshake) -> None:
    """One more came; raises ``PeerMisbehaved`` when they are too many."""
    hs.hello_requests += 1
    if hs.hello_requests > MAX_HELLO_REQUESTS:
        raise too_many_renegotiations(MAX_HELLO_REQUESTS)
