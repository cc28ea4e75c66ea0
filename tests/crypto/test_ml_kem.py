"""Our own encapsulation is the library's, but for where the randomness comes from.

To decapsulate is to encapsulate again with the message that was found, and to compare all bytes of the
ciphertext (FIPS 203 algorithm 18): the library's giving the same secret vouches for every one of them.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey

from pellucid.codes import NamedGroup
from pellucid.crypto.groups import generate, respond
from pellucid.crypto.ml_kem import encapsulate

KEYS = pytest.mark.parametrize("kind, length", [(MLKEM768PrivateKey, 1088), (MLKEM1024PrivateKey, 1568)])
HYBRIDS = pytest.mark.parametrize(
    "group", [NamedGroup.X25519MLKEM768, NamedGroup.SecP256r1MLKEM768, NamedGroup.SecP384r1MLKEM1024]
)


@KEYS
@pytest.mark.parametrize("number", range(8))
def test_the_library_decapsulates_it(
    kind: type[MLKEM768PrivateKey | MLKEM1024PrivateKey], length: int, number: int
) -> None:
    key = kind.from_seed_bytes(bytes([number]) * 64)
    secret, ciphertext = encapsulate(key.public_key().public_bytes_raw(), bytes([0xFF - number]) * 32)
    assert len(ciphertext) == length
    assert key.decapsulate(ciphertext) == secret


@KEYS
def test_another_message_makes_another_secret(
    kind: type[MLKEM768PrivateKey | MLKEM1024PrivateKey], length: int
) -> None:
    key = kind.from_seed_bytes(bytes(64)).public_key().public_bytes_raw()
    one, two = encapsulate(key, bytes(32)), encapsulate(key, bytes(31) + b"\x01")
    assert one[0] != two[0]
    assert one[1] != two[1]
    assert len(one[1]) == len(two[1]) == length
    assert one == encapsulate(key, bytes(32))


@HYBRIDS
def test_with_entropy_a_hybrid_key_exchange_repeats(group: NamedGroup) -> None:
    share = generate(group, None)
    (one, secret), again = (respond(group, share.share, lambda n: b"\x07" * n) for _ in range(2))
    assert again == (one, secret)
    assert share.secret(one) == secret


@HYBRIDS
def test_without_entropy_it_does_not(group: NamedGroup) -> None:
    share = generate(group, None)
    assert respond(group, share.share, None) != respond(group, share.share, None)
