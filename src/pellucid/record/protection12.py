"""Record protection of TLS 1.2 by an AEAD (RFC 5246 6.2.3.3), and what its two kinds of protection share.

    TLSPlaintext                  content                                                      <= 2^14 bytes
    TLSCiphertext   header(5) ||  nonce_explicit || AEAD-Encrypt(key, nonce, prefix, content)  <= 2^14 + 2048

    prefix = sequence number(8) || type(1) || version(2) || length of the content(2)
    nonce  = GCM, CCM:  write_IV(4) || nonce_explicit(8)
             ChaCha20:  write_IV(12) XOR sequence number, and nothing explicit

The true type stands in the header, for all to see, and there is no padding to hide a length with.
"""

from __future__ import annotations

from struct import Struct

from pellucid.codes import ContentType
from pellucid.crypto.suites import Aead, InvalidTag
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.keys.key_schedule12 import CipherKeys
from pellucid.record.limits import HEADER_LENGTH, MAX_CIPHERTEXT12
from pellucid.record.protection import OpenedRun, forged
from pellucid.record.workspace import Workspace

_VERSION = b"\x03\x03"
# Where it stands in a header, as a number.
_VERSION_IN_HEADER = 0x0303 << 16
_NONCE_LENGTH = 12

#: Of `prefix12`, in bytes.
PREFIX_LENGTH = 8 + HEADER_LENGTH

# For single records, where it is quicker than numbers and `to_bytes`: type, version, length; in the prefix
# behind the sequence number.
_pack_header = Struct(">BHH").pack
_pack_prefix = Struct(">QBHH").pack

# A plain int: comparing with a member of an IntEnum costs three times as much.
_APPLICATION_DATA = int(ContentType.application_data)


def header12(content_type: int, length: int) -> bytes:
    """A record's header; `length` is that of what follows it."""
    return (content_type << 32 | _VERSION_IN_HEADER | length).to_bytes(HEADER_LENGTH, "big")


def prefix12(sequence: int, content_type: int, length: int) -> int:
    """What is authenticated before the content itself: additional_data of an AEAD, the first bytes of a MAC.

    RFC 5246 6.2.3.3: "seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length". As one
    number of `PREFIX_LENGTH` bytes, for with another sequence number or length that is quickly made again.
    """
    return sequence << 40 | (content_type << 32 | _VERSION_IN_HEADER | length)


def require_version(header: bytes, sequence: int) -> None:
    """Refuse a header with another version than the one that is authenticated with every record."""
    if header[1:3] != _VERSION:
        raise forged(sequence)


def too_long(content_length: int, max_fragment: int) -> PeerMisbehaved:
    """The refusal of content that is longer than it may be."""
    return PeerMisbehaved(
        Reason.RECORD_OVERFLOW,
        f"a record holds {content_length} bytes of content; {max_fragment} is the most",
    )


class AeadSealer12:
    """Seals the records of TLS 1.2 by an AEAD; a `RecordSealer`. Padding that is asked for is left out."""

    __slots__ = ("_aead", "_explicit_at", "_iv", "_longer", "limit", "overhead", "sequence")

    def __init__(self, suite: Suite12, keys: CipherKeys) -> None:
        assert suite.make_aead is not None
        self._aead: Aead = suite.make_aead(keys.key)
        # Where an IV of 4 bytes is followed by zeros, XOR puts the sequence number there: "The nonce_explicit
        # MAY be the 64-bit sequence number" (RFC 5288 3).
        self._iv = int.from_bytes(keys.iv.ljust(_NONCE_LENGTH, b"\0"), "big")
        self._explicit_at = _NONCE_LENGTH - suite.explicit_length
        self._longer = suite.explicit_length + suite.tag_length
        self.limit = suite.record_limit
        self.overhead = HEADER_LENGTH + self._longer
        self.sequence = 0

    def seal(self, content_type: int, content: bytes, padding: int = 0) -> bytes:  # noqa: ARG002 - a Protocol's
        """One complete record, header included. The caller sees to it that the record is not too long."""
        # Counted before it is used: whatever happens, a nonce is never used again.
        sequence = self.sequence
        self.sequence = sequence + 1
        nonce = (self._iv ^ sequence).to_bytes(_NONCE_LENGTH, "big")
        length = len(content)
        sealed = self._aead.encrypt(nonce, content, _pack_prefix(sequence, content_type, 0x0303, length))
        header = _pack_header(content_type, 0x0303, length + self._longer)
        return header + nonce[self._explicit_at :] + sealed

    def seal_run(self, workspace: Workspace, content_type: int, data: memoryview, size: int) -> int:
        """Write `data` to `workspace.out` as records of `size` bytes; see `RecordSealer.seal_run`."""
        out = workspace.out
        tail = len(data) % size
        header = header12(content_type, size + self._longer)
        prefix = prefix12(0, content_type, size)
        iv, explicit_at, encrypt_into = self._iv, self._explicit_at, self._aead.encrypt_into
        sequence = self.sequence
        self.sequence = sequence + len(data) // size
        written = 0
        record_length = size + self.overhead
        body = HEADER_LENGTH + _NONCE_LENGTH - explicit_at
        for start in range(0, len(data) - tail, size):
            nonce = (iv ^ sequence).to_bytes(_NONCE_LENGTH, "big")
            out[written : written + body] = header + nonce[explicit_at:]
            encrypt_into(
                nonce,
                data[start : start + size],
                (sequence << 40 | prefix).to_bytes(PREFIX_LENGTH, "big"),
                out[written + body : written + record_length],
            )
            written += record_length
            sequence += 1
        if tail:
            record = self.seal(content_type, bytes(data[-tail:]))
            out[written : written + len(record)] = record
            written += len(record)
        return written

    def __repr__(self) -> str:
        return f"<AeadSealer12, {self.sequence} records sealed>"


