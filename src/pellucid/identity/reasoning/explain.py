"""All that can be said of a chain: its candidate paths with every check, and the verdicts of four profiles.

Runs when somebody asks (`pellucid check`), or after a refusal for the trace. Bounded like the search itself:
``MAX_CANDIDATES`` paths of ten certificates, some twenty rules each.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Final, TypeAlias

from cryptography import x509

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import rules
from pellucid.identity.names import ServerName
from pellucid.identity.profile import CERTIFICATE_PROFILES, MAX_INTERMEDIATES
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.diagnose import incomplete
from pellucid.identity.reasoning.model import CandidatePath, Check, PathReport, Verdict
from pellucid.identity.reasoning.openssl import build, openssl_rules, passed_over
from pellucid.identity.reasoning.profiles import rules_of
from pellucid.identity.reasoning.search import (
    MAX_EXPLAINED_SIGNATURES,
    Route,
    find_routes,
)
from pellucid.identity.reasoning.view import Evidence, Rule, View
from pellucid.identity.rules import Purpose
from pellucid.identity.trust import TrustStore
from pellucid.identity.verify import MAX_CHAIN_LENGTH, judge, parse_chain

#: "web" and "private" are ours; "openssl" is OpenSSL 3's default, "python" CPython 3.13's default context.
PROFILES: Final = (*CERTIFICATE_PROFILES, "openssl", "python")

#: The candidate paths, with their checks by the rules of a profile.
Candidates: TypeAlias = Callable[[str], tuple[CandidatePath, ...]]


def explain(
    chain: Sequence[bytes],
    trust: TrustStore,
    purpose: Purpose,
    name: ServerName | None,
    now: float,
    *,
    profiles: Sequence[str] = PROFILES,
    max_chain_length: int = MAX_CHAIN_LENGTH,
) -> PathReport:
    """What ``profiles`` say of a chain (DER, leaf first) at ``now`` (POSIX seconds), and why.

    ``name`` is what the leaf has to be for; None asks for no name. Checks of the candidates are those of the
    first profile. Raises CertificateRejected where a certificate cannot even be parsed, and Misuse
    (``bad_configuration``) for an unknown profile.
    """
    unknown = [profile for profile in profiles if profile not in PROFILES]
    if unknown or not profiles:
        detail = f"certificate profiles are {', '.join(PROFILES)}; {unknown[:1] or 'none'} is not one"
        raise Misuse(Reason.BAD_CONFIGURATION, detail)
    case = Case(parse_chain(chain, max_chain_length), trust, purpose, name, now)
    evidence = Evidence(case, MAX_EXPLAINED_SIGNATURES)
    found = find_routes(evidence)

    @cache
    def candidates(profile: str) -> tuple[CandidatePath, ...]:
        return tuple(_candidate(evidence, route, profile) for route in found.routes)

    verdicts = {profile: _verdict(evidence, profile, candidates) for profile in profiles}
    refusing = [verdict.rule for verdict in verdicts.values()]
    differs = tuple(dict.fromkeys(rule for rule in refusing if rule)) if len(set(refusing)) > 1 else ()
    return PathReport(candidates(profiles[0]), verdicts, differs, found.cut_short)


def _candidate(evidence: Evidence, route: Route, profile: str) -> CandidatePath:
    trusted = route.end == "trusted"
    view = View(evidence, route.path, whole=trusted)
    wanted = _rules(profile, route.path)
    checks = [check for rule in wanted for check in checks_of(rule, view)]
    if not trusted:
        checks.append(_no_anchor(evidence, route))
    return CandidatePath(route.path, route.end, tuple(checks))


def _rules(profile: str, path: Sequence[x509.Certificate]) -> tuple[Rule, ...]:
    if profile not in CERTIFICATE_PROFILES:
        return openssl_rules(profile, len(path))
    return rules_of(profile, len(path), outside_pyca=any(map(rules.is_outside_pyca, path[1:])))


def checks_of(rule: Rule, view: View) -> Iterable[Check]:
    """The rule held against each certificate of the path that it applies to."""
    for position in range(len(view.path)):
        if not rule.applies(view, position):
            continue
        reason = None
        try:
            rule.check(view, position)
        except CertificateRejected as error:
            found, reason = error.detail, error.reason
        else:
            found = rule.found(view, position)
        yield Check(
            rule=rule.name,
            position=position,
            ok=reason is None,
            expected=rule.expected,
            found=found,
            rfc=rule.rfc,
            reason=reason,
        )


def _no_anchor(evidence: Evidence, route: Route) -> Check:
    """Why a path that leads to nothing trusted ends where it does."""
    error = incomplete(evidence, route)
    return Check(
        rule="trust",
        position=len(route.path) - 1,
        ok=False,
        expected="a path to a trusted certificate",
        found=error.detail,
        rfc="RFC 5280 6.1.1 (d)",
        reason=error.reason,
    )


def _verdict(evidence: Evidence, profile: str, candidates: Candidates) -> Verdict:
    try:
        if profile in CERTIFICATE_PROFILES:
            path = _ours(evidence, profile, candidates)
        else:
            path = _openssl(evidence, profile)
    except _Refused as refused:
        error = refused.error
        return Verdict(
            profile=profile, accepted=False, rule=refused.rule, sentence=error.detail, reason=error.reason
        )
    anchor = rules.subject_text(path[-1])
    length = len(path)
    sentence = f'{length} certificates, to the trusted "{anchor}"' if length > 1 else "trusted by itself"
    return Verdict(profile=profile, accepted=True, rule="", sentence=sentence)


class _Refused(Exception):
    def __init__(self, rule: str, error: CertificateRejected) -> None:
        super().__init__(rule, error)
        self.rule = rule
        self.error = error


def _ours(evidence: Evidence, profile: str, candidates: Candidates) -> Sequence[x509.Certificate]:
    """By the very decision that a handshake takes."""
    try:
        return judge(evidence.case, profile)[0]
    except CertificateRejected as error:
        raise _Refused(_rule_of(error, candidates(profile)), error) from error


def _rule_of(error: CertificateRejected, candidates: Iterable[CandidatePath]) -> str:
    """The rule that an error is of: the one whose check says the same."""
    for candidate in candidates:
        for check in candidate.failed:
            if check.found == error.detail:
                return check.rule
    return _WITHOUT_RULE.get(error.reason, "verifier")


# What is asked of a path as a whole, of the search for one, or of certificates that are in none.
_WITHOUT_RULE = {
    Reason.KEY_NOT_PINNED: "pins",
    Reason.CERTIFICATE_CHAIN_TOO_LONG: "search",
    Reason.UNSUPPORTED_CERTIFICATE: "key",
}


def _openssl(evidence: Evidence, profile: str) -> Sequence[x509.Certificate]:
    built = build(evidence, partial_chain=profile == "python")
    # One path, so the signatures of one path.
    view = View(Evidence(evidence.case, MAX_INTERMEDIATES + 3), built.path, whole=built.trusted)
    if not built.trusted:
        unfit = passed_over(evidence, built)
        if unfit is not None:
            raise _Refused("key_cert_sign", unfit)
        raise _Refused("trust", incomplete(evidence, Route(built.path, "no_issuer")))
    for rule in openssl_rules(profile, len(built.path)):
        for position in range(len(built.path)):
            if rule.applies(view, position):
                try:
                    rule.check(view, position)
                except CertificateRejected as error:
                    raise _Refused(rule.name, error) from error
    return built.path
