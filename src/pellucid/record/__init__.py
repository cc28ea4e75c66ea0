"""The record layer (RFC 9846 5, RFC 5246 6): framing, protection and joining handshake bytes."""

from pellucid.record.ciphers12 import opener12, sealer12
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
    "opener12",
    "sealer12",
]
