"""The check of a path: staples, lists and authorities together, by how much is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import TrustStore, verify_server
from pellucid.identity.lab_status import sign_ocsp_response
from pellucid.identity.raw_keys import verify_raw_key
from pellucid.identity.revocation import Fetched, RevocationCheck, RevocationLists, StatusQuery, must_staple
from pellucid.identity.revocation.check import UNANSWERED_SECONDS

NOW = 1_800_000_000.0
DAY = 86_400
LEVELS = ("staple", "soft", "hard")


@pytest.fixture(scope="module")
def issued(lab: Any) -> Any:
    return lab.issue(ocsp_url="http://ocsp.example/")


@pytest.fixture(scope="module")
def demanding(lab: Any) -> Any:
    return lab.issue(must_staple=True)


def check(
    lab: Any,
    issued: Any,
    level: Any,
    staple: bytes | dict[int, bytes] | None = None,
    *,
    asked: bool = True,
    **means: Any,
) -> tuple[RevocationCheck, float]:
    """Of a leaf of the laboratory's; ``staple`` came with it."""
    identity = verify_server(issued.credential.chain, "localhost", lab.trust, NOW)
    one = RevocationCheck(level, NOW, **means)
    staples = {0: staple} if isinstance(staple, bytes) else staple or {}
    return one, one.run(identity, staples, staples_asked=asked)


def refused(lab: Any, issued: Any, level: Any, *more: Any, **means: Any) -> tuple[Reason, str]:
    with pytest.raises(CertificateRejected) as caught:
        check(lab, issued, level, *more, **means)
    return caught.value.reason, caught.value.detail


def lists(*ders: bytes) -> RevocationLists:
    return RevocationLists.from_der(ders)


class Asked:
    """An authority in memory, which counts who asks."""

    def __init__(self, *answers: Fetched) -> None:
        self.answers = answers
        self.given = 0

    def __call__(self, _query: StatusQuery) -> Iterable[Fetched]:
        for answer in self.answers:
            self.given += 1
            yield answer


# -- stapled


@pytest.mark.parametrize("level", LEVELS)
def test_a_good_staple_is_enough_at_each_level(lab: Any, issued: Any, level: str) -> None:
    asked = Asked()
    one, until = check(lab, issued, level, lab.ocsp_response(issued.certificate), ask=asked)
    assert until == NOW - 3600 + 7 * DAY
    assert one.findings[0].ok
    assert "not revoked, by a stapled OCSP response of the issuer of 2027-01-15" in one.findings[0].found
    # The staple is of the leaf; about its issuer others are asked.
    assert asked.given == 0


@pytest.mark.parametrize("level", LEVELS)
def test_a_revoked_leaf_is_refused_at_each_level(lab: Any, issued: Any, level: str) -> None:
    reason, detail = refused(lab, issued, level, lab.ocsp_response(issued.certificate, "revoked"))
    assert reason is Reason.CERTIFICATE_REVOKED
    assert detail.startswith('certificate 0 ("CN=localhost") is revoked since 2027-01-15 07:00:00 UTC')


@pytest.mark.parametrize("level", LEVELS)
def test_a_staple_that_proves_nothing_is_refused_at_each_level(lab: Any, issued: Any, level: str) -> None:
    """RFC 6066 8: "MUST check the OCSP response and abort the handshake if [it] is not satisfactory"."""
    other = lab.issue("rsa").certificate
    for staple in (
        b"no response",
        lab.ocsp_response(other),
        lab.ocsp_response(issued.certificate, "unknown"),
        lab.ocsp_response(issued.certificate, validity=(NOW - 9 * DAY, NOW - DAY)),
        lab.ocsp_response(issued.certificate, validity=(NOW + DAY, NOW + 9 * DAY)),
    ):
        assert refused(lab, issued, level, staple)[0] is Reason.BAD_CERTIFICATE_STATUS


def test_what_was_expected_of_each_is_told(lab: Any, issued: Any) -> None:
    one, _ = check(lab, issued, "hard", lab.ocsp_response(issued.certificate))
    leaf, intermediate = one.findings
    assert leaf.expected == "an answer that it is not revoked"
    assert intermediate.expected == "no answer that speaks against it"
    assert "certificate 1" in intermediate.found


