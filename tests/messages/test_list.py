"""All messages and all that stands in them: round trips, truncations, trailing bytes, descriptions."""

from __future__ import annotations

import pytest
from fieldtrees import assert_exact, assert_within, walk
from samples import BODIES, MESSAGES, PARTS, name_of_sample, wire_classes, with_header

from pellucid.codes import CipherSuite, ExtensionType, HandshakeType, ProtocolVersion
from pellucid.errors import BadMessage, PeerMisbehaved, Reason
from pellucid.messages import (
    HEADER_LENGTH,
    HELLO_RETRY_RANDOM,
    TLS12_MESSAGES,
    TLS13_MESSAGES,
    Alert,
    CertificateRawPublicKey,
    ChangeCipherSpec,
    ClientHello,
    Extensions,
    Finished,
    HandshakeMessage,
    HelloRetryRequest,
    ServerHello,
    decode_handshake,
    describe,
    message_class,
    message_name,
    tls12,
)
from pellucid.messages import extensions as ext
from pellucid.wire import Rest, Wire

every_message = pytest.mark.parametrize("message", MESSAGES, ids=name_of_sample)
every_part = pytest.mark.parametrize("part", BODIES + PARTS, ids=name_of_sample)

#: Their end is where the message ends: only the key schedule, or nobody, knows how long they must be.
OPEN_ENDED = {Finished, ext.CertificateStatusRequest, ext.Padding, ext.SessionTicket, ext.UnknownExtension}


def test_the_list_is_complete() -> None:
    assert {type(sample) for sample in [*MESSAGES, *BODIES, *PARTS]} == set(wire_classes())


def test_what_is_listed_as_open_ended_is_what_has_no_length_of_its_own() -> None:
    with_rest = {cls for cls in wire_classes() if any(isinstance(c, Rest) for _, c in cls.codec.members)}
    assert with_rest == OPEN_ENDED


def test_every_body_stands_in_the_table() -> None:
    in_table = {body for row in ext.TABLE.values() for body in row.values() if body is not None}
    assert in_table == {type(body) for body in BODIES}


def test_a_body_stands_in_the_row_of_its_type() -> None:
    rows = {(body, code) for code, row in ext.TABLE.items() for body in row.values() if body is not None}
    assert rows == {(body, body.extension_type) for body, _ in rows}


# -- round trips


@every_message
def test_a_message_is_read_as_it_was_written(message: HandshakeMessage) -> None:
    raw = message.encode()
    assert raw[0] == message.msg_type
    assert int.from_bytes(raw[1:HEADER_LENGTH], "big") == len(raw) - HEADER_LENGTH
    decoded = decode_handshake(raw, (type(message),))
    assert type(decoded) is type(message)
    assert decoded == message
    assert decoded.raw == raw
    assert decoded.encode() == raw


@every_part
def test_a_part_is_read_as_it_was_written(part: Wire) -> None:
    data = part.codec.encode(part)
    assert part.codec.read(data) == part
    assert part.codec.encode(part.codec.read(data)) == data


@every_message
def test_extensions_keep_their_order(message: HandshakeMessage) -> None:
    before = getattr(message, "extensions", {})
    assert list(getattr(decode_handshake(message.encode(), (type(message),)), "extensions", {})) == list(
        before
    )


#: One message of the RFC, several classes: what it holds depends on the key exchange of the cipher suite.
BY_KEY_EXCHANGE = {
    tls12.ServerKeyExchangeDHE: "ServerKeyExchange",
    tls12.ServerKeyExchangeECDHE: "ServerKeyExchange",
    tls12.ClientKeyExchangeRSA: "ClientKeyExchange",
    tls12.ClientKeyExchangeDHE: "ClientKeyExchange",
    tls12.ClientKeyExchangeECDHE: "ClientKeyExchange",
}
#: And on the type of certificate that was agreed on.
OF_SEVERAL_FORMS = BY_KEY_EXCHANGE | {
    CertificateRawPublicKey: "Certificate",
    tls12.CertificateRawPublicKey: "Certificate",
}


