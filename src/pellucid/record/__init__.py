"""The record layer (RFC 9846 section 5): framing, protection and joining handshake bytes."""

from pellucid.record.joiner import HandshakeJoiner
from pellucid.record.protection import Opener, RecordOpener, RecordSealer, Sealer
from pellucid.record.reader import Record, RecordReader
from pellucid.record.writer import RecordWriter

__all__ = [
    "HandshakeJoiner",
    "Opener",
    "Record",
    "RecordOpener",
    "RecordReader",
    "RecordSealer",
    "RecordWriter",
    "Sealer",
]
