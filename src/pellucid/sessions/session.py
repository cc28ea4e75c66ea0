"""What a client keeps of a connection to resume it later, and keys agreed on by other means."""

from dataclasses import dataclass, field
from math import inf

from pellucid.codes import CipherSuite, ProtocolVersion
from pellucid.errors import Misuse, Reason

#: RFC 9846 4.7.1: "Clients MUST NOT use tickets for longer than 7 days after issuance, regardless of the
#: ticket_lifetime"
MAX_LIFETIME_SECONDS = 604_800
#: RFC 5246 F.1.4: "An upper limit of 24 hours is suggested for session ID lifetimes". Also what a client
#: takes where a ticket of TLS 1.2 names no lifetime (RFC 5077 3.3: "A value of zero").
MAX_SESSION_ID_SECONDS = 86_400

#: The most of a client's certificates, DER, that a server keeps with a session or puts into a ticket, which
#: travels in a ClientHello that peers bound to 64 KiB or less. A chain of three is a few KiB.
MAX_CHAIN_BYTES = 2**15
#: The longest ticket that a client keeps: it has to fit our next ClientHello beside everything else.
MAX_KEPT_TICKET_BYTES = 2**15

# RFC 9846 4.3.11: `opaque identity<1..2^16-1>`
_MAX_IDENTITY_BYTES = 65_535

# RFC 9257 6 wants 128 bits or more of them, and of entropy; no check can see the entropy.
_MIN_PSK_BYTES = 16

_SUITE_HASHES = ("sha256", "sha384")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What one connection leaves to resume it with. Frozen; ``secret`` is in no repr.

    protocol           the version it was made with, and is for
    cipher_suite       of the first connection. TLS 1.3 resumes with any suite of the same hash, TLS 1.2 with
                       the same suite only (RFC 5246 7.4.1.3)
    hash_name          the suite's hash, by hashlib's name
    secret             TLS 1.3: the PSK, already derived from the resumption secret and the ticket's nonce;
                       TLS 1.2: the master secret
    ticket             the server's opaque label. TLS 1.3 sends it as the PSK identity, TLS 1.2 in the
                       extension session_ticket; empty where a session ID of TLS 1.2 is all there is
    session_id         TLS 1.2: the name of the session in the server's cache; empty: it is in none
    extended_master_secret  TLS 1.2: whether ``secret`` depends on the whole handshake (RFC 7627), without
                       which a session is not resumed where the extension is in use; always so in TLS 1.3
    max_fragment_length  TLS 1.2: what was agreed on for as long as the session lasts, in bytes; 0: nothing
    ticket_age_add     TLS 1.3: added to the age that is sent, so that nobody on the path can tell tickets
                       by it
    lifetime_seconds   from the server, and cut to 7 days when it is compared; where TLS 1.2 names none,
                       ``MAX_SESSION_ID_SECONDS``
    received_at        POSIX seconds
    server_name        the name (or address) that the server was verified for
    alpn               the application protocol of the first connection
    peer_chain         the server's certificates (DER): a resumed connection shows none
    peer_raw_public_key  the server's key (DER), where it showed that alone
    max_early_data     bytes of 0-RTT data that the ticket allows; 0: none
    mutual             whether we showed a certificate in the handshake that this goes back to
    authenticated_at   POSIX seconds of that handshake; 0: ``received_at``
    certificate_expires_at  when the server's certificates end: the session does not outlive them
    scope              whom the client trusted and who it was: a session is for configurations that
                       agree in both, since a resumed handshake verifies neither again
    """

    protocol: ProtocolVersion
    cipher_suite: CipherSuite
    hash_name: str
    secret: bytes = field(repr=False)
    lifetime_seconds: int
    received_at: float
    server_name: str | None
    ticket: bytes = field(default=b"", repr=False)
    session_id: bytes = field(default=b"", repr=False)
    extended_master_secret: bool = True
    max_fragment_length: int = 0
    ticket_age_add: int = field(default=0, repr=False)
    alpn: str | None = None
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    peer_raw_public_key: bytes = field(default=b"", repr=False)
    max_early_data: int = 0
    mutual: bool = False
    authenticated_at: float = 0.0
    certificate_expires_at: float = inf
    scope: bytes = field(default=b"", repr=False)

    def age_milliseconds(self, now: float) -> int:
        """The time since the session came (RFC 9846 4.3.11.1). ``now``: POSIX seconds."""
        return max(0, int((now - self.received_at) * 1000))

    def obfuscated_ticket_age(self, now: float) -> int:
        """The age as it is sent: plus ticket_age_add, modulo 2^32."""
        return (self.age_milliseconds(now) + self.ticket_age_add) & 0xFFFF_FFFF

    def expired(self, now: float) -> bool:
        """Whether the session is too old; also where the clock was set back and its age cannot be told."""
        age = now - self.received_at
        if not 0 <= age < min(self.lifetime_seconds, MAX_LIFETIME_SECONDS):
            return True
        # RFC 9846 4.7.1 recommends limits that "take into account the lifetime of the peer's certificate"
        # and "the time since the peer's online CertificateVerify signature": each resumption brings a new
        # ticket, and without them a line of tickets would have no end.
        line_age = now - (self.authenticated_at or self.received_at)
        return now >= self.certificate_expires_at or line_age >= MAX_LIFETIME_SECONDS


@dataclass(frozen=True, slots=True)
class ExternalPsk:
    """A key that both sides have by other means, and the identity that names it on the wire, in clear.

    ``key``: at least 16 bytes, random; a password is no such key, since whoever sees one handshake can try
    all of them. ``hash_name``: "sha256" or "sha384", the hash of the suites that it goes with (RFC 9846
    4.3.11).
    """

    identity: bytes
    key: bytes = field(repr=False)
    hash_name: str = "sha256"

    def __post_init__(self) -> None:
        if not 1 <= len(self.identity) <= _MAX_IDENTITY_BYTES:
            raise _bad(f"the identity has {len(self.identity)} bytes; 1 to {_MAX_IDENTITY_BYTES} fit")
        if len(self.key) < _MIN_PSK_BYTES:
            raise _bad(
                f"the key has {len(self.key)} bytes; with fewer than {_MIN_PSK_BYTES} it can be guessed"
            )
        if self.hash_name not in _SUITE_HASHES:
            raise _bad(f"no suite has the hash {self.hash_name!r}; there are {' and '.join(_SUITE_HASHES)}")


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CONFIGURATION, f"external PSK: {detail}")
