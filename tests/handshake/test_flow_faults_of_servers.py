"""A server that breaks one rule, and what the client says to it: the reason, the alert, and no more.

The liar's signatures, MACs and keys are right (see ``tampering``), so each of these faults is found by the
rule that it breaks.
"""

from __future__ import annotations

from typing import Any

import pytest
from faults import (
    ALPN,
    MUTUAL,
    ONLY_13,
    ONLY_X25519,
    RETRY,
    WITH_PSK,
    Fault,
    add,
    change,
    drop,
    fail,
    flipped,
    put,
    raw_extension,
    to_first_entry,
)
from tampering import Lie

from pellucid import TLSError
from pellucid.alerts import alert_for
from pellucid.codes import (
    AlertLevel,
    ContentType,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from pellucid.errors import BadMessage, CertificateRejected, PeerIncompatible, PeerMisbehaved, Reason
from pellucid.messages import (
    DOWNGRADE_TLS11,
    DOWNGRADE_TLS12,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    Finished,
    HelloRetryRequest,
    ServerHello,
)
from pellucid.messages import extensions as ext

E = ExtensionType
V12 = ProtocolVersion.TLSv1_2
X25519 = NamedGroup.x25519


def as_tls12(random: bytes = b"\x07" * 32) -> Lie:
    def lie(message: Any) -> None:
        message.extensions.clear()
        message.random = random

    return lie


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
    "TLS 1.2": Fault(
        "server", ServerHello, as_tls12(), PeerIncompatible, Reason.NO_SHARED_VERSION, (ONLY_13, {})
    ),
    "TLS 1.2 with a suite of TLS 1.3": Fault(
        "server", ServerHello, as_tls12(), PeerMisbehaved, Reason.SUITE_NOT_OFFERED
    ),
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


@pytest.mark.parametrize("name", SERVER_LIES)
def test_a_broken_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = SERVER_LIES[name]
    _, victim, error = fail(fault, monkeypatch)
    assert (type(error), error.reason) == (fault.error, fault.reason)
    assert victim.failure is error
    assert victim.state == "FAILED"
    assert not victim.handshake_complete


@pytest.mark.parametrize("name", SERVER_LIES)
def test_the_liar_is_told_by_the_alert_of_the_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    liar, victim, error = fail(SERVER_LIES[name], monkeypatch)
    told = b"".join(iter(victim.data_to_send, b""))
    with pytest.raises(TLSError) as caught:
        liar.receive_data(told)
    assert caught.value.reason is Reason.ALERT_RECEIVED
    assert caught.value.description == alert_for(error)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["compression", "ServerHello without key_share"])
def test_nothing_is_sent_or_taken_after_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, victim, error = fail(SERVER_LIES[name], monkeypatch)
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
