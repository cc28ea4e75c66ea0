"""The list of extensions that stands in a message: typed values in the order of the wire."""

from collections.abc import Iterable
from enum import StrEnum
from struct import Struct as Packer
from typing import Annotated, Any, ClassVar, NoReturn, Self, TypeVar

from pellucid.codes import ExtensionType, name_of
from pellucid.errors import BadMessage, PeerMisbehaved, Reason
from pellucid.wire import Codec, Field, Wire, rest, shown, struct
from pellucid.wire.codec import bounds, out_of_range, vector_span


class Context(StrEnum):
    """The message that an extension stands in, by RFC 9846 4.3's abbreviations."""

    CH = "ClientHello"
    SH = "ServerHello"
    #: ServerHello of TLS 1.2, whose extensions are others (RFC 5246, RFC 6066, ...).
    SH12 = "ServerHello of TLS 1.2"
    HRR = "HelloRetryRequest"
    EE = "EncryptedExtensions"
    CR = "CertificateRequest"
    CT = "Certificate"
    NST = "NewSessionTicket"


class ExtensionBody(Wire):
    """What ``extension_data`` holds, for one type of extension in one kind of message."""

    __slots__ = ()
    extension_type: ClassVar[ExtensionType]


@struct
class UnknownExtension(Wire):
    """An extension that pellucid does not read, kept as it came."""

    extension_data: Annotated[bytes, rest("extension_data.length")]


_UNKNOWN = UnknownExtension.codec

_pack_header = Packer(">HH").pack

Body = TypeVar("Body", bound=ExtensionBody)


class Extensions(dict[int, Any]):
    """Extension type to body, in wire order; no type can stand twice (RFC 9846 4.3)."""

    __slots__ = ()

    @classmethod
    def of(cls, *bodies: ExtensionBody) -> Self:
        return cls({body.extension_type: body for body in bodies})

    def find(self, body: type[Body]) -> Body | None:
        """The extension of that class, or None. The message decides which class a type has."""
        found: Body | None = self.get(body.extension_type)
        return found

    def add(self, *bodies: ExtensionBody) -> None:
        for body in bodies:
            self[body.extension_type] = body


#: Which body an extension has in which message; None: known, but read by nobody here.
Table = dict[int, dict[Context, type[ExtensionBody] | None]]
Codecs = dict[int, Codec | None]


