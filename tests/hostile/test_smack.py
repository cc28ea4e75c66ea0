"""SMACK, SKIP-TLS, FREAK's kind of state machine in TLS 1.2: each message left out, doubled, moved, foreign.

Every message of every key exchange, and the ChangeCipherSpec beside them, as each side meets them. RFC 5246
7.4: the order is as shown, and a message in another "results in a fatal error".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import pytest
from disorder import STRANGERS, inserting, named, repeating, skipping, swapping
from loopback import pump
from rogue import RogueHandshake, Tamper, framed, plaintext, refuses_data, sealed
from rogue12 import (
    CHANGE_CIPHER_SPEC,
    EXCHANGES,
    By,
    Rogue12Handshake,
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

from pellucid import TLSError
from pellucid.codes import AlertDescription, ContentType, HandshakeType
from pellucid.errors import Reason
from pellucid.messages import Finished, HandshakeMessage, ServerHello, tls12

UNEXPECTED = AlertDescription.unexpected_message
DATA, HANDSHAKE = ContentType.application_data, ContentType.handshake
BOTH = pytest.mark.parametrize("side", ["client", "server"])
EACH = pytest.mark.parametrize("exchange", EXCHANGES)
RESUMED = pytest.mark.parametrize("by", ["ticket", "session ID"])

#: Every message of a full handshake, and every pair of neighbours, for each key exchange.
OF_SERVERS = [pytest.param(x, kind, id=f"{x}-{named(kind)}") for x in EXCHANGES for kind in server_flight(x)]
OF_CLIENTS = [pytest.param(x, kind, id=f"{x}-{named(kind)}") for x in EXCHANGES for kind in client_flight(x)]
NEIGHBOURS_OF_SERVERS = [(x, *pair) for x in EXCHANGES for pair in pairwise(server_flight(x))]
NEIGHBOURS_OF_CLIENTS = [(x, *pair) for x in EXCHANGES for pair in pairwise(client_flight(x))]


def refused(
    side: Side, exchange: str, tamper: Tamper, reason: Reason = Reason.UNEXPECTED_MESSAGE
) -> TLSError:
    """In a full handshake in which both show a certificate."""
    client, server = mutual_client_of(exchange), mutual_server_of(exchange)
    return refused12(side, reason, UNEXPECTED, tamper, client=client, server=server)


@BOTH
@EACH
def test_the_rogue_is_no_rogue_when_it_is_honest(exchange: str, side: Side) -> None:
    client, server, victim, _ = meeting(side, mutual_client_of(exchange), mutual_server_of(exchange))
    pump(client, server)
    assert victim.negotiated is not None
    assert victim.negotiated.mutual


# -- left out


@EACH
def test_a_client_misses_a_message_of_the_server(exchange: str) -> None:
    # Without the last but one it is another handshake, without the last the client waits: see below.
    for kind in server_flight(exchange)[:-2]:
        refused("client", exchange, skipping(kind))


@EACH
def test_a_client_that_misses_the_server_hello_done_waits_for_it(exchange: str) -> None:
    """And takes no ChangeCipherSpec in its place."""
    client, server, victim, rogue = meeting(
        "client", mutual_client_of(exchange), mutual_server_of(exchange), skipping(tls12.ServerHelloDone)
    )
    pump(client, server)
    assert victim.state == "WAIT_SHD"
    record = plaintext(*CHANGE_CIPHER_SPEC)
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@pytest.mark.parametrize("exchange, kind", OF_CLIENTS)
def test_a_server_misses_a_message_of_the_client(exchange: str, kind: type[HandshakeMessage]) -> None:
    """Without CertificateVerify it would take anybody for the owner of a certificate that anybody can see."""
    # Behind the last one comes the ChangeCipherSpec.
    last = kind is tls12.CertificateVerify
    reason = Reason.UNEXPECTED_RECORD if last else Reason.UNEXPECTED_MESSAGE
    refused("server", exchange, skipping(kind), reason)


def leaving_out(kinds: tuple[type[HandshakeMessage], ...]) -> Tamper:
    return lambda _hs, message: [] if isinstance(message, kinds) else [message.raw]


@EACH
def test_a_client_that_says_nothing_but_finished_is_refused(exchange: str) -> None:
    """The whole flight left out, the key exchange with it: what SMACK found in Java's servers."""

    for switch, reason in (
        (switching(CHANGE_CIPHER_SPEC), Reason.UNEXPECTED_RECORD),
        (switching(), Reason.UNEXPECTED_MESSAGE),
    ):
        refused12(
            "server",
            reason,
            UNEXPECTED,
            leaving_out(client_flight(exchange)),
            switch,
            client=client_of(exchange, sessions=None),
            server=server_of(exchange),
            protects=False,
        )


