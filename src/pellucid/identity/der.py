"""The few pieces of a certificate's DER that are needed exactly as they were encoded.

pyca parses certificates, and offers names only as objects. Two names are the same issuer when their
encodings are the same bytes, and ``certificate_authorities`` carries those bytes, so they are cut out of the
certificate here. Whoever calls this has had pyca parse the same bytes first: this walks, it does not judge.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType

from pellucid.printable import printable

#: All that pyca raises for a certificate with a part that it cannot decode. Names, keys and extensions are
#: decoded when they are asked for, so any of these can come late. The warning, such as of a name that is too
#: long, is an error only where the application asked for that; KeyError comes of a TLS feature (RFC 7633)
#: that has no name.
UNDECODABLE = (
    ValueError,
    TypeError,
    KeyError,
    InvalidVersion,
    DuplicateExtension,
    UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
    UserWarning,
)

SEQUENCE = 0x30
CONTEXT_0, CONTEXT_1, CONTEXT_3 = 0xA0, 0xA1, 0xA3


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


def inside(data: bytes, parent: Element) -> list[Element]:
    """The elements that the content of ``parent`` consists of. ValueError where the last goes beyond it."""
    found, offset = [], parent.content
    while offset < parent.end:
        found.append(element(data, offset))
        offset = found[-1].end
    if offset != parent.end:
        raise ValueError(f"the DER element at byte {found[-1].start} ends outside of the one that it is in")
    return found


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


def key_algorithm(subject_public_key_info: bytes) -> bytes:
    """The content of the OBJECT IDENTIFIER that says what kind of key it is. ValueError if malformed."""
    algorithm = element(subject_public_key_info, element(subject_public_key_info, 0).content)
    identifier = element(subject_public_key_info, algorithm.content)
    return subject_public_key_info[identifier.content : identifier.end]


def pss_hash(subject_public_key_info: bytes) -> bytes | None:
    """The one hash that an id-RSASSA-PSS key is bound to (RFC 4055 3.1): the content of its OBJECT
    IDENTIFIER.

    None where the key has no parameters, and may be used with any; b"" where they leave the hash at its
    default, SHA-1.
    """
    return pss_hash_at(
        subject_public_key_info, element(subject_public_key_info, element(subject_public_key_info, 0).content)
    )


def pss_hash_at(data: bytes, algorithm: Element) -> bytes | None:
    """The same of the AlgorithmIdentifier at ``algorithm``, such as a signature's."""
    identifier = element(data, algorithm.content)
    if identifier.end == algorithm.end:
        return None
    parameters = element(data, identifier.end)
    if parameters.tag != SEQUENCE:  # NULL, which RFC 4055 does not allow here and which binds to nothing
        return None
    if parameters.content == parameters.end:
        return b""
    first = element(data, parameters.content)
    if first.tag != CONTEXT_0:
        return b""
    hash_algorithm = element(data, first.content)
    oid = element(data, hash_algorithm.content)
    return data[oid.content : oid.end]


#: What RFC 4514 3 and RFC 5280 abbreviate, by the content of the OBJECT IDENTIFIER; others are shown in hex.
_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
}

#: Attributes of a name that are shown; what is more is cut.
_MOST_ATTRIBUTES = 12

#: BMPString (X.680 41): two bytes a character.
_BMP_STRING = 0x1E


def name_text(name: bytes) -> str:
    """A DER name for people, its last attribute first as in RFC 4514; hex where it cannot be read.

    pyca offers no way to parse a name that stands in no certificate.
    """
    try:
        parts = list(_attributes(name))
    except ValueError:
        return printable(name.hex())
    return printable(",".join(reversed(parts))) or "empty name"


def _attributes(name: bytes) -> Iterator[str]:
    """RFC 5280 4.1.2.4: a SEQUENCE of SETs of pairs of a type and a value."""
    outer = element(name, 0)
    position, count = outer.content, 0
    while position < outer.end and count < _MOST_ATTRIBUTES:
        relative = element(name, position)
        pair = element(name, relative.content)
        kind = element(name, pair.content)
        value = element(name, kind.end)
        encoding = "utf-16-be" if value.tag == _BMP_STRING else "utf-8"
        text = name[value.content : value.end].decode(encoding, "replace")
        identifier = name[kind.content : kind.end]
        yield f"{_ATTRIBUTES.get(identifier, identifier.hex())}={text}"
        position, count = relative.end, count + 1
