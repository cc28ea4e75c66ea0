"""``pellucid serve`` reads its files again on SIGHUP, and who is connected notices nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from responder import authority

from pellucid.cli.output import Output
from pellucid.cli.reloading import on_hangup
from pellucid.cli.serving import Server
from pellucid.cli.serving_settings import Wish
from pellucid.config import ClientConfig
from pellucid.errors import AlertReceived
from pellucid.identity.lab import Issued, Laboratory
from pellucid.io.blocking import TLSSocket, connect

SECONDS = 20.0
GET = b"GET / HTTP/1.0\r\n\r\n"
needs_sighup = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP on Windows")


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory(b"reloading", time.time())


class Site:
    """The files of one server, of which each certificate can be told by its name."""

    def __init__(self, folder: Path, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self.cert, self.key, self.roots = (folder / name for name in ("cert.pem", "key.pem", "roots.pem"))
        self.roots.write_bytes(laboratory.root_pem)
        self.renew("first")

    def renew(self, name: str) -> Issued:
        issued = self.laboratory.issue(names=(name, "localhost"))
        self.cert.write_bytes(issued.chain_pem)
        self.key.write_bytes(issued.key_pem)
        return issued

    def visit(self, port: int, **settings: Any) -> TLSSocket:
        config = ClientConfig(trust=self.laboratory.trust, sessions=None, **settings)
        return connect("127.0.0.1", port, config, "localhost", timeout=SECONDS)


def shown_to(visitor: TLSSocket) -> str:
    identity = visitor.negotiated.peer_identity
    assert identity is not None
    return identity.names[0]


def page_for(visitor: TLSSocket) -> bytes:
    visitor.sendall(GET)
    return b"".join(iter(lambda: visitor.recv(65536), b""))


@pytest.fixture
def site(tmp_path: Path, laboratory: Laboratory) -> Site:
    return Site(tmp_path, laboratory)


@pytest.fixture
def start(site: Site) -> Iterator[Callable[..., Server]]:
    """``start(connections, **wishes)`` serves so many connections in a thread."""
    running: list[tuple[Server, threading.Thread, Output]] = []

    def begin(connections: int, **wishes: Any) -> Server:
        settings: dict[str, Any] = {
            **dict.fromkeys(("client_ca", "group", "suite", "write_root")),
            "cert": site.cert,
            "key": site.key,
            "host": "127.0.0.1",
            "port": 0,
            "certificate": "ecdsa",
            "timeout_seconds": 5.0,
            "connections": connections,
        }
        output = Output()
        server = Server(Wish(**{**settings, **wishes}), output)
        running.append((server, threading.Thread(target=server.serve, daemon=True), output))
        running[-1][1].start()
        return server

    yield begin
    for server, thread, output in running:
        server.__exit__()
        thread.join(SECONDS)
        assert not thread.is_alive()
        output.__exit__()


def test_new_visitors_see_the_new_certificate_and_open_connections_go_on(
    start: Callable[..., Server], site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start(2)
    with site.visit(server.port) as early:
        site.renew("second")
        server.reload()
        with site.visit(server.port) as late:
            assert (shown_to(early), shown_to(late)) == ("first", "second")
            assert page_for(late).startswith(b"HTTP/1.1 200")
        assert page_for(early).startswith(b"HTTP/1.1 200")
    told = capsys.readouterr().out
    assert re.search(r"read again, for new connections: certificate CN=second, until \d{4}-", told)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda site: site.cert.unlink(), "cannot be read"),
        (lambda site: site.cert.write_text("gibberish"), "holds no PEM certificate"),
        (lambda site: site.key.write_bytes(site.laboratory.issue("rsa").key_pem), "does not match"),
        (lambda site: site.key.write_text(""), "there is no PEM private key"),
        (lambda site: site.cert.write_bytes(site.cert.read_bytes()[:-100]), "is cut off"),
    ],
    ids=["gone", "gibberish", "another key", "empty", "half-written"],
)
def test_bad_files_leave_what_was_read_before_and_are_told(
    start: Callable[..., Server],
    site: Site,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Site], object],
    said: str,
) -> None:
    server = start(2)
    before = server.config
    spoil(site)
    server.reload()
    told = capsys.readouterr().err
    assert "SIGHUP: the files are bad, and what was read before stays: " in told
    assert said in told
    assert server.config is before
    with site.visit(server.port) as visitor:
        assert shown_to(visitor) == "first"
    site.renew("second")
    server.reload()
    with site.visit(server.port) as visitor:
        assert shown_to(visitor) == "second"


def test_the_roots_of_clients_are_read_again_too(start: Callable[..., Server], site: Site) -> None:
    server = start(2, client_ca=site.roots)
    ours = site.laboratory.issue(purpose="client").credential
    with site.visit(server.port, credentials=[ours]) as visitor:
        assert page_for(visitor)
    site.roots.write_bytes(Laboratory(b"others", time.time()).root_pem)
    server.reload()
    with (
        pytest.raises(AlertReceived, match="unknown_ca"),
        site.visit(server.port, credentials=[ours]) as late,
    ):
        page_for(late)


def test_a_laboratory_has_nothing_to_read_again(
    start: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start(0, cert=None, key=None, write_root=tmp_path / "root.pem")
    before = server.config
    server.reload()
    assert "SIGHUP: there is nothing to read again" in capsys.readouterr().err
    assert server.config is before


def test_the_former_certificates_status_is_fetched_no_more(
    start: Callable[..., Server], site: Site, laboratory: Laboratory
) -> None:
    def fetchers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "pellucid-staple"]

    with authority() as one:
        issued = laboratory.issue(names=("localhost",), ocsp_url=one.url)
        one.answer = lambda _serial: laboratory.ocsp_response(issued.certificate)
        site.cert.write_bytes(issued.chain_pem)
        site.key.write_bytes(issued.key_pem)
        server = start(0, fetch_ocsp=True)
        (former,) = fetchers()
        server.reload()
        former.join(SECONDS)
        (current,) = fetchers()
        assert current is not former
        site.key.write_text("")
        server.reload()  # which fails, and starts none
        assert fetchers() == [current]


@needs_sighup
def test_a_running_program_reads_again_on_sighup(site: Site) -> None:
    command = [sys.executable, "-m", "pellucid", "serve", "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--cert", site.cert, "--key", site.key],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            port = int(first_match(lines, r"port (\d+):"))
            with site.visit(port) as early:
                for name in ("second", "third"):
                    site.renew(name)
                    process.send_signal(signal.SIGHUP)
                    assert first_match(lines, r"read again.*CN=(\w+)") == name
                    with site.visit(port) as late:
                        assert shown_to(late) == name
                        assert page_for(late).startswith(b"HTTP/1.1 200")
                site.key.write_text("")
                process.send_signal(signal.SIGHUP)
                assert first_match(lines, r"SIGHUP: the files are (bad)")
                assert page_for(early).startswith(b"HTTP/1.1 200")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0
            assert "Traceback" not in out
        finally:
            process.kill()


def first_match(lines: Iterator[str], pattern: str) -> str:
    for line in lines:
        if found := re.search(pattern, line):
            return found[1]
    raise AssertionError(f"nothing like {pattern} was said")


@needs_sighup
def test_one_hangup_is_one_call_in_another_thread_and_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGHUP)
    called: list[threading.Thread] = []
    told = threading.Semaphore(0)

    def action() -> None:
        called.append(threading.current_thread())
        told.release()

    with on_hangup(action, lambda: pytest.fail("it was done")):
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            assert told.acquire(timeout=SECONDS)
    assert len(called) == 3
    assert threading.main_thread() not in called
    assert not called[0].is_alive()
    assert signal.getsignal(signal.SIGHUP) is before


@needs_sighup
def test_a_reload_that_goes_wrong_is_told_and_does_not_end_reloading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    asked = threading.Semaphore(0)
    fault = ZeroDivisionError()

    def action() -> None:
        asked.release()
        raise fault

    with on_hangup(action, lambda: pytest.fail("somebody is there")):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            assert asked.acquire(timeout=SECONDS)
    assert told == [fault, fault]


@needs_sighup
def test_a_hangup_that_is_to_be_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ignored = "it was ignored when the program began"
        with on_hangup(lambda: pytest.fail(ignored), lambda: pytest.fail(ignored)):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@needs_sighup
def test_where_nobody_can_be_told_the_server_ends_as_it_would_have(start: Callable[..., Server]) -> None:
    """The terminal is gone, with the one who would have read: that is the other thing that SIGHUP means."""
    server = start(1)
    ended = threading.Event()

    def gone() -> None:
        raise OSError

    def stop() -> None:
        server.stop()
        ended.set()

    with on_hangup(gone, stop):
        os.kill(os.getpid(), signal.SIGHUP)
        assert ended.wait(SECONDS)
    assert server.visitors == 0


def test_a_server_that_is_stopped_accepts_nobody_and_serves_who_is_there(
    start: Callable[..., Server], site: Site
) -> None:
    server = start(2)
    with site.visit(server.port) as visitor:
        server.stop()
        assert page_for(visitor).startswith(b"HTTP/1.1 200")
    with pytest.raises(ConnectionRefusedError):
        site.visit(server.port)


def test_a_thread_that_is_not_the_main_one_has_no_signals() -> None:
    done: list[bool] = []

    def serve() -> None:
        with on_hangup(lambda: None, lambda: None):
            done.append(True)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(SECONDS)
    assert done == [True]
