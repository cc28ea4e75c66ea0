"""ChangeCipherSpec injection: in TLS 1.3 the record means nothing, and has few places to mean nothing in.

RFC 9846 5: unprotected, one byte of 0x01, from the first ClientHello to the peer's Finished; any other ends
the connection with unexpected_message.
"""

from __future__ import annotations

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from rogue import connected_rogue, plaintext, refuses_data, rogue_client, rogue_server, sealed

from pellucid import ClientConnection, ServerConnection
from pellucid.codes import AlertDescription, ContentType
from pellucid.connection import MAX_CHANGE_CIPHER_SPECS, Connection
from pellucid.errors import Reason

UNEXPECTED = AlertDescription.unexpected_message
CCS = ContentType.change_cipher_spec
RECORD = plaintext(CCS, b"\x01")
BOTH = pytest.mark.parametrize("side", ["client", "server"])


def midway(side: str) -> tuple[Connection, Connection, bytes]:
    """(victim, rogue, what the rogue sends next), once there are keys and before the victim has finished."""
    if side == "client":
        victim: Connection = ClientConnection(client_config(sessions=None), "localhost")
        rogue: Connection = rogue_server()
        rogue.receive_data(victim.data_to_send())
        flight = rogue.data_to_send()
        hello_end = 5 + int.from_bytes(flight[3:5], "big")
        victim.receive_data(flight[:hello_end])
        return victim, rogue, flight[hello_end:]
    rogue, victim = rogue_client(), ServerConnection(server_config())
    victim.receive_data(rogue.data_to_send())
    rogue.receive_data(victim.data_to_send())
    return victim, rogue, rogue.data_to_send()


@BOTH
def test_it_is_dropped_during_the_handshake(side: str) -> None:
    victim, _, flight = midway(side)
    victim.receive_data(RECORD * 3)
    victim.receive_data(flight)
    assert victim.handshake_complete


def test_it_is_refused_before_the_first_hello() -> None:
    rogue, victim = connect_pair()
    rogue.data_to_send()
    refuses_data(victim, rogue, RECORD, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
def test_it_is_refused_after_the_handshake(side: str) -> None:
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, RECORD, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("body", [b"\x02", b"\x00", b"\x01\x01", b"\x01\x00", bytes(40), b""], ids=bytes.hex)
def test_it_is_refused_with_another_body(side: str, body: bytes) -> None:
    victim, rogue, _ = midway(side)
    refuses_data(victim, rogue, plaintext(CCS, body), Reason.BAD_CHANGE_CIPHER_SPEC, UNEXPECTED)


@BOTH
def test_it_is_refused_when_protected(side: str) -> None:
    """RFC 9846 5: "a protected change_cipher_spec record MUST" end the handshake, during it and after."""
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, sealed(rogue, CCS, b"\x01"), Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
def test_a_flood_of_it_is_refused(side: str) -> None:
    victim, rogue, _ = midway(side)
    seen = victim._hs.change_cipher_specs
    victim.receive_data(RECORD * (MAX_CHANGE_CIPHER_SPECS - seen))
    refuses_data(victim, rogue, RECORD, Reason.TOO_MANY_CHANGE_CIPHER_SPECS, UNEXPECTED)


def test_it_is_refused_inside_a_handshake_message() -> None:
    rogue, victim = connect_pair()
    hello = rogue.data_to_send()[5:]
    first, second = (plaintext(ContentType.handshake, part) for part in (hello[:50], hello[50:]))
    victim.receive_data(first)
    refuses_data(victim, rogue, RECORD + second, Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


def test_it_does_not_change_any_keys() -> None:
    """CVE-2014-0224: an early one made OpenSSL use keys of an empty master secret."""
    client, server = connect_pair(server=server_config(client_authentication="optional"))
    server.receive_data(client.data_to_send() + RECORD)
    client.receive_data(RECORD + server.data_to_send())
    pump(client, server)
    assert client.export_keying_material(b"EXPORTER", None, 16) == server.export_keying_material(
        b"EXPORTER", None, 16
    )


def test_compatibility_mode_sends_one_each_way() -> None:
    config = client_config(credentials=[credential("ecdsa", "client")])
    client, server = connect_pair(config, server_config(client_authentication="required"))
    hello = client.data_to_send()
    server.receive_data(hello)
    to_client = server.data_to_send()
    client.receive_data(to_client)
    to_server = client.data_to_send()
    assert (hello.count(RECORD), to_client.count(RECORD), to_server.count(RECORD)) == (0, 1, 1)
    assert to_server.startswith(RECORD)


def test_without_compatibility_mode_there_is_none() -> None:
    client, server = connect_pair(client_config(middlebox_compatibility=False))
    server.receive_data(client.data_to_send())
    to_client = server.data_to_send()
    client.receive_data(to_client)
    assert RECORD not in to_client
    assert not client.data_to_send().startswith(RECORD)
