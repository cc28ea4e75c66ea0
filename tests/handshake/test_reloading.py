"""A server's configuration is replaced: who has begun goes on, and who begins takes the new one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from loopback import NAME, NOW, client_config, connect_pair, credential, laboratory, pump, server_config
from raw_keys import raw_client, raw_credential, raw_server

from pellucid import (
    ClientConfig,
    ClientConnection,
    Misuse,
    PeerIncompatible,
    Reason,
    ReloadableConfig,
    ServerConnection,
    SessionStore,
)
from pellucid.config import reloading
from pellucid.identity.lab import Laboratory

both_versions = pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])


def meet(config: ReloadableConfig, client: ClientConfig) -> ClientConnection:
    """A connection that begins now, completed."""
    pair = ClientConnection(client, NAME), ServerConnection(config.current)
    pump(*pair)
    return pair[0]


def leaf_seen(client: ClientConnection) -> bytes:
    assert client.negotiated is not None
    return client.negotiated.peer_chain[0]


@both_versions
def test_a_connection_that_has_begun_goes_on_with_what_it_began_with(version: str) -> None:
    """Its hello has come, and nothing more: it is told of the certificate that was, and all is well."""
    config = ReloadableConfig(server_config(protocols=[version]))
    client, server = connect_pair(client_config(), config.current)
    config.reload(credentials=[credential("rsa")])
    pump(client, server)
    assert leaf_seen(client) == credential().chain[0]
    assert leaf_seen(meet(config, client_config(sessions=None))) == credential("rsa").chain[0]


@both_versions
@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "cache"])
def test_sessions_go_on_if_their_certificate_does(version: str, tickets: bool) -> None:
    config = ReloadableConfig(server_config(protocols=[version], tickets=tickets))
    client = client_config()
    meet(config, client)
    config.reload(credentials=[credential(), credential("rsa")])
    negotiated = meet(config, client).negotiated
    assert negotiated is not None
    assert negotiated.resumed == (tickets or version == "TLSv1.2")


@both_versions
def test_with_another_certificate_a_session_becomes_a_full_handshake(version: str) -> None:
    config = ReloadableConfig(server_config(protocols=[version]))
    client = client_config()
    meet(config, client)
    config.reload(credentials=[credential("rsa")])
    again = meet(config, client)
    assert again.negotiated is not None
    assert not again.negotiated.resumed
    assert leaf_seen(again) == credential("rsa").chain[0]


@both_versions
def test_new_roots_decide_about_clients_of_old_sessions_too(version: str) -> None:
    others = Laboratory(b"others", NOW)
    client = client_config(credentials=[credential("ecdsa", "client")])
    config = ReloadableConfig(server_config(protocols=[version], client_authentication="required"))
    assert meet(config, client).handshake_complete
    config.reload(trust=others.trust)
    pair = ClientConnection(client, NAME), ServerConnection(config.current)
    with pytest.raises(Exception, match="unknown_root"):
        pump(*pair)


@both_versions
def test_a_strict_server_goes_on_with_no_session_for_a_name_that_it_has_no_more(version: str) -> None:
    """A raw public key stays the same when the names that it is for change."""
    config = ReloadableConfig(
        raw_server(
            protocols=[version],
            strict_server_name=True,
            credentials=[raw_credential(names=(NAME, "other.example"))],
        )
    )
    client = raw_client(sessions=SessionStore())

    def visit() -> ClientConnection:
        pair = ClientConnection(client, "other.example"), ServerConnection(config.current)
        pump(*pair)
        return pair[0]

    visit()
    again = visit().negotiated
    assert again is not None
    assert again.resumed
    config.reload(credentials=[raw_credential(names=(NAME,))])
    with pytest.raises(PeerIncompatible) as caught:
        visit()
    assert caught.value.reason is Reason.UNRECOGNIZED_NAME


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"credentials": []}, Reason.BAD_CONFIGURATION),
        ({"credentials": [credential()], "client_authentication": "required"}, Reason.BAD_CONFIGURATION),
    ],
    ids=["nothing to show", "nobody trusted"],
)
def test_what_is_refused_leaves_all_as_it_was(settings: dict[str, Any], reason: Reason) -> None:
    config = ReloadableConfig(server_config())
    before = config.current
    with pytest.raises(Misuse) as caught:
        config.reload(**settings)
    assert caught.value.reason is reason
    assert config.current is before


def test_what_is_no_setting_leaves_all_as_it_was() -> None:
    config = ReloadableConfig(server_config())
    before = config.current
    with pytest.raises(TypeError, match="certificate"):
        config.reload(certificate=credential())
    assert config.current is before


@pytest.mark.parametrize("other", [client_config(), credential(), None], ids=["client", "credential", "None"])
def test_only_a_servers_configuration_is_one(other: Any) -> None:
    with pytest.raises(Misuse, match="give a ServerConfig"):
        ReloadableConfig(other)
    config = ReloadableConfig(server_config())
    before = config.current
    with pytest.raises(Misuse, match="give a ServerConfig"):
        config.replace(other)
    assert config.current is before


def test_what_is_not_named_stays() -> None:
    knobs: dict[str, Any] = {
        "policy": "compatible",
        "alpn_protocols": ["h2"],
        "groups": ["secp384r1"],
        "cipher_suites": ["TLS_AES_256_GCM_SHA384"],
        "tickets_per_handshake": 3,
        "strict_server_name": True,
        "client_authentication": "optional",
    }
    config = ReloadableConfig(server_config(**knobs))
    before = config.current
    after = config.reload(credentials=[credential("rsa")])
    assert after is config.current
    assert after.parameters == before.parameters
    assert after.ticket_keys is before.ticket_keys
    assert after.cache is before.cache
    assert after.trust is laboratory().trust
    for name in (*knobs, "clock", "entropy"):
        assert getattr(after, name) == getattr(before, name)


@pytest.mark.parametrize("without", ["tickets", "session_cache"])
def test_what_was_off_stays_off(without: str) -> None:
    config = ReloadableConfig(server_config(**{without: False}))
    after = config.reload(credentials=[credential("rsa")])
    assert (after.ticket_keys if without == "tickets" else after.cache) is None


def test_another_configuration_as_a_whole_can_take_its_place() -> None:
    config = ReloadableConfig(server_config())
    other = server_config(credentials=[credential("rsa")], alpn_protocols=["h2"])
    config.replace(other)
    assert config.current is other


def test_another_policy_brings_its_own_lists() -> None:
    """What was not given before is not held against it: else "modern" would go on with TLS 1.2."""
    config = ReloadableConfig(server_config(groups=["x25519", "secp256r1"]))
    after = config.reload(policy="modern")
    assert after.parameters == server_config(policy="modern", groups=["x25519", "secp256r1"]).parameters
    assert [str(one) for one in after.protocols] == ["TLSv1.3"]
    config.reload(credentials=[credential("rsa")])
    assert config.reload(policy="default").parameters == server_config(groups=after.groups).parameters


def test_a_version_that_comes_back_has_its_suites_again() -> None:
    config = ReloadableConfig(server_config(protocols=["TLSv1.3"]))
    after = config.reload(protocols=["TLSv1.3", "TLSv1.2"])
    assert after.parameters == server_config(protocols=["TLSv1.3", "TLSv1.2"]).parameters


def test_a_replacement_is_not_undone_by_a_reload_that_began_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both at once: the one is made of what the other has put there, or comes first."""
    config = ReloadableConfig(server_config(alpn_protocols=["old"]))
    other = server_config(alpn_protocols=["new"])
    replacing = threading.Thread(target=config.replace, args=(other,))
    make = reloading.replace

    def slowly(*args: Any, **settings: Any) -> Any:
        replacing.start()
        replacing.join(0.1)  # as long as it may take where nothing holds it back
        return make(*args, **settings)

    monkeypatch.setattr(reloading, "replace", slowly)
    config.reload(credentials=[credential("rsa")])
    replacing.join()
    assert config.current is other
