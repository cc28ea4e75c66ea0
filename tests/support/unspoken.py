"""Suites that have names here and are not spoken: that they stay out of every hello and every choice."""

from __future__ import annotations

import pytest
from loopback import NAME, client_config, credential, laboratory, server_config
from rogue import client_refuses, edit, server_refuses

from pellucid import ClientConfig, ClientConnection, Misuse, ServerConfig
from pellucid.codes import AlertDescription, CipherSuite
from pellucid.errors import Reason
from pellucid.messages import ClientHello, ServerHello, decode_handshake
from pellucid.policy import POLICIES, SUPPORTED_CIPHER_SUITES


def named(*parts: str) -> list[CipherSuite]:
    """The suites whose name holds one of these."""
    found = [suite for suite in CipherSuite if any(part in suite.name for part in parts)]
    assert found
    return found


def offered(config: ClientConfig) -> list[int]:
    hello = decode_handshake(ClientConnection(config, NAME).data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    return list(hello.cipher_suites)


def assert_not_offered(suites: list[CipherSuite]) -> None:
    """By no policy, and not even when asked for by name."""
    assert not {*suites} & {*SUPPORTED_CIPHER_SUITES}
    for policy in POLICIES:
        assert not {*suites} & {*offered(client_config(policy=policy))}
    for suite in suites:
        for make in (ClientConfig, ServerConfig):
            with pytest.raises(Misuse) as caught:
                make(cipher_suites=[suite], trust=laboratory().trust, credentials=[credential("rsa")])
            assert caught.value.reason is Reason.BAD_CONFIGURATION


def assert_not_accepted(suites: list[CipherSuite]) -> None:
    """By a server of the most lenient policy, alone or in front of others."""
    server = server_config(policy="compatible", credentials=[credential("rsa"), credential()])
    only = edit(ClientHello, lambda hello: setattr(hello, "cipher_suites", list(suites)))
    reason, alert = Reason.NO_SHARED_CIPHER_SUITE, AlertDescription.handshake_failure
    client = client_config(policy="compatible", protocols=["TLSv1.2"], sessions=None)
    server_refuses(only, reason, alert, client=client, server=server)


def assert_not_taken(suites: list[CipherSuite]) -> None:
    """By a client of the most lenient policy, whose server chose one that it had not offered."""
    client = client_config(policy="compatible", protocols=["TLSv1.2"], sessions=None)
    for suite in suites:
        chosen = edit(ServerHello, lambda hello, code=suite: setattr(hello, "cipher_suite", code))
        client_refuses(
            chosen,
            Reason.SUITE_NOT_OFFERED,
            AlertDescription.illegal_parameter,
            client=client,
            server=server_config(policy="compatible", credentials=[credential("rsa")]),
        )
