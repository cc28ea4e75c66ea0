"""A signature that does not hold: is it damaged, or is it good by another key than the certificate's?"""

from __future__ import annotations

from pellucid.crypto.ecdsa_signers import possible_signers
from pellucid.why.seen import Seen
from pellucid.why.signed import server_signature

__all__ = ["same_other_key"]


def same_other_key(one: Seen, other: Seen) -> bool:
    """Whether one key can have made the server's signatures of two connections in which neither held.

    One that was damaged on its way leads to a key by chance, and never twice to the same. Only ECDSA tells:
    of other signatures False means nothing.
    """
    keys = []
    for seen in (one, other):
        signed = server_signature(seen.events)
        if signed is None:
            return False
        keys.append(possible_signers(signed.scheme, signed.signature, signed.content))
    return bool(keys[0] & keys[1])
