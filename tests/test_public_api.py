"""What people write programs against: names, the example of the README, knobs and what they refuse."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from loopback import client_config, connect_pair, credential, laboratory, pump, server_config, shake_hands

import pellucid
from pellucid import (
    ClientConfig,
    ClientConnection,
    Credential,
    DataReceived,
    ExternalPsk,
    HandshakeCompleted,
    Misuse,
    PeerClosed,
    Reason,
    ServerConfig,
    ServerConnection,
    SessionStore,
    TicketKeys,
    TLSError,
    Trace,
    TrustStore,
)
from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.crypto.suites import SUITES
from pellucid.identity.lab import Laboratory
from pellucid.policy import SUPPORTED_CIPHER_SUITES
from pellucid.trace.events import MessageEvent

SECRET = bytes.fromhex("5ec2e7") * 8
PSK = ExternalPsk(b"an identity", SECRET)


def test_the_example() -> None:
    """Twenty lines, as the documentation has them."""
    issued = (lab := Laboratory(b"example", time.time())).issue()
    chain_pem, key_pem, roots_pem = issued.chain_pem, issued.key_pem, lab.root_pem

    import pellucid
    from pellucid import (
        ClientConfig,
        ClientConnection,
        Credential,
        ServerConfig,
        ServerConnection,
        TLSError,
        TrustStore,
    )

    credential = Credential.from_pem(chain_pem, key_pem)
    trust = TrustStore.from_pem(roots_pem)
    client = ClientConnection(ClientConfig(trust=trust), server_name="localhost")
    server = ServerConnection(ServerConfig(credentials=[credential]))

    out = client.data_to_send()
    events = server.receive_data(out)
    assert events == []
    assert issubclass(TLSError, Exception)
    assert pellucid.__version__

    pump(client, server)
    client.send_data(b"...")
    client.close()
    assert server.receive_data(client.data_to_send()) == [DataReceived(b"..."), PeerClosed()]
    assert client.handshake_complete
    agreed = client.negotiated
    assert agreed is not None
    assert agreed.protocol.label == "TLSv1.3"
    assert str(agreed.cipher_suite) == "TLS_AES_128_GCM_SHA256"
    assert str(agreed.group) == "X25519MLKEM768"
    assert str(agreed.signature_scheme) == "ecdsa_secp256r1_sha256"
    assert agreed.alpn is None
    assert agreed.peer_chain == credential.chain
    assert agreed.resumed is False
    assert agreed.server_name == "localhost"
    exported = client.export_keying_material(b"label", b"context", 32)
    assert server.export_keying_material(b"label", b"context", 32) == exported


# -- names


@pytest.mark.parametrize("name", pellucid.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pellucid, name) is not None
    assert name in dir(pellucid)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'connectt'"):
        _ = pellucid.connectt


def test_the_contract_has_its_names() -> None:
    contract = {
        "ClientConfig", "ServerConfig", "Credential", "TrustStore", "ClientConnection", "ServerConnection",
        "TLSError", "HandshakeCompleted", "DataReceived", "SessionReceived", "PeerClosed", "connect",
        "listen", "aio", "TLSSocket",
    }  # fmt: skip
    assert contract <= set(pellucid.__all__)


def test_importing_pellucid_imports_little() -> None:
    """It is quick because what a name needs comes when the name is used."""
    heavy = {"socket", "ssl", "asyncio", "cryptography"}
    program = f"import sys, pellucid; print(*({heavy!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


# -- knobs: names and members


@pytest.mark.parametrize(
    "knob, given, member",
    [
        ("groups", ["x25519"], NamedGroup.x25519),
        ("groups", [NamedGroup.secp256r1], NamedGroup.secp256r1),
        ("groups", "ffdhe2048", NamedGroup.ffdhe2048),
        ("cipher_suites", ["TLS_AES_128_CCM_8_SHA256"], CipherSuite.TLS_AES_128_CCM_8_SHA256),
        ("signature_schemes", ["mldsa65"], SignatureScheme.mldsa65),
        ("signature_schemes", ["rsa_pkcs1_sha256"], SignatureScheme.rsa_pkcs1_sha256),
        ("cipher_suites", ["TLS_RSA_WITH_AES_128_CBC_SHA"], CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA),
        ("protocols", ["TLSv1.2"], ProtocolVersion.TLSv1_2),
        ("protocols", ["TLSv1.3"], ProtocolVersion.TLSv1_3),
        ("protocols", ["TLSv1_3"], ProtocolVersion.TLSv1_3),
    ],
)
def test_code_points_are_given_by_name_or_as_members(knob: str, given: Any, member: Any) -> None:
    assert getattr(client_config(**{knob: given}), knob) == (member,)
    assert getattr(server_config(**{knob: given}), knob) == (member,)


def test_what_is_not_given_comes_from_the_policy() -> None:
    config = client_config()
    assert config.protocols == (ProtocolVersion.TLSv1_3, ProtocolVersion.TLSv1_2)
    assert config.cipher_suites[0] is CipherSuite.TLS_AES_128_GCM_SHA256
    assert config.extended_master_secret == "required"
    assert config.groups == (
        NamedGroup.X25519MLKEM768,
        NamedGroup.x25519,
        NamedGroup.secp256r1,
        NamedGroup.secp384r1,
    )


def words(codes: Any) -> set[str]:
    return set(" ".join(map(str, codes)).replace("_", " ").split())


OLD_SUITES = {"CBC", "CCM", "8", "DHE", "RC4", "3DES", "NULL", "EXPORT", "anon", "MD5", "SHA"}


@pytest.mark.parametrize("config", [client_config(), server_config()], ids=["client", "server"])
def test_defaults_have_nothing_old(config: Any) -> None:
    """AEAD and forward secrecy alone; no SHA-1 in any signature, and PKCS #1 v1.5 behind everything else."""
    assert not OLD_SUITES & words(config.cipher_suites)
    assert all("ECDHE" in str(suite) for suite in config.parameters.suites12)
    assert not {"sha1", "md5", "dsa"} & words(config.signature_schemes)
    pkcs1 = ["pkcs1" in str(scheme) for scheme in config.signature_schemes]
    assert pkcs1 == sorted(pkcs1)
    # RFC 9846 4.3.3: it signs no handshake of TLS 1.3.
    assert "pkcs1" not in words(config.parameters.schemes13)


