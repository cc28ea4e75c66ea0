"""Heartbleed-like length lies: a vector that claims more than is there, or less, in every message.

A reader that trusts a length reads memory that is not the message's. Here: every message of a mutual
handshake cut short, with a header that fits; and every byte of the hello, where no key protects it, set to
what a liar would write. RFC 9846 6.2: decode_error is for a length that is out of range or does not fit.

The messages of TLS 1.2 are in test_heartbleed12.py.
"""

from __future__ import annotations

from functools import cache

import pytest
from loopback import client_config, connect_pair, credential, server_config
from rogue import (
    client_refuses,
    connected_rogue,
    framed,
    plaintext,
    refuses_data,
    replace,
    send,
    server_refuses,
)

from pellucid import ClientConfig, ServerConfig, ServerConnection, TLSError
from pellucid.codes import AlertDescription, ContentType, HandshakeType
from pellucid.errors import Reason
from pellucid.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    HandshakeMessage,
    HelloRetryRequest,
    NewSessionTicket,
    ServerHello,
    decode_handshake,
)
from pellucid.messages.extensions import Extensions

A = AlertDescription

#: Short messages are cut everywhere, long ones at so many places.
CUTS = 40


@cache
def client() -> ClientConfig:
    return client_config(
        protocols=["TLSv1.3"],
        groups=["x25519"],
        credentials=[credential("ed25519", "client")],
        sessions=None,
    )


@cache
def server() -> ServerConfig:
    return server_config(
        groups=["x25519"],
        credentials=[credential("ed25519")],
        client_authentication="required",
        tickets=False,
    )


