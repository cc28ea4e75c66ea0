"""HelloRetryRequest confusion: a second hello that is not the first with what was asked for, and a request
that asks for nothing, for something else, or twice. RFC 9846 4.2.2, 4.2.4, 4.3.8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest
from loopback import NAME, client_config, connect_pair, pump, server_config
from rogue import RogueHandshake, Tamper, client_refuses, connected_rogue, edit, server_refuses

from pellucid import ClientConfig, ServerConfig
from pellucid.codes import AlertDescription, CipherSuite, ExtensionType, NamedGroup, ProtocolVersion
from pellucid.crypto.groups import generate
from pellucid.errors import Reason
from pellucid.messages import (
    HELLO_RETRY_RANDOM,
    ClientHello,
    HandshakeMessage,
    HelloRetryRequest,
    ServerHello,
)
from pellucid.messages import extensions as ext

ILLEGAL = AlertDescription.illegal_parameter
G = NamedGroup
E = ExtensionType


@cache
def client() -> ClientConfig:
    """Shares x25519 alone, and would take secp256r1 or secp384r1."""
    return client_config(groups=["x25519", "secp256r1", "secp384r1"], alpn_protocols=["h2"], sessions=None)


@cache
def server() -> ServerConfig:
    """Wants secp256r1, and so asks for another hello."""
    return server_config(groups=["secp256r1", "x25519"], alpn_protocols=["h2"], cookie=True)


def test_the_retry_itself_works() -> None:
    victim, _ = connected_rogue("client", client=client(), server=server())
    assert victim.negotiated is not None
    assert victim.negotiated.group is G.secp256r1


# -- what a client refuses


def client_refuses_retry(tamper: Tamper, reason: Reason, alert: AlertDescription = ILLEGAL) -> None:
    client_refuses(tamper, reason, alert, client=client(), server=server())


def retry(change: Callable[[HelloRetryRequest], Any]) -> Tamper:
    return edit(HelloRetryRequest, change)


def test_a_second_request_is_unexpected() -> None:
    asked: list[bytes] = []

    def again(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, HelloRetryRequest):
            asked.append(message.raw)
        return [*asked, message.raw] if isinstance(message, ServerHello) else [message.raw]

    client_refuses_retry(again, Reason.UNEXPECTED_MESSAGE, AlertDescription.unexpected_message)


def without_anything_to_change(request: HelloRetryRequest) -> None:
    del request.extensions[E.key_share]
    del request.extensions[E.cookie]


def test_a_request_that_changes_nothing_is_refused() -> None:
    client_refuses_retry(retry(without_anything_to_change), Reason.POINTLESS_HELLO_RETRY)


def asks_for(group: int) -> Callable[[HelloRetryRequest], Any]:
    return lambda request: request.extensions.add(ext.KeyShareHelloRetryRequest(group))


def test_a_request_for_a_share_that_was_sent_is_refused() -> None:
    """With a cookie too: that the hello would change does not make the share's group right."""
    client_refuses_retry(retry(asks_for(G.x25519)), Reason.POINTLESS_HELLO_RETRY)


@pytest.mark.parametrize("group", [G.x448, 0x1234, 0x1A1A], ids=["known", "unknown", "GREASE"])
def test_a_request_for_a_group_that_was_not_offered_is_refused(group: int) -> None:
    client_refuses_retry(retry(asks_for(group)), Reason.GROUP_NOT_OFFERED)


@pytest.mark.parametrize(
    "suite", [CipherSuite.TLS_CHACHA20_POLY1305_SHA256, CipherSuite.TLS_AES_256_GCM_SHA384], ids=str
)
def test_the_suite_stays_as_it_was_in_the_request(suite: CipherSuite) -> None:
    """Of the same hash or of another one."""
    change = edit(ServerHello, lambda hello: setattr(hello, "cipher_suite", suite))
    client_refuses_retry(change, Reason.HELLO_RETRY_CHANGED)


def test_the_group_stays_as_it_was_in_the_request() -> None:
    """Not even the one that had a share in the first hello will do: its private key is gone."""

    def first_group(hello: ServerHello) -> None:
        hello.extensions.add(
            ext.KeyShareServerHello(ext.KeyShareEntry(G.x25519, generate(G.x25519, None).share))
        )

    client_refuses_retry(edit(ServerHello, first_group), Reason.GROUP_NOT_OFFERED)


