"""Reflection: a side is handed back what it has said. Selfie is its form for external PSKs.

Both sides of an external PSK know the same key, so a hello can come back from the other half of oneself.
Messages differ by direction, so what is reflected is out of order. A whole second connection to oneself is
for the identities to prevent (RFC 9257 4.1), and pellucid gives an application what it needs for that.
"""

from __future__ import annotations

import pytest
from loopback import client_config, connect_pair, server_config
from rogue import plaintext

from pellucid import TLSError
from pellucid.codes import AlertDescription, ContentType
from pellucid.errors import Reason
from pellucid.sessions import ExternalPsk

PSK = ExternalPsk(b"shared by two", bytes(range(32)))


def test_a_client_does_not_answer_its_own_hello() -> None:
    client, _ = connect_pair(client_config(psks=[PSK]))
    with pytest.raises(TLSError) as caught:
        client.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE
    assert client.data_to_send() == plaintext(
        ContentType.alert, bytes((2, AlertDescription.unexpected_message))
    )


def test_a_server_does_not_answer_its_own_flight() -> None:
    client, server = connect_pair(client_config(psks=[PSK]), server_config(psks=[PSK]))
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    with pytest.raises(TLSError) as caught:
        server.receive_data(flight)
    assert caught.value.reason is Reason.UNEXPECTED_RECORD
    assert not server.handshake_complete


def test_a_server_does_not_take_its_own_protected_records() -> None:
    client, server = connect_pair(client_config(psks=[PSK]), server_config(psks=[PSK]))
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    protected = flight[flight.index(b"\x17\x03\x03") :]
    with pytest.raises(TLSError) as caught:
        server.receive_data(protected)
    assert caught.value.reason is Reason.BAD_RECORD_MAC


def test_who_was_reached_by_a_psk_is_told_by_its_identity() -> None:
    """Who is both client and server gives each role a PSK of its own, and sees which was used."""
    back = ExternalPsk(b"the other way", bytes(range(32, 64)))
    client, server = connect_pair(client_config(psks=[PSK]), server_config(psks=[back]))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send())
    assert client.negotiated is not None
    assert client.negotiated.psk_identity is None
    assert not client.negotiated.resumed