@every_message
def test_a_message_has_the_name_that_the_rfc_gives_it(message: HandshakeMessage) -> None:
    assert message.name == OF_SEVERAL_FORMS.get(type(message), type(message).__name__)
    assert message_name(message.encode()) == message.name


# -- truncations and trailing bytes


def cuts_that_are_messages(message: HandshakeMessage) -> set[int]:
    """Where a body may be cut so that what is left is a message nevertheless, and why."""
    if isinstance(message, (ClientHello, ServerHello)):
        # RFC 9846 4.2.2: hellos of old may end before the list of extensions.
        length = len(message.codec.members[-1][1].encode(message.extensions))
        return {len(message.encode()) - HEADER_LENGTH - length}
    if isinstance(message, Finished):
        return set(range(len(message.verify_data)))
    return set()


@every_message
def test_a_message_cut_short_is_refused(message: HandshakeMessage) -> None:
    body = message.encode()[HEADER_LENGTH:]
    allowed = cuts_that_are_messages(message)
    for stop in range(len(body)):
        raw = with_header(message.msg_type, body[:stop])
        if stop in allowed:
            assert decode_handshake(raw, (type(message),)).encode() == raw
            continue
        with pytest.raises((BadMessage, PeerMisbehaved)):
            decode_handshake(raw, (type(message),))


@every_message
def test_a_message_shorter_than_its_header_says_is_refused(message: HandshakeMessage) -> None:
    raw = message.encode()
    for stop in range(len(raw)):
        with pytest.raises(BadMessage):
            decode_handshake(raw[:stop], (type(message),))


@every_message
def test_a_message_longer_than_its_header_says_is_refused(message: HandshakeMessage) -> None:
    with pytest.raises(BadMessage):
        decode_handshake(message.encode() + b"\x00", (type(message),))


@every_message
def test_a_trailing_byte_of_any_value_is_refused(message: HandshakeMessage) -> None:
    if type(message) in OPEN_ENDED:
        return
    body = message.encode()[HEADER_LENGTH:]
    for value in range(256):
        with pytest.raises((BadMessage, PeerMisbehaved)):
            decode_handshake(with_header(message.msg_type, body + bytes((value,))), (type(message),))


@every_part
def test_a_part_cut_short_is_refused(part: Wire) -> None:
    data = part.codec.encode(part)
    for stop in range(part.codec.minimum if type(part) in OPEN_ENDED else len(data)):
        with pytest.raises(BadMessage) as caught:
            part.codec.read(data[:stop])
        assert caught.value.offset is not None
        assert caught.value.offset <= stop


@every_part
def test_a_part_with_a_trailing_byte_is_refused(part: Wire) -> None:
    if type(part) in OPEN_ENDED:
        return
    data = part.codec.encode(part)
    for value in range(256):
        with pytest.raises(BadMessage):
            part.codec.read(data + bytes((value,)))


# -- messages by their number


def test_a_number_is_a_message_of_tls_1_3_or_is_refused() -> None:
    for number in range(256):
        if number in TLS13_MESSAGES:
            assert TLS13_MESSAGES[number].msg_type == number
            continue
        with pytest.raises(PeerMisbehaved) as caught:
            decode_handshake(with_header(number, b"\x00"))
        assert caught.value.reason is Reason.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    "msg_type, name",
    [
        (HandshakeType.hello_request, "HelloRequest"),
        (HandshakeType.server_key_exchange, "ServerKeyExchange"),
        (HandshakeType.message_hash, "message_hash"),
    ],
)
def test_a_message_that_tls_1_3_does_not_have_is_named(msg_type: HandshakeType, name: str) -> None:
    with pytest.raises(PeerMisbehaved, match=f"{name} is no message of TLS 1.3"):
        decode_handshake(with_header(msg_type, b""))


