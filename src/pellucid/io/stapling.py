"""A server's OCSP responses, fetched in the background so that each handshake finds one ready.

with StapleFetcher(credential) as staple:
    config = ServerConfig(credentials=[credential.with_staple(staple)])
    ...
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import NamedTuple, Self

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import Credential
from pellucid.identity.revocation import MAX_OCSP_RESPONSE_BYTES, StatusQuery, read_ocsp
from pellucid.io.fetching import Fetch, fetch
from pellucid.io.revocation import OCSP_REQUEST
from pellucid.io.waiting import Deadline

#: Between two attempts, at least; and at most after failures, each of which doubles it.
LEAST_PAUSE_SECONDS, LONGEST_RETRY_SECONDS = 60.0, 3_600.0
#: Public authorities' answers are good for ten days at most. What is good for longer is renewed no later.
LONGEST_PAUSE_SECONDS = 5 * 86_400.0

#: How long closing waits for a fetch that is under way.
_PATIENCE_SECONDS = 1.0


class _Held(NamedTuple):
    response: bytes
    until: float


class StapleFetcher:
    """Keeps the latest OCSP response for a credential. Called, it gives that, or None: it never waits.

    A response is renewed when half of the time that it is good for is over. Where that fails the old one is
    given until its nextUpdate, and the responder is asked again after a minute, then two, up to an hour;
    ``problem`` says what is wrong. Only a response by which the certificate is good is given: clients refuse
    any other, and mostly do without.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        issuer: bytes | None = None,
        url: str = "",
        timeout_seconds: float = 15.0,
        clock: Callable[[], float] = time.time,
        fetch: Fetch = fetch,
    ) -> None:
        """``issuer``: DER, where the chain lacks it. ``url``: in place of the certificate's responder.

        Raises Misuse (``bad_configuration``) without an issuer or a responder.
        """
        self._query = StatusQuery.of_chain(credential.chain, issuer)
        urls = (url,) if url else self._query.ocsp_urls
        if not urls:
            detail = "the certificate names no OCSP responder, and no URL is given"
            raise Misuse(Reason.BAD_CONFIGURATION, detail)
        self._url = urls[0]
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._fetch = fetch
        self._held: _Held | None = None
        self._failures = 0
        self._closed = Event()
        self._thread: Thread | None = None
        #: What the last attempt ran into; "" where it brought a response.
        self.problem = "nothing has been fetched yet"

    def __call__(self) -> bytes | None:
        """The response to staple now, DER."""
        held = self._held
        return held.response if held is not None and self._clock() <= held.until else None

    def refresh(self) -> float:
        """Ask once, now. Gives the seconds until it is time to ask again; raises nothing."""
        now = self._clock()
        try:
            held = self._ask(now)
        # Whatever it was: who would be told of it is nobody, and without the thread nothing is ever renewed.
        except Exception as error:  # noqa: BLE001 - as above
            self.problem = error.detail if isinstance(error, CertificateRejected) else str(error)
            self._failures += 1
            return min(LEAST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10), LONGEST_RETRY_SECONDS)
        self._held, self._failures, self.problem = held, 0, ""
        return min(max(LEAST_PAUSE_SECONDS, (held.until - now) / 2), LONGEST_PAUSE_SECONDS)

    def _ask(self, now: float) -> _Held:
        request = (OCSP_REQUEST, self._query.ocsp_request)
        response = self._fetch(self._url, Deadline(self._timeout_seconds), MAX_OCSP_RESPONSE_BYTES, request)
        status = read_ocsp(response, *self._query, now, f"the OCSP response from {self._url}")
        if status.verdict != "good":
            raise CertificateRejected(Reason.CERTIFICATE_REVOKED, f"the certificate: {status}")
        return _Held(response, status.good_until)

    def start(self) -> Self:
        """Fetch in a thread from now on, the first response at once. ``close`` ends it."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="pellucid-staple", daemon=True)
            self._thread.start()
        return self

    def _run(self) -> None:
        pause = self.refresh()
        while not self._closed.wait(pause):
            pause = self.refresh()

    def close(self) -> None:
        """No more fetching; what is held is given until it is out of date."""
        self._closed.set()
        if self._thread is not None:
            # A fetch may be under way. It ends by itself, and changes nothing that anybody sees.
            self._thread.join(_PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
