"""TLS 1.2: what is left of a connection: which session either side keeps, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from loopback import NAME, client12, credential, laboratory, pump, server12
from meeting import Meeting
from rogue import edit, plaintext, rogue_server

from pellucid import (
    AlertReceived,
    ClientConnection,
    Credential,
    DataReceived,
    HandshakeCompleted,
    Reason,
    Session,
    SessionCache,
    SessionReceived,
    SessionStore,
    TicketKeys,
    TLSError,
)
from pellucid.codes import AlertDescription, ContentType, ExtensionType
from pellucid.connection import Connection
from pellucid.messages import ServerHello, tls12
from pellucid.sessions import MAX_LIFETIME_SECONDS, MAX_SESSION_ID_SECONDS
from pellucid.sessions.session import MAX_CHAIN_BYTES, MAX_KEPT_TICKET_BYTES

V12 = {"protocols": ["TLSv1.2"]}
HOUR, DAY = 3_600, 86_400
E = ExtensionType


@pytest.fixture(params=["ticket", "session ID"])
def meeting(request: pytest.FixtureRequest) -> Meeting:
    return Meeting(request.param, V12, V12)


def kept(meeting: Meeting) -> Session | None:
    """The client's session, which stays where it is."""
    session = meeting.sessions.take(NAME, meeting.now, client12().session_scope)
    if session is not None:
        meeting.sessions.put(session)
    return session


# -- what a full handshake leaves


def test_a_full_handshake_leaves_a_session(meeting: Meeting) -> None:
    """The client is told of it when the handshake is complete, not before."""
    client, _ = meeting.meet()
    assert [type(event) for event in meeting.events] == [HandshakeCompleted, SessionReceived]
    (session,) = meeting.received
    assert session == kept(meeting)
    assert client.negotiated is not None
    assert session.protocol == client.negotiated.protocol
    assert session.cipher_suite == client.negotiated.cipher_suite
    assert session.extended_master_secret
    assert len(session.secret) == 48
    assert session.peer_chain == credential().chain
    assert (bool(session.ticket), len(session.session_id)) == (
        (True, 0) if meeting.kind == "ticket" else (False, 32)
    )


@pytest.mark.parametrize("ours, theirs", [("never", "optional"), ("optional", "never"), ("never", "never")])
def test_a_secret_that_does_not_depend_on_the_handshake_is_kept_by_nobody(
    meeting: Meeting, ours: str, theirs: str
) -> None:
    """RFC 7627 5.3: such a session is neither offered nor resumed."""
    meeting.meet({"extended_master_secret": ours}, {"extended_master_secret": theirs})
    assert meeting.received == []
    assert (len(meeting.sessions), len(meeting.cache)) == (0, 0)
    assert "NewSessionTicket" not in meeting.messages()
    assert meeting.hello("ServerHello").legacy_session_id_echo == b""


def test_a_client_does_not_keep_one_that_it_is_given_either() -> None:
    never, optional = {"extended_master_secret": "never"}, {"extended_master_secret": "optional"}
    meeting = Meeting("ticket", V12 | optional, V12 | never)
    meet_rogue(meeting, edit(ServerHello, lambda hello: setattr(hello, "legacy_session_id_echo", b"an ID")))
    assert meeting.received == []
    assert len(meeting.sessions) == 0


def test_a_ticket_lasts_as_long_as_the_server_says() -> None:
    meeting = Meeting("ticket", V12, V12)
    meeting.tickets = TicketKeys(lambda n: bytes(range(n)), meeting.clock, lifetime_seconds=600)
    meeting.meet()
    assert meeting.received[0].lifetime_seconds == 600


def test_a_session_id_lasts_a_day_as_far_as_the_client_knows() -> None:
    """RFC 5246 F.1.4: "An upper limit of 24 hours is suggested for session ID lifetimes"."""
    meeting = Meeting("session ID", V12, V12)
    meeting.meet()
    assert meeting.received[0].lifetime_seconds == MAX_SESSION_ID_SECONDS == DAY


def test_the_server_keeps_what_it_gave_an_id_for() -> None:
    meeting = Meeting("session ID", V12, V12)
    meeting.meet()
    state = meeting.cache.find(meeting.received[0].session_id, meeting.now)
    assert state is not None
    assert state.secret == meeting.received[0].secret
    assert (state.server_name, state.extended_master_secret) == (NAME, True)


