"""Files over a TLS connection: what ``TLSSocket.makefile`` returns."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from pellucid.io.tls_socket import TLSSocket


class TLSFile(io.RawIOBase):
    """The unbuffered file under the buffered ones."""

    def __init__(self, tls: TLSSocket, *, reading: bool, writing: bool) -> None:
        super().__init__()
        self._tls = tls
        self._reading = reading
        self._writing = writing

    def readable(self) -> bool:
        return self._reading

    def writable(self) -> bool:
        return self._writing

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._tls.read_into(memoryview(buffer).cast("B"))

    def write(self, data: ReadableBuffer) -> int:
        return self._tls.write_some(memoryview(data).cast("B"))

    def fileno(self) -> int:
        return self._tls.fileno()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._tls.file_closed()


def open_file(
    tls: TLSSocket,
    mode: str,
    buffering: int | None,
    *,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """The file that ``socket.makefile`` would make with these arguments."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w and b)")
    if buffering == 0 and "b" not in mode:
        raise ValueError("an unbuffered file is binary")
    reading = "r" in mode or "w" not in mode
    writing = "w" in mode
    raw = TLSFile(tls, reading=reading, writing=writing)
    if buffering == 0:
        return cast("IO[Any]", raw)
    size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    buffered: io.BufferedRWPair | io.BufferedReader | io.BufferedWriter
    if reading and writing:
        buffered = io.BufferedRWPair(raw, raw, size)
    elif reading:
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if "b" in mode:
        return cast("IO[Any]", buffered)
    return io.TextIOWrapper(cast("IO[bytes]", buffered), encoding, errors, newline)