def test_the_version_stays_as_it_was_in_the_request() -> None:
    """RFC 9846 4.2.4: selected_version "MUST be retained in the ServerHello"."""

    def older(hello: ServerHello) -> None:
        hello.extensions.add(ext.SupportedVersionsServerHello(ProtocolVersion.TLSv1_2))

    client_refuses_retry(edit(ServerHello, older), Reason.VERSION_NOT_OFFERED)


def test_the_version_does_not_vanish_after_the_request() -> None:
    """The same downgrade, by leaving the extension out: TLS 1.2 has no HelloRetryRequest."""

    def oldest(hello: ServerHello) -> None:
        hello.extensions.clear()

    client_refuses_retry(edit(ServerHello, oldest), Reason.HELLO_RETRY_CHANGED)


def test_a_request_has_a_version() -> None:
    change = retry(lambda request: request.extensions.pop(E.supported_versions))
    client_refuses_retry(change, Reason.MISSING_EXTENSION, AlertDescription.missing_extension)


def test_a_request_of_another_version_is_refused() -> None:
    version = ext.SupportedVersionsServerHello(ProtocolVersion.TLSv1_2)
    client_refuses_retry(retry(lambda request: request.extensions.add(version)), Reason.VERSION_NOT_OFFERED)


def test_a_request_with_a_suite_that_was_not_offered_is_refused() -> None:
    suite = CipherSuite.TLS_AES_128_CCM_SHA256
    client_refuses_retry(
        retry(lambda request: setattr(request, "cipher_suite", suite)), Reason.SUITE_NOT_OFFERED
    )


def test_a_request_with_another_session_id_is_refused() -> None:
    change = retry(lambda request: setattr(request, "legacy_session_id_echo", bytes(32)))
    client_refuses_retry(change, Reason.WRONG_SESSION_ID_ECHO)


def test_a_request_with_compression_is_refused() -> None:
    change = retry(lambda request: setattr(request, "legacy_compression_method", 1))
    client_refuses_retry(change, Reason.WRONG_COMPRESSION_METHOD)


def test_a_request_with_another_legacy_version_is_refused() -> None:
    change = retry(lambda request: setattr(request, "legacy_version", ProtocolVersion.TLSv1_3))
    client_refuses_retry(change, Reason.WRONG_LEGACY_VERSION, AlertDescription.protocol_version)


@pytest.mark.parametrize("code", [0x1234, 0x1A1A], ids=["unknown", "GREASE"])
def test_a_request_with_an_extension_that_was_not_offered_is_refused(code: int) -> None:
    change = retry(lambda request: request.extensions.update({code: ext.UnknownExtension(b"")}))
    client_refuses_retry(change, Reason.UNSOLICITED_EXTENSION, AlertDescription.unsupported_extension)


def only_12() -> ClientConfig:
    return client_config(protocols=["TLSv1.2"], sessions=None)


@pytest.mark.parametrize("version", [None, ProtocolVersion.TLSv1_3, ProtocolVersion.TLSv1_2], ids=str)
def test_a_client_of_tls_12_alone_takes_no_request(version: ProtocolVersion | None) -> None:
    """TLS 1.2 has no HelloRetryRequest: a ServerHello with its random is no ServerHello."""

    def retrying(hello: ServerHello) -> None:
        hello.random = HELLO_RETRY_RANDOM
        hello.extensions.clear()
        hello.extensions.add(ext.Cookie(b"come again"))
        if version is not None:
            hello.extensions.add(ext.SupportedVersionsServerHello(version))

    reason = Reason.MISSING_EXTENSION if version is None else Reason.VERSION_NOT_OFFERED
    alert = AlertDescription.missing_extension if version is None else ILLEGAL
    client_refuses(edit(ServerHello, retrying), reason, alert, client=only_12())


# -- what a server refuses


def second(change: Callable[[ClientHello], Any]) -> Tamper:
    """The first hello goes out as it is, the second is changed."""
    seen: list[bytes] = []

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, ClientHello):
            if seen:
                change(message)
                message.encode()
            seen.append(message.raw)
        return [message.raw]

    return tamper


def shares(*groups: NamedGroup) -> Callable[[ClientHello], Any]:
    entries = [ext.KeyShareEntry(group, generate(group, None).share) for group in groups]
    return lambda hello: hello.extensions.add(ext.KeyShareClientHello(entries))


