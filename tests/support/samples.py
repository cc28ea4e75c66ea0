"""A list of all that can stand in a message: of each class one value at least, every field in use.

``tests/messages/test_list.py`` fails if a class is missing.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pellucid.messages
from pellucid.codes import (
    AlertDescription,
    AlertLevel,
    CertificateStatusType,
    CertificateType,
    CipherSuite,
    ClientCertificateType,
    ECCurveType,
    ECPointFormat,
    KeyUpdateRequest,
    MaxFragmentLengthCode,
    NamedGroup,
    NameType,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from pellucid.messages import (
    HELLO_RETRY_RANDOM,
    Alert,
    Certificate,
    CertificateEntry,
    CertificateRawPublicKey,
    CertificateRequest,
    CertificateVerify,
    ChangeCipherSpec,
    ClientHello,
    EncryptedExtensions,
    EndOfEarlyData,
    Extensions,
    Finished,
    HandshakeMessage,
    HelloRetryRequest,
    KeyUpdate,
    NewSessionTicket,
    RawPublicKeyEntry,
    ServerHello,
    tls12,
)
from pellucid.messages import extensions as ext
from pellucid.wire import Wire

GREASE = 0x3A3A
SCHEMES: list[SignatureScheme | int] = [SignatureScheme.ed25519, SignatureScheme.rsa_pss_rsae_sha256, GREASE]
EC_PARAMS = tls12.ServerECDHParams(ECCurveType.named_curve, NamedGroup.x25519, b"\x42" * 32)
DH_PARAMS = tls12.ServerDHParams(b"\xff" * 40, b"\x02", b"\x44" * 40)
SHARE = ext.KeyShareEntry(NamedGroup.x25519, b"\x42" * 32)
SUITE = CipherSuite.TLS_AES_128_GCM_SHA256
V12, V13 = ProtocolVersion.TLSv1_2, ProtocolVersion.TLSv1_3
SCT = ext.SignedCertificateTimestamp(
    0, b"\x44" * 32, 1_800_000_000_000, b"", SignatureScheme.ecdsa_secp256r1_sha256, b"\x55" * 70
)

#: One of each extension's bodies.
BODIES: list[ext.ExtensionBody] = [
    ext.ServerNameList([ext.ServerName(NameType.host_name, b"example.org")]),
    ext.ServerNameAcknowledged(),
    ext.MaxFragmentLength(MaxFragmentLengthCode.octets_1024),
    ext.CertificateStatusRequest(CertificateStatusType.ocsp, bytes(4)),
    ext.CertificateStatusRequested(),
    ext.CertificateStatus(CertificateStatusType.ocsp, b"an OCSP response"),
    ext.NamedGroupList([NamedGroup.X25519MLKEM768, NamedGroup.x25519, GREASE]),
    ext.SignatureSchemeList(SCHEMES),
    ext.SignatureSchemeListCert(SCHEMES),
    ext.ProtocolNameList([b"h2", b"http/1.1"]),
    ext.SignedCertificateTimestampRequest(),
    ext.SignedCertificateTimestampList([b"one", b"another"]),
    ext.ClientCertTypeOffer([CertificateType.RawPublicKey, CertificateType.X509, 0xE0]),
    ext.ClientCertTypeAnswer(CertificateType.X509),
    ext.ServerCertTypeOffer([CertificateType.RawPublicKey]),
    ext.ServerCertTypeAnswer(CertificateType.RawPublicKey),
    ext.Padding(bytes(7)),
    ext.RecordSizeLimit(16_385),
    ext.SupportedVersionsClientHello([V13, V12, GREASE]),
    ext.SupportedVersionsServerHello(V13),
    ext.Cookie(b"cookie"),
    ext.PskKeyExchangeModes([PskKeyExchangeMode.psk_dhe_ke, PskKeyExchangeMode.psk_ke, 7]),
    ext.CertificateAuthorities([b"\x30\x00", b"\x30\x03\x31\x01\x00"]),
    ext.OIDFilterExtension([ext.OIDFilter(b"\x55\x1d\x25", b""), ext.OIDFilter(b"\x55\x1d\x0f", b"\x03")]),
    ext.PostHandshakeAuth(),
    ext.KeyShareClientHello([SHARE, ext.KeyShareEntry(GREASE, b"\x00")]),
    ext.KeyShareHelloRetryRequest(NamedGroup.secp256r1),
    ext.KeyShareServerHello(SHARE),
    ext.OfferedPsks(
        [ext.PskIdentity(b"one", 0), ext.PskIdentity(b"another", 2**32 - 1)], [b"\x01" * 32, b"\x02" * 48]
    ),
    ext.SelectedPsk(1),
    ext.EarlyDataIndication(),
    ext.EarlyDataLimit(1024),
    ext.ECPointFormatList([ECPointFormat.uncompressed, ECPointFormat.ansiX962_compressed_prime, 0x3A]),
    ext.EncryptThenMac(),
    ext.ExtendedMainSecret(),
    ext.RenegotiationInfo(b"verify_data"),
    ext.SessionTicket(b"ticket"),
    ext.SessionTicketAcknowledged(),
]

#: Everything else that stands in messages and is not one.
PARTS: list[Wire] = [
    Alert(AlertLevel.fatal, AlertDescription.handshake_failure),
    CertificateEntry(b"\x30\x00", Extensions()),
    RawPublicKeyEntry(b"\x30\x00", Extensions()),
    ChangeCipherSpec(),
    DH_PARAMS,
    EC_PARAMS,
    SHARE,
    ext.OIDFilter(b"\x55\x1d\x25", b"value"),
    ext.PskIdentity(b"identity", 7),
    ext.ServerName(NameType.host_name, b"example.org"),
    SCT,
    ext.UnknownExtension(b"as it came"),
]


def bodies_in(context: ext.Context) -> Extensions:
    """Every extension that may stand in a message of that kind, and one that nobody knows."""
    chosen = Extensions()
    for code, row in ext.TABLE.items():
        body = row.get(context)
        if body is not None:
            chosen[code] = next(sample for sample in BODIES if type(sample) is body)
        elif context in row:
            chosen[code] = ext.UnknownExtension(b"not read")
    chosen[GREASE] = ext.UnknownExtension(b"grease")
    return chosen


def client_hello(extensions: Extensions) -> ClientHello:
    return ClientHello(V12, b"\x11" * 32, b"\x22" * 32, [SUITE, GREASE], b"\x00", extensions)


def server_hello(extensions: Extensions) -> ServerHello:
    return ServerHello(V12, b"\x33" * 32, b"\x22" * 32, SUITE, 0, extensions)


#: One of each message with everything that may stand in it, and some with as little as possible.
MESSAGES: list[HandshakeMessage] = [
    client_hello(bodies_in(ext.Context.CH)),
    client_hello(Extensions()),
    server_hello(bodies_in(ext.Context.SH)),
    server_hello(bodies_in(ext.Context.SH12)),
    server_hello(Extensions()),
    HelloRetryRequest(V12, HELLO_RETRY_RANDOM, b"", SUITE, 0, bodies_in(ext.Context.HRR)),
    EncryptedExtensions(bodies_in(ext.Context.EE)),
    EncryptedExtensions(Extensions()),
    CertificateRequest(b"context", bodies_in(ext.Context.CR)),
    Certificate(
        b"",
        [CertificateEntry(b"\x30\x00", bodies_in(ext.Context.CT)), CertificateEntry(b"\x30", Extensions())],
    ),
    Certificate(b"context", []),
    CertificateRawPublicKey(b"", [RawPublicKeyEntry(b"\x30\x00", bodies_in(ext.Context.CT))]),
    CertificateRawPublicKey(b"context", []),
    CertificateVerify(SignatureScheme.ed25519, b"\x55" * 64),
    Finished(b"\x66" * 32),
    EndOfEarlyData(),
    NewSessionTicket(7200, 0xDEADBEEF, b"\x00", b"a ticket", bodies_in(ext.Context.NST)),
    KeyUpdate(KeyUpdateRequest.update_requested),
    tls12.HelloRequest(),
    tls12.Certificate([b"\x30\x00", b"\x30"]),
    tls12.Certificate([]),
    tls12.CertificateRawPublicKey(b"\x30\x00"),
    tls12.CertificateRawPublicKey(b""),
    tls12.CertificateStatus(CertificateStatusType.ocsp, b"an OCSP response"),
    tls12.ServerKeyExchangeDHE(DH_PARAMS, SignatureScheme.rsa_pss_rsae_sha256, b"\x55" * 40),
    tls12.ServerKeyExchangeECDHE(EC_PARAMS, SignatureScheme.ed25519, b"\x55" * 64),
    tls12.CertificateRequest(
        [ClientCertificateType.ecdsa_sign, ClientCertificateType.rsa_sign, 0x3A],
        SCHEMES,
        [b"\x30\x00", b"\x30\x03\x31\x01\x00"],
    ),
    tls12.CertificateRequest([ClientCertificateType.rsa_sign], SCHEMES, []),
    tls12.ServerHelloDone(),
    tls12.ClientKeyExchangeRSA(b"\x66" * 40),
    tls12.ClientKeyExchangeDHE(b"\x77" * 40),
    tls12.ClientKeyExchangeECDHE(b"\x88" * 32),
    tls12.NewSessionTicket(7200, b"a ticket"),
    tls12.NewSessionTicket(0, b""),
]


def name_of_sample(value: object) -> str:
    return name_of_class(type(value))


def name_of_class(cls: type) -> str:
    """What a test of it is called: of the two classes that some messages have, which one it is."""
    return f"tls12.{cls.__name__}" if cls.__module__ == tls12.__name__ else cls.__name__


def wire_classes() -> Iterator[type[Wire]]:
    """Every ``@struct`` class that the package ``pellucid.messages`` defines."""
    package = pellucid.messages
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(found.name)
        for cls in vars(module).values():
            ours = inspect.isclass(cls) and issubclass(cls, Wire) and cls.__module__ == found.name
            if ours and "codec" in vars(cls):
                yield cls


def with_header(msg_type: int, body: bytes) -> bytes:
    """A whole handshake message whose length fits its body."""
    return bytes((msg_type,)) + len(body).to_bytes(3, "big") + body
