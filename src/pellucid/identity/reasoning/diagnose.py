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
    found = find_routes(evidence)
    faults = [_faults(evidence, route, profile) for route in found.routes if route.end == "trusted"]
    if not faults:
        if not found.complete:
            detail = "the certificates can be joined in more ways than are followed, and no path was found"
            return CertificateRejected(Reason.CERTIFICATE_CHAIN_TOO_LONG, detail)
        ends = [route for route in found.routes if route.end != "bad_signature"]
        return incomplete(evidence, ends[0] if ends else found.routes[0])
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
    path = route.path[:-1] if route.end == "bad_signature" else route.path
    last, position = path[-1], len(path) - 1
    if route.end == "too_deep":
        detail = f"the path is longer than the {position} certificates that are followed"
        reason = Reason.CERTIFICATE_CHAIN_TOO_LONG
    elif route.end == "loop":
        trust = evidence.case.trust.description
        detail = f"the CAs that were sent certify each other in a circle, and none of them is in {trust}"
        reason = Reason.UNKNOWN_ROOT
    else:
        try:
            reason, detail = _end(evidence, last, position)
        except CertificateRejected as error:
            return error.with_traceback(None)
    return CertificateRejected(reason, detail, certificate=last.public_bytes(Encoding.DER))


def _end(evidence: Evidence, last: x509.Certificate, position: int) -> tuple[Reason, str]:
    """Why nobody is there who could have issued ``last``. Raises CertificateRejected for a key that is too
    costly to find out with, and for a signature of a kind that says nothing.
    """
    case, trust = evidence.case, evidence.case.trust
    where, issuer = rules.where(last, position), rules.issuer_text(last)
    fields = evidence.fields(last)
    if fields.issuer == fields.subject and _signed(evidence, last, last, unknown=False):
        if position == 0:
            detail = f"{where} is signed by its own key, and is not in {trust.description}"
            return Reason.SELF_SIGNED, detail
        return Reason.UNKNOWN_ROOT, f"the path ends at the root {where}, which is not in {trust.description}"
    roots = trust.named(fields.issuer)
    namesakes = [other for other in case.chain if evidence.fields(other).subject == fields.issuer]
    for other in (*roots, *namesakes):
        if rules.is_too_costly(other):
            rules.check_key(other, position + 1)
    # Who may have issued it after all is accused of nothing.
    others = [one for one in (*namesakes, *roots) if not _signed(evidence, last, one, unknown=True)]
    if others:  # of an algorithm that is not accepted no signature was looked at
        rules.check_signature_algorithm(last, position)
    if any(rules.names_key_of(last, other) for other in others):
        detail = f'{where} is not signed by the key of its issuer "{issuer}": it was altered or forged'
        return Reason.BAD_CERTIFICATE, detail
    if any(other in roots for other in others):
        detail = f'{where} was issued by "{issuer}"; {trust.description} has that name with another key'
        return Reason.UNKNOWN_ROOT, detail
    if others:
        return Reason.BAD_CERTIFICATE, f'{where} is not signed by the "{issuer}" that was sent with it'
    if position == 0:
        detail = (
            f'{where} was issued by "{issuer}", which was not sent and is not in {trust.description}: '
            "the peer leaves out an intermediate certificate, or its root is not trusted here"
        )
        return Reason.MISSING_INTERMEDIATE, detail
    detail = f'the path ends at {where}, and its issuer "{issuer}" is not in {trust.description}'
    return Reason.UNKNOWN_ROOT, detail


def _signed(evidence: Evidence, child: x509.Certificate, issuer: x509.Certificate, *, unknown: bool) -> bool:
    """``unknown`` where the search has used up its signatures."""
    try:
        return evidence.signed_by(child, issuer)
    except CertificateRejected:
        return unknown
