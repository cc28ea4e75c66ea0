"""Handshake messages out of handshake records: RFC 9846 5.1 lets them share records and span several."""

from pellucid.codes import HandshakeType, name_of
from pellucid.errors import PeerMisbehaved, Reason

MESSAGE_HEADER_LENGTH = 4

# Where nothing is said below: one vector of 2^16 - 1 bytes, which is the most that a message without a
# certificate holds, and a little that stands before it.
_DEFAULT_LIMIT = 2**16 + 1024

# Nothing below has a lower limit.
_ALWAYS_TAKEN = 256

#: The longest body that is taken of a message, in bytes. A peer that is not authenticated yet decides how
#: much we hold for it, so where the RFC's own bound is absurd (2^24 - 1) or of no use, there is a lower one.
MESSAGE_LIMITS: dict[int, int] = {
    # The RFC would allow 131,396. A share of every hybrid group and a dozen tickets with certificate chains
    # in them are less than half of this.
    HandshakeType.client_hello: 2**16,
    # RFC 9846 4.7.1: lifetime, age_add, nonce, ticket and extensions at their longest.
    HandshakeType.new_session_ticket: 4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65534,
    # A chain of ten certificates with ML-DSA-87 keys and signatures is 80 KiB. OpenSSL stops at 100 KiB.
    HandshakeType.certificate: 2**18,
    HandshakeType.compressed_certificate: 2**18,
    # As long as a hash, 64 bytes at most. More is taken so that the decoder can say what is wrong with it.
    HandshakeType.finished: _ALWAYS_TAKEN,
    # No content or one byte of it; likewise.
    HandshakeType.hello_request: _ALWAYS_TAKEN,
    HandshakeType.end_of_early_data: _ALWAYS_TAKEN,
    HandshakeType.server_hello_done: _ALWAYS_TAKEN,
    HandshakeType.key_update: _ALWAYS_TAKEN,
}


class HandshakeJoiner:
    """Collects the fragments of handshake records and hands out whole messages."""

    __slots__ = ("_buffer", "pending")

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""
        #: Whether bytes are held: part of a message, or messages that were not taken yet.
        self.pending = False

    @property
    def first_byte(self) -> int | None:
        """The type of the message that is being collected; None where there is none."""
        return self._buffer[0] if self._buffer else None

    def add(self, fragment: bytes) -> None:
        """Append the content of one handshake record."""
        if not self._buffer:
            # Most records hold whole messages, and there is nothing to join.
            self._buffer = fragment
        else:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            self._buffer += fragment
        self.pending = bool(self._buffer)

    def next(self) -> bytes | None:
        """The next whole message with its 4-byte header, or None before one is complete.

        Raises `PeerMisbehaved` MESSAGE_TOO_LONG as soon as a header announces more than `MESSAGE_LIMITS` has.
        """
        buffer = self._buffer
        if len(buffer) < MESSAGE_HEADER_LENGTH:
            return None
        length = buffer[1] << 16 | buffer[2] << 8 | buffer[3]
        if length > _ALWAYS_TAKEN:
            self._check_length(buffer[0], length)
        end = MESSAGE_HEADER_LENGTH + length
        if len(buffer) < end:
            return None
        if len(buffer) == end:
            self._buffer = b""
            self.pending = False
            return bytes(buffer)
        if isinstance(buffer, bytes):
            buffer = self._buffer = bytearray(buffer)
        message = bytes(buffer[:end])
        # Deleting from the front moves a pointer, not the bytes behind.
        del buffer[:end]
        return message

    def require_boundary(self, what: str) -> None:
        """Raise `PeerMisbehaved` MESSAGE_ACROSS_KEY_CHANGE where bytes are held as `what` happens.

        To be called with "a key change" before every `RecordReader.install`, and with the name of the
        record's type before one that is not of type handshake is looked at.
        """
        # RFC 9846 5.1: "Implementations MUST verify that all messages immediately preceding a key change
        # align with a record boundary", and where a message is split over records "there MUST NOT be any
        # other records between them".
        if self._buffer:
            name = name_of(self._buffer[0], HandshakeType)
            raise PeerMisbehaved(
                Reason.MESSAGE_ACROSS_KEY_CHANGE,
                f"{what} came behind {len(self._buffer)} bytes of a {name} that is not complete or not last",
            )

    @staticmethod
    def _check_length(message_type: int, length: int) -> None:
        limit = MESSAGE_LIMITS.get(message_type, _DEFAULT_LIMIT)
        if length > limit:
            name = name_of(message_type, HandshakeType)
            raise PeerMisbehaved(
                Reason.MESSAGE_TOO_LONG, f"a {name} announces {length} bytes; {limit} is the most"
            )
