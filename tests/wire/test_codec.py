"""Every codec of the presentation language: what it reads, what it refuses, where it says the fault is.

What messages are made of; the messages themselves are tested in tests/messages.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import values_of

from pellucid.codes import NamedGroup
from pellucid.errors import BadMessage, Misuse, PeerMisbehaved, Reason
from pellucid.wire import Codec, Fixed, Opaque, Rest, Uint, Vector

BYTES = bytes(range(256)) * 300

CODECS: dict[str, Codec] = {
    "uint8": Uint(1),
    "uint16": Uint(2),
    "uint24": Uint(3),
    "uint32": Uint(4),
    "NamedGroup": Uint(2, NamedGroup),
    "opaque<0..2^8-1>": Opaque(1),
    "opaque<1..32>": Opaque(1, 1, 32),
    "opaque<0..2^16-1>": Opaque(2),
    "opaque<0..2^24-1>": Opaque(3),
    "opaque[5]": Fixed(5),
    "opaque[rest]": Rest("the rest"),
    "uint8<1..3>": Vector(Uint(1), 1, 1, 3),
    "uint16<2..6>": Vector(Uint(2), 1, 2, 6),
    "uint24<0..2^8-1>": Vector(Uint(3), 1),
    "opaque<1..2^8-1><0..2^16-1>": Vector(Opaque(1, 1), 2),
    "uint16<0..2^8-1><0..2^16-1>": Vector(Vector(Uint(2), 1), 2),
}


def every(codecs: dict[str, Codec] = CODECS) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("codec", codecs.values(), ids=codecs)


@every()
@settings(max_examples=20)
@given(data=st.data())
def test_what_is_written_is_read_back(codec: Codec, data: st.DataObject) -> None:
    value = data.draw(values_of(codec))
    encoded = codec.encode(value)
    assert codec.read(encoded) == value
    assert len(encoded) >= codec.minimum


@every()
@settings(max_examples=10)
@given(data=st.data())
def test_a_value_is_read_amid_others_and_nothing_beyond_it(codec: Codec, data: st.DataObject) -> None:
    value = data.draw(values_of(codec))
    encoded = codec.encode(value)
    end = 3 + len(encoded)
    around = b"\xff\xff\xff" + encoded + b"\xff\xff"
    assert codec.decode(around, 3, end) == (value, end)


@every({name: codec for name, codec in CODECS.items() if not isinstance(codec, Rest)})
@settings(max_examples=10)
@given(data=st.data())
def test_every_truncation_is_refused_at_a_byte_that_there_is(codec: Codec, data: st.DataObject) -> None:
    encoded = codec.encode(data.draw(values_of(codec)))
    for stop in range(len(encoded)):
        with pytest.raises(BadMessage) as caught:
            codec.read(encoded[:stop])
        assert caught.value.reason is Reason.MALFORMED
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= stop


@every({name: codec for name, codec in CODECS.items() if not isinstance(codec, Rest)})
@settings(max_examples=10)
@given(data=st.data())
def test_trailing_bytes_are_refused(codec: Codec, data: st.DataObject) -> None:
    encoded = codec.encode(data.draw(values_of(codec)))
    with pytest.raises(BadMessage, match="1 bytes are left over") as caught:
        codec.read(encoded + b"\x00")
    assert caught.value.offset == len(encoded)


@every()
@settings(max_examples=30)
@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_bad_message(codec: Codec, data: bytes) -> None:
    try:
        value = codec.read(data)
    except BadMessage:
        return
    assert codec.encode(value) == data


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_numbers_are_big_endian(size: int) -> None:
    assert Uint(size).read(BYTES[1 : 1 + size]) == int.from_bytes(BYTES[1 : 1 + size], "big")
    assert Uint(size).encode(1) == bytes(size - 1) + b"\x01"


def test_a_code_point_is_read_as_its_member_and_an_unknown_one_as_a_number() -> None:
    codec = Uint(2, NamedGroup)
    assert codec.read(b"\x00\x1d") is NamedGroup.x25519
    assert type(codec.read(b"\x1a\x1a")) is int
    assert Vector(codec, 2).read(b"\x00\x04\x00\x1d\x1a\x1a") == [NamedGroup.x25519, 0x1A1A]


def test_a_number_of_which_one_value_is_left_has_that_value_or_is_refused() -> None:
    codec = Uint(2, NamedGroup, only=NamedGroup.x25519)
    assert codec.read(b"\x00\x1d") is NamedGroup.x25519
    with pytest.raises(PeerMisbehaved, match="NamedGroup is x448, only x25519 may stand here") as caught:
        codec.read(b"\x00\x1e")
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER
    with pytest.raises(PeerMisbehaved, match="uint8 is 2, only 1 may stand here"):
        Uint(1, only=1).read(b"\x02")
    with pytest.raises(BadMessage, match="ends inside uint8"):
        Uint(1, only=1).read(b"")


@pytest.mark.parametrize("prefix", [1, 2, 3])
def test_a_length_stands_in_as_many_bytes_as_were_declared(prefix: int) -> None:
    content = BYTES[:200]
    encoded = Opaque(prefix).encode(content)
    assert encoded == (200).to_bytes(prefix, "big") + content
    assert Vector(Uint(1), prefix).encode(list(content)) == encoded


@pytest.mark.parametrize(
    "codec, low, high",
    [
        (Opaque(1, 3, 5), 3, 5),
        (Opaque(1), 0, 255),
        (Opaque(2, 1), 1, 65_535),
        (Vector(Uint(1), 1, 3, 5), 3, 5),
        (Vector(Uint(2), 1, 2, 254), 2, 254),
        (Vector(Uint(2), 2, 2, 2**16 - 2), 2, 2**16 - 2),
    ],
)
def test_lengths_at_the_bounds_pass_and_others_do_not(codec: Opaque | Vector, low: int, high: int) -> None:
    step = codec.item.minimum if isinstance(codec, Vector) else 1
    for length in (low, high):
        encoded = length.to_bytes(codec.prefix, "big") + BYTES[:length]
        assert codec.encode(codec.read(encoded)) == encoded
    for length in (low - step, high + step):
        if 0 <= length < 256**codec.prefix:
            with pytest.raises(BadMessage, match="outside"):
                codec.read(length.to_bytes(codec.prefix, "big") + BYTES[:length])
        if length >= 0:
            with pytest.raises(Misuse) as caught:
                codec.encode(_of_length(codec, length))
            assert caught.value.reason is Reason.INTERNAL_ERROR


def _of_length(codec: Opaque | Vector, length: int) -> Any:
    if isinstance(codec, Opaque):
        return BYTES[:length]
    return [0] * (length // codec.item.minimum)


def test_bytes_of_the_wrong_length_are_not_written_where_the_length_is_fixed() -> None:
    with pytest.raises(Misuse, match=r"cannot write 4 bytes where 5\.\.5 may stand"):
        Fixed(5).encode(b"four")


def test_a_vector_of_numbers_holds_whole_ones() -> None:
    with pytest.raises(BadMessage, match="3 bytes cannot hold 2-byte values"):
        Vector(Uint(2), 1).read(b"\x03\x00\x1d\x00")


def test_an_item_ends_where_its_vector_ends_although_there_are_bytes_behind_it() -> None:
    # The inner length of 4 reaches beyond the outer one of 3, into the byte that follows.
    with pytest.raises(BadMessage, match="goes beyond the 2 bytes left"):
        Vector(Opaque(1), 1).decode(b"\x03\x04\x01\x02\x03\x04", 0, 6)


def test_a_length_behind_the_end_is_told_from_one_out_of_bounds() -> None:
    with pytest.raises(BadMessage, match="a length of 9 goes beyond the 1 bytes left at byte 0"):
        Opaque(1).read(b"\x09\x00")
    with pytest.raises(BadMessage, match=r"a length of 9 is outside 1\.\.8 at byte 0"):
        Opaque(1, 1, 8).read(b"\x09" + bytes(9))


@pytest.mark.parametrize(
    "codec, text",
    [
        (Uint(1), "uint8 x;"),
        (Uint(3), "uint24 x;"),
        (Uint(2, NamedGroup), "NamedGroup x;"),
        (Opaque(1, 0, 32), "opaque x<0..32>;"),
        (Opaque(2, 1), "opaque x<1..2^16-1>;"),
        (Opaque(3), "opaque x<0..2^24-1>;"),
        (Fixed(32), "opaque x[32];"),
        (Fixed(32, "Random"), "Random x;"),
        (Rest("Hash.length"), "opaque x[Hash.length];"),
        (Vector(Uint(2, NamedGroup), 2, 2, 2**16 - 2), "NamedGroup x<2..2^16-2>;"),
        (Vector(Opaque(1, 32), 2, 33, name="PskBinderEntry"), "PskBinderEntry x<33..2^16-1>;"),
    ],
)
def test_a_type_is_declared_as_the_rfc_would(codec: Codec, text: str) -> None:
    assert codec.declare("x") == text
