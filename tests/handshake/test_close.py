"""Endings: close_notify by one side or both, in the middle of data or of the handshake, and cancelling."""

from __future__ import annotations

import pytest
from loopback import client12, connect_pair, feed, pump, server12, shake_hands
from rogue import connected_rogue, plaintext, sealed

from pellucid import Misuse, TLSError
from pellucid.codes import AlertDescription, AlertLevel, ContentType
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.events import DataReceived, HandshakeCompleted, PeerClosed

SIDES = pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
CLOSE_NOTIFY = bytes((AlertLevel.warning, AlertDescription.close_notify))
USER_CANCELED = bytes((AlertLevel.warning, AlertDescription.user_canceled))


def pair_of(side: int) -> tuple[Connection, Connection]:
    """A connected pair, the side of that number first."""
    pair = shake_hands()
    return pair[side], pair[1 - side]


@SIDES
@pytest.mark.parametrize("piece", [None, 1], ids=["whole", "byte by byte"])
def test_what_was_written_before_close_is_sent_before_it(side: int, piece: int | None) -> None:
    closing, other = pair_of(side)
    closing.send_data(b"x" * 50_000)
    closing.close()
    sent = closing.data_to_send()
    events = feed(other, sent, piece)
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == b"x" * 50_000
    assert events[-1] == PeerClosed()
    assert events.count(PeerClosed()) == 1


@SIDES
def test_a_closed_side_sends_nothing_more(side: int) -> None:
    closing, _ = pair_of(side)
    closing.close()
    closing.data_to_send()
    with pytest.raises(Misuse) as caught:
        closing.send_data(b"one more thing")
    assert caught.value.reason is Reason.CONNECTION_CLOSED
    closing.close()
    assert closing.data_to_send() == b""


@SIDES
def test_the_other_side_may_go_on(side: int) -> None:
    """RFC 9846 6.1: unlike before TLS 1.3, close_notify closes one direction."""
    closing, other = pair_of(side)
    closing.close()
    other.receive_data(closing.data_to_send())
    assert other.peer_closed
    for number in range(5):
        other.send_data(b"%d" % number)
        assert closing.receive_data(other.data_to_send()) == [DataReceived(b"%d" % number)]
    other.close()
    assert closing.receive_data(other.data_to_send()) == [PeerClosed()]
    assert closing.state == other.state == "CLOSED"


@SIDES
def test_who_has_closed_may_be_told_something_worse(side: int) -> None:
    """A record that is forged still ends the connection; close_notify was the last that we say."""
    closing, other = pair_of(side)
    closing.close()
    other.receive_data(closing.data_to_send())
    with pytest.raises(TLSError) as caught:
        closing.receive_data(plaintext(ContentType.application_data, bytes(40)))
    assert caught.value.reason is Reason.BAD_RECORD_MAC
    assert closing.data_to_send() == b""


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_warning_alone_closes_nothing(side: str) -> None:
    """RFC 9846 6.1: after user_canceled one goes on reading until close_notify comes."""
    victim, rogue = connected_rogue(side)
    assert victim.receive_data(sealed(rogue, ContentType.alert, USER_CANCELED)) == []
    assert victim.receive_data(sealed(rogue, ContentType.application_data, b"data")) == [
        DataReceived(b"data")
    ]
    assert victim.receive_data(sealed(rogue, ContentType.alert, CLOSE_NOTIFY)) == [PeerClosed()]


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_close_notify_of_another_level_closes_as_well(side: str) -> None:
    """RFC 9846 6: the level can be ignored."""
    victim, rogue = connected_rogue(side)
    record = sealed(rogue, ContentType.alert, bytes((AlertLevel.fatal, AlertDescription.close_notify)))
    assert victim.receive_data(record) == [PeerClosed()]


# -- during the handshake


def test_a_client_that_cancels_says_so_in_the_clear() -> None:
    """RFC 9846 6.1: user_canceled "MUST be followed by a "close_notify""."""
    client, _ = connect_pair()
    client.data_to_send()
    client.close()
    expected = plaintext(ContentType.alert, USER_CANCELED) + plaintext(ContentType.alert, CLOSE_NOTIFY)
    assert client.data_to_send() == expected
    assert client.state == "CLOSED"


def test_a_server_that_cancels_says_so_under_its_keys() -> None:
    """Its flight has made all of them: the client connects, and learns that the server is gone."""
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    server.close()
    events = client.receive_data(server.data_to_send())
    assert [type(event) for event in events] == [HandshakeCompleted, PeerClosed]
    assert server.receive_data(client.data_to_send()) == []
    assert not server.handshake_complete


