"""The hellos: RFC 9846 4.2."""

from typing import Annotated, ClassVar

from pellucid.codes import CipherSuite, ExtensionType, HandshakeType, ProtocolVersion
from pellucid.messages.base import HandshakeMessage
from pellucid.messages.extensions import TABLE, Context, ExtensionList, Extensions
from pellucid.wire import fixed, opaque, struct, uint, vector

#: RFC 9846 4.2.3: the SHA-256 of "HelloRetryRequest", where a ServerHello has its random.
HELLO_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

#: RFC 9846 4.2.3: how a TLS 1.3 server's random ends when it negotiates TLS 1.2, or less.
DOWNGRADE_TLS12 = b"DOWNGRD\x01"
DOWNGRADE_TLS11 = b"DOWNGRD\x00"

Version = Annotated[ProtocolVersion | int, uint(2, ProtocolVersion)]
Suite = Annotated[CipherSuite | int, uint(2, CipherSuite)]
Random = Annotated[bytes, fixed(32, "Random")]


@struct
class ClientHello(HandshakeMessage):
    """RFC 9846 4.2.2: everything that the client supports, and a guess at what the server takes."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.client_hello
    legacy_version: Version
    random: Random
    legacy_session_id: Annotated[bytes, opaque(1, high=32)]
    cipher_suites: Annotated[list[CipherSuite | int], vector(uint(2, CipherSuite), 2, low=2, high=2**16 - 2)]
    legacy_compression_methods: Annotated[bytes, opaque(1, low=1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.CH, low=7, optional=True)]


@struct
class ServerHello(HandshakeMessage):
    """RFC 9846 4.2.3: what the server chose of what the client supports."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.server_hello
    legacy_version: Version
    random: Random
    legacy_session_id_echo: Annotated[bytes, opaque(1, high=32)]
    cipher_suite: Suite
    legacy_compression_method: Annotated[int, uint(1)]
    extensions: Annotated[
        Extensions,
        ExtensionList(
            TABLE,
            Context.SH,
            low=6,
            optional=True,
            unless=(ExtensionType.supported_versions, Context.SH12),
        ),
    ]


@struct
class HelloRetryRequest(HandshakeMessage):
    """RFC 9846 4.2.4: a ServerHello of fixed random that asks for another ClientHello."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.server_hello
    legacy_version: Version
    random: Random
    legacy_session_id_echo: Annotated[bytes, opaque(1, high=32)]
    cipher_suite: Suite
    legacy_compression_method: Annotated[int, uint(1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.HRR, low=6)]
