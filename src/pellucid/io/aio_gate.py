"""How many handshakes go on at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class HandshakeGate:
    """Lets ``limit`` in at a time; the others wait in the order in which they came."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("a server that may do no handshake serves nobody")
        self._free = limit
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, admitted: Callable[[], None]) -> bool:
        """True: come in. False: wait, ``admitted`` will be called. Who is in calls ``leave`` at the end."""
        if self._free:
            self._free -= 1
            return True
        self._waiting.append(admitted)
        return False

    def give_up(self, admitted: Callable[[], None]) -> None:
        """Wait no longer."""
        self._waiting.remove(admitted)

    def leave(self) -> None:
        """A handshake has ended: its place goes to who has waited longest."""
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._free += 1
