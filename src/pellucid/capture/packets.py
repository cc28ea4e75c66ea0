"""What a capture file holds: packets, secrets, and what may be wrong with it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["MAX_PACKET", "CaptureError", "CaptureFault", "Packet", "Secrets"]

# The most that libpcap and Wireshark take of one packet. No link of those read here carries more, so a length
# above it is damage, and is told before a byte of it is read.
MAX_PACKET = 262_144


class CaptureFault(StrEnum):
    """Why a capture cannot be read, or not further. The values are stable: programs may compare them."""

    NOT_A_CAPTURE = "not_a_capture"
    UNSUPPORTED = "unsupported"
    CUT_SHORT = "cut_short"
    DAMAGED = "damaged"


class CaptureError(Exception):
    """A file is no capture, or is one up to a point only. What came before that point has been given.

    Not a ``TLSError``: no connection failed, and there is nobody to send an alert to. ``offset`` counts bytes
    from the start of the file.
    """

    def __init__(self, fault: CaptureFault, detail: str, offset: int = 0) -> None:
        super().__init__(fault, detail, offset)
        self.fault = fault
        self.detail = detail
        self.offset = offset

    def __str__(self) -> str:
        where = f" at byte {self.offset}" if self.offset else ""
        return f"{self.detail}{where} [{self.fault}]"


class Packet(NamedTuple):
    """One packet, as it was captured.

    ``number`` counts packets from 1, as Wireshark does. ``time_ns`` is since 1970, in nanoseconds.
    ``link_type`` says what ``data`` starts with (tcpdump.org's LINKTYPE_ numbers). ``original_length`` is how
    long it was on the wire, of which ``data`` may be only the start.
    """

    number: int
    time_ns: int
    link_type: int
    data: bytes
    original_length: int
    comment: str


class Secrets(NamedTuple):
    """The lines of a TLS key log (RFC 9850) that stand in the capture: a Decryption Secrets Block."""

    text: str
