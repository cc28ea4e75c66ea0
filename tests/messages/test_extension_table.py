"""Which extension may stand in which message, cell by cell against RFC 9846 4.3's table."""

from __future__ import annotations

import pytest
from samples import BODIES, GREASE, bodies_in, client_hello, server_hello

from pellucid.codes import CipherSuite, ExtensionType, ProtocolVersion
from pellucid.errors import BadMessage, PeerMisbehaved, Reason
from pellucid.messages import (
    HELLO_RETRY_RANDOM,
    Certificate,
    CertificateEntry,
    CertificateRequest,
    EncryptedExtensions,
    Extensions,
    HandshakeMessage,
    HelloRetryRequest,
    NewSessionTicket,
    decode_handshake,
)
from pellucid.messages import extensions as ext
from pellucid.messages.extensions import TABLE, Context, UnknownExtension

#: RFC 9846 4.3, the table "TLS Extensions", in its order.
RFC_9846 = """
    server_name                               CH, EE, CR
    status_request                            CH, CR, CT
    supported_groups                          CH, EE
    signature_algorithms                      CH, CR
    use_srtp                                  CH, EE
    heartbeat                                 CH, EE
    application_layer_protocol_negotiation    CH, EE
    client_certificate_type                   CH, EE
    server_certificate_type                   CH, EE
    padding                                   CH
    compress_certificate                      CH, CR
    record_size_limit                         CH, EE
    delegated_credential                      CH, CR, CT
    supported_ekt_ciphers                     CH, EE
    pre_shared_key                            CH, SH
    early_data                                CH, EE, NST
    supported_versions                        CH, SH, HRR
    cookie                                    CH, HRR
    psk_key_exchange_modes                    CH
    certificate_authorities                   CH, CR
    oid_filters                               CR
    post_handshake_auth                       CH
    signature_algorithms_cert                 CH, CR
    key_share                                 CH, SH, HRR
    transparency_info                         CH, CR, CT
    external_id_hash                          CH, EE
    external_session_id                       CH, EE
    quic_transport_parameters                 CH, EE
    ticket_request                            CH, EE
    ech_outer_extensions                      CH
    encrypted_client_hello                    CH, HRR, EE
"""

#: Extensions that are not in that table, because they are not recommended or not of TLS 1.3. A client that
#: speaks TLS 1.2 too may send all of them.
OTHERS = """
    max_fragment_length                       CH, EE
    ec_point_formats                          CH
    signed_certificate_timestamp              CH, CR, CT
    encrypt_then_mac                          CH
    extended_master_secret                    CH
    session_ticket                            CH
    renegotiation_info                        CH
"""

#: What may stand in a ServerHello of TLS 1.2, whose extensions answer everything: RFC 6066 (server_name,
#: max_fragment_length, status_request), 8422 (ec_point_formats), 7366, 7627, 5077, 5746, 7301, 6962, 8449,
#: 5764, 6520, 7250. And supported_groups, which no RFC has there, and some servers do.
TLS_1_2_SERVER_HELLO = {
    "server_name",
    "max_fragment_length",
    "status_request",
    "supported_groups",
    "ec_point_formats",
    "use_srtp",
    "heartbeat",
    "application_layer_protocol_negotiation",
    "signed_certificate_timestamp",
    "client_certificate_type",
    "server_certificate_type",
    "encrypt_then_mac",
    "extended_master_secret",
    "record_size_limit",
    "session_ticket",
    "renegotiation_info",
}


def rows(text: str) -> dict[str, set[Context]]:
    found = {}
    for line in text.strip().splitlines():
        name, *messages = line.replace(",", "").split()
        found[name] = {Context[message] for message in messages}
    return found


EXPECTED = rows(RFC_9846) | rows(OTHERS)
every_row = pytest.mark.parametrize("name", EXPECTED)


def allowed(name: str, context: Context) -> bool:
    return name in TLS_1_2_SERVER_HELLO if context is Context.SH12 else context in EXPECTED[name]


def message_with(extensions: Extensions, context: Context) -> HandshakeMessage:
    """A message of the kind ``context`` with that list of extensions, and what makes it one of that kind."""
    if context is Context.CH:
        return client_hello(extensions)
    if context is Context.SH:
        decides = ext.SupportedVersionsServerHello(ProtocolVersion.TLSv1_3)
        return server_hello(Extensions({ExtensionType.supported_versions: decides} | extensions))
    if context is Context.SH12:
        return server_hello(extensions)
    if context is Context.HRR:
        version, suite = ProtocolVersion.TLSv1_2, CipherSuite.TLS_AES_128_GCM_SHA256
        return HelloRetryRequest(version, HELLO_RETRY_RANDOM, b"", suite, 0, extensions)
    if context is Context.CT:
        return Certificate(b"", [CertificateEntry(b"\x30", extensions)])
    if context is Context.NST:
        return NewSessionTicket(1, 0, b"", b"t", extensions)
    return EncryptedExtensions(extensions) if context is Context.EE else CertificateRequest(b"", extensions)


