"""TLS 1.2: what the ServerHello says about what the ClientHello asked for, extension by extension."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from loopback import NAME, client12, client_config, connect_pair, credential, pump, server12, server_config
from rogue import client_refuses, edit, framed, honest, rogue_client, rogue_server, server_refuses

from pellucid import ClientConnection, Reason, ServerConnection, Trace
from pellucid.codes import (
    AlertDescription,
    CertificateStatusType,
    ECPointFormat,
    ExtensionType,
    HandshakeType,
    NamedGroup,
)
from pellucid.messages import Certificate, ClientHello, Extensions, ServerHello, tls12
from pellucid.messages import extensions as ext
from pellucid.trace.events import CheckEvent, MessageEvent

A, E = AlertDescription, ExtensionType
ECDHE_CBC = {
    "cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]
}
GCM = {"cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]}
RSA = {"cipher_suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}
RSA_KEY = {"credentials": [credential("rsa")]}
RESPONSE = b"what an OCSP responder says"
STATUS = tls12.CertificateStatus(CertificateStatusType.ocsp, RESPONSE)


def extensions(trace: Trace, name: str = "ServerHello") -> Extensions:
    messages = (event for event in trace.events if isinstance(event, MessageEvent))
    raw = next(event.raw for event in messages if event.name == name)
    found: Extensions = (ClientHello if name == "ClientHello" else ServerHello).decode(raw).extensions
    return found


def met(
    client: dict[str, Any], server: dict[str, Any], name: str = NAME
) -> tuple[ClientConnection, Extensions]:
    """The client of a handshake, and what the ServerHello had."""
    trace = Trace()
    pair = connect_pair(client12(trace=trace, **client), server12(**server), name)
    pump(*pair)
    assert pair[0].handshake_complete
    assert pair[1].handshake_complete
    return pair[0], extensions(trace)


def refused_by_client(
    change: Callable[[Any], object], reason: Reason, alert: A, *knobs: dict[str, Any]
) -> None:
    client, server = knobs or ({}, {})
    client_refuses(
        edit(ServerHello, change), reason, alert, client=client12(**client), server=server12(**server)
    )


# -- server_name


def test_a_server_acknowledges_the_name_that_it_has_a_certificate_for() -> None:
    """RFC 6066 3: "an extension of type "server_name" in the (extended) server hello"."""
    assert met({}, {})[1].find(ext.ServerNameAcknowledged) is not None
    assert E.server_name not in met({}, {}, "127.0.0.1")[1]


def test_a_server_does_not_acknowledge_a_name_that_is_not_its_own() -> None:
    trace = Trace()
    change = edit(
        ClientHello, lambda hello: hello.extensions.add(ext.ServerNameList([ext.ServerName(0, b"a.test")]))
    )
    rogue, victim = rogue_client(change, client12()), ServerConnection(server12(trace=trace))
    pump(rogue, victim)
    assert victim.negotiated is not None
    assert victim.negotiated.server_name == "a.test"
    assert E.server_name not in extensions(trace)


def test_an_acknowledgement_is_empty() -> None:
    change = lambda hello: hello.extensions.update({E.server_name: ext.UnknownExtension(b"\x00")})  # noqa: E731
    refused_by_client(change, Reason.MALFORMED, A.decode_error)


# -- application protocols


@pytest.mark.parametrize(
    "client, server, chosen",
    [
        (["h2", "http/1.1"], ["http/1.1", "h2"], "http/1.1"),
        (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        ([], ["h2"], None),
        (["h2"], [], None),
    ],
)
def test_the_servers_order_of_protocols_counts(
    client: list[str], server: list[str], chosen: str | None
) -> None:
    connection, found = met({"alpn_protocols": client}, {"alpn_protocols": server})
    assert connection.negotiated is not None
    assert connection.negotiated.alpn == chosen
    assert (E.application_layer_protocol_negotiation in found) is (chosen is not None)


def test_no_protocol_in_common() -> None:
    server_refuses(
        honest,
        Reason.NO_SHARED_APPLICATION_PROTOCOL,
        A.no_application_protocol,
        client=client12(alpn_protocols=["h2"]),
        server=server12(alpn_protocols=["http/1.1"]),
    )


@pytest.mark.parametrize("names", [[b"spdy/3"], [b"h2", b"http/1.1"]], ids=["another one", "two"])
def test_a_server_chooses_one_that_was_offered(names: list[bytes]) -> None:
    change = lambda hello: hello.extensions.add(ext.ProtocolNameList(names))  # noqa: E731
    both = {"alpn_protocols": ["h2", "http/1.1"]}
    refused_by_client(change, Reason.ALPN_NOT_OFFERED, A.illegal_parameter, both, both)


def test_a_resumed_handshake_agrees_on_a_protocol_of_its_own() -> None:
    client = client12(alpn_protocols=["h2", "http/1.1"])
    server = server12(alpn_protocols=["h2", "http/1.1"])
    pump(*connect_pair(client, server))
    pair = connect_pair(client, server12(alpn_protocols=["http/1.1"], tickets=server.ticket_keys))
    pump(*pair)
    for connection in pair:
        assert connection.negotiated is not None
        assert (connection.negotiated.resumed, connection.negotiated.alpn) == (True, "http/1.1")


# -- ec_point_formats


def test_point_formats_are_answered_where_points_are_exchanged() -> None:
    """RFC 8422 5.2: by a server that chooses a suite of elliptic curves."""
    found = met({}, {})[1].find(ext.ECPointFormatList)
    assert found is not None
    assert found.ec_point_format_list == [ECPointFormat.uncompressed]
    both = {"cipher_suites": [*GCM["cipher_suites"], *RSA["cipher_suites"]]}
    assert E.ec_point_formats not in met(both, both | RSA_KEY)[1]


def test_point_formats_are_not_answered_where_no_points_are_exchanged() -> None:
    """In a resumption, whose master secret there is already."""
    configs = client12(), server12()
    pump(*connect_pair(*configs))
    trace = Trace()
    client = client12(sessions=configs[0].sessions, trace=trace)
    pair = connect_pair(client, configs[1])
    pump(*pair)
    assert pair[0].negotiated is not None
    assert pair[0].negotiated.resumed
    assert E.ec_point_formats not in extensions(trace)


def test_groups_are_named_where_a_suite_needs_one() -> None:
    for suites, there in ((GCM, True), (RSA, False)):
        hello = ClientHello.decode(ClientConnection(client12(**suites), NAME).data_to_send()[5:])
        assert (E.supported_groups in hello.extensions) is there


def test_point_formats_are_not_answered_unasked() -> None:
    trace = Trace()
    rogue = rogue_client(
        edit(ClientHello, lambda hello: hello.extensions.pop(E.ec_point_formats)), client12()
    )
    victim = ServerConnection(server12(trace=trace))
    pump(rogue, victim)
    assert victim.handshake_complete
    assert E.ec_point_formats not in extensions(trace)


COMPRESSED = ext.ECPointFormatList([ECPointFormat.ansiX962_compressed_prime])


def test_everybody_knows_the_uncompressed_form() -> None:
    """RFC 8422 5.1.2: who does not is refused with illegal_parameter."""
    refused_by_client(
        lambda hello: hello.extensions.add(COMPRESSED), Reason.ILLEGAL_PARAMETER, A.illegal_parameter
    )
    change = edit(ClientHello, lambda hello: hello.extensions.add(COMPRESSED))
    server_refuses(
        change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter, client=client12(), server=server12()
    )


def test_other_forms_may_be_known_too() -> None:
    both = ext.ECPointFormatList([ECPointFormat.uncompressed, ECPointFormat.ansiX962_compressed_prime])
    rogue = rogue_server(edit(ServerHello, lambda hello: hello.extensions.add(both)), server12())
    client = ClientConnection(client12(sessions=None), NAME)
    rogue.receive_data(client.data_to_send())
    client.receive_data(rogue.data_to_send())
    assert client.state == "WAIT_CCS"


# -- encrypt_then_mac


@pytest.mark.parametrize("ours, theirs", [*product((True, False), (True, False))])
def test_encrypt_then_mac_takes_two(ours: bool, theirs: bool) -> None:
    client, found = met(ECDHE_CBC | {"encrypt_then_mac": ours}, ECDHE_CBC | {"encrypt_then_mac": theirs})
    assert (E.encrypt_then_mac in found) is (ours and theirs)
    assert "EncryptThenMac" in type(client._driver.writer._sealer).__name__ or not (ours and theirs)


def test_encrypt_then_mac_is_not_answered_with_an_aead() -> None:
    """RFC 7366 3: a server that chooses one "MUST NOT send" it."""
    assert E.encrypt_then_mac not in met(ECDHE_CBC, GCM)[1]
    change = lambda hello: hello.extensions.add(ext.EncryptThenMac())  # noqa: E731
    refused_by_client(change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter, ECDHE_CBC, GCM)


# -- extended_master_secret

POLICIES = ("required", "optional", "never")


@pytest.mark.parametrize("ours, theirs", [*product(POLICIES, POLICIES)])
def test_an_extended_master_secret_takes_two(ours: str, theirs: str) -> None:
    """RFC 7627 5.2: who requires it goes on with nobody who has it not."""
    knobs = {"extended_master_secret": ours}, {"extended_master_secret": theirs}
    both = "never" not in (ours, theirs)
    if both or "required" not in (ours, theirs):
        client, found = met(*knobs)
        assert (E.extended_master_secret in found) is both
        assert client.handshake_complete
        return
    refuses = client_refuses if ours == "required" else server_refuses
    error = refuses(
        honest,
        Reason.EXTENDED_MASTER_SECRET_MISSING,
        A.handshake_failure,
        client=client12(**knobs[0]),
        server=server12(**knobs[1]),
    )
    assert error.blame == "both"


def test_whether_there_is_one_is_in_the_trace() -> None:
    trace = Trace()
    knobs = {"extended_master_secret": "optional", "trace": trace}
    pump(*connect_pair(client12(**knobs), server12(**knobs)))
    checks = {
        (e.side, e.found)
        for e in trace.events
        if isinstance(e, CheckEvent) and e.what == "extended_master_secret"
    }
    assert checks == {("client", "both sides have it"), ("server", "both sides have it")}


# -- status_request


def stapling(announce: bool = True, messages: list[bytes] | None = None) -> Any:
    """A server with an OCSP response, which it may or may not announce, and send."""

    def staple(_hs: object, message: Any) -> list[bytes]:
        if isinstance(message, ServerHello) and announce:
            message.extensions.add(ext.CertificateStatusRequested())
            message.encode()
        if not isinstance(message, tls12.Certificate):
            return [message.raw]
        return [message.raw, *([STATUS.encode()] if messages is None else messages)]

    return staple


def stapled(tamper: Any) -> Trace:
    trace = Trace()
    client = ClientConnection(client12(request_status=True, trace=trace), NAME)
    pump(client, rogue_server(tamper, server12()))
    assert client.handshake_complete
    return trace


def test_a_client_asks_for_a_status_when_it_is_told_to() -> None:
    for knobs, there in (({}, False), ({"request_status": True}, True)):
        client = ClientConnection(client_config(**knobs), NAME)
        hello = ClientHello.decode(client.data_to_send()[5:])
        assert (E.status_request in hello.extensions) is there


def test_a_status_is_read_and_shown() -> None:
    (event,) = (
        e for e in stapled(stapling()).events if isinstance(e, MessageEvent) and e.name == "CertificateStatus"
    )
    fields = {field.name: field for field in event.fields}
    assert fields["status_type"].meaning == "ocsp"
    assert RESPONSE.hex() in fields["response"].value.replace(" ", "")


def test_a_status_that_is_announced_may_be_left_out() -> None:
    """RFC 6066 8: "a server MAY also choose not to send a "CertificateStatus" message"."""
    trace = stapled(stapling(messages=[]))
    assert "CertificateStatus" not in {e.name for e in trace.events if isinstance(e, MessageEvent)}
    assert E.status_request in extensions(trace)


def test_our_servers_have_no_status() -> None:
    assert E.status_request not in met({"request_status": True}, {})[1]


@pytest.mark.parametrize("asked", [True, False])
def test_a_status_that_was_not_announced_is_refused(asked: bool) -> None:
    client = client12(request_status=asked)
    tamper = stapling(announce=False)
    client_refuses(tamper, Reason.UNEXPECTED_MESSAGE, A.unexpected_message, client=client, server=server12())


def test_a_status_that_nobody_asked_for_is_refused() -> None:
    client_refuses(
        stapling(),
        Reason.UNSOLICITED_EXTENSION,
        A.unsupported_extension,
        client=client12(),
        server=server12(),
    )


FAULTY = {
    "twice": ([STATUS.encode()] * 2, Reason.UNEXPECTED_MESSAGE, A.unexpected_message),
    "without a response": (
        [framed(HandshakeType.certificate_status, b"\x01\0\0\0")],
        Reason.MALFORMED,
        A.decode_error,
    ),
    "cut short": (
        [framed(HandshakeType.certificate_status, b"\x01\0\0\x05abc")],
        Reason.MALFORMED,
        A.decode_error,
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_status_is_refused(name: str) -> None:
    messages, reason, alert = FAULTY[name]
    tamper = stapling(messages=messages)
    client_refuses(tamper, reason, alert, client=client12(request_status=True), server=server12())


def test_in_tls_1_3_it_stands_in_the_certificate() -> None:
    """RFC 9846 4.5.1.1"""

    def staple(message: Any) -> None:
        body = ext.CertificateStatus(CertificateStatusType.ocsp, RESPONSE)
        message.certificate_list[0].extensions.add(body)

    trace = Trace()
    client = ClientConnection(client_config(request_status=True, trace=trace), NAME)
    pump(client, rogue_server(edit(Certificate, staple), server_config()))
    assert client.handshake_complete
    (event,) = (e for e in trace.events if isinstance(e, MessageEvent) and e.name == "Certificate")
    assert RESPONSE in event.raw
    assert "status_request" in repr(event.fields)


# -- anything else

OF_13 = {
    E.key_share: b"\x00\x1d\x00\x01x",
    E.pre_shared_key: b"\x00\x00",
    E.cookie: b"\x00\x01x",
    E.early_data: b"",
    E.psk_key_exchange_modes: b"\x01\x01",
    E.certificate_authorities: b"\x00\x03\x00\x01x",
}


@pytest.mark.parametrize("code", OF_13, ids=str)
def test_what_is_of_tls_1_3_may_not_stand_in_a_server_hello_of_tls_1_2(code: E) -> None:
    """Whether it was asked or not: the client had both versions in mind."""
    change = edit(
        ServerHello, lambda hello: hello.extensions.update({code: ext.UnknownExtension(OF_13[code])})
    )
    client_refuses(
        change, Reason.FORBIDDEN_EXTENSION, A.illegal_parameter, client=client_config(), server=server12()
    )


@pytest.mark.parametrize(
    "code", [E.use_srtp, E.heartbeat, E.signed_certificate_timestamp, 0x3A3A, 0x5555], ids=str
)
def test_an_answer_to_what_nobody_asked_is_refused(code: int) -> None:
    """RFC 5246 7.4.1.4: with unsupported_extension."""
    data = b"\x00\x03\x00\x01x" if code == E.signed_certificate_timestamp else b""
    change = lambda hello: hello.extensions.update({code: ext.UnknownExtension(data)})  # noqa: E731
    refused_by_client(change, Reason.UNSOLICITED_EXTENSION, A.unsupported_extension)


def test_groups_in_a_server_hello_are_let_pass() -> None:
    """No RFC has them there; some load balancers do, and mean nothing by it."""
    groups = ext.NamedGroupList([NamedGroup.secp256r1])
    rogue = rogue_server(edit(ServerHello, lambda hello: hello.extensions.add(groups)), server12())
    client = ClientConnection(client12(), NAME)
    pump(client, rogue)
    assert client.handshake_complete


def test_a_hello_without_extensions_is_as_good_as_it_was_then() -> None:
    """RFC 5246 7.4.1.2: the list may be missing altogether. Such a client has no extended master secret, and
    names no signature but SHA-1 and no curve: RSA key exchange is all that is left.
    """
    old = {"policy": "compatible", "credentials": [credential("rsa")]}
    rogue = rogue_client(
        edit(ClientHello, lambda hello: hello.extensions.clear()), client12(policy="compatible")
    )
    victim = ServerConnection(server12(**old))
    victim.receive_data(rogue.data_to_send())
    assert victim.state == "WAIT_CKE"
    assert ServerHello.decode(first_message(victim.data_to_send())).extensions == Extensions()


def first_message(record: bytes) -> bytes:
    return record[5 : 9 + int.from_bytes(record[6:9], "big")]
