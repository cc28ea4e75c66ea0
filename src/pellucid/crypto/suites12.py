"""The cipher suites of TLS 1.2: one name for everything that TLS 1.3 negotiates apart (RFC 5246 A.5).

    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
        key exchange, authentication | cipher | hash of HMAC; and of the PRF, where it is a SHA-2

What there is here protects records and is not known to be broken. That leaves out RC4, 3DES (Sweet32), export
ciphers, NULL, anonymous key exchange and what is authenticated by DSS. It does not leave out what is merely
weaker than it could be: `Suite12.lacks` says that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from pellucid.codes import CipherSuite
from pellucid.crypto.kdf import HASH_LENGTHS
from pellucid.crypto.suites import (
    CCM_RECORD_LIMIT,
    CHACHA20_RECORD_LIMIT,
    GCM_RECORD_LIMIT,
    Aead,
    aes_ccm,
    aes_ccm_8,
)

__all__ = ["SUITES12", "Authentication", "KeyExchange", "Suite12"]

KeyExchange = Literal["RSA", "DHE", "ECDHE"]
Authentication = Literal["RSA", "ECDSA"]

# CBC tells two plaintext blocks from each other when two ciphertext blocks are equal, which among q random
# ones of 128 bits has a chance of up to q^2 / 2^129. A full record has 2^10 blocks and a few. With as small a
# chance as we ask of CCM, 2^-60, that makes 2^24 records. (Sweet32 is the same sum with blocks of 64 bits:
# 2^-60 is then passed within the first record, and a collision likely after 32 GB.)
_CBC_RECORD_LIMIT = 2**24


@dataclass(frozen=True, slots=True, eq=False)
class Suite12:
    """One cipher suite: its code point and everything that follows from it. Lengths are in bytes.

    `authentication` is the kind of the server's key; "ECDSA" takes in Ed25519 and Ed448 (RFC 8422 2.1).
    `hash_name` is hashlib's name of the hash of PRF and transcript. A CBC suite has `mac_name`, `mac_length`
    and no `make_aead`; an AEAD suite the reverse, with "" and 0. `fixed_iv_length` bytes of IV come from the
    key block; `explicit_length` bytes of nonce or IV go with each record. `record_limit` is how many records
    may be sealed under one key, and there is no KeyUpdate. Suites are compared by identity: there is one
    object a code point.
    """

    code: CipherSuite
    key_exchange: KeyExchange
    authentication: Authentication
    cipher: str
    hash_name: str
    hash_length: int
    key_length: int
    mac_name: str
    mac_length: int
    fixed_iv_length: int
    explicit_length: int
    tag_length: int
    make_aead: Callable[[bytes], Aead] | None
    record_limit: int

    @property
    def name(self) -> str:
        """IANA's name."""
        return self.code.name

    @property
    def forward_secrecy(self) -> bool:
        """Whether the server's private key, when it becomes known, leaves past connections secret."""
        return self.key_exchange != "RSA"

    @property
    def aead(self) -> bool:
        """Whether one algorithm encrypts and authenticates, instead of CBC and HMAC put together."""
        return self.make_aead is not None

    @property
    def lacks(self) -> tuple[str, ...]:
        """What today's suites have and this one has not, in words; () for those that want nothing."""
        wanting = (
            ("forward secrecy", self.forward_secrecy),
            ("authenticated encryption", self.aead),
            ("a tag of full length", self.tag_length != 8),
        )
        return tuple(what for what, has in wanting if not has)

    def __str__(self) -> str:
        return self.code.name


class _Cipher(NamedTuple):
    key_length: int
    fixed_iv_length: int
    explicit_length: int
    tag_length: int
    make_aead: Callable[[bytes], Aead] | None
    record_limit: int


