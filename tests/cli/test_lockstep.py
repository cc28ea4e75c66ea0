from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pellucid.cli.lockstep import Lockstep
from pellucid.cli.seeded import SeededEntropy
from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import PeerIncompatible, Reason
from pellucid.identity.lab import Laboratory

Pair = Callable[..., tuple[ClientConnection, ServerConnection]]


@pytest.fixture
def pair(laboratory: Laboratory) -> Pair:
    def make(**client_settings: Any) -> tuple[ClientConnection, ServerConnection]:
        client = ClientConfig(trust=laboratory.trust, **client_settings)
        server = ServerConfig(credentials=[laboratory.credential()], groups=["x25519"])
        return ClientConnection(client, "localhost"), ServerConnection(server)

    return make


def test_it_brings_a_handshake_to_its_end(pair: Pair) -> None:
    client, server = pair()
    with Lockstep(client, server) as wire:
        assert wire.settle() is None
        assert client.handshake_complete
        assert server.handshake_complete


def test_more_than_the_socket_buffers_hold_arrives(pair: Pair) -> None:
    client, server = pair()
    data = bytes(range(256)) * 16384
    with Lockstep(client, server) as wire:
        wire.settle()
        client.send_data(data)
        assert wire.settle() is None
        assert bytes(wire.server.received) == data


def test_the_fault_is_told_by_the_side_that_found_it(pair: Pair) -> None:
    with Lockstep(*pair(groups=["x448"])) as wire:
        error = wire.settle()
        assert isinstance(error, PeerIncompatible)
        assert error.reason is Reason.NO_SHARED_GROUP
        assert wire.client.error is not None
        assert wire.client.error.reason is Reason.ALERT_RECEIVED


def test_nothing_happens_after_the_deadline(pair: Pair) -> None:
    with Lockstep(*pair(), deadline_seconds=5.0) as wire:
        wire.deadline = time.monotonic() - 1
        with pytest.raises(TimeoutError):
            wire.settle()


def test_leaving_closes_both_sockets(pair: Pair) -> None:
    with Lockstep(*pair()) as wire:
        pass
    assert (wire.client.sock.fileno(), wire.server.sock.fileno()) == (-1, -1)


def test_seeded_entropy_repeats_and_depends_on_seed_and_label() -> None:
    first = SeededEntropy(1, "client")
    assert [first(16), first(100)] == [(again := SeededEntropy(1, "client"))(16), again(100)]
    others = {SeededEntropy(1, "server")(32), SeededEntropy(2, "client")(32), SeededEntropy(1, "client")(32)}
    assert len(others) == 3


@pytest.mark.parametrize("sizes", [[1] * 48, [48], [31, 17], [33, 15]])
def test_seeded_entropy_does_not_depend_on_the_size_of_the_bites(sizes: list[int]) -> None:
    entropy = SeededEntropy(1, "client")
    assert b"".join(map(entropy, sizes)) == SeededEntropy(1, "client")(48)
