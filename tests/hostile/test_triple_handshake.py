"""Triple Handshake (2014): two connections with one master secret, and a third handshake that mixes them up.

Somebody between a client and a server who both talk to *him* makes both connections have the same randoms and
the same premaster secret, and so the same master secret (RFC 7627 1). A resumption then has the same Finished
on both sides of him, and a renegotiation with a client's certificate in it is believed by the server. The
extended master secret (RFC 7627) is of the whole handshake, certificates and all, and that is its end. First
the attack is carried out where both sides gave the protection up by name; then everything that is in its way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from loopback import NAME, connect_pair, credential, laboratory, pump, shake_hands
from rogue import edit, plaintext, send
from rogue12 import EXCHANGES, By, Side, alerts_of, client_of, met12, refused12, server_of

from pellucid import ClientConfig, ClientConnection, Misuse, ServerConfig, ServerConnection
from pellucid.codes import AlertDescription, AlertLevel, ContentType, ExtensionType
from pellucid.connection import Connection
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake import exchange12
from pellucid.messages import ClientHello, ServerHello, decode_handshake, tls12
from pellucid.messages import extensions as ext
from pellucid.sessions import Session

FAILURE = AlertDescription.handshake_failure
BOTH = pytest.mark.parametrize("side", ["client", "server"])
EACH = pytest.mark.parametrize("exchange", EXCHANGES)
EMS = ExtensionType.extended_master_secret
EXPORT = (b"EXPORTER-of-ours", None, 32)


def without_extension(hello: Any) -> None:
    hello.extensions.pop(EMS)


# -- the attack


class Middle(NamedTuple):
    """A client and a server that both talk to somebody in the middle, and the master secrets of both."""

    client: ClientConnection
    server: ServerConnection
    secrets: dict[str, list[bytes]]


def scripted(*first: bytes) -> Callable[[int], bytes]:
    """Entropy that gives these, and then the system's."""
    values = list(first)

    def entropy(length: int) -> bytes:
        if values and len(values[0]) == length:
            return values.pop(0)
        return os.urandom(length)

    return entropy


def first_message(data: bytes) -> Any:
    """The hello at the front of a flight."""
    end = 9 + int.from_bytes(data[6:9], "big")
    return decode_handshake(data[5:end])


def in_the_middle(monkeypatch: pytest.MonkeyPatch, protection: str) -> Middle:
    """The first of the three handshakes. ``protection``: the knob extended_master_secret of the honest two.

    Whoever is in the middle shows the client a certificate that he may have (to the client he is "localhost",
    by a phish or by being another virtual host), and makes both connections alike.
    """
    secrets: dict[str, list[bytes]] = {"client": [], "server": []}
    premasters: list[bytes] = []

    def key_log(side: str) -> Callable[[str, bytes, bytes], object]:
        return lambda _label, _random, secret: secrets[side].append(secret)

    knobs = {"extended_master_secret": protection}
    client = ClientConnection(client_of("RSA", key_log=key_log("client"), **knobs), NAME)
    server = ServerConnection(server_of("RSA", key_log=key_log("server"), tickets=False, **knobs))
    to_middle = client.data_to_send()
    random = first_message(to_middle).random
    # Towards the server he uses the client's random, and towards the client the server's.
    middle_client = ClientConnection(
        client_of("RSA", extended_master_secret="optional", sessions=None, entropy=scripted(random)), NAME
    )
    server.receive_data(middle_client.data_to_send())
    from_server = server.data_to_send()
    hello = first_message(from_server)
    own = credential("rsa", "server", (NAME, "middle.test"))
    middle_server = ServerConnection(
        server_of(
            "RSA",
            extended_master_secret="optional",
            tickets=False,
            credentials=[own],
            entropy=scripted(hello.random, hello.legacy_session_id_echo),
        )
    )
    monkeypatch.setattr(
        exchange12,
        "_trace_premaster",
        lambda hs, _formula, _inputs, value: premasters.append(value) if hs is middle_server._hs else None,
    )
    middle_server.receive_data(to_middle)
    pump(client, middle_server)
    # And he sends the server the premaster secret that the client has sent him.
    monkeypatch.setattr(middle_client._hs, "entropy", scripted(premasters[0][2:]))
    middle_client.receive_data(from_server)
    pump(middle_client, server)
    assert client.handshake_complete
    assert server.handshake_complete
    return Middle(client, server, secrets)


