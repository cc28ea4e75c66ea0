"""However a network cuts, repeats and reorders, the streams that come out are those that went in."""

from __future__ import annotations

from itertools import pairwise

from captures import ACK, FIN, RST, SYN, segment
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.capture import (
    Bytes,
    Closed,
    Conflict,
    HalfClosed,
    Missing,
    Opened,
    Segment,
    StreamEvent,
    Streams,
)

# Bytes that all differ from their neighbours, so that a wrong place shows.
STREAM = bytes((7 * index + index // 256) % 256 for index in range(600))


@st.composite
def pieces(draw: st.DrawFn) -> list[Segment]:
    """A stream in segments that overlap, repeat and come in any order, and together have all of it."""
    size = draw(st.integers(1, len(STREAM)))
    start = draw(st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 600, 2**32 - 1)))
    cuts = sorted({0, size, *draw(st.lists(st.integers(0, size), max_size=20))})
    spans = list(pairwise(cuts))
    spans += draw(
        st.lists(
            st.tuples(st.integers(0, size), st.integers(0, size)).map(lambda two: tuple(sorted(two))),
            max_size=10,
        )
    )
    order = draw(st.permutations(spans))
    made = [segment(STREAM[first:last], sequence=start + 1 + first, number=2) for first, last in order]
    fin = segment(sequence=start + 1 + size, flags=FIN | ACK, number=2)
    place = draw(st.integers(0, len(made)))
    return [segment(sequence=start, flags=SYN, number=1), *made[:place], fin, *made[place:]]


def said(events: list[StreamEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Bytes))


def follow(segments: list[Segment]) -> list[StreamEvent]:
    streams = Streams()
    return [*(event for one in segments for event in streams.feed(one)), *streams.finish()]


def length_of(segments: list[Segment]) -> int:
    """Where the FIN says that the stream ends."""
    (end,) = (one.sequence for one in segments if one.flags & FIN)
    begin = segments[0].sequence
    assert begin is not None
    assert end is not None
    return (end - begin - 1) & 0xFFFFFFFF


@given(pieces())
def test_a_stream_comes_out_as_it_went_in(segments: list[Segment]) -> None:
    events = follow(segments)
    assert said(events) == STREAM[: len(said(events))]
    assert len(said(events)) == length_of(segments)
    assert not [event for event in events if isinstance(event, Missing | Conflict)]
    assert [type(event) for event in events[-2:]] == [HalfClosed, Closed]


@given(pieces(), st.data())
def test_of_a_stream_with_losses_all_that_was_captured_comes_out_in_its_place(
    segments: list[Segment], data: st.DataObject
) -> None:
    begin = segments[0].sequence
    assert begin is not None
    kept = [segments[0], *(one for one in segments[1:] if data.draw(st.booleans()))]
    events = follow(kept)
    place = 0
    for event in events:
        if isinstance(event, Bytes):
            assert event.data == STREAM[place : place + len(event.data)]
            place += len(event.data)
        elif isinstance(event, Missing):
            place += event.length
    captured: set[int] = set()
    for one in kept[1:]:
        assert one.sequence is not None
        first = (one.sequence - begin - 1) & 0xFFFFFFFF
        captured.update(range(first, first + len(one.payload)))
    assert len(said(events)) == len(captured)


@st.composite
def anything(draw: st.DrawFn) -> Segment:
    """A segment that may be of the connection, of another, or of nobody's."""
    number = st.one_of(st.integers(990, 1050), st.integers(0, 2**32 - 1))
    payload = draw(st.binary(max_size=20))
    return segment(
        payload,
        sequence=draw(number),
        acknowledgment=draw(number),
        flags=draw(st.sampled_from([0, ACK, ACK, ACK, SYN, SYN | ACK, FIN, FIN | ACK, RST, RST | ACK, 63])),
        reply=draw(st.booleans()),
        length=len(payload) + draw(st.sampled_from([0, 0, 0, 5])),
    )


@settings(max_examples=300)
@given(st.lists(anything(), max_size=30))
def test_whatever_segments_come_a_connection_is_told_with_a_beginning_and_one_end(
    segments: list[Segment],
) -> None:
    streams = Streams()
    events = [*(event for one in segments for event in streams.feed(one)), *streams.finish()]
    open_now: set[object] = set()
    for event in events:
        if isinstance(event, Opened):
            open_now.add(event.connection)
        assert event.connection in open_now
        if isinstance(event, Closed):
            open_now.remove(event.connection)
        if isinstance(event, Bytes):
            assert event.data
        if isinstance(event, Missing):
            assert event.length > 0
    assert not open_now
    assert (streams._waiting, len(streams._holding), len(streams._directions)) == (0, 0, 0)
