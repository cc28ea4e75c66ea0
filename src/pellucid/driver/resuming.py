"""What can be resumed: sessions, tickets and cached sessions, looked up and told to the trace."""

from pellucid.handshake.effects import FindCached, FindSession, OpenTicket
from pellucid.handshake.flow import AnyHandshake
from pellucid.sessions import Session, TicketState


def find_session(hs: AnyHandshake, asked: FindSession) -> Session | None:
    """The session to offer; it is taken out of the store."""
    config = hs.config
    key = asked.server_name, hs.now(), config.session_scope
    if hs.trace and (why := config.sessions.why_none(*key)):
        hs.trace.choice(what="kept_session", ours=[], chosen="", rule=why)
    session: Session | None = config.sessions.take(*key)
    return session


def find_cached(hs: AnyHandshake, asked: FindCached) -> TicketState | str:
    """The session of TLS 1.2 with this ID; "unknown" or "expired" where there is none."""
    cache = hs.config.cache
    otherwise = "expired" if cache.has(asked.session_id) else "unknown"
    state: TicketState | None = cache.find(asked.session_id, hs.now())
    return state or otherwise


def open_ticket(hs: AnyHandshake, asked: OpenTicket) -> TicketState | str:
    """What the ticket holds; "unknown" or "expired" where it is of no use."""
    now = hs.now()
    state: TicketState | None = hs.config.ticket_keys.peek(asked.ticket, now, hs.version)
    expired = state is not None and not state.valid_at(now)
    if hs.trace:
        found = "unknown or forged" if state is None else "expired" if expired else "ours"
        hs.trace.check(what="ticket", expected="one that we sealed", found=found, ok=found == "ours")
    if state is None:
        return "unknown"
    return "expired" if expired else state
