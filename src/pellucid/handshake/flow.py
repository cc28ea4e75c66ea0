"""What the flows have in common: the state of one handshake, and the steps that read like the RFC's.

A step is a function that yields effects. ``yield from receive(hs, "WAIT_EE", EncryptedExtensions)``
is the RFC's "Recv EncryptedExtensions" in the state WAIT_EE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from pellucid.codes import CertificateType, ProtocolVersion, SignatureScheme
from pellucid.config import ClientConfig, Config, Entropy, ServerConfig
from pellucid.crypto.groups import PrivateShare
from pellucid.crypto.suites import Suite
from pellucid.handshake.effects import (
    CheckRevocation,
    Flow,
    InstallKeys,
    Receive,
    SelectCredential,
    Send,
    Sign,
    VerifyIdentity,
)
from pellucid.identity import Credential, ServerName, VerifiedIdentity
from pellucid.keys import KeySchedule, Transcript
from pellucid.messages import ChangeCipherSpec, Extensions, HandshakeMessage
from pellucid.messages import extensions as ext

if TYPE_CHECKING:
    from pellucid.trace import TraceView

Cfg = TypeVar("Cfg", bound=Config)
A = TypeVar("A", bound=HandshakeMessage | ChangeCipherSpec)
B = TypeVar("B", bound=HandshakeMessage)


class Handshake(Generic[Cfg]):
    """What one connection knows while it shakes hands and after.

    ``key_entropy`` is None where keys may come from the library's own generator.
    """

    __slots__ = (
        "asked_for_certificate",
        "awaits_key_update",
        "change_cipher_specs",
        "client_random",
        "config",
        "entropy",
        "exporter",
        "hello_requests",
        "key_entropy",
        "read_epoch",
        "read_secret",
        "resumption_secret",
        "side",
        "suite",
        "trace",
        "transcript",
        "version",
        "write_epoch",
        "write_secret",
    )

    #: Of TLS 1.3.
    suite: Suite

    def __init__(self, side: Literal["client", "server"], config: Cfg, trace: TraceView | None) -> None:
        self.side: Literal["client", "server"] = side
        self.config = config
        self.trace = trace
        self.entropy: Entropy = config.entropy
        self.key_entropy: Entropy | None = None if config.default_entropy else config.entropy
        self.transcript = Transcript()
        self.client_random = b""
        #: None until the ServerHello decides it.
        self.version: ProtocolVersion | None = None
        #: How many came that TLS 1.3 ignores.
        self.change_cipher_specs = 0
        #: How many came that a client of TLS 1.2 ignores.
        self.hello_requests = 0
        # What is left of the key schedule when the handshake is complete; all else is forgotten by then,
        # so that a KeyUpdate protects what came before it. Application traffic secrets, and how many
        # KeyUpdates led to them:
        self.read_secret = self.write_secret = b""
        self.read_epoch = self.write_epoch = 0
        self.resumption_secret = b""
        #: Gives keying material for a label, a context or None, and a length.
        self.exporter: Callable[[bytes, bytes | None, int], bytes] | None = None
        self.awaits_key_update = False
        #: Whether we are a client that has had a CertificateRequest.
        self.asked_for_certificate = False

    @property
    def peer(self) -> Literal["client", "server"]:
        """The other side."""
        return "server" if self.side == "client" else "client"

    @property
    def speaks12(self) -> bool:
        """Whether TLS 1.2 was agreed on."""
        return self.version is ProtocolVersion.TLSv1_2

    @property
    def may_speak12(self) -> bool:
        """Whether it was, or still can be."""
        if self.version is None:
            return ProtocolVersion.TLSv1_2 in self.config.parameters.protocols
        return self.speaks12

    def now(self) -> float:
        """POSIX seconds, by the configuration's clock."""
        return self.config.clock()

    def log_key(self, label: str, secret: bytes) -> None:
        """RFC 9850: hand a secret to the key log, if there is one."""
        if self.config.key_log is not None:
            self.config.key_log(label, self.client_random, secret)

    def key_schedule(self, suite: Suite, psk: bytes | None) -> KeySchedule:
        """A key schedule with its first step taken: the Early Secret, from ``psk`` or from none."""
        schedule = KeySchedule(suite, self.trace)
        schedule.early(psk)
        return schedule

    def forget(self) -> None:
        """RFC 9846 6: "forget the secret values and keys established in failed connections"."""
        self.read_secret = self.write_secret = self.resumption_secret = b""
        self.exporter = None

    def send(self, message: HandshakeMessage) -> Send:
        """Encode and hash a message of the handshake; to be yielded, so that it is queued."""
        message.encode()
        return self.send_encoded(message)

    def send_encoded(self, message: HandshakeMessage) -> Send:
        """The same for a message that has its ``raw`` already."""
        self.transcript.add(message.raw)
        return Send(message)

    def install_keys(self, direction: Literal["read", "write"], epoch: str, secret: bytes) -> InstallKeys:
        """To be yielded: keys of the suite agreed on, from ``secret``."""
        return InstallKeys(direction, epoch, self.suite, secret)


