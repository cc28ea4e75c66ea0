"""A capture of a connection that succeeded, with a packet missing, twice or out of its place, or only a part.

Who looks on may know less then, and must not know better: nothing is told as failed that has not.
"""

from __future__ import annotations

from functools import cache

import pytest
from captures import pcap
from conversations import Conversation, converse
from watched import MILLISECOND, WHEN, Wire, decode_all, turns_of

from pellucid.decode import Decoded
from pellucid.trace.events import CheckEvent

KINDS = ("full", "retried", "mutual", "resumed", "1.2 ecdhe", "1.2 mutual", "1.2 resumed")
ENDS = ("closed", "reset", "open")
#: As on most links, and so small that a ClientHello or a flight takes several.
SIZES = (1460, 400)

every_kind = pytest.mark.parametrize("kind", KINDS)
with_and_without_keys = pytest.mark.parametrize("keys", [True, False], ids=["keys", "no keys"])


@cache
def talk(kind: str) -> Conversation:
    return converse(kind)


def packets_of(kind: str, end: str, size: int) -> list[bytes]:
    """Of the handshake and the first data."""
    wire = Wire().say(*turns_of(talk(kind))[:12], most=size)
    if end == "closed":
        wire.close()
    elif end == "reset":
        wire.reset("client")
    return [data for _, data in wire.packets]


def told(packets: list[bytes], lines: list[str]) -> list[Decoded]:
    start = WHEN * 10**9
    return decode_all(pcap((start + n * MILLISECOND, data) for n, data in enumerate(packets)), lines)


def accused(found: Decoded) -> list[str]:
    """What is said to have gone wrong."""
    assert found.outcome is not None
    assert found.trace is not None
    failed = [found.outcome.failure.id] if found.outcome.failure else []
    checks = (event for event in found.trace.events if isinstance(event, CheckEvent))
    return failed + [f"{check.side}: {check.what}" for check in checks if not check.ok]


def hold(kind: str, packets: list[bytes], lines: list[str], *, connections: int = 1) -> None:
    found = told(packets, lines)
    assert len(found) <= connections
    assert [accused(each) for each in found] == [[]] * len(found), (kind, len(packets))


@every_kind
@with_and_without_keys
@pytest.mark.parametrize("size", SIZES)
def test_the_whole_is_a_connection_that_succeeded(kind: str, keys: bool, size: int) -> None:
    lines = talk(kind).key_log if keys else []
    for end in ENDS:
        (found,) = told(packets_of(kind, end, size), lines)
        assert accused(found) == []
        assert found.outcome is not None
        assert found.outcome.status == "connected"


@every_kind
@with_and_without_keys
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_missing_packet_makes_no_failure(kind: str, keys: bool, end: str, size: int) -> None:
    packets = packets_of(kind, end, size)
    lines = talk(kind).key_log if keys else []
    for missing in range(len(packets)):
        hold(kind, packets[:missing] + packets[missing + 1 :], lines)


@every_kind
@with_and_without_keys
@pytest.mark.parametrize("end", ENDS)
def test_a_capture_that_begins_late_makes_no_failure(kind: str, keys: bool, end: str) -> None:
    packets = packets_of(kind, end, 1460)
    lines = talk(kind).key_log if keys else []
    for first in range(len(packets)):
        hold(kind, packets[first:], lines)


@every_kind
@with_and_without_keys
def test_a_capture_that_ends_early_makes_no_failure(kind: str, keys: bool) -> None:
    packets = packets_of(kind, "open", 1460)
    for last in range(len(packets)):
        hold(kind, packets[:last], talk(kind).key_log if keys else [])


@every_kind
@with_and_without_keys
def test_packets_that_come_twice_or_late_make_no_difference(kind: str, keys: bool) -> None:
    packets = packets_of(kind, "closed", 400)
    lines = talk(kind).key_log if keys else []
    (whole,) = told(packets, lines)
    for place in range(3, len(packets) - 3):  # behind the handshake of TCP, and before its end
        twice = packets[: place + 1] + packets[place:]
        late = [*packets[:place], packets[place + 1], packets[place], *packets[place + 2 :]]
        for changed in (twice, late):
            (found,) = told(changed, lines)
            assert accused(found) == []
            assert found.outcome is not None
            assert whole.outcome is not None
            assert found.outcome.status == whole.outcome.status
