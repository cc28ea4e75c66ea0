"""The suites of TLS 1.2: what each name means, the order, and what is not there."""

import re

import pytest

from pellucid.codes import CipherSuite
from pellucid.crypto.kdf import HASH_LENGTHS
from pellucid.crypto.suites12 import SUITES12, Suite12

each_suite = pytest.mark.parametrize("suite", SUITES12.values(), ids=str)
SUITES = list(SUITES12.values())

# RFC 5246 appendix C and 6.3, RFC 5288 3, RFC 5289 3, RFC 6655 3 and 4, RFC 7905 2: of each cipher the
# lengths of its key, of the IV that the key block has, and of what goes with each record; and of the tag.
LENGTHS = {
    "AES_128_CBC": (16, 0, 16, 0),
    "AES_256_CBC": (32, 0, 16, 0),
    "AES_128_GCM": (16, 4, 8, 16),
    "AES_256_GCM": (32, 4, 8, 16),
    "AES_128_CCM": (16, 4, 8, 16),
    "AES_256_CCM": (32, 4, 8, 16),
    "AES_128_CCM_8": (16, 4, 8, 8),
    "AES_256_CCM_8": (32, 4, 8, 8),
    "CHACHA20_POLY1305": (32, 12, 0, 16),
}
# RFC 5246 A.5, RFC 5288 3, RFC 5289 3, RFC 6655 3 and 4, RFC 7251 2, RFC 7905 2.
CODES = {
    0x002F: "RSA_WITH_AES_128_CBC_SHA",
    0x0033: "DHE_RSA_WITH_AES_128_CBC_SHA",
    0x003D: "RSA_WITH_AES_256_CBC_SHA256",
    0x006B: "DHE_RSA_WITH_AES_256_CBC_SHA256",
    0x009C: "RSA_WITH_AES_128_GCM_SHA256",
    0x009F: "DHE_RSA_WITH_AES_256_GCM_SHA384",
    0xC009: "ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    0xC028: "ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    0xC02B: "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    0xC02F: "ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    0xC0A1: "RSA_WITH_AES_256_CCM_8",
    0xC0A2: "DHE_RSA_WITH_AES_128_CCM_8",
    0xC0AC: "ECDHE_ECDSA_WITH_AES_128_CCM",
    0xCCA8: "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCAA: "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}


def names(exchanges: str, ciphers: str) -> set[str]:
    return {f"TLS_{exchange}_WITH_{cipher}" for exchange in exchanges.split() for cipher in ciphers.split()}


def test_these_suites_are_there_and_no_others() -> None:
    gcm = "AES_128_GCM_SHA256 AES_256_GCM_SHA384"
    ccm = "AES_128_CCM AES_256_CCM AES_128_CCM_8 AES_256_CCM_8"
    cbc = "AES_128_CBC_SHA AES_256_CBC_SHA AES_128_CBC_SHA256"
    assert {suite.name for suite in SUITES} == (
        names("ECDHE_ECDSA ECDHE_RSA DHE_RSA", f"{gcm} CHACHA20_POLY1305_SHA256")
        | names("RSA", gcm)
        | names("ECDHE_ECDSA DHE_RSA RSA", ccm)
        | names("ECDHE_ECDSA ECDHE_RSA", f"{cbc} AES_256_CBC_SHA384")
        | names("DHE_RSA RSA", f"{cbc} AES_256_CBC_SHA256")
    )


@pytest.mark.parametrize("code", CODES, ids=CODES.get)
def test_the_code_point_is_iana_s(code: int) -> None:
    assert SUITES12[code].name == f"TLS_{CODES[code]}"


def test_each_suite_stands_under_its_own_code() -> None:
    assert all(SUITES12[suite.code] is suite and suite.code == code for code, suite in SUITES12.items())


@each_suite
def test_its_parts_make_its_name(suite: Suite12) -> None:
    exchange = "RSA" if suite.key_exchange == "RSA" else f"{suite.key_exchange}_{suite.authentication}"
    suffix = {"sha1": "_SHA", "sha256": "_SHA256", "sha384": "_SHA384"}
    if suite.aead:
        ending = "" if "CCM" in suite.cipher else suffix[suite.hash_name]
    else:
        ending = suffix[suite.mac_name]
    assert suite.name == f"TLS_{exchange}_WITH_{suite.cipher}{ending}"


@each_suite
def test_lengths_are_the_cipher_s(suite: Suite12) -> None:
    found = suite.key_length, suite.fixed_iv_length, suite.explicit_length, suite.tag_length
    assert found == LENGTHS[suite.cipher]


@each_suite
def test_the_prf_has_sha_256_unless_the_name_says_sha384(suite: Suite12) -> None:
    assert suite.hash_name == ("sha384" if suite.name.endswith("SHA384") else "sha256")
    assert suite.hash_length == HASH_LENGTHS[suite.hash_name]


@each_suite
def test_either_an_aead_or_a_mac_protects(suite: Suite12) -> None:
    assert suite.aead == (suite.make_aead is not None) == ("CBC" not in suite.cipher)
    assert bool(suite.mac_name) == bool(suite.mac_length) == (not suite.aead)
    assert suite.mac_length == HASH_LENGTHS.get(suite.mac_name, 0)


@each_suite
def test_the_aead_takes_its_key_and_makes_its_tag(suite: Suite12) -> None:
    if suite.make_aead is not None:
        aead = suite.make_aead(bytes(range(suite.key_length)))
        sealed = aead.encrypt(bytes(12), b"hello", b"header")
        assert len(sealed) == 5 + suite.tag_length
        assert aead.decrypt(bytes(12), sealed, b"header") == b"hello"


@each_suite
def test_what_it_lacks_is_said(suite: Suite12) -> None:
    assert suite.forward_secrecy == (not suite.name.startswith("TLS_RSA_"))
    assert ("forward secrecy" in suite.lacks) == (not suite.forward_secrecy)
    assert ("authenticated encryption" in suite.lacks) == ("_CBC_" in suite.name)
    assert ("a tag of full length" in suite.lacks) == suite.name.endswith("CCM_8")


def test_the_best_come_first() -> None:
    wanting = [(not suite.forward_secrecy, not suite.aead) for suite in SUITES]
    assert wanting == sorted(wanting)
    assert SUITES[0].code is CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256


def test_nothing_broken_is_there() -> None:
    # FREAK and Logjam (export), Sweet32 (64-bit blocks), RC4's biases, and no authentication or encryption at
    # all.
    broken = re.compile("RC4|DES|EXPORT|NULL|anon|MD5|DSS|IDEA|SEED|PSK")
    assert not [suite.name for suite in SUITES if broken.search(suite.name)]


def test_a_full_cbc_record_less_than_the_limit_leaves_a_collision_unlikely() -> None:
    limits = {suite.record_limit for suite in SUITES if not suite.aead}
    # A full record with IV, MAC and padding, in blocks of 16 bytes.
    blocks = (2**14 + 16 + 48 + 16) // 16
    assert [limit for limit in limits if (limit * blocks) ** 2 > 2 ** (129 - 60)] == []
    assert limits == {2**24}


def test_a_suite_shows_its_name() -> None:
    assert str(SUITES12[0xC02F]) == SUITES12[0xC02F].name == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
