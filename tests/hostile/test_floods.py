"""Floods: records and messages that cost the receiver more than the sender, each with an end.

RFC 9846 5.1 and 4.7.3 allow them one by one; nothing says that somebody has to bear them for ever.
"""

from __future__ import annotations

import pytest
from loopback import connect_pair
from rogue import connected_rogue, plaintext, refuses_data, sealed, send

from pellucid.codes import AlertDescription, AlertLevel, ContentType, HandshakeType, KeyUpdateRequest
from pellucid.connection import MAX_IDLE_MESSAGES, MAX_WARNINGS, Connection
from pellucid.errors import Reason
from pellucid.events import DataReceived, KeyUpdated
from pellucid.messages import Extensions, KeyUpdate, NewSessionTicket
from pellucid.record.limits import MAX_EMPTY_RECORDS

UNEXPECTED = AlertDescription.unexpected_message
BOTH = pytest.mark.parametrize("side", ["client", "server"])
CANCELED = bytes((AlertLevel.warning, AlertDescription.user_canceled))
TICKET = NewSessionTicket(60, 0, b"n", b"ticket", Extensions()).encode()


def updates(sender: Connection, count: int, request: KeyUpdateRequest) -> bytes:
    """``count`` KeyUpdates, each under the key that the one before it began."""
    sent = b""
    for _ in range(count):
        # A peer that keeps the rules asks once and waits for the answer.
        sender._hs.awaits_key_update = False
        sender.key_update(request=request is KeyUpdateRequest.update_requested)
        sent += sender.data_to_send()
    return sent


@BOTH
@pytest.mark.parametrize("request_update", KeyUpdateRequest, ids=str)
def test_key_updates_without_end_are_refused(side: str, request_update: KeyUpdateRequest) -> None:
    victim, rogue = connected_rogue(side)
    victim.receive_data(updates(rogue, MAX_IDLE_MESSAGES - victim._idle_messages, request_update))
    victim_said = victim.data_to_send()  # an answer, if one was asked for
    rogue.receive_data(victim_said)
    rogue.data_to_send()
    flood = updates(rogue, 1, request_update)
    refuses_data(victim, rogue, flood, Reason.TOO_MANY_KEY_UPDATES, UNEXPECTED)


@BOTH
def test_key_updates_with_data_between_them_are_fine(side: str) -> None:
    victim, rogue = connected_rogue(side)
    for _ in range(3):
        victim.receive_data(updates(rogue, MAX_IDLE_MESSAGES // 2, KeyUpdateRequest.update_not_requested))
        rogue.send_data(b"still here")
        assert victim.receive_data(rogue.data_to_send()) == [DataReceived(b"still here")]


@BOTH
def test_many_requests_get_one_answer(side: str) -> None:
    """RFC 9846 4.7.3: several KeyUpdates to one that "is silent" have it "respond with a single update"."""
    victim, rogue = connected_rogue(side)
    victim.receive_data(updates(rogue, 20, KeyUpdateRequest.update_requested))
    assert rogue.receive_data(victim.data_to_send()) == [KeyUpdated(answered=False)]
    assert victim.data_to_send() == b""


def test_tickets_without_end_are_refused() -> None:
    victim, rogue = connected_rogue("client")
    victim.receive_data(send(rogue, *[TICKET] * (MAX_IDLE_MESSAGES - victim._idle_messages)))
    refuses_data(victim, rogue, send(rogue, TICKET), Reason.TOO_MANY_TICKETS, UNEXPECTED)


@BOTH
def test_empty_records_without_end_are_refused(side: str) -> None:
    victim, rogue = connected_rogue(side)
    for _ in range(MAX_EMPTY_RECORDS):
        assert victim.receive_data(sealed(rogue, ContentType.application_data, b"")) == []
    data = sealed(rogue, ContentType.application_data, b"")
    refuses_data(victim, rogue, data, Reason.TOO_MANY_EMPTY_RECORDS, UNEXPECTED)


@BOTH
def test_empty_records_are_refused_in_one_piece_as_well(side: str) -> None:
    victim, rogue = connected_rogue(side)
    data = b"".join(sealed(rogue, ContentType.application_data, b"", 9) for _ in range(MAX_EMPTY_RECORDS + 1))
    refuses_data(victim, rogue, data, Reason.TOO_MANY_EMPTY_RECORDS, UNEXPECTED)


@BOTH
def test_data_ends_a_row_of_empty_records(side: str) -> None:
    victim, rogue = connected_rogue(side)
    for _ in range(3):
        for _ in range(MAX_EMPTY_RECORDS):
            victim.receive_data(sealed(rogue, ContentType.application_data, b""))
        assert victim.receive_data(sealed(rogue, ContentType.application_data, b"x")) == [DataReceived(b"x")]


@BOTH
def test_warnings_without_end_are_refused(side: str) -> None:
    victim, rogue = connected_rogue(side)
    for _ in range(MAX_WARNINGS):
        assert victim.receive_data(sealed(rogue, ContentType.alert, CANCELED)) == []
    data = sealed(rogue, ContentType.alert, CANCELED)
    refuses_data(victim, rogue, data, Reason.TOO_MANY_ALERTS, UNEXPECTED)


def test_warnings_without_end_are_refused_before_there_are_keys() -> None:
    """CVE-2016-8610, the undead alert: a server kept busy before it knows anybody."""
    rogue, victim = connect_pair()
    rogue.data_to_send()
    record = plaintext(ContentType.alert, CANCELED)
    victim.receive_data(record * MAX_WARNINGS)
    refuses_data(victim, rogue, record, Reason.TOO_MANY_ALERTS, UNEXPECTED)


def test_a_hello_may_come_in_records_of_one_byte() -> None:
    """Unusual and allowed: each record but the last leaves less to come, so this has an end."""
    client, server = connect_pair()
    hello = client.data_to_send()[5:]
    server.receive_data(
        b"".join(plaintext(ContentType.handshake, hello[i : i + 1]) for i in range(len(hello)))
    )
    assert server.state == "WAIT_FINISHED"


def test_hello_requests_are_not_dropped_for_ever() -> None:
    """TLS 1.2 lets a client ignore them; here the first is one too many."""
    victim, rogue = connected_rogue("client")
    data = send(rogue, bytes((HandshakeType.hello_request, 0, 0, 0)))
    refuses_data(victim, rogue, data, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("value", [2, 255])
def test_a_key_update_asks_or_does_not(side: str, value: int) -> None:
    """RFC 9846 4.7.3: any other value ends the connection with illegal_parameter."""
    victim, rogue = connected_rogue(side)
    data = send(rogue, KeyUpdate(value).encode())
    refuses_data(victim, rogue, data, Reason.ILLEGAL_PARAMETER, AlertDescription.illegal_parameter)
