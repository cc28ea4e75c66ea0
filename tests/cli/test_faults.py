from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty import PATIENCE_SECONDS, Running, running

from pellucid.cli.failing_on_purpose import serve_faults
from pellucid.cli.faulty import FaultServer
from pellucid.cli.output import Output
from pellucid.cli.serving_settings import Wish
from pellucid.config import ClientConfig
from pellucid.errors import TLSError
from pellucid.faults import FAULTS, Bench
from pellucid.identity import TrustStore
from pellucid.io.blocking import connect

SHOWN = "certificate_expired", "no_shared_version", "bad_finished", "not_tls", "truncated_answer"


def test_list_faults(pellucid: Any) -> None:
    for command in ("serve", "demo"):
        ran = pellucid(command, "--list-faults")
        assert ran.code == 0
        lines = ran.out.splitlines()
        assert set(FAULTS) <= set(lines)
        assert max(len(line) for line in lines) < 80
        text = " ".join(ran.out.split())
        for fault in FAULTS.values():
            assert fault.what in text
            assert fault.needs in text


@pytest.mark.parametrize("name", SHOWN)
def test_demo_tells_what_a_client_makes_of_it(name: str, pellucid: Any) -> None:
    ran = pellucid("demo", "--fault", name, "--json", "-")
    fault = FAULTS[name]
    failure = [event for event in ran.document["events"] if event["kind"] == "outcome"][-1]["failure"]
    assert (failure["id"], failure["alert"], failure["direction"]) == (
        fault.diagnosis,
        fault.alert,
        fault.direction,
    )
    assert ran.code == fault.exit_code
    assert f"Exit code        {fault.exit_code}, id {fault.diagnosis}" in ran.err
    assert f"pellucid serve --fault {name}" in " ".join(ran.err.split())


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("serve", "--fault", "nothing"), "there is no fault 'nothing'"),
        (("serve", "--fault", "not_tls", "--tls", "1.2"), "--tls does not go with --fault"),
        (("serve", "--fault", "not_tls", "--certificate", "rsa"), "--certificate does not go with --fault"),
        (("demo", "--fault", "not_tls", "--seed", "1"), "--seed does not go with --fault"),
        (("demo", "--fault", "not_tls", "--fault", "truncated"), "one fault at a time"),
        (("serve", "--fault", "all", "--port", "65500"), "there are not"),
        (("serve", "--fault", "not_tls", "--write-root", "/nonexistent/root.pem"), "No such file"),
    ],
)
def test_what_does_not_go_together(arguments: tuple[str, ...], said: str, pellucid: Any) -> None:
    ran = pellucid(*arguments)
    assert ran.code == 2
    assert said in ran.err


# What `connect` is told besides the root, for a client to meet the fault.
OPTIONS = {
    "alpn_mismatch": ("--alpn", "h2"),
    "client_certificate_untrusted": ("--cert", "CERT", "--key", "KEY"),
    "client_certificate_untrusted_tls12": ("--cert", "CERT", "--key", "KEY"),
    "certificate_revoked": ("--revocation", "staple"),
    "bad_certificate_status": ("--revocation", "staple"),
    "must_staple_missing": ("--revocation", "staple"),
    "weak_dh_group": ("--policy", "compatible"),
    "invalid_dh_share": ("--policy", "compatible"),
}
#: `connect` asks the application for nothing.
MET_BY_CONNECT = [name for name in FAULTS if name != "truncated_answer"]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(time.time())


@pytest.fixture(scope="module")
def server(bench: Bench) -> Iterator[Running]:
    with running(bench, FAULTS) as started:
        yield started


