"""``serve --ocsp``, ``--fetch-ocsp`` and ``--crl``: what a server says, and asks, about revocation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from responder import authority

from pellucid.cli.output import Output
from pellucid.cli.serving import Server
from pellucid.cli.serving_settings import Wish
from pellucid.config import ClientConfig
from pellucid.errors import AlertReceived, CertificateRejected, Reason
from pellucid.identity import Credential, TrustStore
from pellucid.identity.lab import Issued, Laboratory
from pellucid.io.blocking import connect

Start = Callable[..., Server]


class Paths:
    """A certificate and key in files."""

    def __init__(self, folder: Path, name: str, issued: Issued) -> None:
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self.cert.write_bytes(issued.chain_pem)
        self.key.write_bytes(issued.key_pem)


@pytest.fixture
def start() -> Iterator[Start]:
    """``start(connections, **wishes)`` serves so many."""
    started: list[tuple[Server, Output, threading.Thread]] = []

    def begin(connections: int, **wishes: Any) -> Server:
        given: dict[str, Any] = {
            **dict.fromkeys(("cert", "key", "client_ca", "group", "suite", "write_root")),
            "host": "127.0.0.1",
            "port": 0,
            "certificate": "ecdsa",
            "timeout_seconds": 5.0,
            "connections": connections,
        }
        output = Output()
        server = Server(Wish(**{**given, **wishes}), output)
        thread = threading.Thread(target=server.serve, daemon=True)
        started.append((server, output, thread))
        thread.start()
        return server

    yield begin
    for server, output, thread in started:
        thread.join(20)  # it has had its connections, or the test has failed
        server.__exit__()
        output.__exit__()


def shake_hands(port: int, trust: TrustStore, **settings: Any) -> None:
    with connect("127.0.0.1", port, ClientConfig(trust=trust, **settings), "localhost") as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        tls.recv(1)


def test_a_response_from_a_file_is_stapled(start: Start, laboratory: Laboratory, tmp_path: Path) -> None:
    issued = laboratory.issue()
    paths = Paths(tmp_path, "server", issued)
    response = tmp_path / "response.der"
    for verdict in ("good", "revoked"):
        response.write_bytes(laboratory.ocsp_response(issued.certificate, verdict))  # type: ignore[arg-type]
        port = start(1, cert=paths.cert, key=paths.key, ocsp=response).port
        if verdict == "good":
            shake_hands(port, laboratory.trust, revocation="hard")
            continue
        with pytest.raises(CertificateRejected) as caught:
            shake_hands(port, laboratory.trust, revocation="staple")
        assert caught.value.reason is Reason.CERTIFICATE_REVOKED


def test_a_response_is_fetched_and_stapled(start: Start, laboratory: Laboratory, tmp_path: Path) -> None:
    with authority() as one:
        issued = laboratory.issue(names=("localhost",), ocsp_url=one.url)
        paths = Paths(tmp_path, "server", issued)
        one.answer = lambda _serial: laboratory.ocsp_response(issued.certificate)
        server = start(1, cert=paths.cert, key=paths.key, fetch_ocsp=True)
        deadline = time.monotonic() + 20
        while server.config.credentials[0].ocsp_response(time.time()) is None:
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)
        shake_hands(server.port, laboratory.trust, revocation="hard")


def test_a_client_on_the_list_is_refused(start: Start, laboratory: Laboratory, tmp_path: Path) -> None:
    server = Paths(tmp_path, "server", laboratory.issue())
    root, crl = tmp_path / "root.pem", tmp_path / "clients.crl"
    root.write_bytes(laboratory.root_pem)
    good, bad = (laboratory.issue(names=(name,), purpose="client") for name in ("good", "bad"))
    crl.write_bytes(laboratory.revocation_list([bad.certificate]))
    port = start(2, cert=server.cert, key=server.key, client_ca=root, crls=(crl,)).port

    def show(credential: Credential) -> None:
        shake_hands(port, laboratory.trust, credentials=[credential])

    show(good.credential)
    with pytest.raises(AlertReceived, match="certificate_revoked"):
        show(bad.credential)


@pytest.mark.parametrize(
    "options, words",
    [
        (["--ocsp", "{file}"], "--cert"),
        (["--fetch-ocsp"], "--cert"),
        (["--crl", "{file}"], "--client-ca"),
        (["--cert", "{cert}", "--key", "{key}", "--ocsp", "{file}", "--fetch-ocsp"], "one response"),
    ],
)
def test_what_does_not_fit_together_exits_2(
    pellucid: Any, files: Any, options: list[str], words: str
) -> None:
    known = {"file": files.root, "cert": files.server_cert, "key": files.server_key}
    ran = pellucid("serve", "--port", "0", *(option.format(**known) for option in options))
    assert ran.code == 2
    assert words in ran.err


@pytest.mark.parametrize(
    "more, words",
    [
        (["--ocsp", "{root}"], "OCSP response"),
        (["--fetch-ocsp"], "names no OCSP responder"),
    ],
)
def test_what_cannot_be_stapled_exits_2(pellucid: Any, files: Any, more: list[str], words: str) -> None:
    given = [option.format(root=files.root) for option in more]
    ran = pellucid("serve", "--port", "0", "--cert", files.server_cert, "--key", files.server_key, *given)
    assert ran.code == 2
    assert words in ran.err
