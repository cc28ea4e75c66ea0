"""After the handshake: KeyUpdate, tickets, what must not come any more, and both ways to end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from loopback import client_config, connect_pair, pump, server_config, shake_hands

from pellucid import (
    AlertReceived,
    ClientConnection,
    DataReceived,
    KeyUpdated,
    Misuse,
    PeerClosed,
    PeerMisbehaved,
    Reason,
    ServerConnection,
    Session,
    TLSError,
    Trace,
)
from pellucid.codes import AlertDescription, ContentType, KeyUpdateRequest
from pellucid.connection import MAX_IDLE_MESSAGES, Connection
from pellucid.messages import (
    CertificateRequest,
    EndOfEarlyData,
    Extensions,
    HandshakeMessage,
    KeyUpdate,
    NewSessionTicket,
)
from pellucid.trace.events import KeysEvent, MessageEvent

Pair = tuple[ClientConnection, ServerConnection]
Both = tuple[Connection, Connection]

NO_UPDATE, UPDATE = KeyUpdateRequest.update_not_requested, KeyUpdateRequest.update_requested


@pytest.fixture
def pair() -> Pair:
    return shake_hands()


@pytest.fixture(params=["client asks", "server asks"])
def asking_and_other(request: pytest.FixtureRequest, pair: Pair) -> Both:
    return pair if request.param == "client asks" else (pair[1], pair[0])


def say(connection: Connection, message: HandshakeMessage) -> bytes:
    """The record with a message that the engine would not send by itself."""
    connection._driver.writer.queue(ContentType.handshake, message.encode())
    return connection.data_to_send()


def data_flows(one: Connection, other: Connection) -> bool:
    for sender, receiver in ((one, other), (other, one)):
        sender.send_data(b"data")
        if receiver.receive_data(sender.data_to_send()) != [DataReceived(b"data")]:
            return False
    return True


# -- KeyUpdate


def test_a_key_update_that_asks_is_answered(asking_and_other: Both) -> None:
    asking, other = asking_and_other
    asking.key_update(request=True)
    assert other.receive_data(asking.data_to_send()) == [KeyUpdated(answered=True)]
    assert asking.receive_data(other.data_to_send()) == [KeyUpdated(answered=False)]
    assert asking.data_to_send() == other.data_to_send() == b""
    assert data_flows(asking, other)


def test_a_key_update_that_does_not_ask_is_not_answered(asking_and_other: Both) -> None:
    asking, other = asking_and_other
    asking.key_update(request=False)
    assert other.receive_data(asking.data_to_send()) == [KeyUpdated(answered=False)]
    assert other.data_to_send() == b""
    assert data_flows(asking, other)


def test_both_may_ask_at_the_same_time(pair: Pair) -> None:
    client, server = pair
    client.key_update()
    server.key_update()
    pump(client, server)
    assert data_flows(client, server)


def test_data_that_is_still_queued_goes_behind_the_key_update(asking_and_other: Both) -> None:
    asking, other = asking_and_other
    asking.send_data(b"sealed")
    sealed = asking.data_to_send()
    asking.send_data(b"queued")
    asking.key_update()
    events = other.receive_data(sealed + asking.data_to_send())
    assert events == [DataReceived(b"sealed"), KeyUpdated(answered=True), DataReceived(b"queued")]


def key_updates_sent(trace: Trace, side: str) -> list[KeyUpdateRequest | int]:
    return [
        KeyUpdate.decode(event.raw).request_update
        for event in trace.events
        if isinstance(event, MessageEvent)
        and (event.side, event.direction, event.name) == (side, "sent", "KeyUpdate")
    ]


def test_of_two_requests_in_a_row_the_second_asks_for_nothing() -> None:
    """RFC 9846 4.7.3: "the sender MUST NOT send another KeyUpdate with request_update set to" that."""
    trace = Trace()
    client, server = shake_hands(client_config(trace=trace))
    client.key_update()
    first = client.data_to_send()
    client.key_update()
    server.receive_data(first + client.data_to_send())
    assert key_updates_sent(trace, "client") == [UPDATE, NO_UPDATE]
    pump(client, server)
    client.key_update()
    client.data_to_send()
    assert key_updates_sent(trace, "client") == [UPDATE, NO_UPDATE, UPDATE]


def test_several_requests_to_us_are_answered_once(pair: Pair) -> None:
    client, server = pair
    client.key_update()
    update = client.data_to_send()
    client._hs.awaits_key_update = False
    client.key_update()
    events = server.receive_data(update + client.data_to_send())
    assert events == [KeyUpdated(answered=True)] * 2
    assert len(client.receive_data(server.data_to_send())) == 1
    assert data_flows(client, server)


def test_each_key_update_names_the_next_epoch() -> None:
    trace = Trace()
    client, server = shake_hands(client_config(trace=trace))
    for _ in range(2):
        client.key_update(request=False)
        pump(client, server)
    keys = [event for event in trace.events if isinstance(event, KeysEvent)]
    epochs = [event.epoch for event in keys if event.direction == "write"]
    assert epochs == ["handshake", "application", "application 1", "application 2"]


def test_keys_are_updated_before_their_limit() -> None:
    """RFC 9846 5.5. The KeyUpdate itself is the last record under the old key."""
    trace = Trace()
    client, server = shake_hands(client_config(trace=trace, key_update_after=3))
    for number in range(7):
        client.send_data(b"%d" % number)
        events = server.receive_data(client.data_to_send())
        assert DataReceived(b"%d" % number) in events
    assert key_updates_sent(trace, "client") == [NO_UPDATE] * 3


def test_key_update_with_another_request_is_refused(pair: Pair) -> None:
    """RFC 9846 4.7.3: "If an implementation receives any other value, it MUST terminate"."""
    client, server = pair
    with pytest.raises(PeerMisbehaved) as caught:
        server.receive_data(say(client, KeyUpdate(2)))
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


def test_a_key_update_has_to_end_its_record(pair: Pair) -> None:
    """RFC 9846 5.1: what is behind it would be under another key."""
    client, server = pair
    client._driver.writer.queue(ContentType.handshake, KeyUpdate(NO_UPDATE).encode() * 2)
    with pytest.raises(PeerMisbehaved) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.MESSAGE_ACROSS_KEY_CHANGE


def test_no_key_update_is_sent_behind_close_notify(pair: Pair) -> None:
    client, server = pair
    client.close()
    server.key_update()
    client.receive_data(server.data_to_send())
    events = server.receive_data(client.data_to_send())
    assert events == [PeerClosed()]


# -- floods


def test_key_updates_without_end_are_refused(pair: Pair) -> None:
    client, server = pair
    for _ in range(MAX_IDLE_MESSAGES):
        client.key_update(request=False)
        server.receive_data(client.data_to_send())
    client.key_update(request=False)
    with pytest.raises(PeerMisbehaved) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.TOO_MANY_KEY_UPDATES


def test_key_updates_with_data_between_them_may_go_on(pair: Pair) -> None:
    client, server = pair
    for _ in range(MAX_IDLE_MESSAGES + 10):
        client.key_update(request=False)
        client.send_data(b"data")
        server.receive_data(client.data_to_send())
    assert data_flows(client, server)


def test_tickets_without_end_are_refused() -> None:
    client, server = shake_hands(server=server_config(tickets=False))
    for number in range(MAX_IDLE_MESSAGES):
        client.receive_data(say(server, ticket(nonce=bytes((number,)))))
    with pytest.raises(PeerMisbehaved) as caught:
        client.receive_data(say(server, ticket()))
    assert caught.value.reason is Reason.TOO_MANY_TICKETS


# -- tickets


def ticket(nonce: bytes = b"\xff", lifetime: int = 60) -> NewSessionTicket:
    return NewSessionTicket(lifetime, 7, nonce, b"ticket", Extensions())


def test_a_ticket_of_no_lifetime_is_not_kept() -> None:
    """RFC 9846 4.7.1: "The value of zero indicates that the ticket should be discarded immediately."""
    client, server = shake_hands(server=server_config(tickets=False))
    assert client.receive_data(say(server, ticket(lifetime=0))) == []
    (event,) = client.receive_data(say(server, ticket()))
    assert isinstance(event.session, Session)  # type: ignore[union-attr]


