"""Where records start and end in the stream, however the network cuts it.

What has arrived stays in the chunk it came in. A record that crosses into the next chunk is joined, it alone,
and not before it is complete. So a byte is copied a few times at most however the network cuts the
stream, and a stream of large chunks is hardly copied at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pellucid.record.limits import HEADER_LENGTH

# Chunks that wait for the rest of their record are joined at this number, so that a record that trickles in
# byte by byte does not occupy a Python object for each of them.
_MOST_CHUNKS = 256


class Framing(ABC):
    """The chunks that have arrived, and the next record in them. `RecordReader` says what records may be."""

    __slots__ = ("_chunks", "_data", "_joined", "_size", "_start", "_waiting")

    def __init__(self) -> None:
        self._data = b""  # the chunk being read
        self._start = 0  # where in it the next record starts
        self._size = 0  # of that record with its header, once the header has been checked
        self._chunks: list[bytes] = []  # what arrived after `_data`
        self._joined = 0  # how much of the first of them was joined to `_data` already
        self._waiting = 0  # bytes in `_chunks` that were not

    @property
    def buffered(self) -> int:
        """Bytes fed and not yet handed up. At the end of the stream, more than 0 is a record cut short."""
        return len(self._data) - self._start + self._waiting

    def unread(self, limit: int) -> bytes:
        """The first `limit` of the bytes that are `buffered`: what is there of a record that was refused."""
        rest = self._chunks[0][self._joined :] if self._chunks else b""
        return b"".join((self._data[self._start :], rest, *self._chunks[1:]))[:limit]

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the network. `bytes` are kept, not copied."""
        if not isinstance(data, bytes):
            data = bytes(data)
        if not self._data:
            self._data = data
        elif data:
            self._chunks.append(data)
            self._waiting += len(data)
            if len(self._chunks) >= _MOST_CHUNKS:
                self._chunks = [b"".join(self._chunks)]

    @abstractmethod
    def _check_header(self) -> int:
        """Judge the header at the front before its fragment is here; return the record's size."""

    def _frame(self) -> int:
        """The size of the next record with its header, or 0 before all of it is here."""
        have = len(self._data) - self._start
        size = self._size
        if not size:
            if have < HEADER_LENGTH:
                if have + self._waiting < HEADER_LENGTH:
                    return 0
                self._join(HEADER_LENGTH)
                have = HEADER_LENGTH
            size = self._size = self._check_header()
        if have < size:
            if have + self._waiting < size:
                return 0
            self._join(size)
        return size

    def _join(self, need: int) -> None:
        """Make `_data` the next `need` bytes, from several chunks that hold them."""
        pieces = [self._data[self._start :]]
        missing = need - len(pieces[0])
        self._waiting -= missing
        chunks = self._chunks
        used = 0
        joined = self._joined
        while missing:
            piece = chunks[used][joined : joined + missing]
            pieces.append(piece)
            missing -= len(piece)
            joined += len(piece)
            if joined == len(chunks[used]):
                used += 1
                joined = 0
        del chunks[:used]
        self._joined = joined
        self._data = b"".join(pieces)
        self._start = 0

    def _consume(self, size: int) -> None:
        """Go on behind `size` bytes of `_data`: the record at the front, or several."""
        start = self._start + size
        if start == len(self._data):
            # Nothing holds on to a chunk that has been read.
            if self._chunks:
                self._data = self._chunks.pop(0)
                start = self._joined
                self._waiting -= len(self._data) - start
                self._joined = 0
            else:
                self._data = b""
                start = 0
        self._start = start
        self._size = 0
