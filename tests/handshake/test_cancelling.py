"""How a connection ends before its time: cancelled, cut off, told to by an alert, or failed."""

from __future__ import annotations

import traceback
from typing import Literal

import pytest
from loopback import client_config, connect_pair, server_config, shake_hands, split_records
from rogue import plaintext

from pellucid import (
    AlertReceived,
    ClientConnection,
    DataReceived,
    KeyUpdated,
    Misuse,
    PeerMisbehaved,
    Reason,
    ServerConnection,
    TLSError,
    Trace,
)
from pellucid.codes import ContentType, HandshakeType
from pellucid.connection import Connection
from pellucid.trace.events import AlertEvent, RecordEvent

Side = Literal["client", "server"]
SIDES: tuple[Side, Side] = ("client", "server")


def alerts_sent(trace: Trace, side: str) -> list[str]:
    alerts = (event for event in trace.events if isinstance(event, AlertEvent))
    return [event.description for event in alerts if (event.side, event.direction) == (side, "sent")]


def sent(trace: Trace, side: str) -> list[int]:
    found = (event for event in trace.events if isinstance(event, RecordEvent))
    return [event.content_type for event in found if (event.side, event.direction) == (side, "sent")]


def part_of_the_way(side: Side, step: int, trace: Trace) -> tuple[Connection, Connection]:
    """A pair in the middle of its handshake, ``side`` first: 0 before it has heard or sent anything."""
    mutual = {"client_authentication": "required", "trace": trace}
    client, server = connect_pair(client_config(trace=trace), server_config(**mutual))
    if side == "client":
        if step:
            server.receive_data(client.data_to_send())
            flight = split_records(server.data_to_send())
            # The last is what completes it: one less is the most.
            assert step < len(flight) + 1
            client.receive_data(b"".join(flight[: step - 1]))
        return client, server
    if step:
        server.receive_data(client.data_to_send())
    if step > 1:
        flight = server.data_to_send()
        client.receive_data(flight)
        server.receive_data(b"".join(split_records(client.data_to_send())[: step - 2]))
    return server, client


#: For the client: after the ClientHello, the ServerHello, change_cipher_spec; for the server: after it got
#: the ClientHello, sent its flight, got change_cipher_spec.
STEPS = [(side, step) for side in SIDES for step in range(4)]


@pytest.mark.parametrize("side, step", STEPS)
def test_close_cancels_the_handshake(side: Side, step: int) -> None:
    """RFC 9846 6.1: user_canceled, "followed by a "close_notify""; nothing comes behind it."""
    trace = Trace()
    ours, theirs = part_of_the_way(side, step, trace)
    assert not ours.handshake_complete
    ours.close()
    assert ours.state == "CLOSED"
    said = b"".join(iter(ours.data_to_send, b""))
    assert alerts_sent(trace, side) == ["user_canceled", "close_notify"]
    assert sent(trace, side)[-2:] == [ContentType.alert, ContentType.alert]
    # Whatever the other makes of it, it is not heard.
    try:
        theirs.receive_data(said)
    except TLSError as error:
        assert error.reason is Reason.CLOSED_DURING_HANDSHAKE  # noqa: PT017 - a client may be complete by then
    else:
        assert theirs.peer_closed
    assert ours.receive_data(theirs.data_to_send()) == []
    assert ours.receive_data(b"and anything else") == []
    assert ours.receive_eof() == []
    assert ours.data_to_send() == b""
    assert not ours.handshake_complete
    assert ours.failure is None
    assert ours.state == "CLOSED"


@pytest.mark.parametrize("side", SIDES)
def test_a_cancelled_handshake_is_not_completed_by_what_is_under_way(side: Side) -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    if side == "client":
        client.close()
        client.receive_data(flight)
        assert not client.handshake_complete
    else:
        client.receive_data(flight)
        server.close()
        server.receive_data(client.data_to_send())
        assert not server.handshake_complete
    ours: Connection = client if side == "client" else server
    with pytest.raises(Misuse) as caught:
        ours.send_data(b"data")
    assert caught.value.reason is Reason.CONNECTION_CLOSED


@pytest.mark.parametrize("complete", [True, False], ids=["connected", "handshake"])
@pytest.mark.parametrize("side", SIDES)
def test_the_end_of_the_stream_is_answered_by_close_notify(side: Side, complete: bool) -> None:
    """RFC 9846 6.1: each party says it "before closing its write side"."""
    trace = Trace()
    client = client_config(trace=trace)
    server = server_config(trace=trace)
    pair = shake_hands(client, server) if complete else connect_pair(client, server)
    ours = pair[SIDES.index(side)]
    ours.data_to_send()
    before = len(sent(trace, side))
    with pytest.raises(PeerMisbehaved) as caught:
        ours.receive_eof()
    assert caught.value.reason is (Reason.TRUNCATED if complete else Reason.CLOSED_DURING_HANDSHAKE)
    assert ours.data_to_send() != b""
    assert ours.data_to_send() == b""
    assert alerts_sent(trace, side) == ["close_notify"]
    assert sent(trace, side)[before:] == [ContentType.alert]


