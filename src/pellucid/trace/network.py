"""What comes before TLS: a name looked up, TCP, a proxy, STARTTLS; and whom the client trusts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pellucid.trace.events import Direction, Event

__all__ = ["ClearLine", "NetworkEvent", "NetworkStep", "TrustSummary"]

NetworkStep = Literal["name", "tcp", "proxy", "starttls"]


@dataclass(frozen=True, slots=True)
class ClearLine:
    """Something that was said before TLS, fit to be shown; passwords are not in it."""

    direction: Direction
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEvent(Event):
    """A step towards the server has ended, ``duration_us`` microseconds after it began.

    ``what`` is "name", "tcp" (both are the proxy's where there is one), "proxy" or "starttls". ``detail``
    says what came of it, where ``ok``; a step that failed is told by the outcome. ``lines``: the dialogue.
    """

    kind: ClassVar[str] = "network"
    what: NetworkStep
    detail: str
    duration_us: int
    ok: bool = True
    lines: tuple[ClearLine, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustSummary:
    """What a client trusts: where that comes from, and how much it is.

    ``anchors`` are certificates, ``skipped`` those (or files) that could not be read, ``keys`` are trusted by
    themselves; of ``pins`` every accepted path has to have one.
    """

    description: str
    anchors: int
    skipped: int = 0
    keys: int = 0
    pins: int = 0