def test_the_server_keeps_nothing_where_it_gave_a_ticket() -> None:
    """RFC 5077 3.4: and its session ID is empty, for there is nothing to find by it."""
    meeting = Meeting("ticket", V12, V12)
    meeting.meet()
    assert len(meeting.cache) == 0
    assert meeting.hello("ServerHello").legacy_session_id_echo == b""


def test_a_client_that_wants_no_ticket_is_given_an_id() -> None:
    """It may keep sessions all the same: not everybody knows tickets."""
    meeting = Meeting("ticket", V12, V12)
    meeting.meet({"sessions": None})
    assert len(meeting.cache) == 1
    assert len(meeting.hello("ServerHello").legacy_session_id_echo) == 32
    assert meeting.received == []


def test_a_server_that_gives_no_tickets_gives_an_id() -> None:
    meeting = Meeting("ticket", V12, V12)
    meeting.meet({}, {"tickets_per_handshake": 0})
    assert meeting.received[0].session_id
    assert meeting.resumes({}, {"tickets_per_handshake": 0})


def test_every_session_id_is_another() -> None:
    meeting = Meeting("session ID", V12, V12)
    ids = set()
    for _ in range(4):
        meeting.meet({"sessions": SessionStore()})
        ids.add(meeting.received[0].session_id)
    assert len(ids) == 4


def test_a_failed_handshake_leaves_nothing() -> None:
    """The server has heard no Finished yet: what it would remember is not worth it."""
    meeting = Meeting("session ID", V12, V12)
    client, server = meeting.pair()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send()[:-1])
    assert (len(meeting.cache), len(meeting.sessions)) == (0, 0)


# -- what a resumption leaves


def test_a_session_serves_many_times(meeting: Meeting) -> None:
    """Nothing of it is used up: it goes back into the store, and is not told of again."""
    meeting.meet()
    session = kept(meeting)
    for _ in range(4):
        assert meeting.resumes()
        assert meeting.received == []
        assert kept(meeting) is session
        assert len(meeting.sessions) == 1


def test_a_session_is_out_of_the_store_while_it_is_offered(meeting: Meeting) -> None:
    meeting.meet()
    client, server = meeting.pair()
    assert len(meeting.sessions) == 0
    pump(client, server)
    assert len(meeting.sessions) == 1


@pytest.mark.parametrize("age_seconds, renewed", [(HOUR, False), (HOUR + 1, True)])
def test_a_ticket_is_renewed_after_half_of_its_life(age_seconds: int, renewed: bool) -> None:
    meeting = Meeting("ticket", V12, V12)
    meeting.meet()
    first = meeting.received[0]
    meeting.now += age_seconds
    assert meeting.resumes()
    assert meeting.messages().count("NewSessionTicket") == renewed
    assert [session is kept(meeting) for session in meeting.received] == [True] * renewed
    if renewed:
        second = meeting.received[0]
        assert (second.secret, second.authenticated_at) == (first.secret, first.authenticated_at)
        assert second.ticket != first.ticket
        assert second.received_at == meeting.now


def test_a_line_of_tickets_ends_after_seven_days() -> None:
    """Or the one handshake with a certificate would do for ever."""
    meeting = Meeting("ticket", V12, V12)
    numbers = iter(range(1, 1 << 20))
    meeting.tickets = TicketKeys(
        lambda n: next(numbers).to_bytes(n, "big"), meeting.clock, lifetime_seconds=MAX_LIFETIME_SECONDS
    )
    meeting.meet()
    meeting.now += 4 * DAY
    assert meeting.resumes()
    assert len(meeting.received) == 1
    meeting.now += 3 * DAY - 1
    assert meeting.resumes()
    meeting.now += 1
    assert not meeting.resumes()
    assert meeting.offered == ""


def test_a_session_id_is_not_renewed() -> None:
    meeting = Meeting("session ID", V12, V12)
    meeting.meet()
    meeting.now += HOUR + 1
    assert meeting.resumes()
    assert meeting.received == []
    meeting.now += HOUR
    assert not meeting.resumes()


# -- the server's NewSessionTicket, as it may be

TICKET = tls12.NewSessionTicket