def test_a_number_is_read_as_the_class_that_is_expected() -> None:
    both = {
        number: (TLS12_MESSAGES[number], TLS13_MESSAGES[number])
        for number in TLS12_MESSAGES.keys() & TLS13_MESSAGES
    }
    different = {number for number, (old, new) in both.items() if old is not new}
    assert different == {
        HandshakeType.certificate,
        HandshakeType.certificate_request,
        HandshakeType.new_session_ticket,
    }
    for number in different:
        raw = with_header(number, b"")
        old, new = both[number]
        assert message_class(raw) is new
        assert message_class(raw, (tls12.ServerHelloDone, old)) is old
        assert message_class(raw, (new, tls12.ServerHelloDone)) is new
        assert old.name == new.name


@pytest.mark.parametrize("cls", BY_KEY_EXCHANGE, ids=lambda cls: cls.__name__)
def test_a_key_exchange_is_read_only_as_the_class_that_is_expected(cls: type[HandshakeMessage]) -> None:
    raw = with_header(cls.msg_type, b"")
    assert message_class(raw, (tls12.CertificateStatus, cls)) is cls
    assert message_class(raw) is None
    assert message_class(raw, (tls12.CertificateStatus,)) is None
    with pytest.raises(PeerMisbehaved, match=f"{cls.name} is not expected and no message of TLS 1.3"):
        decode_handshake(raw, (tls12.CertificateStatus,))


def test_what_is_not_expected_is_a_message_of_tls_1_3() -> None:
    raw = with_header(HandshakeType.certificate, b"")
    assert message_class(raw, (ServerHello, Finished)) is TLS13_MESSAGES[HandshakeType.certificate]


def test_a_hello_retry_request_is_told_by_its_random_whatever_is_expected() -> None:
    hello = ServerHello(
        ProtocolVersion.TLSv1_2, bytes(32), b"", CipherSuite.TLS_AES_128_GCM_SHA256, 0, Extensions()
    )
    for expected in ((), (ServerHello,), (HelloRetryRequest,), (ServerHello, HelloRetryRequest)):
        hello.random = bytes(32)
        assert message_class(hello.encode(), expected) is ServerHello
        hello.random = HELLO_RETRY_RANDOM
        assert message_class(hello.encode(), expected) is HelloRetryRequest


# -- TLS 1.2


@pytest.mark.parametrize("hello", MESSAGES[:5], ids=name_of_sample)
def test_a_hello_may_have_an_empty_list_of_extensions(hello: HandshakeMessage) -> None:
    """RFC 5246 7.4.1.2: Extension extensions<0..2^16-1>."""
    hello = decode_handshake(hello.encode())
    hello.extensions = Extensions()  # type: ignore[attr-defined]
    raw = with_header(hello.msg_type, hello.encode()[HEADER_LENGTH:] + b"\x00\x00")
    assert decode_handshake(raw) == hello
    assert decode_handshake(raw).raw == raw


def test_a_compression_method_is_described_by_its_name() -> None:
    hello = MESSAGES[4]
    assert isinstance(hello, ServerHello)
    described = {field.name: field for field in describe(hello.encode())}
    assert described["compression_method"].meaning == "null"


@pytest.mark.parametrize(
    "message", [m for m in MESSAGES if isinstance(m, tls12.ServerKeyExchange)], ids=name_of_sample
)
def test_what_is_signed_is_the_params_as_they_stand_in_the_message(message: tls12.ServerKeyExchange) -> None:
    params = message.params  # type: ignore[attr-defined]
    message.encode()
    assert message.signed_params == params.codec.encode(params)
    assert type(message).decode(message.raw).signed_params == message.signed_params


