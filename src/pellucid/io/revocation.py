"""Asking authorities about certificates over the network: OCSP responders and CRLs, where they say they are.

Nobody is asked unless a configuration has one of these:

    ClientConfig(revocation="hard", revocation_source=NetworkStatus())
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Literal, NamedTuple, TypeVar

from pellucid.errors import CertificateRejected
from pellucid.identity.revocation import (
    MAX_CRL_BYTES,
    MAX_OCSP_RESPONSE_BYTES,
    Fetched,
    RevocationStatus,
    StatusQuery,
)
from pellucid.io.fetching import Fetch, FetchFailed, Unreachable, fetch
from pellucid.io.waiting import Deadline
from pellucid.printable import printable

OCSP_REQUEST = "application/ocsp-request"

#: Of each kind. A certificate has one or two; more would be more time for who made it.
MAX_URLS = 2
#: Answers about certificates; lists are longer, and few authorities have many; places where nobody was.
_MOST_RESPONSES, _MOST_LISTS, _MOST_PLACES = 256, 4, 256
#: Where there was no answer, or one that says nothing, it is not asked again for so long, so that not each
#: handshake waits for it.
RETRY_SECONDS = 60.0
#: What is good for longer is asked for again all the same: an authority that revokes says so before the old
#: answer is over, which for an intermediate certificate is up to a year.
MOST_KEPT_SECONDS = 86_400.0

_Kind = Literal["OCSP", "CRL"]
#: URL, and what was posted.
_Key = tuple[str, bytes]
_Name = TypeVar("_Name")
_Held = TypeVar("_Held")


class _Kept(NamedTuple):
    """What came, when to ask again, and what it said of the certificate that it was asked for."""

    fetched: Fetched
    ask_again: float
    status: RevocationStatus | None

    def is_better_than(self, status: RevocationStatus | None, now: float) -> bool:
        """Whether it is still good, and ``status`` brings nothing new.

        By http, whoever is on the way may give nonsense, nothing, or what was said before.
        """
        if self.status is None or self.status.verdict == "unknown" or self.status.good_until <= now:
            return False
        if status is None or status.verdict == "unknown":
            return True
        return status.verdict == "good" and status.this_update < self.status.this_update


class NetworkStatus:
    """Fetches what a certificate's issuer says of it. Safe to share between threads and configurations.

    A handshake waits for it, ``timeout_seconds`` at most for each certificate of the path, under asyncio in a
    thread of the loop's executor: staple, or give lists, where that matters. Who listens learns whom we speak
    with. Answers are kept as long as they are good, and asked for again after a day; the lack of one is kept
    for a minute.

    Whom to ask stands in the certificates, which have been verified by then: so an authority that is trusted
    may have any address asked by http, inside of this network as well; only link-local ones are not. Where
    authorities are trusted with less than that, give a ``fetch`` that looks at the URL first.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 5.0,
        ocsp: bool = True,
        crls: bool = True,
        clock: Callable[[], float] = time.time,
        fetch: Fetch = fetch,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._ocsp, self._crls = ocsp, crls
        self._clock = clock
        self._fetch = fetch
        self._lock = Lock()
        # The one used longest ago first.
        self._kept: dict[_Kind, OrderedDict[_Key, _Kept]] = {"OCSP": OrderedDict(), "CRL": OrderedDict()}
        # URLs where nobody was, with the fault and until when to believe it.
        self._absent: OrderedDict[str, tuple[str, float]] = OrderedDict()
        # What is being asked, and by how many.
        self._asking: dict[_Key, tuple[Lock, int]] = {}

    def __call__(self, query: StatusQuery) -> Iterator[Fetched]:
        """Answers about a certificate, OCSP before CRLs, each fetched when it is wanted."""
        deadline = Deadline(self._timeout_seconds)
        places = list(self._places(query))
        for asked, (kind, url) in enumerate(places):
            # Each has its share of what is left: one that is silent must not keep the others from answering.
            yield self._answer(kind, url, query, deadline, len(places) - asked)

    def _places(self, query: StatusQuery) -> Iterator[tuple[_Kind, str]]:
        for url in query.ocsp_urls[:MAX_URLS] if self._ocsp else ():
            yield "OCSP", url
        for url in query.crl_urls[:MAX_URLS] if self._crls else ():
            yield "CRL", url

    def _answer(self, kind: _Kind, url: str, query: StatusQuery, deadline: Deadline, shares: int) -> Fetched:
        key = url, query.ocsp_request if kind == "OCSP" else b""
        kept = self._find(kind, key)
        if kept is not None and self._clock() < kept.ask_again:
            return kept.fetched
        left = deadline.left()
        share = Deadline(None if left is None else left / shares)
        with self._turn(key, share):
            kept, now = self._find(kind, key), self._clock()
            if kept is not None and now < kept.ask_again:
                return kept.fetched
            if fault := self._why_not_ask(url, share):
                # There is nothing new to keep.
                better = kept is not None and kept.is_better_than(None, now)
                return kept.fetched if kept is not None and better else Fetched(kind, url, fault=fault)
            return self._keep(key, self._ask(kind, key, share), kept, query)

    def _find(self, kind: _Kind, key: _Key) -> _Kept | None:
        with self._lock:
            kept = self._kept[kind].get(key)
            if kept is not None:
                self._kept[kind].move_to_end(key)
            return kept

    def _why_not_ask(self, url: str, share: Deadline) -> str:
        with self._lock:
            absence, until = self._absent.get(url, ("", 0.0))
        if self._clock() < until:
            return absence
        return f"{printable(url, 200)} was not asked: no time was left for it" if share.left() == 0.0 else ""

    @contextmanager
    def _turn(self, key: _Key, share: Deadline) -> Iterator[None]:
        """Waits for who asks the same, as long as there is time: what one gets is for all."""
        with self._lock:
            turn, count = self._asking.get(key, (Lock(), 0))
            self._asking[key] = turn, count + 1
        left = share.left()
        ours = turn.acquire(timeout=-1 if left is None else left)
        try:
            yield
        finally:
            if ours:
                turn.release()
            with self._lock:
                turn, count = self._asking.pop(key)
                if count > 1:
                    self._asking[key] = turn, count - 1

    def _ask(self, kind: _Kind, key: _Key, deadline: Deadline) -> Fetched:
        url, request = key
        limit = MAX_OCSP_RESPONSE_BYTES if kind == "OCSP" else MAX_CRL_BYTES
        post = (OCSP_REQUEST, request) if kind == "OCSP" else None
        try:
            return Fetched(kind, url, self._fetch(url, deadline, limit, post)).read()
        except FetchFailed as error:
            if isinstance(error, Unreachable):
                with self._lock:
                    _hold(self._absent, url, (str(error), self._clock() + RETRY_SECONDS), _MOST_PLACES)
            return Fetched(kind, url, fault=str(error))

    def _keep(self, key: _Key, came: Fetched, kept: _Kept | None, query: StatusQuery) -> Fetched:
        now = self._clock()
        try:
            status = came.status(query, now)
        except CertificateRejected:
            # Whoever asked is told why; what says nothing of this certificate may say something of another.
            status = None
        if kept is not None and kept.is_better_than(status, now):
            latest = kept._replace(ask_again=now + RETRY_SECONDS)
        else:
            latest = _Kept(came, _when_to_ask_again(status, now), status)
        most = _MOST_RESPONSES if came.kind == "OCSP" else _MOST_LISTS
        with self._lock:
            _hold(self._kept[came.kind], key, latest, most)
        return latest.fetched


def _when_to_ask_again(status: RevocationStatus | None, now: float) -> float:
    if status is None or status.verdict == "unknown":
        return now + RETRY_SECONDS
    return min(max(status.good_until, now + RETRY_SECONDS), now + MOST_KEPT_SECONDS)


def _hold(held: OrderedDict[_Name, _Held], key: _Name, value: _Held, most: int) -> None:
    held[key] = value
    held.move_to_end(key)
    while len(held) > most:
        held.popitem(last=False)
