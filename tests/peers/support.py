"""Real TLS peers as child processes: found, started on a port that is free, awaited, always ended.

Nothing here sleeps for a fixed time. A wait ends when the peer has said what was waited for, when it has
exited, or at its deadline, and a failed wait shows all that the peer had printed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

DEADLINE_SECONDS = 30.0  # generous: CI may run on one slow core beside a browser
STOP_SECONDS = 5.0
PORT_ATTEMPTS = 5
MODULE = "module:"


def program(names: str) -> str | None:
    """The path of the first of the programs `names` ("chromium|google-chrome") that is installed."""
    return next(filter(None, map(shutil.which, names.split("|"))), None)


def missing(needs: Sequence[str]) -> list[str]:
    """Those of `needs` that are not here: programs ("a|b": either will do), or modules ("module:OpenSSL")."""
    return [need for need in needs if not _present(need)]


def _present(need: str) -> bool:
    if need.startswith(MODULE):
        return importlib.util.find_spec(need.removeprefix(MODULE)) is not None
    return program(need) is not None


def free_port() -> int:
    """A loopback TCP port that was free a moment ago; for peers that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class PeerProcess:
    """A running peer: what it has printed (standard output and error together), its input, and its end.

    Use it as a context manager: on leaving, the process and all that it started are ended.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [str(word) for word in argv]
        self.port = 0  # set by those who start a server
        self._printed = bytearray()
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            bufsize=0,
            start_new_session=True,  # so that its whole group can be ended
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {self.argv[0]}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        with output:
            while chunk := output.read(65536):
                with self._changed:
                    self._printed += chunk
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        with self._changed:
            return self._printed.decode("utf-8", "replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, pattern: str, timeout_seconds: float = DEADLINE_SECONDS) -> re.Match[str]:
        """The first match of `pattern` (multi-line) in its output; AssertionError if it ends without."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while True:
                if match := re.search(pattern, self._printed.decode("utf-8", "replace"), re.MULTILINE):
                    return match
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"printed nothing like it in {timeout_seconds} s"
                    raise AssertionError(f"waiting for {pattern!r}: {self._told(why)}")
                self._changed.wait(left)

    def send(self, data: bytes) -> None:
        """Writes to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def end_input(self) -> None:
        """Closes its standard input; a peer that has gone already is no error."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def wait(self, timeout_seconds: float = DEADLINE_SECONDS) -> int:
        """Its exit code, once it and its output have ended."""
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._told(f"still runs after {timeout_seconds} s")) from None
        self._reader.join(STOP_SECONDS)
        return code

    def kill(self) -> None:
        """Ends it and its children at once: it says no goodbye."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ends it and its children: asks first, kills when that is not heard. May be called again."""
        self.end_input()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # children that outlived it
        self._reader.join(STOP_SECONDS)

    def _told(self, why: str) -> str:
        printed = self._printed.decode("utf-8", "replace")
        return f"{' '.join(self.argv)}: {why}; it printed:\n{printed}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        # What a test fails with is often our own side's error: what the peer said belongs to it.
        if isinstance(error, Exception | pytest.fail.Exception):
            error.add_note(self._told(f"ended with {self._process.returncode}"))


def run_peer(
    argv: Sequence[str | Path],
    *,
    data: bytes = b"",
    timeout_seconds: float = DEADLINE_SECONDS,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Runs a peer to its end with `data` as its whole input: its exit code and all that it printed."""
    with PeerProcess(argv, environment=environment, cwd=cwd) as peer:
        with contextlib.suppress(BrokenPipeError):  # it may have ended before it read anything
            peer.send(data)
        peer.end_input()
        return peer.wait(timeout_seconds), peer.output


@contextlib.contextmanager
def openssl_s_server(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[PeerProcess]:
    """`openssl s_server` on a port that the system chose (`.port`), accepting."""
    command = [program("openssl") or "openssl", "s_server", "-accept", "127.0.0.1:0", *arguments]
    with PeerProcess(command, environment=environment, cwd=cwd) as peer:
        peer.port = int(peer.wait_for(r"^ACCEPT .*?:(\d+)$")[1])
        yield peer


def openssl_s_client(
    port: int, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> PeerProcess:
    """`openssl s_client` connecting to a loopback port; it goes on until its input ends."""
    command = [program("openssl") or "openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments]
    return PeerProcess(command, environment=environment)


@contextlib.contextmanager
def server_on_free_port(
    argv_for: Callable[[int], Sequence[str | Path]],
    ready: str,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[PeerProcess]:
    """A server that must be told its port: `argv_for(port)` is its command, `ready` what it then prints.

    Another process may take the port before the server does: then it ends, and is tried on another.
    """
    for attempt in range(1, PORT_ATTEMPTS + 1):
        port = free_port()
        with PeerProcess(argv_for(port), environment=environment, cwd=cwd) as peer:
            try:
                peer.wait_for(ready)
            except AssertionError:
                taken = re.search(r"in use|EADDRINUSE|bind\(\) failed", peer.output)
                if taken is None or attempt == PORT_ATTEMPTS:
                    raise
                continue
            peer.port = port
            yield peer
            return


def gnutls_serv(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> contextlib.AbstractContextManager[PeerProcess]:
    """`gnutls-serv` on a free port (`.port`), listening."""
    command = program("gnutls-serv") or "gnutls-serv"
    return server_on_free_port(
        lambda port: [command, "--port", str(port), *arguments],
        ready=r"listening on IPv4 .* port \d+\.*done",
        environment=environment,
    )


def wait_until_accepting(port: int, timeout_seconds: float = DEADLINE_SECONDS) -> None:
    """Returns once something accepts TCP connections on loopback `port`; for servers that print nothing."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)  # between polls
        else:
            return
