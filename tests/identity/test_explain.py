"""What an explanation shows: every candidate with its checks, the verdicts, and where they differ."""

from __future__ import annotations

import time
from typing import Any

import pytest
from chain_cases import CASES, LONG, NAME, NOW, Chain, Maker, constraints
from cryptography import x509

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import Purpose, TrustStore, parse_server_name, verify_client, verify_server
from pellucid.identity.reasoning import catalogue, openssl, profiles, search
from pellucid.identity.reasoning.explain import PROFILES, explain
from pellucid.identity.reasoning.model import CandidatePath, PathReport


@pytest.fixture(scope="module")
def maker(forge: Any) -> Maker:
    return Maker(forge)


def report_of(chain: Chain, **more: Any) -> PathReport:
    trust = TrustStore.from_certificates([one.certificate for one in chain.trusted])
    name = None if chain.name is None else parse_server_name(chain.name)
    return explain([one.der for one in chain.sent], trust, chain.purpose, name, NOW, **more)


def subjects(candidate: CandidatePath) -> list[str]:
    return [one.subject.rfc4514_string().removeprefix("CN=") for one in candidate.certificates]


def test_a_good_chain_has_one_path_on_which_every_check_holds(maker: Maker) -> None:
    report = report_of(maker.three())
    (path,) = report.candidates
    assert (path.end, subjects(path)) == ("trusted", ["leaf.example", "Intermediate", "Root"])
    assert path.failed == ()
    assert report.differs == ()
    assert not report.cut_short
    assert path.sentence == '"CN=leaf.example" > "CN=Intermediate" > "CN=Root": every rule holds'


def test_the_checks_say_what_was_expected_and_what_was_found(maker: Maker) -> None:
    (path,) = report_of(maker.three(ca={"path_length": 0})).candidates
    found = {(check.rule, check.position): check.found for check in path.checks}
    assert found["path_length", 1] == "0, with 0 CA certificates below it"
    assert found["basic_constraints", 1] == "cA TRUE, critical"
    assert found["key_usage", 0] == "digital_signature"
    assert found["purpose", 0] == "serverAuth"
    assert found["name", 0] == "leaf.example"
    assert found["signature", 0] == 'verified with the key of "CN=Intermediate"'
    assert found["key", 2] == "on secp256r1"
    assert found["dates", 1].startswith("valid 2024-")
    assert ("signature", 2) not in found, "the root's own signature is not looked at"


def test_a_check_that_does_not_hold_has_the_reason_of_the_error(maker: Maker) -> None:
    chain = CASES["path_length_exceeded_by_a_second_intermediate"](maker)
    (failed,) = report_of(chain).candidates[0].failed
    assert (failed.rule, failed.position, failed.reason) == ("path_length", 2, Reason.ISSUER_NOT_A_CA)
    assert "allows 0 CA certificates below it" in failed.found
    assert failed.rfc == "RFC 5280 4.2.1.9"


def test_every_candidate_is_told_the_trusted_ones_first(maker: Maker) -> None:
    report = report_of(CASES["cross_signed_with_the_wrong_one_first"](maker))
    told = [(path.end, subjects(path)) for path in report.candidates]
    assert told == [
        ("trusted", ["leaf.example", "Intermediate", "Root"]),
        ("no_issuer", ["leaf.example", "Intermediate", "Stranger"]),
    ]


def test_a_namesake_whose_key_did_not_sign_is_told(maker: Maker) -> None:
    report = report_of(CASES["two_intermediates_of_one_name_with_two_keys"](maker))
    assert [path.end for path in report.candidates] == ["trusted", "bad_signature"]
    assert report.candidates[1].failed[0].rule == "signature"


def test_a_loop_is_told_and_ends(maker: Maker) -> None:
    report = report_of(CASES["loop_of_two_cas"](maker))
    assert [path.end for path in report.candidates] == ["loop"]
    assert report.candidates[0].failed[-1].rule == "trust"


def test_a_loop_is_said_to_be_one_and_not_a_forgery(maker: Maker) -> None:
    """Each signature of it holds: what is wrong is that none of its CAs is trusted."""
    chain = CASES["loop_of_two_cas"](maker)
    with pytest.raises(CertificateRejected) as caught:
        verify_server([one.der for one in chain.sent], NAME, chain.trusted[0].trust, NOW, profile="private")
    assert caught.value.reason is Reason.UNKNOWN_ROOT
    assert "forged" not in caught.value.detail
    assert "certify each other" in caught.value.detail


