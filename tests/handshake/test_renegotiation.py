"""TLS 1.2: no second handshake on one connection, whoever asks for it, and warnings, by which that is said.

RFC 5746 is for those who renegotiate; we do not, and want to know that the peer cannot be made to either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import (
    NAME,
    client12,
    client_config,
    connect_pair,
    pump,
    server12,
    server_config,
    shake_hands,
    split_records,
)
from rogue import (
    client_refuses,
    connected_rogue,
    edit,
    framed,
    plaintext,
    received_alert,
    refuses_data,
    rogue_client,
    sealed,
    send,
    server_refuses,
)

from pellucid import (
    AlertReceived,
    ClientConnection,
    DataReceived,
    Misuse,
    PeerMisbehaved,
    Reason,
    ServerConnection,
    TLSError,
    Trace,
)
from pellucid.codes import (
    AlertDescription,
    AlertLevel,
    CipherSuite,
    ContentType,
    ExtensionType,
    HandshakeType,
)
from pellucid.connection import MAX_WARNINGS, Connection
from pellucid.driver.hello_requests import MAX_HELLO_REQUESTS
from pellucid.handshake.post import MAX_RENEGOTIATIONS
from pellucid.messages import ClientHello, Extensions, KeyUpdate, NewSessionTicket, ServerHello, tls12
from pellucid.messages import extensions as ext
from pellucid.trace.events import AlertEvent, MessageEvent

A, E, H = AlertDescription, ExtensionType, HandshakeType
UNEXPECTED = A.unexpected_message
HELLO_REQUEST = framed(H.hello_request)
BOTH = pytest.mark.parametrize("side", ["client", "server"])


def connected(side: str) -> tuple[Connection, Connection]:
    """(victim, rogue)"""
    return connected_rogue(side, client=client12(), server=server12())


def client_hello() -> bytes:
    return ClientConnection(client12(), NAME).data_to_send()[5:]


def asked_by(side: str) -> bytes:
    """What the other side of ``side`` asks for a handshake with."""
    return HELLO_REQUEST if side == "client" else client_hello()


# -- HelloRequest while the client shakes hands


def test_a_hello_request_during_a_handshake_is_ignored() -> None:
    """RFC 5246 7.4.1.1: the client does so "if the client is currently negotiating a session"."""
    for after in range(1, 3):
        client, server = connect_pair(client12(), server12())
        server.receive_data(client.data_to_send())
        flight = split_records(server.data_to_send())
        assert len(flight) == 1
        # The server's messages share a record: cut it behind the first of them, or the second.
        messages = messages_in(flight[0][5:])
        cut = sum(map(len, messages[:after]))
        for part in (flight[0][5 : 5 + cut], HELLO_REQUEST, flight[0][5 + cut :]):
            client.receive_data(plaintext(ContentType.handshake, part))
        pump(client, server)
        assert client.handshake_complete
        assert server.handshake_complete


def messages_in(content: bytes) -> list[bytes]:
    found = []
    while content:
        size = 4 + int.from_bytes(content[1:4], "big")
        found.append(content[:size])
        content = content[size:]
    return found


def test_a_hello_request_that_is_ignored_is_in_the_trace() -> None:
    client, server = connect_pair(client12(trace=True), server12())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send() + plaintext(ContentType.handshake, HELLO_REQUEST))
    pump(client, server)
    assert client.handshake_complete
    assert client.trace is not None
    messages = [event.name for event in client.trace.events if isinstance(event, MessageEvent)]
    assert messages.count("HelloRequest") == 1


def test_hello_requests_during_a_handshake_have_an_end() -> None:
    client, server = connect_pair(client12(), server12())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    for _ in range(MAX_HELLO_REQUESTS):
        client.receive_data(plaintext(ContentType.handshake, HELLO_REQUEST))
    with pytest.raises(PeerMisbehaved) as caught:
        client.receive_data(plaintext(ContentType.handshake, HELLO_REQUEST))
    assert caught.value.reason is Reason.TOO_MANY_RENEGOTIATIONS
    assert client.state == "FAILED"


@pytest.mark.parametrize("protocols", [["TLSv1.2"], ["TLSv1.3", "TLSv1.2"]], ids=["of 1.2", "of both"])
def test_a_hello_request_before_the_server_hello_is_ignored(protocols: list[str]) -> None:
    """A server may send it "at any time"; which version it speaks is not known yet."""
    client, server = connect_pair(client_config(protocols=protocols), server12())
    server.receive_data(client.data_to_send())
    for _ in range(MAX_HELLO_REQUESTS):
        client.receive_data(plaintext(ContentType.handshake, HELLO_REQUEST))
    pump(client, server)
    assert client.handshake_complete


def test_a_hello_request_before_a_server_hello_of_tls_1_3_is_refused_then() -> None:
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    client.receive_data(plaintext(ContentType.handshake, HELLO_REQUEST))
    with pytest.raises(PeerMisbehaved) as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE
    assert client.state == "FAILED"


def test_a_client_of_tls_1_3_alone_knows_no_hello_request() -> None:
    client, server = connect_pair(client_config(protocols=["TLSv1.3"]))
    server.receive_data(client.data_to_send())
    data = plaintext(ContentType.handshake, HELLO_REQUEST)
    refuses_data(client, server, data, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


def test_a_hello_request_with_something_in_it_is_none() -> None:
    client, server = connect_pair(client12(), server12())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    with pytest.raises(TLSError) as caught:
        client.receive_data(plaintext(ContentType.handshake, framed(H.hello_request, b"\x00")))
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


def test_a_server_is_asked_for_no_handshake() -> None:
    client, server = connect_pair(client12(), server12())
    server.receive_data(client.data_to_send())
    data = plaintext(ContentType.handshake, HELLO_REQUEST)
    refuses_data(server, client, data, Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


# -- after it


@BOTH
def test_who_asks_for_another_handshake_is_told_no(side: str) -> None:
    """RFC 5246 7.4.1.1 and 7.2.2: no_renegotiation, and nothing else happens."""
    victim, rogue = connected(side)
    assert victim.receive_data(send(rogue, asked_by(side))) == []
    assert victim.state == "CONNECTED"
    told = victim.data_to_send()
    (record,) = split_records(told)
    assert record[0] == ContentType.alert
    assert rogue.receive_data(told) == []
    for sender, receiver in ((victim, rogue), (rogue, victim)):
        sender.send_data(b"as before")
        assert receiver.receive_data(sender.data_to_send()) == [DataReceived(b"as before")]


@BOTH
def test_the_answer_is_a_warning(side: str) -> None:
    trace = Trace()
    knobs = {"trace": trace}
    victim, rogue = connected_rogue(
        side,
        client=client12(**knobs if side == "client" else {}),
        server=server12(**knobs if side == "server" else {}),
    )
    victim.receive_data(send(rogue, asked_by(side)))
    alerts = [event for event in trace.events if isinstance(event, AlertEvent)]
    assert [(e.direction, e.level, e.description) for e in alerts] == [
        ("sent", "warning", "no_renegotiation")
    ]


@BOTH
@pytest.mark.parametrize("data", [b"", b"data"], ids=["in a row", "with data between them"])
def test_a_flood_of_wishes_for_another_handshake_is_refused(side: str, data: bytes) -> None:
    """Whoever is told no once and again does not hear it: no peer asks for ever."""
    victim, rogue = connected(side)
    for _ in range(MAX_RENEGOTIATIONS):
        rogue.send_data(data)
        victim.receive_data(rogue.data_to_send() + send(rogue, asked_by(side)))
    assert victim.state == "CONNECTED"
    with pytest.raises(PeerMisbehaved) as caught:
        victim.receive_data(send(rogue, asked_by(side)))
    assert caught.value.reason is Reason.TOO_MANY_RENEGOTIATIONS
    assert victim.state == "FAILED"


@BOTH
def test_nobody_is_told_no_behind_close_notify(side: str) -> None:
    victim, rogue = connected(side)
    victim.close()
    rogue.receive_data(victim.data_to_send())
    victim.receive_data(send(rogue, asked_by(side)))
    assert victim.data_to_send() == b""


#: What TLS 1.3 has behind its handshake, and what TLS 1.2 has within.
OTHERS = {
    "NewSessionTicket": tls12.NewSessionTicket(60, b"ticket").encode(),
    "NewSessionTicket of 1.3": NewSessionTicket(60, 0, b"n", b"ticket", Extensions()).encode(),
    "KeyUpdate": KeyUpdate(0).encode(),
    "Certificate": tls12.Certificate([]).encode(),
    "ServerHelloDone": tls12.ServerHelloDone().encode(),
    "ServerHello": framed(H.server_hello, b"\x03\x03" + bytes(38)),
    "Finished": framed(H.finished, bytes(12)),
    "an unknown one": framed(99),
}


@pytest.mark.parametrize("name", OTHERS)
@BOTH
def test_no_other_message_comes_after_the_handshake(side: str, name: str) -> None:
    victim, rogue = connected(side)
    refuses_data(victim, rogue, send(rogue, OTHERS[name]), Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


@BOTH
def test_the_wrong_side_asks(side: str) -> None:
    """A client sends no HelloRequest, and a server no ClientHello."""
    victim, rogue = connected(side)
    wish = asked_by("server" if side == "client" else "client")
    refuses_data(victim, rogue, send(rogue, wish), Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


@BOTH
def test_in_tls_1_3_nobody_may_ask(side: str) -> None:
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, send(rogue, asked_by(side)), Reason.UNEXPECTED_MESSAGE, UNEXPECTED)


def test_there_are_no_other_keys_either() -> None:
    for connection in shake_hands(client12(), server12()):
        with pytest.raises(Misuse, match=r"TLS 1\.2 has no KeyUpdate"):
            connection.key_update()


# -- renegotiation_info


def extensions_of(trace: Trace, name: str) -> Any:
    messages = (event for event in trace.events if isinstance(event, MessageEvent))
    raw = next(event.raw for event in messages if event.name == name)
    return (ClientHello if name == "ClientHello" else ServerHello).decode(raw).extensions


def test_both_say_that_they_know_it() -> None:
    """RFC 5746 3.4 and 3.6: empty, in a first handshake; that of a resumption is one."""
    configs = client12(trace=(trace := Trace())), server12()
    for _ in range(2):
        trace.events.clear()
        shake_hands(*configs)
        for name in ("ClientHello", "ServerHello"):
            assert extensions_of(trace, name).find(ext.RenegotiationInfo).renegotiated_connection == b""


def by_scsv(hello: ClientHello) -> None:
    del hello.extensions[E.renegotiation_info]
    hello.cipher_suites.append(CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)


def not_at_all(hello: ClientHello) -> None:
    del hello.extensions[E.renegotiation_info]


@pytest.mark.parametrize("change, answered", [(by_scsv, True), (not_at_all, False)])
def test_a_client_may_say_it_by_a_suite(change: Callable[[ClientHello], None], answered: bool) -> None:
    """RFC 5746 3.6. One that does not know it is not kept out: we never renegotiate."""
    trace = Trace()
    client, server = (
        rogue_client(edit(ClientHello, change), client12()),
        ServerConnection(server12(trace=trace)),
    )
    server.receive_data(client.data_to_send())
    assert (E.renegotiation_info in extensions_of(trace, "ServerHello")) is answered


def test_a_client_that_thinks_of_an_earlier_handshake_is_refused() -> None:
    """RFC 5746 3.6: somebody has put his own handshake in front of the client's."""
    change = edit(ClientHello, lambda hello: hello.extensions.add(ext.RenegotiationInfo(bytes(12))))
    server_refuses(
        change, Reason.BAD_RENEGOTIATION_INFO, A.handshake_failure, client=client12(), server=server12()
    )


