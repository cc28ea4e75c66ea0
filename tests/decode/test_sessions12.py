"""Sessions that a capture has shown."""

from __future__ import annotations

from pellucid.decode.sessions import SeenSession, Sessions

SEEN = SeenSession(b"\1" * 48, mutual=False)


def test_a_session_is_found_by_the_name_that_it_was_given() -> None:
    sessions = Sessions()
    sessions.keep("ticket", b"t" * 200, SEEN)
    assert sessions.find("ticket", b"t" * 200) is SEEN
    assert sessions.find("ticket", b"t" * 199) is None


def test_an_id_is_no_ticket() -> None:
    sessions = Sessions()
    sessions.keep("session ID", b"name", SEEN)
    assert sessions.find("ticket", b"name") is None


def test_of_too_many_the_oldest_goes() -> None:
    sessions = Sessions(most=2)
    for name in (b"a", b"b", b"a", b"c"):  # "a" was given once more, and is newer than "b"
        sessions.keep("session ID", name, SEEN)
    found = [name for name in (b"a", b"b", b"c") if sessions.find("session ID", name)]
    assert found == [b"a", b"c"]
    assert len(sessions) == 2


def test_the_secret_stays_out_of_the_repr() -> None:
    sessions = Sessions()
    sessions.keep("ticket", b"its name", SEEN)
    for shown in (repr(SEEN), repr(sessions)):  # an address stands there, and may have any two digits
        assert SEEN.master_secret.hex() not in shown
        assert repr(SEEN.master_secret) not in shown
