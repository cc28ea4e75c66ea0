"""PEM (RFC 7468): blocks out of text, and certificates out of blocks."""

import base64
import binascii
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from pellucid.errors import Misuse, Reason
from pellucid.identity.der import UNDECODABLE

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
# The label of a block that begins, if it has come to its end.
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)(-?)")

#: RFC 7468 5.1 has CERTIFICATE; the other is what parsers are told to take as well.
CERTIFICATE_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


class Block(NamedTuple):
    """One block: its label, and the whole of it with the BEGIN and END lines."""

    label: bytes
    text: bytes
    body: bytes


def blocks(data: bytes) -> Iterator[Block]:
    """All PEM blocks of ``data`` in order; what stands between them is explanation and is passed over."""
    for match in _BLOCK.finditer(data):
        yield Block(match[1], match[0], match[2])


def certificates_der(data: bytes) -> list[bytes]:
    """DER of each certificate in PEM ``data``, in order. Raises ValueError for a block that is not base64,
    and for one that is cut off: who reads a file while it is written must not take the first half for all.
    """
    return ders_of(data, CERTIFICATE_LABELS, "certificate")


def ders_of(data: bytes, labels: frozenset[bytes], what: str) -> list[bytes]:
    """DER of each block with one of ``labels``, likewise; ``what`` names one of them in the error."""
    found = _whole_ders(data, labels, what)
    rest = data[max((match.end() for match in _BLOCK.finditer(data)), default=0) :]
    for begun in _BEGIN.finditer(rest):
        if begun[1] in labels if begun[2] else any(label.startswith(begun[1]) for label in labels):
            raise ValueError(f"{what} {len(found) + 1} is cut off: it begins, and does not end")
    return found


def _whole_ders(data: bytes, labels: frozenset[bytes], what: str) -> list[bytes]:
    found = []
    for block in blocks(data):
        if block.label in labels:
            try:
                found.append(base64.b64decode(b"".join(block.body.split()), validate=True))
            except binascii.Error as error:
                raise ValueError(f"{what} {len(found) + 1} is not base64: {error}") from error
    return found


def parse_certificate(der: bytes, what: str) -> x509.Certificate:
    """A certificate of our own configuration. Raises Misuse that names ``what`` where it is malformed."""
    try:
        return x509.load_der_x509_certificate(der)
    except UNDECODABLE as error:
        raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{what} is not an X.509 certificate: {error}") from error


def parse_certificates(data: bytes, what: str) -> list[x509.Certificate]:
    """All certificates of PEM ``data``, or the one of DER ``data``. Raises Misuse where there is none, or a
    bad one.
    """
    if data.startswith(b"\x30"):
        return [parse_certificate(data, what)]
    try:
        ders = certificates_der(data)
    except ValueError as error:
        raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{what}: {error}") from error
    if not ders:
        raise Misuse(Reason.BAD_CERTIFICATE_FILE, f"{what} holds no PEM certificate")
    return [parse_certificate(der, f"certificate {number} of {what}") for number, der in enumerate(ders, 1)]


def parse_what_parses(files: Iterable[bytes]) -> tuple[list[x509.Certificate], int]:
    """The certificates that can be read out of files that others wrote, each once, and how many could not.

    Roots in wide use break rules (a serial number of zero) that the library warns about; whoever reads the
    system's store can do nothing about it, so these warnings are not shown.
    """
    found: dict[bytes, x509.Certificate] = {}
    skipped = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for data in files:
            try:
                ders = (
                    [data]
                    if data.startswith(b"\x30")
                    else _whole_ders(data, CERTIFICATE_LABELS, "certificate")
                )
            except ValueError:
                skipped += 1
                continue
            for der in ders:
                if der in found:
                    continue
                try:
                    found[der] = x509.load_der_x509_certificate(der)
                except UNDECODABLE:
                    skipped += 1
    return list(found.values()), skipped
