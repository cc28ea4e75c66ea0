"""The investigation: one factor after the other, in straight-line code that knows no sockets."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from pellucid.config import ClientConfig
from pellucid.identity import ServerName
from pellucid.why.conclude import Finding, comes_and_goes, conclude
from pellucid.why.effects import Effect, Tried
from pellucid.why.factors import Factor, Probe, again, as_long_without_hybrids, once_more, probes
from pellucid.why.plan import MOST_PROBES, SLOW, factors_for
from pellucid.why.seen import Seen, Stage

__all__ = ["Investigation", "investigate"]

T = TypeVar("T")

_Steps: TypeAlias = Generator[Probe, Seen | None, T]

#: Yields what to try next, is sent what it showed, or None if there was no time for it; returns what follows.
Investigation: TypeAlias = _Steps[Finding]


def investigate(config: ClientConfig, name: ServerName | None, first: Seen) -> Investigation:
    """Find out on what a failure depends: ``MOST_PROBES`` further connections at most.

    ``config`` and ``name`` are those of the first connection, ``first`` is what it showed. What makes a
    difference is tried once more, and so is the first connection: several servers may stand behind one
    address, and a failure that comes and goes isolates nothing.
    """
    return (yield from _Investigator(config, first).run(_planned(config, name, first)))


def _planned(config: ClientConfig, name: ServerName | None, first: Seen) -> list[Probe]:
    """Of each factor the most telling change; a second one comes behind all factors."""
    of_each = [list(probes(factor, config, name, first)) for factor in factors_for(first)]
    return [each[0] for each in of_each if each] + [probe for each in of_each for probe in each[1:]]


class _Investigator:
    """What was tried so far."""

    def __init__(self, config: ClientConfig, first: Seen) -> None:
        self.config = config
        self.first = first
        self.tried: list[Tried] = []
        self.in_time = True

    def run(self, planned: list[Probe]) -> Investigation:
        untried: list[Factor] = []
        while planned:
            probe = planned.pop(0)
            one = yield from self._try(probe)
            if one is None:
                untried.append(probe.factor)
                continue
            yield from self._confirm(one)
            if comes_and_goes(self.tried):
                break  # no more can be learned
            if probe.factor is Factor.HELLO_SIZE and one.further and not probe.counters:
                planned.insert(0, as_long_without_hybrids(self.config))
            if self.first.failure in SLOW and _settled(one, planned):
                # Each more would wait in vain, as long as this server is silent to the rest.
                break
        yield from self._make_sure()
        return conclude(self.first, self.tried, untried)

    def _try(self, probe: Probe) -> _Steps[Tried | None]:
        """None if there was no time, or no connection left. The last is kept for the same again."""
        kept = 0 if self._has_repeated or probe.factor is Factor.NOTHING else 1
        if not self.in_time or len(self.tried) >= MOST_PROBES - kept:
            return None
        seen = yield probe
        if seen is None:
            self.in_time = False
            return None
        one = Tried.of(probe, seen, self.first)
        self.tried.append(one)
        return one

    def _confirm(self, one: Tried) -> _Steps[None]:
        """Try what made a difference once more, and the first connection as well.

        The order changes from one to the next: servers that take turns would go unnoticed in one of them.
        """
        if not one.differs:
            return
        steps = [once_more(one.probe), again(self.config)]
        for probe in reversed(steps) if self._has_repeated else steps:
            if not comes_and_goes(self.tried):
                yield from self._try(probe)

    def _make_sure(self) -> _Steps[None]:
        """With what is left: once more what alone made a difference, for two pairs leave chance less room.

        Of a server that is silent to the first connection only the change: it is answered, and does not wait.
        """
        differing = [one for one in self.tried if one.differs and not one.probe.repeats]
        if not self._has_repeated and self._differed():
            yield from self._try(again(self.config))
        elif len(differing) == 1 and MOST_PROBES - len(self.tried) >= 2:
            steps = [once_more(differing[0].probe), again(self.config)]
            for probe in steps[:1] if self.first.failure in SLOW else steps:
                if not comes_and_goes(self.tried):
                    yield from self._try(probe)

    @property
    def _has_repeated(self) -> bool:
        return any(one.probe.factor is Factor.NOTHING for one in self.tried)

    def _differed(self) -> bool:
        """Whether the failure changed at all, if only so that nothing came as far as the first did."""
        effects = {one.effect for one in self.tried if one.answered}
        return bool(effects - {Effect.SAME, Effect.SHORTER}) or effects == {Effect.SHORTER}


def _settled(one: Tried, planned: list[Probe]) -> bool:
    """Whether a server that was silent has gone on, and the counterproof, if there is one, is made."""
    if planned and planned[0].counters:
        return False
    return one.probe.counters or (one.further and one.seen.stage >= Stage.RETRIED)
