"""JA3 and JA4: short names for a ClientHello, by which clients of one make are told from those of another.

What a client offers, and in which order, follows from the software that it is made of, and is the same each
time. Both skip GREASE, which is drawn anew for each hello.

JA3 (github.com/salesforce/ja3): the MD5 of ``version,suites,extensions,groups,point formats``, each list as
decimal numbers in the order of the wire, joined by "-".

JA4 (github.com/FoxIO-LLC/ja4, technical_details/JA4.md): ``a_b_c``. ``a`` is readable: "t" for TLS over TCP,
the version, whether there is a server name, how many suites and extensions, the ends of the first ALPN name.
``b`` is a hash of the suites, ``c`` of extensions and signature schemes; suites and extensions are sorted, as
there are clients that shuffle them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pellucid.codes import ExtensionType, HandshakeType, ProtocolVersion, is_grease
from pellucid.errors import BadMessage
from pellucid.messages import HEADER_LENGTH
from pellucid.wire import Codec, Wire, fixed, opaque, struct, uint, vector

__all__ = ["Fingerprints", "fingerprints"]


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """``ja3`` is the MD5 of ``ja3_text``; ``ja4_raw`` (JA4_r) is ``ja4`` with its lists unhashed."""

    ja3: str
    ja3_text: str
    ja4: str
    ja4_raw: str


# A hello is read here for what it says, not for whether it may: bounds, repetitions and forbidden extensions
# are part of the picture.


@struct
class _Hello(Wire):
    legacy_version: Annotated[int, uint(2)]
    random: Annotated[bytes, fixed(32)]
    legacy_session_id: Annotated[bytes, opaque(1)]
    cipher_suites: Annotated[list[int], vector(uint(2), 2)]
    legacy_compression_methods: Annotated[bytes, opaque(1)]


@struct
class _Extension(Wire):
    extension_type: Annotated[int, uint(2)]
    extension_data: Annotated[bytes, opaque(2)]


_EXTENSIONS = vector(_Extension, 2)
_NUMBERS = vector(uint(2), 2)
_VERSIONS = vector(uint(2), 1)
_BYTES = vector(uint(1), 1)
_NAMES = vector(opaque(1), 2)

_VERSION_NAMES = {
    ProtocolVersion.TLSv1_3: "13",
    ProtocolVersion.TLSv1_2: "12",
    ProtocolVersion.TLSv1_1: "11",
    ProtocolVersion.TLSv1: "10",
    ProtocolVersion.SSLv3: "s3",
    0x0002: "s2",
}
_UNKNOWN_VERSION = "00"
_NO_PROTOCOL = "00"
# They stand in the first part of JA4 already.
_TOLD_APART = frozenset({ExtensionType.server_name, ExtensionType.application_layer_protocol_negotiation})
_MOST_COUNTED = 99
_HASH_LENGTH = 12
_HASH_OF_NOTHING = "0" * _HASH_LENGTH


def fingerprints(raw_client_hello: bytes) -> Fingerprints | None:
    """Those of a ClientHello, header included; None for bytes that cannot be read as one.

    An extension whose body cannot be read counts as one that says nothing.
    """
    if raw_client_hello[:1] != bytes([HandshakeType.client_hello]):
        return None
    end = len(raw_client_hello)
    if end != HEADER_LENGTH + int.from_bytes(raw_client_hello[1:HEADER_LENGTH], "big"):
        return None
    try:
        hello, position = _Hello.codec.decode(raw_client_hello, HEADER_LENGTH, end)
        extensions = _EXTENSIONS.decode(raw_client_hello, position, end)[0] if position < end else []
    except BadMessage:
        return None
    bodies: dict[int, bytes] = {}
    for extension in extensions:
        bodies.setdefault(extension.extension_type, extension.extension_data)
    suites = _without_grease(hello.cipher_suites)
    types = _without_grease(extension.extension_type for extension in extensions)
    text = _ja3_text(hello.legacy_version, suites, types, bodies)
    ja4, ja4_raw = _ja4(hello.legacy_version, suites, types, bodies)
    # The hash is a name here: nothing hangs on its strength.
    return Fingerprints(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), text, ja4, ja4_raw)


def _ja3_text(version: int, suites: list[int], types: list[int], bodies: dict[int, bytes]) -> str:
    groups = _without_grease(_read(_NUMBERS, bodies.get(ExtensionType.supported_groups)))
    formats = _read(_BYTES, bodies.get(ExtensionType.ec_point_formats))
    lists = ([version], suites, types, groups, formats)
    return ",".join("-".join(str(number) for number in numbers) for numbers in lists)


def _ja4(version: int, suites: list[int], types: list[int], bodies: dict[int, bytes]) -> tuple[str, str]:
    """The fingerprint, and the same unhashed."""
    start = "".join(
        (
            "t",
            _version(version, bodies.get(ExtensionType.supported_versions)),
            "d" if ExtensionType.server_name in bodies else "i",
            f"{min(len(suites), _MOST_COUNTED):02}{min(len(types), _MOST_COUNTED):02}",
            _ends(_read(_NAMES, bodies.get(ExtensionType.application_layer_protocol_negotiation))),
        )
    )
    schemes = _without_grease(_read(_NUMBERS, bodies.get(ExtensionType.signature_algorithms)))
    suites_text = _hex_list(sorted(suites))
    types_text = _hex_list(sorted(code for code in types if code not in _TOLD_APART))
    with_schemes = "_".join(filter(None, (types_text, _hex_list(schemes))))
    hashes = (_hash(suites_text), _hash(with_schemes) if types_text else _HASH_OF_NOTHING)
    return "_".join((start, *hashes)), "_".join((start, suites_text, with_schemes))


def _version(legacy_version: int, supported_versions: bytes | None) -> str:
    if supported_versions is not None:
        highest = max(_without_grease(_read(_VERSIONS, supported_versions)), default=0)
        return _VERSION_NAMES.get(highest, _UNKNOWN_VERSION)
    return _VERSION_NAMES.get(legacy_version, _UNKNOWN_VERSION)


def _ends(names: Sequence[bytes]) -> str:
    """First and last character of the first name; of its hex digits where one is no letter or digit."""
    if not names or not names[0]:
        return _NO_PROTOCOL
    name = names[0]
    ends = bytes((name[0], name[-1]))
    text = ends.decode("ascii") if ends.isalnum() else name.hex()
    return text[0] + text[-1]


def _read(codec: Codec, body: bytes | None) -> list[Any]:
    """The values of the list that is an extension's body."""
    try:
        values: list[Any] = codec.read(body) if body else []
    except BadMessage:
        return []
    return values


def _without_grease(values: Iterable[int]) -> list[int]:
    return [value for value in values if not is_grease(value)]


def _hex_list(values: Iterable[int]) -> str:
    return ",".join(f"{value:04x}" for value in values)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH] if text else _HASH_OF_NOTHING
