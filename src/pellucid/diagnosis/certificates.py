"""What the refused certificates say, in numbers: whose they are, for which names, and how far out of date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pellucid.diagnosis.case import Case, listed, moment
from pellucid.errors import Misuse
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.names import is_host_name
from pellucid.identity.pem import parse_certificate
from pellucid.identity.rules import issuer_text, moment_of, span, subject_text
from pellucid.trace.certificates import summary_of
from pellucid.trace.failure import Fact

__all__ = ["Dates", "chain_facts", "date_facts", "dates_of", "name_facts", "trust_facts"]

#: As many as a chain may have by default.
MOST_CERTIFICATES = 10

#: Names of one certificate that are told; one of a content network has a hundred.
MOST_NAMES = 8


class Dates:
    """Which certificates of a chain are out of date, by their places in it."""

    def __init__(self, chain: Sequence[Any], now: float) -> None:
        self.moment = moment_of(now)
        self.count = len(chain)
        self.expired = [n for n, one in enumerate(chain) if one.not_valid_after_utc < self.moment]
        self.future = [n for n, one in enumerate(chain) if one.not_valid_before_utc > self.moment]


def chain_of(case: Case) -> list[Any]:
    """The certificates that the peer showed, parsed, up to the first that cannot be."""
    found: list[Any] = []
    for der in case.evidence.chain[:MOST_CERTIFICATES]:
        try:
            found.append(parse_certificate(der, "a certificate"))
        except (Misuse, *UNDECODABLE):
            break  # their places have to stay what they are
    return found


def dates_of(case: Case) -> Dates | None:
    """None where nobody looked at a clock."""
    chain, now = chain_of(case), case.evidence.now
    return Dates(chain, now) if chain and now is not None else None


def chain_facts(case: Case) -> Iterator[Fact]:
    """Each certificate in a line."""
    for position, certificate in enumerate(chain_of(case)):
        summary = summary_of(certificate)
        names = f", for {listed(summary.names, MOST_NAMES)}" if summary.names else ""
        yield Fact(
            f"certificate {position}",
            f'"{subject_text(certificate)}", issued by "{issuer_text(certificate)}", '
            f"{summary.not_before} to {summary.not_after}, {summary.key}{names}",
        )


def date_facts(case: Case) -> Iterator[Fact]:
    """By how much each one is out of date, and by which clock."""
    chain, dates = chain_of(case), dates_of(case)
    if dates is None or case.evidence.now is None:
        return
    for position in dates.expired:
        end = chain[position].not_valid_after_utc
        yield Fact("expired", f"certificate {position}, {span(dates.moment - end)} ago")
    for position in dates.future:
        start = chain[position].not_valid_before_utc
        yield Fact("not valid yet", f"certificate {position}, for another {span(start - dates.moment)}")
    yield Fact("clock here", moment(case.evidence.now))


def name_facts(case: Case) -> Iterator[Fact]:
    """The name that was wanted, all that the certificate is for, and whether the server was told the name."""
    if case.evidence.server_name:
        yield Fact("wanted", case.evidence.server_name)
    for certificate in chain_of(case)[:1]:
        names = summary_of(certificate).names
        yield Fact("certificate is for", listed(names, MOST_NAMES))
        wildcards = [name for name in names if name.startswith("*.") and is_host_name(name[2:].lower())]
        if wildcards:
            yield Fact("wildcards", f"{listed(wildcards, MOST_NAMES)}: each stands for one label")
    if case.offer is not None:
        sent = case.offer.server_name
        yield Fact("server_name sent", sent or "none: the server was not told which name was meant")


def trust_facts(case: Case) -> Iterator[Fact]:
    """Whom this side trusts, and where the chain that was shown ends."""
    if case.evidence.trust:
        yield Fact("trusted here", case.evidence.trust)
    for certificate in chain_of(case)[-1:]:
        yield Fact("issuer that is wanted", f'"{issuer_text(certificate)}"')
