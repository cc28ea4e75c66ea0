"""What a handshake may ask for: the whole of its dealings with the world, as values.

A flow is a generator. It yields one of these and is resumed with the answer; it never touches a
socket, a clock or a key store. So the driver may answer from memory, a thread, an HSM or a
database, and a flow still reads like the RFC's figure. One channel carries effects only: what a
flow finds out comes back by ``return``, and a fault is raised.
"""

from collections.abc import Generator, Sequence
from typing import Any, Literal, TypeVar

from pellucid.codes import AlertDescription, CertificateType, KeyUpdateRequest, SignatureScheme
from pellucid.crypto.suites import Suite
from pellucid.crypto.suites12 import Suite12
from pellucid.events import Event
from pellucid.identity import Credential, ServerName, VerifiedIdentity
from pellucid.keys import CipherKeys
from pellucid.messages import ChangeCipherSpec, HandshakeMessage
from pellucid.plain import plain
from pellucid.sessions import Session, TicketState

T = TypeVar("T")


@plain
class Receive:
    """Wait for one of ``expected`` in ``state`` (RFC 9846 appendix A's name); answered by the message.

    In TLS 1.2 a ChangeCipherSpec may be what is due, though it is no handshake message.
    """

    state: str
    expected: tuple[type[HandshakeMessage | ChangeCipherSpec], ...]


@plain
class Send:
    """Queue a message, encoded, under the write keys in force."""

    message: HandshakeMessage


@plain
class SendChangeCipherSpec:
    """Queue the record that in TLS 1.2 says: what I send next is protected (RFC 5246 7.1).

    With ``disguise`` it says nothing, but makes TLS 1.3 look like 1.2 to a middlebox (RFC 9846 E.4).
    """

    disguise: bool


@plain
class InstallKeys:
    """Use keys from ``secret`` from here on: for what is sent next, or for the records behind this one.

    ``epoch`` is the name for people: "handshake", "application", "application 1", ...
    """

    direction: Literal["read", "write"]
    epoch: str
    suite: Suite
    secret: bytes


@plain
class InstallCipher:
    """TLS 1.2: make the pending connection state the current one (RFC 5246 6.1), in one direction."""

    direction: Literal["read", "write"]
    suite: Suite12
    keys: CipherKeys
    encrypt_then_mac: bool


@plain
class LimitRecords:
    """From here on the content of a record has at most so many bytes, sent and received.

    ``plaintext``: of one that is not protected as well.
    """

    send_bytes: int
    receive_bytes: int
    plaintext: bool


@plain
class UpdateKeys:
    """Send a KeyUpdate before any more application data, and what follows under the next key.

    The message is made when its turn has come: several of these before that are one KeyUpdate.
    """

    request: KeyUpdateRequest
    answers: bool = False


@plain
class VerifyIdentity:
    """Is this chain what it should be? Answered by the proof, or raises ``CertificateRejected``.

    ``server_name``: what the peer must be, as a server; None: the peer is a client. ``encrypts``: its key is
    for us to encrypt with, and not to sign (RSA key exchange of TLS 1.2). ``certificate_type``: of a raw
    public key, ``chain`` has its SubjectPublicKeyInfo alone.
    """

    chain: tuple[bytes, ...]
    whose: Literal["client", "server"]
    server_name: ServerName | None
    encrypts: bool = False
    certificate_type: CertificateType = CertificateType.X509


@plain
class CheckRevocation:
    """Is the peer that was verified still good? Answered by how long that holds, in POSIX seconds.

    Or raises ``CertificateRejected``. ``staples``: OCSP responses, by the position in its chain of the
    certificate that they came with.
    """

    identity: VerifiedIdentity
    staples: dict[int, bytes]


@plain
class KeyNeeds:
    """What a suite of TLS 1.2 asks of our key.

    ``kinds``: "RSA" or "ECDSA" or both, as suites call them. ``decrypts``: it is to decrypt, and not to sign.
    ``curves``: those that the peer can do; None where it does not say.
    """

    kinds: Sequence[str]
    decrypts: bool = False
    curves: Sequence[int] | None = None


@plain
class SelectCredential:
    """Which of our credentials fits? Answered by one and the scheme to sign with, or None.

    ``schemes``: what the peer verifies in the handshake; ``certificate_schemes``: in certificates (RFC 9846
    4.3.3); ``authorities``: names of those it trusts, none for no preference. ``needs``: None in TLS 1.3.
    Where the key is to decrypt, the scheme is None. ``types``: the kinds of credential that it takes (RFC
    7250), preferred first.
    """

    server_name: str | None
    schemes: Sequence[int]
    certificate_schemes: Sequence[int]
    authorities: Sequence[bytes]
    needs: KeyNeeds | None = None
    types: Sequence[int] = (CertificateType.X509,)


#: The answer.
Selected = tuple[Credential, SignatureScheme | None] | None


@plain
class Sign:
    """Answered by the signature of ``content`` with the credential's key."""

    credential: Credential
    scheme: SignatureScheme
    content: bytes
    tls12: bool = False


@plain
class DecryptPremaster:
    """Answered by 48 bytes: the premaster secret, or ``otherwise`` where it cannot be had.

    Which of the two it was nobody is told (RFC 5246 7.4.7.1). ``client_version``: as the ClientHello says.
    """

    credential: Credential
    ciphertext: bytes
    client_version: int
    otherwise: bytes


@plain
class FindSession:
    """Client: answered by a session with ``server_name``, taken out of the store, or None."""

    server_name: str


@plain
class StoreSession:
    """Client: keep a session for later."""

    session: Session


@plain
class SealTicket:
    """Server: answered by the ticket that holds ``state``."""

    state: TicketState


@plain
class OpenTicket:
    """Server: answered by what the ticket holds, or by why it is of no use: "unknown" or "expired"."""

    ticket: bytes


@plain
class FindCached:
    """Server: answered by the session of TLS 1.2 with this ID, or by why not: "unknown" or "expired"."""

    session_id: bytes


@plain
class StoreCached:
    """Server: keep a session of TLS 1.2 under its ID."""

    session_id: bytes
    state: TicketState


@plain
class Warn:
    """Send an alert that ends nothing."""

    description: AlertDescription


@plain
class SkipEarlyData:
    """Server: drop up to ``limit_bytes`` of early data that we refused (RFC 9846 4.3.10)."""

    limit_bytes: int


@plain
class Emit:
    """Tell the caller of ``receive_data``."""

    event: Event


Effect = (
    Receive
    | Send
    | SendChangeCipherSpec
    | InstallKeys
    | InstallCipher
    | LimitRecords
    | UpdateKeys
    | VerifyIdentity
    | CheckRevocation
    | SelectCredential
    | Sign
    | DecryptPremaster
    | FindSession
    | StoreSession
    | SealTicket
    | OpenTicket
    | FindCached
    | StoreCached
    | Warn
    | SkipEarlyData
    | Emit
)

#: A generator that yields effects and returns ``T``. What it is sent depends on the effect, which
#: no type of today can say; the steps in ``flow`` say it once for each.
Flow = Generator[Effect, Any, T]
