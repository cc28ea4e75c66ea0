"""Sessions of TLS 1.2 that are fixed, foreign, of another version, of another client or of another server.

A session is a shared secret with a name. Whoever can make a peer resume what it should not has that peer skip
the certificates: session fixation, the virtual host confusion of Delignat-Lavaud and Bhargavan (2014),
tickets that outlive a client's certificate, tickets of one version read as of the other. What a session is
bound to is looked at before it is resumed; with anything amiss the handshake starts anew, in full.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from loopback import NAME, client_config, credential, laboratory, pump, server_config, shake_hands
from rogue import Tamper, edit, honest
from rogue12 import (
    By,
    Side,
    client_of,
    meeting,
    messages_in,
    met12,
    refused12,
    server_of,
)

from pellucid import ClientConfig, ClientConnection, ServerConfig, TLSError
from pellucid.codes import AlertDescription, CipherSuite, ExtensionType, ProtocolVersion
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.identity.lab import Laboratory
from pellucid.messages import ClientHello, ServerHello, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.sessions import Session, SessionCache, SessionStore

A = AlertDescription
ILLEGAL = A.illegal_parameter
RESUMED = pytest.mark.parametrize("by", ["ticket", "session ID"])


def service(server: ServerConfig, **knobs: Any) -> ServerConfig:
    """Another configuration of the same service: the same tickets, the same cache."""
    shared = {"tickets": server.ticket_keys or False, "session_cache": server.cache or False}
    return server_of(**(shared | knobs))


def again(client: ClientConfig, server: ServerConfig, tamper: Tamper = honest) -> Connection:
    """The server of another connection between the two, whose handshake is complete."""
    one, other, victim, _ = meeting("server", client, server, tamper)
    pump(one, other)
    assert victim.handshake_complete
    return victim


def resumed(connection: Connection) -> bool:
    assert connection.negotiated is not None
    return connection.negotiated.resumed


def session_of(client: ClientConfig) -> Session:
    """What the client would resume next; it stays in its store."""
    assert client.sessions is not None
    session = client.sessions.take(NAME, client.clock(), client.session_scope)
    assert session is not None
    client.sessions.put(session)
    return session


def holding(session: Session, **knobs: Any) -> ClientConfig:
    """A client that has this session, from wherever."""
    config = client_of(sessions=SessionStore(), **knobs)
    assert config.sessions is not None
    config.sessions.put(dataclasses.replace(session, scope=config.session_scope))
    return config


@RESUMED
def test_a_session_is_resumed_untampered(by: By) -> None:
    """The tests below differ from this one in one thing each."""
    client, server = met12(by=by)
    assert resumed(again(client, server))
    assert resumed(again(client, service(server)))


# -- fixation: who names a session


def hello_of(server: Connection) -> ServerHello:
    answer = decode_handshake(messages_in(server.data_to_send())[0])
    assert isinstance(answer, ServerHello)
    return answer


@pytest.mark.parametrize(
    "chosen", [bytes(32), b"\x01" * 32, b"\x07", b""], ids=["zeros", "ones", "short", "none"]
)
def test_a_client_does_not_choose_the_name_of_a_new_session(chosen: bytes) -> None:
    """The server's is random, and its own; what the client came with names nothing here afterwards."""
    config = server_of(tickets=False)
    names = set()
    for _ in range(2):
        tamper = edit(ClientHello, lambda hello: setattr(hello, "legacy_session_id", chosen))
        one, other, victim, _ = meeting("server", client_of(sessions=None), config, tamper)
        other.receive_data(one.data_to_send())
        flight = other.data_to_send()
        hello = decode_handshake(messages_in(flight)[0])
        assert isinstance(hello, ServerHello)
        names.add(hello.legacy_session_id_echo)
        one.receive_data(flight)
        pump(one, other)
        assert not resumed(victim)
    assert len(names) == 2
    assert all(len(name) == 32 and name != chosen for name in names)
    assert config.cache is not None
    if chosen:
        assert config.cache.find(chosen, config.clock()) is None


def test_a_client_without_a_session_has_none_to_resume() -> None:
    """An ID that was made up, for disguise or for a ticket, is echoed: there is no secret behind it."""
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_session_id_echo", b"\x55" * 32))
    client = client_config(sessions=None, entropy=lambda length: b"\x55" * length)
    refused12(
        "client", Reason.SESSION_MISMATCH, ILLEGAL, change, client=client, server=server_of(tickets=False)
    )


