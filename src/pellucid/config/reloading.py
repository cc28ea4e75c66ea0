"""A server's configuration that changes while the server runs."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from pellucid.checking import require
from pellucid.config.server import ServerConfig


class ReloadableConfig:
    """What the next connection of a server takes as its configuration, given to ``listen`` or
    ``aio.start_server`` in the place of a ``ServerConfig``. Thread-safe.

        config = ReloadableConfig(ServerConfig(credentials=[Credential.from_files("chain.pem", "key.pem")]))
        server = await aio.start_server(handle, port=443, config=config)
        ...
        config.reload(credentials=[Credential.from_files("chain.pem", "key.pem")])

    A connection keeps the configuration that it began with, also in the middle of its handshake, so none is
    dropped. Without IO, ``ServerConnection(config.current)``.
    """

    __slots__ = ("_current", "_lock")

    def __init__(self, config: ServerConfig) -> None:
        self._lock = threading.Lock()
        self.replace(config)

    @property
    def current(self) -> ServerConfig:
        """What a connection that begins now is to take."""
        return self._current

    def replace(self, config: ServerConfig) -> None:
        """Another one from here on. Sessions of the old one are resumed only if both were given the same
        ``tickets`` and ``session_cache``.
        """
        given = type(config).__name__
        require(isinstance(config, ServerConfig), "config", f"give a ServerConfig, not a {given}")
        with self._lock:  # or a reload that has begun would put the old one back, in part
            self._current = config

    def reload(self, **settings: Any) -> ServerConfig:
        """The same with other ``settings`` of ``ServerConfig``, such as ``credentials``, ``trust`` or
        ``revocation_lists``; gives what is current now.

        Keys of tickets and the session cache stay, so a session goes on if its certificate does. Lists that
        no setting has ever given are those of the policy that there is now. Raises ``Misuse`` as
        ``ServerConfig`` does, and ``TypeError`` for what is no setting; the old one then stays.
        """
        with self._lock:
            old = self._current
            kept: dict[str, Any] = {"tickets": old.ticket_keys or False, "session_cache": old.cache or False}
            self._current = replace(old, **(kept | dict(old.as_given) | settings))
            return self._current


def reloadable(config: ServerConfig | ReloadableConfig) -> ReloadableConfig:
    """``config`` in a form whose ``current`` can be asked for. Raises ``Misuse`` if it is neither."""
    return config if isinstance(config, ReloadableConfig) else ReloadableConfig(config)
