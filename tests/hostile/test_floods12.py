"""Floods in TLS 1.2: requests for another handshake, warnings, empty records, each with an end.

As in test_floods.py. Renegotiation as a way to make a server do public-key work for a few bytes (THC-SSL-DoS,
2011); warnings for ever (CVE-2016-8610); HelloRequests during the handshake.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from loopback import NAME, client_config, connect_pair, pump
from rogue import RogueHandshake, Tamper, connected_rogue, plaintext, refuses_data, sealed, send
from rogue12 import Side, alerts_of, client_of, meeting, refused12, server_of

from pellucid import ClientConnection, TLSError
from pellucid.codes import AlertDescription, AlertLevel, ContentType
from pellucid.connection import MAX_WARNINGS, Connection
from pellucid.driver.hello_requests import MAX_HELLO_REQUESTS
from pellucid.errors import Reason
from pellucid.events import DataReceived
from pellucid.handshake.post import MAX_RENEGOTIATIONS
from pellucid.messages import Finished, HandshakeMessage, tls12
from pellucid.record.limits import MAX_EMPTY_RECORDS

A = AlertDescription
UNEXPECTED = A.unexpected_message
HANDSHAKE, DATA = ContentType.handshake, ContentType.application_data
BOTH = pytest.mark.parametrize("side", ["client", "server"])
SUITES = pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "DHE_RSA"], ids=["AEAD", "CBC"])
HELLO_REQUEST = tls12.HelloRequest().encode()


def connected(side: Side, exchange: str = "ECDHE_ECDSA") -> tuple[Connection, Connection]:
    return connected_rogue(side, client=client_of(exchange, sessions=None), server=server_of(exchange))


def another_hello() -> bytes:
    return ClientConnection(client_of(), NAME).data_to_send()[5:]


# -- another handshake


@BOTH
@pytest.mark.parametrize("talking", [False, True], ids=["silent", "with data between them"])
def test_requests_for_another_handshake_have_an_end(side: Side, talking: bool) -> None:
    """Each is answered by a warning, which is cheap; no handshake is begun for any of them."""
    victim, rogue = connected(side)
    request = HELLO_REQUEST if side == "client" else another_hello()
    for _ in range(MAX_RENEGOTIATIONS):
        with alerts_of(victim) as alerts:
            victim.receive_data(send(rogue, request))
        assert alerts == [bytes((AlertLevel.warning, A.no_renegotiation))]
        if talking:
            rogue.send_data(b"still here")
            assert victim.receive_data(rogue.data_to_send()) == [DataReceived(b"still here")]
    with alerts_of(victim) as alerts, pytest.raises(TLSError) as caught:
        victim.receive_data(send(rogue, request))
    assert caught.value.reason is Reason.TOO_MANY_RENEGOTIATIONS
    assert alerts == [bytes((AlertLevel.fatal, UNEXPECTED))]


@BOTH
def test_requests_in_one_record_have_an_end_as_well(side: Side) -> None:
    victim, rogue = connected(side)
    request = HELLO_REQUEST if side == "client" else another_hello()
    data = send(rogue, *[request] * (MAX_RENEGOTIATIONS + 1))
    with alerts_of(victim) as alerts, pytest.raises(TLSError):
        victim.receive_data(data)
    assert alerts[:-1] == [bytes((AlertLevel.warning, A.no_renegotiation))] * MAX_RENEGOTIATIONS
    assert alerts[-1] == bytes((AlertLevel.fatal, UNEXPECTED))


@BOTH
def test_nothing_is_answered_behind_our_close_notify(side: Side) -> None:
    victim, rogue = connected(side)
    victim.close()
    victim.data_to_send()
    request = HELLO_REQUEST if side == "client" else another_hello()
    victim.receive_data(send(rogue, request))
    assert victim.data_to_send() == b""


# -- HelloRequest during the handshake


def asking_again(count: int, before: type[HandshakeMessage]) -> Tamper:
    """HelloRequests between the messages; no part of the handshake, so the rogue does not hash them."""

    def tamper(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, before):
            for _ in range(count):
                hs.driver.writer.queue(HANDSHAKE, HELLO_REQUEST)
        return [message.raw]

    return tamper


GAPS = (
    tls12.Certificate,
    tls12.ServerKeyExchangeECDHE,
    tls12.ServerHelloDone,
    tls12.NewSessionTicket,
    Finished,
)


@pytest.mark.parametrize("before", GAPS, ids=lambda kind: kind.name)
def test_a_few_hello_requests_are_ignored_during_the_handshake(before: type[HandshakeMessage]) -> None:
    """RFC 5246 7.4.1.1: the client ignores it, and it is not "included in the message hashes"."""
    tamper = asking_again(MAX_HELLO_REQUESTS, before)
    client, server, victim, _ = meeting("client", client_of(), server_of(), tamper)
    pump(client, server)
    assert victim.handshake_complete


@pytest.mark.parametrize("before", GAPS, ids=lambda kind: kind.name)
def test_hello_requests_without_end_are_refused_during_the_handshake(before: type[HandshakeMessage]) -> None:
    tamper = asking_again(MAX_HELLO_REQUESTS + 1, before)
    refused12("client", Reason.TOO_MANY_RENEGOTIATIONS, UNEXPECTED, tamper, client=client_of())


def test_a_server_does_not_ignore_it() -> None:
    client, server = connect_pair(client_of(sessions=None), server_of())
    server.receive_data(client.data_to_send())
    server.data_to_send()
    record = plaintext(HANDSHAKE, HELLO_REQUEST)
    refuses_data(server, client, record, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


def test_a_client_that_waits_for_the_version_counts_it() -> None:
    """A server may have sent it before it saw the hello; what it means is known with the ServerHello."""
    for config in (client_of(sessions=None), client_config(sessions=None)):
        client, server = connect_pair(config, server_of())
        server.receive_data(client.data_to_send())
        record = plaintext(HANDSHAKE, HELLO_REQUEST)
        client.receive_data(record * MAX_HELLO_REQUESTS)
        client.receive_data(server.data_to_send())
        refuses_data(client, server, record, Reason.TOO_MANY_RENEGOTIATIONS, UNEXPECTED)


def test_in_tls_13_it_is_refused_as_soon_as_it_is_tls_13() -> None:
    client, server = connect_pair(client_config(sessions=None))
    server.receive_data(client.data_to_send())
    client.receive_data(plaintext(HANDSHAKE, HELLO_REQUEST))
    data = server.data_to_send()
    refuses_data(client, server, data, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


def test_a_client_of_tls_13_alone_refuses_it_at_once() -> None:
    client, server = connect_pair(client_config(sessions=None, protocols=["TLSv1.3"]))
    client.data_to_send()
    record = plaintext(HANDSHAKE, HELLO_REQUEST)
    refuses_data(client, server, record, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


# -- warnings

#: RFC 5246 7.2.2: what is sent with the level warning does not end the connection, whatever it is.
WARNINGS = [
    A.no_renegotiation,
    A.user_canceled,
    A.unrecognized_name,
    A.unsupported_certificate,
    A.decode_error,
]


@BOTH
@pytest.mark.parametrize("warning", WARNINGS, ids=str)
def test_warnings_without_end_are_refused(side: Side, warning: AlertDescription) -> None:
    victim, rogue = connected(side)
    content = bytes((AlertLevel.warning, warning))
    for _ in range(MAX_WARNINGS):
        assert victim.receive_data(sealed(rogue, ContentType.alert, content)) == []
    data = sealed(rogue, ContentType.alert, content)
    refuses_data(victim, rogue, data, Reason.TOO_MANY_ALERTS, UNEXPECTED)


@BOTH
def test_warnings_of_several_kinds_are_counted_together(side: Side) -> None:
    victim, rogue = connected(side)
    contents = [bytes((AlertLevel.warning, warning)) for warning in WARNINGS]
    for content in contents[:MAX_WARNINGS]:
        victim.receive_data(sealed(rogue, ContentType.alert, content))
    data = sealed(rogue, ContentType.alert, contents[MAX_WARNINGS])
    refuses_data(victim, rogue, data, Reason.TOO_MANY_ALERTS, UNEXPECTED)


@BOTH
def test_warnings_without_end_are_refused_in_the_midst_of_a_handshake(side: Side) -> None:
    """CVE-2016-8610, the undead alert: in clear, from anybody, before there are keys."""
    client, server, victim, rogue = meeting(side, client_of(sessions=None), server_of())
    server.receive_data(client.data_to_send())
    server.data_to_send()
    record = plaintext(ContentType.alert, bytes((AlertLevel.warning, A.unrecognized_name)))
    victim.receive_data(record * MAX_WARNINGS)
    refuses_data(victim, rogue, record, Reason.TOO_MANY_ALERTS, UNEXPECTED)


def test_a_server_that_speaks_both_counts_them_from_the_first_byte() -> None:
    rogue, victim = connect_pair()
    rogue.data_to_send()
    record = plaintext(ContentType.alert, bytes((AlertLevel.warning, A.unrecognized_name)))
    victim.receive_data(record * MAX_WARNINGS)
    refuses_data(victim, rogue, record, Reason.TOO_MANY_ALERTS, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("content", [b"", b"\x01", b"\x01\x5a\x01", b"\x01\x5a" * 2], ids=len)
def test_an_alert_is_two_bytes(side: Side, content: bytes) -> None:
    """Several in one record, or one in several, would be uncounted; nobody sends them so."""
    victim, rogue = connected(side)
    reason, alert = (Reason.MALFORMED, A.decode_error) if content else (Reason.UNEXPECTED_RECORD, UNEXPECTED)
    refuses_data(victim, rogue, sealed(rogue, ContentType.alert, content), reason, alert)


# -- records


@BOTH
@SUITES
def test_empty_records_without_end_are_refused(side: Side, exchange: str) -> None:
    victim, rogue = connected(side, exchange)
    for _ in range(MAX_EMPTY_RECORDS):
        assert victim.receive_data(sealed(rogue, DATA, b"")) == []
    data = sealed(rogue, DATA, b"")
    refuses_data(victim, rogue, data, Reason.TOO_MANY_EMPTY_RECORDS, UNEXPECTED)


@BOTH
@SUITES
def test_empty_records_are_refused_in_one_piece_as_well(side: Side, exchange: str) -> None:
    victim, rogue = connected(side, exchange)
    data = b"".join(sealed(rogue, DATA, b"") for _ in range(MAX_EMPTY_RECORDS + 1))
    refuses_data(victim, rogue, data, Reason.TOO_MANY_EMPTY_RECORDS, UNEXPECTED)


@BOTH
@SUITES
def test_data_ends_a_row_of_empty_records(side: Side, exchange: str) -> None:
    """OpenSSL once sent an empty record before each, against BEAST; such a peer is served."""
    victim, rogue = connected(side, exchange)
    for _ in range(3 * MAX_EMPTY_RECORDS):
        victim.receive_data(sealed(rogue, DATA, b""))
        assert victim.receive_data(sealed(rogue, DATA, b"x")) == [DataReceived(b"x")]


@BOTH
@SUITES
@pytest.mark.parametrize("content_type", [HANDSHAKE, ContentType.alert], ids=str)
def test_an_empty_record_of_another_type_is_refused(side: Side, exchange: str, content_type: int) -> None:
    victim, rogue = connected(side, exchange)
    data = sealed(rogue, content_type, b"")
    refuses_data(victim, rogue, data, Reason.UNEXPECTED_RECORD, UNEXPECTED)


def test_a_flight_may_come_in_records_of_one_byte() -> None:
    """Unusual and allowed: each record but the last leaves less to come, so this has an end."""
    client, server = connect_pair(client_of(sessions=None), server_of())
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()[5:]
    client.receive_data(b"".join(plaintext(HANDSHAKE, flight[i : i + 1]) for i in range(len(flight))))
    assert client.state == "WAIT_CCS"
    pump(client, server)
    assert client.handshake_complete


# -- what is kept


@pytest.mark.parametrize("length", [2**15 + 1, 65535])
def test_a_huge_ticket_is_not_kept(length: int) -> None:
    """It would have to go into the next ClientHello."""

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, tls12.NewSessionTicket):
            return [tls12.NewSessionTicket(60, bytes(length)).encode()]
        return [message.raw]

    config = client_of()
    client, server, victim, _ = meeting("client", config, server_of(), tamper)
    pump(client, server)
    assert victim.handshake_complete
    assert config.sessions is not None
    assert config.sessions.take(NAME, config.clock(), config.session_scope) is None
