"""The capture that ``decode`` reads: a file or standard input, with a bar for how far it has been read."""

from __future__ import annotations

import io
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import click

from pellucid.cli.exits import Exit
from pellucid.printable import escaped

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Unreadable", "named", "opened"]

_STDIN = "-"

# Smaller ones are read before anybody looks at a bar.
_WORTH_A_BAR = 8 * 2**20


class Unreadable(click.ClickException):
    """The command was right, but nothing can be read of what it names."""

    exit_code = Exit.USAGE


def named(name: str) -> str:
    """What a file is called in a sentence."""
    return "standard input" if name == _STDIN else escaped(name)


@contextmanager
def opened(name: str, *, bar: bool = True) -> Iterator[BinaryIO]:
    """The file, or standard input, to be read as bytes. Where it cannot be read, that is ``Unreadable``.

    ``bar``: show on standard error how far it has been read, if it is large, and somebody is there to look.
    """
    with ExitStack() as stack:
        raw = _raw(name, stack)
        size = _size(raw)
        advanced: Callable[[int], object] | None = None
        if bar and size >= _WORTH_A_BAR and sys.stderr.isatty():
            from rich.console import Console

            advanced = stack.enter_context(_bar(Console(stderr=True), size))
        yield cast("BinaryIO", io.BufferedReader(_Counting(raw, name, advanced)))


def _raw(name: str, stack: ExitStack) -> IO[bytes]:
    if name == _STDIN:
        if sys.stdin is None:  # as with <&- in a shell
            raise Unreadable(f"{named(name)} is closed")
        if sys.stdin.isatty():
            raise click.UsageError("standard input is a terminal: give a file, or pipe one in")
        stack.enter_context(_interrupted_twice())
        stream = sys.stdin.buffer
        return cast("IO[bytes]", getattr(stream, "raw", stream))
    try:
        return stack.enter_context(Path(name).open("rb", buffering=0))
    except OSError as error:
        raise Unreadable(f"{named(name)}: {error.strerror}") from error


@contextmanager
def _interrupted_twice() -> Iterator[None]:
    """The first Ctrl-C is for who writes into our pipe, and gets it as well: then what came can be told."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL
    signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, before))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _size(raw: IO[bytes]) -> int:
    """The size of a file in bytes; 0 for what is none, as a pipe, whose end nobody knows."""
    try:
        status = os.fstat(raw.fileno())
    except (OSError, ValueError):  # of what stands in for a file
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


class _Counting(io.RawIOBase):
    """A file that tells where it is being read, and what is wrong if it cannot be."""

    def __init__(self, raw: IO[bytes], name: str, advanced: Callable[[int], object] | None) -> None:
        super().__init__()
        self._raw = raw
        self._name = name
        self._advanced = advanced
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._raw.seekable()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what a BufferedReader hands in
        try:
            count = cast("io.RawIOBase", self._raw).readinto(buffer) or 0
        except OSError as error:
            raise Unreadable(f"{named(self._name)} cannot be read: {error.strerror}") from error
        self._move(self._at + count)
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._move(self._raw.seek(offset, whence))
        return self._at

    def tell(self) -> int:
        return self._raw.tell()

    def _move(self, position: int) -> None:
        self._at = position
        if self._advanced is not None:
            self._advanced(position)


@contextmanager
def _bar(console: Console, size: int) -> Iterator[Callable[[int], object]]:
    """A bar on this terminal, which goes away at the end; gives what moves it to a place in bytes."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = (BarColumn(), TaskProgressColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    # What is written meanwhile is data, and goes where it is to go.
    with Progress(
        "reading", *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        task = progress.add_task("", total=size)
        yield lambda place: progress.update(task, completed=place)
