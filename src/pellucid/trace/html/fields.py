"""Field trees in which every byte has an owner: what ``describe`` leaves to a parent gets a name here.

``describe`` names what the RFCs declare. Between these stand lengths, and the headers of extensions; and
inside some opaque values there is more to see (``inside.py``). A node has ``name``, ``at`` (offset),
``size``, ``value``, ``meaning``, ``about`` (a key of fields.toml) and ``parts``; the leaves, put one after
another, are the message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from pellucid.codes import ExtensionType, name_of
from pellucid.messages import Field
from pellucid.trace.html.inside import inside
from pellucid.trace.html.values import Json, cut
from pellucid.trace.texts import texts
from pellucid.wire.field import shown

__all__ = ["UNNAMED", "about_texts", "field_nodes"]

_EXTENSION_HEADER = 4
_LONGEST_PREFIX = 3
# A hello of 60 kB can hold 30,000 of something, and a chain thousands of elements. No vector that anybody
# means is that long; and a page that shows so many takes its time.
MOST_ITEMS = 400
MOST_NODES = 8000
# Where bytes have no owner, which no test has ever seen: better a poor name than a gap.
UNNAMED = "bytes without a name"


def field_nodes(fields: Sequence[Field], raw: bytes, message: str) -> list[Json]:
    """The nodes of one message called ``message``, whose ``fields`` describe ``raw``."""
    nodes = [_node(field, raw, message, "") for field in fields]
    return _bounded(list(_without_gaps(nodes, 0, len(raw), raw, "")))


def _bounded(nodes: list[Json]) -> list[Json]:
    """The nodes with no more parts than there is room for: what is deeper goes first."""
    room = MOST_NODES
    waiting = deque(nodes)
    while waiting:
        each = waiting.popleft()
        parts = each.get("parts", ())
        if len(parts) > room:
            del each["parts"]
        else:
            room -= len(parts)
            waiting.extend(parts)
    return nodes


def about_texts(nodes: Iterator[Json] | Sequence[Json]) -> dict[str, dict[str, str]]:
    """The explanations that ``nodes`` refer to, by key."""
    known = texts("html/fields.toml")
    return {key: known[key] for key in sorted({each["about"] for each in _walk(nodes) if "about" in each})}


def _walk(nodes: Iterator[Json] | Sequence[Json]) -> Iterator[Json]:
    for each in nodes:
        yield each
        yield from _walk(each.get("parts", ()))


def _node(field: Field, raw: bytes, message: str, parent: str) -> Json:
    made = _named(field.name, field.offset, field.length, field.value, _meaning(field))
    if about := _about(field, message, parent):
        made["about"] = about
    end = field.offset + field.length
    if parent == "extensions":
        nodes = _extension_body(field, raw, message)
    elif field.fields:
        nodes = _items(field, raw, message)
    else:
        nodes = _content(field, raw, message)
        if len(nodes) == 1 and "meaning" in nodes[0]:  # such as the subject of a certificate
            made["meaning"] = nodes[0]["meaning"]
    if nodes or parent == "extensions":
        head = "extension" if parent == "extensions" else "length"
        made["parts"] = list(_without_gaps(nodes, field.offset, end, raw, head))
    return made


def _items(field: Field, raw: bytes, message: str) -> list[Json]:
    """What a field is made of; of very many items the first, and the others as one."""
    nodes = [_node(inner, raw, message, field.name) for inner in field.fields[:MOST_ITEMS]]
    if rest := field.fields[MOST_ITEMS:]:
        start, end = rest[0].offset, rest[-1].offset + rest[-1].length
        nodes.append(_named(f"the other {len(rest):,}", start, end - start, shown(raw[start:end])))
    return nodes


def _named(name: str, at: int, size: int, value: str, meaning: str = "", *, about: str = "") -> Json:
    made: Json = {"name": name, "at": at, "size": size, "value": value}
    return made | ({"meaning": meaning} if meaning else {}) | ({"about": about} if about else {})


def _meaning(field: Field) -> str:
    """What is left to say where the value has been told; a vector's items say it themselves."""
    meaning = field.meaning
    if meaning == field.value or field.value.endswith(f"({meaning})"):
        return ""
    return cut(meaning)


def _about(field: Field, message: str, parent: str) -> str:
    known = texts("html/fields.toml")
    if field.meaning.startswith("GREASE") or field.name.startswith("GREASE"):
        return "GREASE"
    name, bracket, _ = field.name.partition("[")
    name += "[]" if bracket else ""
    at_top = parent or "message"
    return next((key for key in (f"{message}/{name}", f"{at_top}/{name}", name) if key in known), "")


def _extension_body(field: Field, raw: bytes, message: str) -> list[Json]:
    start, end = field.offset + _EXTENSION_HEADER, field.offset + field.length
    if field.fields:
        return _items(field, raw, message)
    if start == end:
        return []
    data = _named("extension_data", start, end - start, shown(raw[start:end]), field.meaning)
    return [data | {"about": "extension_data"}]


def _content(field: Field, raw: bytes, message: str) -> list[Json]:
    """The content of a leaf behind its length, taken apart where it can be; [] if there is no more to it."""
    start, end = field.offset, field.offset + field.length
    prefix = _prefix(field, raw)
    name = field.name.partition("[")[0]
    parts = inside(name, message, raw, start + prefix, end)
    if parts:
        return parts
    if not prefix or start + prefix == end:
        return []
    return [
        _named(_content_name(field.name), start + prefix, end - start - prefix, field.value, field.meaning)
    ]


def _content_name(name: str) -> str:
    return "content" if "[" in name else f"{name}, content"


def _prefix(field: Field, raw: bytes) -> int:
    """How many bytes of length stand before the content of an opaque value, which ``value`` shows without."""
    start, end = field.offset, field.offset + field.length
    if shown(raw[start:end]) == field.value:
        return 0
    for size in range(1, _LONGEST_PREFIX + 1):
        length = int.from_bytes(raw[start : start + size], "big")
        if start + size + length == end and shown(raw[start + size : end]) == field.value:
            return size
    return 0


def _without_gaps(nodes: Sequence[Json], start: int, end: int, raw: bytes, head: str) -> Iterator[Json]:
    """``nodes``, and what stands before the first of them: a "length", or the head of an "extension"."""
    position = start
    for each in nodes:
        yield from _gap(position, each["at"], raw, head if position == start else "")
        yield each
        position = each["at"] + each["size"]
    yield from _gap(position, end, raw, head if position == start else "")


def _gap(start: int, end: int, raw: bytes, head: str) -> Iterator[Json]:
    if start >= end:
        return
    if head == "extension" and end - start == _EXTENSION_HEADER:
        code = int.from_bytes(raw[start : start + 2], "big")
        kind = _named("extension_type", start, 2, f"0x{code:04x}", name_of(code, ExtensionType))
        yield kind | {"about": "extension_type"}
        yield _length(start + 2, end, raw) | {"about": "extension/length"}
    elif head == "length" and end - start <= _LONGEST_PREFIX:
        yield _length(start, end, raw) | {"about": "length"}
    else:
        yield _named(UNNAMED, start, end - start, shown(raw[start:end]))


def _length(start: int, end: int, raw: bytes) -> Json:
    count = int.from_bytes(raw[start:end], "big")
    return _named("length", start, end - start, str(count), "byte" if count == 1 else "bytes")
