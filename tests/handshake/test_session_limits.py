"""How long a session lasts, for whom, and which tickets are not given or kept at all."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from loopback import (
    NAME,
    NOW,
    client_config,
    connect_pair,
    credential,
    laboratory,
    pump,
    server_config,
    shake_hands,
)
from tampering import lying

from pellucid import (
    CertificateRejected,
    ClientConnection,
    Credential,
    DataReceived,
    Reason,
    ServerConnection,
    Session,
    SessionReceived,
    SessionStore,
    TicketKeys,
    Trace,
    TrustStore,
)
from pellucid.codes import ContentType, ExtensionType, PskKeyExchangeMode
from pellucid.events import Event
from pellucid.identity.lab import Laboratory
from pellucid.messages import ClientHello, Extensions, NewSessionTicket
from pellucid.messages import extensions as ext
from pellucid.sessions import MAX_CHAIN_BYTES, MAX_KEPT_TICKET_BYTES, MAX_LIFETIME_SECONDS
from pellucid.trace.events import ChoiceEvent, MessageEvent

DAY = 86_400


class Pair:
    """A client and a server that know each other, at a time that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW
        self.sessions = SessionStore()
        self.tickets = TicketKeys(
            lambda n: bytes(range(n)), self.clock, lifetime_seconds=MAX_LIFETIME_SECONDS
        )
        self.trace = Trace()

    def clock(self) -> float:
        return self.now

    def meet(
        self, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None
    ) -> tuple[ClientConnection, ServerConnection, list[Event]]:
        self.trace.events.clear()
        ours = {"clock": self.clock, "sessions": self.sessions, "trace": self.trace}
        theirs = {"clock": self.clock, "tickets": self.tickets, "trace": self.trace}
        pair = connect_pair(
            client_config(**(ours | (client or {}))), server_config(**(theirs | (server or {})))
        )
        events, _ = pump(*pair)
        return (*pair, events)

    def resumes(self, *knobs: Any) -> bool:
        client, server, _ = self.meet(*knobs)
        assert client.negotiated is not None
        assert server.negotiated is not None
        assert client.negotiated.resumed == server.negotiated.resumed
        return client.negotiated.resumed

    @property
    def offered(self) -> bool:
        """Whether the last ClientHello had a PSK in it."""
        messages = (event for event in self.trace.events if isinstance(event, MessageEvent))
        hello = ClientHello.decode(next(event.raw for event in messages if event.name == "ClientHello"))
        return hello.extensions.find(ext.OfferedPsks) is not None  # type: ignore[attr-defined]

    @property
    def server_said(self) -> str:
        """Why the server took no PSK."""
        choices = (event for event in self.trace.events if isinstance(event, ChoiceEvent))
        return next(event.rule for event in choices if (event.side, event.what) == ("server", "psk"))

    def doctor(self, scope: bytes, **fields: Any) -> None:
        """Change what the client remembers of its session."""
        session = self.sessions.take(NAME, self.now, scope)
        assert session is not None
        self.sessions.put(replace(session, **fields))


@pytest.fixture
def pair() -> Pair:
    return Pair()


# -- for how long


def expiring(seconds: int, **knobs: Any) -> dict[str, Any]:
    """A server's certificate that ends so long after NOW."""
    validity = (NOW - 60, NOW + seconds)
    return {"credentials": [laboratory().credential(names=(NAME,), validity=validity)]} | knobs


def test_a_session_ends_with_the_servers_certificate(pair: Pair) -> None:
    """A resumed handshake shows no certificate: the old one would live for ever."""
    server = expiring(600)
    assert not pair.resumes({}, server)
    pair.now = NOW + 599
    assert pair.resumes({}, server)
    pair.now = NOW + 601
    with pytest.raises(CertificateRejected) as caught:
        pair.meet({}, server)
    assert not pair.offered
    assert caught.value.reason is Reason.CERTIFICATE_EXPIRED


def test_a_session_ends_with_the_intermediate_certificate() -> None:
    """The first of the path that ends counts."""
    long_ago = Laboratory(b"pellucid tests", NOW)
    end = long_ago.intermediate.not_valid_after_utc.timestamp()
    leaf = long_ago.credential(names=(NAME,), validity=(NOW - 60, end + 5 * DAY))
    pair = Pair()
    pair.now = end - 60
    assert not pair.resumes({}, {"credentials": [leaf]})
    assert pair.resumes({}, {"credentials": [leaf]})
    pair.now = end + 60
    with pytest.raises(CertificateRejected):
        pair.meet({}, {"credentials": [leaf]})
    assert not pair.offered


def test_a_line_of_tickets_ends_after_seven_days_at_the_client(pair: Pair) -> None:
    """RFC 9846 4.7.1 recommends a limit; each resumption brings a new ticket."""
    assert not pair.resumes()
    for _ in range(2):
        pair.now += 3 * DAY
        assert pair.resumes()
    pair.now += DAY - 1
    assert pair.resumes()
    pair.now += 1
    assert not pair.resumes()
    assert not pair.offered


def test_a_line_of_tickets_ends_after_seven_days_at_the_server(pair: Pair) -> None:
    """Whatever the client thinks of it."""
    scope = client_config().session_scope
    assert not pair.resumes()
    for _ in range(2):
        pair.now += 3 * DAY
        pair.doctor(scope, authenticated_at=pair.now)
        assert pair.resumes()
    pair.now += DAY
    pair.doctor(scope, authenticated_at=pair.now)
    assert not pair.resumes()
    assert pair.offered
    assert pair.server_said == "expired"


# -- for whom


