"""The cipher suites of TLS 1.3: an AEAD for the records and a hash for the key schedule (RFC 9846 B.4).

    TLS_AES_128_GCM_SHA256
        AEAD, key length | hash of HKDF and transcript

Unlike in TLS 1.2, a suite says nothing of key exchange and signatures: those are negotiated apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from pellucid.codes import CipherSuite
from pellucid.crypto.kdf import HASH_LENGTHS

__all__ = ["SUITES", "Aead", "ByteString", "InvalidTag", "Suite"]

ByteString = bytes | bytearray | memoryview

# RFC 9846 5.5: "up to 2^24.5 full-size records (about 24 million) may be encrypted under a given set of
# keys". We stop at the power of two below it.
GCM_RECORD_LIMIT = 2**24

# RFC 9846 gives no number for CCM; RFC 9147 does (4.5.3). After q records of l blocks an attacker tells the
# cipher from a random one with an advantage of up to (2 * l * q)^2 / 2^128. With full records (2^10 blocks)
# and an advantage of at most 2^-60, q is 2^23. The tag's length plays no part in it: CCM_8 has the same.
CCM_RECORD_LIMIT = 2**23

# RFC 9846 5.5: "For ChaCha20/Poly1305, the record sequence number would wrap before the safety limit is
# reached." RFC 9846 5.3 forbids that wrap, so this is where it ends.
CHACHA20_RECORD_LIMIT = 2**64 - 1


class Aead(Protocol):
    """What a pyca AEAD object does. Opening what is not authentic raises `InvalidTag`.

    The sealed form is the plaintext's length and `tag_length` more; the `_into` forms write to `buf`, which
    must have just that room, and return the number of bytes written. They need no fresh memory.
    """

    def encrypt(self, nonce: ByteString, data: ByteString, aad: ByteString | None, /) -> bytes: ...

    def decrypt(self, nonce: ByteString, data: ByteString, aad: ByteString | None, /) -> bytes: ...

    def encrypt_into(
        self, nonce: ByteString, data: ByteString, aad: ByteString | None, buf: ByteString, /
    ) -> int: ...

    def decrypt_into(
        self, nonce: ByteString, data: ByteString, aad: ByteString | None, buf: ByteString, /
    ) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """One cipher suite: its code point and everything that follows from it. Lengths are in bytes.

    `hash_name` is hashlib's name. `record_limit` is how many records may be sealed under one key before a
    KeyUpdate is due. Suites are compared by identity: there is one object a code point.
    """

    code: CipherSuite
    hash_name: str
    hash_length: int
    key_length: int
    iv_length: int
    tag_length: int
    make_aead: Callable[[bytes], Aead]
    record_limit: int

    @property
    def name(self) -> str:
        """IANA's name."""
        return self.code.name

    def __str__(self) -> str:
        return self.code.name


def aes_ccm(key: bytes) -> Aead:
    """AES-CCM with its whole tag."""
    return AESCCM(key, 16)


def aes_ccm_8(key: bytes) -> Aead:
    """AES-CCM with a tag of 8 bytes."""
    return AESCCM(key, 8)


def _suite(
    code: CipherSuite,
    hash_name: str,
    key_length: int,
    make_aead: Callable[[bytes], Aead],
    record_limit: int,
    tag_length: int = 16,
) -> tuple[int, Suite]:
    # RFC 9846 5.3: iv_length is the larger of 8 bytes and the AEAD's N_MIN, which is 12 for all of these.
    hash_length = HASH_LENGTHS[hash_name]
    return code, Suite(code, hash_name, hash_length, key_length, 12, tag_length, make_aead, record_limit)


#: Every suite that can be used, by code point, in the order of IANA's registry.
SUITES: Mapping[int, Suite] = MappingProxyType(
    dict(
        [
            _suite(CipherSuite.TLS_AES_128_GCM_SHA256, "sha256", 16, AESGCM, GCM_RECORD_LIMIT),
            _suite(CipherSuite.TLS_AES_256_GCM_SHA384, "sha384", 32, AESGCM, GCM_RECORD_LIMIT),
            _suite(
                CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
                "sha256",
                32,
                ChaCha20Poly1305,
                CHACHA20_RECORD_LIMIT,
            ),
            _suite(CipherSuite.TLS_AES_128_CCM_SHA256, "sha256", 16, aes_ccm, CCM_RECORD_LIMIT),
            _suite(
                CipherSuite.TLS_AES_128_CCM_8_SHA256,
                "sha256",
                16,
                aes_ccm_8,
                CCM_RECORD_LIMIT,
                tag_length=8,
            ),
        ]
    )
)
