"""What two configurations agree on, and what happens where they cannot: suites, groups, schemes, names,
certificates, application protocols. The server's order counts.
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import NAME, NOW, client_config, connect_pair, credential, laboratory, pump, server_config
from rogue import assert_refused, client_refuses, honest, server_refuses

from pellucid import AlertReceived, Credential, TLSError, TrustStore
from pellucid.codes import AlertDescription
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.identity.lab import Laboratory
from pellucid.result import Negotiated

A = AlertDescription


def agree(
    client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, name: str = NAME
) -> tuple[Negotiated, Negotiated]:
    """What the client and the server say that they agreed on."""
    pair = connect_pair(client_config(**client or {}), server_config(**server or {}), name)
    pump(*pair)
    assert pair[0].negotiated is not None
    assert pair[1].negotiated is not None
    return pair[0].negotiated, pair[1].negotiated


def refused_by(side: str, client: dict[str, Any], server: dict[str, Any], reason: Reason, alert: A) -> None:
    refuses = client_refuses if side == "client" else server_refuses
    refuses(honest, reason, alert, client=client_config(**client), server=server_config(**server))


# -- suites and groups

SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"]
GROUPS = ["x25519", "secp256r1", "secp384r1"]


@pytest.mark.parametrize("preferred", SUITES)
def test_the_servers_order_of_suites_counts(preferred: str) -> None:
    order = [preferred, *(suite for suite in SUITES if suite != preferred)]
    for found in agree({"cipher_suites": SUITES}, {"cipher_suites": order}):
        assert str(found.cipher_suite) == preferred


@pytest.mark.parametrize("preferred", GROUPS)
def test_the_servers_order_of_groups_counts(preferred: str) -> None:
    """Even where the client has sent a share of another: RFC 9846 4.3.8."""
    order = [preferred, *(group for group in GROUPS if group != preferred)]
    for found in agree({"groups": GROUPS}, {"groups": order}):
        assert str(found.group) == preferred


def test_the_defaults_are_the_hybrid_and_aes_128() -> None:
    for found in agree():
        assert (str(found.group), str(found.cipher_suite)) == ("X25519MLKEM768", "TLS_AES_128_GCM_SHA256")


def test_no_suite_in_common() -> None:
    refused_by(
        "server",
        {"cipher_suites": SUITES[:1]},
        {"cipher_suites": SUITES[1:]},
        Reason.NO_SHARED_CIPHER_SUITE,
        A.handshake_failure,
    )


def test_no_group_in_common() -> None:
    refused_by(
        "server", {"groups": GROUPS[:1]}, {"groups": GROUPS[1:]}, Reason.NO_SHARED_GROUP, A.handshake_failure
    )


# -- signature schemes and certificates

ALL_KINDS = ["ecdsa", "ed25519", "rsa", "ecdsa_p384"]
SCHEME_OF = {
    "ecdsa": "ecdsa_secp256r1_sha256",
    "ed25519": "ed25519",
    "rsa": "rsa_pss_rsae_sha256",
    "ecdsa_p384": "ecdsa_secp384r1_sha384",
}


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_certificate_is_shown_that_the_client_can_verify(kind: str) -> None:
    """The laboratory's CAs sign with P-256: signature_algorithms_cert says that this is fine."""
    client = {
        "signature_schemes": [SCHEME_OF[kind]],
        "certificate_signature_schemes": ["ecdsa_secp256r1_sha256"],
    }
    server = {"credentials": [credential(one) for one in ALL_KINDS]}
    for found in agree(client, server):
        assert str(found.signature_scheme) == SCHEME_OF[kind]
    assert agree(client, server)[0].peer_chain == credential(kind).chain


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_first_certificate_is_the_default(kind: str) -> None:
    order = [kind, *(other for other in ALL_KINDS if other != kind)]
    assert (
        agree({}, {"credentials": [credential(one) for one in order]})[0].peer_chain == credential(kind).chain
    )


