"""Which version two configurations speak, and that nobody on the path can make them speak an older one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from loopback import NAME, client12, client_config, connect_pair, pump, server12, server_config, shake_hands
from rogue import (
    Tamper,
    assert_refused,
    client_refuses,
    edit,
    honest,
    plaintext,
    rogue_client,
    rogue_server,
    run,
    server_refuses,
)

from pellucid import ClientConfig, ClientConnection, ServerConnection, TLSError, Trace
from pellucid.codes import AlertDescription, CipherSuite, ContentType, ExtensionType, ProtocolVersion
from pellucid.errors import Reason
from pellucid.messages import DOWNGRADE_TLS11, DOWNGRADE_TLS12, ClientHello, ServerHello
from pellucid.messages import extensions as ext
from pellucid.trace.events import CheckEvent, ChoiceEvent, MessageEvent

A, E, V = AlertDescription, ExtensionType, ProtocolVersion
V12, V13 = "TLSv1.2", "TLSv1.3"

PROTOCOLS = {"1.3": [V13], "1.2": [V12], "1.3 and 1.2": [V13, V12], "1.2 and 1.3": [V12, V13]}
POLICIES = ("modern", "default", "compatible")


@pytest.mark.parametrize("ours, theirs", [*product(PROTOCOLS, PROTOCOLS)])
def test_the_highest_version_that_both_have_is_spoken(ours: str, theirs: str) -> None:
    """In whichever order they are given."""
    client, server = client_config(protocols=PROTOCOLS[ours]), server_config(protocols=PROTOCOLS[theirs])
    common = {*PROTOCOLS[ours]} & {*PROTOCOLS[theirs]}
    if not common:
        error = server_refuses(
            honest, Reason.NO_SHARED_VERSION, A.protocol_version, client=client, server=server
        )
        assert error.blame == "both"
        assert f"the client offers {PROTOCOLS[ours][0]}; we accept {PROTOCOLS[theirs][0]}" in error.detail
        return
    for connection in shake_hands(client, server):
        assert connection.negotiated is not None
        assert connection.negotiated.protocol.label == max(common)


@pytest.mark.parametrize("ours, theirs", [*product(POLICIES, POLICIES)])
def test_all_policies_have_tls_1_3_in_common(ours: str, theirs: str) -> None:
    for connection in shake_hands(client_config(policy=ours), server_config(policy=theirs)):
        assert connection.negotiated is not None
        assert connection.negotiated.protocol is V.TLSv1_3


@pytest.mark.parametrize(
    "suites, versions",
    [
        (["TLS_AES_128_GCM_SHA256"], [V13]),
        (["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], [V12]),
        (["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"], [V13, V12]),
    ],
)
def test_a_version_without_suites_is_not_spoken(suites: list[str], versions: list[str]) -> None:
    assert [version.label for version in client_config(cipher_suites=suites).parameters.protocols] == versions
    hello = hello_of(client_config(cipher_suites=suites))
    assert (E.supported_versions in hello.extensions) is (V13 in versions)
    assert (E.extended_master_secret in hello.extensions) is (V12 in versions)


# -- what a hello has in it


def hello_of(config: ClientConfig) -> ClientHello:
    return ClientHello.decode(ClientConnection(config, NAME).data_to_send()[5:])


OF_13 = {E.supported_versions, E.key_share, E.psk_key_exchange_modes}
OF_12 = {E.renegotiation_info, E.extended_master_secret, E.ec_point_formats, E.session_ticket}


@pytest.mark.parametrize(
    "protocols, there, not_there",
    [([V13], OF_13, OF_12), ([V12], OF_12, OF_13), ([V13, V12], OF_13 | OF_12, set())],
)
def test_a_hello_has_what_its_versions_know(
    protocols: list[str], there: set[int], not_there: set[int]
) -> None:
    hello = hello_of(client_config(protocols=protocols))
    assert hello.legacy_version is V.TLSv1_2
    assert there <= {*hello.extensions}
    assert not not_there & {*hello.extensions}
    # RFC 9846 E.4: the disguise is of TLS 1.3; 1.2 alone has nothing to hide.
    assert len(hello.legacy_session_id) == (32 if V13 in protocols else 0)


@pytest.mark.parametrize(
    "knobs, offered",
    [
        ({}, False),
        ({"policy": "compatible"}, True),
        ({"policy": "compatible", "encrypt_then_mac": False}, False),
    ],
)
def test_encrypt_then_mac_is_asked_for_where_it_changes_something(
    knobs: dict[str, Any], offered: bool
) -> None:
    assert (E.encrypt_then_mac in hello_of(client12(**knobs)).extensions) is offered


def test_what_was_switched_off_is_not_asked_for() -> None:
    extensions = hello_of(client12(extended_master_secret="never", sessions=None)).extensions
    assert not {E.extended_master_secret, E.session_ticket} & {*extensions}
    assert (
        E.ec_point_formats
        not in hello_of(client12(cipher_suites=["TLS_RSA_WITH_AES_128_GCM_SHA256"])).extensions
    )


# -- the sentinel


def random_of(server: ServerConnection, client: ClientConnection) -> bytes:
    server.receive_data(client.data_to_send())
    return ServerHello.decode(first_message(server.data_to_send())).random


def first_message(record: bytes) -> bytes:
    return record[5 : 9 + int.from_bytes(record[6:9], "big")]


@pytest.mark.parametrize(
    "client, server, marked",
    [
        ([V12], [V13, V12], True),
        ([V12], [V12], False),
        ([V13, V12], [V12], False),
        ([V13, V12], [V13, V12], False),
    ],
)
def test_a_server_that_could_do_better_says_so(client: list[str], server: list[str], marked: bool) -> None:
    """RFC 9846 4.2.3: only where TLS 1.2 is spoken by a server that has TLS 1.3 as well."""
    pair = connect_pair(
        client_config(protocols=client),
        server_config(protocols=server, entropy=lambda length: b"\x55" * length),
    )
    random = random_of(pair[1], pair[0])
    assert random == b"\x55" * 24 + (DOWNGRADE_TLS12 if marked else b"\x55" * 8)


def on_the_path(change: Callable[[ClientHello], object]) -> Callable[[bytes], bytes]:
    """Changes the ClientHello behind the client's back."""

    def meddle(record: bytes) -> bytes:
        hello = ClientHello.decode(record[5:])
        change(hello)
        return plaintext(ContentType.handshake, hello.encode(), record[1:3])

    return meddle


