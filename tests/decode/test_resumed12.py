"""TLS 1.2 that goes on with a session, or begins another handshake: as far as a capture shows it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from loopback import NOW
from watching12 import (
    ECDHE,
    Talk,
    add_record,
    checks,
    decode,
    detail,
    events_of,
    names,
    raw_of,
    say_something,
    sealed,
    talk12,
)

from pellucid import ClientConnection, ServerConnection
from pellucid.sessions import TicketKeys
from pellucid.trace import Trace
from pellucid.trace.events import ChoiceEvent, DataEvent, RecordEvent

BOTH = ["client", "server"]


@pytest.fixture(scope="module")
def resumed() -> Talk:
    return talk12(ECDHE, times=2)


# -- sessions from elsewhere


def test_a_session_that_began_elsewhere_is_not_opened(resumed: Talk) -> None:
    later = Talk(resumed.traces[1:], resumed.key_log)
    [decoded] = decode(later.capture(with_keys=False))
    assert sealed(decoded) == [(side, "unseen_session") for side in BOTH]
    assert detail(decoded) == (
        "The client resumes a session by its ticket; no session of this capture was opened before; no "
        "secrets were given, by a key log or in the capture."
    )
    assert decoded.outcome is not None
    assert (decoded.outcome.status, decoded.outcome.resumed) == ("connected", True)


def test_a_session_of_a_connection_that_was_not_opened_is_none_either(resumed: Talk) -> None:
    first, second = decode(resumed.capture(with_keys=False))
    assert {reason for _, reason in sealed(first)} == {"no_secrets"}
    assert {reason for _, reason in sealed(second)} == {"unseen_session"}


def renamed(trace: Trace, *, ticket: bool) -> Trace:
    """The resumed connection with empty session IDs in both hellos, and with or without its ticket."""

    def edited(raw: bytes) -> bytes:
        if raw[:1] + raw[5:6] not in (b"\x16\x01", b"\x16\x02") or raw[43] != 32:
            return raw
        message = raw[5:43] + b"\0" + raw[76:]
        if not ticket and message[0] == 1:
            place = message.index(
                b"\0\x23", 43
            )  # the extension session_ticket gets a number that nobody knows
            message = message[:place] + b"\xee\xee" + message[place + 2 :]
        message = message[:1] + (len(message) - 4).to_bytes(3, "big") + message[4:]
        return raw[:3] + len(message).to_bytes(2, "big") + message

    other = Trace(clock=float, started_at=trace.started_at)
    found = (event for event in trace.events if isinstance(event, RecordEvent))
    other.events += [replace(event, raw=edited(event.raw)) for event in found]
    return other


def test_a_ticket_without_a_session_id_shows_by_how_the_server_goes_on(resumed: Talk) -> None:
    first, second = resumed.traces
    talk = Talk([first, renamed(second, ticket=True)], resumed.key_log[:1])
    _, decoded = decode(talk.capture())
    chosen = [e for e in events_of(decoded) if isinstance(e, ChoiceEvent) and e.what == "session"]
    assert [(e.chosen, e.rule) for e in chosen] == [("ticket", "the server goes on with it")]
    assert sealed(decoded) == []
    # The hellos are not those that the two have seen.
    assert {check.what for check in checks(events_of(decoded)) if not check.ok} == {"finished"}


def test_a_session_that_the_client_has_not_offered_is_not_followed(resumed: Talk) -> None:
    first, second = resumed.traces
    _, decoded = decode(Talk([first, renamed(second, ticket=False)], resumed.key_log).capture())
    assert sealed(decoded) == [(side, "not_followed") for side in BOTH]
    assert detail(decoded) == "The server goes on with a session that the client has not offered."


def test_a_ticket_that_is_renewed_is_known_from_then_on() -> None:
    moment = [NOW]

    def now() -> float:
        return moment[0]

    def say_something_later(us: ClientConnection, them: ServerConnection) -> None:
        say_something(us, them)
        moment[0] += 4000  # more than half of a ticket's two hours

    server = {"clock": now, "tickets": TicketKeys(os.urandom, now)}
    talk = talk12(ECDHE, client={"clock": now}, server=server, times=3, act=say_something_later)
    first, second, third = decode(talk.capture(with_keys=False), key_log=talk.key_log[0])
    assert "NewSessionTicket" in names(second)
    for one in (first, second, third):
        assert sealed(one) == []
    assert third.outcome is not None
    assert third.outcome.resumed


def test_a_session_of_an_older_version_is_seen_to_be_resumed(resumed: Talk) -> None:
    later = Talk(resumed.traces[1:])
    raw = raw_of(later, "ServerHello")
    [decoded] = decode(later.capture().replace(raw, raw[:4] + b"\3\1" + raw[6:]))
    assert decoded.outcome is not None
    assert decoded.outcome.resumed


# -- handshakes within a connection


@pytest.fixture
def idle() -> Talk:
    """Connected, and nothing said."""
    return talk12(ECDHE, act=lambda _us, _them: None)


HELLO_REQUEST = bytes(4)


def test_another_handshake_is_told_until_the_server_agrees_to_it(idle: Talk) -> None:
    [trace] = idle.traces
    add_record(trace, "server", 22, HELLO_REQUEST)
    add_record(trace, "client", 22, raw_of(idle, "ClientHello"))
    add_record(trace, "server", 22, raw_of(idle, "ServerHello"))
    add_record(trace, "client", 23, b"not to be read")
    [decoded] = decode(idle.capture())
    assert names(decoded)[-3:] == ["HelloRequest", "ClientHello", "ServerHello"]
    assert sealed(decoded) == [(side, "not_followed") for side in BOTH]
    assert not any(isinstance(event, DataEvent) for event in events_of(decoded))
    assert decoded.outcome is not None
    assert decoded.outcome.status == "connected"


def test_a_refused_handshake_leaves_the_connection_as_it_was(idle: Talk) -> None:
    [trace] = idle.traces
    add_record(trace, "client", 22, raw_of(idle, "ClientHello"))
    add_record(trace, "server", 21, b"\1\x64")  # a warning, no_renegotiation
    add_record(trace, "client", 23, b"hello")
    [decoded] = decode(idle.capture())
    assert names(decoded)[-1] == "ClientHello"
    assert sealed(decoded) == []
    assert [e.length for e in events_of(decoded) if isinstance(e, DataEvent)] == [5, 5]


def test_what_never_comes_so_late_is_told_and_not_followed(idle: Talk) -> None:
    add_record(idle.traces[0], "client", 22, raw_of(idle, "ServerHelloDone"))
    [decoded] = decode(idle.capture())
    assert sealed(decoded) == [("client", "not_followed")]
