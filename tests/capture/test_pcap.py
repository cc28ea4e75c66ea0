"""The pcap format: both byte orders, both units of time, and where such a file ends."""

from __future__ import annotations

import struct

import pytest
from captures import packets, pcap, until_error

from pellucid.capture import CaptureFault

TIME = 1_700_000_000_123_456_789


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("unit_ns, time_ns", [(1000, TIME // 1000 * 1000), (1, TIME)], ids=["us", "ns"])
def test_a_packet_is_read_in_either_byte_order_and_unit_of_time(
    order: str, unit_ns: int, time_ns: int
) -> None:
    (packet,) = packets(pcap([(TIME, b"some bytes")], order=order, unit_ns=unit_ns, link_type=1))
    assert packet == (1, time_ns, 1, b"some bytes", 10, "")


def test_packets_are_counted_from_one() -> None:
    assert [each.number for each in packets(pcap([(0, b"a"), (0, b""), (0, b"c")]))] == [1, 2, 3]


def test_a_packet_of_which_the_start_was_kept_says_how_long_it_was() -> None:
    file = pcap([]) + struct.pack("<IIII", 0, 0, 3, 1500) + b"abc"
    (packet,) = packets(file)
    assert (packet.data, packet.original_length) == (b"abc", 1500)


def test_no_packet_is_longer_than_it_was() -> None:
    (packet,) = packets(pcap([]) + struct.pack("<IIII", 0, 0, 3, 1) + b"abc")
    assert packet.original_length == 3


def test_what_stands_above_the_link_type_is_no_part_of_it() -> None:
    """Whether frames have their check sequence, and its length."""
    file = bytearray(pcap([(0, b"x")], link_type=1))
    file[23] = 0x24
    assert packets(bytes(file))[0].link_type == 1


def test_a_file_without_packets_is_a_capture() -> None:
    assert packets(pcap([])) == []


def test_a_file_that_ends_inside_a_packet_gives_those_before() -> None:
    file = pcap([(0, b"first"), (0, b"second")])
    for end in range(len(file) - len(b"second") - 16 + 1, len(file)):
        found, error = until_error(file[:end])
        assert [item[3] for item in found] == [b"first"]
        assert error.fault is CaptureFault.CUT_SHORT
        assert error.offset == len(file) - 6 - 16


def test_a_file_that_ends_inside_its_header_says_so() -> None:
    for end in range(4, 24):
        assert until_error(pcap([])[:end])[1].fault is CaptureFault.CUT_SHORT


def test_a_length_that_no_packet_has_is_damage() -> None:
    file = pcap([(0, b"first")]) + struct.pack("<IIII", 0, 0, 262_145, 262_145) + bytes(262_145)
    found, error = until_error(file)
    assert len(found) == 1
    assert error.fault is CaptureFault.DAMAGED
    assert str(error) == "a packet of 262145 bytes at byte 45 [damaged]"


def test_the_longest_packet_is_read() -> None:
    assert len(packets(pcap([(0, bytes(262_144))]))[0].data) == 262_144


def test_another_version_of_the_format_is_refused() -> None:
    file = bytearray(pcap([]))
    file[4] = 3
    error = until_error(bytes(file))[1]
    assert error.fault is CaptureFault.UNSUPPORTED
    assert "3.4" in error.detail
