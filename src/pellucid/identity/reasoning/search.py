"""The search for paths from the leaf to a trusted certificate, over names and signatures.

Certificates come from the peer, and an attacker may send a thicket of them with equal names: the depth of a
path, the signatures checked in one search, the steps and the paths that are kept are limited.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from cryptography import x509

from pellucid.errors import CertificateRejected, Reason
from pellucid.identity.profile import MAX_INTERMEDIATES
from pellucid.identity.reasoning.case import Case
from pellucid.identity.reasoning.view import Evidence, Rule, View, holds

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
    case: Case,
    rules: Sequence[Rule],
    wanted: Callable[[tuple[x509.Certificate, ...]], bool] | None = None,
) -> tuple[x509.Certificate, ...] | None:
    """The first path from the leaf to a trusted certificate that holds every rule; None where there is none.

    Depth first from the leaf up, trusted certificates before sent ones. ``wanted``: only paths of which it
    says yes. Raises CertificateRejected (``certificate_chain_too_long``) where the search ran into its limit.
    """
    return _Decision(case, rules, wanted).run()


class _Decision:
    def __init__(
        self,
        case: Case,
        rules: Sequence[Rule],
        wanted: Callable[[tuple[x509.Certificate, ...]], bool] | None,
    ) -> None:
        self._evidence = Evidence(case, MAX_SIGNATURE_CHECKS)
        self._wanted = wanted
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
        if not all(holds(rule, view, below) for rule in self._of_issued):
            return None
        trusted, sent = self._evidence.issuers(child)
        for root in trusted:
            # RFC 5280 6.1: "A certificate MUST NOT appear more than once"
            if root in view.path:
                continue
            whole = View(self._evidence, (*view.path, root), whole=True, below=view)
            if (self._wanted is None or self._wanted(whole.path)) and self._issued(whole):
                return whole.path
        for issuer in sent:
            longer = View(self._evidence, (*view.path, issuer), whole=False, below=view)
            if issuer not in view.path and self._issued(longer):
                found = self._extend(longer)
                if found is not None:
                    return found
        return None

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
    #: Whether there are, or may be, more than these.
    cut_short: bool
    #: Whether it came to its end: where it ran into a limit, nobody knows what else there is.
    complete: bool


def find_routes(evidence: Evidence) -> Routes:
    """The candidate paths, whether or not they hold any rule but names and signatures."""
    found: list[Route] = []
    complete = True
    trusted = 0
    leaf = evidence.case.chain[0]
    if evidence.case.trust.trusts_leaf(leaf):
        found.append(Route((leaf,), "trusted"))
    try:
        for step, route in enumerate(_walk(evidence, (leaf,))):
            if step == MAX_STEPS or trusted == MAX_CANDIDATES:
                complete = False
                break
            if route is not None:
                found.append(route)
                trusted += route.end == "trusted"
    except CertificateRejected:
        complete = False
    found.sort(key=lambda route: (_RANK[route.end], -len(route.path) if route.end != "trusted" else 0))
    if not found:
        found.append(Route((leaf,), "no_issuer"))
    return Routes(tuple(found[:MAX_CANDIDATES]), not complete or len(found) > MAX_CANDIDATES, complete)


_RANK = {"trusted": 0, "no_issuer": 1, "bad_signature": 2, "too_deep": 3, "loop": 4}


def _walk(evidence: Evidence, path: tuple[x509.Certificate, ...]) -> Iterator[Route | None]:
    """Every route on from ``path``, depth first; None is a step that ends none."""
    yield None
    child = path[-1]
    if len(path) - 1 > MAX_INTERMEDIATES:
        yield Route(path, "too_deep")
        return
    trusted, sent = evidence.issuers(child)
    issued = looped = False
    for root in trusted:
        if root in path:
            continue
        verified = evidence.signed_by(child, root)
        issued |= verified
        yield Route((*path, root), "trusted" if verified else "bad_signature")
    for issuer in sent:
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
