"""A connection whose caller asks authorities about certificates waits, in either version, on both sides."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, laboratory, pump, server_config

from pellucid import ClientConnection, ServerConnection, Trace
from pellucid.codes import AlertDescription
from pellucid.connection import Connection
from pellucid.connection.signing import MAX_HELD_BYTES
from pellucid.errors import AlertReceived, CertificateRejected, Misuse, PeerMisbehaved, Reason
from pellucid.events import DataReceived, HandshakeCompleted, StatusWanted
from pellucid.identity.lab import Issued
from pellucid.identity.revocation import Fetched, StatusQuery
from pellucid.trace.events import CheckEvent

VERSIONS = ("TLSv1.3", "TLSv1.2")
both_versions = pytest.mark.parametrize("version", VERSIONS)
both_sides = pytest.mark.parametrize("side", ["client", "server"])
URL = "http://status.example/"


def issued(purpose: Any) -> Issued:
    return laboratory().issue(names=(NAME,), purpose=purpose, ocsp_url=URL)


class Authority:
    """A ``revocation_source`` that says one thing of everybody, and in which thread it was asked."""

    def __init__(self, verdict: Any = "good") -> None:
        self.verdict = verdict
        self.asked_in: list[threading.Thread] = []

    def __call__(self, query: StatusQuery) -> Iterable[Fetched]:
        self.asked_in.append(threading.current_thread())
        if isinstance(self.verdict, Exception):
            raise self.verdict
        yield Fetched("OCSP", URL, laboratory().ocsp_response(query.certificate, self.verdict))


Pair = tuple[ClientConnection, ServerConnection]


def asking_pair(side: str, version: str, source: Any, defers: bool = True, **knobs: Any) -> Pair:
    """Two connections, of which ``side`` asks ``source`` about the other's certificate."""
    asks = {"revocation": "hard", "revocation_source": source, **knobs}
    pair = connect_pair(
        client_config(
            protocols=[version],
            credentials=[issued("client").credential],
            **(asks if side == "client" else {}),
        ),
        server_config(
            protocols=[version],
            credentials=[issued("server").credential],
            client_authentication="required",
            **(asks if side == "server" else {}),
        ),
    )
    of(pair, side).defers_status = defers
    return pair


def of(pair: Pair, side: str) -> Connection:
    return pair[side == "server"]


def until_wanted(pair: Pair, side: str) -> tuple[Connection, StatusWanted]:
    pump(*pair)
    waiting = of(pair, side)
    assert waiting.state == "WAIT_REVOCATION"
    assert waiting.status_wanted is not None
    assert waiting.signature_wanted is None
    return waiting, waiting.status_wanted


@both_sides
@both_versions
def test_the_caller_asks_in_a_thread_and_the_handshake_goes_on(side: str, version: str) -> None:
    source = Authority()
    pair = asking_pair(side, version, source)
    waiting, wanted = until_wanted(pair, side)
    assert source.asked_in == []
    thread = threading.Thread(target=wanted.ask)
    thread.start()
    thread.join()
    assert set(source.asked_in) == {thread}
    events = waiting.take_status()
    assert waiting.status_wanted is None
    told = (events, *pump(*pair))
    assert all(connection.handshake_complete for connection in pair)
    assert any(isinstance(event, HandshakeCompleted) for some in told for event in some)


@both_sides
@both_versions
def test_by_default_it_is_asked_within_the_handshake(side: str, version: str) -> None:
    source = Authority()
    pair = asking_pair(side, version, source, defers=False)
    assert not of(pair, side).defers_status
    pump(*pair)
    assert set(source.asked_in) == {threading.current_thread()}
    assert pair[0].handshake_complete


def test_who_asks_nobody_need_not_wait() -> None:
    pair = asking_pair("client", "TLSv1.3", None, revocation="soft")
    pump(*pair)
    assert pair[0].handshake_complete


@both_sides
@both_versions
def test_who_is_revoked_is_refused(side: str, version: str) -> None:
    pair = asking_pair(side, version, Authority("revoked"))
    waiting, wanted = until_wanted(pair, side)
    wanted.ask()
    with pytest.raises(CertificateRejected) as caught:
        waiting.take_status()
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED
    with pytest.raises(AlertReceived) as told:
        pump(*pair)
    assert told.value.description == AlertDescription.certificate_revoked


@both_sides
@pytest.mark.parametrize("how", ["it fails", "it cannot be called"])
def test_a_source_that_fails_ends_the_handshake(side: str, how: str) -> None:
    pair = asking_pair(side, "TLSv1.3", Authority(ZeroDivisionError("no authority")))
    waiting, wanted = until_wanted(pair, side)
    if how == "it fails":
        wanted.ask()
    else:
        wanted.refuse(ZeroDivisionError("no authority"))
    with pytest.raises(Misuse, match="ZeroDivisionError: no authority") as caught:
        waiting.take_status()
    assert caught.value.reason is Reason.INTERNAL_ERROR
    assert waiting.state == "FAILED"


