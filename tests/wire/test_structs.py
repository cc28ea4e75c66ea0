"""``@struct``: one declaration, and what comes of it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Annotated, Any, ClassVar

import pytest
from fieldtrees import assert_exact
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import values_of

from pellucid.codes import NamedGroup
from pellucid.errors import BadMessage
from pellucid.wire import Field, Wire, fixed, opaque, rest, rfc_text, shown, struct, uint, vector


@struct
class Empty(Wire):
    pass


@struct
class One(Wire):
    number: Annotated[int, uint(3)]


@struct
class Two(Wire):
    group: Annotated[NamedGroup | int, uint(2, NamedGroup)]
    key: Annotated[bytes, opaque(2, low=1)]


@struct
class Many(Wire):
    random: Annotated[bytes, fixed(4, "Random")]
    one: One
    pairs: Annotated[list[Two], vector(Two, 2)]
    # Named as the factory: a slot of this name must not take its place in the annotations behind it.
    opaque: Annotated[bytes, opaque(1)]
    end: Annotated[bytes, rest("length - 9")]


STRUCTS = [Empty, One, Two, Many]


@pytest.mark.parametrize("cls", STRUCTS)
@settings(max_examples=15)
@given(data=st.data())
def test_round_trip(cls: type[Wire], data: st.DataObject) -> None:
    value = data.draw(values_of(cls.codec))
    encoded = cls.codec.encode(value)
    assert cls.codec.read(encoded) == value
    assert cls.codec.encode(cls.codec.read(encoded)) == encoded


@pytest.mark.parametrize("cls", STRUCTS)
@settings(max_examples=15)
@given(data=st.data())
def test_every_byte_stands_in_the_description_once(cls: type[Wire], data: st.DataObject) -> None:
    encoded = cls.codec.encode(data.draw(values_of(cls.codec)))
    field, stop = cls.codec.describe(b"??" + encoded, 2, 2 + len(encoded), "it")
    assert (field.offset, field.length, stop) == (2, len(encoded), 2 + len(encoded))
    assert_exact(field, cls.codec)


def test_the_parts_of_a_struct_may_not_be_longer_than_their_vector() -> None:
    # One pair in a vector of three bytes, whose key would be the byte behind it.
    encoded = bytes(4) + bytes(3) + b"\x00\x03" + b"\x00\x1d\x00" + b"\x01\xaa"
    with pytest.raises(BadMessage):
        Many.codec.read(encoded)


def test_the_fewest_bytes_of_a_struct_are_the_sum_of_its_parts() -> None:
    assert [cls.codec.minimum for cls in STRUCTS] == [0, 3, 5, 4 + 3 + 2 + 1]


def test_text() -> None:
    assert rfc_text(Empty) == "struct {} Empty;"
    assert rfc_text(Two, "KeyShareEntry") == (
        "struct {\n    NamedGroup group;\n    opaque key<1..2^16-1>;\n} KeyShareEntry;"
    )
    assert rfc_text(Many) == (
        "struct {\n"
        "    Random random;\n"
        "    One one;\n"
        "    Two pairs<0..2^16-1>;\n"
        "    opaque opaque<0..2^8-1>;\n"
        "    opaque end[length - 9];\n"
        "} Many;"
    )


def test_a_struct_takes_its_fields_in_order_or_by_name() -> None:
    assert Two(29, b"k") == Two(key=b"k", group=NamedGroup.x25519)
    assert (Two(29, b"k").group, Two(29, b"k").key) == (29, b"k")


def test_a_field_may_have_a_default() -> None:
    @struct
    class WithDefault(Wire):
        number: Annotated[int, uint(1)]
        version: Annotated[int, uint(2)] = 0x0303

    assert WithDefault(1) == WithDefault(1, 0x0303) != WithDefault(1, version=0x0304)
    assert WithDefault.codec.read(b"\x01\x03\x03") == WithDefault(1)
    with pytest.raises(TypeError):
        WithDefault()


@pytest.mark.parametrize("values", [(), (29,), (29, b"k", b"more")])
def test_a_struct_takes_no_fewer_and_no_more(values: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Two(*values)


def test_a_struct_has_slots() -> None:
    assert not hasattr(Two(29, b"k"), "__dict__")


def test_a_struct_keeps_what_else_its_class_says() -> None:
    class Outer:
        @struct
        class Inner(Wire):
            """Documented."""

            kind: ClassVar[int] = 7
            number: Annotated[int, uint(1)]

            def doubled(self) -> int:
                return 2 * self.number

    inner = Outer.Inner(4)
    assert (inner.kind, inner.doubled(), inner.__doc__) == (7, 8, "Documented.")
    assert type(inner).__qualname__.endswith("Outer.Inner")
    assert repr(inner) == "Inner(number=4)"


def test_a_field_that_does_not_say_how_it_stands_on_the_wire_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Careless\.number does not say how it stands on the wire"):

        @struct
        class Careless(Wire):
            number: int


def test_a_description_says_what_stands_where_and_what_it_means() -> None:
    raw = Many.codec.encode(Many(b"rand", One(7), [Two(29, b"k"), Two(0x1A1A, b"kk")], b"", b"rest"))
    field, _ = Many.codec.describe(raw, 0, len(raw), "many")
    random, one, pairs, empty, end = field.fields
    assert random == Field("random", 0, 4, "72616e64")
    assert one == Field("one", 4, 3, "One", "", (Field("number", 4, 3, "7"),))
    assert (pairs.offset, pairs.length, pairs.value) == (7, 2 + 5 + 6, "2 items")
    assert pairs.fields[0] == Field(
        "pairs[0]", 9, 5, "Two", "x25519",
        (Field("group", 9, 2, "0x001d", "x25519"), Field("key", 11, 3, "6b", "1 byte")),
    )  # fmt: skip
    assert pairs.fields[1].fields[0] == Field("group", 14, 2, "0x1a1a", "GREASE (0x1a1a)")
    assert empty == Field("opaque", 20, 1, "", "0 bytes")
    assert end == Field("end", 21, 4, "72657374")


def test_a_struct_means_what_its_most_telling_part_means() -> None:
    @struct
    class Told(Wire):
        constant: Annotated[NamedGroup | int, uint(2, NamedGroup, only=NamedGroup.x25519)]
        group: Annotated[NamedGroup | int, uint(2, NamedGroup)]

    @struct
    class Named(Wire):
        group: Annotated[NamedGroup | int, uint(2, NamedGroup)]
        name: Annotated[bytes, opaque(1, text=True)]

    assert Told.codec.describe(b"\x00\x1d\x00\x1e", 0, 4, "it")[0].meaning == "x448"
    assert Named.codec.describe(b"\x00\x1d\x02me", 0, 5, "it")[0].meaning == "me"


def test_a_vector_of_names_is_summed_up_by_them() -> None:
    codec = vector(uint(2, NamedGroup), 1)
    field, _ = codec.describe(b"\x04\x00\x1d\x00\x17", 0, 5, "groups")
    assert (field.value, field.meaning) == ("2 items", "x25519, secp256r1")
    assert codec.describe(b"\x02\x00\x1d", 0, 3, "groups")[0].value == "1 item"


def test_long_bytes_are_shown_by_their_start() -> None:
    assert shown(b"\xab" * 48) == "ab" * 48
    assert shown(b"\xab" * 49) == "ab" * 48 + "… (49 bytes)"


def test_a_field_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Field("name", 0, 1, "value").offset = 2  # type: ignore[misc]
