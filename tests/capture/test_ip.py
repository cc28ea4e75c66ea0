"""IP down to TCP: options, extension headers, what was cut short, and fragments."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from captures import CLIENT6, SERVER6, ethernet, ipv4, ipv6, packet, tcp
from hypothesis import given
from hypothesis import strategies as st

from pellucid.capture import Packet, Segment, SegmentReader
from pellucid.capture.fragments import _MOST_DATAGRAMS, _MOST_FRAGMENTS

SEGMENT = tcp(b"hello")
SEGMENT6 = tcp(b"hello", addresses=(CLIENT6, SERVER6))


def read(*packets: Packet) -> list[Segment]:
    reader = SegmentReader()
    return [found for one in packets if (found := reader.read(one)) is not None]


def skipped(*packets: Packet) -> dict[str, int]:
    reader = SegmentReader()
    for one in packets:
        assert reader.read(one) is None
    reader.finish()
    return dict(reader.skipped)


def payloads(*packets: Packet) -> list[bytes]:
    return [found.payload for found in read(*packets)]


# -- headers


@pytest.mark.parametrize("size", [4, 40])
def test_options_of_ipv4_are_passed_over(size: int) -> None:
    assert payloads(packet(ipv4(SEGMENT, options=b"\x01" * size))) == [b"hello"]


@pytest.mark.parametrize("size", [12, 40])
def test_options_of_tcp_are_passed_over(size: int) -> None:
    assert payloads(packet(ipv4(tcp(b"hello", options=b"\x01" * size)))) == [b"hello"]


def extension(following: int, size: int = 8) -> bytes:
    return bytes([following, size // 8 - 1]) + bytes(size - 2)


AUTHENTICATION = bytes([6, 4]) + bytes(22)

EXTENSIONS = {
    "hop-by-hop": (0, extension(6)),
    "routing, of 24 bytes": (43, extension(6, 24)),
    "destination options": (60, extension(6, 16)),
    "several": (0, extension(43) + extension(60, 24) + extension(6)),
    "authentication": (51, AUTHENTICATION),
    "atomic fragment": (44, bytes([6, 0, 0, 0]) + bytes(4)),
    "atomic fragment, reserved bits set": (44, bytes([6, 0, 0, 6]) + bytes(4)),
    "atomic fragment, then options": (44, bytes([60, 0, 0, 0]) + bytes(4) + extension(6)),
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extension_headers_are_passed_over(name: str) -> None:
    first, headers = EXTENSIONS[name]
    assert payloads(packet(ipv6(headers + SEGMENT6, protocol=first))) == [b"hello"]


@pytest.mark.parametrize(
    "data, reason",
    [
        (ipv4(SEGMENT, protocol=17), "not TCP"),
        (ipv6(SEGMENT6, protocol=17), "not TCP"),
        (ipv6(extension(59) + SEGMENT6, protocol=0), "not TCP"),
        (b"\x44" + ipv4(SEGMENT)[1:], "malformed IP header"),
        (ipv4(SEGMENT, length=10), "malformed IP header"),
        (ipv4(SEGMENT, length=500), "malformed IP header"),
        (ipv6(SEGMENT6, length=500), "malformed IP header"),
        (ipv6(b"\x06\x00", protocol=0), "malformed IP header"),
        (ipv6(extension(0) * 17 + SEGMENT6, protocol=0), "malformed IP header"),
        (ipv4(SEGMENT[:19]), "malformed TCP header"),
        (ipv4(SEGMENT[:12] + b"\x40" + SEGMENT[13:]), "malformed TCP header"),
        (ipv4(SEGMENT[:12] + b"\xf0" + SEGMENT[13:]), "malformed TCP header"),
        (ipv6(bytes([6, 255]) + bytes(6) + SEGMENT6, protocol=0), "malformed TCP header"),
    ],
)
def test_a_packet_without_a_segment_is_counted_by_its_reason(data: bytes, reason: str) -> None:
    assert skipped(packet(data)) == {reason: 1}


@pytest.mark.parametrize(
    "data", [ipv4(SEGMENT), ipv6(extension(6) + SEGMENT6, protocol=0)], ids=["IPv4", "IPv6"]
)
def test_a_packet_of_which_the_start_was_kept_is_a_segment_or_says_why_not(data: bytes) -> None:
    header_end = len(data) - len(b"hello")
    for end in range(len(data)):
        cut = packet(data[:end], original_length=len(data))
        if end < 1:
            assert skipped(cut) == {"not IP": 1}
        elif end < header_end:
            assert next(iter(skipped(cut))).startswith("cut short in the ")
        else:
            (found,) = read(cut)
            assert (found.payload, found.length) == (b"hello"[: end - header_end], 5)


def test_padding_behind_the_packet_is_no_payload() -> None:
    assert payloads(packet(ethernet(ipv4(tcp(b""))) + bytes(6), 1)) == [b""]


@pytest.mark.parametrize("data", [ipv4(SEGMENT, length=0), ipv6(SEGMENT6, length=0)], ids=["IPv4", "IPv6"])
def test_a_large_send_that_the_network_card_cuts_has_no_length_yet(data: bytes) -> None:
    assert payloads(packet(ethernet(data), 1)) == [b"hello"]


# -- fragments

LONG = tcp(bytes(range(256)) * 12)


def fragments4(data: bytes, size: int = 1480, identification: int = 9) -> list[bytes]:
    return [
        ipv4(
            data[start : start + size],
            identification=identification,
            fragment=start // 8 | (0x2000 if start + size < len(data) else 0),
        )
        for start in range(0, len(data), size)
    ]


def fragments6(data: bytes, size: int = 1232, identification: int = 9, following: int = 6) -> list[bytes]:
    return [
        ipv6(
            struct.pack("!BBHI", following, 0, start | (start + size < len(data)), identification)
            + data[start : start + size],
            protocol=44,
        )
        for start in range(0, len(data), size)
    ]


def numbered(parts: list[bytes], time_ns: int = 0) -> list[Packet]:
    return [packet(part, 101, number, time_ns=time_ns) for number, part in enumerate(parts, 1)]


@pytest.mark.parametrize("cut", [fragments4, fragments6], ids=["IPv4", "IPv6"])
@given(order=st.permutations(range(3)), twice=st.integers(0, 2))
def test_fragments_make_a_segment_in_any_order(cut: Any, order: list[int], twice: int) -> None:
    parts = cut(LONG)
    assert len(parts) == 3
    chosen = [parts[index] for index in order]
    (found,) = read(*numbered([chosen[0], *([chosen[0]] if twice else []), *chosen[1:]]))
    assert found.payload == LONG[20:]
    assert found.packet_number == 3 + bool(twice)


def test_extension_headers_may_be_cut_up_as_well() -> None:
    (found,) = read(*numbered(fragments6(extension(6, 16) + SEGMENT6, 8, following=60)))
    assert found.payload == b"hello"


def test_datagrams_with_one_identification_are_told_apart_by_protocol_and_addresses() -> None:
    parts = fragments4(LONG)
    other = [part[:9] + b"\x11" + part[10:] for part in parts]
    foreign = [part[:12] + bytes(4) + part[16:] for part in parts]
    mixed = [each for trio in zip(other, foreign, parts, strict=True) for each in trio]
    assert payloads(*numbered(mixed)) == [LONG[20:], LONG[20:]]


def test_a_fragment_without_the_rest_is_counted_at_the_end() -> None:
    assert skipped(*numbered(fragments4(LONG)[:2])) == {"IP fragment without the rest of its datagram": 2}


def test_after_a_while_an_identification_belongs_to_another_datagram() -> None:
    parts = fragments4(LONG)
    late = numbered(parts, time_ns=31_000_000_000)
    assert payloads(numbered(parts)[0], *late) == [LONG[20:]]
    assert payloads(numbered(parts)[0], *late[1:]) == []
    assert payloads(late[0], *numbered(parts)[1:]) == []


def test_fragments_of_a_capture_whose_clock_was_set_back_are_joined() -> None:
    parts = fragments4(LONG)
    assert payloads(*numbered(parts[:2], 5_000_000_000), *numbered(parts[2:])) == [LONG[20:]]


def test_of_fragments_that_differ_in_it_the_first_says_what_the_datagram_is() -> None:
    first, *others = fragments6(LONG)
    wrong = [part[:40] + b"\x11" + part[41:] for part in others]
    assert payloads(*numbered([wrong[0], first, wrong[1]])) == [LONG[20:]]


def test_a_fragment_of_nothing_is_none() -> None:
    assert skipped(packet(ipv4(b"", identification=9, fragment=0x2000))) == {"malformed IP fragment": 1}


def overlapping() -> list[list[bytes]]:
    first, second, last = fragments4(LONG)
    changed = ipv4(b"\xff" * 1480, identification=9, fragment=185 | 0x2000)
    shifted = ipv4(LONG[1472:2952], identification=9, fragment=184 | 0x2000)
    return [[first, second, changed], [first, shifted, last]]


@pytest.mark.parametrize("parts", overlapping(), ids=["other bytes", "another place"])
def test_a_datagram_whose_fragments_overlap_is_given_up(parts: list[bytes]) -> None:
    assert sum(skipped(*numbered(parts)).values()) == 3
    assert "IP fragments that overlap" in skipped(*numbered(parts))


def test_a_fragment_beyond_the_longest_datagram_is_none() -> None:
    beyond = ipv4(bytes(1000), identification=9, fragment=0x1FFF)
    assert skipped(packet(beyond)) == {"malformed IP fragment": 1}


def test_fragments_are_not_fragmented_again() -> None:
    inner = struct.pack("!BBHI", 6, 0, 1, 5) + SEGMENT6[:16]
    assert skipped(*numbered(fragments6(inner, 8, following=44))) == {"malformed IP header": 1}


def test_a_fragment_of_which_the_start_was_kept_is_none() -> None:
    part = fragments4(LONG)[0]
    assert skipped(packet(part[:100], original_length=len(part))) == {"cut short in an IP fragment": 1}


def test_datagrams_that_wait_are_bounded() -> None:
    first = fragments4(LONG)[0]
    waiting = [
        ipv4(first[20:], identification=number, fragment=0x2000) for number in range(_MOST_DATAGRAMS + 5)
    ]
    reader = SegmentReader()
    for one in numbered(waiting):
        reader.read(one)
    assert reader.skipped == {"IP fragment without the rest of its datagram": 5}


def test_fragments_of_a_datagram_are_bounded() -> None:
    parts = fragments4(bytes(8 * (_MOST_FRAGMENTS + 1)), 8)
    counts = skipped(*numbered(parts))
    assert counts == {
        "IP fragment without the rest of its datagram": _MOST_FRAGMENTS,
        "malformed IP fragment": 1,
    }