def test_tickets_of_one_connection_have_keys_of_their_own() -> None:
    client, server = shake_hands(server=server_config(tickets=False))
    events = client.receive_data(say(server, ticket(b"\x01")) + say(server, ticket(b"\x02")))
    assert len({event.session.secret for event in events}) == 2  # type: ignore[union-attr]


# -- what must not come any more


@pytest.mark.parametrize(
    "message",
    [ticket(), EndOfEarlyData(), CertificateRequest(b"context", Extensions())],
    ids=lambda message: type(message).__name__,
)
def test_a_client_sends_no_other_message(pair: Pair, message: HandshakeMessage) -> None:
    client, server = pair
    with pytest.raises(PeerMisbehaved) as caught:
        server.receive_data(say(client, message))
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


def test_a_server_must_not_ask_for_a_certificate_later(pair: Pair) -> None:
    """RFC 9846 4.7.2: without post_handshake_auth, which we do not send, it is an unexpected message."""
    client, server = pair
    with pytest.raises(PeerMisbehaved) as caught:
        client.receive_data(say(server, CertificateRequest(b"context", Extensions())))
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


# -- the end


def test_close_ends_one_direction(asking_and_other: Both) -> None:
    closing, other = asking_and_other
    closing.close()
    assert other.receive_data(closing.data_to_send()) == [PeerClosed()]
    other.send_data(b"still")
    assert closing.receive_data(other.data_to_send()) == [DataReceived(b"still")]
    other.close()
    assert closing.receive_data(other.data_to_send()) == [PeerClosed()]
    assert closing.state == other.state == "CLOSED"
    assert closing.receive_eof() == other.receive_eof() == []


