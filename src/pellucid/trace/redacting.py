"""A trace that shows its secrets, made into one that does not."""

from __future__ import annotations

from dataclasses import replace

from pellucid.trace.events import Event, KeysEvent, Redacted, SecretEvent
from pellucid.trace.recorder import Trace

__all__ = ["redacted"]

# Inputs that no trace has which hides its secrets: a private key need not have a fingerprint, either.
_ONLY_WHERE_REVEALED = frozenset({"our_private_key"})


def redacted(trace: Trace) -> Trace:
    """The same events with lengths and fingerprints in place of secrets; ``trace`` itself if it has none."""
    if not trace.reveal_secrets:
        return trace
    copy = Trace(clock=lambda: 0.0, started_at=trace.started_at)
    copy.dropped, copy.place, copy.trust = trace.dropped, trace.place, trace.trust
    copy.events = [_redacted(event, copy) for event in trace.events]
    return copy


def _redacted(event: Event, copy: Trace) -> Event:
    match event:
        case SecretEvent():
            shown = (each for each in event.inputs if each[0] not in _ONLY_WHERE_REVEALED)
            inputs = tuple((name, _input(name, value, copy)) for name, value in shown)
            return replace(event, inputs=inputs, value=_hidden(event.value))
        case KeysEvent():
            # An empty one, such as the MAC key of an AEAD, has nothing to hide.
            iv, mac_key = (_hidden(value) if value else value for value in (event.iv, event.mac_key))
            return replace(event, key=_hidden(event.key), iv=iv, mac_key=mac_key)
    return event


def _input(name: str, value: str | bytes | Redacted, copy: Trace) -> str | bytes | Redacted:
    return value if isinstance(value, Redacted) else copy.shown_input(name, value)


def _hidden(value: bytes | Redacted) -> Redacted:
    return value if isinstance(value, Redacted) else Redacted.of(value)
