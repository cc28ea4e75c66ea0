"""Graphs of CAs as Hypothesis draws them: cross-signed, looping, with namesakes, half of them broken.

An oracle that knows who signed what walks every simple path; what it says, pyca's verifier and `openssl
verify` are held against the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from chain_cases import CLIENT, LONG, NAME, NOW, Chain, constraints, eku
from cryptography import x509
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openssl_verify import openssl_verify

from pellucid.errors import Reason
from pellucid.identity import TrustStore, parse_server_name
from pellucid.identity.reasoning.explain import explain
from pellucid.identity.reasoning.model import PathReport
from pellucid.identity.reasoning.search import MAX_CANDIDATES

# What may be wrong with a CA's certificate, and how the forge makes it.
FAULTS: dict[str, dict[str, Any]] = {
    "expired": {"days": (-1000, -900)},
    "no CA": {"basic_constraints": (x509.BasicConstraints(False, None), True)},
    "for clients": eku(CLIENT),
    "other names": constraints([x509.DNSName("other.example")]),
}
_SLOW = {"deadline": None, "derandomize": True}


@dataclass(frozen=True)
class Authority:
    """Who can issue: a name and a key."""

    name: str
    key: str


@dataclass(frozen=True)
class Certified:
    """A certificate of a CA, in the terms of the oracle."""

    subject: Authority
    issuer: Authority
    path_length: int | None = None
    fault: str = ""


@dataclass(frozen=True)
class Shape:
    leaf_issuer: Authority
    sent: tuple[Certified, ...]
    trusted: tuple[Certified, ...]


authorities = st.builds(Authority, st.sampled_from("ABC"), st.sampled_from("xyz"))
faults = st.sampled_from(["", "", "", "", "", *FAULTS])


@st.composite
def shapes(draw: Any) -> Shape:
    """Some five authorities, and certificates among them."""
    known = draw(st.lists(authorities, min_size=2, max_size=4, unique=True))
    one = st.sampled_from(known)
    certified = st.builds(Certified, one, one, st.sampled_from([None, None, None, 0, 1]), faults)
    sent = draw(st.lists(certified, max_size=5, unique=True))
    roots = draw(st.lists(one, min_size=1, max_size=2, unique=True))
    trusted = [Certified(root, root, None, draw(faults)) for root in roots]
    trusted += draw(st.lists(certified, max_size=1))
    return Shape(draw(one), tuple(sent), tuple(dict.fromkeys(trusted)))


def reaches(shape: Shape) -> bool:
    """The oracle: is there a path that holds the rules of the profile "private"?"""

    def onward(issuer: Authority, path: tuple[Certified, ...]) -> bool:
        for one in dict.fromkeys((*shape.trusted, *shape.sent)):
            if one.subject != issuer or one in path or one.fault:
                continue
            below = sum(each.subject.name != each.issuer.name for each in path)
            if one.path_length is not None and below > one.path_length:
                continue
            if one in shape.trusted or onward(one.issuer, (*path, one)):
                return True
        return False

    return onward(shape.leaf_issuer, ())


def chain_of(shape: Shape, forge: Any) -> Chain:
    def root_of(authority: Authority) -> Any:
        return forge.ca(authority.name, key_label=authority.key, days=LONG)

    def made(one: Certified) -> Any:
        given = {"days": LONG, "path_length": one.path_length, **FAULTS.get(one.fault, {})}
        issuer = None if one.issuer == one.subject else root_of(one.issuer)
        return forge.ca(one.subject.name, issuer, key_label=one.subject.key, **given)

    leaf = forge.leaf(root_of(shape.leaf_issuer), days=LONG)
    return Chain((leaf, *map(made, shape.sent)), tuple(map(made, shape.trusted)))


def explained(chain: Chain) -> PathReport:
    trust = TrustStore.from_certificates([one.certificate for one in chain.trusted])
    return explain([one.der for one in chain.sent], trust, chain.purpose, parse_server_name(NAME), NOW)


@settings(max_examples=400, **_SLOW)
@given(shape=shapes())
def test_private_accepts_what_the_oracle_finds_a_path_for(forge: Any, shape: Shape) -> None:
    verdict = explained(chain_of(shape, forge)).verdicts["private"]
    assume(verdict.reason is not Reason.CERTIFICATE_CHAIN_TOO_LONG)
    assert verdict.accepted is reaches(shape), verdict


@settings(max_examples=200, **_SLOW)
@given(shape=shapes())
def test_what_web_accepts_private_accepts(forge: Any, shape: Shape) -> None:
    verdicts = explained(chain_of(shape, forge)).verdicts
    assume(verdicts["private"].reason is not Reason.CERTIFICATE_CHAIN_TOO_LONG)
    assert verdicts["private"].accepted or not verdicts["web"].accepted


@settings(max_examples=200, **_SLOW)
@given(shape=shapes())
def test_a_report_is_consistent(forge: Any, shape: Shape) -> None:
    report = explained(chain_of(shape, forge))
    assert 1 <= len(report.candidates) <= MAX_CANDIDATES
    assert len({candidate.certificates for candidate in report.candidates}) == len(report.candidates)
    whole = any(candidate.trusted and not candidate.failed for candidate in report.candidates)
    assert whole is report.verdicts["web"].accepted or report.cut_short
    refusing = {verdict.rule for verdict in report.verdicts.values()}
    assert bool(report.differs) is (len(refusing) > 1)
    for verdict in report.verdicts.values():
        assert verdict.rule not in ("verifier",), verdict
        assert verdict.sentence.isprintable()


@pytest.mark.peer("openssl", "openssl")
@settings(max_examples=100, **_SLOW)
@given(shape=shapes())
def test_openssl_builds_the_path_that_openssl_builds(forge: Any, tmp_path_factory: Any, shape: Shape) -> None:
    chain = chain_of(shape, forge)
    accepted, said = openssl_verify(chain, tmp_path_factory.mktemp("shape"))
    assert explained(chain).verdicts["openssl"].accepted is accepted, said
