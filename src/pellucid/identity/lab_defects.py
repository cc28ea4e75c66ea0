"""Certificates that are wrong in one way each, for showing that they are refused.

All else about them is as in ``lab``: what is found is the defect, and no other.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pellucid.codes import SignatureScheme
from pellucid.crypto import signatures
from pellucid.identity.credentials import Credential
from pellucid.identity.der import SEQUENCE, element
from pellucid.identity.lab import Issued, Laboratory, authority_key_identifier
from pellucid.identity.lab_keys import make_key
from pellucid.identity.private_keys import PrivateKey

__all__ = ["DefectiveLaboratory", "Extension"]

#: What a leaf can lack, by RFC 5280's names.
Extension = Literal["subjectAltName", "authorityKeyIdentifier"]
_EXTENSIONS: dict[Extension, type[x509.ExtensionType]] = {
    "subjectAltName": x509.SubjectAlternativeName,
    "authorityKeyIdentifier": x509.AuthorityKeyIdentifier,
}
# RFC 5612 gives the number 32473 to examples, so that it is nobody's.
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00")
_BIT_STRING = 0x03
# RFC 5758 3.2, and RFC 3279 2.2.3: AlgorithmIdentifiers, which have no parameters.
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_ECDSA_WITH_SHA1 = bytes.fromhex("300906072a8648ce3d0401")


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

    def weakly_signed(self, issued: Issued) -> Issued:
        """The same leaf, signed by the same authority, over a digest that collisions are known of (SHA-1)."""
        key = self._intermediate_key
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # or there is no hash to choose
        # The library refuses to make such a certificate, so that the algorithm is changed in a sound one.
        sound = issued.certificate.tbs_certificate_bytes
        fields = sound[element(sound, 0).content :]
        content = _der(SEQUENCE, fields.replace(_ECDSA_WITH_SHA256, _ECDSA_WITH_SHA1, 1))
        algorithm = ec.ECDSA(hashes.SHA1(), deterministic_signing=True)  # noqa: S303 - that is the defect
        signature = _der(_BIT_STRING, b"\0" + key.sign(content, algorithm))
        certificate = x509.load_der_x509_certificate(_der(SEQUENCE, content + _ECDSA_WITH_SHA1 + signature))
        return Issued(certificate, issued.issuers, issued.private_key, issued.repeatable)

    def issued_by_leaf(self, issued: Issued) -> Issued:
        """The same leaf, whose issuer is no authority: another leaf, which is sound, has signed it."""
        other = self.issue("ecdsa", ("other.example",))
        builder = self._copy(issued.certificate, without=(x509.AuthorityKeyIdentifier,))
        builder = builder.issuer_name(other.certificate.subject).add_extension(
            authority_key_identifier(other.certificate), critical=False
        )
        certificate = self._sign(builder, other.private_key)
        chain = (other.certificate, *other.issuers)
        return Issued(certificate, chain, issued.private_key, issued.repeatable)

    def demanding(self, issued: Issued) -> Issued:
        """The same leaf with a critical extension that nobody knows."""
        builder = self._copy(issued.certificate).issuer_name(self.intermediate.subject)
        certificate = self._sign(builder.add_extension(_UNKNOWN, critical=True), self._intermediate_key)
        return Issued(certificate, issued.issuers, issued.private_key, issued.repeatable)

    def under_uncritical_intermediate(self, issued: Issued) -> Issued:
        """The same leaf under an intermediate whose basicConstraints are not marked critical."""
        builder = self._copy(self.intermediate, without=(x509.BasicConstraints,))
        builder = builder.issuer_name(self.root.subject).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=False
        )
        intermediate = self._sign(builder, self._root_key)
        return Issued(issued.certificate, (intermediate,), issued.private_key, issued.repeatable)

    def under_constrained_intermediate(self, issued: Issued) -> Issued:
        """The same leaf under an intermediate that may issue for names below other.example alone."""
        permitted = x509.NameConstraints([x509.DNSName("other.example")], None)
        builder = self._copy(self.intermediate).issuer_name(self.root.subject)
        intermediate = self._sign(builder.add_extension(permitted, critical=True), self._root_key)
        return Issued(issued.certificate, (intermediate,), issued.private_key, issued.repeatable)

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


def _der(tag: int, content: bytes) -> bytes:
    """An element of less than 64 KiB."""
    length = len(content)
    octets = length.to_bytes(1 if length < 0x100 else 2)
    return bytes([tag]) + (octets if length < 0x80 else bytes([0x80 | len(octets)]) + octets) + content


class _MismatchedCredential(Credential):
    """It signs with another key than the certificate's: what a server does whose files were mixed up."""

    __slots__ = ("other_key",)

    other_key: PrivateKey

    def sign(self, scheme: SignatureScheme, data: bytes, *, tls12: bool = False) -> bytes:
        return signatures.sign(
            self.other_key, scheme, data, tls12=tls12, public_key=self.other_key.public_key()
        )