@SIDES
def test_a_cancelled_handshake_ignores_what_still_comes(side: int) -> None:
    pair = connect_pair()
    cancelling, other = pair[side], pair[1 - side]
    if side == 1:
        cancelling.receive_data(other.data_to_send())
    cancelling.close()
    cancelling.data_to_send()
    assert cancelling.receive_data(b"whatever this is") == []
    assert cancelling.receive_eof() == []
    assert not cancelling.handshake_complete


def test_a_server_is_told_by_a_client_that_cancels() -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    client.close()
    with pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE
    assert not server.handshake_complete


def test_close_before_anything_was_sent() -> None:
    """The hello had not left: nobody needs to know."""
    client, server = connect_pair()
    client.close()
    said = client.data_to_send()
    with pytest.raises(TLSError):
        server.receive_data(said)
    assert not server.handshake_complete


@SIDES
def test_an_end_of_the_stream_before_any_byte(side: int) -> None:
    with pytest.raises(TLSError) as caught:
        connect_pair()[side].receive_eof()
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE


def test_closing_at_once_loses_nothing() -> None:
    """A client that writes and closes as soon as it may: its server reads all of it."""
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.send_data(b"all of it")
    client.close()
    events = server.receive_data(client.data_to_send())
    assert events[1:] == [DataReceived(b"all of it"), PeerClosed()]
    server.send_data(b"and an answer")
    server.close()
    client_events, _ = pump(client, server)
    assert client_events[-2:] == [DataReceived(b"and an answer"), PeerClosed()]


# -- TLS 1.2: both directions at once


def pair12(side: int) -> tuple[Connection, Connection]:
    pair = shake_hands(client12(), server12())
    return pair[side], pair[1 - side]


@SIDES
def test_in_tls_1_2_close_notify_is_answered(side: int) -> None:
    """RFC 5246 7.2.1: by "a close_notify alert of its own", and nothing else."""
    closing, other = pair12(side)
    closing.send_data(b"the last of it")
    closing.close()
    other.send_data(b"too late" * 10_000)
    assert other.receive_data(closing.data_to_send()) == [DataReceived(b"the last of it"), PeerClosed()]
    said = other.data_to_send()
    assert (said[0], len(said)) == (ContentType.alert, 5 + 8 + 2 + 16)
    assert other.data_to_send() == b""
    assert closing.receive_data(said) == [PeerClosed()]
    assert closing.state == other.state == "CLOSED"


@SIDES
def test_in_tls_1_2_nothing_is_sent_to_who_has_closed(side: int) -> None:
    closing, other = pair12(side)
    closing.close()
    other.receive_data(closing.data_to_send())
    with pytest.raises(Misuse, match="the peer has closed") as caught:
        other.send_data(b"more")
    assert caught.value.reason is Reason.CONNECTION_CLOSED
    other.data_to_send()
    other.close()
    assert other.data_to_send() == b""


def test_in_tls_1_2_both_may_close_at_once() -> None:
    client, server = shake_hands(client12(), server12())
    client.close()
    server.close()
    client_events, server_events = pump(client, server)
    assert client_events == server_events == [PeerClosed()]
    assert client.state == server.state == "CLOSED"


@SIDES
def test_in_tls_1_2_what_follows_close_notify_is_not_read(side: int) -> None:
    closing, other = pair12(side)
    closing.close()
    other.receive_data(closing.data_to_send() + b"whatever this is")
    assert other.state == "CLOSED"
    assert other.receive_eof() == []


@SIDES
def test_a_handshake_of_tls_1_2_may_be_cancelled(side: int) -> None:
    """By the client before anything is answered, by the server with its first flight."""
    pair: tuple[Connection, Connection] = connect_pair(client12(), server12())
    cancelling, other = pair[side], pair[1 - side]
    if side:
        cancelling.receive_data(other.data_to_send())
    cancelling.close()
    with pytest.raises(TLSError) as caught:
        other.receive_data(cancelling.data_to_send())
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE
    assert not other.handshake_complete


def test_a_client_of_tls_1_2_that_cancels_behind_its_finished_has_connected_the_server() -> None:
    """Nothing told it that the client would be gone."""
    client, server = connect_pair(client12(), server12())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.close()
    events = server.receive_data(client.data_to_send())
    assert [type(event) for event in events] == [HandshakeCompleted, PeerClosed]
    assert client.receive_data(server.data_to_send()) == []
    assert not client.handshake_complete