@pytest.mark.parametrize("curve_type", [0, 1, 2, 4, 248, 255])
def test_a_curve_that_has_no_name_is_refused(curve_type: int) -> None:
    cls = tls12.ServerKeyExchangeECDHE
    raw = bytearray(next(message for message in MESSAGES if isinstance(message, cls)).encode())
    raw[HEADER_LENGTH] = curve_type
    with pytest.raises(PeerMisbehaved, match="only named_curve may stand here") as caught:
        decode_handshake(bytes(raw), (cls,))
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER
    *_, body = describe(bytes(raw), cls)
    assert (body.name, body.meaning) == ("body", "not readable")


def test_change_cipher_spec_is_the_byte_1() -> None:
    assert ChangeCipherSpec().raw == b"\x01"
    assert ChangeCipherSpec.decode(b"\x01") == ChangeCipherSpec()
    for raw in (b"", b"\x00", b"\x02", b"\x01\x01"):
        with pytest.raises(PeerMisbehaved) as caught:
            ChangeCipherSpec.decode(raw)
        assert caught.value.reason is Reason.BAD_CHANGE_CIPHER_SPEC


def test_change_cipher_spec_is_no_handshake_message() -> None:
    assert not issubclass(ChangeCipherSpec, HandshakeMessage)
    for number in range(256):
        assert message_class(bytes((number, 0, 0, 0)), (ChangeCipherSpec,)) is TLS13_MESSAGES.get(number)


# -- descriptions

IN_TLS12 = {
    "legacy_version": ("client_version", "server_version"),
    "legacy_session_id": ("session_id",),
    "legacy_session_id_echo": ("session_id",),
    "legacy_compression_methods": ("compression_methods",),
    "legacy_compression_method": ("compression_method",),
}


