"""``@struct``: a class whose annotations carry its form on the wire.

    @struct
    class KeyShareEntry:
        group: Annotated[NamedGroup | int, uint(2, NamedGroup)]
        key_exchange: Annotated[bytes, opaque(2, low=1)]

From that one declaration come ``KeyShareEntry.codec`` (decode, encode, describe) and
``rfc_text(KeyShareEntry)``, which the tests hold against the RFC.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import cached_property
from inspect import get_annotations
from typing import (
    Annotated,
    Any,
    ClassVar,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from pellucid.plain import slotted
from pellucid.wire.codec import Codec, Decode, Encode, Fixed, Opaque, Rest, Uint, Vector
from pellucid.wire.field import Field

T = TypeVar("T")


class Struct(Codec):
    """The fields of a class, one after another."""

    def __init__(self, cls: type[Any], members: list[tuple[str, Codec]]) -> None:
        self.cls, self.members = cls, members
        self.minimum = sum(codec.minimum for _, codec in members)
        self.describe = self._describe

    # Each is composed when it is first asked for: a connection needs a third of them, and an import none.

    @cached_property
    def decode(self) -> Decode:  # type: ignore[override]  # as an attribute is
        return _decoder(self.cls, self.members)

    @cached_property
    def encode(self) -> Encode:  # type: ignore[override]
        return _encoder(self.members)

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        start = position
        parts = []
        for member, codec in self.members:
            field, position = codec.describe(data, position, end, member)
            parts.append(field)
        by_telling = sorted(zip(parts, self.members, strict=True), key=lambda pair: -pair[1][1].telling)
        meaning = next((part.meaning for part, _ in by_telling if part.meaning), "")
        return Field(name, start, position - start, self.cls.__name__, meaning, tuple(parts)), position

    def declare(self, name: str) -> str:
        return f"{self.cls.__name__} {name};"


def _decoder(cls: type[Any], members: list[tuple[str, Codec]]) -> Decode:
    """What one would write by hand: a call a field, straight into the new object.

    Composed as text: with a loop over the fields it takes half as long again, and a handshake reads and
    writes some forty structs.
    """
    namespace: dict[str, Any] = {"cls": cls, "new": cls.__new__}
    namespace |= {f"decode_{name}": codec.decode for name, codec in members}
    lines = [
        "def decode(data, position, end):",
        "    value = new(cls)",
        *(f"    value.{name}, position = decode_{name}(data, position, end)" for name, _ in members),
        "    return value, position",
    ]
    exec("\n".join(lines), namespace)  # noqa: S102 - the text is ours
    made: Decode = namespace["decode"]
    return made


def _encoder(members: list[tuple[str, Codec]]) -> Encode:
    """Likewise: the parts, joined."""
    namespace: dict[str, Any] = {"join": b"".join}
    namespace |= {f"encode_{name}": codec.encode for name, codec in members}
    parts = [f"encode_{name}(value.{name})" for name, _ in members]
    joined = parts[0] if len(parts) == 1 else f"join(({', '.join(parts)}))"
    exec(f"def encode(value): return {joined}", namespace)  # noqa: S102 - the text is ours
    made: Encode = namespace["encode"]
    return made


@dataclass_transform(eq_default=True)
def struct(cls: type[T]) -> type[T]:
    """Give ``cls`` slots, an ``__init__`` that takes its fields in order or by name, and ``codec``.

    A field may have a default, as in a dataclass: ``type: Annotated[int, uint(1)] = 1``.

    What a dataclass would be, in a third of the time: there are fifty of them, and all are made at import.
    Equality and repr are the same for all, in `Wire`.
    """
    hints = get_annotations(cls)
    if any(isinstance(hint, str) for hint in hints.values()):
        # The module has its annotations as text. Resolve them before slots exist: a field named as a factory
        # would shadow it afterwards.
        resolved = get_type_hints(cls, include_extras=True)
        hints = {name: resolved[name] for name in hints}
    constant: Any = ClassVar
    names = [name for name, hint in hints.items() if get_origin(hint) is not constant]
    codecs = [(name, _codec_of(cls, name, hints)) for name in names]
    made: Any = slotted(cls, names)
    made.codec = Struct(made, codecs)
    result: type[T] = made
    return result


def _codec_of(cls: type[Any], name: str, hints: dict[str, Any]) -> Codec:
    hint = hints[name]
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Codec):
                return extra
    codec = getattr(hint, "codec", None)
    if isinstance(codec, Codec):
        return codec
    raise TypeError(f"{cls.__name__}.{name} does not say how it stands on the wire")


class Wire:
    """What ``@struct`` adds, for type checkers; classes on the wire derive from it."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # mutable: fields may be set while a message is made
    codec: ClassVar[Struct]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name, _ in self.codec.members)

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={getattr(self, name)!r}" for name, _ in self.codec.members)
        return f"{type(self).__name__}({members})"


def codec_of(cls: type[Any]) -> Codec:
    """The codec of a ``@struct`` class, for use inside vectors."""
    codec: Codec = cls.codec
    return codec


def rfc_text(cls: type[Wire], name: str | None = None) -> str:
    """The declaration of ``cls`` in the RFC's presentation language."""
    body = "\n".join("    " + codec.declare(member) for member, codec in cls.codec.members)
    name = name or cls.__name__
    return f"struct {{\n{body}\n}} {name};" if body else f"struct {{}} {name};"


# What declarations are written with, in the lower case of the RFC's own types.

uint: Callable[..., Uint] = Uint
opaque: Callable[..., Opaque] = Opaque
fixed: Callable[..., Fixed] = Fixed
rest: Callable[..., Rest] = Rest


def vector(
    item: Codec | type[Any] | type[IntEnum],
    prefix: int,
    low: int = 0,
    high: int | None = None,
    name: str = "",
) -> Vector:
    """``T name<low..high>`` of a codec or of a ``@struct`` class."""
    return Vector(item if isinstance(item, Codec) else codec_of(item), prefix, low, high, name)
