"""What the page's data is made of: plain JSON values."""

from __future__ import annotations

from typing import Any, TypeAlias

from pellucid.trace.events import Redacted

__all__ = ["Json", "cut", "shown_value"]

Json: TypeAlias = dict[str, Any]


# No text that anybody means is longer: the names of all suites that there are take some 3,000 characters.
_LONGEST_TEXT = 4000


def cut(text: str) -> str:
    """A text, or the beginning of one that is very long."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def shown_value(value: str | bytes | Redacted) -> Json:
    """A value as the page shows it: ``hex`` of bytes, ``text``, or ``hidden`` for what is redacted."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case Redacted():
            return {"hidden": value.fingerprint, "size": value.length}
    return {"text": value}
