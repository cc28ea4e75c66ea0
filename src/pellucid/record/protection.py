"""Record protection of TLS 1.3 (RFC 9846 5.2 to 5.4), and what any protection offers.

    TLSPlaintext                  content                                      <= 2^14 bytes
    TLSInnerPlaintext             content || type || zeros                     <= 2^14 + 1
    TLSCiphertext   header(5) ||  AEAD-Encrypt(key, nonce, header, inner)      <= 2^14 + 256

    nonce = write_iv XOR record sequence number

A reader and a writer know only `RecordSealer` and `RecordOpener`; other versions of TLS protect
records in other ways and put their classes next to these.
"""

from typing import Protocol

from pellucid.codes import ContentType
from pellucid.crypto.suites import Aead, InvalidTag, Suite
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.keys.key_schedule import TrafficKeys
from pellucid.record.limits import HEADER_LENGTH, MAX_CIPHERTEXT
from pellucid.record.workspace import Workspace

# RFC 9846 5.2: opaque_type is always application_data, legacy_record_version always 0x0303. With the length
# added, it is five bytes in network order.
_HEADER = 0x17_0303_0000

# A plain int: comparing with a member of an IntEnum costs three times as much.
_APPLICATION_DATA = int(ContentType.application_data)

_TYPE_BYTE = tuple(bytes([value]) for value in range(256))

#: How many records were opened; where their joined contents end in the buffer; and the last one's type and
#: content where it is not application data, or is empty.
OpenedRun = tuple[int, int, tuple[int, bytes] | None]


class RecordSealer(Protocol):
    """Makes protected records under one key.

    `sequence` is how many were made, `limit` how many may be before the key must change, `overhead` the
    most bytes that a record has beyond its content and padding, header included. Holding to `limit` is the
    writer's part; it is below 2^64, where RFC 9846 5.3 and RFC 5246 6.1 forbid to go on.
    """

    sequence: int
    limit: int
    overhead: int

    def seal(self, content_type: int, content: bytes, padding: int = 0) -> bytes:
        """One complete record, header included. For content of up to a few KiB.

        `padding` is how much longer it should be for it; a protection that cannot hide lengths leaves it out.
        """
        ...

    def seal_run(self, workspace: Workspace, content_type: int, data: memoryview, size: int) -> int:
        """Write `data` to `workspace.out` as records, and return their length.

        Each holds `size` bytes of content, the last one what is left. No padding.
        """
        ...


class RecordOpener(Protocol):
    """Opens protected records under one key. Nothing is changed by a record that is refused.

    `hides_type`: the outer type of every protected record is application_data, so one with another type
    is not protected. `longest` is the most that a header may say, `overhead` the least that a fragment is
    longer than its content.
    """

    sequence: int
    hides_type: bool
    longest: int
    overhead: int

    def open(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]:
        """The true content type and the content.

        Raises `PeerMisbehaved`: BAD_RECORD_MAC, RECORD_OVERFLOW (the content exceeds `max_fragment`), or
        UNEXPECTED_RECORD (no content type in it).
        """
        ...

    def open_run(
        self, data: bytes, start: int, size: int, most: int, out: memoryview, offset: int, max_fragment: int
    ) -> OpenedRun:
        """Open the record at `start` of `data`, `size` bytes with its header, and those behind it.

        At most `most` of them, all of which are there; a header that differs from the first one's ends the
        run. The contents are written to `out` from `offset`, one behind the other, each over the last one's
        type and padding. A record that is not application data or has no content is the last of the run.
        The run ends before one that is refused; where that is the first, this raises as `open` does.
        """
        ...


class Sealer:
    """Seals the records of TLS 1.3 under one traffic key; a `RecordSealer`."""

    __slots__ = ("_aead", "_iv", "_iv_length", "_tag_length", "limit", "overhead", "sequence")

    def __init__(self, suite: Suite, keys: TrafficKeys) -> None:
        self._aead: Aead = suite.make_aead(keys.key)
        self._iv = int.from_bytes(keys.iv, "big")
        self._iv_length = suite.iv_length
        self._tag_length = suite.tag_length
        self.limit = suite.record_limit
        self.overhead = HEADER_LENGTH + 1 + suite.tag_length
        self.sequence = 0

    def seal(self, content_type: int, content: bytes, padding: int = 0) -> bytes:
        """One complete record, header included. The caller sees to it that the record is not too long."""
        inner = content + _TYPE_BYTE[content_type]
        if padding:
            inner += bytes(padding)
        header = (_HEADER + len(inner) + self._tag_length).to_bytes(HEADER_LENGTH, "big")
        # Counted before it is used: whatever happens, a nonce is never used again.
        sequence = self.sequence
        self.sequence = sequence + 1
        # RFC 9846 5.3: the sequence number, "padded to the left with zeros to iv_length", XORed with the IV.
        nonce = (self._iv ^ sequence).to_bytes(self._iv_length, "big")
        return header + self._aead.encrypt(nonce, inner, header)

    def seal_run(self, workspace: Workspace, content_type: int, data: memoryview, size: int) -> int:
        """Write `data` to `workspace.out` as records of `size` bytes; see `RecordSealer.seal_run`."""
        out = workspace.out
        tail = len(data) % size
        inner = workspace.inner[: size + 1]
        content = inner[:size]
        inner[size] = content_type  # stands behind the content of every record
        length = size + 1 + self._tag_length
        header = (_HEADER + length).to_bytes(HEADER_LENGTH, "big")
        iv, iv_length, encrypt_into = self._iv, self._iv_length, self._aead.encrypt_into
        sequence = self.sequence
        self.sequence = sequence + len(data) // size
        written = 0
        for start in range(0, len(data) - tail, size):
            content[:] = data[start : start + size]
            body = written + HEADER_LENGTH
            out[written:body] = header
            written = body + length
            encrypt_into((iv ^ sequence).to_bytes(iv_length, "big"), inner, header, out[body:written])
            sequence += 1
        if tail:
            record = self.seal(content_type, bytes(data[-tail:]))
            out[written : written + len(record)] = record
            written += len(record)
        return written

    def __repr__(self) -> str:
        return f"<Sealer, {self.sequence} records sealed>"