def without_13(hello: ClientHello) -> None:
    for code in OF_13:
        del hello.extensions[code]


def meet(meddle: Callable[[bytes], bytes], client: Any = None, server: Any = None) -> tuple[Any, Any]:
    """A client and a server, with somebody in between who changes the first message."""
    pair = connect_pair(client, server)
    pair[1].receive_data(meddle(pair[0].data_to_send()))
    return pair


def test_a_client_finds_out_that_somebody_took_the_better_version_away() -> None:
    client, server = meet(on_the_path(without_13))
    with pytest.raises(TLSError) as caught:
        client.receive_data(server.data_to_send())
    assert "made to choose TLSv1.2" in caught.value.detail
    assert_refused(client, server, caught.value, Reason.DOWNGRADE_DETECTED, A.illegal_parameter)


@pytest.mark.parametrize(
    "extended, reason", [("required", Reason.BAD_RECORD_MAC), ("never", Reason.BAD_FINISHED)]
)
def test_a_server_without_anything_better_finds_out_by_the_finished(extended: str, reason: Reason) -> None:
    """It has no sentinel to set. The transcripts differ; with an extended master secret the keys do, too."""
    client, server = meet(
        on_the_path(without_13),
        client_config(extended_master_secret=extended),
        server12(extended_master_secret=extended),
    )
    client.receive_data(server.data_to_send())
    with pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason is reason


def test_a_client_of_tls_1_2_alone_does_not_mind_the_sentinel() -> None:
    client, _ = shake_hands(client12(), server_config())
    assert client.negotiated is not None
    assert client.negotiated.protocol is V.TLSv1_2


def sentinel(value: bytes, version: int = V.TLSv1_2) -> Tamper:
    def change(hello: ServerHello) -> None:
        hello.random = hello.random[:24] + value
        hello.legacy_version = version

    return edit(ServerHello, change)


@pytest.mark.parametrize("value", [DOWNGRADE_TLS12, DOWNGRADE_TLS11])
def test_a_client_takes_either_sentinel_for_one(value: bytes) -> None:
    client_refuses(sentinel(value), Reason.DOWNGRADE_DETECTED, A.illegal_parameter, server=server12())