@BOTH
@EACH
def test_without_a_change_cipher_spec_there_is_no_finished(exchange: str, side: Side) -> None:
    """A Finished that nothing protects proves nothing: whoever is on the path could have said all of it."""
    refused12(
        side,
        Reason.UNEXPECTED_MESSAGE,
        UNEXPECTED,
        skipping(tls12.NewSessionTicket),
        switching(),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
        protects=False,
    )


@RESUMED
@BOTH
def test_without_a_change_cipher_spec_nothing_is_resumed(side: Side, by: By) -> None:
    client, server = met12("RSA", by)
    refused12(
        side,
        Reason.UNEXPECTED_MESSAGE,
        UNEXPECTED,
        switch=switching(),
        client=client,
        server=server,
        protects=False,
    )


@BOTH
@EACH
def test_a_finished_that_is_not_protected_is_refused(exchange: str, side: Side) -> None:
    """The switch is said, and not done."""
    config = client_of(exchange, sessions=None)
    refused12(
        side,
        Reason.BAD_RECORD_MAC,
        AlertDescription.bad_record_mac,
        client=config,
        server=server_of(exchange),
        protects=False,
    )


@BOTH
@EACH
def test_nobody_is_connected_without_a_finished(exchange: str, side: Side) -> None:
    """The early form of SKIP-TLS: data in the place of Finished, under the right keys."""
    client, server, victim, rogue = meeting(
        side, client_of(exchange, sessions=None), server_of(exchange), skipping(Finished)
    )
    pump(client, server)
    assert victim.state == "WAIT_FINISHED"
    record = sealed(rogue, DATA, b"I skipped my Finished")
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@RESUMED
@BOTH
def test_nobody_has_resumed_without_a_finished(side: Side, by: By) -> None:
    client_config, server_config = met12("DHE_RSA", by)
    client, server, victim, rogue = meeting(side, client_config, server_config, skipping(Finished))
    pump(client, server)
    assert victim.state == "WAIT_FINISHED"
    record = sealed(rogue, DATA, b"I skipped my Finished")
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


def test_an_announced_ticket_is_not_left_out() -> None:
    """RFC 5077 3.3: it "MUST be sent if the server included a SessionTicket extension"."""
    skip = skipping(tls12.NewSessionTicket)
    refused12("client", Reason.UNEXPECTED_RECORD, UNEXPECTED, skip, client=client_of())


# -- doubled


@pytest.mark.parametrize("exchange, kind", OF_SERVERS)
def test_a_client_refuses_a_message_that_comes_twice(exchange: str, kind: type[HandshakeMessage]) -> None:
    refused("client", exchange, repeating(kind))


@pytest.mark.parametrize("exchange, kind", OF_CLIENTS)
def test_a_server_refuses_a_message_that_comes_twice(exchange: str, kind: type[HandshakeMessage]) -> None:
    refused("server", exchange, repeating(kind))


def test_a_ticket_does_not_come_twice() -> None:
    twice = repeating(tls12.NewSessionTicket)
    refused12("client", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, twice, client=client_of())


@BOTH
@EACH
def test_a_second_finished_is_refused(exchange: str, side: Side) -> None:
    refused12(
        side,
        Reason.UNEXPECTED_MESSAGE,
        UNEXPECTED,
        repeating(Finished),
        client=mutual_client_of(exchange),
        server=mutual_server_of(exchange),
        connected=True,
    )


@RESUMED
@BOTH
def test_a_second_finished_is_refused_in_a_resumption(side: Side, by: By) -> None:
    client, server = met12("ECDHE_RSA", by)
    refused12(
        side,
        Reason.UNEXPECTED_MESSAGE,
        UNEXPECTED,
        repeating(Finished),
        client=client,
        server=server,
        connected=True,
    )


