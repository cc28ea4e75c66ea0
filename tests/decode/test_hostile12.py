"""TLS 1.2 with bytes changed, left out or put in: always a story, never an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from strategies import SOME_BYTES
from watching12 import CBC, DHE, MUTUAL_CLIENT, MUTUAL_SERVER, RSA, Talk, decode, rsa_key, talk12

from pellucid.trace import Trace
from pellucid.trace.events import RecordEvent
from pellucid.trace.json import to_json
from pellucid.trace.narration import narrate

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rsa": (RSA, {}),
    "dhe": (DHE, {}),
    "cbc, mutual": (CBC, {"client": MUTUAL_CLIENT, "server": MUTUAL_SERVER}),
    "resumed": (CBC, {"times": 2}),
}


@cache
def talk(kind: str) -> Talk:
    suite, options = KINDS[kind]
    return talk12(suite, **options)


def changed(trace: Trace, change: Callable[[list[bytearray]], None]) -> Trace:
    """The same with what ``change`` makes of the bytes of its records, which it gets as a list."""
    records = [e for e in trace.events if isinstance(e, RecordEvent) and e.direction == "sent"]
    raws = [bytearray(record.raw) for record in records]
    change(raws)
    other = Trace(clock=float, started_at=trace.started_at)
    other.events += [
        replace(record, raw=bytes(raw)) for record, raw in zip(records, raws, strict=True) if raw
    ]
    return other


def tell(data: st.DataObject, change: Callable[[list[bytearray]], None]) -> None:
    """Change one of the conversations, decode it with all keys or none, and tell it in each way."""
    whole = talk(data.draw(st.sampled_from(sorted(KINDS))))
    last = changed(whole.traces[-1], change)
    capture = Talk([*whole.traces[:-1], last], whole.key_log).capture(with_keys=data.draw(st.booleans()))
    decoded = decode(capture, private_key=rsa_key())
    assert len(decoded) == len(whole.traces)
    for one in decoded:
        assert one.outcome is not None
        assert one.trace is not None
        narrate(one.trace.events)
        to_json(one.trace)


@given(data=st.data())
def test_changed_bytes_are_told_somehow(data: st.DataObject) -> None:
    def change(raws: list[bytearray]) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            raw = raws[data.draw(st.integers(0, len(raws) - 1))]
            place = data.draw(st.integers(0, len(raw) - 1))
            raw[place] = data.draw(st.integers(0, 255))

    tell(data, change)


@given(data=st.data())
def test_bytes_that_are_cut_out_or_put_in_are_told_somehow(data: st.DataObject) -> None:
    def change(raws: list[bytearray]) -> None:
        raw = raws[data.draw(st.integers(0, len(raws) - 1))]
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, len(raw)))
        raw[start:end] = data.draw(st.binary(max_size=SOME_BYTES))

    tell(data, change)


@given(data=st.data())
def test_records_in_another_order_are_told_somehow(data: st.DataObject) -> None:
    def change(raws: list[bytearray]) -> None:
        first, second = (data.draw(st.integers(0, len(raws) - 1)) for _ in range(2))
        raws[first], raws[second] = raws[second], raws[first]

    tell(data, change)
