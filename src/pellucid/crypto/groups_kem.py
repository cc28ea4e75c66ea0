"""The hybrid groups of draft-ietf-tls-ecdhe-mlkem: a curve and ML-KEM (FIPS 203) together.

    client                                             server
    (dk, ek) = ML-KEM.KeyGen()
    (x, X)   = a key pair on the curve
                     ek, X  ---------------------->
                                                       (K, ct) = ML-KEM.Encaps(ek)
                                                       (y, Y)  = a key pair on the curve
             <----------------------  ct, Y
    secret = K, xY                                     secret = K, yX

Shares and secrets are the two parts put together: whoever wants the secret has to break both. The curve
guards against a weakness yet unknown in ML-KEM, and ML-KEM against a quantum computer. X25519MLKEM768 puts
ML-KEM first and the groups with NIST's curves put the curve first, so that a part that FIPS approves leads.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)

from pellucid.codes import NamedGroup
from pellucid.crypto import groups_ec, ml_kem
from pellucid.crypto.groups_base import Entropy, KeyExchange, PrivateShare, check_length, invalid_share
from pellucid.errors import Misuse, Reason


class Kem:
    """One parameter set of ML-KEM, with its sizes in bytes (FIPS 203 8, table 3)."""

    def __init__(
        self,
        name: str,
        private_class: type[MLKEM768PrivateKey | MLKEM1024PrivateKey],
        public_class: type[MLKEM768PublicKey | MLKEM1024PublicKey],
        encapsulation_key_length: int,
        ciphertext_length: int,
    ) -> None:
        self.name = name
        self.encapsulation_key_length = encapsulation_key_length
        self.ciphertext_length = ciphertext_length
        self._private_class = private_class
        self._public_class = public_class

    def generate(self, entropy: Entropy | None) -> MLKEM768PrivateKey | MLKEM1024PrivateKey:
        """A decapsulation key; with `entropy`, from the 64-byte seed d || z of FIPS 203 7.1."""
        try:
            if entropy is None:
                return self._private_class.generate()
            return self._private_class.from_seed_bytes(entropy(64))
        except UnsupportedAlgorithm as error:
            raise self._missing() from error

    def encapsulate(
        self, group: NamedGroup, encapsulation_key: bytes, entropy: Entropy | None
    ) -> tuple[bytes, bytes]:
        """A fresh shared secret (32 bytes) and the ciphertext that carries it to the key's owner.

        With `entropy`, from 32 bytes of it (the m of FIPS 203 7.2), in plain Python: the library takes none.
        Raises PeerMisbehaved(INVALID_KEY_SHARE) for a key whose numbers are not reduced.
        """
        try:
            # draft-ietf-tls-ecdhe-mlkem: "the server MUST perform the encapsulation key check described in
            # Section 7.2 of [FIPS203] on the client's encapsulation key". The library does, as it loads one.
            public = self._public_class.from_public_bytes(encapsulation_key)
        except UnsupportedAlgorithm as error:
            raise self._missing() from error
        except ValueError as error:
            raise invalid_share(group, f"has an {self.name} key that fails the modulus check") from error
        return public.encapsulate() if entropy is None else ml_kem.encapsulate(encapsulation_key, entropy(32))

    def _missing(self) -> Misuse:
        return Misuse(Reason.BAD_CONFIGURATION, f"this build of the library cryptography has no {self.name}")


class HybridShare(PrivateShare):
    """The client's two private keys."""

    __slots__ = ("_curve_share", "_decapsulation_key", "_hybrid")

    def __init__(
        self,
        hybrid: Hybrid,
        decapsulation_key: MLKEM768PrivateKey | MLKEM1024PrivateKey,
        curve_share: PrivateShare,
    ) -> None:
        self.group = hybrid.group
        self.share = hybrid.join(decapsulation_key.public_key().public_bytes_raw(), curve_share.share)
        self._hybrid = hybrid
        self._decapsulation_key = decapsulation_key
        self._curve_share = curve_share

    def secret(self, peer_share: bytes) -> bytes:
        """Both secrets, in the order of the shares. Raises PeerMisbehaved(INVALID_KEY_SHARE).

        A ciphertext that was tampered with gives a secret that nobody else has (implicit rejection, FIPS
        203 6.3): the handshake fails at the first sealed record, and how it fails tells an attacker
        nothing.
        """
        hybrid = self._hybrid
        ciphertext, curve_share = hybrid.split(peer_share, hybrid.kem.ciphertext_length)
        kem_secret = self._decapsulation_key.decapsulate(ciphertext)
        return hybrid.join(kem_secret, self._curve_share.secret(curve_share))

    def private_bytes(self) -> bytes:
        seed = self._decapsulation_key.private_bytes_raw()
        return self._hybrid.join(seed, self._curve_share.private_bytes())

    def half(self, group: NamedGroup) -> PrivateShare | None:
        """All of it for the hybrid group, the curve's part for the curve."""
        return self if group == self.group else self._curve_share.half(group)