def test_the_policy_modern_is_tls_1_3_alone() -> None:
    config = client_config(policy="modern")
    assert config.protocols == (ProtocolVersion.TLSv1_3,)
    assert config.parameters.suites12 == ()
    assert "pkcs1" not in words(config.signature_schemes)


def test_the_policy_compatible_adds_what_is_old_behind_what_is_not() -> None:
    default, compatible = client_config(), client_config(policy="compatible")
    count = len(default.cipher_suites)
    assert compatible.cipher_suites[:count] == default.cipher_suites
    old = words(compatible.cipher_suites[count:])
    assert {"CBC", "DHE", "RSA"} <= old
    # What nobody should speak any more is not even there when asked for.
    assert not {"RC4", "3DES", "NULL", "EXPORT", "anon", "MD5"} & words(SUPPORTED_CIPHER_SUITES)
    assert compatible.extended_master_secret == "optional"


@pytest.mark.parametrize("suite", SUPPORTED_CIPHER_SUITES, ids=str)
def test_a_suite_that_is_asked_for_by_name_brings_its_version(suite: CipherSuite) -> None:
    config = client_config(cipher_suites=[str(suite)])
    (protocol,) = config.protocols
    assert (protocol.label == "TLSv1.3") is (suite in SUITES)
    assert config.cipher_suites == (suite,)


def test_shares_go_in_the_order_of_the_groups() -> None:
    """RFC 9846 4.3.8"""
    config = client_config(key_shares=["x25519", "X25519MLKEM768"])
    assert config.share_groups == (NamedGroup.X25519MLKEM768, NamedGroup.x25519)


def test_without_the_usual_groups_the_first_has_a_share() -> None:
    assert client_config(groups=["x448", "secp521r1"]).share_groups == (NamedGroup.x448,)


BOTH: dict[str, dict[str, Any]] = {
    "policy": {"policy": "nonsense"},
    "protocols": {"protocols": ["TLSv1.1"]},
    "protocols, twice": {"protocols": ["TLSv1.3", "TLSv1_3"]},
    "cipher_suites": {"cipher_suites": ["TLS_RSA_WITH_RC4_128_MD5"]},
    "groups": {"groups": ["x25520"]},
    "groups, by number": {"groups": [0x1A1A]},
    "groups, twice": {"groups": ["x25519", "x25519"]},
    "cipher_suites, none of the version": {
        "protocols": ["TLSv1.2"],
        "cipher_suites": ["TLS_AES_128_GCM_SHA256"],
    },
    "groups, without a curve": {
        "protocols": ["TLSv1.2"],
        "groups": ["X25519MLKEM768"],
    },
    "cipher_suites, of another version": {
        "policy": "modern",
        "cipher_suites": ["TLS_RSA_WITH_AES_128_CBC_SHA"],
    },
    "signature_schemes": {"signature_schemes": ["rsa_pkcs1_sha1"]},
    "extended_master_secret": {"extended_master_secret": "sometimes"},
    "record_size_limit, small": {"record_size_limit": 63},
    "record_size_limit, large": {"record_size_limit": 2**14 + 2},
    "alpn_protocols": {"alpn_protocols": "h2"},
    "alpn_protocols, empty": {"alpn_protocols": [""]},
    "alpn_protocols, long": {"alpn_protocols": ["x" * 256]},
    "credentials": {"credentials": ["a path"]},
    "key_update_after": {"key_update_after": 1},
}

