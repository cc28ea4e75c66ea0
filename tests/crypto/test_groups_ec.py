"""X25519, X448 and NIST's curves: known answers, and points that a peer must not get away with."""

import json
from pathlib import Path

import pytest

from pellucid.codes import NamedGroup
from pellucid.crypto.groups import Entropy, generate, respond
from pellucid.crypto.groups_ec import scalar
from pellucid.errors import PeerMisbehaved, Reason

G = NamedGroup
RFC8448 = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8448.json").read_text())

# Group, our private key, our share if known, the peer's share, the secret: RFC 7748 6.1 and 6.2, then the
# first of each curve of NIST CAVS 14.1, ECC CDH. The last has a secret that starts with a zero byte.
KNOWN_ANSWERS = [
    pytest.param(
        G.x25519,
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        id="x25519",
    ),
    pytest.param(
        G.x448,
        "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0"
        "a598726b",
        "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e5"
        "32c41fa0",
        "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c6"
        "7bf33609",
        "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037"
        "514a879d",
        id="x448",
    ),
    pytest.param(
        G.secp256r1,
        "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
        None,
        "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
        "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
        "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b",
        id="secp256r1",
    ),
    pytest.param(
        G.secp384r1,
        "3cc3122a68f0d95027ad38c067916ba0eb8c38894d22e1b15618b6818a661774ad463b205da88cf699ab4d43c9cf98a1",
        None,
        "04a7c76b970c3b5fe8b05d2838ae04ab47697b9eaf52e764592efda27fe7513272734466b400091adbf2d68c58e0c50066"
        "ac68f19f2e1cb879aed43a9969b91a0839c4c38a49749b661efedf243451915ed0905a32b060992b468c64766fc8437a",
        "5f9d29dc5e31a163060356213669c8ce132e22f57c9a04f40ba7fcead493b457e5621e766c40a2e3d4d6a04b25e533f1",
        id="secp384r1",
    ),
    pytest.param(
        G.secp521r1,
        "017eecc07ab4b329068fba65e56a1f8890aa935e57134ae0ffcce802735151f4eac6564f6ee9974c5e6887a1fefee5743ae2241b"
        "feb95d5ce31ddcb6f9edb4d6fc47",
        None,
        "0400685a48e86c79f0f0875f7bc18d25eb5fc8c0b07e5da4f4370f3a9490340854334b1e1b87fa395464c60626124a4e70d0f785"
        "601d37c09870ebf176666877a2046d01ba52c56fc8776d9e8f5db4f0cc27636d0b741bbe05400697942e80b739884a83bde99e0f"
        "6716939e632bc8986fa18dccd443a348b6c3e522497955a4f3c302f676",
        "005fc70477c3e63bc3954bd0df3ea0d1f41ee21746ed95fc5e1fdf90930d5e136672d72cc770742d1711c3c3a4c334a0ad975943"
        "6a4d3c5bf6e74b9578fac148c831",
        id="secp521r1",
    ),
]

# Points of order 1, 2, 4 and 8 of Curve25519 and its twist, and their other encodings (Wycheproof's list).
LOW_ORDER_X25519 = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
LOW_ORDER_X448 = [
    "00" * 56,
    "01" + "00" * 55,
    "fe" + "ff" * 27 + "fe" + "ff" * 27,
    "ff" * 28 + "fe" + "ff" * 27,
    "00" * 28 + "ff" * 28,
]
FIELDS = {G.secp256r1: 32, G.secp384r1: 48, G.secp521r1: 66}
PRIMES = {
    G.secp256r1: 2**256 - 2**224 + 2**192 + 2**96 - 1,
    G.secp384r1: 2**384 - 2**128 - 2**96 + 2**32 - 1,
    G.secp521r1: 2**521 - 1,
}
each_curve = pytest.mark.parametrize("group", FIELDS, ids=lambda group: group.name)


def fixed(value: bytes) -> Entropy:
    """A source of entropy that gives `value`, which has to be what is asked for."""

    def entropy(length: int) -> bytes:
        assert len(value) == length
        return value

    return entropy


