"""What an explanation says: candidate paths with their checks, and the verdicts of several profiles."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cryptography import x509

from pellucid.errors import Reason
from pellucid.identity.rules import subject_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule held against one certificate of a path."""

    #: The rule's stable name, such as ``path_length``.
    rule: str
    #: The certificate's place in its path; 0 is the leaf.
    position: int
    ok: bool
    expected: str
    #: What the certificate has; where it does not hold, the whole sentence.
    found: str
    #: Where the rule stands.
    rfc: str
    #: Of a check that does not hold.
    reason: Reason | None = None


@dataclass(frozen=True)
class CandidatePath:
    """A way from the leaf towards a trusted certificate, leaf first, as far as it leads."""

    certificates: tuple[x509.Certificate, ...]
    #: "trusted": at a trusted certificate. "no_issuer": nobody has the next one. "bad_signature": the last
    #: has the right name, and its key does not verify. "loop", "too_deep": it goes on and gets nowhere.
    end: Literal["trusted", "no_issuer", "bad_signature", "loop", "too_deep"]
    #: By the rules of the first profile that was asked for.
    checks: tuple[Check, ...]

    @property
    def trusted(self) -> bool:
        return self.end == "trusted"

    @cached_property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)

    @property
    def sentence(self) -> str:
        """The certificates by their subjects, and what is first to be mended, in one line."""
        names = " > ".join(f'"{subject_text(certificate)}"' for certificate in self.certificates)
        if not self.failed:
            return f"{names}: every rule holds"
        more = len(self.failed) - 1
        return f"{names}: {self.failed[0].found}{f', and {more} more' if more else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one profile says of a chain."""

    profile: str
    accepted: bool
    #: The rule that refuses it, such as ``purpose``; "" where it is accepted.
    rule: str
    #: One sentence for people.
    sentence: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class PathReport:
    """All that was found out about a chain."""

    candidates: tuple[CandidatePath, ...]
    #: By profile, in the order in which they were asked for.
    verdicts: dict[str, Verdict]
    #: The rules that refuse it under some of the profiles and not under all: where they differ.
    differs: tuple[str, ...]
    #: Whether the search for paths ran into a limit, and there may be more candidates.
    cut_short: bool