def test_nothing_is_taken_behind_close_notify(pair: Pair) -> None:
    """RFC 9846 6.1: "Any data received after a closure alert has been received MUST be ignored."""
    client, server = pair
    client.close()
    server.receive_data(client.data_to_send() + b"anything")
    assert server.receive_data(b"at all") == []


def test_an_end_without_close_notify_is_a_truncation(asking_and_other: Both) -> None:
    connection, _ = asking_and_other
    with pytest.raises(PeerMisbehaved) as caught:
        connection.receive_eof()
    assert caught.value.reason is Reason.TRUNCATED
    # RFC 9846 6.1: we say close_notify all the same, and nothing else.
    assert len(connection.data_to_send()) == len(b"\x17\x03\x03\x00\x13") + 2 + 1 + 16
    assert connection.data_to_send() == b""


def test_an_end_of_the_handshake_is_told_from_it() -> None:
    client, server = connect_pair()
    for connection in (client, server):
        connection.data_to_send()
        with pytest.raises(PeerMisbehaved) as caught:
            connection.receive_eof()
        assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE


def test_a_handshake_may_be_cancelled() -> None:
    """RFC 9846 6.1: user_canceled, followed by close_notify."""
    client, server = connect_pair()
    client.close()
    with pytest.raises(PeerMisbehaved) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE


@pytest.mark.parametrize("description", [AlertDescription.internal_error, AlertDescription.close_notify + 7])
@pytest.mark.parametrize("level", [1, 2])
def test_every_other_alert_ends_the_connection(pair: Pair, level: int, description: int) -> None:
    """RFC 9846 6: "MUST be treated as error alerts when received" whatever their level, unknown ones too."""
    client, server = pair
    client._driver.writer.queue(ContentType.alert, bytes((level, description)))
    with pytest.raises(AlertReceived) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.description == description
    assert server.data_to_send() == b""


MISUSES: dict[str, tuple[Callable[[Connection], object], Reason]] = {
    "data before the handshake": (lambda c: c.send_data(b"data"), Reason.HANDSHAKE_NOT_COMPLETE),
    "KeyUpdate before the handshake": (lambda c: c.key_update(), Reason.HANDSHAKE_NOT_COMPLETE),
    "exporter before the handshake": (
        lambda c: c.export_keying_material(b"label", None, 32), Reason.HANDSHAKE_NOT_COMPLETE
    ),
    "data behind close": (lambda c: (c.close(), c.send_data(b"data")), Reason.CONNECTION_CLOSED),
    "KeyUpdate behind close": (lambda c: (c.close(), c.key_update()), Reason.CONNECTION_CLOSED),
}  # fmt: skip


@pytest.mark.parametrize("name", MISUSES)
def test_a_call_at_the_wrong_time_is_the_callers_fault(name: str, pair: Pair) -> None:
    call, reason = MISUSES[name]
    connection: Connection = connect_pair()[0] if "before" in name else pair[0]
    with pytest.raises(Misuse) as caught:
        call(connection)
    assert caught.value.reason is reason
    assert connection.failure is None


def test_both_export_the_same(pair: Pair) -> None:
    client, server = pair
    exported = client.export_keying_material(b"EXPERIMENTAL label", b"context", 42)
    assert server.export_keying_material(b"EXPERIMENTAL label", b"context", 42) == exported
    assert len(exported) == 42
    assert client.export_keying_material(b"EXPERIMENTAL label", b"another", 42) != exported
    assert shake_hands()[0].export_keying_material(b"EXPERIMENTAL label", b"context", 42) != exported


def test_what_came_before_a_fault_is_in_the_error(pair: Pair) -> None:
    client, server = pair
    client.send_data(b"data")
    record = bytearray(client.data_to_send())
    client.send_data(b"more")
    broken = bytearray(client.data_to_send())
    broken[-1] ^= 1
    with pytest.raises(TLSError) as caught:
        server.receive_data(record + broken)
    assert caught.value.reason is Reason.BAD_RECORD_MAC
    assert caught.value.events == (DataReceived(b"data"),)
