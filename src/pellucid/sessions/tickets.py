"""Tickets: the server's memory of a session, sealed and given to the client to keep.

    key name (16) | nonce (12) | AES-256-GCM(state) with its tag (16)        additional data: the key name

The server keeps nothing but the keys. Whoever has a key can read the secrets in the tickets sealed with it,
so keys are replaced often and forgotten as soon as no ticket of theirs can be valid any more. A ticket names
its key, so that opening costs one decryption and foreign tickets cost none. Tickets of TLS 1.2 and 1.3 have
one form and one set of keys; the version that a ticket is of is sealed in it, and it opens for that one only.
"""

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pellucid.codes import CipherSuite, ProtocolVersion, known
from pellucid.crypto.suites import SUITES, InvalidTag
from pellucid.errors import Misuse, Reason
from pellucid.sessions.session import MAX_LIFETIME_SECONDS

# For its AEAD alone: what hash the suite has plays no part in a ticket.
_AES_256_GCM = SUITES[CipherSuite.TLS_AES_256_GCM_SHA384]
_NAME_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
#: RFC 9846 4.7.1: `opaque ticket<1..2^16-1>`
MAX_TICKET_BYTES = 65_535

# NIST SP 800-38D 8.3: at most 2^32 seals under one key with random nonces.
_MAX_SEALS = 2**32

#: The first byte of the encoded state. Whoever changes the layout changes it, and older tickets open to None.
_VERSION = 3
# version, protocol, suite, what holds of it (below), max_fragment_length, age_add, created_at and
# authenticated_at in microseconds, lifetime_seconds
_HEAD = struct.Struct(">BHHBHIQQI")
_EXTENDED_MASTER_SECRET, _RAW_PUBLIC_KEY = 1, 2
_LENGTH_1, _LENGTH_2, _LENGTH_3 = 1, 2, 3

# A clock that is corrected may step back a little: a ticket from so near a future is not refused for it.
_SKEW_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketState:
    """What a server must remember of a session, in a ticket or a ``SessionCache``. The handshake compares
    suites, names and identities.

    protocol          the version that the session is of, and is resumed in
    suite             of the first connection; TLS 1.3 needs a suite of the same hash to resume, TLS 1.2 the
                      same suite
    secret            the resumption PSK of TLS 1.3, the master secret of TLS 1.2; in no repr
    extended_master_secret  TLS 1.2: whether the master secret is one of RFC 7627; always so in TLS 1.3
    max_fragment_length  TLS 1.2: what was agreed on for as long as the session lasts, in bytes; 0: nothing
    age_add           TLS 1.3: the ticket_age_add that was sent with the ticket
    created_at        POSIX seconds
    lifetime_seconds  as sent in ticket_lifetime (TLS 1.2: ticket_lifetime_hint), at most 7 days; after it the
                      ticket opens to None
    server_name       the server_name of the first connection, None without one
    alpn              its application protocol, None without one
    client_chain      the client's certificates (DER, leaf first) as verified then; () for none
    client_key        the client's raw public key (DER) as verified then, where it showed that in place of
                      certificates; b"" for none
    server_identity   which of our credentials the client saw: SHA-256 of its leaf; b"" if it does not matter
    authenticated_at  POSIX seconds of the last full handshake, handed on when a resumed connection gets a
                      ticket; 0 stands for created_at. 7 days later no ticket of this line is valid any more
    """

    suite: CipherSuite
    secret: bytes = field(repr=False)
    created_at: float
    lifetime_seconds: int
    protocol: ProtocolVersion = ProtocolVersion.TLSv1_3
    extended_master_secret: bool = True
    max_fragment_length: int = 0
    age_add: int = field(default=0, repr=False)
    server_name: str | None = None
    alpn: str | None = None
    client_chain: tuple[bytes, ...] = field(default=(), repr=False)
    client_key: bytes = field(default=b"", repr=False)
    server_identity: bytes = b""
    authenticated_at: float = 0.0

    def age_milliseconds(self, now: float) -> int:
        """The ticket's age by our clock, to compare with the age that the client sends (RFC 9846 8.3)."""
        return max(0, int((now - self.created_at) * 1000))

    def valid_at(self, now: float) -> bool:
        """Whether the session and the key material behind it are young enough. ``now``: POSIX seconds."""
        # RFC 9846 4.7.1: "It is RECOMMENDED that implementations place limits on the total lifetime of such
        # keying material". Ours is the longest life of one ticket.
        authenticated_at = self.authenticated_at or self.created_at
        lifetime = min(self.lifetime_seconds, MAX_LIFETIME_SECONDS)
        return (
            -_SKEW_SECONDS <= now - self.created_at < lifetime
            and now - authenticated_at < MAX_LIFETIME_SECONDS
        )


