"""Diffie-Hellman in finite fields as TLS 1.2 has it: the server names any group it likes, numbers and all.

    client                                      server
                <----------  dh_p, dh_g, dh_Ys
    dh_Yc, premaster = respond_dh(dh_p, dh_g, dh_Ys)
        dh_Yc   ---------->
                                                premaster = dh_secret(ours, dh_Yc)

A server of ours names one of RFC 7919's groups, as in TLS 1.3. A client has to look at what it is given:
Logjam was a client's accepting 512 bits, and a prime that is none, or whose (p-1)/2 is none, can have been
made for somebody to take logarithms in. So the well-known groups are taken at once, and another only when its
prime is seen to be safe.

The premaster secret has its leading zeros stripped, whose number shows in how long hashing it takes
(Raccoon). That tells nothing of use while every key serves one connection, which is so on both sides here.
"""

from __future__ import annotations

from functools import lru_cache

from pellucid.codes import NamedGroup
from pellucid.crypto.groups_base import Entropy, PrivateShare
from pellucid.crypto.groups_ec import scalar
from pellucid.crypto.groups_ff import FIELDS, GENERATOR, LibraryShare, PowShare, agree, library_entropy
from pellucid.crypto.groups_known import known_group
from pellucid.crypto.primes import passes_miller_rabin
from pellucid.errors import PeerMisbehaved, Reason

__all__ = ["dh_params", "dh_secret", "group_name", "respond_dh"]

#: Bounds in bits of a server's prime. 1024 bits are within reach of states, and once broken they are for all
#: who share the prime (Logjam); NIST SP 800-57 part 1 rates 2048 at 112 bits of strength.
MINIMUM_BITS = 2048
#: The largest well-known groups. Whatever is above only costs us time.
MAXIMUM_BITS = 8192
#: The most of a prime that is not well-known. Each server may send another, and the test of one takes 0.3 s
#: for 2048 bits and 1.3 s for 4096; for 8192 it would be 10.
UNKNOWN_MAXIMUM_BITS = 4096

# Rounds of Miller and Rabin's test, by bases that nobody can foresee. A composite number passes one with a
# chance of 1/4 at most, however it was chosen, and all with 2^-16; a number that was not chosen passes
# practically never.
_ROUNDS = 8

# Private keys' sizes in bits by the prime's: RFC 7919 A.1 to A.5.
_EXPONENT_BITS = {2048: 225, 3072: 275, 4096: 325, 6144: 375, 8192: 400}


def dh_params(group: NamedGroup) -> tuple[bytes, bytes]:
    """(dh_p, dh_g) of one of RFC 7919's groups that `groups` has. Raises KeyError for any other."""
    field = FIELDS[group]
    return field.prime.to_bytes(field.length, "big"), bytes((GENERATOR,))


def dh_secret(ours: PrivateShare, dh_Yc: bytes) -> bytes:  # noqa: N803 - RFC 5246's name
    """For the server: the premaster secret with the client that sent `dh_Yc`. `ours` is of a finite field.

    Unlike a share of TLS 1.3, the number need not be as long as the prime. Raises
    PeerMisbehaved(INVALID_DH_SHARE) for one that is not between 1 and p-1.
    """
    assert isinstance(ours, LibraryShare | PowShare)
    field = ours.field
    # RFC 7919 4: "the server MUST verify that 1 < dh_Yc < dh_p - 1."
    y = _public_value(dh_Yc, field.prime, "client")
    return _strip(ours.secret(y.to_bytes(field.length, "big")))