@pytest.mark.parametrize("group, private_key, share, peer_share, secret", KNOWN_ANSWERS)
def test_the_secret_is_the_known_answer(
    group: NamedGroup, private_key: str, share: str | None, peer_share: str, secret: str
) -> None:
    ours = generate(group, fixed(bytes.fromhex(private_key)))
    assert ours.secret(bytes.fromhex(peer_share)).hex() == secret


@pytest.mark.parametrize("group, private_key, share, peer_share, secret", KNOWN_ANSWERS[:2])
def test_the_share_is_the_known_answer(
    group: NamedGroup, private_key: str, share: str, peer_share: str, secret: str
) -> None:
    assert generate(group, fixed(bytes.fromhex(private_key))).share.hex() == share


@pytest.mark.parametrize(
    "share", [share for trace in RFC8448["traces"] for share in trace["key_shares"]], ids=lambda s: s["group"]
)
def test_the_shares_of_rfc_8448_come_from_its_private_keys(share: dict[str, str]) -> None:
    ours = generate(NamedGroup[share["group"]], fixed(bytes.fromhex(share["private_key"])))
    assert ours.share.hex() == share["key_exchange"]


def refused(group: NamedGroup, share: bytes) -> bool:
    with pytest.raises(PeerMisbehaved) as caught:
        respond(group, share)
    return caught.value.reason is Reason.INVALID_KEY_SHARE


@pytest.mark.parametrize("point", LOW_ORDER_X25519)
def test_a_point_of_low_order_is_refused_for_x25519(point: str) -> None:
    assert refused(G.x25519, bytes.fromhex(point))


@pytest.mark.parametrize("point", LOW_ORDER_X448)
def test_a_point_of_low_order_is_refused_for_x448(point: str) -> None:
    assert refused(G.x448, bytes.fromhex(point))


@each_curve
def test_a_point_off_the_curve_is_refused(group: NamedGroup) -> None:
    share = bytearray(generate(group).share)
    share[-1] ^= 1
    assert refused(group, bytes(share))


@each_curve
@pytest.mark.parametrize("form", [0, 2, 3, 5, 6, 7, 255])
def test_a_legacy_form_other_than_uncompressed_is_refused(group: NamedGroup, form: int) -> None:
    assert refused(group, bytes([form]) + generate(group).share[1:])


@each_curve
def test_a_compressed_point_is_refused(group: NamedGroup) -> None:
    share = generate(group).share
    assert refused(group, bytes([2 + share[-1] % 2]) + share[1 : 1 + FIELDS[group]])


@each_curve
def test_the_point_at_infinity_is_refused(group: NamedGroup) -> None:
    assert refused(group, b"\0")


@each_curve
def test_a_coordinate_that_is_not_reduced_is_refused(group: NamedGroup) -> None:
    # x = p stands for x = 0, and p fits the field's bytes.
    length, prime = FIELDS[group], PRIMES[group]
    y = generate(group).share[1 + length :]
    assert refused(group, b"\x04" + prime.to_bytes(length, "big") + y)


def test_the_secret_keeps_its_leading_zeros() -> None:
    # One key in 256 has a multiple of the generator whose x is below 2^248.
    peer = generate(G.secp256r1, lambda length: (1).to_bytes(length, "big"))
    secrets = (
        generate(G.secp256r1, lambda length, d=d: d.to_bytes(length, "big")).secret(peer.share)
        for d in range(2, 4000)
    )
    assert len(next(secret for secret in secrets if secret[0] == 0)) == 32


def test_a_scalar_is_drawn_again_until_it_is_in_range() -> None:
    draws = iter([b"\0", b"\x0b", b"\x0f", b"\x0a"])
    assert scalar(lambda _length: next(draws), 11) == 10


def test_bits_above_the_order_are_not_counted() -> None:
    assert scalar(fixed(b"\xf7"), 11) == 7


def test_entropy_that_repeats_itself_out_of_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="not random"):
        scalar(bytes, 11)
