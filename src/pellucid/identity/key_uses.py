"""What a handshake can do with a key of ours: sign by which schemes, decrypt, and what suites call it."""

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pellucid.codes import NamedGroup, SignatureScheme
from pellucid.errors import CertificateRejected
from pellucid.identity.der import pss_hash
from pellucid.identity.private_keys import bad_file
from pellucid.identity.rules import Purpose, Seen, check_leaf_usage, look_at, may_encipher_keys

# The hash algorithms' OIDs (RFC 8017 B.1) as encoded.
_PSS_HASHES = {
    SignatureScheme.rsa_pss_pss_sha256: bytes.fromhex("608648016503040201"),
    SignatureScheme.rsa_pss_pss_sha384: bytes.fromhex("608648016503040202"),
    SignatureScheme.rsa_pss_pss_sha512: bytes.fromhex("608648016503040203"),
}

_CURVES = {
    "secp256r1": NamedGroup.secp256r1,
    "secp384r1": NamedGroup.secp384r1,
    "secp521r1": NamedGroup.secp521r1,
}


def look_at_leaf(leaf: x509.Certificate) -> Seen:
    """Our own leaf with its extensions read. Misuse for one that peers would refuse for its usage."""
    try:
        seen = look_at(leaf, 0)
        check_leaf_usage(seen, Purpose.KEY_EXCHANGE if can_decrypt(leaf, seen) else Purpose.SERVER)
    except CertificateRejected as error:
        raise bad_file(error.detail) from error
    return seen


def can_decrypt(leaf: x509.Certificate, seen: Seen) -> bool:
    """RFC 5246 7.4.2, and RFC 8017 A.2.3: an id-RSASSA-PSS key is for signatures alone."""
    rsa_encryption = leaf.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5
    return rsa_encryption and may_encipher_keys(seen)


def curve_of(public_key: object) -> NamedGroup | None:
    """The curve of an ECDSA key, where TLS has a name for it."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _CURVES.get(public_key.curve.name)
    return None


def schemes_of(
    public_key: object,
    subject_public_key_info: bytes,
    schemes_for: Callable[..., tuple[SignatureScheme, ...]],
    *,
    rsa_pss_oid: bool,
) -> tuple[SignatureScheme, ...]:
    """What a key signs with, of ``schemes_for``, which is of one version.

    RFC 9846 4.3.3: rsaEncryption keys sign rsa_pss_rsae_*, id-RSASSA-PSS keys rsa_pss_pss_*, and by no
    other hash than the one in the key's parameters.
    """
    schemes = schemes_for(public_key, rsa_pss_oid=rsa_pss_oid)
    bound = pss_hash(subject_public_key_info) if rsa_pss_oid else None
    return schemes if bound is None else tuple(scheme for scheme in schemes if _PSS_HASHES[scheme] == bound)
