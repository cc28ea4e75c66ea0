"""Our fields are tshark's: the same offsets, lengths and values, for all that both have names for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import pytest
from captures import pcap
from conversations import KINDS, converse
from cryptography import x509
from loopback import credential, laboratory
from samples import GREASE, MESSAGES, V12, V13, client_hello, name_of_sample, server_hello

from dissected import Dissected, DissectedMessage, Shown, dissect
from other_stacks import UNAUTHORIZED
from pellucid.codes import CipherSuite
from pellucid.messages import (
    Alert,
    Certificate,
    CertificateRawPublicKey,
    ClientHello,
    Extensions,
    HandshakeMessage,
    HelloRetryRequest,
    ServerHello,
    describe,
    tls12,
)
from pellucid.messages.extensions import (
    CertificateAuthorities,
    CertificateStatus,
    OIDFilter,
    OIDFilterExtension,
    SignedCertificateTimestampList,
    SupportedVersionsServerHello,
    UnknownExtension,
)
from pellucid.trace import MessageEvent, RecordEvent, Trace
from pellucid.trace.pcapng import Endpoint, write_pcapng
from pellucid.wire import Field
from recorded import FIRST_CLIENT_PORT, Conversation
from tshark_fields import ALIASES, SAME, THEIRS, assert_same_fields, assert_same_record

pytestmark = pytest.mark.peer("tshark", "tshark")

SERVER = ("203.0.113.9", 4433)


@cache
def both(kind: str) -> tuple[Trace, Dissected]:
    talk = converse(kind)
    capture = b"".join(write_pcapng([talk.trace], talk.key_log, server=Endpoint(*SERVER)))
    (dissected,) = dissect(capture, server=SERVER)
    return talk.trace, dissected


Sent = TypeVar("Sent", MessageEvent, RecordEvent)


def sent(trace: Trace, side: str, kind: type[Sent]) -> list[Sent]:
    return [
        event
        for event in trace.events
        if isinstance(event, kind) and (event.side, event.direction) == (side, "sent")
    ]


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_fields_of_every_message_are_tsharks(kind: str, side: str) -> None:
    trace, dissected = both(kind)
    # A ChangeCipherSpec has no field for tshark.
    ours = [event for event in sent(trace, side, MessageEvent) if event.name != "ChangeCipherSpec"]
    theirs = [message for message in dissected.messages if message.side == side]
    assert [event.raw for event in ours] == [message.raw for message in theirs]
    for event, message in zip(ours, theirs, strict=True):
        assert_same_fields(event.raw, message.fields, event.fields)
    assert ours


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_records_are_tsharks(kind: str, side: str) -> None:
    trace, dissected = both(kind)
    ours = sent(trace, side, RecordEvent)
    theirs = [record for record in dissected.records if record.side == side]
    assert [event.raw for event in ours] == [record.raw for record in theirs]
    for event, record in zip(ours, theirs, strict=True):
        assert_same_record(event, record)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fields_of_every_alert_are_tsharks(kind: str) -> None:
    _, dissected = both(kind)
    for alert in dissected.alerts:
        assert_same_fields(alert.raw, alert.fields, describe(alert.raw, Alert))
    assert [alert.side for alert in dissected.alerts] == ["client", "server"]


# -- all that can stand in a message, in plaintext

ECDHE = CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
SUITES12 = {
    tls12.ServerKeyExchangeDHE: CipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    tls12.ClientKeyExchangeDHE: CipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    tls12.ClientKeyExchangeRSA: CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256,
}
#: Of an authority.
NAME = x509.load_pem_x509_certificate(laboratory().root_pem).subject.public_bytes()
KEY_USAGE = b"\x55\x1d\x0f"
#: RFC 6962 3.2: version, log, time, no extensions, and a signature of five bytes.
STAMP = bytes(1) + b"\x77" * 32 + bytes(8) + bytes(2) + b"\x04\x03\x00\x05right"


def readable(sample: HandshakeMessage) -> HandshakeMessage:
    """The sample with what tshark can read in it, where it looks into more than we do."""
    message = type(sample).decode(sample.encode())
    chain = credential().chain
    match message:
        case Certificate():
            for entry in message.certificate_list:
                entry.cert_data = chain[0]
                make_readable(entry.extensions)
        case tls12.Certificate():
            message.certificate_list = [chain[0] for _ in message.certificate_list]
        case tls12.CertificateRequest():
            message.certificate_authorities = [NAME for _ in message.certificate_authorities]
        case tls12.CertificateStatus():
            message.response = UNAUTHORIZED
    extensions = getattr(message, "extensions", None)
    if isinstance(extensions, Extensions):
        make_readable(extensions)
    return message


def make_readable(extensions: Extensions) -> None:
    for code, body in list(extensions.items()):
        match body:
            case UnknownExtension() if code != GREASE:
                del extensions[code]
            case CertificateStatus():
                body.response = UNAUTHORIZED
            case SignedCertificateTimestampList():
                body.sct_list = [STAMP, STAMP]
            case CertificateAuthorities():
                body.authorities = [NAME, NAME]
            case OIDFilterExtension():
                body.filters = [OIDFilter(KEY_USAGE, b"\x03\x02\x07\x80"), OIDFilter(KEY_USAGE, b"")]


# tshark takes every Certificate for one of certificates, unless the hellos agreed on keys; those are held
# against GnuTLS's (test_gnutls_raw_keys.py).
RAW_KEYS = (CertificateRawPublicKey, tls12.CertificateRawPublicKey)
SAMPLES = [readable(message) for message in MESSAGES if not isinstance(message, RAW_KEYS)]


def as_record(message: HandshakeMessage) -> bytes:
    raw = message.encode()
    return b"\x16\x03\x03" + len(raw).to_bytes(2, "big") + raw


def before(message: HandshakeMessage) -> list[HandshakeMessage]:
    """Hellos that tell tshark which version the message is of, and which key exchange."""
    if isinstance(message, ClientHello | ServerHello | HelloRetryRequest):
        return []
    hello = client_hello(Extensions())
    if type(message).__module__ == tls12.__name__:
        suite = SUITES12.get(type(message), ECDHE)
        return [hello, ServerHello(V12, b"\x33" * 32, b"", suite, 0, Extensions())]
    return [hello, server_hello(Extensions.of(SupportedVersionsServerHello(V13)))]


@cache
def samples() -> list[DissectedMessage]:
    packets: list[tuple[int, bytes]] = []
    for number, message in enumerate(SAMPLES):
        talk = Conversation(FIRST_CLIENT_PORT + number, packets)
        talk.begin()
        for each in (*before(message), message):
            talk.say("client" if each.msg_type in (1, 16) else "server", as_record(each))
    found = dissect(pcap(packets, unit_ns=1), connections=len(SAMPLES))
    return [connection.messages[-1] for connection in found]


@pytest.mark.parametrize("number", range(len(SAMPLES)), ids=lambda number: name_of_sample(SAMPLES[number]))
def test_the_fields_of_all_that_can_stand_in_a_message_are_tsharks(number: int) -> None:
    message, dissected = SAMPLES[number], samples()[number]
    raw = message.encode()
    assert dissected.raw == raw
    assert_same_fields(raw, dissected.fields, describe(raw, type(message)))


def test_every_name_in_the_tables_is_met() -> None:
    """One that is not would be a claim that nothing holds."""
    _, dissected = both("full")
    met = {
        shown.name.removeprefix("tls.")
        for message in (*samples(), *dissected.alerts)
        for shown in message.fields
    }
    assert (SAME.keys() | THEIRS.keys() | ALIASES.keys()) - met == set()


def message_and_fields() -> tuple[bytes, tuple[Shown, ...], tuple[Field, ...]]:
    message, dissected = SAMPLES[0], samples()[0]
    return message.encode(), dissected.fields, describe(message.encode())


def changed(fields: Sequence[Field], which: str, **change: Any) -> tuple[Field, ...]:
    return tuple(replace(field, **change) if field.name == which else field for field in fields)


@pytest.mark.parametrize("change", [{"offset": 5}, {"length": 31}, {"value": "00" * 32}, {"name": "chance"}])
def test_a_field_that_differs_is_noticed(change: dict[str, Any]) -> None:
    raw, theirs, ours = message_and_fields()
    with pytest.raises(AssertionError):
        assert_same_fields(raw, theirs, changed(ours, "random", **change))


def test_a_field_that_one_of_us_lacks_is_noticed() -> None:
    raw, theirs, ours = message_and_fields()
    with pytest.raises(AssertionError):
        assert_same_fields(raw, theirs, ours[:-1])
    with pytest.raises(AssertionError):
        assert_same_fields(raw, [one for one in theirs if one.name != "tls.handshake.random"], ours)


def test_a_new_name_of_tsharks_is_noticed() -> None:
    raw, theirs, ours = message_and_fields()
    new = Shown("tls.handshake.new", "", 0, b"")
    with pytest.raises(AssertionError, match=r"tls.handshake.new is in no table"):
        assert_same_fields(raw, (*theirs, new), ours)
