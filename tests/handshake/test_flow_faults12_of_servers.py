"""TLS 1.2: what a server must not say, one broken rule at a time, and what a client makes of it.

The rogue signs what it sends, so that a faulty share comes with a signature that holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from loopback import NOW, client12, connect_pair, credential, laboratory, server12
from meeting import Meeting
from rogue import (
    Tamper,
    assert_refused,
    client_refuses,
    edit,
    framed,
    plaintext,
    put,
    replace,
    rogue_server,
    run,
)

from pellucid import ClientConnection, Reason, TLSError
from pellucid.alerts import alert_for
from pellucid.codes import (
    AlertDescription,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
)
from pellucid.codes import SignatureScheme as S
from pellucid.crypto.dh12 import dh_params
from pellucid.errors import BadMessage, CertificateRejected, PeerMisbehaved
from pellucid.identity.lab import Laboratory
from pellucid.messages import Finished, ServerHello, tls12
from pellucid.messages import extensions as ext

E, G = ExtensionType, NamedGroup
ECDHE = {"cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]}
ECDHE_RSA = {"cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}
DHE = {"cipher_suites": ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]}
RSA = {"cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
KEYS = {"credentials": [credential(), credential("rsa")]}


class Fault(NamedTuple):
    tamper: Tamper
    error: type[TLSError]
    reason: Reason
    suites: dict[str, Any] = ECDHE


def signed(kind: type[tls12.ServerKeyExchange], change: Callable[[Any], object]) -> Tamper:
    """The parameters are changed, and signed as they are then."""
    randoms: list[bytes] = []

    def tamper(hs: Any, message: Any) -> list[bytes]:
        if isinstance(message, ServerHello):
            randoms[:] = [hs.client_random, message.random]
        if isinstance(message, kind):
            change(message.params)
            content = b"".join(randoms) + message.params.codec.encode(message.params)
            message.algorithm = S.ecdsa_secp256r1_sha256
            keys = credential()
            if isinstance(message, tls12.ServerKeyExchangeDHE):
                message.algorithm, keys = S.rsa_pss_rsae_sha256, credential("rsa")
            message.signature = keys.sign(message.algorithm, content, tls12=True)
            message.encode()
        return [message.raw]

    return tamper


def ecdh(**values: Any) -> Tamper:
    def change(params: Any) -> None:
        for name, value in values.items():
            setattr(params, name, value)

    return signed(tls12.ServerKeyExchangeECDHE, change)


P, G_2 = (int.from_bytes(part, "big") for part in dh_params(G.ffdhe2048))


def dh(p: int = P, g: int = G_2, share: int | None = None) -> Tamper:
    """Another group, or another share in it; the share of before where ``share`` is None."""

    def encoded(number: int) -> bytes:
        return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")

    def change(params: Any) -> None:
        params.dh_p, params.dh_g = encoded(p), encoded(g)
        if share is not None:
            params.dh_Ys = encoded(share)

    return signed(tls12.ServerKeyExchangeDHE, change)


def instead(kind: type, *messages: bytes, keep: bool = False, before: bool = False) -> Tamper:
    """``messages`` in the place of those of a kind, or beside them."""

    def tamper(_hs: object, message: Any) -> list[bytes]:
        if not isinstance(message, kind):
            return [message.raw]
        own = [message.raw] if keep else []
        return [*messages, *own] if before else [*own, *messages]

    return tamper


STRANGER = Laboratory(b"another", NOW)
OTHER_NAME = laboratory().credential(names=("other.test",))
SKE_OF_NOTHING = framed(HandshakeType.server_key_exchange, b"\x03\x00\x1d\x01x\x04\x03\x00\x00")
TICKET = tls12.NewSessionTicket(60, b"a ticket").encode()

FAULTS: dict[str, Fault] = {
    # RFC 5246 7.4.1.3
    "a suite that was not offered": Fault(
        put(ServerHello, cipher_suite=0xC02F), PeerMisbehaved, Reason.SUITE_NOT_OFFERED
    ),
    "an export suite": Fault(put(ServerHello, cipher_suite=0x0003), PeerMisbehaved, Reason.SUITE_NOT_OFFERED),
    "no protection at all": Fault(put(ServerHello, cipher_suite=0), PeerMisbehaved, Reason.SUITE_NOT_OFFERED),
    "compression": Fault(
        put(ServerHello, legacy_compression_method=1), PeerMisbehaved, Reason.WRONG_COMPRESSION_METHOD
    ),
    "a session ID of 33 bytes": Fault(
        replace(ServerHello, lambda body: body[:34] + b"\x21" + bytes(33) + body[35:]),
        BadMessage,
        Reason.MALFORMED,
    ),
    "something behind the extensions": Fault(
        replace(ServerHello, lambda body: body + b"\x00"), BadMessage, Reason.MALFORMED
    ),
    "an extension twice": Fault(
        replace(
            ServerHello,
            lambda body: body[:38] + (len(body) - 36).to_bytes(2, "big") + body[40:] + b"\x00\x17\x00\x00",
        ),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    # 7.4.2
    "no certificate": Fault(
        put(tls12.Certificate, certificate_list=[]), PeerMisbehaved, Reason.EMPTY_CERTIFICATE
    ),
    "a certificate that is none": Fault(
        put(tls12.Certificate, certificate_list=[b"certificate"]), CertificateRejected, Reason.BAD_CERTIFICATE
    ),
    "a certificate of nobody that we know": Fault(
        put(tls12.Certificate, certificate_list=[*STRANGER.credential().chain]),
        CertificateRejected,
        Reason.UNKNOWN_ROOT,
    ),
    "a certificate for another name": Fault(
        put(tls12.Certificate, certificate_list=[*OTHER_NAME.chain]),
        CertificateRejected,
        Reason.HOSTNAME_MISMATCH,
    ),
    "a certificate of a client": Fault(
        put(tls12.Certificate, certificate_list=[*credential("ecdsa", "client").chain]),
        CertificateRejected,
        Reason.WRONG_PURPOSE,
    ),
    "an RSA suite and a certificate that is for signing": Fault(
        put(tls12.Certificate, certificate_list=[*credential().chain]),
        CertificateRejected,
        Reason.WRONG_PURPOSE,
        RSA,
    ),
    # 7.4.3
    "no ServerKeyExchange": Fault(
        instead(tls12.ServerKeyExchange), PeerMisbehaved, Reason.UNEXPECTED_MESSAGE
    ),
    "two ServerKeyExchange": Fault(
        instead(tls12.ServerKeyExchange, SKE_OF_NOTHING, keep=True), PeerMisbehaved, Reason.UNEXPECTED_MESSAGE
    ),
    "a ServerKeyExchange with RSA key exchange": Fault(
        instead(tls12.Certificate, SKE_OF_NOTHING, keep=True), PeerMisbehaved, Reason.UNEXPECTED_MESSAGE, RSA
    ),
    "a signature of something else": Fault(
        replace(tls12.ServerKeyExchangeECDHE, lambda body: body[:-1] + bytes([body[-1] ^ 1])),
        PeerMisbehaved,
        Reason.BAD_SIGNATURE,
    ),
    "a share of something else": Fault(
        replace(tls12.ServerKeyExchangeECDHE, lambda body: body[:10] + bytes([body[10] ^ 1]) + body[11:]),
        PeerMisbehaved,
        Reason.BAD_SIGNATURE,
    ),
    "a signature without bytes": Fault(
        put(tls12.ServerKeyExchangeECDHE, signature=b""), PeerMisbehaved, Reason.BAD_SIGNATURE
    ),
    "a signature with MD5": Fault(
        put(tls12.ServerKeyExchangeECDHE, algorithm=0x0101), PeerMisbehaved, Reason.SCHEME_NOT_OFFERED
    ),
    "a signature with SHA-1": Fault(
        put(tls12.ServerKeyExchangeECDHE, algorithm=0x0203), PeerMisbehaved, Reason.SCHEME_NOT_OFFERED
    ),
    "a signature of a kind that the suite is not for": Fault(
        put(tls12.ServerKeyExchangeECDHE, algorithm=S.rsa_pss_rsae_sha256),
        PeerMisbehaved,
        Reason.SCHEME_NOT_OFFERED,
    ),
    "a key of a kind that the suite is not for": Fault(
        put(tls12.Certificate, certificate_list=[*credential("rsa").chain]),
        PeerMisbehaved,
        Reason.ILLEGAL_PARAMETER,
    ),
    "a signature of another kind of key of the same suite": Fault(
        put(tls12.ServerKeyExchangeECDHE, algorithm=S.ed25519), PeerMisbehaved, Reason.ILLEGAL_PARAMETER
    ),
    "a curve by its coefficients": Fault(ecdh(curve_type=1), PeerMisbehaved, Reason.ILLEGAL_PARAMETER),
    "a curve that was not offered": Fault(
        ecdh(named_curve=G.secp521r1), PeerMisbehaved, Reason.GROUP_NOT_OFFERED
    ),
    "a curve that nobody knows": Fault(ecdh(named_curve=0x7777), PeerMisbehaved, Reason.GROUP_NOT_OFFERED),
    "a finite field for a curve": Fault(
        ecdh(named_curve=G.ffdhe2048), PeerMisbehaved, Reason.GROUP_NOT_OFFERED
    ),
    "a hybrid for a curve": Fault(
        ecdh(named_curve=G.X25519MLKEM768), PeerMisbehaved, Reason.GROUP_NOT_OFFERED
    ),
    "a share of zeros": Fault(ecdh(public=bytes(32)), PeerMisbehaved, Reason.INVALID_KEY_SHARE),
    "a share that is short": Fault(ecdh(public=b"\x09" * 31), PeerMisbehaved, Reason.INVALID_KEY_SHARE),
    "no share": Fault(
        replace(tls12.ServerKeyExchangeECDHE, lambda body: body[:3] + b"\x00" + body[36:]),
        BadMessage,
        Reason.MALFORMED,
    ),
    "a point that is on no curve": Fault(
        ecdh(named_curve=G.secp256r1, public=b"\x04" + bytes(64)), PeerMisbehaved, Reason.INVALID_KEY_SHARE
    ),
    "a point in the compressed form": Fault(
        ecdh(named_curve=G.secp256r1, public=b"\x02" + bytes(32)), PeerMisbehaved, Reason.INVALID_KEY_SHARE
    ),
    # RFC 7919 3, and Logjam
    "a field of 512 bits": Fault(dh(p=2**511 + 111), PeerMisbehaved, Reason.WEAK_DH_GROUP, DHE),
    "a field of 1024 bits": Fault(dh(p=2**1023 + 1155), PeerMisbehaved, Reason.WEAK_DH_GROUP, DHE),
    "a field without a prime": Fault(dh(p=P - 2), PeerMisbehaved, Reason.WEAK_DH_GROUP, DHE),
    "an even modulus": Fault(dh(p=P + 1), PeerMisbehaved, Reason.WEAK_DH_GROUP, DHE),
    "a generator of nothing": Fault(dh(g=1), PeerMisbehaved, Reason.WEAK_DH_GROUP, DHE),
    "a share of 0": Fault(dh(share=0), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a share of 1": Fault(dh(share=1), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a share of p - 1": Fault(dh(share=P - 1), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    "a share beyond p": Fault(dh(share=P + 2), PeerMisbehaved, Reason.INVALID_DH_SHARE, DHE),
    # 7.4.4, 7.4.5
    "a CertificateRequest without kinds of keys": Fault(
        instead(
            tls12.ServerHelloDone,
            framed(HandshakeType.certificate_request, b"\x00\x00\x02\x04\x03\x00\x00"),
            keep=True,
            before=True,
        ),
        BadMessage,
        Reason.MALFORMED,
    ),
    "two CertificateRequest": Fault(
        instead(
            tls12.ServerHelloDone,
            *[tls12.CertificateRequest([64], [0x0403], []).encode()] * 2,
            keep=True,
            before=True,
        ),
        PeerMisbehaved,
        Reason.UNEXPECTED_MESSAGE,
    ),
    "a ServerHelloDone with something in it": Fault(
        replace(tls12.ServerHelloDone, lambda _: b"\x00"), BadMessage, Reason.MALFORMED
    ),
    # RFC 5077 3.3
    "a ticket that was announced and does not come": Fault(
        instead(tls12.NewSessionTicket), PeerMisbehaved, Reason.UNEXPECTED_RECORD
    ),
    "a ticket that was not announced": Fault(
        edit(ServerHello, lambda hello: hello.extensions.pop(E.session_ticket)),
        PeerMisbehaved,
        Reason.UNEXPECTED_MESSAGE,
    ),
    "two tickets": Fault(
        instead(tls12.NewSessionTicket, TICKET, keep=True), PeerMisbehaved, Reason.UNEXPECTED_MESSAGE
    ),
    # 7.4.9
    "a Finished of something else": Fault(
        replace(Finished, lambda body: bytes([body[0] ^ 1]) + body[1:]), PeerMisbehaved, Reason.BAD_FINISHED
    ),
    "a Finished that is short": Fault(
        replace(Finished, lambda body: body[:-1]), BadMessage, Reason.MALFORMED
    ),
    "a Finished as long as in TLS 1.3": Fault(
        replace(Finished, lambda body: body + bytes(20)), BadMessage, Reason.MALFORMED
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_rule_is_found(name: str) -> None:
    """And told by the alert that goes with its reason."""
    fault = FAULTS[name]
    alert = alert_for(fault.error(fault.reason) if fault.error is not BadMessage else BadMessage(""), V12)
    error = client_refuses(
        fault.tamper,
        fault.reason,
        alert,
        client=client12(**fault.suites),
        server=server12(**fault.suites, **KEYS),
    )
    assert type(error) is fault.error


V12 = ProtocolVersion.TLSv1_2


@pytest.mark.parametrize(
    "name", ["a share of zeros", "a field of 1024 bits", "a signature of something else"]
)
def test_nothing_follows_a_faulty_key_exchange(name: str) -> None:
    """No ClientKeyExchange: the client says nothing of what it would have made of it."""
    fault = FAULTS[name]
    victim = ClientConnection(client12(**fault.suites, trace=True), "localhost")
    run(victim, rogue_server(fault.tamper, server12(**fault.suites, **KEYS)), victim)
    assert victim.trace is not None
    names = [
        getattr(event, "name", "") for event in victim.trace.events if event.kind in ("message", "secret")
    ]
    assert "ClientKeyExchange" not in names
    assert "master_secret" not in names


def test_a_server_is_done_once() -> None:
    """The client has answered the first ServerHelloDone by then."""
    client, server = connect_pair(client12(), server12())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    with pytest.raises(PeerMisbehaved) as caught:
        client.receive_data(plaintext(ContentType.handshake, tls12.ServerHelloDone().encode()))
    assert caught.value.reason is Reason.UNEXPECTED_MESSAGE
    assert client.state == "FAILED"


# -- a session that is resumed

AES_128, AES_256 = (f"TLS_ECDHE_ECDSA_WITH_AES_{bits}" for bits in ("128_GCM_SHA256", "256_GCM_SHA384"))


@pytest.mark.parametrize("kind", ["ticket", "session ID"])
def test_a_session_is_resumed_with_its_own_suite(kind: Any) -> None:
    """RFC 5246 7.4.1.3: cipher_suite "is the value from the state of the session being resumed"."""
    both = {"protocols": ["TLSv1.2"], "cipher_suites": [AES_128, AES_256]}
    meeting = Meeting(kind, both, both)
    meeting.resumes()
    client = ClientConnection(client12(**meeting.client_knobs()), "localhost")
    server = rogue_server(put(ServerHello, cipher_suite=0xC02C), server12(**meeting.server_knobs()))
    error = run(client, server, client)
    assert_refused(client, server, error, Reason.SESSION_MISMATCH, AlertDescription.illegal_parameter)


@pytest.mark.parametrize("kind", ["ticket", "session ID"])
def test_a_session_that_is_not_resumed_leads_to_no_abbreviated_handshake(kind: Any) -> None:
    """Without the echo of the ID the client waits for a certificate, whatever it offered."""
    meeting = Meeting(kind, {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.2"]})
    meeting.resumes()
    client = ClientConnection(client12(**meeting.client_knobs()), "localhost")
    tamper = edit(ServerHello, lambda hello: setattr(hello, "legacy_session_id_echo", bytes(32)))
    server = rogue_server(tamper, server12(**meeting.server_knobs()))
    error = run(client, server, client)
    assert_refused(client, server, error, Reason.UNEXPECTED_RECORD, AlertDescription.unexpected_message)


@pytest.mark.parametrize("kind", ["ticket", "session ID"])
def test_a_session_is_worth_nothing_without_its_secret(kind: Any) -> None:
    """Who knows the ticket or the ID alone cannot make a Finished."""
    meeting = Meeting(kind, {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.2"]})
    meeting.resumes()
    client = ClientConnection(client12(**meeting.client_knobs()), "localhost")
    tamper = replace(Finished, lambda body: bytes(len(body)))
    server = rogue_server(tamper, server12(**meeting.server_knobs()))
    error = run(client, server, client)
    assert_refused(client, server, error, Reason.BAD_FINISHED, AlertDescription.decrypt_error)
    assert not client.handshake_complete


def test_a_server_name_may_be_acknowledged_in_a_resumption() -> None:
    """RFC 6066 3 forbids it to servers; that some do harms nobody."""
    meeting = Meeting("ticket", {"protocols": ["TLSv1.2"]}, {"protocols": ["TLSv1.2"]})
    meeting.resumes()
    client = ClientConnection(client12(**meeting.client_knobs()), "localhost")
    tamper = edit(ServerHello, lambda hello: hello.extensions.add(ext.ServerNameAcknowledged()))
    server = rogue_server(tamper, server12(**meeting.server_knobs()))
    for _ in range(2):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    assert client.negotiated is not None
    assert client.negotiated.resumed