@BOTH
@EACH
def test_a_second_change_cipher_spec_is_refused(exchange: str, side: Side) -> None:
    """Behind the first one all records are protected, and this one is not."""
    refused12(
        side,
        Reason.BAD_RECORD_MAC,
        AlertDescription.bad_record_mac,
        switch=switching(CHANGE_CIPHER_SPEC, CHANGE_CIPHER_SPEC),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


@BOTH
@EACH
def test_a_protected_change_cipher_spec_is_refused(exchange: str, side: Side) -> None:
    """It would put keys into use again, and the sequence numbers back to 0."""
    client, server, victim, rogue = meeting(
        side, client_of(exchange, sessions=None), server_of(exchange), skipping(Finished)
    )
    pump(client, server)
    record = sealed(rogue, *CHANGE_CIPHER_SPEC)
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


# -- moved


@pytest.mark.parametrize("exchange, first, second", NEIGHBOURS_OF_SERVERS)
def test_a_client_refuses_neighbours_that_are_swapped(
    exchange: str, first: type[HandshakeMessage], second: type[HandshakeMessage]
) -> None:
    refused("client", exchange, swapping(first, second))


@pytest.mark.parametrize("exchange, first, second", NEIGHBOURS_OF_CLIENTS)
def test_a_server_refuses_neighbours_that_are_swapped(
    exchange: str, first: type[HandshakeMessage], second: type[HandshakeMessage]
) -> None:
    refused("server", exchange, swapping(first, second))


def held_back(kind: type[HandshakeMessage]) -> tuple[Tamper, list[bytes]]:
    """A message is not sent, and waits in the list."""
    held: list[bytes] = []

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, kind):
            held.append(message.raw)
            return []
        return [message.raw]

    return tamper, held


@EACH
@pytest.mark.parametrize("protects", [False, True], ids=["in clear", "protected"])
def test_a_server_refuses_the_last_message_of_the_client_behind_its_change_cipher_spec(
    exchange: str, protects: bool
) -> None:
    """The CertificateVerify. In clear its place is behind the record, protected behind the keys."""
    tamper, held = held_back(tls12.CertificateVerify)

    def switch(_hs: Rogue12Handshake) -> list[tuple[int, bytes]]:
        return [CHANGE_CIPHER_SPEC, (HANDSHAKE, held[0])]

    refused12(
        "server",
        Reason.UNEXPECTED_RECORD,
        UNEXPECTED,
        tamper,
        switch,
        client=mutual_client_of(exchange),
        server=mutual_server_of(exchange),
        protects=protects,
    )


def test_a_client_refuses_a_ticket_behind_the_change_cipher_spec() -> None:
    """It would be protected: so does TLS 1.3, and RFC 5077 3.3 has it before the ChangeCipherSpec."""
    tamper, held = held_back(tls12.NewSessionTicket)

    def switch(_hs: Rogue12Handshake) -> list[tuple[int, bytes]]:
        return [CHANGE_CIPHER_SPEC, (HANDSHAKE, held[0])]

    refused12("client", Reason.UNEXPECTED_RECORD, UNEXPECTED, tamper, switch, client=client_of())


