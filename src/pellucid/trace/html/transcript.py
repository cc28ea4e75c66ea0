"""Which messages a transcript hash is of: found by hashing them again, so it is known and not assumed."""

from __future__ import annotations

import hashlib
from collections.abc import ItemsView, Iterator, Sequence
from dataclasses import dataclass

from pellucid.messages import Field
from pellucid.trace.events import Event, MessageEvent

__all__ = ["Hashed", "Transcript", "macs_in"]

_ALGORITHMS = {32: "sha256", 48: "sha384"}
# RFC 9846 4.1: a first ClientHello that was answered by a HelloRetryRequest is replaced by a message of this
# type, which holds its hash.
_MESSAGE_HASH = 254
_HEADER_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Hashed:
    """What was hashed: ``data``, which is the messages whose ``n`` are in ``events``, with ``algorithm``."""

    algorithm: str
    data: bytes
    events: tuple[int, ...]


class Transcript:
    """The handshake messages of one connection as one side saw them, hashed up to each of them."""

    def __init__(self, events: Sequence[Event], side: str) -> None:
        messages = [
            event
            for event in events
            if isinstance(event, MessageEvent)
            and event.side == side
            and event.name not in ("ChangeCipherSpec", "HelloRequest")
        ]
        self._found: dict[bytes, Hashed] = {}
        for algorithm in _ALGORITHMS.values():
            for hashed in _prefixes(messages, algorithm):
                self._found.setdefault(hashlib.new(algorithm, hashed.data).digest(), hashed)

    def of(self, digest: bytes) -> Hashed | None:
        """What this is the hash of; None if it is of nothing that is known."""
        return self._found.get(digest)

    def items(self) -> ItemsView[bytes, Hashed]:
        """All hashes, and what they are of."""
        return self._found.items()


def _prefixes(messages: Sequence[MessageEvent], algorithm: str) -> Iterator[Hashed]:
    yield Hashed(algorithm, b"", ())
    data = b""
    numbers: tuple[int, ...] = ()
    for message in messages:
        if message.name == "HelloRetryRequest" and len(numbers) == 1:
            digest = hashlib.new(algorithm, data).digest()
            data = bytes((_MESSAGE_HASH, 0, 0, len(digest))) + digest
        numbers = (*numbers, message.n)
        if cut := _before_binders(message):
            # RFC 9846 4.3.11.2: a binder covers the ClientHello up to the binders.
            yield Hashed(algorithm, data + message.raw[:cut], numbers)
        data += message.raw
        yield Hashed(algorithm, data, numbers)


def macs_in(message: MessageEvent) -> Iterator[tuple[str, bytes]]:
    """The MACs over the transcript that a message of TLS 1.3 holds, each with its name."""
    if message.name == "Finished":
        yield "verify_data", message.raw[_HEADER_LENGTH:]
    elif binders := _binders(message):
        for binder in binders.fields:  # each behind one byte of length
            yield "binder", message.raw[binder.offset + 1 : binder.offset + binder.length]


def _before_binders(message: MessageEvent) -> int:
    """Where the binders begin in a ClientHello; 0 if it has none."""
    binders = _binders(message)
    return binders.offset if binders else 0


def _binders(message: MessageEvent) -> Field | None:
    if message.name != "ClientHello":
        return None
    extensions = (inner for field in message.fields if field.name == "extensions" for inner in field.fields)
    offered = (inner for one in extensions if one.name == "pre_shared_key" for inner in one.fields)
    return next((field for field in offered if field.name == "binders"), None)
