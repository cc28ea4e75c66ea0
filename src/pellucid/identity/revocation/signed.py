"""Who signed an answer, and is it so: the signatures of OCSP responses and of CRLs."""

from __future__ import annotations

from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import SignatureAlgorithmOID

from pellucid.errors import CertificateRejected
from pellucid.identity.der import UNDECODABLE, Element, element, inside, pss_hash_at
from pellucid.identity.keys import PublicKey
from pellucid.identity.revocation.status import unusable
from pellucid.identity.rules import SIGNATURES, check_key

#: SHA-256. MD5 and SHA-1 are broken, and SHA-224 saves nothing.
LEAST_HASH_BYTES = 32

_HashWithin: TypeAlias = (
    ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)


# The content of the OBJECT IDENTIFIERs of RFC 4055 2.1 (arc 2.16.840.1.101.3.4.2).
_PSS_HASHES: dict[bytes, HashAlgorithm] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}


def _hash_of(signed: ocsp.OCSPResponse | x509.CertificateRevocationList) -> HashAlgorithm | None:
    """What is hashed with; None where the signature has its hash within, or one that is not accepted."""
    if isinstance(signed, ocsp.OCSPResponse) and _is_pss(signed):
        # It stands in parameters, which the library does not read here.
        der = signed.public_bytes(Encoding.DER)
        return _PSS_HASHES.get(pss_hash_at(der, _algorithm_in(der)) or b"")
    try:
        return signed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None


def _is_pss(signed: ocsp.OCSPResponse | x509.CertificateRevocationList) -> bool:
    return signed.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS


def _algorithm_in(response: bytes) -> Element:
    """RFC 6960 4.2.1: the signatureAlgorithm of the BasicOCSPResponse."""
    _, tagged = inside(response, element(response, 0))
    (response_bytes,) = inside(response, tagged)
    _, octets = inside(response, response_bytes)
    (basic,) = inside(response, octets)
    return inside(response, basic)[1]


def check_algorithm(what: str, signed: ocsp.OCSPResponse | x509.CertificateRevocationList) -> None:
    """The same signatures as in certificates: none made with MD5 or SHA-1."""
    oid = signed.signature_algorithm_oid
    hash_algorithm = _hash_of(signed)
    if _is_pss(signed) and hash_algorithm is None:
        raise unusable(f"{what} is signed with RSASSA-PSS, and a hash that is not accepted")
    if hash_algorithm is not None and hash_algorithm.digest_size < LEAST_HASH_BYTES:
        raise unusable(f"{what} is signed with the broken or short hash {hash_algorithm.name}")
    if oid not in SIGNATURES:
        raise unusable(f"{what} is signed with the algorithm {oid.dotted_string}, which is not accepted")


def signed_response(response: ocsp.OCSPResponse, key: CertificatePublicKeyTypes) -> bool:
    """Whether ``key`` signed this response."""
    oid, signature, content = (
        response.signature_algorithm_oid,
        response.signature,
        response.tbs_response_bytes,
    )
    try:
        hash_algorithm = _hash_of(response)
        if isinstance(key, rsa.RSAPublicKey):
            _verify_rsa(key, oid, signature, content, hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if hash_algorithm is None:
                return False
            key.verify(signature, content, ec.ECDSA(hash_algorithm))
        elif isinstance(key, _HashWithin):
            key.verify(signature, content)
        else:
            return False
    except (InvalidSignature, *UNDECODABLE):
        return False
    return True


def _verify_rsa(
    key: rsa.RSAPublicKey,
    oid: x509.ObjectIdentifier,
    signature: bytes,
    content: bytes,
    hash_algorithm: HashAlgorithm | None,
) -> None:
    if hash_algorithm is None:
        raise InvalidSignature
    if oid == SignatureAlgorithmOID.RSASSA_PSS:
        # The salt's length stands in the parameters as well; what it is does not matter for whether the key
        # made the signature.
        scheme: padding.AsymmetricPadding = padding.PSS(padding.MGF1(hash_algorithm), padding.PSS.AUTO)
    else:
        scheme = padding.PKCS1v15()
    key.verify(signature, content, scheme, hash_algorithm)


def signed_list(crl: x509.CertificateRevocationList, key: CertificatePublicKeyTypes) -> bool:
    """Whether ``key`` signed this CRL."""
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | _HashWithin):
        return False
    try:
        return crl.is_signature_valid(key)
    except (InvalidSignature, *UNDECODABLE):
        return False


def responder_key(certificate: x509.Certificate, what: str) -> PublicKey:
    """The key of a responder, of a kind and size that certificates may be signed with. An issuer's needs no
    such look: it has signed in the path, by the rules of the path.
    """
    try:
        return check_key(certificate, 1)
    except CertificateRejected as error:
        raise unusable(f"{what} is signed by a key that cannot be used: {error.detail}") from error


def issuer_key(certificate: x509.Certificate, what: str) -> CertificatePublicKeyTypes:
    try:
        return certificate.public_key()
    except UNDECODABLE as error:
        raise unusable(f"{what} is of an issuer with a key that cannot be read: {error}") from error
