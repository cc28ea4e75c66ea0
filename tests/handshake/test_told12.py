"""What the trace of TLS 1.2 tells is what happened: which certificate was shown, why nothing was resumed."""

from __future__ import annotations

import pytest
from loopback import NAME, NOW, client_config, connect_pair, credential, pump, server_config

from pellucid import (
    CertificateRejected,
    ClientConfig,
    ClientConnection,
    ServerConfig,
    ServerConnection,
    SessionStore,
    Trace,
)
from pellucid.sessions import TicketKeys
from pellucid.trace import ChoiceEvent

V12 = {"protocols": ["TLSv1.2"]}


def pump_pair(client: ClientConfig, server: ServerConfig) -> tuple[ClientConnection, ServerConnection]:
    pair = connect_pair(client, server)
    pump(*pair)
    return pair


def choices(trace: Trace, what: str) -> list[ChoiceEvent]:
    return [event for event in trace.events if isinstance(event, ChoiceEvent) and event.what == what]


@pytest.mark.parametrize("suite", [None, "TLS_RSA_WITH_AES_128_GCM_SHA256"])
def test_the_certificate_told_is_the_one_shown(suite: str | None) -> None:
    """Though keys of other kinds were looked for on the way."""
    trace = Trace()
    ours = [credential("ecdsa"), credential("rsa")]
    suites = {"cipher_suites": [suite]} if suite else {}
    server = server_config(credentials=ours, policy="compatible", trace=trace, **V12)
    client, _ = pump_pair(client_config(policy="compatible", **V12, **suites), server)
    (told,) = choices(trace, "certificate")
    assert client.negotiated is not None
    (shown,) = [one for one in ours if one.chain == client.negotiated.peer_chain]
    assert told.chosen == shown.subject
    assert ("decrypts" in told.rule) == bool(suite)
    assert len(choices(trace, "signature_scheme")) == (0 if suite else 1)


def test_no_certificate_is_said_to_be_for_a_name_that_it_is_not_for() -> None:
    trace = Trace()
    server = server_config(credentials=[credential("ecdsa")], trace=trace, **V12)
    pair = connect_pair(client_config(**V12), server, server_name="other.example")
    with pytest.raises(CertificateRejected, match=r"other\.example"):
        pump(*pair)
    (told,) = choices(trace, "certificate")
    assert "none has the name" in told.rule


def test_the_disguise_of_a_client_of_both_versions_is_no_wish_to_resume() -> None:
    trace = Trace()
    pump_pair(client_config(), server_config(trace=trace, **V12))
    assert choices(trace, "session") == []


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_a_client_tells_that_its_session_has_expired(protocol: str) -> None:
    store, version = SessionStore(), {"protocols": [protocol]}
    pump_pair(client_config(sessions=store, **version), server_config(**version))
    trace = Trace()
    later = {"clock": lambda: NOW + 8_000}
    tickets = TicketKeys(lambda n: b"\x01" * n, lambda: NOW)
    client = client_config(sessions=store, trace=trace, **version, **later)
    pump_pair(client, server_config(tickets=tickets, **version, **later))
    assert [choice.rule for choice in choices(trace, "kept_session")] == [
        "the session that we kept has expired"
    ]


def test_a_client_tells_that_its_session_is_of_another_client() -> None:
    store = SessionStore()
    pump_pair(client_config(sessions=store, **V12), server_config(**V12))
    trace = Trace()
    other = client_config(sessions=store, trace=trace, credentials=[credential("ecdsa", "client")], **V12)
    pump_pair(other, server_config(**V12))
    rules = [choice.rule for choice in choices(trace, "kept_session")]
    assert rules == ["the session that we kept has other roots, credentials or versions"]
    assert store.why_none(NAME, NOW) != ""
    assert store.why_none("elsewhere.example", NOW) == ""