@BOTH
@EACH
def test_the_finished_does_not_come_before_the_change_cipher_spec(exchange: str, side: Side) -> None:
    tamper, held = held_back(Finished)

    def switch(hs: Rogue12Handshake) -> list[tuple[int, bytes]]:
        held.append(framed(HandshakeType.finished, bytes(12)))
        return [(HANDSHAKE, held[0]), CHANGE_CIPHER_SPEC]

    refused12(
        side,
        Reason.UNEXPECTED_MESSAGE,
        UNEXPECTED,
        tamper,
        switch,
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


# -- foreign


#: What may stand before a message without being its neighbour's place, by the message.
DUE: dict[type[HandshakeMessage], set[str]] = {
    ServerHello: {"server_hello", "hello_retry_request"},
    tls12.Certificate: {"certificate"},
    tls12.ServerKeyExchangeECDHE: {"server_key_exchange"},
    tls12.ServerKeyExchangeDHE: {"server_key_exchange"},
    tls12.CertificateRequest: {"certificate_request", "server_hello_done"},
    tls12.ServerHelloDone: {"server_hello_done"},
    tls12.ClientKeyExchangeECDHE: {"client_key_exchange"},
    tls12.ClientKeyExchangeDHE: {"client_key_exchange"},
    tls12.ClientKeyExchangeRSA: {"client_key_exchange"},
    tls12.CertificateVerify: {"certificate_verify"},
    Finished: {"finished"},
}
#: RFC 5246 7.4.1.1: a client that is handshaking ignores it. How often is in test_floods12.py.
HELLO_REQUEST = "hello_request"


@pytest.mark.parametrize("exchange, before", OF_SERVERS)
def test_a_client_refuses_a_stranger_in_the_servers_flight(
    exchange: str, before: type[HandshakeMessage]
) -> None:
    for stranger in STRANGERS.keys() - DUE[before] - {HELLO_REQUEST}:
        refused("client", exchange, inserting(STRANGERS[stranger], before))


@pytest.mark.parametrize("exchange, before", OF_CLIENTS)
def test_a_server_refuses_a_stranger_in_the_clients_flight(
    exchange: str, before: type[HandshakeMessage]
) -> None:
    for stranger in STRANGERS.keys() - DUE[before]:
        refused("server", exchange, inserting(STRANGERS[stranger], before))


@BOTH
@EACH
def test_nothing_stands_between_change_cipher_spec_and_finished(exchange: str, side: Side) -> None:
    ignored = {HELLO_REQUEST} if side == "client" else set()
    for stranger in STRANGERS.keys() - DUE[Finished] - ignored:
        refused(side, exchange, inserting(STRANGERS[stranger], Finished))


@BOTH
@EACH
def test_nothing_of_another_place_stands_before_the_change_cipher_spec(exchange: str, side: Side) -> None:
    ignored = {HELLO_REQUEST} if side == "client" else set()
    for stranger in STRANGERS.keys() - ignored:
        refused12(
            side,
            Reason.UNEXPECTED_MESSAGE,
            UNEXPECTED,
            switch=switching((HANDSHAKE, STRANGERS[stranger]), CHANGE_CIPHER_SPEC),
            client=mutual_client_of(exchange),
            server=mutual_server_of(exchange),
        )


@RESUMED
def test_a_resumption_has_no_messages_of_a_full_handshake(by: By) -> None:
    for stranger in STRANGERS.keys() - {HELLO_REQUEST}:
        client, server = met12(by=by)
        switch = switching((HANDSHAKE, STRANGERS[stranger]), CHANGE_CIPHER_SPEC)
        refused12(
            "client", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, switch=switch, client=client, server=server
        )


@RESUMED
def test_a_client_that_is_resumed_says_nothing_but_finished(by: By) -> None:
    for stranger in STRANGERS:
        client, server = met12(by=by)
        switch = switching((HANDSHAKE, STRANGERS[stranger]), CHANGE_CIPHER_SPEC)
        refused12(
            "server", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, switch=switch, client=client, server=server
        )


@cache
def certificate() -> bytes:
    return tls12.Certificate([b"not read"]).encode()


@EACH
def test_a_client_that_was_not_asked_shows_no_certificate(exchange: str) -> None:
    tamper = inserting(certificate(), EXCHANGES[exchange].client)
    config = client_of(exchange, sessions=None)
    refused12(
        "server", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, tamper, client=config, server=server_of(exchange)
    )


@EACH
def test_a_client_without_a_certificate_has_nothing_to_verify(exchange: str) -> None:
    """A CertificateVerify behind an empty Certificate, where one is optional."""
    raw = tls12.CertificateVerify(0x0403, b"signature").encode()
    server = server_of(exchange, client_authentication="optional")

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        behind = isinstance(message, EXCHANGES[exchange].client)
        return [message.raw, raw] if behind else [message.raw]

    config = client_of(exchange, sessions=None)
    refused12("server", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, tamper, client=config, server=server)


def test_a_status_that_was_not_announced_is_refused() -> None:
    status = tls12.CertificateStatus(1, b"staple").encode()
    config = client_of(sessions=None, request_status=True)
    tamper = inserting(status, tls12.ServerKeyExchangeECDHE)
    refused12("client", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, tamper, client=config)


def test_a_ticket_that_was_not_announced_is_refused() -> None:
    ticket = tls12.NewSessionTicket(60, b"ticket").encode()
    switch = switching((HANDSHAKE, ticket), CHANGE_CIPHER_SPEC)
    refused12("client", Reason.UNEXPECTED_MESSAGE, UNEXPECTED, switch=switch, server=server_of(tickets=False))


# -- data before the end of the handshake


@BOTH
@EACH
def test_nobody_takes_data_that_is_not_protected(exchange: str, side: Side) -> None:
    flight = server_flight(exchange) if side == "client" else client_flight(exchange)
    for number in range(len(flight)):
        left_out = (*flight[number:], Finished)
        client, server, victim, rogue = meeting(
            side,
            mutual_client_of(exchange),
            mutual_server_of(exchange),
            leaving_out(left_out),
            switching(),
            protects=False,
        )
        pump(client, server)
        assert not victim.handshake_complete
        record = plaintext(DATA, b"too early")
        refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@EACH
def test_nobody_takes_data_between_change_cipher_spec_and_finished(exchange: str, side: Side) -> None:
    def tamper(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, Finished):
            hs.driver.writer.queue(DATA, b"too early")
        return [message.raw]

    refused(side, exchange, tamper, Reason.UNEXPECTED_RECORD)
