"""How long a session lives: its ticket, the key that sealed it, and the line that it comes from.

Where one of them has ended, the next handshake is a full one again.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from loopback import NAME, NOW, client_config, connect_pair, credential, pump, server_config

from pellucid.connection import Connection
from pellucid.result import Negotiated
from pellucid.sessions import MAX_LIFETIME_SECONDS, Session, SessionStore, TicketKeys

HOUR = 3600


class Pair:
    """A client and a server that meet again and again, each by its own clock."""

    def __init__(
        self, *, mutual: bool = False, groups: dict[str, list[str]] | None = None, **ticket_knobs: Any
    ) -> None:
        self.server_now = self.client_now = NOW
        self.sessions = SessionStore()
        counter = itertools.count(1)
        self.tickets = TicketKeys(
            lambda length: next(counter).to_bytes(length, "big"), lambda: self.server_now, **ticket_knobs
        )
        shown = laboratory_certificates() if mutual else {"client": {}, "server": {}}
        groups = groups or {}
        self.client = client_config(
            sessions=self.sessions,
            clock=lambda: self.client_now,
            groups=groups.get("client", []),
            **shown["client"],
        )
        self.server = server_config(
            **{
                "tickets": self.tickets,
                "clock": lambda: self.server_now,
                "groups": groups.get("server", []),
                **shown["server"],
            }
        )

    def pass_time(self, seconds: float) -> None:
        self.server_now += seconds
        self.client_now += seconds

    def meet(self) -> Negotiated:
        client, server = connect_pair(self.client, self.server)
        pump(client, server)
        return agreed(client, server)

    def session(self) -> Session:
        found = self.sessions.take(NAME, self.client_now, self.client.session_scope)
        assert found is not None
        return found


def agreed(client: Connection, server: Connection) -> Negotiated:
    assert client.negotiated is not None
    assert server.negotiated is not None
    assert client.negotiated.resumed is server.negotiated.resumed
    return server.negotiated


def laboratory_certificates() -> dict[str, dict[str, Any]]:
    return {
        "client": {"credentials": [credential("ecdsa", "client")]},
        "server": {"client_authentication": "required"},
    }


def test_a_session_resumes_until_its_ticket_expires() -> None:
    pair = Pair(lifetime_seconds=100, rotate_seconds=10)
    pair.meet()
    session = pair.session()
    for age, resumed in ((1, True), (99, True), (100, False), (101, False)):
        pair.client_now = pair.server_now = NOW
        pair.sessions.clear()
        pair.sessions.put(session)
        pair.pass_time(age)
        assert pair.meet().resumed is resumed, age


def test_a_server_does_not_rely_on_the_clients_clock() -> None:
    """A client that offers an expired ticket, because its clock is behind or it does not care."""
    pair = Pair(lifetime_seconds=100)
    pair.meet()
    pair.server_now += 101
    assert not pair.meet().resumed


def test_a_client_offers_no_ticket_of_the_future() -> None:
    """A clock that was set back: the ticket's age cannot be told."""
    pair = Pair()
    pair.meet()
    pair.client_now -= 60
    assert not pair.meet().resumed


def test_a_ticket_opens_while_its_key_is_kept() -> None:
    pair = Pair(rotate_seconds=HOUR, lifetime_seconds=2 * HOUR)
    pair.meet()
    pair.pass_time(2 * HOUR - 1)
    assert pair.meet().resumed


def test_a_ticket_dies_with_its_key() -> None:
    """keep=0: only the newest key opens. The rotation comes with the next ticket that is sealed."""
    pair = Pair(rotate_seconds=60, lifetime_seconds=2 * HOUR, keep=0)
    pair.meet()
    old = pair.session()
    pair.pass_time(61)
    assert not pair.meet().resumed  # nothing in the store: a full handshake, whose ticket has a new key
    pair.sessions.clear()
    pair.sessions.put(old)
    assert not pair.meet().resumed


def test_a_line_of_tickets_ends_a_week_after_the_certificates_were_seen() -> None:
    """RFC 9846 4.7.1: the total lifetime of keying material is limited, however often it is handed on."""
    pair = Pair()
    pair.meet()
    step = 7000
    for count in range(1, MAX_LIFETIME_SECONDS // step + 1):
        pair.pass_time(step)
        assert pair.meet().resumed, count
    pair.pass_time(step)
    assert not pair.meet().resumed
    pair.pass_time(step)
    assert pair.meet().resumed


def test_a_resumed_session_keeps_who_the_client_is() -> None:
    pair = Pair(mutual=True)
    first = pair.meet()
    chain = first.peer_chain
    assert chain == credential("ecdsa", "client").chain
    for _ in range(3):
        again = pair.meet()
        assert again.resumed
        assert again.peer_chain == chain
        assert again.mutual


def test_a_session_of_another_server_name_is_not_taken() -> None:
    pair = Pair()
    pair.meet()
    pair.sessions.put(dataclasses.replace(pair.session(), server_name="127.0.0.1"))
    client, server = connect_pair(pair.client, pair.server, "127.0.0.1")
    pump(client, server)
    assert not agreed(client, server).resumed


# -- with a HelloRetryRequest

RETRIED = {"client": ["x25519", "secp256r1"], "server": ["secp256r1"]}


@pytest.mark.parametrize("mutual", [False, True], ids=["server alone", "mutual"])
def test_a_session_resumes_through_a_hello_retry_request(mutual: bool) -> None:
    """The second hello has a binder of its own, over all that was said (RFC 9846 4.3.11.2)."""
    pair = Pair(mutual=mutual, groups=RETRIED)
    assert not pair.meet().resumed
    for _ in range(2):
        again = pair.meet()
        assert again.resumed
        assert str(again.group) == "secp256r1"


def test_a_session_that_expires_during_a_hello_retry_request_is_not_resumed() -> None:
    pair = Pair(groups=RETRIED, lifetime_seconds=100)
    pair.meet()
    client, server = connect_pair(pair.client, pair.server)
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    pair.pass_time(101)
    pump(client, server)
    assert not agreed(client, server).resumed
