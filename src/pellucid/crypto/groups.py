"""Key exchange: from a NamedGroup to a secret that both sides have and nobody else.

    client                                      server
    ours = generate(group)
                    ours.share  ------------->
                                                share, secret = respond(group, ours.share)
                <-------------  share
    secret = ours.secret(share)

The one shape serves Diffie-Hellman and key encapsulation alike. `groups_ec` has the curves, `groups_ff` the
finite fields and `groups_kem` the hybrids with ML-KEM.
"""

from __future__ import annotations

from pellucid.codes import NamedGroup
from pellucid.crypto import groups_ec, groups_ff, groups_kem
from pellucid.crypto.groups_base import Entropy, KeyExchange, PrivateShare

__all__ = ["GROUPS", "Entropy", "PrivateShare", "generate", "respond"]

_EXCHANGES: dict[int, KeyExchange] = {
    exchange.group: exchange
    for exchange in (
        groups_kem.X25519MLKEM768,
        groups_kem.SecP256r1MLKEM768,
        groups_kem.SecP384r1MLKEM1024,
        groups_ec.x25519,
        groups_ec.x448,
        groups_ec.secp256r1,
        groups_ec.secp384r1,
        groups_ec.secp521r1,
        groups_ff.ffdhe2048,
        groups_ff.ffdhe3072,
        groups_ff.ffdhe4096,
    )
}

#: Every group that can be used; the hybrids first, then curves, then finite fields.
GROUPS: tuple[NamedGroup, ...] = tuple(exchange.group for exchange in _EXCHANGES.values())


def generate(group: NamedGroup, entropy: Entropy | None = None) -> PrivateShare:
    """A fresh private share of `group`, for the side that speaks first.

    With `entropy` None, the library's own generator makes the key, which is the quickest way. Given, the
    private key is made of its bytes, so that a handshake can be replayed: each kind says how, and finite
    fields then lose their constant time. Raises KeyError for a group that is not in `GROUPS`.
    """
    return _EXCHANGES[group].generate(entropy)


def respond(group: NamedGroup, peer_share: bytes, entropy: Entropy | None = None) -> tuple[bytes, bytes]:
    """For the side that speaks second: its own share, and the shared secret with the sender of `peer_share`.

    Raises PeerMisbehaved(INVALID_KEY_SHARE) for a share of the wrong length, that is no element of the group,
    or that leads to a secret which anybody could know; KeyError for a group that is not in `GROUPS`.
    """
    return _EXCHANGES[group].respond(peer_share, entropy)
