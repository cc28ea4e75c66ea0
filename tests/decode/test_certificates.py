"""Certificate paths as an onlooker judges them: told, at the time of the connection, and never fatal."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from loopback import NAME, NOW, credential, laboratory

from pellucid.decode.certificates import judge
from pellucid.decode.flow import Watched
from pellucid.decode.key_material import KeyMaterial
from pellucid.decode.sessions import Sessions
from pellucid.decode.telling import Budget, Story
from pellucid.identity import TrustStore
from pellucid.trace.events import CertificateEvent, CheckEvent, Side
from pellucid.trace.narration import narrate
from pellucid.trace.paths import PathsEvent

CHAIN = credential().chain
ROOT = "CN=Pellucid Laboratory Root"
UNJUDGED = "no trusted roots were given, so whether to trust them was not judged"
YEAR = 365 * 86_400


def watched(*, trust: TrustStore | None, name: str = NAME, now: float = NOW) -> tuple[Watched, Story]:
    story = Story(int(now * 1e9), Budget(2**20), reveal_secrets=False)
    w = Watched(story, {}, KeyMaterial(), Sessions(), trust)
    w.agreed["server_name"] = name
    return w, story


def told(story: Story) -> tuple[CertificateEvent, CheckEvent]:
    story.finish_flight()
    certificate, check = (event for event in story.trace.events if not isinstance(event, PathsEvent))
    assert isinstance(certificate, CertificateEvent)
    assert isinstance(check, CheckEvent)
    return certificate, check


def test_a_path_to_a_root_is_told_to_who_was_shown_it() -> None:
    w, story = watched(trust=laboratory().trust)
    leaf = judge(w, "server", CHAIN)
    certificate, check = told(story)
    assert leaf is not None
    assert leaf.public_key == load_der_x509_certificate(CHAIN[0]).public_key()
    assert not leaf.rsa_pss_oid
    assert (certificate.side, certificate.whose, certificate.ok) == ("client", "server", True)
    assert (check.side, check.found, check.ok) == ("client", "3 certificates, to a trusted root", True)
    assert [one.verdict for one in certificate.path] == ["ok"] * 3


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"name": "other.example"}, "hostname_mismatch"),
        ({"name": "no_host name"}, "bad_server_name"),
        ({"now": NOW + 10 * YEAR}, "certificate_expired"),
        ({"now": NOW - 10 * YEAR}, "certificate_not_yet_valid"),
        ({"trust": TrustStore.empty()}, "unknown_root"),
    ],
)
def test_what_is_wrong_is_told_and_the_key_is_there_nevertheless(
    options: dict[str, Any], reason: str
) -> None:
    w, story = watched(**({"trust": laboratory().trust} | options))
    leaf = judge(w, "server", CHAIN)
    certificate, check = told(story)
    assert leaf is not None
    assert not certificate.ok
    assert not check.ok
    assert reason in {one.verdict for one in certificate.path}
    assert "ok" not in {one.verdict for one in certificate.path}


def paths(story: Story) -> list[PathsEvent]:
    story.finish_flight()
    return [event for event in story.trace.events if isinstance(event, PathsEvent)]


def test_of_a_refused_chain_the_candidate_paths_are_told_as_by_who_takes_part() -> None:
    w, story = watched(trust=laboratory().trust, now=NOW + 10 * YEAR)
    judge(w, "server", CHAIN)
    (event,) = paths(story)
    assert (event.side, event.whose, event.ok, event.by_onlooker) == ("client", "server", False, True)
    assert [verdict.profile for verdict in event.verdicts] == ["web", "private", "openssl", "python"]
    assert {verdict.rule for verdict in event.verdicts} == {"dates"}
    (candidate,) = event.candidates
    assert (candidate.end, len(candidate.certificates)) == ("trusted", 3)
    assert {check.rule for check in candidate.failed} == {"dates"}


def test_who_reads_the_capture_goes_through_the_paths_and_not_the_client() -> None:
    w, story = watched(trust=TrustStore.empty())
    judge(w, "server", CHAIN)
    paths(story)
    (step,) = (
        step for step in narrate(story.trace.events) if step.title == "goes through the candidate paths"
    )
    assert step.onlooker


def test_of_a_chain_that_holds_or_that_nobody_judges_no_paths_are_told() -> None:
    for options in ({"trust": laboratory().trust}, {"trust": None}):
        w, story = watched(**options)
        judge(w, "server", CHAIN)
        assert paths(story) == []


def test_the_paths_speak_of_the_side_that_has_shown_them() -> None:
    w, story = watched(trust=TrustStore.empty())
    judge(w, "server", CHAIN[:1])
    (event,) = paths(story)
    assert "the server leaves out an intermediate" in event.verdicts[0].sentence
    assert "the peer" not in event.candidates[0].failed[-1].found


def test_no_more_chains_are_explained_than_the_limit() -> None:
    budget = Budget(2**20, explained_left=1)
    for expected in (1, 0):
        story = Story(int(NOW * 1e9), budget, reveal_secrets=False)
        w = Watched(story, {}, KeyMaterial(), Sessions(), TrustStore.empty())
        w.agreed["server_name"] = NAME
        judge(w, "server", CHAIN)
        assert len(paths(story)) == expected


def test_without_a_name_in_the_hello_any_name_of_the_certificate_will_do() -> None:
    w, story = watched(trust=laboratory().trust, name="")
    judge(w, "server", credential(names=("*.example.org",)).chain)
    assert told(story)[1].ok


def test_a_clients_path_is_told_to_the_server() -> None:
    w, story = watched(trust=laboratory().trust)
    judge(w, "client", credential("ecdsa", "client", ("client.test",)).chain)
    certificate, check = told(story)
    assert (certificate.side, certificate.whose, certificate.ok, check.ok) == ("server", "client", True, True)


def test_without_roots_signatures_are_checked_and_it_says_so() -> None:
    w, story = watched(trust=None)
    assert judge(w, "server", CHAIN) is not None
    certificate, check = told(story)
    assert certificate.ok
    assert check.what == "certificate_signatures"
    assert check.expected == "each certificate signed by another of those sent, as far as they go"
    assert check.found == (
        f"{len(CHAIN)} certificates; the issuer of the last, {ROOT}, was not sent; {UNJUDGED}"
    )


@pytest.mark.parametrize("whose", ["server", "client"])
def test_without_roots_the_narration_claims_no_path(whose: Side) -> None:
    w, story = watched(trust=None)
    judge(w, whose, CHAIN)
    story.finish_flight()
    [step] = narrate(story.trace.events)
    assert step.title == f"verifies the signatures in the {whose}'s chain"
    assert "no trusted roots were given (--cafile)" in step.purpose
    assert [detail.label for detail in step.details if detail.level == 0] == ["leaf", "signed by"]


@pytest.mark.parametrize(
    "sent, count, note",
    [
        ((0, 0, 1), 2, "1 more is repeated or without a part in it, which clients cope with"),
        ((0, 1, 0, 1), 2, "2 more are repeated or without a part in it, which clients cope with"),
        ((0,), 1, "the issuer of the last, CN=Pellucid Laboratory Intermediate, was not sent"),
    ],
)
def test_without_roots_order_and_number_are_no_faults(sent: tuple[int, ...], count: int, note: str) -> None:
    w, story = watched(trust=None)
    judge(w, "server", tuple(CHAIN[place] for place in sent))
    certificate, check = told(story)
    assert certificate.ok
    assert check.ok
    assert [one.verdict for one in certificate.path] == ["ok"] * count
    assert note in check.found.split("; ")


def test_without_roots_a_chain_in_another_order_is_put_into_its_own() -> None:
    w, story = watched(trust=None)
    root = laboratory().root.public_bytes(Encoding.DER)
    judge(w, "server", (CHAIN[0], root, *CHAIN[1:]))
    certificate, check = told(story)
    assert check.ok
    assert [one.subject for one in certificate.path][-1] == ROOT
    assert "they were sent in another order, which clients cope with" in check.found


def test_without_roots_a_signature_that_the_issuer_did_not_make_is_noticed() -> None:
    w, story = watched(trust=None)
    forged = bytearray(CHAIN[0])
    forged[-1] ^= 1
    judge(w, "server", (bytes(forged), *CHAIN[1:]))
    certificate, check = told(story)
    assert not certificate.ok
    assert check.found == (
        'certificate 0 ("CN=localhost") is not signed by the key of '
        'certificate 1 ("CN=Pellucid Laboratory Intermediate")'
    )


@pytest.mark.parametrize("trust", [None, laboratory().trust], ids=["no roots", "roots"])
def test_the_leafs_name_and_dates_are_looked_at_with_and_without_roots(trust: TrustStore | None) -> None:
    w, _ = watched(trust=trust, name="other.example", now=NOW + 10 * YEAR)
    judge(w, "server", CHAIN)
    found = w.judged["server"]
    assert found.by_roots == (trust is not None)
    assert found.name_fault.startswith('certificate 0 ("CN=localhost") is for localhost')
    assert found.name_fault.endswith("not for other.example")
    assert "expired" in found.date_fault


@pytest.mark.parametrize("trust", [None, laboratory().trust], ids=["no roots", "roots"])
@pytest.mark.parametrize(
    "chain",
    [
        (),
        (b"",),
        (b"no certificate",),
        (CHAIN[0][:-1], *CHAIN[1:]),
        (CHAIN[0], b"\x30\x00"),
        CHAIN * 8,
        (CHAIN[0].replace(b"localhost", b"\xff\xff\xff\xffhost"), *CHAIN[1:]),
    ],
    ids=["none", "empty", "nonsense", "cut", "cut issuer", "too many", "not UTF-8"],
)
def test_nothing_that_stands_in_a_certificate_is_fatal(
    chain: tuple[bytes, ...], trust: TrustStore | None
) -> None:
    w, story = watched(trust=trust)
    judge(w, "server", chain)
    certificate, check = told(story)
    assert not certificate.ok
    assert not check.ok


def test_a_certificate_that_cannot_be_read_gives_no_key() -> None:
    w, _ = watched(trust=None)
    assert judge(w, "server", (b"no certificate",)) is None
    assert judge(w, "server", ()) is None


def test_a_key_for_pss_alone_is_known_as_such() -> None:
    w, _ = watched(trust=None)
    leaf = judge(w, "server", (with_pss_key(credential("rsa").chain[0]),))
    assert leaf is not None
    assert leaf.rsa_pss_oid


def with_pss_key(der: bytes) -> bytes:
    """The certificate with its key of 2048 bits named id-RSASSA-PSS, without parameters instead of NULL."""
    usual = bytes.fromhex("30820122 300d 06092a864886f70d010101 0500")
    shorter = der.replace(usual, bytes.fromhex("30820120 300b 06092a864886f70d01010a"))
    # The lengths of Certificate and TBSCertificate, each behind a tag and 0x82.
    lengths = (int.from_bytes(shorter[at : at + 2], "big") - 2 for at in (2, 6))
    whole, inner = (length.to_bytes(2, "big") for length in lengths)
    return shorter[:2] + whole + shorter[4:6] + inner + shorter[8:]
