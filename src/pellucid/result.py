"""What a handshake agreed on: the frozen counterpart of what the configuration offered."""

from dataclasses import dataclass, field

from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.identity import VerifiedIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """The parameters of an established connection.

    ``group`` is None where there was no Diffie-Hellman, in RSA key exchange and in resumption of TLS 1.2, and
    where a server of TLS 1.2 used a finite field of its own.
    ``signature_scheme`` is what the server signed with, None in a resumed or pre-shared-key
    handshake. ``peer_chain`` is the peer's certificates, DER, its own first; in a resumed handshake
    those of the first one; empty where the peer showed none. ``peer_raw_public_key`` is the peer's key in DER
    (SubjectPublicKeyInfo), likewise, where it showed that alone (RFC 7250); b"" otherwise. ``peer_identity``
    is the proof that they were verified in this handshake. ``server_name`` is what the client asked for.
    """

    protocol: ProtocolVersion
    cipher_suite: CipherSuite
    group: NamedGroup | None
    signature_scheme: SignatureScheme | None = None
    alpn: str | None = None
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    peer_raw_public_key: bytes = field(default=b"", repr=False)
    peer_identity: VerifiedIdentity | None = None
    resumed: bool = False
    server_name: str | None = None
    mutual: bool = False
    psk_identity: bytes | None = None
