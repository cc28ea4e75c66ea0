"""Extensions of TLS 1.2 where they must not be: unasked, of another message or version, twice, contradictory.

As in test_extension_rules.py. RFC 5246 7.4.1.4: what a ServerHello answers "MUST NOT appear [...] unless the
same extension type appeared in the corresponding ClientHello", and is refused with unsupported_extension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import client_config, connect_pair, pump, server_config
from rogue import client_refuses, edit
from rogue12 import By, client_of, meeting, met12, refused12, server_of

from pellucid.codes import AlertDescription, ExtensionType
from pellucid.errors import Reason
from pellucid.messages import ClientHello, Extensions, HelloRetryRequest, ServerHello, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.messages.extensions import TABLE, Context

A = AlertDescription
E = ExtensionType
ILLEGAL = A.illegal_parameter


def adding(code: int, body: Any = None) -> Callable[[Any], None]:
    """Put an extension into a hello, in front: pre_shared_key stays the last."""

    def change(hello: Any) -> None:
        rest = dict(hello.extensions)
        hello.extensions.clear()
        hello.extensions[code] = ext.UnknownExtension(b"") if body is None else body
        hello.extensions.update({other: value for other, value in rest.items() if other != code})

    return change


def refused(change: Callable[[Any], None], reason: Reason, alert: A, **knobs: Any) -> None:
    """By a client whose server of TLS 1.2 says so."""
    client = client_of(sessions=None, **knobs)
    refused12("client", reason, alert, edit(ServerHello, change), client=client)


# -- not asked for

#: Of what a ServerHello may hold, what this client has not asked for.
UNASKED: dict[str, tuple[int, Any]] = {
    "unknown": (0x1234, None),
    "GREASE": (0x1A1A, None),
    "ALPN": (E.application_layer_protocol_negotiation, ext.ProtocolNameList([b"h2"])),
    "max_fragment_length": (E.max_fragment_length, ext.MaxFragmentLength(1)),
    "record_size_limit": (E.record_size_limit, ext.RecordSizeLimit(64)),
    "status_request": (E.status_request, ext.CertificateStatusRequested()),
    "session_ticket": (E.session_ticket, ext.SessionTicketAcknowledged()),
    "encrypt_then_mac": (E.encrypt_then_mac, ext.EncryptThenMac()),
    "certificate transparency": (
        E.signed_certificate_timestamp,
        ext.SignedCertificateTimestampList([b"sct"]),
    ),
    "heartbeat": (E.heartbeat, ext.UnknownExtension(b"\x01")),
    "use_srtp": (E.use_srtp, None),
    "client_certificate_type": (E.client_certificate_type, ext.ClientCertTypeAnswer(0)),
    "server_certificate_type": (E.server_certificate_type, ext.ServerCertTypeAnswer(0)),
}


@pytest.mark.parametrize("code, body", UNASKED.values(), ids=list(UNASKED))
def test_an_answer_to_no_question_is_refused(code: int, body: Any) -> None:
    refused(adding(code, body), Reason.UNSOLICITED_EXTENSION, A.unsupported_extension)


def test_no_binding_is_answered_to_who_has_not_offered_it() -> None:
    change = adding(E.extended_master_secret, ext.ExtendedMainSecret())
    client = client_of(sessions=None, extended_master_secret="never")
    server = server_of(extended_master_secret="optional")
    tamper = edit(ServerHello, change)
    reason, alert = Reason.UNSOLICITED_EXTENSION, A.unsupported_extension
    refused12("client", reason, alert, tamper, client=client, server=server)


def test_no_server_name_is_acknowledged_where_none_was_sent() -> None:
    """To an IP address."""
    change = adding(E.server_name, ext.ServerNameAcknowledged())
    _, server, _, _ = meeting("client", client_of(), server_of(), edit(ServerHello, change))
    client, _ = connect_pair(client_of(sessions=None), server_name="127.0.0.1")
    server.receive_data(client.data_to_send())
    with pytest.raises(Exception, match="unsolicited_extension"):
        client.receive_data(server.data_to_send())


# -- of another message, or another version

FORBIDDEN = [pytest.param(code, id=E(code).name) for code, row in TABLE.items() if Context.SH12 not in row]
#: With it the hello is one of TLS 1.3.
THIRTEEN = {E.supported_versions}


@pytest.mark.parametrize("code", FORBIDDEN)
def test_an_extension_of_another_message_is_refused(code: int) -> None:
    """Those of TLS 1.3 among them: key_share, pre_shared_key, early_data in an answer of TLS 1.2."""
    if code not in THIRTEEN:
        refused(adding(code), Reason.FORBIDDEN_EXTENSION, ILLEGAL)


@pytest.mark.parametrize(
    "body",
    [
        ext.RenegotiationInfo(b""),
        ext.ExtendedMainSecret(),
        ext.ECPointFormatList([0]),
        ext.SessionTicketAcknowledged(),
        ext.EncryptThenMac(),
    ],
    ids=lambda body: type(body).__name__,
)
@pytest.mark.parametrize("kind", [ServerHello, HelloRetryRequest])
def test_an_answer_of_tls_13_has_none_of_tls_12(kind: type[Any], body: Any) -> None:
    """They were asked for, by the same hello, for the case that it would be TLS 1.2."""
    client = client_config(policy="compatible", groups=["x25519", "secp256r1"])
    server = server_config(groups=["secp256r1"], protocols=["TLSv1.3"])
    change = edit(kind, adding(body.extension_type, body))
    client_refuses(change, Reason.FORBIDDEN_EXTENSION, ILLEGAL, client=client, server=server)


class Twice(Extensions):
    """A list that writes each of its extensions two times."""

    __slots__ = ()

    def items(self) -> Any:
        return [*super().items(), *super().items()]


def doubled(hello: Any) -> None:
    hello.extensions = Twice(hello.extensions)


@pytest.mark.parametrize("kind, side", [(ServerHello, "client"), (ClientHello, "server")])
def test_an_extension_that_stands_twice_is_refused(kind: type[Any], side: Any) -> None:
    refused12(side, Reason.ILLEGAL_PARAMETER, ILLEGAL, edit(kind, doubled))


# -- what they say


@pytest.mark.parametrize(
    "names",
    [[b"http/1.1"], [b"h2", b"http/1.1"], [b"h2", b"h2"], [b"\xff"]],
    ids=["another", "two", "one twice", "no text"],
)
def test_a_protocol_that_was_not_offered_is_refused(names: list[bytes]) -> None:
    """ALPACA: who speaks which protocol is settled by the handshake, or there is none."""
    change = adding(E.application_layer_protocol_negotiation, ext.ProtocolNameList(names))
    refused(change, Reason.ALPN_NOT_OFFERED, ILLEGAL, alpn_protocols=["h2"])


def test_a_server_with_other_protocols_refuses() -> None:
    client = client_of(sessions=None, alpn_protocols=["http/1.1"])
    server = server_of(alpn_protocols=["h2"])
    reason = Reason.NO_SHARED_APPLICATION_PROTOCOL
    refused12("server", reason, A.no_application_protocol, client=client, server=server)


@pytest.mark.parametrize("by", ["ticket", "session ID"])
def test_a_resumption_has_a_protocol_of_its_own(by: By) -> None:
    """RFC 7301 3.1: "only the values in the new handshake messages are considered"."""
    client, server = met12(by=by, alpn_protocols=["http/1.1"])
    strict = server_of(
        alpn_protocols=["h2"], tickets=server.ticket_keys or False, session_cache=server.cache or False
    )
    reason = Reason.NO_SHARED_APPLICATION_PROTOCOL
    refused12("server", reason, A.no_application_protocol, client=client, server=strict)


@pytest.mark.parametrize(
    "change, knobs",
    [
        (adding(E.max_fragment_length, ext.MaxFragmentLength(4)), {"max_fragment_length": 512}),
        (adding(E.max_fragment_length, ext.MaxFragmentLength(0)), {"max_fragment_length": 512}),
        (adding(E.max_fragment_length, ext.MaxFragmentLength(5)), {"max_fragment_length": 512}),
        (adding(E.record_size_limit, ext.RecordSizeLimit(63)), {"record_size_limit": 512}),
        (adding(E.record_size_limit, ext.RecordSizeLimit(0)), {"record_size_limit": 512}),
    ],
    ids=["another length", "no length", "an unknown length", "too small a limit", "none at all"],
)
def test_a_size_that_cannot_be_is_refused(change: Callable[[Any], None], knobs: dict[str, int]) -> None:
    refused(change, Reason.ILLEGAL_PARAMETER, ILLEGAL, **knobs)


@pytest.mark.parametrize(
    "body",
    [ext.MaxFragmentLength(0), ext.MaxFragmentLength(5), ext.MaxFragmentLength(255), ext.RecordSizeLimit(63)],
    ids=str,
)
def test_a_server_refuses_a_size_that_cannot_be(body: Any) -> None:
    change = edit(ClientHello, adding(body.extension_type, body))
    refused12("server", Reason.ILLEGAL_PARAMETER, ILLEGAL, change)


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
    refused12("server", Reason.ILLEGAL_PARAMETER, ILLEGAL, change)


def test_strangers_in_a_client_hello_are_ignored() -> None:
    """RFC 5246 7.4.1.4: what a server does not know it leaves unanswered."""
    tamper = edit(ClientHello, adding(0x1A1A, ext.UnknownExtension(b"whatever")))
    client, server, victim, _ = meeting("server", client_of(sessions=None), server_of(), tamper)
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    answer = decode_handshake(flight[5 : 9 + int.from_bytes(flight[6:9], "big")])
    assert isinstance(answer, ServerHello)
    assert 0x1A1A not in answer.extensions
    client.receive_data(flight)
    pump(client, server)
    assert victim.handshake_complete
