"""The part of a file that is being read: never more of it in memory than is asked for, or than is there."""

from __future__ import annotations

from typing import BinaryIO

from pellucid.capture.packets import CaptureError, CaptureFault

# Read at once. Larger pieces are slower: a fresh one is memory that the system has to clear first.
_PIECE = 65_536


class Window:
    """``data`` from ``at`` on is what comes next. Readers move ``at`` themselves."""

    __slots__ = ("_before", "_read", "at", "data")

    def __init__(self, source: BinaryIO) -> None:
        # From a pipe, `read` would wait until all is there. Wrappers around a file need not have `read1`.
        self._read = getattr(source, "read1", source.read)
        self._before = 0
        self.data = b""
        self.at = 0

    @property
    def offset(self) -> int:
        """Where in the file ``at`` is."""
        return self._before + self.at

    def fill(self, size: int) -> bool:
        """Whether ``size`` bytes stand in ``data`` from ``at`` on, after reading what it takes."""
        have = len(self.data) - self.at
        if have >= size:
            return True
        pieces = [self.data[self.at :]]
        while have < size and (piece := self._read(_PIECE)):
            pieces.append(piece)
            have += len(piece)
        self._before += self.at
        self.data = b"".join(pieces)
        self.at = 0
        return have >= size

    def skip(self, size: int) -> bool:
        """Moves ``at`` behind ``size`` bytes, keeping none of them; False where the file ends before."""
        while (have := len(self.data) - self.at) < size:
            size -= have
            self._before += len(self.data)
            self.data = self._read(_PIECE)
            self.at = 0
            if not self.data:
                return False
        self.at += size
        return True

    def require(self, size: int, what: str) -> None:
        """``fill``, or CaptureError CUT_SHORT: the file ends inside ``what``."""
        if not self.fill(size):
            have = len(self.data) - self.at
            raise self.error(
                CaptureFault.CUT_SHORT, f"the file ends inside {what}: {have} of {size} bytes are there"
            )

    def error(self, fault: CaptureFault, detail: str) -> CaptureError:
        """To be raised: what is wrong at ``at``."""
        return CaptureError(fault, detail, self.offset)