def hello_of(cls: type[HandshakeMessage], *, versions: bool) -> HandshakeMessage:
    """A sample that has supported_versions, or has not."""
    return next(
        m
        for m in MESSAGES
        if type(m) is cls and (ExtensionType.supported_versions in m.extensions) == versions  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize(
    "cls, names",
    [
        (ClientHello, ["client_version", "random", "session_id", "cipher_suites", "compression_methods"]),
        (ServerHello, ["server_version", "random", "session_id", "cipher_suite", "compression_method"]),
    ],
)
def test_a_hello_without_supported_versions_is_described_as_in_tls_12(
    cls: type[HandshakeMessage], names: list[str]
) -> None:
    old = [field.name for field in describe(hello_of(cls, versions=False).encode())]
    new = [field.name for field in describe(hello_of(cls, versions=True).encode())]
    assert old[2:7] == names
    assert new[2:7] == [name for name, _ in cls.codec.members][:5]


@pytest.mark.parametrize(
    "methods, meaning", [(b"\0", "null"), (b"\1\0", "DEFLATE, null"), (b"\t", "unknown (0x09)")]
)
def test_the_compression_methods_of_tls_12_are_named(methods: bytes, meaning: str) -> None:
    hello = decode_handshake(hello_of(ClientHello, versions=False).encode())
    hello.legacy_compression_methods = methods  # type: ignore[attr-defined]
    described = {field.name: field for field in describe(hello.encode())}
    assert described["compression_methods"].meaning == meaning


@every_message
def test_a_description_names_every_byte_once(message: HandshakeMessage) -> None:
    raw = message.encode()
    msg_type, length, *fields = describe(raw, type(message))
    assert (msg_type.offset, msg_type.length, length.offset, length.length) == (0, 1, 1, 3)
    position = HEADER_LENGTH
    for field, (name, codec) in zip(fields, message.codec.members, strict=True):
        assert field.name in (name, *IN_TLS12.get(name, ()))
        assert field.offset == position
        assert_exact(field, codec)
        position += field.length
    assert position == len(raw)


@every_message
def test_a_description_gives_meanings_by_name(message: HandshakeMessage) -> None:
    msg_type, length, *_ = describe(message.encode(), type(message))
    assert (msg_type.value, msg_type.meaning) == (str(int(message.msg_type)), message.name)
    assert length.value == str(len(message.encode()) - HEADER_LENGTH)
    assert all(isinstance(field.value, str) for field in walk(describe(message.encode(), type(message))))


@every_message
def test_a_broken_message_is_described_as_far_as_it_is_there(message: HandshakeMessage) -> None:
    raw = message.encode()
    for stop in range(len(raw)):
        assert_within(describe(raw[:stop], type(message)), 0, stop)


@every_message
def test_a_message_with_a_byte_too_many_is_described_as_not_readable(message: HandshakeMessage) -> None:
    if type(message) in OPEN_ENDED:
        return
    raw = message.encode()
    raw = with_header(raw[0], raw[HEADER_LENGTH:] + b"\x00")
    *_, body = describe(raw, type(message))
    assert (body.name, body.offset, body.length, body.meaning) == (
        "body",
        HEADER_LENGTH,
        len(raw) - HEADER_LENGTH,
        "not readable",
    )


def test_extensions_are_described_by_what_they_hold() -> None:
    hello = next(message for message in MESSAGES if isinstance(message, ClientHello))
    *_, extensions = describe(hello.encode())
    by_name = {field.name: field for field in extensions.fields}
    assert by_name["server_name"].fields[0].fields[0].fields[1].value == b"example.org".hex()
    assert by_name["supported_groups"].meaning == "X25519MLKEM768, x25519, GREASE (0x3a3a)"
    assert by_name["post_handshake_auth"].meaning == "empty"
    assert by_name["GREASE (0x3a3a)"].meaning == "not read by pellucid"
    assert extensions.value == f"{len(hello.extensions)} extensions"


def test_an_extension_that_cannot_be_read_does_not_hide_the_others() -> None:
    fine, broken = b"\x00\x31\x00\x00", b"\x00\x2b\x00\x03\x02\x03\x04" + b"\x00\x1c\x00\x01\x40"
    extensions = fine + broken
    raw = MESSAGES[1].encode()[HEADER_LENGTH:] + len(extensions).to_bytes(2, "big") + extensions
    *_, described = describe(with_header(1, raw))
    assert [(field.name, field.meaning) for field in described.fields] == [
        ("post_handshake_auth", "empty"),
        ("supported_versions", "TLSv1.3"),
        ("record_size_limit", "not readable"),
    ]


def test_a_hello_without_extensions_is_described_as_one() -> None:
    *_, extensions = describe(MESSAGES[1].encode())
    assert (extensions.name, extensions.length, extensions.value) == ("extensions", 0, "absent")


def test_what_has_no_header_is_described_from_its_first_byte() -> None:
    (spec,) = describe(b"\x01", ChangeCipherSpec)
    assert (spec.name, spec.offset, spec.length, spec.value) == ("type", 0, 1, "1")
    assert [(field.name, field.meaning) for field in describe(b"\x02\x28", Alert)] == [
        ("level", "fatal"),
        ("description", "handshake_failure"),
    ]
    for raw in (b"", b"\x01\x01"):
        (body,) = describe(raw, ChangeCipherSpec)
        assert (body.offset, body.length, body.meaning) == (0, len(raw), "not readable")


def test_a_message_that_only_tls_1_2_has_is_described_without_being_expected() -> None:
    assert [field.name for field in describe(tls12.ServerHelloDone().encode())] == ["msg_type", "length"]
    *_, body = describe(tls12.ClientKeyExchangeDHE(b"Yc").encode())
    assert (body.name, body.meaning) == ("body", "not readable")


def test_the_params_of_a_key_exchange_are_described_by_their_curve() -> None:
    message = next(message for message in MESSAGES if isinstance(message, tls12.ServerKeyExchangeECDHE))
    _, _, params, algorithm, _ = describe(message.encode(), type(message))
    assert (params.meaning, algorithm.meaning) == ("x25519", "ed25519")
