"""What has been verified, as values that only the verification makes.

``Connected`` demands them: no path through a flow ends in a connection without having called the
functions that check the signature and the Finished. The identity's own proof is
``identity.VerifiedIdentity``.
"""

from math import inf
from typing import Protocol

from pellucid.codes import SignatureScheme, name_of
from pellucid.crypto.kdf import constant_time_equal
from pellucid.crypto.signatures import key_oid_allows, verify
from pellucid.errors import BadMessage, PeerMisbehaved, Reason
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import VerifiedIdentity
from pellucid.keys import finished_verify_data
from pellucid.messages import CertificateVerify, Finished
from pellucid.plain import plain
from pellucid.result import Negotiated
from pellucid.sessions import Session


@plain(frozen=True)
class SignatureVerified:
    """The peer holds the private key of its certificate: it signed this transcript."""

    scheme: SignatureScheme


@plain(frozen=True)
class FinishedVerified:
    """The peer saw the same handshake and holds the same keys."""


@plain(frozen=True)
class ByCertificate:
    """The peer is who its certificate says; ``chain`` is what it sent, DER."""

    chain: tuple[bytes, ...]
    identity: VerifiedIdentity
    signature: SignatureVerified
    #: As far as is known, the certificates are not revoked until then (POSIX seconds).
    good_until: float = inf


@plain(frozen=True)
class ByDecryption:
    """The server is who its certificate says: without decrypting the premaster secret, no such Finished.

    RSA key exchange of TLS 1.2, where the server signs nothing.
    """

    chain: tuple[bytes, ...]
    identity: VerifiedIdentity
    finished: FinishedVerified


@plain(frozen=True)
class BySession:
    """TLS 1.2: the peer is who it was when this session was made; it knows the master secret."""

    finished: FinishedVerified


@plain(frozen=True)
class ByPsk:
    """The peer is who it was when both came to share this key."""

    identity: bytes


@plain(frozen=True)
class Anonymous:
    """A client that was not asked, or need not answer."""


@plain(frozen=True)
class Origin:
    """The handshake with certificates that a line of resumptions goes back to; None behind an external PSK.

    ``authenticated_at``: POSIX seconds. The client remembers who the server was, as ``identity`` or, from an
    earlier connection, ``session``; the server the fingerprint of the certificate that it showed, and whether
    the client can use a ticket (``resumable``). ``good_until``: what was said of the certificates' revocation
    then holds no longer.
    """

    authenticated_at: float
    identity: VerifiedIdentity | None = None
    session: Session | None = None
    server_identity: bytes = b""
    resumable: bool = True
    good_until: float = inf

    @property
    def expires_at(self) -> float:
        """When the server's certificates end, or what is known of them, in POSIX seconds."""
        if self.identity is not None:
            return min(self.identity.expires_at, self.good_until)
        return self.session.certificate_expires_at if self.session else inf


@plain(frozen=True)
class Connected:
    """An established connection: how the peer proved itself, and what was agreed on."""

    peer: ByCertificate | ByDecryption | BySession | ByPsk | Anonymous
    finished: FinishedVerified
    negotiated: Negotiated
    origin: Origin | None
    #: TLS 1.2: what a client has to come back with. In TLS 1.3 tickets come later.
    session: Session | None = None


def certificate_verify_content(whose: str, transcript_hash: bytes) -> bytes:
    """RFC 9846 4.5.2: what a CertificateVerify signs.

    64 spaces keep a signature made for an older version, whose content began with 32 bytes that a
    client chose, from being passed off as one of TLS 1.3; the context string tells server and client.
    """
    return b" " * 64 + b"TLS 1.3, " + whose.encode() + b" CertificateVerify\x00" + transcript_hash


def verify_signature(
    hs: AnyHandshake,
    message: CertificateVerify,
    identity: VerifiedIdentity,
    whose: str,
    transcript_hash: bytes,
) -> SignatureVerified:
    """RFC 9846 4.5.2: the scheme is one that we offered and that fits the key, and the signature holds."""
    content = certificate_verify_content(whose, transcript_hash)
    return verify_signed(hs, "certificate_verify", message, identity, whose, content)


class Signed(Protocol):
    """A message that ends in a signature."""

    algorithm: SignatureScheme | int
    signature: bytes


def verify_signed(
    hs: AnyHandshake, what: str, message: Signed, identity: VerifiedIdentity, whose: str, content: bytes
) -> SignatureVerified:
    """The signature of ``content``, in either version. ``what`` is the check's name in the trace."""
    tls12 = hs.speaks12
    parameters = hs.config.parameters
    scheme = message.algorithm
    accepted = parameters.schemes12 if tls12 else parameters.schemes13
    if not isinstance(scheme, SignatureScheme) or scheme not in accepted:
        name = name_of(scheme, SignatureScheme)
        raise PeerMisbehaved(
            Reason.SCHEME_NOT_OFFERED, f"the {whose} signed with {name}, which was not offered"
        )
    if not key_oid_allows(scheme, rsa_pss_oid=identity.rsa_pss_oid):
        raise PeerMisbehaved(
            Reason.SCHEME_NOT_OFFERED, f"the key of the {whose}'s certificate cannot sign {scheme}"
        )
    try:
        verify(identity.public_key, scheme, message.signature, content, tls12=tls12)
    except PeerMisbehaved:
        if hs.trace:
            hs.trace.check(what=what, expected=f"a signature of {_SIGNED[what]}", found="another", ok=False)
        raise
    if hs.trace:
        hs.trace.check(what=what, expected=f"{scheme} of {_SIGNED[what]}", found="it holds", ok=True)
    return SignatureVerified(scheme)


_SIGNED = {
    "certificate_verify": "the transcript",
    "server_key_exchange": "both randoms and the server's share",
}


def verify_finished(
    hs: AnyHandshake, message: Finished, base_key: bytes, transcript_hash: bytes
) -> FinishedVerified:
    """RFC 9846 4.5.3: the MAC over everything up to here is the one that we compute."""
    expected = finished_verify_data(hs.suite.hash_name, base_key, transcript_hash, trace=hs.trace)
    return compare_finished(hs, message, expected)


def compare_finished(hs: AnyHandshake, message: Finished, expected: bytes) -> FinishedVerified:
    """The peer's verify_data is ``expected``, in either version."""
    if len(message.verify_data) != len(expected):
        raise BadMessage(f"Finished holds {len(message.verify_data)} bytes instead of {len(expected)}")
    ok = constant_time_equal(expected, message.verify_data)
    if hs.trace:
        hs.trace.check(what="finished", expected=expected, found=message.verify_data, ok=ok)
    if not ok:
        raise PeerMisbehaved(Reason.BAD_FINISHED, "the peer's Finished is not the MAC of this handshake")
    return FinishedVerified()
