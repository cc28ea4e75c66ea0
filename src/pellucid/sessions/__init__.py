"""What can be resumed: the client's sessions and their store, the server's tickets, and external PSKs."""

from pellucid.sessions.session import MAX_LIFETIME_SECONDS, ExternalPsk, Session
from pellucid.sessions.store import SessionStore
from pellucid.sessions.tickets import TicketKeys, TicketState

__all__ = ["Session", "SessionStore", "ExternalPsk", "TicketKeys", "TicketState", "MAX_LIFETIME_SECONDS"]
