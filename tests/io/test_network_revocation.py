"""Authorities that are asked over the network, and a server's staples that are fetched in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import NAME, NOW, client_config, connect_pair, laboratory, pump, server_config
from responder import Authority, authority

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.lab import Issued, Laboratory
from pellucid.identity.revocation import Fetched, StatusQuery
from pellucid.io import revocation
from pellucid.io.fetching import FetchFailed, Unreachable
from pellucid.io.revocation import MAX_URLS, RETRY_SECONDS, NetworkStatus
from pellucid.io.stapling import (
    LEAST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_RETRY_SECONDS,
    StapleFetcher,
)
from pellucid.io.waiting import Deadline

HOUR, DAY = 3_600, 86_400


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Iterator[Authority]:
    with authority() as one:
        one.answer = lambda _serial: response(one)
        yield one


def issued(one: Authority) -> Issued:
    return laboratory().issue(names=(NAME,), ocsp_url=one.url)


def response(one: Authority, verdict: Any = "good", **how: Any) -> bytes:
    return laboratory().ocsp_response(issued(one).certificate, verdict, **how)


def query(one: Authority) -> StatusQuery:
    return StatusQuery(issued(one).certificate, laboratory().intermediate)


# -- a client that asks


def meet(one: Authority, level: str, source: NetworkStatus) -> None:
    client = client_config(revocation=level, revocation_source=source)
    pump(*connect_pair(client, server_config(credentials=[issued(one).credential])))


@pytest.mark.parametrize("level", ["soft", "hard"])
def test_a_responder_is_asked_about_the_leaf(issuer: Authority, clock: Clock, level: str) -> None:
    meet(issuer, level, NetworkStatus(clock=clock))
    assert issuer.requests == [("POST", "/", "application/ocsp-request")]


@pytest.mark.parametrize("level", ["soft", "hard"])
def test_who_is_revoked_is_refused(issuer: Authority, clock: Clock, level: str) -> None:
    issuer.answer = lambda _serial: response(issuer, "revoked")
    with pytest.raises(CertificateRejected) as caught:
        meet(issuer, level, NetworkStatus(clock=clock))
    assert caught.value.reason is Reason.CERTIFICATE_REVOKED


def test_a_responder_that_fails_is_passed_over_or_not(issuer: Authority, clock: Clock) -> None:
    issuer.status = 503
    meet(issuer, "soft", NetworkStatus(clock=clock))
    with pytest.raises(CertificateRejected, match="answers 503") as caught:
        meet(issuer, "hard", NetworkStatus(clock=clock))
    assert caught.value.reason is Reason.REVOCATION_UNKNOWN


def test_nobody_is_asked_where_a_good_answer_is_stapled(issuer: Authority, clock: Clock) -> None:
    credential = issued(issuer).credential.with_staple(response(issuer))
    client = client_config(revocation="hard", revocation_source=NetworkStatus(clock=clock))
    pump(*connect_pair(client, server_config(credentials=[credential])))
    assert issuer.requests == []


def test_an_answer_is_kept_for_a_day(issuer: Authority, clock: Clock) -> None:
    """Not for all of its time: an authority says what is new before the old is over."""
    source = NetworkStatus(clock=clock)
    for moment, requests in ((0, 1), (DAY - 1, 1), (DAY, 2)):
        clock.now = NOW + moment
        list(source(query(issuer)))
        assert len(issuer.requests) == requests


def test_an_answer_that_is_good_for_less_is_kept_for_less(issuer: Authority, clock: Clock) -> None:
    issuer.answer = lambda _serial: response(issuer, validity=(NOW - HOUR, NOW + HOUR))
    source = NetworkStatus(clock=clock)
    for moment, requests in ((0, 1), (HOUR - 1, 1), (HOUR, 2)):
        clock.now = NOW + moment
        list(source(query(issuer)))
        assert len(issuer.requests) == requests


WORSE: dict[str, Callable[[Authority], bytes]] = {
    "nonsense": lambda _one: b"nonsense",
    "unknown": lambda one: response(one, "unknown"),
    "older": lambda one: response(one, validity=(NOW - 2 * HOUR, NOW + 9 * DAY)),
    "of another certificate": lambda _one: laboratory().ocsp_response(laboratory().issue("rsa").certificate),
}


@pytest.mark.parametrize("what", [*WORSE, "nobody"])
def test_what_comes_later_and_is_worse_replaces_nothing_that_is_good(
    issuer: Authority, clock: Clock, what: str
) -> None:
    """Whoever stands between us and the authority may give an old answer, or none."""
    source = NetworkStatus(clock=clock)
    (first,) = source(query(issuer))
    clock.now += DAY
    if what == "nobody":
        issuer.status = 503
    else:
        issuer.answer = lambda _serial: WORSE[what](issuer)
    for moment, requests in ((0, 2), (RETRY_SECONDS - 1, 2), (RETRY_SECONDS, 3)):
        clock.now = NOW + DAY + moment
        assert list(source(query(issuer))) == [first]
        assert len(issuer.requests) == requests
    # Until it is good no longer.
    clock.now = NOW + 7 * DAY - HOUR
    assert list(source(query(issuer))) != [first]


def test_a_revocation_replaces_what_is_good(issuer: Authority, clock: Clock) -> None:
    source = NetworkStatus(clock=clock)
    list(source(query(issuer)))
    clock.now += DAY
    issuer.answer = lambda _serial: response(issuer, "revoked", validity=(NOW, NOW + 2 * DAY))
    (answer,) = source(query(issuer))
    assert answer.status(query(issuer), clock.now).verdict == "revoked"


@pytest.mark.parametrize("verdict", ["unknown", "stale"])
def test_what_says_nothing_is_not_kept_for_long(issuer: Authority, clock: Clock, verdict: str) -> None:
    """A certificate may be so new that its responder does not know it yet."""
    issuer.answer = lambda _serial: (
        response(issuer, "unknown")
        if verdict == "unknown"
        else response(issuer, validity=(NOW - DAY, NOW - 60))  # within the tolerance
    )
    source = NetworkStatus(clock=clock)
    for moment, requests in ((0, 1), (RETRY_SECONDS - 1, 1), (RETRY_SECONDS, 2)):
        clock.now = NOW + moment
        list(source(query(issuer)))
        assert len(issuer.requests) == requests


class Pointing(StatusQuery):
    """Of a certificate with one responder and one list."""

    ocsp_urls = ("http://ocsp.example/",)
    crl_urls = ("http://crl.example/",)


def test_a_responder_that_is_silent_leaves_time_for_the_list(issuer: Authority, clock: Clock) -> None:
    """Who can keep one of the two from us must not keep both."""
    given: list[tuple[str, float]] = []

    def fetch(url: str, deadline: Deadline, *_: Any) -> bytes:
        given.append((url, deadline.seconds or 0.0))
        if "ocsp" in url:
            raise Unreachable(f"{url} cannot be had: it is silent")
        return laboratory().revocation_list([issued(issuer).certificate])

    asked = query(issuer)
    first, second = NetworkStatus(clock=clock, timeout_seconds=100, fetch=fetch)(Pointing(*asked))
    assert "silent" in first.fault
    assert second.status(asked, NOW).verdict == "revoked"
    (responder, its), (crl, rest) = given
    assert (responder, crl) == (Pointing.ocsp_urls[0], Pointing.crl_urls[0])
    assert its == pytest.approx(50, abs=5)
    assert rest == pytest.approx(100, abs=5)


def test_who_was_not_asked_for_want_of_time_is_asked_the_next_time(issuer: Authority, clock: Clock) -> None:
    calls: list[str] = []

    def fetch(url: str, *_: Any) -> bytes:
        calls.append(url)
        return laboratory().revocation_list()

    asked = Pointing(*query(issuer))
    source = NetworkStatus(clock=clock, timeout_seconds=0, fetch=fetch)
    for _ in range(2):
        assert ["no time was left" in answer.fault for answer in source(asked)] == [True, True]
    assert calls == []


def test_who_cannot_be_reached_is_let_alone_whatever_the_question(issuer: Authority, clock: Clock) -> None:
    """Else each certificate that is asked about costs all of the time anew."""
    calls: list[str] = []
    failures: list[OSError] = [Unreachable("nobody there"), FetchFailed("answers 404")]

    def fetch(url: str, *_: Any) -> bytes:
        calls.append(url)
        raise failures[0]

    one, other = (
        StatusQuery(laboratory().issue(kind, ocsp_url=issuer.url).certificate, laboratory().intermediate)
        for kind in ("ecdsa", "rsa")
    )
    source = NetworkStatus(clock=clock, fetch=fetch)
    for moment, count in ((0, 1), (RETRY_SECONDS - 1, 1), (RETRY_SECONDS, 2)):
        clock.now = NOW + moment
        assert [answer.fault for asked in (one, other) for answer in source(asked)] == ["nobody there"] * 2
        assert len(calls) == count
    # What is wrong with one answer need not be wrong with another.
    failures[:] = [FetchFailed("answers 404")]
    calls.clear()
    clock.now += RETRY_SECONDS
    assert [answer.fault for asked in (one, other) for answer in source(asked)] == ["answers 404"] * 2
    assert len(calls) == 2


@pytest.mark.parametrize("kind", ["OCSP", "CRL"])
def test_what_cannot_be_read_is_read_once(issuer: Authority, clock: Clock, kind: str) -> None:
    """It may have 16 MiB, and be wrong in the last byte."""
    source = NetworkStatus(clock=clock, fetch=lambda *_: b"nonsense", ocsp=kind == "OCSP")
    answer = next(iter(source(Pointing(*query(issuer)))))
    assert (answer.kind, answer.body) == (kind, b"")
    assert "cannot be read" in answer.fault


def test_a_list_that_says_nothing_of_one_is_kept_for_others(clock: Clock) -> None:
    """One that points to the list of an authority that is not its own must not spoil it for them."""
    ours = laboratory().issue(names=(NAME,)).certificate
    stranger = Laboratory(b"another", NOW)
    theirs = Pointing(stranger.issue().certificate, stranger.intermediate)
    mine = Pointing(ours, laboratory().intermediate)
    source = NetworkStatus(clock=clock, ocsp=False, fetch=lambda *_: laboratory().revocation_list([ours]))
    (answer,) = source(theirs)
    with pytest.raises(CertificateRejected):
        answer.status(theirs, NOW)
    (answer,) = source(mine)
    assert answer.status(mine, NOW).verdict == "revoked"


def test_who_does_not_answer_is_let_alone_for_a_minute(issuer: Authority, clock: Clock) -> None:
    source = NetworkStatus(clock=clock)
    issuer.status = 500
    for moment, requests in ((0, 1), (RETRY_SECONDS - 1, 1), (RETRY_SECONDS, 2)):
        clock.now = NOW + moment
        (answer,) = source(query(issuer))
        assert "answers 500" in answer.fault
        assert len(issuer.requests) == requests


def test_a_list_is_fetched_from_where_the_certificate_says(issuer: Authority, clock: Clock) -> None:
    calls: list[str] = []

    def fetch(url: str, *_: Any) -> bytes:
        calls.append(url)
        return laboratory().revocation_list([issued(issuer).certificate])

    asked = query(issuer)

    class OfMany(StatusQuery):
        crl_urls = ("http://crl.example/",) * 5

    (first, second) = NetworkStatus(clock=clock, ocsp=False, fetch=fetch)(OfMany(*asked))
    assert (first.kind, first.status(asked, NOW).verdict) == ("CRL", "revoked")
    assert second is first
    assert calls == ["http://crl.example/"]
    assert MAX_URLS == 2


def test_lists_and_responders_can_be_left_alone(issuer: Authority, clock: Clock) -> None:
    assert list(NetworkStatus(clock=clock, ocsp=False)(query(issuer))) == []
    assert issuer.requests == []


def test_answers_are_fetched_one_by_one(issuer: Authority, clock: Clock) -> None:
    answers = NetworkStatus(clock=clock)(query(issuer))
    assert issuer.requests == []
    assert isinstance(next(iter(answers)), Fetched)
    assert len(issuer.requests) == 1


def test_those_who_ask_the_same_at_once_ask_together(issuer: Authority, clock: Clock) -> None:
    """A list may have 16 MiB, and a server 200 handshakes when the day is over."""
    asked, may_answer = Event(), Event()
    calls: list[str] = []

    def fetch(url: str, *_: Any) -> bytes:
        calls.append(url)
        asked.set()
        assert may_answer.wait(10)
        return laboratory().revocation_list()

    source = NetworkStatus(clock=clock, ocsp=False, fetch=fetch)
    question = Pointing(*query(issuer))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(lambda: list(source(question)))
        assert asked.wait(10)
        others = [pool.submit(lambda: list(source(question))) for _ in range(3)]
        may_answer.set()
        (answer,) = first.result(10)
        assert all(other.result(10) == [answer] for other in others)
    assert calls == list(Pointing.crl_urls)


def test_who_waits_for_anothers_question_waits_no_longer_than_for_an_own(
    issuer: Authority, clock: Clock
) -> None:
    asked, may_answer = Event(), Event()

    def fetch(*_: Any) -> bytes:
        asked.set()
        assert may_answer.wait(10)
        return laboratory().revocation_list()

    source = NetworkStatus(clock=clock, ocsp=False, fetch=fetch)
    question = Pointing(*query(issuer))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: list(source(question)))
        assert asked.wait(10)
        source._timeout_seconds = 0
        (answer,) = source(question)
        may_answer.set()
        assert first.result(10)[0].body
    assert "no time was left" in answer.fault


def test_a_question_that_breaks_off_keeps_nobody_waiting(issuer: Authority, clock: Clock) -> None:
    def fetch(*_: Any) -> bytes:
        raise RuntimeError("can't start new thread")

    source = NetworkStatus(clock=clock, ocsp=False, fetch=fetch)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            list(source(Pointing(*query(issuer))))


def test_what_is_kept_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "_MOST_PLACES", 3)
    monkeypatch.setattr(revocation, "_MOST_RESPONSES", 3)

    def fetch(*_: Any) -> bytes:
        raise Unreachable("nobody there")

    source = NetworkStatus(clock=clock, fetch=fetch)
    for number in range(9):
        leaf = laboratory().issue(ocsp_url=f"http://{number}.example/")
        list(source(StatusQuery(leaf.certificate, laboratory().intermediate)))
    assert list(source._absent) == [f"http://{number}.example/" for number in (6, 7, 8)]
    assert [url for url, _ in source._kept["OCSP"]] == list(source._absent)
    assert source._asking == {}


# -- a server that fetches its staples


def fetcher(one: Authority, clock: Clock, **knobs: Any) -> StapleFetcher:
    return StapleFetcher(issued(one).credential, clock=clock, **knobs)


def test_a_response_is_fetched_and_stapled(issuer: Authority, clock: Clock) -> None:
    staple = fetcher(issuer, clock)
    assert staple() is None
    assert staple.problem == "nothing has been fetched yet"
    # Half of what is left of the week that began an hour ago.
    assert staple.refresh() == (7 * DAY - HOUR) / 2
    assert staple.problem == ""
    server = server_config(credentials=[issued(issuer).credential.with_staple(staple)])
    client, _ = connect_pair(client_config(revocation="hard"), server)
    pump(client, _)
    assert client.handshake_complete


def test_an_old_response_serves_until_its_end(issuer: Authority, clock: Clock) -> None:
    staple = fetcher(issuer, clock)
    staple.refresh()
    held = staple()
    issuer.status = 503
    clock.now += 7 * DAY - HOUR
    staple.refresh()
    assert staple() == held
    assert "answers 503" in staple.problem
    clock.now += 1
    assert staple() is None


def test_a_responder_that_fails_is_asked_ever_more_rarely(issuer: Authority, clock: Clock) -> None:
    issuer.status = 503
    staple = fetcher(issuer, clock)
    pauses = [staple.refresh() for _ in range(9)]
    assert pauses[:6] == [LEAST_PAUSE_SECONDS * 2**n for n in range(6)]
    assert set(pauses[6:]) == {LONGEST_RETRY_SECONDS}
    issuer.status = 200
    staple.refresh()
    issuer.status = 503
    assert staple.refresh() == LEAST_PAUSE_SECONDS


WRONG: dict[str, tuple[Callable[[Authority], bytes], str]] = {
    "revoked": (lambda one: response(one, "revoked"), "the certificate: revoked since"),
    "unknown": (lambda one: response(one, "unknown"), "the authority does not know it"),
    "stale": (lambda one: response(one, validity=(NOW - 9 * DAY, NOW - DAY)), "is out of date"),
    "nonsense": (lambda _one: b"nonsense", "cannot be read"),
    "of another certificate": (
        lambda _one: laboratory().ocsp_response(laboratory().issue("rsa").certificate),
        "is about another certificate",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_response_that_clients_would_refuse_is_not_stapled(
    issuer: Authority, clock: Clock, what: str
) -> None:
    answer, words = WRONG[what]
    issuer.answer = lambda _serial: answer(issuer)
    staple = fetcher(issuer, clock)
    assert staple.refresh() == LEAST_PAUSE_SECONDS
    assert words in staple.problem
    assert staple() is None


def test_a_response_that_is_short_lived_does_not_make_us_ask_all_the_time(
    issuer: Authority, clock: Clock
) -> None:
    issuer.answer = lambda _serial: response(issuer, validity=(NOW - 60, NOW + 10))
    assert fetcher(issuer, clock).refresh() == LEAST_PAUSE_SECONDS


def test_a_response_that_is_good_for_ages_is_renewed_all_the_same(issuer: Authority, clock: Clock) -> None:
    """The pause has to be one that a thread can wait for, and what is new is to be had."""
    issuer.answer = lambda _serial: response(issuer, validity=(NOW - 60, NOW + 200_000 * DAY))
    assert fetcher(issuer, clock).refresh() == LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("error", [OSError("no network"), RuntimeError("can't start new thread")])
def test_whatever_a_fetch_runs_into_it_is_told_and_tried_again(
    issuer: Authority, clock: Clock, error: Exception
) -> None:
    def fetch(*_: Any) -> bytes:
        raise error

    staple = fetcher(issuer, clock, fetch=fetch)
    assert staple.refresh() == LEAST_PAUSE_SECONDS
    assert str(error) in staple.problem


def test_it_fetches_in_the_background_until_it_is_closed(issuer: Authority, clock: Clock) -> None:
    asked, answered = Event(), response(issuer)

    def fetch(*_: Any) -> bytes:
        asked.set()
        return answered

    with fetcher(issuer, clock, fetch=fetch) as staple:
        assert staple.start() is staple  # once is enough
        assert asked.wait(10)
    # Closing has waited for what was under way.
    assert staple() == answered
    assert staple._thread is not None
    assert not staple._thread.is_alive()


def test_a_failure_in_the_background_is_told_and_no_more(issuer: Authority, clock: Clock) -> None:
    asked = Event()

    def fetch(*_: Any) -> bytes:
        asked.set()
        raise FetchFailed("the responder is on holiday")

    with fetcher(issuer, clock, fetch=fetch) as staple:
        assert asked.wait(10)
    assert staple.problem == "the responder is on holiday"


def test_another_responder_can_be_named(issuer: Authority, clock: Clock) -> None:
    plain = laboratory().issue(names=(NAME,))
    issuer.answer = lambda _serial: laboratory().ocsp_response(plain.certificate)
    staple = StapleFetcher(plain.credential, url=issuer.url + "other", clock=clock)
    staple.refresh()
    assert staple.problem == ""
    assert issuer.requests[0][1] == "/other"


def test_an_issuer_outside_the_chain_can_be_given(issuer: Authority, clock: Clock) -> None:
    leaf = laboratory().issue(names=(NAME,), issuer="root", ocsp_url=issuer.url)
    issuer.answer = lambda _serial: laboratory().ocsp_response(leaf.certificate)
    staple = StapleFetcher(leaf.credential, issuer=laboratory().root.public_bytes(Encoding.DER), clock=clock)
    staple.refresh()
    assert staple.problem == ""
    with pytest.raises(Misuse, match="the chain does not have the issuer's certificate"):
        StapleFetcher(leaf.credential, clock=clock)


def test_without_a_responder_there_is_nothing_to_fetch(clock: Clock) -> None:
    with pytest.raises(Misuse, match="names no OCSP responder"):
        StapleFetcher(laboratory().credential(), clock=clock)
