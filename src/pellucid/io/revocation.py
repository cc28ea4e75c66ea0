"""Asking authorities about certificates over the network: OCSP responders and CRLs, where they say they are.

Nobody is asked unless a configuration has one of these:

    ClientConfig(revocation="hard", revocation_source=NetworkStatus())
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Literal, NamedTuple

from pellucid.errors import CertificateRejected
from pellucid.identity.revocation import MAX_CRL_BYTES, MAX_OCSP_RESPONSE_BYTES, Fetched, StatusQuery
from pellucid.io.fetching import Fetch, FetchFailed, fetch
from pellucid.io.waiting import Deadline

OCSP_REQUEST = "application/ocsp-request"

#: Of each kind. A certificate has one or two; more would be more time for who made it.
MAX_URLS = 2
#: Answers about certificates; lists are longer, and few authorities have many.
_MOST_RESPONSES, _MOST_LISTS = 256, 4
#: An authority that did not answer is let alone for so long, so that not each handshake waits for it.
RETRY_SECONDS = 60.0


class _Kept(NamedTuple):
    fetched: Fetched
    until: float


class NetworkStatus:
    """Fetches what a certificate's issuer says of it. Safe to share between threads and configurations.

    A handshake waits for it, ``timeout_seconds`` at most for each certificate, so under asyncio all
    others do, too: staple, or give lists, where that matters. Who listens learns whom we speak with.
    Answers are kept as long as they are good, and the lack of one for a minute.
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
        # What was fetched, by URL and what was posted; the one used longest ago first.
        self._kept: dict[str, OrderedDict[tuple[str, bytes], _Kept]] = {
            "OCSP": OrderedDict(),
            "CRL": OrderedDict(),
        }

    def __call__(self, query: StatusQuery) -> Iterator[Fetched]:
        """Answers about a certificate, OCSP before CRLs, each fetched when it is wanted."""
        deadline = Deadline(self._timeout_seconds)
        for url in query.ocsp_urls[:MAX_URLS] if self._ocsp else ():
            yield self._answer("OCSP", url, query, deadline)
        for url in query.crl_urls[:MAX_URLS] if self._crls else ():
            yield self._answer("CRL", url, query, deadline)

    def _answer(
        self, kind: Literal["OCSP", "CRL"], url: str, query: StatusQuery, deadline: Deadline
    ) -> Fetched:
        request = query.ocsp_request if kind == "OCSP" else b""
        key = (url, request)
        with self._lock:
            kept = self._kept[kind].get(key)
            if kept is not None and self._clock() < kept.until:
                self._kept[kind].move_to_end(key)
                return kept.fetched
        limit = MAX_OCSP_RESPONSE_BYTES if kind == "OCSP" else MAX_CRL_BYTES
        post = (OCSP_REQUEST, request) if kind == "OCSP" else None
        try:
            fetched = Fetched(kind, url, self._fetch(url, deadline, limit, post))
        except FetchFailed as error:
            fetched = Fetched(kind, url, fault=str(error))
        self._keep(key, fetched, query)
        return fetched

    def _keep(self, key: tuple[str, bytes], fetched: Fetched, query: StatusQuery) -> None:
        now = self._clock()
        try:
            until = fetched.status(query, now).good_until
        except CertificateRejected:
            until = now + RETRY_SECONDS
        most = _MOST_RESPONSES if fetched.kind == "OCSP" else _MOST_LISTS
        with self._lock:
            kept = self._kept[fetched.kind]
            kept[key] = _Kept(fetched, until)
            kept.move_to_end(key)
            while len(kept) > most:
                kept.popitem(last=False)
