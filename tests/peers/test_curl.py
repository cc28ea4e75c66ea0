"""curl against a small HTTPS server of ours."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from ours import CLIENT_NAME, KeyLines, Pki, serving
from pellucid.codes import AlertDescription
from pellucid.errors import AlertReceived, PeerIncompatible, Reason
from pellucid.io.blocking import TLSSocket
from pellucid.result import Negotiated
from with_curl import BULK, PARTIAL_FILE, PEER_FAILED_VERIFICATION, answer, curl, succeeded

pytestmark = pytest.mark.peer("curl", "curl")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_it_gets_a_page(pki: Pki, host: str) -> None:
    with serving(pki.server(alpn_protocols=["http/1.1"]), answer) as server:
        assert json.loads(succeeded(curl(pki, server, "/page", host=host))) == {"path": "/page"}
        negotiated = server.result()
    assert negotiated.alpn == "http/1.1"
    assert negotiated.server_name == (None if host == "127.0.0.1" else host)


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "rsa"])
def test_it_takes_the_usual_kinds_of_certificates(pki: Pki, kind: str) -> None:
    with serving(pki.server(kind), answer) as server:
        succeeded(curl(pki, server, "/"))
        server.result()


def test_a_big_download_arrives_whole(pki: Pki, tmp_path: Path) -> None:
    with serving(pki.server(), answer) as server:
        succeeded(curl(pki, server, "/bulk", "--output", tmp_path / "bulk"))
        server.result()
    assert (tmp_path / "bulk").read_bytes() == BULK


def test_a_big_upload_arrives_whole(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "bulk").write_bytes(BULK)
    with serving(pki.server(), answer) as server:
        upload = ["--upload-file", tmp_path / "bulk", "--header", "Expect:"]
        output = succeeded(curl(pki, server, "/upload", *upload))
        server.result()
    assert output == hashlib.sha256(BULK).hexdigest()


def test_it_keeps_the_connection_for_a_second_request(pki: Pki) -> None:
    def two(tls: TLSSocket) -> Negotiated:
        return answer(tls, requests=2)

    with serving(pki.server(), two) as server:
        second = f"https://localhost:{server.port}/second"
        output = succeeded(curl(pki, server, "/first", second))
        server.result()
    # The URL that is given last is asked for last.
    assert re.findall(r"/\w+", output) == ["/second", "/first"]


def test_it_resumes_on_its_second_connection(pki: Pki) -> None:
    with serving(pki.server(), answer, answer) as server:
        second = f"https://localhost:{server.port}/second"
        succeeded(curl(pki, server, "/first", "--header", "Connection: close", second))
        outcomes = [server.result(0).resumed, server.result(1).resumed]
    assert outcomes == [False, True]


def test_it_sends_the_share_that_we_ask_for(pki: Pki) -> None:
    with serving(pki.server(groups=["secp384r1"], cookie=True), answer) as server:
        succeeded(curl(pki, server, "/", "--curves", "X25519:P-384"))
        assert server.result().group.name == "secp384r1"


def test_it_authenticates_itself(pki: Pki, tmp_path: Path) -> None:
    chain, key = pki.client_files()
    with serving(pki.mutual_server(), answer) as server:
        succeeded(curl(pki, server, "/", "--cert", chain, "--key", key))
        negotiated = server.result()
    assert negotiated.peer_identity is not None
    assert CLIENT_NAME in negotiated.peer_identity.names


def test_it_is_told_that_a_certificate_is_required(pki: Pki) -> None:
    with serving(pki.mutual_server(), answer) as server:
        code, output = curl(pki, server, "/")
        error = server.exception()
    assert code != 0
    assert "certificate required" in output.replace("is required", "required").lower()
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.CLIENT_CERTIFICATE_MISSING


def test_it_refuses_a_root_that_it_was_not_given(pki: Pki) -> None:
    with serving(pki.server(), answer) as server:
        code, output = curl(pki, server, "/", "--cacert", pki.other_root)
        error = server.exception()
    assert code == PEER_FAILED_VERIFICATION, output
    assert isinstance(error, AlertReceived)
    assert error.description == AlertDescription.unknown_ca


def test_it_refuses_another_name(pki: Pki) -> None:
    with serving(pki.server(), answer) as server:
        elsewhere = ["--resolve", f"elsewhere.test:{server.port}:127.0.0.1"]
        code, output = curl(pki, server, "/", *elsewhere, host="elsewhere.test")
        assert server.exception() is not None  # no request came
    assert code == PEER_FAILED_VERIFICATION, output


def test_a_download_that_is_cut_off_is_an_error_to_it(pki: Pki) -> None:
    def cut(tls: TLSSocket) -> None:
        tls.recv(65536)
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much")

    with serving(pki.server(), cut) as server:
        code, output = curl(pki, server, "/")
        server.result()
    assert code == PARTIAL_FILE, output


def test_both_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    environment = {"SSLKEYLOGFILE": str(tmp_path / "keys")}
    with serving(pki.server(key_log=lines), answer) as server:
        succeeded(curl(pki, server, "/", environment=environment))
        server.result()
    lines.assert_all_in(tmp_path / "keys")