def test_a_session_is_for_the_roots_that_it_was_made_with(pair: Pair) -> None:
    """A resumed handshake verifies nothing: who trusts others has to look for itself."""
    assert not pair.resumes()
    other = TrustStore.from_certificates([laboratory().root, Laboratory(b"another", NOW).root])
    assert not pair.resumes({"trust": other})
    assert not pair.offered
    same = TrustStore.from_pem(laboratory().root_pem)
    assert pair.resumes({"trust": same})


def test_a_session_is_for_the_credentials_that_it_was_made_with(pair: Pair) -> None:
    """It could say of a client that it is somebody whom it does not want to be now."""
    asking = {"client_authentication": "optional", "trust": laboratory().trust}
    alice = {"credentials": [credential(purpose="client", names=("alice.test",))]}
    bob = {"credentials": [credential(purpose="client", names=("bob.test",))]}
    assert not pair.resumes(alice, asking)
    for other in (bob, {}):
        assert not pair.resumes(other, asking)
        assert not pair.offered
    assert pair.resumes(alice, asking)


def test_a_session_of_a_certificate_that_is_gone_is_declined(pair: Pair) -> None:
    old, new = laboratory().credential(names=(NAME, "old.test")), credential()
    assert not pair.resumes({}, {"credentials": [old]})
    assert not pair.resumes({}, {"credentials": [new]})
    assert pair.offered
    assert pair.server_said == "the session was with a certificate that we no longer have"
    assert pair.resumes({}, {"credentials": [old, new]})


# -- tickets that are not given


def tickets_sent(trace: Trace) -> int:
    messages = (event for event in trace.events if isinstance(event, MessageEvent))
    sent = (event for event in messages if (event.side, event.direction) == ("server", "sent"))
    return sum(event.name == "NewSessionTicket" for event in sent)


@pytest.mark.parametrize(
    "modes, tickets",
    [
        (None, 0),
        ([PskKeyExchangeMode.psk_ke], 0),
        ([0xAA], 0),
        ([PskKeyExchangeMode.psk_dhe_ke], 1),
        ([PskKeyExchangeMode.psk_ke, PskKeyExchangeMode.psk_dhe_ke], 1),
    ],
    ids=["none", "psk_ke", "unknown", "psk_dhe_ke", "both"],
)
def test_tickets_are_for_clients_that_can_use_them(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, modes: list[int] | None, tickets: int
) -> None:
    """RFC 9846 4.7.1: for a hello that "contained a suitable "psk_key_exchange_modes" extension"."""

    def change(hello: ClientHello) -> None:
        if modes is None:
            del hello.extensions[ExtensionType.psk_key_exchange_modes]
        else:
            hello.extensions.add(ext.PskKeyExchangeModes(list(modes)))

    lying(monkeypatch, "client", {ClientHello: change})
    pair.meet()
    assert tickets_sent(pair.trace) == tickets


def filler(size: int) -> x509.Certificate:
    """A certificate of some length that is in nobody's path."""
    issued = laboratory().issue(names=("filler.test",))
    start = dt.datetime.fromtimestamp(NOW, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(issued.certificate.subject)
        .issuer_name(issued.certificate.subject)
        .public_key(issued.private_key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555"), bytes(size)), False
        )
        .sign(issued.private_key, hashes.SHA256())  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "fillers, fits",
    [([8_000], True), ([MAX_CHAIN_BYTES], False), ([40_000, 40_000], False)],
    ids=["24 KiB to spare", "over 32 KiB", "more than any ticket holds"],
)
def test_a_client_with_a_huge_chain_gets_no_ticket(pair: Pair, fillers: list[int], fits: bool) -> None:
    """A ticket holds the chain and comes back in a ClientHello. The connection itself is none the worse."""
    issued = laboratory().issue(names=("client.test",), purpose="client")
    chain = (issued.certificate, *issued.issuers, *map(filler, fillers))
    huge = Credential.from_objects(chain, issued.private_key)
    asking = {"client_authentication": "required", "trust": laboratory().trust}
    client, server, events = pair.meet({"credentials": [huge]}, asking)
    assert tickets_sent(pair.trace) == fits
    assert any(isinstance(event, SessionReceived) for event in events) is fits
    for sender, receiver in ((client, server), (server, client)):
        sender.send_data(b"alive")
        assert receiver.receive_data(sender.data_to_send()) == [DataReceived(b"alive")]
    assert pair.resumes({"credentials": [huge]}, asking) is fits


# -- tickets that are not kept


@pytest.mark.parametrize(
    "size, kept",
    [(1, True), (MAX_KEPT_TICKET_BYTES, True), (MAX_KEPT_TICKET_BYTES + 1, False), (2**16 - 1, False)],
)
def test_a_ticket_that_fits_no_hello_is_not_kept(size: int, kept: bool) -> None:
    store = SessionStore()
    client, server = shake_hands(client_config(sessions=store), server_config(tickets=False))
    ticket = NewSessionTicket(60, 7, b"\x00", bytes(size), Extensions())
    server._driver.writer.queue(ContentType.handshake, ticket.encode())
    _, events = pump(server, client)
    assert len(store) == kept
    assert [type(event) for event in events] == [SessionReceived] * kept
    server.send_data(b"alive")
    assert client.receive_data(server.data_to_send()) == [DataReceived(b"alive")]


def test_the_longest_ticket_is_offered_again() -> None:
    """The server does not know it, and both go on with certificates."""
    store = SessionStore()
    client, server = shake_hands(client_config(sessions=store), server_config(tickets=False))
    ticket = NewSessionTicket(60, 7, b"\x00", bytes(MAX_KEPT_TICKET_BYTES), Extensions())
    server._driver.writer.queue(ContentType.handshake, ticket.encode())
    pump(server, client)
    client, _ = shake_hands(client_config(sessions=store), server_config())
    assert client.negotiated is not None
    assert not client.negotiated.resumed
    assert isinstance(store.take(NAME, NOW, client_config().session_scope), Session)