def respond_dh(
    dh_p: bytes,
    dh_g: bytes,
    dh_Ys: bytes,  # noqa: N803 - RFC 5246's name
    entropy: Entropy | None = None,
) -> tuple[NamedGroup | None, bytes, bytes]:
    """For the client: the server's group where it is one of RFC 7919's, our dh_Yc, and the premaster secret.

    Raises PeerMisbehaved(WEAK_DH_GROUP) for a group that is not worth having: a prime of the wrong size, no
    prime at all, one that is not safe, or a generator that generates next to nothing; and
    PeerMisbehaved(INVALID_DH_SHARE) for a dh_Ys that is not between 1 and p-1. `entropy`: as for
    `groups.respond`.

    The first time that a prime is not well-known, this takes seconds: see `UNKNOWN_MAXIMUM_BITS`. Such
    groups, and generators other than 2, are computed in without the library, whose own test takes longer
    still; so not in constant time, for which see `groups_ff`.
    """
    prime, generator = int.from_bytes(dh_p, "big"), int.from_bytes(dh_g, "big")
    bits = prime.bit_length()
    if bits < MINIMUM_BITS:
        raise _weak(f"has a prime of {bits} bits; {MINIMUM_BITS} are the least")
    if bits > MAXIMUM_BITS:
        raise _weak(f"has a prime of {bits} bits; {MAXIMUM_BITS} are the most")
    if not 2 <= generator <= prime - 2:
        raise _weak("has a generator that is not between 1 and p-1, and so has at most two elements")
    # RFC 7919 3: "the client MUST verify that dh_Ys is in the range 1 < dh_Ys < dh_p - 1."
    y = _public_value(dh_Ys, prime, "server")
    known = known_group(prime)
    if known is None:
        _check_unknown(prime, bits)
    exponent_bits = next(length for size, length in _EXPONENT_BITS.items() if bits <= size)
    by_library = known is not None and generator == GENERATOR
    ours, secret = agree(prime, generator, exponent_bits, y, entropy, by_library=by_library)
    length = (bits + 7) // 8
    named = known.group if known is not None and generator == GENERATOR else None
    return named, ours.to_bytes(length, "big"), _strip(secret.to_bytes(length, "big"))


def group_name(dh_p: bytes) -> str:
    """How sentences name the group with this prime: by its name where it is well-known, else by its size."""
    prime = int.from_bytes(dh_p, "big")
    known = known_group(prime)
    return known.name if known is not None else f"a group of {prime.bit_length()} bits of the server's own"


def _public_value(share: bytes, prime: int, whose: str) -> int:
    y = int.from_bytes(share, "big")
    if not 1 < y < prime - 1:
        raise PeerMisbehaved(
            Reason.INVALID_DH_SHARE, f"the {whose}'s Diffie-Hellman share is not between 1 and p-1"
        )
    return y


def _strip(secret: bytes) -> bytes:
    # RFC 5246 8.1.2: "Leading bytes of Z that contain all zero bits are stripped before it is used as the
    # pre_master_secret."
    return secret.lstrip(b"\0")


def _weak(fault: str) -> PeerMisbehaved:
    return PeerMisbehaved(Reason.WEAK_DH_GROUP, f"the server's Diffie-Hellman group {fault}")


def _check_unknown(prime: int, bits: int) -> None:
    """Raises unless this prime, which nobody has vouched for, is a safe one."""
    if bits > UNKNOWN_MAXIMUM_BITS:
        raise _weak(
            f"is not one of the well-known, and has a prime of {bits} bits: such a prime is tested up to "
            f"{UNKNOWN_MAXIMUM_BITS}"
        )
    fault = _fault_of(prime)
    if fault:
        raise _weak(fault)


@lru_cache(maxsize=64)
def _fault_of(p: int) -> str:
    """Why `p` is no safe prime, or "". Tested once for each: servers keep their primes for years."""
    q = p >> 1
    # Of a safe prime above 7, q is odd and 3 divides neither p nor q.
    if p % 12 != 11:
        return "has a number that is no safe prime, as its remainder by 12 shows"
    if pow(2, p - 1, p) != 1:
        return "has a composite number where a prime has to be"
    # Once q is prime, p is too: by Pocklington's criterion, from the power above, as q > sqrt(p) and p is no
    # multiple of 2^2 - 1.
    if not all(passes_miller_rabin(q, scalar(library_entropy, q - 1)) for _ in range(_ROUNDS)):
        return "has a prime p that is not safe: (p-1)/2 is composite, and so there may be small subgroups"
    return ""
