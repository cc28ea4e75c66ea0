"""From messages and data to bytes: one ordered queue, sealed only as the network takes it.

    queue(type, data) ─┐
                       ├─>  [ServerHello][handshake key][EncryptedExtensions]...[data]  ──take()──>  bytes
    install(sealer)   ─┘

A key change is an entry of the queue, so what was queued before it goes out under the old key, whatever
is queued while the network is slow. Nothing is sealed before it is taken: no sealed copy of a large
write ever exists as a whole, its key can be renewed in the middle of it, and it can still be dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.codes import ContentType
from pellucid.errors import Misuse, Reason
from pellucid.record.limits import HEADER_LENGTH, MAX_FRAGMENT, MAX_RUN, MIN_TAKE
from pellucid.record.protection import RecordSealer
from pellucid.record.workspace import borrow, give_back

if TYPE_CHECKING:
    from pellucid.trace import TraceView

# Plain ints: comparing with a member of an IntEnum costs three times as much, several times a record.
_CHANGE_CIPHER_SPEC = int(ContentType.change_cipher_spec)
_ALERT = int(ContentType.alert)
_HANDSHAKE = int(ContentType.handshake)
_APPLICATION_DATA = int(ContentType.application_data)
_TYPE = tuple(bytes([value]) for value in range(24))
_SENDABLE = frozenset((_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA))

_CLIENT_HELLO = 1
_FIRST_VERSION = b"\x03\x01"
_VERSION = b"\x03\x03"

_Content = tuple[int, bytes]


@dataclass(slots=True)
class _KeyChange:
    """An entry of the queue: what follows is sealed with `sealer`."""

    sealer: RecordSealer | None


class RecordWriter:
    """Orders what is to be sent, cuts it into records and seals them.

    What the connection may set:

    - `max_fragment`: the most content of a protected record in bytes, 2^14 or less. RFC 8449: the peer's
      record_size_limit, in TLS 1.3 less one byte for the type. RFC 6066 4: what max_fragment_length says.
      Padding counts as content.
    - `plaintext_fragment`: the most content of an unprotected record; less than 2^14 only by RFC 6066.
    - `padding`: `(content_type, length) -> zeros to add`, asked for every protected record; what does not
      fit into the record is left out. None: no padding. In TLS 1.2 a CBC record has up to 256 bytes of it,
      an AEAD's none.
    - `make_key_update`: returns a KeyUpdate message and the sealer that follows it. The writer calls it
      while it makes records, sends the one under the old key and goes on with the other: when asked by
      `request_key_update`, and by itself when the key has one record left of its `RecordSealer.limit` and
      there is more application data. So a key is renewed in time in the middle of one large write. None:
      it cannot be renewed (early data, TLS 1.2), and `take` raises `Misuse` KEY_LIMIT_REACHED instead of
      sealing application data beyond the limit.
    """

    __slots__ = ("_first", "_key_changes", "_offset", "_queue", "_sealer", "_update_requested",
                 "make_key_update", "max_fragment", "padding", "plaintext_fragment", "trace")  # fmt: skip

    def __init__(self, trace: TraceView | None = None) -> None:
        self.trace = trace
        self.max_fragment = MAX_FRAGMENT
        self.plaintext_fragment = MAX_FRAGMENT
        self.padding: Callable[[int, int], int] | None = None
        self.make_key_update: Callable[[], tuple[bytes, RecordSealer]] | None = None
        self._queue: deque[_Content | _KeyChange] = deque()
        self._offset = 0  # how much of the first entry has been sealed
        self._key_changes = 0  # entries of the queue that are one
        self._update_requested = False
        self._sealer: RecordSealer | None = None
        self._first = True  # nothing has been sent yet

    @property
    def records_sealed(self) -> int:
        """Records made under the current key; 0 while nothing is protected."""
        return 0 if self._sealer is None else self._sealer.sequence

    @property
    def pending(self) -> int:
        """Bytes of content that are queued and not yet sealed."""
        return sum(len(entry[1]) for entry in self._queue if isinstance(entry, tuple)) - self._offset

    def queue(self, content_type: int, data: bytes | bytearray | memoryview) -> None:
        """Append `data`. `bytes` are kept, not copied; an alert or a change_cipher_spec is one record each.

        Handshake messages that follow each other under one key share records, as does application data;
        empty application data is a record of its own. Raises `Misuse` for anything that must not be sent.
        """
        if not isinstance(data, bytes):
            data = bytes(data)
        if content_type not in _SENDABLE:
            raise Misuse(Reason.INTERNAL_ERROR, f"records of type {content_type} are not sent")
        if not data and content_type != _APPLICATION_DATA:
            # RFC 9846 5.1: "Implementations MUST NOT send zero-length fragments of Handshake types"
            raise Misuse(Reason.INTERNAL_ERROR, "only application data may be empty")
        self._queue.append((content_type, data))

    def install(self, sealer: RecordSealer | None) -> None:
        """Protect what is queued from now on with `sealer`; None: send it as it is."""
        _require_usable(sealer)
        if self._queue:
            self._queue.append(_KeyChange(sealer))
            self._key_changes += 1
        else:
            self._sealer = sealer

    def request_key_update(self) -> None:
        """Have `make_key_update` called as soon as may be: before any application data not sealed yet.

        "As soon as may be" is after the key changes that are queued already, and between two handshake
        messages. Asking again before it is done changes nothing.

        RFC 9846 4.7.3: asked for an update, the receiver sends its own "prior to sending its next Application
        Data record"; so it does not wait behind data that is queued.
        """
        if self.make_key_update is None or (self._sealer is None and not self._key_changes):
            raise Misuse(Reason.INTERNAL_ERROR, "there is no key that could be updated")
        self._update_requested = True

    def drop_data(self) -> None:
        """Forget the application data that is queued and a KeyUpdate that was asked for; the rest stays."""
        self._update_requested = False
        if self._queue and _is_data(self._queue[0]):
            self._offset = 0
        self._queue = deque(entry for entry in self._queue if not _is_data(entry))

    def take(self, limit: int = MAX_RUN) -> bytes:
        """The next whole records for the network: at most `limit` bytes, b"" when nothing is queued.

        Records are as long as they may be; one is cut shorter for `limit` only where nothing else could be
        returned. `limit` is 512 at least.
        """
        queue = self._queue
        if not queue and not self._update_requested:
            return b""
        if limit < MIN_TAKE:
            raise Misuse(Reason.INTERNAL_ERROR, f"take needs room for {MIN_TAKE} bytes, not {limit}")
        if len(queue) == 1 and not self._update_requested and (records := self._only(queue[0], limit)):
            return records
        parts: list[bytes] = []
        room = limit
        while self._queue or self._update_requested:
            if self._update_requested and self._may_update():
                part = self._update_key(room, bool(parts))
            else:
                entry = self._queue[0]
                if isinstance(entry, _KeyChange):
                    self._sealer = entry.sealer
                    self._key_changes -= 1
                    self._queue.popleft()
                    continue
                part = self._next(entry, room, bool(parts))
            if not part:
                break
            parts.append(part)
            room -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _only(self, entry: _Content | _KeyChange, limit: int) -> bytes:
        """Records of the queue's only entry: the usual case made short. b"" where it is not so simple."""
        sealer = self._sealer
        if sealer is None or isinstance(entry, _KeyChange) or self.padding is not None:
            return b""
        kind, data = entry
        offset = self._offset
        size = len(data) - offset
        if size > self.max_fragment:
            return self._run(sealer, data, limit) if kind == _APPLICATION_DATA else b""
        # Through a workspace several records are made faster than each by itself; one is not.
        if size + sealer.overhead > limit or kind == _CHANGE_CIPHER_SPEC:
            return b""
        if sealer.sequence >= sealer.limit - 1:
            return b""  # the key is to be changed first
        self._queue.clear()
        self._offset = 0
        record = sealer.seal(kind, data[offset:])
        if self.trace:
            self._record(kind, record, encrypted=True, content_length=size)
        return record

    def _next(self, entry: _Content, room: int, started: bool) -> bytes:
        """One record, or a run of application data; b"" where `room` is too small and the take `started`."""
        kind, data = entry
        sealer = self._sealer
        if sealer is None or kind == _CHANGE_CIPHER_SPEC:
            return self._unprotected(entry, room, started)
        if kind == _APPLICATION_DATA:
            if sealer.sequence >= sealer.limit - 1:
                return self._update_key(room, started)
            if self.padding is None and len(data) - self._offset > self.max_fragment:
                run = self._run(sealer, data, room)
                if run:
                    return run
        space = room - sealer.overhead
        left = len(data) - self._offset
        if space < self.max_fragment and started and (self.padding or min(left, self.max_fragment) > space):
            return b""
        content = self._gather(kind, data, min(space, self.max_fragment))
        try:
            return self._seal(sealer, kind, content, space)
        except Exception:
            # A padding policy has failed. Nothing is lost by it: what is sealed already goes out first, and
            # the next take asks the policy again.
            self._put_back(kind, content)
            if started:
                return b""
            raise

    def _unprotected(self, entry: _Content, room: int, started: bool) -> bytes:
        kind, data = entry
        if kind == _APPLICATION_DATA:
            # RFC 9846 5.1: "Application Data records MUST NOT be written to the wire unprotected"
            raise Misuse(Reason.HANDSHAKE_NOT_COMPLETE, "there are no keys yet to send application data with")
        space = room - HEADER_LENGTH
        if started and len(data) - self._offset > space:
            return b""
        # RFC 9846 5.1: "a record containing an initial ClientHello SHOULD have version 0x0301 [...] and a
        # record containing a second ClientHello or a ServerHello MUST have version 0x0303"
        initial = self._first and kind == _HANDSHAKE and data[0] == _CLIENT_HELLO
        content = self._gather(kind, data, min(space, self.plaintext_fragment))
        self._first = bool(self._queue) and self._queue[0] is entry
        header = _TYPE[kind] + (_FIRST_VERSION if initial else _VERSION) + len(content).to_bytes(2, "big")
        if self.trace:
            self._record(kind, header + content, encrypted=False, content_length=len(content))
        return header + content

    def _may_update(self) -> bool:
        # Not before the application's key is installed, nor within a message that is cut over records.
        return not self._key_changes and (not self._offset or _is_data(self._queue[0]))

    def _update_key(self, room: int, started: bool) -> bytes:
        # RFC 9846 5.5: "Implementations MUST either close the connection or do a key update [...] prior to
        # reaching these limits."
        sealer = self._sealer
        assert sealer is not None
        if started and (self.make_key_update is None or room < MIN_TAKE):
            return b""
        if self.make_key_update is None:
            raise Misuse(
                Reason.KEY_LIMIT_REACHED,
                f"{sealer.sequence} records are sealed under a key whose limit is {sealer.limit}",
            )
        self._update_requested = False
        message, successor = self.make_key_update()
        _require_usable(successor)
        # RFC 9846 4.7.3: "Both sender and receiver MUST encrypt their KeyUpdate messages with the old keys."
        record = self._seal(sealer, _HANDSHAKE, message, room - sealer.overhead)
        self._sealer = successor
        return record

    def _seal(self, sealer: RecordSealer, kind: int, content: bytes, space: int) -> bytes:
        """One record; `space` is how much content and padding there is room for."""
        padding = 0
        if self.padding is not None:
            padding = self.padding(kind, len(content))
            if padding < 0:
                raise Misuse(Reason.BAD_CONFIGURATION, f"a padding policy asked for {padding} bytes")
            # RFC 9846 5.4: padding is free "as long as the total stays within record size limits"
            padding = min(padding, min(space, self.max_fragment) - len(content))
        record = sealer.seal(kind, content, padding)
        if self.trace:
            self._record(kind, record, encrypted=True, content_length=len(content))
        return record

    def _run(self, sealer: RecordSealer, data: bytes, room: int) -> bytes:
        """Records of one entry's application data, as many as there is room for; b"" where there is for none.

        All are full, but for the entry's last one where nothing is queued that could share it.
        """
        size = self.max_fragment
        start = self._offset
        count = min(min(room, MAX_RUN) // (size + sealer.overhead), sealer.limit - 1 - sealer.sequence)
        end = start + count * size
        if end > len(data):
            end = len(data)
            if len(self._queue) > 1:
                end -= (end - start) % size
        if end <= start:
            return b""
        workspace = borrow()
        try:
            length = sealer.seal_run(workspace, _APPLICATION_DATA, memoryview(data)[start:end], size)
            sealed = bytes(workspace.out[:length])
        finally:
            give_back(workspace)
        if self.trace:
            self._trace_run(sealed, end - start)
        if end == len(data):
            self._queue.popleft()
            end = 0
        self._offset = end
        return sealed

    def _gather(self, kind: int, data: bytes, most: int) -> bytes:
        """Take up to `most` bytes of content off the queue, of several entries if they may share a record."""
        offset = self._offset
        if len(data) - offset > most:
            self._offset = offset + most
            return data[offset : offset + most]
        self._queue.popleft()
        self._offset = 0
        content = data[offset:]
        # RFC 9846 5.1: "multiple alert messages MUST NOT be coalesced into a single TLSPlaintext record"
        if self._queue and content and kind in (_HANDSHAKE, _APPLICATION_DATA):
            content = self._coalesce(kind, content, most)
        return content

    def _coalesce(self, kind: int, content: bytes, most: int) -> bytes:
        pieces = [content]
        room = most - len(content)
        while room and self._queue:
            entry = self._queue[0]
            # RFC 9846 5.1: "Handshake messages MUST NOT span key changes."
            if isinstance(entry, _KeyChange) or entry[0] != kind or not entry[1]:
                break
            data = entry[1]
            if len(data) > room:
                pieces.append(data[:room])
                self._offset = room
                break
            pieces.append(data)
            room -= len(data)
            self._queue.popleft()
        return content if len(pieces) == 1 else b"".join(pieces)

    def _put_back(self, kind: int, content: bytes) -> None:
        """Undo a `_gather`."""
        if self._offset:
            self._queue[0] = (kind, self._queue[0][1][self._offset :])  # type: ignore[index]
            self._offset = 0
        self._queue.appendleft((kind, content))

    def _trace_run(self, sealed: bytes, content: int) -> None:
        start = 0
        while start < len(sealed):
            end = start + HEADER_LENGTH + int.from_bytes(sealed[start + 3 : start + HEADER_LENGTH], "big")
            length = min(content, self.max_fragment)  # all are full but the last
            self._record(_APPLICATION_DATA, sealed[start:end], encrypted=True, content_length=length)
            content -= length
            start = end

    def _record(self, kind: int, raw: bytes, *, encrypted: bool, content_length: int) -> None:
        assert self.trace is not None
        self.trace.record(
            direction="sent",
            content_type=kind,
            length=len(raw) - HEADER_LENGTH,
            encrypted=encrypted,
            header=raw[:HEADER_LENGTH],
            content_length=content_length,
            raw=raw,
        )


def _require_usable(sealer: RecordSealer | None) -> None:
    # With room for the KeyUpdate alone, one update would follow the other for ever.
    if sealer is not None and sealer.limit < 2:
        raise Misuse(Reason.BAD_CONFIGURATION, f"a key that may seal {sealer.limit} records cannot seal data")


def _is_data(entry: _Content | _KeyChange) -> bool:
    return isinstance(entry, tuple) and entry[0] == _APPLICATION_DATA
