"""Heartbleed's kind in TLS 1.2: lengths that claim more than is there, or less, in every message of it.

As in test_heartbleed.py. Most of these messages come in clear, so that anybody on the path can write them: on
top of messages that are cut, each byte of what either side says before there are keys is set to what a liar
would write.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from disorder import inserting, named
from loopback import NAME, client_config, credential, server_config
from rogue import Tamper, edit, framed, plaintext, refuses_data, replace, send
from rogue12 import (
    CHANGE_CIPHER_SPEC,
    EXCHANGES,
    Side,
    client_flight,
    client_of,
    meeting,
    mutual_client_of,
    mutual_server_of,
    records,
    refused12,
    server_flight,
    server_of,
    switching,
)

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.codes import AlertDescription, ContentType, HandshakeType
from pellucid.errors import Reason
from pellucid.messages import Finished, HandshakeMessage, ServerHello, tls12
from pellucid.messages import extensions as ext

A = AlertDescription
HANDSHAKE = ContentType.handshake
EACH = pytest.mark.parametrize("exchange", EXCHANGES)
BOTH = pytest.mark.parametrize("side", ["client", "server"])

#: Short messages are cut everywhere, long ones at so many places.
CUTS = 25

#: What has a body that can be cut. The ServerHello may end before its extensions, and has its own test.
OF_SERVERS = [
    pytest.param(x, kind, id=f"{x}-{named(kind)}")
    for x in EXCHANGES
    for kind in (*server_flight(x), Finished)
    if kind not in (ServerHello, tls12.ServerHelloDone)
]
OF_CLIENTS = [
    pytest.param(x, kind, id=f"{x}-{named(kind)}")
    for x in EXCHANGES
    for kind in (*client_flight(x), Finished)
]


def malformed(side: Side, exchange: str, tamper: Tamper) -> None:
    client, server = mutual_client_of(exchange), mutual_server_of(exchange)
    refused12(side, Reason.MALFORMED, A.decode_error, tamper, client=client, server=server)


def cut(side: Side, exchange: str, kind: type[HandshakeMessage]) -> None:
    """Cut off the last byte, the last twenty-fifth, and so on, up to all of it."""
    malformed(side, exchange, replace(kind, lambda body: body[:-1]))
    for part in range(CUTS):
        malformed(side, exchange, replace(kind, lambda body, n=part: body[: len(body) * n // CUTS]))  # type: ignore[misc]


@pytest.mark.parametrize("exchange, kind", OF_SERVERS)
def test_a_client_refuses_a_message_that_is_cut(exchange: str, kind: type[HandshakeMessage]) -> None:
    cut("client", exchange, kind)


@pytest.mark.parametrize("exchange, kind", OF_CLIENTS)
def test_a_server_refuses_a_message_that_is_cut(exchange: str, kind: type[HandshakeMessage]) -> None:
    cut("server", exchange, kind)


def test_a_client_refuses_a_server_hello_that_is_cut() -> None:
    bare = 2 + 32 + 1 + 32 + 2 + 1  # up to the compression method: there it may end
    for length in range(bare + 2):
        tamper = replace(ServerHello, lambda body, n=length: body[:n])  # type: ignore[misc]
        if length == bare:
            refused12("client", Reason.NO_SECURE_RENEGOTIATION, A.handshake_failure, tamper)
        else:
            refused12("client", Reason.MALFORMED, A.decode_error, tamper)


@EACH
def test_bytes_behind_a_message_are_refused(exchange: str) -> None:
    """Within the length that the header says, and beyond what the message holds."""
    for kind in (*server_flight(exchange), Finished):
        malformed("client", exchange, replace(kind, lambda body: body + b"\x00"))
    for kind in (*client_flight(exchange), Finished):
        malformed("server", exchange, replace(kind, lambda body: body + b"\x00"))


# -- messages that not every handshake has


def test_a_client_refuses_a_ticket_that_is_cut() -> None:
    body = tls12.NewSessionTicket(60, b"a ticket").encode()[4:]
    for length in range(len(body)):
        tamper = replace(tls12.NewSessionTicket, lambda _, n=length: body[:n])  # type: ignore[misc]
        refused12("client", Reason.MALFORMED, A.decode_error, tamper, client=client_of())


def stapling(body: bytes) -> Tamper:
    """A server that announces an OCSP response, and says this."""
    announce = edit(ServerHello, lambda hello: hello.extensions.add(ext.CertificateStatusRequested()))
    insert = inserting(framed(HandshakeType.certificate_status, body), tls12.ServerKeyExchangeECDHE)
    return lambda hs, message: (
        announce(hs, message) if isinstance(message, ServerHello) else insert(hs, message)
    )


def test_a_client_refuses_a_staple_that_is_cut() -> None:
    body = tls12.CertificateStatus(1, b"a response").encode()[4:]
    client = client_of(sessions=None, request_status=True)
    for length in range(len(body)):
        refused12("client", Reason.MALFORMED, A.decode_error, stapling(body[:length]), client=client)
    longer = body[:1] + b"\xff\xff\xff" + body[4:]
    refused12("client", Reason.MALFORMED, A.decode_error, stapling(longer), client=client)


@pytest.mark.parametrize("body", [b"\x00", bytes(4), bytes(200)], ids=len)
def test_a_hello_request_holds_nothing(body: bytes) -> None:
    """After the handshake it is read; during it what is not empty is no HelloRequest to ignore."""
    config, server = client_of(sessions=None), server_of()
    client, other, victim, rogue = meeting("client", config, server)
    for _ in range(3):
        other.receive_data(client.data_to_send())
        client.receive_data(other.data_to_send())
    data = send(rogue, framed(HandshakeType.hello_request, body))
    refuses_data(victim, rogue, data, Reason.MALFORMED, A.decode_error)
    switch = switching((HANDSHAKE, framed(HandshakeType.hello_request, body)), CHANGE_CIPHER_SPEC)
    refused12("client", Reason.UNEXPECTED_MESSAGE, A.unexpected_message, switch=switch)


# -- lengths beyond all bounds


@pytest.mark.parametrize(
    "kind", [tls12.Certificate, tls12.ServerKeyExchangeECDHE, tls12.CertificateRequest], ids=named
)
def test_a_message_that_announces_too_much_is_refused_at_its_header(kind: type[HandshakeMessage]) -> None:
    """16 MiB are not waited for, nor is room made for them."""

    def tamper(_hs: object, message: HandshakeMessage) -> list[bytes]:
        return [message.raw[:1] + b"\xff\xff\xff" if isinstance(message, kind) else message.raw]

    client, server = mutual_client_of(), mutual_server_of()
    reason, alert = Reason.MESSAGE_TOO_LONG, A.illegal_parameter
    refused12("client", reason, alert, tamper, client=client, server=server)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_client_key_exchange_that_announces_too_much_is_refused(exchange: str) -> None:
    def tamper(_hs: object, message: HandshakeMessage) -> list[bytes]:
        kind = EXCHANGES[exchange].client
        return [message.raw[:1] + b"\xff\xff\xff" if isinstance(message, kind) else message.raw]

    client, server = client_of(exchange, sessions=None), server_of(exchange)
    reason, alert = Reason.MESSAGE_TOO_LONG, A.illegal_parameter
    refused12("server", reason, alert, tamper, client=client, server=server)


# -- byte by byte


def repeatable() -> Callable[[int], bytes]:
    """Entropy that is the same for each connection that has one."""
    numbers = itertools.count()
    return lambda length: hashlib.shake_256(next(numbers).to_bytes(4, "big")).digest(length)


def a_client(exchange: str) -> ClientConnection:
    config = client_of(
        exchange, sessions=None, entropy=repeatable(), credentials=[credential("ecdsa", "client")]
    )
    return ClientConnection(config, NAME)


def a_server(exchange: str) -> ServerConnection:
    return ServerConnection(server_of(exchange, **asking(), tickets=False, entropy=repeatable()))


@cache
def asking() -> Any:
    return {"client_authentication": "required", "trust": mutual_server_of().trust}


@cache
def flights(exchange: str) -> tuple[bytes, bytes, bytes]:
    """The hello, the server's answer, and the client's flight up to its ChangeCipherSpec, all in clear."""
    client, server = a_client(exchange), a_server(exchange)
    hello = client.data_to_send()
    server.receive_data(hello)
    answer = server.data_to_send()
    client.receive_data(answer)
    flight = client.data_to_send()
    length = 5 + int.from_bytes(flight[3:5], "big")
    return hello, answer, flight[:length]


def lied_to(victim: ClientConnection | ServerConnection, data: bytes) -> None:
    """Whatever a victim makes of the lie: it is not connected, and where it gives up it says one alert."""
    with contextlib.suppress(TLSError):
        victim.receive_data(data)
    assert not victim.handshake_complete
    error = victim.failure
    if error is not None:
        assert error.reason is not Reason.INTERNAL_ERROR, error
        assert error.blame in {"peer", "both"}, error
        kinds = [kind for kind, _ in records(victim.data_to_send())]
        assert kinds.count(ContentType.alert) == 1
        assert kinds[-1] == ContentType.alert


LIES = pytest.mark.parametrize("lie", [0x00, 0x7F, 0xFF], ids=hex)
OF_EACH_FORM = pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "RSA"])


@LIES
@OF_EACH_FORM
def test_a_client_is_not_led_astray_by_any_byte(exchange: str, lie: int) -> None:
    _, answer, _ = flights(exchange)
    for at in range(9, len(answer)):
        client = a_client(exchange)
        client.data_to_send()
        lied_to(client, answer[:at] + bytes([lie]) + answer[at + 1 :])


@LIES
@OF_EACH_FORM
def test_a_server_is_not_led_astray_by_any_byte(exchange: str, lie: int) -> None:
    hello, _, flight = flights(exchange)
    for at in range(9, len(flight)):
        server = a_server(exchange)
        server.receive_data(hello)
        server.data_to_send()
        lied_to(server, flight[:at] + bytes([lie]) + flight[at + 1 :])


@LIES
def test_a_hello_of_tls_12_does_not_lead_a_server_astray_by_any_byte(lie: int) -> None:
    """To a server of both versions: a byte may make it a hello of the other one."""
    config = client_config(sessions=None, protocols=["TLSv1.2"], entropy=repeatable())
    hello = ClientConnection(config, NAME).data_to_send()
    lenient = server_config(policy="compatible", tickets=False)
    for at in range(9, len(hello)):
        lied_to(ServerConnection(lenient), hello[:at] + bytes([lie]) + hello[at + 1 :])


@BOTH
def test_a_record_of_nothing_is_refused(side: Side) -> None:
    """RFC 5246 6.2.1: zero-length fragments are for application data alone."""
    client, server, victim, rogue = meeting(side, client_of(sessions=None), server_of())
    server.receive_data(client.data_to_send())
    server.data_to_send()
    if side == "client":
        client.data_to_send()
    refuses_data(victim, rogue, plaintext(HANDSHAKE, b""), Reason.UNEXPECTED_RECORD, A.unexpected_message)
