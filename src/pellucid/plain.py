"""``@plain``: values under names, and nothing besides.

    @plain
    class Send:
        message: HandshakeMessage

Slots and an ``__init__`` by order or name, as from a dataclass, and made in a fifth of the time: the engine
has some forty such classes, and each costs every program that imports it. Two are equal if they are one, and
the repr shows no values, for there are secrets among them.
"""

from collections.abc import Callable
from inspect import get_annotations
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def plain(cls: type[T], /) -> type[T]: ...
@overload
def plain(*, frozen: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(eq_default=False)
def plain(cls: type[T] | None = None, /, *, frozen: bool = False) -> Any:  # noqa: ARG001 - for type checkers
    """``frozen``: type checkers refuse an assignment. At run time nobody looks: that would take another half
    of a microsecond each time one is made.
    """
    return plain if cls is None else slotted(cls, list(get_annotations(cls)))


def slotted(cls: type[T], names: list[str]) -> type[T]:
    """``cls`` again with slots for these fields, which can be given to a class only when it is made, and with
    an ``__init__`` that takes them. What ``cls`` assigns to one of them is its default.
    """
    body = {name: value for name, value in vars(cls).items() if name not in {"__dict__", "__weakref__"}}
    defaults = {name: body.pop(name) for name in names if name in body}
    body |= {"__slots__": tuple(names), "__match_args__": tuple(names), "__qualname__": cls.__qualname__}
    if names:
        body["__init__"] = _initialiser(cls, names, defaults)
    metaclass: Any = type(cls)
    made: type[T] = metaclass(cls.__name__, cls.__bases__, body)
    return made


def _initialiser(cls: type[Any], names: list[str], defaults: dict[str, Any]) -> Any:
    """The ``__init__`` that one would write by hand; ``names`` are identifiers out of a class body."""
    parameters = [f"{name}=defaults[{name!r}]" if name in defaults else name for name in names]
    lines = [f"    self.{name} = {name}" for name in names]
    lines.insert(0, f"def __init__(self, {', '.join(parameters)}):")
    namespace: dict[str, Any] = {"__name__": cls.__module__, "defaults": defaults}
    exec("\n".join(lines), namespace)  # noqa: S102 - the text is ours
    return namespace["__init__"]
