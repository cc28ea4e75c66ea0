"""Messages that are left out, repeated, swapped, or of another place: tampers for rogues of both versions."""

from __future__ import annotations

from collections.abc import Iterable

from rogue import RogueHandshake, Tamper, framed

from pellucid.codes import HandshakeType
from pellucid.messages import HELLO_RETRY_RANDOM, HandshakeMessage

HELLO_RETRY_REQUEST = framed(HandshakeType.server_hello, b"\x03\x03" + HELLO_RETRY_RANDOM + bytes(40))

#: A message of every kind, most of them without a body: where they are not due nobody looks into them.
STRANGERS = {
    **{kind.name: framed(kind) for kind in HandshakeType},
    "hello_retry_request": HELLO_RETRY_REQUEST,
    "unknown": framed(99),
}


def skipping(kind: type[HandshakeMessage]) -> Tamper:
    return lambda _hs, message: [] if isinstance(message, kind) else [message.raw]


def repeating(kind: type[HandshakeMessage]) -> Tamper:
    return lambda _hs, message: [message.raw] * (2 if isinstance(message, kind) else 1)


def swapping(first: type[HandshakeMessage], second: type[HandshakeMessage]) -> Tamper:
    held: list[bytes] = []

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, first):
            held.append(message.raw)
            return []
        return [message.raw, *held] if isinstance(message, second) else [message.raw]

    return tamper


def inserting(raw: bytes, before: type[HandshakeMessage]) -> Tamper:
    return lambda _hs, message: [raw, message.raw] if isinstance(message, before) else [message.raw]


def named(kind: type[HandshakeMessage]) -> str:
    return kind.__name__