def test_no_certificate_that_the_client_can_verify() -> None:
    refused_by(
        "server",
        {"signature_schemes": ["ed25519"]},
        {"credentials": [credential("rsa")]},
        Reason.NO_SHARED_SIGNATURE_SCHEME,
        A.handshake_failure,
    )


def named(*names: str) -> Any:
    return credential("ecdsa", "server", names)


BY_NAME = {"credentials": [named("one.test"), named("two.test", "localhost"), named("*.wild.test")]}


@pytest.mark.parametrize(
    "name, expected",
    [("one.test", 0), ("two.test", 1), ("localhost", 1), ("a.wild.test", 2), ("TWO.test", 1)],
)
def test_a_certificate_is_picked_by_the_server_name(name: str, expected: int) -> None:
    client, server = agree(server=BY_NAME, name=name)
    assert client.peer_chain == BY_NAME["credentials"][expected].chain
    assert server.server_name == name.lower()


@pytest.mark.parametrize("name", ["three.test", "wild.test", "a.b.wild.test"])
def test_a_name_that_nobody_has_gets_the_default_which_the_client_refuses(name: str) -> None:
    client, server = connect_pair(server=server_config(**BY_NAME), server_name=name)
    assert_hostname_mismatch(client, server)


def assert_hostname_mismatch(client: Connection, server: Connection) -> None:
    server.receive_data(client.data_to_send())
    with pytest.raises(TLSError) as caught:
        client.receive_data(server.data_to_send())
    assert_refused(client, server, caught.value, Reason.HOSTNAME_MISMATCH, A.bad_certificate)


@pytest.mark.parametrize("name", ["three.test", "wild.test"])
def test_a_strict_server_has_no_default(name: str) -> None:
    """ALPACA: a server that answers for names that are not its own lends them its certificate."""
    client, server = connect_pair(server=server_config(**BY_NAME, strict_server_name=True), server_name=name)
    with pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    assert_refused(server, client, caught.value, Reason.UNRECOGNIZED_NAME, A.unrecognized_name)


def test_a_strict_server_takes_its_own_names() -> None:
    assert agree(server=BY_NAME | {"strict_server_name": True}, name="two.test")


def test_an_address_is_no_server_name_and_is_verified_all_the_same() -> None:
    """RFC 6066 3: literal addresses are not sent."""
    client, server = agree(name="127.0.0.1")
    assert server.server_name is None
    assert client.server_name == "127.0.0.1"
    assert_hostname_mismatch(*connect_pair(server_name="127.0.0.2"))


def other_laboratory() -> Laboratory:
    return Laboratory(b"another", NOW)


def test_an_untrusted_server_is_refused() -> None:
    stranger = {"credentials": [other_laboratory().credential()]}
    refused_by("client", {}, stranger, Reason.UNKNOWN_ROOT, A.unknown_ca)


def issued_by_root(purpose: Any = "server") -> Credential:
    return laboratory().credential("ecdsa", [NAME], purpose, issuer="root")


#: Who trusts the intermediate CA alone has no use for what the root itself has issued.
INTERMEDIATE = TrustStore.from_certificates((laboratory().intermediate,), "the intermediate")


def test_a_certificate_is_picked_by_the_authorities_that_a_client_names() -> None:
    both = {"credentials": [issued_by_root(), credential()]}
    client = {"trust": INTERMEDIATE, "send_certificate_authorities": True}
    assert agree(client, both)[0].peer_chain == credential().chain
    assert agree({}, both)[0].peer_chain == issued_by_root().chain


def test_a_client_keeps_to_itself_whom_it_trusts() -> None:
    """The list is long and tells who one is: it is not sent unasked."""
    both = {"credentials": [issued_by_root(), credential()]}
    refused_by("client", {"trust": INTERMEDIATE}, both, Reason.MISSING_INTERMEDIATE, A.unknown_ca)


# -- clients' certificates

SHOWN = {"credentials": [credential("ecdsa", "client")]}


