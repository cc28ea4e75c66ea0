"""The suites: their parameters, and that sealing and opening are the AEADs that they name."""

import pytest

from pellucid.codes import CipherSuite
from pellucid.crypto.suites import SUITES, InvalidTag, Suite

each_suite = pytest.mark.parametrize("suite", SUITES.values(), ids=str)
NONCE = bytes(range(12))


def key_of(suite: Suite) -> bytes:
    return bytes(range(suite.key_length))


def test_the_five_suites_of_tls_13_are_there() -> None:
    assert [suite.code for suite in SUITES.values()] == [
        code for code in CipherSuite if 0x1301 <= code <= 0x1305
    ]


# RFC 9846 B.4: the hash is in the name, and so is the AEAD, from which key and tag length follow.
@pytest.mark.parametrize(
    "code, hash_name, key_length, tag_length",
    [
        (CipherSuite.TLS_AES_128_GCM_SHA256, "sha256", 16, 16),
        (CipherSuite.TLS_AES_256_GCM_SHA384, "sha384", 32, 16),
        (CipherSuite.TLS_CHACHA20_POLY1305_SHA256, "sha256", 32, 16),
        (CipherSuite.TLS_AES_128_CCM_SHA256, "sha256", 16, 16),
        (CipherSuite.TLS_AES_128_CCM_8_SHA256, "sha256", 16, 8),
    ],
)
def test_parameters_follow_from_the_name(
    code: CipherSuite, hash_name: str, key_length: int, tag_length: int
) -> None:
    suite = SUITES[code]
    found = (suite.hash_name, suite.key_length, suite.tag_length, suite.iv_length, suite.hash_length)
    assert found == (hash_name, key_length, tag_length, 12, {"sha256": 32, "sha384": 48}[hash_name])


@each_suite
def test_the_record_limit_is_below_the_safe_number_of_records(suite: Suite) -> None:
    # RFC 9846 5.5 for GCM and ChaCha20 (2^64 sequence numbers), RFC 9147 4.5.3 for CCM.
    safe = {"GCM": 2**24.5, "CCM": 2**23, "CHACHA20": 2**64 - 1}
    assert 2**20 < suite.record_limit <= next(limit for name, limit in safe.items() if name in suite.name)


@each_suite
def test_what_was_sealed_opens(suite: Suite) -> None:
    aead = suite.make_aead(key_of(suite))
    sealed = aead.encrypt(NONCE, b"hello", b"header")
    assert len(sealed) == 5 + suite.tag_length
    assert aead.decrypt(NONCE, sealed, b"header") == b"hello"


@each_suite
def test_sealing_into_a_buffer_gives_the_same(suite: Suite) -> None:
    aead = suite.make_aead(key_of(suite))
    buffer = bytearray(5 + suite.tag_length)
    assert aead.encrypt_into(NONCE, b"hello", b"header", buffer) == len(buffer)
    assert buffer == aead.encrypt(NONCE, b"hello", b"header")


@each_suite
def test_opening_into_a_buffer_gives_the_same(suite: Suite) -> None:
    aead = suite.make_aead(key_of(suite))
    buffer = bytearray(5)
    assert aead.decrypt_into(NONCE, aead.encrypt(NONCE, b"hello", b"header"), b"header", buffer) == 5
    assert buffer == b"hello"


@each_suite
@pytest.mark.parametrize("position", [0, 4, 5, -1])
def test_a_flipped_bit_is_found(suite: Suite, position: int) -> None:
    aead = suite.make_aead(key_of(suite))
    sealed = bytearray(aead.encrypt(NONCE, b"hello", b"header"))
    sealed[position] ^= 1
    with pytest.raises(InvalidTag):
        aead.decrypt(NONCE, bytes(sealed), b"header")


@each_suite
def test_other_additional_data_is_found(suite: Suite) -> None:
    aead = suite.make_aead(key_of(suite))
    with pytest.raises(InvalidTag):
        aead.decrypt(NONCE, aead.encrypt(NONCE, b"hello", b"header"), b"Header")


def test_gcm_gives_nist_s_test_case_1() -> None:
    aead = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256].make_aead(bytes(16))
    assert aead.encrypt(bytes(12), b"", None).hex() == "58e2fccefa7e3061367f1d57a4e7455a"


def test_chacha20_poly1305_gives_the_value_of_rfc_8439() -> None:
    aead = SUITES[CipherSuite.TLS_CHACHA20_POLY1305_SHA256].make_aead(bytes(range(0x80, 0xA0)))
    plaintext = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    nonce, aad = bytes.fromhex("070000004041424344454647"), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    # RFC 8439 2.8.2: the tag
    assert aead.encrypt(nonce, plaintext, aad)[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_a_suite_shows_its_name() -> None:
    assert str(SUITES[0x1301]) == SUITES[0x1301].name == "TLS_AES_128_GCM_SHA256"
