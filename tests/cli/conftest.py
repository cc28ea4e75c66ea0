"""The commands, run in this process, and peers for them on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pellucid.cli.app import app
from pellucid.config import ServerConfig
from pellucid.errors import TLSError
from pellucid.identity import Credential
from pellucid.identity.lab import Laboratory
from pellucid.io.blocking import listen

DEADLINE_SECONDS = 20.0


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Pellucid = Callable[..., Ran]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for everybody: 80 columns, no colours, no key log, UTF-8."""
    for name in ("SSLKEYLOGFILE", "FORCE_COLOR", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def pellucid() -> Pellucid:
    """``pellucid("demo", "-v")`` runs the command and gives exit code and outputs."""

    def run(*arguments: object) -> Ran:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="pellucid")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@dataclass(frozen=True)
class Files:
    """A laboratory's files."""

    root: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path
    stranger_root: Path


@pytest.fixture(scope="session")
def laboratory() -> Laboratory:
    return Laboratory(None, time.time())


@pytest.fixture(scope="session")
def files(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("laboratory")
    server, client = laboratory.issue(), laboratory.issue(names=("client.example",), purpose="client")
    contents = {
        "root": laboratory.root_pem,
        "server_cert": server.chain_pem,
        "server_key": server.key_pem,
        "client_cert": client.chain_pem,
        "client_key": client.key_pem,
        "stranger_root": Laboratory(None, time.time()).root_pem,
    }
    for name, content in contents.items():
        (folder / f"{name}.pem").write_bytes(content)
    return Files(**{name: folder / f"{name}.pem" for name in contents})


@pytest.fixture
def peer() -> Iterator[Callable[[Callable[[socket.socket], object]], int]]:
    """``peer(function)`` calls the function with each TCP connection to the port that it returns."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(behave: Callable[[socket.socket], object]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                connection.settimeout(DEADLINE_SECONDS)
                with closing(connection):
                    behave(connection)

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        with closing(listener):
            listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(DEADLINE_SECONDS)


@pytest.fixture
def server(files: Any) -> Iterator[Callable[..., int]]:
    """``server(**settings)`` starts a TLS server of ours, and gives its port."""
    listeners = []
    threads = []

    def start(**settings: Any) -> int:
        settings.setdefault("credentials", [Credential.from_files(files.server_cert, files.server_key)])
        listener = listen("127.0.0.1", 0, ServerConfig(**settings))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    tls = listener.accept(handshake=False)
                except OSError:
                    return
                with tls, suppress(TLSError, OSError):
                    tls.handshake()
                    tls.recv(1)

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        return int(listener.address[1])

    yield start
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(20)