@pytest.mark.parametrize("profile", ["web", "private"])
def test_a_path_that_is_too_long_to_be_followed_is_said_to_be_that(maker: Maker, profile: Any) -> None:
    chain = [maker.ca()]
    for number in range(9):
        chain.append(maker.ca(f"CA {number}", chain[-1]))
    sent = (maker.leaf(chain[-1]), *chain[:0:-1])
    verdict = report_of(Chain(sent, (chain[0],)), profiles=(profile,)).verdicts[profile]
    assert verdict.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG
    assert "longer than the 9 certificates that are followed" in verdict.sentence


def test_a_search_that_was_cut_short_says_so(maker: Maker) -> None:
    """Nobody knows what the paths would have come to that were not followed."""
    one, other = maker.ca("One", key_label="shared"), maker.ca("Other", key_label="shared")
    made = [maker.ca("One", other, key_label="shared", days=(-1000, 3000 + n)) for n in range(4)]
    made += [maker.ca("Other", one, key_label="shared", days=(-1000, 3000 + n)) for n in range(4)]
    for profile in ("web", "private"):
        chain = Chain((maker.leaf(one), *made), (maker.ca("Root"),))
        verdict = report_of(chain, profiles=(profile,)).verdicts[profile]
        assert (verdict.rule, verdict.reason) == ("search", Reason.CERTIFICATE_CHAIN_TOO_LONG)
        assert "forged" not in verdict.sentence


def test_where_the_profiles_differ_the_rules_are_named(maker: Maker) -> None:
    report = report_of(maker.three(ca={"key_identifiers": False}, leaf={"key_identifiers": False}))
    accepted = {profile: verdict.accepted for profile, verdict in report.verdicts.items()}
    assert accepted == {"web": False, "private": True, "openssl": True, "python": False}
    assert report.differs == ("authority_key_identifier", "key_identifiers")


def test_where_all_refuse_by_one_rule_they_do_not_differ(maker: Maker) -> None:
    report = report_of(maker.three(leaf={"days": (-1000, -900)}))
    assert {verdict.rule for verdict in report.verdicts.values()} == {"dates"}
    assert report.differs == ()


def test_the_checks_are_those_of_the_first_profile(maker: Maker) -> None:
    chain = maker.three(ca={"usage": None})
    assert [check.rule for check in report_of(chain).candidates[0].failed] == ["ca_key_usage"]
    assert report_of(chain, profiles=("private", "web")).candidates[0].failed == ()
    strict = report_of(chain, profiles=("python",)).candidates[0].failed
    assert [check.rule for check in strict] == ["strict_constraints"]


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_is_that_of_the_handshake(maker: Maker, name: str) -> None:
    chain = CASES[name](maker)
    ders = [one.der for one in chain.sent]
    trust = TrustStore.from_certificates([one.certificate for one in chain.trusted])
    for profile in ("web", "private"):
        verdict = report_of(chain, profiles=(profile,)).verdicts[profile]
        error = refusal_of(chain, ders, trust, profile)
        if error is None:
            assert verdict.accepted
        else:
            found = (verdict.accepted, verdict.reason, verdict.sentence)
            assert found == (False, error.reason, error.detail)


def refusal_of(
    chain: Chain, ders: list[bytes], trust: TrustStore, profile: Any
) -> CertificateRejected | None:
    try:
        if chain.purpose is Purpose.CLIENT:
            verify_client(ders, trust, NOW, profile=profile)
        else:
            verify_server(ders, chain.name, trust, NOW, profile=profile)
    except CertificateRejected as error:
        return error
    return None


def test_an_unknown_profile_is_misuse_and_no_certificate_a_rejection(maker: Maker) -> None:
    with pytest.raises(Misuse) as misuse:
        report_of(maker.three(), profiles=("browser",))
    assert misuse.value.reason is Reason.BAD_CONFIGURATION
    with pytest.raises(Misuse):
        report_of(maker.three(), profiles=())
    with pytest.raises(CertificateRejected):
        explain([b"x"], TrustStore.empty(), Purpose.SERVER, None, NOW)


def test_rules_have_one_name_and_say_where_they_stand() -> None:
    sets = (profiles.WEB, profiles.WEB_OUTSIDE, profiles.PRIVATE, profiles.TRUSTED_LEAF)
    for rules in (*sets, openssl.OPENSSL, openssl.OPENSSL + openssl.STRICT):
        names = [(rule.name, rule.scope) for rule in rules]
        assert len(set(names)) == len(names)
        for rule in rules:
            assert rule.rfc
            assert rule.expected
            assert rule.name.replace("_", "").isalpha()