def meet_rogue(meeting: Meeting, *tampers: Any) -> ClientConnection:
    meeting.trace.events.clear()
    client = ClientConnection(client12(**meeting.client_knobs()), NAME)

    def tamper(hs: Any, message: Any) -> list[bytes]:
        for one in tampers:
            (message.raw,) = one(hs, message)
        return [message.raw]

    meeting.events, _ = pump(client, rogue_server(tamper, server12(**meeting.server_knobs())))
    assert client.handshake_complete
    return client


def set_ticket(**values: Any) -> Any:
    return edit(TICKET, lambda message: [setattr(message, name, value) for name, value in values.items()])


def test_an_empty_ticket_is_none() -> None:
    """RFC 5077 3.3: a server that has changed its mind "sends a zero-length ticket"."""
    meeting = Meeting("ticket", V12, V12)
    meet_rogue(meeting, set_ticket(ticket=b""))
    assert "NewSessionTicket" in meeting.messages()
    assert meeting.received == []
    assert len(meeting.sessions) == 0


def test_an_empty_ticket_in_a_resumption_leaves_the_one_that_there_was() -> None:
    meeting = Meeting("ticket", V12, V12)
    meeting.meet()
    session = kept(meeting)
    meeting.now += HOUR + 1
    client = meet_rogue(meeting, set_ticket(ticket=b""))
    assert client.negotiated is not None
    assert client.negotiated.resumed
    assert meeting.received == []
    assert kept(meeting) is session
    assert meeting.resumes()


def test_an_empty_ticket_beside_a_session_id_leaves_the_id() -> None:
    """RFC 5077 3.4 has the ID discarded for a ticket, and an empty one is none."""
    meeting = Meeting("ticket", V12, V12)
    name_it = edit(ServerHello, lambda hello: setattr(hello, "legacy_session_id_echo", b"an ID"))
    meet_rogue(meeting, name_it, set_ticket(ticket=b""))
    assert [session.session_id for session in meeting.received] == [b"an ID"]


def test_a_ticket_counts_more_than_a_session_id() -> None:
    """RFC 5077 3.4: the client then "discards any Session ID that was sent in the ServerHello"."""
    meeting = Meeting("ticket", V12, V12)
    meet_rogue(meeting, edit(ServerHello, lambda hello: setattr(hello, "legacy_session_id_echo", b"an ID")))
    (session,) = meeting.received
    assert (bool(session.ticket), session.session_id) == (True, b"")


def test_a_ticket_of_no_lifetime_lasts_a_day() -> None:
    """RFC 5077 3.3: zero is "to indicate that the lifetime of the ticket is unspecified"."""
    meeting = Meeting("ticket", V12, V12)
    meet_rogue(meeting, set_ticket(ticket_lifetime_hint=0))
    assert meeting.received[0].lifetime_seconds == DAY


def test_no_ticket_lasts_longer_than_seven_days() -> None:
    """RFC 9846 4.7.1 has the limit; in TLS 1.2 a hint of 2^32-1 is as good as any."""
    meeting = Meeting("ticket", V12, V12)
    meet_rogue(meeting, set_ticket(ticket_lifetime_hint=2**32 - 1))
    session = meeting.received[0]
    assert not session.expired(meeting.now + MAX_LIFETIME_SECONDS - 1)
    assert session.expired(meeting.now + MAX_LIFETIME_SECONDS)


@pytest.mark.parametrize(
    "size, fits", [(1, True), (MAX_KEPT_TICKET_BYTES, True), (MAX_KEPT_TICKET_BYTES + 1, False)]
)
def test_a_ticket_that_fits_no_hello_is_not_kept(size: int, fits: bool) -> None:
    meeting = Meeting("ticket", V12, V12)
    meet_rogue(meeting, set_ticket(ticket=bytes(size)))
    assert len(meeting.received) == len(meeting.sessions) == fits


def test_the_longest_ticket_is_offered_again() -> None:
    meeting = Meeting("ticket", V12, V12)
    meet_rogue(meeting, set_ticket(ticket=bytes(MAX_KEPT_TICKET_BYTES)))
    assert not meeting.resumes()
    assert meeting.offered == "ticket"


