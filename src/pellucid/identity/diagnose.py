"""Why a chain was refused: the one reason that is most worth telling, with the certificate and the numbers.

This runs after a refusal, and never decides: whatever it finds, or does not find, the chain stays refused.
It walks from the leaf towards a root by names and signatures, then holds the rules against the path in the
order in which a person would mend them: is the path whole, is it in date, are its keys good, may its CAs
issue, is it for this purpose and this name, and last what only the strict profile asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import rules
from pellucid.identity.der import CertificateFields, certificate_fields
from pellucid.identity.names import ServerName
from pellucid.identity.path import EMPTY_NAME, signed_by
from pellucid.identity.rules import OUTSIDE_PYCA_OIDS, Purpose, Seen
from pellucid.identity.trust import TrustStore
from pellucid.printable import printable

# The extensions that pyca's verifier reads; it refuses any other that is critical.
_READ_BY_PYCA = {
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "authorityInfoAccess",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    ExtensionOID.KEY_USAGE: "keyUsage",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "subjectAltName",
    ExtensionOID.BASIC_CONSTRAINTS: "basicConstraints",
    ExtensionOID.NAME_CONSTRAINTS: "nameConstraints",
    ExtensionOID.EXTENDED_KEY_USAGE: "extendedKeyUsage",
}
_NEVER_CRITICAL = frozenset(
    {
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.EXTENDED_KEY_USAGE,
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """What was asked: the parsed chain as sent, and what it was to be good for."""

    chain: Sequence[x509.Certificate]
    trust: TrustStore
    purpose: Purpose
    name: ServerName | None
    now: float


@dataclass(frozen=True, slots=True)
class _Walk:
    """How far the chain leads: the certificates in order, and whether the last is trusted."""

    path: tuple[x509.Certificate, ...]
    trusted: bool


def diagnose(case: Case, refusal: str) -> CertificateRejected:
    """The error to raise for a refused chain. ``refusal``: the verifier's words, told if no rule is found."""
    try:
        walk = _walk(case)
        if not walk.trusted:
            refusal_of_path = _incomplete(case, walk)
            refusal_of_path.certificate = walk.path[-1].public_bytes(Encoding.DER)
            return refusal_of_path
        _check_rules(case, walk)
    except CertificateRejected as finding:
        return finding.with_traceback(None)
    return CertificateRejected(
        Reason.CERTIFICATE_REJECTED, f"the path was refused: {printable(refusal, 300)}"
    )


def _walk(case: Case) -> _Walk:
    path = [case.chain[0]]
    while path[-1] not in case.trust:
        child = path[-1]
        issuer_name = _fields(child).issuer
        root = next((root for root in case.trust.named(issuer_name) if signed_by(child, root)), None)
        if root is not None:
            return _Walk((*path, root), trusted=True)
        sent = [
            other for other in case.chain[1:] if other not in path and _fields(other).subject == issuer_name
        ]
        issuer = next((other for other in sent if signed_by(child, other)), None)
        if issuer is None:
            return _Walk(tuple(path), trusted=False)
        path.append(issuer)
    return _Walk(tuple(path), trusted=True)


def _fields(certificate: x509.Certificate) -> CertificateFields:
    return certificate_fields(certificate.public_bytes(Encoding.DER))


def _incomplete(case: Case, walk: _Walk) -> CertificateRejected:
    """The path ends before a trusted root: what its last certificate tells about the reason."""
    last = walk.path[-1]
    position = len(walk.path) - 1
    where = rules.where(last, position)
    issuer = rules.issuer_text(last)
    fields = _fields(last)
    if fields.issuer == fields.subject and signed_by(last, last):
        if position == 0:
            detail = f"{where} is signed by its own key, and is not in {case.trust.description}"
            return CertificateRejected(Reason.SELF_SIGNED, detail)
        detail = f"the path ends at the root {where}, which is not in {case.trust.description}"
        return CertificateRejected(Reason.UNKNOWN_ROOT, detail)
    namesakes = [other for other in case.chain if _fields(other).subject == fields.issuer]
    roots = case.trust.named(fields.issuer)
    if any(_key_identifiers_agree(last, other, position) for other in (*namesakes, *roots)):
        detail = f'{where} is not signed by the key of its issuer "{issuer}": it was altered or forged'
        return CertificateRejected(Reason.BAD_CERTIFICATE, detail)
    if roots:
        detail = f'{where} was issued by "{issuer}"; {case.trust.description} has that name with another key'
        return CertificateRejected(Reason.UNKNOWN_ROOT, detail)
    if namesakes:
        detail = f'{where} is not signed by the "{issuer}" that was sent with it'
        return CertificateRejected(Reason.BAD_CERTIFICATE, detail)
    if position == 0:
        detail = (
            f'{where} was issued by "{issuer}", which was not sent and is not in {case.trust.description}: '
            "the peer leaves out an intermediate certificate, or its root is not trusted here"
        )
        return CertificateRejected(Reason.MISSING_INTERMEDIATE, detail)
    detail = f'the path ends at {where}, and its issuer "{issuer}" is not in {case.trust.description}'
    return CertificateRejected(Reason.UNKNOWN_ROOT, detail)


