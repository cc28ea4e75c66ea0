"""What comes before TLS, with clients of others: so that the servers of our tests are what they pass for.

Our own client meets the same servers in tests/io/test_reaching.py, and those of others that ask for
certificates here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from clear import SERVERS, Script, http_proxy, listening, relayed, socks5_proxy, then_tls
from click.testing import CliRunner

from ours import Pki
from pellucid.cli import attempt
from pellucid.cli.app import app
from pellucid.io.blocking import TLSSocket
from support import PeerProcess, gnutls_serv, openssl_s_client, openssl_s_server, program, run_peer

# As gnutls-cli calls them; it has no MySQL.
GNUTLS_NAMES = {name: name for name in SERVERS if name != "mysql"}


def greet(tls: TLSSocket) -> None:
    tls.sendall(b"all well in TLS\n")
    while tls.recv(65536):
        pass


@contextmanager
def server_of(name: str, pki: Pki) -> Iterator[int]:
    """The port; what goes wrong on our side is raised at the end."""
    errors: list[Exception] = []
    with listening(then_tls(SERVERS[name], pki.server(), greet), errors=errors) as port:
        yield port
    assert errors == []


@pytest.mark.peer("openssl s_client", "openssl")
@pytest.mark.parametrize("name", SERVERS)
def test_openssl_takes_our_servers_for_what_they_are(pki: Pki, name: str) -> None:
    arguments = [
        "-starttls",
        name,
        "-CAfile",
        pki.root,
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
    ]
    if name == "xmpp":
        arguments += ["-xmpphost", "localhost"]
    with server_of(name, pki) as port, openssl_s_client(port, *arguments) as peer:
        peer.wait_for("all well in TLS")
        peer.end_input()
        assert peer.wait() == 0


@pytest.mark.peer("gnutls-cli", "gnutls-cli")
@pytest.mark.parametrize("name", GNUTLS_NAMES)
def test_gnutls_takes_our_servers_for_what_they_are(pki: Pki, name: str) -> None:
    command = [
        *(program("gnutls-cli") or "gnutls-cli", "--starttls-proto", GNUTLS_NAMES[name]),
        *("--x509cafile", pki.root, "--verify-hostname", "localhost", "--sni-hostname", "localhost"),
    ]
    with server_of(name, pki) as port, PeerProcess([*command, "--port", str(port), "127.0.0.1"]) as peer:
        peer.wait_for("all well in TLS")
        peer.end_input()
        peer.wait()


PROXIES: dict[str, tuple[list[str], Script]] = {
    "CONNECT": (["--proxy", "http://127.0.0.1:{}"], relayed(http_proxy)),
    "CONNECT with a password": (
        ["--proxy", "http://127.0.0.1:{}", "--proxy-user", "me:p"],
        relayed(partial(http_proxy, authorization="Basic bWU6cA==")),
    ),
    "SOCKS5": (["--socks5-hostname", "127.0.0.1:{}"], relayed(socks5_proxy)),
    "SOCKS5 with a password": (
        ["--socks5-hostname", "127.0.0.1:{}", "--proxy-user", "me:p"],
        relayed(partial(socks5_proxy, login=(b"me", b"p"))),
    ),
}


def answer(tls: TLSSocket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += tls.recv(65536)
    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nall well")


@pytest.mark.peer("curl", "curl")
@pytest.mark.parametrize("kind", PROXIES)
def test_curl_takes_our_proxies_for_what_they_are(pki: Pki, kind: str) -> None:
    options, proxy = PROXIES[kind]
    with (
        listening(then_tls(lambda _: None, pki.server(), answer)) as port,
        listening(proxy) as proxy_port,
    ):
        through = [option.format(proxy_port) for option in options]
        command = [program("curl") or "curl", "--silent", "--show-error", "--noproxy", "", *through]
        code, output = run_peer([*command, "--cacert", pki.root, f"https://localhost:{port}/"])
    assert (code, output) == (0, "all well")


# -- alerts that come after the handshake


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, what is late is waited for."""
    monkeypatch.setattr(attempt, "_LISTEN_IF_ASKED_SECONDS", 20)


def connected(pki: Pki, port: int, version: str, *, shows: bool) -> tuple[int, str]:
    """What `pellucid connect` exits with and prints."""
    chain, key = pki.client_files()
    identity = ["--cert", chain, "--key", key] if shows else []
    arguments = ["connect", f"localhost:{port}", "--cafile", pki.root, "--tls", version, *identity]
    ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return ran.exit_code, ran.output


REFUSALS = [(version, shows) for version in ("1.2", "1.3") for shows in (False, True)]


def expected(*, shows: bool) -> str:
    return f"id client_certificate_{'untrusted' if shows else 'missing'}"


@pytest.mark.peer("openssl s_server", "openssl")
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("version, shows", REFUSALS)
def test_an_openssl_server_that_refuses_us_is_no_success(pki: Pki, version: str, shows: bool) -> None:
    chain, key = pki.files()
    wanting = ["-Verify", "1", "-verify_return_error", "-CAfile", pki.other_root if shows else pki.root]
    with openssl_s_server("-cert", chain, "-cert_chain", chain, "-key", key, *wanting) as peer:
        code, output = connected(pki, peer.port, version, shows=shows)
    assert code == 6
    assert expected(shows=shows) in output


@pytest.mark.peer("gnutls-serv", "gnutls-serv")
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("version, shows", REFUSALS)
def test_a_gnutls_server_that_refuses_us_is_no_success(pki: Pki, version: str, shows: bool) -> None:
    chain, key = pki.files()
    wanting = ["--require-client-cert", "--verify-client-cert"]
    trusting = ["--x509cafile", pki.other_root if shows else pki.root]
    with gnutls_serv("--x509certfile", chain, "--x509keyfile", key, *wanting, *trusting) as peer:
        code, output = connected(pki, peer.port, version, shows=shows)
    if (version, shows) == ("1.2", False):
        # GnuTLS cannot read an empty certificate message there, and says so: that is all that can be told.
        assert code == 4
        assert "decode_error" in output
    else:
        assert code == 6
        assert "id client_certificate_" in output
