"""The running hash over all handshake messages (RFC 9846 4.1)."""

from __future__ import annotations

from pellucid.codes import HandshakeType
from pellucid.crypto.kdf import Hash, hash_digest, new_hash
from pellucid.errors import Misuse, Reason


class Transcript:
    """What both sides have said so far, in one hash. Messages go in as they were sent, with their headers.

    Which hash it is follows from the cipher suite, which a client learns from the ServerHello: until `start`
    the messages are kept as they are. In TLS 1.2 they may be kept longer, for a CertificateVerify.
    """

    __slots__ = ("_buffer", "_hash", "_keep", "hash_name")

    def __init__(self) -> None:
        self.hash_name: str | None = None
        self._hash: Hash | None = None
        self._buffer = b""
        self._keep = True

    def __repr__(self) -> str:
        state = f"running {self.hash_name}" if self._hash is not None else ""
        if self._keep:
            state += f"{', ' if state else ''}{len(self._buffer)} bytes kept"
        return f"<Transcript, {state}>"

    def add(self, raw: bytes) -> None:
        """Appends one handshake message, with its 4-byte header."""
        if self._hash is not None:
            self._hash.update(raw)
        if self._keep:
            self._buffer += raw

    def start(self, hash_name: str, *, keep: bool = False) -> None:
        """Starts to hash, beginning with what was kept. Once started, the same hash again changes nothing.

        With `keep`, the messages stay readable as `messages` until `forget_messages`.
        """
        if self._hash is not None:
            if hash_name != self.hash_name:
                raise Misuse(Reason.INTERNAL_ERROR, f"the transcript is of {self.hash_name}, not {hash_name}")
            return
        self.hash_name = hash_name
        self._hash = new_hash(hash_name)
        self._hash.update(self._buffer)
        if not keep:
            self.forget_messages()

    @property
    def messages(self) -> bytes:
        """All messages so far, as they are: what a CertificateVerify of TLS 1.2 signs.

        RFC 5246 7.4.8: "all handshake messages sent or received, starting at client hello and up to, but not
        including, this message". Its hash is the signature's own, which need not be the suite's, so
        that `digest` does not serve. Raises Misuse(INTERNAL_ERROR) when they were forgotten.
        """
        if not self._keep:
            raise Misuse(Reason.INTERNAL_ERROR, "the transcript's messages were not kept")
        return self._buffer

    def forget_messages(self) -> None:
        """From here on there is only the hash: no CertificateVerify is to come."""
        self._running()
        self._keep = False
        self._buffer = b""

    def digest(self) -> bytes:
        """Transcript-Hash of the messages so far; more may follow."""
        return (self._hash or self._running()).digest()

    def digest_with(self, extra: bytes, hash_name: str | None = None) -> bytes:
        """Transcript-Hash of the messages so far and `extra`, which is not added.

        For a PSK binder, which hashes a ClientHello cut short (RFC 9846 4.3.11.2). A client makes it before
        the suite is agreed on, with the hash of the PSK: `hash_name`, which counts only before `start`.
        """
        if self._hash is None and hash_name is not None:
            return hash_digest(hash_name, self._buffer + extra)
        running = self._running().copy()
        running.update(extra)
        return running.digest()

    def replace_with_message_hash(self) -> None:
        """Puts a message of type message_hash in the place of all messages so far: the first ClientHello.

        RFC 9846 4.1: "the value of ClientHello1 is replaced with a special synthetic handshake message of
        handshake type "message_hash" (254) containing Hash(ClientHello1)". So a server may forget the
        ClientHello that it answers with a HelloRetryRequest, and keep its hash in the cookie.
        """
        digest = self._running().digest()
        self.forget_messages()
        self._hash = new_hash(self.hash_name or "")
        self._hash.update(bytes((HandshakeType.message_hash, 0, 0, len(digest))) + digest)

    def copy(self) -> Transcript:
        """One with the same messages, which goes its own way from here."""
        other = Transcript()
        other.hash_name = self.hash_name
        other._buffer = self._buffer
        other._keep = self._keep
        other._hash = None if self._hash is None else self._hash.copy()
        return other

    def _running(self) -> Hash:
        if self._hash is None:
            raise Misuse(Reason.INTERNAL_ERROR, "the transcript has no hash yet: start it first")
        return self._hash
