"""Replay and reflection in TLS 1.2: what was recorded of one connection is worth nothing in another.

With RSA key exchange the client's whole contribution is a ciphertext, and a record of it can be played to the
same server, which decrypts it. What it does not play is the server's random.
"""

from __future__ import annotations

import pytest
from loopback import NAME, connect_pair
from rogue import plaintext
from rogue12 import EXCHANGES, By, client_of, met12, server_of

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.codes import AlertDescription, ContentType
from pellucid.connection import Connection
from pellucid.errors import Reason

EACH = pytest.mark.parametrize("exchange", EXCHANGES)
RESUMED = pytest.mark.parametrize("by", ["ticket", "session ID"])


def recorded(client: Connection, server: Connection) -> tuple[list[bytes], list[bytes]]:
    """What each side sends in an honest connection, flight by flight, data at the end."""
    of_client, of_server = [], []
    while to_server := client.data_to_send():
        of_client.append(to_server)
        server.receive_data(to_server)
        of_server.append(server.data_to_send())
        client.receive_data(of_server[-1])
    client.send_data(b"pay 100")
    of_client.append(client.data_to_send())
    server.receive_data(of_client[-1])
    return of_client, of_server


def gets_no_further(victim: Connection, flights: list[bytes], reasons: set[Reason]) -> None:
    with pytest.raises(TLSError) as caught:
        victim.receive_data(b"".join(flights))
    assert caught.value.reason in reasons
    assert caught.value.events == ()
    assert not victim.handshake_complete


#: The keys are others, and so a protected Finished is not even opened.
OTHER_KEYS = {Reason.BAD_RECORD_MAC}


@EACH
def test_a_client_that_is_played_again_is_refused(exchange: str) -> None:
    """To the same server: its random is new, so are the keys."""
    config = server_of(exchange)
    said, _ = recorded(*connect_pair(client_of(exchange), config))
    gets_no_further(ServerConnection(config), said, OTHER_KEYS)


@RESUMED
def test_a_resumption_that_is_played_again_is_refused(by: By) -> None:
    """The ticket is right, and the master secret the same: the server's random makes other keys of it."""
    client, server = met12(by=by)
    said, _ = recorded(*connect_pair(client, server))
    victim = ServerConnection(server)
    victim.receive_data(said[0])
    assert victim.state == "WAIT_CCS"
    gets_no_further(victim, said[1:], OTHER_KEYS)


@EACH
def test_a_server_that_is_played_again_is_refused(exchange: str) -> None:
    """Its signature has the client's random in it; with RSA, the premaster secret is new."""
    config = client_of(exchange, sessions=None)
    _, said = recorded(*connect_pair(config, server_of(exchange)))
    victim = ClientConnection(config, NAME)
    victim.data_to_send()
    reasons = {Reason.BAD_SIGNATURE} if EXCHANGES[exchange].server else OTHER_KEYS
    gets_no_further(victim, said, reasons)


@RESUMED
def test_a_servers_resumption_that_is_played_again_is_refused(by: By) -> None:
    client, server = met12(by=by)
    assert client.sessions is not None
    session = client.sessions.take(NAME, client.clock(), client.session_scope)
    assert session is not None
    client.sessions.put(session)
    _, said = recorded(*connect_pair(client, server))
    assert client.sessions.take(NAME, client.clock(), client.session_scope) is not None
    client.sessions.put(session)
    victim = ClientConnection(client, NAME)
    victim.data_to_send()
    # The ID that goes with a ticket is new each time, and then the echo is of no session at all.
    reasons = OTHER_KEYS if by == "session ID" else {Reason.UNEXPECTED_MESSAGE, Reason.UNEXPECTED_RECORD}
    gets_no_further(victim, said, reasons)


def test_data_is_not_played_again_in_its_own_connection() -> None:
    """The sequence number is in every MAC and nonce."""
    for exchange in EXCHANGES:
        client, server = connect_pair(client_of(exchange, sessions=None), server_of(exchange))
        said, _ = recorded(client, server)
        with pytest.raises(TLSError) as caught:
            server.receive_data(said[-1])
        assert caught.value.reason is Reason.BAD_RECORD_MAC


# -- reflection


def test_a_client_does_not_answer_its_own_hello() -> None:
    client = ClientConnection(client_of(), NAME)
    with pytest.raises(TLSError) as caught:
        client.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE
    fatal = bytes((2, AlertDescription.unexpected_message))
    assert client.data_to_send() == plaintext(ContentType.alert, fatal)


@EACH
def test_a_server_does_not_take_its_own_flight(exchange: str) -> None:
    client, server = connect_pair(client_of(exchange), server_of(exchange))
    server.receive_data(client.data_to_send())
    with pytest.raises(TLSError) as caught:
        server.receive_data(server.data_to_send())
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("side", ["client", "server"])
@EACH
def test_nobody_takes_its_own_protected_records(exchange: str, side: str) -> None:
    """Each direction has keys of its own."""
    client, server = connect_pair(client_of(exchange, sessions=None), server_of(exchange))
    recorded(client, server)
    victim = client if side == "client" else server
    victim.send_data(b"echo")
    with pytest.raises(TLSError) as caught:
        victim.receive_data(victim.data_to_send())
    assert caught.value.reason is Reason.BAD_RECORD_MAC
