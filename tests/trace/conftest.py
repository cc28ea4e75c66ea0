"""A handshake written down by hand: what the engine would record, without the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from pellucid.trace import CertificateSummary, Trace, TraceView

Teller = Callable[[Trace], None]

LEAF = CertificateSummary(
    subject="CN=localhost",
    issuer="CN=Lab Intermediate",
    names=("localhost", "127.0.0.1"),
    not_before="2026-01-01T00:00:00Z",
    not_after="2026-04-01T00:00:00Z",
    key="EC secp256r1",
    signature_algorithm="ecdsa-with-SHA256",
)
SUITE = "TLS_AES_128_GCM_SHA256"
FLIGHT = (("EncryptedExtensions", 10), ("Certificate", 600), ("CertificateVerify", 80), ("Finished", 36))
SHARED_SECRET = bytes(range(32))


def _message(view: TraceView, way: Literal["sent", "received"], name: str, size: int, epoch: str) -> None:
    raw = bytes([20]) + (size - 4).to_bytes(3, "big") + bytes(size - 4)
    view.message(direction=way, name=name, raw=raw, encrypted=epoch != "plaintext", epoch=epoch)


def _derive(view: TraceView) -> None:
    view.secret(
        name="shared_secret",
        formula="x25519(our private key, their share)",
        inputs=[("our_share", b"\x01" * 32), ("their_share", b"\x02" * 32)],
        value=SHARED_SECRET,
        used_for="the handshake secret",
    )
    view.secret(
        name="handshake_secret",
        formula="HKDF-Extract(salt, IKM)",
        inputs=[("salt", b"\x07" * 32), ("IKM", SHARED_SECRET)],
        value=b"\x03" * 32,
        used_for="all handshake secrets",
    )
    for whose in ("client", "server"):
        view.secret(
            name=f"{whose}_handshake_traffic_secret",
            formula="Derive-Secret",
            inputs=[("transcript_hash", b"\x09" * 32)],
            value=whose.encode() * 5,
            used_for="handshake records",
        )
    for direction in ("read", "write"):
        view.keys(direction=direction, epoch="handshake", cipher_suite=SUITE, key=b"k" * 16, iv=b"i" * 12)


def _record(view: TraceView, content_type: int, length: int, *, encrypted: bool = False) -> None:
    view.record(
        direction="sent",
        content_type=content_type,
        length=length,
        encrypted=encrypted,
        header=bytes([content_type, 3, 3]) + length.to_bytes(2, "big"),
    )


def _tell(trace: Trace) -> None:
    client, server = trace.view("client"), trace.view("server")
    client.state(name="START")
    _message(client, "sent", "ClientHello", 200, "plaintext")
    _record(client, 22, 200)
    _message(server, "received", "ClientHello", 200, "plaintext")
    server.choice(
        what="cipher_suite",
        ours=(SUITE, "TLS_AES_256_GCM_SHA384"),
        theirs=(SUITE,),
        chosen=SUITE,
        rule="the server's first that the client has",
    )
    _message(server, "sent", "ServerHello", 90, "plaintext")
    _derive(server)
    for name, size in FLIGHT:
        _message(server, "sent", name, size, "handshake")
    _record(server, 22, 90)
    _record(server, 20, 1)
    _record(server, 22, 743, encrypted=True)
    _message(client, "received", "ServerHello", 90, "plaintext")
    client.choice(what="cipher_suite", ours=(SUITE,), chosen=SUITE, rule="the server chose it")
    client.check(what="session_id_echo", expected=b"\x01", found=b"\x01", ok=True)
    _derive(client)
    for name, size in FLIGHT:
        _message(client, "received", name, size, "handshake")
    client.certificate(whose="server", path=[LEAF], ok=True)
    client.check(what="certificate_chain", expected="a path", found="1 certificate", ok=True)
    client.check(what="certificate_verify", expected="a signature", found="it holds", ok=True)
    client.check(what="finished", expected=b"\xaa", found=b"\xaa", ok=True)
    _message(client, "sent", "Finished", 36, "handshake")
    client.outcome(status="connected", protocol="TLSv1.3", cipher_suite=SUITE, group="x25519")
    _message(server, "received", "Finished", 36, "handshake")
    server.check(what="finished", expected=b"\xbb", found=b"\xbb", ok=True)
    server.outcome(status="connected", protocol="TLSv1.3", cipher_suite=SUITE, group="x25519")
    for _ in range(2):
        _message(server, "sent", "NewSessionTicket", 100, "application")
    client.keys(direction="write", epoch="application", cipher_suite=SUITE, key=b"a" * 16, iv=b"b" * 12)
    client.data(direction="sent", length=11)
    server.data(direction="received", length=11)
    client.alert(direction="sent", level="warning", description="close_notify")
    server.alert(direction="received", level="warning", description="close_notify")


@pytest.fixture
def tell() -> Teller:
    """Records a whole handshake, seen from both sides, into a trace."""
    return _tell


@pytest.fixture
def told() -> Trace:
    """A trace of both sides."""
    trace = Trace(clock=lambda: 0.0)
    _tell(trace)
    return trace


@pytest.fixture
def shared_secret() -> bytes:
    """The secret that the handshake came to."""
    return SHARED_SECRET
