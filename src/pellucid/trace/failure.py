"""A failure as it is shown and written: who is to blame, what was seen, what follows, and what to do.

``pellucid.diagnosis`` makes it of an error and what was known around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pellucid.codes import AlertDescription
from pellucid.trace.events import Event, RecordEvent
from pellucid.trace.texts import Place, filled

__all__ = ["CERTIFICATE_ALERTS", "Diagnosis", "Fact", "tls_began"]

# By these the peer says that it does not accept our certificate (RFC 9846 6.2).
CERTIFICATE_ALERTS = frozenset(
    {
        AlertDescription.bad_certificate,
        AlertDescription.unsupported_certificate,
        AlertDescription.certificate_revoked,
        AlertDescription.certificate_expired,
        AlertDescription.certificate_unknown,
        AlertDescription.unknown_ca,
        AlertDescription.access_denied,
        AlertDescription.certificate_required,
        AlertDescription.bad_certificate_status_response,
    }
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One piece of evidence: what it is, such as "first bytes", and what was found."""

    what: str
    found: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a connection failed, for people and programs.

    ``id`` is stable; ``alert`` and ``direction`` are None where no alert went. ``observed`` is fact,
    ``inferred`` follows from it, ``possible`` does not; ``fix`` and ``confirm`` say what to do and how to
    see whether it worked. ``step`` is where in the handshake it was, and what had been achieved by then;
    ``evidence`` what ``observed`` and ``inferred`` stand on, piece by piece. Empty text is "nothing to say".
    """

    id: str
    blame: str
    alert: str | None
    direction: Literal["sent", "received"] | None
    observed: str
    inferred: str
    possible: str
    fix: str
    confirm: str
    rfc: str
    step: str = ""
    evidence: tuple[Fact, ...] = ()

    def at(self, place: Place) -> Diagnosis:
        """With the place of the server in its advice, where {host} and {port} stand."""
        return replace(
            self,
            inferred=filled(self.inferred, place),
            possible=filled(self.possible, place),
            fix=filled(self.fix, place),
            confirm=filled(self.confirm, place),
        )


def tls_began(own: Sequence[Event]) -> bool:
    """Whether a record went out or came in: until then there was at most TCP."""
    return any(isinstance(event, RecordEvent) for event in own)
