"""Record protection of TLS 1.2 by AES-CBC and HMAC, in either order.

    MAC-then-encrypt (RFC 5246 6.2.3.2)     IV(16) || AES-CBC(content || MAC || padding)
    encrypt-then-MAC (RFC 7366 3)           IV(16) || AES-CBC(content || padding) || MAC

    MAC     = HMAC(MAC_write_key, prefix || what stands before it), with the prefix of `record.protection12`
    padding = n bytes, 1 to 256, each with the value n - 1

MAC-then-encrypt has to decrypt what may be forged, and to take away padding that may be. Whoever can tell
from outside why such a record was refused reads its content byte by byte (Vaudenay 2002; Lucky Thirteen,
2013). So there is one error, of one text, for every fault; and on the way to it as much work for each padding
as for any other: the MAC is computed whether the padding is proper or not, and the compression function of
its hash is called as often as it would be without padding, for those calls are what Lucky Thirteen counts.

**What this cannot promise.** Python has no constant time. Where the MAC stands and how long what is hashed is
still decide which memory is touched, and how the hash buffers it. Measured, forged records of 320 bytes took
6.9 us each whatever their padding, give or take 0.03; one call of SHA-1's compression function takes as much,
on a processor with instructions for it, of SHA-384's 0.15. A network hides that well, a process beside us on
the same machine may not. Encrypt-then-MAC has no such thing to hide: what is not authentic is not decrypted.
That is why it is asked for, why AEADs are preferred to both, and why CBC is used only where somebody has
asked for it by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from pellucid.codes import ContentType
from pellucid.crypto.cbc import BLOCK_LENGTH, aes_cbc_decrypt, aes_cbc_encrypt
from pellucid.crypto.kdf import KeyedHmac, constant_time_equal, keyed_hmac
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import PeerMisbehaved
from pellucid.keys.key_schedule12 import CipherKeys
from pellucid.record.limits import HEADER_LENGTH, MAX_CIPHERTEXT12
from pellucid.record.protection import OpenedRun, forged
from pellucid.record.protection12 import PREFIX_LENGTH, header12, prefix12, require_version, too_long
from pellucid.record.workspace import Workspace

_MOST_PADDING = 256  # padding_length is one byte, and not counted by itself

# By padding_length.
_PADDING = tuple(bytes([value]) * (value + 1) for value in range(_MOST_PADDING))

_APPLICATION_DATA = int(ContentType.application_data)


class _Sealer(ABC):
    """What the two orders of sealing have in common."""

    __slots__ = ("_entropy", "_key", "_mac", "limit", "overhead", "sequence")

    def __init__(self, suite: Suite12, keys: CipherKeys, entropy: Callable[[int], bytes]) -> None:
        self._key = keys.key
        self._mac: KeyedHmac = keyed_hmac(suite.mac_name, keys.mac_key)
        self._entropy = entropy
        self.limit = suite.record_limit
        self.overhead = HEADER_LENGTH + BLOCK_LENGTH + suite.mac_length + BLOCK_LENGTH
        self.sequence = 0

    def seal(self, content_type: int, content: bytes, padding: int = 0) -> bytes:
        """One complete record, header included; it is as long as one with `padding` bytes more of content.

        Only less where 256 bytes of padding do not suffice for that. The caller sees to it that the record is
        not too long. (RFC 8449 4.1 wants just this: no record longer than one of the most content would be.)
        """
        # Counted before it is used: whatever happens, a number is never used again.
        sequence = self.sequence
        self.sequence = sequence + 1
        # RFC 5246 6.2.3.2: the IV "SHOULD be chosen at random, and MUST be unpredictable". BEAST predicted
        # that of TLS 1.0, which was the end of the record before.
        fragment = self._protect(sequence, content_type, content, padding, self._entropy(BLOCK_LENGTH))
        return header12(content_type, len(fragment)) + fragment

    def seal_run(self, workspace: Workspace, content_type: int, data: memoryview, size: int) -> int:
        """Write `data` to `workspace.out` as records of `size` bytes; see `RecordSealer.seal_run`."""
        out = workspace.out
        written = 0
        for start in range(0, len(data), size):
            record = self.seal(content_type, bytes(data[start : start + size]))
            out[written : written + len(record)] = record
            written += len(record)
        return written

    @abstractmethod
    def _protect(self, sequence: int, content_type: int, content: bytes, padding: int, iv: bytes) -> bytes:
        """The fragment: IV, ciphertext, and the MAC where it belongs."""

    def _authenticator(self, sequence: int, content_type: int, data: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(prefix12(sequence, content_type, len(data)).to_bytes(PREFIX_LENGTH, "big"))
        mac.update(data)
        return mac.finalize()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self.sequence} records sealed>"


class MacThenEncryptSealer(_Sealer):
    """Seals as RFC 5246 has it; a `RecordSealer`."""

    __slots__ = ()

    def _protect(self, sequence: int, content_type: int, content: bytes, padding: int, iv: bytes) -> bytes:
        authenticated = content + self._authenticator(sequence, content_type, content)
        return iv + aes_cbc_encrypt(self._key, iv, authenticated + _padding(len(authenticated), padding))


class EncryptThenMacSealer(_Sealer):
    """Seals as RFC 7366 has it; a `RecordSealer`."""

    __slots__ = ()

    def _protect(self, sequence: int, content_type: int, content: bytes, padding: int, iv: bytes) -> bytes:
        encrypted = iv + aes_cbc_encrypt(self._key, iv, content + _padding(len(content), padding))
        # RFC 7366 3: the length that goes into the MAC is that of IV and ciphertext (erratum 4212).
        return encrypted + self._authenticator(sequence, content_type, encrypted)


class _Opener(ABC):
    """What the two orders of opening have in common."""

    __slots__ = ("_key", "_mac", "_mac_length", "hides_type", "longest", "overhead", "sequence")

    def __init__(self, suite: Suite12, keys: CipherKeys) -> None:
        self._key = keys.key
        self._mac: KeyedHmac = keyed_hmac(suite.mac_name, keys.mac_key)
        self._mac_length = suite.mac_length
        self.hides_type = False
        self.longest = MAX_CIPHERTEXT12
        self.overhead = BLOCK_LENGTH + suite.mac_length + 1
        self.sequence = 0

    def open(self, header: bytes, body: bytes | memoryview, max_fragment: int) -> tuple[int, bytes]:
        """The content type and the content; see `RecordOpener.open`."""
        # RFC 6066 4: what is too long whatever its padding is refused "without decrypting the message".
        least = len(body) - self.overhead + 1 - _MOST_PADDING
        if least > max_fragment:
            raise too_long(least, max_fragment)
        sequence = self.sequence
        require_version(header, sequence)
        content_type = header[0]
        content = self._reveal(sequence, content_type, body)
        if content is None:
            raise forged(sequence)
        if len(content) > max_fragment:
            raise too_long(len(content), max_fragment)
        self.sequence = sequence + 1
        return content_type, content

    def open_run(
        self, data: bytes, start: int, size: int, most: int, out: memoryview, offset: int, max_fragment: int
    ) -> OpenedRun:
        """Write the contents to `out` from `offset`; see `RecordOpener.open_run`."""
        header = data[start : start + HEADER_LENGTH]
        count = 0
        while count < most and data.startswith(header, start):
            try:
                content_type, content = self.open(
                    header, data[start + HEADER_LENGTH : start + size], max_fragment
                )
            except PeerMisbehaved:
                # Behind a record that was opened it is not told now: the next call meets it as the first.
                if not count:
                    raise
                break
            count += 1
            if not content or content_type != _APPLICATION_DATA:
                return count, offset, (content_type, content)
            out[offset : offset + len(content)] = content
            offset += len(content)
            start += size
        return count, offset, None

    @abstractmethod
    def _reveal(self, sequence: int, content_type: int, body: bytes | memoryview) -> bytes | None:
        """The content, or None where anything at all is wrong with the fragment `body`."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self.sequence} records opened>"


