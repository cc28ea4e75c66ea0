"""`pellucid.decode` on what programs of other stacks said to one another: it finds what tshark finds.

Each is opened with the key log that one of them wrote, or with the server's key of RSA. What is not in the
capture, tshark's opinion of a certificate or a Finished, is held against how the programs were told to go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import pytest
from captures import CLIENT, SERVER

from compared import (
    FAILURES,
    NOT_FOLLOWED,
    SIDES,
    Captures,
    each,
    each_followed_kind,
    messages,
    sent,
    told,
)
from dissected import Dissected
from other_stacks import KINDS
from pellucid.codes import AlertDescription, CipherSuite, HandshakeType, NamedGroup, SignatureScheme, name_of
from pellucid.decode import Decoded
from pellucid.trace import AlertEvent, CertificateEvent, CheckEvent, DataEvent
from recorded import FIRST_CLIENT_PORT, SERVER_PORT

T = TypeVar("T")

each_that_ends_well = each([kind for kind in KINDS if kind not in FAILURES])
each_that_fails = each(list(FAILURES))


@each_followed_kind
def test_each_side_sent_the_messages_that_tshark_has(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        for side in SIDES:
            theirs = [message.raw for message in dissected.messages if message.side == side]
            assert [event.raw for event in messages(decoded, side)] == theirs


@each_followed_kind
def test_as_much_data_went_as_in_tshark(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        for side in SIDES:
            ours = [event.length for event in sent(decoded, side, DataEvent)]
            theirs = [length for sender, length in dissected.data if sender == side]
            assert as_far_as_tshark_has_keys(kind, side, ours, theirs) == theirs


@each_followed_kind
def test_each_side_sent_the_alerts_that_tshark_has(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        for side in SIDES:
            ours = [AlertDescription[event.description] for event in sent(decoded, side, AlertEvent)]
            theirs = [alert.raw[1] for alert in dissected.alerts if alert.side == side]
            assert as_far_as_tshark_has_keys(kind, side, ours, theirs) == theirs


def as_far_as_tshark_has_keys(kind: str, side: str, ours: list[T], theirs: Sequence[object]) -> list[T]:
    """tshark 4.0 takes a client's Finished after the handshake for the end of that, and loses the keys."""
    return ours[: len(theirs)] if (kind, side) == ("1.3 asked later", "client") else ours


