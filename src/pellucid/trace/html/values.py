"""What the page's data is made of: plain JSON values."""

from __future__ import annotations

from typing import Any, TypeAlias

from pellucid.trace.events import Redacted

__all__ = ["Json", "shown_value"]

Json: TypeAlias = dict[str, Any]


def shown_value(value: str | bytes | Redacted) -> Json:
    """A value as the page shows it: ``hex`` of bytes, ``text``, or ``hidden`` for what is redacted."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case Redacted():
            return {"hidden": value.fingerprint, "size": value.length}
    return {"text": value}
