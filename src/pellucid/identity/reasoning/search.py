"""The search for paths from the leaf to a trusted certificate, over names and signatures.

Certificates come from the peer, and an attacker may send a thicket of them with equal names: the depth of a
path, the signatures checked in one search, the steps and the paths that are kept are limited.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from cryptography import x509

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity.profile import MAX_INTERMEDIATES
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.view import Evidence, Rule, View, holds
from pellucid.identity.rules import is_outside_pyca

#: A path without detours needs at most nine signatures checked (MAX_INTERMEDIATES and the leaf's); the rest
#: is room for cross-signed CAs. An ML-DSA-87 signature takes about 0.2 ms to check, so a hostile chain
#: costs a few milliseconds.
MAX_SIGNATURE_CHECKS = 32
#: Who explains may look a little longer: nobody waits for it in a handshake that goes well.
MAX_EXPLAINED_SIGNATURES = 64
#: Issuers tried in one search, known signatures included. Every pair of ten certificates is a hundred.
MAX_STEPS = 256
#: Paths that are told. Nobody reads more, and each costs its checks again.
MAX_CANDIDATES = 8


def find_path(
    case: Case, rules: Sequence[Rule], *, outside_pyca: bool = False
) -> tuple[x509.Certificate, ...] | None:
    """The first path from the leaf to a trusted certificate that holds every rule; None where there is none.

    Depth first from the leaf up, trusted certificates before sent ones. ``outside_pyca``: only paths with an
    issuer whose key pyca's verifier refuses, so that nothing gets through here that it has refused on its own
    ground. Raises CertificateRejected (``certificate_chain_too_long``) where the search ran into its limit.
    """
    return _Decision(case, rules, outside_pyca).run()


class _Decision:
    def __init__(self, case: Case, rules: Sequence[Rule], outside_pyca: bool) -> None:
        self._evidence = Evidence(case, MAX_SIGNATURE_CHECKS)
        self._needs_outside = outside_pyca
        self._steps = 0
        # Signatures come last, being what costs. "Below the anchor" is who has an issuer: asked with him.
        cheap = [rule for rule in rules if rule.name != "signature"]
        self._of_leaf = [rule for rule in cheap if rule.scope in ("leaf", "all")]
        self._of_issuers = [rule for rule in cheap if rule.scope in ("issuers", "all")]
        self._of_issued = [rule for rule in cheap if rule.scope == "below anchor"]

    def run(self) -> tuple[x509.Certificate, ...] | None:
        view = View(self._evidence, self._evidence.case.chain[:1], whole=False)
        return self._extend(view) if all(holds(rule, view, 0) for rule in self._of_leaf) else None

    def _extend(self, view: View) -> tuple[x509.Certificate, ...] | None:
        child, below = view.path[-1], len(view.path) - 1
        if below > MAX_INTERMEDIATES:
            return None
        issuer_name = self._evidence.fields(child).issuer
        if not all(holds(rule, view, below) for rule in self._of_issued):
            return None
        for root in self._evidence.case.trust.named(issuer_name):
            whole = View(self._evidence, (*view.path, root), whole=True, below=view)
            if self._is_wanted(whole) and self._issued(whole):
                return whole.path
        for issuer in self._evidence.sent.get(issuer_name, ()):
            longer = View(self._evidence, (*view.path, issuer), whole=False, below=view)
            if issuer not in view.path and self._issued(longer):
                found = self._extend(longer)
                if found is not None:
                    return found
        return None

    def _is_wanted(self, view: View) -> bool:
        return not self._needs_outside or any(map(is_outside_pyca, view.path[1:]))

    def _issued(self, view: View) -> bool:
        self._steps += 1
        if self._steps > MAX_STEPS:
            detail = f"no path was found within {MAX_STEPS} steps"
            raise CertificateRejected(Reason.CERTIFICATE_CHAIN_TOO_LONG, detail)
        position = len(view.path) - 1
        if not all(holds(rule, view, position) for rule in self._of_issuers):
            return False
        return self._evidence.signed_by(view.path[-2], view.path[-1])


class Route(NamedTuple):
    """A way from the leaf as far as it leads."""

    path: tuple[x509.Certificate, ...]
    #: At a trusted certificate; where nobody has the issuer; at an issuer of the right name whose key does
    #: not verify the signature; at a certificate that the path has had; at the greatest depth.
    end: Literal["trusted", "no_issuer", "bad_signature", "loop", "too_deep"]


class Routes(NamedTuple):
    """What a search found: those to a trusted certificate first, of the others the longest first."""

    routes: tuple[Route, ...]
    #: Whether it ran into one of its limits, and there may be more.
    cut_short: bool


def find_routes(evidence: Evidence) -> Routes:
    """The candidate paths, whether or not they hold any rule but names and signatures."""
    found: list[Route] = []
    cut_short = False
    trusted = 0
    leaf = evidence.case.chain[0]
    if evidence.case.trust.trusts_leaf(leaf):
        found.append(Route((leaf,), "trusted"))
    try:
        for step, route in enumerate(_walk(evidence, (leaf,))):
            if step == MAX_STEPS or trusted == MAX_CANDIDATES:
                cut_short = True
                break
            if route is not None:
                found.append(route)
                trusted += route.end == "trusted"
    except CertificateRejected:
        cut_short = True
    found.sort(key=lambda route: (_RANK[route.end], -len(route.path) if route.end != "trusted" else 0))
    if not found:
        found.append(Route((leaf,), "no_issuer"))
    return Routes(tuple(found[:MAX_CANDIDATES]), cut_short or len(found) > MAX_CANDIDATES)


_RANK = {"trusted": 0, "no_issuer": 1, "bad_signature": 2, "too_deep": 3, "loop": 4}


def _walk(evidence: Evidence, path: tuple[x509.Certificate, ...]) -> Iterator[Route | None]:
    """Every route on from ``path``, depth first; None is a step that ends none."""
    yield None
    child = path[-1]
    if len(path) - 1 > MAX_INTERMEDIATES:
        yield Route(path, "too_deep")
        return
    issuer_name = evidence.fields(child).issuer
    issued = looped = False
    for root in evidence.case.trust.named(issuer_name):
        if root in path:
            continue
        verified = evidence.signed_by(child, root)
        issued |= verified
        yield Route((*path, root), "trusted" if verified else "bad_signature")
    for issuer in evidence.sent.get(issuer_name, ()):
        if issuer in evidence.case.trust:
            continue
        if issuer in path:
            looped |= issuer != child
        elif evidence.signed_by(child, issuer):
            issued = True
            yield from _walk(evidence, (*path, issuer))
        else:
            yield Route((*path, issuer), "bad_signature")
    if not issued:
        yield Route(path, "loop" if looped else "no_issuer")
