"""RFC 8448's handshakes, byte for byte, by ``ClientConnection`` and ``ServerConnection`` themselves.

What the RFC's messages say in another order or beyond ours is explained in ``rfc8448.py``; every secret,
every key, every MAC and every record that follows from the messages is ours, and has to be the RFC's.
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import credential
from rfc8448 import (
    NAMES,
    SERVER_NAME,
    Replayed,
    Script,
    Vectors,
    identity_of,
    in_the_words_of,
    offering,
    server_name,
    vectors,
)

from pellucid import (
    ClientConfig,
    ClientConnection,
    DataReceived,
    HandshakeCompleted,
    PeerClosed,
    ServerConfig,
    ServerConnection,
    Session,
    SessionReceived,
    SessionStore,
    TicketKeys,
    Trace,
    TrustStore,
)
from pellucid.codes import CipherSuite, ExtensionType, NamedGroup, ProtocolVersion
from pellucid.config import fingerprint
from pellucid.connection import Connection
from pellucid.crypto.suites import SUITES
from pellucid.handshake import server13
from pellucid.handshake.flow import Handshake
from pellucid.handshake.offer import Offer, Psk, binder, finish_hello
from pellucid.keys import KeySchedule, traffic_keys
from pellucid.messages import Extensions, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.record import RecordWriter, Sealer
from pellucid.sessions import TicketState
from pellucid.trace import TraceView
from pellucid.trace.events import KeysEvent, SecretEvent

WITH_CERTIFICATES = [name for name in NAMES if name != "resumed_0rtt"]
SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
#: POSIX seconds at which the tickets of the traces come.
NOW = 1_500_000_000.0
GROUPS = ["x25519", "secp256r1", "secp384r1", "secp521r1"]

KeyLines = list[tuple[str, bytes, bytes]]


class Peers:
    """A client and a server of one trace that never meet: each talks to the RFC."""

    def __init__(self, trace: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rfc = trace
        self.monkeypatch = monkeypatch
        self.key_lines: KeyLines = []
        self.sessions = SessionStore()
        self.now = NOW
        monkeypatch.setattr("pellucid.driver.judging.verify_server", identity_of)
        monkeypatch.setattr("pellucid.driver.judging.verify_client", identity_of)
        monkeypatch.setattr("pellucid.crypto.signatures.RSA_MINIMUM_BITS", 1024)

    def knobs(self) -> dict[str, Any]:
        return {
            "trust": TrustStore.empty(),
            "trace": Trace(reveal_secrets=True),
            "key_log": lambda *line: self.key_lines.append(line),
            "clock": lambda: self.now,
        }

    def credential(self, side: str) -> Replayed:
        return Replayed(self.rfc.message(side, "Certificate"), self.rfc.message(side, "CertificateVerify"))

    def client(self, **knobs: Any) -> ClientConnection:
        self.monkeypatch.setattr("pellucid.handshake.client.make_offer", offering(self.rfc, self.psks))
        self.monkeypatch.setattr("pellucid.handshake.client.finish_hello", self.retry)
        if self.rfc.messages("client", "Certificate"):
            knobs["credentials"] = [self.credential("client")]
        # Only a client that is asked for another share draws a key after its offer.
        drawn = [key for group, key in self.rfc.private_keys("client").items() if group != NamedGroup.x25519]
        config = ClientConfig(
            groups=GROUPS, sessions=self.sessions, entropy=Script(drawn), **self.knobs(), **knobs
        )
        return ClientConnection(config, SERVER_NAME)

    def psks(self, _: TraceView | None = None) -> list[Psk]:
        return []

    def retry(self, _: Handshake[ClientConfig], offer: Offer) -> None:
        """The second ClientHello has what ours would have; the RFC's has padding too."""
        theirs: Any = decode_handshake(self.rfc.messages("client", "ClientHello")[1])
        extensions = Extensions(theirs.extensions)
        del extensions[ExtensionType.padding]
        assert offer.hello.extensions == extensions
        offer.hello = theirs

    def server(self, **knobs: Any) -> ServerConnection:
        in_the_words_of(self.rfc, self.monkeypatch)
        drawn = [*self.rfc.private_keys("server").values(), self.rfc.message("server", "ServerHello").random]
        groups = GROUPS
        if retries := self.rfc.messages("server", "HelloRetryRequest"):
            request: Any = decode_handshake(retries[0])
            cookie = request.extensions.find(ext.Cookie).cookie
            self.monkeypatch.setattr(server13, "COOKIE_LENGTH", len(cookie))
            drawn.insert(0, cookie)
            knobs["cookie"] = True
            groups = [str(request.extensions.find(ext.KeyShareHelloRetryRequest).selected_group)]
        if self.rfc.messages("client", "Certificate"):
            knobs["client_authentication"] = "required"
        if self.rfc.messages("server", "Certificate"):
            knobs["credentials"] = [self.credential("server")]
        config = ServerConfig(
            **({"groups": groups, "entropy": Script(drawn), "tickets": False} | self.knobs() | knobs)
        )
        return ServerConnection(config)

    def exchange(self, connection: Connection, other: str) -> bytes:
        """Hand over the other side's records up to its Finished; gives what is answered to each."""
        answered = connection.data_to_send()
        for kind, content, record in self.rfc.records(other):
            if kind in ("handshake", "change_cipher_spec") and content[:1] != b"\x04":
                connection.receive_data(record)
                answered += connection.data_to_send()
        return answered


