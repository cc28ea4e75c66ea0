"""Captures that lack packets, begin late or end early: what is told is so, or it is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import conversations
import pytest
from captures import pcap
from conversations import KINDS, MUTUAL_CLIENT, MUTUAL_SERVER, Conversation, converse, tls12
from rfc8448 import vectors
from watched import Turns, Wire, decode_all, turns_of

from pellucid.crypto.suites import SUITES
from pellucid.decode import Decoded
from pellucid.identity import TrustStore
from pellucid.keys import traffic_keys
from pellucid.record import Opener, Sealer
from pellucid.trace.events import CheckEvent, RecordEvent

Packets = list[tuple[int, bytes]]

#: Small enough that hellos and certificates take more than one packet.
_SEGMENT = 700

_REFUSING = {"trust": TrustStore.empty()}
_OLD = {"policy": "compatible", "protocols": ["TLSv1.2"]}

#: Handshakes that fail, by name: what client and server are configured with.
FAILING = {
    "certificate refused": (_REFUSING, {}),
    "retried, refused": (KINDS["retried"][0] | _REFUSING, KINDS["retried"][1]),
    "no client certificate": ({}, MUTUAL_SERVER),
    "client certificate refused": (MUTUAL_CLIENT, MUTUAL_SERVER | _REFUSING),
    "no group": ({"groups": ["x25519"]}, {"groups": ["secp384r1"]}),
    "1.2 certificate refused": (tls12(conversations.ECDHE, **_REFUSING), tls12(conversations.ECDHE)),
    "1.2 no client certificate": (_OLD, _OLD | MUTUAL_SERVER),
    "1.2 client certificate refused": (_OLD | MUTUAL_CLIENT, _OLD | MUTUAL_SERVER | _REFUSING),
}
SPEAKING_UP = {False: "without the alert", True: "with its alert"}


@cache
def talk(kind: str) -> Conversation:
    if kind in KINDS:
        return converse(kind)
    KINDS[kind] = FAILING[kind]
    try:
        return converse(kind, ends_well=False)
    finally:
        del KINDS[kind]


def beginning(kind: str) -> Turns:
    """The handshake, and a little of what comes behind it."""
    events = talk(kind).trace.events[: talk(kind).at_handshake]
    handshake = sum(1 for e in events if isinstance(e, RecordEvent) and e.direction == "sent")
    return turns_of(talk(kind))[: handshake + 3]


def incomplete(packets: Packets) -> Iterator[tuple[str, Packets]]:
    """The capture with each packet left out, and cut at each packet: begun there, or ended there."""
    for place in range(len(packets)):
        yield f"without packet {place}", packets[:place] + packets[place + 1 :]
        yield f"from packet {place} on", packets[place:]
        yield f"up to packet {place}", packets[:place]


def told(packets: Packets, key_log: list[str]) -> list[Decoded]:
    return [found for found in decode_all(pcap(packets), key_log) if found.outcome is not None]


def status(found: Decoded) -> str:
    assert found.outcome is not None
    failure = found.outcome.failure
    return found.outcome.status if failure is None else f"{found.outcome.status}: {failure.id}"


def failed_checks(found: Decoded) -> list[str]:
    assert found.trace is not None
    return [
        event.what
        for event in found.trace.events
        if isinstance(event, CheckEvent) and not event.ok and event.what != "certificate_chain"
    ]


def ended(wire: Wire, end: str) -> Wire:
    match end.split():
        case ["closed", "by", side]:
            return wire.close(side)
        case ["reset", "by", side]:
            return wire.reset(side)
    return wire


def is_true(found: Decoded, kind: str, end: str) -> bool:
    """Whether what is told of a connection that failed is so; "unknown" always is."""
    assert found.outcome is not None
    failure = found.outcome.failure
    if failure is None:
        return found.outcome.status == "unknown"
    if failure.id in ("client_rejected_certificate", "server_certificate_refused"):
        return "refused" in kind and "client certificate" not in kind
    told = failure.observed.lower()
    others = {"closed", "reset"} - {end.split(maxsplit=1)[0]}
    wrong = "client" if end.endswith("server") else "server"
    return not any(f"the {wrong} {each}" in told for each in ("closed", "reset")) and not any(
        f"{each} the tcp connection" in told for each in others
    )


with_and_without_keys = pytest.mark.parametrize("keys", [True, False], ids=["opened", "closed"])


@with_and_without_keys
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_there_was_is_never_told_to_have_failed(kind: str, keys: bool) -> None:
    end = ("closed by client", "closed by server", "reset by client")[list(KINDS).index(kind) % 3]
    wire = ended(Wire().say(*beginning(kind), most=_SEGMENT), end)
    for what, packets in [("whole", wire.packets), *incomplete(wire.packets)]:
        for found in told(packets, talk(kind).key_log if keys else []):
            assert status(found) in ("connected", "unknown"), what
            assert failed_checks(found) == [], what


@with_and_without_keys
@pytest.mark.parametrize("speaks", SPEAKING_UP, ids=SPEAKING_UP.get)
@pytest.mark.parametrize("kind", FAILING)
def test_a_connection_that_failed_is_never_told_otherwise(kind: str, keys: bool, speaks: bool) -> None:
    turns = turns_of(talk(kind))
    for end in ("closed by client", "closed by server", "reset by client", "reset by server"):
        wire = ended(Wire().say(*(turns if speaks else turns[:-1]), most=_SEGMENT), end)
        for what, packets in [("whole", wire.packets), *incomplete(wire.packets)]:
            for found in told(packets, talk(kind).key_log if keys else []):
                assert is_true(found, kind, end), (what, end, status(found))
                assert failed_checks(found) == [], (what, end)


@pytest.mark.parametrize(
    "kind, end, expected",
    [
        ("1.2 no client certificate", "closed by client", "failed: closed_during_handshake"),
        ("1.2 no client certificate", "reset by server", "failed: closed_during_handshake"),
        ("no client certificate", "closed by server", "unknown"),
        ("client certificate refused", "reset by server", "unknown"),
        ("client certificate refused", "open", "unknown"),
    ],
)
def test_a_server_that_refuses_without_a_word(kind: str, end: str, expected: str) -> None:
    """Opened: up to TLS 1.2 its Finished is missed; in TLS 1.3 nothing of it is due."""
    wire = ended(Wire().say(*turns_of(talk(kind))[:-1]), end)
    assert [status(found) for found in told(wire.packets, talk(kind).key_log)] == [expected]


def test_a_server_that_stalls_behind_the_clients_flight() -> None:
    kind = "1.2 no client certificate"
    wire = Wire().say(*turns_of(talk(kind))[:-1]).wait(5).close()
    (found,) = told(wire.packets, talk(kind).key_log)
    assert status(found) == "failed: stalled_mid_flight"


def test_a_server_has_accepted_the_clients_certificate_when_it_goes_on() -> None:
    turns = turns_of(talk("mutual"))
    assert statuses(turns, talk("mutual").key_log) == ["connected"]
    behind_the_finished = next(
        place for place, (side, raw) in enumerate(turns) if side == "client" and place > 2 and raw[0] == 23
    )
    few = turns[: behind_the_finished + 1]
    assert statuses(few, talk("mutual").key_log) == ["unknown"]


def statuses(turns: Turns, key_log: Sequence[str] = ()) -> list[str]:
    return [status(found) for found in told(Wire().say(*turns).close().packets, list(key_log))]


# -- where the capture has no whole ClientHello


@pytest.mark.parametrize("keys", [True, False], ids=["opened", "closed"])
def test_a_client_hello_of_which_the_first_packet_is_missing(keys: bool) -> None:
    wire = Wire().say(*turns_of(talk("full")), most=_SEGMENT).close()
    del wire.packets[3]
    (found,) = told(wire.packets, talk("full").key_log if keys else [])
    assert (found.tls, status(found)) == (True, "connected")  # by who spoke behind it
    assert {(each.side, each.reason) for each in found.sealed} == {
        ("client", "no_client_hello"),
        ("server", "no_client_hello"),
    }


def test_a_client_hello_that_is_missing() -> None:
    turns = turns_of(talk("full"))
    for wire in (Wire().say(*turns[1:]), Wire().say(*turns[1:4])):
        (found,) = told(wire.close().packets, talk("full").key_log)
        assert found.tls
        assert not status(found).startswith("failed")
        assert {each.reason for each in found.sealed} == {"no_client_hello"}


def test_a_client_hello_in_the_form_of_ssl_2_that_is_answered_in_tls() -> None:
    hello = bytes.fromhex("802e0103030015000000100100800300800700c0") + bytes(28)
    turns = turns_of(talk("1.2 ecdhe"))
    for answer in (turns[1:2], turns[1:]):
        (found,) = told(Wire().say(("client", hello), *answer).close().packets, [])
        assert found.tls
        assert not status(found).startswith("failed")
        assert {each.reason for each in found.sealed} == {"no_client_hello"}


def test_plain_http_to_a_port_of_tls() -> None:
    alert = b"\x15\x03\x01\0\2\2\x46"
    wire = Wire().say(("client", b"GET / HTTP/1.1\r\n\r\n"), ("server", alert)).close("server")
    (found,) = told(wire.packets, [])
    assert status(found) == "failed: not_tls"
    assert found.outcome is not None
    assert found.outcome.failure is not None
    assert "(from the client)" in found.outcome.failure.observed


@pytest.mark.parametrize("first", ["HTTP/1.1 400 Bad Request\r\n", "\x9c\x01\xff" * 9])
def test_behind_a_gap_only_text_shows_that_it_is_no_tls(first: str) -> None:
    wire = Wire(opened=False).say(("server", first.encode("latin-1"))).close("server")
    (found,) = told(wire.packets, [])
    assert not found.tls
    assert status(found) == ("failed: not_tls" if first.startswith("HTTP") else "unknown")


def test_between_two_hellos_nothing_is_checked_that_needs_the_first() -> None:
    turns = turns_of(talk("retried"))
    second = next(place for place, (side, raw) in enumerate(turns) if place and raw[5] == 1 and raw[0] == 22)
    wire = Wire(opened=False).say(*turns[second:]).close()
    (found,) = told(wire.packets, talk("retried").key_log)
    assert (status(found), failed_checks(found)) == ("connected", [])
    assert found.trace is not None
    assert {e.what for e in found.trace.events if isinstance(e, CheckEvent)} >= {"session_id_echo"}


# -- what goes under protection


def test_without_the_secret_of_the_clients_flight_the_servers_data_shows_that_it_was_accepted() -> None:
    lines = [line for line in talk("full").key_log if not line.startswith("CLIENT_HANDSHAKE")]
    assert statuses(turns_of(talk("full")), lines) == ["connected"]


@pytest.mark.parametrize(
    "name, length, expected",
    [
        ("simple_1rtt", 700, "connected"),
        ("resumed_0rtt", 700, "unknown"),
        ("resumed_0rtt", 53, "connected"),
    ],
)
def test_early_data_within_the_servers_flight_is_no_finished(name: str, length: int, expected: str) -> None:
    records = [(each["sender"], bytes.fromhex(each["record"])) for each in vectors(name).data["records"]]
    hellos = [turn for turn in records if turn[1][0] == 22][:2]
    assert [side for side, _ in hellos] == ["client", "server"]
    speaks: Turns = [("server", _protected(900)), ("client", _protected(length)), ("server", _protected(900))]
    assert statuses([*hellos, *speaks, speaks[-1]]) == [expected]


def test_one_last_record_of_the_server_may_be_an_alert() -> None:
    start = turns_of(talk("full"))[:6]
    for first, expected in (("client", "connected"), ("server", "unknown")):
        wire = Wire().say(*start, ("server", _protected(96))).close(first)
        assert [status(found) for found in told(wire.packets, [])] == [expected]


def _protected(length: int) -> bytes:
    return b"\x17\x03\x03" + length.to_bytes(2) + bytes(length)


# -- a Finished that does not fit


def with_wrong_finished(side: str) -> Turns:
    """The handshake, up to a Finished of ``side`` that is a MAC of something else."""
    label = f"{side.upper()}_HANDSHAKE_TRAFFIC_SECRET "
    line = next(line for line in talk("full").key_log if line.startswith(label))
    suite = SUITES[0x1301]
    keys = traffic_keys(suite, bytes.fromhex(line.split()[2]))
    opener, sealer = Opener(suite, keys), Sealer(suite, keys)
    said: Turns = []
    for who, raw in turns_of(talk("full"))[:6]:
        record = raw
        if who == side and raw[0] == 23:
            kind, content = opener.open(raw[:5], raw[5:], 2**14)
            record = sealer.seal(kind, content[:-1] + bytes((content[-1] ^ 1,)))
        said.append((who, record))
    return said if side == "client" else said[:4]


@pytest.mark.parametrize(
    "side, end, expected",
    [
        ("client", "reset by server", "failed: closed_during_handshake"),
        ("client", "closed by server", "failed: closed_during_handshake"),
        ("client", "closed by client", "unknown"),
        ("client", "open", "unknown"),
        ("server", "closed by client", "failed: closed_during_handshake"),
        ("server", "reset by server", "unknown"),
    ],
)
def test_who_has_got_a_wrong_finished_is_not_connected(side: str, end: str, expected: str) -> None:
    wire = ended(Wire().say(*with_wrong_finished(side)), end)
    (found,) = told(wire.packets, talk("full").key_log)
    assert (status(found), failed_checks(found)) == (expected, ["finished"])


def test_who_goes_on_all_the_same_has_accepted_it() -> None:
    turns = turns_of(talk("full"))
    said = [*with_wrong_finished("client"), *turns[6:]]
    assert statuses(said, talk("full").key_log) == ["connected"]
