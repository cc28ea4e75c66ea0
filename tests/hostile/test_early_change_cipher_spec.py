"""CVE-2014-0224: a ChangeCipherSpec before there is a secret made OpenSSL take keys of an empty one.

Whoever was on the path put it into both directions, and had the keys as well. In TLS 1.2 the record has one
place, right before Finished, and here it is refused in every other: in each gap of each handshake, in the
midst of a message, and after the handshake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from loopback import client_config, connect_pair, pump
from rogue import RogueHandshake, Tamper, connected_rogue, plaintext, refuses_data, sealed
from rogue12 import (
    CHANGE_CIPHER_SPEC,
    EXCHANGES,
    By,
    Side,
    client_flight,
    client_of,
    meeting,
    met12,
    mutual_client_of,
    mutual_server_of,
    refused12,
    server_flight,
    server_of,
    switching,
)

from pellucid.codes import AlertDescription, ContentType
from pellucid.driver import protecting
from pellucid.errors import Reason
from pellucid.messages import ClientHello, HandshakeMessage, ServerHello, tls12

UNEXPECTED = AlertDescription.unexpected_message
BOTH = pytest.mark.parametrize("side", ["client", "server"])
EACH = pytest.mark.parametrize("exchange", EXCHANGES)
RECORD = plaintext(*CHANGE_CIPHER_SPEC)


def early(kind: type[HandshakeMessage]) -> Tamper:
    """The record comes before a message of this kind."""

    def tamper(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, kind):
            hs.driver.writer.queue(*CHANGE_CIPHER_SPEC)
        return [message.raw]

    return tamper


@EACH
def test_a_client_refuses_it_before_every_message_of_the_server(exchange: str) -> None:
    for kind in server_flight(exchange):
        refused12(
            "client",
            Reason.UNEXPECTED_RECORD,
            UNEXPECTED,
            early(kind),
            client=mutual_client_of(exchange),
            server=mutual_server_of(exchange),
        )


@EACH
def test_a_server_refuses_it_before_every_message_of_the_client(exchange: str) -> None:
    """Before the ClientKeyExchange there is no secret at all; before CertificateVerify nobody behind it."""
    for kind in (ClientHello, *client_flight(exchange)):
        refused12(
            "server",
            Reason.UNEXPECTED_RECORD,
            UNEXPECTED,
            early(kind),
            client=mutual_client_of(exchange),
            server=mutual_server_of(exchange),
        )


def test_a_client_refuses_it_before_the_ticket() -> None:
    """The last gap: the keys are there, and the server has not said all that Finished covers."""
    refused12(
        "client", Reason.UNEXPECTED_RECORD, UNEXPECTED, early(tls12.NewSessionTicket), client=client_of()
    )


@pytest.mark.parametrize("by", ["ticket", "session ID"])
def test_a_client_refuses_it_before_a_resumption_is_agreed(by: By) -> None:
    client, server = met12("RSA", by)
    refused12(
        "client", Reason.UNEXPECTED_RECORD, UNEXPECTED, early(ServerHello), client=client, server=server
    )


def test_a_client_that_speaks_both_versions_refuses_it_when_it_is_tls_12() -> None:
    """In TLS 1.3 the same record at the same place means nothing: only the ServerHello tells."""
    refused12(
        "client",
        Reason.UNEXPECTED_RECORD,
        UNEXPECTED,
        early(ServerHello),
        client=client_config(sessions=None),
        server=server_of(),
    )


@BOTH
@EACH
def test_in_both_directions_at_once_it_is_refused_by_both(exchange: str, side: Side) -> None:
    """As the attack was: right behind the hellos, to both."""
    client, server = connect_pair(client_of(exchange, sessions=None), server_of(exchange))
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()[5:]
    end = 4 + int.from_bytes(flight[1:4], "big")
    if side == "server":
        refuses_data(server, client, RECORD, Reason.UNEXPECTED_RECORD, UNEXPECTED)
    else:
        client.receive_data(plaintext(ContentType.handshake, flight[:end]))
        data = RECORD + plaintext(ContentType.handshake, flight[end:])
        refuses_data(client, server, data, Reason.UNEXPECTED_RECORD, UNEXPECTED)


# -- in its place, and wrong all the same


@BOTH
@pytest.mark.parametrize("body", [b"\x02", b"\x00", b"\x01\x01", bytes(40), b""], ids=bytes.hex)
def test_it_is_refused_with_another_body(side: Side, body: bytes) -> None:
    switch = switching((ContentType.change_cipher_spec, body))
    if body:
        refused12(side, Reason.BAD_CHANGE_CIPHER_SPEC, UNEXPECTED, switch=switch, server=server_of())
        return
    # Nothing of ours writes an empty record.
    client, server, victim, rogue = meeting(
        side, client_of(sessions=None), server_of(), switch=switching(), tamper=no_finished, protects=False
    )
    pump(client, server)
    record = plaintext(ContentType.change_cipher_spec, body)
    refuses_data(victim, rogue, record, Reason.BAD_CHANGE_CIPHER_SPEC, UNEXPECTED)


def no_finished(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
    return [] if isinstance(message, tls12.Finished) else [message.raw]


@BOTH
def test_it_is_refused_inside_a_message(side: Side) -> None:
    """RFC 5246 7.1 has it between whole messages: half of one would be read under each of two keys."""
    last: dict[str, type[HandshakeMessage]] = {
        "server": tls12.ClientKeyExchangeECDHE,
        "client": tls12.NewSessionTicket,
    }
    held: list[bytes] = []

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, last[side]):
            held.append(message.raw)
            return []
        return [] if isinstance(message, tls12.Finished) else [message.raw]

    client, server, victim, rogue = meeting(
        side, client_of(), server_of(), tamper, switching(), protects=False
    )
    pump(client, server)
    data = plaintext(ContentType.handshake, held[0][:9]) + RECORD
    refuses_data(victim, rogue, data, Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


# -- after the handshake


@BOTH
@pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "DHE_RSA"])
def test_after_the_handshake_it_is_refused(exchange: str, side: Side) -> None:
    """In clear it is not authentic, protected it would begin what there is not: a renegotiation."""
    knobs = {"client": client_of(exchange, sessions=None), "server": server_of(exchange)}
    victim, rogue = connected_rogue(side, **knobs)
    refuses_data(victim, rogue, RECORD, Reason.BAD_RECORD_MAC, AlertDescription.bad_record_mac)
    victim, rogue = connected_rogue(side, **knobs)
    record = sealed(rogue, *CHANGE_CIPHER_SPEC)
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@EACH
def test_there_is_one_each_way(exchange: str) -> None:
    """Right before the first protected record, and no other."""
    client, server = connect_pair(client_of(exchange), server_of(exchange))
    sent: dict[str, bytes] = {"client": b"", "server": b""}
    for _ in range(4):
        sent["client"] += (to_server := client.data_to_send())
        server.receive_data(to_server)
        sent["server"] += (to_client := server.data_to_send())
        client.receive_data(to_client)
    assert client.handshake_complete
    assert [each.count(RECORD) for each in sent.values()] == [1, 1]


def test_no_keys_are_made_of_an_empty_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the attack lived of: by the time of the refusal nothing has been put into use."""
    made: list[object] = []
    opener: Callable[..., object] = protecting.opener12
    monkeypatch.setattr(
        protecting, "opener12", lambda *args, **named: made.append(args) or opener(*args, **named)
    )
    client, server = connect_pair(client_of(sessions=None), server_of())
    server.receive_data(client.data_to_send())
    refuses_data(server, client, RECORD, Reason.UNEXPECTED_RECORD, UNEXPECTED)
    assert made == []
    pump(*connect_pair(client_of(sessions=None), server_of()))
    assert len(made) == 2