@pytest.fixture(params=WITH_CERTIFICATES)
def peers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Peers:
    return Peers(vectors(request.param), monkeypatch)


@pytest.fixture
def simple(monkeypatch: pytest.MonkeyPatch) -> Peers:
    return Peers(vectors("simple_1rtt"), monkeypatch)


# -- messages and records


def test_a_client_sends_the_bytes_of_the_rfc(peers: Peers) -> None:
    client = peers.client()
    assert peers.exchange(client, "server") == peers.rfc.handshake_flight("client")
    assert client.handshake_complete


def test_a_server_sends_the_bytes_of_the_rfc(peers: Peers) -> None:
    server = peers.server()
    assert peers.exchange(server, "client") == peers.rfc.handshake_flight("server")
    assert server.handshake_complete


@pytest.mark.parametrize("side, other", [("client", "server"), ("server", "client")])
def test_both_close_with_the_bytes_of_the_rfc(peers: Peers, side: str, other: str) -> None:
    connection: Connection = peers.client() if side == "client" else peers.server()
    peers.exchange(connection, other)
    # What the RFC sends under the application's keys before it closes counts for the record's number.
    for ticket in peers.rfc.messages(side, "NewSessionTicket"):
        connection._driver.writer.queue(22, ticket)
    for kind, content, _ in peers.rfc.records(side):
        if kind == "application_data":
            connection.send_data(content)
    connection.close()
    behind = peers.rfc.flight(side, "application_data") + peers.rfc.flight(side, "alert")
    assert connection.data_to_send().endswith(b"".join(behind))


@pytest.mark.parametrize("side, other", [("client", "server"), ("server", "client")])
def test_both_take_the_data_and_the_close_of_the_rfc(peers: Peers, side: str, other: str) -> None:
    connection: Connection = peers.client() if side == "client" else peers.server()
    peers.exchange(connection, other)
    events = []
    expected = []
    for kind, content, record in peers.rfc.records(other):
        if kind in ("application_data", "alert") or content[:1] == b"\x04":
            events += connection.receive_data(record)
        if kind == "application_data":
            expected.append(DataReceived(content))
    assert [event for event in events if isinstance(event, DataReceived)] == expected
    assert events[-1] == PeerClosed()


# -- secrets, keys, key log