def test_every_rule_of_the_catalogue_is_used() -> None:
    used = {*profiles.WEB, *profiles.WEB_OUTSIDE, *profiles.PRIVATE, *profiles.TRUSTED_LEAF}
    rules = {one for one in vars(catalogue).values() if isinstance(one, catalogue.Rule)}
    assert rules - used == set()


def clones(maker: Maker, count: int) -> Chain:
    """CAs of one name and one key: each signed each, so there are as many paths as orders."""
    ca = maker.ca("CA", key_label="shared")
    made = [maker.ca("CA", ca, key_label="shared", days=(-1000, 3000 + n)) for n in range(count)]
    return Chain((maker.leaf(ca), *made), (maker.ca("Root"),))


def test_an_explosion_of_paths_is_cut_short_soon(maker: Maker) -> None:
    chain = clones(maker, 9)
    started = time.process_time()
    report = report_of(chain)
    assert time.process_time() - started < 2
    assert report.cut_short
    assert len(report.candidates) <= search.MAX_CANDIDATES
    assert not any(verdict.accepted for verdict in report.verdicts.values())


def test_an_explosion_costs_no_more_signatures_than_the_limit(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pellucid.identity.reasoning import view

    checked: list[x509.Certificate] = []
    signed_by = view.signed_by

    def counted(child: x509.Certificate, issuer: x509.Certificate) -> bool:
        checked.append(issuer)
        return signed_by(child, issuer)

    chain = clones(maker, 9)
    monkeypatch.setattr(view, "signed_by", counted)
    report_of(chain, profiles=("private",))
    # The decision's own, its diagnosis, and the explanation.
    assert len(checked) <= search.MAX_SIGNATURE_CHECKS + 2 * search.MAX_EXPLAINED_SIGNATURES


def test_many_trusted_namesakes_are_cut_short(maker: Maker) -> None:
    """A store may hold many roots of one name; the leaf is under the last one of them."""
    roots = [maker.ca("Root", key_label=f"root {number}") for number in range(12)]
    report = report_of(Chain((maker.leaf(roots[-1]),), tuple(roots)))
    assert report.verdicts["private"].accepted
    assert report.candidates[0].trusted
    assert len(report.candidates) <= search.MAX_CANDIDATES


@pytest.mark.parametrize("sent", [True, False])
def test_the_one_whose_key_is_named_is_tried_before_its_namesakes(maker: Maker, sent: bool) -> None:
    """A CA that renews its key again and again leaves more certificates of one name than are tried."""
    root = maker.ca()
    count = 9 if sent else search.MAX_SIGNATURE_CHECKS + 8
    cas = [maker.ca("CA", root, "ed25519", key_label=f"{number}") for number in range(count)]
    leaf = maker.leaf(cas[-1])
    chain = Chain((leaf, *cas), (root,)) if sent else Chain((leaf,), tuple(cas))
    report = report_of(chain, profiles=("private", "web"))
    assert all(verdict.accepted for verdict in report.verdicts.values())
    assert report.candidates[0].certificates[1] == cas[-1].certificate


@pytest.mark.parametrize("profile", ["web", "private"])
@pytest.mark.parametrize("copies", [1, 2])
def test_no_certificate_stands_twice_in_a_path(maker: Maker, profile: Any, copies: int) -> None:
    """RFC 5280 6.1. A self-signed CA that is trusted, as leaf: it is not its own issuer as well."""
    constraints = (x509.BasicConstraints(True, None), True)
    usage = maker.usage("digital_signature", "key_cert_sign")
    leaf = maker.leaf(None, basic_constraints=constraints, usage=usage)
    identity = verify_server([leaf.der] * copies, NAME, leaf.trust, NOW, profile=profile)
    assert identity.path == (leaf.certificate,)


def test_a_trusted_key_that_is_too_costly_is_not_called_a_forgery(maker: Maker) -> None:
    root = maker.ca()
    huge = maker.ca("Huge", root, "rsa_16384")
    chain = Chain((maker.leaf(huge, signed_by=root.key),), (huge,))
    for profile in ("web", "private"):
        verdict = report_of(chain, profiles=(profile,)).verdicts[profile]
        assert verdict.reason is Reason.UNSUPPORTED_CERTIFICATE
        assert "an RSA key of 16384 bits; 8192 is the most" in verdict.sentence


@pytest.mark.parametrize("kind", ["rsa_16384", "rsa_costly_exponent"])
def test_a_key_too_costly_to_verify_with_verifies_nothing(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from pellucid.identity.reasoning import view

    root = maker.ca()
    huge = maker.ca("Huge", root, kind)
    used: list[x509.Certificate] = []
    monkeypatch.setattr(view, "signed_by", lambda _child, issuer: used.append(issuer))
    report = report_of(Chain((maker.leaf(huge, signed_by=root.key), huge), (root,)))
    assert huge.certificate not in used
    assert not any(verdict.accepted for verdict in report.verdicts.values())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("profile", ["web", "private"])
def test_a_chain_is_accepted_where_a_candidate_holds_every_rule(
    maker: Maker, name: str, profile: str
) -> None:
    """What decides and what explains are two, and say the same."""
    report = report_of(CASES[name](maker), profiles=(profile,))
    whole = any(candidate.trusted and not candidate.failed for candidate in report.candidates)
    assert whole is report.verdicts[profile].accepted


def test_a_key_that_is_too_costly_is_named_by_its_rule_where_nobody_needs_it(maker: Maker) -> None:
    root = maker.ca()
    report = report_of(Chain((maker.leaf(root), maker.ca("Huge", root, "rsa_16384")), (root,)))
    assert report.candidates[0].failed == ()
    for profile in ("web", "private"):
        verdict = report.verdicts[profile]
        assert (verdict.rule, verdict.reason) == ("key", Reason.UNSUPPORTED_CERTIFICATE)


def test_names_in_thousands_on_every_path_are_explained_soon(maker: Maker) -> None:
    """As many as fit, in every certificate of a mesh of CAs, under as many constraints."""
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), *(x509.DNSName(f"n{n}.t") for n in range(6500))])
    held = constraints(None, [x509.DNSName(f"x{n}.t") for n in range(3500)])
    one, other = maker.ca("One", key_label="shared"), maker.ca("Other", key_label="shared")
    given = [
        {"days": (-1000, 3000 + n), "key_label": "shared", "extensions": [(names, False)]} for n in range(5)
    ]
    mesh = [maker.ca("One", other, **each) for each in given]
    mesh += [maker.ca("Other", one, **(each | held)) for each in given[:4]]
    leaf = maker.leaf(one, names=None, extensions=[(names, False)])
    started = time.process_time()
    report = report_of(Chain((leaf, *mesh), (maker.ca("Root"),)))
    assert time.process_time() - started < 3
    assert len(report.candidates) == search.MAX_CANDIDATES
    assert not any(verdict.accepted for verdict in report.verdicts.values())


