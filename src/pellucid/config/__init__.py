"""What a client or a server is told: frozen, checked when built, shared by any number of connections."""

from pellucid.config.client import ClientConfig
from pellucid.config.reloading import ReloadableConfig, reloadable
from pellucid.config.server import PskLookup, ServerConfig
from pellucid.config.shared import Clock, Config, Entropy, fingerprint

__all__ = [
    "ClientConfig",
    "Clock",
    "Config",
    "Entropy",
    "PskLookup",
    "ReloadableConfig",
    "ServerConfig",
    "fingerprint",
    "reloadable",
]
