"""The server's cache: by session ID, bounded, expiring, and safe between threads."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pellucid.codes import CipherSuite, ProtocolVersion
from pellucid.errors import Misuse, Reason
from pellucid.sessions import (
    MAX_CHAIN_BYTES,
    MAX_LIFETIME_SECONDS,
    MAX_SESSION_ID_SECONDS,
    SessionCache,
    TicketState,
)

NOW = 1_800_000_000.0
HOUR = 3_600
SECRET = b"master secret, which has 48 bytes in TLS 1.2...."


def state(**changes: Any) -> TicketState:
    values: dict[str, Any] = {
        "protocol": ProtocolVersion.TLSv1_2,
        "suite": CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "secret": SECRET,
        "created_at": NOW,
        "lifetime_seconds": MAX_LIFETIME_SECONDS,
        "server_name": "example.com",
    }
    return TicketState(**(values | changes))


def test_a_session_is_found_by_its_id_as_often_as_it_is_asked_for() -> None:
    cache = SessionCache()
    kept = state()
    cache.put(b"id", kept)
    assert [cache.find(b"id", NOW) for _ in range(3)] == [kept] * 3


@pytest.mark.parametrize("session_id", [b"", b"i", b"id ", b"other", bytes(33)])
def test_any_other_id_finds_nothing(session_id: bytes) -> None:
    cache = SessionCache()
    cache.put(b"id", state())
    assert cache.find(session_id, NOW) is None


def test_a_later_session_of_the_same_id_takes_the_place_of_the_former() -> None:
    cache = SessionCache()
    cache.put(b"id", state())
    cache.put(b"id", state(server_name="other.example"))
    assert (len(cache), cache.find(b"id", NOW)) == (1, state(server_name="other.example"))


def test_a_discarded_session_is_found_no_more_and_the_others_are() -> None:
    cache = SessionCache()
    for session_id in (b"1", b"2"):
        cache.put(session_id, state())
    cache.discard(b"1")
    cache.discard(b"never seen")
    assert (cache.find(b"1", NOW), cache.find(b"2", NOW)) == (None, state())


@pytest.mark.parametrize(
    "after,found", [(-10, True), (-11, False), (2 * HOUR - 0.1, True), (2 * HOUR, False)]
)
def test_a_session_is_found_for_the_cache_s_lifetime(after: float, found: bool) -> None:
    cache = SessionCache()
    cache.put(b"id", state())
    assert (cache.find(b"id", NOW + after) is not None) is found


def test_a_session_ends_with_its_own_lifetime_where_that_is_shorter() -> None:
    cache = SessionCache()
    cache.put(b"id", state(lifetime_seconds=60))
    assert cache.find(b"id", NOW + 59) is not None
    assert cache.find(b"id", NOW + 60) is None


def test_being_used_does_not_make_a_session_live_longer() -> None:
    cache = SessionCache()
    cache.put(b"id", state())
    assert cache.find(b"id", NOW + 2 * HOUR - 1) is not None
    assert cache.find(b"id", NOW + 2 * HOUR) is None


def test_a_session_ends_seven_days_after_the_last_full_handshake() -> None:
    cache = SessionCache()
    cache.put(b"id", state(authenticated_at=NOW - MAX_LIFETIME_SECONDS + 60))
    assert cache.find(b"id", NOW + 59) is not None
    assert cache.find(b"id", NOW + 60) is None


def test_an_expired_session_is_forgotten_when_it_is_asked_for() -> None:
    cache = SessionCache()
    cache.put(b"id", state())
    cache.find(b"id", NOW + 2 * HOUR)
    assert len(cache) == 0


def test_expired_sessions_that_nobody_asks_for_are_forgotten_as_new_ones_come() -> None:
    cache = SessionCache()
    cache.put(b"old", state())
    cache.put(b"younger", state(created_at=NOW + HOUR))
    cache.put(b"new", state(created_at=NOW + 2 * HOUR))
    assert len(cache) == 2
    assert cache.find(b"younger", NOW + 2 * HOUR) is not None


def test_sessions_of_a_future_that_the_clock_left_are_forgotten_as_new_ones_come() -> None:
    cache = SessionCache()
    cache.put(b"future", state())
    cache.put(b"now", state(created_at=NOW - HOUR))
    assert (len(cache), cache.find(b"now", NOW - HOUR) is None) == (1, False)


def test_beyond_its_capacity_the_cache_forgets_the_session_used_longest_ago() -> None:
    cache = SessionCache(capacity=2)
    for session_id in (b"1", b"2"):
        cache.put(session_id, state())
    cache.find(b"1", NOW)
    cache.put(b"3", state())
    assert [cache.find(each, NOW) is not None for each in (b"1", b"2", b"3")] == [True, False, True]


def test_a_capacity_of_zero_keeps_nothing() -> None:
    cache = SessionCache(capacity=0)
    cache.put(b"id", state())
    assert (len(cache), cache.find(b"id", NOW)) == (0, None)


def test_a_session_with_a_huge_client_chain_is_not_kept() -> None:
    cache = SessionCache()
    cache.put(b"fits", state(client_chain=(bytes(MAX_CHAIN_BYTES - 1), b"\x00")))
    cache.put(b"does not", state(client_chain=(bytes(MAX_CHAIN_BYTES), b"\x00")))
    assert [cache.find(each, NOW) is not None for each in (b"fits", b"does not")] == [True, False]


def test_a_session_takes_about_as_much_memory_as_is_said() -> None:
    name, secret, session_id = "a" * 64, bytes(bytearray(48)), bytes(bytearray(32))
    kept = state(server_name=name, secret=secret, server_identity=bytes(bytearray(32)))
    parts = (name, secret, session_id, kept.server_identity, kept.created_at, kept.lifetime_seconds, kept)
    assert sum(map(sys.getsizeof, parts)) < 1024


@pytest.mark.parametrize("session_id", [b"", bytes(33)])
def test_an_id_that_names_nothing_is_misuse(session_id: bytes) -> None:
    cache = SessionCache()
    with pytest.raises(Misuse) as error:
        cache.put(session_id, state())
    assert error.value.reason is Reason.BAD_CONFIGURATION
    assert len(cache) == 0


@pytest.mark.parametrize(
    "options",
    [{"capacity": -1}, {"lifetime_seconds": 0}, {"lifetime_seconds": MAX_SESSION_ID_SECONDS + 1}],
)
def test_impossible_bounds_are_misuse(options: dict[str, int]) -> None:
    with pytest.raises(Misuse) as error:
        SessionCache(**options)
    assert error.value.reason is Reason.BAD_CONFIGURATION


def test_clearing_forgets_everything() -> None:
    cache = SessionCache()
    cache.put(b"id", state())
    cache.clear()
    assert (len(cache), cache.find(b"id", NOW)) == (0, None)


def test_an_empty_cache_is_true_and_its_repr_tells_numbers_only() -> None:
    cache = SessionCache(capacity=8)
    assert cache
    cache.put(b"id", state())
    assert repr(cache) == "SessionCache(1 sessions of at most 8)"


def test_threads_that_put_find_and_discard_at_once_leave_it_whole() -> None:
    cache = SessionCache(capacity=50)

    def work(thread: int) -> bool:
        right = True
        for number in range(300):
            session_id = b"%d" % (number % 60)
            cache.put(session_id, state(server_name=session_id.decode()))
            found = cache.find(b"%d" % ((number + thread) % 60), NOW)
            right &= found is None or found.server_name == str((number + thread) % 60)
            if number % 7 == thread:
                cache.discard(session_id)
        return right

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
    assert len(cache) <= 50