def test_words_of_the_peer_stay_on_one_line(maker: Maker) -> None:
    leaf = maker.leaf(None, name="evil\x1b[2J\n\u202egood", names=("a\nb.example",))
    report = report_of(Chain((leaf,), (maker.ca(),)))
    for candidate in report.candidates:
        assert candidate.sentence.isprintable()
        assert all(check.found.isprintable() for check in candidate.checks)
    assert all(verdict.sentence.isprintable() for verdict in report.verdicts.values())


def test_any_altered_byte_is_explained_without_an_error(maker: Maker) -> None:
    """Whatever pyca raises for it, late or early: a report, or a rejection where nothing can be parsed."""
    root = maker.ca()
    leaf = maker.leaf(root, days=LONG)
    name = parse_server_name(NAME)
    for position in range(len(leaf.der)):
        altered = bytearray(leaf.der)
        altered[position] ^= 1 << position % 8
        try:
            report = explain([bytes(altered), root.der], root.trust, Purpose.SERVER, name, NOW)
        except CertificateRejected:
            continue
        assert set(report.verdicts) == set(PROFILES)


@pytest.mark.parametrize("count", range(4, 10))
def test_a_decision_takes_no_more_steps_than_the_limit(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Also where every signature is known already, and so costs nothing."""
    steps: list[object] = []
    extend = search._Decision._issued

    def counted(self: Any, view: Any) -> bool:
        steps.append(view)
        return extend(self, view)

    monkeypatch.setattr(search._Decision, "_issued", counted)
    verdict = report_of(clones(maker, count), profiles=("private",)).verdicts["private"]
    assert len(steps) <= search.MAX_STEPS + 1
    assert not verdict.accepted