def _key_identifiers_agree(child: x509.Certificate, issuer: x509.Certificate, position: int) -> bool:
    """Whether the child says (authorityKeyIdentifier) that exactly this issuer's key signed it."""
    wanted = rules.look_at(child, position).find(x509.AuthorityKeyIdentifier)
    present = rules.look_at(issuer, position + 1).find(x509.SubjectKeyIdentifier)
    return wanted is not None and present is not None and wanted.value.key_identifier == present.value.digest


def _check_rules(case: Case, walk: _Walk) -> None:
    """Raises CertificateRejected for the first rule that the whole path breaks."""
    for position, certificate in enumerate(walk.path):
        rules.check_dates(certificate, position, case.now)
    for position, certificate in enumerate(walk.path):
        rules.check_key(certificate, position)
        # The root's own signature is not looked at: it is trusted for being in the store.
        if certificate not in case.trust:
            rules.check_signature_algorithm(certificate, position)
    seen = [rules.look_at(certificate, position) for position, certificate in enumerate(walk.path)]
    leaf, issuers = seen[0], seen[1:]
    for one in seen:
        rules.check_version(one)
    for issuer in issuers:
        rules.check_may_issue(issuer, issuer.position - 1)
    rules.check_leaf_usage(leaf, case.purpose)
    for one in seen:
        rules.check_purpose(one, case.purpose)
    if case.name is not None:
        rules.check_name(leaf, case.name)
    rules.check_is_leaf(leaf)
    for issuer in issuers:
        rules.check_strict_ca(issuer)
    if any(issuer.certificate.public_key_algorithm_oid in OUTSIDE_PYCA_OIDS for issuer in issuers):
        _check_rest_of_ours(seen)
    else:
        _check_rest_of_pycas(seen)


def _check_rest_of_ours(seen: Sequence[Seen]) -> None:
    for issuer in seen[1:]:
        rules.check_no_name_constraints(issuer)
    for one in seen:
        rules.check_critical_extensions(one)


def _check_rest_of_pycas(seen: Sequence[Seen]) -> None:
    for one in seen:
        for extension in one.extensions:
            _check_criticality(one, extension)
    for one in seen:
        identifier = one.find(x509.AuthorityKeyIdentifier)
        if identifier is None:
            if one.position == 0:
                one.refuse_strictly("has no authorityKeyIdentifier")
        elif one.position and (
            identifier.value.key_identifier is None or identifier.value.authority_cert_issuer is not None
        ):
            one.refuse_strictly("is a CA's, and its authorityKeyIdentifier is not a keyIdentifier alone")


def _check_criticality(one: Seen, extension: x509.Extension[x509.ExtensionType]) -> None:
    name = _READ_BY_PYCA.get(extension.oid)
    if name is None:
        rules.check_not_critical(one, extension)
    if extension.critical and extension.oid in _NEVER_CRITICAL:
        one.refuse_strictly(f"marks {name} critical")
    if one.position:
        return
    if extension.oid == ExtensionOID.NAME_CONSTRAINTS:
        one.refuse_strictly("is a leaf and has name constraints")
    if extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
        has_subject = _fields(one.certificate).subject != EMPTY_NAME
        if extension.critical and has_subject:
            one.refuse_strictly("marks subjectAltName critical, though it has a subject")
        if not extension.critical and not has_subject:
            one.refuse_strictly("does not mark subjectAltName critical, though it has no subject")
