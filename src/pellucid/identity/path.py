"""The path check for chains that pyca's verifier does not judge: those through Ed25519, Ed448 and ML-DSA CAs.

pyca's verifier is the judge of every chain whose issuing keys are RSA or on P-256, P-384 or P-521; it takes
any key in the leaf, and refuses other keys in a CA. This search is used only there: *a path is accepted
only if at least one certificate that issues in it has one of those other keys*, so nothing that pyca has
refused on its own ground can get through here. The rules are those of RFC 5280 6.1, all of which must hold,
and two are stricter: name constraints are not evaluated, so a path with any is refused, and so is one with
a critical extension that no rule reads.

Certificates come from the peer, and an attacker may send a thicket of them with equal names: the depth of a
path and the signatures checked in one search are limited.
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE, certificate_fields
from pellucid.identity.names import ServerName
from pellucid.identity.profile import MAX_INTERMEDIATES
from pellucid.identity.rules import OUTSIDE_PYCA_OIDS, Purpose
from pellucid.identity.trust import TrustStore

#: A path without detours needs at most nine signatures checked (MAX_INTERMEDIATES and the leaf's); the rest
#: is room for cross-signed CAs. An ML-DSA-87 signature takes about 0.2 ms to check, so a hostile chain
#: costs a few milliseconds.
MAX_SIGNATURE_CHECKS = 32

#: RFC 5280 4.1.2.4: "The issuer field MUST contain a non-empty distinguished name (DN)."
EMPTY_NAME = b"\x30\x00"


def strict_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    trust: TrustStore,
    purpose: Purpose,
    name: ServerName | None,
    now: float,
) -> tuple[x509.Certificate, ...] | None:
    """A path from ``leaf`` to a root of ``trust``, leaf first, or None where no path holds every rule.

    ``name`` is what the leaf must be for (None for a client's leaf), ``now`` POSIX seconds. Raises
    CertificateRejected (``certificate_chain_too_long``) where the search ran into its limit. Why a path was
    refused is for ``diagnose``.
    """
    if not (trust.outside_pyca or any(map(_outside_pyca, intermediates))):
        return None
    search = _Search(intermediates, trust, purpose, now)
    return search.extend((leaf,), outside=False) if search.admits_leaf(leaf, name) else None


def check_trusted_leaf(leaf: x509.Certificate, purpose: Purpose, name: ServerName | None, now: float) -> None:
    """A leaf that is itself one of the trusted certificates: raises CertificateRejected for what it lacks.

    Somebody who trusts a self-signed certificate means this very one, so its signature says nothing, and it
    may call itself a CA, as `openssl req -x509` makes it. Name, dates, purpose and key still have to hold.
    """
    seen = rules.look_at(leaf, 0)
    rules.check_version(seen)
    rules.check_dates(leaf, 0, now)
    rules.check_critical_extensions(seen)
    rules.check_leaf_usage(seen, purpose)
    rules.check_purpose(seen, purpose)
    if name is not None:
        rules.check_name(seen, name)


def signed_by(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``issuer``'s subject is ``child``'s issuer and its key verifies ``child``'s signature."""
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNDECODABLE):
        return False
    return True


def _outside_pyca(certificate: x509.Certificate) -> bool:
    return certificate.public_key_algorithm_oid in OUTSIDE_PYCA_OIDS


class _Search:
    """One depth-first search, from the leaf up, roots before intermediates."""

    def __init__(
        self, intermediates: Sequence[x509.Certificate], trust: TrustStore, purpose: Purpose, now: float
    ) -> None:
        self._trust = trust
        self._purpose = purpose
        self._now = now
        self._signature_checks = 0
        self._intermediates: dict[bytes, list[x509.Certificate]] = {}
        for certificate in dict.fromkeys(intermediates):
            subject = certificate_fields(certificate.public_bytes(Encoding.DER)).subject
            self._intermediates.setdefault(subject, []).append(certificate)

    def admits_leaf(self, leaf: x509.Certificate, name: ServerName | None) -> bool:
        """Whether the leaf, apart from who signed it, satisfies every rule of a leaf."""
        try:
            seen = rules.look_at(leaf, 0)
            self._check_any(seen)
            rules.check_is_leaf(seen)
            rules.check_leaf_usage(seen, self._purpose)
            if name is not None:
                rules.check_name(seen, name)
        except CertificateRejected:
            return False
        return True

    def extend(
        self, path: tuple[x509.Certificate, ...], *, outside: bool
    ) -> tuple[x509.Certificate, ...] | None:
        """``path`` continued to a root. ``outside``: an issuer in it has a key outside pyca's set."""
        child = path[-1]
        below = len(path) - 1
        if below > MAX_INTERMEDIATES:
            return None
        issuer_name = certificate_fields(child.public_bytes(Encoding.DER)).issuer
        if issuer_name == EMPTY_NAME:
            return None
        for root in self._trust.named(issuer_name):
            if (outside or _outside_pyca(root)) and self._issued(child, root, below):
                return (*path, root)
        for issuer in self._intermediates.get(issuer_name, ()):
            if issuer not in path and self._issued(child, issuer, below):
                found = self.extend((*path, issuer), outside=outside or _outside_pyca(issuer))
                if found is not None:
                    return found
        return None

    def _issued(self, child: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
        """Whether ``issuer`` may issue above ``below`` CAs, and did sign ``child``; cheap rules first."""
        try:
            rules.check_signature_algorithm(child, below)
            seen = rules.look_at(issuer, below + 1)
            self._check_any(seen)
            rules.check_may_issue(seen, below)
            rules.check_strict_ca(seen)
            rules.check_no_name_constraints(seen)
        except CertificateRejected:
            return False
        if self._signature_checks == MAX_SIGNATURE_CHECKS:
            detail = f"no path was found within {MAX_SIGNATURE_CHECKS} signatures"
            raise CertificateRejected(Reason.CERTIFICATE_CHAIN_TOO_LONG, detail)
        self._signature_checks += 1
        return signed_by(child, issuer)

    def _check_any(self, seen: rules.Seen) -> None:
        """What holds of every certificate of a path, the root included."""
        rules.check_version(seen)
        rules.check_dates(seen.certificate, seen.position, self._now)
        rules.check_key(seen.certificate, seen.position)
        rules.check_critical_extensions(seen)
        rules.check_purpose(seen, self._purpose)
