"""Certificates that were compressed on the way (RFC 8879), which our own connections never ask for.

Of the three ways there are, zlib alone is in Python's library; what is compressed otherwise is told, counts
in the transcript, and is not unpacked.
"""

from __future__ import annotations

import zlib
from typing import Annotated, ClassVar

from pellucid.codes import HandshakeType
from pellucid.decode.flow import Watched
from pellucid.errors import TLSError
from pellucid.messages import Certificate, CertificateRawPublicKey, HandshakeMessage
from pellucid.record.joiner import MESSAGE_LIMITS
from pellucid.trace.events import Side, other_side
from pellucid.wire import opaque, struct, uint

__all__ = ["CompressedCertificate", "unpack"]

#: RFC 8879 7.3.
_ALGORITHMS = {1: "zlib", 2: "brotli", 3: "zstd"}
_ZLIB = 1

#: What is packed small may be large. As of a Certificate that comes as it is.
MAX_UNPACKED = MESSAGE_LIMITS[HandshakeType.certificate]


@struct
class CompressedCertificate(HandshakeMessage):
    """RFC 8879 4: a Certificate message, without its header, in fewer bytes."""

    msg_type: ClassVar[HandshakeType] = HandshakeType.compressed_certificate
    algorithm: Annotated[int, uint(2)]
    uncompressed_length: Annotated[int, uint(3)]
    compressed_certificate_message: Annotated[bytes, opaque(3, low=1)]


def unpack(
    w: Watched, whose: Side, message: Certificate | CertificateRawPublicKey | CompressedCertificate
) -> Certificate | CertificateRawPublicKey | None:
    """The Certificate that ``whose`` message is, or holds; None where it cannot be had."""
    if not isinstance(message, CompressedCertificate):
        return message
    certificate = _unpacked(message)
    name = _ALGORITHMS.get(message.algorithm, f"unknown ({message.algorithm})")
    w.view(other_side(whose)).choice(
        what="certificate_compression",
        chosen=name,
        rule=f"the {whose} chose it" + ("" if certificate else "; what is in it is not unpacked here"),
    )
    return certificate


def _unpacked(message: CompressedCertificate) -> Certificate | None:
    if message.algorithm != _ZLIB or message.uncompressed_length > MAX_UNPACKED:
        return None
    try:
        body = zlib.decompressobj().decompress(message.compressed_certificate_message, MAX_UNPACKED)
        if len(body) != message.uncompressed_length:
            return None
        header = Certificate.msg_type.to_bytes(1, "big") + len(body).to_bytes(3, "big")
        return Certificate.decode(header + body)
    except (zlib.error, TLSError):
        return None
