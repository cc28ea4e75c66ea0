"""What both sides can be told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pellucid.checking import at_least, callables, flags, listed, require
from pellucid.codes import CertificateType, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.crypto.kdf import hash_digest
from pellucid.errors import Misuse, Reason
from pellucid.identity import CERTIFICATE_PROFILES, CertificateProfile, Credential, TrustStore
from pellucid.keys import KeyLog
from pellucid.policy import POLICIES, ExtendedMasterSecret, Parameters, make_parameters, resolve

if TYPE_CHECKING:
    from pellucid.identity.revocation import Ask, RevocationLists
    from pellucid.trace import Trace, TraceView

Entropy = Callable[[int], bytes]
Clock = Callable[[], float]

#: RFC 7301 3.1: a protocol's name is 1 to 255 bytes.
_MAX_ALPN_LENGTH = 255

#: What a peer may show of itself (RFC 7250). OpenPGP is not for TLS 1.3 (RFC 9846 4.5.1), and nobody has it.
CERTIFICATE_TYPES = (CertificateType.X509, CertificateType.RawPublicKey)

#: RFC 8449 4: the least that anybody may ask for, and the most that makes sense: a full record of TLS 1.3,
#: whose content type counts.
_LEAST_RECORD_SIZE, _MOST_RECORD_SIZE = 64, 2**14 + 1

#: The knobs that the policy fills where they are not given.
_OF_THE_POLICY = ("protocols", "cipher_suites", "groups", "signature_schemes", "extended_master_secret")

#: What a knob that nobody reads is refused with.
_WHEN_SEARCHED = 'give revocation="soft" or "hard" as well: else nobody asks'


# Nobody makes one that is neither a client's nor a server's, and those two make their own of all fields.
@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
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
    peer_certificate_types  what the peer may show of itself, preferred first: "X509", certificates, which is
                        all by default; "RawPublicKey" (RFC 7250), a key alone, which says neither whose it is
                        nor until when it is good. It has to be one of those in ``trust`` (``from_keys``,
                        ``with_keys``), and that is all that is asked of it: no name, no date, no revocation
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
                        called in the middle of a handshake, which waits for it, under asyncio in a thread;
                        and authorities learn who speaks with whom
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
    peer_certificate_types: Sequence[CertificateType | str] = (CertificateType.X509,)
    revocation: str = "off"
    revocation_lists: RevocationLists | None = None
    revocation_source: Ask | None = None
    clock: Clock = time.time
    entropy: Entropy = os.urandom
    #: The lists as members, the policy's where none was given: what the handshake reads.
    parameters: Parameters = field(init=False, repr=False)
    #: ``peer_certificate_types`` as members.
    accepted_types: tuple[CertificateType, ...] = field(init=False, repr=False)
    #: What the policy has a say in, as it was given: to make another configuration of this one, for which the
    #: lists that came of it would be lists that somebody has chosen.
    as_given: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise Misuse(
                Reason.BAD_CONFIGURATION, f"policy: {self.policy!r} is not one of {', '.join(POLICIES)}"
            )
        known = self.extended_master_secret in (None, "required", "optional", "never")
        require(known, "extended_master_secret", "give required, optional or never")
        as_given = {name: getattr(self, name) for name in _OF_THE_POLICY}
        parameters = make_parameters(POLICIES[self.policy], **as_given)
        types = resolve("peer_certificate_types", self.peer_certificate_types, CERTIFICATE_TYPES)
        self._set(
            parameters=parameters,
            as_given=as_given,
            peer_certificate_types=types,
            accepted_types=types,
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
        if CertificateType.RawPublicKey in types:
            has_keys = self.trust is not None and bool(self.trust.keys)
            require(has_keys, "trust", "say which raw public keys are accepted: TrustStore.from_keys")
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

    @cached_property
    def shown_certificate_types(self) -> tuple[CertificateType, ...]:
        """The kinds of our credentials, in their order."""
        return tuple(dict.fromkeys(credential.certificate_type for credential in self.credentials))

    @cached_property
    def certificates_alone(self) -> bool:
        """Whether raw public keys (RFC 7250) are neither accepted nor shown, as nearly everywhere."""
        return {*self.accepted_types, *self.shown_certificate_types} == {CertificateType.X509}

    @property
    def default_entropy(self) -> bool:
        """Whether keys may come from the library's own generator, which is faster than ours."""
        return self.entropy is os.urandom


def fingerprint(credential: Credential) -> bytes:
    """SHA-256 of the certificate, or of the raw public key."""
    return hash_digest("sha256", credential.chain[0])


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
