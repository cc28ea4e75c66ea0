"""Captures: from a pcap or pcapng file to what each side of its TCP connections said.

Bytes in, values out: a file is a binary file-like object that is handed in. Nothing here knows TLS.
"""

from pellucid.capture.events import (
    Bytes,
    Closed,
    Conflict,
    Connection,
    Endpoint,
    HalfClosed,
    How,
    Missing,
    Opened,
    Side,
    StreamEvent,
)
from pellucid.capture.files import read_packets
from pellucid.capture.link import SegmentReader
from pellucid.capture.packets import CaptureError, CaptureFault, Packet, Secrets
from pellucid.capture.reading import CaptureReader
from pellucid.capture.segments import Segment
from pellucid.capture.tcp import Streams

__all__ = [
    "CaptureReader",
    "read_packets",
    "Packet",
    "Secrets",
    "CaptureError",
    "CaptureFault",
    "SegmentReader",
    "Segment",
    "Streams",
    "StreamEvent",
    "Connection",
    "Endpoint",
    "Side",
    "Opened",
    "Bytes",
    "Missing",
    "Conflict",
    "HalfClosed",
    "Closed",
    "How",
]
