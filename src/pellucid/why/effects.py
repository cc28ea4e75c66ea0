"""What a change came to, held against the first connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pellucid.why.factors import Factor, Probe
from pellucid.why.seen import Seen, Stage

__all__ = ["Effect", "Tried"]


class Effect(StrEnum):
    """The values are part of the JSON."""

    CONNECTED = "connected"
    #: Past the point where the first connection failed; it then failed with something else.
    FURTHER = "further"
    SAME = "same"
    #: At the same point with something else.
    OTHER = "other"
    #: Not as far as the first: the change is one that the server does not take.
    SHORTER = "shorter"


@dataclass(frozen=True, slots=True)
class Tried:
    """One further connection, what it showed, and what that is beside the first."""

    probe: Probe
    seen: Seen
    effect: Effect

    @classmethod
    def of(cls, probe: Probe, seen: Seen, first: Seen) -> Tried:
        return cls(probe, seen, _effect(seen, first))

    @property
    def further(self) -> bool:
        return self.effect in (Effect.CONNECTED, Effect.FURTHER)

    @property
    def answered(self) -> bool:
        """Whether it came as far as TLS, so that it shows anything at all."""
        return self.seen.stage is not Stage.UNREACHED

    @property
    def differs(self) -> bool:
        """Whether this change alone got past the failure.

        Of the client's certificate it is enough that the server says something else: it has looked at it.
        """
        if self.probe.factor is Factor.NOTHING or self.probe.counters:
            return False
        if self.probe.factor is Factor.CLIENT_CERTIFICATE:
            # One that the server's list of authorities rules out stays here.
            as_meant = self.seen.shown is self.probe.widens
            return as_meant and (self.further or self.effect is Effect.OTHER)
        return self.further


def _effect(seen: Seen, first: Seen) -> Effect:
    if seen.connected:
        return Effect.CONNECTED
    if seen.stage > first.stage:
        return Effect.FURTHER
    if seen.stage < first.stage:
        return Effect.SHORTER
    return Effect.SAME if _kind(seen) == _kind(first) else Effect.OTHER


def _kind(seen: Seen) -> tuple[str, str | None]:
    """What it failed with. Whether we could still send an alert, and closing or resetting, are up to chance:
    who closes with bytes unread resets.
    """
    failure = "closed_after_client_hello" if seen.failure == "reset_after_client_hello" else seen.failure
    return failure, seen.alert if seen.direction == "received" else None
