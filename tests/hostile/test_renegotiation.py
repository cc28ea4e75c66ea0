"""Renegotiation (2009, RFC 5746): somebody's data in front of a victim's, and the server takes both for one.

The attacker connects, sends the beginning of a request, and lets the victim's handshake through as if it were
a second one in his connection. Nobody here shakes hands twice, so there is nothing to join. Whether the
*server* might, a client asks by renegotiation_info, and does not go on without an answer. A request for
another handshake is answered by the warning no_renegotiation, and changes nothing (RFC 5246 7.2.2).
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, shake_hands
from rogue import edit, plaintext, refuses_data, sealed, send
from rogue12 import EXCHANGES, By, Side, alerts_of, client_of, meeting, met12, refused12, server_of

from pellucid import ClientConnection
from pellucid.codes import AlertDescription, AlertLevel, CipherSuite, ContentType, ExtensionType
from pellucid.connection import Connection
from pellucid.errors import AlertReceived, Reason
from pellucid.events import DataReceived
from pellucid.messages import ClientHello, ServerHello, decode_handshake, tls12
from pellucid.messages import extensions as ext

A = AlertDescription
INFO = ExtensionType.renegotiation_info
SCSV = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
NO = bytes((AlertLevel.warning, A.no_renegotiation))
BOTH = pytest.mark.parametrize("side", ["client", "server"])
EACH = pytest.mark.parametrize("exchange", EXCHANGES)
RESUMED = pytest.mark.parametrize("by", ["ticket", "session ID"])


def without_info(hello: Any) -> None:
    hello.extensions.pop(INFO, None)


def with_info(value: bytes) -> Any:
    return lambda hello: hello.extensions.add(ext.RenegotiationInfo(value))


# -- is it the first handshake?


@pytest.mark.parametrize("policy", ["default", "compatible"])
def test_a_client_says_that_it_is_its_first(policy: str) -> None:
    """RFC 5746 3.4: the extension, empty, or the SCSV, in every initial hello."""
    config = client_config(policy=policy)
    hello = decode_handshake(ClientConnection(config, NAME).data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    assert hello.extensions.find(ext.RenegotiationInfo) == ext.RenegotiationInfo(b"")


@EACH
def test_a_client_goes_no_further_with_a_server_that_does_not_know_it(exchange: str) -> None:
    """RFC 5746 4.1: only so can it be sure that nobody has spoken to the server before it."""
    refused12(
        "client",
        Reason.NO_SECURE_RENEGOTIATION,
        A.handshake_failure,
        edit(ServerHello, without_info),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


@RESUMED
def test_nor_does_it_resume_with_one(by: By) -> None:
    client, server = met12(by=by)
    refused12(
        "client",
        Reason.NO_SECURE_RENEGOTIATION,
        A.handshake_failure,
        edit(ServerHello, without_info),
        client=client,
        server=server,
    )


@pytest.mark.parametrize("value", [b"\x00", bytes(12), bytes(24), bytes(255)], ids=len)
@pytest.mark.parametrize("kind, side", [(ServerHello, "client"), (ClientHello, "server")])
def test_a_second_handshake_is_not_taken_for_a_first(kind: type[Any], side: Side, value: bytes) -> None:
    """RFC 5746 3.4, 3.6: the value is what the last Finished said, and in a first handshake there is none."""
    refused12(side, Reason.BAD_RENEGOTIATION_INFO, A.handshake_failure, edit(kind, with_info(value)))


def test_the_attack_itself_ends_at_the_victims_hello() -> None:
    """The attacker speaks first, and then lets the victim through: its hello is a message like any other."""
    attacker, server = shake_hands(client_of(sessions=None), server_of())
    attacker.send_data(b"GET /delete?by=")
    assert server.receive_data(attacker.data_to_send()) == [DataReceived(b"GET /delete?by=")]
    victim = ClientConnection(client_of(), NAME)
    with alerts_of(server) as alerts:
        server.receive_data(sealed(attacker, ContentType.handshake, victim.data_to_send()[5:]))
    assert alerts == [NO]
    # All that the victim can be handed is the warning: no ServerHello, no certificate.
    attacker.receive_data(server.data_to_send())
    assert server.data_to_send() == b""
    assert victim.state == "WAIT_SH"
    assert victim.negotiated is None


# -- what a server says to a first hello


def answer(change: Any) -> ServerHello:
    client, server, victim, _ = meeting(
        "server", client_of(sessions=None), server_of(), edit(ClientHello, change)
    )
    server.receive_data(client.data_to_send())
    flight = victim.data_to_send()
    hello = decode_handshake(flight[5 : 9 + int.from_bytes(flight[6:9], "big")])
    assert isinstance(hello, ServerHello)
    return hello


def with_scsv(hello: Any) -> None:
    without_info(hello)
    hello.cipher_suites.append(SCSV)


def test_a_server_says_that_it_knows_it_to_who_asks_in_either_form() -> None:
    """RFC 5746 3.6: to the SCSV as well the answer is the extension, empty."""
    for change in (lambda _: None, with_scsv):
        assert answer(change).extensions.find(ext.RenegotiationInfo) == ext.RenegotiationInfo(b"")


def test_a_server_says_nothing_to_who_does_not_ask() -> None:
    """RFC 5746 4.3: such clients are served: a server that never renegotiates runs no risk with them."""
    assert INFO not in answer(without_info).extensions


# -- asked for another one


def hello_request() -> bytes:
    return tls12.HelloRequest().encode()


def another_hello(exchange: str = "ECDHE_ECDSA") -> bytes:
    return ClientConnection(client_of(exchange), NAME).data_to_send()[5:]


def asked(side: Side, victim: Connection, other: Connection, exchange: str = "ECDHE_ECDSA") -> list[bytes]:
    """The alerts of a victim that was asked to shake hands again."""
    request = hello_request() if side == "client" else another_hello(exchange)
    with alerts_of(victim) as alerts:
        assert victim.receive_data(send(other, request)) == []
    return alerts


@EACH
@BOTH
def test_another_handshake_is_declined_and_the_connection_goes_on(side: Side, exchange: str) -> None:
    client, server = shake_hands(client_of(exchange, sessions=None), server_of(exchange))
    victim, other = (client, server) if side == "client" else (server, client)
    before = victim.negotiated
    exported = victim.export_keying_material(b"EXPORTER", None, 16)
    for _ in range(3):
        assert asked(side, victim, other, exchange) == [NO]
        other.receive_data(victim.data_to_send())
        other.send_data(b"still here")
        assert victim.receive_data(other.data_to_send()) == [DataReceived(b"still here")]
        victim.send_data(b"so am I")
        assert other.receive_data(victim.data_to_send()) == [DataReceived(b"so am I")]
    assert victim.negotiated is before
    assert victim.export_keying_material(b"EXPORTER", None, 16) == exported
    assert victim.state == "CONNECTED"


@RESUMED
@BOTH
def test_nor_is_there_another_behind_a_resumption(side: Side, by: By) -> None:
    client, server = shake_hands(*met12(by=by))
    victim, other = (client, server) if side == "client" else (server, client)
    assert asked(side, victim, other) == [NO]
    assert victim.failure is None


def test_the_warning_is_protected() -> None:
    client, server = shake_hands(client_of(sessions=None), server_of())
    asked("client", client, server)
    said = client.data_to_send()
    assert said[0] == ContentType.alert
    assert len(said) > 7


@BOTH
def test_a_hello_in_clear_is_refused(side: Side) -> None:
    """Somebody on the path: once there are keys, all records have to be under them."""
    client, server = shake_hands(client_of(sessions=None), server_of())
    victim, other = (client, server) if side == "client" else (server, client)
    request = hello_request() if side == "client" else another_hello()
    record = plaintext(ContentType.handshake, request)
    refuses_data(victim, other, record, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_no_other_message_of_a_second_handshake_is_read(side: Side) -> None:
    """What follows the hello, for who goes on as if it had been welcome."""
    client, server = shake_hands(client_of(sessions=None), server_of())
    victim, other = (client, server) if side == "client" else (server, client)
    asked(side, victim, other)
    other.receive_data(victim.data_to_send())
    raw = tls12.Certificate([b"x"]).encode()
    refuses_data(victim, other, send(other, raw), Reason.UNEXPECTED_MESSAGE, A.unexpected_message)


def test_a_hello_that_makes_no_sense_is_read_before_it_is_declined() -> None:
    client, server = shake_hands(client_of(sessions=None), server_of())
    data = send(client, another_hello()[:4] + bytes(len(another_hello()) - 4))
    refuses_data(server, client, data, Reason.MALFORMED, A.decode_error)


def test_another_hello_during_the_handshake_is_refused() -> None:
    """Then it is no wish for another handshake, but a message out of order."""
    client, server = connect_pair(client_of(sessions=None), server_of())
    server.receive_data(client.data_to_send())
    server.data_to_send()
    record = plaintext(ContentType.handshake, another_hello())
    refuses_data(server, client, record, Reason.UNEXPECTED_MESSAGE, A.unexpected_message)


@BOTH
def test_a_peer_that_says_no_to_us_is_not_lost(side: Side) -> None:
    """RFC 5246 7.2.2: no_renegotiation is a warning; we never ask, and it is counted as any other."""
    client, server = shake_hands(client_of(sessions=None), server_of())
    victim, other = (client, server) if side == "client" else (server, client)
    assert victim.receive_data(sealed(other, ContentType.alert, NO)) == []
    assert victim.failure is None


@BOTH
def test_a_fatal_no_is_the_end(side: Side) -> None:
    client, server = shake_hands(client_of(sessions=None), server_of())
    victim, other = (client, server) if side == "client" else (server, client)
    fatal = bytes((AlertLevel.fatal, A.no_renegotiation))
    with pytest.raises(AlertReceived):
        victim.receive_data(sealed(other, ContentType.alert, fatal))


@BOTH
def test_tls_13_has_nothing_of_it(side: Side) -> None:
    client, server = shake_hands(client_config(sessions=None))
    victim, other = (client, server) if side == "client" else (server, client)
    data = send(other, hello_request() if side == "client" else another_hello())
    refuses_data(victim, other, data, Reason.UNEXPECTED_MESSAGE, A.unexpected_message)