class Opener:
    """Opens the records of TLS 1.3 under one traffic key; a `RecordOpener`."""

    __slots__ = ("_aead", "_iv", "_iv_length", "_tag_length", "hides_type", "longest", "overhead", "sequence")

    def __init__(self, suite: Suite, keys: TrafficKeys) -> None:
        self._aead: Aead = suite.make_aead(keys.key)
        self._iv = int.from_bytes(keys.iv, "big")
        self._iv_length = suite.iv_length
        self._tag_length = suite.tag_length
        self.hides_type = True
        self.longest = MAX_CIPHERTEXT
        self.overhead = 1 + suite.tag_length
        self.sequence = 0

    def open(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]:
        """The true content type and the content; see `RecordOpener.open`."""
        if len(body) < self._tag_length:
            raise forged(self.sequence)
        try:
            nonce = (self._iv ^ self.sequence).to_bytes(self._iv_length, "big")
            inner = self._aead.decrypt(nonce, body, header)
        except InvalidTag:
            raise forged(self.sequence) from None
        if len(inner) > max_fragment + 1:
            raise _too_long(len(inner), max_fragment)
        if not inner or not inner[-1]:
            inner = _without_padding(inner)
        self.sequence += 1
        return inner[-1], inner[:-1]

    def open_run(
        self, data: bytes, start: int, size: int, most: int, out: memoryview, offset: int, max_fragment: int
    ) -> OpenedRun:
        """Write the contents to `out` from `offset`; see `RecordOpener.open_run`."""
        header = data[start : start + HEADER_LENGTH]
        inner = size - HEADER_LENGTH - self._tag_length  # of the TLSInnerPlaintext
        if inner < 0:
            raise forged(self.sequence)
        view = memoryview(data)
        iv, iv_length, decrypt_into = self._iv, self._iv_length, self._aead.decrypt_into
        sequence = self.sequence
        end = sequence + most
        other = None
        try:
            while True:
                body = start + HEADER_LENGTH
                start += size
                nonce = (iv ^ sequence).to_bytes(iv_length, "big")
                decrypt_into(nonce, view[body:start], header, out[offset : offset + inner])
                if inner > max_fragment + 1:
                    raise _too_long(inner, max_fragment)
                content = inner - 1
                if content <= 0 or out[offset + content] != _APPLICATION_DATA:
                    # Padded, empty or of another type.
                    unpadded = _without_padding(bytes(out[offset : offset + inner]))
                    content = len(unpadded) - 1
                    if not content or unpadded[-1] != _APPLICATION_DATA:
                        other = unpadded[-1], unpadded[:-1]
                        sequence += 1
                        break
                sequence += 1
                offset += content
                if sequence == end or not data.startswith(header, start):
                    break
        except (InvalidTag, PeerMisbehaved) as refused:
            # Behind a record that was opened it is not told now: the next call meets it as the first.
            if sequence == self.sequence:
                raise (forged(self.sequence) if isinstance(refused, InvalidTag) else refused) from None
        count, self.sequence = sequence - self.sequence, sequence
        return count, offset, other

    def __repr__(self) -> str:
        return f"<Opener, {self.sequence} records opened>"


def forged(sequence: int) -> PeerMisbehaved:
    """The refusal of a record that does not authenticate, whatever is wrong with it: one error, one text."""
    # RFC 9846 5.2: "If the decryption fails, the receiver MUST terminate the connection with a
    # "bad_record_mac" alert."
    return PeerMisbehaved(
        Reason.BAD_RECORD_MAC,
        f"record {sequence} under this key does not authenticate: altered, lost or of another key",
    )


def _too_long(inner_length: int, max_fragment: int) -> PeerMisbehaved:
    # RFC 9846 5.4: "the full encoded TLSInnerPlaintext MUST NOT exceed 2^14 + 1 octets"
    return PeerMisbehaved(
        Reason.RECORD_OVERFLOW,
        f"a record holds {inner_length} bytes of content, type and padding; {max_fragment + 1} is the most",
    )


def _without_padding(inner: bytes) -> bytes:
    # RFC 9846 5.4: the receiver "scans the field from the end toward the beginning until it finds a
    # non-zero octet".
    inner = inner.rstrip(b"\0")
    if not inner:
        # "If a receiving implementation does not find a non-zero octet in the cleartext, it MUST terminate
        # the connection with an "unexpected_message" alert."
        raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, "a record holds zeros alone, and so no content type")
    return inner
