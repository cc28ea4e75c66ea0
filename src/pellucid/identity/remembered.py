"""Paths that were accepted, remembered: who comes back with the same certificates is not judged from scratch.

Whether a path holds depends on the chain, the purpose, the name, the profile, the roots and the time, and on
nothing else; and on the time only through the dates of the path's certificates. So a verdict of acceptance
holds for as long as they do. It is two thirds of what a client verifies in a handshake (130 of some 200 us),
and clients mostly come back to servers they know.

A refusal is never remembered, so that nobody who is refused fills this. What can change besides the dates
(revocation) must be asked each time, and apart from here.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.identity.names import ServerName
    from pellucid.identity.rules import Purpose
    from pellucid.identity.verify import VerifiedIdentity

#: Chain (DER, as it was sent), purpose, name, profile.
Key = tuple[tuple[bytes, ...], "Purpose", "ServerName | None", str]

#: Some KiB each, and only of those that were accepted. A client that speaks to more servers than this in turn
#: gains nothing, and loses a microsecond.
MOST_REMEMBERED = 64


class Remembered:
    """Of one trust store. Safe to share between threads."""

    __slots__ = ("_identities", "_lock")

    def __init__(self) -> None:
        self._lock = Lock()
        # The one used longest ago first.
        self._identities: OrderedDict[Key, VerifiedIdentity] = OrderedDict()

    def find(self, key: Key, now: float) -> VerifiedIdentity | None:
        """The identity, if all dates of its path hold at ``now`` (POSIX seconds)."""
        with self._lock:
            identity = self._identities.get(key)
            if identity is None or not identity.begins_at <= now < identity.expires_at:
                return None
            self._identities.move_to_end(key)
            return identity

    def keep(self, key: Key, identity: VerifiedIdentity) -> None:
        """To be called with what has just been verified for ``key``."""
        with self._lock:
            self._identities[key] = identity
            if len(self._identities) > MOST_REMEMBERED:
                self._identities.popitem(last=False)

    def clear(self) -> None:
        """Judge everybody anew."""
        with self._lock:
            self._identities.clear()

    def __len__(self) -> int:
        return len(self._identities)
