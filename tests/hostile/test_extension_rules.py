"""Extensions where they must not be: unasked, of another message, twice, or in the wrong place.

RFC 9846 4.3: what was not asked for ends the handshake with unsupported_extension, what is known and does not
belong into a message with illegal_parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, credential, pump, server_config, shake_hands
from rogue import (
    client_refuses,
    connected_rogue,
    edit,
    refuses_data,
    rogue_server,
    run,
    send,
    server_refuses,
)

from pellucid import ClientConfig, ClientConnection, ServerConfig
from pellucid.codes import AlertDescription, ExtensionType, PskKeyExchangeMode, SignatureScheme
from pellucid.errors import Reason
from pellucid.messages import (
    Certificate,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    Extensions,
    HandshakeMessage,
    HelloRetryRequest,
    NewSessionTicket,
    ServerHello,
)
from pellucid.messages import extensions as ext
from pellucid.messages.extensions import TABLE, Context

A = AlertDescription
E = ExtensionType


@cache
def client() -> ClientConfig:
    """Shows a certificate, and needs a HelloRetryRequest, so that every kind of message is sent."""
    return client_config(
        groups=["x25519", "secp256r1"],
        credentials=[credential("ecdsa", "client")],
        alpn_protocols=["h2"],
        sessions=None,
    )


@cache
def server() -> ServerConfig:
    return server_config(groups=["secp256r1"], client_authentication="required", alpn_protocols=["h2"])


def extensions_of(message: Any) -> Extensions:
    """The one list of extensions that a message has, of its first certificate where it has several."""
    found: Extensions = (
        message.certificate_list[0].extensions if isinstance(message, Certificate) else message.extensions
    )
    return found


def adding(code: int, body: Any = None) -> Callable[[Any], None]:
    """Put an extension into a message, in front: pre_shared_key stays the last."""

    def change(message: Any) -> None:
        extensions = extensions_of(message)
        rest = dict(extensions)
        extensions.clear()
        extensions[code] = ext.UnknownExtension(b"") if body is None else body
        extensions.update({other: value for other, value in rest.items() if other != code})

    return change


def refused(
    kind: type[HandshakeMessage], side: str, change: Callable[[Any], Any], reason: Reason, alert: A
) -> None:
    refuses = client_refuses if side == "client" else server_refuses
    refuses(edit(kind, change), reason, alert, client=client(), server=server())


# -- not asked for

ANSWERS: list[tuple[type[HandshakeMessage], str]] = [
    (ServerHello, "client"),
    (HelloRetryRequest, "client"),
    (EncryptedExtensions, "client"),
    (Certificate, "client"),
    (Certificate, "server"),
]
IDS = [f"{kind.__name__} to a {side}" for kind, side in ANSWERS]


@pytest.mark.parametrize("code", [0x1234, 0x1A1A, E.dnssec_chain], ids=["unknown", "GREASE", "registered"])
@pytest.mark.parametrize("kind, side", ANSWERS, ids=IDS)
def test_an_unknown_extension_in_an_answer_is_refused(
    kind: type[HandshakeMessage], side: str, code: int
) -> None:
    refused(kind, side, adding(code), Reason.UNSOLICITED_EXTENSION, A.unsupported_extension)


#: Extensions that may stand in an answer and that the other side has not asked for.
UNASKED: list[tuple[type[HandshakeMessage], str, int, Any]] = [
    (ServerHello, "client", E.pre_shared_key, ext.SelectedPsk(0)),
    (EncryptedExtensions, "client", E.max_fragment_length, ext.MaxFragmentLength(1)),
    (EncryptedExtensions, "client", E.use_srtp, None),
    (EncryptedExtensions, "client", E.heartbeat, None),
    (EncryptedExtensions, "client", E.client_certificate_type, ext.ClientCertTypeAnswer(0)),
    (EncryptedExtensions, "client", E.server_certificate_type, ext.ServerCertTypeAnswer(0)),
    (EncryptedExtensions, "client", E.record_size_limit, ext.RecordSizeLimit(64)),
    (EncryptedExtensions, "client", E.early_data, None),
    (EncryptedExtensions, "client", E.quic_transport_parameters, None),
    (Certificate, "client", E.status_request, ext.CertificateStatus(1, b"staple")),
    (Certificate, "client", E.signed_certificate_timestamp, ext.SignedCertificateTimestampList([b"sct"])),
    (Certificate, "client", E.delegated_credential, None),
    (Certificate, "server", E.status_request, ext.CertificateStatus(1, b"staple")),
    (Certificate, "server", E.signed_certificate_timestamp, ext.SignedCertificateTimestampList([b"sct"])),
]


@pytest.mark.parametrize(
    "kind, side, code, body",
    UNASKED,
    ids=[f"{kind.__name__}-{side}-{E(code).name}" for kind, side, code, _ in UNASKED],
)
def test_an_answer_to_no_question_is_refused(
    kind: type[HandshakeMessage], side: str, code: int, body: Any
) -> None:
    refused(kind, side, adding(code, body), Reason.UNSOLICITED_EXTENSION, A.unsupported_extension)


def test_no_server_name_is_acknowledged_where_none_was_sent() -> None:
    config = client_config(sessions=None)
    victim = ClientConnection(config, "127.0.0.1")
    rogue = rogue_server(edit(EncryptedExtensions, adding(E.server_name)))
    assert run(victim, rogue, victim).reason is Reason.UNSOLICITED_EXTENSION


def test_no_protocol_is_chosen_where_none_was_offered() -> None:
    change = edit(
        EncryptedExtensions, adding(E.application_layer_protocol_negotiation, ext.ProtocolNameList([b"h2"]))
    )
    client_refuses(change, Reason.UNSOLICITED_EXTENSION, A.unsupported_extension)


# -- ignored where the RFC says so


@pytest.mark.parametrize("code", [0x1234, 0x1A1A], ids=["unknown", "GREASE"])
def test_unknown_extensions_of_requests_are_ignored(code: int) -> None:
    """RFC 9846 9.3: in a ClientHello, a CertificateRequest and a NewSessionTicket."""
    for side, kind in (("server", ClientHello), ("client", CertificateRequest)):
        victim, _ = connected_rogue(side, edit(kind, adding(code)), client=client(), server=server())
        assert victim.handshake_complete


def test_unknown_extensions_of_a_ticket_are_ignored() -> None:
    victim, rogue = connected_rogue("client")
    ticket = NewSessionTicket(60, 0, b"n", b"ticket", Extensions({0x1A1A: ext.UnknownExtension(b"x")}))
    assert len(victim.receive_data(send(rogue, ticket.encode()))) == 1


# -- of another message

MESSAGES: list[tuple[Context, type[HandshakeMessage], str]] = [
    (Context.CH, ClientHello, "server"),
    (Context.SH, ServerHello, "client"),
    (Context.HRR, HelloRetryRequest, "client"),
    (Context.EE, EncryptedExtensions, "client"),
    (Context.CR, CertificateRequest, "client"),
    (Context.CT, Certificate, "client"),
    (Context.CT, Certificate, "server"),
]
FORBIDDEN = [
    pytest.param(kind, side, code, id=f"{E(code).name}-{kind.__name__}-{side}")
    for context, kind, side in MESSAGES
    for code, row in TABLE.items()
    if context not in row
]


@pytest.mark.parametrize("kind, side, code", FORBIDDEN)
def test_an_extension_of_another_message_is_refused(
    kind: type[HandshakeMessage], side: str, code: int
) -> None:
    refused(kind, side, adding(code), Reason.FORBIDDEN_EXTENSION, A.illegal_parameter)


@pytest.mark.parametrize(
    "code", [E.server_name, E.key_share, E.pre_shared_key, E.supported_versions], ids=str
)
def test_an_extension_of_another_message_in_a_ticket_is_refused(code: int) -> None:
    victim, rogue = connected_rogue("client")
    ticket = NewSessionTicket(60, 0, b"n", b"ticket", Extensions({code: ext.UnknownExtension(b"")})).encode()
    refuses_data(victim, rogue, send(rogue, ticket), Reason.FORBIDDEN_EXTENSION, A.illegal_parameter)


# -- twice


class Twice(Extensions):
    """A list that writes each of its extensions two times."""

    __slots__ = ()

    def items(self) -> Any:
        return [*super().items(), *super().items()]


def doubled(message: Any) -> None:
    found = extensions_of(message)
    twice = Twice(found or {0x1234: ext.UnknownExtension(b"")})
    if isinstance(message, Certificate):
        message.certificate_list[0].extensions = twice
    else:
        message.extensions = twice


@pytest.mark.parametrize("kind, side", [(kind, side) for _, kind, side in MESSAGES])
def test_an_extension_that_stands_twice_is_refused(kind: type[HandshakeMessage], side: str) -> None:
    refused(kind, side, doubled, Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


# -- what a ClientHello must have


@pytest.mark.parametrize("code", [E.supported_groups, E.key_share, E.signature_algorithms], ids=str)
def test_a_hello_lacks_what_it_must_have(code: int) -> None:
    """RFC 9846 9.2"""
    change = edit(ClientHello, lambda hello: hello.extensions.pop(code))
    server_refuses(change, Reason.MISSING_EXTENSION, A.missing_extension)


def test_a_hello_needs_signature_algorithms_even_with_a_psk_that_is_not_taken() -> None:
    """RFC 9846 4.3.3: where a server shows a certificate after all, it cannot know what to sign with."""
    resuming = resuming_pair()[0]
    change = edit(ClientHello, lambda hello: hello.extensions.pop(E.signature_algorithms))
    server_refuses(
        change, Reason.MISSING_EXTENSION, A.missing_extension, client=resuming, server=server_config()
    )


def resuming_pair() -> tuple[ClientConfig, ServerConfig]:
    """Configurations that have met: the client has a ticket that the server knows."""
    config, asked = client_config(), server_config()
    pump(*connect_pair(config, asked))
    return config, asked


def reordered(hello: ClientHello) -> None:
    psks = hello.extensions.pop(E.pre_shared_key)
    versions = hello.extensions.pop(E.supported_versions)
    hello.extensions.add(psks, versions)


def one_binder_more(hello: ClientHello) -> None:
    hello.extensions[E.pre_shared_key].binders.append(bytes(32))


PSK_FAULTS: dict[str, tuple[Callable[[ClientHello], Any], Reason, A]] = {
    "not last": (reordered, Reason.ILLEGAL_PARAMETER, A.illegal_parameter),
    "a binder too many": (one_binder_more, Reason.ILLEGAL_PARAMETER, A.illegal_parameter),
    "no modes": (
        lambda hello: hello.extensions.pop(E.psk_key_exchange_modes),
        Reason.MISSING_EXTENSION,
        A.missing_extension,
    ),
    "a binder of 31 bytes": (
        lambda hello: hello.extensions.update({E.pre_shared_key: ext.UnknownExtension(SHORT_BINDER)}),
        Reason.MALFORMED,
        A.decode_error,
    ),
    "no identity": (
        lambda hello: hello.extensions.update(
            {E.pre_shared_key: ext.UnknownExtension(bytes(2) + SHORT_BINDER[9:])}
        ),
        Reason.MALFORMED,
        A.decode_error,
    ),
}
SHORT_BINDER = b"\x00\x07\x00\x01x\x00\x00\x00\x00" + b"\x00\x20\x1f" + bytes(31)


@pytest.mark.parametrize("change, reason, alert", PSK_FAULTS.values(), ids=list(PSK_FAULTS))
def test_a_faulty_pre_shared_key_is_refused(
    change: Callable[[ClientHello], Any], reason: Reason, alert: A
) -> None:
    resuming, asked = resuming_pair()
    server_refuses(edit(ClientHello, change), reason, alert, client=resuming, server=asked)


def test_early_data_without_a_psk_is_refused() -> None:
    change = edit(ClientHello, adding(E.early_data, ext.EarlyDataIndication()))
    server_refuses(change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


def test_a_psk_without_diffie_hellman_is_not_taken() -> None:
    """psk_ke gives up forward secrecy: the server goes on with its certificate."""
    resuming, asked = resuming_pair()
    modes = ext.PskKeyExchangeModes([PskKeyExchangeMode.psk_ke])
    victim, _ = connected_rogue(
        "server", edit(ClientHello, adding(E.psk_key_exchange_modes, modes)), client=resuming, server=asked
    )
    assert victim.negotiated is not None
    assert not victim.negotiated.resumed


@pytest.mark.parametrize(
    "names",
    [
        [ext.ServerName(0, b"one.test"), ext.ServerName(0, b"two.test")],
        [ext.ServerName(0, "l\u00f6calhost".encode())],
        [ext.ServerName(0, b"localhost\r\nSet-Cookie: mine")],
        [ext.ServerName(0, b"localhost\x00")],
    ],
    ids=["two names", "not ASCII", "a line break", "a NUL"],
)
def test_a_faulty_server_name_is_refused(names: list[ext.ServerName]) -> None:
    change = edit(ClientHello, lambda hello: hello.extensions.add(ext.ServerNameList(names)))
    server_refuses(change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


# -- what a server's messages must have


def test_a_server_hello_lacks_its_share() -> None:
    change = edit(ServerHello, lambda hello: hello.extensions.pop(E.key_share))
    client_refuses(change, Reason.MISSING_EXTENSION, A.missing_extension)


@pytest.mark.parametrize("index", [1, 2, 65535])
def test_a_psk_that_was_not_offered_is_refused(index: int) -> None:
    resuming, asked = resuming_pair()
    change = edit(ServerHello, lambda hello: hello.extensions.add(ext.SelectedPsk(index)))
    client_refuses(change, Reason.PSK_NOT_OFFERED, A.illegal_parameter, client=resuming, server=asked)


def test_a_psk_with_a_suite_of_another_hash_is_refused() -> None:
    resuming, asked = resuming_pair()
    change = edit(ServerHello, lambda hello: setattr(hello, "cipher_suite", 0x1302))
    client_refuses(change, Reason.PSK_NOT_OFFERED, A.illegal_parameter, client=resuming, server=asked)


def test_a_psk_without_a_share_is_refused() -> None:
    """RFC 9846 4.3.11: a key_share has to be there, since only psk_dhe_ke was offered."""
    resuming, asked = resuming_pair()
    change = edit(ServerHello, lambda hello: hello.extensions.pop(E.key_share))
    client_refuses(change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter, client=resuming, server=asked)


@pytest.mark.parametrize("echo", [b"", bytes(32), bytes(31)], ids=["none", "another", "shorter"])
def test_another_session_id_is_refused(echo: bytes) -> None:
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_session_id_echo", echo))
    client_refuses(change, Reason.WRONG_SESSION_ID_ECHO, A.illegal_parameter)


@pytest.mark.parametrize(
    "names",
    [[b"http/1.1"], [b"h2", b"http/1.1"], [b"h2", b"h2"], [b"\xff"]],
    ids=["another", "two", "one twice", "no text"],
)
def test_a_protocol_that_was_not_offered_is_refused(names: list[bytes]) -> None:
    """ALPACA: who speaks which protocol is settled by the handshake, or there is none."""
    change = adding(E.application_layer_protocol_negotiation, ext.ProtocolNameList(names))
    refused(EncryptedExtensions, "client", change, Reason.ALPN_NOT_OFFERED, A.illegal_parameter)


def test_a_request_without_signature_algorithms_is_refused() -> None:
    refused(
        CertificateRequest,
        "client",
        lambda request: request.extensions.pop(E.signature_algorithms),
        Reason.MISSING_EXTENSION,
        A.missing_extension,
    )


@pytest.mark.parametrize(
    "kind, side", [(CertificateRequest, "client"), (Certificate, "client"), (Certificate, "server")]
)
def test_a_context_during_the_handshake_is_refused(kind: type[HandshakeMessage], side: str) -> None:
    """RFC 9846 4.4.2, 4.5.1: it is for authentication after the handshake."""

    def change(message: Any) -> None:
        message.certificate_request_context = b"later"

    refused(kind, side, change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


def test_a_ticket_for_a_client_that_keeps_none_is_ignored() -> None:
    """RFC 9846 4.7.1: who does not resume ignores it."""
    victim, rogue = connected_rogue("client", client=client_config(sessions=None))
    ticket = NewSessionTicket(60, 0, b"n", b"ticket", Extensions()).encode()
    assert victim.receive_data(send(rogue, ticket)) == []


def test_schemes_of_the_request_are_not_those_of_the_hello() -> None:
    """A client with a key that the request does not want shows none: it sends an empty Certificate."""
    wanted = ext.SignatureSchemeList([SignatureScheme.ed25519])
    tamper = edit(CertificateRequest, adding(E.signature_algorithms, wanted))
    victim = ClientConnection(client(), NAME)
    rogue = rogue_server(tamper, server())
    error = run(victim, rogue, victim)
    assert error.reason is Reason.ALERT_RECEIVED
    assert rogue.failure is not None
    assert rogue.failure.reason is Reason.CLIENT_CERTIFICATE_MISSING


def test_resuming_works_untampered() -> None:
    resuming, asked = resuming_pair()
    again, _ = shake_hands(resuming, asked)
    assert again.negotiated is not None
    assert again.negotiated.resumed