def derived(connection: Connection) -> dict[str, bytes]:
    """All secrets of the key schedule by the names of the vectors."""
    assert connection.trace is not None
    names = {"derived_early_secret": "derived_for_handshake", "derived_handshake_secret": "derived_for_main"}
    return {
        names.get(event.name, event.name): bytes(event.value)  # type: ignore[arg-type]
        for event in connection.trace.events
        if isinstance(event, SecretEvent)
    }


def installed(connection: Connection, side: str, other: str) -> dict[tuple[str, str], tuple[bytes, bytes]]:
    assert connection.trace is not None
    return {
        (side if event.direction == "write" else other, event.epoch): (event.key, event.iv)  # type: ignore[misc]
        for event in connection.trace.events
        if isinstance(event, KeysEvent)
    }


@pytest.mark.parametrize("side, other", [("client", "server"), ("server", "client")])
def test_every_secret_and_every_key_is_the_rfcs(peers: Peers, side: str, other: str) -> None:
    # A server that could give tickets derives the resumption_secret; the RFC's gives its own.
    tickets = {"tickets": TicketKeys(Script([]), lambda: NOW), "tickets_per_handshake": 0}
    connection: Connection = peers.client() if side == "client" else peers.server(**tickets)
    peers.exchange(connection, other)
    expected = peers.rfc.secrets()
    expected.pop("resumption_psk", None)  # of a ticket; see below
    found = derived(connection)
    assert {name: found.get(name) for name in expected} == expected
    assert installed(connection, side, other) == peers.rfc.traffic_keys()


@pytest.mark.parametrize("side, other", [("client", "server"), ("server", "client")])
def test_the_key_log_has_the_rfcs_secrets(peers: Peers, side: str, other: str) -> None:
    peers.exchange(peers.client() if side == "client" else peers.server(), other)
    random, secrets = peers.rfc.message("client", "ClientHello").random, peers.rfc.secrets()
    assert peers.key_lines == [
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", random, secrets["client_handshake_traffic_secret"]),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", random, secrets["server_handshake_traffic_secret"]),
        ("CLIENT_TRAFFIC_SECRET_0", random, secrets["client_application_traffic_secret_0"]),
        ("SERVER_TRAFFIC_SECRET_0", random, secrets["server_application_traffic_secret_0"]),
    ]


def test_both_sides_name_what_was_agreed_on(peers: Peers) -> None:
    group = NamedGroup.secp256r1 if peers.rfc.data["name"] == "hello_retry_request" else NamedGroup.x25519
    for connection, other in ((peers.client(), "server"), (peers.server(), "client")):
        peers.exchange(connection, other)
        agreed = connection.negotiated
        assert agreed is not None
        assert (agreed.group, agreed.cipher_suite, agreed.server_name) == (group, SUITE.code, SERVER_NAME)


# -- the ticket of section 3, and the resumption of section 4


def received_session(simple: Peers) -> Session:
    client = simple.client()
    simple.exchange(client, "server")
    (ticket,) = (record for _, content, record in simple.rfc.records("server") if content[:1] == b"\x04")
    (event,) = client.receive_data(ticket)
    assert isinstance(event, SessionReceived)
    return event.session


def test_a_ticket_becomes_the_session_of_the_rfc(simple: Peers) -> None:
    session = received_session(simple)
    ticket = simple.rfc.message("server", "NewSessionTicket")
    assert session.secret == simple.rfc.secrets()["resumption_psk"]
    assert (session.ticket, session.ticket_age_add, session.lifetime_seconds, session.received_at) == (
        ticket.ticket,
        ticket.ticket_age_add,
        ticket.ticket_lifetime,
        NOW,
    )
    assert simple.sessions.take(SERVER_NAME, NOW, session.scope) == session


class OneTicket(TicketKeys):
    """Knows the ticket of section 3, which the RFC's server sealed with a key that it does not tell."""

    def __init__(self, session: Session) -> None:
        super().__init__(Script([]), lambda: NOW)
        self.session = session

    def peek(self, ticket: bytes, now: float, _: ProtocolVersion) -> TicketState | None:
        assert ticket == self.session.ticket
        return TicketState(
            suite=SUITE.code,
            secret=self.session.secret,
            age_add=self.session.ticket_age_add,
            created_at=now,
            lifetime_seconds=self.session.lifetime_seconds,
            server_name=SERVER_NAME,
            server_identity=fingerprint(credential()),
        )


class Resuming(Peers):
    """Section 4. Our engine refuses early data: the test plays the part of it that the transcript shows."""

    def __init__(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(vectors("resumed_0rtt"), monkeypatch)
        self.session = session
        identity = self.rfc.message("client", "ClientHello").extensions.find(ext.OfferedPsks).identities[0]
        age_milliseconds = (identity.obfuscated_ticket_age - session.ticket_age_add) % 2**32
        self.now = NOW + age_milliseconds / 1000

    def psks(self, trace: TraceView | None = None) -> list[Psk]:
        schedule = KeySchedule(SUITE, trace)
        schedule.early(self.session.secret)
        return [Psk(self.session.ticket, SUITE, self.session, schedule)]

    def server(self, **knobs: Any) -> ServerConnection:
        # A ticket is for a certificate that the server still has; the RFC does not show which that was.
        knobs["credentials"] = [credential()]
        return super().server(tickets=OneTicket(self.session), tickets_per_handshake=0, **knobs)

    def with_end_of_early_data(self) -> None:
        """EndOfEarlyData stands in the transcript between the two Finished, sent under keys of its own."""
        (raw,) = self.rfc.messages("client", "EndOfEarlyData")
        install_keys = Handshake.install_keys

        def installing(hs: Handshake[Any], direction: Any, epoch: str, secret: bytes) -> Any:
            if (direction, epoch) == ("read" if hs.side == "client" else "write", "application"):
                hs.transcript.add(raw)
            return install_keys(hs, direction, epoch, secret)

        self.monkeypatch.setattr(Handshake, "install_keys", installing)


@pytest.fixture
def resuming(simple: Peers, monkeypatch: pytest.MonkeyPatch) -> Resuming:
    return Resuming(received_session(simple), monkeypatch)


def test_a_client_hello_with_a_psk_is_the_rfcs_with_its_binder(resuming: Resuming) -> None:
    hello = resuming.rfc.message("client", "ClientHello")
    del hello.extensions[ExtensionType.pre_shared_key]
    offer = Offer(hello, {}, resuming.psks(), None, server_name())
    hs: Handshake[ClientConfig] = Handshake("client", ClientConfig(**resuming.knobs()), None)
    finish_hello(hs, offer)
    assert [hello.raw] == resuming.rfc.messages("client", "ClientHello")


def test_a_binder_is_the_rfcs(resuming: Resuming) -> None:
    expected = resuming.rfc.binder
    (psk,) = resuming.psks()
    hs: Handshake[ClientConfig] = Handshake("client", ClientConfig(**resuming.knobs()), None)
    assert psk.schedule.binder_key(external=False) == expected["binder_key"]
    truncated = expected["truncated_client_hello"]
    assert hs.transcript.digest_with(truncated, "sha256") == expected["transcript_hash"]
    assert binder(hs, psk, truncated) == expected["binder"]


def test_early_secrets_and_early_data_are_the_rfcs(resuming: Resuming) -> None:
    (psk,) = resuming.psks()
    (raw,) = resuming.rfc.messages("client", "ClientHello")
    hs: Handshake[ClientConfig] = Handshake("client", ClientConfig(**resuming.knobs()), None)
    transcript_hash = hs.transcript.digest_with(raw, "sha256")
    secrets = resuming.rfc.secrets()
    early = psk.schedule.client_early_traffic_secret(transcript_hash)
    assert early == secrets["client_early_traffic_secret"]
    assert psk.schedule.early_exporter_secret(transcript_hash) == secrets["early_exporter_secret"]
    keys = traffic_keys(SUITE, early)
    assert (keys.key, keys.iv) == resuming.rfc.traffic_keys()["client", "early"]


def test_a_resuming_client_sends_the_bytes_of_the_rfc(resuming: Resuming) -> None:
    resuming.with_end_of_early_data()
    client = resuming.client()
    sent = resuming.exchange(client, "server")
    hello, end_of_early_data, finished = resuming.rfc.flight("client", "handshake")
    assert sent == hello + finished
    assert client.negotiated is not None
    assert client.negotiated.resumed
    assert end_of_early_data not in sent


def test_a_resuming_server_sends_the_bytes_of_the_rfc_and_skips_the_early_data(resuming: Resuming) -> None:
    resuming.with_end_of_early_data()
    server = resuming.server()
    records = [record for _, _, record in resuming.rfc.records("client")]
    hello, early_data, end_of_early_data, finished, *_ = records
    assert server.receive_data(hello) == []
    assert server.data_to_send() == b"".join(resuming.rfc.flight("server", "handshake"))
    assert server.receive_data(early_data) == []
    assert server.receive_data(end_of_early_data) == []
    (event,) = server.receive_data(finished)
    assert isinstance(event, HandshakeCompleted)
    assert event.negotiated.resumed


@pytest.mark.parametrize("side, other", [("client", "server"), ("server", "client")])
def test_every_secret_of_a_resumption_is_the_rfcs(resuming: Resuming, side: str, other: str) -> None:
    resuming.with_end_of_early_data()
    connection: Connection = resuming.client() if side == "client" else resuming.server()
    resuming.exchange(connection, other)
    found = derived(connection)
    ours = resuming.rfc.secrets()
    for name in ("client_early_traffic_secret", "early_exporter_secret"):
        del ours[name]  # of 0-RTT, which we do not speak; held against the RFC above
    assert {name: found.get(name) for name in ours} == ours
    expected = {who: keys for who, keys in resuming.rfc.traffic_keys().items() if who[1] != "early"}
    assert installed(connection, side, other) == expected


def test_a_server_that_refuses_the_early_data_says_so_and_goes_on(resuming: Resuming) -> None:
    """As our engine does it: the RFC's ClientHello, our answer, which lacks early_data."""
    server = resuming.server()
    resuming.monkeypatch.undo()
    hello, early_data, *_ = (record for _, _, record in resuming.rfc.records("client"))
    server.receive_data(hello)
    assert server.data_to_send()
    assert server.receive_data(early_data) == []
    assert server.state == "WAIT_FINISHED"


# -- what the vectors must be for all this to mean something


def test_the_traces_are_of_tls_1_3_with_the_suite_that_is_compared() -> None:
    for name in NAMES:
        hello = vectors(name).message("server", "ServerHello")
        selected = hello.extensions.find(ext.SupportedVersionsServerHello).selected_version
        assert (selected, hello.cipher_suite) == (ProtocolVersion.TLSv1_3, SUITE.code)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_of_the_rfc_is_written_as_it_was_read(name: str) -> None:
    for message in vectors(name).data["messages"]:
        raw = bytes.fromhex(message["raw"])
        decoded = decode_handshake(raw)
        assert type(decoded).__name__ == message["name"]
        assert decoded.encode() == raw


def test_sealing_early_data_gives_the_record_of_the_rfc() -> None:
    trace = vectors("resumed_0rtt")
    sealer = Sealer(SUITE, traffic_keys(SUITE, trace.secrets()["client_early_traffic_secret"]))
    ((_, content, record), *_) = (r for r in trace.records("client") if r[0] == "application_data")
    assert sealed(sealer, content) == record


def sealed(sealer: Sealer, content: bytes) -> bytes:
    writer = RecordWriter()
    writer.install(sealer)
    writer.queue(23, content)
    return writer.take()
