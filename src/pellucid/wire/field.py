"""A byte range of a message, named: what the narration, the viewer and ``decode`` show."""

from dataclasses import dataclass

#: Longer opaque values are shown by their start; the message's raw bytes hold the rest.
SHOWN_BYTES = 48


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    ``offset`` and ``length`` are bytes into the whole message; ``value`` is what stands there,
    ``meaning`` what it says to a person, ``""`` where the value says it all.
    """

    name: str
    offset: int
    length: int
    value: str
    meaning: str = ""
    fields: tuple["Field", ...] = ()


def shown(data: bytes) -> str:
    """Bytes as hex, the start only where there are many."""
    if len(data) <= SHOWN_BYTES:
        return data.hex()
    return f"{data[:SHOWN_BYTES].hex()}… ({len(data)} bytes)"