@pytest.mark.parametrize(
    "authentication, shown, mutual",
    [
        ("none", True, False),
        ("none", False, False),
        ("optional", True, True),
        ("optional", False, False),
        ("required", True, True),
    ],
)
def test_a_client_shows_its_certificate_when_it_is_asked(
    authentication: str, shown: bool, mutual: bool
) -> None:
    found = agree(SHOWN if shown else {}, {"client_authentication": authentication})
    assert [one.mutual for one in found] == [mutual, mutual]
    assert found[1].peer_chain == (SHOWN["credentials"][0].chain if mutual else ())


def test_a_client_that_must_show_one_and_has_none() -> None:
    required = {"client_authentication": "required"}
    refused_by("server", {}, required, Reason.CLIENT_CERTIFICATE_MISSING, A.certificate_required)


@pytest.mark.parametrize("authentication", ["optional", "required"])
def test_an_untrusted_client_is_refused(authentication: str) -> None:
    """Also where none need be shown: a certificate that is shown is verified."""
    stranger = {"credentials": [other_laboratory().credential(purpose="client")]}
    asking = {"client_authentication": authentication}
    refused_by("server", stranger, asking, Reason.UNKNOWN_ROOT, A.unknown_ca)


def test_a_client_learns_of_the_refusal_after_it_has_connected() -> None:
    """TLS 1.3: the client has finished before the server has looked at its certificate."""
    client, server = connect_pair(server=server_config(client_authentication="required"))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert client.handshake_complete
    with pytest.raises(TLSError):
        server.receive_data(client.data_to_send())
    with pytest.raises(AlertReceived) as caught:
        client.receive_data(server.data_to_send())
    assert caught.value.description == A.certificate_required


def test_a_client_picks_its_certificate_by_the_authorities_that_the_server_names() -> None:
    both = {"credentials": [issued_by_root("client"), credential("ecdsa", "client")]}
    asking = {"client_authentication": "required"}
    assert agree(both, asking | {"trust": INTERMEDIATE})[1].peer_chain == credential("ecdsa", "client").chain
    assert agree(both, asking)[1].peer_chain == issued_by_root("client").chain


def test_a_client_picks_its_certificate_by_the_servers_schemes() -> None:
    both = {"credentials": [credential("ecdsa", "client"), credential("ed25519", "client")]}
    asking = {"client_authentication": "required", "signature_schemes": ["ed25519"]}
    assert agree(both, asking)[1].peer_chain == credential("ed25519", "client").chain


# -- application protocols


@pytest.mark.parametrize(
    "client, server, chosen",
    [
        (["h2", "http/1.1"], ["http/1.1", "h2"], "http/1.1"),
        (["h2", "http/1.1"], ["h2", "http/1.1"], "h2"),
        (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        ([], ["h2"], None),
        (["h2"], [], None),
        ([], [], None),
    ],
)
def test_the_servers_order_of_protocols_counts(
    client: list[str], server: list[str], chosen: str | None
) -> None:
    for found in agree({"alpn_protocols": client}, {"alpn_protocols": server}):
        assert found.alpn == chosen


def test_no_protocol_in_common() -> None:
    """RFC 7301 3.2: no_application_protocol, and no guess."""
    refused_by(
        "server",
        {"alpn_protocols": ["h2"]},
        {"alpn_protocols": ["http/1.1", "ftp"]},
        Reason.NO_SHARED_APPLICATION_PROTOCOL,
        A.no_application_protocol,
    )


def test_a_resumed_handshake_agrees_on_a_protocol_of_its_own() -> None:
    """The ticket does not bind it: RFC 9846 asks that of 0-RTT alone."""
    client, server = (
        client_config(alpn_protocols=["h2", "http/1.1"]),
        server_config(alpn_protocols=["h2", "http/1.1"]),
    )
    pump(*connect_pair(client, server))
    later = server_config(alpn_protocols=["http/1.1"], tickets=server.ticket_keys)
    pair = connect_pair(client, later)
    pump(*pair)
    for connection in pair:
        assert connection.negotiated is not None
        assert (connection.negotiated.resumed, connection.negotiated.alpn) == (True, "http/1.1")