def extension(code: ExtensionType | int, body: Any) -> Callable[[ClientHello], Any]:
    return lambda hello: hello.extensions.update({code: body})


CHANGES: dict[str, Callable[[ClientHello], Any]] = {
    "random": lambda hello: setattr(hello, "random", bytes(32)),
    "session ID": lambda hello: setattr(hello, "legacy_session_id", bytes(32)),
    "no session ID": lambda hello: setattr(hello, "legacy_session_id", b""),
    "a suite less": lambda hello: hello.cipher_suites.pop(),
    "suites in another order": lambda hello: hello.cipher_suites.reverse(),
    "no share": shares(),
    "the first share again": shares(G.x25519),
    "the first share as well": shares(G.x25519, G.secp256r1),
    "another share as well": shares(G.secp256r1, G.secp384r1),
    "groups": extension(E.supported_groups, ext.NamedGroupList([G.secp256r1])),
    "server name": extension(E.server_name, ext.ServerNameList([ext.ServerName(0, b"elsewhere.test")])),
    "no server name": lambda hello: hello.extensions.pop(E.server_name),
    "ALPN": extension(E.application_layer_protocol_negotiation, ext.ProtocolNameList([b"http/1.1"])),
    "signature schemes": extension(E.signature_algorithms, ext.SignatureSchemeList([0x0403])),
    "a version less": extension(
        E.supported_versions, ext.SupportedVersionsClientHello([ProtocolVersion.TLSv1_3])
    ),
    "TLS 1.2 after all": extension(
        E.supported_versions, ext.SupportedVersionsClientHello([ProtocolVersion.TLSv1_2])
    ),
    "no versions": lambda hello: hello.extensions.pop(E.supported_versions),
    "an unknown extension more": extension(0x1234, ext.UnknownExtension(b"")),
    "another cookie": extension(E.cookie, ext.Cookie(bytes(32))),
    "no cookie": lambda hello: hello.extensions.pop(E.cookie),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_the_second_hello_is_the_first_with_what_was_asked_for(change: Callable[[ClientHello], Any]) -> None:
    server_refuses(second(change), Reason.HELLO_RETRY_CHANGED, ILLEGAL, client=client(), server=server())


def test_a_second_hello_with_another_legacy_version_is_refused() -> None:
    change = second(lambda hello: setattr(hello, "legacy_version", ProtocolVersion.TLSv1_1))
    alert = AlertDescription.protocol_version
    server_refuses(change, Reason.WRONG_LEGACY_VERSION, alert, client=client(), server=server())


def test_a_cookie_that_nobody_gave_is_refused() -> None:
    config = server_config(groups=["secp256r1"])
    change = second(extension(E.cookie, ext.Cookie(b"mine")))
    server_refuses(change, Reason.HELLO_RETRY_CHANGED, ILLEGAL, client=client(), server=config)


def test_a_second_hello_may_be_padded() -> None:
    """RFC 9846 4.2.2: padding may be added, removed or changed."""
    victim, _ = connected_rogue(
        "server", second(extension(E.padding, ext.Padding(bytes(9)))), client=client(), server=server()
    )
    assert victim.handshake_complete


def with_early_data(hello: ClientHello) -> None:
    psk = hello.extensions.pop(E.pre_shared_key)
    hello.extensions.add(ext.EarlyDataIndication(), psk)


def test_a_second_hello_offers_no_early_data() -> None:
    resuming = client_config(groups=["x25519", "secp256r1"])
    pump(*connect_pair(resuming, config := server_config(groups=["secp256r1"])))
    server_refuses(
        second(with_early_data), Reason.HELLO_RETRY_CHANGED, ILLEGAL, client=resuming, server=config
    )


def test_a_retry_is_not_resumed_by_somebody_else() -> None:
    """The answer to one connection's request is worth nothing to another: the cookie is its own."""
    first, asking = connect_pair(client(), server())
    asking.receive_data(first.data_to_send())
    first.receive_data(asking.data_to_send())
    other, asking_other = connect_pair(client(), server(), NAME)
    asking_other.receive_data(other.data_to_send())
    asking_other.data_to_send()
    with pytest.raises(Exception, match="second ClientHello") as caught:
        asking_other.receive_data(first.data_to_send())
    assert caught.value.reason is Reason.HELLO_RETRY_CHANGED  # type: ignore[attr-defined]