ClientHandshake = Handshake[ClientConfig]
ServerHandshake = Handshake[ServerConfig]
AnyHandshake = Handshake[Any]


@overload
def receive(hs: AnyHandshake, state: str, a: type[A], /, *, hashed: bool = True) -> Flow[A]: ...
@overload
def receive(
    hs: AnyHandshake, state: str, a: type[A], b: type[B], /, *, hashed: bool = True
) -> Flow[A | B]: ...
@overload
def receive(hs: AnyHandshake, state: str, /, *expected: type[A], hashed: bool = True) -> Flow[A]: ...
def receive(hs: AnyHandshake, state: str, *expected: type[Any], hashed: bool = True) -> Flow[Any]:
    """Wait in ``state`` for a message of one of these kinds; any other is a fault of the peer.

    The message joins the transcript, unless ``hashed`` is False: hellos, which decide what hash there
    is, do so by the flow's own hand, and messages behind the handshake never do.
    """
    if hs.trace:
        hs.trace.state(name=state)
    message = yield Receive(state, expected)
    if hashed:
        hs.transcript.add(message.raw)
    return message


def verify_identity(
    chain: tuple[bytes, ...],
    whose: Literal["client", "server"],
    server_name: ServerName | None,
    *,
    encrypts: bool = False,
    certificate_type: CertificateType = CertificateType.X509,
) -> Flow[VerifiedIdentity]:
    identity: VerifiedIdentity = yield VerifyIdentity(chain, whose, server_name, encrypts, certificate_type)
    return identity


def check_revocation(hs: AnyHandshake, identity: VerifiedIdentity, staples: dict[int, bytes]) -> Flow[float]:
    """Until when the peer's certificates are known not to be revoked, in POSIX seconds; infinity for no date.

    Apart from `verify_identity`, since in TLS 1.2 the staple comes in a message of its own. A raw public key
    has nobody who could revoke it but us.
    """
    if hs.config.revocation == "off" or identity.raw_public_key:
        return inf
    until: float = yield CheckRevocation(identity, staples)
    return until


def select_credential(
    server_name: str | None, asked: Extensions, types: Sequence[int]
) -> Flow[tuple[Credential, SignatureScheme] | None]:
    """TLS 1.3: the credential that fits what a ClientHello or a CertificateRequest says in its extensions.

    ``types``: of one of these kinds.
    """
    schemes, in_certificates = schemes_in(asked)
    authorities = asked.find(ext.CertificateAuthorities)
    named = authorities.authorities if authorities else []
    selected: tuple[Credential, SignatureScheme] | None = yield SelectCredential(
        server_name, schemes, in_certificates, named, types=types
    )
    return selected


def schemes_in(asked: Extensions) -> tuple[Sequence[int], Sequence[int]]:
    """What the peer verifies in the handshake, and in certificates."""
    found = asked.find(ext.SignatureSchemeList)
    schemes = found.supported_signature_algorithms if found else []
    # RFC 9846 4.3.3: without signature_algorithms_cert, signature_algorithms is for certificates as well.
    others = asked.find(ext.SignatureSchemeListCert)
    return schemes, others.supported_signature_algorithms if others else schemes


def exchange_inputs(hs: AnyHandshake, ours: PrivateShare, peer_share: bytes) -> list[tuple[str, bytes]]:
    """For the trace: what the secret of a key exchange was made from; our private key where all is shown."""
    inputs = [("our_share", ours.share), ("peer_share", peer_share)]
    if hs.trace and hs.trace.reveals:
        inputs.append(("our_private_key", ours.private_bytes()))
    return inputs


def sign(
    credential: Credential, scheme: SignatureScheme, content: bytes, *, tls12: bool = False
) -> Flow[bytes]:
    signature: bytes = yield Sign(credential, scheme, content, tls12)
    return signature
