"""What one certificate must satisfy: a rule a function, which names reason and certificate when it fails.

``reasoning/`` reads these: what decides accepts a path only if all rules of a profile hold, and what explains
finds out which ones a path breaks. Positions count from the leaf, which is certificate 0.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple, NoReturn, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import (
    ExtendedKeyUsageOID,
    ExtensionOID,
    PublicKeyAlgorithmOID,
    SignatureAlgorithmOID,
)

from pellucid.crypto import signatures
from pellucid.errors import CertificateRejected, Reason
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.keys import PublicKey, check_public_key
from pellucid.identity.names import NamePatterns, ServerName, patterns_of
from pellucid.identity.usages import usage_name
from pellucid.printable import printable

ExtensionValue = TypeVar("ExtensionValue", bound=x509.ExtensionType)

# Keys that pyca's verifier refuses in a CA: chains through them are judged by ``reasoning/``.
OUTSIDE_PYCA_OIDS = frozenset(
    {
        PublicKeyAlgorithmOID.ED25519,
        PublicKeyAlgorithmOID.ED448,
        SignatureAlgorithmOID.ML_DSA_44,
        SignatureAlgorithmOID.ML_DSA_65,
        SignatureAlgorithmOID.ML_DSA_87,
    }
)


def is_outside_pyca(certificate: x509.Certificate) -> bool:
    """Whether it has a key that pyca's verifier refuses in a CA."""
    return certificate.public_key_algorithm_oid in OUTSIDE_PYCA_OIDS


RSA_OIDS = frozenset({PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5, PublicKeyAlgorithmOID.RSASSA_PSS})

SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.ED25519,
        SignatureAlgorithmOID.ED448,
        SignatureAlgorithmOID.ML_DSA_44,
        SignatureAlgorithmOID.ML_DSA_65,
        SignatureAlgorithmOID.ML_DSA_87,
    }
)
_WEAK_HASHES = frozenset({"md5", "sha1", "sha224"})

#: The critical extensions that these rules read. RFC 5280 4.2: any other critical one means "reject".
UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)


class Purpose(Enum):
    """What a leaf is presented for."""

    SERVER = "server"
    #: A server's whose key does not sign but is encrypted to: RSA key exchange of TLS 1.2.
    KEY_EXCHANGE = "key exchange"
    CLIENT = "client"

    @property
    def oid(self) -> x509.ObjectIdentifier:
        """The extended key usage (RFC 5280 4.2.1.12) that stands for it."""
        return ExtendedKeyUsageOID.CLIENT_AUTH if self is Purpose.CLIENT else ExtendedKeyUsageOID.SERVER_AUTH


class Seen(NamedTuple):
    """A certificate, where it stands in its path, and its extensions, decoded."""

    certificate: x509.Certificate
    position: int
    extensions: x509.Extensions

    def find(self, kind: type[ExtensionValue]) -> x509.Extension[ExtensionValue] | None:
        """The extension of this type, or None."""
        try:
            return self.extensions.get_extension_for_class(kind)
        except x509.ExtensionNotFound:
            return None

    def refuse(self, reason: Reason, fault: str) -> NoReturn:
        """Raises CertificateRejected; ``fault`` follows the certificate's name in the sentence."""
        refuse(self.certificate, self.position, reason, fault)

    def refuse_strictly(self, fault: str) -> NoReturn:
        """Raises CertificateRejected for a fault that only strict verifiers mind."""
        profile = "lenient verifiers accept that, the strict profile (RFC 5280, CA/Browser Forum) does not"
        self.refuse(Reason.STRICT_PROFILE_ONLY, f"{fault}; {profile}")


def refuse(certificate: x509.Certificate, position: int, reason: Reason, fault: str) -> NoReturn:
    """Raises CertificateRejected whose detail is the certificate's place and subject, and its fault."""
    der = certificate.public_bytes(Encoding.DER)
    raise CertificateRejected(reason, f"{where(certificate, position)} {fault}", certificate=der)


def where(certificate: x509.Certificate, position: int) -> str:
    """How sentences name a certificate of a path: ``certificate 1 ("CN=Lab Intermediate")``."""
    return f'certificate {position} ("{subject_text(certificate)}")'


def subject_text(certificate: x509.Certificate) -> str:
    """The subject for people: one line of printable characters, whatever the peer wrote into it."""
    return _name_text(lambda: certificate.subject)


def issuer_text(certificate: x509.Certificate) -> str:
    """The issuer for people, likewise."""
    return _name_text(lambda: certificate.issuer)


def _name_text(name: Callable[[], x509.Name]) -> str:
    try:
        return printable(name().rfc4514_string()) or "empty name"
    except UNDECODABLE:
        return "unreadable name"


def look_at(certificate: x509.Certificate, position: int) -> Seen:
    """Decodes the extensions. Raises CertificateRejected where they are malformed or one stands twice."""
    try:
        return Seen(certificate, position, certificate.extensions)
    except UNDECODABLE as error:
        refuse(certificate, position, Reason.BAD_CERTIFICATE, f"has malformed extensions: {error}")


