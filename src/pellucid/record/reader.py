"""From bytes to records, and the checks that RFC 9846 5 and RFC 5246 6 ask of a receiver.

    feed(bytes)  ->  buffered  ->  next()       one record, whatever it carries
                               ->  next_data()  all application data that is there, up to 64 KiB

The first fault is final: every later call raises it again, and nothing more is decrypted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from pellucid.codes import ContentType, name_of
from pellucid.errors import Misuse, PeerMisbehaved, Reason, TLSError
from pellucid.record.first_bytes import require_tls
from pellucid.record.framing import Framing
from pellucid.record.limits import HEADER_LENGTH, MAX_CIPHERTEXT, MAX_EMPTY_RECORDS, MAX_FRAGMENT, MAX_RUN
from pellucid.record.protection import RecordOpener
from pellucid.record.workspace import borrow, give_back

if TYPE_CHECKING:
    from pellucid.trace import TraceView

# Plain ints: comparing with a member of an IntEnum costs three times as much, several times a record.
_CHANGE_CIPHER_SPEC = int(ContentType.change_cipher_spec)
_ALERT = int(ContentType.alert)
_HANDSHAKE = int(ContentType.handshake)
_APPLICATION_DATA = int(ContentType.application_data)

# How nearly every protected record starts: RFC 9846 5.2 has both values fixed, but the version is not to be
# looked at.
_USUAL_START = b"\x17\x03\x03"

# From about this length on, copying bytes costs more than the two objects of a view.
_WORTH_A_VIEW = 4096

# RFC 9846 4.7.1 counts the payload of early data, "not padding or the inner content type byte". A server that
# cannot decrypt sees no padding; it takes off the type and a tag of 16 bytes.
_EARLY_DATA_OVERHEAD = 17


@dataclass(slots=True)
class Record:
    """One record: its true content type, its content, and whether it was protected."""

    content_type: int
    fragment: bytes
    encrypted: bool


class RecordReader(Framing):
    """Cuts the incoming stream into records and opens those that are protected.

    `max_fragment` is the most content that a protected record may hold, in bytes; less than 2^14 where
    we have asked for less (RFC 8449, RFC 6066 4). `plaintext_fragment` is that of an unprotected one, which
    only RFC 6066 lets us ask for.

    It is for the connection to decide which records may come when: the reader refuses what may never come.
    In TLS 1.3 that leaves unprotected change_cipher_spec records among protected ones. In TLS 1.2 the type of
    a protected record can be seen, so once there are keys, every record has to be one.
    """

    __slots__ = ("_empty_records", "_failure", "_first", "_opener", "_plaintext_alerts", "_skip", "_stashed",
                 "max_fragment", "plaintext_fragment", "trace")  # fmt: skip

    def __init__(self, trace: TraceView | None = None) -> None:
        super().__init__()
        self.trace = trace
        self.max_fragment = MAX_FRAGMENT
        self.plaintext_fragment = MAX_FRAGMENT
        self._opener: RecordOpener | None = None
        self._plaintext_alerts = False
        self._stashed: Record | None = None
        self._skip: int | None = None
        self._empty_records = 0
        self._first = True
        self._failure: TLSError | None = None

    @property
    def drained(self) -> bool:
        """Whether there is nothing to ask `next` for before more is fed."""
        return not self._data and self._stashed is None and self._failure is None

    def install(self, opener: RecordOpener | None, *, plaintext_alerts: bool = False) -> None:
        """From the next record on, open with `opener` (None: records come unprotected).

        The caller has checked that the change cuts no handshake message: `HandshakeJoiner.require_boundary`.

        With `plaintext_alerts`, unprotected alerts are handed up until the first record has been opened. That
        is for a server's handshake keys: a client that cannot accept the ServerHello has none to say so with.
        """
        if self._stashed is not None:
            raise Misuse(Reason.INTERNAL_ERROR, "a record under the old key was not taken before the change")
        self._opener = opener
        self._plaintext_alerts = plaintext_alerts
        self._size = 0  # a header that was read under the old key is judged again

    def skip_early_data(self, limit: int) -> None:
        """Drop the early data of a client whose 0-RTT was refused: up to `limit` bytes of it.

        RFC 9846 4.3.10, without a HelloRetryRequest: with the handshake keys installed, records that they do
        not open are dropped, until the first one that they do. After a HelloRetryRequest: with no keys
        installed, records of type application_data are dropped, until the next handshake record.
        """
        self._skip = limit

    def next(self) -> Record | None:
        """The next record, or None before one is complete. Empty application data is handed up too.

        Raises `PeerMisbehaved`: NOT_TLS, UNEXPECTED_RECORD, RECORD_OVERFLOW, BAD_RECORD_MAC,
        TOO_MANY_EMPTY_RECORDS, TOO_MUCH_EARLY_DATA; `PeerIncompatible`: NO_SHARED_VERSION (SSL 2.0).
        """
        if self._failure is not None:
            raise self._failure
        record = self._stashed
        if record is not None:
            self._stashed = None
            return record
        try:
            while self._data and (size := self._frame()):
                record = self._take(size)
                if record is not None:
                    return record
        except TLSError as error:
            self._failure = error
            raise
        return None

    def next_data(self, limit: int = MAX_RUN) -> bytes | None:
        """All the application data at the front of what is buffered, at most `limit` bytes of it, joined.

        None where the next record is something else, or is not complete: then ask `next`. Call it only where
        application data may come. `limit` is from 2^14 (a whole record) to 2^16. Raises as `next` does, but
        hands out data before the fault first.
        """
        data = self._data
        opener = self._opener
        if (
            opener is None
            or not data.startswith(_USUAL_START)
            or len(data) < HEADER_LENGTH
            or (self._start or self._chunks or self._first or self.trace or limit != MAX_RUN)
            or self._stashed is not None
            or self._skip is not None
            or self._failure is not None
            or (length := data[3] << 8 | data[4]) > opener.longest
            or (rest := len(data) - HEADER_LENGTH - length) < 0
        ):
            return self._next_data(limit)
        # The first record is whole and as usual. That is so common that it goes the shortest way.
        try:
            if rest:
                return self._run(opener, HEADER_LENGTH + length, limit)
            # Through a workspace several records are opened faster than each by itself; one is not.
            body = data[HEADER_LENGTH:] if length < _WORTH_A_VIEW else memoryview(data)[HEADER_LENGTH:]
            content_type, content = opener.open(data[:HEADER_LENGTH], body, self.max_fragment)
            self._data = b""
            self._size = 0
            self._plaintext_alerts = False
            if content and content_type == _APPLICATION_DATA:
                self._empty_records = 0
                return content
            self._set_aside(content_type, content)
        except TLSError as error:
            self._failure = error
            raise
        return None

    def _next_data(self, limit: int) -> bytes | None:
        """`next_data`, whatever is buffered and in whatever state."""
        if self._failure is not None:
            raise self._failure
        opener = self._opener
        if opener is None or self._stashed is not None or self._skip is not None:
            return None
        if not MAX_FRAGMENT <= limit <= MAX_RUN:
            raise Misuse(Reason.INTERNAL_ERROR, f"next_data hands out 2^14 to 2^16 bytes, not {limit}")
        try:
            size = self._frame()
            if not size or self._data[self._start] != _APPLICATION_DATA:
                return None
            return self._run(opener, size, limit)
        except TLSError as error:
            self._failure = error
            raise

    # -- what may come

    def _check_header(self) -> int:
        """See `Framing`.

        legacy_record_version is not looked at. RFC 9846 5.1: it "MUST be ignored for all purposes". TLS 1.2
        authenticates it with a protected record, which is the opener's part.
        """
        data = self._data
        start = self._start
        content_type = data[start]
        if self._first:
            require_tls(data, self._chunks)
            self._first = False
        length = data[start + 3] << 8 | data[start + 4]
        opener = self._opener
        if content_type == _APPLICATION_DATA:
            if opener is not None:
                longest = opener.longest
            elif self._skip is not None:
                longest = MAX_CIPHERTEXT
            else:
                # RFC 9846 5.1: "Application Data messages are always protected."
                raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, "application data came before there were keys")
        elif content_type < _CHANGE_CIPHER_SPEC or content_type > _APPLICATION_DATA:
            # RFC 9846 5: "If a TLS implementation receives an unexpected record type, it MUST terminate the
            # connection with an "unexpected_message" alert."
            raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, f"no record has the type {content_type}")
        elif opener is None or opener.hides_type:
            longest = self.plaintext_fragment
            self._check_plaintext_header(content_type, length)
        else:
            longest = opener.longest
        if length > longest:
            raise PeerMisbehaved(
                Reason.RECORD_OVERFLOW, f"a record's header announces {length} bytes; {longest} is the most"
            )
        return HEADER_LENGTH + length

    def _check_plaintext_header(self, content_type: int, length: int) -> None:
        # RFC 9846 5: change_cipher_spec may come unprotected among protected records, "and so it is necessary
        # to detect this condition prior to attempting to deprotect the record". Whether it may come now is
        # for the connection to say.
        if content_type == _CHANGE_CIPHER_SPEC:
            return
        if self._opener is not None and not (content_type == _ALERT and self._plaintext_alerts):
            name = name_of(content_type, ContentType)
            raise PeerMisbehaved(
                Reason.UNEXPECTED_RECORD, f"an unprotected {name} record came after keys were agreed"
            )
        if not length:
            _refuse_empty(content_type)

    # -- opening

    def _take(self, size: int) -> Record | None:
        """Hand up the record at the front, or None where it is early data that was dropped."""
        data = self._data
        start = self._start
        body = start + HEADER_LENGTH
        content_type = data[start]
        opener = self._opener
        if opener is None or (opener.hides_type and content_type != _APPLICATION_DATA):
            if self._skip is not None and opener is None and not self._keep(content_type, size):
                return None
            record = Record(content_type, data[body : start + size], encrypted=False)
        else:
            try:
                opened = opener.open(data[start:body], data[body : start + size], self.max_fragment)
            except PeerMisbehaved as error:
                if self._skip is None or error.reason is not Reason.BAD_RECORD_MAC:
                    raise
                self._drop_early_data(size)
                return None
            self._skip = None
            self._plaintext_alerts = False
            record = Record(*opened, encrypted=True)
        if self.trace:
            content_length = len(record.fragment)
            self._record(record.content_type, size, encrypted=record.encrypted, content_length=content_length)
        self._consume(size)
        if record.encrypted:
            self._check_opened(record.content_type, len(record.fragment))
        return record

    def _run(self, opener: RecordOpener, size: int, limit: int) -> bytes | None:
        """Open records as long as they are application data and fit; `size` is that of the first one."""
        position = 0
        workspace = borrow()
        out = workspace.out
        try:
            while True:
                data, start = self._data, self._start
                content = size - HEADER_LENGTH - opener.overhead  # of a record, without padding
                fitting = (limit - position) // content if content > 0 else 1
                if position and not fitting:
                    break
                # One by one where they are traced: of a run only the length of all is known.
                most = 1 if self.trace else min(fitting or 1, (len(data) - start) // size)
                before = position
                count, position, other = opener.open_run(
                    data, start, size, most, out, position, self.max_fragment
                )
                self._plaintext_alerts = False
                if self.trace:
                    kind, content_length = _APPLICATION_DATA, position - before
                    if other is not None:
                        kind, content_length = other[0], len(other[1])
                    self._record(kind, size, encrypted=True, content_length=content_length)
                self._consume(count * size)
                if other is None or count > 1:
                    self._empty_records = 0
                if other is not None and self._set_aside(*other):
                    break
                size = self._frame() if self._data else 0
                if not size or self._data[self._start] != _APPLICATION_DATA:
                    break
            return bytes(out[:position]) if position else None
        except PeerMisbehaved as error:
            if not position:
                raise
            self._failure = error
            return bytes(out[:position])
        finally:
            give_back(workspace)

    def _set_aside(self, content_type: int, content: bytes) -> bool:
        """Keep a record that is not application data for `next`; whether it was one (and not just empty)."""
        self._check_opened(content_type, len(content))
        if content_type == _APPLICATION_DATA:
            return False
        self._stashed = Record(content_type, content, encrypted=True)
        return True

    def _check_opened(self, content_type: int, length: int) -> None:
        if content_type == _APPLICATION_DATA:
            self._empty_records = 0 if length else self._empty_records + 1
            if self._empty_records > MAX_EMPTY_RECORDS:
                raise PeerMisbehaved(
                    Reason.TOO_MANY_EMPTY_RECORDS,
                    f"more than {MAX_EMPTY_RECORDS} records in a row carry no data",
                )
        elif content_type not in (_HANDSHAKE, _ALERT):
            # RFC 9846 5: "An implementation which [...] receives a protected change_cipher_spec record MUST
            # abort the handshake with an "unexpected_message" alert." In TLS 1.2 it would be that of a
            # renegotiation, and there is none.
            name = name_of(content_type, ContentType)
            raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, f"a protected record has the content type {name}")
        elif not length:
            _refuse_empty(content_type)

    # -- refused early data

    def _keep(self, content_type: int, size: int) -> bool:
        """After a HelloRetryRequest: whether a record is something other than early data."""
        if content_type == _APPLICATION_DATA:
            self._drop_early_data(size)
            return False
        if content_type == _HANDSHAKE:
            self._skip = None
        return True

    def _drop_early_data(self, size: int) -> None:
        assert self._skip is not None
        # A record counts as one byte at least, or records without content could be sent for ever.
        self._skip -= max(size - HEADER_LENGTH - _EARLY_DATA_OVERHEAD, 1)
        if self._skip < 0:
            raise PeerMisbehaved(Reason.TOO_MUCH_EARLY_DATA, "more early data came than a client may send")
        if self.trace:
            self._record(_APPLICATION_DATA, size, encrypted=True, content_length=0)
        self._consume(size)

    def _record(self, content_type: int, size: int, *, encrypted: bool, content_length: int) -> None:
        assert self.trace is not None
        raw = self._data[self._start : self._start + size]
        self.trace.record(
            direction="received",
            content_type=content_type,
            length=size - HEADER_LENGTH,
            encrypted=encrypted,
            header=raw[:HEADER_LENGTH],
            content_length=content_length,
            raw=raw,
        )


def _refuse_empty(content_type: int) -> NoReturn:
    # RFC 9846 5.4: "Implementations MUST NOT send Handshake and Alert records that have a zero-length
    # TLSInnerPlaintext.content"; 5.1 says the same of unprotected handshake records, RFC 5246 6.2.1 of both.
    name = name_of(content_type, ContentType)
    raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, f"a record of type {name} is empty")