FATAL = bytes((2, 40))


@pytest.mark.parametrize("side", SIDES)
def test_after_an_alert_nothing_is_sent_in_a_handshake(side: Side) -> None:
    """Not even what was queued when it came: RFC 9846 6 has no further data."""
    client, server = connect_pair()
    ours: Connection = client
    if side == "server":
        server.receive_data(client.data_to_send())
        ours = server
    with pytest.raises(AlertReceived):
        ours.receive_data(plaintext(ContentType.alert, FATAL))
    assert ours.data_to_send() == b""
    ours.close()
    assert ours.data_to_send() == b""


@pytest.mark.parametrize("side", SIDES)
def test_after_an_alert_nothing_is_sent_in_a_connection(side: Side) -> None:
    pair = shake_hands()
    ours, theirs = pair if side == "client" else pair[::-1]
    ours.send_data(b"queued")
    ours.key_update()
    theirs._driver.writer.queue(ContentType.alert, FATAL)
    with pytest.raises(AlertReceived):
        ours.receive_data(theirs.data_to_send())
    assert ours.data_to_send() == b""
    ours.close()
    assert ours.data_to_send() == b""


@pytest.mark.parametrize("side", SIDES)
def test_a_key_update_that_comes_behind_our_close_is_taken_and_not_answered(side: Side) -> None:
    pair = shake_hands()
    ours, theirs = pair if side == "client" else pair[::-1]
    ours.close()
    ours.data_to_send()
    theirs.key_update(request=True)
    theirs.send_data(b"more")
    events = ours.receive_data(theirs.data_to_send())
    assert events == [KeyUpdated(answered=False), DataReceived(b"more")]
    assert ours.data_to_send() == b""


# -- a fault, told again


def failed_server() -> tuple[ServerConnection, TLSError]:
    client, server = shake_hands()
    client.send_data(b"data")
    record = client.data_to_send()
    with pytest.raises(TLSError) as caught:
        server.receive_data(record + bytes(len(record)))
    return server, caught.value


def test_a_fault_that_is_told_again_does_not_grow() -> None:
    server, error = failed_server()
    lengths = set()
    for _ in range(5):
        with pytest.raises(TLSError) as again:
            server.receive_data(b"more")
        assert again.value is error
        lengths.add(len(traceback.extract_tb(error.__traceback__)))
    assert len(lengths) == 1


def test_what_came_before_a_fault_is_handed_out_once() -> None:
    server, error = failed_server()
    assert error.events == (DataReceived(b"data"),)
    with pytest.raises(TLSError) as again:
        server.receive_data(b"more")
    assert again.value.events == ()


# -- a message that cannot be next


UNEXPECTED = [
    ("client", False, HandshakeType.finished),
    ("client", False, HandshakeType.client_hello),
    ("server", False, HandshakeType.finished),
    ("server", False, HandshakeType.server_hello),
    ("client", True, HandshakeType.certificate),
    ("client", True, HandshakeType.client_hello),
    ("server", True, HandshakeType.certificate),
    ("server", True, HandshakeType.new_session_ticket),
    ("server", True, 0xEE),
]


@pytest.mark.parametrize("side, complete, msg_type", UNEXPECTED)
def test_a_message_that_cannot_be_next_is_refused_by_its_first_byte(
    side: Side, complete: bool, msg_type: int
) -> None:
    """Its length and body are not waited for, nor kept."""
    pair = shake_hands() if complete else connect_pair()
    ours, theirs = pair if side == "client" else pair[::-1]
    ours.data_to_send()
    if complete:
        theirs._driver.writer.queue(ContentType.handshake, bytes([msg_type]))
        data = theirs.data_to_send()
    else:
        data = plaintext(ContentType.handshake, bytes([msg_type]))
    with pytest.raises(PeerMisbehaved) as caught:
        ours.receive_data(data)
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


def test_the_first_byte_of_a_message_that_may_be_next_is_waited_on() -> None:
    client, server = connect_pair()
    assert server.receive_data(plaintext(ContentType.handshake, bytes([HandshakeType.client_hello]))) == []
    assert server.state == "START"
    assert isinstance(client, ClientConnection)
