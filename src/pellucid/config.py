"""What a client or a server is told: frozen, checked when built, shared by any number of connections."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pellucid.checking import at_least, callables, flags, listed, require
from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.crypto.kdf import hash_digest
from pellucid.errors import Misuse, Reason
from pellucid.identity import (
    CERTIFICATE_PROFILES,
    AllowedClients,
    CertificateProfile,
    Credential,
    TrustStore,
)
from pellucid.keys import KeyLog
from pellucid.policy import (
    POLICIES,
    SUPPORTED_GROUPS,
    SUPPORTED_SIGNATURE_SCHEMES,
    ExtendedMasterSecret,
    Parameters,
    make_parameters,
    resolve,
)
from pellucid.sessions import ExternalPsk, SessionCache, SessionStore, TicketKeys

if TYPE_CHECKING:
    from pellucid.identity.revocation import Ask, RevocationLists
    from pellucid.trace import Trace, TraceView

Entropy = Callable[[int], bytes]
Clock = Callable[[], float]

#: More than any client can use before it comes back, and each costs a seal and 200 bytes.
_MAX_TICKETS = 16

#: RFC 7301 3.1: a protocol's name is 1 to 255 bytes.
_MAX_ALPN_LENGTH = 255

#: Chosen by the default policy. The hybrid's share is 1,216 bytes; its x25519 half serves as the
#: x25519 share too, so a server without ML-KEM costs no second round trip.
_DEFAULT_SHARES = (NamedGroup.X25519MLKEM768, NamedGroup.x25519)

#: RFC 8449 4: the least that anybody may ask for, and the most that makes sense: a full record of TLS 1.3,
#: whose content type counts.
_LEAST_RECORD_SIZE, _MOST_RECORD_SIZE = 64, 2**14 + 1

#: What a knob that nobody reads is refused with.
_WHEN_SEARCHED = 'give revocation="soft" or "hard" as well: else nobody asks'

#: RFC 6066 4 has codes for these.
_FRAGMENT_LENGTHS = (2**9, 2**10, 2**11, 2**12)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What both sides can be told. Code points are IANA names or members of ``pellucid.codes``.

    policy              "modern": TLS 1.3 alone; "default": what a browser does today, TLS 1.3 and 1.2
                        with AEAD and forward secrecy; "compatible": also what is old, DHE, CBC and RSA
                        key exchange. The lists below replace the policy's where they are given.
    protocols           such as ["TLSv1.3", "TLSv1.2"]; the highest that both sides have is taken
    cipher_suites       of both versions, in order of preference; a server follows its own order. A version
                        for which none is given is not spoken
    groups              for key exchange, in order of preference; a server follows its own order
    signature_schemes   that the peer may sign the handshake with, in order of preference
    extended_master_secret  of TLS 1.2: "required", "optional" (an old peer may do without) or "never".
                        Without it somebody in the middle can give two connections the same keys (RFC 7627).
                        Required by default, optional in the policy "compatible"
    encrypt_then_mac    of TLS 1.2: whether CBC suites authenticate what they encrypted, if the peer can
                        (RFC 7366). On; without it only care keeps a padding oracle away
    record_size_limit   the longest plaintext of a record that we want to receive, 64 to 16385 bytes,
                        content type and padding of TLS 1.3 included (RFC 8449). None: a client says nothing
    alpn_protocols      application protocols such as ["h2", "http/1.1"], preferred first; a server
                        that has some refuses a client that offers only others (RFC 7301 3.2)
    credentials         our certificates and their keys; none by default
    trust               whose certificates we accept
    trace               a ``Trace`` or a view of one to record every step in; ``True`` makes a new
                        one for each connection; off by default, since it costs time and memory
    key_log             called with each traffic secret (RFC 9850). Whoever has them can read the
                        connection, so there is none by default
    padding             TLS 1.3: bytes to pad a record with: ``(content_type, content_length) -> bytes``;
                        none by default
    key_update_after    TLS 1.3: records sealed under one key before we take the next one; default and upper
                        bound: what the suite's AEAD can bear (RFC 9846 5.5)
    max_chain_length    certificates that we accept from a peer; public chains have 2 to 4
    certificate_profile  how the peer's chain is judged. "web": as browsers do it. "private", for internal
                        CAs: RFC 5280 without what the web asks besides it, so a chain without
                        authorityKeyIdentifier, a CA without keyUsage, with basicConstraints not critical or
                        with an Ed25519, ML-DSA or brainpool key, and a CA's certificate as a leaf are taken;
                        signatures, dates, names, purposes, path lengths and name constraints hold in both
    revocation          whether the peer's certificates are still good, and how hard to ask: "off", "staple",
                        "soft" or "hard"; each does what the one before it does. "staple": the peer is asked
                        for an OCSP response (RFC 6066 8; clients in TLS 1.3 only, and few have one), one
                        that it staples has to hold, and a server whose certificate says that it staples
                        (RFC 7633) has to. "soft": revocation_lists and revocation_source are asked as well;
                        what is known to be revoked is refused, and what nobody knows passes, which the trace
                        says. "hard": a leaf that nobody vouches for is refused; of its issuers, as in
                        "soft", what is known to be revoked. Off by default
    revocation_lists    CRLs, from files or memory: a ``RevocationLists``
    revocation_source   whom to ask over the network, such as a ``NetworkStatus``; none by default. It is
                        called in the middle of a handshake, which waits for it; and authorities learn who
                        speaks with whom
    clock, entropy      where the time (POSIX seconds) and random bytes come from. Give others to
                        replay a handshake, never to make real ones
    """

    policy: str = "default"
    protocols: Sequence[ProtocolVersion | str] = ()
    cipher_suites: Sequence[CipherSuite | str] = ()
    groups: Sequence[NamedGroup | str] = ()
    signature_schemes: Sequence[SignatureScheme | str] = ()
    extended_master_secret: ExtendedMasterSecret | None = None
    encrypt_then_mac: bool = True
    record_size_limit: int | None = None
    alpn_protocols: Sequence[str] = ()
    credentials: Sequence[Credential] = ()
    trust: TrustStore | None = None
    trace: Trace | TraceView | bool = False
    key_log: KeyLog | None = None
    padding: Callable[[int, int], int] | None = None
    key_update_after: int | None = None
    max_chain_length: int = 10
    certificate_profile: CertificateProfile = "web"
    revocation: str = "off"
    revocation_lists: RevocationLists | None = None
    revocation_source: Ask | None = None
    clock: Clock = time.time
    entropy: Entropy = os.urandom
    #: The lists as members, the policy's where none was given: what the handshake reads.
    parameters: Parameters = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise Misuse(
                Reason.BAD_CONFIGURATION, f"policy: {self.policy!r} is not one of {', '.join(POLICIES)}"
            )
        known = self.extended_master_secret in (None, "required", "optional", "never")
        require(known, "extended_master_secret", "give required, optional or never")
        parameters = make_parameters(
            POLICIES[self.policy],
            protocols=self.protocols,
            cipher_suites=self.cipher_suites,
            groups=self.groups,
            signature_schemes=self.signature_schemes,
            extended_master_secret=self.extended_master_secret,
        )
        self._set(
            parameters=parameters,
            protocols=parameters.protocols,
            cipher_suites=parameters.cipher_suites,
            groups=parameters.groups,
            signature_schemes=parameters.signature_schemes,
            extended_master_secret=parameters.extended_master_secret,
            alpn_protocols=_alpn(self.alpn_protocols),
            credentials=listed("credentials", self.credentials, Credential),
        )
        require(self.trust is None or isinstance(self.trust, TrustStore), "trust", "give a TrustStore")
        callables(self, "key_log", "padding", "revocation_source", "clock", "entropy")
        self._check_revocation()
        at_least(self, 1, "max_chain_length")
        known = self.certificate_profile in CERTIFICATE_PROFILES
        require(known, "certificate_profile", f"{self.certificate_profile!r} is not web or private")
        flags(self, "encrypt_then_mac")
        if self.record_size_limit is not None:
            at_least(self, _LEAST_RECORD_SIZE, "record_size_limit")
            fits = self.record_size_limit <= _MOST_RECORD_SIZE
            require(fits, "record_size_limit", f"{_MOST_RECORD_SIZE} bytes at most")
        if self.key_update_after is not None:
            # One of them is the KeyUpdate itself.
            at_least(self, 2, "key_update_after")

    def _check_revocation(self) -> None:
        known = self.revocation in ("off", "staple", "soft", "hard")
        require(known, "revocation", f"{self.revocation!r} is not off, staple, soft or hard")
        searches = self.revocation in ("soft", "hard")
        require(searches or self.revocation_source is None, "revocation_source", _WHEN_SEARCHED)
        if self.revocation_lists is None:
            return
        from pellucid.identity.revocation import RevocationLists  # noqa: PLC0415 - for who has some

        ok = isinstance(self.revocation_lists, RevocationLists)
        require(ok, "revocation_lists", "give RevocationLists")
        require(searches, "revocation_lists", _WHEN_SEARCHED)

    def _set(self, **values: object) -> None:
        """Assign to a frozen dataclass while it is being built."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def default_entropy(self) -> bool:
        """Whether keys may come from the library's own generator, which is faster than ours."""
        return self.entropy is os.urandom


