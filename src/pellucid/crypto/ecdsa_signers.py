"""Whose signature is it? From one of ECDSA, and what it signs, follow the few keys that can have made it.

For diagnosis: a signature that does not hold under one key may be good under another. All of this is public,
so that it may take the time that it takes: a tenth of a second for a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from pellucid.codes import SignatureScheme
from pellucid.crypto.kdf import hash_digest

__all__ = ["possible_signers"]

#: None is the point at infinity.
Point: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Curve:
    """y^2 = x^3 - 3x + b modulo ``p``, a prime that is 3 modulo 4. It has ``n`` points, a prime, too."""

    name: str
    p: int
    n: int
    base: tuple[int, int]

    @classmethod
    def of(cls, curve: ec.EllipticCurve, p: int, n: int) -> _Curve:
        numbers = ec.derive_private_key(1, curve).public_key().public_numbers()
        return cls(curve.name, p, n, (numbers.x, numbers.y))

    @property
    def b(self) -> int:
        x, y = self.base
        return (y * y - x * x * x + 3 * x) % self.p

    def at(self, x: int) -> tuple[int, int] | None:
        """A point with this x, if there is one; the other has -y."""
        square = (x * x * x - 3 * x + self.b) % self.p
        # SEC 1 2.3.4: where p is 3 modulo 4 this is a square root, if there is any.
        y = pow(square, (self.p + 1) // 4, self.p)
        return (x, y) if y * y % self.p == square else None

    def add(self, one: Point, other: Point) -> Point:
        if one is None or other is None:
            return one or other
        (x1, y1), (x2, y2), p = one, other, self.p
        if x1 == x2:
            if (y1 + y2) % p == 0:
                return None
            slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, p)
        x = (slope * slope - x1 - x2) % p
        return x, (slope * (x1 - x) - y1) % p

    def times(self, number: int, point: Point) -> Point:
        total: Point = None
        for bit in bin(number % self.n)[2:]:
            total = self.add(total, total)
            if bit == "1":
                total = self.add(total, point)
        return total


def _curves() -> tuple[_Curve, ...]:
    """NIST SP 800-186 3.2.1: P-256, P-384 and P-521."""
    n256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    n384 = 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D
    n521 = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7
    return (
        _Curve.of(ec.SECP256R1(), 2**256 - 2**224 + 2**192 + 2**96 - 1, n256),
        _Curve.of(ec.SECP384R1(), 2**384 - 2**128 - 2**96 + 2**32 - 1, n384),
        _Curve.of(ec.SECP521R1(), 2**521 - 1, n521),
    )


#: By less than this many bits are a signature's numbers shorter than the order: else once in 2^64.
_SLACK_BITS = 64


def possible_signers(
    scheme: SignatureScheme | int, signature: bytes, content: bytes
) -> frozenset[tuple[str, int, int]]:
    """The public keys (curve, x, y) under which ``signature`` is one of ``content``: two on a curve, seldom
    more; none for what is no signature by ECDSA.

    In TLS 1.2 a scheme does not tell the curve: tried are those that the signature's numbers fit.
    """
    if not isinstance(scheme, SignatureScheme) or not scheme.name.startswith("ecdsa_"):
        return frozenset()
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return frozenset()
    digest = hash_digest(scheme.name.rpartition("_")[2], content)
    found: set[tuple[str, int, int]] = set()
    for curve in _curves():
        size = curve.n.bit_length()
        if all(0 < number < curve.n and size - number.bit_length() < _SLACK_BITS for number in (r, s)):
            found |= _recovered(curve, r, s, digest)
    return frozenset(found)


def _recovered(curve: _Curve, r: int, s: int, digest: bytes) -> set[tuple[str, int, int]]:
    """SEC 1 4.1.6: with R the point that r comes from, Q is (sR - eG) / r."""
    # FIPS 186-5 6.4.1: of the hash the leftmost bits, as many as the order has.
    surplus = max(0, 8 * len(digest) - curve.n.bit_length())
    e = int.from_bytes(digest, "big") >> surplus
    found = set()
    inverse = pow(r, -1, curve.n)
    by_base = curve.times(-e * inverse, curve.base)
    # r is x modulo the order, which is less than p: seldom there is a second x.
    for x in range(r, curve.p, curve.n):
        start = curve.at(x)
        if start is None:
            continue
        for y in (start[1], -start[1] % curve.p):
            key = curve.add(curve.times(s * inverse, (x, y)), by_base)
            if key is not None:
                found.add((curve.name, *key))
    return found
