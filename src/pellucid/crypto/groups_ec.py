"""Diffie-Hellman on curves: X25519 and X448 (RFC 7748), and NIST's P-256, P-384 and P-521.

RFC 9846 4.3.8.2 has the shares' forms, 7.4.2 the secret.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.codes import NamedGroup
from pellucid.crypto.groups_base import Entropy, KeyExchange, PrivateShare, check_length, invalid_share

_ECDH = ec.ECDH()


class MontgomeryShare(PrivateShare):
    """A key on Curve25519 or Curve448. Every string of the right length is the u-coordinate of a point."""

    __slots__ = ("_private", "_public_class")

    def __init__(
        self,
        group: NamedGroup,
        private: X25519PrivateKey | X448PrivateKey,
        public_class: type[X25519PublicKey | X448PublicKey],
    ) -> None:
        self.group = group
        self.share = private.public_key().public_bytes_raw()
        self._private = private
        self._public_class = public_class

    def secret(self, peer_share: bytes) -> bytes:
        """The u-coordinate of the common point, raw. Raises PeerMisbehaved(INVALID_KEY_SHARE)."""
        check_length(self.group, peer_share, len(self.share))
        peer = self._public_class.from_public_bytes(peer_share)
        try:
            return self._private.exchange(peer)  # type: ignore[arg-type]  # both are of one curve
        except ValueError as error:
            # RFC 9846 7.4.2: "Implementations MUST check whether the computed Diffie-Hellman shared
            # secret is the all-zero value and abort if so". A point of low order leads there.
            raise invalid_share(self.group, "is a point of low order: the secret would be zero") from error

    def private_bytes(self) -> bytes:
        return self._private.private_bytes_raw()


class X25519(KeyExchange):
    """RFC 7748 5: 32-byte private key, share and secret."""

    group = NamedGroup.x25519

    def generate(self, entropy: Entropy | None) -> MontgomeryShare:
        """`entropy(32)` is the private key itself; RFC 7748 5 clamps it when it is used."""
        if entropy is None:
            private = X25519PrivateKey.generate()
        else:
            private = X25519PrivateKey.from_private_bytes(entropy(32))
        return MontgomeryShare(self.group, private, X25519PublicKey)


class X448(KeyExchange):
    """RFC 7748 5: 56-byte private key, share and secret."""

    group = NamedGroup.x448

    def generate(self, entropy: Entropy | None) -> MontgomeryShare:
        """`entropy(56)` is the private key itself; RFC 7748 5 clamps it when it is used."""
        if entropy is None:
            private = X448PrivateKey.generate()
        else:
            private = X448PrivateKey.from_private_bytes(entropy(56))
        return MontgomeryShare(self.group, private, X448PublicKey)


class WeierstrassShare(PrivateShare):
    """A key on one of NIST's curves, whose points have two coordinates and must be checked."""

    __slots__ = ("_curve", "_private")

    def __init__(
        self, group: NamedGroup, curve: ec.EllipticCurve, private: ec.EllipticCurvePrivateKey
    ) -> None:
        self.group = group
        self.share = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._curve = curve
        self._private = private

    def secret(self, peer_share: bytes) -> bytes:
        """The common point's x-coordinate, as long as the field. Raises PeerMisbehaved(INVALID_KEY_SHARE)."""
        check_length(self.group, peer_share, len(self.share))
        # RFC 9846 4.3.8.2: "uint8 legacy_form = 4". The library would take other forms of a point as well.
        if peer_share[0] != 4:
            raise invalid_share(self.group, f"has legacy_form {peer_share[0]}; it must be 4 (uncompressed)")
        # RFC 9846 4.3.8.2: "peers MUST validate each other's public value Q by ensuring that the point is a
        # valid point on the elliptic curve." The library does when it loads one: range, equation, not O.
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer_share)
        except ValueError as error:
            raise invalid_share(self.group, "is not a point on the curve") from error
        return self._private.exchange(_ECDH, peer)

    def private_bytes(self) -> bytes:
        return self._private.private_numbers().private_value.to_bytes((self._curve.key_size + 7) // 8, "big")


class NistCurve(KeyExchange):
    """ECDH on one of NIST's curves. Their cofactor is 1: any point on the curve is in the right subgroup."""

    def __init__(self, group: NamedGroup, curve: ec.EllipticCurve) -> None:
        self.group = group
        self._curve = curve

    def generate(self, entropy: Entropy | None) -> WeierstrassShare:
        """A private key d between 0 and the curve's order; with `entropy` it comes from `scalar`."""
        if entropy is None:
            private = ec.generate_private_key(self._curve)
        else:
            private = ec.derive_private_key(scalar(entropy, self._curve.group_order), self._curve)
        return WeierstrassShare(self.group, self._curve, private)


def scalar(entropy: Entropy, order: int) -> int:
    """A uniform number in [1, order): FIPS 186-5 A.2.2, which draws again until a candidate is in range.

    The candidate is the big-endian number in as many bytes as `order` has, less the bits above its top bit.
    Drawing again keeps every key equally likely, which a remainder would not. Raises ValueError after 64
    draws: real entropy needs them with a chance below 2^-64, and a source that repeats itself would go on
    for ever.
    """
    bits = order.bit_length()
    length = (bits + 7) // 8
    for _ in range(64):
        candidate = int.from_bytes(entropy(length), "big") & ((1 << bits) - 1)
        if 0 < candidate < order:
            return candidate
    raise ValueError("the source of entropy gave no number in range in 64 draws; it is not random")


x25519 = X25519()
x448 = X448()
secp256r1 = NistCurve(NamedGroup.secp256r1, ec.SECP256R1())
secp384r1 = NistCurve(NamedGroup.secp384r1, ec.SECP384R1())
secp521r1 = NistCurve(NamedGroup.secp521r1, ec.SECP521R1())