@dataclass(frozen=True, kw_only=True)
class ClientConfig(Config):
    """A client's side.

    trust                the roots that servers are checked against; the system's by default
    credentials          shown to a server that asks, the first that fits what it asks for
    key_shares           groups to send a share for at once. More shares save round trips and cost
                         bytes and time; default: X25519MLKEM768 and x25519 where they are among
                         ``groups``, otherwise the first group. May be empty: the server then picks
    sessions             where tickets are kept and looked up; None: no resumption
    psks                 keys agreed on by other means, offered behind a session's
    certificate_signature_schemes  what may sign certificates, where that differs from
                         signature_schemes and PKCS #1 v1.5 (sent as signature_algorithms_cert)
    send_certificate_authorities   tell the server whom we trust; off, since the list is long and
                         tells who we are
    middlebox_compatibility        look like TLS 1.2 on the wire (RFC 9846 E.4); on, as browsers do
    request_status       ask for a stapled OCSP response (RFC 6066 8) where ``revocation`` is off. It is read
                         and shown in the trace, and not judged
    request_timestamps   ask for timestamps of certificate transparency (RFC 6962 3.3.1). They are shown in
                         the trace, and not verified
    max_fragment_length  the longest plaintext of a record either way: 512, 1024, 2048 or 4096 bytes (RFC 6066
                         4). record_size_limit is the better way; not both
    fallback             this is a second attempt with fewer versions, after a first one has failed: a server
                         that can do better is to refuse it (TLS_FALLBACK_SCSV, RFC 7507)
    """

    key_shares: Sequence[NamedGroup | str] | None = None
    sessions: SessionStore | None = field(default_factory=SessionStore)
    psks: Sequence[ExternalPsk] = ()
    certificate_signature_schemes: Sequence[SignatureScheme | str] = ()
    send_certificate_authorities: bool = False
    middlebox_compatibility: bool = True
    request_status: bool = False
    request_timestamps: bool = False
    max_fragment_length: int | None = None
    fallback: bool = False
    #: ``key_shares`` and ``certificate_signature_schemes`` as members.
    share_groups: tuple[NamedGroup, ...] = field(init=False, repr=False)
    certificate_schemes: tuple[SignatureScheme, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        sessions = self.sessions
        require(
            sessions is None or isinstance(sessions, SessionStore), "sessions", "give a SessionStore or None"
        )
        schemes: tuple[SignatureScheme, ...] = ()
        if self.certificate_signature_schemes:
            schemes = resolve(
                "certificate_signature_schemes",
                self.certificate_signature_schemes,
                SUPPORTED_SIGNATURE_SCHEMES,
            )
        flags(
            self,
            "request_status",
            "request_timestamps",
            "fallback",
            "send_certificate_authorities",
            "middlebox_compatibility",
        )
        length = self.max_fragment_length
        wanted = f"give one of {', '.join(map(str, _FRAGMENT_LENGTHS))}"
        require(length is None or length in _FRAGMENT_LENGTHS, "max_fragment_length", wanted)
        one = length is None or self.record_size_limit is None
        require(one, "max_fragment_length", "record_size_limit is given as well")
        highest = ProtocolVersion.TLSv1_3 in self.parameters.protocols
        require(
            not (self.fallback and highest), "fallback", "nothing is left out: TLSv1.3 is among protocols"
        )
        self._set(
            trust=self.trust or TrustStore.system(),
            psks=listed("psks", self.psks, ExternalPsk),
            share_groups=self._share_groups(),
            certificate_schemes=schemes,
        )

    @property
    def asks_for_status(self) -> bool:
        """Whether the ClientHello has status_request."""
        return self.request_status or self.revocation != "off"

    @cached_property
    def session_scope(self) -> bytes:
        """What a session of this client depends on: its roots, its credentials, which versions it speaks
        and how, and what it asks of certificates, in one hash.
        """
        assert self.trust is not None
        parameters = self.parameters
        asked = f"{self.revocation} {self.certificate_profile}"
        how = f"{parameters.protocols} {parameters.extended_master_secret} {asked}"
        lists = self.revocation_lists
        parts = [self.trust.fingerprint, how.encode(), lists.fingerprint if lists is not None else b""]
        parts += map(fingerprint, self.credentials)
        return hash_digest("sha256", b"".join(parts))

    def _share_groups(self) -> tuple[NamedGroup, ...]:
        groups = self.parameters.groups
        if ProtocolVersion.TLSv1_3 not in self.parameters.protocols:
            return ()
        if self.key_shares is None:
            return tuple(group for group in groups if group in _DEFAULT_SHARES) or groups[:1]
        if not self.key_shares:
            return ()
        shares = resolve("key_shares", self.key_shares, SUPPORTED_GROUPS)
        missing = [group for group in shares if group not in groups]
        if missing:
            raise Misuse(Reason.BAD_CONFIGURATION, f"key_shares: {missing[0]} is not among groups")
        # RFC 9846 4.3.8: shares "MUST appear in the same order" as the groups
        return tuple(sorted(shares, key=groups.index))


#: A server's way to find an external PSK by the identity that a client names.
PskLookup = Callable[[bytes], ExternalPsk | None]


@dataclass(frozen=True, kw_only=True)
class ServerConfig(Config):
    """A server's side.

    credentials            one at least, unless there are only PSKs. By server name, the client's
                           signature schemes and certificate_authorities one is picked; the first
                           is the default
    client_authentication  "none", "optional" or "required"
    trust                  the roots that clients are checked against; has to be given when clients
                           are asked: a public root says nothing about who may be a client
    allowed_clients        which names may come in, of those whose chain is good: ``AllowedClients``. None:
                           whoever the trust store vouches for
    strict_server_name     refuse a name that no credential has, with unrecognized_name, instead
                           of showing the default credential
    session_cache          where sessions of TLS 1.2 are kept whose clients take no tickets. True: one of this
                           configuration's own; False: none. Share it as you share ``tickets``
    tickets                the keys that tickets are sealed with. True: keys of this configuration's own;
                           False: no tickets. Share one ``TicketKeys`` between the configurations of one
                           service, and no further
    tickets_per_handshake  one by default: each resumption brings a new one. A client that opens
                           connections in parallel needs as many as it opens
    psks                   keys agreed on by other means, or a function that finds one by identity
    cookie                 put a cookie into a HelloRetryRequest (RFC 9846 4.3.2)
    max_skipped_early_data_bytes  0-RTT data is refused; a client that sends it nevertheless costs us
                           the reading of at most so many bytes (four full records) before we stop
    """

    client_authentication: str = "none"
    allowed_clients: AllowedClients | None = None
    strict_server_name: bool = False
    session_cache: SessionCache | bool = True
    tickets: TicketKeys | bool = True
    tickets_per_handshake: int = 1
    psks: Sequence[ExternalPsk] | PskLookup = ()
    cookie: bool = False
    max_skipped_early_data_bytes: int = 4 * (2**14 + 256)
    #: ``psks`` as a function, None where there are none.
    find_psk: PskLookup | None = field(init=False, repr=False)
    #: Of our certificates: a session is only resumed with one that we still have.
    fingerprints: frozenset[bytes] = field(init=False, repr=False)
    #: ``tickets`` as keys, None where there are none.
    ticket_keys: TicketKeys | None = field(init=False, repr=False)
    #: ``session_cache`` as a cache, None where there is none.
    cache: SessionCache | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        lookup = self.psks if callable(self.psks) else _lookup(listed("psks", self.psks, ExternalPsk))
        require(isinstance(self.tickets, TicketKeys | bool), "tickets", "give TicketKeys, True or False")
        tickets = TicketKeys(self.entropy, self.clock) if self.tickets is True else self.tickets or None
        fingerprints = frozenset(fingerprint(credential) for credential in self.credentials)
        given = self.session_cache
        require(isinstance(given, SessionCache | bool), "session_cache", "give a SessionCache, True or False")
        cache = SessionCache() if given is True else given or None
        self._set(find_psk=lookup, ticket_keys=tickets, fingerprints=fingerprints, cache=cache)
        at_least(self, 0, "max_skipped_early_data_bytes", "tickets_per_handshake")
        require(
            self.tickets_per_handshake <= _MAX_TICKETS, "tickets_per_handshake", f"{_MAX_TICKETS} at most"
        )
        has_any = bool(self.credentials) or lookup is not None
        require(has_any, "credentials", "a server needs a certificate and its key")
        self._check_client_authentication()

    def _check_client_authentication(self) -> None:
        asked = self.client_authentication
        known = asked in ("none", "optional", "required")
        require(known, "client_authentication", f"{asked!r} is not none, optional or required")
        allowed = self.allowed_clients
        ok = allowed is None or isinstance(allowed, AllowedClients)
        require(ok, "allowed_clients", "give AllowedClients or None")
        require(allowed is None or asked != "none", "allowed_clients", "client_authentication is none")
        if asked != "none":
            require(self.trust is not None, "trust", "say whose client certificates are accepted")
            # RFC 9846 4.4.2: "servers which are authenticating with an external PSK MUST NOT send the
            # CertificateRequest message in the main handshake"
            require(self.find_psk is None, "psks", "a client with a PSK shows no certificate")


def fingerprint(credential: Credential) -> bytes:
    """SHA-256 of the certificate."""
    return hash_digest("sha256", credential.chain[0])


def _lookup(psks: tuple[ExternalPsk, ...]) -> PskLookup | None:
    return {psk.identity: psk for psk in psks}.get if psks else None


def _alpn(protocols: Iterable[str]) -> tuple[str, ...]:
    knob = "alpn_protocols"
    names = listed(knob, protocols, str)
    for name in names:
        # A lone surrogate has no UTF-8; "surrogatepass" would send what is no text.
        length = len(name.encode(errors="replace"))
        require(1 <= length <= _MAX_ALPN_LENGTH, knob, f"{name!r} is not 1 to 255 bytes long")
        require(not any("\ud800" <= letter <= "\udfff" for letter in name), knob, f"{name!r} is no text")
    require(len(set(names)) == len(names), knob, "a name stands twice")
    return names
