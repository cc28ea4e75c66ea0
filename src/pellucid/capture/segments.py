"""What the layers below TLS say of a packet: a TCP segment, or why it is none that is read."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

__all__ = ["ACK", "FIN", "RST", "SYN", "Segment", "Skipped", "Unread"]

# RFC 9293 3.1: the control bits that a stream is followed by.
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

# Reasons to skip a packet name numbers that the file chooses. Beyond so many of them they are one.
_MOST_REASONS = 64


class Segment(NamedTuple):
    """One TCP segment.

    Addresses are the 4 or 16 bytes of IP, or empty where a capture has none. ``length`` counts the payload's
    bytes on the wire, of which ``payload`` may be only the start where the capture was set to keep less of
    each packet. ``sequence`` is None where the capture holds what TCP had put in order already.
    """

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    sequence: int | None
    acknowledgment: int
    flags: int
    payload: bytes
    length: int
    time_ns: int
    packet_number: int


class Unread(Exception):
    """A packet has no segment that is read here; its text says why."""


class Skipped(Counter[str]):
    """How many packets were skipped, by reason: a sentence's worth of words that may be shown."""

    def note(self, reason: str) -> None:
        if reason not in self and len(self) >= _MOST_REASONS:
            reason = "other reasons"
        self[reason] += 1
