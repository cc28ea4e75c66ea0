"""PSKs: what a client offers, when a server takes it, and when both go on with certificates instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
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
    ClientConfig,
    ClientConnection,
    ExternalPsk,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
    ServerConnection,
    SessionReceived,
    SessionStore,
    TicketKeys,
    TLSError,
    Trace,
)
from pellucid.codes import ExtensionType, PskKeyExchangeMode
from pellucid.messages import ClientHello, HandshakeMessage
from pellucid.messages import extensions as ext
from pellucid.trace.events import ChoiceEvent, MessageEvent

PSK = ExternalPsk(b"an identity", b"sixteen bytes or more")
PSK_384 = ExternalPsk(b"another identity", b"sixteen bytes or more", "sha384")
OTHER_KEY = ExternalPsk(b"an identity", b"sixteen bytes or another")


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Twice:
    """A client and a server that meet again; what they say the second time can be changed."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sessions = SessionStore()
        self.tickets = TicketKeys(lambda n: bytes(range(n)), self.clock)
        self.trace = Trace()

    def meet(
        self, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, name: str = NAME
    ) -> tuple[ClientConnection, ServerConnection]:
        shared = {"clock": self.clock, "trace": self.trace}
        self.trace.events.clear()
        pair = connect_pair(
            client_config(**shared, sessions=self.sessions, **(client or {})),
            server_config(**{"tickets": self.tickets} | shared | (server or {})),
            name,
        )
        pump(*pair)
        assert pair[0].negotiated is not None
        assert pair[1].negotiated is not None
        assert pair[0].negotiated.resumed == pair[1].negotiated.resumed
        return pair

    def resumes(self, *args: Any, **knobs: Any) -> bool:
        client, _ = self.meet(*args, **knobs)
        assert client.negotiated is not None
        return client.negotiated.resumed

    def refusal(self) -> str:
        """Why the server took no PSK."""
        choices = [event for event in self.trace.events if isinstance(event, ChoiceEvent)]
        (choice,) = (event for event in choices if (event.side, event.what) == ("server", "psk"))
        assert choice.chosen == ""
        return choice.rule


@pytest.fixture
def twice() -> Twice:
    return Twice()


def hellos(trace: Trace) -> list[HandshakeMessage]:
    sent = [event for event in trace.events if isinstance(event, MessageEvent) and event.side == "client"]
    return [ClientHello.decode(event.raw) for event in sent if event.name == "ClientHello"]


def offered(trace: Trace) -> list[int]:
    """How many PSKs each ClientHello offers."""
    found = [hello.extensions.find(ext.OfferedPsks) for hello in hellos(trace)]  # type: ignore[attr-defined]
    return [len(psks.identities) if psks else 0 for psks in found]


# -- sessions


def test_the_second_time_no_certificate_is_shown(twice: Twice) -> None:
    first, _ = twice.meet()
    second, server = twice.meet()
    assert first.negotiated is not None
    assert second.negotiated is not None
    assert not first.negotiated.resumed
    assert second.negotiated.resumed
    messages = [event.name for event in twice.trace.events if isinstance(event, MessageEvent)]
    assert "Certificate" not in messages
    # Whom one talks to is known from the first time.
    assert second.negotiated.peer_chain == first.negotiated.peer_chain == credential().chain
    assert second.negotiated.signature_scheme is None
    assert server.negotiated is not None
    assert server.negotiated.server_name == NAME


def test_resumption_runs_a_key_exchange_of_its_own(twice: Twice) -> None:
    keys = set()
    for _ in range(3):
        client, server = twice.meet()
        exported = client.export_keying_material(b"label", None, 32)
        assert server.export_keying_material(b"label", None, 32) == exported
        keys.add(exported)
    assert len(keys) == 3


def test_a_session_is_used_once(twice: Twice) -> None:
    twice.meet()
    assert len(twice.sessions) == 1
    assert twice.resumes(server={"tickets_per_handshake": 0})
    assert len(twice.sessions) == 0
    assert not twice.resumes()
    assert offered(twice.trace) == [0]


def test_each_resumption_brings_the_next_session(twice: Twice) -> None:
    assert [twice.resumes() for _ in range(4)] == [False, True, True, True]


def test_the_application_is_told_of_each_ticket() -> None:
    client, server = connect_pair(server=server_config(tickets_per_handshake=3))
    events, _ = pump(client, server)
    sessions = [event.session for event in events if isinstance(event, SessionReceived)]
    assert len({session.secret for session in sessions}) == len({session.ticket for session in sessions}) == 3
    assert {session.server_name for session in sessions} == {NAME}


def test_an_old_session_is_not_offered(twice: Twice) -> None:
    twice.meet()
    twice.clock.now += twice.tickets.lifetime_seconds
    assert not twice.resumes()
    assert offered(twice.trace) == [0]


