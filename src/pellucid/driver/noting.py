"""Which messages went by, for the diagnosis of a connection that fails.

Noting is done for every message of every handshake, and so is nothing but an append; what a note says is read
when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pellucid.codes import HandshakeType

if TYPE_CHECKING:
    from pellucid.handshake.flow import AnyHandshake

__all__ = ["Note", "is_alert", "lasting", "not_noted"]

#: A message with its header, which has four bytes, or an alert, which has two.
Note = tuple[Literal["sent", "received"], bytes]

_ALERT_LENGTH = 2

#: An empty list of certificates is shorter than this.
_START = 9


def is_alert(raw: bytes) -> bool:
    """Whether the note is of one."""
    return len(raw) == _ALERT_LENGTH


def not_noted(note: Note) -> None:
    """What becomes of a message behind the handshake."""


def lasting(hs: AnyHandshake, notes: list[Note]) -> list[Note]:
    """What is kept once the handshake is complete: in TLS 1.3 a client may still hear what a server thinks of
    its certificate. Nothing else of it matters any more, and connections are many.
    """
    if not hs.asked_for_certificate:
        return []
    kept: list[Note] = []
    for direction, raw in notes:
        if is_alert(raw):
            continue
        if raw[0] == HandshakeType.certificate_request:
            kept.append((direction, raw))
        elif raw[0] == HandshakeType.certificate:
            kept.append((direction, raw[:_START]))
    return kept
