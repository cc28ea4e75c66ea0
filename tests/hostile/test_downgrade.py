"""Downgrade: older versions, the sentinel of a server that could do better, SSL 2.0, and version lies.

Versions below TLS 1.3 are not spoken here, so POODLE, FREAK, Logjam and DROWN find nothing to talk to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import connect_pair
from rogue import client_refuses, edit, plaintext, refuses_data, server_refuses

from pellucid.codes import AlertDescription, CipherSuite, ContentType, ExtensionType, ProtocolVersion
from pellucid.errors import Reason
from pellucid.messages import DOWNGRADE_TLS11, DOWNGRADE_TLS12, ClientHello, ServerHello
from pellucid.messages import extensions as ext

V = ProtocolVersion
E = ExtensionType
ILLEGAL = AlertDescription.illegal_parameter
PROTOCOL_VERSION = AlertDescription.protocol_version
OLD = [V.SSLv3, V.TLSv1, V.TLSv1_1, V.TLSv1_2]


def old_answer(version: int, sentinel: bytes = b"") -> Callable[[ServerHello], None]:
    def change(hello: ServerHello) -> None:
        hello.legacy_version = version
        hello.extensions.clear()
        hello.random = hello.random[: 32 - len(sentinel)] + sentinel

    return change


@pytest.mark.parametrize("sentinel", [DOWNGRADE_TLS12, DOWNGRADE_TLS11], ids=["to 1.2", "to 1.1 or less"])
@pytest.mark.parametrize("version", OLD, ids=str)
def test_a_client_detects_the_sentinel(version: int, sentinel: bytes) -> None:
    """RFC 9846 4.2.3: "the client MUST abort the handshake with an "illegal_parameter" alert"."""
    client_refuses(edit(ServerHello, old_answer(version, sentinel)), Reason.DOWNGRADE_DETECTED, ILLEGAL)


@pytest.mark.parametrize("version", OLD, ids=str)
def test_a_client_refuses_an_older_server(version: int) -> None:
    client_refuses(edit(ServerHello, old_answer(version)), Reason.NO_SHARED_VERSION, PROTOCOL_VERSION)


@pytest.mark.parametrize("version", [*OLD, 0x0305, 0x7F1C], ids=hex)
def test_a_client_refuses_a_version_that_it_did_not_offer(version: int) -> None:
    change = edit(ServerHello, lambda hello: hello.extensions.add(ext.SupportedVersionsServerHello(version)))
    client_refuses(change, Reason.VERSION_NOT_OFFERED, ILLEGAL)


@pytest.mark.parametrize("version", [V.SSLv3, V.TLSv1, V.TLSv1_1, V.TLSv1_3], ids=str)
def test_a_client_refuses_another_legacy_version(version: int) -> None:
    change = edit(ServerHello, lambda hello: setattr(hello, "legacy_version", version))
    client_refuses(change, Reason.WRONG_LEGACY_VERSION, PROTOCOL_VERSION)


# -- servers


def old_hello(version: int) -> Callable[[ClientHello], None]:
    def change(hello: ClientHello) -> None:
        hello.legacy_version = version
        for code in (E.supported_versions, E.key_share, E.psk_key_exchange_modes):
            del hello.extensions[code]

    return change


@pytest.mark.parametrize("version", [*OLD, V.TLSv1_3, 0x03FF], ids=hex)
def test_a_server_refuses_a_hello_without_supported_versions(version: int) -> None:
    """Whatever legacy_version says: without the extension it is TLS 1.2 or less (RFC 9846 4.3.1)."""
    server_refuses(edit(ClientHello, old_hello(version)), Reason.NO_SHARED_VERSION, PROTOCOL_VERSION)


@pytest.mark.parametrize("version", OLD, ids=str)
def test_a_server_refuses_a_hello_without_extensions(version: int) -> None:
    """As SSL 3.0 and TLS 1.0 had them."""

    def change(hello: ClientHello) -> None:
        hello.legacy_version = version
        hello.extensions.clear()

    server_refuses(edit(ClientHello, change), Reason.NO_SHARED_VERSION, PROTOCOL_VERSION)


@pytest.mark.parametrize(
    "versions",
    [[V.TLSv1_2], [V.TLSv1_2, V.TLSv1_1, V.TLSv1], [V.SSLv3], [0x7A7A], [0x7F1C], [0x0305]],
    ids=["1.2", "1.2 to 1.0", "SSL 3.0", "GREASE", "draft 28", "the future"],
)
def test_a_server_refuses_versions_that_it_does_not_speak(versions: list[int]) -> None:
    change = edit(ClientHello, lambda hello: hello.extensions.add(ext.SupportedVersionsClientHello(versions)))
    server_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION)


@pytest.mark.parametrize("version", [V.SSLv3, V.TLSv1, V.TLSv1_1, V.TLSv1_3, 0x0000, 0xFFFF], ids=hex)
def test_a_server_refuses_another_legacy_version(version: int) -> None:
    """RFC 9846 4.2.2: "MUST abort the handshake with a "protocol_version" alert"."""
    change = edit(ClientHello, lambda hello: setattr(hello, "legacy_version", version))
    server_refuses(change, Reason.WRONG_LEGACY_VERSION, PROTOCOL_VERSION)


def test_a_fallback_to_an_older_version_is_refused() -> None:
    """RFC 7507: a client that falls back says so; here there is nothing to fall back to."""

    def fall_back(hello: ClientHello) -> None:
        old_hello(V.TLSv1_2)(hello)
        hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV)

    server_refuses(edit(ClientHello, fall_back), Reason.NO_SHARED_VERSION, PROTOCOL_VERSION)


#: SSL 2.0: a length with the high bit, CLIENT-HELLO, version 3.1, 2 suites of 3 bytes, 16 bytes of challenge.
SSL2_HELLO = bytes.fromhex("801f 01 0301 0006 0000 0010 00002f 010080") + bytes(16)


def test_an_ssl2_hello_is_not_tls() -> None:
    """DROWN. RFC 9846 E.5: SSL 2.0 hellos must not be accepted; who speaks it cannot read an alert of TLS."""
    rogue, victim = connect_pair()
    error = refuses_data(victim, rogue, SSL2_HELLO, Reason.NOT_TLS, None)
    assert "SSL 2.0" in str(error)


@pytest.mark.parametrize(
    "legacy", [b"\x03\x00", b"\x03\x01", b"\x03\x02", b"\x03\x04", b"\x03\xff"], ids=bytes.hex
)
def test_the_version_in_a_records_header_means_nothing(legacy: bytes) -> None:
    """RFC 9846 5.1: it "MUST be ignored for all purposes"."""
    client, server = connect_pair()
    hello = client.data_to_send()
    server.receive_data(plaintext(ContentType.handshake, hello[5:], legacy))
    assert server.state == "WAIT_FINISHED"


def test_suites_of_older_versions_are_not_chosen_by_a_server() -> None:
    old: list[Any] = [suite for suite in CipherSuite if not 0x1300 <= suite <= 0x13FF]
    change = edit(ClientHello, lambda hello: setattr(hello, "cipher_suites", old))
    server_refuses(change, Reason.NO_SHARED_CIPHER_SUITE, AlertDescription.handshake_failure)


@pytest.mark.parametrize(
    "suite",
    [CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA, CipherSuite.TLS_AES_128_CCM_8_SHA256, 0x1A1A, 0x0000],
    ids=["of TLS 1.2", "not offered", "GREASE", "null"],
)
def test_suites_that_were_not_offered_are_not_taken_by_a_client(suite: int) -> None:
    change = edit(ServerHello, lambda hello: setattr(hello, "cipher_suite", suite))
    client_refuses(change, Reason.SUITE_NOT_OFFERED, ILLEGAL)
