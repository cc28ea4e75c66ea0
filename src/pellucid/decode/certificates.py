"""Certificates as an onlooker judges them: at the time of the connection, and without being asked.

What is wrong is told, and ends nothing: whether a handshake goes on is for those who shake hands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pellucid.driver.judging import refused
from pellucid.errors import CertificateRejected, Misuse
from pellucid.identity import MAX_CHAIN_LENGTH, VerifiedIdentity, verify_client, verify_server
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.path import signed_by
from pellucid.identity.pem import parse_certificate
from pellucid.identity.rules import is_too_costly, look_at, patterns_in
from pellucid.plain import plain
from pellucid.trace import CertificateSummary, TraceView, summary_of
from pellucid.trace.events import Side, other_side

if TYPE_CHECKING:
    from pellucid.decode.flow import Watched

__all__ = ["Leaf", "judge", "judge_client"]

_TO_A_ROOT = "a path to a trusted root"
_IN_A_ROW = "each certificate signed by the next"

# RFC 8017 C: id-RSASSA-PSS, of a key that signs by PSS alone.
_RSASSA_PSS = "1.2.840.113549.1.1.10"


@plain(frozen=True)
class Leaf:
    """Whose key the signatures of the handshake are checked with.

    ``rsa_pss_oid``: the key is one for PSS alone (RFC 9846 4.3.3).
    """

    public_key: Any
    rsa_pss_oid: bool


def judge(w: Watched, whose: Side, chain: tuple[bytes, ...], *, key_exchange: bool = False) -> Leaf | None:
    """Tell what there is to say of ``chain`` (DER, leaf first), which ``whose`` side has shown.

    The name is the one in the ClientHello; where it has none, any name of the certificate will do, as the one
    that the client wanted is not known. Without trusted roots only signatures are checked. ``key_exchange``:
    the leaf's key is for RSA key exchange. Never raises for what stands in a certificate; gives None where
    the leaf or its key cannot be used.
    """
    view = w.view(other_side(whose))
    leaf = _readable(chain[0], 1) if chain else None
    trust = w.trust
    if trust is None:
        _tell_signatures(view, whose, chain)
    elif whose == "client":
        _tell_path(view, whose, chain, lambda: verify_client(chain, trust, w.now))
    else:
        name = w.server_name or _any_name(leaf) or None
        _tell_path(
            view,
            whose,
            chain,
            lambda: verify_server(chain, name, trust, w.now, key_exchange=key_exchange),
        )
    key = _key(leaf)
    if leaf is None or key is None:
        return None
    return Leaf(key, leaf.public_key_algorithm_oid.dotted_string == _RSASSA_PSS)


def judge_client(w: Watched, chain: tuple[bytes, ...]) -> Leaf | None:
    """The same for what a client shows that was asked: it may show nothing."""
    w.agreed["mutual"] = bool(chain)
    if chain:
        return judge(w, "client", chain)
    w.view("client").choice(what="client_certificate", chosen="", rule="it shows none")
    return None


def _tell_path(
    view: TraceView,
    whose: Side,
    chain: Sequence[bytes],
    verify: Callable[[], VerifiedIdentity],
) -> None:
    try:
        identity = verify()
    except (CertificateRejected, Misuse) as error:
        # Misuse: the name in the ClientHello is none that a certificate could be for.
        path = (
            refused(chain[:MAX_CHAIN_LENGTH], error)
            if isinstance(error, CertificateRejected)
            else _summaries(chain, str(error.reason))
        )
        view.certificate(whose=whose, path=path, ok=False)
        view.check(what="certificate_chain", expected=_TO_A_ROOT, found=error.detail, ok=False)
        return
    view.certificate(whose=whose, path=[summary_of(one) for one in identity.path], ok=True)
    found = f"{len(identity.path)} certificates, to a trusted root"
    view.check(what="certificate_chain", expected=_TO_A_ROOT, found=found, ok=True)


def _tell_signatures(view: TraceView, whose: Side, chain: Sequence[bytes]) -> None:
    fault = _fault_in_row(chain)
    view.certificate(whose=whose, path=_summaries(chain, "ok" if not fault else "not checked"), ok=not fault)
    count = f"{len(chain)} certificate{'' if len(chain) == 1 else 's'}"
    found = fault or f"{count}; no trusted roots were given, so whether to trust them was not judged"
    view.check(what="certificate_signatures", expected=_IN_A_ROW, found=found, ok=not fault)


def _fault_in_row(chain: Sequence[bytes]) -> str:
    """Why not each certificate is signed by the next, or ""."""
    if not chain:
        return "there is no certificate"
    if len(chain) > MAX_CHAIN_LENGTH:
        return f"{len(chain)} certificates; up to {MAX_CHAIN_LENGTH} are looked at"
    certificates = [_readable(der, number) for number, der in enumerate(chain, 1)]
    for number, (child, issuer) in enumerate(pairwise(certificates), 1):
        if child is None or issuer is None:
            continue
        if is_too_costly(issuer) or not signed_by(child, issuer):
            return f"certificate {number} is not signed by certificate {number + 1}"
    unreadable = [str(number) for number, one in enumerate(certificates, 1) if one is None]
    return f"certificate {', '.join(unreadable)} cannot be read" if unreadable else ""


def _readable(der: bytes, number: int) -> Any | None:
    try:
        return parse_certificate(der, f"certificate {number}")
    except (Misuse, *UNDECODABLE):
        return None


def _summaries(chain: Sequence[bytes], verdict: str) -> list[CertificateSummary]:
    """What can be told of a chain; a certificate that cannot be read is left out."""
    certificates = (_readable(der, number) for number, der in enumerate(chain[:MAX_CHAIN_LENGTH], 1))
    summaries = []
    for certificate in certificates:
        try:
            summaries += [summary_of(certificate, verdict)] if certificate is not None else []
        except UNDECODABLE:
            continue
    return summaries


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
