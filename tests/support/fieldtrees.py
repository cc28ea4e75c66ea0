"""What must hold of every field tree: each byte stands in it once, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.messages.extensions import ExtensionList
from pellucid.wire import Codec, Field, Struct, Vector

#: Type and length stand before the body of an extension.
EXTENSION_HEADER = 4


def head_of(codec: Codec) -> int:
    """How many bytes of a value stand before its parts: the length of a vector, nothing in a struct."""
    if isinstance(codec, Vector):
        return codec.prefix
    return 2 if isinstance(codec, ExtensionList) else 0


def assert_exact(field: Field, codec: Codec) -> None:
    """``field`` is the tree of one value of ``codec``: without gaps, overlaps or bytes of others."""
    if not field.fields:
        return
    assert_adjacent(field, head_of(codec))
    for index, part in enumerate(field.fields):
        if isinstance(codec, Struct):
            name, member = codec.members[index]
            assert part.name == name
            assert_exact(part, member)
        elif isinstance(codec, Vector):
            assert_exact(part, codec.item)
        elif part.fields:
            assert_adjacent(part, EXTENSION_HEADER)


def assert_adjacent(parent: Field, head: int) -> None:
    """The parts of ``parent`` follow one another from its head to its end."""
    position = parent.offset + head
    for part in parent.fields:
        assert (part.name, part.offset) == (part.name, position)
        position += part.length
    assert (parent.name, position) == (parent.name, parent.offset + parent.length)


def assert_within(fields: Sequence[Field], start: int, stop: int) -> None:
    """No field of the forest names a byte outside ``start`` to ``stop``."""
    for field in walk(fields):
        assert start <= field.offset <= field.offset + field.length <= stop, field.name


def walk(fields: Sequence[Field]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from walk(field.fields)
