"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng), in little-endian order."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from struct import pack

__all__ = ["decryption_secrets", "enhanced_packet", "interface", "name_resolution", "section_header"]

_SECTION_HEADER, _INTERFACE, _NAMES, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 4, 6, 10

_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_UNKNOWN_LENGTH = b"\xff" * 8  # of the section: it may still grow

# LINKTYPE_RAW: packets begin with the IP header, so that no hardware addresses have to be made up.
_LINK_TYPE = 101
_NANOSECONDS = b"\x09"

_TLS_KEY_LOG = 0x544C534B

# Codes of options: the first is of every block, the others each of its own.
_COMMENT = 1
_APPLICATION = 4
_INTERFACE_NAME, _INTERFACE_DESCRIPTION, _TIME_RESOLUTION = 2, 3, 9
_PACKET_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2

# An option's length is told in 16 bits.
_LONGEST_OPTION = 0xFFFF


def section_header(comment: str, application: str) -> bytes:
    """What a file begins with."""
    start = pack("<IHH", _BYTE_ORDER_MAGIC, 1, 0) + _UNKNOWN_LENGTH
    return _block(_SECTION_HEADER, start, [(_COMMENT, _text(comment)), (_APPLICATION, _text(application))])


def interface(name: str, description: str) -> bytes:
    """The one interface, number 0, whose packets are IP packets with times in nanoseconds."""
    options = [
        (_INTERFACE_NAME, _text(name)),
        (_INTERFACE_DESCRIPTION, _text(description)),
        (_TIME_RESOLUTION, _NANOSECONDS),
    ]
    return _block(_INTERFACE, pack("<HHI", _LINK_TYPE, 0, 0), options)  # 0: packets are not cut


def name_resolution(names: Iterable[tuple[IPv4Address | IPv6Address, str]]) -> bytes:
    """By which names to show addresses."""
    records = b""
    for address, name in names:
        value = address.packed + name.encode() + b"\0"
        records += pack("<HH", 1 if address.version == 4 else 2, len(value)) + _padded(value)
    return _block(_NAMES, records + pack("<HH", 0, 0))


def decryption_secrets(lines: Iterable[str]) -> bytes:
    """Lines of a key log (RFC 9850), for the packets behind this block."""
    log = "".join(f"{line}\n" for line in lines).encode("ascii")
    return _block(_SECRETS, pack("<II", _TLS_KEY_LOG, len(log)) + _padded(log))


def enhanced_packet(packet: bytes, time_ns: int, comments: Iterable[str], *, outbound: bool) -> bytes:
    """A packet of interface 0; ``time_ns`` is since 1970, ``outbound`` as seen by who recorded it."""
    start = pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(packet), len(packet))
    options = [(_COMMENT, _text(comment)) for comment in comments]
    options.append((_PACKET_FLAGS, pack("<I", _OUTBOUND if outbound else _INBOUND)))
    return _block(_PACKET, start + _padded(packet), options)


def _block(kind: int, body: bytes, options: Iterable[tuple[int, bytes]] = ()) -> bytes:
    encoded = b"".join(pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    content = body + (encoded + bytes(4) if encoded else b"")  # option 0, of length 0, ends them
    length = len(content) + 12
    return pack("<II", kind, length) + content + pack("<I", length)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _text(text: str) -> bytes:
    """UTF-8, cut where no option could hold it, between two characters."""
    return text.encode()[:_LONGEST_OPTION].decode(errors="ignore").encode()