def test_a_session_is_for_the_name_that_was_verified() -> None:
    twice = Twice()
    both = {"credentials": [credential(names=("a.test", "b.test"))]}
    twice.meet(server=both, name="a.test")
    assert not twice.resumes(server=both, name="b.test")
    assert offered(twice.trace) == [0]
    assert twice.resumes(server=both, name="a.test")


def test_a_session_is_for_who_trusts_the_same(twice: Twice) -> None:
    twice.meet()
    other = type(laboratory())(b"another laboratory", NOW)
    client = client_config(clock=twice.clock, sessions=twice.sessions, trust=other.trust)
    pair = connect_pair(client, server_config(clock=twice.clock, tickets=twice.tickets))
    with pytest.raises(TLSError):
        pump(*pair)


def test_a_client_without_a_store_asks_for_nothing(twice: Twice) -> None:
    pair = connect_pair(client_config(sessions=None, trace=twice.trace))
    client_events, _ = pump(*pair)
    assert not any(isinstance(event, SessionReceived) for event in client_events)
    (hello,) = hellos(twice.trace)
    assert ExtensionType.psk_key_exchange_modes not in hello.extensions  # type: ignore[attr-defined]


def test_a_server_takes_a_ticket_for_the_name_that_it_was_given_for(twice: Twice) -> None:
    """A client that mixes up its sessions must not get one server's connection for another's name."""
    both = {"credentials": [credential(names=("a.test", "b.test"))]}
    twice.meet(server=both, name="a.test")
    scope = client_config().session_scope
    session = twice.sessions.take("a.test", NOW, scope)
    assert session is not None
    twice.sessions.put(replace(session, server_name="b.test"))
    assert not twice.resumes(server=both, name="b.test")
    assert offered(twice.trace) == [1]
    assert twice.refusal() == "the session was with another server name"


# -- a server declines, and the handshake goes on with certificates


SHOWN = {"credentials": [credential(purpose="client")]}


@pytest.mark.parametrize(
    "first, second, why",
    [
        ({}, {"tickets": TicketKeys(lambda n: b"\x07" * n, lambda: NOW)}, "unknown"),
        ({}, {"tickets": False}, "unknown"),
        ({}, {"client_authentication": "required"}, "the session has no client certificate"),
        (
            {"client_authentication": "required"}, {},
            "the session has a client certificate, and none is asked for",
        ),
        ({}, {"cipher_suites": ["TLS_AES_256_GCM_SHA384"]}, "no suite has the session's hash"),
        (
            {}, {"credentials": [credential("ed25519")]},
            "the session was with a certificate that we no longer have",
        ),
    ],
)  # fmt: skip
def test_a_server_that_declines_says_why(twice: Twice, first: Any, second: Any, why: str) -> None:
    twice.meet(SHOWN, first)
    assert not twice.resumes(SHOWN, second)
    assert offered(twice.trace) == [1]
    assert twice.refusal() == why


def test_a_client_certificate_is_verified_again(twice: Twice) -> None:
    asking = {"client_authentication": "required"}
    short = laboratory().credential(names=("short.test",), purpose="client", validity=(NOW - 60, NOW + 60))
    twice.meet({"credentials": [short]}, asking)
    assert twice.resumes({"credentials": [short]}, asking)
    _, server = twice.meet({"credentials": [short]}, asking)
    assert server.negotiated is not None
    assert server.negotiated.peer_chain == short.chain
    assert server.negotiated.mutual
    twice.clock.now += 120
    with pytest.raises(TLSError) as caught:
        twice.meet({"credentials": [short]}, asking)
    # The session was refused for it, and then the certificate itself.
    assert caught.value.reason is Reason.CERTIFICATE_EXPIRED
    assert twice.refusal().startswith("the session's client certificate is no longer accepted")