def test_a_server_that_thinks_of_an_earlier_handshake_is_refused() -> None:
    change = edit(ServerHello, lambda hello: hello.extensions.add(ext.RenegotiationInfo(bytes(24))))
    client_refuses(
        change, Reason.BAD_RENEGOTIATION_INFO, A.handshake_failure, client=client12(), server=server12()
    )


def test_a_server_that_does_not_know_it_is_refused() -> None:
    """RFC 5746 4.1: what we hear may be the second handshake of somebody else's connection."""
    change = edit(ServerHello, lambda hello: hello.extensions.pop(E.renegotiation_info))
    error = client_refuses(
        change, Reason.NO_SECURE_RENEGOTIATION, A.handshake_failure, client=client12(), server=server12()
    )
    assert error.blame == "both"


# -- warnings

WARNING = bytes((AlertLevel.warning, A.unrecognized_name))


@BOTH
def test_a_warning_ends_nothing(side: str) -> None:
    victim, rogue = connected(side)
    for _ in range(MAX_WARNINGS):
        assert victim.receive_data(sealed(rogue, ContentType.alert, WARNING)) == []
    assert victim.state == "CONNECTED"
    data = sealed(rogue, ContentType.alert, WARNING)
    refuses_data(victim, rogue, data, Reason.TOO_MANY_ALERTS, UNEXPECTED)


