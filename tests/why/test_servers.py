"""Servers that fail in ways of their own: what is isolated, and what stays open as nothing shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, cycle
from typing import Any

import pytest
from investigating import found

from pellucid.codes import ExtensionType
from pellucid.config import ClientConfig
from pellucid.connection import ServerConnection
from pellucid.errors import Misuse, PeerIncompatible, Reason, TLSError
from pellucid.faults import FAULTS, Bench, Ending, Peer
from pellucid.faults.peers import Script, Speaker
from pellucid.faults.tampering import TamperedServer, refusing
from pellucid.identity.lab_keys import make_key
from pellucid.messages import ClientHello, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.why import Effect, Factor, Finding, Stage
from pellucid.why.telling import conclusion, confirm, fix

PLACE = "example.org", 443
_RECORD_HEADER = 5

Judge = Callable[[ClientHello], Peer]


class Gate(Peer):
    """Reads the ClientHello and leaves the rest to the peer that ``judge`` gives for it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._start = b""
        self._chosen: Peer | None = None

    def data_to_send(self) -> bytes:
        sent = self._chosen.data_to_send() if self._chosen else b""
        self.ending = self._chosen.ending if self._chosen else self.ending
        return sent

    def receive_data(self, data: bytes) -> None:
        if self._chosen is None:
            self._start += data
            length = int.from_bytes(self._start[3:_RECORD_HEADER], "big")
            if len(self._start) < _RECORD_HEADER + length or not length:
                return
            hello = decode_handshake(self._start[_RECORD_HEADER : _RECORD_HEADER + length], [ClientHello])
            assert isinstance(hello, ClientHello)
            self._chosen = self._judge(hello)
            data = self._start
        self._chosen.receive_data(data)
        self.ending = self._chosen.ending

    def receive_eof(self) -> None:
        assert self._chosen is not None
        self._chosen.receive_eof()


def good(bench: Bench, **settings: Any) -> Peer:
    return Speaker(ServerConnection(bench.server(**settings)), b"")


def refusal(bench: Bench, error: TLSError) -> Peer:
    return Speaker(TamperedServer(bench.server(), tamper=refusing(lambda: error)), b"")


def handshake_failure(bench: Bench) -> Peer:
    return refusal(bench, PeerIncompatible(Reason.NO_SHARED_CIPHER_SUITE, "a gate"))


def unless(bench: Bench, passes: Callable[[ClientHello], bool], otherwise: Callable[[], Peer]) -> Finding:
    """What is found out about a server that is good to hellos that pass."""

    def judge(hello: ClientHello) -> Peer:
        return good(bench) if passes(hello) else otherwise()

    return found(lambda: Gate(judge), client(bench))


def client(bench: Bench, **settings: Any) -> ClientConfig:
    return ClientConfig(trust=bench.laboratory.trust, **settings)


def offers_tls13(hello: ClientHello) -> bool:
    return ExtensionType.supported_versions in hello.extensions


def hybrids_in(hello: ClientHello) -> bool:
    shares = hello.extensions.find(ext.KeyShareClientHello)
    return shares is not None and any(len(entry.key_exchange) > 1000 for entry in shares.client_shares)


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


# -- chance, and time


def peers_in_turn(*kinds: Callable[[], Peer]) -> Callable[[], Peer]:
    turns: Iterator[Callable[[], Peer]] = chain(kinds, cycle(kinds[-1:]))

    def start() -> Peer:
        return next(turns)()

    return start


def test_a_failure_that_comes_and_goes_isolates_nothing(bench: Bench) -> None:
    once = peers_in_turn(lambda: handshake_failure(bench), lambda: good(bench))
    finding = found(once, client(bench))
    assert all(one.effect is Effect.CONNECTED for one in finding.tried)
    assert (finding.isolated, finding.cause, finding.steady) == ((), "", False)
    assert conclusion(finding)[0].startswith("The failure comes and goes")
    assert "several servers" in fix(finding, PLACE)


def in_turn_without_end(*kinds: Callable[[], Peer]) -> Callable[[], Peer]:
    turns = cycle(kinds)

    def start() -> Peer:
        return next(turns)()

    return start


