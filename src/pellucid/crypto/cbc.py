"""AES in CBC mode (NIST SP 800-38A 6.2), for the records of TLS 1.2's older suites.

It hides and does not protect: whoever opens a record has to check its MAC as well, and in which order, and
what the padding tells, is `record.cbc`'s business. Nothing here pads or looks at padding.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from pellucid.crypto.suites import ByteString

__all__ = ["BLOCK_LENGTH", "aes_cbc_decrypt", "aes_cbc_encrypt"]

#: Of AES, in bytes: the length of an IV, and what data must be a multiple of.
BLOCK_LENGTH = 16


def aes_cbc_encrypt(key: bytes, iv: ByteString, data: ByteString) -> bytes:
    """The whole blocks of `data`, encrypted. `key` has 16 or 32 bytes, `iv` 16 that nobody could foresee.

    Raises ValueError for data that does not end with a block.
    """
    cipher = Cipher(AES(key), CBC(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()


def aes_cbc_decrypt(key: bytes, iv: ByteString, data: ByteString) -> bytes:
    """The whole blocks of `data`, decrypted: padding, MAC and all. Raises ValueError as `aes_cbc_encrypt`."""
    cipher = Cipher(AES(key), CBC(iv)).decryptor()
    return cipher.update(data) + cipher.finalize()
