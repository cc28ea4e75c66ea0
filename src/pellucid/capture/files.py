"""Captures as they stand in files: which format it is, and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pellucid.capture.packets import CaptureError, CaptureFault, Packet, Secrets
from pellucid.capture.pcap import PCAP_MAGICS, pcap_packets
from pellucid.capture.pcapng import SECTION_HEADER, pcapng_blocks
from pellucid.capture.window import Window

__all__ = ["read_packets"]

# What people hand in instead, by its first bytes.
_OTHERS = (
    (b"\x1f\x8b", "compressed with gzip: unpack it first, as with gunzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first, as with unzstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first, as with unlz4"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"snoop\0\0\0", "a capture of snoop: convert it, as with editcap -F pcapng"),
    (b"GMBU", "a capture of Microsoft's Network Monitor: convert it, as with editcap -F pcapng"),
    (b"\xa1\xb2\xcd\x34", "a variant of pcap with longer headers: convert it, as with editcap -F pcapng"),
    (b"\x34\xcd\xb2\xa1", "a variant of pcap with longer headers: convert it, as with editcap -F pcapng"),
    (b"CLIENT_", "a key log, which opens a capture and is none"),
    (b"SERVER_", "a key log, which opens a capture and is none"),
)


def read_packets(source: BinaryIO) -> Iterator[Packet | Secrets]:
    """All packets of a capture (pcap or pcapng), and the secrets between them, in the file's order.

    ``source`` is read once, from where it is, in small pieces: it may be a pipe. Memory does not grow with
    the file. What is whole is given; then, where the file is cut short, damaged or nothing of the kind,
    ``CaptureError`` is raised. What the file says is not to be trusted: a comment may hold any character.
    """
    window = Window(source)
    window.fill(8)
    start = window.data[:8]
    if start[:4] in PCAP_MAGICS:
        yield from pcap_packets(window)
    elif start[:4] == SECTION_HEADER:
        yield from pcapng_blocks(window)
    else:
        raise CaptureError(CaptureFault.NOT_A_CAPTURE, f"neither pcap nor pcapng: {_described(start)}")


def _described(start: bytes) -> str:
    if not start:
        return "the file is empty"
    known = next((text for magic, text in _OTHERS if start.startswith(magic)), None)
    return f"the file is {known}" if known else f"the file starts with {start.hex(' ')}"
