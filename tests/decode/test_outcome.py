"""How connections ended, from what everybody can see: who did it, and no cause that is not implied."""

from __future__ import annotations

from functools import cache
from typing import Any

import conversations
import pytest
from conversations import Conversation, converse
from loopback import credential
from watched import Turns, Wire, decode_all, decode_one, turns_of

from pellucid.codes import AlertDescription
from pellucid.crypto.suites import SUITES
from pellucid.decode import Decoded
from pellucid.identity import TrustStore
from pellucid.keys import traffic_keys
from pellucid.record import Sealer
from pellucid.trace.events import AlertEvent, OutcomeEvent
from pellucid.trace.failure import Diagnosis
from pellucid.trace.texts import texts


@cache
def talk() -> Conversation:
    return converse("full")


def turns() -> Turns:
    return turns_of(talk())


def up_to_client() -> Turns:
    """ClientHello, and the server's flight."""
    return turns()[:4]


def outcome(found: Decoded) -> OutcomeEvent:
    assert found.outcome is not None
    assert found.trace is not None
    assert found.outcome in found.trace.events
    return found.outcome


def failure(found: Decoded) -> Diagnosis:
    told = outcome(found)
    assert told.status == "failed"
    assert told.failure is not None
    assert told.failure.id in texts("failures.toml")
    for text in (told.failure.observed, told.failure.inferred, told.failure.possible, told.failure.fix):
        assert "peer" not in text
        assert not {"we", "us", "our"} & set(text.lower().replace(",", " ").split())
    return told.failure


def alert(description: AlertDescription, level: int = 2) -> bytes:
    return bytes((21, 3, 3, 0, 2, level, description))


def hello() -> Wire:
    return Wire().say(turns()[0])