def test_without_protection_both_connections_have_one_master_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack works, so what follows shows that the protection is what ends it."""
    middle = in_the_middle(monkeypatch, "never")
    assert middle.secrets["client"] == middle.secrets["server"]
    # There it ends all the same: what has no protection leaves no session for the second handshake.
    assert first_session(middle.client) is None
    assert len(middle.server._hs.config.cache) == 0


def test_with_it_they_have_two(monkeypatch: pytest.MonkeyPatch) -> None:
    middle = in_the_middle(monkeypatch, "required")
    assert middle.secrets["client"] != middle.secrets["server"]
    exported = [end.export_keying_material(*EXPORT) for end in (middle.client, middle.server)]
    assert exported[0] != exported[1]


def test_the_second_handshake_does_not_resume_across_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's session, which is the middle's, is offered to the server: that knows the ID."""
    middle = in_the_middle(monkeypatch, "required")
    session = first_session(middle.client)
    assert session is not None
    again = ClientConnection(middle.client._hs.config, NAME)
    server = ServerConnection(middle.server._hs.config)
    server.receive_data(again.data_to_send())
    to_client = server.data_to_send()
    assert first_message(to_client).legacy_session_id_echo == session.session_id
    with pytest.raises(Exception, match="does not authenticate") as caught:
        again.receive_data(to_client)
    assert caught.value.reason is Reason.BAD_RECORD_MAC  # type: ignore[attr-defined]


def first_session(client: Connection) -> Session | None:
    """What the client would resume next; it stays in the store."""
    config = client._hs.config
    session: Session | None = config.sessions.take(NAME, config.clock(), config.session_scope)
    if session is not None:
        config.sessions.put(session)
    return session


# -- the protection is there


@pytest.mark.parametrize("policy", ["default", "compatible", "modern"])
def test_every_policy_offers_it_and_none_goes_without_unaskedly(policy: str) -> None:
    config = ClientConfig(policy=policy, trust=laboratory().trust)
    hello = first_message(ClientConnection(config, NAME).data_to_send())
    assert (EMS in hello.extensions) is (policy != "modern")
    if policy == "default":
        assert config.extended_master_secret == "required"


@EACH
@BOTH
def test_who_requires_it_goes_no_further_without(side: Side, exchange: str) -> None:
    """RFC 7627 5.2: who "does not wish to interoperate" with such a peer aborts the handshake."""
    lacking = {"extended_master_secret": "never"}
    client = client_of(exchange, sessions=None, **(lacking if side == "server" else {}))
    server = server_of(exchange, **(lacking if side == "client" else {}))
    refused12(side, Reason.EXTENDED_MASTER_SECRET_MISSING, FAILURE, client=client, server=server)


@pytest.mark.parametrize("side, hello", [("server", ClientHello), ("client", ServerHello)])
def test_a_peer_that_leaves_it_out_is_refused(side: Side, hello: Any) -> None:
    reason = Reason.EXTENDED_MASTER_SECRET_MISSING
    refused12(side, reason, FAILURE, edit(hello, without_extension))


@EACH
def test_it_is_not_taken_out_on_the_way(exchange: str) -> None:
    """Where both sides would do without: the Finished covers the hellos as each side saw them."""
    optional = {"extended_master_secret": "optional"}
    client, server = connect_pair(client_of(exchange, **optional), server_of(exchange, **optional))
    hello = first_message(client.data_to_send())
    without_extension(hello)
    server.receive_data(plaintext(ContentType.handshake, hello.encode()))
    client.receive_data(server.data_to_send())
    with pytest.raises(PeerMisbehaved) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is Reason.BAD_FINISHED


# -- what depends on it


@BOTH
def test_without_it_nothing_is_exported(side: Side) -> None:
    """RFC 7627 1: the same on both connections, an exported value would authenticate nobody."""
    knobs = {"extended_master_secret": "optional"}
    pair = shake_hands(client_of(**knobs), server_of(extended_master_secret="never"))
    end = pair[0] if side == "client" else pair[1]
    with pytest.raises(Misuse) as caught:
        end.export_keying_material(*EXPORT)
    assert caught.value.reason is Reason.NOT_EXPORTABLE
    assert end.failure is None


def test_with_it_both_ends_export_the_same() -> None:
    client, server = shake_hands(client_of(), server_of())
    assert client.export_keying_material(*EXPORT) == server.export_keying_material(*EXPORT)


# -- resumption across