class _Key:
    """One sealing key, its public name, when it was made, and how often it has sealed."""

    __slots__ = ("aead", "made_at", "name", "seals")

    def __init__(self, entropy: Callable[[int], bytes], now: float) -> None:
        self.name = entropy(_NAME_BYTES)
        self.aead = _AES_256_GCM.make_aead(entropy(_AES_256_GCM.key_length))
        self.made_at = now
        self.seals = 0


class TicketKeys:
    """Seals and opens tickets with keys that rotate. Thread-safe: one may serve many connections.

    ``rotate_seconds``: a key seals for so long. ``lifetime_seconds``: what new tickets are to say (at most
    7 days). ``keep``: how many former keys still open, by default as many as live tickets can have been
    sealed with. One hour and two hours by default: a stolen key then tells the secrets of three hours at
    most, and a client that comes back within two hours resumes. In TLS 1.3 resumption always runs a fresh
    (EC)DHE as well, so the PSK alone opens no recorded traffic. In TLS 1.2 nothing fresh goes in: the ticket
    holds the master secret, and a stolen key opens what was recorded of the first connection and of all that
    resumed it, whatever their key exchange was. A ``SessionCache`` keeps these secrets in the server.
    """

    def __init__(
        self,
        entropy: Callable[[int], bytes],
        clock: Callable[[], float],
        *,
        rotate_seconds: int = 3_600,
        lifetime_seconds: int = 7_200,
        keep: int | None = None,
    ) -> None:
        # RFC 9846 4.7.1: "Servers MUST NOT use any value greater than 604800 seconds (7 days)."
        if not 1 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
            raise Misuse(
                Reason.BAD_CONFIGURATION,
                f"tickets: a lifetime of 1 to {MAX_LIFETIME_SECONDS} seconds (7 days)",
            )
        if rotate_seconds < 1 or (keep is not None and keep < 0):
            raise Misuse(
                Reason.BAD_CONFIGURATION, "tickets: rotate_seconds is at least 1, and keep at least 0"
            )
        #: What a NewSessionTicket is to say.
        self.lifetime_seconds = lifetime_seconds
        self._entropy = entropy
        self._clock = clock
        self._rotate_seconds = rotate_seconds
        self._keep = -(-lifetime_seconds // rotate_seconds) if keep is None else keep
        self._lock = threading.Lock()
        # Newest first. Made when first needed: a configuration that never issues a ticket draws no entropy.
        self._keys: list[_Key] = []

    def seal(self, state: TicketState) -> bytes:
        """The ticket that holds ``state``. Misuse where a huge client chain makes it too long to send."""
        plaintext = encode_state(state)
        size = _NAME_BYTES + _NONCE_BYTES + len(plaintext) + _TAG_BYTES
        if size > MAX_TICKET_BYTES:
            raise Misuse(Reason.BAD_CONFIGURATION, f"the state of a session makes a ticket of {size} bytes")
        with self._lock:
            self._rotate(self._clock())
            key = self._keys[0]
            key.seals += 1
            nonce = self._entropy(_NONCE_BYTES)
        return key.name + nonce + key.aead.encrypt(nonce, plaintext, key.name)

    def open(
        self, ticket: bytes, now: float, protocol: ProtocolVersion = ProtocolVersion.TLSv1_3
    ) -> TicketState | None:
        """What the ticket holds; None for one that is forged, foreign, of another version than ``protocol``,
        or expired at ``now`` (POSIX seconds).

        It never says which of these, and raises for no input.
        """
        state = self.peek(ticket, now, protocol)
        return state if state is not None and state.valid_at(now) else None

    def peek(self, ticket: bytes, now: float, protocol: ProtocolVersion) -> TicketState | None:
        """The same, but an expired one as well while there is its key: for who asks ``valid_at`` next."""
        name, nonce = ticket[:_NAME_BYTES], ticket[_NAME_BYTES : _NAME_BYTES + _NONCE_BYTES]
        with self._lock:
            self._forget(now)
            key = next((key for key in self._keys if key.name == name), None)
        if key is None or len(ticket) < _NAME_BYTES + _NONCE_BYTES + _TAG_BYTES:
            return None
        try:
            plaintext = key.aead.decrypt(nonce, ticket[_NAME_BYTES + _NONCE_BYTES :], name)
        except InvalidTag:
            return None
        state = decode_state(plaintext)
        return state if state is not None and state.protocol is protocol else None

    def __repr__(self) -> str:
        return f"TicketKeys({len(self._keys)} keys, a new one every {self._rotate_seconds} s)"

    def _rotate(self, now: float) -> None:
        """A fresh key where there is none, or the newest is old, worn, or of a future that the clock left."""
        newest = self._keys[0] if self._keys else None
        if (
            newest is None
            or not 0 <= now - newest.made_at < self._rotate_seconds
            or newest.seals >= _MAX_SEALS
        ):
            self._keys.insert(0, _Key(self._entropy, now))
            del self._keys[self._keep + 1 :]
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Drops the keys whose last ticket has expired."""
        oldest = now - self._rotate_seconds - self.lifetime_seconds - _SKEW_SECONDS
        self._keys = [key for key in self._keys if key.made_at > oldest]


def encode_state(state: TicketState) -> bytes:
    """The state as bytes: a fixed head, then each variable field behind its length."""
    # The key, where there is one, is the last of these.
    shown_by_client = (*state.client_chain, state.client_key) if state.client_key else state.client_chain
    flags = _EXTENDED_MASTER_SECRET * state.extended_master_secret + _RAW_PUBLIC_KEY * bool(state.client_key)
    head = _HEAD.pack(
        _VERSION,
        state.protocol,
        state.suite,
        flags,
        state.max_fragment_length,
        state.age_add,
        int(state.created_at * 1_000_000),
        int((state.authenticated_at or state.created_at) * 1_000_000),
        state.lifetime_seconds,
    )
    return b"".join(
        (
            head,
            _vector(state.secret, _LENGTH_1),
            _vector(state.server_identity, _LENGTH_1),
            _vector(_optional(state.server_name), _LENGTH_2),
            _vector(_optional(state.alpn), _LENGTH_2),
            *(_vector(shown, _LENGTH_3) for shown in shown_by_client),
        )
    )


def decode_state(data: bytes) -> TicketState | None:
    """The reverse; None for another version's layout. ``data`` has been authenticated: it is what we once
    encoded.
    """
    if not data or data[0] != _VERSION:
        return None
    _, version, suite, *rest = _HEAD.unpack_from(data)
    flags, fragment, age_add, created_at, authenticated_at, lifetime_seconds = rest
    protocol, code = known(ProtocolVersion, version), known(CipherSuite, suite)
    if not isinstance(protocol, ProtocolVersion) or not isinstance(code, CipherSuite):
        return None
    secret, offset = _read(data, _HEAD.size, _LENGTH_1)
    server_identity, offset = _read(data, offset, _LENGTH_1)
    server_name, offset = _read(data, offset, _LENGTH_2)
    alpn, offset = _read(data, offset, _LENGTH_2)
    client_chain = []
    while offset < len(data):
        shown, offset = _read(data, offset, _LENGTH_3)
        client_chain.append(shown)
    client_key = client_chain.pop() if flags & _RAW_PUBLIC_KEY else b""
    return TicketState(
        protocol=protocol,
        suite=code,
        extended_master_secret=bool(flags & _EXTENDED_MASTER_SECRET),
        max_fragment_length=fragment,
        secret=secret,
        age_add=age_add,
        created_at=created_at / 1_000_000,
        lifetime_seconds=lifetime_seconds,
        server_name=_text(server_name),
        alpn=_text(alpn),
        client_chain=tuple(client_chain),
        client_key=client_key,
        server_identity=server_identity,
        authenticated_at=authenticated_at / 1_000_000,
    )


def _vector(data: bytes, length_bytes: int) -> bytes:
    return len(data).to_bytes(length_bytes) + data


def _read(data: bytes, offset: int, length_bytes: int) -> tuple[bytes, int]:
    start = offset + length_bytes
    end = start + int.from_bytes(data[offset:start])
    return data[start:end], end


def _optional(text: str | None) -> bytes:
    """None and the empty text are two things: text has a byte in front."""
    return b"" if text is None else b"\x01" + text.encode()


def _text(data: bytes) -> str | None:
    return data[1:].decode() if data else None
