"""Finite fields: the primes, the limits of a share, and that both ways to compute agree."""

import subprocess
import sys

import pytest

from pellucid.codes import NamedGroup
from pellucid.crypto import groups_ff
from pellucid.crypto.groups import respond
from pellucid.crypto.groups_ff import FiniteField, LibraryShare, PowShare
from pellucid.errors import PeerMisbehaved, Reason

FIELDS = (groups_ff.ffdhe2048, groups_ff.ffdhe3072, groups_ff.ffdhe4096)
each_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.group.name)

# RFC 7919 A.1 to A.3: X of each group
X = {2048: 560316, 3072: 2625351, 4096: 5736041}

library_only = pytest.mark.skipif(
    groups_ff._LIBRARY is None, reason="this version of cryptography has no finite fields any more"
)


def e_times_two_to(bits: int) -> int:
    """[2^bits e], from the series 1/0! + 1/1! + ..., with 64 bits more than are kept."""
    term = total = 1 << (bits + 64)
    k = 1
    while term:
        term //= k
        total += term
        k += 1
    return total >> 64


@each_field
def test_the_prime_is_the_one_of_the_rfc_s_formula(field: FiniteField) -> None:
    b = field.length * 8
    # RFC 7919 A: p = 2^b - 2^{b-64} + {[2^{b-130} e] + X} * 2^64 - 1
    assert field.prime == 2**b - 2 ** (b - 64) + (e_times_two_to(b - 130) + X[b]) * 2**64 - 1


def test_half_of_p_minus_1_is_prime_too() -> None:
    # By Fermat's test to base 3; the smallest group stands for all, which the formula above ties to the RFC.
    p = groups_ff.ffdhe2048.prime
    q = (p - 1) // 2
    assert pow(3, p - 1, p) == 1
    assert pow(3, q - 1, q) == 1


@each_field
@pytest.mark.parametrize("offset", [0, 1])
def test_zero_and_one_are_refused(field: FiniteField, offset: int) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        respond(field.group, offset.to_bytes(field.length, "big"))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_field
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_p_and_its_neighbours_are_refused(field: FiniteField, offset: int) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        respond(field.group, (field.prime + offset).to_bytes(field.length, "big"))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_field
def test_the_limits_themselves_are_accepted(field: FiniteField) -> None:
    for y in (2, field.prime - 2):
        assert field.public_value(y.to_bytes(field.length, "big")) == y


@library_only
@each_field
def test_the_library_and_pow_agree(field: FiniteField) -> None:
    by_library, by_pow = field.generate(None), field.generate(lambda length: b"\x5a" * length)
    assert isinstance(by_library, LibraryShare)
    assert isinstance(by_pow, PowShare)
    assert by_library.secret(by_pow.share) == by_pow.secret(by_library.share)


@each_field
def test_a_small_secret_is_padded_to_the_size_of_the_prime(field: FiniteField) -> None:
    two = (2).to_bytes(field.length, "big")
    assert PowShare(field, 1).secret(two) == two


@library_only
def test_a_small_share_of_the_library_s_is_padded_too() -> None:
    class Numbers:
        y = 5

    class Key:
        def public_key(self) -> "Key":
            return self

        def public_numbers(self) -> Numbers:
            return Numbers()

    assert LibraryShare(groups_ff.ffdhe2048, Key()).share == bytes(255) + b"\x05"


def test_without_the_library_s_finite_fields_pow_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_ff, "_LIBRARY", None)
    ours = groups_ff.ffdhe2048.generate(None)
    share, secret = groups_ff.ffdhe2048.respond(ours.share, None)
    assert isinstance(ours, PowShare)
    assert ours.secret(share) == secret


def test_that_the_library_lost_them_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.dh", None)
    assert groups_ff._deprecated_dh() is None


def test_private_keys_without_the_library_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_ff, "_LIBRARY", None)
    assert groups_ff.ffdhe2048.generate(None).share != groups_ff.ffdhe2048.generate(None).share


@each_field
def test_a_private_key_has_the_bits_that_the_rfc_recommends(field: FiniteField) -> None:
    # RFC 7919 A.1 to A.3: "at least 225 bits", 275, 325
    assert field.exponent_bits == {2048: 225, 3072: 275, 4096: 325}[field.length * 8]


def test_no_deprecation_warning_reaches_the_user() -> None:
    program = """
from pellucid.codes import NamedGroup
from pellucid.crypto.groups import generate, respond
ours = generate(NamedGroup.ffdhe2048)
share, secret = respond(NamedGroup.ffdhe2048, ours.share)
assert ours.secret(share) == secret
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_group_of_each_field_is_the_one_of_its_size() -> None:
    assert [field.group for field in FIELDS] == [
        NamedGroup[f"ffdhe{field.prime.bit_length()}"] for field in FIELDS
    ]
