"""Errors carry their diagnosis: without a trace as with one, over sockets, asyncio and none of them."""

from __future__ import annotations

import asyncio
import copy
import pickle
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty import PATIENCE_SECONDS, Running, running
from loopback import (
    NAME,
    NOW,
    client_config,
    connect_pair,
    credential,
    laboratory,
    server_config,
    shake_hands,
)
from plain_servers import plain_server

import pellucid
from pellucid import aio
from pellucid.codes import AlertDescription
from pellucid.config import ClientConfig
from pellucid.diagnosis import diagnosis_of
from pellucid.errors import (
    AlertReceived,
    BadMessage,
    CertificateRejected,
    Misuse,
    PeerIncompatible,
    PeerMisbehaved,
    PreambleFailed,
    Reason,
    TLSError,
)
from pellucid.faults import FAULTS, Bench, Fault
from pellucid.identity import Credential
from pellucid.io.blocking import connect
from pellucid.io.diagnosing import diagnose
from pellucid.messages import message_name
from pellucid.trace import Trace

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
Told = tuple[str, str | None, str | None]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(time.time())


@pytest.fixture(scope="module")
def server(bench: Bench) -> Iterator[Running]:
    with running(bench, FAULTS) as started:
        yield started


def told(error: BaseException) -> Told:
    found = pellucid.diagnose(error)
    return found.id, found.alert, found.direction


def meet(server: Running, bench: Bench, fault: Fault) -> BaseException:
    config = ClientConfig(trust=bench.laboratory.trust, **fault.client(bench))
    patience = PATIENCE_SECONDS.get(fault.id, 20.0)
    try:
        with connect("127.0.0.1", server.port(fault), config, NAME, patience) as tls:
            tls.sendall(GET)
            while tls.recv(65536):
                pass
    except (TLSError, OSError) as error:
        return error
    raise AssertionError("the client has noticed nothing")


@EVERY_FAULT
def test_nobody_needs_a_trace_to_be_told_why(server: Running, bench: Bench, fault: Fault) -> None:
    error = meet(server, bench, fault)
    assert told(error) == (fault.diagnosis, fault.alert, fault.direction)


async def _meet(server: Running, bench: Bench, fault: Fault) -> BaseException:
    config = ClientConfig(trust=bench.laboratory.trust, **fault.client(bench))
    patience = PATIENCE_SECONDS.get(fault.id, 20.0)
    try:
        reader, writer = await aio.open_connection(
            "127.0.0.1", server.port(fault), config=config, server_name=NAME, handshake_timeout=patience
        )
    except (TLSError, OSError) as error:
        return error
    try:
        writer.write(GET)
        await asyncio.wait_for(reader.read(), 20)
    except (TLSError, OSError) as error:
        return error
    finally:
        writer.close()
    raise AssertionError("the client has noticed nothing")


@pytest.mark.parametrize(
    "name",
    [
        *("certificate_expired", "handshake_failure", "client_certificate_missing", "not_tls"),
        *("closed_after_client_hello", "reset_after_client_hello", "silent_after_client_hello"),
        *("stalled_mid_flight", "truncated"),
    ],
)
def test_nor_does_asyncio(server: Running, bench: Bench, name: str) -> None:
    fault = FAULTS["no_shared_group" if name == "handshake_failure" else name]
    error = asyncio.run(_meet(server, bench, fault))
    assert told(error) == (fault.diagnosis, fault.alert, fault.direction)


def test_the_diagnosis_is_the_one_that_the_trace_has() -> None:
    trace = Trace()
    client, server = connect_pair(client_config(trace=trace), server_config(), "other.example")
    server.receive_data(client.data_to_send())
    with pytest.raises(CertificateRejected) as caught:
        client.receive_data(server.data_to_send())
    (outcome,) = [event for event in trace.events if event.kind == "outcome"]
    assert caught.value.diagnosis == outcome.failure.at(trace.place)  # type: ignore[attr-defined]  # by its kind
    assert caught.value.diagnosis is caught.value.diagnosis


@pytest.mark.shows("key_does_not_match_certificate")
def test_an_error_of_no_connection_explains_itself_too(tmp_path: Path) -> None:
    chain, _ = credential_files(tmp_path, "ecdsa", ("localhost",))
    _, key = credential_files(tmp_path, "rsa", ("localhost",))
    with pytest.raises(Misuse) as caught:
        Credential.from_files(chain, key)
    found = caught.value.diagnosis
    assert (found.id, found.blame) == ("key_does_not_match_certificate", "us")
    assert (found.step, found.evidence) == ("", ())
    assert "does not match" in found.observed


def credential_files(folder: Path, kind: str, names: tuple[str, ...]) -> tuple[Path, Path]:
    issued = laboratory().issue(kind, names)
    chain, key = folder / f"{kind}.pem", folder / f"{kind}.key"
    chain.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    return chain, key