def lenient(server: ServerConfig, exchange: str = "ECDHE_ECDSA") -> ServerConfig:
    """Another configuration of the same service, which can do with the extension and without."""
    return server_of(
        exchange,
        extended_master_secret="optional",
        tickets=server.ticket_keys or False,
        session_cache=server.cache or False,
    )


@pytest.mark.parametrize("by", ["ticket", "session ID"])
def test_a_server_refuses_a_session_with_it_where_the_client_has_it_no_more(by: By) -> None:
    """RFC 7627 5.3: in this case "the server MUST abort the abbreviated handshake"."""
    client, server = met12(by=by)
    refused12(
        "server",
        Reason.EXTENDED_MASTER_SECRET_CHANGED,
        FAILURE,
        edit(ClientHello, without_extension),
        client=client,
        server=server_of(
            extended_master_secret="optional", tickets=server.ticket_keys or False, session_cache=server.cache
        ),
    )


@pytest.mark.parametrize("by", ["ticket", "session ID"])
def test_a_client_refuses_a_session_with_it_that_is_resumed_without(by: By) -> None:
    """RFC 7627 5.3: "the client MUST abort the handshake", in both directions."""
    client, server = met12(by=by)
    refused12(
        "client",
        Reason.EXTENDED_MASTER_SECRET_CHANGED,
        FAILURE,
        edit(ServerHello, without_extension),
        client=client,
        server=server,
    )


@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session ID"])
@pytest.mark.parametrize("lacking", ["client", "server"])
@EACH
def test_a_connection_without_it_leaves_nothing_to_resume(exchange: str, lacking: str, tickets: bool) -> None:
    """RFC 7627 5.3 and 5.4: such a session could have been made with somebody in the middle."""
    knobs = {side: "never" if side == lacking else "optional" for side in ("client", "server")}
    client = client_of(exchange, extended_master_secret=knobs["client"])
    server = server_of(exchange, extended_master_secret=knobs["server"], tickets=tickets)
    for _ in range(2):
        for end in shake_hands(client, server):
            assert end.negotiated is not None
            assert not end.negotiated.resumed
        assert client.sessions is not None
        assert client.sessions.take(NAME, client.clock(), client.session_scope) is None
        assert server.cache is not None
        assert len(server.cache) == 0


def test_a_client_does_not_offer_a_session_without_it() -> None:
    """One that an application has kept from elsewhere."""
    config, _ = met12()
    assert config.sessions is not None
    session = config.sessions.take(NAME, config.clock(), config.session_scope)
    assert session is not None
    config.sessions.put(replace(session, extended_master_secret=False))
    hello = first_message(ClientConnection(config, NAME).data_to_send())
    assert hello.legacy_session_id == b""
    assert hello.extensions.find(ext.SessionTicket) == ext.SessionTicket(b"")


@pytest.mark.parametrize("exchange", ["RSA", "ECDHE_ECDSA"])
def test_a_server_does_not_resume_a_session_without_it(exchange: str) -> None:
    """RFC 7627 5.3: "the server MUST NOT perform the abbreviated handshake." The new session has it."""
    client, server = met12(exchange, by="session ID")
    assert client.sessions is not None
    assert server.cache is not None
    session = client.sessions.take(NAME, client.clock(), client.session_scope)
    assert session is not None
    client.sessions.put(session)
    state = server.cache.find(session.session_id, client.clock())
    assert state is not None
    server.cache.put(session.session_id, replace(state, extended_master_secret=False))
    for end in shake_hands(client, server):
        assert end.negotiated is not None
        assert not end.negotiated.resumed
        assert end.export_keying_material(*EXPORT)


# -- the third handshake


@BOTH
def test_there_is_no_third_handshake(side: Side) -> None:
    """Renegotiation is what the attack was for. It is refused, and the connection goes on as it was."""
    asking = server_of(client_authentication="optional", trust=laboratory().trust)
    client, server = shake_hands(client_of(sessions=None), asking)
    victim, other = (client, server) if side == "client" else (server, client)
    exported = victim.export_keying_material(*EXPORT)
    hello = client_hello() if side == "server" else tls12.HelloRequest().encode()
    with alerts_of(victim) as alerts:
        victim.receive_data(send(other, hello))
    assert alerts == [bytes((AlertLevel.warning, AlertDescription.no_renegotiation))]
    assert victim.failure is None
    assert victim.export_keying_material(*EXPORT) == exported
    assert victim.negotiated is not None
    assert not victim.negotiated.mutual


def client_hello() -> bytes:
    return ClientConnection(client_of(), NAME).data_to_send()[5:]
