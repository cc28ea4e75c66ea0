"""From a number on the wire to its member and its name, unknown numbers included."""

from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import TypeVar

Code = TypeVar("Code", bound=IntEnum)

#: What fits a line or two of an error; more than any client but a hostile one offers of one thing.
MOST_NAMES = 64


class Registry(IntEnum):
    """An IANA registry: members are named as IANA names them.

    Numbers that are not members stay plain ``int``: a peer may send what it likes, GREASE
    (RFC 8701) exists to make sure that it does, and ``MEMBERS.get(v, v)`` costs a tenth of
    ``Enum(v)``.
    """

    def __str__(self) -> str:
        return self.name


def known(registry: type[Code], value: int) -> Code | int:
    """The registry's member for ``value``, or ``value`` itself where there is none."""
    member: Code | None = registry._value2member_map_.get(value)  # type: ignore[assignment]
    return value if member is None else member


def is_grease(value: int) -> bool:
    """Whether a 16-bit code point is one of RFC 8701's: 0x0a0a, 0x1a1a, ... 0xfafa."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def name_of(value: int, registry: type[Code]) -> str:
    """A code point as a person reads it: ``x25519``, ``GREASE (0x1a1a)``, ``unknown (0x1234)``."""
    member = registry._value2member_map_.get(value)
    if member is not None:
        return str(member)
    width = 4 if value > 0xFF or _is_wide(registry) else 2
    kind = "GREASE" if width == 4 and is_grease(value) else "unknown"
    return f"{kind} (0x{value:0{width}x})"


@cache
def _is_wide(registry: type[IntEnum]) -> bool:
    return max(registry) > 0xFF


def names_of(values: Sequence[int], registry: type[Code]) -> list[str]:
    """The names of at most ``MOST_NAMES`` values, and how many more there are: a peer may send thousands."""
    names = [name_of(value, registry) for value in values[:MOST_NAMES]]
    if len(values) > MOST_NAMES:
        names.append(f"and {len(values) - MOST_NAMES} more")
    return names
