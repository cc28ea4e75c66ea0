"""Conversations with `gnutls-cli` and `gnutls-serv`, which tests of both versions have."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ours import Pki, connected, receive_until, serving, shout
from pellucid.config import ClientConfig, ServerConfig
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import AlertReceived
from pellucid.result import Negotiated
from support import PeerProcess, gnutls_serv, program, run_peer

theirs_is_the_client = pytest.mark.peer("gnutls-cli", "gnutls-cli")
theirs_is_the_server = pytest.mark.peer("gnutls-serv", "gnutls-serv")

#: GnuTLS's names of suites, groups and signatures are switched off and on in a priority string.
TLS13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
TLS12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"

NO_CLIENT_CERTIFICATE = "--disable-client-cert"

# -- TLS 1.2

#: The same as an argument.
ONLY_TLS12 = ["--priority", TLS12]

each_group12 = pytest.mark.parametrize(
    "theirs, group",
    [
        ("X25519", "x25519"),
        ("SECP256R1", "secp256r1"),
        ("SECP384R1", "secp384r1"),
        ("SECP521R1", "secp521r1"),
        ("X448", "x448"),
        ("FFDHE2048", "ffdhe2048"),
        ("FFDHE3072", "ffdhe3072"),
        ("FFDHE4096", "ffdhe4096"),
    ],
)


@functools.cache
def _their_suites(command: str) -> frozenset[int]:
    """The code points of what GnuTLS lists: "TLS_RSA_AES_128_GCM_SHA256   0x00, 0x9c   TLS1.2"."""
    code, output = run_peer([program(command) or command, "--list"])
    assert code == 0, output
    codes = re.findall(r"^TLS_\w+\s+0x(\w\w), 0x(\w\w)", output, re.MULTILINE)
    return frozenset(int(high + low, 16) for high, low in codes)


def skip_without_suite12(suite: Suite12, command: str) -> None:
    if suite.code not in _their_suites(command):
        pytest.skip(f"this {command} has no {suite}")


def cipher_name(suite: Suite12) -> str:
    return suite.cipher.replace("_", "-")


def suite_priority12(suite: Suite12, encrypt_then_mac: bool) -> str:
    """GnuTLS knows a suite by its parts."""
    exchange = "RSA" if suite.key_exchange == "RSA" else f"{suite.key_exchange}-{suite.authentication}"
    parts = {"KX": exchange, "CIPHER": cipher_name(suite), "MAC": suite.mac_name.upper() or "AEAD"}
    only = ":".join(f"-{kind}-ALL:+{name}" for kind, name in parts.items())
    return f"{TLS12}:{only}" + ("" if encrypt_then_mac else ":%NO_ETM")


def group_priority12(group: str) -> str:
    exchange = "DHE-RSA" if group.startswith("FFDHE") else "ECDHE-RSA"
    return f"{TLS12}:-KX-ALL:+{exchange}:-GROUP-ALL:+GROUP-{group}"


# -- their client


def gnutls_cli(pki: Pki, port: int, *arguments: str | Path, **options: Any) -> PeerProcess:
    """It checks our certificate for "localhost", and goes on until its input ends."""
    names = ["--sni-hostname", "localhost", "--verify-hostname", "localhost"]
    command = [program("gnutls-cli") or "gnutls-cli", "--port", str(port), "--x509cafile", pki.root, *names]
    return PeerProcess([*command, *arguments, "127.0.0.1"], **options)


def converse(peer: PeerProcess) -> str:
    """One line there and one back, then a proper end; what the peer has printed."""
    peer.send(b"hello\n")
    peer.wait_for("^HELLO$")
    peer.end_input()
    code = peer.wait()
    assert code == 0, f"exit code {code}; it printed:\n{peer.output}"
    return peer.output


def shouted(pki: Pki, config: ServerConfig, *arguments: str | Path, **options: Any) -> tuple[str, Negotiated]:
    """A whole conversation: what the peer printed, and what our server agreed on."""
    with serving(config, shout) as server:
        with gnutls_cli(pki, server.port, *arguments, **options) as peer:
            output = converse(peer)
        negotiated = server.result()
    assert isinstance(negotiated, Negotiated)
    return output, negotiated


# -- their server


@contextlib.contextmanager
def echoing(
    pki: Pki, *arguments: str | Path, kind: str = "ecdsa", priority: str = TLS13, **options: Any
) -> Iterator[PeerProcess]:
    """A gnutls-serv that sends back what comes; it asks for a certificate unless told otherwise."""
    chain, key = pki.files(kind)
    certificate = ["--x509certfile", chain, "--x509keyfile", key]
    with gnutls_serv("--echo", "--priority", priority, *certificate, *arguments, **options) as peer:
        yield peer


def echoed(port: int, config: ClientConfig, name: str = "localhost") -> Negotiated:
    with connected(port, config, name) as tls:
        tls.sendall(b"hello\n")
        assert receive_until(tls, b"\n") == b"hello\n"
        return tls.negotiated


def refusal(port: int, config: ClientConfig) -> int:
    """The alert that the server refuses a handshake with."""
    with pytest.raises(AlertReceived) as caught:
        connected(port, config)
    return caught.value.description
