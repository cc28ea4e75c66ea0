"""Certificates, chains and keys on disk, looked at before they are put to use: what `pellucid check` tells.

Everything is bytes and values here; who calls reads the files and says what time it is. Nothing decides: a
handshake is judged by ``verify``, and what stands here says in advance what it, and others, would say.
"""

from pellucid.identity.inspection.inspect import Inspection, Wish, inspect
from pellucid.identity.inspection.model import ChainReport, Finding, Found, FoundKey
from pellucid.identity.inspection.reading import MAX_FILE_BYTES, Material, read_material

__all__ = [
    "MAX_FILE_BYTES",
    "ChainReport",
    "Finding",
    "Found",
    "FoundKey",
    "Inspection",
    "Material",
    "Wish",
    "inspect",
    "read_material",
]
