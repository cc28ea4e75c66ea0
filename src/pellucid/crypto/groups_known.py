"""The well-known groups of finite fields, from the formulas by which their primes were chosen.

Each prime is one of a series that has a constant of nature's bits in its middle, so that nobody can have
picked it for a weakness, and the first that is safe: p and (p-1)/2 are prime. The generator is 2.

    RFC 7919 A   p = 2^b - 2^(b-64) + ([2^(b-130) e] + X) 2^64 - 1        ffdhe2048 ... ffdhe8192
    RFC 3526     p = 2^b - 2^(b-64) - 1 + 2^64 ([2^(b-130) pi] + X)       IKE's MODP groups 14 ... 18

Both kinds serve as well; TLS servers that were set up before 2016 use the second.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pellucid.codes import NamedGroup

__all__ = ["KNOWN_BITS", "KnownGroup", "known_group"]


class KnownGroup(NamedTuple):
    """Who a prime is. `group` is TLS's code point for it, None for IKE's."""

    name: str
    group: NamedGroup | None


# The X of each size in bits, in RFC 7919 A.1 to A.5 and in RFC 3526 3 to 7.
_FFDHE = {2048: 560316, 3072: 2625351, 4096: 5736041, 6144: 15705020, 8192: 10965728}
_MODP = {2048: 124476, 3072: 1690314, 4096: 240904, 6144: 929484, 8192: 4743158}
_MODP_NUMBERS = {2048: 14, 3072: 15, 4096: 16, 6144: 17, 8192: 18}

#: The sizes in bits that there are known groups of.
KNOWN_BITS = tuple(_FFDHE)

# Bits by which a sum is more exact than what is taken of it: each of its few thousand terms is rounded by
# less than 1.
_GUARD_BITS = 64


def known_group(prime: int) -> KnownGroup | None:
    """Which of the well-known groups has this prime; None for any other number."""
    bits = prime.bit_length()
    return _of_size(bits).get(prime) if bits in KNOWN_BITS else None


@cache
def _of_size(bits: int) -> dict[int, KnownGroup]:
    """The two primes of this size. Made when a peer first has one of it: 8192 bits take 6 ms."""
    ffdhe = NamedGroup[f"ffdhe{bits}"]
    modp = f"RFC 3526's group {_MODP_NUMBERS[bits]} ({bits} bits)"
    return {
        _prime(bits, _e(bits - 130) + _FFDHE[bits]): KnownGroup(ffdhe.name, ffdhe),
        _prime(bits, _pi(bits - 130) + _MODP[bits]): KnownGroup(modp, None),
    }


def _prime(bits: int, middle: int) -> int:
    return (1 << bits) - (1 << (bits - 64)) + (middle << 64) - 1


def _e(bits: int) -> int:
    """[2^bits e], by the sum of 1/k!."""
    total = term = 1 << (bits + _GUARD_BITS)
    k = 1
    while term:
        term //= k
        total += term
        k += 1
    return total >> _GUARD_BITS


def _pi(bits: int) -> int:
    """[2^bits pi], by Machin's pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    one = 1 << (bits + _GUARD_BITS)
    return (16 * _arctan_of_inverse(5, one) - 4 * _arctan_of_inverse(239, one)) >> _GUARD_BITS


def _arctan_of_inverse(x: int, one: int) -> int:
    """`one` times arctan(1/x), by the sum of (-1)^i / ((2i+1) x^(2i+1))."""
    power = total = one // x
    divisor, sign = 3, -1
    while power:
        power //= x * x
        total += sign * (power // divisor)
        divisor, sign = divisor + 2, -sign
    return total