def test_a_refusal_is_among_the_findings(lab: Any, issued: Any) -> None:
    identity = verify_server(issued.credential.chain, "localhost", lab.trust, NOW)
    one = RevocationCheck("staple", NOW)
    with pytest.raises(CertificateRejected):
        one.run(identity, {0: lab.ocsp_response(issued.certificate, "revoked")}, staples_asked=True)
    assert [finding.ok for finding in one.findings] == [False]


def test_an_intermediates_staple_is_judged_as_well(lab: Any, issued: Any) -> None:
    good = lab.ocsp_response(lab.intermediate)
    one, _ = check(lab, issued, "staple", {1: good})
    assert any("Laboratory Intermediate" in f.found and "not revoked" in f.found for f in one.findings)
    revoked = {0: lab.ocsp_response(issued.certificate), 1: lab.ocsp_response(lab.intermediate, "revoked")}
    reason, detail = refused(lab, issued, "staple", revoked)
    assert reason is Reason.CERTIFICATE_REVOKED
    assert detail.startswith('certificate 1 ("CN=Pellucid Laboratory Intermediate")')


def test_a_staple_of_a_certificate_outside_the_path_says_nothing(lab: Any, issued: Any) -> None:
    chain = (*issued.credential.chain, lab.issue("rsa").certificate.public_bytes(Encoding.DER))
    identity = verify_server(chain, "localhost", lab.trust, NOW)
    assert RevocationCheck("staple", NOW).run(identity, {2: b"nonsense"}, staples_asked=True) == inf


# -- must-staple


def test_who_must_staple_is_told_from_who_need_not(lab: Any, issued: Any, demanding: Any, forge: Any) -> None:
    assert must_staple(demanding.certificate)
    assert not must_staple(issued.certificate)
    second = x509.TLSFeature([x509.TLSFeatureType.status_request_v2])
    assert not must_staple(forge.leaf(forge.ca(), extensions=[(second, False)]).certificate)


@pytest.mark.parametrize("level", LEVELS)
def test_a_missing_staple_that_must_be_there_is_refused(lab: Any, demanding: Any, level: str) -> None:
    known = lists(lab.revocation_list()) if level != "staple" else None
    reason, detail = refused(lab, demanding, level, lists=known)
    assert reason is Reason.MUST_STAPLE_MISSING
    assert "says that its server staples its status" in detail
    one, _ = check(lab, demanding, level, lab.ocsp_response(demanding.certificate))
    assert one.findings[0].ok


@pytest.mark.parametrize("authority", ["Demanding Root", "Demanding Intermediate"])
def test_what_an_authority_demands_it_demands_of_all_that_it_issues(forge: Any, authority: str) -> None:
    """RFC 7633 4.2.2."""
    demands = [(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)]
    names = ("Demanding Root", "Demanding Intermediate")
    root, below = (demands if name == authority else [] for name in names)
    root = forge.ca(names[0], extensions=root)
    below = forge.ca(names[1], root, extensions=below)
    leaf = forge.leaf(below, names=("localhost",))
    identity = verify_server([leaf.der, below.der], "localhost", root.trust, NOW, profile="private")
    with pytest.raises(CertificateRejected) as caught:
        RevocationCheck("staple", NOW).run(identity, {}, staples_asked=True)
    assert caught.value.reason is Reason.MUST_STAPLE_MISSING
    assert f'("CN={authority}"), which says that its server staples its status' in caught.value.detail
    staple = sign_ocsp_response(leaf.certificate, below.certificate, below.key, NOW, next_update=NOW + DAY)
    assert RevocationCheck("staple", NOW).run(identity, {0: staple}, staples_asked=True) == NOW + DAY


def test_nobody_must_staple_who_was_not_asked_to(lab: Any, demanding: Any) -> None:
    assert check(lab, demanding, "soft", asked=False)[1] == inf


# -- without a staple


