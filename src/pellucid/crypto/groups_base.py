"""What every way of agreeing on a secret has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from pellucid.codes import NamedGroup
from pellucid.errors import PeerMisbehaved, Reason

#: Gives that many random bytes. One that repeats its answers makes a handshake that repeats.
Entropy = Callable[[int], bytes]


class PrivateShare(ABC):
    """Our half of a key exchange: a private key, and the public share that the peer is sent.

    `group` is the share's group and `share` the public value in the form of KeyShareEntry.key_exchange
    (RFC 9846 4.3.8). The private key is in no repr.
    """

    __slots__ = ("group", "share")

    def __init__(self, group: NamedGroup, share: bytes) -> None:
        self.group = group
        self.share = share

    @abstractmethod
    def secret(self, peer_share: bytes) -> bytes:
        """The shared secret (RFC 9846 7.4) with the peer that sent `peer_share`.

        Raises PeerMisbehaved(INVALID_KEY_SHARE) for a share of the wrong length, that is no element of the
        group, or that leads to a secret which anybody could know.
        """

    @abstractmethod
    def private_bytes(self) -> bytes:
        """The private key. For a trace that is to show everything, and for nothing else.

        x25519, x448: raw; NIST's curves and finite fields: the number, big-endian, as long as its group's
        order or prime; a hybrid: seed of the KEM and the curve's key, in the order of the share.
        """

    def half(self, group: NamedGroup) -> PrivateShare | None:
        """This share, or the part of it, that can serve as a share of `group`; None if there is none.

        A client that offers X25519MLKEM768 and x25519 then makes one X25519 key for both.
        """
        return self if group == self.group else None

    def __repr__(self) -> str:
        return f"<PrivateShare {self.group.name}, {len(self.share)} bytes>"


class KeyExchange(ABC):
    """One group's algorithm. `entropy` None stands for the library's own generator, which is quicker."""

    group: NamedGroup

    @abstractmethod
    def generate(self, entropy: Entropy | None) -> PrivateShare:
        """A fresh private share, for the side that speaks first."""

    def respond(self, peer_share: bytes, entropy: Entropy | None) -> tuple[bytes, bytes]:
        """For the side that speaks second: its own share, and the shared secret.

        In Diffie-Hellman both sides do the same. A KEM overrides this, for there the second encapsulates.
        """
        ours = self.generate(entropy)
        return ours.share, ours.secret(peer_share)


def invalid_share(group: NamedGroup, fault: str) -> PeerMisbehaved:
    """The error for a key share that cannot be used."""
    return PeerMisbehaved(Reason.INVALID_KEY_SHARE, f"the peer's {group.name} key share {fault}")


def check_length(group: NamedGroup, share: bytes, length: int) -> None:
    """Raises unless `share` has the one length (in bytes) that `group` gives it."""
    if len(share) != length:
        raise invalid_share(group, f"has {len(share)} bytes; {length} are due")
