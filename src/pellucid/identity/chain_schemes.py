"""What the certificates of a chain are signed with, as the SignatureSchemes that a peer lists for it."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID as Oid

from pellucid.codes import SignatureScheme as S
from pellucid.identity.der import certificate_fields

# An ECDSA signature names its hash and not the curve; the scheme with that hash stands for it.
_BY_OID: dict[x509.ObjectIdentifier, frozenset[S]] = {
    Oid.ECDSA_WITH_SHA256: frozenset({S.ecdsa_secp256r1_sha256}),
    Oid.ECDSA_WITH_SHA384: frozenset({S.ecdsa_secp384r1_sha384}),
    Oid.ECDSA_WITH_SHA512: frozenset({S.ecdsa_secp521r1_sha512}),
    Oid.RSA_WITH_SHA256: frozenset({S.rsa_pkcs1_sha256}),
    Oid.RSA_WITH_SHA384: frozenset({S.rsa_pkcs1_sha384}),
    Oid.RSA_WITH_SHA512: frozenset({S.rsa_pkcs1_sha512}),
    Oid.ED25519: frozenset({S.ed25519}),
    Oid.ED448: frozenset({S.ed448}),
    x509.ObjectIdentifier("2.16.840.1.101.3.4.3.17"): frozenset({S.mldsa44}),
    x509.ObjectIdentifier("2.16.840.1.101.3.4.3.18"): frozenset({S.mldsa65}),
    x509.ObjectIdentifier("2.16.840.1.101.3.4.3.19"): frozenset({S.mldsa87}),
}
_PSS = {
    "sha256": frozenset({S.rsa_pss_rsae_sha256, S.rsa_pss_pss_sha256}),
    "sha384": frozenset({S.rsa_pss_rsae_sha384, S.rsa_pss_pss_sha384}),
    "sha512": frozenset({S.rsa_pss_rsae_sha512, S.rsa_pss_pss_sha512}),
}


def chain_schemes(chain: Sequence[x509.Certificate]) -> tuple[frozenset[S], ...]:
    """For each signature of the chain, the schemes any of which allows it; empty for one that none does.

    RFC 9846 4.3.3: signatures on certificates "that are self-signed or certificates that are trust anchors
    are not validated", so a root that is sent along does not count.
    """
    return tuple(_schemes(one) for one in chain if not _names_itself(one))


def _names_itself(certificate: x509.Certificate) -> bool:
    """By the names as they are encoded: some that are certified cannot be decoded."""
    fields = certificate_fields(certificate.public_bytes(Encoding.DER))
    return fields.issuer == fields.subject


def _schemes(certificate: x509.Certificate) -> frozenset[S]:
    oid = certificate.signature_algorithm_oid
    if oid == Oid.RSASSA_PSS and isinstance(certificate.signature_algorithm_parameters, padding.PSS):
        algorithm = certificate.signature_hash_algorithm
        return _PSS.get(algorithm.name, frozenset()) if algorithm else frozenset()
    return _BY_OID.get(oid, frozenset())
