"""Where things go: data to standard output, the story beside it, secrets into the key log."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

import click
from rich.console import Console

from pellucid.cli.render import Storyteller
from pellucid.keys.key_log import KeyLog, key_log_line
from pellucid.printable import escaped
from pellucid.trace import Trace
from pellucid.trace.json import dumps

__all__ = ["Output"]

_STDOUT = "-"


class Output:
    """The outputs of one command. A context manager, which closes the key log.

    The story is told on standard output, unless JSON or the key log goes there: then on standard error.
    """

    def __init__(
        self,
        *,
        verbosity: int = 0,
        json_file: str | None = None,
        keylog_file: str | None = None,
        reveal_secrets: bool = False,
    ) -> None:
        if json_file == _STDOUT and keylog_file == _STDOUT:
            raise click.UsageError("--json and --keylog cannot both go to standard output")
        if json_file and json_file != _STDOUT and not Path(json_file).absolute().parent.is_dir():
            # Said now, and not after a long story.
            raise click.UsageError(f"--json: {json_file}: there is no such folder")
        self.json_file = json_file
        self.reveal_secrets = reveal_secrets
        taken = _STDOUT in (json_file, keylog_file)
        # rich obeys NO_COLOR, TERM and whether it is a terminal by itself.
        self.story = Storyteller(Console(stderr=taken, soft_wrap=True), verbosity)
        self._keylog_file = keylog_file
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self.key_log: KeyLog | None = self._open_key_log()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

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

    def trace(self, *, still: bool = False) -> Trace:
        """A new trace with this output's idea of secrets; ``still``: time stands, for what must repeat."""
        if still:
            return Trace(reveal_secrets=self.reveal_secrets, clock=lambda: 0.0)
        return Trace(reveal_secrets=self.reveal_secrets)

    def warn(self, text: str) -> None:
        """One line to standard error."""
        click.echo(f"pellucid: {escaped(text)}", err=True)

    def announce(self, text: str) -> None:
        """One line of the story that is not about a connection, and that programs may wait for."""
        self.story.line(text)
        self.story.console.file.flush()

    def write_json(self, trace: Trace, previous: Sequence[Trace] = ()) -> None:
        """Write the trace to where ``--json`` says, if it says."""
        if not self.json_file:
            return
        text = dumps(trace, previous)
        if self.json_file == _STDOUT:
            sys.stdout.write(text)
            return
        try:
            # A trace with revealed secrets is a key log too.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            descriptor = os.open(self.json_file, flags, 0o600 if self.reveal_secrets else 0o666)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                if self.reveal_secrets and stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.fchmod(descriptor, 0o600)
                file.write(text)
        except OSError as error:
            raise click.UsageError(f"--json: {self.json_file}: {error.strerror}") from error