def test_a_client_of_tls_1_2_alone_minds_the_sentinel_of_an_older_version() -> None:
    """RFC 9846 4.2.3: TLS 1.2 clients should check that "if the ServerHello indicates TLS 1.1 or below"."""
    tamper = sentinel(DOWNGRADE_TLS11, V.TLSv1_1)
    client_refuses(
        tamper, Reason.DOWNGRADE_DETECTED, A.illegal_parameter, client=client12(), server=server12()
    )


# -- TLS_FALLBACK_SCSV (RFC 7507)


def test_a_fallback_that_need_not_be_is_refused() -> None:
    trace = Trace()
    error = server_refuses(
        honest,
        Reason.INAPPROPRIATE_FALLBACK,
        A.inappropriate_fallback,
        client=client12(fallback=True),
        server=server_config(trace=trace),
    )
    assert "falls back to TLSv1.2, and we speak TLSv1.3" in error.detail
    (check,) = (e for e in trace.events if isinstance(e, CheckEvent) and e.what == "fallback")
    assert (check.expected, check.found, check.ok) == (V13, V12, False)


def test_a_fallback_to_the_best_that_there_is_is_none() -> None:
    client, _ = shake_hands(client12(fallback=True), server12())
    assert client.negotiated is not None
    assert client.negotiated.protocol is V.TLSv1_2


def test_a_client_says_so_in_its_suites_and_only_when_it_falls_back() -> None:
    scsv = CipherSuite.TLS_FALLBACK_SCSV
    assert hello_of(client12(fallback=True)).cipher_suites[-1] == scsv
    assert scsv not in hello_of(client12()).cipher_suites


def grease_and(*versions: int) -> Callable[[ClientHello], object]:
    def change(hello: ClientHello) -> None:
        hello.extensions.add(ext.SupportedVersionsClientHello([0x7A7A, *versions]))
        hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV)

    return change


def test_grease_does_not_hide_a_fallback() -> None:
    """RFC 8701: its values are no versions, though as numbers they are above all that there are."""
    tamper = edit(ClientHello, grease_and(V.TLSv1_2))
    server_refuses(tamper, Reason.INAPPROPRIATE_FALLBACK, A.inappropriate_fallback, client=client12())


def test_a_client_that_offers_the_best_may_say_it_too() -> None:
    rogue = rogue_client(edit(ClientHello, grease_and(V.TLSv1_3, V.TLSv1_2)))
    victim = connect_pair()[1]
    pump(rogue, victim)
    assert victim.handshake_complete


def test_a_fallback_of_something_older_is_refused_by_a_server_of_tls_1_2() -> None:
    def change(hello: ClientHello) -> None:
        hello.legacy_version = V.TLSv1_1
        hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV)

    server_refuses(
        edit(ClientHello, change),
        Reason.INAPPROPRIATE_FALLBACK,
        A.inappropriate_fallback,
        client=client12(),
        server=server12(),
    )


# -- older ones, and what no extension says

OLD = {V.SSLv3: "SSLv3", V.TLSv1: "TLSv1", V.TLSv1_1: "TLSv1.1"}
both_kinds = pytest.mark.parametrize("protocols", [[V12], [V13, V12]], ids=["of 1.2", "of both"])


@both_kinds
@pytest.mark.parametrize("version", OLD, ids=str)
def test_a_server_refuses_an_older_client_by_name(version: V, protocols: list[str]) -> None:
    error = server_refuses(
        edit(ClientHello, lambda hello: setattr(hello, "legacy_version", version)),
        Reason.NO_SHARED_VERSION,
        A.protocol_version,
        client=client12(),
        server=server_config(protocols=protocols),
    )
    assert f"the client offers {OLD[version]};" in error.detail


@both_kinds
@pytest.mark.parametrize("version", OLD, ids=str)
def test_a_client_refuses_an_older_server_by_name(version: V, protocols: list[str]) -> None:
    trace = Trace()
    error = client_refuses(
        edit(ServerHello, lambda hello: setattr(hello, "legacy_version", version)),
        Reason.NO_SHARED_VERSION,
        A.protocol_version,
        client=client_config(protocols=protocols, trace=trace),
        server=server12(),
    )
    assert f"the server speaks {OLD[version]}, which" in error.detail
    (choice,) = (e for e in trace.events if isinstance(e, ChoiceEvent) and e.what == "version")
    assert (choice.theirs, choice.chosen) == ((OLD[version],), "")


