"""Key exchange, whatever the group: both sides agree, and shares that cannot be used are refused."""

import itertools
from collections.abc import Callable

import pytest

from pellucid.codes import NamedGroup
from pellucid.crypto.groups import GROUPS, generate, respond
from pellucid.errors import PeerMisbehaved, Reason

G = NamedGroup
each_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)

# Sizes in bytes of the client's share, the server's share and the secret.
SIZES = {
    G.X25519MLKEM768: (1184 + 32, 1088 + 32, 64),
    G.SecP256r1MLKEM768: (65 + 1184, 65 + 1088, 64),
    G.SecP384r1MLKEM1024: (97 + 1568, 97 + 1568, 80),
    G.x25519: (32, 32, 32),
    G.x448: (56, 56, 56),
    G.secp256r1: (65, 65, 32),
    G.secp384r1: (97, 97, 48),
    G.secp521r1: (133, 133, 66),
    G.ffdhe2048: (256, 256, 256),
    G.ffdhe3072: (384, 384, 384),
    G.ffdhe4096: (512, 512, 512),
}


def counting_entropy() -> Callable[[int], bytes]:
    """Bytes that never repeat within a test and are the same in each."""
    numbers = itertools.count(1)

    def entropy(length: int) -> bytes:
        return bytes((next(numbers) * 7 + i) & 0xFF for i in range(length))

    return entropy


def test_every_group_has_its_sizes_here() -> None:
    assert set(GROUPS) == set(SIZES)


@each_group
def test_both_sides_have_the_same_secret(group: NamedGroup) -> None:
    ours = generate(group)
    share, secret = respond(group, ours.share)
    assert ours.secret(share) == secret


@each_group
def test_both_sides_have_the_same_secret_from_given_entropy(group: NamedGroup) -> None:
    entropy = counting_entropy()
    ours = generate(group, entropy)
    share, secret = respond(group, ours.share, entropy)
    assert ours.secret(share) == secret


@each_group
def test_shares_and_secret_have_the_sizes_of_the_group(group: NamedGroup) -> None:
    ours = generate(group)
    share, secret = respond(group, ours.share)
    assert (len(ours.share), len(share), len(secret)) == SIZES[group]


@each_group
def test_two_shares_differ(group: NamedGroup) -> None:
    assert generate(group).share != generate(group).share


@each_group
def test_the_same_entropy_gives_the_same_share(group: NamedGroup) -> None:
    assert generate(group, counting_entropy()).share == generate(group, counting_entropy()).share


@each_group
@pytest.mark.parametrize("change", [-1, 1])
def test_a_client_share_of_the_wrong_length_is_refused(group: NamedGroup, change: int) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        respond(group, bytes(SIZES[group][0] + change))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_group
@pytest.mark.parametrize("change", [-1, 1])
def test_a_server_share_of_the_wrong_length_is_refused(group: NamedGroup, change: int) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        generate(group).secret(bytes(SIZES[group][1] + change))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_group
def test_an_empty_share_is_refused(group: NamedGroup) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        respond(group, b"")
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_group
def test_a_share_of_zeros_is_refused(group: NamedGroup) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        respond(group, bytes(SIZES[group][0]))
    assert caught.value.reason is Reason.INVALID_KEY_SHARE


@each_group
def test_the_error_names_the_group(group: NamedGroup) -> None:
    with pytest.raises(PeerMisbehaved, match=group.name):
        respond(group, b"")


@each_group
def test_a_share_serves_as_itself(group: NamedGroup) -> None:
    ours = generate(group)
    assert ours.half(group) is ours


@each_group
def test_the_repr_shows_no_key(group: NamedGroup) -> None:
    assert repr(generate(group)) == f"<PrivateShare {group.name}, {SIZES[group][0]} bytes>"


def test_a_group_that_is_not_supported_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        generate(NamedGroup.brainpoolP256r1)
