"""What pyca's verifier asks besides RFC 5280's algorithm (the profile of the web), as rules to be explained.

pyca decides; these say in words what it minded.
"""

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtensionOID

from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.names import is_host_name
from pellucid.identity.reasoning import shown
from pellucid.identity.reasoning.view import EMPTY_NAME, Position, Rule, View
from pellucid.identity.rules import Seen

# The extensions that pyca's verifier reads; it refuses any other that is critical.
_READ_BY_PYCA = frozenset(
    {
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
    }
)
_NEVER_CRITICAL = frozenset(
    {
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.EXTENDED_KEY_USAGE,
    }
)


def _unknown_critical(view: View, position: Position) -> None:
    rules.check_critical_extensions(view.seen(position), _READ_BY_PYCA)


def _criticality(view: View, position: Position) -> None:
    seen = view.seen(position)
    for extension in seen.extensions:
        if extension.critical and extension.oid in _NEVER_CRITICAL:
            seen.refuse_strictly(f"marks {shown.extension_name(extension.oid)} critical")


def _leaf_extensions(view: View, position: Position) -> None:
    seen = view.seen(position)
    if seen.find(x509.NameConstraints) is not None:
        seen.refuse_strictly("is a leaf and has name constraints")
    alternative = seen.find(x509.SubjectAlternativeName)
    if alternative is None:
        return
    has_subject = view.evidence.fields(seen.certificate).subject != EMPTY_NAME
    # RFC 5280 4.2.1.6: with an empty subject "the issuing CA MUST include a subjectAltName extension that is
    # marked as critical"
    if alternative.critical and has_subject:
        seen.refuse_strictly("marks subjectAltName critical, though it has a subject")
    if not alternative.critical and not has_subject:
        seen.refuse_strictly("does not mark subjectAltName critical, though it has no subject")


def _authority_key_identifier(view: View, position: Position) -> None:
    seen = view.seen(position)
    identifier = seen.find(x509.AuthorityKeyIdentifier)
    if identifier is None:
        if position == 0:
            seen.refuse_strictly("has no authorityKeyIdentifier")
    elif position and (
        identifier.value.key_identifier is None or identifier.value.authority_cert_issuer is not None
    ):
        seen.refuse_strictly("is a CA's, and its authorityKeyIdentifier is not a keyIdentifier alone")


def _signature_parameters(view: View, position: Position) -> None:
    """Of RSASSA-PSS, those that TLS's own signatures have (RFC 9846 4.3.3)."""
    certificate = view.path[position]
    try:
        used = certificate.signature_algorithm_parameters
        hashed = certificate.signature_hash_algorithm
    except UNDECODABLE:
        return  # another rule's business
    if not isinstance(used, padding.PSS) or hashed is None:
        return
    if used.mgf._algorithm.name != hashed.name or used._salt_length != hashed.digest_size:
        fault = f"is signed with RSASSA-PSS by {hashed.name}, and its mask or salt is of another hash"
        view.seen(position).refuse_strictly(fault)


def _constraint_forms(view: View, position: Position) -> None:
    """What pyca's verifier can hold names against; of the other forms the critical ones stop it."""
    seen = view.seen(position)
    extension = seen.find(x509.NameConstraints)
    if extension is None:
        return
    bases = (*(extension.value.permitted_subtrees or ()), *(extension.value.excluded_subtrees or ()))
    forms = set(map(type, bases))
    if extension.critical and x509.DirectoryName in forms:
        seen.refuse_strictly("has critical name constraints on directory names")
    broken = {type(base): base.value for base in bases if not _is_of_a_host(base)}
    for place in range(position):
        below = view.seen(place)
        for form, text in broken.items():
            if _alternatives(below, form):
                seen.refuse_strictly(f"has name constraints on {text[:300]!r}, which is no host name")
        if x509.DNSName in forms:
            _check_host_names(below)
        if x509.UniformResourceIdentifier in forms and _alternatives(below, x509.UniformResourceIdentifier):
            seen.refuse_strictly("has name constraints on URIs, and there are some below it")


def _is_of_a_host(base: x509.GeneralName) -> bool:
    """Whether a constraint on host names or mail is on a host name, as far as its form is one of these."""
    if isinstance(base, x509.DNSName):
        return is_host_name(base.value.lower())
    if isinstance(base, x509.RFC822Name):
        host = base.value.rpartition("@")[2].removeprefix(".").lower()
        return not host or is_host_name(host)
    return True


def _check_host_names(seen: Seen) -> None:
    name = _no_host_name(seen.certificate)
    if name is not None:
        fault = f"is under name constraints and has the name {name[:300]!r}, which is no host name"
        seen.refuse_strictly(fault)


@lru_cache(maxsize=64)
def _no_host_name(certificate: x509.Certificate) -> str | None:
    """The first of its names that is none. Asked once for each path that it is in, and there may be thousands
    of names.
    """
    names = _alternatives(rules.look_at(certificate, 0), x509.DNSName)
    return next((name for name in names if not is_host_name(name.lower().removeprefix("*."))), None)


def _alternatives(seen: Seen, form: type[x509.GeneralName]) -> list[str]:
    found = seen.find(x509.SubjectAlternativeName)
    return [] if found is None else [str(name.value) for name in found.value if isinstance(name, form)]


SIGNATURE_PARAMETERS = Rule(
    "signature_parameters", "below anchor", "RFC 4055 3.1", "RSASSA-PSS, if any, with one hash in all of it",
    _signature_parameters, shown.signature_algorithm)  # fmt: skip
CONSTRAINT_FORMS = Rule(
    "name_constraint_forms", "issuers", "RFC 5280 4.2.1.10", "name constraints on host names and addresses",
    _constraint_forms, shown.name_constraints)  # fmt: skip
UNKNOWN_CRITICAL = Rule(
    "critical_extensions", "all", "RFC 5280 4.2", "no critical extension that is not understood",
    _unknown_critical, shown.critical)  # fmt: skip
CRITICALITY = Rule("criticality", "all", "RFC 5280 4.2.1", "identifiers and purposes not marked critical",
                   _criticality, shown.critical)  # fmt: skip
LEAF_EXTENSIONS = Rule(
    "leaf_extensions", "leaf", "RFC 5280 4.2.1.6",
    "no name constraints; subjectAltName critical where, and only where, there is no subject",
    _leaf_extensions, shown.critical)  # fmt: skip
AUTHORITY_KEY_IDENTIFIER = Rule(
    "authority_key_identifier", "all", "RFC 5280 4.2.1.1",
    "an authorityKeyIdentifier in the leaf; in a CA, if any, a keyIdentifier alone",
    _authority_key_identifier, shown.key_identifiers)  # fmt: skip
