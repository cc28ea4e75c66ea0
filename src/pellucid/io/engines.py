"""Which side TLS over a connection that exists is to be."""

from __future__ import annotations

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import Misuse, Reason

__all__ = ["engine_of"]


def engine_of(
    config: ClientConfig | ServerConfig | None, server_name: str | None
) -> ClientConnection | ServerConnection:
    """A server with a ``ServerConfig``; else a client, and ``Misuse`` if the server has no name."""
    if isinstance(config, ServerConfig):
        return ServerConnection(config)
    if server_name is None:
        raise Misuse(Reason.BAD_SERVER_NAME, "server_name: say who the server must be")
    return ClientConnection(config or ClientConfig(), server_name)
