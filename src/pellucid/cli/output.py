"""Where things go: data to standard output, the story beside it, secrets into the key log and the capture."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import click
from rich.console import Console

from pellucid.cli.capturing import Captured, CaptureFile
from pellucid.cli.descriptors import descriptor_for
from pellucid.cli.render import Storyteller
from pellucid.cli.seeded import FIXED_NOW
from pellucid.keys.key_log import KeyLog, key_log_line
from pellucid.printable import escaped
from pellucid.trace import Trace
from pellucid.trace.json import dumps
from pellucid.trace.redacting import redacted

__all__ = ["DataFile", "Output", "storyteller", "write_data"]

T = TypeVar("T")

_STDOUT = "-"


class Output:
    """The outputs of one command. A context manager, which closes the key log and the capture.

    The story is told on standard output, unless data goes there: then on standard error.
    """

    def __init__(
        self,
        *,
        verbosity: int = 0,
        json_file: str | None = None,
        html_file: str | None = None,
        keylog_file: str | None = None,
        pcapng_file: str | None = None,
        secrets: bool = True,
        reveal_secrets: bool = False,
        writes_keys: bool = True,
    ) -> None:
        """``writes_keys`` False: no key log is written, whatever SSLKEYLOGFILE says."""
        files = {"--json": json_file, "--html": html_file, "--keylog": keylog_file, "--pcapng": pcapng_file}
        taken = [option for option, file in files.items() if file == _STDOUT]
        if len(taken) > 1:
            raise click.UsageError(f"{' and '.join(taken)} cannot both go to standard output")
        for option, file in (("--json", json_file), ("--html", html_file)):
            if file and file != _STDOUT and not Path(file).absolute().parent.is_dir():
                # Said now, and not after a long story.
                raise click.UsageError(f"{option}: {file}: there is no such folder")
        #: Whether data is written to a terminal, where nothing else should come between.
        self.data_on_terminal = bool(taken) and sys.stdout.isatty()
        self.json_file = json_file
        self.html_file = html_file
        self.reveal_secrets = reveal_secrets
        # Of a laboratory's secrets, which the page shows unless it is to be without.
        self._reveals_laboratory = html_file is not None and secrets
        self.story = storyteller(verbosity, beside=bool(taken))
        self._keylog_file = keylog_file
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._key_log = self._open_key_log() if writes_keys else None
        self._capture: CaptureFile | None = None
        if pcapng_file:
            self._capture = CaptureFile(pcapng_file, secrets=secrets, warn=self.warn)
            self._opened.callback(self._capture.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def keep(self, resource: AbstractContextManager[T]) -> T:
        """Enter what is to be closed with the outputs."""
        return self._opened.enter_context(resource)

    @property
    def key_log(self) -> KeyLog | None:
        """What a connection is to give its secrets to: the key log, the capture, both or neither."""
        logs = [log for log in (self._key_log, self._capture and self._capture.key_log) if log]
        if len(logs) < 2:
            return logs[0] if logs else None

        def log_to_all(label: str, client_random: bytes, secret: bytes, /) -> None:
            for log in logs:
                log(label, client_random, secret)

        return log_to_all

    def _open_key_log(self) -> KeyLog | None:
        if self._keylog_file == _STDOUT:
            return self._key_logger(sys.stdout)
        # In the environment a "-" is a file like any other: nobody has asked for secrets on the terminal.
        path = self._keylog_file or os.environ.get("SSLKEYLOGFILE")
        if not path:
            return None
        try:
            # Only for its owner's eyes; appended to, as browsers and curl do.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            if self._keylog_file:
                raise click.UsageError(f"--keylog: {path}: {error.strerror}") from error
            self.warn(f"SSLKEYLOGFILE is set, but cannot be written: {path}: {error.strerror}")
            return None
        if os.fstat(descriptor).st_mode & 0o077 and os.name == "posix":
            self.warn(f"{path} can be read by others: whoever reads it can read the connections")
        file = self._opened.enter_context(os.fdopen(descriptor, "w", encoding="ascii"))
        return self._key_logger(file)

    def _key_logger(self, file: IO[str]) -> KeyLog:
        def log(label: str, client_random: bytes, secret: bytes, /) -> None:
            with self._lock:  # connections of ``serve`` run in threads
                file.write(key_log_line(label, client_random, secret) + "\n")
                file.flush()

        return log

    def trace(self, *, still: bool = False, laboratory: bool = False) -> Trace:
        """A new trace with this output's idea of secrets; ``still``: time stands, for what must repeat.

        ``laboratory``: its secrets are worth nothing, so that a page may show them without being asked to.
        """
        reveal = self.reveal_secrets or (laboratory and self._reveals_laboratory)
        if still:
            return Trace(reveal_secrets=reveal, clock=lambda: 0.0, started_at=FIXED_NOW)
        return Trace(reveal_secrets=reveal)

    def told(self, trace: Trace) -> Trace:
        """The trace for all but the page: with its secrets only if these were asked for."""
        return trace if self.reveal_secrets else redacted(trace)

    def capture(self, trace: Trace, server_name: str = "") -> Captured:
        """The place of a connection in the capture, if there is one."""
        return Captured(self._capture, trace, server_name)

    def warn(self, text: str) -> None:
        """One line to standard error."""
        click.echo(f"pellucid: {escaped(text)}", err=True)

    def announce(self, text: str) -> None:
        """One line of the story that is not about a connection, and that programs may wait for."""
        self.story.line(text)
        self.story.console.file.flush()

    def write_json(
        self, trace: Trace, previous: Sequence[Trace] = (), why: Mapping[str, Any] | None = None
    ) -> None:
        """Write the trace to where ``--json`` says, if it says; the others as for ``to_json``."""
        if self.json_file:
            text = dumps(self.told(trace), [self.told(earlier) for earlier in previous], why)
            write_data("--json", self.json_file, text, private=self.reveal_secrets)

    def write_html(self, traces: Sequence[Trace], **words: Any) -> None:
        """Write the page of these connections, oldest first, to where ``--html`` says, if it says.

        ``words``: as ``pellucid.trace.html.page`` takes them.
        """
        if self.html_file:
            from pellucid.trace.html import page

            write_data("--html", self.html_file, page(traces, **words), private=self.reveal_secrets)

    def json_data(self) -> DataFile | None:
        """Where ``--json`` says, for who writes it piece by piece; None if it does not say."""
        return self._opened.enter_context(self._data("--json", self.json_file)) if self.json_file else None

    def _write(self, option: str, name: str, text: str) -> None:
        with self._data(option, name) as file:
            file.write(text)

    def _data(self, option: str, name: str) -> DataFile:
        # What shows secrets is a key log too.
        return DataFile(option, name, private=self.reveal_secrets)


class DataFile:
    """What an option names to be written. It is made with the first piece: where there is nothing to be
    written, what was there before stays.
    """

    def __init__(self, option: str, name: str, *, private: bool) -> None:
        self._option = option
        self._name = name
        self._private = private
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with self._telling():
                self._file.close()

    def write(self, text: str) -> None:
        if self._name == _STDOUT:
            sys.stdout.write(text)
            return
        with self._telling():
            self._file = self._file or self._open()
            self._file.write(text)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise click.UsageError(f"{self._option}: {self._name}: {error.strerror}") from error

    def _open(self) -> IO[str]:
        return os.fdopen(descriptor_for(self._name, private=self._private), "w", encoding="utf-8")


def storyteller(verbosity: int, *, beside: bool) -> Storyteller:
    """Who tells a story on standard output; ``beside`` data that goes there, on standard error."""
    # rich obeys NO_COLOR, TERM and whether it is a terminal by itself.
    return Storyteller(Console(stderr=beside, soft_wrap=True), verbosity)


def write_data(option: str, name: str, text: str, *, private: bool = False) -> None:
    """Write ``text`` to the file that ``option`` names, or to standard output; ``private``: for its owner."""
    with DataFile(option, name, private=private) as file:
        file.write(text)
