"""A connection whose key is elsewhere: it says what it wants signed, waits, and goes on or ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, credential, laboratory, pump, server_config

from pellucid import ClientConnection, Credential, ServerConnection, Trace
from pellucid.codes import AlertDescription, ProtocolVersion
from pellucid.codes import SignatureScheme as S
from pellucid.connection import Connection
from pellucid.connection.signing import MAX_HELD_BYTES
from pellucid.errors import AlertReceived, Misuse, PeerIncompatible, PeerMisbehaved, Reason
from pellucid.events import HandshakeCompleted, PeerClosed, SignatureWanted
from pellucid.keys import Transcript
from pellucid.trace.events import CheckEvent
from pellucid.trace.narration import narrate

VERSIONS = ("TLSv1.3", "TLSv1.2")
both_versions = pytest.mark.parametrize("version", VERSIONS)
both_sides = pytest.mark.parametrize("side", ["client", "server"])
Pair = tuple[ClientConnection, ServerConnection]


async def somebody_waits(_: S, __: bytes) -> bytes:
    """A coroutine function, which no connection calls by itself."""
    raise AssertionError


@cache
def key_of(kind: str = "ecdsa") -> Credential:
    return laboratory().issue(kind, (NAME,)).credential


@cache
def signed_for(sign: Callable[..., Any] = somebody_waits, kind: str = "ecdsa") -> Credential:
    return Credential.from_signer(laboratory().issue(kind, (NAME,)).chain_pem, sign)


@cache
def client_signed_for(sign: Callable[..., Any] = somebody_waits) -> Credential:
    return Credential.from_signer(laboratory().issue("ecdsa", (NAME,), "client").chain_pem, sign)


def client_key() -> Credential:
    return laboratory().issue("ecdsa", (NAME,), "client").credential


def signing_pair(side: str, version: str, sign: Callable[..., Any] = somebody_waits, **knobs: Any) -> Pair:
    """Two connections, of which ``side`` signs elsewhere; the client shows a certificate, too."""
    clients = client_signed_for(sign) if side == "client" else client_key()
    servers = signed_for(sign) if side == "server" else credential()
    own = {f"{side}": knobs}
    return connect_pair(
        client_config(protocols=[version], credentials=[clients], sessions=None, **own.get("client", {})),
        server_config(
            protocols=[version],
            credentials=[servers],
            client_authentication="required",
            **own.get("server", {}),
        ),
    )


def until_wanted(pair: Pair, side: str) -> tuple[Connection, Connection, SignatureWanted]:
    """Let the two speak until ``side`` waits; gives it, its peer, and what it wants."""
    client, server = pair
    events = dict(zip(("client", "server"), pump(client, server), strict=True))[side]
    (wanted,) = [event for event in events if isinstance(event, SignatureWanted)]
    waiting, peer = (client, server) if side == "client" else (server, client)
    assert waiting.signature_wanted is wanted
    assert waiting.state == "WAIT_SIGNATURE"
    assert not waiting.handshake_complete
    return waiting, peer, wanted


def answer_to(wanted: SignatureWanted, side: str) -> bytes:
    key = client_key() if side == "client" else key_of()
    return key.sign(wanted.scheme, wanted.data, tls12=wanted.tls12)


# -- it waits, and goes on


@both_versions
@both_sides
def test_a_handshake_waits_for_its_signature_and_is_completed_with_it(side: str, version: str) -> None:
    pair = signing_pair(side, version)
    waiting, _, wanted = until_wanted(pair, side)
    assert wanted.scheme is S.ecdsa_secp256r1_sha256
    assert wanted.tls12 == (version == "TLSv1.2")
    events = waiting.provide_signature(answer_to(wanted, side))
    assert waiting.signature_wanted is None
    assert not any(isinstance(event, SignatureWanted) for event in events)
    pump(*pair)
    for connection in pair:
        assert connection.negotiated is not None
        assert connection.negotiated.protocol.label == version
        assert connection.negotiated.mutual
    pair[0].send_data(b"ping")
    pair[1].send_data(b"pong")
    assert all(pump(*pair))


@both_versions
@both_sides
def test_what_is_wanted_shows_no_data_in_its_repr(side: str, version: str) -> None:
    _, _, wanted = until_wanted(signing_pair(side, version), side)
    assert wanted.data.hex() not in repr(wanted)
    assert "data" not in repr(wanted)


@both_versions
@both_sides
def test_a_function_is_called_within_the_handshake(side: str, version: str) -> None:
    asked: list[S] = []
    key = client_key() if side == "client" else key_of()

    def sign(scheme: S, data: bytes) -> bytes:
        asked.append(scheme)
        return key.sign(scheme, data)

    pair = signing_pair(side, version, sign)
    client_events, server_events = pump(*pair)
    assert all(connection.handshake_complete for connection in pair)
    assert asked == [S.ecdsa_secp256r1_sha256]
    assert not any(isinstance(event, SignatureWanted) for event in client_events + server_events)


@both_versions
@both_sides
def test_a_function_is_left_to_the_caller_who_asks_for_that(side: str, version: str) -> None:
    key = client_key() if side == "client" else key_of()
    pair = signing_pair(side, version, key.sign)
    for connection in pair:
        assert not connection.defers_signing
        connection.defers_signing = True
    waiting, _, wanted = until_wanted(pair, side)
    signature = wanted.sign()
    assert isinstance(signature, bytes)
    waiting.provide_signature(signature)
    pump(*pair)
    assert all(connection.handshake_complete for connection in pair)


def test_a_key_at_hand_is_used_at_once_whatever_the_caller_asks_for() -> None:
    client, server = connect_pair()
    server.defers_signing = True
    pump(client, server)
    assert server.handshake_complete


def test_a_coroutine_function_is_asked_by_the_caller() -> None:
    async def sign(scheme: S, data: bytes) -> bytes:
        return key_of().sign(scheme, data)

    pair = signing_pair("server", "TLSv1.3", sign)
    waiting, _, wanted = until_wanted(pair, "server")
    awaitable: Any = wanted.sign()
    with pytest.raises(StopIteration) as done:
        awaitable.send(None)
    waiting.provide_signature(done.value.value)
    pump(*pair)
    assert pair[0].handshake_complete


def test_a_resumed_session_of_tls13_wants_no_signature() -> None:
    sessions: list[Any] = []
    server = server_config(credentials=[signed_for(key_of().sign)])
    client = client_config()
    for _ in range(2):
        pair = connect_pair(client, server)
        pair[1].defers_signing = True
        sessions.append(pump(*pair)[1])
        if pair[1].signature_wanted is not None:
            pair[1].provide_signature(pair[1].signature_wanted.sign())  # type: ignore[arg-type]
            pump(*pair)
    assert pair[1].negotiated is not None
    assert pair[1].negotiated.resumed
    assert not any(isinstance(event, SignatureWanted) for event in sessions[1])


@both_versions
@both_sides
def test_the_trace_tells_of_a_signature_from_elsewhere(side: str, version: str) -> None:
    trace = Trace()
    key = client_key() if side == "client" else key_of()
    pump(*signing_pair(side, version, key.sign, trace=trace))
    (check,) = [
        event for event in trace.events if isinstance(event, CheckEvent) and event.what == "own_signature"
    ]
    assert check.ok
    assert check.found.startswith("ecdsa_secp256r1_sha256, ")
    (step,) = [step for step in narrate(trace.events) if "own_signature" in step.id]
    assert (step.side, step.title) == (side, "verifies the signature of its signer")


# -- what comes meanwhile


def closing_meanwhile(version: str) -> tuple[Connection, bytes]:
    """A client that waits for its signature while the server gives up, heard byte by byte; the signature."""
    waiting, peer, wanted = until_wanted(signing_pair("client", version), "client")
    peer.close()
    for byte in peer.data_to_send():
        assert waiting.receive_data(bytes([byte])) == []
    return waiting, answer_to(wanted, "client")


def test_what_came_meanwhile_is_taken_up_behind_the_signature() -> None:
    """In TLS 1.3 the client is done once it has signed, and what it hears then is under the next keys."""
    waiting, signature = closing_meanwhile("TLSv1.3")
    completed, closed = waiting.provide_signature(signature)
    assert isinstance(completed, HandshakeCompleted)
    assert isinstance(closed, PeerClosed)
    assert waiting.handshake_complete


def test_an_end_that_came_meanwhile_is_found_behind_the_signature() -> None:
    waiting, signature = closing_meanwhile("TLSv1.2")
    with pytest.raises(PeerMisbehaved) as caught:
        waiting.provide_signature(signature)
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE


def test_a_fault_in_the_same_record_is_found_behind_the_signature() -> None:
    client, server = signing_pair("server", "TLSv1.2")
    hello = client.data_to_send()
    # A second message in the ClientHello's record: a Finished of no bytes, which is not due.
    length = int.from_bytes(hello[3:5]) + 4
    server.receive_data(hello[:3] + length.to_bytes(2) + hello[5:] + b"\x14\0\0\0")
    wanted = server.signature_wanted
    assert wanted is not None
    with pytest.raises(PeerMisbehaved, match="Finished came in") as caught:
        server.provide_signature(answer_to(wanted, "server"))
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


@both_versions
def test_no_more_is_kept_than_a_peer_can_have_to_say(version: str) -> None:
    pair = signing_pair("server", version)
    waiting, _, wanted = until_wanted(pair, "server")
    waiting.receive_data(bytes(MAX_HELD_BYTES))
    for _ in range(2):
        with pytest.raises(Misuse, match="wait for the signature already") as caught:
            waiting.receive_data(b"!")
        assert caught.value.reason is Reason.HANDSHAKE_NOT_COMPLETE
    assert waiting.failure is None  # it is for the caller to read on later
    with pytest.raises(PeerMisbehaved):  # zeros are no record
        waiting.provide_signature(answer_to(wanted, "server"))


@both_versions
@both_sides
def test_a_peer_that_leaves_meanwhile_ends_it(side: str, version: str) -> None:
    waiting, _, wanted = until_wanted(signing_pair(side, version), side)
    with pytest.raises(PeerMisbehaved, match="in WAIT_SIGNATURE") as caught:
        waiting.receive_eof()
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE
    assert waiting.signature_wanted is None
    with pytest.raises(Misuse, match="waits for no signature"):
        waiting.provide_signature(answer_to(wanted, side))
    assert waiting.failure is caught.value


@both_versions
@both_sides
def test_closing_meanwhile_cancels_the_handshake(side: str, version: str) -> None:
    waiting, peer, wanted = until_wanted(signing_pair(side, version), side)
    waiting.close()
    assert waiting.state == "CLOSED"
    assert waiting.signature_wanted is None
    with pytest.raises(Misuse, match="waits for no signature"):
        waiting.provide_signature(answer_to(wanted, side))
    with pytest.raises(PeerMisbehaved) as caught:
        peer.receive_data(waiting.data_to_send())
    assert caught.value.reason is Reason.CLOSED_DURING_HANDSHAKE


# -- it ends


@both_versions
@both_sides
def test_a_wrong_signature_does_not_go_out(side: str, version: str) -> None:
    waiting, peer, wanted = until_wanted(signing_pair(side, version), side)
    waiting.data_to_send()
    wrong = answer_to(SignatureWanted(wanted.credential, wanted.scheme, b"other data", wanted.tls12), side)
    with pytest.raises(Misuse, match="gave a wrong ecdsa_secp256r1_sha256 signature") as caught:
        waiting.provide_signature(wrong)
    assert caught.value.reason is Reason.SIGNING_FAILED
    alert = waiting.data_to_send()
    assert wrong not in alert
    with pytest.raises(AlertReceived) as told:
        peer.receive_data(alert)
    assert told.value.description == AlertDescription.internal_error


@both_versions
@both_sides
@pytest.mark.parametrize("why", ["the agent is locked", TimeoutError("no answer")], ids=["words", "error"])
def test_a_refused_signature_ends_the_handshake(side: str, version: str, why: Any) -> None:
    waiting, peer, _ = until_wanted(signing_pair(side, version), side)
    with pytest.raises(Misuse) as caught:
        waiting.refuse_signature(why)
    assert caught.value.reason is Reason.SIGNING_FAILED
    assert caught.value.detail.endswith(str(why))
    assert waiting.state == "FAILED"
    with pytest.raises(AlertReceived) as told:
        pump(waiting, peer) if side == "client" else pump(peer, waiting)
    assert told.value.description == AlertDescription.internal_error


@both_versions
@both_sides
def test_a_function_that_fails_ends_the_handshake(side: str, version: str) -> None:
    def sign(_: S, __: bytes) -> bytes:
        raise ConnectionRefusedError("no agent listens")

    pair = signing_pair(side, version, sign)
    with pytest.raises(Misuse, match="ConnectionRefusedError: no agent listens") as caught:
        pump(*pair)
    assert caught.value.reason is Reason.SIGNING_FAILED
    assert pair[side == "server"].state == "FAILED"


def test_nothing_is_wanted_before_and_after() -> None:
    client, server = signing_pair("server", "TLSv1.3")
    for call in (lambda: server.provide_signature(b""), lambda: server.refuse_signature("no")):
        with pytest.raises(Misuse, match="waits for no signature"):
            call()
    _, _, wanted = until_wanted((client, server), "server")
    events = server.provide_signature(answer_to(wanted, "server"))
    assert not any(isinstance(event, HandshakeCompleted) for event in events)
    pump(client, server)
    with pytest.raises(Misuse, match="waits for no signature"):
        server.provide_signature(answer_to(wanted, "server"))
    assert server.handshake_complete
    assert server.failure is None


# -- what a function cannot do


def test_rsa_key_exchange_is_refused_with_the_reason() -> None:
    """RFC 5246 7.4.7.1: it decrypts, which a function that signs does not."""
    old: dict[str, Any] = {
        "policy": "compatible",
        "protocols": ["TLSv1.2"],
        "cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"],
    }
    client, server = connect_pair(
        client_config(**old), server_config(**old, credentials=[signed_for(kind="rsa")])
    )
    with pytest.raises(PeerIncompatible, match="a function in the place of one only signs") as caught:
        pump(client, server)
    assert caught.value.reason is Reason.NO_SUITABLE_CERTIFICATE


def test_with_other_suites_such_a_client_is_served() -> None:
    suites = ["TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
    old: dict[str, Any] = {"policy": "compatible", "protocols": ["TLSv1.2"], "cipher_suites": suites}
    key = key_of("rsa")

    def sign(scheme: S, data: bytes) -> bytes:
        return key.sign(scheme, data, tls12=True)

    pair = connect_pair(
        client_config(**old), server_config(**old, credentials=[signed_for(sign, kind="rsa")])
    )
    pump(*pair)
    assert pair[1].negotiated is not None
    assert str(pair[1].negotiated.cipher_suite) == suites[1]
    assert pair[1].negotiated.protocol is ProtocolVersion.TLSv1_2


# -- interrupted


@both_sides
@both_versions
def test_a_handshake_that_was_interrupted_does_not_go_on(side: str, version: str) -> None:
    """Ctrl-C while a function signs: the flow waits for a signature, and no message is to be taken for it."""

    def interrupted(_: S, __: bytes) -> bytes:
        raise KeyboardInterrupt

    pair = signing_pair(side, version, interrupted)
    with pytest.raises(KeyboardInterrupt):
        pump(*pair)
    connection = pair[side == "server"]
    assert connection.state == "FAILED"
    with pytest.raises(Misuse, match="KeyboardInterrupt") as caught:
        connection.receive_data(b"")
    assert caught.value.reason is Reason.INTERNAL_ERROR
    with pytest.raises(AlertReceived) as told:
        pump(*pair)
    assert told.value.description == AlertDescription.internal_error


@both_sides
def test_what_came_meanwhile_may_be_interrupted_too(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = signing_pair(side, "TLSv1.3")
    waiting, _, wanted = until_wanted(pair, side)
    signature = answer_to(wanted, side)

    def interrupted(_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Transcript, "digest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        waiting.provide_signature(signature)
    assert waiting.state == "FAILED"