def test_without_a_staple_staple_and_soft_pass(lab: Any, issued: Any) -> None:
    one, until = check(lab, issued, "staple")
    assert until == inf
    assert [f.found for f in one.findings] == [
        'certificate 0 ("CN=localhost") comes without a stapled answer'
    ]
    one, until = check(lab, issued, "soft")
    assert until == inf
    assert "may be revoked or not, and passes: nothing was stapled" in one.findings[0].found


def test_what_passes_for_want_of_an_answer_is_not_relied_upon_for_long(lab: Any, issued: Any) -> None:
    """A session is not looked at again before its end: who keeps answers away once must not have days."""
    one, until = check(lab, issued, "soft", ask=Asked(fetched(b"", fault="nobody answers")))
    assert until == NOW + UNANSWERED_SECONDS
    assert one.findings[0].ok
    assert check(lab, issued, "soft", ask=Asked())[1] == inf


@pytest.mark.parametrize("level", LEVELS)
def test_a_key_that_nobody_issued_is_nobodys_to_revoke(lab: Any, level: Any) -> None:
    """RFC 7250: it may come with a staple, like any entry of TLS 1.3's Certificate."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    identity = verify_raw_key(der, TrustStore.from_keys([der]))
    one = RevocationCheck(level, NOW)
    assert one.run(identity, {0: b"about what?"}, staples_asked=True) == inf
    assert "a key that nobody issued" in one.findings[0].found


def test_hard_demands_an_answer_about_the_leaf(lab: Any, issued: Any) -> None:
    reason, detail = refused(lab, issued, "hard")
    assert reason is Reason.REVOCATION_UNKNOWN
    assert "nothing was stapled, and nobody else has an answer" in detail


def test_a_certificate_that_is_trusted_by_itself_is_nobodys_to_revoke(lab: Any, issued: Any) -> None:
    trust = TrustStore.from_certificates([issued.certificate])
    identity = verify_server(issued.credential.chain[:1], "localhost", trust, NOW)
    one = RevocationCheck("hard", NOW)
    assert one.run(identity, {}, staples_asked=True) == inf
    assert "is trusted by itself" in one.findings[0].found


# -- lists


@pytest.mark.parametrize("level", ["soft", "hard"])
def test_a_list_tells_good_from_revoked(lab: Any, issued: Any, level: str) -> None:
    one, until = check(lab, issued, level, lists=lists(lab.revocation_list()))
    assert until == NOW - 3600 + 7 * DAY
    assert "not revoked, by a CRL of the issuer" in one.findings[0].found
    revoking = lists(lab.revocation_list([issued.certificate]))
    assert refused(lab, issued, level, lists=revoking)[0] is Reason.CERTIFICATE_REVOKED


def test_staple_does_not_look_into_lists(lab: Any, issued: Any) -> None:
    one, until = check(lab, issued, "staple", lists=lists(lab.revocation_list([issued.certificate])))
    assert (until, one.findings[0].ok) == (inf, True)


def test_revoked_by_a_list_is_revoked_whatever_is_stapled(lab: Any, issued: Any) -> None:
    revoking = lists(lab.revocation_list(), lab.revocation_list([issued.certificate]))
    staple = lab.ocsp_response(issued.certificate)
    assert refused(lab, issued, "soft", staple, lists=revoking)[0] is Reason.CERTIFICATE_REVOKED


@pytest.mark.parametrize("level", ["soft", "hard"])
def test_a_revoked_intermediate_is_refused(lab: Any, issued: Any, level: str) -> None:
    revoking = lists(lab.revocation_list([lab.intermediate], issuer="root"), lab.revocation_list())
    reason, detail = refused(lab, issued, level, lists=revoking)
    assert reason is Reason.CERTIFICATE_REVOKED
    assert detail.startswith("certificate 1 ")


def test_an_old_list_says_nothing(lab: Any, issued: Any) -> None:
    old = lists(lab.revocation_list(validity=(NOW - 9 * DAY, NOW - DAY)))
    one, _ = check(lab, issued, "soft", lists=old)
    assert "may be revoked or not, and passes: a CRL is out of date" in one.findings[0].found
    reason, detail = refused(lab, issued, "hard", lists=old)
    assert reason is Reason.REVOCATION_UNKNOWN
    assert "a CRL is out of date" in detail


@pytest.mark.parametrize("level", ["soft", "hard"])
def test_who_was_revoked_does_not_come_back_as_the_list_grows_old(lab: Any, issued: Any, level: str) -> None:
    old = lists(lab.revocation_list([issued.certificate], validity=(NOW - 9 * DAY, NOW - DAY)))
    assert refused(lab, issued, level, lists=old)[0] is Reason.CERTIFICATE_REVOKED


@pytest.mark.parametrize("level", LEVELS)
def test_an_old_staple_that_says_revoked_is_told_as_that(lab: Any, issued: Any, level: str) -> None:
    staple = lab.ocsp_response(issued.certificate, "revoked", validity=(NOW - 9 * DAY, NOW - DAY))
    assert refused(lab, issued, level, staple)[0] is Reason.CERTIFICATE_REVOKED


# -- authorities that are asked


def fetched(body: bytes, kind: Any = "OCSP", fault: str = "") -> Fetched:
    return Fetched(kind, "http://ocsp.example/", body, fault)


@pytest.mark.parametrize("level", ["soft", "hard"])
def test_an_authority_tells_good_from_revoked(lab: Any, issued: Any, level: str) -> None:
    good, revoked = (lab.ocsp_response(issued.certificate, verdict) for verdict in ("good", "revoked"))
    one, _ = check(lab, issued, level, ask=Asked(fetched(good)))
    assert "by an OCSP response from http://ocsp.example/ of the issuer" in one.findings[0].found
    assert refused(lab, issued, level, ask=Asked(fetched(revoked)))[0] is Reason.CERTIFICATE_REVOKED


def test_the_next_answer_is_asked_for_until_one_is_usable(lab: Any, issued: Any) -> None:
    asked = Asked(
        fetched(b"", fault="http://ocsp.example/ does not answer"),
        fetched(lab.ocsp_response(issued.certificate, "unknown")),
        fetched(b"nonsense", "CRL"),
        fetched(lab.revocation_list(), "CRL"),
        fetched(lab.revocation_list([issued.certificate]), "CRL"),
    )
    one, _ = check(lab, issued, "hard", ask=asked)
    assert "by the CRL http://ocsp.example/ of the issuer" in one.findings[0].found
    assert asked.given == 4 + len(asked.answers)  # the last five are about the intermediate


def test_what_all_of_them_said_is_told(lab: Any, issued: Any) -> None:
    asked = Asked(
        fetched(b"", fault="http://ocsp.example/ does not answer"),
        fetched(lab.ocsp_response(issued.certificate, "unknown")),
    )
    reason, detail = refused(lab, issued, "hard", ask=asked)
    assert reason is Reason.REVOCATION_UNKNOWN
    assert "does not answer; the authority does not know it" in detail


def test_nobody_is_asked_about_what_a_list_or_a_staple_says(lab: Any, issued: Any) -> None:
    asked = Asked(fetched(b"nonsense"))
    known = lists(lab.revocation_list(), lab.revocation_list(issuer="root"))
    check(lab, issued, "hard", ask=asked, lists=known)
    assert asked.given == 0
    staple = {0: lab.ocsp_response(issued.certificate), 1: lab.ocsp_response(lab.intermediate)}
    check(lab, issued, "hard", staple, ask=asked)
    assert asked.given == 0


def test_staple_asks_nobody(lab: Any, issued: Any) -> None:
    asked = Asked(fetched(lab.ocsp_response(issued.certificate, "revoked")))
    check(lab, issued, "staple", ask=asked)
    assert asked.given == 0


def test_a_query_has_what_one_needs_to_ask(lab: Any, issued: Any) -> None:
    query = StatusQuery(issued.certificate, lab.intermediate)
    assert query.ocsp_urls == ("http://ocsp.example/",)
    assert query.crl_urls == ()
    assert query.ocsp_request.startswith(b"\x30")
