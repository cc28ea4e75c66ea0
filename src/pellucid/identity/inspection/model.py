"""What an inspection is made of: certificates and keys where they were found, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.identity.der import UNDECODABLE, CertificateFields, certificate_fields
from pellucid.identity.reasoning.model import CandidatePath, PathReport
from pellucid.identity.rules import subject_text


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be told. ``id`` is stable: a failure's where a handshake would fail by it, else our own.

    ``serious``: it is a finding, and not just a note. ``fix`` is empty where the failure's text has one.
    ``profiles`` are those that refuse the chain on account of it.
    """

    id: str
    sentence: str
    serious: bool = True
    fix: str = ""
    profiles: tuple[str, ...] = ()


def note(identifier: str, sentence: str, fix: str = "") -> Finding:
    """What is worth knowing, and no fault."""
    return Finding(identifier, sentence, serious=False, fix=fix)


def encoded(public_key: Any) -> bytes:
    """A public key as SubjectPublicKeyInfo in DER."""
    der: bytes = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


@dataclass(frozen=True)
class Found:
    """A certificate, and where it stands: the file's name and its number in it, from 1."""

    certificate: x509.Certificate
    source: str
    number: int

    @property
    def where(self) -> str:
        return f'{self.source}, certificate {self.number} ("{self.subject}")'

    @cached_property
    def subject(self) -> str:
        """For people."""
        return subject_text(self.certificate)

    @cached_property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def fields(self) -> CertificateFields:
        return certificate_fields(self.der)

    @cached_property
    def public(self) -> bytes:
        """Its key, encoded anew, so that the same key is always the same bytes; b"" if it cannot be read."""
        try:
            return encoded(self.certificate.public_key())
        except UNDECODABLE:
            return b""

    @property
    def issued_by_itself(self) -> bool:
        """By its names alone."""
        return self.fields.issuer == self.fields.subject

    def issued(self, other: Found) -> bool:
        """Whether it is another's issuer, by their names."""
        return self.der != other.der and self.fields.subject == other.fields.issuer


class FoundKey(NamedTuple):
    """A private key: its public half as ``Found.public`` has it, None where it is encrypted; its kind for
    people; its file.
    """

    public: bytes | None
    kind: str
    source: str


@dataclass(frozen=True)
class ChainReport:
    """One leaf with the chain that would be sent with it, and what is said of it."""

    #: Leaf first, as it would be sent.
    sent: tuple[Found, ...]
    #: The file that its private key is in; "" where none was given.
    key_source: str
    #: Host names and addresses that it is for.
    names: tuple[str, ...]
    #: By the name that was asked for. The only key is the certificate's own where none was.
    reports: dict[str, PathReport]
    findings: tuple[Finding, ...]

    @property
    def leaf(self) -> Found:
        return self.sent[0]

    @cached_property
    def best(self) -> CandidatePath | None:
        """The path with the fewest faults, one to a trusted certificate before any other."""
        candidates = [one for report in self.reports.values() for one in report.candidates]
        return min(candidates, key=lambda one: (not one.trusted, len(one.failed)), default=None)

    @cached_property
    def until(self) -> datetime:
        """When the first certificate of its best path ends."""
        path = self.best.certificates if self.best else (self.leaf.certificate,)
        return min(certificate.not_valid_after_utc for certificate in path)
