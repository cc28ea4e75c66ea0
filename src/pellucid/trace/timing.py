"""How long each step of a client's connection took: where the time goes, and where it went when it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pellucid.trace.events import (
    CertificateEvent,
    CheckEvent,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
)
from pellucid.trace.network import NetworkEvent

__all__ = ["Timing", "timings"]

# By which a server ends its flight; in TLS 1.2 its Finished comes after ours.
_LAST = {"Finished", "ServerHelloDone"}

# Checks of certificates and signatures: another belongs to the message that it is about.
_JUDGING = {
    *("certificate_chain", "certificate_signatures", "certificate_verify", "server_key_exchange"),
    *("raw_public_key", "revocation", "transparency"),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """One step and its microseconds. ``ok`` is False for the one that the connection failed in.

    ``step``: "name", "tcp", "proxy", "starttls"; then "hello" (from our first byte to the server's hello,
    with a HelloRetryRequest in between if there was one), "flight" (until the rest of its flight was here),
    "verify" (what it took us to judge certificates and signatures), "finished" (all else until data could
    flow; in TLS 1.2 it includes waiting for the server's Finished); "late", where it failed only after that.
    """

    step: str
    us: int
    ok: bool = True


def timings(events: Sequence[Event]) -> list[Timing]:
    """The steps of a client's connection in their order; empty for a trace that did not see the network."""
    own = [event for event in events if event.side == "client"]
    steps = [
        Timing(event.what, event.duration_us, event.ok) for event in own if isinstance(event, NetworkEvent)
    ]
    return [*steps, *_handshake(own)] if steps else []


def _handshake(own: Sequence[Event]) -> list[Timing]:
    records = (place for place, event in enumerate(own) if isinstance(event, RecordEvent))
    first = next(records, len(own))
    us: dict[str, int] = dict.fromkeys(("hello", "flight", "verify", "finished", "late"), 0)
    reached = "hello"
    failed = ""
    for before, event in pairwise(own[first:]):
        step = "verify" if _judges(event) and reached in ("flight", "finished") else reached
        us[step] += event.time_us - before.time_us
        if _fails(event):
            failed = step
            break  # what follows is spent on explaining it
        reached = _next(reached, event)
    if failed != "late":
        us["late"] = 0  # tickets, and what else is not waited for
    return [Timing(name, spent, name != failed) for name, spent in us.items() if spent or name == failed]


def _judges(event: Event) -> bool:
    return isinstance(event, CertificateEvent) or (isinstance(event, CheckEvent) and event.what in _JUDGING)


def _fails(event: Event) -> bool:
    if isinstance(event, CheckEvent | CertificateEvent):
        return not event.ok
    return isinstance(event, OutcomeEvent) and event.status == "failed"


def _next(reached: str, event: Event) -> str:
    """The step that is on after ``event``."""
    if isinstance(event, OutcomeEvent):
        return "late"
    if not isinstance(event, MessageEvent) or event.direction != "received":
        return reached
    if reached == "hello" and event.name == "ServerHello":
        return "flight"
    if reached == "flight" and event.name in _LAST:
        return "finished"
    return reached
