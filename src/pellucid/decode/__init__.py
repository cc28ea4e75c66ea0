"""Captures decoded: from a pcap or pcapng file to the story of each TLS connection in it.

    keys = KeyMaterial()
    keys.add_key_log(text)
    for decoded in Decoder(file, keys=keys).connections():
        ...

The same story as of a live connection, of both sides, as far as keys open it; and where they do not, why not,
and what shows without any. A file that is no capture, or ends too early, raises ``CaptureError``, behind all
that can be told of it.
"""

from pellucid.capture import CaptureError
from pellucid.decode.decoder import Decoder
from pellucid.decode.following import Decoded
from pellucid.decode.key_material import KeyMaterial

__all__ = ["CaptureError", "Decoded", "Decoder", "KeyMaterial"]
