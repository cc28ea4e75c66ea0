"""The elements of DER (X.690 8 and 10): tag, length, content; no more than it takes to show certificates.

What is not DER raises ``NotDer``: whoever shows it leaves the bytes with the field that they are in.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from pellucid.printable import printable
from pellucid.trace.html.oids import oid_name
from pellucid.wire.field import shown

__all__ = ["BOOLEAN", "OCTET_STRING", "Element", "NotDer", "element_at", "elements_in", "told", "type_name"]

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
_TEXTS = {0x0C: "UTF8String", 0x13: "PrintableString", 0x14: "T61String", 0x16: "IA5String"}
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_TYPES = {
    BOOLEAN: "BOOLEAN", INTEGER: "INTEGER", BIT_STRING: "BIT STRING", OCTET_STRING: "OCTET STRING",
    NULL: "NULL", OID: "OBJECT IDENTIFIER", 0x0A: "ENUMERATED", 0x30: "SEQUENCE", 0x31: "SET",
    _UTC_TIME: "UTCTime", _GENERALIZED_TIME: "GeneralizedTime",
} | _TEXTS  # fmt: skip

_LONG_FORM = 0x80
_NUMBER = 0x1F
_CONSTRUCTED = 0x20
_CLASS, _CONTEXT = 0xC0, 0x80
# An element of a message has at most 2^24 bytes.
_MOST_LENGTH_BYTES = 4
# Of an OBJECT IDENTIFIER, more than any in use has.
_LONGEST_OID = 64


class NotDer(Exception):
    """It cannot be read as DER."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: where it begins, where its content does, and where it ends."""

    tag: int
    at: int
    start: int
    end: int

    @property
    def constructed(self) -> bool:
        """Whether its content is elements again."""
        return bool(self.tag & _CONSTRUCTED)

    @property
    def context(self) -> int | None:
        """The number n of a tag [n], which says which member it is; None for a tag of a universal type."""
        return self.tag & _NUMBER if self.tag & _CLASS == _CONTEXT else None


def element_at(raw: bytes, at: int, end: int) -> Element:
    """The element that begins at ``at`` and must not reach beyond ``end``. Raises ``NotDer``."""
    start = at + 2
    if start > end or raw[at] & _NUMBER == _NUMBER:  # tags of several bytes stand in no certificate
        raise NotDer
    length = raw[at + 1]
    if length >= _LONG_FORM:
        size = length - _LONG_FORM
        if not 0 < size <= _MOST_LENGTH_BYTES or start + size > end:
            raise NotDer
        length = int.from_bytes(raw[start : start + size], "big")
        start += size
    if start + length > end:
        raise NotDer
    return Element(raw[at], at, start, start + length)


def elements_in(raw: bytes, start: int, end: int) -> list[Element]:
    """The elements that fill ``raw[start:end]``. Raises ``NotDer``."""
    found = []
    while start < end:
        found.append(element_at(raw, start, end))
        start = found[-1].end
    return found


def type_name(tag: int) -> str:
    """``SEQUENCE``, ``[0]``."""
    return f"[{tag & _NUMBER}]" if tag & _CLASS == _CONTEXT else _TYPES.get(tag, f"tag 0x{tag:02x}")


def told(raw: bytes, element: Element) -> tuple[str, str]:
    """Value and meaning of an element that is not constructed; "" where the value says it all."""
    data = raw[element.start : element.end]
    match element.tag:
        case 0x06:
            dotted = _dotted(data)
            return dotted, oid_name(dotted)
        case 0x01:
            return data.hex(), "no" if data == b"\0" else "yes"
        case 0x02 if len(data) <= 8:
            return str(int.from_bytes(data, "big", signed=True)), ""
        case 0x17 | 0x18:
            text = printable(data.decode("latin-1"))
            return text, _moment(text)
        case tag if tag in _TEXTS:
            return printable(data.decode("utf-8", "replace")), ""
    return shown(data), _general_name(element, data)


def _moment(text: str) -> str:
    """``251231230000Z`` is 2025-12-31 23:00:00 UTC; RFC 5280 4.1.2.5.1 says in which century."""
    if len(text) == len("YYMMDDHHMMSSZ"):
        text = ("20" if text < "5" else "19") + text
    if len(text) != len("YYYYMMDDHHMMSSZ") or not text[:-1].isdigit():
        return ""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]} UTC"


def _general_name(element: Element, data: bytes) -> str:
    """RFC 5280 4.2.1.6: email, host name and URI are ASCII, an address is 4 or 16 bytes."""
    match element.context:
        case 1 | 2 | 6:
            return printable(data.decode("ascii", "replace"))
        case 7 if len(data) in (4, 16):
            return str(ip_address(data))
    return ""


def _dotted(data: bytes) -> str:
    """An OBJECT IDENTIFIER's numbers (X.690 8.19)."""
    numbers: list[int] = []
    value = 0
    for byte in data[:_LONGEST_OID]:
        value = value << 7 | byte & 0x7F
        if byte < _LONG_FORM:
            numbers.append(value)
            value = 0
    if not numbers:
        return shown(data)
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))
