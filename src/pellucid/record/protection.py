"""Record protection of TLS 1.3 (RFC 9846 5.2 to 5.4), and what any protection offers.

    TLSPlaintext                  content                                      <= 2^14 bytes
    TLSInnerPlaintext             content || type || zeros                     <= 2^14 + 1
    TLSCiphertext   header(5) ||  AEAD-Encrypt(key, nonce, header, inner)      <= 2^14 + 256

    nonce = write_iv XOR record sequence number

A reader and a writer know only `RecordSealer` and `RecordOpener`; other versions of TLS protect
records in other ways and put their classes next to these.
"""

from typing import Protocol

from pellucid.crypto.suites import Aead, InvalidTag, Suite
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.keys.key_schedule import TrafficKeys
from pellucid.record.limits import HEADER_LENGTH, MAX_CIPHERTEXT
from pellucid.record.workspace import Workspace

# RFC 9846 5.2: opaque_type is always application_data, legacy_record_version always 0x0303.
_OPAQUE_TYPE_AND_VERSION = b"\x17\x03\x03"

_TYPE_BYTE = tuple(bytes([value]) for value in range(256))


class RecordSealer(Protocol):
    """Makes protected records under one key.

    `sequence` is how many were made, `limit` how many may be before the key must change, `overhead` the
    most bytes that a record has beyond its content and padding, header included. Holding to `limit` is the
    writer's part; it is below 2^64, where RFC 9846 5.3 forbids to go on.
    """

    sequence: int
    limit: int
    overhead: int

    def seal(self, content_type: int, content: bytes, padding: int = 0) -> bytes:
        """One complete record, header included. For content of up to a few KiB."""
        ...

    def seal_run(
        self, workspace: Workspace, content_type: int, data: memoryview, size: int, count: int
    ) -> int:
        """Write `count` records to `workspace.out`, of `size` bytes of content each, and return their length.

        `data` holds their content; no padding.
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

    def open(self, header: bytes, body: bytes, max_fragment: int) -> tuple[int, bytes]:
        """The true content type and the content.

        Raises `PeerMisbehaved`: BAD_RECORD_MAC, RECORD_OVERFLOW (the content exceeds `max_fragment`), or
        UNEXPECTED_RECORD (no content type in it).
        """
        ...

    def open_into(
        self, header: bytes, body: memoryview, out: memoryview, offset: int, max_fragment: int
    ) -> tuple[int, int]:
        """Write the content to `out` at `offset`; return the true content type and the content's length.

        What follows the content in `out`, up to the fragment's length, is overwritten.
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
        header = _OPAQUE_TYPE_AND_VERSION + (len(inner) + self._tag_length).to_bytes(2, "big")
        # RFC 9846 5.3: the sequence number, "padded to the left with zeros to iv_length", XORed with the IV.
        nonce = (self._iv ^ self.sequence).to_bytes(self._iv_length, "big")
        # Counted before it is used: whatever happens, a nonce is never used again.
        self.sequence += 1
        return header + self._aead.encrypt(nonce, inner, header)

    def seal_run(
        self, workspace: Workspace, content_type: int, data: memoryview, size: int, count: int
    ) -> int:
        """Write `count` records of `size` bytes each to `workspace.out`; see `RecordSealer.seal_run`."""
        out = workspace.out
        inner = workspace.inner[: size + 1]
        content = inner[:size]
        inner[size] = content_type  # stands behind the content of every record
        length = size + 1 + self._tag_length
        header = _OPAQUE_TYPE_AND_VERSION + length.to_bytes(2, "big")
        iv = self._iv
        iv_length = self._iv_length
        encrypt_into = self._aead.encrypt_into
        sequence = self.sequence
        self.sequence = sequence + count
        record = 0
        for start in range(0, count * size, size):
            content[:] = data[start : start + size]
            body = record + HEADER_LENGTH
            out[record:body] = header
            record = body + length
            encrypt_into((iv ^ sequence).to_bytes(iv_length, "big"), inner, header, out[body:record])
            sequence += 1
        return record

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

    def open(self, header: bytes, body: bytes, max_fragment: int) -> tuple[int, bytes]:
        """The true content type and the content; see `RecordOpener.open`."""
        if len(body) < self._tag_length:
            raise self._forged()
        try:
            nonce = (self._iv ^ self.sequence).to_bytes(self._iv_length, "big")
            inner = self._aead.decrypt(nonce, body, header)
        except InvalidTag:
            raise self._forged() from None
        if len(inner) > max_fragment + 1:
            raise _too_long(len(inner), max_fragment)
        # RFC 9846 5.4: the receiver "scans the field from the end toward the beginning until it finds a
        # non-zero octet". `rstrip` copies nothing where nothing is padded.
        inner = inner.rstrip(b"\0")
        if not inner:
            raise _no_type()
        self.sequence += 1
        return inner[-1], inner[:-1]

    def open_into(
        self, header: bytes, body: memoryview, out: memoryview, offset: int, max_fragment: int
    ) -> tuple[int, int]:
        """Write the content to `out` at `offset`; see `RecordOpener.open_into`."""
        size = len(body) - self._tag_length
        if size < 0:
            raise self._forged()
        try:
            nonce = (self._iv ^ self.sequence).to_bytes(self._iv_length, "big")
            self._aead.decrypt_into(nonce, body, header, out[offset : offset + size])
        except InvalidTag:
            raise self._forged() from None
        if size > max_fragment + 1:
            raise _too_long(size, max_fragment)
        content_type = out[offset + size - 1] if size else 0
        if not content_type:
            size = len(bytes(out[offset : offset + size]).rstrip(b"\0"))
            if not size:
                raise _no_type()
            content_type = out[offset + size - 1]
        self.sequence += 1
        return content_type, size - 1

    def _forged(self) -> PeerMisbehaved:
        # RFC 9846 5.2: "If the decryption fails, the receiver MUST terminate the connection with a
        # "bad_record_mac" alert."
        return PeerMisbehaved(
            Reason.BAD_RECORD_MAC,
            f"record {self.sequence} under this key does not authenticate: altered, lost or of another key",
        )

    def __repr__(self) -> str:
        return f"<Opener, {self.sequence} records opened>"


def _too_long(inner_length: int, max_fragment: int) -> PeerMisbehaved:
    # RFC 9846 5.4: "the full encoded TLSInnerPlaintext MUST NOT exceed 2^14 + 1 octets"
    return PeerMisbehaved(
        Reason.RECORD_OVERFLOW,
        f"a record holds {inner_length} bytes of content, type and padding; {max_fragment + 1} is the most",
    )


def _no_type() -> PeerMisbehaved:
    # RFC 9846 5.4: "If a receiving implementation does not find a non-zero octet in the cleartext, it MUST
    # terminate the connection with an "unexpected_message" alert."
    return PeerMisbehaved(Reason.UNEXPECTED_RECORD, "a record holds zeros alone, and so no content type")