@BOTH
def test_in_tls_1_3_there_are_no_warnings(side: str) -> None:
    """RFC 9846 6: all other alerts "MUST be treated as error alerts" whatever their level says."""
    victim, rogue = connected_rogue(side)
    with pytest.raises(AlertReceived) as caught:
        victim.receive_data(sealed(rogue, ContentType.alert, WARNING))
    assert caught.value.description == A.unrecognized_name


@pytest.mark.parametrize(
    "protocols, ends", [(["TLSv1.3"], True), (["TLSv1.3", "TLSv1.2"], False), (["TLSv1.2"], False)]
)
def test_a_server_may_warn_before_it_says_which_version_it_speaks(protocols: list[str], ends: bool) -> None:
    """RFC 6066 3: of a name that it does not know. Its ServerHello comes behind that."""
    client, server = connect_pair(client_config(protocols=protocols), server_config(protocols=protocols))
    server.receive_data(client.data_to_send())
    if ends:
        with pytest.raises(AlertReceived):
            client.receive_data(plaintext(ContentType.alert, WARNING))
        return
    client.receive_data(plaintext(ContentType.alert, WARNING))
    pump(client, server)
    assert client.handshake_complete


def test_warnings_during_a_handshake_have_an_end() -> None:
    client, server = connect_pair(client12(), server12())
    server.receive_data(client.data_to_send())
    for _ in range(MAX_WARNINGS):
        client.receive_data(plaintext(ContentType.alert, WARNING))
    data = plaintext(ContentType.alert, WARNING)
    refuses_data(client, server, data, Reason.TOO_MANY_ALERTS, UNEXPECTED)


@BOTH
def test_an_error_is_one_at_any_time(side: str) -> None:
    """By its level: TLS 1.2 has no list of them."""
    victim, rogue = connected(side)
    with pytest.raises(AlertReceived) as caught:
        victim.receive_data(sealed(rogue, ContentType.alert, bytes((AlertLevel.fatal, A.unrecognized_name))))
    assert caught.value.description == A.unrecognized_name
    assert victim.data_to_send() == b""


@pytest.mark.parametrize("level", [0, 3, 255])
def test_a_level_that_there_is_not_is_an_error(level: int) -> None:
    victim, rogue = connected("client")
    with pytest.raises(AlertReceived):
        victim.receive_data(sealed(rogue, ContentType.alert, bytes((level, A.unrecognized_name))))


@BOTH
def test_an_alert_is_sent_under_the_keys_in_force(side: str) -> None:
    victim, rogue = connected(side)
    with pytest.raises(TLSError):
        victim.receive_data(send(rogue, framed(99)))
    assert received_alert(rogue, victim.data_to_send()) == (AlertLevel.fatal, UNEXPECTED)
