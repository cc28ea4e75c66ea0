"""From the bytes of one handshake message to its value, its name and its field tree."""

from pellucid.codes import HandshakeType, name_of
from pellucid.errors import BadMessage, PeerMisbehaved, Reason
from pellucid.messages import tls13
from pellucid.messages.base import HEADER_LENGTH, HandshakeMessage
from pellucid.messages.hello import HELLO_RETRY_RANDOM, ClientHello, HelloRetryRequest, ServerHello
from pellucid.wire import Field, shown

#: The messages of a TLS 1.3 handshake by their number. A HelloRetryRequest has a ServerHello's.
TLS13_MESSAGES: dict[int, type[HandshakeMessage]] = {
    cls.msg_type: cls
    for cls in (
        ClientHello,
        ServerHello,
        tls13.NewSessionTicket,
        tls13.EndOfEarlyData,
        tls13.EncryptedExtensions,
        tls13.Certificate,
        tls13.CertificateRequest,
        tls13.CertificateVerify,
        tls13.Finished,
        tls13.KeyUpdate,
    )
}

#: Where a hello's random stands in the message: behind the header and legacy_version.
_RANDOM = slice(HEADER_LENGTH + 2, HEADER_LENGTH + 34)


def message_class(raw: bytes) -> type[HandshakeMessage] | None:
    """The class of the message that ``raw`` (header included) begins; None if there is none."""
    cls = TLS13_MESSAGES.get(raw[0])
    # RFC 9846 4.2.3: "implementations MUST first examine the Random value"
    if cls is ServerHello and raw[_RANDOM] == HELLO_RETRY_RANDOM:
        return HelloRetryRequest
    return cls


def message_name(raw: bytes) -> str:
    """``ClientHello``; for a number that is no message of TLS 1.3, the number."""
    cls = message_class(raw)
    return name_of(raw[0], HandshakeType) if cls is None else cls.__name__


def decode_handshake(raw: bytes) -> HandshakeMessage:
    """The message that ``raw``, one whole message with its header, holds.

    Raises ``BadMessage``, and ``PeerMisbehaved`` for what can be read and must not stand there.
    """
    length = int.from_bytes(raw[1:HEADER_LENGTH], "big")
    if len(raw) < HEADER_LENGTH or len(raw) != HEADER_LENGTH + length:
        raise BadMessage(f"a handshake message of {len(raw)} bytes does not have the length that it says")
    cls = message_class(raw)
    if cls is None:
        raise PeerMisbehaved(Reason.UNEXPECTED_MESSAGE, f"{message_name(raw)} is no message of TLS 1.3")
    return cls.decode(raw)


def describe(raw: bytes) -> tuple[Field, ...]:
    """The fields of one handshake message, offsets counted from its header's first byte.

    A message that cannot be read is described by its header and its bytes: this is for people who
    look at what went wrong, so it never raises.
    """
    if len(raw) < HEADER_LENGTH:
        return (Field("header", 0, len(raw), shown(raw), "not readable"),)
    header = (
        Field("msg_type", 0, 1, str(raw[0]), message_name(raw)),
        Field("length", 1, 3, str(int.from_bytes(raw[1:HEADER_LENGTH], "big")), "bytes"),
    )
    cls = message_class(raw)
    rest = Field("body", HEADER_LENGTH, len(raw) - HEADER_LENGTH, shown(raw[HEADER_LENGTH:]), "not readable")
    if cls is None:
        return (*header, rest)
    try:
        body, end = cls.codec.describe(raw, HEADER_LENGTH, len(raw), cls.__name__)
    except BadMessage:
        return (*header, rest)
    return header + body.fields if end == len(raw) else (*header, rest)
