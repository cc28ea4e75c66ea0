"""curl limited to TLS 1.2, or by our server, against a small HTTPS server of ours."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import pytest

from ours import CLIENT_NAME, KeyLines, Pki, messages, serving
from ours12 import ABBREVIATED, FULL_BY_ID, ONLY_12, server12
from pellucid.codes import AlertDescription
from pellucid.errors import AlertReceived, PeerIncompatible, Reason
from pellucid.io.blocking import TLSSocket
from pellucid.trace import Trace
from with_curl import BULK, PARTIAL_FILE, PEER_FAILED_VERIFICATION, TLS12, answer, curl, succeeded

pytestmark = pytest.mark.peer("curl", "curl")

curl12 = functools.partial(curl, versions=TLS12)

#: As OpenSSL calls them: one of each key exchange and of each way to protect records.
SUITES = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa"),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", "ecdsa"),
    ("ECDHE-RSA-AES256-SHA384", "rsa"),
    ("DHE-RSA-AES256-GCM-SHA384", "rsa"),
    ("AES128-SHA", "rsa"),
]
each_suite = pytest.mark.parametrize("suite, kind", SUITES)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_it_gets_a_page(pki: Pki, host: str) -> None:
    with serving(pki.server(alpn_protocols=["http/1.1"]), answer) as server:
        assert json.loads(succeeded(curl12(pki, server, "/page", host=host))) == {"path": "/page"}
        negotiated = server.result()
    assert negotiated.protocol.label == "TLSv1.2"
    assert negotiated.alpn == "http/1.1"
    assert negotiated.server_name == (None if host == "127.0.0.1" else host)


def test_it_may_be_newer_than_we(pki: Pki) -> None:
    with serving(pki.server(protocols=["TLSv1.2"]), answer) as server:
        succeeded(curl(pki, server, "/", versions=["--tlsv1.2"]))
        assert server.result().protocol.label == "TLSv1.2"


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "rsa"])
def test_it_takes_the_usual_kinds_of_certificates(pki: Pki, kind: str) -> None:
    with serving(pki.server(kind), answer) as server:
        succeeded(curl12(pki, server, "/"))
        server.result()


@each_suite
def test_a_big_download_arrives_whole(pki: Pki, tmp_path: Path, suite: str, kind: str) -> None:
    with serving(server12(pki, kind), answer) as server:
        succeeded(curl12(pki, server, "/bulk", "--ciphers", suite, "--output", tmp_path / "bulk"))
        server.result()
    assert (tmp_path / "bulk").read_bytes() == BULK


@each_suite
def test_a_big_upload_arrives_whole(pki: Pki, tmp_path: Path, suite: str, kind: str) -> None:
    (tmp_path / "bulk").write_bytes(BULK)
    upload = ["--ciphers", suite, "--upload-file", tmp_path / "bulk", "--header", "Expect:"]
    with serving(server12(pki, kind), answer) as server:
        output = succeeded(curl12(pki, server, "/upload", *upload))
        server.result()
    assert output == hashlib.sha256(BULK).hexdigest()


def test_it_resumes_on_its_second_connection(pki: Pki) -> None:
    trace = Trace()
    with serving(pki.server(trace=trace), answer, answer) as server:
        second = f"https://localhost:{server.port}/second"
        succeeded(curl12(pki, server, "/first", "--header", "Connection: close", second))
        outcomes = [server.result(0).resumed, server.result(1).resumed]
    assert outcomes == [False, True]
    # It takes no tickets in TLS 1.2, so by the session's ID.
    assert messages(trace) == [*FULL_BY_ID, *ABBREVIATED]


def test_it_authenticates_itself(pki: Pki) -> None:
    chain, key = pki.client_files()
    with serving(pki.mutual_server(**ONLY_12), answer) as server:
        succeeded(curl12(pki, server, "/", "--cert", chain, "--key", key))
        negotiated = server.result()
    assert negotiated.peer_identity is not None
    assert CLIENT_NAME in negotiated.peer_identity.names


def test_it_is_refused_without_a_certificate(pki: Pki) -> None:
    with serving(pki.mutual_server(**ONLY_12), answer) as server:
        code, output = curl12(pki, server, "/")
        error = server.exception()
    assert code != 0
    assert "handshake failure" in output
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.CLIENT_CERTIFICATE_MISSING


def test_it_refuses_a_root_that_it_was_not_given(pki: Pki) -> None:
    with serving(pki.server(), answer) as server:
        code, output = curl12(pki, server, "/", "--cacert", pki.other_root)
        error = server.exception()
    assert code == PEER_FAILED_VERIFICATION, output
    assert isinstance(error, AlertReceived)
    assert error.description == AlertDescription.unknown_ca


def test_a_server_of_the_newer_version_alone_tells_it(pki: Pki) -> None:
    with serving(pki.server(policy="modern"), answer) as server:
        code, output = curl12(pki, server, "/")
        error = server.exception()
    assert code != 0
    assert "protocol version" in output
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.NO_SHARED_VERSION


def test_a_download_that_is_cut_off_is_an_error_to_it(pki: Pki) -> None:
    def cut(tls: TLSSocket) -> None:
        tls.recv(65536)
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much")

    with serving(pki.server(), cut) as server:
        code, output = curl12(pki, server, "/")
        server.result()
    assert code == PARTIAL_FILE, output


def test_both_log_the_same_secret(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    environment = {"SSLKEYLOGFILE": str(tmp_path / "keys")}
    with serving(pki.server(key_log=lines), answer) as server:
        succeeded(curl12(pki, server, "/", environment=environment))
        server.result()
    lines.assert_all_in(tmp_path / "keys", least=1)
