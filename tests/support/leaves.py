"""Leaves that the laboratory does not issue: keys that are too short, and keys for the wrong use."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import NAME, laboratory

USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def usage(*uses: str) -> x509.KeyUsage:
    """A keyUsage with these bits and no others."""
    return x509.KeyUsage(**{use: use in uses for use in USES})


def leaf(
    key: Any = None, key_usage: x509.KeyUsage | None = None, kind: str = "rsa"
) -> tuple[tuple[bytes, ...], Any]:
    """The chain (DER) of the laboratory's leaf of this ``kind``, with another key or keyUsage; and its key.

    ``key``: a private key, the leaf's own by default. ``key_usage``: none at all by default.
    """
    lab = laboratory()
    issued = lab.issue(kind, [NAME])
    key = key or issued.private_key
    certificate = issued.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .serial_number(7)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
        .public_key(key.public_key())
    )
    for extension in certificate.extensions:
        value: Any = extension.value
        if isinstance(value, x509.KeyUsage):
            if key_usage is None:
                continue
            value = key_usage
        elif isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, extension.critical)
    signed = lab._sign(builder, lab._intermediate_key)
    return tuple(each.public_bytes(Encoding.DER) for each in (signed, lab.intermediate)), key


def short_rsa_key() -> rsa.RSAPrivateKey:
    """1024 bits: the shortest that the library still makes."""
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - that it is refused is what is tested
