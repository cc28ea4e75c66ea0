"""A client and a server in one process, with nothing between them: what the tests of handshakes share.

    client, server = connect_pair(client_config(), server_config())
    client_events, server_events = pump(client, server)

Time stands still at NOW, and all certificates come from one laboratory with a seed, which is made once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pellucid import ClientConfig, ClientConnection, Credential, ServerConfig, ServerConnection
from pellucid.connection import Connection
from pellucid.events import Event
from pellucid.identity.lab import Laboratory

#: POSIX seconds.
NOW = 1_800_000_000.0
NAME = "localhost"

#: Bytes in front of a record: type, version, length.
HEADER = 5

#: More rounds than any handshake takes: who has not come to rest by then never will.
MAX_ROUNDS = 50


@cache
def laboratory() -> Laboratory:
    return Laboratory(b"pellucid tests", NOW)


@cache
def credential(
    kind: str = "ecdsa",
    purpose: Literal["server", "client"] = "server",
    names: tuple[str, ...] = (NAME, "127.0.0.1"),
) -> Credential:
    """A certificate of the laboratory with its key; the same object each time."""
    return laboratory().credential(kind, names, purpose)


def clock() -> float:
    return NOW


def client_config(**knobs: Any) -> ClientConfig:
    """A configuration that trusts the laboratory; ``knobs`` are added to it or replace what it has."""
    return ClientConfig(**({"trust": laboratory().trust, "clock": clock} | knobs))


def server_config(**knobs: Any) -> ServerConfig:
    """A configuration with a certificate for NAME; one that asks clients for theirs trusts the laboratory."""
    defaults: dict[str, Any] = {"credentials": [credential()], "clock": clock}
    if knobs.get("client_authentication", "none") != "none":
        defaults["trust"] = laboratory().trust
    return ServerConfig(**(defaults | knobs))


def client12(**knobs: Any) -> ClientConfig:
    """A configuration that speaks TLS 1.2 alone."""
    return client_config(**({"protocols": ["TLSv1.2"]} | knobs))


def server12(**knobs: Any) -> ServerConfig:
    """The same for a server."""
    return server_config(**({"protocols": ["TLSv1.2"]} | knobs))


def connect_pair(
    client: ClientConfig | None = None, server: ServerConfig | None = None, server_name: str | None = NAME
) -> tuple[ClientConnection, ServerConnection]:
    """Two connections that have not exchanged a byte."""
    return (
        ClientConnection(client or client_config(), server_name),
        ServerConnection(server or server_config()),
    )


def feed(connection: Connection, data: bytes, piece: int | None = None) -> list[Event]:
    """Hand ``data`` over, whole or in pieces of ``piece`` bytes; the events of all of it."""
    size = piece or len(data) or 1
    events: list[Event] = []
    for start in range(0, len(data), size):
        events += connection.receive_data(data[start : start + size])
    return events


def pump(client: Connection, server: Connection, piece: int | None = None) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways until both are silent; gives the client's and the server's events.

    ``piece``: bytes handed over at a time, all that there are by default.
    """
    client_events: list[Event] = []
    server_events: list[Event] = []
    for _ in range(MAX_ROUNDS):
        to_server, to_client = client.data_to_send(), server.data_to_send()
        if not to_server and not to_client:
            return client_events, server_events
        server_events += feed(server, to_server, piece)
        client_events += feed(client, to_client, piece)
    raise AssertionError("client and server do not come to rest")


def shake_hands(
    client: ClientConfig | None = None, server: ServerConfig | None = None, piece: int | None = None
) -> tuple[ClientConnection, ServerConnection]:
    """A pair whose handshake is complete on both sides, tickets delivered."""
    pair = connect_pair(client, server)
    pump(*pair, piece)
    assert pair[0].handshake_complete
    assert pair[1].handshake_complete
    return pair


def split_records(data: bytes) -> list[bytes]:
    """The records of a flight, each with its header."""
    found = []
    while data:
        size = HEADER + int.from_bytes(data[3:HEADER], "big")
        found.append(data[:size])
        data = data[size:]
    return found
