"""Where a client keeps its sessions: each is handed out once."""

import threading
from collections import OrderedDict, deque

from pellucid.sessions.session import Session

#: Servers send a ticket or two a connection; more than these per name would only grow old.
PER_NAME = 4


class SessionStore:
    """Sessions of TLS 1.2 and 1.3 by server name, in memory. Safe to share between threads and between any
    number of connections.

    A session is taken out to be used and does not come back by itself: RFC 9846 C.4 asks for that, since two
    connections with one ticket can be told to be from one client. One of TLS 1.2 is put back by the
    connection that resumed it and got no other in its place. ``capacity`` bounds all sessions together; the
    names used longest ago are forgotten first.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._count = 0
        self._by_name: OrderedDict[tuple[str | None, bytes], deque[Session]] = OrderedDict()

    def put(self, session: Session) -> None:
        """Keeps a session. The oldest of its name goes when there are more than ``PER_NAME``."""
        with self._lock:
            key = session.server_name, session.scope
            kept = self._by_name.setdefault(key, deque())
            self._by_name.move_to_end(key)
            kept.append(session)
            self._count += 1
            if len(kept) > PER_NAME:
                kept.popleft()
                self._count -= 1
            while self._count > self._capacity:
                _, forgotten = self._by_name.popitem(last=False)
                self._count -= len(forgotten)

    def take(self, server_name: str | None, now: float, scope: bytes = b"") -> Session | None:
        """Takes out the newest session of this name and ``Session.scope`` that has not expired at ``now``
        (POSIX seconds); None if there is none.
        """
        with self._lock:
            key = server_name, scope
            kept = self._by_name.get(key)
            found: Session | None = None
            while kept and found is None:
                session = kept.pop()
                self._count -= 1
                if not session.expired(now):
                    found = session
            if kept is not None and not kept:
                del self._by_name[key]
            return found

    def why_none(self, server_name: str | None, now: float, scope: bytes = b"") -> str:
        """Why ``take`` would give nothing, though there is something of this name; "" otherwise."""
        with self._lock:
            kept = self._by_name.get((server_name, scope), ())
            if any(not session.expired(now) for session in kept):
                return ""
            if kept:
                return "the session that we kept has expired"
            others = any(name == server_name for name, _ in self._by_name)
            return "the session that we kept has other roots, credentials or versions" if others else ""

    def discard(self, session: Session) -> None:
        """Forgets a session whose connection failed, if it is here: it starts no other one.

        It is known by its ticket and session ID.
        """
        # RFC 9846 6: "the PSKs associated with session tickets, which SHOULD be discarded if possible"; RFC
        # 5246 7.2: "the session identifier MUST be invalidated"
        with self._lock:
            key = session.server_name, session.scope
            kept = self._by_name.get(key, deque())
            left = deque(each for each in kept if not _same(each, session))
            self._count -= len(kept) - len(left)
            if left:
                self._by_name[key] = left
            else:
                self._by_name.pop(key, None)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._by_name.clear()
            self._count = 0

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        # An empty store is still a store: `if config.sessions:` asks whether there is one.
        return True

    def __repr__(self) -> str:
        return f"SessionStore({self._count} sessions for {len(self._by_name)} names)"


def _same(one: Session, other: Session) -> bool:
    return (one.ticket, one.session_id) == (other.ticket, other.session_id)
