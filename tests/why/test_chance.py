"""Servers that take turns, come and go, or let nobody in, and time that runs out: chance proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, cycle

import pytest
from gates import Gate, client, good, handshake_failure, offers_tls13, refusal, unless
from investigating import found

from pellucid.codes import ExtensionType
from pellucid.errors import Misuse, PeerIncompatible, Reason
from pellucid.faults import FAULTS, Bench, Ending, Peer
from pellucid.faults.peers import Script
from pellucid.messages import ClientHello
from pellucid.trace.texts import Place
from pellucid.why import Effect, Factor, Stage
from pellucid.why.telling import conclusion, fix

PLACE = Place("example.org", 443)


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


@pytest.mark.parametrize("pattern", ["sg", "ssg", "sssg"])
def test_of_two_servers_one_that_is_silent_isolates_nothing(bench: Bench, pattern: str) -> None:
    kinds = {"s": Peer, "g": lambda: good(bench)}
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
