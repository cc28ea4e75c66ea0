"""Downgrade: older versions, the sentinel of a server that could do better, SSL 2.0, and version lies.

SSL 2.0, SSL 3.0, TLS 1.0 and TLS 1.1 are not spoken here, so DROWN, POODLE and BEAST find nothing to talk to:
their hellos are recognised, named and refused with protocol_version. TLS 1.2 is spoken with who has nothing
better; who is on the path cannot make it so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import client_config, connect_pair, pump, server_config, shake_hands
from rogue import client_refuses, connected_rogue, edit, honest, plaintext, refuses_data, server_refuses
from rogue12 import EXCHANGES, client_of, meeting, server_of

from pellucid import ClientConfig, ServerConfig, TLSError
from pellucid.codes import AlertDescription, CipherSuite, ContentType, ExtensionType, ProtocolVersion
from pellucid.errors import Reason
from pellucid.messages import DOWNGRADE_TLS11, DOWNGRADE_TLS12, ClientHello, ServerHello, decode_handshake
from pellucid.messages import extensions as ext

V = ProtocolVersion
E = ExtensionType
ILLEGAL = AlertDescription.illegal_parameter
PROTOCOL_VERSION = AlertDescription.protocol_version
OLDER = [V.SSLv3, V.TLSv1, V.TLSv1_1]
OLD = [*OLDER, V.TLSv1_2]

#: What a client or a server may be told to speak, besides what it does by default.
SPEAKING: dict[str, dict[str, Any]] = {
    "both": {},
    "1.3 alone": {"protocols": ["TLSv1.3"]},
    "1.2 alone": {"protocols": ["TLSv1.2"]},
}
EACH_CONFIG = pytest.mark.parametrize("speaking", SPEAKING)
WITH_TLS13 = pytest.mark.parametrize("speaking", ["both", "1.3 alone"])


def a_client(speaking: str, **knobs: Any) -> ClientConfig:
    return client_config(sessions=None, **(SPEAKING[speaking] | knobs))


def a_server(speaking: str, **knobs: Any) -> ServerConfig:
    return server_config(**(SPEAKING[speaking] | knobs))


def old_answer(version: int, sentinel: bytes = bytes(8)) -> Callable[[ServerHello], None]:
    def change(hello: ServerHello) -> None:
        hello.legacy_version = version
        hello.extensions.clear()
        hello.random = hello.random[:24] + sentinel

    return change


SENTINELS = pytest.mark.parametrize(
    "sentinel", [DOWNGRADE_TLS12, DOWNGRADE_TLS11], ids=["to 1.2", "to 1.1 or less"]
)


@SENTINELS
@pytest.mark.parametrize("version", OLD, ids=str)
@WITH_TLS13
def test_a_client_detects_the_sentinel(speaking: str, version: int, sentinel: bytes) -> None:
    """RFC 9846 4.2.3: "the client MUST abort the handshake with an "illegal_parameter" alert"."""
    change = edit(ServerHello, old_answer(version, sentinel))
    client_refuses(change, Reason.DOWNGRADE_DETECTED, ILLEGAL, client=a_client(speaking))


@SENTINELS
@pytest.mark.parametrize("version", OLDER, ids=str)
def test_a_client_of_tls_12_detects_the_sentinel_as_well(version: int, sentinel: bytes) -> None:
    """RFC 9846 4.2.3 wants it of TLS 1.2 clients, too, where the version is below theirs."""
    change = edit(ServerHello, old_answer(version, sentinel))
    client_refuses(change, Reason.DOWNGRADE_DETECTED, ILLEGAL, client=a_client("1.2 alone"))


def test_a_client_of_tls_12_takes_the_sentinel_for_what_it_is() -> None:
    """A server that could do better says so to everybody; who offered TLS 1.2 alone was not downgraded."""
    client, server = shake_hands(a_client("1.2 alone"), a_server("both"))
    assert client.negotiated is not None
    assert client.negotiated.protocol is V.TLSv1_2
    assert server.handshake_complete


@pytest.mark.parametrize("version", OLDER, ids=str)
@EACH_CONFIG
def test_a_client_refuses_an_older_server(speaking: str, version: int) -> None:
    change = edit(ServerHello, old_answer(version))
    error = client_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION, client=a_client(speaking))
    assert f"the server speaks {V(version)}," in str(error)


def test_a_client_of_tls_13_alone_refuses_a_server_of_tls_12() -> None:
    change = edit(ServerHello, old_answer(V.TLSv1_2))
    client_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION, client=a_client("1.3 alone"))


def test_an_answer_of_tls_12_has_no_suite_of_tls_13() -> None:
    """Without supported_versions it is TLS 1.2, and then so is everything in it."""
    change = edit(ServerHello, old_answer(V.TLSv1_2))
    client_refuses(change, Reason.SUITE_NOT_OFFERED, ILLEGAL, client=a_client("both"))


@pytest.mark.parametrize("version", [V.TLSv1_3, V.TLSv1_2], ids=str)
def test_a_client_of_tls_12_alone_takes_no_version_from_an_extension(version: int) -> None:
    """It has not asked by supported_versions, so it is not answered by it: not even with its own version."""

    def change(hello: ServerHello) -> None:
        # An extension more makes it a ServerHello of TLS 1.3, in which the others must not stand.
        hello.extensions.clear()
        hello.extensions.add(ext.SupportedVersionsServerHello(version))

    client = a_client("1.2 alone")
    client_refuses(edit(ServerHello, change), Reason.VERSION_NOT_OFFERED, ILLEGAL, client=client)


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
            hello.extensions.pop(code, None)

    return change


@pytest.mark.parametrize("version", OLDER, ids=str)
@EACH_CONFIG
def test_a_server_refuses_an_older_hello_and_names_it(speaking: str, version: int) -> None:
    change = edit(ClientHello, old_hello(version))
    error = server_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION, server=a_server(speaking))
    assert f"the client offers {V(version)};" in str(error)


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3, 0x03FF, 0xFFFF], ids=hex)
def test_a_server_of_tls_13_alone_refuses_a_hello_without_supported_versions(version: int) -> None:
    """Whatever legacy_version says: without the extension it is TLS 1.2 or less (RFC 9846 4.3.1)."""
    change = edit(ClientHello, old_hello(version))
    server_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION, server=a_server("1.3 alone"))


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3, 0x03FF, 0xFFFF], ids=hex)
def test_to_a_server_of_both_the_same_hello_is_tls_12(version: int) -> None:
    """RFC 5246 E.1: to a client of a version to come it says what it has; the client finds the sentinel."""
    client, server, _, _ = meeting(
        "server", a_client("both"), a_server("both"), edit(ClientHello, old_hello(version))
    )
    server.receive_data(client.data_to_send())
    answer = hello_in(server.data_to_send())
    assert isinstance(answer, ServerHello)
    assert answer.legacy_version == V.TLSv1_2
    assert answer.random.endswith(DOWNGRADE_TLS12)


@pytest.mark.parametrize("version", OLDER, ids=str)
@EACH_CONFIG
def test_a_server_refuses_a_hello_without_extensions(speaking: str, version: int) -> None:
    """As SSL 3.0 and TLS 1.0 had them."""

    def change(hello: ClientHello) -> None:
        hello.legacy_version = version
        hello.extensions.clear()

    reason = Reason.NO_SHARED_VERSION
    server_refuses(edit(ClientHello, change), reason, PROTOCOL_VERSION, server=a_server(speaking))


def test_a_hello_of_tls_12_without_extensions_is_not_safe_enough() -> None:
    """The version would do; but nothing in it binds the keys to the handshake."""

    def change(hello: ClientHello) -> None:
        hello.extensions.clear()

    alert = AlertDescription.handshake_failure
    server_refuses(edit(ClientHello, change), Reason.EXTENDED_MASTER_SECRET_MISSING, alert)


@pytest.mark.parametrize(
    "versions",
    [[V.TLSv1_1, V.TLSv1], [V.SSLv3], [0x7A7A], [0x7F1C], [0x0305], [0x0002]],
    ids=["1.1 and 1.0", "SSL 3.0", "GREASE", "draft 28", "the future", "SSL 2.0"],
)
@EACH_CONFIG
def test_a_server_refuses_versions_that_it_does_not_speak(speaking: str, versions: list[int]) -> None:
    change = edit(ClientHello, lambda hello: hello.extensions.add(ext.SupportedVersionsClientHello(versions)))
    server_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION, server=a_server(speaking))


@pytest.mark.parametrize("versions", [[V.TLSv1_2], [V.TLSv1_2, V.TLSv1_1, V.TLSv1]], ids=["1.2", "to 1.0"])
def test_a_server_of_tls_13_alone_refuses_tls_12(versions: list[int]) -> None:
    change = edit(ClientHello, lambda hello: hello.extensions.add(ext.SupportedVersionsClientHello(versions)))
    server_refuses(change, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION, server=a_server("1.3 alone"))


@pytest.mark.parametrize("version", [V.SSLv3, V.TLSv1, V.TLSv1_1, V.TLSv1_3, 0x0000, 0xFFFF], ids=hex)
def test_a_server_refuses_another_legacy_version(version: int) -> None:
    """RFC 9846 4.2.2: "MUST abort the handshake with a "protocol_version" alert"."""
    change = edit(ClientHello, lambda hello: setattr(hello, "legacy_version", version))
    server_refuses(change, Reason.WRONG_LEGACY_VERSION, PROTOCOL_VERSION)


# -- fallback (RFC 7507)

FALLBACK = AlertDescription.inappropriate_fallback


def test_a_fallback_that_was_not_needed_is_refused() -> None:
    """RFC 7507 3: somebody has disturbed the first attempt, so that there would be a second one with less."""
    reason = Reason.INAPPROPRIATE_FALLBACK
    client = a_client("1.2 alone", fallback=True)
    server_refuses(honest, reason, FALLBACK, client=client, server=a_server("both"))


@pytest.mark.parametrize("version", OLD, ids=str)
@WITH_TLS13
def test_a_fallback_to_any_older_version_is_refused(speaking: str, version: int) -> None:
    def fall_back(hello: ClientHello) -> None:
        old_hello(version)(hello)
        hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV)

    server = a_server(speaking)
    server_refuses(edit(ClientHello, fall_back), Reason.INAPPROPRIATE_FALLBACK, FALLBACK, server=server)


@pytest.mark.parametrize("versions", [[V.TLSv1_2], [0x7A7A, V.TLSv1_2]], ids=["", "GREASE"])
def test_a_fallback_by_the_extension_is_refused(versions: list[int]) -> None:
    def fall_back(hello: ClientHello) -> None:
        hello.extensions.add(ext.SupportedVersionsClientHello(versions))
        hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV)

    server_refuses(edit(ClientHello, fall_back), Reason.INAPPROPRIATE_FALLBACK, FALLBACK)


def test_a_fallback_that_was_needed_is_served() -> None:
    client, _ = shake_hands(a_client("1.2 alone", fallback=True), a_server("1.2 alone"))
    assert client.negotiated is not None
    assert client.negotiated.protocol is V.TLSv1_2


def test_who_offers_all_that_there_is_does_not_fall_back() -> None:
    """The value among the suites says nothing where the version is the highest."""
    change = edit(ClientHello, lambda hello: hello.cipher_suites.append(CipherSuite.TLS_FALLBACK_SCSV))
    victim, _ = connected_rogue("server", change, client=a_client("both"))
    assert victim.handshake_complete


def test_the_fallback_value_is_never_chosen() -> None:
    """Nor is the other suite that is none."""
    for suite in (CipherSuite.TLS_FALLBACK_SCSV, CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV):
        chosen = edit(ServerHello, lambda hello, code=suite: setattr(hello, "cipher_suite", code))
        for speaking in SPEAKING:
            client = a_client(speaking)
            client_refuses(chosen, Reason.SUITE_NOT_OFFERED, ILLEGAL, client=client)


# -- on the path


def hello_in(data: bytes) -> Any:
    """The message at the front of a flight."""
    return decode_handshake(data[5 : 9 + int.from_bytes(data[6:9], "big")])


def replaced(data: bytes, change: Callable[[Any], None]) -> bytes:
    """A flight whose first message somebody has changed on the way."""
    hello = hello_in(data)
    change(hello)
    length = int.from_bytes(data[3:5], "big")
    content = hello.encode() + data[9 + int.from_bytes(data[6:9], "big") : 5 + length]
    return plaintext(ContentType.handshake, content) + data[5 + length :]


def test_tls_13_is_not_taken_out_of_a_hello_on_the_way() -> None:
    """The server is honest, and says by its random what it could do."""
    client, server = connect_pair()
    server.receive_data(replaced(client.data_to_send(), old_hello(V.TLSv1_2)))
    error = refuses_data(client, server, server.data_to_send(), Reason.DOWNGRADE_DETECTED, ILLEGAL)
    assert "TLSv1.2" in str(error)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_sentinel_is_not_taken_out_either(exchange: str) -> None:
    """It stands in the random, which the server's signature covers; with RSA, the keys and Finished do."""
    knobs: dict[str, Any] = {
        "protocols": (),
        "cipher_suites": ["TLS_AES_128_GCM_SHA256", EXCHANGES[exchange].suite],
    }
    client, server = connect_pair(client_of(exchange, **knobs), server_of(exchange, **knobs))
    server.receive_data(replaced(client.data_to_send(), old_hello(V.TLSv1_2)))

    def without_sentinel(hello: Any) -> None:
        assert hello.random.endswith(DOWNGRADE_TLS12)
        hello.random = hello.random[:24] + bytes(8)

    flight = replaced(server.data_to_send(), without_sentinel)
    if EXCHANGES[exchange].server is not None:
        refuses_data(client, server, flight, Reason.BAD_SIGNATURE, AlertDescription.decrypt_error)
        return
    client.receive_data(flight)
    with pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.reason in {Reason.BAD_RECORD_MAC, Reason.BAD_FINISHED}
    assert not client.handshake_complete


def test_a_server_of_tls_12_alone_has_no_sentinel() -> None:
    """It would tell a client of both that there was something better."""
    client, server = connect_pair(a_client("both"), a_server("1.2 alone"))
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    assert not hello_in(flight).random.endswith((DOWNGRADE_TLS12, DOWNGRADE_TLS11))
    client.receive_data(flight)
    pump(client, server)
    assert client.handshake_complete


# -- SSL 2.0


#: SSL 2.0: a length with the high bit, CLIENT-HELLO, version 3.1, 2 suites of 3 bytes, 16 bytes of challenge.
SSL2_HELLO = bytes.fromhex("801f 01 0301 0006 0000 0010 00002f 010080") + bytes(16)


def test_an_ssl2_hello_is_refused_by_name() -> None:
    """DROWN. RFC 9846 E.5: "NOT RECOMMENDED to accept"; a client that speaks TLS too can read the alert."""
    rogue, victim = connect_pair()
    error = refuses_data(victim, rogue, SSL2_HELLO, Reason.NO_SHARED_VERSION, PROTOCOL_VERSION)
    assert "SSL 2.0 CLIENT-HELLO" in str(error)
    assert "TLSv1 at most" in str(error)


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
