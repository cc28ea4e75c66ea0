"""Diffie-Hellman of TLS 1.2: which groups a client takes, which it refuses, and what both have in the end."""

import hashlib
import itertools
import subprocess
import sys
from collections.abc import Callable

import pytest

from pellucid.codes import NamedGroup
from pellucid.crypto import dh12, groups_ff
from pellucid.crypto.dh12 import dh_params, dh_secret, group_name, respond_dh
from pellucid.crypto.groups import generate
from pellucid.crypto.groups_base import Entropy
from pellucid.crypto.groups_ff import PowShare
from pellucid.crypto.groups_known import _of_size
from pellucid.errors import PeerMisbehaved, Reason

GROUPS = [NamedGroup.ffdhe2048, NamedGroup.ffdhe3072, NamedGroup.ffdhe4096]
each_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)

P = groups_ff.ffdhe2048.prime
MODP = {
    bits: next(p for p, known in _of_size(bits).items() if known.group is None) for bits in (2048, 3072, 4096)
}

# RFC 5054 A, the group of 2048 bits: a safe prime, and generator 2.
SRP = int(
    "AC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050A37329CBB4A099ED8193E0757767A13D"
    "D52312AB4B03310DCD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3661A05FBD5FAAAE82918A9962F0B93B8"
    "55F97993EC975EEAA80D740ADBF4FF747359D041D5C33EA71D281E446B14773BCA97B43A23FB801676BD207A436C6481"
    "F1D2B9078717461A5B9D32E688F87748544523B524B0D57D5EA77A2775D2ECFA032CFBDBF52FB3786160279004E57AE6"
    "AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB694B5C803D89F7AE435DE236D525F5475"
    "9B65E372FCD68EF20FA7111F9E4AFF73",
    16,
)
# The prime of 512 bits that Apache's mod_ssl had for export suites, which Logjam's authors broke; a safe one.
LOGJAM = int(
    "9FDB8B8A004544F0045F1737D0BA2E0B274CDF1A9F588218FB435316A16E374171FD19D8D8F37C39BF863FD60E3E300680A3030C6E4C3757"
    "D08F70E6AA871033",
    16,
)


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def entropy(seed: int = 1) -> Entropy:
    """Bytes that differ from call to call, and are the same for the same seed."""
    calls = itertools.count(seed)
    return lambda length: hashlib.shake_256(bytes((next(calls),))).digest(length)


def refusal(p: int, g: int = 2, y: int = 4) -> PeerMisbehaved:
    with pytest.raises(PeerMisbehaved) as caught:
        respond_dh(number(p), number(g), number(y), entropy())
    return caught.value


@each_group
@pytest.mark.parametrize("source", [None, entropy], ids=["library", "entropy"])
def test_both_sides_have_the_same_secret(group: NamedGroup, source: Callable[[], Entropy] | None) -> None:
    p, g = dh_params(group)
    ours = generate(group, source(1) if source else None)
    found, yc, premaster = respond_dh(p, g, ours.share, source(2) if source else None)
    assert found is group
    assert dh_secret(ours, yc) == premaster


def test_params_are_the_group_s_numbers() -> None:
    assert dh_params(NamedGroup.ffdhe2048) == (P.to_bytes(256, "big"), b"\x02")


def test_groups_that_we_make_no_shares_in_have_no_params() -> None:
    with pytest.raises(KeyError):
        dh_params(NamedGroup.x25519)


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize("by_library", [True, False])
def test_rfc_3526_s_groups_are_taken_at_once(
    bits: int, by_library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dh12, "_fault_of", lambda _: pytest.fail("it was tested"))
    p, x = MODP[bits], 0x123456789
    group, yc, premaster = respond_dh(
        number(p), b"\x02", number(pow(2, x, p)), None if by_library else entropy()
    )
    assert group is None
    assert len(yc) == bits // 8
    assert premaster == number(pow(int.from_bytes(yc, "big"), x, p))


