"""TLS for asyncio, under the name that programs use: ``import pellucid.aio``. See ``pellucid.io.aio``."""

from pellucid.io.aio import ClientConnected, OnError, TLSTransport, open_connection, start_server, wrap

__all__ = ["ClientConnected", "OnError", "TLSTransport", "open_connection", "start_server", "wrap"]
