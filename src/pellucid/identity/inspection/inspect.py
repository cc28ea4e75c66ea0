"""From what was read to what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import rules
from pellucid.identity.inspection.assembly import chain_of, leaves_of, order_findings
from pellucid.identity.inspection.judging import names_of, own_name, refusals, revoked, soon_over
from pellucid.identity.inspection.model import ChainReport, Finding, Found, FoundKey, note
from pellucid.identity.inspection.reading import Material, forgiving
from pellucid.identity.names import ServerName, parse_server_name
from pellucid.identity.reasoning.explain import PROFILES, explain
from pellucid.identity.reasoning.model import PathReport
from pellucid.identity.revocation import RevocationLists, must_staple
from pellucid.identity.rules import Purpose
from pellucid.identity.trust import TrustStore

#: Chains that are explained. Whoever has more of them asks about some at a time, and can read the answer.
MAX_CHAINS = 16
#: Certificates of a chain that are looked at. OpenSSL goes through 100 at most, and most others through ten.
MAX_SENT = 100
_TOO_LONG = "Leave out all that does not lead from the leaf to its root."


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the certificates are to be good for.

    ``names`` are host names and addresses that all leaves have to have, or none to take each as it is;
    ``now`` is POSIX seconds; a certificate with less than ``within_days`` left is a finding, None being 14 of
    them, or a third of its life where that is shorter.
    """

    trust: TrustStore
    now: float
    purpose: Purpose = Purpose.SERVER
    names: Sequence[str] = ()
    profiles: Sequence[str] = PROFILES
    within_days: float | None = None
    lists: RevocationLists | None = None


@dataclass(frozen=True)
class Inspection:
    """All that was found."""

    chains: tuple[ChainReport, ...]
    #: Certificates of authorities that stand in no chain.
    others: tuple[Found, ...]
    keys: tuple[FoundKey, ...]
    #: What is to be said of the files and keys, and not of one chain.
    findings: tuple[Finding, ...]

    @property
    def everything(self) -> tuple[Finding, ...]:
        """All findings and notes."""
        return (*self.findings, *(one for chain in self.chains for one in chain.findings))


def inspect(material: Material, wish: Wish) -> Inspection:
    """What is to be said of the files. Raises Misuse for a name that is none or an unknown profile."""
    with forgiving():
        return _inspect(material, wish)


def _inspect(material: Material, wish: Wish) -> Inspection:
    names = {text: parse_server_name(text) for text in wish.names}
    leaves = leaves_of(material)
    chains = tuple(
        _chain(chain_of(leaf, leaves, material), material, wish, names) for leaf in leaves[:MAX_CHAINS]
    )
    in_chains = {one.der for chain in chains for one in chain.sent}
    others = tuple(one for one in material.certificates if one.der not in in_chains) if not leaves else ()
    findings = [*material.findings, *_of_keys(material, leaves), *_of_others(others, wish)]
    if len(leaves) > MAX_CHAINS:
        findings.append(Finding("too_many_chains", f"of {len(leaves)} chains {MAX_CHAINS} are looked at"))
    if not material.certificates and not material.findings:
        findings.append(note("no_certificate", "there is no certificate to look at"))
    return Inspection(chains, others, tuple(material.keys), tuple(findings))


def _of_keys(material: Material, leaves: Sequence[Found]) -> Iterator[Finding]:
    public = {one.public for one in material.certificates}
    for key in material.keys:
        if public and key.public is not None and key.public not in public:
            beside = f": {leaves[0].where} has another" if len(leaves) == 1 else ""
            sentence = f"{key.source} has {key.kind} key, which is that of none of the certificates{beside}"
            yield Finding("key_does_not_match_certificate", sentence)


def _of_others(others: Sequence[Found], wish: Wish) -> Iterator[Finding]:
    """Of a file of authorities only the dates can be judged: what for, only a chain would show."""
    if others:
        whose = "it is an authority's" if len(others) == 1 else "all of these are authorities'"
        yield note("no_leaf", f"{whose}: there is no certificate to present")
    for one in others:
        try:
            rules.check_dates(one.certificate, 0, wish.now)
        except CertificateRejected as error:
            sentence = error.detail.removeprefix(rules.where(one.certificate, 0))
            fix = "Take it out: nobody can build a path to it any more."
            yield Finding(error.reason, one.where + sentence, fix=fix)


def _chain(
    sent: tuple[Found, ...], material: Material, wish: Wish, names: dict[str, ServerName]
) -> ChainReport:
    leaf = sent[0].certificate
    key_source = next((key.source for key in material.keys if key.public == sent[0].public), "")
    if len(sent) > MAX_SENT:
        sentence = f"with {sent[0].where} stand {len(sent) - 1:,} others, and no client takes so many"
        finding = Finding(Reason.CERTIFICATE_CHAIN_TOO_LONG, sentence, fix=_TOO_LONG)
        return ChainReport(sent[:MAX_SENT], key_source, names_of(leaf).names, {}, (finding,))
    findings = list(order_findings(sent))
    reports: dict[str, PathReport] = {}
    for text, name in _asked(sent[0], wish, names).items():
        try:
            reports[text] = explain(
                [one.der for one in sent], wish.trust, wish.purpose, name, wish.now, profiles=wish.profiles
            )
        except CertificateRejected as error:
            findings.append(Finding(error.reason, error.detail))
            break
    chain = ChainReport(sent, key_source, names_of(leaf).names, reports, ())
    path = chain.best.certificates if chain.best else (leaf,)
    judged = [*refusals(reports, chain.best), *soon_over(path, wish.now, wish.within_days)]
    if wish.lists is not None:
        judged += revoked(path, wish.lists, wish.now)
    findings += (_located(one, chain) for one in judged)
    if wish.purpose is not Purpose.CLIENT and must_staple(leaf):
        sentence = f"{sent[0].where} says that its server staples an OCSP response: without it, it is refused"
        findings.append(note("must_staple", sentence, "Turn stapling on in the server."))
    return ChainReport(sent, key_source, chain.names, reports, tuple(findings))


def _located(finding: Finding, chain: ChainReport) -> Finding:
    """The same, with certificates by where they stand in the files, and not by their place in a path."""
    sentence = finding.sentence
    by_der = {one.der: one for one in chain.sent}
    for candidate in (one for report in chain.reports.values() for one in report.candidates):
        for position, certificate in enumerate(candidate.certificates):
            found = by_der.get(certificate.public_bytes(Encoding.DER))
            if found is not None:
                sentence = sentence.replace(rules.where(certificate, position), found.where, 1)
    return replace(finding, sentence=sentence)


def _asked(leaf: Found, wish: Wish, names: dict[str, ServerName]) -> dict[str, ServerName | None]:
    if wish.purpose is Purpose.CLIENT:
        return {"": None}  # nobody compares a client's name with where it comes from
    if names:
        return dict(names)
    name = own_name(leaf.certificate)
    return {str(name): name}
