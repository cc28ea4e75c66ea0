"""The few pieces of a certificate's DER that are needed exactly as they were encoded.

pyca parses certificates, and offers names only as objects. Two names are the same issuer when their
encodings are the same bytes, and ``certificate_authorities`` carries those bytes, so they are cut out of the
certificate here. Whoever calls this has had pyca parse the same bytes first: this walks, it does not judge.
"""

from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType

#: All that pyca raises for a certificate with a part that it cannot decode. Names, keys and extensions are
#: decoded when they are asked for, so any of these can come late. The warning is an error only where the
#: application asked for that; KeyError comes of a TLS feature (RFC 7633) that has no name.
UNDECODABLE = (
    ValueError,
    TypeError,
    KeyError,
    InvalidVersion,
    DuplicateExtension,
    UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    KeyError,
)

SEQUENCE = 0x30
CONTEXT_0 = 0xA0


class CertificateFields(NamedTuple):
    """Encoded fields of a TBSCertificate (RFC 5280 4.1), each with its tag and length."""

    issuer: bytes
    subject: bytes
    subject_public_key_info: bytes


class Element(NamedTuple):
    """One DER element: its tag, and where it, its content and the next element start."""

    tag: int
    start: int
    content: int
    end: int


def element(data: bytes, offset: int) -> Element:
    """The DER element at ``offset`` (bytes). Raises ValueError where ``data`` does not hold all of it."""
    if offset + 2 > len(data):
        raise ValueError(f"no DER element at byte {offset}")
    length, content = data[offset + 1], offset + 2
    if length & 0x80:
        octets = length & 0x7F
        content += octets
        length = int.from_bytes(data[offset + 2 : content])
    if content + length > len(data):
        raise ValueError(f"the DER element at byte {offset} ends outside of the data")
    return Element(data[offset], offset, content, content + length)


def certificate_fields(certificate: bytes) -> CertificateFields:
    """Issuer, subject and SubjectPublicKeyInfo of a DER certificate, as encoded in it. ValueError if
    malformed.
    """
    tbs = element(certificate, element(certificate, 0).content)
    first = element(certificate, tbs.content)
    serial = element(certificate, first.end) if first.tag == CONTEXT_0 else first
    signature = element(certificate, serial.end)
    issuer = element(certificate, signature.end)
    validity = element(certificate, issuer.end)
    subject = element(certificate, validity.end)
    key = element(certificate, subject.end)
    return CertificateFields(
        certificate[issuer.start : issuer.end],
        certificate[subject.start : subject.end],
        certificate[key.start : key.end],
    )


def pss_hash(subject_public_key_info: bytes) -> bytes | None:
    """The one hash that an id-RSASSA-PSS key is bound to (RFC 4055 3.1): the content of its OBJECT
    IDENTIFIER.

    None where the key has no parameters, and may be used with any; b"" where they leave the hash at its
    default, SHA-1.
    """
    algorithm = element(subject_public_key_info, element(subject_public_key_info, 0).content)
    identifier = element(subject_public_key_info, algorithm.content)
    if identifier.end == algorithm.end:
        return None
    parameters = element(subject_public_key_info, identifier.end)
    if parameters.tag != SEQUENCE:  # NULL, which RFC 4055 does not allow here and which binds to nothing
        return None
    if parameters.content == parameters.end:
        return b""
    first = element(subject_public_key_info, parameters.content)
    if first.tag != CONTEXT_0:
        return b""
    hash_algorithm = element(subject_public_key_info, first.content)
    oid = element(subject_public_key_info, hash_algorithm.content)
    return subject_public_key_info[oid.content : oid.end]
