"""The hybrids of draft-ietf-tls-ecdhe-mlkem: order of the parts, checks on each, ML-KEM's known answers."""

import hashlib

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mlkem

from pellucid.codes import NamedGroup
from pellucid.crypto import groups_kem
from pellucid.crypto.groups import PrivateShare, generate, respond
from pellucid.errors import Misuse, PeerMisbehaved, Reason

G = NamedGroup
HYBRIDS = (G.X25519MLKEM768, G.SecP256r1MLKEM768, G.SecP384r1MLKEM1024)
each_hybrid = pytest.mark.parametrize("group", HYBRIDS, ids=lambda group: group.name)

CURVES = {G.X25519MLKEM768: G.x25519, G.SecP256r1MLKEM768: G.secp256r1, G.SecP384r1MLKEM1024: G.secp384r1}
# Where the curve's part lies: in the client's share, in the server's, in the secret.
CURVE_PARTS = {
    G.X25519MLKEM768: (slice(1184, None), slice(1088, None), slice(32, None)),
    G.SecP256r1MLKEM768: (slice(0, 65), slice(0, 65), slice(0, 32)),
    G.SecP384r1MLKEM1024: (slice(0, 97), slice(0, 97), slice(0, 48)),
}
# And ML-KEM's.
KEM_PARTS = {
    G.X25519MLKEM768: (slice(0, 1184), slice(0, 1088), slice(0, 32)),
    G.SecP256r1MLKEM768: (slice(65, None), slice(65, None), slice(32, None)),
    G.SecP384r1MLKEM1024: (slice(97, None), slice(97, None), slice(48, None)),
}
MLKEM = {
    G.X25519MLKEM768: mlkem.MLKEM768PrivateKey,
    G.SecP256r1MLKEM768: mlkem.MLKEM768PrivateKey,
    G.SecP384r1MLKEM1024: mlkem.MLKEM1024PrivateKey,
}


def replaced(share: bytes, part: slice, new: bytes) -> bytes:
    changed = bytearray(share)
    changed[part] = new
    assert len(changed) == len(share)
    return bytes(changed)


def curve_half(group: NamedGroup, share: PrivateShare) -> PrivateShare:
    half = share.half(CURVES[group])
    assert half is not None
    return half


@each_hybrid
def test_the_curve_s_part_of_the_share_is_a_share_of_the_curve(group: NamedGroup) -> None:
    ours = generate(group)
    assert ours.share[CURVE_PARTS[group][0]] == curve_half(group, ours).share


@each_hybrid
def test_the_curve_s_half_serves_on_its_own(group: NamedGroup) -> None:
    half = curve_half(group, generate(group))
    share, secret = respond(half.group, half.share)
    assert half.secret(share) == secret


@each_hybrid
def test_the_curve_s_part_of_the_secret_is_the_curve_s_secret(group: NamedGroup) -> None:
    ours = generate(group)
    share, secret = respond(group, ours.share)
    _, in_share, in_secret = CURVE_PARTS[group]
    assert curve_half(group, ours).secret(share[in_share]) == secret[in_secret]


@each_hybrid
def test_ml_kem_s_part_of_the_secret_is_what_was_encapsulated(group: NamedGroup) -> None:
    seed = bytes(range(64))
    ours = generate(group, lambda length: seed[:length])
    key = MLKEM[group].from_seed_bytes(seed)
    share, secret = respond(group, ours.share)
    in_client_share, in_server_share, in_secret = KEM_PARTS[group]
    assert ours.share[in_client_share] == key.public_key().public_bytes_raw()
    assert secret[in_secret] == key.decapsulate(share[in_server_share])


@each_hybrid
def test_a_hybrid_has_no_half_of_another_group(group: NamedGroup) -> None:
    assert generate(group).half(G.x448) is None


