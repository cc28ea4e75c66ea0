"""One side of a watched connection: from the bytes that it sent to records, opened where there are keys.

Unlike the reader of somebody who takes part, this one refuses nothing: what cannot be opened is told as a
closed record, and what is no record ends the reading of this side, not of the other.
"""

from __future__ import annotations

from typing import Protocol

from pellucid.codes import ContentType
from pellucid.errors import PeerMisbehaved
from pellucid.plain import plain
from pellucid.record import HandshakeJoiner
from pellucid.record.framing import Framing
from pellucid.record.limits import HEADER_LENGTH, MAX_CIPHERTEXT12, MAX_FRAGMENT
from pellucid.trace.events import Side

__all__ = ["NotARecord", "ObservedRecord", "Opens", "RecordStream", "Speaker", "is_record_header"]

# change_cipher_spec to heartbeat, as RFC 9846 5.1 and RFC 6520 number them.
_TYPES = range(20, 25)

# Plain ints: comparing with a member of an IntEnum costs three times as much, several times a record.
_APPLICATION_DATA = int(ContentType.application_data)
_CHANGE_CIPHER_SPEC = int(ContentType.change_cipher_spec)
_ALERT = int(ContentType.alert)

_ALERT_LENGTH = 2


class Opens(Protocol):
    """What is asked here of a `RecordOpener`."""

    hides_type: bool

    def open(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]: ...


class NotARecord(Exception):
    """Bytes that are no record stand where one should begin."""


@plain
class ObservedRecord:
    """One record: its true type and content where it was opened, else the outer type and no content.

    ``encrypted``: it is protected. ``is_closed``: and stays so; ``fault`` says why it did not open where it
    should have, or "".
    """

    content_type: int
    content: bytes
    raw: bytes
    encrypted: bool = False
    is_closed: bool = False
    fault: str = ""


def is_record_header(data: bytes | bytearray) -> bool:
    """Whether the first five bytes can begin a record. SSL 3.0 and all of TLS have 3 as major version."""
    return (
        len(data) >= HEADER_LENGTH
        and data[0] in _TYPES
        and data[1] == 3
        and data[2] <= 4
        and (data[3] << 8 | data[4]) <= MAX_CIPHERTEXT12
    )


class RecordStream(Framing):
    """Cuts what one side sent into records."""

    __slots__ = ()

    def next(self) -> bytes | None:
        """The next whole record with its header, or None before one is complete. Raises ``NotARecord``."""
        size = self._frame() if self._data else 0
        if not size:
            return None
        record = self._data[self._start : self._start + size]
        self._consume(size)
        return record

    def begins_with(self, content_type: int) -> bool:
        """Whether the next record says that it is of this type."""
        return bool(self._data) and self._data[self._start] == content_type

    def _check_header(self) -> int:
        header = self._data[self._start : self._start + HEADER_LENGTH]
        if not is_record_header(header):
            raise NotARecord
        return HEADER_LENGTH + (header[3] << 8 | header[4])


class Speaker:
    """What one side has sent and was not read yet, and what opens it.

    ``runs``: its data may be read while the other side is waited for. ``ended``: no more bytes come.
    ``sealed``: why what it sends stays closed, or None. ``is_lost``: where a record begins is not known any
    more. ``offset``: bytes of its stream that were fed. ``opened``: records opened, under whatever key;
    ``is_encrypted``: whether the last one with handshake bytes was. ``why_closed``: reason and sentence, to
    be told with the first record that stays closed.
    """

    __slots__ = (
        "_skips", "ended", "epoch", "is_encrypted", "is_lost", "joined", "joiner", "offset",
        "opened", "opener", "records", "runs", "sealed", "side", "why_closed",
    )  # fmt: skip

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        self.records = RecordStream()
        self.joiner = HandshakeJoiner()
        self.joined = 0
        self.opener: Opens | None = None
        self.epoch = "plaintext"
        self.runs = False
        self.ended = False
        self.sealed: str | None = None
        self.why_closed: tuple[str, str] | None = None
        self.is_encrypted = False
        self.is_lost = False
        self.offset = 0
        self.opened = 0
        self._skips = False

    def feed(self, data: bytes) -> None:
        self.offset += len(data)
        if not self.is_lost:
            self.records.feed(data)

    @property
    def held(self) -> int:
        """Bytes that were fed and could not be told yet, or nearly so many."""
        return self.records.buffered + (self.joined if self.joiner.pending else 0)

    def join(self, content: bytes) -> None:
        """The content of a record of handshake messages."""
        self.joined = (self.joined if self.joiner.pending else 0) + len(content)
        self.joiner.add(content)

    def install(self, opener: Opens, epoch: str, *, skips: bool) -> None:
        self.opener = opener
        self.epoch = epoch
        self._skips = skips

    def close(self, reason: str, detail: str) -> None:
        """There is nothing to open what is protected from here on."""
        self.opener = None
        self.why_closed = (reason, detail)

    def next(self) -> ObservedRecord | None:
        """The next record, opened if it can be. Raises ``NotARecord``."""
        raw = None if self.is_lost else self.records.next()
        return None if raw is None else self._open(raw)

    def _open(self, raw: bytes) -> ObservedRecord:
        opener, outer = self.opener, raw[0]
        if outer != _APPLICATION_DATA and self._is_plain(raw):
            return ObservedRecord(outer, raw[HEADER_LENGTH:], raw)
        if opener is None or self.sealed is not None:
            return ObservedRecord(outer, b"", raw, encrypted=True, is_closed=True)
        try:
            content_type, content = opener.open(raw[:HEADER_LENGTH], raw[HEADER_LENGTH:], MAX_FRAGMENT)
        except PeerMisbehaved as error:
            fault = "" if self._skips else error.detail
            return ObservedRecord(outer, b"", raw, encrypted=True, is_closed=True, fault=fault)
        self._skips = False
        self.opened += 1
        return ObservedRecord(content_type, content, raw, encrypted=True)

    def _is_plain(self, raw: bytes) -> bool:
        """Whether a record that shows its type shows its content as well.

        So it is before there are keys, and in TLS 1.3, where protected records have one and the same type.
        Of a side that stays closed only the length can tell, which of an alert in the clear is 2.
        """
        if self.sealed is None:
            return self.opener is None or self.opener.hides_type
        of_alert = raw[0] == _ALERT and len(raw) == HEADER_LENGTH + _ALERT_LENGTH
        return of_alert or raw[0] == _CHANGE_CIPHER_SPEC
