"""TLS you can see through: a TLS 1.3 client and server whose every step is a typed value.

    from pellucid import ClientConfig, ClientConnection, TrustStore

``connect`` and ``listen`` are blocking, ``aio`` is asyncio, ``ClientConnection`` and ``ServerConnection``
do no IO at all. Names are imported when they are first used, so that ``import pellucid`` costs little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid import aio
    from pellucid.config import ClientConfig, ReloadableConfig, ServerConfig
    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.diagnosis import Diagnosis
    from pellucid.errors import (
        AlertReceived,
        BadMessage,
        CertificateRejected,
        Misuse,
        PeerIncompatible,
        PeerMisbehaved,
        PreambleFailed,
        Reason,
        TLSError,
    )
    from pellucid.events import (
        DataReceived,
        Event,
        HandshakeCompleted,
        KeyUpdated,
        PeerClosed,
        SessionReceived,
        SignatureWanted,
        StatusWanted,
    )
    from pellucid.identity import Credential, TrustStore
    from pellucid.identity.allow import AllowedClients
    from pellucid.identity.revocation import RevocationLists
    from pellucid.io.blocking import TLSListener, TLSSocket, connect, listen, wrap
    from pellucid.io.diagnosing import diagnose
    from pellucid.io.revocation import NetworkStatus
    from pellucid.io.stapling import StapleFetcher
    from pellucid.result import Negotiated
    from pellucid.sessions import ExternalPsk, Session, SessionCache, SessionStore, TicketKeys
    from pellucid.trace import Trace

__version__ = "0.1.0"

_HOMES = {
    "pellucid.config": ("ClientConfig", "ReloadableConfig", "ServerConfig"),
    "pellucid.connection": ("ClientConnection", "ServerConnection"),
    "pellucid.errors": (
        "AlertReceived",
        "BadMessage",
        "CertificateRejected",
        "Misuse",
        "PeerIncompatible",
        "PeerMisbehaved",
        "PreambleFailed",
        "Reason",
        "TLSError",
    ),
    "pellucid.events": (
        "DataReceived",
        "Event",
        "HandshakeCompleted",
        "KeyUpdated",
        "PeerClosed",
        "SessionReceived",
        "SignatureWanted",
        "StatusWanted",
    ),
    "pellucid.identity": ("Credential", "TrustStore"),
    "pellucid.identity.allow": ("AllowedClients",),
    "pellucid.identity.revocation": ("RevocationLists",),
    "pellucid.diagnosis": ("Diagnosis",),
    "pellucid.io": ("aio",),
    "pellucid.io.blocking": ("TLSListener", "TLSSocket", "connect", "listen", "wrap"),
    "pellucid.io.diagnosing": ("diagnose",),
    "pellucid.io.revocation": ("NetworkStatus",),
    "pellucid.io.stapling": ("StapleFetcher",),
    "pellucid.result": ("Negotiated",),
    "pellucid.sessions": ("ExternalPsk", "Session", "SessionCache", "SessionStore", "TicketKeys"),
    "pellucid.trace": ("Trace",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AlertReceived",
    "AllowedClients",
    "BadMessage",
    "CertificateRejected",
    "ClientConfig",
    "ClientConnection",
    "Credential",
    "DataReceived",
    "Diagnosis",
    "Event",
    "ExternalPsk",
    "HandshakeCompleted",
    "KeyUpdated",
    "Misuse",
    "Negotiated",
    "NetworkStatus",
    "PeerClosed",
    "PeerIncompatible",
    "PeerMisbehaved",
    "PreambleFailed",
    "Reason",
    "ReloadableConfig",
    "RevocationLists",
    "ServerConfig",
    "ServerConnection",
    "Session",
    "SessionReceived",
    "SessionCache",
    "SessionStore",
    "SignatureWanted",
    "StapleFetcher",
    "StatusWanted",
    "TLSError",
    "TLSListener",
    "TLSSocket",
    "TicketKeys",
    "Trace",
    "TrustStore",
    "aio",
    "connect",
    "diagnose",
    "listen",
    "wrap",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "aio":
        return import_module("pellucid.aio")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
