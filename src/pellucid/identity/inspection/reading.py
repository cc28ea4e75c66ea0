"""What is in a file: certificates, private keys, and what is neither."""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from pellucid.errors import Reason
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.inspection.model import Finding, Found, FoundKey, encoded, note
from pellucid.identity.pem import CERTIFICATE_LABELS, Block, blocks
from pellucid.identity.private_keys import kind_of_key
from pellucid.printable import printable

#: The largest sets of roots in use are some 300 KB. What is larger is no chain, and was named by mistake.
MAX_FILE_BYTES = 4 * 2**20

_DER_SEQUENCE = b"\x30"
# OpenSSL reads lines. Two blocks that were joined without a line break between them stop it.
_JOINED = re.compile(rb"-----END [A-Z0-9 ]+-----[ \t]*-----BEGIN ")
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----")
_COPY = "Copy it again, whole: from -----BEGIN to -----END."
_PEM = "Give certificates in PEM or DER, or a private key."
_REQUEST = "Give the certificate that the authority makes of it."
#: What else such files are, by the block's label: what to say of it, and what to do.
_OTHERS = {
    "PKCS7": ("PKCS #7", "openssl pkcs7 -print_certs -in FILE -out FILE.pem"),
    "CMS": ("PKCS #7", "openssl pkcs7 -print_certs -in FILE -out FILE.pem"),
    "PKCS12": ("PKCS #12", "openssl pkcs12 -nodes -in FILE -out FILE.pem"),
    "TRUSTED CERTIFICATE": ("OpenSSL's own form of a certificate", "openssl x509 -in FILE -out FILE.pem"),
    "CERTIFICATE REQUEST": ("a certificate request", _REQUEST),
    "NEW CERTIFICATE REQUEST": ("a certificate request", _REQUEST),
    "X509 CRL": ("a list of revoked certificates", "Give it with --crl FILE."),
    "PUBLIC KEY": ("a public key", _PEM),
}
# RFC 2315 14: pkcs-7 2 is signedData, in which certificates travel; 1 is data, which PKCS #12 is made of (RFC
# 7292 4, behind its version 3). Both stand at the beginning, behind the lengths of what they are in.
_SIGNED_DATA, _DATA = (bytes.fromhex("06092a864886f70d0107") + bytes([kind]) for kind in (2, 1))
_VERSION_3 = bytes.fromhex("020103")
_HEAD_BYTES = 32


@dataclass
class Material:
    """All that was read, of one file or of several, in order."""

    certificates: list[Found] = field(default_factory=list)
    keys: list[FoundKey] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Material) -> None:
        self.certificates += other.certificates
        self.keys += other.keys
        self.findings += other.findings


def read_material(data: bytes, source: str) -> Material:
    """What is in ``data``, PEM or DER; ``source`` is the file's name, for people. Raises nothing."""
    material = Material()
    reader = _Reader(source, material)
    with forgiving():
        if len(data) > MAX_FILE_BYTES:
            reader.fault(f"is larger than the {MAX_FILE_BYTES:,} bytes that are read", _PEM)
        elif not data:
            reader.fault("is empty", _PEM)
        elif data.startswith(_DER_SEQUENCE):
            reader.der(data)
        else:
            reader.pem(data)
    return material


@contextmanager
def forgiving() -> Iterator[None]:
    """Without the library's warnings about certificates that others made: some roots get one for a serial
    number of zero, and names for attributes that are too long.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _is_looked_at(block: Block) -> bool:
    return block.label in CERTIFICATE_LABELS or block.label.endswith(b"PRIVATE KEY")


class _Reader:
    def __init__(self, source: str, material: Material) -> None:
        self._source = source
        self._material = material

    def fault(self, what: str, fix: str) -> None:
        sentence = f"{self._source} {what}"
        self._material.findings.append(Finding(Reason.BAD_CERTIFICATE_FILE, sentence, fix=fix))

    def der(self, data: bytes) -> None:
        try:
            self._certificate(data)
        except UNDECODABLE:
            try:
                key = serialization.load_der_private_key(data, None)
            except TypeError:
                self._encrypted_key()
            except UNDECODABLE:
                self._other_der(data[:_HEAD_BYTES])
            else:
                self._key(key)

    def _other_der(self, head: bytes) -> None:
        if _SIGNED_DATA in head:
            self._is_other("PKCS7")
        elif _VERSION_3 in head and _DATA in head:
            self._is_other("PKCS12")
        else:
            self.fault("is DER, and neither a certificate nor a private key", _PEM)

    def _is_other(self, label: str) -> None:
        what, fix = _OTHERS.get(label, (f"a file of {label}", _PEM))
        self.fault(f"is {what}, which is not looked at", fix)

    def pem(self, data: bytes) -> None:
        found = list(blocks(data))
        if len(_BEGIN.findall(data)) > len(found):
            self.fault("has a PEM block that begins and does not end: it is cut short", _COPY)
        elif not found and b"\0" in data:
            self.fault("is neither DER nor text in UTF-8, such as PEM is", _PEM)
        elif not found:
            self.fault("holds neither PEM nor a DER certificate or key", _PEM)
        elif not any(_is_looked_at(block) for block in found):
            self._is_other(found[0].label.decode())
            return
        if _JOINED.search(data):
            self.fault(
                "has two PEM blocks on one line: what is read by lines, such as by OpenSSL, stops there",
                "Put a line break before each -----BEGIN.",
            )
        for block in found:
            self._block(block)

    def _block(self, block: Block) -> None:
        label = block.label.decode()
        if block.label in CERTIFICATE_LABELS:
            try:
                self._certificate(base64.b64decode(b"".join(block.body.split()), validate=True))
            except (binascii.Error, *UNDECODABLE) as error:
                self.fault(f"has a certificate that cannot be read: {printable(str(error), 300)}", _COPY)
        elif label.endswith("PRIVATE KEY"):
            self._private_key(block)
        elif not label.endswith("PARAMETERS"):  # of a key's group, which stands in the key as well
            sentence = f"{self._source} has a block {label}, which is not looked at"
            self._material.findings.append(note("block_not_read", sentence))

    def _certificate(self, der: bytes) -> None:
        certificate = x509.load_der_x509_certificate(der)
        number = len(self._material.certificates) + 1  # which are all of this file
        self._material.certificates.append(Found(certificate, self._source, number))

    def _private_key(self, block: Block) -> None:
        try:
            key = serialization.load_pem_private_key(block.text, None)
        except TypeError:  # the library's way to say that it needs a password
            self._encrypted_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            self.fault(f"has a private key that cannot be read: {printable(str(error), 300)}", _COPY)
        else:
            self._key(key)

    def _key(self, key: Any) -> None:
        public = key.public_key()
        self._material.keys.append(FoundKey(encoded(public), kind_of_key(public), self._source))

    def _encrypted_key(self) -> None:
        self._material.keys.append(FoundKey(None, "an encrypted", self._source))
        sentence = f"{self._source} has an encrypted private key, which is not compared with any certificate"
        fix = "To have it compared: openssl pkey -in FILE -out OPEN.pem, and check that."
        self._material.findings.append(note("key_encrypted", sentence, fix))
