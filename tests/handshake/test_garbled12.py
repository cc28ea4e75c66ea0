"""TLS 1.2: a peer that garbles what it says and stands by it: its own transcript has what it sent.

test_corruption12.py has somebody on the path change a byte, whom the Finished gives away at the latest. Here
nothing does but the message itself: each byte of each is changed once, and whoever reads it finds a fault of
the peer's, or another message that can be meant. It never falls over, and never takes a proof for one that is
none.
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import MAX_ROUNDS, NAME, client12, client_config, credential, server12, server_config
from rogue import Tamper, rogue_client, rogue_server

from pellucid import ClientConnection, Reason, ServerConnection, TLSError, Trace
from pellucid.connection import Connection
from pellucid.trace.events import MessageEvent

BOTH = pytest.mark.parametrize("side", ["client", "server"])
MASKS = (0x01, 0x80)
CLIENT: dict[str, Any] = {"credentials": [credential("ed25519", "client")]}
SERVER: dict[str, Any] = {"credentials": [credential("ed25519")], "client_authentication": "required"}
RSA = {"cipher_suites": ["TLS_RSA_WITH_AES_128_CBC_SHA256"]}
DHE = {"cipher_suites": ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]}
RSA_KEY = {"credentials": [credential("rsa")]}

#: The messages that prove something or that a proof is of: changed, none of them is good any more.
PROOFS = {"Certificate", "ServerKeyExchange", "CertificateVerify", "Finished"}
#: What a key exchange has of its own; the others need not be garbled for each.
EXCHANGE = {"ServerKeyExchange", "ClientKeyExchange"}
#: Of the long ones, what is opaque or signed is looked at here and there.
LONG, STEP = 300, 9


def sizes(client: dict[str, Any], server: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """Name and length of the messages that either side sends."""
    trace = Trace()
    pair = (
        ClientConnection(client12(trace=trace, **client), NAME),
        ServerConnection(server12(trace=trace, **server)),
    )
    play(*pair)
    messages = [
        event for event in trace.events if isinstance(event, MessageEvent) and event.direction == "sent"
    ]
    found: dict[str, list[tuple[str, int]]] = {"client": [], "server": []}
    for event in messages:
        if event.name != "ChangeCipherSpec":
            found[event.side].append((event.name, len(event.raw)))
    return found


def play(client: Connection, server: Connection) -> list[TLSError]:
    """Carry bytes until both are silent or have failed, then end the streams; what was raised."""
    errors: list[TLSError] = []
    for _ in range(MAX_ROUNDS):
        said = client.data_to_send(), server.data_to_send()
        if not any(said):
            break
        for listener, data in ((server, said[0]), (client, said[1])):
            if listener.failure is None:
                errors += take(listener, data)
    for connection in (client, server):
        if not connection.handshake_complete and connection.failure is None:
            with pytest.raises(TLSError):
                connection.receive_eof()
    return errors


def take(listener: Connection, data: bytes) -> list[TLSError]:
    try:
        listener.receive_data(data)
    except TLSError as error:
        return [error]
    return []


def garbled(number: int, offset: int, mask: int) -> Tamper:
    """The message of that number has one byte changed."""
    count = -1

    def tamper(_hs: object, message: Any) -> list[bytes]:
        nonlocal count
        count += 1
        if count != number:
            return [message.raw]
        raw = bytearray(message.raw)
        raw[offset] ^= mask
        return [bytes(raw)]

    return tamper


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ECDHE, mutual": (CLIENT, SERVER),
    "RSA": (RSA, RSA | RSA_KEY | {"tickets": False}),
    "DHE": (DHE, DHE | RSA_KEY | {"tickets": False}),
}


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_a_garbled_message_is_a_fault_of_the_peers(name: str, side: str) -> None:
    """``side`` is the victim's."""
    client, server = CASES[name]
    other = "server" if side == "client" else "client"
    for number, (message, size) in enumerate(sizes(client, server)[other]):
        if "mutual" not in name and message not in EXCHANGE:
            continue
        for offset in range(0, size, STEP if size > LONG else 1):
            mask = MASKS[offset // (STEP if size > LONG else 1) % 2]
            tamper = garbled(number, offset, mask)
            victim: Connection
            if side == "client":
                victim = ClientConnection(client12(**client), NAME)
                play(victim, rogue_server(tamper, server12(**server)))
            else:
                victim = ServerConnection(server12(**server))
                play(rogue_client(tamper, client12(**client)), victim)
            where = f"{message}, byte {offset}, xor {mask:#x}"
            error = victim.failure
            assert victim.handshake_complete is (error is None), where
            if error is not None:
                assert error.blame in {"peer", "both"}, (where, error)
                assert error.reason is not Reason.INTERNAL_ERROR, (where, error)
                assert victim.state == "FAILED", where
            assert error is not None or message not in PROOFS, where


@BOTH
def test_a_garbled_hello_of_both_versions_is_a_fault_of_the_peers(side: str) -> None:
    """A changed byte may make it one of another version."""
    size = len(ClientConnection(client_config(), NAME).data_to_send()) - 5
    versions = set()
    for offset in range(0, size if side == "server" else 120, 1 if side == "client" else 5):
        tamper = garbled(0, offset, MASKS[offset % 2])
        victim: Connection
        if side == "client":
            victim = ClientConnection(client_config(), NAME)
            play(victim, rogue_server(tamper, server_config()))
        else:
            victim = ServerConnection(server_config())
            play(rogue_client(tamper, client_config()), victim)
        error = victim.failure
        assert error is None or error.blame in {"peer", "both"}, (offset, error)
        assert error is None or error.reason is not Reason.INTERNAL_ERROR, (offset, error)
        versions.add(victim._hs.version)
    assert len(versions) > 1
