"""Whether a number is prime, by the test of Miller and Rabin (FIPS 186-5 B.3.1)."""

from __future__ import annotations

__all__ = ["passes_miller_rabin"]


def passes_miller_rabin(candidate: int, base: int) -> bool:
    """One round: False if `base` shows that the odd `candidate` is composite.

    A prime passes with every base from 1 to candidate - 1, a composite with at most a quarter of them, so
    that bases which its maker could not foresee find it out soon.
    """
    odd = candidate - 1
    twos = (odd & -odd).bit_length() - 1
    value = pow(base, odd >> twos, candidate)
    if value in {1, candidate - 1}:
        return True
    for _ in range(twos - 1):
        value = value * value % candidate
        if value == candidate - 1:
            return True
    return False
