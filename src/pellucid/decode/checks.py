"""What who takes part would check, checked by who looks on: told on the listener's side, and never fatal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pellucid.codes import SignatureScheme, name_of
from pellucid.crypto.kdf import constant_time_equal
from pellucid.crypto.signatures import key_oid_allows, verify
from pellucid.decode.flow import Watched
from pellucid.errors import TLSError
from pellucid.trace.events import Side, other_side

if TYPE_CHECKING:
    from pellucid.decode.certificates import Leaf

__all__ = ["Signed", "check_finished", "check_signed"]

_SIGNED = {
    "certificate_verify": "the transcript",
    "server_key_exchange": "both randoms and the server's share",
}


class Signed(Protocol):
    """A message that ends in a signature."""

    algorithm: SignatureScheme | int
    signature: bytes


def check_signed(
    w: Watched,
    what: str,
    message: Signed,
    leaf: Leaf | None,
    whose: Side,
    content: bytes,
    *,
    tls12: bool = False,
) -> bool:
    """Whether the key of ``whose`` certificate has signed ``content``; ``what`` is the check's name."""
    fault = _fault(message, leaf, content, tls12=tls12)
    if fault and what == "certificate_verify" and not w.from_start:
        w.whole = False  # what was signed may begin with messages that were not captured
        return True
    scheme = name_of(message.algorithm, SignatureScheme)
    w.view(other_side(whose)).check(
        what=what, expected=f"{scheme} of {_SIGNED[what]}", found=fault or "it holds", ok=not fault
    )
    return not fault


def _fault(message: Signed, leaf: Leaf | None, content: bytes, *, tls12: bool) -> str:
    """What is wrong with the signature, or ""."""
    scheme = message.algorithm
    if leaf is None:
        return "not checked: the certificate's key cannot be used"
    if not isinstance(scheme, SignatureScheme):
        return "not checked: the scheme is not known here"
    if not key_oid_allows(scheme, rsa_pss_oid=leaf.rsa_pss_oid):
        return "the certificate does not allow its key to sign so"
    try:
        # Whether a key is large enough is for those to judge who rely on it: the path is judged apart.
        verify(leaf.public_key, scheme, message.signature, content, tls12=tls12, rsa_minimum_bits=0)
    except TLSError as error:
        return error.detail
    return ""


def check_finished(w: Watched, side: Side, expected: bytes, found: bytes) -> bool:
    """Whether the Finished of ``side`` is the MAC of the handshake as it was seen, or may be."""
    ok = constant_time_equal(expected, found)
    if not ok and not w.from_start:
        w.whole = False  # it is of a handshake of which the first messages were not captured
        return True
    if not ok:
        w.refuted.add(side)
    w.view(other_side(side)).check(what="finished", expected=expected, found=found, ok=ok)
    return ok