class ExtensionList(Codec):
    """``Extension extensions<low..2^16-1>`` as read in one message.

    ``context`` may depend on the types present: a ServerHello is TLS 1.3's if it has
    supported_versions. ``optional``: the list may be missing altogether (RFC 9846 4.2.2, for
    hellos older than extensions).
    """

    def __init__(
        self,
        table: Table,
        context: Context,
        *,
        low: int = 0,
        optional: bool = False,
        unless: tuple[ExtensionType, Context] | None = None,
    ) -> None:
        self.table, self.context, self.optional, self.unless = table, context, optional, unless
        self.low, self.minimum = low, 0 if optional else 2 + low
        self.span = vector_span(2, 0, 0xFFFF)
        contexts = [context] if unless is None else [context, unless[1]]
        self.codecs = {one: _codecs(table, one) for one in contexts}
        self.decode, self.encode, self.describe = self._decode, self._encode, self._describe

    def _split(self, data: bytes, position: int, end: int) -> tuple[list[tuple[int, int, int]], int]:
        """(type, start, stop) of each extension, and the position behind the list."""
        position, behind = self.span(data, position, end)
        found = []
        while position < behind:
            code, start, position = _header(data, position, behind)
            found.append((code, start, position))
        return found, behind

    def _context(self, found: Iterable[tuple[int, int, int]]) -> Context:
        if self.unless is None:
            return self.context
        present, otherwise = self.unless
        return self.context if any(code == present for code, _, _ in found) else otherwise

    def _context_at(self, data: bytes, start: int, behind: int) -> Context:
        """`_context` of the extensions that stand there, without a list of them."""
        assert self.unless is not None
        present, context = self.unless
        while start < behind:
            code, _, start = _header(data, start, behind)
            if code == present:
                context = self.context
        return context

    def _decode(self, data: bytes, position: int, end: int) -> tuple[Extensions, int]:
        if self.optional and position == end:
            return Extensions(), end
        start, behind = self.span(data, position, end)
        if start == behind:
            return Extensions(), behind
        context = self.context
        if self.unless is not None:
            context = self._context_at(data, start, behind)
        codecs = self.codecs[context]
        extensions = Extensions()
        while start + 4 <= behind:
            code = data[start] << 8 | data[start + 1]
            stop = start + 4 + (data[start + 2] << 8 | data[start + 3])
            if stop > behind:
                break
            start += 4
            codec = codecs.get(code, _UNKNOWN)
            if codec is None or code in extensions:
                _refuse(code, context, twice=code in extensions)
            body, position = codec.decode(data, start, stop)
            if position != stop:
                name = name_of(code, ExtensionType)
                raise BadMessage(f"{name} has {stop - position} bytes too many", offset=position)
            extensions[code] = body
            start = stop
        if start != behind:
            _header(data, start, behind)  # raises: it says what is wrong with the last one
        return extensions, behind

    def _encode(self, extensions: Extensions) -> bytes:
        if self.optional and not extensions:
            return b""
        parts = []
        for code, body in extensions.items():
            data = body.codec.encode(body)
            parts.append(_pack_header(code, len(data)) + data)
        joined = b"".join(parts)
        if len(joined) > 0xFFFF:
            out_of_range(len(joined), self.low, 0xFFFF)
        return len(joined).to_bytes(2, "big") + joined

    def _describe(self, data: bytes, position: int, end: int, name: str) -> tuple[Field, int]:
        if self.optional and position == end:
            return Field(name, position, 0, "absent"), end
        found, behind = self._split(data, position, end)
        context = self._context(found)
        fields = tuple(self._describe_one(data, *one, context) for one in found)
        names = ", ".join(field.name for field in fields)
        count = f"{len(fields)} extension{'' if len(fields) == 1 else 's'}"
        return Field(name, position, behind - position, count, names, fields), behind

    def _describe_one(self, data: bytes, code: int, start: int, stop: int, context: Context) -> Field:
        row = self.table.get(code)
        body = row.get(context) if row else None
        name = name_of(code, ExtensionType)
        if body is None:
            return Field(name, start - 4, stop - start + 4, shown(data[start:stop]), "not read by pellucid")
        try:
            inner, behind = body.codec.describe(data, start, stop, name)
        except BadMessage:
            inner, behind = None, start
        if inner is None or behind != stop:
            # The other extensions can be shown all the same.
            return Field(name, start - 4, stop - start + 4, shown(data[start:stop]), "not readable")
        meaning = "; ".join(f.meaning or f.value for f in inner.fields) if inner.fields else "empty"
        return Field(name, start - 4, stop - start + 4, f"0x{code:04x}", meaning, inner.fields)

    def declare(self, name: str) -> str:
        return f"Extension {name}{bounds(self.low, 0xFFFF)};"


def _header(data: bytes, position: int, end: int) -> tuple[int, int, int]:
    """extension_type, and where extension_data starts and stops."""
    start = position + 4
    if start > end:
        raise BadMessage("the list of extensions ends inside an extension", offset=position)
    stop = start + (data[position + 2] << 8 | data[position + 3])
    if stop > end:
        raise BadMessage("an extension is longer than its list", offset=position)
    return data[position] << 8 | data[position + 1], start, stop


def _refuse(code: int, context: Context, *, twice: bool) -> NoReturn:
    name = name_of(code, ExtensionType)
    if twice:
        # RFC 9846 4.3: "There MUST NOT be more than one extension of the same type"
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, f"{name} stands twice in a {context}")
    raise PeerMisbehaved(Reason.FORBIDDEN_EXTENSION, f"{name} must not stand in a {context}")


def _codecs(table: Table, context: Context) -> Codecs:
    """For each known extension the codec of its body in that message, None where it is forbidden."""
    codecs: Codecs = {}
    for code, row in table.items():
        if context not in row:
            codecs[code] = None
        else:
            body = row[context]
            codecs[code] = _UNKNOWN if body is None else body.codec
    return codecs
