"""Keys for the laboratory: fresh from the library's generator, or the same ones each time from a seed.

A key from a seed is as secret as the seed. It is for demonstrations and tests that must repeat byte for
byte, and the way the numbers are found is plain Python, which tells their bits to whoever can time it:
protect nothing with them.
"""

import functools
import itertools
import math
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from pellucid.crypto.groups_ec import scalar
from pellucid.crypto.kdf import hkdf_expand, hkdf_extract
from pellucid.crypto.primes import passes_miller_rabin
from pellucid.errors import Misuse, Reason
from pellucid.identity.private_keys import PrivateKey

_CURVES: dict[str, ec.EllipticCurve] = {
    "ecdsa": ec.SECP256R1(),
    "ecdsa_p384": ec.SECP384R1(),
    "ecdsa_p521": ec.SECP521R1(),
}
_RSA_BITS = {"rsa": 2048}
_FRESH: dict[str, Callable[[], PrivateKey]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}
_FROM_BYTES: dict[str, tuple[Callable[[bytes], PrivateKey], int]] = {
    "ed25519": (ed25519.Ed25519PrivateKey.from_private_bytes, 32),
    "ed448": (ed448.Ed448PrivateKey.from_private_bytes, 57),
    "mldsa44": (mldsa.MLDSA44PrivateKey.from_seed_bytes, 32),
    "mldsa65": (mldsa.MLDSA65PrivateKey.from_seed_bytes, 32),
    "mldsa87": (mldsa.MLDSA87PrivateKey.from_seed_bytes, 32),
}

#: The kinds of keys that a laboratory certifies.
KINDS = (*_CURVES, *_RSA_BITS, *_FRESH)
#: Of an age that is over: for showing that it is refused, and nothing else.
_WEAK_RSA_BITS = {"rsa1024": 1024}

_PUBLIC_EXPONENT = 65_537
_SMALL_PRIMES = tuple(n for n in range(3, 2000, 2) if all(n % d for d in range(3, math.isqrt(n) + 1, 2)))
# A composite drawn at random (not chosen by somebody) passes eight rounds with a chance far below 2^-100 at
# 1024 bits (FIPS 186-5 table B.1 asks for four); the library checks the finished key once more.
_MILLER_RABIN_BASES = (2, 3, 5, 7, 11, 13, 17, 19)


def make_key(kind: str, seed: bytes | None, label: str) -> PrivateKey:
    """A private key of one of ``KINDS``. With a seed, the same for the same ``label``. Misuse for an unknown
    kind.
    """
    if kind in _CURVES:
        curve = _CURVES[kind]
        if seed is None:
            return ec.generate_private_key(curve)
        return ec.derive_private_key(scalar(_stream(seed, label), curve.group_order), curve)
    if bits := (_RSA_BITS | _WEAK_RSA_BITS).get(kind):
        return rsa.generate_private_key(_PUBLIC_EXPONENT, bits) if seed is None else _rsa(seed, label, bits)
    if kind in _FRESH:
        if seed is None:
            return _FRESH[kind]()
        make, length = _FROM_BYTES[kind]
        return make(derive(seed, label, length))
    raise Misuse(Reason.BAD_CONFIGURATION, f"{kind!r} is no kind of key; there are {', '.join(KINDS)}")


def derive(seed: bytes, label: str, length: int) -> bytes:
    """``length`` bytes that follow from the seed and the label alone (HKDF-SHA256)."""
    return hkdf_expand("sha256", hkdf_extract("sha256", b"pellucid laboratory", seed), label.encode(), length)


def _stream(seed: bytes, label: str) -> Callable[[int], bytes]:
    """A source of bytes that gives the same ones for the same seed and label."""
    calls = itertools.count()
    return lambda length: derive(seed, f"{label} {next(calls)}", length)


@functools.lru_cache(maxsize=32)
def _rsa(seed: bytes, label: str, bits: int) -> rsa.RSAPrivateKey:
    """A key of exactly ``bits`` bits (a multiple of 16), checked by the library when it is put together.

    It takes most of a second to find, so the last ones are remembered.
    """
    source = _stream(seed, label)
    p, q = _prime(source, bits // 2), _prime(source, bits // 2)
    d = pow(_PUBLIC_EXPONENT, -1, math.lcm(p - 1, q - 1))
    public = rsa.RSAPublicNumbers(_PUBLIC_EXPONENT, p * q)
    crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


def _prime(source: Callable[[int], bytes], bits: int) -> int:
    """A prime of ``bits`` bits with the two highest set, so that the product of two has twice as many."""
    while True:
        candidate = int.from_bytes(source(bits // 8)) | 3 << bits - 2 | 1
        if (candidate - 1) % _PUBLIC_EXPONENT and _is_prime(candidate):
            return candidate


def _is_prime(candidate: int) -> bool:
    if not all(candidate % prime for prime in _SMALL_PRIMES):
        return False
    return all(passes_miller_rabin(candidate, base) for base in _MILLER_RABIN_BASES)
