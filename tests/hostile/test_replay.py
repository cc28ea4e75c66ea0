"""Replay: what was recorded of one connection is worth nothing in another."""

from __future__ import annotations

import pytest
from loopback import NAME, client_config, connect_pair, pump, server_config
from rogue import rogue_client

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.codes import ExtensionType
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.messages import ServerHello, decode_handshake


def recorded(client: Connection, server: Connection) -> tuple[list[bytes], list[bytes]]:
    """What each side sends in an honest handshake, flight by flight."""
    hello = client.data_to_send()
    server.receive_data(hello)
    flight = server.data_to_send()
    client.receive_data(flight)
    finished = client.data_to_send()
    server.receive_data(finished)
    client.send_data(b"pay 100")
    data = client.data_to_send()
    server.receive_data(data)
    return [hello, finished, data], [flight]


def answer_of(server: Connection) -> ServerHello:
    flight = server.data_to_send()
    answer = decode_handshake(flight[5 : 5 + int.from_bytes(flight[3:5], "big")])
    assert isinstance(answer, ServerHello)
    return answer


def test_a_hello_that_comes_again_is_answered_afresh() -> None:
    """New random, new share: new keys, which only the first client's private key could tell."""
    config = server_config()
    hello = connect_pair(client_config(groups=["x25519"]))[0].data_to_send()
    answers = []
    for _ in range(2):
        server = ServerConnection(config)
        server.receive_data(hello)
        answers.append(answer_of(server))
    assert answers[0].random != answers[1].random
    assert answers[0].extensions[ExtensionType.key_share] != answers[1].extensions[ExtensionType.key_share]


@pytest.mark.parametrize("resumed", [False, True], ids=["full", "resumed"])
def test_a_connection_that_is_played_again_gets_no_further_than_its_hello(resumed: bool) -> None:
    """Without 0-RTT nothing of a client's is acted on before it has answered this server."""
    client, server = client_config(), server_config()
    if resumed:
        pump(*connect_pair(client, server))
    said, _ = recorded(*connect_pair(client, server))
    victim = ServerConnection(server)
    victim.receive_data(said[0])
    assert victim.state == "WAIT_FINISHED"
    with pytest.raises(TLSError) as caught:
        victim.receive_data(said[1])
    assert caught.value.reason is Reason.BAD_RECORD_MAC
    assert caught.value.events == ()
    assert not victim.handshake_complete


def test_data_that_is_played_again_without_its_handshake_is_refused() -> None:
    server = server_config()
    said, _ = recorded(*connect_pair(server=server))
    victim = ServerConnection(server)
    victim.receive_data(said[0])
    with pytest.raises(TLSError) as caught:
        victim.receive_data(said[2])
    assert caught.value.reason is Reason.BAD_RECORD_MAC


def test_a_servers_flight_that_is_played_again_is_refused() -> None:
    """It echoes another session ID and, were that the same, answers another share."""
    _, flights = recorded(*connect_pair())
    victim = ClientConnection(client_config(), NAME)
    victim.data_to_send()
    with pytest.raises(TLSError) as caught:
        victim.receive_data(flights[0])
    assert caught.value.reason is Reason.WRONG_SESSION_ID_ECHO


def test_a_servers_flight_that_is_played_again_without_session_ids_is_refused() -> None:
    config = client_config(middlebox_compatibility=False)
    _, flights = recorded(*connect_pair(config))
    victim = ClientConnection(config, NAME)
    victim.data_to_send()
    with pytest.raises(TLSError) as caught:
        victim.receive_data(flights[0])
    assert caught.value.reason is Reason.BAD_RECORD_MAC
    assert not victim.handshake_complete


def test_a_ticket_may_be_offered_again_by_its_owner_alone() -> None:
    """The same hello from somewhere else: the server resumes, as far as it knows, and sends to nobody."""
    client, server = client_config(), server_config()
    pump(*connect_pair(client, server))
    rogue = rogue_client(config=client)
    hello = rogue.data_to_send()
    victims = [ServerConnection(server) for _ in range(2)]
    for victim in victims:
        victim.receive_data(hello)
    flights = [victim.data_to_send() for victim in victims]
    rogue.receive_data(flights[0])
    finished = rogue.data_to_send()
    victims[0].receive_data(finished)
    assert victims[0].handshake_complete
    with pytest.raises(TLSError) as caught:
        victims[1].receive_data(finished)
    assert caught.value.reason is Reason.BAD_RECORD_MAC
