"""What a certificate has where a rule looks at it, for people: short, in one line, and never an error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from pellucid.errors import CertificateRejected
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.reasoning.constraints import shown_names
from pellucid.identity.usages import usage_name
from pellucid.printable import printable

if TYPE_CHECKING:
    from pellucid.identity.reasoning.view import View

Shows = Callable[["View", int], str]

_EXTENSIONS = {
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "authorityInfoAccess",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    ExtensionOID.KEY_USAGE: "keyUsage",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "subjectAltName",
    ExtensionOID.BASIC_CONSTRAINTS: "basicConstraints",
    ExtensionOID.NAME_CONSTRAINTS: "nameConstraints",
    ExtensionOID.EXTENDED_KEY_USAGE: "extendedKeyUsage",
    ExtensionOID.CERTIFICATE_POLICIES: "certificatePolicies",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "cRLDistributionPoints",
    ExtensionOID.POLICY_CONSTRAINTS: "policyConstraints",
}
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign",
)  # fmt: skip


def extension_name(oid: x509.ObjectIdentifier) -> str:
    """``basicConstraints``, or the dotted number of one without a name here."""
    return _EXTENSIONS.get(oid, oid.dotted_string)


def _forgiving(show: Shows) -> Shows:
    @functools.wraps(show)
    def shown(view: View, position: int) -> str:
        try:
            return printable(show(view, position), 300)
        except (CertificateRejected, *UNDECODABLE):
            return "unreadable"

    return shown


@_forgiving
def extensions(view: View, position: int) -> str:
    return ", ".join(extension_name(one.oid) for one in view.seen(position).extensions) or "none"


@_forgiving
def dates(view: View, position: int) -> str:
    certificate = view.path[position]
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f"valid {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"


@_forgiving
def key(view: View, position: int) -> str:
    public = view.path[position].public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return f"RSA, {public.key_size} bits"
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"on {public.curve.name}"
    return type(public).__name__.removesuffix("PublicKey")


@_forgiving
def signature_algorithm(view: View, position: int) -> str:
    certificate = view.path[position]
    hashed = certificate.signature_hash_algorithm
    name = getattr(certificate.signature_algorithm_oid, "_name", certificate.signature_algorithm_oid)
    return f"{name}" if hashed is None else f"{name} ({hashed.name})"


@_forgiving
def signature(view: View, position: int) -> str:
    if position + 1 == len(view.path):
        return "its issuer is not there"
    return f'verified with the key of "{rules.subject_text(view.path[position + 1])}"'


@_forgiving
def version(view: View, position: int) -> str:
    return view.path[position].version.name


@_forgiving
def basic_constraints(view: View, position: int) -> str:
    found = view.seen(position).find(x509.BasicConstraints)
    if found is None:
        return "no basicConstraints"
    return f"cA {str(found.value.ca).upper()}{', critical' if found.critical else ', not critical'}"


@_forgiving
def path_length(view: View, position: int) -> str:
    found = view.seen(position).find(x509.BasicConstraints)
    limit = None if found is None else found.value.path_length
    return f"{'no limit' if limit is None else limit}, with {position - 1} CA certificates below it"


@_forgiving
def key_usage(view: View, position: int) -> str:
    found = view.seen(position).find(x509.KeyUsage)
    if found is None:
        return "no keyUsage"
    return ", ".join(usage for usage in _USAGES if getattr(found.value, usage)) or "an empty keyUsage"


@_forgiving
def purposes(view: View, position: int) -> str:
    found = view.seen(position).find(x509.ExtendedKeyUsage)
    return "no extendedKeyUsage" if found is None else ", ".join(map(usage_name, found.value))


@_forgiving
def names(view: View, position: int) -> str:
    patterns = rules.patterns_in(view.seen(position))
    return "no subjectAltName" if patterns is None else ", ".join(patterns.names) or "no host name or address"


@_forgiving
def name_constraints(view: View, position: int) -> str:
    found = view.seen(position).find(x509.NameConstraints)
    if found is None:
        return "none"
    permitted, excluded = found.value.permitted_subtrees, found.value.excluded_subtrees
    parts = [f"permitted {shown_names(permitted)}"] if permitted else []
    parts += [f"excluded {shown_names(excluded)}"] if excluded else []
    return "; ".join(parts)


@_forgiving
def issuer(view: View, position: int) -> str:
    return rules.issuer_text(view.path[position])


@_forgiving
def critical(view: View, position: int) -> str:
    found = [extension_name(one.oid) for one in view.seen(position).extensions if one.critical]
    return ", ".join(found) or "none is critical"


@_forgiving
def key_identifiers(view: View, position: int) -> str:
    seen = view.seen(position)
    own, issuers = seen.find(x509.SubjectKeyIdentifier), seen.find(x509.AuthorityKeyIdentifier)
    parts = ["no subjectKeyIdentifier" if own is None else f"subjectKeyIdentifier {own.value.digest.hex()}"]
    if issuers is None:
        return f"{parts[0]}, no authorityKeyIdentifier"
    identifier = issuers.value.key_identifier
    return f"{parts[0]}, authorityKeyIdentifier {'without one' if identifier is None else identifier.hex()}"