_CIPHERS = {
    # RFC 5288 3: a nonce is "opaque salt[4]" from the key block and "opaque nonce_explicit[8]" in the record.
    "AES_128_GCM": _Cipher(16, 4, 8, 16, AESGCM, GCM_RECORD_LIMIT),
    "AES_256_GCM": _Cipher(32, 4, 8, 16, AESGCM, GCM_RECORD_LIMIT),
    # RFC 7905 2: all 12 bytes come from the key block, and the sequence number is added to them, as in TLS
    # 1.3.
    "CHACHA20_POLY1305": _Cipher(32, 12, 0, 16, ChaCha20Poly1305, CHACHA20_RECORD_LIMIT),
    # RFC 6655 3: nonces as GCM's.
    "AES_128_CCM": _Cipher(16, 4, 8, 16, aes_ccm, CCM_RECORD_LIMIT),
    "AES_256_CCM": _Cipher(32, 4, 8, 16, aes_ccm, CCM_RECORD_LIMIT),
    "AES_128_CCM_8": _Cipher(16, 4, 8, 8, aes_ccm_8, CCM_RECORD_LIMIT),
    "AES_256_CCM_8": _Cipher(32, 4, 8, 8, aes_ccm_8, CCM_RECORD_LIMIT),
    # RFC 5246 6.2.3.2: the IV "SHOULD be chosen at random, and MUST be unpredictable", one for each record.
    "AES_128_CBC": _Cipher(16, 0, 16, 0, None, _CBC_RECORD_LIMIT),
    "AES_256_CBC": _Cipher(32, 0, 16, 0, None, _CBC_RECORD_LIMIT),
}


def _suite(code: CipherSuite) -> Suite12:
    """What a suite's name says: TLS_<key exchange>[_<authentication>]_WITH_<cipher>[_<hash>]."""
    key_exchange, _, rest = code.name.removeprefix("TLS_").partition("_WITH_")
    if rest in _CIPHERS:
        cipher_name, hash_suffix = rest, ""
    else:
        cipher_name, _, hash_suffix = rest.rpartition("_")
    cipher = _CIPHERS[cipher_name]
    # RFC 5246 5: "This PRF with the SHA-256 hash function is used for all cipher suites defined in this
    # document and in TLS documents published prior to this document"; RFC 6655 3 has it for CCM, whose names
    # have no hash.
    hash_name = "sha384" if hash_suffix == "SHA384" else "sha256"
    hmac_name = {"SHA": "sha1"}.get(hash_suffix, hash_suffix.lower())
    mac_name = hmac_name if cipher.make_aead is None else ""
    exchange, _, authentication = key_exchange.partition("_")
    return Suite12(
        code=code,
        key_exchange=cast("KeyExchange", exchange),
        authentication=cast("Authentication", authentication or exchange),
        cipher=cipher_name,
        hash_name=hash_name,
        hash_length=HASH_LENGTHS[hash_name],
        key_length=cipher.key_length,
        mac_name=mac_name,
        mac_length=HASH_LENGTHS[mac_name] if mac_name else 0,
        fixed_iv_length=cipher.fixed_iv_length,
        explicit_length=cipher.explicit_length,
        tag_length=cipher.tag_length,
        make_aead=cipher.make_aead,
        record_limit=cipher.record_limit,
    )


_ALL_EXCHANGES = ("ECDHE_ECDSA", "ECDHE_RSA", "DHE_RSA", "RSA")
_CCM = ("AES_128_CCM", "AES_256_CCM", "AES_128_CCM_8", "AES_256_CCM_8")


def _names() -> Iterator[str]:
    """The suites' names, forward secrecy first, AEADs before CBC, the more usual before the less."""
    for exchange in _ALL_EXCHANGES:
        yield f"{exchange}_WITH_AES_128_GCM_SHA256"
        yield f"{exchange}_WITH_AES_256_GCM_SHA384"
        if exchange != "RSA":
            yield f"{exchange}_WITH_CHACHA20_POLY1305_SHA256"
        if exchange != "ECDHE_RSA":
            yield from (f"{exchange}_WITH_{cipher}" for cipher in _CCM)
    for exchange in _ALL_EXCHANGES:
        yield f"{exchange}_WITH_AES_128_CBC_SHA256"
        yield f"{exchange}_WITH_AES_256_CBC_SHA{384 if exchange.startswith('ECDHE') else 256}"
        yield f"{exchange}_WITH_AES_128_CBC_SHA"
        yield f"{exchange}_WITH_AES_256_CBC_SHA"


def _preferred(suite: Suite12) -> tuple[bool, bool, bool]:
    return not suite.forward_secrecy, not suite.aead, suite.tag_length == 8


#: Every suite that can be used, by code point, best first: what wants nothing, then CCM_8, CBC, and RSA key
#: exchange.
SUITES12: Mapping[int, Suite12] = MappingProxyType(
    {
        suite.code: suite
        for suite in sorted((_suite(CipherSuite[f"TLS_{name}"]) for name in _names()), key=_preferred)
    }
)
