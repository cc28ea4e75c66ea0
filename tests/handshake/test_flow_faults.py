"""A peer that breaks one rule, and what the other side says to it: the reason, the alert, and no more.

The liar's signatures, MACs and keys are right (see ``tampering``), so each of these faults is found by the
rule that it breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from tampering import Lie, lying

from pellucid import ExternalPsk, TLSError
from pellucid.alerts import alert_for
from pellucid.codes import (
    AlertLevel,
    ContentType,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from pellucid.connection import Connection
from pellucid.errors import (
    BadMessage,
    CertificateRejected,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
)
from pellucid.messages import (
    DOWNGRADE_TLS11,
    DOWNGRADE_TLS12,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    HandshakeMessage,
    HelloRetryRequest,
    ServerHello,
)
from pellucid.messages import extensions as ext

Side = Literal["client", "server"]
PSK = ExternalPsk(b"an identity", b"sixteen bytes or more")
MUTUAL = ({"credentials": [credential(purpose="client")]}, {"client_authentication": "required"})
RETRY = ({"groups": ["x25519", "secp256r1"], "key_shares": ["x25519"]}, {"groups": ["secp256r1"]})
ALPN = ({"alpn_protocols": ["h2", "http/1.1"]}, {"alpn_protocols": ["h2"]})
WITH_PSK = ({"psks": [PSK]}, {"psks": [PSK], "credentials": []})
Knobs = tuple[dict[str, Any], dict[str, Any]]


class Fault(NamedTuple):
    liar: Side
    message: type[HandshakeMessage]
    lie: Lie
    error: type[TLSError]
    reason: Reason
    knobs: Knobs = ({}, {})


def truly(_: Any) -> None:
    """No lie: what the configuration makes it say is the fault."""


def put(**values: Any) -> Lie:
    """Set fields of a message."""

    def lie(message: Any) -> None:
        for name, value in values.items():
            setattr(message, name, value)

    return lie


def add(*bodies: ext.ExtensionBody) -> Lie:
    return lambda message: message.extensions.add(*bodies)


def drop(code: ExtensionType) -> Lie:
    return lambda message: message.extensions.pop(code)


def change(body: type[ext.ExtensionBody], **values: Any) -> Lie:
    """Set fields of an extension of a message."""
    return lambda message: put(**values)(message.extensions.find(body))


def raw_extension(code: ExtensionType, data: bytes = b"") -> Lie:
    return lambda message: message.extensions.update({code: ext.UnknownExtension(data)})


def flipped(name: str, at: int = 0) -> Lie:
    def lie(message: Any) -> None:
        value = bytearray(getattr(message, name))
        value[at] ^= 1
        setattr(message, name, bytes(value))

    return lie


def to_first_entry(lie: Lie) -> Lie:
    return lambda message: lie(message.certificate_list[0])


E = ExtensionType
V12, V13 = ProtocolVersion.TLSv1_2, ProtocolVersion.TLSv1_3
X25519 = NamedGroup.x25519
ONLY_X25519 = ({"groups": ["x25519"]}, {"groups": ["x25519"]})


def as_tls12(random: bytes = b"\x07" * 32) -> Lie:
    def lie(message: Any) -> None:
        message.extensions.clear()
        message.random = random

    return lie


def second(lie: Lie) -> Lie:
    """To tell the truth the first time."""
    told: list[Any] = []

    def later(message: Any) -> None:
        told.append(message)
        if len(told) == 2:
            lie(message)

    return later


def psk_not_last(message: Any) -> None:
    offered = message.extensions.pop(E.pre_shared_key)
    rest = dict(message.extensions)
    message.extensions.clear()
    message.extensions.update({E.pre_shared_key: offered} | rest)


SERVER_LIES: dict[str, Fault] = {
    # RFC 9846 4.2.3
    "ServerHello of version 1.1": Fault(
        "server", ServerHello, put(legacy_version=0x0302), PeerMisbehaved, Reason.WRONG_LEGACY_VERSION
    ),
    "ServerHello with another session ID": Fault(
        "server",
        ServerHello,
        put(legacy_session_id_echo=b"other"),
        PeerMisbehaved,
        Reason.WRONG_SESSION_ID_ECHO,
    ),
    "a suite that was not offered": Fault(
        "server", ServerHello, put(cipher_suite=0x1304), PeerMisbehaved, Reason.SUITE_NOT_OFFERED
    ),
    "a suite that nobody knows": Fault(
        "server", ServerHello, put(cipher_suite=0x1A1A), PeerMisbehaved, Reason.SUITE_NOT_OFFERED
    ),
    "compression": Fault(
        "server",
        ServerHello,
        put(legacy_compression_method=1),
        PeerMisbehaved,
        Reason.WRONG_COMPRESSION_METHOD,
    ),
    "a version that was not offered": Fault(
        "server",
        ServerHello,
        change(ext.SupportedVersionsServerHello, selected_version=V12),
        PeerMisbehaved,
        Reason.VERSION_NOT_OFFERED,
    ),
    "TLS 1.2": Fault("server", ServerHello, as_tls12(), PeerIncompatible, Reason.NO_SHARED_VERSION),
    "TLS 1.2 by a server that can do better": Fault(
        "server",
        ServerHello,
        as_tls12(b"\x07" * 24 + DOWNGRADE_TLS12),
        PeerMisbehaved,
        Reason.DOWNGRADE_DETECTED,
    ),
    "TLS 1.1 by a server that can do better": Fault(
        "server",
        ServerHello,
        as_tls12(b"\x07" * 24 + DOWNGRADE_TLS11),
        PeerMisbehaved,
        Reason.DOWNGRADE_DETECTED,
    ),
    "ServerHello with a PSK that was not offered": Fault(
        "server", ServerHello, add(ext.SelectedPsk(0)), PeerMisbehaved, Reason.UNSOLICITED_EXTENSION
    ),
    "ServerHello with the index of no PSK": Fault(
        "server",
        ServerHello,
        change(ext.SelectedPsk, selected_identity=1),
        PeerMisbehaved,
        Reason.PSK_NOT_OFFERED,
        WITH_PSK,
    ),
    "PSK without key_share": Fault(
        "server", ServerHello, drop(E.key_share), PeerMisbehaved, Reason.ILLEGAL_PARAMETER, WITH_PSK
    ),
    "ServerHello without key_share": Fault(
        "server", ServerHello, drop(E.key_share), PeerMisbehaved, Reason.MISSING_EXTENSION
    ),
    "ServerHello with an extension of another message": Fault(
        "server", ServerHello, raw_extension(E.server_name), PeerMisbehaved, Reason.FORBIDDEN_EXTENSION
    ),
    "ServerHello with an extension that nobody knows": Fault(
        "server",
        ServerHello,
        lambda m: m.extensions.update({0x3A3A: ext.UnknownExtension(b"")}),
        PeerMisbehaved,
        Reason.UNSOLICITED_EXTENSION,
    ),
    "a share of a group without one of ours": Fault(
        "server",
        ServerHello,
        change(ext.KeyShareServerHello, server_share=ext.KeyShareEntry(NamedGroup.secp256r1, bytes(65))),
        PeerMisbehaved,
        Reason.GROUP_NOT_OFFERED,
    ),
    "a share of a group that nobody knows": Fault(
        "server",
        ServerHello,
        change(ext.KeyShareServerHello, server_share=ext.KeyShareEntry(0x1A1A, bytes(65))),
        PeerMisbehaved,
        Reason.GROUP_NOT_OFFERED,
    ),
    "a share of low order": Fault(
        "server",
        ServerHello,
        change(ext.KeyShareServerHello, server_share=ext.KeyShareEntry(X25519, bytes(32))),
        PeerMisbehaved,
        Reason.INVALID_KEY_SHARE,
        ONLY_X25519,
    ),
    "a share that is too short": Fault(
        "server",
        ServerHello,
        change(ext.KeyShareServerHello, server_share=ext.KeyShareEntry(X25519, b"\x09" * 31)),
        PeerMisbehaved,
        Reason.INVALID_KEY_SHARE,
        ONLY_X25519,
    ),
    # RFC 9846 4.2.4
    "HelloRetryRequest that changes nothing": Fault(
        "server", HelloRetryRequest, drop(E.key_share), PeerMisbehaved, Reason.POINTLESS_HELLO_RETRY, RETRY
    ),
    "HelloRetryRequest for the share that was sent": Fault(
        "server",
        HelloRetryRequest,
        change(ext.KeyShareHelloRetryRequest, selected_group=X25519),
        PeerMisbehaved,
        Reason.POINTLESS_HELLO_RETRY,
        RETRY,
    ),
    "HelloRetryRequest for a group that was not offered": Fault(
        "server",
        HelloRetryRequest,
        change(ext.KeyShareHelloRetryRequest, selected_group=NamedGroup.x448),
        PeerMisbehaved,
        Reason.GROUP_NOT_OFFERED,
        RETRY,
    ),
    "HelloRetryRequest without version": Fault(
        "server",
        HelloRetryRequest,
        drop(E.supported_versions),
        PeerMisbehaved,
        Reason.MISSING_EXTENSION,
        RETRY,
    ),
    "HelloRetryRequest of another version": Fault(
        "server",
        HelloRetryRequest,
        change(ext.SupportedVersionsServerHello, selected_version=V12),
        PeerMisbehaved,
        Reason.VERSION_NOT_OFFERED,
        RETRY,
    ),
    "HelloRetryRequest with another session ID": Fault(
        "server",
        HelloRetryRequest,
        put(legacy_session_id_echo=b""),
        PeerMisbehaved,
        Reason.WRONG_SESSION_ID_ECHO,
        RETRY,
    ),
    "HelloRetryRequest with an extension that nobody knows": Fault(
        "server",
        HelloRetryRequest,
        lambda m: m.extensions.update({0x3A3A: ext.UnknownExtension(b"")}),
        PeerMisbehaved,
        Reason.UNSOLICITED_EXTENSION,
        RETRY,
    ),
    "ServerHello with another suite than the HelloRetryRequest": Fault(
        "server", ServerHello, put(cipher_suite=0x1303), PeerMisbehaved, Reason.HELLO_RETRY_CHANGED, RETRY
    ),
    # RFC 9846 4.4.1
    "EncryptedExtensions with what was not asked": Fault(
        "server",
        EncryptedExtensions,
        add(ext.RecordSizeLimit(100)),
        PeerMisbehaved,
        Reason.UNSOLICITED_EXTENSION,
    ),
    "EncryptedExtensions that accept early data": Fault(
        "server",
        EncryptedExtensions,
        add(ext.EarlyDataIndication()),
        PeerMisbehaved,
        Reason.UNSOLICITED_EXTENSION,
    ),
    "EncryptedExtensions with a key_share": Fault(
        "server", EncryptedExtensions, raw_extension(E.key_share), PeerMisbehaved, Reason.FORBIDDEN_EXTENSION
    ),
    # RFC 7301 3.1
    "a protocol that was not offered": Fault(
        "server",
        EncryptedExtensions,
        add(ext.ProtocolNameList([b"h3"])),
        PeerMisbehaved,
        Reason.ALPN_NOT_OFFERED,
        ALPN,
    ),
    "two protocols": Fault(
        "server",
        EncryptedExtensions,
        add(ext.ProtocolNameList([b"h2", b"http/1.1"])),
        PeerMisbehaved,
        Reason.ALPN_NOT_OFFERED,
        ALPN,
    ),
    # RFC 9846 4.4.2
    "CertificateRequest with a context": Fault(
        "server",
        CertificateRequest,
        put(certificate_request_context=b"x"),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
        MUTUAL,
    ),
    "CertificateRequest without signature_algorithms": Fault(
        "server",
        CertificateRequest,
        drop(E.signature_algorithms),
        PeerMisbehaved,
        Reason.MISSING_EXTENSION,
        MUTUAL,
    ),
    # RFC 9846 4.5.1
    "no certificate": Fault(
        "server", Certificate, put(certificate_list=[]), PeerMisbehaved, Reason.EMPTY_CERTIFICATE
    ),
    "Certificate with a context": Fault(
        "server",
        Certificate,
        put(certificate_request_context=b"x"),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "Certificate with timestamps that were not asked for": Fault(
        "server",
        Certificate,
        to_first_entry(add(ext.SignedCertificateTimestampList([b"sct"]))),
        PeerMisbehaved,
        Reason.UNSOLICITED_EXTENSION,
    ),
    "eleven certificates": Fault(
        "server",
        Certificate,
        lambda m: m.certificate_list.extend([m.certificate_list[1]] * 9),
        CertificateRejected,
        Reason.CERTIFICATE_CHAIN_TOO_LONG,
    ),
    "a certificate that is none": Fault(
        "server",
        Certificate,
        to_first_entry(put(cert_data=b"\x30\x00")),
        CertificateRejected,
        Reason.BAD_CERTIFICATE,
    ),
    # RFC 9846 4.5.2
    "a signature that is another": Fault(
        "server",
        CertificateVerify,
        flipped("signature", at=-1),
        PeerMisbehaved,
        Reason.BAD_SIGNATURE,
    ),
    "a scheme that is only for certificates": Fault(
        "server",
        CertificateVerify,
        put(algorithm=SignatureScheme.rsa_pkcs1_sha256),
        PeerMisbehaved,
        Reason.SCHEME_NOT_OFFERED,
    ),
    "a scheme of another kind of key": Fault(
        "server",
        CertificateVerify,
        put(algorithm=SignatureScheme.ed25519),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "a scheme that nobody knows": Fault(
        "server", CertificateVerify, put(algorithm=0x3A3A), PeerMisbehaved, Reason.SCHEME_NOT_OFFERED
    ),
    # RFC 9846 4.5.3
    "Finished that is another": Fault(
        "server", Finished, flipped("verify_data"), PeerMisbehaved, Reason.BAD_FINISHED
    ),
    "Finished that is short": Fault(
        "server", Finished, lambda m: put(verify_data=m.verify_data[:-1])(m), BadMessage, Reason.MALFORMED
    ),
}

CLIENT_LIES: dict[str, Fault] = {
    # RFC 9846 4.2.2
    "ClientHello of version 1.1": Fault(
        "client", ClientHello, put(legacy_version=0x0302), PeerMisbehaved, Reason.WRONG_LEGACY_VERSION
    ),
    "ClientHello with compression": Fault(
        "client",
        ClientHello,
        put(legacy_compression_methods=b"\x01\x00"),
        PeerMisbehaved,
        Reason.WRONG_COMPRESSION_METHOD,
    ),
    "ClientHello of TLS 1.2": Fault(
        "client", ClientHello, drop(E.supported_versions), PeerIncompatible, Reason.NO_SHARED_VERSION
    ),
    "only versions that nobody knows": Fault(
        "client",
        ClientHello,
        change(ext.SupportedVersionsClientHello, versions=[0x7F1C, V12]),
        PeerIncompatible,
        Reason.NO_SHARED_VERSION,
    ),
    "only suites that nobody knows": Fault(
        "client",
        ClientHello,
        put(cipher_suites=[0x3A3A, 0x1306]),
        PeerIncompatible,
        Reason.NO_SHARED_CIPHER_SUITE,
    ),
    "only groups that nobody knows": Fault(
        "client",
        ClientHello,
        lambda m: (
            change(ext.NamedGroupList, named_group_list=[0x3A3A])(m),
            change(ext.KeyShareClientHello, client_shares=[])(m),
        ),
        PeerIncompatible,
        Reason.NO_SHARED_GROUP,
    ),
    "only schemes that nobody knows": Fault(
        "client",
        ClientHello,
        change(ext.SignatureSchemeList, supported_signature_algorithms=[0x3A3A]),
        PeerIncompatible,
        Reason.NO_SHARED_SIGNATURE_SCHEME,
    ),
    # RFC 9846 9.2
    "no supported_groups": Fault(
        "client", ClientHello, drop(E.supported_groups), PeerMisbehaved, Reason.MISSING_EXTENSION
    ),
    "no key_share": Fault("client", ClientHello, drop(E.key_share), PeerMisbehaved, Reason.MISSING_EXTENSION),
    "no signature_algorithms": Fault(
        "client", ClientHello, drop(E.signature_algorithms), PeerMisbehaved, Reason.MISSING_EXTENSION
    ),
    # RFC 9846 4.3.3: "If a server is authenticating via a certificate and the client has not sent a
    # "signature_algorithms" extension, then the server MUST abort the handshake with a "missing_extension""
    "no signature_algorithms, and a PSK that nobody knows": Fault(
        "client",
        ClientHello,
        drop(E.signature_algorithms),
        PeerMisbehaved,
        Reason.MISSING_EXTENSION,
        ({"psks": [PSK]}, {}),
    ),
    # RFC 9846 4.3.8
    "two shares of one group": Fault(
        "client",
        ClientHello,
        lambda m: m.extensions[E.key_share].client_shares.append(m.extensions[E.key_share].client_shares[0]),
        PeerMisbehaved,
        Reason.DUPLICATE_KEY_SHARE,
    ),
    "a share of a group that is not in supported_groups": Fault(
        "client",
        ClientHello,
        change(ext.NamedGroupList, named_group_list=[NamedGroup.secp384r1]),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "a client's share of low order": Fault(
        "client",
        ClientHello,
        change(ext.KeyShareClientHello, client_shares=[ext.KeyShareEntry(X25519, bytes(32))]),
        PeerMisbehaved,
        Reason.INVALID_KEY_SHARE,
        ONLY_X25519,
    ),
    # RFC 9846 4.3.10
    "early data without a PSK": Fault(
        "client", ClientHello, add(ext.EarlyDataIndication()), PeerMisbehaved, Reason.ILLEGAL_PARAMETER
    ),
    # RFC 9846 4.3.11
    "pre_shared_key that is not the last": Fault(
        "client", ClientHello, psk_not_last, PeerMisbehaved, Reason.ILLEGAL_PARAMETER, WITH_PSK
    ),
    "more binders than PSKs": Fault(
        "client",
        ClientHello,
        lambda m: m.extensions[E.pre_shared_key].binders.append(bytes(32)),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
        WITH_PSK,
    ),
    "a binder of another hello": Fault(
        "client", ClientHello, put(random=bytes(32)), PeerMisbehaved, Reason.BAD_PSK_BINDER, WITH_PSK
    ),
    "a PSK without psk_key_exchange_modes": Fault(
        "client",
        ClientHello,
        drop(E.psk_key_exchange_modes),
        PeerMisbehaved,
        Reason.MISSING_EXTENSION,
        WITH_PSK,
    ),
    # RFC 6066 3
    "two server names": Fault(
        "client",
        ClientHello,
        lambda m: m.extensions[E.server_name].server_name_list.append(ext.ServerName(0, b"b")),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "a server name that is not ASCII": Fault(
        "client",
        ClientHello,
        change(ext.ServerNameList, server_name_list=[ext.ServerName(0, b"\xff")]),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "only protocols that we do not speak": Fault(
        "client",
        ClientHello,
        change(ext.ProtocolNameList, protocol_name_list=[b"\xff"]),
        PeerIncompatible,
        Reason.NO_SHARED_APPLICATION_PROTOCOL,
        ALPN,
    ),
    # RFC 9846 4.5
    "a client without certificate": Fault(
        "client",
        Certificate,
        truly,
        PeerIncompatible,
        Reason.CLIENT_CERTIFICATE_MISSING,
        ({}, {"client_authentication": "required"}),
    ),
    "a client's Certificate with a context": Fault(
        "client",
        Certificate,
        put(certificate_request_context=b"x"),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
        MUTUAL,
    ),
    "an empty Certificate with a context": Fault(
        "client",
        Certificate,
        put(certificate_request_context=b"x"),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
        ({}, {"client_authentication": "optional"}),
    ),
    "a client's Certificate with what was not asked for": Fault(
        "client",
        Certificate,
        to_first_entry(add(ext.SignedCertificateTimestampList([b"sct"]))),
        PeerMisbehaved,
        Reason.UNSOLICITED_EXTENSION,
        MUTUAL,
    ),
    "a client's certificate for servers": Fault(
        "client",
        Certificate,
        truly,
        CertificateRejected,
        Reason.WRONG_PURPOSE,
        ({"credentials": [credential()]}, MUTUAL[1]),
    ),
    "a client's signature that is another": Fault(
        "client",
        CertificateVerify,
        flipped("signature", at=-1),
        PeerMisbehaved,
        Reason.BAD_SIGNATURE,
        MUTUAL,
    ),
    "a client's scheme that was not offered": Fault(
        "client",
        CertificateVerify,
        put(algorithm=SignatureScheme.ecdsa_sha1),
        PeerMisbehaved,
        Reason.SCHEME_NOT_OFFERED,
        MUTUAL,
    ),
    "a client's Finished that is another": Fault(
        "client", Finished, flipped("verify_data"), PeerMisbehaved, Reason.BAD_FINISHED
    ),
    "a client's Finished that is long": Fault(
        "client",
        Finished,
        lambda m: put(verify_data=m.verify_data + b"\x00")(m),
        BadMessage,
        Reason.MALFORMED,
    ),
}

WITH_COOKIE = (RETRY[0], RETRY[1] | {"cookie": True})


def second_hello(lie: Lie, knobs: Knobs = RETRY) -> Fault:
    return Fault("client", ClientHello, second(lie), PeerMisbehaved, Reason.HELLO_RETRY_CHANGED, knobs)


def another_share(message: Any) -> None:
    shares = message.extensions.find(ext.KeyShareClientHello).client_shares
    shares.append(ext.KeyShareEntry(X25519, b"\x09" * 32))


def early_data(message: Any) -> None:
    psks = message.extensions.pop(E.pre_shared_key)
    message.extensions.add(ext.EarlyDataIndication(), psks)


#: RFC 9846 4.2.2: what must not change between the two. Made anew for each test: these lies count.
SECOND_HELLOS: dict[str, Callable[[], Fault]] = {
    "random": lambda: second_hello(put(random=bytes(32))),
    "session ID": lambda: second_hello(put(legacy_session_id=bytes(32))),
    "suites": lambda: second_hello(lambda message: message.cipher_suites.reverse()),
    "a share too many": lambda: second_hello(another_share),
    "no share": lambda: second_hello(change(ext.KeyShareClientHello, client_shares=[])),
    "groups": lambda: second_hello(change(ext.NamedGroupList, named_group_list=[NamedGroup.secp256r1])),
    "an extension less": lambda: second_hello(drop(E.server_name)),
    "an extension more": lambda: second_hello(add(ext.PostHandshakeAuth())),
    "another name": lambda: second_hello(
        change(ext.ServerNameList, server_name_list=[ext.ServerName(0, b"other.test")])
    ),
    "early data": lambda: second_hello(early_data, (RETRY[0] | {"psks": [PSK]}, RETRY[1])),
    "no cookie": lambda: second_hello(drop(E.cookie), WITH_COOKIE),
    "another cookie": lambda: second_hello(change(ext.Cookie, cookie=bytes(32)), WITH_COOKIE),
    "a cookie that was not given": lambda: second_hello(add(ext.Cookie(b"cookie"))),
}


@pytest.mark.parametrize("what", SECOND_HELLOS)
def test_the_second_client_hello_is_the_first_with_what_was_asked_for(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = SECOND_HELLOS[what]()
    _, victim, error = fail(fault, monkeypatch)
    assert (type(error), error.reason) == (fault.error, fault.reason)
    assert victim.state == "FAILED"


FAULTS = SERVER_LIES | CLIENT_LIES


def fail(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> tuple[Connection, Connection, TLSError]:
    """Shake hands with a liar; gives the liar, the one who was lied to, and what that one raised."""
    lying(monkeypatch, fault.liar, {fault.message: fault.lie})
    client, server = connect_pair(client_config(**fault.knobs[0]), server_config(**fault.knobs[1]))
    with pytest.raises(TLSError) as caught:
        pump(client, server)
    liar, victim = (client, server) if fault.liar == "client" else (server, client)
    return liar, victim, caught.value


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    _, victim, error = fail(fault, monkeypatch)
    assert (type(error), error.reason) == (fault.error, fault.reason)
    assert victim.failure is error
    assert victim.state == "FAILED"
    assert not victim.handshake_complete


@pytest.mark.parametrize("name", FAULTS)
def test_the_liar_is_told_by_the_alert_of_the_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    liar, victim, error = fail(FAULTS[name], monkeypatch)
    told = b"".join(iter(victim.data_to_send, b""))
    with pytest.raises(TLSError) as caught:
        liar.receive_data(told)
    assert caught.value.reason is Reason.ALERT_RECEIVED
    assert caught.value.description == alert_for(error)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["compression", "no key_share"])
def test_nothing_is_sent_or_taken_after_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, victim, error = fail(FAULTS[name], monkeypatch)
    told = b"".join(iter(victim.data_to_send, b""))
    alert = alert_for(error)
    assert alert is not None
    assert told.endswith(bytes((ContentType.alert, 3, 3, 0, 2, AlertLevel.fatal, alert)))
    for call in (lambda: victim.receive_data(b"\x16\x03\x03\x00\x01\x00"), victim.receive_eof):
        with pytest.raises(TLSError) as caught:
            call()
        assert caught.value is error
    with pytest.raises(TLSError, match="the connection has failed"):
        victim.send_data(b"data")
    victim.close()
    assert victim.data_to_send() == b""
