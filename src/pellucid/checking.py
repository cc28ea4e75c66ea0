"""Checks of what a configuration is given: each refusal names the knob and says what is wanted."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pellucid.errors import Misuse, Reason

T = TypeVar("T")


def require(ok: bool, knob: str, wanted: str) -> None:
    """Raises ``Misuse`` (``bad_configuration``) unless ``ok``."""
    if not ok:
        raise Misuse(Reason.BAD_CONFIGURATION, f"{knob}: {wanted}")


def listed(knob: str, values: Any, kind: type[T]) -> tuple[T, ...]:
    """``values`` as a tuple, each of them a ``kind``."""
    wanted = f"give a list of {kind.__name__}"
    require(isinstance(values, Iterable) and not isinstance(values, str | bytes), knob, wanted)
    found: list[T] = []
    for value in values:
        if not isinstance(value, kind):
            raise Misuse(Reason.BAD_CONFIGURATION, f"{knob}: {wanted}, not of {type(value).__name__}")
        found.append(value)
    return tuple(found)


def callables(config: object, *knobs: str) -> None:
    """Each of these knobs is something that can be called, or None."""
    for knob in knobs:
        value = getattr(config, knob)
        require(value is None or callable(value), knob, f"a {type(value).__name__} cannot be called")


def flags(config: object, *knobs: str) -> None:
    """Each of these knobs is True or False."""
    for knob in knobs:
        value = getattr(config, knob)
        require(isinstance(value, bool), knob, f"{value!r} is neither True nor False")


def at_least(config: object, low: int, *knobs: str) -> None:
    """Each of these knobs is an int of ``low`` or more."""
    for knob in knobs:
        value = getattr(config, knob)
        ok = isinstance(value, int) and not isinstance(value, bool) and value >= low
        require(ok, knob, f"{value!r} is not a number of {low} or more")
