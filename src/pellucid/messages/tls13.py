"""The messages of TLS 1.3 behind the hellos: RFC 9846 4.4 to 4.7."""

from typing import Annotated, ClassVar

from pellucid.codes import HandshakeType, KeyUpdateRequest, SignatureScheme
from pellucid.messages.base import HandshakeMessage
from pellucid.messages.extensions import TABLE, Context, ExtensionList, Extensions
from pellucid.wire import Wire, opaque, rest, struct, uint, vector


@struct
class EncryptedExtensions(HandshakeMessage):
    """RFC 9846 4.4.1: answers of the server that are not needed to agree on keys."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.encrypted_extensions
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.EE)]


@struct
class CertificateRequest(HandshakeMessage):
    """RFC 9846 4.4.2: the server wants to know who the client is."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate_request
    certificate_request_context: Annotated[bytes, opaque(1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.CR)]


@struct
class CertificateEntry(Wire):
    """RFC 9846 4.5.1: one certificate, DER, and what belongs to it."""

    cert_data: Annotated[bytes, opaque(3, low=1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.CT)]


@struct
class Certificate(HandshakeMessage):
    """RFC 9846 4.5.1: the sender's chain, its own certificate first."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate
    certificate_request_context: Annotated[bytes, opaque(1)]
    certificate_list: Annotated[list[CertificateEntry], vector(CertificateEntry, 3)]


@struct
class RawPublicKeyEntry(Wire):
    """RFC 9846 4.5.1: a key without a certificate, its SubjectPublicKeyInfo in DER (RFC 7250 3)."""

    ASN1_subjectPublicKeyInfo: Annotated[bytes, opaque(3, low=1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.CT)]


@struct
class CertificateRawPublicKey(HandshakeMessage):
    """RFC 9846 4.5.1: where the type RawPublicKey was agreed on; there is one entry at most."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate
    name: ClassVar[str] = "Certificate"
    certificate_request_context: Annotated[bytes, opaque(1)]
    certificate_list: Annotated[list[RawPublicKeyEntry], vector(RawPublicKeyEntry, 3)]


@struct
class CertificateVerify(HandshakeMessage):
    """RFC 9846 4.5.2, RFC 5246 7.4.8: a signature over the transcript, by the key of the certificate."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate_verify
    algorithm: Annotated[SignatureScheme | int, uint(2, SignatureScheme)]
    signature: Annotated[bytes, opaque(2)]


@struct
class Finished(HandshakeMessage):
    """RFC 9846 4.5.3, RFC 5246 7.4.9: a MAC over the transcript, so both have seen the same handshake.

    In TLS 1.3 it is as long as the hash; in TLS 1.2, with every suite there is, 12 bytes.
    """

    msg_type: ClassVar[HandshakeType] = HandshakeType.finished
    verify_data: Annotated[bytes, rest("Hash.length")]


@struct
class EndOfEarlyData(HandshakeMessage):
    """RFC 9846 4.6: no more early data; the body is empty."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.end_of_early_data


@struct
class NewSessionTicket(HandshakeMessage):
    """RFC 9846 4.7.1: a key and a name for it, good for a handshake without certificates."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.new_session_ticket
    ticket_lifetime: Annotated[int, uint(4)]
    ticket_age_add: Annotated[int, uint(4)]
    ticket_nonce: Annotated[bytes, opaque(1)]
    ticket: Annotated[bytes, opaque(2, low=1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.NST)]


@struct
class KeyUpdate(HandshakeMessage):
    """RFC 9846 4.7.3: what the sender sends from here on is under its next key."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.key_update
    request_update: Annotated[KeyUpdateRequest | int, uint(1, KeyUpdateRequest)]
