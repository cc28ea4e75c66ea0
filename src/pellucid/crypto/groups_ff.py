"""Diffie-Hellman in finite fields: the groups of RFC 7919, for peers that have nothing else.

There are two ways to compute. The library's is constant-time; it is deprecated there and will go. Without
it, and where the private key must come from given entropy, it is Python's `pow`, WHICH IS NOT
CONSTANT-TIME: how long it takes depends on the secret exponent. A key here serves one handshake, so that an
attacker gets one measurement of it; that is a mitigation, not a defence. Prefer any other group.
"""

from __future__ import annotations

import warnings
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.utils import CryptographyDeprecationWarning

from pellucid.codes import NamedGroup
from pellucid.crypto.groups_base import Entropy, KeyExchange, PrivateShare, check_length, invalid_share
from pellucid.crypto.groups_ec import scalar

_FFDHE2048 = (
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B423861285C97FFFFFFFFFFFFFFFF"
)
_FFDHE3072 = (
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B4238611FCFDCDE355B3B6519035BBC34F4DEF99C023861B46FC9D6E6C9077AD91D2691F7F7EE598CB0FAC186D91C"
    "AEFE130985139270B4130C93BC437944F4FD4452E2D74DD364F2E21E71F54BFF5CAE82AB9C9DF69EE86D2BC522363A0D"
    "ABC521979B0DEADA1DBF9A42D5C4484E0ABCD06BFA53DDEF3C1B20EE3FD59D7C25E41D2B66C62E37FFFFFFFFFFFFFFFF"
)
_FFDHE4096 = (
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B4238611FCFDCDE355B3B6519035BBC34F4DEF99C023861B46FC9D6E6C9077AD91D2691F7F7EE598CB0FAC186D91C"
    "AEFE130985139270B4130C93BC437944F4FD4452E2D74DD364F2E21E71F54BFF5CAE82AB9C9DF69EE86D2BC522363A0D"
    "ABC521979B0DEADA1DBF9A42D5C4484E0ABCD06BFA53DDEF3C1B20EE3FD59D7C25E41D2B669E1EF16E6F52C3164DF4FB"
    "7930E9E4E58857B6AC7D5F42D69F6D187763CF1D5503400487F55BA57E31CC7A7135C886EFB4318AED6A1E012D9E6832"
    "A907600A918130C46DC778F971AD0038092999A333CB8B7A1A1DB93D7140003C2A4ECEA9F98D0ACC0A8291CDCEC97DCF"
    "8EC9B55A7F88A46B4DB5A851F44182E1C68A007E5E655F6AFFFFFFFFFFFFFFFF"
)

#: The generator of every group of RFC 7919.
GENERATOR = 2


def _deprecated_dh() -> Any:
    """What is used of the library's finite fields: two classes, or None where they have gone.

    Their names warn when they are looked up. So that is done once, here, and that one warning is silenced.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Diffie-Hellman over finite fields", category=CryptographyDeprecationWarning
        )
        try:
            from cryptography.hazmat.primitives.asymmetric.dh import (  # noqa: PLC0415 - it may have gone
                DHParameterNumbers,
                DHPublicNumbers,
            )
        except ImportError:
            return None
    return DHParameterNumbers, DHPublicNumbers


def library_entropy(length: int) -> bytes:
    """`length` bytes of the library's own generator, which it gives out as keys of 32."""
    return b"".join(AESGCM.generate_key(256) for _ in range(0, length, 32))[:length]


_LIBRARY = _deprecated_dh()


class LibraryShare(PrivateShare):
    """A private key of the library's."""

    __slots__ = ("_private", "field")

    def __init__(self, field: FiniteField, private: Any) -> None:
        self.group = field.group
        self.share = private.public_key().public_numbers().y.to_bytes(field.length, "big")
        self.field = field
        self._private = private

    def secret(self, peer_share: bytes) -> bytes:
        """The common power, in as many bytes as the prime. Raises PeerMisbehaved(INVALID_KEY_SHARE)."""
        y = self.field.public_value(peer_share)
        _, public_numbers = _LIBRARY
        peer = public_numbers(y, self.field.parameter_numbers()).public_key()
        # RFC 9846 7.4.1: "left-padded with zeros up to the size of the prime"; the library pads too.
        shared: bytes = self._private.exchange(peer)
        return shared.rjust(self.field.length, b"\0")

    def private_bytes(self) -> bytes:
        exponent: int = self._private.private_numbers().x
        return exponent.to_bytes(self.field.length, "big")


