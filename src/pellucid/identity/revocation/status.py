"""What is known of one certificate's revocation, and what holds for every kind of answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity.rules import moment_of

Verdict = Literal["good", "revoked", "unknown"]

#: RFC 5280 5.3.1: reasons for which a certificate may come back. All others are for good.
_PASSING = frozenset({"certificateHold", "removeFromCRL"})

#: How far a responder's clock may be ahead of ours, and ours ahead of the one that refreshes its answers.
#: Answers are often fetched in the second in which they were made.
CLOCK_TOLERANCE_SECONDS = 300.0

#: RFC 6960 4.2.2.1: an answer without nextUpdate says that "newer revocation information is available all the
#: time". 3.2 wants thisUpdate "sufficiently recent": a day, as what is made anew all the time is never older.
MAX_AGE_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class RevocationStatus:
    """What an authority says of one certificate: verified, and in force at the time that was asked for.

    ``source`` is the kind of answer for people ("a stapled OCSP response", "a CRL"), ``signer`` who signed.
    Times are POSIX seconds; ``next_update`` is None where it is not said when more will be known.
    """

    verdict: Verdict
    source: str
    signer: str
    this_update: float
    next_update: float | None
    revoked_at: float | None = None
    #: RFC 5280 5.3.1: why it was revoked, such as "keyCompromise"; "" where that is not said.
    why_revoked: str = ""

    @property
    def good_until(self) -> float:
        """How long this may be relied upon."""
        return end_of(self.this_update, self.next_update)

    def why_not_current(self, now: float) -> str:
        """Why it says nothing about ``now`` (POSIX seconds); "" if it does.

        Who was revoked for good stays so, however old the answer is. RFC 5280 3.3: "An entry MUST NOT be
        removed from the CRL until it appears on one regularly scheduled CRL issued beyond the revoked
        certificate's validity period"; RFC 6960 2.2: "either temporarily (the revocation reason is
        certificateHold) or permanently".
        """
        told = self.this_update <= now + CLOCK_TOLERANCE_SECONDS
        if told and self.verdict == "revoked" and self.why_revoked not in _PASSING:
            return ""
        return why_not_current(self.source, self.this_update, self.next_update, now)

    def __str__(self) -> str:
        said = {"good": "not revoked", "unknown": "the authority does not know it"}.get(self.verdict)
        if said is None:
            since = "" if self.revoked_at is None else f" since {utc(self.revoked_at)}"
            said = f"revoked{since}" + (f" ({self.why_revoked})" if self.why_revoked else "")
        until = "" if self.next_update is None else f", next update {utc(self.next_update)}"
        return f"{said}, by {self.source} of {self.signer} of {utc(self.this_update)}{until}"


def end_of(this_update: float, next_update: float | None) -> float:
    """Until when an answer with these dates may be relied upon."""
    return this_update + MAX_AGE_SECONDS if next_update is None else next_update


def utc(moment: float) -> str:
    return f"{moment_of(moment):%Y-%m-%d %H:%M:%S} UTC"


def posix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def reason_name(reason: x509.ReasonFlags | None) -> str:
    return "" if reason is None or reason is x509.ReasonFlags.unspecified else str(reason.value)


def why_not_current(what: str, this_update: float, next_update: float | None, now: float) -> str:
    """Why an answer with these dates says nothing about ``now`` (POSIX seconds); "" if it does."""
    # RFC 6960 4.2.2.1: "Responses whose thisUpdate time is later than the local system time SHOULD be
    # considered unreliable."
    if this_update > now + CLOCK_TOLERANCE_SECONDS:
        return f"{what} is of the future: of {utc(this_update)}, and now is {utc(now)}"
    # "Responses whose nextUpdate value is earlier than the local system time value SHOULD be considered
    # unreliable."
    if next_update is not None and now > next_update + CLOCK_TOLERANCE_SECONDS:
        return f"{what} is out of date: the next was due by {utc(next_update)}, and now is {utc(now)}"
    if next_update is None and now > this_update + MAX_AGE_SECONDS + CLOCK_TOLERANCE_SECONDS:
        dates = f"it is of {utc(this_update)} and names no next update, and now is {utc(now)}"
        return f"{what} is out of date: {dates}"
    return ""


def unusable(detail: str) -> CertificateRejected:
    """An answer that proves nothing. Whether that ends the handshake depends on how it came."""
    return CertificateRejected(Reason.BAD_CERTIFICATE_STATUS, detail)