@RESUMED
def test_a_session_of_another_suite_is_not_the_session(by: By) -> None:
    """RFC 5246 7.4.1.3: the suite is "the value from the state of the session being resumed"."""
    gcm, chacha = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    client, server = met12(by=by, cipher_suites=[gcm, chacha])
    change = edit(ServerHello, lambda hello: setattr(hello, "cipher_suite", CipherSuite[chacha]))
    refused12("client", Reason.SESSION_MISMATCH, ILLEGAL, change, client=client, server=server)


@RESUMED
def test_a_session_whose_suite_is_not_offered_any_more_is_not_resumed(by: By) -> None:
    """Or a client could be led back to a suite that it has given up."""
    chacha = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    client, server = met12(by=by)

    def other_suites(hello: ClientHello) -> None:
        hello.cipher_suites = [CipherSuite[chacha]]

    both = service(server, cipher_suites=["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", chacha])
    one, other, victim, _ = meeting("server", client, both, edit(ClientHello, other_suites))
    other.receive_data(one.data_to_send())
    assert hello_of(victim).cipher_suite == CipherSuite[chacha]
    assert victim.state == "WAIT_CKE"


@RESUMED
def test_a_session_whose_suite_is_not_accepted_any_more_is_not_resumed(by: By) -> None:
    gcm, chacha = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    client, server = met12(by=by, cipher_suites=[gcm, chacha])
    assert not resumed(again(client, service(server, cipher_suites=[chacha])))


# -- foreign: who has a session


@RESUMED
def test_the_name_of_a_session_is_worth_nothing_without_its_secret(by: By) -> None:
    """It is sent in clear. The thief hears the server's Finished, and has no key to open it with."""
    client, server = met12(by=by)
    stolen = session_of(client)
    thief = holding(dataclasses.replace(stolen, secret=bytes(48)))
    one, other, victim, _ = meeting("client", thief, server)
    other.receive_data(one.data_to_send())
    with pytest.raises(TLSError) as caught:
        one.receive_data(other.data_to_send())
    assert caught.value.reason is Reason.BAD_RECORD_MAC
    assert other.state == "WAIT_CCS"
    assert not victim.handshake_complete


@RESUMED
def test_a_thief_that_goes_on_all_the_same_is_refused(by: By) -> None:
    client, server = met12(by=by)
    thief = holding(dataclasses.replace(session_of(client), secret=bytes(48)))
    one, _, victim, _ = meeting("server", thief, server)
    victim.receive_data(one.data_to_send())
    victim.data_to_send()
    finished = b"\x14\x03\x03\x00\x01\x01" + b"\x16\x03\x03\x00\x28" + bytes(40)
    with pytest.raises(TLSError) as caught:
        victim.receive_data(finished)
    assert caught.value.reason is Reason.BAD_RECORD_MAC


@RESUMED
def test_a_thief_does_not_take_the_session_from_its_owner(by: By) -> None:
    """RFC 5246 7.2.2 has the sessions of a failed connection forgotten; this one was never the thief's."""
    client, server = met12(by=by)
    thief = holding(dataclasses.replace(session_of(client), secret=bytes(48)))
    one, _, victim, _ = meeting("server", thief, server)
    victim.receive_data(one.data_to_send())
    with pytest.raises(TLSError):
        victim.receive_data(b"\x14\x03\x03\x00\x01\x01" + b"\x16\x03\x03\x00\x28" + bytes(40))
    assert resumed(again(client, server))


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_session_of_a_connection_that_failed_is_used_no_more(side: Side) -> None:
    """RFC 5246 7.2.2: after a fatal alert, the two "MUST forget any session-identifiers"."""
    client, server = met12(by="session ID")
    one, other, victim, _ = meeting(side, client, server)
    pump(one, other)
    with pytest.raises(TLSError):
        victim.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    if side == "client":
        assert client.sessions is not None
        assert client.sessions.take(NAME, client.clock(), client.session_scope) is None
    else:
        assert not resumed(again(client, server))


@RESUMED
def test_another_service_does_not_know_the_session(by: By) -> None:
    client, _ = met12(by=by)
    assert not resumed(again(client, server_of(tickets=by == "ticket")))


def test_an_empty_cache_and_an_unknown_ticket_are_no_fault() -> None:
    """A ticket of bytes that nobody sealed, an ID that nobody gave: the handshake is a full one."""
    session = session_of(met12()[0])
    for forged in (
        dataclasses.replace(session, ticket=bytes(200)),
        dataclasses.replace(session, ticket=b"\x00"),
        dataclasses.replace(session, ticket=b"", session_id=bytes(32)),
    ):
        assert not resumed(again(holding(forged), server_of()))


# -- another server


