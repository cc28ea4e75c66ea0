"""What verifiers would say of a chain, as findings: what refuses it, what will, and what was revoked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE, certificate_fields
from pellucid.identity.inspection.model import Finding
from pellucid.identity.names import NamePatterns, ServerName, parse_server_name
from pellucid.identity.reasoning.model import CandidatePath, PathReport
from pellucid.identity.revocation import RevocationLists

# Nobody has it (RFC 6761 6.4): the name to ask for where a certificate has none of its own.
_NOBODY = "name.invalid"
# Time enough to renew it by hand.
_USUAL_DAYS = 14.0


def names_of(leaf: x509.Certificate) -> NamePatterns:
    """What its subjectAltName says; empty where there is none, or a malformed one."""
    try:
        return rules.patterns_in(rules.look_at(leaf, 0)) or NamePatterns()
    except (CertificateRejected, *UNDECODABLE):
        return NamePatterns()


def own_name(leaf: x509.Certificate) -> ServerName:
    """A name that the certificate is for, so that all but the name can be judged: its first that is one.

    With none, its common name: that is what old software would look at.
    """
    for text in (*names_of(leaf).names, *_common_names(leaf), _NOBODY):
        try:
            name = parse_server_name(f"any{text[1:]}" if text.startswith("*.") else text)
        except Misuse:
            continue
        return name
    raise AssertionError(_NOBODY)


def _common_names(leaf: x509.Certificate) -> list[str]:
    try:
        return [str(one.value) for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except UNDECODABLE:
        return []


def refusals(reports: Mapping[str, PathReport], best: CandidatePath | None) -> Iterator[Finding]:
    """What the profiles refuse, each reason once with all that have it. A verifier stops at the first thing
    that is wrong; so after that, what else is wrong with the best path.
    """
    told: set[str] = set()
    for report in reports.values():
        by_reason: dict[str, list[tuple[str, str]]] = {}
        for verdict in report.verdicts.values():
            if verdict.reason is not None:
                by_reason.setdefault(verdict.reason, []).append((verdict.profile, verdict.sentence))
        for reason, said in by_reason.items():
            sentence = said[0][1]
            if sentence not in told:
                told |= {one for _, one in said}
                yield Finding(reason, _of_nobody(sentence), profiles=tuple(profile for profile, _ in said))
    if best is not None:
        for check in best.failed:
            if check.reason is not None and check.found not in told:
                told.add(check.found)
                yield Finding(check.reason, _of_nobody(check.found))


def _of_nobody(sentence: str) -> str:
    """Without the name that only this module has asked for."""
    return sentence.replace(f", not for {_NOBODY}", ", which is no name that a server can have")


def soon_over(path: Sequence[x509.Certificate], now: float, within_days: float | None) -> Iterator[Finding]:
    """Certificates that end within so many days. None: 14, or a third of their life where that is shorter,
    for some live for six days and are renewed every second one.
    """
    moment = rules.moment_of(now)
    within = timedelta(days=_USUAL_DAYS if within_days is None else within_days)
    for position, certificate in enumerate(path):
        end = certificate.not_valid_after_utc
        life = end - certificate.not_valid_before_utc
        left = end - moment
        if timedelta() < left < (min(within, life / 3) if within_days is None else within):
            when = f"{rules.where(certificate, position)} expires in {rules.span(left)}"
            fix = "Renew it; and where that should have happened by itself, see why it did not."
            yield Finding("expires_soon", f"{when}, on {end:%Y-%m-%d %H:%M:%S} UTC", fix=fix)


def revoked(path: Sequence[x509.Certificate], lists: RevocationLists, now: float) -> Iterator[Finding]:
    """Certificates of the path that one of the lists has; and lists that would say so and cannot be used."""
    for position, (certificate, issuer) in enumerate(pairwise(path)):
        name = certificate_fields(certificate.public_bytes(Encoding.DER)).issuer
        for one in lists.issued_by(name):
            try:
                status = one.status_of(certificate, issuer, now)
            except CertificateRejected as error:
                yield Finding(error.reason, error.detail)
                continue
            if status.verdict == "revoked":
                where = rules.where(certificate, position)
                yield Finding(Reason.CERTIFICATE_REVOKED, f"{where} is {status}")
