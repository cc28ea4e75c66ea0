"""One failure as the rules see it: the error, and the evidence around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

from pellucid.codes import AlertDescription, name_of
from pellucid.diagnosis.evidence import ALERT, Evidence
from pellucid.diagnosis.offer import Offer, Request, offer_in, request_in
from pellucid.diagnosis.protocols import Guess, guess
from pellucid.errors import AlertReceived, Reason, TLSError

__all__ = ["Case", "listed", "moment"]

#: What is listed of one thing in a sentence; the trace has all.
MOST_LISTED = 10


class Case:
    """``cause`` is the name of the operating system's error (``ECONNREFUSED``), "" where that is not it."""

    def __init__(self, error: TLSError, evidence: Evidence, cause: str = "") -> None:
        self.error = error
        self.evidence = evidence
        self.cause = cause
        self.reason: Reason = error.reason

    @property
    def side(self) -> str:
        return self.evidence.side

    @property
    def is_client(self) -> bool:
        return self.evidence.side == "client"

    @property
    def description(self) -> int | None:
        """The code of the alert that ended it, where the peer sent one."""
        return self.error.description if isinstance(self.error, AlertReceived) else None

    @property
    def alert(self) -> str:
        """The name of that alert; "" for none."""
        return "" if self.description is None else name_of(self.description, AlertDescription)

    @cached_property
    def offer(self) -> Offer | None:
        """What the client offered, in its last ClientHello; None where there is none that can be read."""
        hello = self.evidence.last("ClientHello")
        return offer_in(hello.raw) if hello else None

    @cached_property
    def request(self) -> Request | None:
        """What the server asked of the client's certificate; None where it did not ask."""
        request = self.evidence.last("CertificateRequest")
        return request_in(request.raw) if request else None

    @cached_property
    def guess(self) -> Guess | None:
        """What speaks in the place of TLS."""
        return guess(self.evidence.unread, self.evidence.place[1])

    @property
    def refused_to_renegotiate(self) -> bool:
        return any(
            spoken.direction == "sent"
            and spoken.name == ALERT
            and spoken.raw[1:] == bytes((AlertDescription.no_renegotiation,))
            for spoken in self.evidence.messages
        )


def listed(values: Sequence[str], most: int = MOST_LISTED) -> str:
    """``a, b and 3 more``; "none" for nothing."""
    if len(values) <= most:
        return ", ".join(values) or "none"
    return f"{', '.join(values[:most])} and {len(values) - most} more"


def moment(seconds: float) -> str:
    """POSIX seconds as people and certificates write them."""
    return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M:%S} UTC"
