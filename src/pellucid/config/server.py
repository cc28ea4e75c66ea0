"""What a server is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pellucid.checking import at_least, listed, require
from pellucid.codes import CertificateType
from pellucid.config.shared import Config, fingerprint
from pellucid.sessions import ExternalPsk, SessionCache, TicketKeys

if TYPE_CHECKING:
    from pellucid.identity.allow import AllowedClients

#: More than any client can use before it comes back, and each costs a seal and 200 bytes.
_MAX_TICKETS = 16

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
        if allowed is not None:
            from pellucid.identity.allow import AllowedClients  # noqa: PLC0415 - few servers have one

            require(isinstance(allowed, AllowedClients), "allowed_clients", "give AllowedClients or None")
        require(allowed is None or asked != "none", "allowed_clients", "client_authentication is none")
        keys = CertificateType.RawPublicKey in self.accepted_types
        require(allowed is None or not keys, "allowed_clients", "a raw public key has no name")
        if asked != "none":
            require(self.trust is not None, "trust", "say whose client certificates are accepted")
            # RFC 9846 4.4.2: "servers which are authenticating with an external PSK MUST NOT send the
            # CertificateRequest message in the main handshake"
            require(self.find_psk is None, "psks", "a client with a PSK shows no certificate")


def _lookup(psks: tuple[ExternalPsk, ...]) -> PskLookup | None:
    return {psk.identity: psk for psk in psks}.get if psks else None
