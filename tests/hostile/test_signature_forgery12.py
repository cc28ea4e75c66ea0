"""Forged proofs in TLS 1.2: the signature over the server's share, the client's over the handshake, Finished.

Weak hashes are in test_sloth.py, the parameters of finite fields in test_logjam.py. Unlike in TLS 1.3 no
context string tells whose signature it is and of what: it covers both randoms and the parameters, in a
ServerKeyExchange, or all the messages so far, in a CertificateVerify (RFC 5246 7.4.3, 7.4.8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import credential, pump
from rogue import Tamper, edit
from rogue12 import (
    EXCHANGES,
    By,
    Side,
    client_of,
    meeting,
    met12,
    mutual_client_of,
    mutual_server_of,
    refused12,
    rogue12,
    server_of,
)

from pellucid.codes import AlertDescription, SignatureScheme
from pellucid.crypto.kdf import hash_digest
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.messages import Finished, HandshakeMessage, ServerHello, tls12

A = AlertDescription
S = SignatureScheme
EPHEMERAL = ["ECDHE_ECDSA", "ECDHE_RSA", "DHE_RSA"]
BOTH = pytest.mark.parametrize("side", ["client", "server"])
EACH = pytest.mark.parametrize("exchange", EXCHANGES)

CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda signature: signature[:-1],
    "longer": lambda signature: signature + b"\x00",
    "a bit flipped": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "zeros": lambda signature: bytes(len(signature)),
    "r and s zero": lambda _: bytes.fromhex("3006020100020100"),
}
OTHER = credential("ecdsa", "server", ("elsewhere.test",))


def signature_becomes(kind: type[Any], change: Callable[[bytes], bytes]) -> Tamper:
    return edit(kind, lambda message: setattr(message, "signature", change(message.signature)))


# -- the server's


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("exchange", EPHEMERAL)
def test_a_faulty_signature_of_a_server_is_refused(exchange: str, change: Callable[[bytes], bytes]) -> None:
    refused12(
        "client",
        Reason.BAD_SIGNATURE,
        A.decrypt_error,
        signature_becomes(tls12.ServerKeyExchange, change),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


Content = Callable[[bytes, bytes, bytes], bytes]

#: What a server might sign instead: of the client's random, its own, and the parameters.
CONTENTS: dict[str, Content] = {
    "without the randoms": lambda _client, _server, params: params,
    "the client's random alone": lambda client, _server, params: client + params,
    "the server's random alone": lambda _client, server, params: server + params,
    "in another order": lambda client, server, params: server + client + params,
    "randoms of another connection": lambda _client, _server, params: bytes(64) + params,
    "the randoms alone": lambda client, server, _params: client + server,
    "a hash of it": lambda client, server, params: hash_digest("sha256", client + server + params),
}


def signing_with(key: Any, scheme: SignatureScheme, content: Content) -> Tamper:
    random: list[bytes] = []

    def tamper(hs: Any, message: HandshakeMessage) -> list[bytes]:
        if isinstance(message, ServerHello):
            random.append(message.random)
        elif isinstance(message, tls12.ServerKeyExchange):
            signed = content(hs.client_random, random[0], message.signed_params)
            message.algorithm, message.signature = scheme, key.sign(scheme, signed, tls12=True)
            message.encode()
        return [message.raw]

    return tamper


@pytest.mark.parametrize("content", CONTENTS.values(), ids=list(CONTENTS))
def test_a_signature_of_something_else_is_refused(content: Content) -> None:
    tamper = signing_with(credential(), S.ecdsa_secp256r1_sha256, content)
    refused12("client", Reason.BAD_SIGNATURE, A.decrypt_error, tamper)


def test_a_signature_by_another_key_is_refused() -> None:
    """Somebody shows the server's certificate, and has a key of his own."""
    tamper = signing_with(OTHER, S.ecdsa_secp256r1_sha256, lambda *parts: b"".join(parts))
    refused12("client", Reason.BAD_SIGNATURE, A.decrypt_error, tamper)


def test_the_right_signature_is_taken() -> None:
    """The tests above differ from this one in one thing each."""
    tamper = signing_with(credential(), S.ecdsa_secp256r1_sha256, lambda *parts: b"".join(parts))
    client, server, victim, _ = meeting("client", client_of(sessions=None), server_of(), tamper)
    pump(client, server)
    assert victim.handshake_complete


@pytest.mark.parametrize(
    "scheme", [S.ed448, S.mldsa65, 0x1A1A, 0xFFFF], ids=["ed448", "mldsa65", "GREASE", "-"]
)
@pytest.mark.parametrize("kind", [tls12.ServerKeyExchange, tls12.CertificateVerify])
def test_a_scheme_that_was_not_offered_signs_nothing(kind: type[Any], scheme: int) -> None:
    side: Side = "client" if kind is tls12.ServerKeyExchange else "server"
    change = edit(kind, lambda message: setattr(message, "algorithm", scheme))
    client, server = mutual_client_of(), mutual_server_of()
    refused12(side, Reason.SCHEME_NOT_OFFERED, A.illegal_parameter, change, client=client, server=server)


# -- the client's


@EACH
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_faulty_signature_of_a_client_is_refused(exchange: str, change: Callable[[bytes], bytes]) -> None:
    refused12(
        "server",
        Reason.BAD_SIGNATURE,
        A.decrypt_error,
        signature_becomes(tls12.CertificateVerify, change),
        client=mutual_client_of(exchange),
        server=mutual_server_of(exchange),
    )