def test_evidence_has_no_secrets_and_can_be_kept() -> None:
    client, server = connect_pair(client_config(), server_config(), "other.example")
    server.receive_data(client.data_to_send())
    with pytest.raises(CertificateRejected) as caught:
        client.receive_data(server.data_to_send())
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - it is our own
    assert again.diagnosis == caught.value.diagnosis
    names = {spoken.name for spoken in caught.value.evidence.messages if spoken.raw}  # type: ignore[union-attr]  # it has
    assert names == {"ClientHello", "ServerHello", "alert"}


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - it is our own
@pytest.mark.parametrize(
    "error",
    [
        BadMessage("too short", offset=3),
        AlertReceived(40, "it ended"),
        CertificateRejected(Reason.SELF_SIGNED, "it is", certificate=b"der"),
        PreambleFailed(Reason.NOT_A_PROXY, "it is none"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_copied(error: TLSError, again: Callable[[TLSError], TLSError]) -> None:
    copied = again(error)
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [Mute(), type("MuteError", (OSError, Mute), {})(), KeyboardInterrupt()])
def test_any_exception_comes_to_a_diagnosis(error: BaseException) -> None:
    assert re.fullmatch(r"[A-Z].*\w\.", diagnose(error).observed)


def test_what_an_exception_says_reaches_no_terminal_as_it_is() -> None:
    for error in (ValueError("\x1b[31m" * 1000), ConnectionResetError(104, "reset\x1b[2J")):
        observed = diagnose(error).observed
        assert observed.isprintable()
        assert len(observed) < 4000


@pytest.mark.parametrize(
    "description, identifier",
    [
        ("unsupported_certificate", "client_certificate_untrusted"),
        ("handshake_failure", "alert_received"),
        ("protocol_version", "alert_received"),
    ],
)
def test_an_alert_after_the_handshake_is_not_of_the_handshake(description: str, identifier: str) -> None:
    """TLS 1.3: what a server thinks of our certificate comes late, when most notes are gone."""
    client, _ = shake_hands(
        client_config(credentials=[credential("ecdsa", purpose="client")]),
        server_config(client_authentication="required", trust=client_config().trust),
    )
    alert = AlertReceived(AlertDescription[description], "it ended")
    assert diagnosis_of(alert, client.evidence(alert)).id == identifier


def test_who_cannot_be_reached_is_named_in_the_advice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionRefusedError) as blocking:
        connect("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError) as streams:
        asyncio.run(aio.open_connection("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError) as proxy:
        connect("server.example", 443, proxy=f"http://127.0.0.1:{port}")
    for caught in (blocking, streams, proxy):
        assert diagnose(caught.value).confirm == f"nc -vz 127.0.0.1 {port}"


def test_a_name_without_an_address_is_named_in_the_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(socket.gaierror) as caught:
        connect("no-such.example", 443)
    assert diagnose(caught.value).confirm == "getent hosts no-such.example"


def test_what_a_signer_says_reaches_no_terminal_as_it_is() -> None:
    assert "\x1b" not in Misuse(Reason.SIGNING_FAILED, "gone: \x1b[31m").diagnosis.observed


def test_a_connection_that_is_fine_keeps_no_notes() -> None:
    client, server = shake_hands()
    assert client._driver.notes == server._driver.notes == []


def test_where_a_certificate_was_asked_for_what_may_still_matter_is_kept() -> None:
    client, server = connect_pair(client_config(), server_config(client_authentication="required"))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert client.handshake_complete
    kept = client._driver.notes
    names = [message_name(raw) for _, raw in kept]
    assert names == ["CertificateRequest", "Certificate", "Certificate"]
    assert all(len(raw) < 10 for _, raw in kept[1:])


@pytest.mark.parametrize(
    "error, identifier",
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), "name_not_found"),
        (TimeoutError("too slow"), "timeout"),
        (ConnectionRefusedError(111, "refused"), "connection_failed"),
        (OSError("odd"), "connection_failed"),
        (RuntimeError("a bug"), "internal_error"),
        (PeerMisbehaved(Reason.BAD_FINISHED), "bad_finished"),
    ],
)
def test_any_exception_of_a_call_has_a_diagnosis(error: BaseException, identifier: str) -> None:
    assert diagnose(error).id == identifier


def test_a_port_where_nobody_listens_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionRefusedError) as caught:
        connect("127.0.0.1", port, client_config(), NAME)
    assert "nobody listens" in diagnose(caught.value).inferred


def test_silence_is_told_in_numbers() -> None:
    with plain_server(ends="stays") as port, pytest.raises(TimeoutError) as caught:
        connect("127.0.0.1", port, client_config(), NAME, 0.3)
    found = diagnose(caught.value)
    facts = {fact.what: fact.found for fact in found.evidence}
    assert found.id == "silent_after_client_hello"
    assert facts["received"] == "0 bytes"
    assert facts["ClientHello"].startswith("1,")
    assert seconds(facts["since the handshake began"]) >= 0.3
    assert f"{NAME}:{port}" in found.confirm


def seconds(text: str) -> float:
    number, unit = text.split()
    return float(number) / {"s": 1, "ms": 1000}[unit]


def test_success_loads_none_of_it() -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from loopback import shake_hands; shake_hands()\n"
        "import pellucid.io.blocking\n"
        "print([name for name in sys.modules if name.startswith('pellucid.diagnosis')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *sys.path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_clock_is_asked_for_a_refused_certificate_alone() -> None:
    client, server = connect_pair(client_config(), server_config(), "other.example")
    server.receive_data(client.data_to_send())
    with pytest.raises(CertificateRejected) as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.evidence is not None
    assert caught.value.evidence.now == NOW


def test_a_server_says_nothing_of_its_own_certificate_where_the_clients_is_missing() -> None:
    client, server = connect_pair(client_config(), server_config(client_authentication="required"))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    with pytest.raises(PeerIncompatible) as caught:
        server.receive_data(client.data_to_send())
    found = caught.value.diagnosis
    assert (found.id, found.direction) == ("client_certificate_missing", "sent")
    assert "our certificate" not in {fact.what for fact in found.evidence}
