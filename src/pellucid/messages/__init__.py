"""What the RFCs call structs: hellos, the messages of each version, extensions, alerts. No policy."""

from pellucid.messages import tls12
from pellucid.messages.alert import Alert
from pellucid.messages.base import HEADER_LENGTH, HandshakeMessage
from pellucid.messages.change_cipher_spec import ChangeCipherSpec
from pellucid.messages.extensions import Extensions
from pellucid.messages.hello import (
    DOWNGRADE_TLS11,
    DOWNGRADE_TLS12,
    HELLO_RETRY_RANDOM,
    ClientHello,
    HelloRetryRequest,
    ServerHello,
)
from pellucid.messages.reading import (
    TLS12_MESSAGES,
    TLS13_MESSAGES,
    decode_handshake,
    describe,
    message_class,
    message_name,
)
from pellucid.messages.tls13 import (
    Certificate,
    CertificateEntry,
    CertificateRawPublicKey,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    KeyUpdate,
    NewSessionTicket,
    RawPublicKeyEntry,
)
from pellucid.wire import Field

__all__ = [
    "DOWNGRADE_TLS11",
    "DOWNGRADE_TLS12",
    "HEADER_LENGTH",
    "HELLO_RETRY_RANDOM",
    "TLS12_MESSAGES",
    "TLS13_MESSAGES",
    "Alert",
    "Certificate",
    "CertificateEntry",
    "CertificateRawPublicKey",
    "CertificateRequest",
    "CertificateVerify",
    "ChangeCipherSpec",
    "ClientHello",
    "EncryptedExtensions",
    "EndOfEarlyData",
    "Extensions",
    "Field",
    "Finished",
    "HandshakeMessage",
    "HelloRetryRequest",
    "KeyUpdate",
    "NewSessionTicket",
    "RawPublicKeyEntry",
    "ServerHello",
    "decode_handshake",
    "describe",
    "message_class",
    "message_name",
    "tls12",
]
