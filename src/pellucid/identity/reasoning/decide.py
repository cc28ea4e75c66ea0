"""The decision: is there a path that the profile accepts? Nothing is looked at twice on the way to success.

"web": pyca's verifier judges, and what it leaves out is added: name constraints on the forms that it does not
know. Chains through Ed25519, Ed448 and ML-DSA CAs, which it refuses, are searched here by rules as strict.
*Such a path is accepted only if at least one certificate that issues in it has one of those other keys*, so
nothing that pyca has refused on its own ground can get through.

"private": the search decides alone, by RFC 5280 6.1 (``profiles.PRIVATE``).
"""

# What searches is loaded by who needs it: pyca's yes to the web's chains needs nothing of it, and takes no
# 5 ms more to load.
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from pellucid.errors import CertificateRejected
from pellucid.identity import rules
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.profile import policy_for
from pellucid.identity.reasoning.case import Case

if TYPE_CHECKING:
    from pellucid.identity.reasoning.view import Rule

#: Leaf first, a trusted certificate last.
Path: TypeAlias = tuple[x509.Certificate, ...]
#: Whether a path that holds the rules is one of those that are looked for.
Wanted: TypeAlias = Callable[[Path], bool]


def accept(case: Case, profile: str) -> tuple[x509.Certificate, ...]:
    """The accepted path, leaf first. Raises CertificateRejected with the rule that no path holds."""
    leaf = case.chain[0]
    path, refusal = _private_path(case) if profile == "private" else _web_path(case)
    if path is None and case.trust.trusts_leaf(leaf):
        path = (leaf,)
        check_trusted_leaf(case)
    if path is None:
        from pellucid.identity.reasoning.diagnose import diagnose

        raise diagnose(case, refusal, profile)
    case.trust.check_pins(path)
    return path


def _private_path(case: Case) -> tuple[Path | None, str]:
    """The path, or None and why not."""
    from pellucid.identity.reasoning.profiles import PRIVATE

    return _search(case, PRIVATE), "no path holds every rule"


def _web_path(case: Case) -> tuple[Path | None, str]:
    policy = case.trust.policy(case.purpose)
    if policy is None:
        return None, f"{case.trust.description} is empty"
    try:
        path = _pyca(policy, case)
    # Anything but VerificationError comes from pyca's describing a certificate that it cannot decode.
    except (VerificationError, *UNDECODABLE) as error:
        return strict_path(case), str(error)
    try:
        _check_beyond_pyca(case, path)
    except CertificateRejected:
        other = _another_path(case, path)
        if other is None:
            raise
        path = other
    return path, ""


def strict_path(case: Case) -> Path | None:
    """A path of the web's profile through a CA that pyca's verifier does not judge, or None.

    Raises CertificateRejected (``certificate_chain_too_long``) where the search ran into its limit.
    """
    if not (case.trust.outside_pyca or any(map(rules.is_outside_pyca, case.chain[1:]))):
        return None
    from pellucid.identity.reasoning.profiles import WEB_OUTSIDE

    return _search(case, WEB_OUTSIDE, lambda path: any(map(rules.is_outside_pyca, path[1:])))


def _search(case: Case, wanted_rules: Sequence[Rule], wanted: Wanted | None = None) -> Path | None:
    """The first path that holds the rules, and where keys are pinned, the first with such a key. If there is
    none with it, then without: it will be refused for that.
    """
    from pellucid.identity.reasoning.search import find_path

    has_pin = case.trust.has_pin
    if case.trust.pins:
        path = find_path(case, wanted_rules, lambda path: has_pin(path) and (not wanted or wanted(path)))
        if path is not None:
            return path
    return find_path(case, wanted_rules, wanted)


def _check_beyond_pyca(case: Case, path: Path) -> None:
    """What pyca's verifier leaves out. Raises CertificateRejected."""
    _add_name_constraints(case, path)
    case.trust.check_pins(path)


def _another_path(case: Case, refused: Path) -> Path | None:
    """pyca's verifier gives one path and no second one. So it is asked about each other way by itself."""
    from pellucid.identity.reasoning.search import MAX_EXPLAINED_SIGNATURES, find_routes
    from pellucid.identity.reasoning.view import Evidence

    for route in find_routes(Evidence(case, MAX_EXPLAINED_SIGNATURES)).routes:
        if route.end != "trusted" or route.path == refused:
            continue
        alone = policy_for(Store([route.path[-1]]), case.purpose)
        try:
            path = _pyca(alone, case._replace(chain=route.path[:-1] or route.path))
            _check_beyond_pyca(case, path)
        except (VerificationError, CertificateRejected, *UNDECODABLE):
            continue
        return path
    return None


def check_trusted_leaf(case: Case) -> None:
    """A leaf that is itself one of the trusted certificates: raises CertificateRejected for what it lacks."""
    from pellucid.identity.reasoning.profiles import TRUSTED_LEAF
    from pellucid.identity.reasoning.view import Evidence, View

    view = View(Evidence(case, 0), case.chain[:1], whole=True)
    for rule in TRUSTED_LEAF:
        rule.check(view, 0)


def _pyca(policy: PolicyBuilder, case: Case) -> Path:
    """pyca's verdict: the path, leaf first. Raises VerificationError."""
    leaf, intermediates = case.chain[0], list(case.chain[1:])
    timed = policy.time(rules.moment_of(case.now))
    if case.name is None:
        return tuple(timed.build_client_verifier().verify(leaf, intermediates).chain)
    return tuple(timed.build_server_verifier(case.name.general_name).verify(leaf, intermediates))


def _add_name_constraints(case: Case, path: Path) -> None:
    """pyca evaluates those on DNS names and addresses in subjectAltName; RFC 5280 4.2.1.10: "Applications
    conforming to this profile MUST be able to process name constraints that are imposed on the directoryName
    name form".
    """
    if not any(map(_has_name_constraints, path[1:])):
        return
    from pellucid.identity.reasoning.catalogue import NAME_CONSTRAINTS
    from pellucid.identity.reasoning.view import Evidence, View

    view = View(Evidence(case, 0), path, whole=True)
    for position in range(1, len(path)):
        NAME_CONSTRAINTS.check(view, position)


@lru_cache(maxsize=64)
def _has_name_constraints(certificate: x509.Certificate) -> bool:
    """Whether it may have some: a look at its bytes, for the way to success, where 3 us each count."""
    return b"\x06\x03\x55\x1d\x1e" in certificate.tbs_certificate_bytes
