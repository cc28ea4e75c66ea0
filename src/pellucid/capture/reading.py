"""A capture from the file to the streams in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pellucid.capture.events import StreamEvent
from pellucid.capture.files import read_packets
from pellucid.capture.link import SegmentReader
from pellucid.capture.packets import CaptureError, Packet, Secrets
from pellucid.capture.tcp import Streams

__all__ = ["CaptureReader"]


class CaptureReader:
    """Reads a capture once, from start to end, in memory that does not grow with it.

        reader = CaptureReader(file)
        for event in reader.events():
            match event:
                case Secrets(text): ...
                case Bytes(connection, direction, data): ...

    ``packets``: how many there were; ``segments``: how many TCP segments were in them. ``skipped`` has the
    reasons why others had none, and how often.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.packets = 0
        self.segments = 0
        self._source = source
        self._reader = SegmentReader()
        self.skipped = self._reader.skipped

    def events(self) -> Iterator[StreamEvent | Secrets]:
        """Everything that the capture tells, in its order.

        Raises ``CaptureError`` for a file that is no capture, or not a whole one; then at its end, behind all
        that can be told of it.
        """
        streams = Streams()
        failure: CaptureError | None = None
        try:
            for item in read_packets(self._source):
                if isinstance(item, Packet):
                    self.packets += 1
                    segment = self._reader.read(item)
                    if segment is not None:
                        self.segments += 1
                        yield from streams.feed(segment)
                else:
                    yield item
        except CaptureError as error:
            failure = error
        self._reader.finish()
        yield from streams.finish()
        if failure is not None:
            raise failure
