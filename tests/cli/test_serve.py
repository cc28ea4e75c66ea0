from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pellucid.cli import serving as module
from pellucid.cli.output import Output
from pellucid.cli.serving import Server
from pellucid.cli.serving_settings import Wish, url
from pellucid.config import ClientConfig
from pellucid.identity import Credential, TrustStore
from pellucid.io.blocking import connect
from pellucid.trace.json import schema, to_json

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Running:
    """A server in a thread."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.port = server.port
        self.root = root
        self.thread = threading.Thread(target=server.serve, daemon=True)
        self.thread.start()

    def finish(self) -> None:
        """Wait until it has had its connections."""
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.server.__exit__()

    def await_told(self, connections: int) -> None:
        """Wait until so many connections have been told."""
        deadline = time.monotonic() + 20
        while len(self.server.traces) < connections and time.monotonic() < deadline:
            threading.Event().wait(0.005)
        assert len(self.server.traces) == connections

    def ask(self, request: bytes = GET, **settings: Any) -> str:
        """One request, and all of the answer."""
        if "trust" not in settings:
            settings["trust"] = TrustStore.from_files(self.root)
        with connect("127.0.0.1", self.port, ClientConfig(**settings), "localhost") as tls:
            tls.sendall(request)
            answer = b""
            while piece := tls.recv(65536):
                answer += piece
        return answer.decode()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """``start(connections, **wishes)`` serves so many connections."""
    running: list[Running] = []

    def begin(connections: int, **wishes: Any) -> Running:
        settings: dict[str, Any] = {
            **dict.fromkeys(("cert", "key", "client_ca", "group", "suite")),
            "host": "127.0.0.1",
            "port": 0,
            "certificate": "ecdsa",
            "write_root": tmp_path / "root.pem",
            "timeout_seconds": 5.0,
            "connections": connections,
        }
        server = Server(Wish(**{**settings, **wishes}), Output())
        running.append(Running(server, tmp_path / "root.pem"))
        return running[-1]

    yield begin
    for each in running:
        each.server.__exit__()


def test_a_visitor_sees_what_it_offered_and_what_was_chosen(start: Callable[..., Running]) -> None:
    answer = start(1).ask(alpn_protocols=["http/1.1"], groups=["secp384r1", "x448"], key_shares=["secp384r1"])
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert "<code>secp384r1</code>" in answer
    assert '<code class="chosen">secp384r1</code>' in answer
    assert "<code>x448</code>" in answer
    assert "<code>TLS_AES_128_GCM_SHA256</code>" in answer
    assert "<code>http/1.1</code>" in answer
    assert "<code>localhost</code>" in answer


def test_visitors_of_either_version_are_served(start: Callable[..., Running]) -> None:
    serving = start(2)
    for protocol in ("TLSv1.2", "TLSv1.3"):
        answer = serving.ask(protocols=[protocol])
        assert f'<code class="chosen">{protocol}</code>' in answer


@pytest.mark.parametrize("exchange", ["RSA", "ECDHE_RSA"])
def test_an_old_visitor_is_served_if_that_was_asked_for(start: Callable[..., Running], exchange: str) -> None:
    suite = f"TLS_{exchange}_WITH_AES_128_CBC_SHA"
    answer = start(1, policy="compatible", tls="1.2", certificate="rsa").ask(cipher_suites=[suite])
    assert f'<code class="chosen">{suite}</code>' in answer
    assert ("none: the secret came encrypted (RSA)" in answer) == (exchange == "RSA")


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (b"GET /?x=1 HTTP/1.1\r\n\r\n", "200 OK"),
        (b"GET /favicon.ico HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed"),
        (b"GET /\r\n\r\n", "400 Bad Request"),
        (b"\x00\x01\x02\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n", "400 Bad Request"),
    ],
    ids=["query", "not found", "post", "http/0.9", "binary", "too long"],
)
def test_other_requests_are_answered_properly(
    start: Callable[..., Running], request_bytes: bytes, status: str
) -> None:
    assert start(1).ask(request_bytes).startswith(f"HTTP/1.1 {status}\r\n")


def test_head_has_the_length_and_no_body(start: Callable[..., Running]) -> None:
    head, _, body = start(1).ask(b"HEAD / HTTP/1.1\r\n\r\n").partition("\r\n\r\n")
    assert int(re.search(r"Content-Length: (\d+)", head)[1]) > 500  # type: ignore[index]
    assert body == ""


def test_what_the_client_says_is_escaped(start: Callable[..., Running]) -> None:
    answer = start(1).ask(alpn_protocols=["http/1.1", "<script>alert(1)</script>"])
    assert "<script>" not in answer
    assert "&lt;script&gt;" in answer


def test_every_connection_is_told(start: Callable[..., Running], capsys: pytest.CaptureFixture[str]) -> None:
    running = start(2)
    running.ask()
    running.ask()
    running.finish()
    out = capsys.readouterr().out
    assert "connection 1, from 127.0.0.1:" in out
    assert "connection 2, from 127.0.0.1:" in out
    assert out.count("✓ connected: TLSv1.3") == 2
    assert "request          GET /" in out


def test_the_textbook_is_corrected_once(
    start: Callable[..., Running], capsys: pytest.CaptureFixture[str]
) -> None:
    running = start(2)
    running.ask()
    running.await_told(1)
    running.ask()
    running.finish()
    first, second = capsys.readouterr().out.split("connection 2, from")
    assert "Unlike the textbook" in first
    assert "Unlike the textbook" not in second


def bad_peers() -> list[Any]:
    def silent_close(sock: socket.socket) -> None:
        pass

    def plain_http(sock: socket.socket) -> None:
        sock.sendall(GET)
        sock.recv(100)

    def garbage(sock: socket.socket) -> None:
        sock.sendall(bytes(range(256)))
        sock.recv(100)

    def half_a_hello(sock: socket.socket) -> None:
        sock.sendall(bytes.fromhex("160301020001000001fc0303"))

    def reset(sock: socket.socket) -> None:
        sock.sendall(b"\x16")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def alert(sock: socket.socket) -> None:
        sock.sendall(bytes.fromhex("15030300020228"))

    peers = (silent_close, plain_http, garbage, half_a_hello, reset, alert)
    return [pytest.param(peer, id=peer.__name__) for peer in peers]


@pytest.mark.parametrize("misbehave", bad_peers())
def test_a_bad_peer_ends_its_own_connection_only(
    start: Callable[..., Running],
    misbehave: Callable[[socket.socket], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = start(2)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as sock:
        misbehave(sock)
    assert running.ask().startswith("HTTP/1.1 200 OK")
    running.finish()
    out = capsys.readouterr().out
    assert "✗ failed" in out
    assert "✓ connected" in out


def test_a_slow_peer_is_given_up(start: Callable[..., Running], capsys: pytest.CaptureFixture[str]) -> None:
    running = start(1, timeout_seconds=0.2)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as sock:
        assert sock.recv(1) == b""
    running.finish()
    assert "✗ failed: timeout" in capsys.readouterr().out


def test_a_request_in_drops_gets_no_more_time(
    start: Callable[..., Running], capsys: pytest.CaptureFixture[str]
) -> None:
    running = start(1, timeout_seconds=0.5)
    settings = ClientConfig(trust=TrustStore.from_files(running.root))
    with connect("127.0.0.1", running.port, settings, "localhost") as tls:
        tls.settimeout(0.1)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                tls.sendall(b"G")
                if tls.recv(1) == b"":
                    break
            except TimeoutError:
                continue
        assert time.monotonic() < deadline
    running.finish()
    assert "none came in time" in capsys.readouterr().out


def test_a_visitor_that_asks_nothing_is_no_failure(
    start: Callable[..., Running], capsys: pytest.CaptureFixture[str]
) -> None:
    running = start(1)
    settings = ClientConfig(trust=TrustStore.from_files(running.root))
    connect("127.0.0.1", running.port, settings, "localhost").close()
    running.finish()
    out = capsys.readouterr().out
    assert "none: the client left again" in out
    assert "✗" not in out


def test_no_more_than_so_many_connections_are_open_at_once(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AT_A_TIME", 2)
    running = start(3, timeout_seconds=10.0)
    first, second, third = (
        socket.create_connection(("127.0.0.1", running.port), timeout=10) for _ in range(3)
    )
    deadline = time.monotonic() + 10
    while running.server.visitors < 2 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert running.server.visitors == 2
    for sock in (first, second, third):
        sock.close()
    running.finish()
    assert len(running.server.traces) == 3


def test_clients_are_asked_for_a_certificate_where_their_authority_is_given(
    start: Callable[..., Running], files: Any
) -> None:
    credential = Credential.from_files(files.client_cert, files.client_key)
    answer = start(1, client_ca=files.root).ask(credentials=[credential])
    assert "CN=client.example" in answer


def test_a_certificate_of_ones_own_is_shown(start: Callable[..., Running], files: Any) -> None:
    running = start(1, cert=files.server_cert, key=files.server_key, write_root=None)
    assert "200 OK" in running.ask(trust=TrustStore.from_files(files.root))


def test_group_and_suite_are_the_only_ones_accepted(start: Callable[..., Running]) -> None:
    running = start(1, group="secp384r1", suite="TLS_CHACHA20_POLY1305_SHA256")
    answer = running.ask()
    assert '<code class="chosen">secp384r1</code>' in answer
    assert '<code class="chosen">TLS_CHACHA20_POLY1305_SHA256</code>' in answer


def test_each_connection_has_a_trace_of_its_own(start: Callable[..., Running]) -> None:
    running = start(2)
    running.ask()
    running.ask()
    running.finish()
    documents = [to_json(trace) for trace in running.server.traces]
    assert [document["outcome"]["status"] for document in documents] == ["connected"] * 2
    for document in documents:
        Draft202012Validator(schema()).validate(document)
        hellos = [event for event in document["events"] if event.get("name") == "ClientHello"]
        assert len(hellos) == 1


def test_a_returning_visitor_resumes(start: Callable[..., Running]) -> None:
    running = start(2)
    settings = ClientConfig(trust=TrustStore.from_files(running.root))
    for expected in (False, True):
        with connect("127.0.0.1", running.port, settings, "localhost") as tls:
            assert tls.negotiated.resumed is expected
            tls.sendall(GET)
            while tls.recv(65536):
                pass


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``process(*options)`` runs ``pellucid serve`` as a program."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONUTF8": "1", "TMPDIR": str(tmp_path)}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "pellucid", "serve", "--port", "0", *map(str, options)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate(timeout=20)


def listening_port(lines: Iterator[str]) -> int:
    for line in lines:
        if found := re.search(r"port (\d+):", line):
            return int(found[1])
    raise AssertionError("the server did not say where it listens")


def test_ctrl_c_ends_it_well(process: Callable[..., subprocess.Popen[str]]) -> None:
    server = process()
    assert server.stdout is not None
    listening_port(iter(server.stdout.readline, ""))
    server.send_signal(signal.SIGINT)
    out, err = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "Traceback" not in out + err


def test_it_says_where_it_wrote_the_root(process: Callable[..., subprocess.Popen[str]]) -> None:
    server = process("--connections", 1, "--json", "-", "--certificate", "rsa")
    assert server.stderr is not None  # where the story goes when JSON takes standard output
    lines = iter(server.stderr.readline, "")
    root = re.search(r"trust: (.*)", next(lines))
    assert root is not None
    port = listening_port(lines)
    settings = ClientConfig(trust=TrustStore.from_files(root[1].strip()))
    with connect("127.0.0.1", port, settings, "localhost") as tls:
        tls.sendall(GET)
        while tls.recv(65536):
            pass
    out, _ = server.communicate(timeout=20)
    assert server.returncode == 0
    assert '"signature_scheme": "rsa_pss' in out
    assert not Path(root[1].strip()).exists()  # nobody has its key any more


def test_a_port_in_use_exits_3(process: Callable[..., subprocess.Popen[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = process("--port", taken.getsockname()[1], "--host", "127.0.0.1")
        _, err = server.communicate(timeout=20)
    assert server.returncode == 3
    assert err.count("\n") == 1
    assert "cannot listen on 127.0.0.1 port " in err


def test_a_file_that_is_no_certificate_exits_2(
    process: Callable[..., subprocess.Popen[str]], files: Any
) -> None:
    server = process("--cert", files.server_key, "--key", files.server_key)
    _, err = server.communicate(timeout=20)
    assert server.returncode == 2
    assert err.count("\n") == 1
    assert f"pellucid check {files.server_key}" in err


def test_a_root_that_cannot_be_written_exits_2(pellucid: Any, tmp_path: Path) -> None:
    ran = pellucid("serve", "--port", "0", "--write-root", tmp_path / "none" / "root.pem")
    assert ran.code == 2
    assert "--write-root: " in ran.err


def test_what_is_wrong_with_the_options_opens_no_file(pellucid: Any, tmp_path: Path) -> None:
    assert pellucid("serve", "--crl", __file__, "--pcapng", tmp_path / "capture").code == 2
    assert not (tmp_path / "capture").exists()


@pytest.mark.parametrize(
    "host, shown", [("::1", "[::1]"), ("::", "localhost"), ("127.0.0.1", "127.0.0.1"), ("", "localhost")]
)
def test_the_address_is_one_that_a_browser_takes(host: str, shown: str) -> None:
    assert url(host, 4433) == f"https://{shown}:4433/"