@RESUMED
def test_a_session_with_another_name_is_not_resumed(by: By) -> None:
    """Virtual host confusion: two names, one cache, one of them with another certificate."""
    client, server = met12(by=by)
    elsewhere = edit(
        ClientHello,
        lambda hello: hello.extensions.add(ext.ServerNameList([ext.ServerName(0, b"elsewhere.test")])),
    )
    one, other, victim, _ = meeting("server", client, server, elsewhere)
    other.receive_data(one.data_to_send())
    assert victim.state == "WAIT_CKE"


@RESUMED
def test_a_session_with_a_certificate_that_the_server_no_longer_has_is_not_resumed(by: By) -> None:
    client, server = met12(by=by)
    renewed = credential("ecdsa", "server", (NAME, "renewed.test"))
    assert not resumed(again(client, service(server, credentials=[renewed])))


# -- another client


@RESUMED
def test_who_the_client_was_is_told_again(by: By) -> None:
    """The resumed connection has the identity of the first one, and the certificate is judged anew."""
    mutual = {"client_authentication": "required", "trust": laboratory().trust}
    server = server_of(tickets=by == "ticket", **mutual)
    client = client_of(credentials=[credential("ecdsa", "client")])
    first, _ = shake_hands(client, server)
    victim = again(client, server)
    assert resumed(victim)
    assert victim.negotiated is not None
    assert victim.negotiated.mutual
    assert victim.negotiated.peer_chain == credential("ecdsa", "client").chain
    assert victim.negotiated.peer_identity is not None
    assert first.negotiated is not None
    assert first.negotiated.mutual


@RESUMED
def test_a_session_without_a_certificate_does_not_resume_where_one_is_required(by: By) -> None:
    """The way around client authentication: a session is made where it is not asked for, and used here."""
    client, server = met12(by=by)
    strict = service(server, client_authentication="required", trust=laboratory().trust)
    one, other, victim, _ = meeting("server", client, strict)
    other.receive_data(one.data_to_send())
    assert victim.state == "WAIT_CERT"


@RESUMED
def test_a_session_with_a_certificate_does_not_resume_where_none_is_asked_for(by: By) -> None:
    server = server_of(tickets=by == "ticket", client_authentication="required", trust=laboratory().trust)
    client = client_of(credentials=[credential("ecdsa", "client")])
    shake_hands(client, server)
    assert not resumed(again(client, service(server)))


@RESUMED
def test_a_session_does_not_outlive_the_trust_in_its_client(by: By) -> None:
    """The authority is trusted no more: its certificates count for nothing, in a session neither."""
    server = server_of(tickets=by == "ticket", client_authentication="optional", trust=laboratory().trust)
    client = client_of(credentials=[credential("ecdsa", "client")])
    shake_hands(client, server)
    other_trust = Laboratory(b"another", client.clock()).trust
    strict = service(server, client_authentication="optional", trust=other_trust)
    one, other, victim, _ = meeting("server", client, strict)
    other.receive_data(one.data_to_send())
    assert victim.state == "WAIT_CERT"


def test_a_client_does_not_resume_as_somebody_else() -> None:
    """A session made with one certificate is not offered by a configuration that has another, or none."""
    store = SessionStore()
    server = server_of(client_authentication="optional", trust=laboratory().trust)
    shake_hands(client_of(sessions=store, credentials=[credential("ecdsa", "client")]), server)
    for other in (
        client_of(sessions=store),
        client_of(sessions=store, credentials=[credential("ecdsa", "client", ("somebody.else",))]),
    ):
        assert not resumed(again(other, server))


