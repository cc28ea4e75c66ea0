"""The PRF of TLS 1.2 against known values, and against another way to compute it."""

import hmac
from functools import partial
from itertools import accumulate, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.crypto.kdf import prf

# Published on the IETF's TLS list as "Test vectors for TLS 1.2 PRF"; taken from Botan,
# src/tests/data/kdf/tls_prf.vec.
VECTORS = [
    pytest.param(
        "sha256",
        "9bbe436ba940f017b17652849a71db35",
        "a0ba9f936cda311827a6f796ffd5198c",
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7"
        "077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
        id="sha256",
    ),
    pytest.param(
        "sha384",
        "b80b733d6ceefcdc71566ea48e5567df",
        "cd665cf6a8447dd6ff8b27555edb7465",
        "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb40"
        "0fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d"
        "31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f",
        id="sha384",
    ),
    pytest.param(
        "sha512",
        "b0323523c1853599584d88568bbb05eb",
        "d4640e12e4bcdbfb437f03e6ae418ee5",
        "1261f588c798c5c201ff036e7a9cb5edcd7fe3f94c669a122a4638d7d508b283042df6789875c7147e906d868bc75c45e20eb40c"
        "1cf4a1713b27371f68432592f7dc8ea8ef223e12ea8507841311bf68653d0cfc4056d811f025c45ddfa6e6fec702f054b409d6f2"
        "8dd0a3233e498da41a3e75c5630eedbe22fe254e33a1b0e9f6b9826675bec7d01a845658dc9c397545401d40b9f46c7a400ee1b8"
        "f81ca0a60d1a397a1028bff5d2ef5066126842fb8da4197632bdb54ff6633f86bbc836e640d4d898",
        id="sha512",
    ),
]
HASHES = ["sha256", "sha384", "sha512"]


def by_definition(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 5, read literally: the A(i) first, then an HMAC of each with the seed behind it."""
    mac = partial(hmac.digest, digest=hash_name)
    blocks = -(-length // len(mac(b"", b"")))
    seed = label + seed
    chain = list(accumulate(repeat(seed, blocks), lambda a, _: mac(secret, a), initial=seed))[1:]
    return b"".join(mac(secret, a + seed) for a in chain)[:length]


@pytest.mark.parametrize("hash_name, secret, seed, output", VECTORS)
def test_the_published_values_come_out(hash_name: str, secret: str, seed: str, output: str) -> None:
    found = prf(hash_name, bytes.fromhex(secret), b"test label", bytes.fromhex(seed), len(output) // 2)
    assert found.hex() == output


@pytest.mark.parametrize("hash_name", HASHES)
@given(
    # Longer than a hash's block, the key is hashed first: the premaster secrets of DHE are.
    secret=st.binary(max_size=300),
    label=st.binary(max_size=30),
    seed=st.binary(max_size=100),
    length=st.integers(0, 300),
)
def test_it_is_what_the_definition_says(
    hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int
) -> None:
    assert prf(hash_name, secret, label, seed, length) == by_definition(
        hash_name, secret, label, seed, length
    )


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129, 1024])
def test_a_secret_around_a_block_s_length(hash_name: str, length: int) -> None:
    secret = bytes(range(256)) * 4
    expected = by_definition(hash_name, secret[:length], b"label", b"seed", 48)
    assert prf(hash_name, secret[:length], b"label", b"seed", 48) == expected


@pytest.mark.parametrize("hash_name", HASHES)
def test_a_shorter_output_is_the_start_of_a_longer_one(hash_name: str) -> None:
    longest = prf(hash_name, b"secret", b"label", b"seed", 200)
    assert all(prf(hash_name, b"secret", b"label", b"seed", n) == longest[:n] for n in range(201))
