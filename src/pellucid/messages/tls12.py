"""The messages of TLS 1.2 behind the hellos: RFC 5246 7.4, 5077 3.3, 6066 8, 7250 3, 8422 5.4 and 5.7.

What ServerKeyExchange and ClientKeyExchange hold depends on the key exchange of the cipher suite, which
does not stand in them. So each is a class for each key exchange, and all have the message's ``name``.
CertificateVerify and Finished look as they do in TLS 1.3, and are the same classes.
"""

from typing import Annotated, ClassVar

from pellucid.codes import (
    CertificateStatusType,
    ClientCertificateType,
    ECCurveType,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
)
from pellucid.messages.base import HEADER_LENGTH, HandshakeMessage
from pellucid.messages.tls13 import CertificateVerify, Finished
from pellucid.wire import Wire, opaque, struct, uint, vector

__all__ = [
    "Certificate",
    "CertificateRawPublicKey",
    "CertificateRequest",
    "CertificateStatus",
    "CertificateVerify",
    "ClientKeyExchange",
    "ClientKeyExchangeDHE",
    "ClientKeyExchangeECDHE",
    "ClientKeyExchangeRSA",
    "Finished",
    "HelloRequest",
    "NewSessionTicket",
    "ServerDHParams",
    "ServerECDHParams",
    "ServerHelloDone",
    "ServerKeyExchange",
    "ServerKeyExchangeDHE",
    "ServerKeyExchangeECDHE",
]


@struct
class HelloRequest(HandshakeMessage):
    """RFC 5246 7.4.1.1: the server wants to handshake once more; the body is empty."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.hello_request


@struct
class Certificate(HandshakeMessage):
    """RFC 5246 7.4.2, 7.4.6: the sender's chain, DER, its own certificate first."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate
    certificate_list: Annotated[list[bytes], vector(opaque(3, low=1), 3, name="ASN.1Cert")]


@struct
class CertificateRawPublicKey(HandshakeMessage):
    """RFC 7250 3: the sender's key in DER, where the type RawPublicKey was agreed on; there is no list.

    RFC 7250 gives the key one byte at least. A client that has none to show sends none, as with certificates
    (RFC 5246 7.4.6): the same three zeros.
    """

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate
    name: ClassVar[str] = "Certificate"
    ASN1_subjectPublicKeyInfo: Annotated[bytes, opaque(3)]


@struct
class CertificateStatus(HandshakeMessage):
    """RFC 6066 8: the OCSP response for the server's certificate, right behind it."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate_status
    status_type: Annotated[CertificateStatusType | int, uint(1, CertificateStatusType)]
    response: Annotated[bytes, opaque(3, low=1)]


class ServerKeyExchange(HandshakeMessage):
    """RFC 5246 7.4.3: the server's public value, new for this connection, signed by its certificate's key.

    ``algorithm`` and ``signature`` are what RFC 5246 4.7 calls DigitallySigned.
    """

    __slots__ = ()
    msg_type: ClassVar[HandshakeType] = HandshakeType.server_key_exchange
    algorithm: SignatureScheme | int
    signature: bytes

    @property
    def signed_params(self) -> bytes:
        """The bytes of ``params`` as they stand in the message: what is signed, behind the two randoms."""
        # Behind them are the algorithm and the length of the signature, two bytes each.
        return self.raw[HEADER_LENGTH : len(self.raw) - 4 - len(self.signature)]


@struct
class ServerDHParams(Wire):
    """RFC 5246 7.4.3: the server's group, prime and generator, and its public value in it."""

    dh_p: Annotated[bytes, opaque(2, low=1)]
    dh_g: Annotated[bytes, opaque(2, low=1)]
    dh_Ys: Annotated[bytes, opaque(2, low=1)]


@struct
class ServerKeyExchangeDHE(ServerKeyExchange):
    """RFC 5246 7.4.3: of DHE_RSA."""

    name: ClassVar[str] = "ServerKeyExchange"
    params: ServerDHParams
    algorithm: Annotated[SignatureScheme | int, uint(2, SignatureScheme)]
    signature: Annotated[bytes, opaque(2)]


@struct
class ServerECDHParams(Wire):
    """RFC 8422 5.4: the server's curve by its name, and its public value on it.

    RFC 4492's explicit curves are refused: no client of ours offers them, and what follows has another form.
    """

    curve_type: Annotated[ECCurveType | int, uint(1, ECCurveType, only=ECCurveType.named_curve)]
    named_curve: Annotated[NamedGroup | int, uint(2, NamedGroup)]
    public: Annotated[bytes, opaque(1, low=1)]


@struct
class ServerKeyExchangeECDHE(ServerKeyExchange):
    """RFC 8422 5.4: of ECDHE_ECDSA and ECDHE_RSA."""

    name: ClassVar[str] = "ServerKeyExchange"
    params: ServerECDHParams
    algorithm: Annotated[SignatureScheme | int, uint(2, SignatureScheme)]
    signature: Annotated[bytes, opaque(2)]


@struct
class CertificateRequest(HandshakeMessage):
    """RFC 5246 7.4.4: the server wants to know who the client is, and says what it can verify."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.certificate_request
    certificate_types: Annotated[
        list[ClientCertificateType | int], vector(uint(1, ClientCertificateType), 1, low=1)
    ]
    # RFC 5246 gives no lower bound here, and in 7.4.1.4.1, where the type is declared, one of 2.
    supported_signature_algorithms: Annotated[
        list[SignatureScheme | int], vector(uint(2, SignatureScheme), 2, low=2, high=2**16 - 2)
    ]
    certificate_authorities: Annotated[list[bytes], vector(opaque(2, low=1), 2, name="DistinguishedName")]


@struct
class ServerHelloDone(HandshakeMessage):
    """RFC 5246 7.4.5: the server waits for the client; the body is empty."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.server_hello_done


class ClientKeyExchange(HandshakeMessage):
    """RFC 5246 7.4.7: with this, both can compute the premaster secret."""

    __slots__ = ()
    msg_type: ClassVar[HandshakeType] = HandshakeType.client_key_exchange


@struct
class ClientKeyExchangeRSA(ClientKeyExchange):
    """RFC 5246 7.4.7.1: the premaster secret itself, encrypted with the public key of the certificate."""

    name: ClassVar[str] = "ClientKeyExchange"
    encrypted_pre_master_secret: Annotated[bytes, opaque(2)]


@struct
class ClientKeyExchangeDHE(ClientKeyExchange):
    """RFC 5246 7.4.7.2: the client's public value, in the server's group."""

    name: ClassVar[str] = "ClientKeyExchange"
    dh_Yc: Annotated[bytes, opaque(2, low=1)]


@struct
class ClientKeyExchangeECDHE(ClientKeyExchange):
    """RFC 8422 5.7: the client's public value, on the server's curve."""

    name: ClassVar[str] = "ClientKeyExchange"
    ecdh_Yc: Annotated[bytes, opaque(1, low=1)]


@struct
class NewSessionTicket(HandshakeMessage):
    """RFC 5077 3.3: the server's state, sealed by it for itself; empty where it changed its mind."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.new_session_ticket
    ticket_lifetime_hint: Annotated[int, uint(4)]
    ticket: Annotated[bytes, opaque(2)]
