"""The cryptography alone: what handshakes and records cost if everything around them were free.

The same library calls that pellucid makes, with nothing between them. What a stack takes beyond this is
messages, key schedule, checks and bookkeeping.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from material import SERVER_NAME, material

RECORD = 2**14
TAG = 16


class Primitives:
    """One object of each kind, ready; each method is one thing to measure."""

    def __init__(self) -> None:
        made = material()
        key = load_pem_private_key(made.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(made.certificate_pem).public_bytes(Encoding.DER)
        self._store = Store([x509.load_pem_x509_certificate(made.root_pem)])
        self._ecdsa = ec.ECDSA(hashes.SHA256())
        self._signed = bytes(130)
        self._signature = self.sign()
        self._public_key = self._key.public_key()
        self._mine = X25519PrivateKey.generate()
        self._peer_share = X25519PrivateKey.generate().public_key().public_bytes_raw()
        self._aead = AESGCM(bytes(16))

    def generate(self) -> bytes:
        return X25519PrivateKey.generate().public_key().public_bytes_raw()

    def exchange(self) -> bytes:
        return self._mine.exchange(X25519PublicKey.from_public_bytes(self._peer_share))

    def sign(self) -> bytes:
        return self._key.sign(self._signed, self._ecdsa)

    def verify(self) -> None:
        self._public_key.verify(self._signature, self._signed, self._ecdsa)

    def path(self) -> None:
        """The certificate parsed, and checked under the root for the server's name."""
        certificate = x509.load_der_x509_certificate(self._certificate)
        now = datetime.datetime.now(datetime.UTC)
        policy = PolicyBuilder().store(self._store).time(now)
        policy.build_server_verifier(x509.DNSName(SERVER_NAME)).verify(certificate, [])

    def full(self) -> None:
        """Both sides of a full handshake."""
        self.resumed()
        self.sign()
        self.path()
        self.verify()

    def resumed(self) -> None:
        """Both sides of a resumed handshake, which exchanges keys as well (psk_dhe_ke)."""
        self.generate()
        self.generate()
        self.exchange()
        self.exchange()

    def transfer(self, size: int) -> Callable[[], object]:
        """A call that seals and opens `size` bytes as records, through buffers that are used again."""
        encrypt, decrypt = self._aead.encrypt_into, self._aead.decrypt_into
        nonce, header = bytes(12), bytes(5)
        inner = bytes(min(size, RECORD) + 1)  # with the content type
        sealed, opened = bytearray(len(inner) + TAG), bytearray(len(inner))

        def records() -> None:
            for _ in range(0, size, RECORD):
                encrypt(nonce, inner, header, sealed)
                decrypt(nonce, sealed, header, opened)

        return records
