"""From the bytes of one handshake message to its value, its name and its field tree."""

from collections.abc import Iterable
from dataclasses import replace

from pellucid.codes import CompressionMethod, HandshakeType, name_of
from pellucid.errors import BadMessage, PeerMisbehaved, Reason
from pellucid.messages import tls12, tls13
from pellucid.messages.base import HEADER_LENGTH, HandshakeMessage
from pellucid.messages.change_cipher_spec import ChangeCipherSpec
from pellucid.messages.hello import HELLO_RETRY_RANDOM, ClientHello, HelloRetryRequest, ServerHello
from pellucid.wire import Field, Wire, shown


def _by_number(*classes: type[HandshakeMessage]) -> dict[int, type[HandshakeMessage]]:
    return {cls.msg_type: cls for cls in classes}


#: The messages of a TLS 1.3 handshake by their number. A HelloRetryRequest has a ServerHello's.
TLS13_MESSAGES = _by_number(
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

#: Those of TLS 1.2. ServerKeyExchange and ClientKeyExchange are not here: their form is not known by number.
TLS12_MESSAGES = _by_number(
    tls12.HelloRequest,
    ClientHello,
    ServerHello,
    tls12.NewSessionTicket,
    tls12.Certificate,
    tls12.CertificateRequest,
    tls12.ServerHelloDone,
    tls12.CertificateVerify,
    tls12.Finished,
    tls12.CertificateStatus,
)

_KEY_EXCHANGES = _by_number(tls12.ServerKeyExchange, tls12.ClientKeyExchange)

#: Where both versions have a message of one number, they call it the same.
_NAMES = {number: cls.name for number, cls in (TLS13_MESSAGES | TLS12_MESSAGES | _KEY_EXCHANGES).items()}

#: RFC 5246 7.4.1.2, 7.4.1.3: what a hello's fields are called while they mean something.
_FIELDS12 = {
    ClientHello: {
        "legacy_version": "client_version",
        "legacy_session_id": "session_id",
        "legacy_compression_methods": "compression_methods",
    },
    ServerHello: {
        "legacy_version": "server_version",
        "legacy_session_id_echo": "session_id",
        "legacy_compression_method": "compression_method",
    },
}

_SERVER_HELLO = int(HandshakeType.server_hello)

#: Where a hello's random stands in the message: behind the header and legacy_version.
_RANDOM = slice(HEADER_LENGTH + 2, HEADER_LENGTH + 34)


def message_class(
    raw: bytes, expected: Iterable[type[HandshakeMessage] | type[ChangeCipherSpec]] = ()
) -> type[HandshakeMessage] | None:
    """The class of the message that ``raw`` (header included) begins; None if there is none.

    A number that two versions or key exchanges read differently is the class among ``expected`` that has
    it, and what is not expected is a message of TLS 1.3.
    """
    number = raw[0]
    if number == _SERVER_HELLO:
        # RFC 9846 4.2.3: "implementations MUST first examine the Random value"
        return HelloRetryRequest if raw[_RANDOM] == HELLO_RETRY_RANDOM else ServerHello
    for cls in expected:
        if number == cls.msg_type and issubclass(cls, HandshakeMessage):
            return cls
    return TLS13_MESSAGES.get(number)


def message_name(raw: bytes) -> str:
    """``ClientHello``; for a number that is no message of TLS 1.2 or 1.3, the number."""
    if raw[0] == _SERVER_HELLO and raw[_RANDOM] == HELLO_RETRY_RANDOM:
        return HelloRetryRequest.name
    return _NAMES.get(raw[0]) or name_of(raw[0], HandshakeType)


def decode_handshake(raw: bytes, expected: Iterable[type[HandshakeMessage]] = ()) -> HandshakeMessage:
    """The message that ``raw``, one whole message with its header, holds; ``expected`` as in `message_class`.

    Raises ``BadMessage``, and ``PeerMisbehaved`` for what can be read and must not stand there.
    """
    length = int.from_bytes(raw[1:HEADER_LENGTH], "big")
    if len(raw) < HEADER_LENGTH or len(raw) != HEADER_LENGTH + length:
        raise BadMessage(f"a handshake message of {len(raw)} bytes does not have the length that it says")
    cls = message_class(raw, expected)
    if cls is None:
        what = "not expected and no message of TLS 1.3" if expected else "no message of TLS 1.3"
        raise PeerMisbehaved(Reason.UNEXPECTED_MESSAGE, f"{message_name(raw)} is {what}")
    return cls.decode(raw)


def describe(raw: bytes, cls: type[Wire] | None = None) -> tuple[Field, ...]:
    """The fields of one message, offsets counted from its first byte.

    ``cls`` says what it is; None: whatever handshake message its header names. A class that is no handshake
    message, a ``ChangeCipherSpec`` or an ``Alert``, has no header.

    A message that cannot be read is described by its header and its bytes: this is for people who
    look at what went wrong, so it never raises.
    """
    if cls is not None and not issubclass(cls, HandshakeMessage):
        return _body(raw, 0, cls)
    if len(raw) < HEADER_LENGTH:
        return (Field("header", 0, len(raw), shown(raw), "not readable"),)
    header = (
        Field("msg_type", 0, 1, str(raw[0]), message_name(raw)),
        Field("length", 1, 3, str(int.from_bytes(raw[1:HEADER_LENGTH], "big")), "bytes"),
    )
    return header + _body(raw, HEADER_LENGTH, cls or message_class(raw) or TLS12_MESSAGES.get(raw[0]))


def _body(raw: bytes, start: int, cls: type[Wire] | None) -> tuple[Field, ...]:
    unreadable = (Field("body", start, len(raw) - start, shown(raw[start:]), "not readable"),)
    if cls is None:
        return unreadable
    try:
        body, end = cls.codec.describe(raw, start, len(raw), cls.__name__)
    except (BadMessage, PeerMisbehaved):
        return unreadable
    if end != len(raw):
        return unreadable
    return _in_tls12(raw, body.fields, _FIELDS12[cls]) if cls in _FIELDS12 else body.fields


def _in_tls12(raw: bytes, fields: tuple[Field, ...], names: dict[str, str]) -> tuple[Field, ...]:
    """A hello's fields as TLS 1.2 has them, unless it has supported_versions: then they are "legacy"."""
    extensions = (inner.name for field in fields if field.name == "extensions" for inner in field.fields)
    if "supported_versions" in extensions:
        return fields
    return tuple(_renamed(raw, field, names.get(field.name, field.name)) for field in fields)


def _renamed(raw: bytes, field: Field, name: str) -> Field:
    if name == "compression_methods":
        methods = raw[field.offset + 1 : field.offset + field.length]  # behind the length
        return replace(
            field, name=name, meaning=", ".join(name_of(one, CompressionMethod) for one in methods)
        )
    return replace(field, name=name)
