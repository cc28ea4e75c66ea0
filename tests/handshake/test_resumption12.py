"""TLS 1.2: which sessions are resumed, by ticket or by session ID, and each reason why one is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from loopback import (
    NAME,
    NOW,
    client12,
    credential,
    laboratory,
    pump,
    server12,
)
from meeting import Meeting
from rogue import assert_refused, edit, rogue_client, rogue_server, run

from pellucid import ClientConnection, Reason, ServerConnection, TrustStore
from pellucid.codes import AlertDescription, ExtensionType, ProtocolVersion
from pellucid.config import fingerprint
from pellucid.identity.lab import Laboratory
from pellucid.messages import ClientHello, ServerHello
from pellucid.messages import extensions as ext
from pellucid.sessions import TicketState

A, E = AlertDescription, ExtensionType
V12, V13 = {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.3"]}
AES_128, AES_256 = (f"TLS_ECDHE_ECDSA_WITH_AES_{bits}" for bits in ("128_GCM_SHA256", "256_GCM_SHA384"))
ASKING = {"client_authentication": "optional", "trust": laboratory().trust}
ALICE = {"credentials": [credential(purpose="client", names=("alice.test",))]}
UNKNOWN = "unknown"


@pytest.fixture(params=["ticket", "session ID"])
def meeting(request: pytest.FixtureRequest) -> Meeting:
    """Sessions of TLS 1.2, of either kind; nobody but the server knows the difference."""
    return Meeting(request.param, V12, V12)


def test_a_session_is_resumed(meeting: Meeting) -> None:
    assert not meeting.resumes()
    assert meeting.server_said == ""
    assert meeting.resumes()
    assert meeting.offered == meeting.kind
    assert meeting.server_said == f"the client's {meeting.kind} is one of ours"
    assert meeting.client_said == "the server echoes its ID"


def test_a_resumed_handshake_has_half_the_messages(meeting: Meeting) -> None:
    meeting.resumes()
    meeting.resumes()
    assert meeting.messages() == [
        "ClientHello", "ServerHello", "ChangeCipherSpec", "Finished", "ChangeCipherSpec", "Finished",
    ]  # fmt: skip


def test_the_client_knows_the_server_from_the_first_time(meeting: Meeting) -> None:
    meeting.resumes()
    client, server = meeting.meet()
    assert client.negotiated is not None
    assert client.negotiated.peer_chain == credential().chain
    assert client.negotiated.server_name == NAME
    assert server.negotiated is not None
    assert server.negotiated.server_name == NAME


def test_each_connection_has_keys_of_its_own(meeting: Meeting) -> None:
    """Though the master secret is the same: both randoms go into the key block."""
    meeting.resumes()
    first, second = meeting.meet()[0], meeting.meet()[0]
    exported = [client.export_keying_material(b"EXPERIMENTAL label", None, 32) for client in (first, second)]
    assert exported[0] != exported[1]


# -- what the server no longer knows


def test_a_session_that_nobody_knows_is_not_resumed(meeting: Meeting) -> None:
    meeting.resumes()
    meeting.forget()
    assert not meeting.resumes()
    assert meeting.offered == meeting.kind
    assert meeting.server_said == UNKNOWN
    assert meeting.client_said == "the server does not echo its ID: it starts anew"


@pytest.mark.parametrize("age_seconds, resumed", [(7_199, True), (7_200, False)])
def test_a_session_lasts_two_hours(meeting: Meeting, age_seconds: int, resumed: bool) -> None:
    """The client cannot tell how long a session ID is good for; a ticket says it."""
    meeting.resumes()
    meeting.now += age_seconds
    assert meeting.resumes() is resumed
    offered = resumed or meeting.kind == "session ID"
    assert meeting.offered == (meeting.kind if offered else "")
    if offered and not resumed:
        assert meeting.server_said == "expired"


def test_a_session_without_a_server_that_keeps_any_is_not_resumed() -> None:
    meeting = Meeting("ticket", V12, V12)
    none = {"tickets": False, "session_cache": False}
    assert not meeting.resumes({}, none)
    assert not meeting.resumes({}, none)
    assert meeting.offered == ""


def test_a_client_that_keeps_no_sessions_asks_for_none(meeting: Meeting) -> None:
    for _ in range(2):
        assert not meeting.resumes({"sessions": None})
        assert meeting.offered == ""
        assert E.session_ticket not in meeting.hello("ClientHello").extensions


def test_with_a_ticket_no_session_is_looked_up_by_its_id() -> None:
    """RFC 5077 3.4: the server "MUST NOT attempt to use the Session ID" then."""
    meeting = Meeting("session ID", V12, V12)
    meeting.resumes()

    def add_ticket(hello: ClientHello) -> None:
        assert hello.legacy_session_id
        hello.extensions.add(ext.SessionTicket(b"a ticket of somebody else's"))

    client = rogue_client(edit(ClientHello, add_ticket), client12(**meeting.client_knobs()))
    server = ServerConnection(server12(**meeting.server_knobs() | {"tickets": True}))
    pump(client, server)
    assert server.negotiated is not None
    assert not server.negotiated.resumed
    assert meeting.server_said == UNKNOWN


def test_a_ticket_may_come_without_an_id() -> None:
    """RFC 5077 3.4: "the client MAY include an empty Session ID", and is answered by an empty one."""
    meeting = Meeting("ticket", V12, V12)
    meeting.resumes()
    meeting.trace.events.clear()
    tamper = edit(ClientHello, lambda hello: setattr(hello, "legacy_session_id", b""))
    client = rogue_client(tamper, client12(**meeting.client_knobs()))
    server = ServerConnection(server12(**meeting.server_knobs()))
    server.receive_data(client.data_to_send())
    assert server.state == "WAIT_CCS"
    assert meeting.server_said == "the client's ticket is one of ours"
    assert meeting.hello("ServerHello").legacy_session_id_echo == b""


# -- another name, suite or certificate


def test_a_session_with_another_name_is_not_resumed(meeting: Meeting) -> None:
    """RFC 6066 3: a server "MUST NOT accept the request to resume the session" then."""
    meeting.resumes()

    def rename(hello: ClientHello) -> None:
        hello.extensions.add(ext.ServerNameList([ext.ServerName(0, b"other.test")]))

    client = rogue_client(edit(ClientHello, rename), client12(**meeting.client_knobs()))
    server = ServerConnection(server12(**meeting.server_knobs()))
    pump(client, server)
    assert server.negotiated is not None
    assert not server.negotiated.resumed
    assert meeting.server_said == "the session was with another server name"


def test_a_session_is_offered_to_its_server_alone(meeting: Meeting) -> None:
    meeting.resumes()
    assert not meeting.resumes(name="127.0.0.1")
    assert meeting.offered == ""


def test_a_session_whose_suite_the_server_gave_up_is_not_resumed(meeting: Meeting) -> None:
    both = {"cipher_suites": [AES_128, AES_256]}
    meeting.resumes(both, both)
    assert not meeting.resumes(both, {"cipher_suites": [AES_256]})
    assert meeting.server_said == "the session's suite is not accepted any more"


def test_a_session_whose_suite_the_client_gave_up_is_not_offered(meeting: Meeting) -> None:
    """RFC 5246 7.4.1.2: cipher_suites "MUST include at least the cipher_suite from that session"."""
    meeting.resumes()
    assert not meeting.resumes({"cipher_suites": [AES_256]})
    assert meeting.offered == ""


def test_a_session_whose_suite_the_client_does_not_offer_is_not_resumed(meeting: Meeting) -> None:
    both = {"cipher_suites": [AES_128, AES_256]}
    meeting.resumes(both, both)
    tamper = edit(ClientHello, lambda hello: hello.cipher_suites.pop(0))
    client = rogue_client(tamper, client12(**meeting.client_knobs(), **both))
    server = ServerConnection(server12(**meeting.server_knobs(), **both))
    pump(client, server)
    assert server.negotiated is not None
    assert not server.negotiated.resumed
    assert meeting.server_said == "the client does not offer the session's suite"


def test_a_session_of_a_certificate_that_is_gone_is_not_resumed(meeting: Meeting) -> None:
    old, new = laboratory().credential(names=(NAME, "old.test")), credential()
    assert not meeting.resumes({}, {"credentials": [old]})
    assert not meeting.resumes({}, {"credentials": [new]})
    assert meeting.server_said == "the session was with a certificate that we no longer have"
    assert meeting.resumes({}, {"credentials": [old, new]})


def test_a_session_ends_with_the_servers_certificate(meeting: Meeting) -> None:
    """A resumed handshake shows none: it would live for ever."""
    short = laboratory().credential(names=(NAME,), validity=(NOW - 60, NOW + 600))
    both = {"credentials": [short, credential()]}
    meeting.resumes({}, both)
    meeting.now += 599
    assert meeting.resumes({}, both)
    meeting.now += 2
    assert not meeting.resumes({}, {"credentials": [credential()]})
    assert meeting.offered == ""


# -- who the client is


def test_a_session_remembers_who_the_client_is(meeting: Meeting) -> None:
    meeting.resumes(ALICE, ASKING)
    client, server = meeting.meet(ALICE, ASKING)
    for connection in (client, server):
        assert connection.negotiated is not None
        assert connection.negotiated.resumed
        assert connection.negotiated.mutual
    assert server.negotiated is not None
    assert server.negotiated.peer_chain == ALICE["credentials"][0].chain
    assert server.negotiated.peer_identity is not None
    assert server.negotiated.peer_identity.names == ("alice.test",)


def test_a_session_with_a_client_certificate_is_for_servers_that_ask_for_one(meeting: Meeting) -> None:
    meeting.resumes(ALICE, ASKING)
    assert not meeting.resumes(ALICE)
    assert meeting.server_said == "the session has a client certificate, and none is asked for"


def test_a_session_without_a_client_certificate_is_not_for_servers_that_need_one(meeting: Meeting) -> None:
    meeting.resumes(ALICE)
    assert not meeting.resumes(ALICE, ASKING | {"client_authentication": "required"})
    assert meeting.server_said == "the session has no client certificate"


def test_a_session_ends_with_the_trust_in_the_clients_certificate(meeting: Meeting) -> None:
    meeting.resumes(ALICE, ASKING)
    other = TrustStore.from_certificates([Laboratory(b"another", NOW).root], "another")
    server = {"client_authentication": "optional", "trust": other}
    # The handshake with certificates that comes of it fails: the server trusts this client no more.
    error = meeting.fails(ALICE, server)
    assert error.reason is Reason.UNKNOWN_ROOT
    assert meeting.server_said.startswith("the session's client certificate is no longer accepted: ")


def test_a_session_ends_with_the_clients_certificate(meeting: Meeting) -> None:
    validity = (NOW - 60, NOW + 600)
    short = laboratory().credential(names=("alice.test",), purpose="client", validity=validity)
    meeting.resumes({"credentials": [short]}, ASKING)
    meeting.now += 601
    assert meeting.fails({"credentials": [short]}, ASKING).reason is Reason.CERTIFICATE_EXPIRED
    assert meeting.server_said.startswith("the session's client certificate is no longer accepted: ")


@pytest.mark.parametrize(
    "knobs",
    [
        {"credentials": [credential(purpose="client", names=("bob.test",))]},
        {"credentials": []},
        ALICE
        | {"trust": TrustStore.from_certificates([laboratory().root, Laboratory(b"another", NOW).root])},
        ALICE | {"extended_master_secret": "optional"},
        ALICE | {"protocols": ["TLSv1.3", "TLSv1.2"]},
    ],
    ids=["another certificate", "none", "other roots", "less of a master secret", "another version as well"],
)
def test_a_session_is_for_the_client_that_made_it(meeting: Meeting, knobs: dict[str, Any]) -> None:
    """It verifies nobody again, and could say of a client that it is somebody else than it wants to be."""
    meeting.resumes(ALICE, ASKING)
    assert not meeting.resumes(knobs, ASKING)
    assert meeting.offered == ""
    assert meeting.resumes(ALICE, ASKING)


# -- extended_master_secret (RFC 7627 5.3)

OPTIONAL, NEVER = {"extended_master_secret": "optional"}, {"extended_master_secret": "never"}


def without_extension(hello: ClientHello | ServerHello) -> None:
    hello.extensions.pop(E.extended_master_secret, None)


def test_a_session_with_it_is_resumed_with_it(meeting: Meeting) -> None:
    meeting.resumes(OPTIONAL, OPTIONAL)
    assert meeting.resumes(OPTIONAL, OPTIONAL)
    assert E.extended_master_secret in meeting.hello("ClientHello").extensions
    assert E.extended_master_secret in meeting.hello("ServerHello").extensions


def test_a_handshake_without_it_leaves_nothing_to_resume(meeting: Meeting) -> None:
    """RFC 7627 5.3: where neither has it, to resume would be "legacy insecure resumption"."""
    for knobs in ((OPTIONAL, NEVER), (NEVER, OPTIONAL), (NEVER, NEVER)):
        for _ in range(2):
            assert not meeting.resumes(*knobs)
            assert meeting.offered == ""
            assert meeting.received == []


def older(meeting: Meeting) -> None:
    """Both remember a session that was made without it, and the client thinks that it was with it."""
    scope = client12(**OPTIONAL).session_scope
    session = meeting.sessions.take(NAME, meeting.now, scope)
    assert session is not None
    state = TicketState(
        protocol=ProtocolVersion.TLSv1_2,
        suite=session.cipher_suite,
        secret=session.secret,
        extended_master_secret=False,
        created_at=meeting.now,
        lifetime_seconds=7_200,
        server_name=NAME,
        server_identity=fingerprint(credential()),
    )
    if meeting.kind == "ticket":
        session = replace(session, ticket=meeting.tickets.seal(state))
    else:
        meeting.cache.put(session.session_id, state)
    meeting.sessions.put(session)


ON_BOTH = "without an extended master secret on both occasions nothing is resumed"


def test_a_session_without_it_is_not_resumed_where_the_client_has_it_now(meeting: Meeting) -> None:
    """The server "MUST NOT perform the abbreviated handshake"; it goes on with a full one."""
    meeting.resumes(OPTIONAL, OPTIONAL)
    older(meeting)
    assert not meeting.resumes(OPTIONAL, OPTIONAL)
    assert meeting.offered == meeting.kind
    assert meeting.server_said == ON_BOTH
    assert meeting.resumes(OPTIONAL, OPTIONAL)


def test_a_session_without_it_is_not_resumed_where_nobody_has_it_now(meeting: Meeting) -> None:
    meeting.resumes(OPTIONAL, OPTIONAL)
    older(meeting)
    client = rogue_client(
        edit(ClientHello, without_extension), client12(**meeting.client_knobs(), **OPTIONAL)
    )
    server = ServerConnection(server12(**meeting.server_knobs(), **OPTIONAL))
    server.receive_data(client.data_to_send())
    assert server.state == "WAIT_CKE"
    assert meeting.server_said == ON_BOTH


def test_a_session_with_it_is_not_resumed_by_a_server_that_gave_it_up(meeting: Meeting) -> None:
    meeting.resumes(OPTIONAL, OPTIONAL)
    assert not meeting.resumes(OPTIONAL, NEVER)
    assert meeting.server_said == ON_BOTH


def test_a_client_that_forgets_it_is_refused(meeting: Meeting) -> None:
    """The server "MUST abort the abbreviated handshake"."""
    meeting.resumes(OPTIONAL, OPTIONAL)
    client = rogue_client(
        edit(ClientHello, without_extension), client12(**meeting.client_knobs(), **OPTIONAL)
    )
    server = ServerConnection(server12(**meeting.server_knobs(), **OPTIONAL))
    error = run(client, server, server)
    assert_refused(server, client, error, Reason.EXTENDED_MASTER_SECRET_CHANGED, A.handshake_failure)


def test_a_server_that_forgets_it_is_refused(meeting: Meeting) -> None:
    """If only the original session used the extension, "the client MUST abort the handshake"."""
    meeting.resumes(OPTIONAL, OPTIONAL)
    client = ClientConnection(client12(**meeting.client_knobs(), **OPTIONAL), NAME)
    server = rogue_server(
        edit(ServerHello, without_extension), server12(**meeting.server_knobs(), **OPTIONAL)
    )
    error = run(client, server, client)
    assert_refused(client, server, error, Reason.EXTENDED_MASTER_SECRET_CHANGED, A.handshake_failure)


# -- one store and one set of ticket keys for both versions


def test_sessions_of_both_versions_are_kept_side_by_side() -> None:
    """A client takes the newest; where the server has another version by now, both start anew."""
    meeting = Meeting("ticket", {}, {})
    assert not meeting.resumes({}, V12)
    assert meeting.resumes({}, V12)
    assert not meeting.resumes({}, V13)
    assert meeting.offered == "ticket"
    assert meeting.resumes({}, V13)
    assert not meeting.resumes({}, V12)
    assert meeting.offered == "ticket"
    assert meeting.resumes({}, V12)


def test_a_server_that_learned_tls_1_3_does_not_resume_tls_1_2() -> None:
    """The hello has both: the ticket of TLS 1.2, and the wish for 1.3."""
    meeting = Meeting("ticket", {}, {})
    meeting.resumes({}, V12)
    client, _ = meeting.meet()
    assert client.negotiated is not None
    assert (client.negotiated.protocol.label, client.negotiated.resumed) == ("TLSv1.3", False)
