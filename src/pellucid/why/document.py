"""An investigation as JSON values: what ``why`` holds in "pellucid.trace/1"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.trace.texts import Place
from pellucid.why.conclude import Finding
from pellucid.why.effects import Tried
from pellucid.why.seen import Seen
from pellucid.why.telling import conclusion, confirm, fix, showed

__all__ = ["document"]


def document(finding: Finding, place: Place, given: Sequence[tuple[str, ...]] = ()) -> dict[str, Any]:
    """``place``: host and port, which go into the advice, and ``given``, the options of the first connection.

    The connections are numbered in the order in which they were made; the first, which failed, is 1.
    """
    return {
        "failure": finding.first.failure,
        "probes": [_probe(number, one, finding.first) for number, one in enumerate(finding.tried, 2)],
        "untried": [str(factor) for factor in finding.untried],
        "isolated": [str(factor) for factor in finding.isolated],
        "cause": finding.cause or None,
        "proved": finding.proved,
        "steady": finding.steady,
        "text": " ".join(conclusion(finding)),
        "fix": fix(finding, place),
        "confirm": confirm(finding, place, given),
    }


def _probe(number: int, one: Tried, first: Seen) -> dict[str, Any]:
    seen = one.seen
    return {
        "connection": number,
        "factor": str(one.probe.factor),
        "change": one.probe.change,
        "hello_bytes": seen.hello_length,
        "effect": str(one.effect),
        "failure": seen.failure or None,
        "alert": seen.alert,
        "direction": seen.direction,
        "showed": showed(one, first),
    }
