"""RSA key exchange: the secret arrives, and a server never shows what was wrong with one that did not."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pellucid.crypto import rsa as rsa_exchange
from pellucid.crypto.rsa import decrypt_premaster, encrypt_premaster
from pellucid.errors import CertificateRejected, Misuse, PeerMisbehaved, Reason

TLS12 = 0x0303
PREMASTER = b"\x03\x03" + bytes(range(46))
RANDOM = b"\xa5" * 48
LENGTH = 256


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def raw(key: rsa.RSAPrivateKey, encoded: bytes) -> bytes:
    """`encoded` to the power of e: any padding one likes, or none."""
    numbers = key.public_key().public_numbers()
    return pow(int.from_bytes(encoded, "big"), numbers.e, numbers.n).to_bytes(LENGTH, "big")


def padded(message: bytes, kind: int = 2, lead: int = 0) -> bytes:
    """RFC 8017 7.2.1: EM = 0x00 || 0x02 || PS || 0x00 || M."""
    return bytes((lead, kind)) + b"\xff" * (LENGTH - 3 - len(message)) + b"\0" + message


def with_byte(encoded: bytes, position: int, value: int) -> bytes:
    return encoded[:position] + bytes((value,)) + encoded[position + 1 :]


# What Bleichenbacher's, Klima's and ROBOT's oracles tell apart.
FAULTS: dict[str, Callable[[rsa.RSAPrivateKey], bytes]] = {
    "the first byte is not 0": lambda key: raw(key, padded(PREMASTER, lead=1)),
    "block type 1": lambda key: raw(key, padded(PREMASTER, kind=1)),
    "block type 0": lambda key: raw(key, padded(PREMASTER, kind=0)),
    "a zero in the padding's first 8 bytes": lambda key: raw(key, with_byte(padded(PREMASTER), 5, 0)),
    "a zero at once": lambda key: raw(key, with_byte(padded(PREMASTER), 2, 0)),
    "no zero behind the padding": lambda key: raw(key, b"\0\2" + b"\xff" * (LENGTH - 2)),
    "the zero is the last byte": lambda key: raw(key, b"\0\2" + b"\xff" * (LENGTH - 3) + b"\0"),
    "one byte too few": lambda key: raw(key, padded(PREMASTER[:-1])),
    "one byte too many": lambda key: raw(key, padded(PREMASTER + b"\0")),
    "no message": lambda key: raw(key, padded(b"")),
    "a message as long as can be": lambda key: raw(key, padded(bytes(LENGTH - 11))),
    "zero": lambda _: bytes(LENGTH),
    "one": lambda _: (1).to_bytes(LENGTH, "big"),
    "the modulus": lambda key: key.public_key().public_numbers().n.to_bytes(LENGTH, "big"),
    "the modulus less one": lambda key: (key.public_key().public_numbers().n - 1).to_bytes(LENGTH, "big"),
    "the largest number": lambda _: b"\xff" * LENGTH,
    "a ciphertext too short": lambda key: raw(key, padded(PREMASTER))[1:],
    "a ciphertext too long": lambda key: raw(key, padded(PREMASTER)) + b"\0",
    "a zero before the ciphertext": lambda key: b"\0" + raw(key, padded(PREMASTER)),
    "an empty ciphertext": lambda _: b"",
}
each_fault = pytest.mark.parametrize("make", FAULTS.values(), ids=FAULTS.keys())


def test_the_secret_arrives(key: rsa.RSAPrivateKey) -> None:
    ciphertext = encrypt_premaster(key.public_key(), PREMASTER)
    assert decrypt_premaster(key, ciphertext, TLS12, RANDOM) == PREMASTER


@pytest.mark.parametrize("fill", [0, 1, 0xFF])
def test_given_entropy_makes_the_padding(key: rsa.RSAPrivateKey, fill: int) -> None:
    made = [encrypt_premaster(key.public_key(), PREMASTER, lambda n: bytes([fill]) * n) for _ in range(2)]
    assert made[0] == made[1]
    assert decrypt_premaster(key, made[0], TLS12, RANDOM) == PREMASTER


def test_without_entropy_each_ciphertext_is_another(key: rsa.RSAPrivateKey) -> None:
    assert encrypt_premaster(key.public_key(), PREMASTER) != encrypt_premaster(key.public_key(), PREMASTER)


@each_fault
def test_a_fault_raises_nothing_and_gives_48_bytes(
    key: rsa.RSAPrivateKey, make: Callable[[rsa.RSAPrivateKey], bytes]
) -> None:
    found = decrypt_premaster(key, make(key), TLS12, RANDOM)
    assert type(found) is bytes
    assert len(found) == 48
    assert found[:2] == b"\x03\x03"


@each_fault
def test_what_a_fault_gives_is_not_what_was_sent(
    key: rsa.RSAPrivateKey, make: Callable[[rsa.RSAPrivateKey], bytes]
) -> None:
    found = decrypt_premaster(key, make(key), TLS12, RANDOM)
    assert found[2:] != PREMASTER[2:]
    # The library's own substitute can have 48 bytes too, with a chance of about 1 in 200; the rest are ours.
    substitute = substituted(key, make(key))
    assert found[2:] == (substitute if len(substitute) == 48 else RANDOM)[2:]


def substituted(key: rsa.RSAPrivateKey, ciphertext: bytes) -> bytes:
    try:
        return key.decrypt(ciphertext, padding.PKCS1v15())
    except ValueError:
        return b""


@each_fault
def test_a_fault_takes_the_same_steps_as_a_right_secret(
    key: rsa.RSAPrivateKey, make: Callable[[rsa.RSAPrivateKey], bytes]
) -> None:
    class Counting:
        key_size = key.key_size
        calls = 0

        def decrypt(self, ciphertext: bytes, how: padding.PKCS1v15) -> bytes:
            self.calls += 1
            return key.decrypt(ciphertext, how)

    decrypt_premaster(key, b"", TLS12, RANDOM)  # the library has been tried
    right: Any = Counting()
    wrong: Any = Counting()
    decrypt_premaster(right, encrypt_premaster(key.public_key(), PREMASTER), TLS12, RANDOM)
    decrypt_premaster(wrong, make(key), TLS12, RANDOM)
    assert right.calls == wrong.calls == 1


@pytest.mark.parametrize("sent", [0x0302, 0x0304, 0x0300, 0x0203, 0xFFFF])
def test_another_version_gives_a_secret_that_the_client_does_not_have(
    key: rsa.RSAPrivateKey, sent: int
) -> None:
    theirs = sent.to_bytes(2, "big") + PREMASTER[2:]
    found = decrypt_premaster(key, encrypt_premaster(key.public_key(), theirs), TLS12, RANDOM)
    # RFC 5246 7.4.7.1: "pre_master_secret = ClientHello.client_version || M[2..47]"
    assert found == b"\x03\x03" + theirs[2:]
    assert found != theirs


def test_the_version_is_the_one_that_the_client_offered(key: rsa.RSAPrivateKey) -> None:
    theirs = b"\x03\x04" + PREMASTER[2:]
    ciphertext = encrypt_premaster(key.public_key(), theirs)
    assert decrypt_premaster(key, ciphertext, 0x0304, RANDOM) == theirs


def test_without_implicit_rejection_nothing_is_decrypted_at_all(
    key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Telling:
        """As OpenSSL was before 3.2."""

        key_size = key.key_size

        def decrypt(self, ciphertext: bytes, how: padding.PKCS1v15) -> bytes:
            plain = key.decrypt(ciphertext, how)
            if plain != PREMASTER:
                raise ValueError("Decryption failed")
            return plain

    telling: Any = Telling()
    monkeypatch.setattr(rsa_exchange, "_IMPLICIT_REJECTION", rsa_exchange._ImplicitRejection())
    ciphertext = encrypt_premaster(key.public_key(), PREMASTER)
    for _ in range(2):
        with pytest.raises(Misuse, match="tells wrong RSA padding from right") as caught:
            decrypt_premaster(telling, ciphertext, TLS12, RANDOM)
        assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_a_key_that_is_not_rsa_is_the_server_s_fault() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(PeerMisbehaved, match="chose RSA key exchange") as caught:
        encrypt_premaster(public, PREMASTER)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


@pytest.mark.parametrize("bits, reason", [(1024, Reason.WEAK_KEY), (16384, Reason.UNSUPPORTED_CERTIFICATE)])
def test_nothing_is_encrypted_to_a_key_of_a_bad_size(bits: int, reason: Reason) -> None:
    # FREAK: a key of 512 bits that the server made once for export suites. pyca loads none below 1024.
    public = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()
    with pytest.raises(CertificateRejected) as caught:
        encrypt_premaster(public, PREMASTER)
    assert caught.value.reason is reason