@RESUMED
def test_a_client_that_trusts_others_now_does_not_resume(by: By) -> None:
    """A resumed handshake shows no certificate, so that nothing would be held against the new roots."""
    store = SessionStore()
    met12(by=by, sessions=store)
    narrower = client_of(sessions=store, trust=Laboratory(b"another", client_of().clock()).trust)
    client = ClientConnection(narrower, NAME)
    hello = decode_handshake(client.data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    assert hello.extensions.find(ext.SessionTicket) == ext.SessionTicket(b"")
    assert hello.legacy_session_id == b""


@RESUMED
def test_a_client_that_asks_for_more_now_does_not_resume_what_had_less(by: By) -> None:
    """A session of somebody who did without an extended master secret is none for who requires it."""
    store = SessionStore()
    lenient = client_of(sessions=store, extended_master_secret="optional")
    shake_hands(lenient, server_of(extended_master_secret="never", tickets=by == "ticket"))
    assert not resumed(again(client_of(sessions=store), server_of(tickets=by == "ticket")))


# -- another version


def test_a_ticket_of_tls_12_is_no_psk() -> None:
    """One service seals tickets of both versions with the same keys; each says of which it is."""
    old, server = met12(by="ticket")
    ticket = session_of(old)
    new = server_config(tickets=server.ticket_keys or False)
    assert ticket.ticket
    disguised = dataclasses.replace(
        ticket,
        protocol=ProtocolVersion.TLSv1_3,
        cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256,
        secret=ticket.secret[:32],
    )
    client = client_config()
    assert client.sessions is not None
    client.sessions.put(dataclasses.replace(disguised, scope=client.session_scope))
    victim = again(client, new)
    assert victim.negotiated is not None
    assert victim.negotiated.protocol is ProtocolVersion.TLSv1_3
    assert not resumed(victim)


def test_a_psk_of_tls_13_is_no_ticket_of_tls_12() -> None:
    client, server = client_config(), server_config()
    shake_hands(client, server)
    session = session_of(client)
    assert session.protocol is ProtocolVersion.TLSv1_3
    disguised = dataclasses.replace(
        session,
        protocol=ProtocolVersion.TLSv1_2,
        cipher_suite=CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        secret=session.secret + bytes(16),
    )
    victim = again(holding(disguised), service(server, protocols=["TLSv1.3", "TLSv1.2"], cipher_suites=()))
    assert victim.negotiated is not None
    assert victim.negotiated.protocol is ProtocolVersion.TLSv1_2
    assert not resumed(victim)


@RESUMED
def test_a_session_of_tls_12_does_not_keep_a_client_from_tls_13(by: By) -> None:
    """Both are offered, and the server takes the higher version: what was resumed stays behind."""
    client = client_config()
    shake_hands(client, server_of(tickets=by == "ticket"))
    assert session_of(client).protocol is ProtocolVersion.TLSv1_2
    victim = again(client, server_config())
    assert victim.negotiated is not None
    assert victim.negotiated.protocol is ProtocolVersion.TLSv1_3
    assert not resumed(victim)


@RESUMED
def test_a_session_of_tls_12_does_not_make_a_server_of_both_resume_it_in_tls_13(by: By) -> None:
    """The same service, upgraded: the client comes with its session, and is told of TLS 1.3."""
    client = client_config()
    before = server_of(tickets=by == "ticket")
    shake_hands(client, before)
    after = server_config(tickets=before.ticket_keys or False, session_cache=before.cache or False)
    victim = again(client, after)
    assert victim.negotiated is not None
    assert victim.negotiated.protocol is ProtocolVersion.TLSv1_3
    assert not resumed(victim)


def test_a_session_of_tls_12_is_not_offered_by_who_speaks_tls_13_alone() -> None:
    store = SessionStore()
    shake_hands(client_config(sessions=store), server_of())
    client = ClientConnection(client_config(sessions=store, protocols=["TLSv1.3"]), NAME)
    hello = decode_handshake(client.data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    assert ExtensionType.session_ticket not in hello.extensions
    assert ExtensionType.pre_shared_key not in hello.extensions


# -- a ticket from the wire


def ticket_of(change: Callable[[bytes], bytes]) -> Tamper:
    def edit_ticket(hello: ClientHello) -> None:
        found = hello.extensions.find(ext.SessionTicket)
        assert found is not None
        assert found.ticket
        found.ticket = change(found.ticket)

    return edit(ClientHello, edit_ticket)


def test_a_ticket_with_any_byte_changed_is_not_ours() -> None:
    """AES-256-GCM under the server's key. A full handshake follows, as with no ticket."""
    client, server = met12()
    session = session_of(client)
    for at in range(0, len(session.ticket), 7):

        def flip(ticket: bytes, at: int = at) -> bytes:
            return ticket[:at] + bytes([ticket[at] ^ 0x10]) + ticket[at + 1 :]

        one, other, victim, _ = meeting("server", holding(session), server, ticket_of(flip))
        other.receive_data(one.data_to_send())
        assert victim.state == "WAIT_CKE", at


@pytest.mark.parametrize("ticket", [b"\x00", bytes(15), bytes(64), bytes(1000), b"\xff" * 30_000], ids=len)
def test_a_ticket_of_any_length_is_judged(ticket: bytes) -> None:
    client, server = met12()
    one, other, victim, _ = meeting("server", client, server, ticket_of(lambda _: ticket))
    other.receive_data(one.data_to_send())
    assert victim.state == "WAIT_CKE"


def test_a_cache_of_nothing_resumes_nothing() -> None:
    server = server_of(tickets=False, session_cache=SessionCache(capacity=0))
    client = client_of()
    shake_hands(client, server)
    assert not resumed(again(client, server))