class AeadOpener12:
    """Opens the records of TLS 1.2 by an AEAD; a `RecordOpener`.

    How long the content is can be seen before anything is decrypted, so that is judged first.
    """

    __slots__ = ("_aead", "_explicit", "_iv", "_salt", "hides_type", "longest", "overhead", "sequence")

    def __init__(self, suite: Suite12, keys: CipherKeys) -> None:
        assert suite.make_aead is not None
        self._aead: Aead = suite.make_aead(keys.key)
        self._salt = keys.iv
        self._iv = int.from_bytes(keys.iv, "big")
        self._explicit = suite.explicit_length
        self.hides_type = False
        self.longest = MAX_CIPHERTEXT12
        self.overhead = suite.explicit_length + suite.tag_length
        self.sequence = 0

    def open(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]:
        """The content type and the content; see `RecordOpener.open`."""
        length = len(body) - self.overhead
        sequence = self.sequence
        if length > max_fragment:
            raise too_long(length, max_fragment)
        if length < 0 or header[1:3] != _VERSION:
            raise forged(sequence)
        content_type = header[0]
        if explicit := self._explicit:
            nonce = self._salt + body[:explicit]
            body = body[explicit:]
        else:
            # RFC 7905 2: the sequence number, "padded on the left with four 0x00 bytes", XORed with the IV.
            nonce = (self._iv ^ sequence).to_bytes(_NONCE_LENGTH, "big")
        try:
            content = self._aead.decrypt(nonce, body, _pack_prefix(sequence, content_type, 0x0303, length))
        except InvalidTag:
            raise forged(sequence) from None
        self.sequence = sequence + 1
        return content_type, content

    def open_run(
        self, data: bytes, start: int, size: int, most: int, out: memoryview, offset: int, max_fragment: int
    ) -> OpenedRun:
        """Write the contents to `out` from `offset`; see `RecordOpener.open_run`."""
        header = data[start : start + HEADER_LENGTH]
        content = size - HEADER_LENGTH - self.overhead
        if not 0 < content <= max_fragment or header[0] != _APPLICATION_DATA:
            return 1, offset, self.open(header, data[start + HEADER_LENGTH : start + size], max_fragment)
        sequence = self.sequence
        require_version(header, sequence)
        prefix = prefix12(0, _APPLICATION_DATA, content)
        view = memoryview(data)
        explicit, salt, iv, decrypt_into = self._explicit, self._salt, self._iv, self._aead.decrypt_into
        end = sequence + most
        try:
            while True:
                body = start + HEADER_LENGTH
                if explicit:
                    nonce = salt + data[body : body + explicit]
                    body += explicit
                else:
                    nonce = (iv ^ sequence).to_bytes(_NONCE_LENGTH, "big")
                start += size
                additional_data = (sequence << 40 | prefix).to_bytes(PREFIX_LENGTH, "big")
                decrypt_into(nonce, view[body:start], additional_data, out[offset : offset + content])
                sequence += 1
                offset += content
                if sequence == end or not data.startswith(header, start):
                    break
        except InvalidTag:
            # Behind a record that was opened it is not told now: the next call meets it as the first.
            if sequence == self.sequence:
                raise forged(sequence) from None
        count, self.sequence = sequence - self.sequence, sequence
        return count, offset, None

    def __repr__(self) -> str:
        return f"<AeadOpener12, {self.sequence} records opened>"
