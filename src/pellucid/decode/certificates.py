"""Certificates as an onlooker judges them: at the time of the connection, and without being asked.

What is wrong is told, and ends nothing: whether a handshake goes on is for those who shake hands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.decode.issuers import row_of
from pellucid.driver.judging import refused, summaries, tell_accepted, tell_paths, tell_refused
from pellucid.errors import CertificateRejected, Misuse
from pellucid.identity import MAX_CHAIN_LENGTH, TrustStore, VerifiedIdentity, verify_client, verify_server
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.names import parse_server_name
from pellucid.identity.pem import parse_certificate
from pellucid.identity.rules import (
    check_dates,
    check_name,
    has_pss_key,
    is_too_costly,
    look_at,
    patterns_in,
)
from pellucid.plain import plain
from pellucid.trace import CertificateSummary, TraceView
from pellucid.trace.events import Side, other_side

if TYPE_CHECKING:
    from pellucid.decode.flow import Watched

__all__ = ["Judgement", "Leaf", "judge", "judge_client"]

_AMONG_THEMSELVES = "each certificate signed by another of those sent, as far as they go"


@plain(frozen=True)
class Leaf:
    """Whose key the signatures of the handshake are checked with.

    ``rsa_pss_oid``: the key is one for PSS alone (RFC 9846 4.3.3).
    """

    public_key: Any
    rsa_pss_oid: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of the certificates that one side has shown, in the words of a check.

    ``by_roots``: there were roots to judge by. ``reason``: the id of the rule that failed, or "".
    ``top``: the root's subject, where the path holds; ``missing``: whose certificate would have to come next,
    where there were none. ``name_fault``, ``date_fault``: what is wrong with the leaf in these respects,
    whatever else is; or "".
    """

    by_roots: bool
    reason: str
    found: str
    top: str = ""
    missing: str = ""
    name_fault: str = ""
    date_fault: str = ""


def judge(w: Watched, whose: Side, chain: tuple[bytes, ...], *, key_exchange: bool = False) -> Leaf | None:
    """Tell what there is to say of ``chain`` (DER, leaf first), which ``whose`` side has shown.

    The name is the one in the ClientHello; where it has none, any name of the certificate will do, as the one
    that the client wanted is not known. Without trusted roots only signatures are checked. ``key_exchange``:
    the leaf's key is for RSA key exchange. Never raises for what stands in a certificate; gives None where
    the leaf or its key cannot be used.
    """
    view = w.view(other_side(whose))
    leaf = _readable(chain[0], 0) if chain else None
    if w.trust is None:
        judgement = _tell_signatures(view, whose, chain)
    else:
        name = "" if whose == "client" else w.server_name or _any_name(leaf)
        judgement = _tell_path(w, view, w.trust, _Shown(whose, chain, name, key_exchange))
    w.judged[whose] = replace(
        judgement,
        name_fault=_name_fault(leaf, w.server_name) if whose == "server" else "",
        date_fault=_date_fault(leaf, w.now),
    )
    key = _key(leaf)
    if leaf is None or key is None:
        return None
    return Leaf(key, has_pss_key(leaf))


def judge_client(w: Watched, chain: tuple[bytes, ...]) -> Leaf | None:
    """The same for what a client shows that was asked: it may show nothing."""
    w.agreed["mutual"] = bool(chain)
    if chain:
        return judge(w, "client", chain)
    w.view("client").choice(what="client_certificate", chosen="", rule="it shows none")
    return None


class _Shown(NamedTuple):
    """What one side has shown, and what it has to be good for."""

    whose: Side
    chain: tuple[bytes, ...]
    name: str
    key_exchange: bool

    def verify(self, trust: TrustStore, now: float) -> VerifiedIdentity:
        if self.whose == "client":
            return verify_client(self.chain, trust, now)
        return verify_server(self.chain, self.name or None, trust, now, key_exchange=self.key_exchange)


def _tell_path(w: Watched, view: TraceView, trust: TrustStore, shown: _Shown) -> Judgement:
    whose, chain = shown.whose, shown.chain

    def worded(sentence: str) -> str:
        return re.sub(r"\bthe peer\b", f"the {whose}", sentence)

    try:
        identity = shown.verify(trust, w.now)
    except Misuse as error:
        # The name in the ClientHello is none that a certificate could be for.
        fault = worded(error.detail)
        tell_refused(view, whose, _alike(chain, range(len(chain)), str(error.reason)), fault)
        return Judgement(by_roots=True, reason=str(error.reason), found=fault)
    except CertificateRejected as error:
        fault = worded(error.detail)
        tell_refused(view, whose, refused(chain[:MAX_CHAIN_LENGTH], error), fault)
        if w.explains():
            name = parse_server_name(shown.name) if shown.name else None
            tell_paths(view, whose, chain, trust, name, w.now, key_exchange=shown.key_exchange, worded=worded)
        return Judgement(by_roots=True, reason=str(error.reason), found=fault)
    path, found = tell_accepted(view, whose, identity)
    return Judgement(by_roots=True, reason="", found=found, top=path[-1].subject)


def _tell_signatures(view: TraceView, whose: Side, chain: Sequence[bytes]) -> Judgement:
    row = row_of(chain, [_readable(der, place) for place, der in enumerate(chain)])
    places = range(len(chain)) if row.fault else row.places
    path = _alike(chain, places, "not checked" if row.fault else "ok")
    view.certificate(whose=whose, path=path, ok=not row.fault)
    count = f"{len(places)} certificate{'' if len(places) == 1 else 's'}"
    unjudged = "no trusted roots were given, so whether to trust them was not judged"
    found = row.fault or "; ".join((count, *row.notes, unjudged))
    view.check(what="certificate_signatures", expected=_AMONG_THEMSELVES, found=found, ok=not row.fault)
    return Judgement(
        by_roots=False, reason="bad_certificate" if row.fault else "", found=found, missing=row.missing
    )


def _name_fault(leaf: Any | None, name: str) -> str:
    if leaf is None or not name:
        return ""
    try:
        check_name(look_at(leaf, 0), parse_server_name(name))
    except (CertificateRejected, Misuse) as error:
        return error.detail
    return ""


def _date_fault(leaf: Any | None, now: float) -> str:
    if leaf is None:
        return ""
    try:
        check_dates(leaf, 0, now)
    except CertificateRejected as error:
        return error.detail
    return ""


def _readable(der: bytes, place: int) -> Any | None:
    try:
        return parse_certificate(der, f"certificate {place}")
    except (Misuse, *UNDECODABLE):
        return None


def _alike(chain: Sequence[bytes], places: Sequence[int], verdict: str) -> list[CertificateSummary]:
    """What can be told of those at these places, all with the same verdict."""
    return summaries((chain[place], verdict) for place in places[:MAX_CHAIN_LENGTH])


def _key(leaf: Any | None) -> Any | None:
    """Of whatever kind, and however short: what is wrong with it, its signature can be looked at."""
    if leaf is None or is_too_costly(leaf):
        return None
    try:
        return leaf.public_key()
    except UNDECODABLE:
        return None


def _any_name(leaf: Any | None) -> str:
    """A name that the certificate is for; a wildcard's star stands for any label."""
    if leaf is None:
        return ""
    try:
        patterns = patterns_in(look_at(leaf, 0))
    except CertificateRejected:
        return ""
    return patterns.names[0].replace("*", "any") if patterns and patterns.names else ""
