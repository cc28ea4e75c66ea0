"""Conversations with `openssl s_client` and `openssl s_server`, which tests of both versions have."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ours import Pki, connected, receive_until, serving, shout
from ours12 import ALL_CIPHERS
from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import TLSError
from pellucid.io.blocking import TLSSocket
from pellucid.result import Negotiated
from support import PeerProcess, openssl_s_client, openssl_s_server, program, run_peer


def options_off(folder: Path, *names: str) -> dict[str, str]:
    """An environment in which OpenSSL's programs do without these, for which they have no arguments."""
    path = folder / "openssl.cnf"
    off = ",".join(f"-{name}" for name in names)
    path.write_text(f"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = {off}\n")
    return {"OPENSSL_CONF": str(path)}


@functools.cache
def their_ciphers() -> frozenset[str]:
    """All of TLS 1.2 that they can do."""
    code, output = run_peer([program("openssl") or "openssl", "ciphers", ALL_CIPHERS])
    assert code == 0, output
    return frozenset(output.strip().split(":"))


# -- their client


def s_client(
    pki: Pki, port: int, *arguments: str | Path, name: str | None = "localhost", **options: Any
) -> PeerProcess:
    """It checks our certificate strictly; `name` is what it sends and verifies, None sends none."""
    named = ["-noservername"] if name is None else ["-servername", name, "-verify_hostname", name]
    trusting = ["-CAfile", pki.root, "-verify_return_error", "-x509_strict"]
    return openssl_s_client(port, *named, *trusting, *arguments, **options)


def converse(peer: PeerProcess) -> str:
    """One line there and one back, then a proper end; what the peer has printed."""
    peer.send(b"hello\n")
    peer.wait_for("HELLO")
    peer.end_input()
    code = peer.wait()
    assert code == 0, f"exit code {code}; it printed:\n{peer.output}"
    return peer.output


def shouted(pki: Pki, config: ServerConfig, *arguments: str | Path, **options: Any) -> tuple[str, Negotiated]:
    """A whole conversation: what the peer printed, and what our server agreed on."""
    with serving(config, shout) as server:
        with s_client(pki, server.port, *arguments, **options) as peer:
            output = converse(peer)
        negotiated = server.result()
    assert isinstance(negotiated, Negotiated)
    return output, negotiated


def refused(pki: Pki, config: Any, *arguments: str | Path, **options: Any) -> tuple[str, TLSError]:
    """A handshake that fails: what the peer printed, and what our server raised."""
    with serving(config, shout) as server, s_client(pki, server.port, *arguments, **options) as peer:
        # Not before: a client that is about to be refused for its certificate thinks that all is well.
        error = server.exception()
        peer.wait()
        output = peer.output
    assert isinstance(error, TLSError), f"our server raised {error!r}; the peer printed:\n{output}"
    return output, error


def client_certificate(pki: Pki, kind: str = "ecdsa") -> list[str | Path]:
    chain, key = pki.client_files(kind)
    return ["-cert", chain, "-key", key, "-cert_chain", pki.intermediate]


# -- their server

#: Asking for a certificate, and insisting.
VERIFY = ["-Verify", "3", "-verify_return_error", "-x509_strict"]


def identity(pki: Pki, kind: str = "ecdsa") -> list[str | Path]:
    chain, key = pki.files(kind)
    return ["-cert", chain, "-key", key, "-cert_chain", pki.intermediate]


@contextlib.contextmanager
def s_server(pki: Pki, *arguments: str | Path, kind: str = "ecdsa") -> Iterator[PeerProcess]:
    """It prints what comes, and sends what is typed, `k` and `K` apart; with "-rev" it sends lines back."""
    with openssl_s_server(*identity(pki, kind), *arguments) as peer:
        yield peer


def reversed_lines(port: int, config: ClientConfig, name: str = "localhost") -> Negotiated:
    """A whole conversation with a server that has "-rev"."""
    with connected(port, config, name) as tls:
        tls.sendall(b"hello\n")
        assert receive_until(tls, b"\n") == b"olleh\n"
        return tls.negotiated


def exchange_lines(peer: PeerProcess, tls: TLSSocket) -> None:
    """One line each way with a server that has not "-rev"."""
    tls.sendall(b"from us\n")
    peer.wait_for("from us")
    peer.send(b"from it\n")
    assert receive_until(tls, b"\n") == b"from it\n"
