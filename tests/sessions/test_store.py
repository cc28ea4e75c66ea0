"""The client's store: single use, bounded, by name, and safe between threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pellucid.codes import CipherSuite, ProtocolVersion
from pellucid.sessions import Session, SessionStore
from pellucid.sessions.store import PER_NAME

NOW = 1_800_000_000.0


def make(name: str | None, ticket: bytes = b"ticket", **changes: Any) -> Session:
    values: dict[str, Any] = {
        "protocol": ProtocolVersion.TLSv1_3,
        "cipher_suite": CipherSuite.TLS_AES_128_GCM_SHA256,
        "hash_name": "sha256",
        "secret": bytes(32),
        "ticket": ticket,
        "ticket_age_add": 0,
        "lifetime_seconds": 7200,
        "received_at": NOW,
        "server_name": name,
    }
    return Session(**(values | changes))


def test_a_session_is_given_out_once() -> None:
    store = SessionStore()
    session = make("a.example")
    store.put(session)
    assert (store.take("a.example", NOW), store.take("a.example", NOW)) == (session, None)


def test_a_session_is_given_out_for_its_own_name_only() -> None:
    store = SessionStore()
    store.put(make("a.example"))
    assert store.take("b.example", NOW) is None
    assert store.take(None, NOW) is None


def test_a_session_that_was_put_back_is_given_out_again() -> None:
    store = SessionStore()
    session = make("a.example", b"", protocol=ProtocolVersion.TLSv1_2, session_id=b"id")
    store.put(session)
    for _ in range(2):
        assert store.take("a.example", NOW) is session
        store.put(session)
    assert len(store) == 1


def test_the_newest_comes_first() -> None:
    store = SessionStore()
    for ticket in (b"1", b"2"):
        store.put(make("a.example", ticket))
    taken = [store.take("a.example", NOW) for _ in range(2)]
    assert [session.ticket for session in taken if session] == [b"2", b"1"]


def test_expired_sessions_are_passed_over_and_dropped() -> None:
    store = SessionStore()
    store.put(make("a.example", b"good"))
    store.put(make("a.example", b"old", lifetime_seconds=1))
    session = store.take("a.example", NOW + 10)
    assert session is not None
    assert (session.ticket, len(store)) == (b"good", 0)


def test_each_name_keeps_only_its_newest_few() -> None:
    store = SessionStore()
    for number in range(PER_NAME + 2):
        store.put(make("a.example", b"%d" % number))
    kept = []
    while session := store.take("a.example", NOW):
        kept.append(session.ticket)
    assert kept == [b"%d" % number for number in range(PER_NAME + 1, 1, -1)]


def test_beyond_its_capacity_the_store_forgets_the_name_that_was_used_longest_ago() -> None:
    store = SessionStore(capacity=2)
    for name in ("a.example", "b.example"):
        store.put(make(name))
    store.put(make("a.example"))
    assert store.take("b.example", NOW) is None
    assert (len(store), store.take("a.example", NOW) is None) == (2, False)


def test_a_capacity_of_zero_keeps_nothing() -> None:
    store = SessionStore(capacity=0)
    store.put(make("a.example"))
    assert len(store) == 0


def test_a_discarded_session_is_given_out_no_more_and_the_others_of_its_name_are() -> None:
    store = SessionStore()
    for ticket in (b"1", b"2", b"3"):
        store.put(make("a.example", ticket))
    store.discard(make("a.example", b"2"))
    taken = [store.take("a.example", NOW) for _ in range(3)]
    assert [session and session.ticket for session in taken] == [b"3", b"1", None]
    assert len(store) == 0


def test_sessions_without_a_ticket_are_told_apart_by_their_ids() -> None:
    store = SessionStore()
    one, two = (make("a.example", b"", session_id=session_id) for session_id in (b"1", b"2"))
    for session in (one, two):
        store.put(session)
    store.discard(two)
    assert (len(store), store.take("a.example", NOW)) == (1, one)


def test_discarding_what_is_not_there_changes_nothing() -> None:
    store = SessionStore()
    kept = make("a.example")
    store.put(kept)
    for absent in (make("a.example", b"x"), make("b.example"), make("a.example", scope=b"other")):
        store.discard(absent)
    assert (len(store), store.take("a.example", NOW)) == (1, kept)


def test_the_last_session_of_a_name_leaves_no_name_behind() -> None:
    store = SessionStore()
    store.put(make("a.example"))
    store.discard(make("a.example"))
    assert repr(store) == "SessionStore(0 sessions for 0 names)"


def test_clearing_forgets_everything() -> None:
    store = SessionStore()
    store.put(make("a.example"))
    store.clear()
    assert (len(store), store.take("a.example", NOW)) == (0, None)


def test_an_empty_store_is_true_and_its_repr_names_nobody() -> None:
    store = SessionStore()
    store.put(make("a.example"))
    assert SessionStore()
    assert repr(store) == "SessionStore(1 sessions for 1 names)"


def test_threads_that_take_at_once_share_no_session() -> None:
    store = SessionStore()
    names = [f"{number}.example" for number in range(200)]
    for name in names:
        store.put(make(name))
    with ThreadPoolExecutor(4) as pool:
        rounds = list(pool.map(lambda _: [store.take(name, NOW) for name in names], range(4)))
    taken = [session.server_name for each in rounds for session in each if session]
    assert sorted(filter(None, taken)) == sorted(names)
    assert len(store) == 0
