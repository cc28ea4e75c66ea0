"""What pyca's verifier asks besides RFC 5280's algorithm (the profile of the web), as rules to be explained.

pyca decides; these say in words what it minded.
"""

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from pellucid.identity import rules
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
    seen = view.seen(position)
    for extension in seen.extensions:
        if extension.oid not in _READ_BY_PYCA:
            rules.check_not_critical(seen, extension)


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


def _constraint_forms(view: View, position: Position) -> None:
    """What pyca's verifier can hold names against; of the other forms the critical ones stop it."""
    seen = view.seen(position)
    extension = seen.find(x509.NameConstraints)
    if extension is None:
        return
    bases = (*(extension.value.permitted_subtrees or ()), *(extension.value.excluded_subtrees or ()))
    forms = set(map(type, bases))
    for base in bases:
        if isinstance(base, x509.DNSName) and not is_host_name(base.value.lower()):
            seen.refuse_strictly(f"has name constraints on {base.value[:300]!r}, which is no host name")
    if extension.critical and x509.DirectoryName in forms:
        seen.refuse_strictly("has critical name constraints on directory names")
    for place in range(position):
        below = view.seen(place)
        if x509.DNSName in forms:
            _check_host_names(below)
        if x509.UniformResourceIdentifier in forms and _alternatives(below, x509.UniformResourceIdentifier):
            seen.refuse_strictly("has name constraints on URIs, and there are some below it")


def _check_host_names(seen: Seen) -> None:
    for name in _alternatives(seen, x509.DNSName):
        if not is_host_name(name.lower().removeprefix("*.")):
            fault = f"is under name constraints and has the name {name[:300]!r}, which is no host name"
            seen.refuse_strictly(fault)


def _alternatives(seen: Seen, form: type[x509.DNSName | x509.UniformResourceIdentifier]) -> list[str]:
    found = seen.find(x509.SubjectAlternativeName)
    return [] if found is None else found.value.get_values_for_type(form)


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
