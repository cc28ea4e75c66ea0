"""One conversation of a matrix of handshakes, and what two runs of it have in common."""

from __future__ import annotations

import dataclasses
from typing import Any

from loopback import pump

from pellucid.connection import Connection
from pellucid.events import Event, HandshakeCompleted, SessionReceived


def converse(client: Connection, server: Connection, piece: int | None) -> tuple[list[Event], list[Event]]:
    """A handshake, data both ways, and an end on both sides."""
    found = pump(client, server, piece)
    client.send_data(b"question")
    server.send_data(b"answer")
    for connection in (client, server):
        connection.close()
    more = pump(client, server, piece)
    return found[0] + more[0], found[1] + more[1]


def comparable(events: list[Event]) -> list[Any]:
    """What does not differ from one run to the next: a session's secret does."""
    return [type(event) if isinstance(event, SessionReceived) else _told(event) for event in events]


def _told(event: Event) -> Any:
    if not isinstance(event, HandshakeCompleted):
        return event
    identity = event.negotiated.peer_identity
    return dataclasses.replace(event.negotiated, peer_identity=None), identity and identity.names