@pytest.mark.parametrize("pattern", ["bg", "bbg", "bgg", "bbbg", "bbgg", "bbbbbg", "bbbbbbg", "bbbbbbbg"])
@pytest.mark.parametrize(
    "reason",
    [
        Reason.NO_SHARED_CIPHER_SUITE,
        Reason.NO_SHARED_APPLICATION_PROTOCOL,
        Reason.NO_SHARED_VERSION,
        Reason.INTERNAL_ERROR,
    ],
)
def test_two_servers_behind_one_address_prove_nothing(bench: Bench, pattern: str, reason: Reason) -> None:
    """One of them, "b", refuses all that come, whatever they offer; the other is good to all."""

    def bad() -> Peer:
        return refusal(bench, PeerIncompatible(reason, "one of two"))

    kinds = {"b": bad, "g": lambda: good(bench, alpn_protocols=["h2"])}
    finding = found(in_turn_without_end(*(kinds[kind] for kind in pattern)), client(bench))
    assert not finding.proved
    # Where it showed in the last but one alone, there is none left to try it again, and that is said.
    assert not finding.repeated
    assert not finding.isolated or "was tried once alone" in " ".join(conclusion(finding))


@pytest.mark.parametrize("pattern", ["bg", "bbg", "bbbg", "bbbbbg", "bbbbbbg"])
@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.RESET])
def test_one_server_of_two_that_hangs_up_isolates_nothing(bench: Bench, pattern: str, ending: Ending) -> None:
    kinds = {"b": lambda: Script(b"", ending), "g": lambda: good(bench, alpn_protocols=["h2"])}
    finding = found(in_turn_without_end(*(kinds[kind] for kind in pattern)), client(bench))
    assert (finding.isolated, finding.cause, finding.steady) == ((), "", False)


def test_what_gets_past_once_and_not_again_was_chance(bench: Bench) -> None:
    refused = [lambda: handshake_failure(bench)] * 4
    finding = found(peers_in_turn(*refused, lambda: good(bench), *refused), client(bench))
    assert [one.effect for one in finding.tried].count(Effect.CONNECTED) == 1
    assert (finding.isolated, finding.cause, finding.steady) == ((), "", False)
    assert "what got past it once" in conclusion(finding)[0]


def test_what_gets_past_is_tried_again_and_the_same_unchanged_as_well(bench: Bench) -> None:
    finding = unless(
        bench,
        lambda hello: ExtensionType.server_name not in hello.extensions,
        lambda: handshake_failure(bench),
    )
    factors = [one.probe.factor for one in finding.tried if one.further]
    assert factors == [Factor.NAME, Factor.NAME]
    assert (finding.isolated, finding.steady) == ((Factor.NAME,), True)


def test_who_refuses_a_name_with_an_alert_that_does_not_say_so_may_have_another_reason(
    bench: Bench,
) -> None:
    """The name may be known, and have settings of its own: nobody said that it is not."""
    finding = unless(
        bench,
        lambda hello: ExtensionType.server_name not in hello.extensions,
        lambda: handshake_failure(bench),
    )
    assert (finding.cause, finding.proved) == ("", False)
    assert fix(finding, PLACE)


def test_a_server_that_takes_the_other_version_may_refuse_this_one_for_another_reason(bench: Bench) -> None:
    finding = found(
        lambda: Gate(lambda hello: good(bench) if offers_tls13(hello) else handshake_failure(bench)),
        client(bench, protocols=["TLSv1.2"]),
    )
    assert (finding.isolated, finding.cause, finding.proved) == ((Factor.VERSION,), "", False)


def test_a_server_that_needs_a_protocol_but_says_something_else_may_have_another_reason(
    bench: Bench,
) -> None:
    def judge(hello: ClientHello) -> Peer:
        if ExtensionType.application_layer_protocol_negotiation in hello.extensions:
            return good(bench, alpn_protocols=["h2"])
        return handshake_failure(bench)

    finding = found(lambda: Gate(judge), client(bench))
    assert (finding.isolated, finding.cause, finding.proved) == ((Factor.ALPN,), "", False)


