"""Secrets that a pcapng file holds, gathered before its packets are read.

A Decryption Secrets Block should stand before the packets that it is for, and does not always: who merges or
appends writes it last. Where the file can be read twice, its order makes no difference: block headers say
how long blocks are, so that all others are jumped over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Literal

__all__ = ["secrets_ahead"]

#: Larger ones are passed over here; the reading of packets meets them again, and refuses them.
MAX_SECRETS_BLOCK = 2**24

# draft-ietf-opsawg-pcapng 4.1, 4.7: the Section Header Block with its byte-order magic; the Decryption
# Secrets Block, and the type of secrets that are a TLS key log.
_SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS: dict[bytes, Literal["big", "little"]] = {
    b"\x1a\x2b\x3c\x4d": "big",
    b"\x4d\x3c\x2b\x1a": "little",
}
_DECRYPTION_SECRETS = 10
_TLS_KEY_LOG = 0x544C534B

_LEAST_BLOCK = 12


def secrets_ahead(source: BinaryIO) -> Iterator[bytes]:
    """The key logs in the file; it is left where it was. Nothing where it is no pcapng, or cannot be sought.

    What is wrong with a file ends this without a word: reading its packets will say it.
    """
    start = source.tell()
    try:
        yield from _secrets(source)
    finally:
        source.seek(start)


def _secrets(source: BinaryIO) -> Iterator[bytes]:
    order: Literal["big", "little"] | None = None
    while len(head := source.read(_LEAST_BLOCK)) == _LEAST_BLOCK:
        if head[:4] == _SECTION_HEADER:
            order = _BYTE_ORDERS.get(head[8:12])
        if order is None:
            return
        length = int.from_bytes(head[4:8], order)
        if length < _LEAST_BLOCK or length % 4:
            return
        body = length - _LEAST_BLOCK
        if int.from_bytes(head[:4], order) == _DECRYPTION_SECRETS and length <= MAX_SECRETS_BLOCK:
            # Of the 12 bytes read, the last 4 are the secrets' type.
            content = source.read(body)
            size = int.from_bytes(content[:4], order)
            if int.from_bytes(head[8:12], order) == _TLS_KEY_LOG:
                yield content[4 : 4 + size]
        else:
            source.seek(body, 1)