class MacThenEncryptOpener(_Opener):
    """Opens as RFC 5246 has it; a `RecordOpener`. The top of this file says what it hides and how well."""

    __slots__ = ("_hash_block", "_hash_trailer")

    def __init__(self, suite: Suite12, keys: CipherKeys) -> None:
        super().__init__(suite, keys)
        # FIPS 180-4 5.1: in which blocks the hash works, and how long the length is that ends the last one.
        self._hash_block, self._hash_trailer = (128, 16) if suite.mac_name == "sha384" else (64, 8)

    def _reveal(self, sequence: int, content_type: int, body: bytes | memoryview) -> bytes | None:
        mac_length = self._mac_length
        # How long the fragment is can be seen by all.
        length = len(body) - BLOCK_LENGTH
        if length % BLOCK_LENGTH or length <= mac_length:
            return None
        decrypted = aes_cbc_decrypt(self._key, body[:BLOCK_LENGTH], body[BLOCK_LENGTH:])
        # From here to the last line nothing is decided: True and False are counted with. And no integer is
        # secret that may be from -5 to 256 or not, for those Python has ready, and others it has to make.
        padding_length = decrypted[-1]
        possible = padding_length < length - mac_length
        padding_length *= possible
        end = decrypted[-_MOST_PADDING:]
        proper = end[: -1 - padding_length] + _PADDING[padding_length]
        padded = constant_time_equal(proper, end) & possible
        # RFC 5246 6.2.3.2: "compute the MAC even if the padding is incorrect, and only then reject the
        # packet"
        behind = -1 - mac_length - padding_length  # where the content ends, counted from the end of all
        most = length - mac_length - 1  # how long it is with a padding_length of 0
        mac = self._mac.copy()
        mac.update((prefix12(sequence, content_type, most) - padding_length).to_bytes(PREFIX_LENGTH, "big"))
        mac.update(memoryview(decrypted)[:behind])
        authenticator = mac.finalize()
        self._compress(most, padding_length)
        authentic = constant_time_equal(authenticator, decrypted[behind:][:mac_length]) & padded
        return decrypted[:behind] if authentic else None

    def _compress(self, most: int, padding_length: int) -> None:
        """Call the compression function as often as `padding_length` bytes more of content would have."""
        block = self._hash_block
        # Behind the block of the key: the prefix, the content, one byte at least, and the length of them.
        # Whole blocks are added, which make no difference, for the reason above.
        hashed = PREFIX_LENGTH + most + self._hash_trailer + 4 * block
        missing = hashed // block - (hashed - padding_length) // block
        # A MAC that holds just its key stands at the start of a block: it compresses all that it is given.
        self._mac.copy().update(memoryview(_PADDING[-1])[: missing * block])


