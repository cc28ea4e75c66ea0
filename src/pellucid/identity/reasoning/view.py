"""What is found out about a case, each thing once; one path of it, as the rules look at it; and a rule."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE, CertificateFields, certificate_fields
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.constraints import NameConstraints
from pellucid.identity.rules import Seen

#: RFC 5280 4.1.2.4: "The issuer field MUST contain a non-empty distinguished name (DN)."
EMPTY_NAME = b"\x30\x00"


class Evidence:
    """What is found out about the certificates of one case, each thing once.

    Signatures are what a search costs: ``most_signatures`` bounds them, and CertificateRejected
    (``certificate_chain_too_long``) says that it ran into the bound.
    """

    __slots__ = ("_fields", "_most", "_signatures", "case", "constraints", "sent")

    def __init__(self, case: Case, most_signatures: int) -> None:
        self.case = case
        self.constraints = NameConstraints()
        self._most = most_signatures
        self._signatures: dict[tuple[x509.Certificate, x509.Certificate], bool] = {}
        self._fields: dict[x509.Certificate, CertificateFields] = {}
        #: What was sent behind the leaf, by its DER subject.
        self.sent: dict[bytes, list[x509.Certificate]] = {}
        for certificate in dict.fromkeys(case.chain[1:]):
            self.sent.setdefault(self.fields(certificate).subject, []).append(certificate)

    def fields(self, certificate: x509.Certificate) -> CertificateFields:
        found = self._fields.get(certificate)
        if found is None:
            found = self._fields[certificate] = certificate_fields(certificate.public_bytes(Encoding.DER))
        return found

    def issuers(
        self, child: x509.Certificate
    ) -> tuple[Sequence[x509.Certificate], Sequence[x509.Certificate]]:
        """Who has the name of ``child``'s issuer, trusted and sent: first those whose key it says it is, so
        that namesakes do not use up the signatures.
        """
        name = self.fields(child).issuer
        trusted, sent = self.case.trust.named(name), self.sent.get(name, ())
        if len(trusted) < 2 and len(sent) < 2:
            return trusted, sent

        def other_key(issuer: x509.Certificate) -> bool:
            return not rules.names_key_of(child, issuer)

        return sorted(trusted, key=other_key), sorted(sent, key=other_key)

    def signed_by(self, child: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether ``issuer``'s subject is ``child``'s issuer and its key verifies ``child``'s signature."""
        found = self._signatures.get((child, issuer))
        if found is None:
            if len(self._signatures) == self._most:
                detail = f"no path was found within {self._most} signatures"
                raise CertificateRejected(Reason.CERTIFICATE_CHAIN_TOO_LONG, detail)
            # A key that is too costly to check with was refused before anything is verified by it; here it
            # verifies nothing.
            found = not rules.is_too_costly(issuer) and signed_by(child, issuer)
            self._signatures[child, issuer] = found
        return found


def signed_by(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """The same, without a memory."""
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNDECODABLE):
        return False
    return True


class View:
    """A path, or its beginning: leaf first. ``whole``: its last certificate is the trust anchor."""

    __slots__ = ("_seen", "evidence", "path", "whole")

    def __init__(
        self,
        evidence: Evidence,
        path: tuple[x509.Certificate, ...],
        *,
        whole: bool,
        below: "View | None" = None,
    ) -> None:
        self.evidence = evidence
        self.path = path
        self.whole = whole
        self._seen: list[Seen] = [] if below is None else below._seen[:]

    @property
    def case(self) -> Case:
        return self.evidence.case

    def seen(self, position: int) -> Seen:
        """The certificate with its extensions; CertificateRejected where they are malformed."""
        known = self._seen
        if position == len(known):
            known.append(rules.look_at(self.path[position], position))
        elif position > len(known):
            return rules.look_at(self.path[position], position)
        return known[position]

    def is_anchor(self, position: int) -> bool:
        return self.whole and position == len(self.path) - 1


Position: TypeAlias = int
#: The leaf; CAs, the anchor among them; all but the anchor; all.
Scope = Literal["leaf", "issuers", "below anchor", "all"]


class Rule(NamedTuple):
    """One rule. ``check`` raises CertificateRejected; ``found`` says for people what is there."""

    name: str
    scope: Scope
    rfc: str
    expected: str
    check: Callable[[View, Position], object]
    found: Callable[[View, Position], str]

    def applies(self, view: View, position: Position) -> bool:
        scope = self.scope
        if scope == "all":
            return True
        if scope == "below anchor":
            return not view.is_anchor(position)
        return (position == 0) == (scope == "leaf")


def holds(rule: Rule, view: View, position: Position) -> bool:
    try:
        rule.check(view, position)
    except CertificateRejected:
        return False
    return True
