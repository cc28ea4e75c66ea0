"""RSA key exchange (RFC 5246 7.4.7.1): the client makes the secret, and sends it under the server's key.

It has no forward secrecy, and a weakness that came back for 25 years: PKCS #1 v1.5 padding can be told from
what is not, and a server that shows which it found decrypts for whoever asks often enough (Bleichenbacher
1998, ROBOT 2017, Marvin 2023). So nothing here shows it: there is one result for everything that is wrong,
and it looks like a right one.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pellucid.crypto.groups_base import Entropy
from pellucid.crypto.signatures import check_rsa_size
from pellucid.errors import Misuse, PeerMisbehaved, Reason

__all__ = ["PREMASTER_LENGTH", "decrypt_premaster", "encrypt_premaster"]

#: RFC 5246 7.4.7.1: client_version and "46 securely-generated random bytes".
PREMASTER_LENGTH = 48


def encrypt_premaster(public_key: object, premaster: bytes, entropy: Entropy | None = None) -> bytes:
    """The premaster secret under the server's key (RSAES-PKCS1-v1_5, RFC 8017 7.2.1), as long as the modulus.

    With `entropy` the padding is made of its bytes, so that a handshake can be replayed, and the power is
    Python's `pow`, which is not constant-time. With None, the library does both. Raises
    PeerMisbehaved(ILLEGAL_PARAMETER) for a key that is not RSA, and as `signatures.check_rsa_size` for one
    that is too short or too long.
    """
    if not isinstance(public_key, rsa.RSAPublicKey):
        kind = type(public_key).__name__
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER,
            f"the server chose RSA key exchange, and its certificate's key is a {kind}",
        )
    check_rsa_size(public_key)
    if entropy is None:
        return public_key.encrypt(premaster, padding.PKCS1v15())
    length = (public_key.key_size + 7) // 8
    # RFC 8017 7.2.1: EM = 0x00 || 0x02 || PS || 0x00 || M, with PS of "nonzero octets".
    filler = bytes(byte or 1 for byte in entropy(length - len(premaster) - 3))
    numbers = public_key.public_numbers()
    message = int.from_bytes(b"\0\2" + filler + b"\0" + premaster, "big")
    return pow(message, numbers.e, numbers.n).to_bytes(length, "big")


def decrypt_premaster(
    private_key: rsa.RSAPrivateKey, ciphertext: bytes, client_version: int, random_premaster: bytes
) -> bytes:
    """What the client sent, or 48 bytes that nobody knows; the caller is not to find out which.

    `client_version`: ClientHello.client_version. `random_premaster`: 48 fresh random bytes, made *before* it
    is known whether they are needed. A wrong padding, length or version gives a premaster secret that the
    client does not have, and the handshake goes on to fail where a wrong key would: at the client's Finished.

    What is promised: the same steps in the same order for each ciphertext that is as long as the modulus. The
    library replaces a plaintext whose padding is wrong by a pseudorandom one, in constant time (implicit
    rejection, OpenSSL 3.2 and later; without it this raises Misuse(BAD_CONFIGURATION) for every ciphertext).
    What comes out is then chosen byte by byte with a mask, without a branch. What Python cannot promise: that
    such steps take the same time to the nanosecond. A plaintext of another length is a bytes object of
    another size, and interpreter, allocator and caches see that. Who fears somebody who can measure that
    should not do RSA key exchange.
    """
    _IMPLICIT_REJECTION.require(private_key)
    try:
        plaintext = private_key.decrypt(ciphertext, padding.PKCS1v15())
    except ValueError:
        # The ciphertext is no number below the modulus, or not as long as it, which everybody can see.
        plaintext = b""
    # RFC 5246 7.4.7.1: "If the PKCS#1 padding is not correct, or the length of message M is not exactly 48
    # bytes: pre_master_secret = ClientHello.client_version || R", "else: pre_master_secret =
    # ClientHello.client_version || M[2..47]". So the version is not compared at all: where the client sent
    # another, its secret is another.
    wrong = len(plaintext) ^ PREMASTER_LENGTH
    # 0xFF where nothing is wrong, otherwise 0: no plaintext is as long as 2^16 bytes.
    mask = ((wrong - 1) >> 16) & 0xFF
    candidate = plaintext[:PREMASTER_LENGTH].ljust(PREMASTER_LENGTH, b"\0")
    pairs = zip(candidate, random_premaster, strict=True)
    chosen = bytes([(sent & mask) | (drawn & (mask ^ 0xFF)) for sent, drawn in pairs])
    return client_version.to_bytes(2, "big") + chosen[2:]


class _ImplicitRejection:
    """Whether the library has it, which the first key that decrypts finds out."""

    def __init__(self) -> None:
        self._present: bool | None = None

    def require(self, private_key: rsa.RSAPrivateKey) -> None:
        """Raises Misuse(BAD_CONFIGURATION) where a wrong padding raises."""
        if self._present is None:
            self._present = self._try(private_key)
        if not self._present:
            raise Misuse(
                Reason.BAD_CONFIGURATION,
                "this build of the library cryptography tells wrong RSA padding from right (OpenSSL before "
                "3.2), and RSA key exchange would decrypt with the server's key for anybody",
            )

    def _try(self, private_key: rsa.RSAPrivateKey) -> bool:
        # 1 is its own power: 0x00 ... 0x01, where padding begins with 0x00 0x02.
        wrongly_padded = (1).to_bytes((private_key.key_size + 7) // 8, "big")
        try:
            private_key.decrypt(wrongly_padded, padding.PKCS1v15())
        except ValueError:
            return False
        return True


_IMPLICIT_REJECTION = _ImplicitRejection()
