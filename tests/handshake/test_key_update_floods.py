"""KeyUpdates that meet on their way, and those that nobody asked for."""

from __future__ import annotations

from typing import Literal

import pytest
from loopback import client_config, pump, server_config, shake_hands

from pellucid import DataReceived, KeyUpdated, PeerMisbehaved, Reason, Trace
from pellucid.codes import ContentType, KeyUpdateRequest
from pellucid.connection import MAX_IDLE_MESSAGES, Connection
from pellucid.messages import Extensions, KeyUpdate, NewSessionTicket
from pellucid.trace.events import MessageEvent

Side = Literal["client", "server"]
NO_UPDATE, UPDATE = KeyUpdateRequest.update_not_requested, KeyUpdateRequest.update_requested
ROUNDS = 200


@pytest.fixture(params=["client", "server"])
def side(request: pytest.FixtureRequest) -> Side:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.fixture
def both(side: Side, trace: Trace) -> tuple[Connection, Connection]:
    """Connected, ``side`` first."""
    assert ROUNDS > 2 * MAX_IDLE_MESSAGES
    # Tickets are messages without data between them, too.
    pair = shake_hands(client_config(trace=trace), server_config(trace=trace, tickets=False))
    return pair if side == "client" else (pair[1], pair[0])


def sent(trace: Trace, side: str) -> list[KeyUpdateRequest | int]:
    messages = (event for event in trace.events if isinstance(event, MessageEvent))
    mine = (event for event in messages if (event.side, event.direction) == (side, "sent"))
    return [KeyUpdate.decode(event.raw).request_update for event in mine if event.name == "KeyUpdate"]


def test_answers_to_our_requests_are_no_flood(both: tuple[Connection, Connection]) -> None:
    """However many come, and though no data comes between them."""
    ours, theirs = both
    for _ in range(ROUNDS):
        theirs._idle_messages = 0  # to the other side our requests are a flood
        ours.key_update(request=True)
        events, answers = pump(ours, theirs)
        assert events == [KeyUpdated(answered=False)]
        assert answers == [KeyUpdated(answered=True)]
    theirs.send_data(b"alive")
    assert ours.receive_data(theirs.data_to_send()) == [DataReceived(b"alive")]


@pytest.mark.parametrize("request_update", [NO_UPDATE, UPDATE], ids=str)
def test_key_updates_that_nobody_asked_for_are_a_flood(
    both: tuple[Connection, Connection], request_update: KeyUpdateRequest
) -> None:
    ours, theirs = both
    for _ in range(MAX_IDLE_MESSAGES):
        theirs.key_update(request=request_update is UPDATE)
        ours.receive_data(theirs.data_to_send())
        theirs.receive_data(ours.data_to_send())
    theirs.key_update(request=request_update is UPDATE)
    with pytest.raises(PeerMisbehaved) as caught:
        ours.receive_data(theirs.data_to_send())
    assert caught.value.reason is Reason.TOO_MANY_KEY_UPDATES


def test_one_request_excuses_one_key_update(both: tuple[Connection, Connection]) -> None:
    """The first answers it; the others are counted."""
    ours, theirs = both
    ours.key_update(request=True)
    theirs.receive_data(ours.data_to_send())
    for _ in range(1 + MAX_IDLE_MESSAGES):
        theirs.key_update(request=False)
        ours.receive_data(theirs.data_to_send())
    theirs.key_update(request=False)
    with pytest.raises(PeerMisbehaved) as caught:
        ours.receive_data(theirs.data_to_send())
    assert caught.value.reason is Reason.TOO_MANY_KEY_UPDATES


def test_a_request_excuses_no_tickets() -> None:
    client, server = shake_hands(server=server_config(tickets=False))
    client.key_update(request=True)
    client.data_to_send()
    for number in range(MAX_IDLE_MESSAGES + 1):
        ticket = NewSessionTicket(60, 7, bytes([number]), b"ticket", Extensions())
        server._driver.writer.queue(ContentType.handshake, ticket.encode())
    with pytest.raises(PeerMisbehaved) as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.reason is Reason.TOO_MANY_TICKETS


@pytest.mark.parametrize("request_update", [True, False], ids=["we ask", "we tell"])
def test_a_request_that_meets_ours_before_it_is_sent_is_answered_by_one_key_update(
    both: tuple[Connection, Connection], side: Side, trace: Trace, request_update: bool
) -> None:
    """The peer has just updated its key: nothing is left to ask for."""
    ours, theirs = both
    theirs.key_update(request=True)
    under_way = theirs.data_to_send()
    ours.key_update(request=request_update)
    assert ours.receive_data(under_way) == [KeyUpdated(answered=True)]
    events = theirs.receive_data(ours.data_to_send())
    assert events == [KeyUpdated(answered=False)]
    assert sent(trace, side) == [NO_UPDATE]
    assert ours.data_to_send() == theirs.data_to_send() == b""
    for sender, receiver in (both, both[::-1]):
        sender.send_data(b"data")
        assert receiver.receive_data(sender.data_to_send()) == [DataReceived(b"data")]


def test_an_answer_that_is_due_is_not_made_a_request(
    both: tuple[Connection, Connection], side: Side, trace: Trace
) -> None:
    ours, theirs = both
    theirs.key_update(request=True)
    ours.receive_data(theirs.data_to_send())
    ours.key_update(request=True)
    theirs.receive_data(ours.data_to_send())
    assert sent(trace, side) == [NO_UPDATE]
