"""What is said of a ClientHello depends on what it offers, and on when it comes, not on what comes of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from loopback import client12, client_config, connect_pair, pump, server12, server_config
from rogue import connected_rogue, framed, plaintext, send

from pellucid import (
    AlertReceived,
    ClientConnection,
    PeerIncompatible,
    ServerConnection,
    TLSError,
    Trace,
)
from pellucid.codes import AlertDescription, AlertLevel, ContentType, HandshakeType, ProtocolVersion
from pellucid.connection import Connection
from pellucid.messages import ClientHello, decode_handshake
from pellucid.sessions import SessionCache, SessionStore
from pellucid.trace import Event, MessageEvent
from pellucid.trace.explanations import explanations
from pellucid.trace.failure import Diagnosis
from pellucid.trace.narration import Step, narrate
from pellucid.trace.summary import final_outcome, summarise


def first_step(client: dict[str, Any], server: dict[str, Any]) -> Step:
    """How the client's side of a connection is told, whatever comes of it, from its first step."""
    trace = Trace()
    with suppress(TLSError):
        pump(*connect_pair(client_config(trace=trace, **client), server_config(**server)))
    return narrate(trace.events)[0]


OLD, NEW = {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.3"]}


@pytest.mark.parametrize("server", [{}, OLD, NEW], ids=["both", "TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    "client, identifier", [({}, ":both"), (OLD, ":tls12"), (NEW, "")], ids=["both", "TLS 1.2", "TLS 1.3"]
)
def test_a_hello_is_told_by_what_it_offers(
    client: dict[str, Any], server: dict[str, Any], identifier: str
) -> None:
    assert first_step(client, server).id == f"message:ClientHello{identifier}:client"


def test_a_hello_that_offers_both_has_a_session_id_with_a_meaning() -> None:
    texts = explanations()
    assert "leftovers" in texts["message:ClientHello"].textbook
    assert "leftover" not in texts["message:ClientHello:both"].textbook


def test_a_server_tells_of_a_hello_that_is_too_old_what_it_is() -> None:
    trace = Trace()
    hello = decode_handshake(ClientConnection(client12(), "localhost").data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    hello.legacy_version = ProtocolVersion.TLSv1
    server = ServerConnection(server_config(trace=trace))
    with pytest.raises(PeerIncompatible):
        server.receive_data(plaintext(ContentType.handshake, hello.encode()))
    assert narrate(trace.events)[0].id == "message:ClientHello:tls12:client"
    names = [
        field.name for event in trace.events if isinstance(event, MessageEvent) for field in event.fields
    ]
    assert "client_version" in names


# -- another handshake within the connection


def asked_for_another(side: str) -> tuple[Trace, Connection, Connection]:
    """A connection whose ``side`` has told the other one that there is no second handshake."""
    trace = Trace()
    victim, rogue = connected_rogue(side, client=client12(trace=trace), server=server12(trace=trace))
    asks = framed(HandshakeType.hello_request)
    if side == "server":
        asks = ClientConnection(client12(), "localhost").data_to_send()[5:]
    victim.receive_data(send(rogue, asks))
    return trace, victim, rogue


def of_side(trace: Trace, side: str) -> list[Event]:
    return [event for event in trace.events if event.side == side]


@pytest.mark.parametrize(
    "side, identifier",
    [("server", "message:ClientHello:renegotiation:client"), ("client", "message:HelloRequest:tls12:server")],
)
def test_who_asks_for_another_handshake_is_told_as_asking_for_that(side: str, identifier: str) -> None:
    trace, _, _ = asked_for_another(side)
    step = next(s for s in narrate(of_side(trace, side)) if s.id == identifier)
    assert "asks for another handshake within the connection (renegotiation)" in step.purpose
    assert step.protection.endswith("session key")


@pytest.mark.parametrize("side", ["client", "server"])
def test_who_gives_up_as_there_is_no_other_handshake_has_it_said(side: str) -> None:
    trace, victim, rogue = asked_for_another(side)
    fatal = bytes((AlertLevel.fatal, AlertDescription.handshake_failure))
    rogue._driver.writer.queue(ContentType.alert, fatal)
    with pytest.raises(AlertReceived):
        victim.receive_data(rogue.data_to_send())
    outcome = final_outcome(of_side(trace, side))
    assert outcome is not None
    assert isinstance(outcome.failure, Diagnosis)
    assert outcome.failure.id == "renegotiation_refused"
    assert "cipher suite" not in outcome.failure.possible


def test_the_alert_is_explained_truly_for_either_version() -> None:
    text = explanations()["alert:no_renegotiation"].text
    assert "TLS 1.2" in text
    assert "TLS 1.3" in text


# -- what a session is resumed by


@pytest.mark.parametrize("tickets, by", [(True, ":ticket"), (False, "")])
def test_what_a_resumed_session_hangs_on_depends_on_what_it_was_resumed_by(tickets: bool, by: str) -> None:
    client = client12(sessions=SessionStore())
    server = server12(tickets=tickets, session_cache=SessionCache())
    trace = Trace()
    for watch in (None, trace):
        pump(*connect_pair(replace(client, trace=watch), server))
    found = summarise(trace.events).forward_secrecy
    assert found == f"forward_secrecy:session{by}"
    assert ("ticket" in explanations()[found].text) == tickets
