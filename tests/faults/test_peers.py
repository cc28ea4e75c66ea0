"""The peers without sockets: what they do with odd input, and that each fault has nothing else wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from pellucid.config import ClientConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import TLSError
from pellucid.events import DataReceived
from pellucid.faults import FAULTS, Bench, Ending, Fault, Peer
from pellucid.faults.peers import Speaker
from pellucid.identity import Credential
from pellucid.identity.lab import Laboratory

EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


def carry(client: ClientConnection, peer: Peer) -> bytes:
    """Until neither says anything: the data that the client received. Raises what it finds."""
    received = b""
    while True:
        out, back = client.data_to_send(), peer.data_to_send()
        if not out and not back:
            return received
        peer.receive_data(out)
        events = client.receive_data(back)
        received += b"".join(event.data for event in events if isinstance(event, DataReceived))


@EVERY_FAULT
def test_bytes_of_no_sense_are_borne(fault: Fault, bench: Bench) -> None:
    peer = fault.prepare(bench)()
    for data in (b"", b"\x16", b"\x03", b"\x01\xff\xff" + bytes(70_000), b"\xff" * 100):
        peer.receive_data(data)
        peer.data_to_send()
    peer.receive_eof()
    assert peer.ending is not None
    assert "noticed nothing" not in peer.told()


# With what makes the difference taken away, the same server is a good one.
CURES: dict[str, dict[str, Any]] = {
    "strict_profile_only": {"certificate_profile": "private"},
    "certificate_revoked": {"revocation": "off"},
    "bad_certificate_status": {"revocation": "off"},
    "must_staple_missing": {"revocation": "off"},
    "no_shared_cipher_suite": {"cipher_suites": ["TLS_AES_128_CCM_8_SHA256"]},
    "no_shared_group": {"groups": ["SecP384r1MLKEM1024"]},
    "no_shared_signature_scheme": {"signature_schemes": ["mldsa44", "ecdsa_secp256r1_sha256"]},
    "alpn_mismatch": {"alpn_protocols": []},
    "extended_master_secret_missing": {"extended_master_secret": "optional"},
    "silent_to_large_client_hello": {"groups": ["x25519"]},
}
CURES_FROM_THE_BENCH: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "unknown_root": lambda bench: {"trust": bench.stranger.trust},
    "client_certificate_missing": lambda bench: {"credentials": [client_of(bench.laboratory)]},
    "client_certificate_missing_tls12": lambda bench: {"credentials": [client_of(bench.laboratory)]},
    "client_certificate_untrusted": lambda bench: {"credentials": [client_of(bench.stranger)]},
    "client_certificate_untrusted_tls12": lambda bench: {"credentials": [client_of(bench.stranger)]},
}
NAMES = {"hostname_mismatch": "other.example", "unrecognized_name": "other.example"}


def client_of(laboratory: Laboratory) -> Credential:
    return laboratory.credential("ecdsa", ("client.example",), "client")


@pytest.mark.parametrize("name", [*CURES, *CURES_FROM_THE_BENCH, *NAMES])
def test_without_the_fault_there_is_nothing_wrong(name: str, bench: Bench) -> None:
    fault = FAULTS[name]
    settings = {"trust": bench.laboratory.trust} | fault.client(bench) | CURES.get(name, {})
    if name in CURES_FROM_THE_BENCH:
        settings |= CURES_FROM_THE_BENCH[name](bench)
    client = ClientConnection(ClientConfig(**settings), NAMES.get(name, "localhost"))
    peer = fault.prepare(bench)()
    carry(client, peer)
    client.send_data(REQUEST)
    answer = carry(client, peer)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert (client.peer_closed, peer.ending) == (True, Ending.CLOSE)
    assert peer.told() == f"the client noticed nothing, and sent {len(REQUEST)} bytes"


@EVERY_FAULT
def test_the_server_says_what_its_client_did(fault: Fault, bench: Bench) -> None:
    settings = {"trust": bench.laboratory.trust} | fault.client(bench)
    client = ClientConnection(ClientConfig(**settings), "localhost")
    peer = fault.prepare(bench)()
    try:
        carry(client, peer)
    except TLSError:
        peer.receive_data(client.data_to_send())
    told = peer.told()
    if fault.direction == "sent" and told and not fault.completes and fault.alert != "close_notify":
        assert told == f"the client refused with the alert {fault.alert}"
    elif fault.direction == "received":
        assert told.startswith("the server ended it: ")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_client_that_closes_behind_its_request_has_noticed_nothing(version: str, bench: Bench) -> None:
    peer = Speaker(ServerConnection(bench.server()), b"an answer")
    config = ClientConfig(trust=bench.laboratory.trust, protocols=[version])
    client = ClientConnection(config, "localhost")
    carry(client, peer)
    client.send_data(REQUEST)
    client.close()
    peer.receive_data(client.data_to_send())
    assert peer.told() == f"the client noticed nothing, and sent {len(REQUEST)} bytes"
    assert peer.ending is Ending.CLOSE
    peer.data_to_send()


# What a client that does not look gets, where the fault is in what is said: the transcripts agree.
@pytest.mark.parametrize("name", ["bad_signature", "bad_signature_tls12", "key_does_not_match_certificate"])
def test_a_client_that_checks_no_signature_gets_through(name: str, bench: Bench) -> None:
    client = ClientConnection(ClientConfig(trust=bench.laboratory.trust), "localhost")
    peer = FAULTS[name].prepare(bench)()
    with mock.patch("pellucid.handshake.proofs.verify"):
        carry(client, peer)
    assert client.handshake_complete
    client.send_data(REQUEST)
    assert carry(client, peer).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("name", ["bad_finished", "bad_finished_tls12"])
def test_a_client_that_checks_no_finished_gets_through(name: str, bench: Bench) -> None:
    client = ClientConnection(ClientConfig(trust=bench.laboratory.trust), "localhost")
    peer = FAULTS[name].prepare(bench)()
    with mock.patch("pellucid.handshake.proofs.constant_time_equal", return_value=True):
        carry(client, peer)
    assert client.handshake_complete