# FIPS 203 7.2: the modulus check. Each 12 bits of the key are a number that must be below 3329.
@each_hybrid
@pytest.mark.parametrize("number", [3329, 4095])
def test_an_ml_kem_key_whose_numbers_are_not_reduced_is_refused(group: NamedGroup, number: int) -> None:
    share = generate(group).share
    part = KEM_PARTS[group][0]
    first_two_numbers = (number | 1 << 12).to_bytes(3, "little")
    bad = replaced(share, part, first_two_numbers + share[part][3:])
    with pytest.raises(PeerMisbehaved, match="modulus check") as caught:
        respond(group, bad)
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_hybrid
def test_an_ml_kem_key_with_the_largest_number_is_accepted(group: NamedGroup) -> None:
    share = generate(group).share
    part = KEM_PARTS[group][0]
    good = replaced(share, part, (3328 | 3328 << 12).to_bytes(3, "little") + share[part][3:])
    assert len(respond(group, good)) == 2


@each_hybrid
def test_a_curve_part_that_is_no_point_is_refused_by_the_server(group: NamedGroup) -> None:
    share, part = generate(group).share, CURVE_PARTS[group][0]
    with pytest.raises(PeerMisbehaved) as caught:
        respond(group, replaced(share, part, bytes(len(share[part]))))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_hybrid
def test_a_curve_part_that_is_no_point_is_refused_by_the_client(group: NamedGroup) -> None:
    ours = generate(group)
    share, _ = respond(group, ours.share)
    part = CURVE_PARTS[group][1]
    with pytest.raises(PeerMisbehaved) as caught:
        ours.secret(replaced(share, part, bytes(len(share[part]))))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_hybrid
def test_a_changed_ciphertext_gives_another_secret(group: NamedGroup) -> None:
    ours = generate(group)
    share, secret = respond(group, ours.share)
    part = KEM_PARTS[group][1]
    ciphertext = bytearray(share[part])
    ciphertext[0] ^= 1
    in_secret = KEM_PARTS[group][2]
    assert ours.secret(replaced(share, part, bytes(ciphertext)))[in_secret] != secret[in_secret]


# NIST's ACVP vectors for ML-KEM key generation: seed d, seed z, SHAKE-256 (16 bytes) of the encapsulation key
@pytest.mark.parametrize(
    "group, d, z, shake_of_ek",
    [
        pytest.param(
            G.X25519MLKEM768,
            "e34a701c4c87582f42264ee422d3c684d97611f2523efe0c998af05056d693dc",
            "a85768f3486bd32a01bf9a8f21ea938e648eae4e5448c34c3eb88820b159eedd",
            "4d7f7325503c06f0cbfac8cd8744894f",
            id="ML-KEM-768",
        ),
        pytest.param(
            G.SecP384r1MLKEM1024,
            "49ac8b99bb1e6a8ea818261f8be68bdeaa52897e7ec6c40b530bc760ab77dce3",
            "99e3246884181f8e1dd44e0c7629093330221fd67d9b7d6e1510b2dbad8762f7",
            "55391a7d8b659c30914bc10e429a01d9",
            id="ML-KEM-1024",
        ),
    ],
)
def test_the_encapsulation_key_comes_from_the_seed(
    group: NamedGroup, d: str, z: str, shake_of_ek: str
) -> None:
    seed = bytes.fromhex(d + z)
    ours = generate(group, lambda length: seed[:length])
    assert hashlib.shake_256(ours.share[KEM_PARTS[group][0]]).hexdigest(16) == shake_of_ek


class NoKem:
    """A build of the library without ML-KEM."""

    @classmethod
    def generate(cls) -> None:
        raise UnsupportedAlgorithm("no ML-KEM")

    @classmethod
    def from_public_bytes(cls, _data: bytes) -> None:
        raise UnsupportedAlgorithm("no ML-KEM")


def test_a_library_without_ml_kem_is_our_side_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_kem.X25519MLKEM768.kem, "_private_class", NoKem)
    with pytest.raises(Misuse, match="ML-KEM-768") as caught:
        generate(G.X25519MLKEM768)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_a_library_without_ml_kem_is_not_the_peer_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    share = generate(G.X25519MLKEM768).share
    monkeypatch.setattr(groups_kem.X25519MLKEM768.kem, "_public_class", NoKem)
    with pytest.raises(Misuse, match="ML-KEM-768"):
        respond(G.X25519MLKEM768, share)
