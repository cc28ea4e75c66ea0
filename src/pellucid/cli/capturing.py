"""The file of ``--pcapng``, written while connections go on, so that Wireshark can read it from a pipe."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import click

import pellucid
from pellucid.cli.descriptors import descriptor_for
from pellucid.keys.key_log import KeyLog, key_log_line
from pellucid.trace import Side, Trace
from pellucid.trace.events import other_side
from pellucid.trace.pcapng import Capture, CapturedConnection, Endpoint, client_randoms

if TYPE_CHECKING:
    from pellucid.io.blocking import TLSSocket

__all__ = ["CaptureFile", "Captured"]

_STDOUT = "-"


class CaptureFile:
    """One capture, with the secrets of its connections unless it is to be without. Threads may share it."""

    def __init__(self, path: str, *, secrets: bool, warn: Callable[[str], None]) -> None:
        self._capture = Capture(f"pellucid {pellucid.__version__}")
        self._warn = warn
        self._lock = threading.Lock()
        self._lines: defaultdict[str, list[str]] = defaultdict(list)  # by the client's random, in hex
        self.key_log: KeyLog | None = self._collect if secrets else None
        self._file: IO[bytes] | None = _open(path, private=secrets)
        self._close = path != _STDOUT
        self._write(self._capture.start())

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._file and self._close:
            self._file.close()
        self._file = None

    def _collect(self, label: str, client_random: bytes, secret: bytes, /) -> None:
        with self._lock:
            self._lines[client_random.hex()].append(key_log_line(label, client_random, secret))

    def connection(self, trace: Trace, ends: dict[Side, Endpoint]) -> CapturedConnection:
        """One more connection, between these."""
        with self._lock:
            return self._capture.connection(trace, ends["client"], ends["server"])

    def advance(self, connection: CapturedConnection, trace: Trace) -> None:
        """Write what has happened on a connection since the last time."""
        with self._lock:
            lines = [line for random in client_randoms(trace.events) for line in self._lines.get(random, ())]
            self._write(connection.advance(lines))

    def finish(self, connection: CapturedConnection, trace: Trace, reset_by: Side | None) -> None:
        """Write the rest of a connection, and forget its secrets."""
        with self._lock:
            lines = [line for random in client_randoms(trace.events) for line in self._lines.pop(random, ())]
            self._write(connection.finish(lines, reset_by=reset_by))

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        view = memoryview(data)
        try:
            while view:
                count = self._file.write(view)
                if count is None:  # a pipe that does not wait
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                view = view[count:]
        except OSError as error:
            # Wireshark was closed, or the disk is full; the story goes on.
            self._warn(f"--pcapng: {error.strerror}: the capture ends here")
            self.close()


class Captured:
    """One connection's place in a capture; without ``file`` there is none, and nothing is done."""

    def __init__(self, file: CaptureFile | None, trace: Trace, server_name: str = "") -> None:
        self._file = file
        self._trace = trace
        self._ends: dict[Side, Endpoint] = {"client": Endpoint(), "server": Endpoint(name=server_name)}
        self._connection: CapturedConnection | None = None

    def between(self, tls: TLSSocket, side: Side, server_name: str) -> None:
        """Whose ends they are: ``tls`` is that of ``side``. To be said before anything is written."""
        try:
            client, server = tls.getsockname(), tls.getpeername()
        except OSError:  # the peer has left already
            self._ends["server"] = Endpoint(name=server_name)
            return
        if side == "server":
            client, server = server, client
        self._ends = {
            "client": Endpoint(client[0], client[1]),
            "server": Endpoint(server[0], server[1], server_name),
        }

    def advance(self) -> None:
        """What can be read already, namely after the handshake: a reader needs its secrets before it."""
        if self._file:
            self._connection = self._connection or self._file.connection(self._trace, self._ends)
            self._file.advance(self._connection, self._trace)

    def finish(self, side: Side, error: Exception | None = None) -> None:
        """The connection has ended for ``side``; with ``error``, which may be that the peer broke it off."""
        if self._file:
            self._connection = self._connection or self._file.connection(self._trace, self._ends)
            reset_by = other_side(side) if _is_reset(error) else None
            self._file.finish(self._connection, self._trace, reset_by)


def _open(path: str, *, private: bool) -> IO[bytes]:
    """Unbuffered: what is written can be read at once, and nothing is left behind when a pipe breaks."""
    if path == _STDOUT:
        stream: IO[bytes] = sys.stdout.buffer
        raw: IO[bytes] = getattr(stream, "raw", stream)
        return raw
    try:
        return os.fdopen(descriptor_for(path, private=private), "wb", buffering=0)
    except OSError as error:
        raise click.UsageError(f"--pcapng: {path}: {error.strerror}") from error


def _is_reset(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ConnectionResetError):
            return True
        error = error.__cause__
    return False
