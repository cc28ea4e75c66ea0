"""The newer format of captures, pcapng: sections of blocks (draft-ietf-opsawg-pcapng).

A block is its type, its length, a body and its length again. The sections of one file may differ in byte
order, and each describes its interfaces before their packets.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from pellucid.capture.packets import MAX_PACKET, CaptureError, CaptureFault, Packet, Secrets
from pellucid.capture.window import Window

# Reads the same in both byte orders, and is spoilt where a program took the file for text.
SECTION_HEADER = b"\x0a\x0d\x0d\x0a"

_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE = 1
_OLD_PACKET = 2
_SIMPLE_PACKET = 3
_ENHANCED_PACKET = 6
_SECRETS = 10

_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_MAJOR = 1
_TLS_KEY_LOG = 0x544C534B  # "TLSK"

_COMMENT = 1
_TIME_RESOLUTION = 9
_TIME_OFFSET = 14

# Type, length, and the length again: what every block has.
_FRAME = 12

# The most of a block that is held in memory, as in Wireshark: 80,000 lines of a key log. Blocks of which
# nothing is wanted may be longer.
_MAX_BLOCK = 2**24

# As many as the older packet block can name. Each costs memory for as long as its section lasts.
_MAX_INTERFACES = 2**16

# A time is given as 64 bits of a unit that the file chooses, down to 10^-127 s and up to seconds. Beyond the
# years 1677 to 2262 it says nothing, and clocks and calendars would fail on it.
_LAST_TIME = 2**63 - 1


class _Interface(NamedTuple):
    """What packets of an interface mean: a time is ``count * multiplier // divisor + offset_ns``."""

    link_type: int
    snap_length: int
    multiplier: int
    divisor: int
    offset_ns: int

    def time_ns(self, high: int, low: int) -> int:
        time_ns = (high << 32 | low) * self.multiplier // self.divisor + self.offset_ns
        return time_ns if -_LAST_TIME <= time_ns <= _LAST_TIME else 0


class _PacketHead(NamedTuple):
    """What the three kinds of packet blocks say in their own ways, and where their data starts."""

    at: int
    interface: int
    time_ns: int
    captured: int
    original: int


class _Layouts:
    """The fixed parts of blocks, in one byte order."""

    def __init__(self, order: str) -> None:
        self.frame = Struct(order + "II").unpack_from
        self.length = Struct(order + "I").unpack_from
        self.section = Struct(order + "HH").unpack_from
        self.interface = Struct(order + "HHI").unpack_from
        self.enhanced = Struct(order + "IIIII").unpack_from
        self.old = Struct(order + "HHIIII").unpack_from
        self.option = Struct(order + "HH").unpack_from
        self.time_offset = Struct(order + "q").unpack


_LAYOUTS = {order: _Layouts(order) for order in "<>"}


def pcapng_blocks(window: Window) -> Iterator[Packet | Secrets]:
    """Packets and secrets of a file that starts with ``SECTION_HEADER``."""
    sections = _Sections()
    while window.fill(8):
        kind, length = sections.layouts.frame(window.data, window.at)
        if kind == _SECTION_HEADER:
            window.require(_FRAME, "a section header")
            length = sections.begin(window)
        if length < _FRAME or length & 3:
            raise window.error(CaptureFault.DAMAGED, f"a block of {length} bytes")
        read = sections.readers.get(kind)
        if read is None:
            _pass_over(window, length, sections.layouts)
            continue
        if length > _MAX_BLOCK:
            raise window.error(CaptureFault.DAMAGED, f"a block of {length} bytes; {_MAX_BLOCK} is the most")
        data, at = window.data, window.at
        end = at + length
        if end > len(data):
            window.require(length, "a block")
            data, at = window.data, window.at
            end = at + length
        if sections.layouts.length(data, end - 4)[0] != length:
            raise _two_lengths(window)
        found = read(window, data, at + 8, end - 4)
        window.at = end
        if found is not None:
            yield found
    if window.at < len(window.data):
        window.require(8, "the start of a block")


def _pass_over(window: Window, length: int, layouts: _Layouts) -> None:
    """Skips a block of which nothing is wanted, however long it says it is."""
    start = window.offset
    if not window.skip(length - 4) or not window.fill(4):
        detail = f"the file ends inside a block of {length} bytes"
        raise CaptureError(CaptureFault.CUT_SHORT, detail, start)
    if layouts.length(window.data, window.at)[0] != length:
        raise _two_lengths(window)
    window.at += 4


def _two_lengths(window: Window) -> CaptureError:
    return window.error(CaptureFault.DAMAGED, "a block whose two lengths differ")


