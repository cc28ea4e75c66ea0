"""Private keys: which kinds TLS has a use for, and how they are read."""

from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.keys import PublicKey, check_public_key
from pellucid.identity.pem import Block, blocks

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
_KEY_TYPES = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
    mldsa.MLDSA44PrivateKey,
    mldsa.MLDSA65PrivateKey,
    mldsa.MLDSA87PrivateKey,
)


def bad_file(detail: str) -> Misuse:
    """What our own certificates and keys are refused with: ``bad_certificate_file``."""
    return Misuse(Reason.BAD_CERTIFICATE_FILE, detail)


def usable_key(key: object) -> PrivateKey:
    """``key``, if it is one that TLS has a use for. Misuse for any other."""
    if not isinstance(key, _KEY_TYPES):
        raise bad_file(f"TLS has no use for a {type(key).__name__}")
    return key


def load_private_key(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """The one private key in ``pem``, opened with ``password`` where it is encrypted. Raises Misuse."""
    found: list[Block] = [block for block in blocks(pem) if block.label.endswith(b"PRIVATE KEY")]
    if not found:
        raise bad_file("there is no PEM private key")
    if len(found) > 1:
        raise bad_file(f"there are {len(found)} private keys, and one is wanted")
    try:
        return usable_key(serialization.load_pem_private_key(found[0].text, password))
    except TypeError as error:
        # The library's way to say that a password was needed and not given, or given and not needed.
        wanted = (
            "is encrypted, and needs a password"
            if password is None
            else "is not encrypted, and a password was given"
        )
        raise bad_file(f"the private key {wanted}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "" if password is None else " (is the password right?)"
        raise bad_file(f"the private key cannot be read{hint}: {error}") from error


def load_private_key_der(der: bytes) -> PrivateKey:
    """A DER private key that is not encrypted. Raises Misuse."""
    try:
        key = serialization.load_der_private_key(der, None)
    except UNDECODABLE as error:
        raise bad_file(f"the private key cannot be read: {error}") from error
    return usable_key(key)


def usable_public_key(key: object) -> PublicKey:
    """The same for a public key, whose private half is elsewhere."""
    try:
        return check_public_key(key)
    except CertificateRejected as error:
        raise bad_file(f"the key is {error.detail}") from error


def load_public_key(pem: bytes) -> PublicKey:
    """The public key in ``pem``. Raises Misuse."""
    try:
        key = serialization.load_pem_public_key(pem)
    except UNDECODABLE as error:
        raise bad_file(f"the public key cannot be read: {error}") from error
    return usable_public_key(key)


def load_rsa_private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """The RSA key in ``pem``, for what was encrypted with its certificate. Misuse for any other."""
    key = load_private_key(pem)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise bad_file(f"the private key is {kind_of_key(key.public_key())} one, and an RSA key is wanted")
    return key


def belongs(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Whether ``certificate`` is one for ``key``."""
    try:
        public = certificate.public_key()
    except UNDECODABLE:
        return False
    return public == key.public_key()


def kind_of_key(key: object) -> str:
    """The kind of a public key, for people, with its article: "an RSA 2048-bit"."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"an EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"an RSA {key.key_size}-bit"
    return f"an {type(key).__name__.removesuffix('PublicKey')}"