def names_key_of(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the child says (authorityKeyIdentifier) that exactly this issuer's key signed it."""
    try:
        wanted = look_at(child, 0).find(x509.AuthorityKeyIdentifier)
        present = look_at(issuer, 1).find(x509.SubjectKeyIdentifier)
    except CertificateRejected:
        return False
    return wanted is not None and present is not None and wanted.value.key_identifier == present.value.digest


def moment_of(now: float) -> datetime:
    """POSIX seconds as the whole second that validity is compared at."""
    return datetime.fromtimestamp(int(now), UTC)


def check_dates(certificate: x509.Certificate, position: int, now: float) -> None:
    """RFC 5280 4.1.2.5: both ends of the validity period belong to it."""
    moment = moment_of(now)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if moment > end:
        fault = f"expired {span(moment - end)} ago: it was valid until {_utc(end)}, and now is {_utc(moment)}"
        refuse(certificate, position, Reason.CERTIFICATE_EXPIRED, fault)
    if moment < start:
        fault = (
            f"is not valid for another {span(start - moment)}: from {_utc(start)}, and now is {_utc(moment)}"
        )
        refuse(certificate, position, Reason.CERTIFICATE_NOT_YET_VALID, fault)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def span(time: timedelta) -> str:
    """A positive span in its largest whole unit: "3 days"."""
    seconds = int(time.total_seconds())
    unit, size = next(
        (unit, size)
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
        if seconds >= size
    )
    count = seconds // size
    return f"{count} {unit}{'s' if count > 1 else ''}"


def check_key(certificate: x509.Certificate, position: int) -> PublicKey:
    """The public key, if it is of a kind and size that TLS signatures are checked with here."""
    try:
        key = certificate.public_key()
    except UNDECODABLE as error:
        fault = f"has a public key that cannot be used: {error}"
        refuse(certificate, position, Reason.UNSUPPORTED_CERTIFICATE, fault)
    try:
        return check_public_key(key)
    except CertificateRejected as error:
        refuse(certificate, position, error.reason, f"has {error.detail}")


def has_pss_key(certificate: x509.Certificate) -> bool:
    """Whether the key is id-RSASSA-PSS, which may sign rsa_pss_pss_* only (RFC 9846 4.3.3)."""
    return certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS


def is_too_costly(certificate: x509.Certificate) -> bool:
    """Whether checking a signature by its key takes longer than a peer may make us work."""
    try:
        key = certificate.public_key()
    except UNDECODABLE:
        return False
    return signatures.is_too_costly(key)


def check_signature_algorithm(certificate: x509.Certificate, position: int) -> None:
    """RFC 9846 4.5.1.3: no signature that has to be validated is made with MD5 or SHA-1."""
    try:
        hash_algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm as error:
        fault = f"is signed with an unknown algorithm: {error}"
        refuse(certificate, position, Reason.UNSUPPORTED_CERTIFICATE, fault)
    if hash_algorithm is not None and hash_algorithm.name in _WEAK_HASHES:
        fault = f"is signed with the broken or short hash {hash_algorithm.name}"
        refuse(certificate, position, Reason.WEAK_KEY, fault)
    if certificate.signature_algorithm_oid not in SIGNATURES:
        oid = certificate.signature_algorithm_oid.dotted_string
        fault = f"is signed with the algorithm {oid}, which is not accepted"
        refuse(certificate, position, Reason.UNSUPPORTED_CERTIFICATE, fault)


def check_version(seen: Seen) -> None:
    """RFC 9846 4.5.1.2: "The certificate type MUST be X.509v3"."""
    version = seen.certificate.version
    if version is not x509.Version.v3:
        seen.refuse(Reason.UNSUPPORTED_CERTIFICATE, f"is X.509 {version.name}; only v3 is accepted")


def check_critical_extensions(seen: Seen, understood: Collection[x509.ObjectIdentifier] = UNDERSTOOD) -> None:
    """Refuses every critical extension but those ``understood``: by default, those that rules here read."""
    for extension in seen.extensions:
        if extension.critical and extension.oid not in understood:
            # RFC 5280 4.2: "reject the certificate if it encounters a critical extension it does not
            # recognize".
            fault = f"has the critical extension {extension.oid.dotted_string}, which is not understood"
            seen.refuse(Reason.UNSUPPORTED_CERTIFICATE, fault)


def check_leaf_is_no_ca(seen: Seen) -> None:
    """The strict profiles want a leaf that is no CA. OpenSSL's default takes a CA's certificate as well."""
    if is_ca(seen):
        seen.refuse_strictly("is a CA's (basicConstraints cA) and is used as a leaf")


def check_leaf_signs_no_certificates(seen: Seen) -> None:
    """The same, by its keyUsage."""
    usage = seen.find(x509.KeyUsage)
    if usage is not None and usage.value.key_cert_sign:
        seen.refuse_strictly("is a leaf, and its keyUsage has keyCertSign")


def check_constraints_critical(seen: Seen) -> None:
    """RFC 5280 4.2.1.9: CAs "MUST mark the extension as critical in such certificates"."""
    constraints = seen.find(x509.BasicConstraints)
    if constraints is not None and not constraints.critical:
        seen.refuse_strictly("is a CA's, and its basicConstraints are not marked critical")


def check_ca_has_key_usage(seen: Seen) -> None:
    """RFC 5280 4.2.1.3: a CA that issues certificates has keyUsage."""
    if seen.find(x509.KeyUsage) is None:
        seen.refuse_strictly("is a CA's, and has no keyUsage")


def may_sign(seen: Seen) -> bool:
    """Whether keyUsage, where there is one, has digitalSignature."""
    usage = seen.find(x509.KeyUsage)
    return usage is None or usage.value.digital_signature


def may_encipher_keys(seen: Seen) -> bool:
    """Whether keyUsage, where there is one, has keyEncipherment."""
    usage = seen.find(x509.KeyUsage)
    return usage is None or usage.value.key_encipherment


def check_leaf_usage(seen: Seen, purpose: Purpose) -> None:
    """The leaf's keyUsage must allow what its key is to do, where it says anything."""
    if purpose is Purpose.KEY_EXCHANGE:
        # RFC 5246 7.4.2: "the keyEncipherment bit MUST be set if the key usage extension is present"
        if not may_encipher_keys(seen):
            seen.refuse(Reason.WRONG_PURPOSE, "may not be encrypted to: its keyUsage lacks keyEncipherment")
    # RFC 9846 4.5.1.2: "the digitalSignature bit MUST be set if the Key Usage extension is present"
    elif not may_sign(seen):
        seen.refuse(Reason.WRONG_PURPOSE, "may not sign: its keyUsage lacks digitalSignature")


def check_encryption_key(certificate: x509.Certificate, position: int) -> None:
    """The key must be one that a premaster secret can be encrypted to: RSA, and not for signatures alone."""
    if certificate.public_key_algorithm_oid != PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5:
        fault = "has no key of the kind rsaEncryption, and the server chose to have a secret encrypted to it"
        refuse(certificate, position, Reason.UNSUPPORTED_CERTIFICATE, fault)


def check_purpose(seen: Seen, purpose: Purpose) -> None:
    """extendedKeyUsage, where there is one, must name the purpose; in a CA, any purpose will do as well."""
    extension = seen.find(x509.ExtendedKeyUsage)
    if extension is None:
        return
    allowed = set(extension.value)
    any_will_do = seen.position > 0 and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in allowed
    if purpose.oid not in allowed and not any_will_do:
        found = printable(", ".join(usage_name(usage) for usage in extension.value), 300)
        seen.refuse(Reason.WRONG_PURPOSE, f"is for {found}, not for {usage_name(purpose.oid)}")


def is_ca(seen: Seen) -> bool:
    """Whether basicConstraints say cA."""
    constraints = seen.find(x509.BasicConstraints)
    return constraints is not None and constraints.value.ca


def check_is_ca(seen: Seen) -> None:
    """RFC 5280 4.2.1.9: a key whose certificate lacks cA "MUST NOT be used to verify certificate
    signatures".
    """
    if not is_ca(seen):
        fault = "issued the one below it and is no CA's: its basicConstraints do not say cA"
        seen.refuse(Reason.ISSUER_NOT_A_CA, fault)


def check_path_length(seen: Seen, below: int) -> None:
    """That it may have ``below`` other CA certificates between it and the leaf."""
    constraints = seen.find(x509.BasicConstraints)
    limit = None if constraints is None else constraints.value.path_length
    if limit is not None and below > limit:
        fault = f"allows {limit} CA certificates below it (pathLenConstraint), and has {below}"
        seen.refuse(Reason.ISSUER_NOT_A_CA, fault)


def check_signs_certificates(seen: Seen) -> None:
    """RFC 5280 6.1.4 (n): "If a key usage extension is present, verify that the keyCertSign bit is set"."""
    usage = seen.find(x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        fault = "issued the one below it, and its keyUsage lacks keyCertSign"
        seen.refuse(Reason.ISSUER_NOT_A_CA, fault)


def check_name(seen: Seen, name: ServerName) -> None:
    """That one of the leaf's subjectAltName entries is ``name``. The common name does not count."""
    patterns = patterns_in(seen)
    if patterns is None:
        fault = "has no subjectAltName, so it names no server; its common name does not count"
        seen.refuse(Reason.NO_SUBJECT_ALTERNATIVE_NAME, fault)
    if not patterns.match(name):
        listed = printable(", ".join(patterns.names), 300) or "no host name or address"
        near = patterns.near_miss(name)
        hint = f" ({printable(near, 300)})" if near else ""
        seen.refuse(Reason.HOSTNAME_MISMATCH, f"is for {listed}, not for {name}{hint}")


def patterns_in(seen: Seen) -> NamePatterns | None:
    """The names in the certificate's subjectAltName, or None where it has none."""
    extension = seen.find(x509.SubjectAlternativeName)
    return None if extension is None else patterns_of(extension.value)