@each(["1.3 resumed", "1.2 rsa by key", "curl 1.3 much"])
def test_it_is_told_who_spoke_when_and_how_much(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    for number, decoded in enumerate(capture.decoded):
        port = FIRST_CLIENT_PORT + number
        assert (decoded.number, decoded.client) == (number + 1, (CLIENT, port))
        assert decoded.server == (SERVER, SERVER_PORT)
        # Behind 20 bytes of IPv4 are the ports, behind 20 of TCP what is carried.
        by_client = [one for one in capture.packets if one.data[20:22] == port.to_bytes(2)]
        by_server = [one for one in capture.packets if one.data[22:24] == port.to_bytes(2)]
        assert decoded.bytes_from_client == sum(len(one.data) - 40 for one in by_client)
        assert decoded.bytes_from_server == sum(len(one.data) - 40 for one in by_server)
        times = sorted(one.time_ns for one in (*by_client, *by_server))
        assert decoded.started_at == pytest.approx(times[0] / 1e9, abs=1e-6)
        assert decoded.duration_us == pytest.approx((times[-1] - times[0]) / 1000, abs=1)


@each([kind for kind in KINDS if kind != "1.2 renegotiated"])
def test_the_fingerprints_are_tsharks(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        hellos = [message for message in dissected.messages if message.raw[0] == HandshakeType.client_hello]
        theirs = [
            (hello.values("tls.handshake.ja3"), hello.values("tls.handshake.ja3_full")) for hello in hellos
        ]
        assert [([one.ja3], [one.ja3_text]) for one in decoded.hellos] == theirs
        assert theirs


def value(dissected: Dissected, name: str, *kinds: HandshakeType) -> str:
    """The last that the server said in such a message; "" where it did not."""
    found = [
        text
        for message in dissected.messages
        if message.side == "server" and message.raw[0] in kinds
        for text in message.values(f"tls.handshake.{name}")
    ]
    return found[-1] if found else ""


def server_name(dissected: Dissected) -> str:
    return dissected.messages[0].values("tls.handshake.extensions_server_name")[0]


@each_that_ends_well
def test_they_agreed_on_what_tshark_shows(captures: Captures, kind: str) -> None:
    hello, encrypted = HandshakeType.server_hello, HandshakeType.encrypted_extensions
    exchange, verify = HandshakeType.server_key_exchange, HandshakeType.certificate_verify
    for dissected, decoded in captures[kind].pairs:
        outcome = decoded.outcome
        assert outcome is not None
        assert outcome.status == "connected"
        assert outcome.server_name == decoded.server_name == server_name(dissected) == "localhost"
        suite = int(value(dissected, "ciphersuite", hello), 16)
        assert outcome.cipher_suite == name_of(suite, CipherSuite)
        if kind in NOT_FOLLOWED:
            continue
        assert outcome.alpn == value(dissected, "extensions_alpn_str", hello, encrypted)
        group = value(dissected, "extensions_key_share_group", hello)
        group = group or value(dissected, "server_named_curve", exchange)
        assert outcome.group == (NamedGroup(int(group, 0)).name if group else "")
        scheme = value(dissected, "sig_hash_alg", exchange, verify)
        assert outcome.signature_scheme == (SignatureScheme(int(scheme, 0)).name if scheme else "")
        shown = Counter((message.side, message.raw[0]) for message in dissected.messages)
        assert outcome.resumed == (not shown["server", HandshakeType.certificate])
        assert outcome.mutual == bool(shown["client", HandshakeType.certificate])


@each_that_fails
def test_it_is_told_what_went_wrong(captures: Captures, kind: str) -> None:
    (decoded,) = captures[kind].decoded
    assert decoded.outcome is not None
    assert decoded.outcome.status == "failed"
    assert decoded.outcome.failure is not None
    assert decoded.outcome.failure.id == FAILURES[kind]


def checks(decoded: Decoded) -> list[CheckEvent]:
    return [event for event in told(decoded) if isinstance(event, CheckEvent)]


def due(dissected: Dissected) -> set[tuple[str, str]]:
    """Which checks there have to be, on whose side, for what tshark shows."""
    names = {
        HandshakeType.finished: "finished",
        HandshakeType.certificate_verify: "certificate_verify",
        HandshakeType.server_key_exchange: "server_key_exchange",
    }
    found = set()
    for message in dissected.messages:
        other = "server" if message.side == "client" else "client"
        if message.raw[0] in names:
            found.add((other, names[HandshakeType(message.raw[0])]))
        if message.values("tls.handshake.certificate"):
            found.add((other, "certificate_chain"))
    return found


@each_followed_kind
def test_all_that_can_be_checked_is_and_is_right(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        assert [check for check in checks(decoded) if not check.ok] == []
        assert due(dissected) <= {(check.side, check.what) for check in checks(decoded)}


@each_followed_kind
def test_the_certificates_lead_to_the_root(captures: Captures, kind: str) -> None:
    for dissected, decoded in captures[kind].pairs:
        shown = {
            message.side for message in dissected.messages if message.values("tls.handshake.certificate")
        }
        judged = [event for event in told(decoded) if isinstance(event, CertificateEvent)]
        assert {event.whose for event in judged} == shown
        assert [(event.ok, len(event.path)) for event in judged] == [(True, 3)] * len(judged)


@each_that_ends_well
def test_what_can_be_opened_does_not_stay_closed(captures: Captures, kind: str) -> None:
    expected = {NOT_FOLLOWED[kind]} if kind in NOT_FOLLOWED else set()
    for _, decoded in captures[kind].pairs:
        assert {event.reason for event in decoded.sealed} == expected
        assert {event.side for event in decoded.sealed} == (set(SIDES) if expected else set())
