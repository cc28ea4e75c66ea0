"""Raccoon (2020): a Diffie-Hellman secret loses its leading zeros, and hashing the rest takes less time.

RFC 5246 8.1.2 wants it so. It helps who can ask a server many times with *one* key of the server's, and
learns of each secret how it begins. So no key is used in two connections, on either side, and what is
stripped tells of a secret that is never made again.
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import connect_pair, pump, shake_hands
from rogue import edit
from rogue12 import EXCHANGES, client_of, meeting, messages_in, met12, server_of

from pellucid import ClientConfig, ServerConfig
from pellucid.codes import NamedGroup
from pellucid.crypto.groups_ff import FIELDS, PowShare
from pellucid.handshake import exchange12
from pellucid.messages import tls12

EPHEMERAL = pytest.mark.parametrize("exchange", ["DHE_RSA", "ECDHE_RSA", "ECDHE_ECDSA"])
CONNECTIONS = 8


def share_of(message: Any) -> bytes:
    """The public value in either side's key exchange message."""
    if isinstance(message, tls12.ServerKeyExchange):
        params: Any = message.params  # type: ignore[attr-defined]
        return bytes(params.dh_Ys if isinstance(params, tls12.ServerDHParams) else params.public)
    return bytes(message.dh_Yc if isinstance(message, tls12.ClientKeyExchangeDHE) else message.ecdh_Yc)


def shares(exchange: str, side: str, client: ClientConfig, server: ServerConfig) -> list[bytes]:
    """What ``side`` shows in so many connections between the same two configurations."""
    kind = EXCHANGES[exchange].server if side == "server" else EXCHANGES[exchange].client
    seen: list[bytes] = []
    assert kind is not None
    watch = edit(kind, lambda message: seen.append(share_of(message)))
    for _ in range(CONNECTIONS):
        one, other, _, _ = meeting("client" if side == "server" else "server", client, server, watch)
        pump(one, other)
    return seen


@pytest.mark.parametrize("side", ["client", "server"])
@EPHEMERAL
def test_no_key_serves_two_connections(exchange: str, side: str) -> None:
    found = shares(exchange, side, client_of(exchange, sessions=None), server_of(exchange))
    assert len(set(found)) == CONNECTIONS


@EPHEMERAL
def test_not_even_one_after_one_that_came_to_nothing(exchange: str) -> None:
    """A client that asks with the same hello again and again, and never gets any further."""
    hello = connect_pair(client_of(exchange, sessions=None))[0].data_to_send()
    config, kind = server_of(exchange), EXCHANGES[exchange].server
    assert kind is not None
    seen = set()
    for _ in range(CONNECTIONS):
        _, server = connect_pair(server=config)
        server.receive_data(hello)
        raw = next(raw for raw in messages_in(server.data_to_send()) if raw[0] == kind.msg_type)
        seen.add(share_of(kind.decode(raw)))
    assert len(seen) == CONNECTIONS


def test_a_resumption_needs_no_key_at_all() -> None:
    """The second connection of two that have met has none, so its secret is no Diffie-Hellman secret."""
    config_of_client, config_of_server = met12("DHE_RSA")
    seen: list[bytes] = []
    watch = edit(tls12.ServerKeyExchangeDHE, lambda message: seen.append(share_of(message)))
    one, other, victim, _ = meeting("client", config_of_client, config_of_server, watch)
    pump(one, other)
    assert victim.negotiated is not None
    assert victim.negotiated.resumed
    assert seen == []


def test_a_secret_with_a_zero_in_front_is_the_same_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or one handshake of 256 would fail, and its failing would tell what there was to strip."""
    field = FIELDS[NamedGroup.ffdhe2048]
    # The server's exponent is 1, so that the secret is the client's share: 2^2039, of 255 bytes.
    secret = (2**2039).to_bytes(255, "big")
    monkeypatch.setattr(exchange12, "generate", lambda *_: PowShare(field, 1))
    monkeypatch.setattr(exchange12, "respond_dh", lambda *_: (field.group, secret.rjust(256, b"\0"), secret))
    shake_hands(client_of("DHE_RSA", sessions=None), server_of("DHE_RSA"))