ONE: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "key_shares": (client_config, {"key_shares": ["nonsense"]}),
    "max_fragment_length": (client_config, {"max_fragment_length": 1000}),
    "max_fragment_length, and a limit": (
        client_config,
        {"max_fragment_length": 1024, "record_size_limit": 1024},
    ),
    "fallback": (client_config, {"fallback": True}),
    "session_cache": (server_config, {"session_cache": SessionStore()}),
    "key_shares, not among groups": (client_config, {"key_shares": ["x448"]}),
    "certificate_signature_schemes": (client_config, {"certificate_signature_schemes": ["dsa_sha1"]}),
    "client_authentication": (server_config, {"client_authentication": "sometimes"}),
    "credentials, none": (server_config, {"credentials": []}),
    "trust": (server_config, {"client_authentication": "optional", "trust": None}),
    "psks": (server_config, {"client_authentication": "required", "psks": [PSK]}),
    "tickets_per_handshake": (server_config, {"tickets_per_handshake": 17}),
    "tickets_per_handshake, negative": (server_config, {"tickets_per_handshake": -1}),
}

REFUSED = ONE | {
    f"{side} {name}": (make, knobs)
    for side, make in (("client", client_config), ("server", server_config))
    for name, knobs in BOTH.items()
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_cannot_work_is_refused_by_the_name_of_its_knob(name: str) -> None:
    make, knobs = REFUSED[name]
    knob = name.partition(",")[0].removeprefix("client ").removeprefix("server ")
    with pytest.raises(Misuse) as caught:
        make(**knobs)
    assert caught.value.reason is Reason.BAD_CONFIGURATION
    assert caught.value.detail.startswith(f"{knob}: ")


@pytest.mark.parametrize("knob", ["protocols", "cipher_suites", "groups", "signature_schemes", "policy"])
def test_a_refusal_of_a_name_lists_what_there_is(knob: str) -> None:
    with pytest.raises(Misuse) as caught:
        client_config(**{knob: "nonsense"} if knob == "policy" else {knob: ["nonsense"]})
    there_is = {
        "protocols": "TLSv1.3", "cipher_suites": "TLS_AES_256_GCM_SHA384", "groups": "secp521r1",
        "signature_schemes": "mldsa87", "policy": "modern",
    }  # fmt: skip
    assert "'nonsense'" in caught.value.detail
    assert there_is[knob] in caught.value.detail


@pytest.mark.parametrize("make", [client_config, server_config])
def test_a_knob_that_there_is_not_is_refused(make: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="verify_hostname"):
        make(verify_hostname=False)


@pytest.mark.parametrize("make", [ClientConfig, ServerConfig])
def test_knobs_are_given_by_name(make: Callable[..., object]) -> None:
    with pytest.raises(TypeError):
        make("default")


@pytest.mark.parametrize("config", [client_config(), server_config()], ids=["client", "server"])
def test_a_configuration_cannot_be_changed(config: Any) -> None:
    for field in fields(config):
        with pytest.raises(FrozenInstanceError):
            setattr(config, field.name, None)
    with pytest.raises(FrozenInstanceError):
        config.groups = ()


def test_a_list_that_is_changed_later_changes_no_configuration() -> None:
    protocols, groups = ["h2"], ["x25519"]
    config = client_config(alpn_protocols=protocols, groups=groups)
    protocols.append("http/1.1")
    groups.append("secp256r1")
    assert (config.alpn_protocols, config.groups) == (("h2",), (NamedGroup.x25519,))


def test_a_client_needs_to_know_whom_it_wants() -> None:
    for name in (None, "", "not a name", "*.example.org"):
        with pytest.raises(Misuse) as caught:
            ClientConnection(client_config(), name)
        assert caught.value.reason is Reason.BAD_SERVER_NAME


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1"])
def test_a_server_is_meant_by_name_or_address(name: str) -> None:
    client, server = connect_pair(server_name=name)
    pump(client, server)
    assert client.handshake_complete
    assert server.negotiated is not None
    # RFC 6066 3: addresses are not sent.
    assert server.negotiated.server_name == (None if name == "127.0.0.1" else "localhost")


# -- what is shown


def test_no_repr_shows_a_secret() -> None:
    keys = TicketKeys(lambda n: (SECRET * n)[:n], lambda: 0.0)
    store = SessionStore()
    trace = Trace()
    server_knobs = {"psks": [PSK], "tickets": keys, "trace": trace}
    client = client_config(psks=[PSK], sessions=store, trace=trace)
    server = server_config(**server_knobs)
    connections = shake_hands(client, server)
    hs = connections[0]._hs
    shown = [client, server, PSK, keys, store, trace, *connections, connections[0].negotiated]
    shown += [hs, hs.transcript, credential(), laboratory().trust, *trace.events]
    secrets = [SECRET, hs.read_secret, hs.write_secret]
    for thing in shown:
        for secret in secrets:
            assert secret.hex() not in repr(thing)
            assert repr(secret)[2:-1] not in repr(thing)


def test_no_repr_shows_a_session_key() -> None:
    config = client_config()
    shake_hands(config)
    assert config.sessions is not None
    session = config.sessions.take("localhost", config.clock(), config.session_scope)
    assert session is not None
    for secret in (session.secret, session.ticket):
        assert repr(secret)[2:-1] not in repr(session)
        assert secret.hex() not in repr(session)


def test_a_connection_shows_its_side_and_state() -> None:
    client, server = connect_pair()
    assert (repr(client), repr(server)) == ("<ClientConnection, WAIT_SH>", "<ServerConnection, START>")


# -- what is told


def test_a_connection_tells_when_it_is_complete() -> None:
    client, server = connect_pair()
    assert not client.handshake_complete
    assert client.negotiated is None
    for events, connection in zip(pump(client, server), (client, server), strict=True):
        completed = [event for event in events if isinstance(event, HandshakeCompleted)]
        assert [event.negotiated for event in completed] == [connection.negotiated]


def test_what_was_agreed_on_cannot_be_changed() -> None:
    client, _ = shake_hands()
    with pytest.raises(FrozenInstanceError):
        client.negotiated.alpn = "h2"  # type: ignore[union-attr, misc]


def test_both_agree_on_a_protocol() -> None:
    client, server = shake_hands(
        client_config(alpn_protocols=["http/1.1", "h2"]), server_config(alpn_protocols=["h2", "http/1.1"])
    )
    assert client.negotiated is not None
    assert server.negotiated is not None
    assert client.negotiated.alpn == server.negotiated.alpn == "h2"


def test_a_trace_may_be_each_connections_own_or_shared() -> None:
    config = client_config(trace=True)
    first, second = ClientConnection(config, "localhost"), ClientConnection(config, "localhost")
    assert first.trace is not None
    assert first.trace is not second.trace
    shared = Trace()
    client, server = shake_hands(client_config(trace=shared), server_config(trace=shared))
    assert client.trace is server.trace is shared
    assert {event.side for event in shared.events if isinstance(event, MessageEvent)} == {"client", "server"}
    assert connect_pair()[0].trace is None


def test_a_key_log_has_four_lines_a_connection() -> None:
    lines: list[tuple[str, bytes, bytes]] = []
    shake_hands(client_config(key_log=lambda *line: lines.append(line)))
    assert [label for label, _, _ in lines] == [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ]
    assert len({random for _, random, _ in lines}) == 1


def test_a_callback_that_fails_ends_the_connection_as_our_fault() -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("the disk is full")

    client, server = connect_pair(server=server_config(key_log=failing))
    with pytest.raises(Misuse) as caught:
        pump(client, server)
    assert caught.value.reason is Reason.INTERNAL_ERROR
    assert "the disk is full" in caught.value.detail
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(TLSError, match="internal_error"):
        client.receive_data(server.data_to_send())


def test_a_credential_and_a_trust_store_come_from_memory() -> None:
    issued = laboratory().issue(names=("memory.test",))
    ours = Credential.from_pem(issued.chain_pem, issued.key_pem)
    trust = TrustStore.from_pem(laboratory().root_pem)
    client = ClientConnection(client_config(trust=trust), "memory.test")
    server = ServerConnection(server_config(credentials=[ours]))
    pump(client, server)
    assert client.negotiated is not None
    assert client.negotiated.peer_chain == ours.chain
