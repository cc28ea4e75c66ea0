"""What a client is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pellucid.checking import flags, listed, require
from pellucid.codes import NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.config.shared import Config, fingerprint
from pellucid.crypto.kdf import hash_digest
from pellucid.errors import Misuse, Reason
from pellucid.identity import TrustStore
from pellucid.policy import SUPPORTED_GROUPS, SUPPORTED_SIGNATURE_SCHEMES, resolve
from pellucid.sessions import ExternalPsk, SessionStore

#: Chosen by the default policy. The hybrid's share is 1,216 bytes; its x25519 half serves as the
#: x25519 share too, so a server without ML-KEM costs no second round trip.
_DEFAULT_SHARES = (NamedGroup.X25519MLKEM768, NamedGroup.x25519)

#: RFC 6066 4 has codes for these.
_FRAGMENT_LENGTHS = (2**9, 2**10, 2**11, 2**12)


@dataclass(frozen=True, kw_only=True)
class ClientConfig(Config):
    """A client's side.

    trust                the roots that servers are checked against; the system's by default
    credentials          shown to a server that asks, the first that fits what it asks for. With a raw public
                         key among them the kinds that there are, in this order, are offered (RFC 7250)
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
    send_server_name     tell the server, for all to read, which name is meant (RFC 6066 3), unless it is an
                         address; a server of many names needs it. Without it the server takes the name that
                         it likes; its certificate has to be for ours either way
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
    send_server_name: bool = True
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
            "send_server_name",
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
        known = f"{self.revocation} {self.revocation_source is not None}"
        asked = f"{known} {self.certificate_profile} {self.accepted_types}"
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
