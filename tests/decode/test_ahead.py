"""Secrets in the capture itself, wherever in the file they stand."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import BinaryIO

import pytest
from captures import enhanced, interface, secrets, section
from conversations import Conversation, converse
from watched import Wire, turns_of

from pellucid.capture import CaptureError
from pellucid.decode import Decoded, Decoder
from pellucid.decode.ahead import secrets_ahead


@cache
def talk() -> Conversation:
    return converse("full")


def key_log() -> bytes:
    return "\n".join([*talk().key_log, ""]).encode()


def packets(order: str) -> list[bytes]:
    wire = Wire().say(*turns_of(talk())).close()
    return [enhanced(data, number, order) for number, (_, data) in enumerate(wire.packets)]


class Pipe(BytesIO):
    """Bytes that can be read once."""

    def seekable(self) -> bool:
        return False


def decoded(source: BinaryIO) -> Decoded:
    (found,) = Decoder(source).connections()
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_files_order_makes_no_difference(order: str, place: int) -> None:
    blocks = packets(order)
    blocks.insert(place % (len(blocks) + 1), secrets(key_log(), order))
    found = decoded(BytesIO(b"".join([section(order), interface(101, order), *blocks])))
    assert found.sealed == ()


def test_from_a_pipe_secrets_count_from_where_they_stand() -> None:
    start, said = section() + interface(), b"".join(packets("<"))
    assert decoded(Pipe(start + secrets(key_log()) + said)).sealed == ()
    assert [s.reason for s in decoded(Pipe(start + said + secrets(key_log()))).sealed] == ["no_secrets"] * 2


def test_the_file_is_read_from_where_it_is_and_left_there() -> None:
    data = section() + interface() + secrets(key_log())
    file = BytesIO(b"before" + data)
    file.seek(6)
    assert list(secrets_ahead(file)) == [key_log()]
    assert file.tell() == 6


def test_sections_may_differ_in_byte_order() -> None:
    data = b"".join([section("<"), secrets(b"one\n"), section(">"), secrets(b"two\n", ">")])
    assert list(secrets_ahead(BytesIO(data))) == [b"one\n", b"two\n"]


def test_secrets_of_other_kinds_are_passed_over() -> None:
    data = section() + secrets(b"ssh\n", kind=0x5353484B) + secrets(b"tls\n")
    assert list(secrets_ahead(BytesIO(data))) == [b"tls\n"]


@pytest.mark.parametrize("cut", [0, 3, 11, 12, 27, 28, 40, 60])
def test_a_file_that_is_cut_short_gives_what_is_there(cut: int) -> None:
    data = section() + secrets(b"one\n") + secrets(b"two\n")
    found = b"".join(secrets_ahead(BytesIO(data[:cut])))
    assert b"one\ntwo\n".startswith(found)


@pytest.mark.parametrize("length", [0, 4, 11, 13, 0xFFFFFFFC])
def test_a_block_with_an_impossible_length_ends_it(length: int) -> None:
    data = section() + b"\x0a\0\0\0" + length.to_bytes(4, "little") + bytes(40) + secrets(b"two\n")
    assert list(secrets_ahead(BytesIO(data))) == []


@pytest.mark.parametrize("data", [b"", b"\x0a\x0d\x0d\x0a", b"GET / HTTP/1.1\r\n\r\n", bytes(100)])
def test_what_is_no_pcapng_has_none_and_is_told_by_the_reading(data: bytes) -> None:
    assert list(secrets_ahead(BytesIO(data))) == []
    with pytest.raises(CaptureError):
        list(Decoder(BytesIO(data)).connections())


def test_a_damaged_file_tells_what_came_before() -> None:
    blocks = [section(), interface(), secrets(key_log()), *packets("<")]
    file = BytesIO(b"".join(blocks)[:-10])
    connections = Decoder(file).connections()
    found = next(connections)
    assert (found.sealed, found.tls) == ((), True)
    with pytest.raises(CaptureError):
        next(connections)


def test_a_block_that_the_reading_refuses_is_not_read_ahead() -> None:
    class Counting(BytesIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.most = max(self.most, size or 0)
            return super().read(size)

    start = section() + interface()
    for size, is_read in ((2**24 - 64, True), (2**24 + 64, False)):
        file = Counting(start + secrets(b"\n" * size))
        assert bool(list(secrets_ahead(file))) is is_read
        assert (file.most > 2**20) is is_read
    with pytest.raises(CaptureError):
        list(Decoder(file).connections())
