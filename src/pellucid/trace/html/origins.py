"""Where public inputs come from: the bytes of a message, or the messages that a hash is of."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from pellucid.trace.events import Event, MessageEvent, Redacted
from pellucid.trace.html.recompute import hash_command
from pellucid.trace.html.transcript import Hashed, Transcript
from pellucid.trace.html.values import Json

__all__ = ["Origins"]

# Shorter values stand in messages by chance, but for those whose place is known: RFC 5246 7.4.7.1 means the
# version in the ClientHello, behind type and length.
_SHORTEST = 16
_PLACES = {"client_version": 4}

#: Gives the number of the step that tells of a message, and its place among the messages of that step.
StepOf = Callable[[MessageEvent], tuple[int, int] | None]


class Origins:
    """Finds the step, and the bytes in it, that a value came from.

    ``earlier``: values of earlier connections, by their fingerprints, with the number of the connection and
    the id of the secret there.
    """

    def __init__(
        self, events: Sequence[Event], step_of: StepOf, earlier: dict[Redacted, tuple[int, str]]
    ) -> None:
        self._step_of = step_of
        self._earlier = earlier
        self._messages = [event for event in events if isinstance(event, MessageEvent)]
        sides = {event.side for event in self._messages}
        self._transcripts: dict[str, Transcript] = {side: Transcript(events, side) for side in sides}

    def of(self, side: str, value: bytes | Redacted, name: str) -> Json:
        """``{"from": {...}}`` of an input, and for a hash how to compute it; {} if nobody knows."""
        fingerprint = value if isinstance(value, Redacted) else Redacted.of(value)
        if fingerprint in self._earlier:
            connection, key = self._earlier[fingerprint]
            return {"from": {"connection": connection, "key": key}}
        if isinstance(value, Redacted):
            return {}
        transcript = self._transcripts.get(side)
        hashed = transcript.of(value) if transcript else None
        return self._hashed(hashed) if hashed else self._bytes(value, name)

    def mac_of(self, side: str, key: bytes, mac: bytes) -> tuple[bytes, Json] | None:
        """Of which transcript hash this is the HMAC, and where that comes from."""
        name = "sha256" if len(key) == len(mac) == 32 else "sha384"
        transcript = self._transcripts.get(side)
        for digest, hashed in transcript.items() if transcript else ():
            if hmac.compare_digest(hmac.digest(key, digest, name), mac):
                return digest, self._hashed(hashed)
        return None

    def _hashed(self, hashed: Hashed) -> Json:
        numbers = set(hashed.events)
        steps = [self._step_of(message) for message in self._messages if message.n in numbers]
        known = sorted({place[0] for place in steps if place})
        origin: Json = {"hash_of": known, "messages": len(hashed.events), "bytes": len(hashed.data)}
        return {"from": origin, "recompute": hash_command(hashed)}

    def _bytes(self, value: bytes, name: str) -> Json:
        start = _PLACES.get(name)
        if start is None and (len(value) < _SHORTEST or not value.strip(b"\0")):
            return {}
        for message in self._messages:
            at = message.raw.find(value, start or 0)
            place = self._step_of(message)
            if at >= 0 and place:
                step, part = place
                return {"from": {"step": step, "part": part, "at": at, "to": at + len(value) - 1}}
        return {}