def test_a_psk_without_key_exchange_is_declined(twice: Twice, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9846 4.3.9: psk_ke gives up forward secrecy. (The client's binders are not looked at then.)"""
    twice.meet()

    def without_dhe(hello: ClientHello) -> None:
        modes = hello.extensions.find(ext.PskKeyExchangeModes)
        assert modes is not None
        modes.ke_modes = [PskKeyExchangeMode.psk_ke]

    lying(monkeypatch, "client", {ClientHello: without_dhe})
    assert not twice.resumes()
    assert twice.refusal() == "the client wants it without (EC)DHE"


def test_only_so_many_identities_are_looked_up() -> None:
    asked: list[bytes] = []

    def look_up(identity: bytes) -> None:
        asked.append(identity)

    many = [ExternalPsk(b"%d" % number, PSK.key) for number in range(20)]
    shake_hands(client_config(psks=many), server_config(psks=look_up, tickets=False))
    assert asked == [b"%d" % number for number in range(8)]


# -- external PSKs


def with_psks(client: list[ExternalPsk], server: Any, **client_knobs: Any) -> ClientConnection:
    connection, _ = shake_hands(
        client_config(psks=client, **client_knobs), server_config(psks=server, credentials=[])
    )
    return connection


def test_an_external_psk_stands_for_certificates() -> None:
    client = with_psks([PSK], [PSK])
    assert client.negotiated is not None
    assert client.negotiated.psk_identity == PSK.identity
    assert not client.negotiated.resumed
    assert client.negotiated.peer_chain == ()


def test_a_client_with_a_psk_needs_no_name() -> None:
    pair = connect_pair(client_config(psks=[PSK]), server_config(psks=[PSK], credentials=[]), None)
    pump(*pair)
    assert pair[0].handshake_complete


def test_the_first_that_the_server_knows_is_taken() -> None:
    client = with_psks([ExternalPsk(b"unknown", PSK.key), PSK_384, PSK], [PSK, PSK_384])
    assert client.negotiated is not None
    assert client.negotiated.psk_identity == PSK_384.identity


def test_the_suite_has_the_hash_of_the_psk() -> None:
    for psk, suite in ((PSK, "TLS_AES_128_GCM_SHA256"), (PSK_384, "TLS_AES_256_GCM_SHA384")):
        client = with_psks([psk], [psk])
        assert client.negotiated is not None
        assert str(client.negotiated.cipher_suite) == suite


def test_a_psk_without_a_suite_of_its_hash_is_not_offered() -> None:
    trace = Trace()
    knobs = {"psks": [PSK_384], "cipher_suites": ["TLS_AES_128_GCM_SHA256"], "trace": trace}
    shake_hands(client_config(**knobs), server_config())
    assert offered(trace) == [0]


def test_psks_may_be_looked_up_by_a_function() -> None:
    found: Callable[[bytes], ExternalPsk | None] = {PSK.identity: PSK}.get
    client = with_psks([PSK], found)
    assert client.negotiated is not None
    assert client.negotiated.psk_identity == PSK.identity


def test_another_key_of_the_same_name_is_refused() -> None:
    """RFC 9846 4.3.11: the binder proves that the client holds the key."""
    pair = connect_pair(client_config(psks=[OTHER_KEY]), server_config(psks=[PSK]))
    with pytest.raises(PeerMisbehaved) as caught:
        pump(*pair)
    assert caught.value.reason is Reason.BAD_PSK_BINDER


def test_a_server_with_psks_alone_has_nothing_for_others() -> None:
    pair = connect_pair(client_config(), server_config(psks=[PSK], credentials=[]))
    with pytest.raises(PeerIncompatible) as caught:
        pump(*pair)
    assert caught.value.reason is Reason.NO_SUITABLE_CERTIFICATE


def test_no_tickets_are_given_to_who_has_a_key_already() -> None:
    pair = connect_pair(client_config(psks=[PSK]), server_config(psks=[PSK]))
    client_events, _ = pump(*pair)
    assert not any(isinstance(event, SessionReceived) for event in client_events)


# -- with a HelloRetryRequest

RETRY_CLIENT = {"groups": ["x25519", "secp256r1"], "key_shares": ["x25519"]}
RETRY_SERVER = {"groups": ["secp256r1"]}


def test_the_second_hello_has_binders_of_its_own(twice: Twice) -> None:
    twice.meet()
    assert twice.resumes(RETRY_CLIENT, RETRY_SERVER)
    assert offered(twice.trace) == [1, 1]
    first, second = hellos(twice.trace)
    assert (
        first.extensions.find(ext.OfferedPsks).binders  # type: ignore[attr-defined]
        != second.extensions.find(ext.OfferedPsks).binders  # type: ignore[attr-defined]
    )


def test_the_second_hello_leaves_out_psks_of_another_hash() -> None:
    """RFC 9846 4.2.4: the client "SHOULD NOT offer any pre-shared keys associated with a hash other than" """
    trace = Trace()
    client = client_config(psks=[PSK_384, PSK], trace=trace, **RETRY_CLIENT)
    connection, _ = shake_hands(client, server_config(psks=[PSK], credentials=[], **RETRY_SERVER))
    assert offered(trace) == [2, 1]
    assert connection.negotiated is not None
    assert connection.negotiated.psk_identity == PSK.identity


def test_pre_shared_key_is_the_last_of_both_hellos(twice: Twice) -> None:
    twice.meet()
    twice.meet(RETRY_CLIENT, RETRY_SERVER | {"cookie": True})
    for hello in hellos(twice.trace):
        assert list(hello.extensions)[-1] == ExtensionType.pre_shared_key  # type: ignore[attr-defined]


def test_a_config_is_shared_by_connections() -> None:
    """The store and the ticket keys are the configuration's own: two connections of it resume."""
    client, server = client_config(), server_config()
    shake_hands(client, server)
    again, _ = shake_hands(client, server)
    assert again.negotiated is not None
    assert again.negotiated.resumed
    assert isinstance(client, ClientConfig)
