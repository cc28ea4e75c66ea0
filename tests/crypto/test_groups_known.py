"""The well-known primes: by their hashes, and that they are safe."""

import hashlib

import pytest

from pellucid.codes import NamedGroup
from pellucid.crypto import groups_ff
from pellucid.crypto.groups_known import KNOWN_BITS, _of_size, known_group
from pellucid.crypto.primes import passes_miller_rabin

# SHA-256 of the primes in RFC 7919 A.1 to A.5 and RFC 3526 3 to 7, as big-endian bytes.
SHA256 = {
    "ffdhe2048": "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966",
    "RFC 3526's group 14 (2048 bits)": "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e",
    "ffdhe3072": "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17",
    "RFC 3526's group 15 (3072 bits)": "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c",
    "ffdhe4096": "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e",
    "RFC 3526's group 16 (4096 bits)": "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33",
    "ffdhe6144": "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7",
    "RFC 3526's group 17 (6144 bits)": "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd",
    "ffdhe8192": "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833",
    "RFC 3526's group 18 (8192 bits)": "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf",
}
PRIMES = [
    pytest.param(prime, known, id=known.name)
    for bits in KNOWN_BITS
    for prime, known in _of_size(bits).items()
]


def test_there_are_ten() -> None:
    assert len(PRIMES) == len(SHA256) == 10


@pytest.mark.parametrize("prime, known", PRIMES)
def test_the_formula_gives_the_rfc_s_number(prime: int, known: object) -> None:
    name = getattr(known, "name", "")
    assert hashlib.sha256(prime.to_bytes(prime.bit_length() // 8, "big")).hexdigest() == SHA256[name]


@pytest.mark.parametrize("prime, known", PRIMES)
def test_a_known_prime_is_recognised_and_its_neighbours_are_not(prime: int, known: object) -> None:
    assert known_group(prime) == known
    assert known_group(prime + 2) is known_group(prime - 2) is None


def test_the_primes_of_our_own_shares_are_among_them() -> None:
    for field in groups_ff.FIELDS.values():
        known = known_group(field.prime)
        assert known is not None
        assert known.group is field.group


@pytest.mark.parametrize("prime, known", [each for each in PRIMES if each.values[0].bit_length() == 2048])
def test_the_smallest_are_safe_primes(prime: int, known: object) -> None:
    assert passes_miller_rabin(prime, 3)
    assert passes_miller_rabin(prime >> 1, 3)


def test_only_those_of_rfc_7919_have_code_points() -> None:
    groups = [known.group for prime, known in (each.values for each in PRIMES) if known.group is not None]
    assert groups == [NamedGroup[f"ffdhe{bits}"] for bits in KNOWN_BITS]


@pytest.mark.parametrize("number", [0, 1, 2**2047 + 1, 2**2048 - 1, 2**1536 - 1])
def test_other_numbers_are_not_known(number: int) -> None:
    assert known_group(number) is None