@pytest.mark.parametrize("name", MET_BY_CONNECT)
def test_connect_diagnoses(
    name: str,
    server: Running,
    bench: Bench,
    tmp_path: Path,
    pellucid: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = FAULTS[name]
    # All of these end by themselves; on a slow machine that may take longer than a person would wait.
    monkeypatch.setattr("pellucid.cli.attempt._LISTEN_SECONDS", 20)
    monkeypatch.setattr("pellucid.cli.attempt._LISTEN_IF_ASKED_SECONDS", 20)
    (tmp_path / "root.pem").write_bytes(bench.laboratory.root_pem)
    issued = bench.laboratory.issue("ecdsa", ("client.example",), "client")
    (tmp_path / "CERT").write_bytes(issued.chain_pem)
    (tmp_path / "KEY").write_bytes(issued.key_pem)
    options = [tmp_path / word if word in ("CERT", "KEY") else word for word in OPTIONS.get(name, ())]
    ran = pellucid(
        *("connect", f"127.0.0.1:{server.port(fault)}", "--server-name", "localhost"),
        *("--cafile", tmp_path / "root.pem", "--timeout", PATIENCE_SECONDS.get(name, 20)),
        *options,
        *("--json", "-"),
    )
    failure = [event for event in ran.document["events"] if event["kind"] == "outcome"][-1]["failure"]
    found = failure["id"], failure["alert"], failure["direction"], ran.code
    assert found == (fault.diagnosis, fault.alert, fault.direction, fault.exit_code)
    assert f"id {fault.diagnosis}" in ran.err


class Serving:
    """``serve --fault`` in a thread, and what it has told."""

    def __init__(self, names: tuple[str, ...], connections: int, folder: Path, port: int = 0) -> None:
        self.root = folder / "root.pem"
        self.json = folder / "trace.json"
        self.story = folder / "story.txt"
        wish = Wish(
            host="127.0.0.1",
            port=port,
            cert=None,
            key=None,
            client_ca=None,
            certificate="ecdsa",
            write_root=self.root,
            group=None,
            suite=None,
            timeout_seconds=5.0,
            connections=connections,
        )
        self.output = Output(json_file=str(self.json))
        self.output.story.console.file = self.story.open("w", encoding="utf-8")
        self.code: int | None = None
        self.thread = threading.Thread(target=self._run, args=(names, wish), daemon=True)
        self.thread.start()

    def _run(self, names: tuple[str, ...], wish: Wish) -> None:
        with self.output:
            self.code = serve_faults(names, wish, self.output)
        self.output.story.console.file.close()

    def ports(self) -> dict[str, int]:
        """Once it listens."""
        deadline = time.monotonic() + 20
        while "Ctrl-C" not in self.story.read_text():
            assert time.monotonic() < deadline
            assert self.thread.is_alive()
            threading.Event().wait(0.01)
        found = re.findall(r"^(\w+): https://127\.0\.0\.1:(\d+)/$", self.story.read_text(), re.MULTILINE)
        return {name: int(port) for name, port in found}

    def finished(self) -> str:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.story.read_text()


def refused(port: int, root: Path, **settings: Any) -> None:
    """A connection of ours, which fails."""
    config = ClientConfig(trust=TrustStore.from_files(root), **settings)
    with pytest.raises((TLSError, OSError)):
        connect("127.0.0.1", port, config, "localhost")


def test_serve_has_a_port_for_each_and_says_what_its_visitors_did(tmp_path: Path) -> None:
    names = ("certificate_expired", "no_shared_version", "closed_after_client_hello")
    serving = Serving(names, len(names), tmp_path)
    ports = serving.ports()
    assert list(ports) == list(names)
    for name in names:
        refused(ports[name], serving.root)
    story = serving.finished()
    assert serving.code == 0
    assert "the client refused with the alert certificate_expired" in story
    assert "no version of the client's will do" in story
    assert FAULTS["closed_after_client_hello"].what in story
    document = json.loads(serving.json.read_text())
    assert document["events"]


def test_one_by_itself_says_what_a_client_needs_to_meet_it(tmp_path: Path) -> None:
    serving = Serving(("bad_certificate_status",), 1, tmp_path)
    refused(serving.ports()["bad_certificate_status"], serving.root, revocation="staple")
    story = " ".join(serving.finished().split())
    fault = FAULTS["bad_certificate_status"]
    assert f"{fault.what} Needs {fault.needs}." in story


def test_a_port_that_is_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serving = Serving(("not_tls",), 1, tmp_path, port=taken.getsockname()[1])
        serving.thread.join(20)
    assert serving.code == 3
    assert "in use" in capsys.readouterr().err


def test_ports_lie_one_behind_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    create = socket.create_server

    def note(address: tuple[str, int], **options: Any) -> socket.socket:
        asked.append(address[1])
        return create((address[0], 0), **options)

    monkeypatch.setattr("pellucid.cli.faulty.socket.create_server", note)
    bench = Bench(time.time())
    servers = [(FAULTS[name], FAULTS[name].prepare(bench)) for name in SHOWN]
    with FaultServer(servers, "127.0.0.1", 5000, lambda *_: None):
        pass
    assert asked == list(range(5000, 5000 + len(SHOWN)))
