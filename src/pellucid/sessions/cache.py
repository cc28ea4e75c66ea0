"""The server's own memory of TLS 1.2 sessions, by session ID."""

import threading
from collections import OrderedDict

from pellucid.errors import Misuse, Reason
from pellucid.sessions.session import MAX_CHAIN_BYTES, MAX_SESSION_ID_SECONDS
from pellucid.sessions.tickets import TicketState

# RFC 5246 7.4.1.2: `opaque SessionID<0..32>`
_MAX_ID_BYTES = 32

# How often, in parts of the lifetime, sessions that nobody asks for any more are looked for.
_SWEEPS = 4


class SessionCache:
    """Sessions that a client can name by their ID (RFC 5246 7.4.1.3). Thread-safe: one may serve many
    connections and configurations, in one process.

    ``lifetime_seconds``: at most 24 hours; a session is found for so long, or for its own lifetime where that
    is shorter. Two hours by default, as with tickets: a master secret opens whatever was recorded of its
    connections for as long as it is kept, so secrets that have expired are looked for and forgotten as new
    ones come. ``capacity``: anybody can make a server remember sessions, so beyond this many the one used
    longest ago is forgotten. A session takes about 1 KiB, and with the certificates of a client at most
    ``MAX_CHAIN_BYTES`` more: the default of 1,024 sessions about 1 MiB, and never more than 33.
    """

    def __init__(self, capacity: int = 1024, lifetime_seconds: int = 7_200) -> None:
        if capacity < 0 or not 1 <= lifetime_seconds <= MAX_SESSION_ID_SECONDS:
            raise Misuse(
                Reason.BAD_CONFIGURATION,
                "session cache: a capacity of 0 or more, "
                f"and a lifetime of 1 to {MAX_SESSION_ID_SECONDS} seconds (24 hours)",
            )
        self.lifetime_seconds = lifetime_seconds
        self._capacity = capacity
        self._lock = threading.Lock()
        # The one used longest ago first.
        self._states: OrderedDict[bytes, TicketState] = OrderedDict()
        self._swept_at = 0.0

    def put(self, session_id: bytes, state: TicketState) -> None:
        """Remembers a session, made at ``state.created_at``; not one with more than ``MAX_CHAIN_BYTES`` of
        certificates. Misuse for an ID that names nothing: empty, or longer than 32 bytes.
        """
        if not 1 <= len(session_id) <= _MAX_ID_BYTES:
            raise Misuse(
                Reason.BAD_CONFIGURATION, f"session cache: a session ID has 1 to {_MAX_ID_BYTES} bytes"
            )
        if sum(map(len, state.client_chain)) > MAX_CHAIN_BYTES:
            return
        with self._lock:
            self._states[session_id] = state
            self._states.move_to_end(session_id)
            self._sweep(state.created_at)
            if len(self._states) > self._capacity:
                self._states.popitem(last=False)

    def find(self, session_id: bytes, now: float) -> TicketState | None:
        """The session of this ID, which stays; None for one that is unknown, or expired at ``now`` (POSIX
        seconds).
        """
        with self._lock:
            state = self._states.get(session_id)
            if state is None:
                return None
            if not self._alive(state, now):
                del self._states[session_id]
                return None
            self._states.move_to_end(session_id)
            return state

    def has(self, session_id: bytes) -> bool:
        """Whether there is a session of this ID, expired or not."""
        return session_id in self._states

    def discard(self, session_id: bytes) -> None:
        """Forgets a session, if it is here: one whose connection failed starts no other (RFC 5246 7.2)."""
        with self._lock:
            self._states.pop(session_id, None)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._states.clear()

    def __len__(self) -> int:
        return len(self._states)

    def __bool__(self) -> bool:
        # An empty cache is still a cache: `if config.session_cache:` asks whether there is one.
        return True

    def __repr__(self) -> str:
        return f"SessionCache({len(self._states)} sessions of at most {self._capacity})"

    def _alive(self, state: TicketState, now: float) -> bool:
        return state.valid_at(now) and now - state.created_at < self.lifetime_seconds

    def _sweep(self, now: float) -> None:
        """Forgets what has expired, where that has not been done for a while or the clock was set back."""
        if 0 <= now - self._swept_at < self.lifetime_seconds / _SWEEPS:
            return
        self._swept_at = now
        for session_id in [each for each, state in self._states.items() if not self._alive(state, now)]:
            del self._states[session_id]
