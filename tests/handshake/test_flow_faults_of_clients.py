"""A client that breaks one rule, and what the server says to it: the reason, the alert, and no more.

The liar's signatures, MACs and keys are right (see ``tampering``), so each of these faults is found by the
rule that it breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults import (
    ALPN,
    MUTUAL,
    ONLY_13,
    ONLY_X25519,
    PSK,
    RETRY,
    WITH_PSK,
    Fault,
    Knobs,
    add,
    change,
    drop,
    fail,
    flipped,
    put,
    second,
    to_first_entry,
    truly,
)
from loopback import credential
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
    Certificate,
    CertificateVerify,
    ClientHello,
    Finished,
)
from pellucid.messages import extensions as ext

E = ExtensionType
V12 = ProtocolVersion.TLSv1_2
X25519 = NamedGroup.x25519


def psk_not_last(message: Any) -> None:
    offered = message.extensions.pop(E.pre_shared_key)
    rest = dict(message.extensions)
    message.extensions.clear()
    message.extensions.update({E.pre_shared_key: offered} | rest)


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
        "client",
        ClientHello,
        drop(E.supported_versions),
        PeerIncompatible,
        Reason.NO_SHARED_VERSION,
        ({}, ONLY_13),
    ),
    "only versions that nobody knows": Fault(
        "client",
        ClientHello,
        change(ext.SupportedVersionsClientHello, versions=[0x7F1C, 0x0305]),
        PeerIncompatible,
        Reason.NO_SHARED_VERSION,
    ),
    "only TLS 1.2 among versions that nobody knows": Fault(
        "client",
        ClientHello,
        change(ext.SupportedVersionsClientHello, versions=[0x7F1C, V12]),
        PeerIncompatible,
        Reason.NO_SHARED_VERSION,
        ({}, ONLY_13),
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


@pytest.mark.parametrize("name", CLIENT_LIES)
def test_a_broken_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = CLIENT_LIES[name]
    _, victim, error = fail(fault, monkeypatch)
    assert (type(error), error.reason) == (fault.error, fault.reason)
    assert victim.failure is error
    assert victim.state == "FAILED"
    assert not victim.handshake_complete


@pytest.mark.parametrize("name", CLIENT_LIES)
def test_the_liar_is_told_by_the_alert_of_the_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    liar, victim, error = fail(CLIENT_LIES[name], monkeypatch)
    told = b"".join(iter(victim.data_to_send, b""))
    with pytest.raises(TLSError) as caught:
        liar.receive_data(told)
    assert caught.value.reason is Reason.ALERT_RECEIVED
    assert caught.value.description == alert_for(error)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["ClientHello with compression", "no key_share"])
def test_nothing_is_sent_or_taken_after_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, victim, error = fail(CLIENT_LIES[name], monkeypatch)
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
