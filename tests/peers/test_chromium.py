"""Chromium visits `pellucid serve`, whose root its profile trusts, and shows the page."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ours import SECONDS, assert_printed
from support import PeerProcess, program, run_peer

CHROMIUM = "chromium|chromium-browser|google-chrome|google-chrome-stable"

pytestmark = pytest.mark.peer("Chromium", CHROMIUM, "certutil")


@contextlib.contextmanager
def pellucid_serve(folder: Path, *arguments: str) -> Iterator[PeerProcess]:
    """The command as a user runs it, on any port (`.port`). Its root is written to folder/root.pem."""
    command = [sys.executable, "-m", "pellucid", "serve", "--port", "0", "--write-root", folder / "root.pem"]
    with PeerProcess([*command, *arguments]) as server:
        server.port = int(server.wait_for(r"listening on .* port (\d+)", SECONDS)[1])
        yield server


def visit(folder: Path, port: int, *switches: str, trusting: bool = True) -> tuple[int, str]:
    """Open the server's page in a fresh profile, which trusts folder/root.pem; exit code and what it printed.

    Chromium has roots of its own, and takes others from the NSS database in its user's home.
    """
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    _certutil("-d", f"sql:{database}", "-N", "--empty-password")
    if trusting:
        _certutil("-d", f"sql:{database}", "-A", "-t", "C,,", "-n", "root", "-i", folder / "root.pem")
    switches = (
        *switches,
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"),
        *("disable-background-networking", "disable-component-update", "disable-breakpad"),
        *("disable-dev-shm-usage", "no-proxy-server", "dump-dom", f"user-data-dir={folder / 'profile'}"),
    )
    command = [program(CHROMIUM) or "chromium", *(f"--{switch}" for switch in switches)]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
    return run_peer([*command, f"https://localhost:{port}/"], environment=home, timeout_seconds=SECONDS)


def _certutil(*arguments: str | Path) -> None:
    code, output = run_peer([program("certutil") or "certutil", *arguments])
    assert code == 0, output


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "rsa"])
def test_the_page_loads_over_ml_kem(tmp_path: Path, kind: str) -> None:
    with pellucid_serve(tmp_path, "--certificate", kind) as server:
        code, dom = visit(tmp_path, server.port)
        assert_printed("<h1>You are connected, and this is how</h1>", dom)
        assert_printed("This page came over the connection that it describes.", dom)
        assert code == 0
        server.wait_for("connected: TLSv1.3", SECONDS)
        server.wait_for(r"key exchange +X25519MLKEM768$", SECONDS)


def test_the_page_loads_after_a_hello_retry_request(tmp_path: Path) -> None:
    with pellucid_serve(tmp_path, "--group", "secp384r1") as server:
        _, dom = visit(tmp_path, server.port)
        assert_printed("<h1>You are connected, and this is how</h1>", dom)
        server.wait_for("HelloRetryRequest", SECONDS)
        server.wait_for(r"key exchange +secp384r1$", SECONDS)


@pytest.mark.parametrize(
    "suite, kind",
    [
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ecdsa"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "rsa"),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", "rsa"),
    ],
)
def test_the_page_loads_in_tls_1_2(tmp_path: Path, suite: str, kind: str) -> None:
    policy = ["--policy", "compatible"] if suite.startswith("TLS_RSA") else []
    with pellucid_serve(tmp_path, *policy, "--certificate", kind, "--suite", suite) as server:
        _, dom = visit(tmp_path, server.port, "ssl-version-max=tls1.2")
        assert_printed("<h1>You are connected, and this is how</h1>", dom)
        server.wait_for(f"connected: TLSv1.2 {suite}", SECONDS)


def test_without_the_root_there_is_no_page(tmp_path: Path) -> None:
    with pellucid_serve(tmp_path) as server:
        _, output = visit(tmp_path, server.port, trusting=False)
        assert_printed("ERR_CERT_AUTHORITY_INVALID", output)
        assert "You are connected" not in output
        server.wait_for("certificate_unknown|unknown_ca", SECONDS)
