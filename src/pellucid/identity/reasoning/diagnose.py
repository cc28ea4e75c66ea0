"""Why a chain was refused: the one reason that is most worth telling, with the certificate and the numbers.

This runs after a refusal, and never decides: whatever it finds, or does not find, the chain stays refused.
Of the paths that lead to a trusted certificate it takes the one with the fewest faults, and tells the first
in the order of the rules, in which a person would mend them. Where no path leads there, it says where they
end.
"""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import rules
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.profiles import rules_of
from pellucid.identity.reasoning.search import (
    MAX_EXPLAINED_SIGNATURES,
    Route,
    find_routes,
)
from pellucid.identity.reasoning.view import Evidence, View
from pellucid.printable import printable


def diagnose(case: Case, refusal: str, profile: str) -> CertificateRejected:
    """The error to raise for a refused chain. ``refusal``: the verifier's words, told if no rule is found."""
    evidence = Evidence(case, MAX_EXPLAINED_SIGNATURES)
    routes = find_routes(evidence).routes
    faults = [_faults(evidence, route, profile) for route in routes if route.end == "trusted"]
    if not faults:
        ends = [route for route in routes if route.end != "bad_signature"]
        end = ends[0] if ends else routes[0]._replace(path=routes[0].path[:-1])
        refusal_of_path = incomplete(evidence, end)
        refusal_of_path.certificate = end.path[-1].public_bytes(Encoding.DER)
        return refusal_of_path
    fewest = min(faults, key=len)
    if fewest:
        return fewest[0]
    return CertificateRejected(
        Reason.CERTIFICATE_REJECTED, f"the path was refused: {printable(refusal, 300)}"
    )


def _faults(evidence: Evidence, route: Route, profile: str) -> list[CertificateRejected]:
    """What a path to a trusted certificate breaks, the most telling first."""
    view = View(evidence, route.path, whole=True)
    outside = any(map(rules.is_outside_pyca, route.path[1:]))
    found = []
    for rule in rules_of(profile, len(route.path), outside_pyca=outside):
        for position in range(len(route.path)):
            if rule.applies(view, position):
                try:
                    rule.check(view, position)
                except CertificateRejected as error:
                    found.append(error.with_traceback(None))
    return found


def incomplete(evidence: Evidence, route: Route) -> CertificateRejected:
    """The path ends before a trusted certificate: what its last one tells about the reason."""
    case, path = evidence.case, route.path
    last, position = path[-1], len(path) - 1
    where, trust = rules.where(last, position), case.trust
    issuer = rules.issuer_text(last)
    fields = evidence.fields(last)
    if fields.issuer == fields.subject and _signed_itself(evidence, last):
        if position == 0:
            detail = f"{where} is signed by its own key, and is not in {trust.description}"
            return CertificateRejected(Reason.SELF_SIGNED, detail)
        detail = f"the path ends at the root {where}, which is not in {trust.description}"
        return CertificateRejected(Reason.UNKNOWN_ROOT, detail)
    namesakes = [other for other in case.chain if evidence.fields(other).subject == fields.issuer]
    roots = trust.named(fields.issuer)
    if any(_key_identifiers_agree(last, other, position) for other in (*namesakes, *roots)):
        detail = f'{where} is not signed by the key of its issuer "{issuer}": it was altered or forged'
        return CertificateRejected(Reason.BAD_CERTIFICATE, detail)
    if roots:
        detail = f'{where} was issued by "{issuer}"; {trust.description} has that name with another key'
        return CertificateRejected(Reason.UNKNOWN_ROOT, detail)
    if namesakes and route.end != "loop":
        detail = f'{where} is not signed by the "{issuer}" that was sent with it'
        return CertificateRejected(Reason.BAD_CERTIFICATE, detail)
    if position == 0:
        detail = (
            f'{where} was issued by "{issuer}", which was not sent and is not in {trust.description}: '
            "the peer leaves out an intermediate certificate, or its root is not trusted here"
        )
        return CertificateRejected(Reason.MISSING_INTERMEDIATE, detail)
    detail = f'the path ends at {where}, and its issuer "{issuer}" is not in {trust.description}'
    return CertificateRejected(Reason.UNKNOWN_ROOT, detail)


def _signed_itself(evidence: Evidence, certificate: x509.Certificate) -> bool:
    try:
        return evidence.signed_by(certificate, certificate)
    except CertificateRejected:  # the search has used up its signatures
        return False


def _key_identifiers_agree(child: x509.Certificate, issuer: x509.Certificate, position: int) -> bool:
    """Whether the child says (authorityKeyIdentifier) that exactly this issuer's key signed it."""
    try:
        wanted = rules.look_at(child, position).find(x509.AuthorityKeyIdentifier)
        present = rules.look_at(issuer, position + 1).find(x509.SubjectKeyIdentifier)
    except CertificateRejected:
        return False
    return wanted is not None and present is not None and wanted.value.key_identifier == present.value.digest
