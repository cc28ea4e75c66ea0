"""What a flow waits for that is no message: a signature by a key that is elsewhere, an authority's word."""

from __future__ import annotations

from pellucid.driver.watching import tell_signature
from pellucid.errors import TLSError
from pellucid.events import SignatureWanted, StatusWanted
from pellucid.handshake.flow import AnyHandshake

Wanted = SignatureWanted | StatusWanted


def state_of(wanted: Wanted) -> str:
    """RFC 9846 appendix A has no name for it."""
    return "WAIT_SIGNATURE" if isinstance(wanted, SignatureWanted) else "WAIT_REVOCATION"


def answer_to(hs: AnyHandshake, wanted: Wanted, given: object) -> object:
    """What the flow is to be resumed with. Raises ``TLSError``: the one that was given, or found.

    ``given``: a signature, or why there is none; what an authority says is in ``wanted``.
    """
    if isinstance(wanted, StatusWanted):
        return wanted.result()
    if isinstance(given, TLSError):
        raise given
    good = wanted.credential.checked(wanted.scheme, wanted.data, given, tls12=wanted.tls12)
    tell_signature(hs, wanted.scheme, good)
    return good
