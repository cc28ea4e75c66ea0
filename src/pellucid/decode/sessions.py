"""Sessions of TLS 1.2 that a capture has shown, so that a connection that resumes one can be opened."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final, Literal

from pellucid.plain import plain

__all__ = ["SeenSession", "Sessions"]

#: How many names of sessions are kept, the newest: some 3 MB. A session is resumed within hours at most, and
#: by then a busy server has made so many.
MAX_SESSIONS: Final = 10_000

#: "PSK": a ticket of TLS 1.3, of which no key log tells the secret.
By = Literal["ticket", "session ID", "PSK"]


@plain(frozen=True)
class SeenSession:
    """What resuming takes. ``mutual``: the client showed a certificate."""

    master_secret: bytes
    mutual: bool


class Sessions:
    """Sessions by what a client names them with: a session ID, or a ticket."""

    __slots__ = ("_most", "_sessions")

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._sessions: OrderedDict[bytes, SeenSession] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._sessions)

    def keep(self, by: By, name: bytes, session: SeenSession) -> None:
        """The server gave ``name`` to the session; where there are too many, the oldest goes."""
        key = _key(by, name)
        self._sessions[key] = session
        self._sessions.move_to_end(key)
        if len(self._sessions) > self._most:
            self._sessions.popitem(last=False)

    def find(self, by: By, name: bytes) -> SeenSession | None:
        """The session that a client calls by this name."""
        return self._sessions.get(_key(by, name))


def _key(by: By, name: bytes) -> bytes:
    # A ticket may have 64 KiB.
    return by.encode() + hashlib.sha256(name).digest()
