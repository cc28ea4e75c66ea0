"""SMACK and SKIP-TLS: messages that are left out, repeated, swapped, or of another place (smacktls.com).

RFC 9846 4: "A peer which receives a handshake message in an unexpected order MUST abort the handshake with
an "unexpected_message" alert."
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import pytest
from disorder import STRANGERS, inserting, named, repeating, skipping, swapping
from loopback import client_config, connect_pair, credential, pump, server_config
from rogue import (
    RogueHandshake,
    Tamper,
    client_refuses,
    connected_rogue,
    framed,
    honest,
    plaintext,
    refuses_data,
    rogue_client,
    rogue_server,
    send,
    server_refuses,
)

from pellucid import ClientConfig, ServerConfig, TLSError
from pellucid.codes import AlertDescription, ContentType, HandshakeType
from pellucid.errors import Reason
from pellucid.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    Finished,
    HandshakeMessage,
)

UNEXPECTED = AlertDescription.unexpected_message

#: What a server and a client say under the handshake keys, in order, when both show a certificate.
SERVER_FLIGHT = (EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify, Finished)
CLIENT_FLIGHT = (Certificate, CertificateVerify, Finished)


@cache
def mutual_server() -> ServerConfig:
    return server_config(client_authentication="required")


@cache
def mutual_client() -> ClientConfig:
    return client_config(credentials=[credential("ecdsa", "client")], sessions=None)


def refused_by_client(tamper: Tamper, reason: Reason = Reason.UNEXPECTED_MESSAGE) -> TLSError:
    return client_refuses(tamper, reason, UNEXPECTED, client=mutual_client(), server=mutual_server())


def refused_by_server(tamper: Tamper, reason: Reason = Reason.UNEXPECTED_MESSAGE) -> TLSError:
    return server_refuses(tamper, reason, UNEXPECTED, client=mutual_client(), server=mutual_server())


# -- left out


# A CertificateRequest may be left out: then it is a handshake without a client's certificate.
@pytest.mark.parametrize("kind", [EncryptedExtensions, Certificate, CertificateVerify], ids=named)
def test_a_client_misses_a_message_of_the_server(kind: type[HandshakeMessage]) -> None:
    refused_by_client(skipping(kind))


@pytest.mark.parametrize("kind", [Certificate, CertificateVerify], ids=named)
def test_a_server_misses_a_message_of_the_client(kind: type[HandshakeMessage]) -> None:
    refused_by_server(skipping(kind))


def test_a_server_does_not_take_a_client_without_finished_for_connected() -> None:
    """The early form of SKIP-TLS: data right away. It is under keys that are not in force yet."""
    victim, rogue = connect_pair(server=mutual_server())[1], rogue_client(skipping(Finished), mutual_client())
    pump(rogue, victim)
    assert rogue.handshake_complete
    assert not victim.handshake_complete
    rogue.send_data(b"I skipped my Finished")
    refuses_data(victim, rogue, rogue.data_to_send(), Reason.BAD_RECORD_MAC, AlertDescription.bad_record_mac)


def test_a_client_does_not_take_a_server_without_finished_for_connected() -> None:
    victim, rogue = connect_pair(mutual_client())[0], rogue_server(skipping(Finished), mutual_server())
    pump(victim, rogue)
    assert not victim.handshake_complete
    rogue._driver.writer.queue(ContentType.application_data, b"I skipped my Finished")
    refuses_data(victim, rogue, rogue.data_to_send(), Reason.BAD_RECORD_MAC, AlertDescription.bad_record_mac)


# -- repeated


@pytest.mark.parametrize("kind", SERVER_FLIGHT, ids=named)
def test_a_client_refuses_a_message_that_comes_twice(kind: type[HandshakeMessage]) -> None:
    # The second Finished stands behind a change of keys.
    reason = Reason.MESSAGE_ACROSS_KEY_CHANGE if kind is Finished else Reason.UNEXPECTED_MESSAGE
    refused_by_client(repeating(kind), reason)


@pytest.mark.parametrize("kind", CLIENT_FLIGHT, ids=named)
def test_a_server_refuses_a_message_that_comes_twice(kind: type[HandshakeMessage]) -> None:
    reason = Reason.MESSAGE_ACROSS_KEY_CHANGE if kind is Finished else Reason.UNEXPECTED_MESSAGE
    refused_by_server(repeating(kind), reason)


# -- swapped


@pytest.mark.parametrize("first, second", [*pairwise(SERVER_FLIGHT)], ids=named)
def test_a_client_refuses_neighbours_that_are_swapped(
    first: type[HandshakeMessage], second: type[HandshakeMessage]
) -> None:
    refused_by_client(swapping(first, second))


@pytest.mark.parametrize("first, second", [*pairwise(CLIENT_FLIGHT)], ids=named)
def test_a_server_refuses_neighbours_that_are_swapped(
    first: type[HandshakeMessage], second: type[HandshakeMessage]
) -> None:
    refused_by_server(swapping(first, second))


# -- of another place

#: What may stand before a message without being its neighbour's place.
DUE = {
    EncryptedExtensions: {"encrypted_extensions"},
    CertificateRequest: {"certificate_request", "certificate"},
    Certificate: {"certificate"},
    CertificateVerify: {"certificate_verify"},
    Finished: {"finished"},
}


@pytest.mark.parametrize("before", SERVER_FLIGHT, ids=named)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_client_refuses_a_stranger_in_the_servers_flight(
    stranger: str, before: type[HandshakeMessage]
) -> None:
    if stranger not in DUE[before]:
        refused_by_client(inserting(STRANGERS[stranger], before))


@pytest.mark.parametrize("before", CLIENT_FLIGHT, ids=named)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_server_refuses_a_stranger_in_the_clients_flight(
    stranger: str, before: type[HandshakeMessage]
) -> None:
    if stranger not in DUE[before]:
        refused_by_server(inserting(STRANGERS[stranger], before))


@pytest.mark.parametrize("stranger", sorted(STRANGERS.keys() - {"client_hello"}))
def test_a_server_begins_with_a_client_hello_and_nothing_else(stranger: str) -> None:
    rogue, victim = connect_pair()
    rogue.data_to_send()
    record = plaintext(ContentType.handshake, STRANGERS[stranger])
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


@pytest.mark.parametrize("stranger", sorted(STRANGERS.keys() - {"server_hello", "hello_retry_request"}))
def test_a_client_is_answered_by_a_server_hello_and_nothing_else(stranger: str) -> None:
    # TLS 1.2 lets a client ignore a HelloRequest, and who offers both versions does not know yet.
    victim, rogue = connect_pair(client_config(protocols=["TLSv1.3"]))
    rogue.receive_data(victim.data_to_send())
    rogue.data_to_send()
    record = plaintext(ContentType.handshake, STRANGERS[stranger])
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


@pytest.mark.parametrize("stranger", sorted(STRANGERS.keys() - {"key_update", "new_session_ticket"}))
@pytest.mark.parametrize("side", ["client", "server"])
def test_after_the_handshake_its_messages_are_refused(side: str, stranger: str) -> None:
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, send(rogue, STRANGERS[stranger]), Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


def test_a_client_sends_no_tickets() -> None:
    victim, rogue = connected_rogue("server")
    record = send(rogue, STRANGERS["new_session_ticket"])
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


def test_a_resumed_handshake_asks_for_no_certificate() -> None:
    """RFC 9846 4.4.2: a server that authenticates with a PSK sends no CertificateRequest."""
    client = client_config()
    pump(*connect_pair(client, server := server_config()))
    raw = framed(HandshakeType.certificate_request, b"\x00\x00\x08\x00\x0d\x00\x04\x00\x02\x04\x03")
    client_refuses(
        inserting(raw, Finished), Reason.UNEXPECTED_MESSAGE, UNEXPECTED, client=client, server=server
    )


def test_a_resumed_handshake_shows_no_certificate() -> None:
    client = client_config()
    pump(*connect_pair(client, server := server_config()))
    raw = Certificate(b"", []).encode()
    client_refuses(
        inserting(raw, Finished), Reason.UNEXPECTED_MESSAGE, UNEXPECTED, client=client, server=server
    )


def test_a_client_that_was_not_asked_shows_no_certificate() -> None:
    raw = Certificate(b"", []).encode()
    server_refuses(inserting(raw, Finished), Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


# -- data before the end of the handshake


@pytest.mark.parametrize("before", SERVER_FLIGHT, ids=named)
def test_a_client_takes_no_data_under_handshake_keys(before: type[HandshakeMessage]) -> None:
    def tamper(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, before):
            hs.driver.writer.queue(ContentType.application_data, b"too early")
        return [message.raw]

    refused_by_client(tamper, Reason.UNEXPECTED_RECORD)


@pytest.mark.parametrize("before", CLIENT_FLIGHT, ids=named)
def test_a_server_takes_no_data_under_handshake_keys(before: type[HandshakeMessage]) -> None:
    def tamper(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, before):
            hs.driver.writer.queue(ContentType.application_data, b"too early")
        return [message.raw]

    refused_by_server(tamper, Reason.UNEXPECTED_RECORD)


@pytest.mark.parametrize("side", ["client", "server"])
def test_nobody_takes_data_before_there_are_keys(side: str) -> None:
    client, server = connect_pair()
    hello = client.data_to_send()
    victim, rogue = (client, server) if side == "client" else (server, client)
    if side == "client":
        server.receive_data(hello)
        server.data_to_send()
    refuses_data(
        victim, rogue, plaintext(ContentType.application_data, b"hi"), Reason.UNEXPECTED_RECORD, UNEXPECTED
    )


def test_the_rogue_is_no_rogue_when_it_is_honest() -> None:
    """Without tampering a rogue shakes hands like anybody: what the other tests see is the tampering's."""
    for side in ("client", "server"):
        victim, _ = connected_rogue(side, honest, client=mutual_client(), server=mutual_server())
        assert victim.negotiated is not None
        assert victim.negotiated.mutual
