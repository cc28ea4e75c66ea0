"""Forged, foreign and stolen tickets: none of them resumes anything.

A ticket that the server cannot open is ignored, and the handshake is a full one (RFC 9846 4.3.11); one that
it can open is worth nothing without the key that its binder proves (4.3.11.2).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from loopback import NAME, NOW, client_config, clock, connect_pair, pump, server_config
from rogue import edit, rogue_client, run, server_refuses

from pellucid import ClientConfig, ServerConfig, ServerConnection
from pellucid.codes import AlertDescription, ExtensionType
from pellucid.errors import Reason
from pellucid.messages import ClientHello
from pellucid.messages import extensions as ext
from pellucid.sessions import Session, SessionStore, TicketKeys

DECRYPT_ERROR = AlertDescription.decrypt_error


def counted() -> Callable[[int], bytes]:
    """Entropy that repeats from run to run."""
    calls = iter(range(1, 1 << 30))
    return lambda length: next(calls).to_bytes(length, "big")


def met() -> tuple[Session, ServerConfig]:
    """A session and the server that it is with."""
    config, server = client_config(), server_config(tickets=TicketKeys(counted(), clock))
    pump(*connect_pair(config, server))
    assert config.sessions is not None
    session = config.sessions.take(NAME, NOW, config.session_scope)
    assert session is not None
    return session, server


def holding(session: Session) -> ClientConfig:
    """A client that has this session."""
    config = client_config(groups=["x25519"], sessions=SessionStore())
    assert config.sessions is not None
    config.sessions.put(dataclasses.replace(session, scope=config.session_scope))
    return config


def resumes(session: Session, server: ServerConfig) -> bool:
    client, other = connect_pair(holding(session), server)
    pump(client, other)
    assert client.negotiated is not None
    assert other.negotiated is not None
    assert client.negotiated.resumed is other.negotiated.resumed
    return client.negotiated.resumed


def test_the_ticket_itself_resumes() -> None:
    session, server = met()
    assert resumes(session, server)


def test_a_ticket_with_any_byte_changed_does_not_resume() -> None:
    session, server = met()
    for offset in range(len(session.ticket)):
        forged = bytearray(session.ticket)
        forged[offset] ^= 0x01 if offset % 2 else 0x80
        assert not resumes(dataclasses.replace(session, ticket=bytes(forged)), server), offset


def test_a_ticket_of_any_other_length_does_not_resume() -> None:
    session, server = met()
    lengths = [1, 15, 16, 27, 28, 43, 44, 45, len(session.ticket) - 1]
    for length in lengths:
        assert not resumes(dataclasses.replace(session, ticket=session.ticket[:length]), server), length
    assert not resumes(dataclasses.replace(session, ticket=session.ticket + b"\x00"), server)
    assert not resumes(dataclasses.replace(session, ticket=bytes(20_000)), server)


def test_a_ticket_of_another_server_does_not_resume() -> None:
    session, _ = met()
    assert not resumes(session, server_config())


def test_a_stolen_ticket_without_its_key_is_refused() -> None:
    """A ticket goes over the wire in clear: whoever sees it there does not have the key in it."""
    session, server = met()
    thief = holding(dataclasses.replace(session, secret=bytes(len(session.secret))))
    victim = ServerConnection(server)
    rogue = rogue_client(config=thief)
    error = run(rogue, victim, victim)
    assert error.reason is Reason.BAD_PSK_BINDER
    assert victim.data_to_send()[-1] == DECRYPT_ERROR
    assert not victim.handshake_complete


def test_a_binder_with_any_byte_changed_is_refused() -> None:
    session, server = met()
    for offset in range(len(session.secret)):

        def flip(hello: ClientHello, at: int = offset) -> None:
            psks = hello.extensions.find(ext.OfferedPsks)
            assert psks is not None
            psks.binders[0] = (
                psks.binders[0][:at] + bytes([psks.binders[0][at] ^ 1]) + psks.binders[0][at + 1 :]
            )

        server_refuses(
            edit(ClientHello, flip),
            Reason.BAD_PSK_BINDER,
            DECRYPT_ERROR,
            client=holding(session),
            server=server,
        )


def longer(hello: ClientHello) -> None:
    hello.extensions[ExtensionType.pre_shared_key].binders[0] += b"\x00"


def of_sha384(hello: ClientHello) -> None:
    hello.extensions[ExtensionType.pre_shared_key].binders[0] = bytes(48)


def another_age(hello: ClientHello) -> None:
    hello.extensions[ExtensionType.pre_shared_key].identities[0].obfuscated_ticket_age ^= 1


def another_random(hello: ClientHello) -> None:
    hello.random = bytes(32)


def a_suite_less(hello: ClientHello) -> None:
    hello.cipher_suites.pop()


def identities_twice(hello: ClientHello) -> None:
    psks = hello.extensions[ExtensionType.pre_shared_key]
    psks.identities *= 2
    psks.binders *= 2


@pytest.mark.parametrize(
    "change",
    [longer, of_sha384, another_age, another_random, a_suite_less, identities_twice],
    ids=lambda change: change.__name__,
)
def test_a_binder_is_of_one_hello(change: Callable[[ClientHello], Any]) -> None:
    """It covers all of the hello up to the binders: nothing in it can be changed by who lacks the key."""
    session, server = met()
    server_refuses(
        edit(ClientHello, change),
        Reason.BAD_PSK_BINDER,
        DECRYPT_ERROR,
        client=holding(session),
        server=server,
    )


def test_only_the_binder_of_the_psk_that_is_taken_is_looked_at() -> None:
    """RFC 9846 4.3.11: others would tell an attacker which identities exist."""
    session, server = met()

    def unknown_behind(hello: ClientHello) -> None:
        psks = hello.extensions[ExtensionType.pre_shared_key]
        psks.identities.append(ext.PskIdentity(b"unknown", 0))
        psks.binders.append(bytes(32))

    # The first binder is of a shorter hello now, and so this ends; not for the second's being wrong.
    server_refuses(
        edit(ClientHello, unknown_behind),
        Reason.BAD_PSK_BINDER,
        DECRYPT_ERROR,
        client=holding(session),
        server=server,
    )


def test_the_server_decrypts_no_more_than_a_few_identities() -> None:
    """Each costs a decryption: a hello full of them is not looked through."""
    session, server = met()
    opened: list[bytes] = []
    keys = server.ticket_keys
    assert keys is not None
    original = keys.open
    keys.open = lambda ticket, *rest: opened.append(ticket) or original(ticket, *rest)  # type: ignore[method-assign,func-returns-value]

    def many(hello: ClientHello) -> None:
        psks = hello.extensions[ExtensionType.pre_shared_key]
        psks.identities[:] = [ext.PskIdentity(b"%d" % number, 0) for number in range(500)]
        psks.binders[:] = [bytes(32)] * 500

    victim = ServerConnection(server)
    rogue = rogue_client(edit(ClientHello, many), holding(session))
    victim.receive_data(rogue.data_to_send())
    assert len(opened) <= 8
    assert victim.state == "WAIT_FINISHED"
