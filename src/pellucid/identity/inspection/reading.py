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
from cryptography.utils import CryptographyDeprecationWarning

from pellucid.errors import Reason
from pellucid.identity.credentials import kind_of_key
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.inspection.model import Finding, Found, FoundKey, note
from pellucid.identity.pem import CERTIFICATE_LABELS, Block, blocks
from pellucid.printable import printable

#: The largest sets of roots in use are some 300 KB. What is larger is no chain, and was named by mistake.
MAX_FILE_BYTES = 4 * 2**20

_DER_SEQUENCE = b"\x30"
# OpenSSL reads lines. Two blocks that were joined without a line break between them stop it.
_JOINED = re.compile(rb"-----END [A-Z0-9 ]+-----[ \t]*-----BEGIN ")
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----")


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
            reader.fault(f"is larger than the {MAX_FILE_BYTES:,} bytes that are read")
        elif data.startswith(_DER_SEQUENCE):
            reader.der(data)
        else:
            reader.pem(data)
    return material


@contextmanager
def forgiving() -> Iterator[None]:
    """Without the library's warnings about certificates that others made, of which some roots get one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


class _Reader:
    def __init__(self, source: str, material: Material) -> None:
        self._source = source
        self._material = material

    def fault(self, what: str, fix: str = "") -> None:
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
                fix = "If it is PKCS #12 (.p12, .pfx): openssl pkcs12 -in FILE -nodes -out FILE.pem"
                self.fault("is DER, and neither a certificate nor a private key", fix)
            else:
                self._key(key)

    def pem(self, data: bytes) -> None:
        found = list(blocks(data))
        if not found:
            self.fault("holds neither PEM nor a DER certificate or key")
        elif len(_BEGIN.findall(data)) > len(found):
            self.fault("has a PEM block that begins and does not end: it is cut short")
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
                self.fault(f"has a certificate that cannot be read: {printable(str(error), 300)}")
        elif label.endswith("PRIVATE KEY"):
            self._private_key(block)
        elif not label.endswith("PARAMETERS"):  # of a key's group, which stands in the key as well
            sentence = f"{self._source} has a block {label}, which is not looked at"
            self._material.findings.append(note("block_not_read", sentence))

    def _certificate(self, der: bytes) -> None:
        certificate = x509.load_der_x509_certificate(der)
        number = sum(one.source == self._source for one in self._material.certificates) + 1
        self._material.certificates.append(Found(certificate, self._source, number))

    def _private_key(self, block: Block) -> None:
        try:
            key = serialization.load_pem_private_key(block.text, None)
        except TypeError:  # the library's way to say that it needs a password
            self._encrypted_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            self.fault(f"has a private key that cannot be read: {printable(str(error), 300)}")
        else:
            self._key(key)

    def _key(self, key: Any) -> None:
        public = key.public_key()
        self._material.keys.append(FoundKey(public, kind_of_key(public), self._source))

    def _encrypted_key(self) -> None:
        self._material.keys.append(FoundKey(None, "an encrypted", self._source))
        sentence = f"{self._source} has an encrypted private key, which is not compared with any certificate"
        self._material.findings.append(note("key_encrypted", sentence))
