"""Hashes, HMAC and HKDF against the RFCs' own values."""

import hashlib
import hmac

import pytest

from pellucid.crypto import kdf

# RFC 5869 A.1 to A.3: ikm, salt, info, length, PRK, OKM
RFC5869 = [
    pytest.param(
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        id="A.1",
    ),
    pytest.param(
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        id="A.2",
    ),
    pytest.param(
        "0b" * 22,
        "",
        "",
        42,
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        id="A.3",
    ),
]
HASHES = ["sha256", "sha384", "sha512"]


@pytest.mark.parametrize("ikm, salt, info, length, prk, okm", RFC5869)
def test_hkdf_extract_gives_the_values_of_rfc_5869(
    ikm: str, salt: str, info: str, length: int, prk: str, okm: str
) -> None:
    assert kdf.hkdf_extract("sha256", bytes.fromhex(salt), bytes.fromhex(ikm)).hex() == prk


@pytest.mark.parametrize("ikm, salt, info, length, prk, okm", RFC5869)
def test_hkdf_expand_gives_the_values_of_rfc_5869(
    ikm: str, salt: str, info: str, length: int, prk: str, okm: str
) -> None:
    assert kdf.hkdf_expand("sha256", bytes.fromhex(prk), bytes.fromhex(info), length).hex() == okm


# RFC 4231 4.3: key "Jefe"
@pytest.mark.parametrize(
    "hash_name, expected",
    [
        ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            "sha384",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            "sha512",
            (
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
                "caeab1a34d4a6b4b636e070a38bce737"
            ),
        ),
    ],
)
def test_hmac_gives_the_values_of_rfc_4231(hash_name: str, expected: str) -> None:
    assert kdf.hmac_digest(hash_name, b"Jefe", b"what do ya want for nothing?").hex() == expected


@pytest.mark.parametrize("hash_name", HASHES)
def test_copies_of_a_keyed_hmac_do_not_disturb_each_other(hash_name: str) -> None:
    keyed = kdf.keyed_hmac(hash_name, b"key")
    first, second = keyed.copy(), keyed.copy()
    first.update(b"one")
    second.update(b"two")
    assert (first.finalize(), second.finalize()) == (
        hmac.digest(b"key", b"one", hash_name),
        hmac.digest(b"key", b"two", hash_name),
    )


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("length", [1, 31, 32, 33, 48, 64, 65, 129])
def test_a_shorter_expansion_is_the_start_of_a_longer_one(hash_name: str, length: int) -> None:
    longer = kdf.hkdf_expand(hash_name, b"k" * 32, b"info", 200)
    assert kdf.hkdf_expand(hash_name, b"k" * 32, b"info", length) == longer[:length]


@pytest.mark.parametrize("hash_name", HASHES)
def test_hkdf_expand_gives_255_blocks(hash_name: str) -> None:
    length = 255 * kdf.HASH_LENGTHS[hash_name]
    assert len(kdf.hkdf_expand(hash_name, b"key", b"", length)) == length


@pytest.mark.parametrize("hash_name", HASHES)
def test_hkdf_expand_refuses_more_than_255_blocks(hash_name: str) -> None:
    with pytest.raises(ValueError, match="at most 255 blocks"):
        kdf.hkdf_expand(hash_name, b"key", b"", 255 * kdf.HASH_LENGTHS[hash_name] + 1)


@pytest.mark.parametrize("hash_name", HASHES)
def test_hash_lengths_are_the_hashes_lengths(hash_name: str) -> None:
    assert kdf.HASH_LENGTHS[hash_name] == hashlib.new(hash_name).digest_size


@pytest.mark.parametrize("hash_name", HASHES)
def test_new_hash_and_hash_digest_agree(hash_name: str) -> None:
    running = kdf.new_hash(hash_name)
    running.update(b"abc")
    assert running.digest() == kdf.hash_digest(hash_name, b"abc") == hashlib.new(hash_name, b"abc").digest()


def test_constant_time_equal_tells_equal_from_different() -> None:
    assert kdf.constant_time_equal(b"abc", b"abc")
    assert not kdf.constant_time_equal(b"abc", b"abd")
    assert not kdf.constant_time_equal(b"abc", b"ab")