def cut(kind: type[HandshakeMessage], side: str) -> None:
    """Cut off the last byte, the last fortieth, and so on, up to all of it."""
    refuses = client_refuses if side == "client" else server_refuses
    for part in range(CUTS):
        tamper = replace(kind, lambda body, n=part: body[: len(body) * n // CUTS])  # type: ignore[misc]
        refuses(tamper, Reason.MALFORMED, A.decode_error, client=client(), server=server())
    tamper = replace(kind, lambda body: body[:-1])
    refuses(tamper, Reason.MALFORMED, A.decode_error, client=client(), server=server())


FLIGHT = (EncryptedExtensions, CertificateRequest, CertificateVerify, Finished, Certificate)


@pytest.mark.parametrize("kind", FLIGHT, ids=lambda kind: kind.__name__)
def test_a_client_refuses_a_message_that_is_cut(kind: type[HandshakeMessage]) -> None:
    cut(kind, "client")


@pytest.mark.parametrize("kind", [Certificate, CertificateVerify, Finished], ids=lambda kind: kind.__name__)
def test_a_server_refuses_a_message_that_is_cut(kind: type[HandshakeMessage]) -> None:
    cut(kind, "server")


def test_a_client_refuses_a_server_hello_that_is_cut() -> None:
    bare = 2 + 32 + 1 + 32 + 2 + 1  # up to the compression method: there a ServerHello of TLS 1.2 may end
    for length in range(118):
        tamper = replace(ServerHello, lambda body, n=length: body[:n])  # type: ignore[misc]
        reason = Reason.NO_SHARED_VERSION if length == bare else Reason.MALFORMED
        alert = A.protocol_version if length == bare else A.decode_error
        client_refuses(tamper, reason, alert, client=client(), server=server())


@pytest.mark.parametrize("kind", [ServerHello, *FLIGHT], ids=lambda kind: kind.__name__)
def test_a_client_refuses_bytes_behind_a_message(kind: type[HandshakeMessage]) -> None:
    """Within the length that the header says, and beyond what the message holds."""
    tamper = replace(kind, lambda body: body + b"\x00")
    client_refuses(tamper, Reason.MALFORMED, A.decode_error, client=client(), server=server())


@pytest.mark.parametrize("kind", [Certificate, CertificateVerify, Finished], ids=lambda kind: kind.__name__)
def test_a_server_refuses_bytes_behind_a_message(kind: type[HandshakeMessage]) -> None:
    tamper = replace(kind, lambda body: body + b"\x00")
    server_refuses(tamper, Reason.MALFORMED, A.decode_error, client=client(), server=server())


def test_a_client_refuses_a_retry_request_that_is_cut() -> None:
    retrying = server_config(groups=["secp256r1"], cookie=True)
    offering = client_config(groups=["x25519", "secp256r1"], sessions=None)
    for length in range(34, 120, 5):
        tamper = replace(HelloRetryRequest, lambda body, n=length: body[:n])  # type: ignore[misc]
        client_refuses(tamper, Reason.MALFORMED, A.decode_error, client=offering, server=retrying)


def test_a_client_refuses_a_ticket_that_is_cut() -> None:
    body = NewSessionTicket(60, 7, b"nonce", b"ticket", Extensions()).encode()[4:]
    for length in range(len(body)):
        victim, rogue = connected_rogue("client", client=client_config())
        data = send(rogue, framed(HandshakeType.new_session_ticket, body[:length]))
        refuses_data(victim, rogue, data, Reason.MALFORMED, A.decode_error)


@pytest.mark.parametrize("body", [b"", b"\x00\x00", bytes(200)], ids=len)
def test_a_key_update_of_another_length_is_refused(body: bytes) -> None:
    victim, rogue = connected_rogue("server")
    data = send(rogue, framed(HandshakeType.key_update, body))
    refuses_data(victim, rogue, data, Reason.MALFORMED, A.decode_error)


# -- hellos, byte by byte


@cache
def hello() -> bytes:
    return connect_pair(client_config(groups=["x25519"], alpn_protocols=["h2"], sessions=None))[
        0
    ].data_to_send()[5:]


@cache
def lenient() -> ServerConfig:
    return server_config(groups=["x25519"], alpn_protocols=["h2"], tickets=False)


def attempt(raw: bytes) -> tuple[ServerConnection, TLSError | None]:
    """A server that was sent this ClientHello, and its error."""
    server = ServerConnection(lenient())
    try:
        server.receive_data(plaintext(ContentType.handshake, raw))
    except TLSError as error:
        return server, error
    return server, None


@pytest.mark.parametrize("lie", [0x00, 0x01, 0x7F, 0xFF], ids=hex)
def test_a_server_takes_no_more_from_a_hello_than_is_there(lie: int) -> None:
    """Each byte of a ClientHello becomes ``lie``. Where the server still answers, it echoes what was sent."""
    original = hello()
    answered = 0
    for offset in range(4, len(original)):
        raw = original[:offset] + bytes([lie]) + original[offset + 1 :]
        server, error = attempt(raw)
        said = server.data_to_send()
        if error is not None:
            assert error.blame in {"peer", "both"}, (offset, error)
            assert (said[0], len(said)) == (ContentType.alert, 7), offset
            continue
        answer = decode_handshake(said[5 : 5 + int.from_bytes(said[3:5], "big")])
        assert isinstance(answer, ServerHello | HelloRetryRequest)
        asked = decode_handshake(raw)
        assert isinstance(asked, ClientHello)
        assert answer.legacy_session_id_echo == asked.legacy_session_id
        answered += 1
    assert answered


def test_a_server_refuses_a_hello_that_is_cut() -> None:
    original = hello()[4:]
    # In front of the extensions a hello of TLS 1.2 may end.
    decoded = decode_handshake(hello())
    assert isinstance(decoded, ClientHello)
    bare = 2 + 32 + 1 + 32 + 2 + 2 * len(decoded.cipher_suites) + 2
    assert original[bare - 2 : bare] == b"\x01\x00"
    for length in range(len(original)):
        server, error = attempt(framed(1, original[:length]))
        assert error is not None
        expected = Reason.EXTENDED_MASTER_SECRET_MISSING if length == bare else Reason.MALFORMED
        assert error.reason is expected, length
        alert = A.handshake_failure if length == bare else A.decode_error
        assert server.data_to_send()[-1] == alert


def test_a_heartbeat_is_not_answered() -> None:
    """The original: a request that says 16 KiB and holds three bytes."""
    request = b"\x01\x40\x00abc"
    rogue, victim = connect_pair()
    rogue.data_to_send()
    refuses_data(victim, rogue, plaintext(24, request), Reason.UNEXPECTED_RECORD, A.unexpected_message)
