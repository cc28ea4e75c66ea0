"""Bytes to values and back: the presentation language of RFC 9846 section 3. Knows no TLS."""

from pellucid.wire.codec import Codec, Fixed, Opaque, Rest, Uint, Vector
from pellucid.wire.field import Field, shown
from pellucid.wire.structs import Struct, Wire, fixed, opaque, rest, rfc_text, struct, uint, vector

__all__ = [
    "Codec",
    "Field",
    "Fixed",
    "Opaque",
    "Rest",
    "Struct",
    "Uint",
    "Vector",
    "Wire",
    "fixed",
    "opaque",
    "rest",
    "rfc_text",
    "shown",
    "struct",
    "uint",
    "vector",
]