@pytest.mark.parametrize("version", [0x0304, 0x0305, 0x03FF, 0xFFFF], ids=hex)
def test_a_client_of_the_future_without_the_extension_gets_tls_1_2(version: int) -> None:
    """RFC 5246 E.1: a client_version above all that a server has is answered by the server's highest."""
    rogue = rogue_client(
        edit(ClientHello, lambda hello: setattr(hello, "legacy_version", version)), client12()
    )
    victim = connect_pair()[1]
    pump(rogue, victim)
    assert victim.negotiated is not None
    assert victim.negotiated.protocol is V.TLSv1_2


@pytest.mark.parametrize("version", [V.SSLv3, V.TLSv1, V.TLSv1_1, V.TLSv1_3], ids=str)
def test_where_the_extension_is_legacy_version_says_nothing(version: V) -> None:
    """RFC 9846 4.3.1: servers "MUST NOT use the ClientHello.legacy_version value for version negotiation"."""

    def change(hello: ClientHello) -> None:
        hello.legacy_version = version
        hello.extensions.add(ext.SupportedVersionsClientHello([V.TLSv1_2]))

    rogue, victim = rogue_client(edit(ClientHello, change), client12()), connect_pair()[1]
    pump(rogue, victim)
    assert victim.negotiated is not None
    assert victim.negotiated.protocol is V.TLSv1_2


def test_a_server_may_not_choose_tls_1_2_by_the_extension() -> None:
    """RFC 9846 4.3.1: for a version "prior to TLS 1.3" there is none in the ServerHello."""
    tamper = edit(
        ServerHello, lambda hello: hello.extensions.add(ext.SupportedVersionsServerHello(V.TLSv1_2))
    )
    client_refuses(tamper, Reason.VERSION_NOT_OFFERED, A.illegal_parameter)


def test_suites_of_one_version_do_not_serve_the_other() -> None:
    for suite, server in ((CipherSuite.TLS_AES_128_GCM_SHA256, server12()), (0xC02B, server_config())):
        tamper = edit(ServerHello, lambda hello, suite=suite: setattr(hello, "cipher_suite", suite))
        client_refuses(tamper, Reason.SUITE_NOT_OFFERED, A.illegal_parameter, server=server)


# -- the disguise of TLS 1.3


def test_a_change_cipher_spec_before_a_server_hello_of_tls_1_2_is_refused() -> None:
    """In TLS 1.3 it may come there and means nothing; here it would mean keys that there are none of."""
    client, server = ClientConnection(client_config(), NAME), rogue_server(honest, server12())
    server.receive_data(client.data_to_send())
    client.receive_data(plaintext(ContentType.change_cipher_spec, b"\x01"))
    with pytest.raises(TLSError) as caught:
        client.receive_data(server.data_to_send())
    assert_refused(client, server, caught.value, Reason.UNEXPECTED_RECORD, A.unexpected_message)


def test_a_session_id_that_is_a_disguise_is_no_session() -> None:
    """RFC 9846 4.2.3: the echo of TLS 1.3 would be in TLS 1.2 the claim to resume."""
    client = ClientConnection(client_config(), NAME)
    disguise: list[bytes] = []

    def echo(hello: ServerHello) -> None:
        hello.legacy_session_id_echo = disguise[0]

    server = rogue_server(edit(ServerHello, echo), server12())
    hello = client.data_to_send()
    disguise.append(ClientHello.decode(hello[5:]).legacy_session_id)
    server.receive_data(hello)
    error = run(client, server, client)
    assert_refused(client, server, error, Reason.SESSION_MISMATCH, A.illegal_parameter)


def test_a_server_of_tls_1_2_looks_for_no_session_by_a_disguise_and_a_ticket() -> None:
    """RFC 5077 3.4: with a ticket, the session ID is one that the client made up."""
    trace = Trace()
    configs = client_config(), server12(trace=trace)
    shake_hands(*configs)
    trace.events.clear()
    client, _ = shake_hands(*configs)
    assert client.negotiated is not None
    assert client.negotiated.resumed
    hello = ClientHello.decode(next(e.raw for e in trace.events if isinstance(e, MessageEvent)))
    assert len(hello.legacy_session_id) == 32
