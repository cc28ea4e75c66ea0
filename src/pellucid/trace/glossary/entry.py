"""What the glossary says of one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["NO_NUMBER", "Entry", "Row", "Standings", "listed", "offered"]

#: Which policies offer a code point unasked, by its IANA name. What is not in it, pellucid does not speak.
Standings: TypeAlias = Mapping[str, tuple[str, ...]]

NO_NUMBER = -1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table that goes with an entry."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One name with its meaning. Empty text: nothing to say in this respect.

    ``id`` is stable and unlike all others ("alert:close_notify"). ``code`` is the number on the wire and
    ``number`` the same as people write it. ``without``: what would go wrong without it, in words that go on
    from "Without it". ``textbook`` corrects the usual picture, ``why`` explains what is odd. ``passing``: a
    meaning that is told only where the name has no other, such as that of a field or a check.
    """

    id: str
    kind: str
    name: str
    text: str
    code: int = NO_NUMBER
    number: str = ""
    also: tuple[str, ...] = ()
    without: str = ""
    textbook: str = ""
    why: str = ""
    rows: tuple[Row, ...] = ()
    rfc: str = ""
    related: tuple[str, ...] = ()
    passing: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is called."""
        return (self.name, *self.also)

    @property
    def brief(self) -> str:
        """It in half a sentence: the verdict, where there is one."""
        verdicts = (row.value for row in self.rows if row.label == "verdict")
        return next(verdicts, self.text.partition(". ")[0].removesuffix("."))


def listed(text: str | None) -> tuple[str, ...]:
    """The items of a list as the data files have it: separated by commas."""
    return tuple(item.strip() for item in text.split(",")) if text else ()


def offered(policies: tuple[str, ...] | None, knob: str) -> str:
    """In words, when pellucid offers and accepts what these policies have; None: it does not speak it.

    ``knob``: how to ask for it by name.
    """
    if policies is None:
        return "never: pellucid knows the name, and does not speak it"
    if not policies:
        return f"only when asked for by name ({knob})"
    if "default" not in policies:
        return f"by the policy {' and '.join(policies)}, or when asked for by name ({knob})"
    others = [name for name in policies if name != "default"]
    return f"by default, and by the polic{'y' if len(others) == 1 else 'ies'} {' and '.join(others)}"