def verifying(key: Any, content: Callable[[bytes], bytes]) -> Tamper:
    """A CertificateVerify by this key, over what becomes of the messages so far."""

    def tamper(hs: Any, message: HandshakeMessage) -> list[bytes]:
        if isinstance(message, tls12.CertificateVerify):
            assert isinstance(message.algorithm, SignatureScheme)
            message.signature = key.sign(message.algorithm, content(hs.transcript.messages), tls12=True)
            message.encode()
        return [message.raw]

    return tamper


CLIENT = credential("ecdsa", "client")


@EACH
def test_the_right_signature_of_a_client_is_taken(exchange: str) -> None:
    tamper = verifying(CLIENT, lambda messages: messages)
    client, server, victim, _ = meeting(
        "server", mutual_client_of(exchange), mutual_server_of(exchange), tamper
    )
    pump(client, server)
    assert victim.handshake_complete


@EACH
@pytest.mark.parametrize(
    "content",
    [
        lambda messages: messages[:-1],
        lambda messages: messages[4:],
        lambda _: b"",
        lambda messages: hash_digest("sha256", messages),
        lambda messages: (
            b" " * 64 + b"TLS 1.3, client CertificateVerify\x00" + hash_digest("sha256", messages)
        ),
    ],
    ids=["a byte less", "without a header", "nothing", "a hash", "as in TLS 1.3"],
)
def test_a_client_s_signature_of_something_else_is_refused(
    exchange: str, content: Callable[[bytes], bytes]
) -> None:
    refused12(
        "server",
        Reason.BAD_SIGNATURE,
        A.decrypt_error,
        verifying(CLIENT, content),
        client=mutual_client_of(exchange),
        server=mutual_server_of(exchange),
    )


@EACH
def test_a_certificate_of_somebody_else_is_worth_nothing(exchange: str) -> None:
    """Certificates are seen in clear; only the key makes one's own of it."""
    refused12(
        "server",
        Reason.BAD_SIGNATURE,
        A.decrypt_error,
        verifying(OTHER, lambda messages: messages),
        client=mutual_client_of(exchange),
        server=mutual_server_of(exchange),
    )


def test_a_client_without_a_certificate_is_refused_where_one_is_required() -> None:
    """RFC 5246 7.4.6: with handshake_failure, for want of an alert of its own."""
    client = client_of(sessions=None)
    reason = Reason.CLIENT_CERTIFICATE_MISSING
    refused12("server", reason, A.handshake_failure, client=client, server=mutual_server_of())


@EACH
def test_a_server_without_a_certificate_is_refused(exchange: str) -> None:
    """Anonymous key exchange by the back door."""
    none = edit(tls12.Certificate, lambda message: setattr(message, "certificate_list", []))
    client, server = client_of(exchange, sessions=None), server_of(exchange)
    refused12("client", Reason.EMPTY_CERTIFICATE, A.decode_error, none, client=client, server=server)


# -- Finished


@pytest.mark.parametrize(
    "change",
    [
        lambda data: bytes(len(data)),
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes([data[0] ^ 0x80]) + data[1:],
        lambda data: data[::-1],
    ],
    ids=["zeros", "the last bit flipped", "the first bit flipped", "reversed"],
)
@BOTH
@EACH
def test_a_wrong_finished_is_refused(exchange: str, side: Side, change: Callable[[bytes], bytes]) -> None:
    refused12(
        side,
        Reason.BAD_FINISHED,
        A.decrypt_error,
        edit(Finished, lambda message: setattr(message, "verify_data", change(message.verify_data))),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


@pytest.mark.parametrize("by", ["ticket", "session ID"])
@BOTH
def test_a_wrong_finished_is_refused_in_a_resumption(side: Side, by: By) -> None:
    client, server = met12(by=by)
    flip = edit(Finished, lambda message: setattr(message, "verify_data", message.verify_data[::-1]))
    refused12(side, Reason.BAD_FINISHED, A.decrypt_error, flip, client=client, server=server)


@pytest.mark.parametrize("length", [0, 1, 11, 13, 32, 48])
@BOTH
def test_a_finished_of_another_length_is_malformed(side: Side, length: int) -> None:
    """A comparison up to the shorter length would take a MAC of one byte."""

    def change(message: Any) -> None:
        message.verify_data = (message.verify_data * 4)[:length]

    refused12(side, Reason.MALFORMED, A.decode_error, edit(Finished, change))


def reflecting(first: Side, heard: list[bytes]) -> tuple[Tamper, Tamper]:
    """(of who speaks first, of the other): the second says in its Finished what the first has said."""

    def listen(_hs: Any, message: HandshakeMessage) -> list[bytes]:
        if isinstance(message, Finished):
            heard.append(message.verify_data)
        return [message.raw]

    def reflect(_hs: Any, message: HandshakeMessage) -> list[bytes]:
        if isinstance(message, Finished):
            message.verify_data = heard[0]
            message.encode()
        return [message.raw]

    return (listen, reflect) if first == "client" else (reflect, listen)


@pytest.mark.parametrize("by", [None, "ticket", "session ID"])
def test_a_reflected_finished_is_refused(by: By | None) -> None:
    """RFC 5246 7.4.9: "client finished" and "server finished" are the labels of the two."""
    config_of_client, config_of_server = met12(by=by) if by else (client_of(sessions=None), server_of())
    # In a resumption the server speaks first.
    of_client, of_server = reflecting("server" if by else "client", [])
    client = rogue12("client", config_of_client, of_client)
    server = rogue12("server", config_of_server, of_server)
    with pytest.raises(PeerMisbehaved) as caught:
        pump(client, server)
    assert caught.value.reason is Reason.BAD_FINISHED
    assert (server if by else client).failure is caught.value
