"""What can be resumed: a client's sessions and their store, a server's tickets and cache, external PSKs."""

from pellucid.sessions.cache import SessionCache
from pellucid.sessions.session import (
    MAX_CHAIN_BYTES,
    MAX_KEPT_TICKET_BYTES,
    MAX_LIFETIME_SECONDS,
    MAX_SESSION_ID_SECONDS,
    ExternalPsk,
    Session,
)
from pellucid.sessions.store import SessionStore
from pellucid.sessions.tickets import TicketKeys, TicketState

__all__ = [
    "Session",
    "SessionStore",
    "SessionCache",
    "ExternalPsk",
    "TicketKeys",
    "TicketState",
    "MAX_CHAIN_BYTES",
    "MAX_KEPT_TICKET_BYTES",
    "MAX_LIFETIME_SECONDS",
    "MAX_SESSION_ID_SECONDS",
]
