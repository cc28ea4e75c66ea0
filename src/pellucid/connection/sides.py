"""The two sides: which flow each runs."""

from __future__ import annotations

from typing import Any

from pellucid.checking import require
from pellucid.codes import ProtocolVersion
from pellucid.config import ClientConfig, Config, ServerConfig
from pellucid.connection.base import Connection
from pellucid.driver import trace_view
from pellucid.events import HandshakeCompleted
from pellucid.handshake.client import client, require_name
from pellucid.handshake.effects import Emit, Flow
from pellucid.handshake.flow import Handshake
from pellucid.handshake.post import (
    client_post_handshake,
    client_post_handshake12,
    server_post_handshake,
    server_post_handshake12,
)
from pellucid.handshake.server import server
from pellucid.identity import parse_server_name


class ClientConnection(Connection):
    """The client's side. The ClientHello is ready to be sent at once.

    ``server_name``: the host name or IP address of the server that is meant, which its certificate has to
    be for. It may only be left out where ``config.psks`` say who the server is.
    """

    def __init__(self, config: ClientConfig, server_name: str | None = None) -> None:
        _require_config(config, ClientConfig)
        name = parse_server_name(server_name) if server_name is not None else None
        hs: Handshake[ClientConfig] = Handshake("client", config, trace_view(config, "client"))
        require_name(name, hs)
        self._server_name = name
        super().__init__(hs, self._flow(hs, name))

    @staticmethod
    def _flow(hs: Handshake[ClientConfig], name: Any) -> Flow[None]:
        connected = yield from client(hs, name)
        yield Emit(HandshakeCompleted(connected.negotiated))
        if connected.negotiated.protocol is ProtocolVersion.TLSv1_2:
            yield from client_post_handshake12(hs, connected)
        yield from client_post_handshake(hs, connected)


class ServerConnection(Connection):
    """The server's side. It waits for a ClientHello."""

    def __init__(self, config: ServerConfig) -> None:
        _require_config(config, ServerConfig)
        hs: Handshake[ServerConfig] = Handshake("server", config, trace_view(config, "server"))
        super().__init__(hs, self._flow(hs))

    @staticmethod
    def _flow(hs: Handshake[ServerConfig]) -> Flow[None]:
        connected = yield from server(hs)
        yield Emit(HandshakeCompleted(connected.negotiated))
        if connected.negotiated.protocol is ProtocolVersion.TLSv1_2:
            yield from server_post_handshake12(hs)
        yield from server_post_handshake(hs, connected)


def _require_config(config: object, kind: type[Config]) -> None:
    require(isinstance(config, kind), "config", f"give a {kind.__name__}, not a {type(config).__name__}")