def test_every_row_is_expected() -> None:
    assert {ExtensionType(code).name for code in TABLE} == set(EXPECTED)


@every_row
def test_a_row_is_as_the_rfc_says(name: str) -> None:
    row = TABLE[ExtensionType[name]]
    assert {context: context in row for context in Context} == {c: allowed(name, c) for c in Context}


@every_row
def test_an_extension_is_read_where_it_may_stand(name: str) -> None:
    code = ExtensionType[name]
    for context in filter(lambda context: allowed(name, context), Context):
        bodies = bodies_in(context)
        decoded = decode_handshake(message_with(Extensions({code: bodies[code]}), context).encode())
        assert extensions_of(decoded)[code] == bodies[code], context


@every_row
def test_an_extension_is_refused_where_it_must_not_stand(name: str) -> None:
    """RFC 9846 4.3: "it MUST abort the handshake with an "illegal_parameter" alert"."""
    for context in Context:
        if allowed(name, context) or (name, context) == ("supported_versions", Context.SH12):
            # A ServerHello with supported_versions is one of TLS 1.3, where it may stand.
            continue
        raw = message_with(Extensions({ExtensionType[name]: UnknownExtension(b"")}), context).encode()
        with pytest.raises(PeerMisbehaved, match=f"{name} must not stand in a {context}") as caught:
            decode_handshake(raw)
        assert caught.value.reason is Reason.FORBIDDEN_EXTENSION


@pytest.mark.parametrize("context", Context)
def test_an_unknown_extension_is_kept_as_it_came(context: Context) -> None:
    extensions = Extensions({GREASE: UnknownExtension(b"any bytes")})
    decoded = decode_handshake(message_with(extensions, context).encode())
    assert extensions_of(decoded)[GREASE] == UnknownExtension(b"any bytes")


@pytest.mark.parametrize("context", Context)
def test_no_extension_may_stand_twice(context: Context) -> None:
    """RFC 9846 4.3: "There MUST NOT be more than one extension of the same type"."""
    once = b"\x3a\x3a\x00\x01\xff"
    message = message_with(Extensions({GREASE: UnknownExtension(b"\xff")}), context)
    raw = message.encode()
    twice = lengthened(raw, once)
    with pytest.raises(PeerMisbehaved, match="twice") as caught:
        decode_handshake(twice)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


def lengthened(raw: bytes, added: bytes) -> bytes:
    """``raw``, which ends with its list of extensions, with one more at the end of it."""
    message = decode_handshake(raw)
    list_length = len(raw) - raw_offset_of_extensions(message, raw) - 2
    start = len(raw) - list_length - 2
    body = raw[4:start] + (list_length + len(added)).to_bytes(2, "big") + raw[start + 2 :] + added
    if isinstance(message, Certificate):
        # Behind the empty context stands the length of certificate_list.
        body = body[:1] + (len(body) - 4).to_bytes(3, "big") + body[4:]
    return raw[:1] + len(body).to_bytes(3, "big") + body


def raw_offset_of_extensions(message: HandshakeMessage, raw: bytes) -> int:
    codec = CertificateEntry.codec if isinstance(message, Certificate) else message.codec
    return len(raw) - len(codec.members[-1][1].encode(extensions_of(message)))


def extensions_of(message: HandshakeMessage) -> Extensions:
    if isinstance(message, Certificate):
        return message.certificate_list[0].extensions
    found: Extensions = message.extensions  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_data_behind_the_body_of_an_extension_is_refused(body: ext.ExtensionBody) -> None:
    """RFC 9846 4.3: "MUST abort the handshake with a "decode_error" alert if there is data left over"."""
    if isinstance(body, (ext.Padding, ext.SessionTicket, ext.CertificateStatusRequest)):
        return  # their body is all that there is
    context = next(c for c, cls in TABLE[body.extension_type].items() if cls is type(body))
    longer = UnknownExtension(body.codec.encode(body) + b"\x00")
    raw = message_with(Extensions({body.extension_type: longer}), context).encode()
    with pytest.raises(BadMessage):
        decode_handshake(raw)


def test_a_server_hello_is_of_tls_1_3_if_it_says_so() -> None:
    """The same extension is read by one table or by the other."""
    both = Extensions.of(ext.RenegotiationInfo(b""))
    assert ExtensionType.renegotiation_info in extensions_of(decode_handshake(server_hello(both).encode()))
    both.add(ext.SupportedVersionsServerHello(ProtocolVersion.TLSv1_3))
    with pytest.raises(PeerMisbehaved, match="renegotiation_info must not stand in a ServerHello"):
        decode_handshake(server_hello(both).encode())
