"""RFC 9846 section 3, the presentation language, as values that read and write bytes.

A codec is four closures over one declaration: decode, encode, describe (the tree of named byte
ranges) and the text that the RFC would write. They are composed once, a struct's when they are first
needed, so reading a message is a chain of plain function calls with next to nothing looked up on the
way: a third faster than a reader object with methods, and three times faster than generators.

A decoder takes ``(data, position, end)`` and gives ``(value, position behind it)``. It reads
nothing at or beyond ``end`` and raises ``BadMessage`` with the offset of what it could not read.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from struct import Struct as Packer
from struct import pack, unpack_from
from typing import Any, NoReturn

from pellucid.codes import name_of
from pellucid.errors import BadMessage, Misuse, PeerMisbehaved, Reason
from pellucid.wire.field import Field, shown

Decode = Callable[[bytes, int, int], tuple[Any, int]]
Encode = Callable[[Any], bytes]
Describe = Callable[[bytes, int, int, str], tuple[Field, int]]

_UINT16 = Packer(">H").unpack_from
#: The sizes of which `struct` reads and writes many at once.
_LETTERS = {1: "B", 2: "H"}


def too_short(what: str, position: int) -> NoReturn:
    raise BadMessage(f"the message ends inside {what}", offset=position)


class Codec:
    """How one type of the presentation language is read, written, described and named.

    ``declare(name)`` is the line that declares a field of this type in the RFC's own syntax.
    """

    decode: Decode
    encode: Encode
    describe: Describe
    #: The fewest bytes that a value takes.
    minimum: int = 0
    #: A struct means what its most telling part does: a name (2) before a number, and last what can be but
    #: one thing (0).
    telling: int = 1

    def declare(self, name: str) -> str:
        raise NotImplementedError

    def read(self, data: bytes) -> Any:
        """The value that ``data`` holds, all of it: trailing bytes are refused."""
        value, position = self.decode(data, 0, len(data))
        if position != len(data):
            raise BadMessage(f"{len(data) - position} bytes are left over", offset=position)
        return value


class Uint(Codec):
    """``uint8``, ``uint16``, ``uint24`` or ``uint32``; with a registry, its members and ints.

    ``only``: the one value that may stand there, because what follows can be read for no other.
    """

    def __init__(
        self, size: int, registry: type[IntEnum] | None = None, name: str = "", only: int | None = None
    ) -> None:
        self.size = self.minimum = size
        self.registry, self.only = registry, only
        self.telling = 1 if only is None else 0
        self.name = name or (registry.__name__ if registry else f"uint{8 * size}")
        self.members: dict[Any, Any] = dict(registry._value2member_map_) if registry else {}
        self.decode = self._decoder() if only is None else self._checked(self._decoder(), only)
        self.encode = self._encoder()
        self.describe = self._describe

    def _decoder(self) -> Decode:
        size, name, known = self.size, self.name, self.members.get
        if size == 1:

            def decode(data: bytes, position: int, end: int) -> tuple[Any, int]:
                if position >= end:
                    too_short(name, position)
                value = data[position]
                return known(value, value), position + 1
        elif size == 2:

            def decode(data: bytes, position: int, end: int) -> tuple[Any, int]:
                if position + 2 > end:
                    too_short(name, position)
                (value,) = _UINT16(data, position)
                return known(value, value), position + 2
        else:

            def decode(data: bytes, position: int, end: int) -> tuple[Any, int]:
                stop = position + size
                if stop > end:
                    too_short(name, position)
                value = int.from_bytes(data[position:stop], "big")
                return known(value, value), stop

        return decode

    def _checked(self, decode: Decode, only: int) -> Decode:
        registry, name = self.registry, self.name

        def decode_only(data: bytes, position: int, end: int) -> tuple[Any, int]:
            value, stop = decode(data, position, end)
            if value != only:
                found, due = (name_of(v, registry) if registry else str(v) for v in (value, only))
                raise PeerMisbehaved(
                    Reason.ILLEGAL_PARAMETER, f"{name} is {found}, only {due} may stand here"
                )
            return value, stop

        return decode_only

    def _encoder(self) -> Encode:
        size = self.size

        def encode(value: int) -> bytes:
            return value.to_bytes(size, "big")

        return encode

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        value, stop = self.decode(data, position, end)
        if self.registry is None:
            return Field(name, position, self.size, str(value)), stop
        meaning = name_of(value, self.registry)
        return Field(name, position, self.size, f"0x{value:0{2 * self.size}x}", meaning), stop

    def declare(self, name: str) -> str:
        return f"{self.name} {name};"


class Opaque(Codec):
    """``opaque name<low..high>``: bytes behind a length of ``prefix`` bytes; ``text``: they are a name.

    ``holds``: what the bytes are where they can be read so. It only describes them: the value stays bytes.
    """

    def __init__(
        self,
        prefix: int,
        low: int = 0,
        high: int | None = None,
        *,
        text: bool = False,
        holds: Codec | None = None,
    ) -> None:
        self.prefix, self.low, self.text, self.holds = prefix, low, text, holds
        self.telling = 2 if text else 1
        self.high = 256**prefix - 1 if high is None else high
        self.minimum = prefix + low
        self.decode = self._decoder()
        self.encode = self._encoder()
        self.describe = self._describe

    def _decoder(self) -> Decode:
        span = vector_span(self.prefix, self.low, self.high)

        def decode(data: bytes, position: int, end: int) -> tuple[bytes, int]:
            start, stop = span(data, position, end)
            return data[start:stop], stop

        return decode

    def _encoder(self) -> Encode:
        prefix, low, high = self.prefix, self.low, self.high

        def encode(value: bytes) -> bytes:
            length = len(value)
            if not low <= length <= high:
                out_of_range(length, low, high)
            return length.to_bytes(prefix, "big") + value

        return encode

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        value, stop = self.decode(data, position, end)
        count = f"{len(value)} byte{'' if len(value) == 1 else 's'}"
        # Terminals and logs take control characters for commands, and these are the peer's.
        text = value.decode("latin-1").encode("unicode_escape").decode("ascii")
        meaning = text if self.text else count
        if self.holds is not None:
            with contextlib.suppress(BadMessage, PeerMisbehaved):
                held, behind = self.holds.describe(data, position + self.prefix, stop, name)
                if behind == stop:
                    return replace(held, offset=position, length=stop - position), stop
        return Field(name, position, stop - position, shown(value), meaning), stop

    def declare(self, name: str) -> str:
        return f"opaque {name}{bounds(self.low, self.high)};"


class Fixed(Codec):
    """``opaque name[length]``: exactly ``length`` bytes."""

    def __init__(self, length: int, name: str = "") -> None:
        self.length = self.minimum = length
        self.name = name
        self.describe = self._describe

        def decode(data: bytes, position: int, end: int) -> tuple[bytes, int]:
            stop = position + length
            if stop > end:
                too_short(f"{length} bytes", position)
            return data[position:stop], stop

        def encode(value: bytes) -> bytes:
            if len(value) != length:
                out_of_range(len(value), length, length)
            return value

        self.decode, self.encode = decode, encode

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        value, stop = self.decode(data, position, end)
        return Field(name, position, self.length, shown(value)), stop

    def declare(self, name: str) -> str:
        return f"{self.name} {name};" if self.name else f"opaque {name}[{self.length}];"


class Rest(Codec):
    """Bytes up to the end of the message, whose length only the key schedule knows."""

    def __init__(self, length_name: str) -> None:
        self.length_name = length_name
        self.decode = lambda data, position, end: (data[position:end], end)
        self.encode = bytes
        self.describe = self._describe

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        return Field(name, position, end - position, shown(data[position:end])), end

    def declare(self, name: str) -> str:
        return f"opaque {name}[{self.length_name}];"


class Vector(Codec):
    """``T name<low..high>``: values of one type behind their length in bytes."""

    def __init__(
        self, item: Codec, prefix: int, low: int = 0, high: int | None = None, name: str = ""
    ) -> None:
        self.item, self.prefix, self.low = item, prefix, low
        self.high = 256**prefix - 1 if high is None else high
        self.minimum = prefix + low
        self.name = name
        self.decode = self._decoder()
        self.encode = self._encoder()
        self.describe = self._describe

    def _decoder(self) -> Decode:
        span = vector_span(self.prefix, self.low, self.high)
        item = self.item
        if isinstance(item, Uint) and item.size in _LETTERS:
            return _numbers(span, item.size, item.members)

        def decode(data: bytes, position: int, end: int) -> tuple[list[Any], int]:
            position, stop = span(data, position, end)
            decode_item = item.decode  # not before it is needed: a struct makes its own then
            values = []
            while position < stop:
                value, position = decode_item(data, position, stop)
                values.append(value)
            return values, stop

        return decode

    def _encoder(self) -> Encode:
        prefix, low, high, item = self.prefix, self.low, self.high, self.item
        if isinstance(item, Uint) and item.size in _LETTERS:
            return _encode_numbers(prefix, item.size, low, high)

        def encode(values: Sequence[Any]) -> bytes:
            encode_item = item.encode
            body = b"".join([encode_item(value) for value in values])
            length = len(body)
            if not low <= length <= high:
                out_of_range(length, low, high)
            return length.to_bytes(prefix, "big") + body

        return encode

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        start, stop = vector_span(self.prefix, self.low, self.high)(data, position, end)
        fields: list[Field] = []
        at = start
        while at < stop:
            field, at = self.item.describe(data, at, stop, f"{name}[{len(fields)}]")
            fields.append(field)
        summary = ", ".join(field.meaning or field.value for field in fields)
        count = f"{len(fields)} item{'' if len(fields) == 1 else 's'}"
        return Field(name, position, stop - position, count, summary, tuple(fields)), stop

    def declare(self, name: str) -> str:
        kind = self.name or self.item.declare("").rstrip("; ")
        return f"{kind} {name}{bounds(self.low, self.high)};"


def _numbers(
    span: Callable[[bytes, int, int], tuple[int, int]], size: int, members: dict[Any, Any]
) -> Decode:
    """A vector of code points, read in one go: hellos are mostly these."""
    known = members.get
    letter = _LETTERS[size]

    def decode(data: bytes, position: int, end: int) -> tuple[list[Any], int]:
        position, stop = span(data, position, end)
        length = stop - position
        if length % size:
            raise BadMessage(f"{length} bytes cannot hold {size}-byte values", offset=position)
        numbers = unpack_from(f">{length // size}{letter}", data, position)
        return [known(number, number) for number in numbers], stop

    return decode


def _encode_numbers(prefix: int, size: int, low: int, high: int) -> Encode:
    letter = _LETTERS[size]

    def encode(values: Sequence[int]) -> bytes:
        length = len(values) * size
        if not low <= length <= high:
            out_of_range(length, low, high)
        return length.to_bytes(prefix, "big") + pack(f">{length // size}{letter}", *values)

    return encode


Span = Callable[[bytes, int, int], tuple[int, int]]


def vector_span(prefix: int, low: int, high: int) -> Span:
    """Reads a length of ``prefix`` bytes, bounded: gives where the content starts and stops.

    One closure for each size of prefix: this is the most called function of all decoding.
    """
    if prefix == 1:

        def span(data: bytes, position: int, end: int) -> tuple[int, int]:
            start = position + 1
            if start > end:
                too_short("a length", position)
            stop = start + data[position]
            if stop > end or not low <= stop - start <= high:
                bad_length(stop - start, low, high, end - start, position)
            return start, stop
    elif prefix == 2:

        def span(data: bytes, position: int, end: int) -> tuple[int, int]:
            start = position + 2
            if start > end:
                too_short("a length", position)
            stop = start + (data[position] << 8 | data[position + 1])
            if stop > end or not low <= stop - start <= high:
                bad_length(stop - start, low, high, end - start, position)
            return start, stop
    else:

        def span(data: bytes, position: int, end: int) -> tuple[int, int]:
            start = position + prefix
            if start > end:
                too_short("a length", position)
            stop = start + int.from_bytes(data[position:start], "big")
            if stop > end or not low <= stop - start <= high:
                bad_length(stop - start, low, high, end - start, position)
            return start, stop

    return span


def bad_length(length: int, low: int, high: int, left: int, position: int) -> NoReturn:
    if not low <= length <= high:
        raise BadMessage(f"a length of {length} is outside {low}..{high}", offset=position)
    raise BadMessage(f"a length of {length} goes beyond the {left} bytes left", offset=position)


def out_of_range(length: int, low: int, high: int) -> NoReturn:
    raise Misuse(Reason.INTERNAL_ERROR, f"cannot write {length} bytes where {low}..{high} may stand")


def bounds(low: int, high: int) -> str:
    """``<1..2^16-1>``, as the RFC writes it."""
    for bits in (8, 16, 24):
        if high == 2**bits - 1:
            return f"<{low}..2^{bits}-1>"
        if high == 2**bits - 2:
            return f"<{low}..2^{bits}-2>"
    return f"<{low}..{high}>"
