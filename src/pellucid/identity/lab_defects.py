"""Certificates that are wrong in one way each, for showing that they are refused.

All else about them is as in ``lab``: what is found is the defect, and no other.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from cryptography import x509

from pellucid.codes import SignatureScheme
from pellucid.crypto import signatures
from pellucid.identity.credentials import Credential, PrivateKey
from pellucid.identity.lab import Issued, Laboratory
from pellucid.identity.lab_keys import make_key

__all__ = ["DefectiveLaboratory", "Extension"]

#: What a leaf can lack, by RFC 5280's names.
Extension = Literal["subjectAltName", "authorityKeyIdentifier"]
_EXTENSIONS: dict[Extension, type[x509.ExtensionType]] = {
    "subjectAltName": x509.SubjectAlternativeName,
    "authorityKeyIdentifier": x509.AuthorityKeyIdentifier,
}


class DefectiveLaboratory(Laboratory):
    """A laboratory that makes mistakes on purpose, in what it has issued (with an ECDSA key)."""

    def self_signed(self, issued: Issued) -> Issued:
        """The same leaf, but nobody vouches for it: its own key has signed it."""
        builder = self._copy(issued.certificate, without=(x509.AuthorityKeyIdentifier,))
        certificate = self._sign(builder.issuer_name(issued.certificate.subject), issued.private_key)
        return Issued(certificate, (), issued.private_key, issued.repeatable)

    def without(self, issued: Issued, extension: Extension) -> Issued:
        """The same leaf without one of the extensions that it should have."""
        builder = self._copy(issued.certificate, without=(_EXTENSIONS[extension],))
        certificate = self._sign(builder.issuer_name(self.intermediate.subject), self._intermediate_key)
        return Issued(certificate, issued.issuers, issued.private_key, issued.repeatable)

    def under_intermediate_valid(self, issued: Issued, validity: tuple[float, float]) -> Issued:
        """The same leaf, which is sound, under an intermediate valid from and to then (POSIX seconds)."""
        builder = self._copy(self.intermediate, validity=validity).issuer_name(self.root.subject)
        intermediate = self._sign(builder, self._root_key)
        return Issued(issued.certificate, (intermediate,), issued.private_key, issued.repeatable)

    def forged(self, issued: Issued) -> Issued:
        """The same leaf, which names the intermediate as its issuer, and was signed by another key."""
        builder = self._copy(issued.certificate).issuer_name(self.intermediate.subject)
        certificate = self._sign(builder, make_key("ecdsa", self._seed, "forger key"))
        return Issued(certificate, issued.issuers, issued.private_key, issued.repeatable)

    def mismatched(self, issued: Issued) -> Credential:
        """The same chain, together with the private key of another certificate."""
        chain = (issued.certificate, *issued.issuers)
        credential = _MismatchedCredential(chain, issued.private_key)
        credential.other_key = make_key("ecdsa", self._seed, "other key")
        return credential

    def _copy(
        self,
        certificate: x509.Certificate,
        *,
        without: tuple[type[x509.ExtensionType], ...] = (),
        validity: tuple[float, float] | None = None,
    ) -> x509.CertificateBuilder:
        """All of a certificate but for what is named; its issuer and its signature are the caller's."""
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if validity is not None:
            first, last = (dt.datetime.fromtimestamp(int(moment), dt.UTC) for moment in validity)
        builder = (
            x509.CertificateBuilder()
            .subject_name(certificate.subject)
            .public_key(certificate.public_key())
            .serial_number(certificate.serial_number)
            .not_valid_before(first)
            .not_valid_after(last)
        )
        for extension in certificate.extensions:
            if not isinstance(extension.value, without):
                builder = builder.add_extension(extension.value, extension.critical)
        return builder


class _MismatchedCredential(Credential):
    """It signs with another key than the certificate's: what a server does whose files were mixed up."""

    __slots__ = ("other_key",)

    other_key: PrivateKey

    def sign(self, scheme: SignatureScheme, data: bytes, *, tls12: bool = False) -> bytes:
        return signatures.sign(
            self.other_key, scheme, data, tls12=tls12, public_key=self.other_key.public_key()
        )