class Hybrid(KeyExchange):
    """A hybrid group. `kem_first` says which part leads, in shares and in the secret."""

    def __init__(
        self, group: NamedGroup, kem: Kem, curve: KeyExchange, curve_share_length: int, *, kem_first: bool
    ) -> None:
        self.group = group
        self.kem = kem
        self._curve = curve
        self._curve_share_length = curve_share_length
        self._kem_first = kem_first

    def generate(self, entropy: Entropy | None) -> HybridShare:
        """Two fresh key pairs. `entropy` is asked for ML-KEM's 64 bytes first, then for the curve's."""
        return HybridShare(self, self.kem.generate(entropy), self._curve.generate(entropy))

    def respond(self, peer_share: bytes, entropy: Entropy | None) -> tuple[bytes, bytes]:
        """The server's share and the secret. Raises PeerMisbehaved(INVALID_KEY_SHARE).

        `entropy` is asked for ML-KEM's 32 bytes first, then for the curve's.
        """
        encapsulation_key, curve_peer = self.split(peer_share, self.kem.encapsulation_key_length)
        kem_secret, ciphertext = self.kem.encapsulate(self.group, encapsulation_key, entropy)
        curve_share, curve_secret = self._curve.respond(curve_peer, entropy)
        return self.join(ciphertext, curve_share), self.join(kem_secret, curve_secret)

    def join(self, kem_part: bytes, curve_part: bytes) -> bytes:
        """The two parts of a share or of a secret, in the group's order."""
        return kem_part + curve_part if self._kem_first else curve_part + kem_part

    def split(self, share: bytes, kem_length: int) -> tuple[bytes, bytes]:
        """ML-KEM's part (of `kem_length` bytes) and the curve's part of a peer's share."""
        check_length(self.group, share, kem_length + self._curve_share_length)
        if self._kem_first:
            return share[:kem_length], share[kem_length:]
        return share[self._curve_share_length :], share[: self._curve_share_length]


_MLKEM768 = Kem("ML-KEM-768", MLKEM768PrivateKey, MLKEM768PublicKey, 1184, 1088)
_MLKEM1024 = Kem("ML-KEM-1024", MLKEM1024PrivateKey, MLKEM1024PublicKey, 1568, 1568)

X25519MLKEM768 = Hybrid(NamedGroup.X25519MLKEM768, _MLKEM768, groups_ec.x25519, 32, kem_first=True)
SecP256r1MLKEM768 = Hybrid(NamedGroup.SecP256r1MLKEM768, _MLKEM768, groups_ec.secp256r1, 65, kem_first=False)
SecP384r1MLKEM1024 = Hybrid(
    NamedGroup.SecP384r1MLKEM1024, _MLKEM1024, groups_ec.secp384r1, 97, kem_first=False
)