class _Sections:
    """The section being read: its byte order, its interfaces, and how each kind of block is read."""

    def __init__(self) -> None:
        self.layouts = _LAYOUTS["<"]
        #: Of the kinds that something is wanted of; the bounds given are those of a block's body.
        self.readers = {
            _SECTION_HEADER: self._section_header,
            _INTERFACE: self._interface,
            _OLD_PACKET: self._old_packet,
            _SIMPLE_PACKET: self._simple_packet,
            _ENHANCED_PACKET: self._enhanced_packet,
            _SECRETS: self._secrets,
        }
        self._interfaces: list[_Interface] = []
        self._packets = 0
        self._last_time_ns = 0

    def begin(self, window: Window) -> int:
        """A section header comes next: its length, which cannot be read before its byte order is known."""
        magic = window.data[window.at + 8 : window.at + 12]
        if magic not in _ORDERS:
            raise window.error(CaptureFault.DAMAGED, f"a section header whose byte order is {magic.hex(' ')}")
        self.layouts = _LAYOUTS[_ORDERS[magic]]
        self._interfaces = []
        return int(self.layouts.length(window.data, window.at + 4)[0])

    def _section_header(self, window: Window, data: bytes, at: int, end: int) -> None:
        _need(window, at + 16 <= end, "a section header")
        major, minor = self.layouts.section(data, at + 4)
        if major != _MAJOR:
            raise window.error(
                CaptureFault.UNSUPPORTED,
                f"pcapng of version {major}.{minor}; {_MAJOR}.0 is what is read here",
            )

    def _interface(self, window: Window, data: bytes, at: int, end: int) -> None:
        _need(window, at + 8 <= end, "an interface description")
        if len(self._interfaces) == _MAX_INTERFACES:
            raise window.error(CaptureFault.DAMAGED, f"a section with more than {_MAX_INTERFACES} interfaces")
        link_type, _, snap_length = self.layouts.interface(data, at)
        multiplier, divisor = 1000, 1
        offset_ns = 0
        for code, value in self._options(data, at + 8, end):
            if code == _TIME_RESOLUTION and len(value) == 1:
                multiplier, divisor = _resolution(value[0])
            elif code == _TIME_OFFSET and len(value) == 8:
                offset_ns = self.layouts.time_offset(value)[0] * 1_000_000_000
        self._interfaces.append(_Interface(link_type, snap_length, multiplier, divisor, offset_ns))

    def _enhanced_packet(self, window: Window, data: bytes, at: int, end: int) -> Packet:
        _need(window, at + 20 <= end, "a packet")
        interface, high, low, captured, original = self.layouts.enhanced(data, at)
        time_ns = self._interface_of(window, interface).time_ns(high, low)
        return self._packet(window, end, _PacketHead(at + 20, interface, time_ns, captured, original))

    def _old_packet(self, window: Window, data: bytes, at: int, end: int) -> Packet:
        _need(window, at + 20 <= end, "a packet")
        interface, _, high, low, captured, original = self.layouts.old(data, at)
        time_ns = self._interface_of(window, interface).time_ns(high, low)
        return self._packet(window, end, _PacketHead(at + 20, interface, time_ns, captured, original))

    def _simple_packet(self, window: Window, data: bytes, at: int, end: int) -> Packet:
        """A packet of the first interface, without a time: it has that of the packet before it."""
        _need(window, at + 4 <= end, "a packet")
        interface = self._interface_of(window, 0)
        (original,) = self.layouts.length(data, at)
        # What was captured has no length of its own: the interface's limit and what is there decide.
        captured = min(original, interface.snap_length or original, end - at - 4)
        return self._packet(window, end, _PacketHead(at + 4, 0, self._last_time_ns, captured, original))

    def _packet(self, window: Window, end: int, head: _PacketHead) -> Packet:
        at, interface, time_ns, captured, original = head
        stop = at + captured
        _need(window, captured <= MAX_PACKET and stop <= end, "a packet")
        data = window.data
        options = stop + (-captured & 3)
        comment = self._comment(data, options, end) if options < end else ""
        self._packets += 1
        self._last_time_ns = time_ns
        link_type = self._interfaces[interface].link_type
        return Packet(self._packets, time_ns, link_type, data[at:stop], max(captured, original), comment)

    def _secrets(self, window: Window, data: bytes, at: int, end: int) -> Secrets | None:
        _need(window, at + 8 <= end, "secrets")
        kind, length = self.layouts.frame(data, at)
        _need(window, at + 8 + length <= end, "secrets")
        if kind != _TLS_KEY_LOG:
            return None
        return Secrets(data[at + 8 : at + 8 + length].decode("utf-8", "replace"))

    def _interface_of(self, window: Window, number: int) -> _Interface:
        if number >= len(self._interfaces):
            detail = f"a packet of interface {number}, which has no description"
            raise window.error(CaptureFault.DAMAGED, detail)
        return self._interfaces[number]

    def _comment(self, data: bytes, at: int, end: int) -> str:
        """The comments among a packet's options, one a line."""
        options = self._options(data, at, end)
        return "\n".join(value.decode("utf-8", "replace") for code, value in options if code == _COMMENT)

    def _options(self, data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Codes and values. One that reaches beyond its block ends the list: no packet is lost for it."""
        while at + 4 <= end:
            code, length = self.layouts.option(data, at)
            at += 4
            if code == 0 or at + length > end:
                return
            yield code, data[at : at + length]
            at += length + (-length & 3)


def _resolution(value: int) -> tuple[int, int]:
    """Multiplier and divisor that make nanoseconds of a count, from if_tsresol: a negative power of ten, or
    with the first bit set, of two."""
    exponent = value & 0x7F
    if value & 0x80:
        return 1_000_000_000, 1 << exponent
    return (10 ** (9 - exponent), 1) if exponent <= 9 else (1, 10 ** (exponent - 9))


def _need(window: Window, whole: bool, what: str) -> None:
    if not whole:
        raise window.error(CaptureFault.DAMAGED, f"{what} with lengths that do not fit its block")
