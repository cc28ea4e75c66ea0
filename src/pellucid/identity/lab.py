"""A certificate authority for demonstrations and tests: root, intermediate, and leaves of every kind of key.

Its certificates have what strict verifiers ask for (OpenSSL's -x509_strict, Python's VERIFY_X509_STRICT,
pyca, browsers): version 3, subject and authority key identifiers, basicConstraints critical in CAs,
keyUsage, extendedKeyUsage and subjectAltName in leaves. With a seed everything is the same each time,
serial numbers and signatures included, for the same ``now``; an ML-DSA CA, whose signatures the library
makes with fresh randomness, is the one exception.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from pellucid.codes import SignatureScheme
from pellucid.identity.credentials import Credential
from pellucid.identity.lab_keys import derive, make_key
from pellucid.identity.lab_status import VALID_SECONDS, sign_crl, sign_ocsp_response
from pellucid.identity.private_keys import PrivateKey
from pellucid.identity.revocation.status import Verdict
from pellucid.identity.trust import TrustStore

_DAY = 86_400
#: Certificates begin an hour before ``now``, so that a peer whose clock is a little behind takes them.
_BACKDATED_SECONDS = 3_600
_ROOT_SECONDS = 3_652 * _DAY
_INTERMEDIATE_SECONDS = 1_826 * _DAY
#: Browsers refuse leaves that are valid for more than 398 days; 90 are what public CAs give.
_LEAF_SECONDS = 90 * _DAY
_NAMES = ("localhost", "127.0.0.1", "::1")

# Ed25519, Ed448 and ML-DSA have their hash within.
_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_ECDSA = {
    SignatureScheme.ecdsa_secp256r1_sha256: _HASHES["secp256r1"],
    SignatureScheme.ecdsa_secp384r1_sha384: _HASHES["secp384r1"],
    SignatureScheme.ecdsa_secp521r1_sha512: _HASHES["secp521r1"],
}


class _RepeatableCredential(Credential):
    """Signs the same with ECDSA each time (RFC 6979); RSA-PSS and ML-DSA keep their length at least."""

    __slots__ = ()

    def sign(self, scheme: SignatureScheme, data: bytes, *, tls12: bool = False) -> bytes:
        allowed = self.schemes12 if tls12 else self.schemes
        if isinstance(self._key, ec.EllipticCurvePrivateKey) and scheme in allowed:
            return self._key.sign(data, ec.ECDSA(_ECDSA[scheme], deterministic_signing=True))
        return super().sign(scheme, data, tls12=tls12)


@dataclass(frozen=True, repr=False)
class Issued:
    """A certificate that a laboratory has issued, the CA certificates to send with it, and its key."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    private_key: PrivateKey
    repeatable: bool = False

    @cached_property
    def credential(self) -> Credential:
        """For a server's or client's configuration. With a seed, its ECDSA signatures repeat as well."""
        kind = _RepeatableCredential if self.repeatable else Credential
        return kind.from_objects((self.certificate, *self.issuers), self.private_key)

    @property
    def chain_pem(self) -> bytes:
        """The chain, leaf first, as other programs read it."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.issuers))

    @property
    def key_pem(self) -> bytes:
        """The private key, not encrypted (PKCS #8)."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"Issued({self.certificate.subject.rfc4514_string()!r})"


class Laboratory:
    """A little PKI of its own. ``now`` is POSIX seconds; ``seed`` makes it repeatable, None makes fresh keys.

    ``ca_kind`` is the kind of the CAs' keys. Ed25519, Ed448 and ML-DSA CAs are for showing what private
    PKIs do: browsers and many verifiers refuse them. ``name`` is what the CAs' names begin with.
    """

    def __init__(
        self, seed: bytes | None, now: float, *, ca_kind: str = "ecdsa", name: str = "Pellucid Laboratory"
    ) -> None:
        self._seed = seed
        self._now = int(now)
        self._root_key = make_key(ca_kind, seed, "root key")
        self._intermediate_key = make_key(ca_kind, seed, "intermediate key")
        #: The root's certificate, which peers are to trust.
        self.root = self._ca(f"{name} Root", self._root_key, None, _ROOT_SECONDS, 1)
        #: The CA that issues leaves.
        self.intermediate = self._ca(
            f"{name} Intermediate", self._intermediate_key, self.root, _INTERMEDIATE_SECONDS, 0
        )

    @property
    def root_pem(self) -> bytes:
        """The root for other programs' trust stores."""
        return self.root.public_bytes(Encoding.PEM)

    @property
    def intermediate_pem(self) -> bytes:
        """The intermediate CA's certificate."""
        return self.intermediate.public_bytes(Encoding.PEM)

    @cached_property
    def trust(self) -> TrustStore:
        """Trusts this laboratory's root and nothing else."""
        return TrustStore.from_certificates((self.root,), "the laboratory's trust store")

    def credential(
        self,
        kind: str = "ecdsa",
        names: Sequence[str] = _NAMES,
        purpose: Literal["server", "client"] = "server",
        *,
        issuer: Literal["intermediate", "root"] = "intermediate",
        validity: tuple[float, float] | None = None,
    ) -> Credential:
        """A chain and key, ready to use; see ``issue``."""
        return self.issue(kind, names, purpose, issuer=issuer, validity=validity).credential

    def issue(
        self,
        kind: str = "ecdsa",
        names: Sequence[str] = _NAMES,
        purpose: Literal["server", "client"] = "server",
        *,
        issuer: Literal["intermediate", "root"] = "intermediate",
        validity: tuple[float, float] | None = None,
        must_staple: bool = False,
        ocsp_url: str = "",
    ) -> Issued:
        """A leaf for ``names`` (host names, wildcards, IP addresses) with a key of one of ``lab_keys.KINDS``.

        ``validity`` (POSIX seconds, first and last) replaces the usual 90 days. ``must_staple``: it demands
        that its server staples (RFC 7633). ``ocsp_url``: where it says that its status can be asked for.
        Asked twice for the same, a laboratory with a seed gives the same.
        """
        label = f"{purpose} {kind} {' '.join(names)}" + (" must-staple" if must_staple else "") + ocsp_url
        key = make_key(kind, self._seed, f"{label} key")
        ca, ca_key, sent = (
            (self.intermediate, self._intermediate_key, (self.intermediate,))
            if issuer == "intermediate"
            else (self.root, self._root_key, ())
        )
        usage = ExtendedKeyUsageOID.SERVER_AUTH if purpose == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
        start = self._now - _BACKDATED_SECONDS
        builder = (
            self._builder(
                names[0], ca.subject, f"{label} {issuer}", validity or (start, start + _LEAF_SECONDS)
            )
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_leaf_usage(key), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(authority_key_identifier(ca), critical=False)
        )
        if must_staple:
            builder = builder.add_extension(
                x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False
            )
        if ocsp_url:
            url = x509.UniformResourceIdentifier(ocsp_url)
            responder = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, url)
            builder = builder.add_extension(x509.AuthorityInformationAccess([responder]), critical=False)
        return Issued(self._sign(builder, ca_key), sent, key, repeatable=self._seed is not None)

    def ocsp_response(
        self,
        certificate: x509.Certificate,
        verdict: Verdict = "good",
        *,
        validity: tuple[float, float] | None = None,
    ) -> bytes:
        """What the issuer says of a certificate of this laboratory: a DER OCSP response, to be stapled.

        ``validity``: thisUpdate and nextUpdate, in POSIX seconds; by default a week that began an hour ago.
        """
        ca, key = self._issuer_of(certificate)
        start = self._now - _BACKDATED_SECONDS
        this_update, next_update = validity or (start, start + VALID_SECONDS)
        return sign_ocsp_response(certificate, ca, key, this_update, verdict, next_update=next_update)

    def revocation_list(
        self,
        revoked: Sequence[x509.Certificate] = (),
        *,
        issuer: Literal["intermediate", "root"] = "intermediate",
        validity: tuple[float, float] | None = None,
    ) -> bytes:
        """A CRL, DER, of one of the two authorities; ``validity`` as for ``ocsp_response``."""
        ca, key = (
            (self.intermediate, self._intermediate_key)
            if issuer == "intermediate"
            else (self.root, self._root_key)
        )
        start = self._now - _BACKDATED_SECONDS
        this_update, next_update = validity or (start, start + VALID_SECONDS)
        return sign_crl(ca, key, this_update, revoked, next_update=next_update)

    def _issuer_of(self, certificate: x509.Certificate) -> tuple[x509.Certificate, PrivateKey]:
        if certificate.issuer == self.intermediate.subject:
            return self.intermediate, self._intermediate_key
        return self.root, self._root_key

    def _ca(
        self,
        name: str,
        key: PrivateKey,
        issuer: x509.Certificate | None,
        lifetime_seconds: int,
        path_length: int,
    ) -> x509.Certificate:
        start = self._now - _BACKDATED_SECONDS
        subject = _name(name)
        builder = (
            self._builder(
                name, issuer.subject if issuer else subject, name, (start, start + lifetime_seconds)
            )
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if issuer is not None:
            builder = builder.add_extension(authority_key_identifier(issuer), critical=False)
        return self._sign(builder, self._root_key)

    def _builder(
        self, subject: str, issuer: x509.Name, label: str, validity: tuple[float, float]
    ) -> x509.CertificateBuilder:
        first, last = (dt.datetime.fromtimestamp(int(moment), dt.UTC) for moment in validity)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(issuer)
            .serial_number(self._serial(label))
            .not_valid_before(first)
            .not_valid_after(last)
        )

    def _serial(self, label: str) -> int:
        if self._seed is None:
            return x509.random_serial_number()
        # RFC 5280 4.1.2.2: positive, and at most 20 octets; half of that still never repeats.
        return int.from_bytes(derive(self._seed, f"{label} serial {self._now}", 10)) | 1 << 78

    def _sign(self, builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return builder.sign(key, _HASHES[key.curve.name], ecdsa_deterministic=True)
        return builder.sign(key, hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """What certificates of this issuer say of its key."""
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def _leaf_usage(key: PrivateKey) -> x509.KeyUsage:
    # An RSA key may also be encrypted to, as TLS 1.2's oldest key exchange does.
    return _key_usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPrivateKey))


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