ENDINGS: dict[str, tuple[Any, str, str]] = {
    "server closes": (lambda: hello().close("server"), "closed_after_client_hello", "server closed"),
    "server closes, and the capture ends": (
        lambda: hello().half_close("server"),
        "closed_after_client_hello",
        "server closed",
    ),
    "server resets": (lambda: hello().reset("server"), "reset_after_client_hello", "server reset"),
    "silence": (
        lambda: hello().wait(5).close(),
        "silent_after_client_hello",
        "after 5.0 s the client closed",
    ),
    "silence, reset": (lambda: hello().wait(2).reset("client"), "silent_after_client_hello", "client reset"),
    "half an answer": (
        lambda: hello().say(("server", turns()[1][1])).wait(3).close(),
        "stalled_mid_flight",
        "after 3.0 s the client closed",
    ),
    "server closes in the middle": (
        lambda: hello().say(turns()[1]).close("server"),
        "closed_during_handshake",
        "the server closed",
    ),
    "server resets in the middle": (
        lambda: hello().say(turns()[1]).reset("server"),
        "closed_during_handshake",
        "the server reset",
    ),
    "client closes in the middle": (
        lambda: hello().say(turns()[1]).close("client"),
        "closed_during_handshake",
        "the client closed",
    ),
    "client closes behind the certificate": (
        lambda: Wire().say(*up_to_client()).close("client"),
        "client_rejected_certificate",
        "the client closed the TCP connection right after the server's certificate",
    ),
    "client resets behind the certificate": (
        lambda: Wire().say(*up_to_client()).reset("client"),
        "client_rejected_certificate",
        "client reset",
    ),
    "client sends what may be an alert": (
        lambda: Wire().say(*up_to_client(), ("client", b"\x17\x03\x03\0\x13" + bytes(19))).reset("client"),
        "client_rejected_certificate",
        "one protected record of 19 bytes, as long as an alert is",
    ),
    "plain HTTP answers": (
        lambda: hello().say(("server", b"HTTP/1.1 400 Bad Request\r\n\r\n")).close("server"),
        "not_tls",
        'HTTP response: the port speaks plain HTTP: "HTTP/1.1 400 Bad Request" (from the server)',
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_tcp_tells(ending: str) -> None:
    wire, identifier, words = ENDINGS[ending]
    found = decode_one(wire().capture)
    told = failure(found)
    assert (told.id, found.tls, found.server_name) == (identifier, True, "localhost")
    assert words.lower() in told.observed.lower()
    assert (told.alert, told.direction) == (None, None)


def test_a_rejected_certificate_is_only_possible() -> None:
    told = failure(decode_one(Wire().say(*up_to_client()).close("client").capture))
    assert "root" not in told.inferred
    assert "root" in told.possible


@pytest.mark.parametrize(
    "wire",
    [
        hello,
        lambda: hello().close("client"),
        lambda: hello().say(turns()[1]),
        lambda: Wire().say(*up_to_client()),
        lambda: Wire().say(*turns()[:6]).close("client"),
        lambda: Wire().say(*turns()[:6]).close("server"),
    ],
)
def test_what_the_capture_does_not_show_is_not_known(wire: Any) -> None:
    assert outcome(decode_one(wire().capture)).status == "unknown"


@pytest.mark.parametrize(
    "description, identifier",
    [
        (AlertDescription.handshake_failure, "handshake_failure"),
        (AlertDescription.protocol_version, "no_shared_version"),
        (AlertDescription.unrecognized_name, "unrecognized_name"),
        (AlertDescription.no_application_protocol, "alpn_mismatch"),
        (AlertDescription.internal_error, "alert_received"),
    ],
)
def test_an_alert_in_the_clear(description: AlertDescription, identifier: str) -> None:
    found = decode_one(hello().say(("server", alert(description))).close("server").capture)
    told = failure(found)
    assert (told.id, told.alert, told.direction) == (identifier, str(description), "received")
    assert outcome(found).side == "client"
    assert told.observed.startswith(f"The server ended the connection with the alert {description}")
    assert found.sealed == ()


def test_an_alert_of_the_client_in_the_clear() -> None:
    said = [turns()[0], turns()[1], ("client", alert(AlertDescription.illegal_parameter))]
    found = decode_one(Wire().say(*said).close().capture)
    assert failure(found).observed.startswith(
        "The client ended the connection with the alert illegal_parameter"
    )
    assert outcome(found).side == "server"


@pytest.mark.parametrize("kind", ["full", "1.2 ecdhe"])
def test_a_client_that_refuses_the_certificate(kind: str) -> None:
    refused = converse_with(kind, client={"trust": TrustStore.empty()})
    wire = Wire().say(*turns_of(refused)).close()
    told = failure(decode_one(wire.capture, refused.key_log))
    assert (told.id, told.alert) == ("server_certificate_refused", "unknown_ca")


def test_a_server_that_wants_a_client_certificate() -> None:
    server = {"trust": TrustStore.from_der([credential().chain[-1]]), "client_authentication": "required"}
    refused = converse_with("full", server=server)
    wire = Wire().say(*turns_of(refused)).close()
    found = decode_one(wire.capture, refused.key_log)
    told = failure(found)
    assert (told.id, told.alert, outcome(found).side) == (
        "client_certificate_missing",
        "certificate_required",
        "client",
    )


def converse_with(kind: str, **changes: dict[str, Any]) -> Conversation:
    client, server = conversations.KINDS[kind]
    name = f"{kind}, changed"
    conversations.KINDS[name] = (client | changes.get("client", {}), server | changes.get("server", {}))
    try:
        return converse(name, ends_well=False)
    finally:
        del conversations.KINDS[name]


@pytest.mark.parametrize("first", ["client", "server"])
def test_plain_http(first: str) -> None:
    wire = (
        Wire().say(("client", b"GET / HTTP/1.1\r\n\r\n"), ("server", b"HTTP/1.1 200 OK\r\n\r\n")).close(first)
    )
    found = decode_one(wire.capture)
    assert (found.tls, failure(found).id, found.hellos) == (False, "not_tls", ())
    assert "HTTP response" in failure(found).observed


def test_only_the_client_says_something_plain() -> None:
    found = decode_one(Wire().say(("client", b"SSH-2.0-x\r\n")).close().capture)
    assert (found.tls, failure(found).id) == (False, "not_tls")
    assert "SSH banner" in failure(found).observed
    assert "(from the client)" in failure(found).observed


def test_a_hello_in_the_form_of_ssl_2() -> None:
    found = decode_one(
        Wire().say(("client", bytes.fromhex("802e0103010015000000100100800300800700c0"))).capture
    )
    assert (found.tls, failure(found).id) == (False, "no_shared_version")
    assert "SSL 2.0 CLIENT-HELLO" in failure(found).observed


def test_nobody_says_anything() -> None:
    found = decode_one(Wire().close().capture)
    assert (found.tls, outcome(found).status) == (False, "unknown")


def test_a_port_where_nobody_listens() -> None:
    wire = Wire(opened=False)
    wire.send("client", 2)
    found = decode_one(wire.reset("server").capture)
    assert (found.tls, failure(found).id) == (False, "connection_failed")


def test_goodbye_is_no_failure() -> None:
    found = decode_one(Wire().say(*turns()).close().capture, talk().key_log)
    assert outcome(found).status == "connected"
    assert found.trace is not None
    alerts = [e.description for e in found.trace.events if isinstance(e, AlertEvent)]
    assert alerts == ["close_notify"] * 4


def test_connections_are_told_apart() -> None:
    one, two = Wire(50_001).say(turns()[0]), Wire(50_002).say(turns()[0])
    one.close("server")
    two.reset("server")
    both = Wire()
    both.packets = sorted([*one.packets, *two.packets])
    found = {each.client.port: failure(each).id for each in decode_all(both.capture)}
    assert found == {50_001: "closed_after_client_hello", 50_002: "reset_after_client_hello"}


def refusing_closed() -> Turns:
    """A server that refuses the client after its flight, as it looks without keys."""
    return [*turns()[:6], ("server", b"\x17\x03\x03\x00\x13" + bytes(19))]


def test_a_refusal_that_stays_closed_is_not_taken_for_success() -> None:
    found = decode_one(Wire().say(*refusing_closed()).close("server").capture)
    assert outcome(found).status == "unknown"


def late(level: int, side: str, said: Turns) -> OutcomeEvent:
    """The outcome where ``side`` sends a fatal alert under protection behind ``said``."""
    line = next(line for line in talk().key_log if line.startswith(f"{side.upper()}_TRAFFIC_SECRET_0 "))
    seals = Sealer(SUITES[0x1301], traffic_keys(SUITES[0x1301], bytes.fromhex(line.split()[2])))
    seals.sequence = sum(1 for who, raw in said[6:] if who == side and raw[0] == 23)
    alert = seals.seal(21, bytes((level, AlertDescription.decrypt_error)))
    return outcome(decode_one(Wire().say(*said, (side, alert)).close(side).capture, talk().key_log))


def test_the_servers_first_word_after_the_clients_flight_may_be_no() -> None:
    told = late(2, "server", turns()[:6])
    assert (told.status, told.side) == ("failed", "client")
    assert told.failure is not None
    assert (told.failure.alert, told.signature_scheme) == ("decrypt_error", "ecdsa_secp256r1_sha256")


@pytest.mark.parametrize("side, count", [("server", 7), ("client", 7), ("client", 6)])
def test_an_alert_behind_the_handshake_ends_a_connection_that_there_was(side: str, count: int) -> None:
    assert late(2, side, turns()[:count]).status == "connected"