def test_where_two_changes_get_past_it_neither_is_the_cause(bench: Bench) -> None:
    """By the suites alone it would be proved; but the older version does as well."""

    def judge(hello: ClientHello) -> Peer:
        if not offers_tls13(hello):
            return good(bench)
        return good(bench, protocols=["TLSv1.3"], cipher_suites=["TLS_AES_128_CCM_8_SHA256"])

    finding = found(lambda: Gate(judge), client(bench))
    assert set(finding.isolated) == {Factor.CIPHER_SUITES, Factor.VERSION}
    assert (finding.cause, finding.proved) == ("", False)


def test_a_server_that_blocks_who_comes_again_isolates_nothing_and_it_is_said(bench: Bench) -> None:
    blocked = peers_in_turn(lambda: handshake_failure(bench), lambda: Script(b"", Ending.RESET))
    finding = found(blocked, client(bench))
    assert (finding.isolated, finding.steady) == ((), False)
    assert finding.tried[-1].probe.factor is Factor.NOTHING


def test_what_there_was_no_time_for_is_said(bench: Bench) -> None:
    finding = found(lambda: handshake_failure(bench), client(bench), most=2)
    assert [one.probe.factor for one in finding.tried] == [Factor.CIPHER_SUITES, Factor.GROUPS]
    assert finding.untried == (Factor.SIGNATURE_SCHEMES, Factor.VERSION, Factor.NAME, Factor.ALPN)
    assert conclusion(finding)[-1].startswith("There was no time, or none of 8 connections left, to try: the")


def test_without_time_for_the_counterproof_length_is_not_blamed_alone(bench: Bench) -> None:
    finding = found(FAULTS["silent_to_large_client_hello"].prepare(bench), client(bench), most=1)
    assert (finding.isolated, finding.steady) == ((Factor.HELLO_SIZE,), None)
    said = " ".join(conclusion(finding))
    assert "was not tried" in said
    assert "in the same way again" not in said
    assert Factor.HELLO_SIZE not in finding.untried


def test_what_was_not_tried_again_unchanged_proves_nothing(bench: Bench) -> None:
    rare = FAULTS["no_shared_cipher_suite"].prepare(bench)
    finding = found(rare, client(bench), most=2)
    assert (finding.isolated, finding.steady) == ((Factor.CIPHER_SUITES,), None)
    assert (finding.cause, finding.proved) == ("", False)
    assert "may be chance" in " ".join(conclusion(finding))


def test_a_server_that_is_gone_meanwhile_is_no_difference(bench: Bench) -> None:
    def gone() -> Peer:
        raise ConnectionRefusedError(111, "Connection refused")

    fault = FAULTS["client_certificate_untrusted"]
    peers = peers_in_turn(fault.prepare(bench), gone)
    finding = found(peers, client(bench, **fault.client(bench)))
    assert [one.seen.stage for one in finding.tried] == [Stage.UNREACHED]
    assert (finding.isolated, finding.proved) == ((), False)


def test_without_any_time_nothing_is_found(bench: Bench) -> None:
    finding = found(lambda: handshake_failure(bench), client(bench), most=0)
    assert (finding.tried, finding.isolated, finding.cause) == ((), (), "")
    assert len(finding.untried) == 6


def test_of_a_connection_that_is_fine_nothing_is_asked(bench: Bench) -> None:
    finding = found(lambda: good(bench), client(bench))
    assert (finding.tried, finding.untried) == ((), ())
    assert conclusion(finding) == ["The connection is fine: there is nothing to ask."]


def test_where_no_hello_went_out_nothing_in_it_is_varied(bench: Bench) -> None:
    def gone() -> Peer:
        raise Misuse(Reason.CONNECTION_FAILED, "no TCP")

    finding = found(gone, client(bench))
    assert (finding.first.stage, finding.tried) == (Stage.UNREACHED, ())
    assert "No ClientHello went out" in " ".join(conclusion(finding))
