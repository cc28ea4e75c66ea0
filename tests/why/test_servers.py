"""Servers that fail in ways of their own: what is isolated, and what stays open as nothing shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from gates import Gate, client, good, handshake_failure, hybrids_in, offers_tls13, refusal, unless
from investigating import found

from pellucid.codes import ExtensionType
from pellucid.config import ClientConfig
from pellucid.errors import PeerIncompatible, Reason
from pellucid.faults import FAULTS, Bench, Ending, Peer
from pellucid.faults.peers import Script
from pellucid.identity import parse_server_name
from pellucid.identity.lab_keys import make_key
from pellucid.messages import ClientHello
from pellucid.trace.events import CertificateSummary
from pellucid.trace.texts import Place
from pellucid.why import Effect, Factor, Finding, Seen, Stage, investigate
from pellucid.why.telling import conclusion, confirm, fix, showed

PLACE = Place("example.org", 443)


# -- silence, and ends without a word


def test_a_server_that_cannot_bear_a_hybrid_share_is_not_one_of_length(bench: Bench) -> None:
    finding = unless(bench, lambda hello: not hybrids_in(hello), Peer)
    assert finding.isolated == (Factor.GROUPS,)
    assert (finding.cause, finding.steady) == ("", True)
    said = " ".join(conclusion(finding))
    assert "the groups for the key exchange" in said
    assert "it is not the length" in said
    assert confirm(finding, PLACE) == "pellucid connect example.org:443 --group x25519"


@pytest.mark.parametrize(
    "otherwise", [Peer, lambda: Script(b"", Ending.CLOSE), lambda: Script(b"", Ending.RESET)]
)
def test_a_server_that_cannot_bear_a_newer_version(bench: Bench, otherwise: Callable[[], Peer]) -> None:
    finding = unless(bench, lambda hello: not offers_tls13(hello), otherwise)
    assert finding.isolated == (Factor.VERSION,)
    assert (finding.cause, finding.steady) == ("", True)
    assert confirm(finding, PLACE) == "pellucid connect example.org:443 --tls 1.2"


def test_who_filters_a_name_says_nothing_and_is_not_taken_for_the_server(bench: Bench) -> None:
    finding = unless(
        bench,
        lambda hello: ExtensionType.server_name not in hello.extensions,
        lambda: Script(b"", Ending.RESET),
    )
    assert finding.isolated == (Factor.NAME,)
    assert (finding.first.failure, finding.cause) == ("reset_after_client_hello", "")


def test_a_refusal_in_the_place_of_silence_counts_where_nothing_gets_further(bench: Bench) -> None:
    def judge(hello: ClientHello) -> Peer:
        return Peer() if offers_tls13(hello) else handshake_failure(bench)

    finding = found(lambda: Gate(judge), client(bench))
    assert finding.isolated == (Factor.VERSION,)
    assert [one.seen.stage for one in finding.decisive] == [Stage.ANSWERED]


def test_a_refusal_in_the_place_of_silence_is_nothing_beside_a_way_past_it(bench: Bench) -> None:
    def judge(hello: ClientHello) -> Peer:
        if not offers_tls13(hello):
            return handshake_failure(bench)
        return (
            good(bench)
            if ExtensionType.application_layer_protocol_negotiation in hello.extensions
            else Peer()
        )

    finding = found(lambda: Gate(judge), client(bench))
    assert finding.isolated == (Factor.ALPN,)


def test_one_that_loses_what_is_long_also_takes_the_older_version_for_its_length(bench: Bench) -> None:
    def judge(hello: ClientHello) -> Peer:
        return good(bench) if len(hello.raw) < 1000 else Script(b"", Ending.CLOSE)

    finding = found(lambda: Gate(judge), client(bench))
    assert {one.probe.factor for one in finding.tried if one.effect is Effect.CONNECTED} == {
        Factor.HELLO_SIZE,
        Factor.VERSION,
    }
    assert finding.isolated == (Factor.HELLO_SIZE,)


# -- refusals


def test_what_each_alone_gets_past_it_is_listed_and_no_cause_named(bench: Bench) -> None:
    def judge(hello: ClientHello) -> Peer:
        with_alpn = ExtensionType.application_layer_protocol_negotiation in hello.extensions
        named = ExtensionType.server_name in hello.extensions
        return handshake_failure(bench) if named and not with_alpn else good(bench)

    finding = found(lambda: Gate(judge), client(bench))
    assert set(finding.isolated) == {Factor.NAME, Factor.ALPN}
    assert (finding.cause, finding.proved) == ("", False)
    assert conclusion(finding)[0].startswith("Each of these alone")


def test_a_list_that_helps_by_more_than_what_it_adds_proves_no_lack(bench: Bench) -> None:
    finding = unless(bench, lambda hello: len(hello.cipher_suites) > 20, lambda: handshake_failure(bench))
    assert finding.isolated == (Factor.CIPHER_SUITES,)
    assert (finding.cause, finding.proved) == ("", False)
    assert fix(finding, PLACE)


def test_a_version_that_was_left_out_is_proved_to_be_lacking(bench: Bench) -> None:
    finding = found(lambda: good(bench, protocols=["TLSv1.3"]), client(bench, protocols=["TLSv1.2"]))
    assert finding.first.failure == "no_shared_version"
    assert (finding.isolated, finding.cause, finding.proved) == ((Factor.VERSION,), "no_shared_version", True)
    assert confirm(finding, PLACE) == "pellucid connect example.org:443 --tls 1.3"


def test_the_policy_of_one_version_is_asked_with_the_other_as_well(bench: Bench) -> None:
    finding = found(lambda: good(bench, protocols=["TLSv1.2"]), client(bench, policy="modern"))
    assert (finding.isolated, finding.cause) == ((Factor.VERSION,), "no_shared_version")


def test_a_server_that_wants_an_application_protocol(bench: Bench) -> None:
    def judge(hello: ClientHello) -> Peer:
        if ExtensionType.application_layer_protocol_negotiation in hello.extensions:
            return good(bench, alpn_protocols=["h2"])
        return refusal(bench, PeerIncompatible(Reason.NO_SHARED_APPLICATION_PROTOCOL, "a gate"))

    finding = found(lambda: Gate(judge), client(bench))
    assert (finding.isolated, finding.cause, finding.proved) == ((Factor.ALPN,), "alpn_mismatch", True)
    assert confirm(finding, PLACE) == "pellucid connect example.org:443 --alpn h2"


def test_an_address_has_no_name_that_could_be_left_out(bench: Bench) -> None:
    finding = found(lambda: handshake_failure(bench), client(bench), "127.0.0.1")
    assert Factor.NAME not in {one.probe.factor for one in finding.tried}
    assert finding.isolated == ()


# -- certificates and signatures


def test_of_two_certificates_the_good_one_is_found(bench: Bench) -> None:
    past = bench.now - 200 * 86_400, bench.now - 100 * 86_400
    expired = bench.laboratory.credential("ecdsa", bench.names, validity=past)
    sound = bench.laboratory.credential("rsa", bench.names)
    finding = found(lambda: good(bench, credentials=[expired, sound]), client(bench))
    assert finding.isolated == (Factor.SIGNATURE_SCHEMES,)
    assert (finding.cause, finding.proved) == ("certificate_expired", False)
    assert "more than one kind" in fix(finding, PLACE)


def test_a_certificate_that_another_name_has_is_told(bench: Bench) -> None:
    other = bench.laboratory.credential("ecdsa", ("other.example",))
    third = bench.laboratory.credential("ecdsa", ("third.example",))

    def judge(hello: ClientHello) -> Peer:
        named = ExtensionType.server_name in hello.extensions
        return good(bench, credentials=[other if named else third])

    finding = found(lambda: Gate(judge), client(bench))
    assert (finding.cause, finding.isolated) == ("hostname_mismatch", ())
    without_name = finding.tried[0].seen
    assert without_name.leaf is not None
    assert without_name.leaf.names == ("third.example",)


def test_a_wrong_key_is_found_behind_a_hello_retry_request(bench: Bench) -> None:
    config = client(bench, groups=["secp384r1", "x25519"], key_shares=["secp384r1"])
    finding = found(FAULTS["key_does_not_match_certificate"].prepare(bench), config)
    assert any(getattr(event, "name", "") == "HelloRetryRequest" for event in finding.first.events)
    assert (finding.by_other_key, finding.cause) == (True, "key_does_not_match_certificate")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_of_rsa_nobody_can_tell_a_wrong_key_from_a_damaged_signature(bench: Bench, version: str) -> None:
    mismatched: Any = bench.laboratory.mismatched(bench.laboratory.issue("rsa", bench.names))
    mismatched.other_key = make_key("rsa", None, "another")
    finding = found(lambda: good(bench, credentials=[mismatched], protocols=[version]), client(bench))
    assert (finding.first.failure, finding.steady) == ("bad_signature", True)
    assert (finding.by_other_key, finding.cause, finding.proved) == (False, "bad_signature", False)


def answered(first: Seen, config: ClientConfig, others: dict[Factor, Seen]) -> Finding:
    """What is found of a server that shows ``others`` where that factor is changed, else the first again."""
    investigation = investigate(config, parse_server_name("localhost"), first)
    answer: Seen | None = None
    while True:
        try:
            probe = investigation.send(answer)
        except StopIteration as end:
            finding: Finding = end.value
            return finding
        answer = others.get(probe.factor, first)


UNTRUSTED = Seen(
    stage=Stage.COMPLETED,
    failure="client_certificate_untrusted",
    alert="unknown_ca",
    direction="received",
    asked=True,
    shown=True,
)


@pytest.mark.parametrize(
    "alert, cause",
    [
        ("handshake_failure", "client_certificate_missing"),
        ("decode_error", "client_certificate_missing"),
        ("internal_error", ""),
        ("illegal_parameter", ""),
    ],
)
def test_a_strangers_certificate_that_is_refused_explains_no_alert_about_something_else(
    bench: Bench, alert: str, cause: str
) -> None:
    """A server may ask, be content with none, and fail behind it for a reason of its own."""
    failure = "handshake_failure" if alert == "handshake_failure" else "alert_received"
    first = replace(UNTRUSTED, failure=failure, alert=alert, shown=False)
    finding = answered(first, client(bench), {Factor.CLIENT_CERTIFICATE: UNTRUSTED})
    assert finding.isolated == (Factor.CLIENT_CERTIFICATE,)
    assert (finding.cause, finding.proved) == (cause, bool(cause))


def test_our_certificate_is_not_blamed_where_none_is_refused_as_well(bench: Bench) -> None:
    ours = bench.laboratory.credential("ecdsa", ("me.example",), "client")
    first = replace(UNTRUSTED, failure="alert_received", alert="internal_error")
    without = replace(
        UNTRUSTED, failure="client_certificate_missing", alert="certificate_required", shown=False
    )
    finding = answered(first, client(bench, credentials=[ours]), {Factor.CLIENT_CERTIFICATE: without})
    assert (finding.cause, finding.proved) == ("", False)


def test_names_that_a_certificate_has_are_shown_shortly(bench: Bench) -> None:
    leaf = CertificateSummary(subject="CN=x", issuer="CN=y", names=("a" * 60_000, "b", "c", "d"))
    first = replace(
        UNTRUSTED, stage=Stage.NEGOTIATED, failure="hostname_mismatch", direction="sent", leaf=leaf
    )
    other = replace(first, leaf=replace(leaf, names=("e" * 60_000,)))
    finding = answered(first, client(bench), {Factor.NAME: other})
    told = " ".join(showed(one, first) for one in finding.tried)
    assert "another certificate, for eee" in told
    assert len(told) < 1000
