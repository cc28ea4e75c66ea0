"""Whether a verified path is still good: by what was stapled, what our CRLs say, what authorities say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import certificate_fields
from pellucid.identity.pem import parse_certificate
from pellucid.identity.revocation.crl import RevocationList, RevocationLists, distribution_urls
from pellucid.identity.revocation.features import must_staple
from pellucid.identity.revocation.ocsp import load_ocsp, ocsp_request, read_ocsp, responder_urls
from pellucid.identity.revocation.status import RevocationStatus, unusable
from pellucid.identity.rules import where
from pellucid.identity.verify import VerifiedIdentity

#: How much is asked for. Each level asks for all that the one before it does.
#:
#: "off"     nothing is asked for or judged
#: "staple"  what the server staples has to hold, and must be there where the certificate says so (RFC 7633)
#: "soft"    CRLs are looked into and authorities asked, where we were given either; who is revoked is
#:           refused, and what cannot be found out is let pass
#: "hard"    a leaf that nobody vouches for is refused. Of its issuers what is known must hold, as in "soft":
#:           a stapled answer is of the leaf alone
Level = Literal["off", "staple", "soft", "hard"]
LEVELS: tuple[Level, ...] = ("off", "staple", "soft", "hard")

#: How long a session is good that began while nobody gave an answer whom we asked ("soft"): else who can keep
#: the answers away once had days in which nobody asks again.
UNANSWERED_SECONDS = 3_600.0

_STAPLED = "a stapled OCSP response"
_EXPECTED = {
    "staple": "no stapled answer that speaks against it",
    "soft": "no answer that speaks against it",
    "hard": "an answer that it is not revoked",
}


@lru_cache(maxsize=4)
def _parsed(crl: bytes, source: str) -> RevocationList:
    """A list that serves for many certificates of its issuer, and takes a second to read where it is long."""
    return RevocationList(crl, source)


class StatusQuery(NamedTuple):
    """Which certificate's status is wanted; its issuer has been verified, so the addresses in it are its."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    @classmethod
    def of_chain(cls, chain: Sequence[bytes], issuer: bytes | None = None) -> StatusQuery:
        """About the leaf of a chain of our own (DER); ``issuer`` where the chain does not have it.

        Raises Misuse (``bad_configuration``) where the issuer is missing.
        """
        ders = [chain[0], *([issuer] if issuer is not None else chain[1:2])]
        if len(ders) == 1:
            detail = "the chain does not have the issuer's certificate, and none is given"
            raise Misuse(Reason.BAD_CONFIGURATION, detail)
        return cls(*(parse_certificate(der, "a certificate of the chain") for der in ders))

    @property
    def ocsp_urls(self) -> tuple[str, ...]:
        return responder_urls(self.certificate)

    @property
    def crl_urls(self) -> tuple[str, ...]:
        return distribution_urls(self.certificate)

    @property
    def ocsp_request(self) -> bytes:
        return ocsp_request(self.certificate, self.issuer)


class Fetched(NamedTuple):
    """What came from ``url``: an answer that nobody has verified yet, or the ``fault`` for which none did."""

    kind: Literal["OCSP", "CRL"]
    url: str
    body: bytes = b""
    fault: str = ""

    def read(self) -> Fetched:
        """Itself, if it can be read at all; else the fault in its place, to be told without reading again."""
        if self.fault:
            return self
        try:
            if self.kind == "OCSP":
                load_ocsp(self.body, self.source)
            else:
                _parsed(self.body, self.source)
        except CertificateRejected as error:
            return Fetched(self.kind, self.url, fault=error.detail)
        return self

    @property
    def source(self) -> str:
        return f"an OCSP response from {self.url}" if self.kind == "OCSP" else f"the CRL {self.url}"

    def status(self, query: StatusQuery, now: float) -> RevocationStatus:
        """The answer verified. Raises CertificateRejected (``bad_certificate_status``)."""
        if self.fault:
            raise unusable(self.fault)
        if self.kind == "OCSP":
            return read_ocsp(self.body, *query, now, self.source)
        return _parsed(self.body, self.source).status_of(*query, now, self.source)


