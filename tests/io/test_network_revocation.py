"""Authorities that are asked over the network, and a server's staples that are fetched in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import NAME, NOW, client_config, connect_pair, laboratory, pump, server_config
from responder import Authority, authority

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.lab import Issued
from pellucid.identity.revocation import Fetched, StatusQuery
from pellucid.io.fetching import FetchFailed
from pellucid.io.revocation import MAX_URLS, RETRY_SECONDS, NetworkStatus
from pellucid.io.stapling import LEAST_PAUSE_SECONDS, LONGEST_RETRY_SECONDS, StapleFetcher

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


def test_an_answer_is_kept_as_long_as_it_is_good(issuer: Authority, clock: Clock) -> None:
    source = NetworkStatus(clock=clock)
    for moment, requests in ((0, 1), (7 * DAY - HOUR - 1, 1), (7 * DAY - HOUR, 2)):
        clock.now = NOW + moment
        list(source(query(issuer)))
        assert len(issuer.requests) == requests


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

    class Pointing(StatusQuery):
        crl_urls = ("http://crl.example/",) * 5

    (first, second) = NetworkStatus(clock=clock, ocsp=False, fetch=fetch)(Pointing(*asked))
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
