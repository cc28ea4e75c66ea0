"""Randomness and time that repeat, for demonstrations only."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

__all__ = ["FIXED_NOW", "SeededEntropy"]

# 2026-01-01T00:00:00Z in POSIX seconds: with a seed, certificates and tickets live at this moment.
FIXED_NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class SeededEntropy:
    """Bytes that look random and follow from a seed: SHA-256 in counter mode. Never for a real connection.

    ``label`` separates the streams of client and server, so that they do not depend on who asks first.
    """

    def __init__(self, seed: int, label: str) -> None:
        self._key = hashlib.sha256(f"pellucid demo {seed} {label}".encode()).digest()
        self._counter = 0
        self._ready = b""

    def __call__(self, count: int) -> bytes:
        while len(self._ready) < count:
            self._ready += hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken
