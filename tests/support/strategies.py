"""Hypothesis strategies made from the codecs themselves: what can be declared can be generated.

    @given(values_of(ClientHello.codec))

Who imports this gets the same examples in every run, and no time limit for one of them: a machine may be
busy.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from pellucid.messages.extensions import Context, ExtensionList, Extensions, UnknownExtension
from pellucid.messages.extensions.lists import Table
from pellucid.wire import Codec, Fixed, Opaque, Rest, Struct, Uint, Vector

settings.register_profile("pellucid", derandomize=True, deadline=None, database=None)
settings.load_profile("pellucid")

#: Longer values take time and find nothing: bounds have tests of their own.
SOME_BYTES = 24
SOME_ITEMS = 3

#: Reserved for private use or not assigned, so that no table names them; GREASE among them.
UNKNOWN_TYPES = (0x0A0A, 0x1234, 0xFAFA, 0xFF7C)


def values_of(codec: Codec) -> st.SearchStrategy[Any]:
    """Values that ``codec`` can write."""
    if isinstance(codec, Uint):
        return _numbers(codec)
    if isinstance(codec, Opaque):
        return st.binary(min_size=codec.low, max_size=min(codec.high, codec.low + SOME_BYTES))
    if isinstance(codec, Fixed):
        return st.binary(min_size=codec.length, max_size=codec.length)
    if isinstance(codec, Rest):
        return st.binary(max_size=SOME_BYTES)
    if isinstance(codec, Vector):
        return _vectors(codec)
    if isinstance(codec, ExtensionList):
        return _extension_lists(codec)
    assert isinstance(codec, Struct)
    return st.builds(codec.cls, *(values_of(member) for _, member in codec.members))


def _numbers(codec: Uint) -> st.SearchStrategy[int]:
    if codec.only is not None:
        return st.just(codec.only)
    anything = st.integers(0, 256**codec.size - 1)
    if codec.registry is None:
        return anything
    return st.sampled_from(list(codec.registry)) | anything


def _vectors(codec: Vector) -> st.SearchStrategy[list[Any]]:
    fewest = -(-codec.low // codec.item.minimum)
    most = min(fewest + SOME_ITEMS, codec.high // codec.item.minimum)
    return st.lists(values_of(codec.item), min_size=fewest, max_size=most)


def _extension_lists(codec: ExtensionList) -> st.SearchStrategy[Extensions]:
    lists = _extensions(codec.table, codec.context)
    if codec.unless is None:
        return lists
    # Which of two tables counts depends on whether one type is there.
    decides, otherwise = codec.unless
    body = codec.table[decides][codec.context]
    assert body is not None
    return st.one_of(
        st.builds(lambda first, rest: Extensions({decides: first} | rest), values_of(body.codec), lists),
        _extensions(codec.table, otherwise),
    )


def _extensions(table: Table, context: Context) -> st.SearchStrategy[Extensions]:
    unread = values_of(UnknownExtension.codec)
    known = {
        int(code): unread if row[context] is None else st.deferred(_later(row[context]))
        for code, row in table.items()
        if context in row
    }
    choices = known | dict.fromkeys(UNKNOWN_TYPES, unread)
    types = st.lists(st.sampled_from(sorted(choices)), max_size=SOME_ITEMS, unique=True)
    return types.flatmap(
        lambda codes: st.tuples(*(choices[code] for code in codes)).map(
            lambda bodies: Extensions(zip(codes, bodies, strict=True))
        )
    )


def _later(body: Any) -> Any:
    return lambda: values_of(body.codec)
