"""Public keys that TLS signatures are checked with here, whether a certificate holds them or nothing does."""

from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from pellucid.crypto.signatures import CURVES, check_rsa_size
from pellucid.errors import CertificateRejected, Reason

PublicKey: TypeAlias = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)

_OF_ONE_SIZE = (
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)


def check_public_key(key: object) -> PublicKey:
    """The key, if it is of a kind and size that TLS signatures are checked with here.

    Raises CertificateRejected (``unsupported_certificate``, ``weak_key``), whose detail says what it is:
    "an RSA key of 1024 bits; ...".
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            fault = f"a key on {key.curve.name}; secp256r1, secp384r1 and secp521r1 are accepted"
            raise CertificateRejected(Reason.UNSUPPORTED_CERTIFICATE, fault)
        return key
    if isinstance(key, rsa.RSAPublicKey):
        check_rsa_size(key)
        return key
    if isinstance(key, _OF_ONE_SIZE):
        return key
    kind = type(key).__name__.removesuffix("PublicKey")
    fault = f"a {kind} key, which makes no TLS signature"
    raise CertificateRejected(Reason.UNSUPPORTED_CERTIFICATE, fault)