@pytest.mark.parametrize("bits", [6144, 8192])
def test_rfc_7919_s_largest_groups_are_recognised(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if groups_ff._LIBRARY is None:
        pytest.skip("without the library's finite fields this takes seconds")
    monkeypatch.setattr(dh12, "_fault_of", lambda _: pytest.fail("it was tested"))
    p = next(p for p, known in _of_size(bits).items() if known.group is not None)
    group, yc, premaster = respond_dh(number(p), b"\x02", number(4))
    assert group is NamedGroup[f"ffdhe{bits}"]
    assert premaster == number(pow(int.from_bytes(yc, "big"), 2, p))


def test_an_unknown_safe_prime_is_tested_and_taken() -> None:
    x = 0x123456789
    group, yc, premaster = respond_dh(number(SRP), b"\x02", number(pow(2, x, SRP)))
    assert group is None
    assert premaster == number(pow(int.from_bytes(yc, "big"), x, SRP))


def test_a_prime_is_tested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    respond_dh(number(SRP), b"\x02", number(4), entropy())
    tested: list[int] = []
    monkeypatch.setattr(dh12, "passes_miller_rabin", lambda n, _: tested.append(n))
    respond_dh(number(SRP), b"\x02", number(4), entropy())
    assert not tested


def test_the_bases_of_the_test_do_not_come_from_the_connection_s_entropy() -> None:
    # A replay whose first run tested the prime, and whose second need not, would otherwise differ.
    dh12._fault_of.cache_clear()
    first, second = (respond_dh(number(SRP), b"\x02", number(4), entropy()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("g", [3, 5, P - 2])
def test_other_generators_of_a_known_prime_are_taken(g: int) -> None:
    group, yc, premaster = respond_dh(number(P), number(g), number(pow(g, 3, P)))
    # It is not RFC 7919's group any more.
    assert group is None
    assert premaster == number(pow(int.from_bytes(yc, "big"), 3, P))


@pytest.mark.parametrize(
    "p, bits",
    [(LOGJAM, 512), ((1 << 1023) | 0xF0F0F1, 1024), (1 << 2046 | 1, 2047), (P >> 1, 2047), (0, 0), (3, 2)],
)
def test_a_small_prime_is_refused(p: int, bits: int) -> None:
    error = refusal(p)
    assert error.reason is Reason.WEAK_DH_GROUP
    assert f"has a prime of {bits} bits; 2048 are the least" in error.detail


def test_a_prime_too_large_is_refused_before_it_costs_time() -> None:
    error = refusal((1 << 8192) | 1)
    assert error.reason is Reason.WEAK_DH_GROUP
    assert "8193 bits; 8192 are the most" in error.detail


def test_an_unknown_prime_that_takes_long_to_test_is_refused() -> None:
    error = refusal((1 << 4096) | 1)
    assert error.reason is Reason.WEAK_DH_GROUP
    assert "not one of the well-known, and has a prime of 4097 bits" in error.detail


@pytest.mark.parametrize(
    "p, words",
    [
        pytest.param(P + 2, "no safe prime", id="another remainder by 12"),
        pytest.param(P - 1, "no safe prime", id="even"),
        pytest.param(P + 12, "composite", id="composite"),
        # The largest prime below 2^2048 of the right remainder.
        pytest.param(2**2048 - 9509, "not safe: .p-1./2 is composite", id="prime, and not safe"),
    ],
)
def test_a_number_that_is_no_safe_prime_is_refused(p: int, words: str) -> None:
    with pytest.raises(PeerMisbehaved, match=words) as caught:
        respond_dh(number(p), b"\x02", b"\x04", entropy())
    assert caught.value.reason is Reason.WEAK_DH_GROUP


@pytest.mark.parametrize("g", [0, 1, P - 1, P, P + 1])
def test_a_generator_that_generates_next_to_nothing_is_refused(g: int) -> None:
    error = refusal(P, g)
    assert error.reason is Reason.WEAK_DH_GROUP
    assert "generator" in error.detail


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1, P * P])
def test_a_server_s_share_that_is_no_element_is_refused(y: int) -> None:
    error = refusal(P, 2, y)
    assert error.reason is Reason.INVALID_DH_SHARE
    assert "the server's" in error.detail


@pytest.mark.parametrize("y", [2, P - 2])
def test_the_limits_themselves_are_taken(y: int) -> None:
    assert respond_dh(number(P), b"\x02", number(y), entropy())
    assert dh_secret(generate(NamedGroup.ffdhe2048, entropy()), number(y))


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1, P * P])
def test_a_client_s_share_that_is_no_element_is_refused(y: int) -> None:
    with pytest.raises(PeerMisbehaved, match="the client's") as caught:
        dh_secret(generate(NamedGroup.ffdhe2048, entropy()), number(y))
    assert caught.value.reason is Reason.INVALID_DH_SHARE


@pytest.mark.parametrize("zeros", [0, 1, 300])
def test_zeros_before_a_number_change_nothing(zeros: int) -> None:
    p, g, y = (bytes(zeros) + number(value) for value in (P, 2, 16))
    group, yc, premaster = respond_dh(p, g, y, entropy())
    assert (group, yc, premaster) == respond_dh(number(P), b"\x02", b"\x10", entropy())
    assert len(yc) == 256
    ours = generate(NamedGroup.ffdhe2048, entropy(7))
    assert dh_secret(ours, bytes(zeros) + yc) == dh_secret(ours, yc)


def test_leading_zeros_of_the_secret_are_stripped() -> None:
    # RFC 5246 8.1.2. The exponent 1 makes the secret the peer's own share; TLS 1.3 keeps the zeros.
    ours = PowShare(groups_ff.ffdhe2048, 1)
    assert dh_secret(ours, (0x1234).to_bytes(256, "big")) == b"\x12\x34"
    assert ours.secret((0x1234).to_bytes(256, "big")) == (0x1234).to_bytes(256, "big")


def test_the_client_strips_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dh12, "agree", lambda *_, by_library: (5, 0x1234 + by_library - 1))
    _, yc, premaster = respond_dh(number(P), b"\x02", b"\x04")
    assert premaster == b"\x12\x34"
    assert yc == (5).to_bytes(256, "big")


@pytest.mark.parametrize("by_library", [True, False])
def test_every_key_serves_one_connection(by_library: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Raccoon and the invalid-group attacks want a server or client that keeps its key.
    if not by_library:
        monkeypatch.setattr(groups_ff, "_LIBRARY", None)
    shares = [respond_dh(number(P), b"\x02", b"\x04")[1] for _ in range(2)]
    assert shares[0] != shares[1]


def test_given_entropy_repeats() -> None:
    first, second = (respond_dh(number(P), b"\x02", b"\x04", entropy()) for _ in range(2))
    assert first == second


def test_groups_have_names_for_people() -> None:
    assert group_name(number(P)) == "ffdhe2048"
    assert group_name(number(MODP[2048])) == "RFC 3526's group 14 (2048 bits)"
    assert group_name(number(SRP)) == "a group of 2048 bits of the server's own"


def test_no_deprecation_warning_reaches_the_user() -> None:
    program = """
from pellucid.codes import NamedGroup
from pellucid.crypto.dh12 import dh_params, respond_dh
respond_dh(*dh_params(NamedGroup.ffdhe2048), bytes([4]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