def test_nothing_is_taken_before_somebody_has_asked() -> None:
    pair = asking_pair("client", "TLSv1.3", Authority())
    with pytest.raises(Misuse, match="does not wait for it"):
        pair[0].take_status()
    waiting, wanted = until_wanted(pair, "client")
    with pytest.raises(Misuse, match=r"call status_wanted\.ask\(\) first"):
        waiting.take_status()
    with pytest.raises(Misuse, match="waits for no signature"):
        waiting.provide_signature(b"")
    wanted.ask()
    waiting.take_status()
    pump(*pair)
    assert waiting.handshake_complete
    with pytest.raises(Misuse, match="does not wait for it"):
        waiting.take_status()


def test_no_more_is_kept_than_a_peer_can_have_to_say() -> None:
    waiting, _ = until_wanted(asking_pair("client", "TLSv1.3", Authority()), "client")
    for _ in range(MAX_HELD_BYTES // 1024):
        waiting.receive_data(bytes(1024))
    with pytest.raises(Misuse, match="wait for what authorities say already"):
        waiting.receive_data(b"!")
    assert waiting.status_wanted is not None


def test_who_has_said_all_and_left_meanwhile_is_heard() -> None:
    """A client that sends its request behind its Finished, and goes: nothing of that is lost."""
    source = Authority()
    pair = asking_pair("server", "TLSv1.3", source)
    client, server = pair
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.send_data(b"request")
    client.close()
    server.receive_data(client.data_to_send())
    assert server.receive_eof() == []
    assert server.status_wanted is not None
    server.status_wanted.ask()
    events = server.take_status()
    assert DataReceived(b"request") in events
    assert server.peer_closed
    assert server.receive_eof() == []


@both_sides
def test_who_has_left_in_the_middle_is_found_out_behind_the_answer(side: str) -> None:
    """In TLS 1.2, where the Certificate is in a record of its own: nothing behind it has come."""
    pair = asking_pair(side, "TLSv1.2", Authority())
    waiting, other = of(pair, side), of(pair, "server" if side == "client" else "client")
    while waiting.status_wanted is None:
        other.receive_data(waiting.data_to_send())
        for byte in other.data_to_send():
            if waiting.status_wanted is None:
                waiting.receive_data(bytes((byte,)))
    assert waiting.receive_eof() == []
    waiting.status_wanted.ask()
    with pytest.raises(PeerMisbehaved) as caught:
        waiting.take_status()
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE
    assert waiting.state == "FAILED"


def test_data_that_was_cut_off_meanwhile_is_handed_out_with_the_fault() -> None:
    pair = asking_pair("server", "TLSv1.3", Authority())
    client, server = pair
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.send_data(b"request")
    server.receive_data(client.data_to_send())
    server.receive_eof()
    assert server.status_wanted is not None
    server.status_wanted.ask()
    with pytest.raises(PeerMisbehaved) as caught:
        server.take_status()
    assert caught.value.reason is Reason.TRUNCATED
    assert DataReceived(b"request") in caught.value.events


@both_versions
def test_the_client_of_a_session_is_asked_about_again(version: str) -> None:
    """A session goes on only after its client's certificate was looked at once more, and else starts anew."""
    source = Authority()
    first = asking_pair("server", version, source)
    client_config_, server_config_ = first[0]._hs.config, first[1]._hs.config
    waiting, wanted = until_wanted(first, "server")
    wanted.ask()
    waiting.take_status()
    pump(*first)
    for verdict in ("good", "revoked"):
        source.verdict = verdict
        pair = ClientConnection(client_config_, NAME), ServerConnection(server_config_)
        pair[1].defers_status = True
        waiting, wanted = until_wanted(pair, "server")
        wanted.ask()
        waiting.take_status()
        pump(*pair)
        if verdict == "good":
            assert pair[1].negotiated is not None
            assert pair[1].negotiated.resumed
        else:
            assert not pair[1].handshake_complete
            assert waiting.status_wanted is not None  # of the full handshake


def test_the_trace_tells_what_was_found_in_its_place() -> None:
    trace = Trace()
    pair = asking_pair("client", "TLSv1.3", Authority(), trace=trace)
    waiting, wanted = until_wanted(pair, "client")
    wanted.ask()

    def findings() -> list[CheckEvent]:
        return [e for e in trace.events if isinstance(e, CheckEvent) and e.what == "revocation"]

    assert findings() == []
    waiting.take_status()
    assert [one.ok for one in findings()] == [True, True]