#: Asks authorities. What it gives is taken one by one until one is usable, so it may fetch as it goes.
Ask = Callable[[StatusQuery], Iterable[Fetched]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one certificate, for people."""

    expected: str
    found: str
    ok: bool


class RevocationCheck:
    """One check of one path. ``findings`` fills as it runs, and is to be read whether or not it raised.

    ``tells``: whether anybody reads them. To put them into words takes longer than to look.
    """

    def __init__(
        self,
        level: Level,
        now: float,
        lists: RevocationLists | None = None,
        ask: Ask | None = None,
        *,
        tells: bool = True,
    ) -> None:
        self._level = level
        self._tells = tells
        self._now = now
        self._searches = level in ("soft", "hard")
        self._lists = lists if self._searches else None
        self._ask = ask if self._searches else None
        self._until = inf
        self.findings: list[Finding] = []

    def run(self, identity: VerifiedIdentity, staples: Mapping[int, bytes], *, staples_asked: bool) -> float:
        """Until when what was found may be relied upon, in POSIX seconds; infinity where nothing was.

        ``staples``: OCSP responses, by the position in the chain as sent of the certificate they came with.
        ``staples_asked``: the peer was asked for them, so that what must be stapled has to be there.
        Raises CertificateRejected: ``certificate_revoked``, ``bad_certificate_status`` for a staple that does
        not hold, ``must_staple_missing``, ``revocation_unknown``.
        """
        if not identity.path:
            # RFC 7250: a key without a certificate. What may be stapled to it is about nothing.
            said = "a key that nobody issued is trusted"
            self.findings.append(Finding(_EXPECTED[self._level], said, ok=True))
            return inf
        stapled = {identity.chain[position]: response for position, response in staples.items()}
        if len(identity.path) == 1:
            # Nobody stands above it who could revoke it: who trusts a certificate by itself answers for it.
            self._tell(identity.path[0], 0, "is trusted by itself")
        for position, query in enumerate(StatusQuery(*pair) for pair in pairwise(identity.path)):
            staple = stapled.get(query.certificate)
            if staple is None and position == 0 and staples_asked:
                self._require_none_due(query, identity)
            status = self._stapled(query, position, staple) if staple is not None else None
            if self._searches:
                status = self._found(query, position, status)
            if status is not None:
                self._tell(query.certificate, position, "is ", status)
                self._until = min(self._until, status.good_until)
            elif position == 0 and not self._searches:
                self._tell(query.certificate, 0, "comes without a stapled answer")
        return self._until

    def _require_none_due(self, query: StatusQuery, identity: VerifiedIdentity) -> None:
        """Refuses a leaf without a staple where a certificate of its path says that there is one."""
        for position, certificate in enumerate(identity.path):
            if must_staple(certificate):
                # RFC 7633 4.2.2: what an authority's certificate demands it demands of all that it issues.
                whose = "" if position == 0 else f"is below {where(certificate, position)}, which "
                fault = f"{whose}says that its server staples its status (RFC 7633), and none came"
                self._refuse(query, 0, Reason.MUST_STAPLE_MISSING, fault)

    def _stapled(self, query: StatusQuery, position: int, staple: bytes) -> RevocationStatus:
        # RFC 6066 8: clients "MUST check the OCSP response and abort the handshake if the response is not
        # satisfactory"
        try:
            status = read_ocsp(staple, *query, self._now, _STAPLED)
        except CertificateRejected as error:
            self._refuse(query, position, error.reason, f"has an answer that proves nothing: {error.detail}")
        if status.verdict == "unknown":
            self._refuse(query, position, Reason.BAD_CERTIFICATE_STATUS, f"is not known as issued: {status}")
        self._require_not_revoked(query, position, status)
        return status

    def _found(
        self, query: StatusQuery, position: int, stapled: RevocationStatus | None
    ) -> RevocationStatus | None:
        """The status that was stapled, or the first that is found; revoked by any is revoked."""
        found, faults = stapled, []
        for answer in self._answers(query, asks=stapled is None):
            if isinstance(answer, str):
                faults.append(answer)
                continue
            self._require_not_revoked(query, position, answer)
            if answer.verdict == "good":
                found = found or answer
                # The lists are read to the end; but who is good by one of them is not asked after elsewhere.
                continue
            faults.append(str(answer))
        if found is None:
            why = "; ".join(faults) or "nothing was stapled, and nobody else has an answer"
            if self._level == "hard" and position == 0:
                self._refuse(query, position, Reason.REVOCATION_UNKNOWN, f"may be revoked or not: {why}")
            self._tell(query.certificate, position, "may be revoked or not, and passes: ", why)
            if faults:
                self._until = min(self._until, self._now + UNANSWERED_SECONDS)
        return found

    def _answers(self, query: StatusQuery, *, asks: bool) -> Iterator[RevocationStatus | str]:
        """Each answer, or why it is none: of our lists, then of others if none of them knew."""
        issuer = certificate_fields(query.certificate.public_bytes(Encoding.DER)).issuer
        for one in self._lists.issued_by(issuer) if self._lists is not None else ():
            try:
                yield one.status_of(*query, self._now)
                asks = False
            except CertificateRejected as error:
                yield error.detail
        if not asks or self._ask is None:
            return
        for fetched in self._ask(query):
            try:
                status = fetched.status(query, self._now)
            except CertificateRejected as error:
                yield error.detail
                continue
            yield status
            if status.verdict != "unknown":
                return

    def _require_not_revoked(self, query: StatusQuery, position: int, status: RevocationStatus) -> None:
        if status.verdict == "revoked":
            self._refuse(query, position, Reason.CERTIFICATE_REVOKED, f"is {status}")

    def _refuse(self, query: StatusQuery, position: int, reason: Reason, fault: str) -> NoReturn:
        self._tell(query.certificate, position, fault, ok=False)
        raise CertificateRejected(reason, f"{where(query.certificate, position)} {fault}")

    def _tell(
        self, certificate: x509.Certificate, position: int, what: str, more: object = "", *, ok: bool = True
    ) -> None:
        if self._tells:
            found = f"{where(certificate, position)} {what}{more}"
            # Of issuers "hard" demands no more than "soft".
            expected = _EXPECTED["soft" if position and self._level == "hard" else self._level]
            self.findings.append(Finding(expected, found, ok))
