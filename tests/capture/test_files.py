"""What a file is, and how it is read: in pieces, from a pipe, up to its end."""

from __future__ import annotations

import gzip
from io import BytesIO
from typing import Any

import pytest
from captures import enhanced, interface, pcap, secrets, section, until_error

from pellucid.capture import CaptureError, CaptureFault, read_packets

PCAP = pcap([(0, b"a" * 100), (1000, b"b" * 1000)])
PCAPNG = section() + interface() + secrets(b"line\n") + enhanced(b"a" * 100) + enhanced(b"b" * 70_000)


@pytest.mark.parametrize(
    "file, said",
    [
        (b"", "the file is empty"),
        (b"\xd4\xc3", "the file starts with d4 c3"),
        (b"GET / HTTP/1.1\r\n", "the file starts with 47 45 54 20 2f 20 48 54"),
        (gzip.compress(PCAP), "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd....", "compressed with zstd"),
        (b"snoop\0\0\0\0\0\0\2", "a capture of snoop"),
        (b"CLIENT_RANDOM 00 11\n", "a key log"),
    ],
    ids=["empty", "two bytes", "text", "gzip", "zstd", "snoop", "key log"],
)
def test_what_is_no_capture_is_told_for_what_it_is(file: bytes, said: str) -> None:
    found, error = until_error(file)
    assert found == []
    assert error.fault is CaptureFault.NOT_A_CAPTURE
    assert said in str(error)


class Dripping:
    """A source that gives little at a time, as a pipe may, whatever is asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self.file = BytesIO(data)
        self.size = size

    def read(self, size: int) -> bytes:
        return self.file.read(min(size, self.size))


@pytest.mark.parametrize("file", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_file_that_comes_in_pieces_is_the_same(file: bytes, size: int) -> None:
    dripping: Any = Dripping(file, size)
    assert list(read_packets(dripping)) == list(read_packets(BytesIO(file)))


class Pipe(BytesIO):
    """Has 1,000 bytes; who wants more than is there waits for ever."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise AssertionError(f"waits until {size} bytes are there")

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 1000))


def test_a_packet_is_given_as_soon_as_it_is_here() -> None:
    first = next(iter(read_packets(Pipe(PCAP))))
    assert first[0] == 1


def test_reading_starts_where_the_file_stands() -> None:
    source = BytesIO(b"before" + PCAP)
    source.seek(6)
    assert len(list(read_packets(source))) == 2


def test_an_error_says_what_and_where() -> None:
    error = CaptureError(CaptureFault.DAMAGED, "a block", 28)
    assert str(error) == "a block at byte 28 [damaged]"
    assert str(CaptureError(CaptureFault.NOT_A_CAPTURE, "text")) == "text [not_a_capture]"
    assert [fault.value for fault in CaptureFault] == [fault.name.lower() for fault in CaptureFault]
