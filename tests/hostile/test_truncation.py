"""Truncation: somebody ends the TCP connection, and what was received must not pass for all that was sent.

RFC 9846 6.1: only close_notify says that a sender has sent everything.
"""

from __future__ import annotations

import pytest
from loopback import connect_pair, pump, shake_hands
from rogue import assert_dead, connected_rogue, plaintext

from pellucid import TLSError
from pellucid.codes import ContentType
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.events import DataReceived, PeerClosed

BOTH = pytest.mark.parametrize("side", ["client", "server"])


def cut_off(victim: Connection, rogue: Connection | None, reason: Reason) -> None:
    """The stream ends: what is left to say to a rogue that still listens is that we have closed too."""
    with pytest.raises(TLSError) as caught:
        victim.receive_eof()
    assert caught.value.reason is reason
    said = victim.data_to_send()
    if rogue is not None:
        assert rogue.receive_data(said) == [PeerClosed()]
    assert_dead(victim, caught.value)


@BOTH
def test_an_end_without_close_notify_is_a_truncation(side: str) -> None:
    victim, rogue = connected_rogue(side)
    rogue.send_data(b"all that you own goes to")
    assert victim.receive_data(rogue.data_to_send()) == [DataReceived(b"all that you own goes to")]
    cut_off(victim, rogue, Reason.TRUNCATED)


@BOTH
def test_an_end_inside_a_record_is_a_truncation(side: str) -> None:
    victim, rogue = connected_rogue(side)
    rogue.send_data(b"all that you own")
    assert victim.receive_data(rogue.data_to_send()[:-1]) == []
    cut_off(victim, rogue, Reason.TRUNCATED)


@BOTH
def test_an_end_inside_close_notify_is_a_truncation(side: str) -> None:
    victim, rogue = connected_rogue(side)
    rogue.close()
    assert victim.receive_data(rogue.data_to_send()[:-1]) == []
    cut_off(victim, rogue, Reason.TRUNCATED)


@BOTH
def test_an_end_behind_close_notify_is_none(side: str) -> None:
    victim, rogue = connected_rogue(side)
    rogue.close()
    assert victim.receive_data(rogue.data_to_send()) == [PeerClosed()]
    assert victim.receive_eof() == []


@BOTH
def test_data_that_was_not_sent_when_the_end_came_is_not_sent(side: str) -> None:
    victim, rogue = connected_rogue(side)
    victim.send_data(b"into the void")
    cut_off(victim, rogue, Reason.TRUNCATED)


def test_our_own_close_notify_does_not_stand_for_the_peers() -> None:
    """Half-closed: the other direction can still be cut off."""
    client, server = shake_hands()
    client.close()
    server.receive_data(client.data_to_send())
    server.send_data(b"the answer is")
    assert client.receive_data(server.data_to_send()) == [DataReceived(b"the answer is")]
    with pytest.raises(TLSError) as caught:
        client.receive_eof()
    assert caught.value.reason is Reason.TRUNCATED


def test_an_unprotected_close_notify_is_no_close() -> None:
    """The cookie cutter: an attacker cannot make the end of a stream out of nothing."""
    victim, _ = connected_rogue("client")
    with pytest.raises(TLSError) as caught:
        victim.receive_data(plaintext(ContentType.alert, b"\x01\x00"))
    assert caught.value.reason is Reason.UNEXPECTED_RECORD
    assert not victim.peer_closed


@BOTH
def test_a_handshake_that_ends_anywhere_fails(side: str) -> None:
    """After every byte that the peer sends, up to the last: an end is an end during the handshake."""
    client, server = connect_pair()
    hello = client.data_to_send()
    server.receive_data(hello)
    flight = server.data_to_send()
    client.receive_data(flight)
    finished = client.data_to_send()
    for stop in range(0, len(flight if side == "client" else hello), 7):
        victim = connect_pair()[0 if side == "client" else 1]
        if side == "server":
            victim.receive_data(hello[:stop])
        cut_off(victim, None, Reason.CLOSED_DURING_HANDSHAKE)
    if side == "server":
        server.receive_data(finished[:-1])
        cut_off(server, None, Reason.CLOSED_DURING_HANDSHAKE)


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 40, 127, 128, 300])
def test_a_client_that_is_left_in_the_servers_flight_fails(stop: int) -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send()[:stop])
    with pytest.raises(TLSError) as caught:
        client.receive_eof()
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE


def test_a_server_whose_client_leaves_before_finished_has_not_connected() -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert client.handshake_complete
    with pytest.raises(TLSError) as caught:
        server.receive_eof()
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE
    assert not server.handshake_complete


def test_nothing_is_missing_where_both_close() -> None:
    client, server = shake_hands()
    client.send_data(b"bye")
    client.close()
    server.close()
    client_events, server_events = pump(client, server)
    assert (client_events, server_events) == ([PeerClosed()], [DataReceived(b"bye"), PeerClosed()])
    assert (client.state, server.state) == ("CLOSED", "CLOSED")
