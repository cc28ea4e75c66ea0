"""Chromium visits `pellucid serve` and sees its own handshake, over the connection that it describes."""

from __future__ import annotations

import base64
import hashlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from browser import CHROMIUM, Browser
from pellucid.identity.lab import Laboratory
from support import PeerProcess

pytestmark = pytest.mark.peer("Chromium", CHROMIUM)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a certificate for localhost and its key, and the hash by which a browser accepts it."""
    folder = tmp_path_factory.mktemp("served")
    issued = Laboratory(None, time.time()).issue()
    (folder / "chain.pem").write_bytes(issued.chain_pem)
    (folder / "key.pem").write_bytes(issued.key_pem)
    leaf = x509.load_pem_x509_certificates(issued.chain_pem)[0].public_key()
    key = leaf.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return folder, base64.b64encode(hashlib.sha256(key).digest()).decode()


@pytest.fixture
def visited(
    request: pytest.FixtureRequest, files: tuple[Path, str], tmp_path: Path
) -> Iterator[tuple[Browser, PeerProcess]]:
    """A browser that shows the server's page, and the server, started with the test's options."""
    folder, accepted = files
    certificate = ("--cert", folder / "chain.pem", "--key", folder / "key.pem")
    command = [sys.executable, "-m", "pellucid", "serve", "--port", "0", *certificate, *request.param]
    with PeerProcess(command) as server:
        port = int(server.wait_for(r"listening on .* port (\d+)")[1])
        with Browser(tmp_path, f"ignore-certificate-errors-spki-list={accepted}") as browser:
            browser.resize(1400, 900)
            browser.open(f"https://localhost:{port}/")
            yield browser, server


@pytest.mark.parametrize("visited", [[]], indirect=True, ids=["default"])
def test_a_browser_sees_its_own_handshake(visited: tuple[Browser, PeerProcess]) -> None:
    browser, server = visited
    assert browser.text("h1") == "You are connected, and this is how"
    assert "X25519MLKEM768" in browser.text(".chips")
    assert "Seen from the server's side" in browser.text("#sequence")
    random = browser.run(
        "[...document.querySelectorAll('#pane .field')].find((one) => one.textContent.includes('random'))"
        ".querySelector('.value').textContent"
    )
    assert len(random) == 64
    assert browser.errors == []
    assert {one.split("/")[2] for one in browser.requests if one.startswith("http")} == {
        browser.run("location.host")
    }
    # Its GREASE is its own: no other client of these tests sends any.
    assert "GREASE" in browser.text("#pane .tree")
    server.wait_for("request +GET /$")


@pytest.mark.parametrize("visited", [["--tls", "1.2"]], indirect=True, ids=["tls12"])
def test_a_browser_that_gets_tls12_sees_tls12(visited: tuple[Browser, PeerProcess]) -> None:
    browser, _ = visited
    assert "TLSv1.2" in browser.text(".chips")
    assert "ServerKeyExchange" in browser.text("#sequence ol")
    assert browser.errors == []


@pytest.mark.parametrize("visited", [[]], indirect=True, ids=["default"])
def test_the_page_does_not_show_a_visitor_its_secrets(visited: tuple[Browser, PeerProcess]) -> None:
    browser, _ = visited
    assert "Secrets are shown" not in browser.text("main")
    assert "not shown" in browser.text("#keys")


@pytest.mark.parametrize("visited", [["--show-secrets"]], indirect=True, ids=["shown"])
def test_shown_secrets_come_with_a_warning(visited: tuple[Browser, PeerProcess]) -> None:
    browser, _ = visited
    assert "Secrets are shown" in browser.text(".notice")
    assert "not shown" not in browser.text("#keys")
