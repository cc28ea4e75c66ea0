"""The test of Miller and Rabin, on numbers whose nature is known."""

import pytest

from pellucid.crypto.primes import passes_miller_rabin

SMALL_PRIMES = {n for n in range(3, 2000, 2) if all(n % d for d in range(3, n, 2))}


def test_primes_pass_with_every_base() -> None:
    assert all(passes_miller_rabin(n, base) for n in SMALL_PRIMES if n < 200 for base in range(1, n))


def test_composites_pass_with_a_quarter_of_the_bases_at_most() -> None:
    for n in range(9, 400, 2):
        if n not in SMALL_PRIMES:
            assert 4 * sum(passes_miller_rabin(n, base) for base in range(1, n)) <= n - 1


@pytest.mark.parametrize("carmichael", [561, 1105, 1729, 2465, 2821, 6601, 8911, 62745])
def test_carmichael_numbers_which_pass_fermat_s_test_are_found_out(carmichael: int) -> None:
    assert pow(2, carmichael - 1, carmichael) == 1
    assert not passes_miller_rabin(carmichael, 2)


def test_a_strong_pseudoprime_needs_another_base() -> None:
    assert passes_miller_rabin(2047, 2)
    assert not passes_miller_rabin(2047, 3)