class PowShare(PrivateShare):
    """A private key that is a Python number. Not constant-time: see the top of this file."""

    __slots__ = ("_exponent", "field")

    def __init__(self, field: FiniteField, exponent: int) -> None:
        self.group = field.group
        self.share = pow(GENERATOR, exponent, field.prime).to_bytes(field.length, "big")
        self.field = field
        self._exponent = exponent

    def secret(self, peer_share: bytes) -> bytes:
        """The common power, in as many bytes as the prime. Raises PeerMisbehaved(INVALID_KEY_SHARE)."""
        y = self.field.public_value(peer_share)
        # RFC 9846 7.4.1: "left-padded with zeros up to the size of the prime"
        return pow(y, self._exponent, self.field.prime).to_bytes(self.field.length, "big")

    def private_bytes(self) -> bytes:
        return self._exponent.to_bytes(self.field.length, "big")


class FiniteField(KeyExchange):
    """One group of RFC 7919: a safe prime p, the generator 2, and short exponents.

    `length` is the size of p in bytes, and of every share and secret. `exponent_bits` is the size of a
    private key that RFC 7919 A recommends for the group: about twice its strength, far below the size of p.
    """

    def __init__(self, group: NamedGroup, prime: str, exponent_bits: int) -> None:
        self.group = group
        self.prime = int(prime, 16)
        self.length = len(prime) // 2
        self.exponent_bits = exponent_bits

    def generate(self, entropy: Entropy | None) -> PrivateShare:
        """A fresh key pair; with `entropy`, or where the library has no finite fields, by `pow`."""
        if entropy is None and _LIBRARY is not None:
            return LibraryShare(self, self.parameter_numbers().parameters().generate_private_key())
        return PowShare(self, scalar(entropy or library_entropy, (1 << self.exponent_bits) - 1))

    def public_value(self, share: bytes) -> int:
        """The number that `share` encodes, when it may be used. Raises PeerMisbehaved(INVALID_KEY_SHARE)."""
        check_length(self.group, share, self.length)
        y = int.from_bytes(share, "big")
        # RFC 9846 4.3.8.1: "Peers MUST validate each other's public key Y by ensuring that 1 < Y < p-1."
        # As p is a safe prime, that leaves no small subgroup.
        if not 1 < y < self.prime - 1:
            raise invalid_share(self.group, "is not between 1 and p-1")
        return y

    def parameter_numbers(self) -> Any:
        """The group as the library takes it."""
        parameter_numbers, _ = _LIBRARY
        return parameter_numbers(self.prime, GENERATOR)


def agree(
    prime: int, generator: int, exponent_bits: int, y: int, entropy: Entropy | None, *, by_library: bool
) -> tuple[int, int]:
    """For the side that speaks second, in a field that has no FiniteField: its own power, and the common one.

    `y` is the other side's power, and has been checked. `by_library`: the library may compute, where it can.
    It tests each prime that it does not know by itself, which takes seconds.
    """
    if by_library and entropy is None and _LIBRARY is not None:
        parameter_numbers, public_numbers = _LIBRARY
        numbers = parameter_numbers(prime, generator)
        private = numbers.parameters().generate_private_key()
        shared: bytes = private.exchange(public_numbers(y, numbers).public_key())
        return private.public_key().public_numbers().y, int.from_bytes(shared, "big")
    exponent = scalar(entropy or library_entropy, (1 << exponent_bits) - 1)
    return pow(generator, exponent, prime), pow(y, exponent, prime)


ffdhe2048 = FiniteField(NamedGroup.ffdhe2048, _FFDHE2048, 225)
ffdhe3072 = FiniteField(NamedGroup.ffdhe3072, _FFDHE3072, 275)
ffdhe4096 = FiniteField(NamedGroup.ffdhe4096, _FFDHE4096, 325)

#: The fields that shares can be made in, by code point.
FIELDS: dict[int, FiniteField] = {field.group: field for field in (ffdhe2048, ffdhe3072, ffdhe4096)}