def test_a_client_with_a_huge_chain_gets_an_empty_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket holds the chain and comes back in a ClientHello. The connection itself is none the worse."""
    issued = laboratory().issue(names=("client.test",), purpose="client")
    chain = (issued.certificate, *issued.issuers)
    client = {"credentials": [Credential.from_objects(chain, issued.private_key)]}
    asking = {"client_authentication": "required", "trust": laboratory().trust}
    size = sum(map(len, client["credentials"][0].chain))
    assert size < MAX_CHAIN_BYTES
    for most, given in ((size, True), (size - 1, False)):
        meeting = Meeting("ticket", V12, V12)
        monkeypatch.setattr("pellucid.handshake.resume12.MAX_CHAIN_BYTES", most)
        pair = meeting.meet(client, asking)
        assert "NewSessionTicket" in meeting.messages()
        assert len(meeting.received) == given
        pair[0].send_data(b"alive")
        assert pair[1].receive_data(pair[0].data_to_send()) == [DataReceived(b"alive")]


# -- after a failure


def fail(connection: Connection) -> TLSError:
    with pytest.raises(TLSError) as caught:
        connection.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    return caught.value


def cut_off(connection: Connection) -> TLSError:
    with pytest.raises(TLSError) as caught:
        connection.receive_eof()
    return caught.value


@pytest.mark.parametrize("resumed", [False, True], ids=["made", "resumed"])
def test_a_client_forgets_the_session_of_a_connection_that_failed(meeting: Meeting, resumed: bool) -> None:
    """RFC 5246 7.2.2: "any connection terminated with a fatal alert MUST NOT be resumed"."""
    client, _ = meeting.meet()
    if resumed:
        client, _ = meeting.meet()
    assert len(meeting.sessions) == 1
    assert fail(client).reason is Reason.BAD_RECORD_MAC
    assert len(meeting.sessions) == 0
    assert not meeting.resumes()


@pytest.mark.parametrize("resumed", [False, True], ids=["made", "resumed"])
def test_a_server_forgets_the_session_of_a_connection_that_failed(resumed: bool) -> None:
    """Of a ticket it cannot: that is with the client."""
    meeting = Meeting("session ID", V12, V12)
    _, server = meeting.meet()
    if resumed:
        _, server = meeting.meet()
    assert len(meeting.cache) == 1
    fail(server)
    assert len(meeting.cache) == 0
    assert not meeting.resumes()
    assert meeting.server_said == "unknown"


def test_both_forget_it_where_one_tells_the_other(meeting: Meeting) -> None:
    client, server = meeting.meet()
    fail(server)
    with pytest.raises(AlertReceived):
        client.receive_data(server.data_to_send())
    assert len(meeting.sessions) == 0


def test_a_connection_that_is_cut_off_leaves_its_session(meeting: Meeting) -> None:
    """RFC 5246 7.2.1: that "no longer requires that a session not be resumed"."""
    for connection in meeting.meet():
        assert cut_off(connection).reason is Reason.TRUNCATED
    assert meeting.resumes()


def test_a_connection_that_is_closed_leaves_its_session(meeting: Meeting) -> None:
    client, server = meeting.meet()
    client.close()
    server.close()
    pump(client, server)
    assert meeting.resumes()


def test_a_session_whose_resumption_fails_is_gone_at_the_client(meeting: Meeting) -> None:
    meeting.meet()
    client, _ = meeting.pair()
    with pytest.raises(TLSError):
        client.receive_data(plaintext(ContentType.alert, bytes((2, AlertDescription.handshake_failure))))
    assert len(meeting.sessions) == 0


def test_nobody_makes_a_server_forget_a_session_by_its_id() -> None:
    """It goes over the wire in clear: who has seen it could end what the client has."""
    meeting = Meeting("session ID", V12, V12)
    meeting.meet()
    client, server = meeting.pair()
    server.receive_data(client.data_to_send())
    assert server.state == "WAIT_CCS"
    with pytest.raises(TLSError):
        server.receive_data(plaintext(ContentType.alert, b"\x02\x28"))
    assert len(meeting.cache) == 1


def test_a_cache_may_serve_several_configurations() -> None:
    cache = SessionCache()
    client = client12()
    for _ in range(2):
        pair = (
            ClientConnection(client, NAME),
            rogue_server(config=server12(session_cache=cache, tickets=False)),
        )
        pump(*pair)
    assert pair[0].negotiated is not None
    assert pair[0].negotiated.resumed
