"""The hellos: RFC 9846 4.2. Those of TLS 1.2, RFC 5246 7.4.1, have the same form, and these names for it:

legacy_version              client_version and server_version, which TLS 1.2 is negotiated by
legacy_session_id           session_id: a session that the client wants to resume, or empty
legacy_session_id_echo      session_id: the session's; equal to the client's if it is resumed
legacy_compression_methods  compression_methods, and the one chosen of them
"""

from typing import Annotated, ClassVar

from pellucid.codes import CipherSuite, CompressionMethod, ExtensionType, HandshakeType, ProtocolVersion
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
#: A number in RFC 9846, which has no compression; RFC 5246 and RFC 3749 name the methods.
Compression = Annotated[CompressionMethod | int, uint(1, CompressionMethod, "uint8")]
Random = Annotated[bytes, fixed(32, "Random")]


@struct
class ClientHello(HandshakeMessage):
    """RFC 9846 4.2.2, RFC 5246 7.4.1.2: all that the client supports, and a guess at the choice."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.client_hello
    legacy_version: Version
    random: Random
    legacy_session_id: Annotated[bytes, opaque(1, high=32)]
    cipher_suites: Annotated[list[CipherSuite | int], vector(uint(2, CipherSuite), 2, low=2, high=2**16 - 2)]
    legacy_compression_methods: Annotated[bytes, opaque(1, low=1)]
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.CH, low=7, optional=True)]


@struct
class ServerHello(HandshakeMessage):
    """RFC 9846 4.2.3, RFC 5246 7.4.1.3: what the server chose of what the client supports."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.server_hello
    legacy_version: Version
    random: Random
    legacy_session_id_echo: Annotated[bytes, opaque(1, high=32)]
    cipher_suite: Suite
    legacy_compression_method: Compression
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
    legacy_compression_method: Compression
    extensions: Annotated[Extensions, ExtensionList(TABLE, Context.HRR, low=6)]
