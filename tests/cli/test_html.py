"""`--html`, and the page that `serve` gives to browsers."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from pages import content_of

from pellucid.cli import serving as module
from pellucid.cli.output import Output
from pellucid.cli.serving import Server
from pellucid.cli.serving_settings import Wish
from pellucid.config import ClientConfig
from pellucid.identity import TrustStore
from pellucid.io.blocking import connect

BROWSER = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,application/xhtml+xml\r\n\r\n"
CURL = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"


def read(file: Path) -> dict[str, Any]:
    return content_of(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "options",
    [[], ["--mutual"], ["--tls", "1.2", "--key-exchange", "rsa"], ["--group", "secp384r1"]],
    ids=["plain", "mutual", "rsa", "retry"],
)
def test_a_demo_writes_its_page(pellucid: Any, tmp_path: Path, options: list[str]) -> None:
    file = tmp_path / "page.html"
    ran = pellucid("demo", "--seed", "1", "--html", file, *options)
    assert ran.code == 0
    assert "ClientHello" in ran.out
    data = read(file)
    assert data["heading"].startswith("TLS 1.")
    assert "thrown away" in data["banner"]
    (connection,) = data["connections"]
    assert connection["outcome"]["status"] == "connected"
    assert all("hex" in (key.get("value") or key["parts"][0]) for key in connection["keys"])


def test_a_demo_keeps_its_secrets_if_it_is_told_to(pellucid: Any, tmp_path: Path) -> None:
    pellucid("demo", "--seed", "1", "--no-secrets", "--html", tmp_path / "page.html")
    data = read(tmp_path / "page.html")
    assert data["banner"] == ""
    (connection,) = data["connections"]
    assert not any("hex" in (key.get("value") or key["parts"][0]) for key in connection["keys"])


def test_a_page_tells_of_all_connections(pellucid: Any, tmp_path: Path) -> None:
    pellucid("demo", "--seed", "1", "--resume", "--html", tmp_path / "page.html")
    connections = read(tmp_path / "page.html")["connections"]
    assert [one["title"] for one in connections] == [
        "TLSv1.3 with localhost",
        "TLSv1.3 with localhost, resumed",
    ]


def test_the_words_of_the_demo_are_on_its_page(pellucid: Any, tmp_path: Path) -> None:
    pellucid("demo", "--seed", "1", "--html", tmp_path / "page.html")
    steps = read(tmp_path / "page.html")["connections"][0]["steps"]
    rows = [row["value"] for step in steps for row in step.get("rows", ())]
    assert any("Nobody but you can read this line" in row for row in rows)


def test_a_seeded_demo_makes_the_same_page_each_time(pellucid: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        pellucid("demo", "--seed", "3", "--mutual", "--html", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_only_the_page_shows_a_demos_secrets_unasked(pellucid: Any, tmp_path: Path) -> None:
    plain = pellucid("demo", "--seed", "1", "-v", "--json", "-")
    along = pellucid("demo", "--seed", "1", "-v", "--json", "-", "--html", tmp_path / "page.html")
    assert along.out == plain.out
    assert along.err == plain.err


def test_the_page_can_go_to_standard_output(pellucid: Any) -> None:
    ran = pellucid("demo", "--seed", "1", "--html", "-")
    assert ran.out.startswith("<!doctype html>")
    assert "ClientHello" in ran.err


def test_two_things_cannot_both_go_to_standard_output(pellucid: Any) -> None:
    ran = pellucid("demo", "--html", "-", "--json", "-")
    assert ran.code == 2
    assert "--json and --html cannot both go to standard output" in ran.err


def test_a_missing_folder_is_said_before_anything_happens(pellucid: Any, tmp_path: Path) -> None:
    ran = pellucid("demo", "--html", tmp_path / "no" / "page.html")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no such folder" in ran.err


class Served:
    """``serve`` in a thread, for so many visitors."""

    def __init__(self, folder: Path, output: Output, connections: int = 1) -> None:
        import threading

        settings: dict[str, Any] = dict.fromkeys(("cert", "key", "client_ca", "group", "suite"))
        settings |= {
            "host": "127.0.0.1",
            "port": 0,
            "certificate": "ecdsa",
            "write_root": folder / "root.pem",
            "timeout_seconds": 5.0,
            "connections": connections,
        }
        self.server = Server(Wish(**settings), output)
        self.trust = TrustStore.from_files(folder / "root.pem")
        self.thread = threading.Thread(target=self.server.serve, daemon=True)
        self.thread.start()

    def ask(self, request: bytes) -> str:
        config = ClientConfig(trust=self.trust)
        with connect("127.0.0.1", self.server.port, config, "localhost") as tls:
            tls.sendall(request)
            with tls.makefile("rb") as answer:
                return str(answer.read().decode())

    def finish(self) -> None:
        self.thread.join(20)
        self.server.__exit__()


def test_a_browser_gets_the_page_of_its_own_handshake(tmp_path: Path) -> None:
    served = Served(tmp_path, Output())
    head, _, body = served.ask(BROWSER).partition("\r\n\r\n")
    served.finish()
    assert head.startswith("HTTP/1.1 200 OK")
    assert "script-src 'sha256-" in head
    assert "unsafe-inline" not in head
    data = content_of(body)
    assert data["heading"] == "You are connected, and this is how"
    (connection,) = data["connections"]
    assert connection["sees"] == "server"
    assert "ClientHello" in [step["title"] for step in connection["steps"]]
    assert data["revealed"] is False
    assert all("hidden" in (key.get("value") or key["parts"][0]) for key in connection["keys"])


def test_whoever_takes_anything_gets_the_short_page(tmp_path: Path) -> None:
    served = Served(tmp_path, Output())
    answer = served.ask(CURL)
    served.finish()
    assert "<h2>Chosen</h2>" in answer
    assert "<script" not in answer


def test_a_server_writes_the_page_of_its_latest_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TRACES_ON_PAGE", 2)
    served = Served(tmp_path, Output(html_file=str(tmp_path / "page.html")), connections=3)
    for _ in range(3):
        served.ask(CURL)
    served.finish()
    served.server.write_files()
    assert len(read(tmp_path / "page.html")["connections"]) == 2


@pytest.mark.parametrize("option", ["--show-secrets", "--reveal-secrets"])
def test_secrets_of_a_real_connection_are_shown_on_demand_alone(
    pellucid: Any, tmp_path: Path, option: str
) -> None:
    for name, options in (("hidden", []), ("shown", [option])):
        served = Served(tmp_path, Output())
        ran = pellucid(
            *("connect", f"127.0.0.1:{served.server.port}", "--cafile", tmp_path / "root.pem"),
            *("--html", tmp_path / name, *options),
        )
        served.finish()
        assert ran.code == 0, ran.err
    hidden, shown = read(tmp_path / "hidden"), read(tmp_path / "shown")
    assert (hidden["revealed"], hidden["banner"]) == (False, "")
    assert shown["revealed"] is True
    assert "Keep it to yourself" in shown["banner"]
    assert stat.S_IMODE((tmp_path / "shown").stat().st_mode) == 0o600


def test_a_failing_connect_writes_its_page_all_the_same(pellucid: Any, tmp_path: Path, peer: Any) -> None:
    port = peer(lambda connection: connection.sendall(b"220 mail.example.org ESMTP\r\n"))
    ran = pellucid("connect", f"127.0.0.1:{port}", "--html", tmp_path / "page.html")
    assert ran.code == 8
    data = read(tmp_path / "page.html")
    assert data["heading"] == f"127.0.0.1 port {port}"
    failure = data["connections"][0]["outcome"]["failure"]
    assert failure["id"] == "not_tls"
    assert f"127.0.0.1:{port}" in failure["confirm"]


def test_a_hello_that_was_never_sent_is_no_step(pellucid: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        ran = pellucid("connect", f"127.0.0.1:{taken.getsockname()[1]}", "--html", tmp_path / "page.html")
    assert ran.code == 3
    (connection,) = read(tmp_path / "page.html")["connections"]
    assert connection["outcome"]["failure"]["id"] == "connection_failed"
    assert connection["steps"] == []