class EncryptThenMacOpener(_Opener):
    """Opens what RFC 7366 has sealed; a `RecordOpener`."""

    __slots__ = ()

    def _reveal(self, sequence: int, content_type: int, body: bytes | memoryview) -> bytes | None:
        encrypted, found = body[: -self._mac_length], bytes(body[-self._mac_length :])
        length = len(encrypted) - BLOCK_LENGTH
        if length % BLOCK_LENGTH or length <= 0:
            return None
        mac = self._mac.copy()
        mac.update(prefix12(sequence, content_type, len(encrypted)).to_bytes(PREFIX_LENGTH, "big"))
        mac.update(encrypted)
        # RFC 7366 3: "The MAC SHALL be evaluated before any further processing such as decryption is
        # performed, and if the MAC verification fails, then processing SHALL terminate immediately."
        if not constant_time_equal(mac.finalize(), found):
            return None
        decrypted = aes_cbc_decrypt(self._key, encrypted[:BLOCK_LENGTH], encrypted[BLOCK_LENGTH:])
        # What is wrong with padding now is our peer's own doing, and tells nobody anything.
        content_length = length - 1 - decrypted[-1]
        if not decrypted.endswith(_PADDING[decrypted[-1]]):
            return None
        return decrypted[:content_length]


def _padding(length: int, more: int) -> bytes:
    """The padding behind `length` bytes that makes them as long as `more` bytes more with the least padding.

    Its length and `length` make whole blocks, and it has 256 bytes at most.
    """
    count = more + BLOCK_LENGTH - (length + more) % BLOCK_LENGTH
    return _PADDING[min(count, _MOST_PADDING - length % BLOCK_LENGTH) - 1]
