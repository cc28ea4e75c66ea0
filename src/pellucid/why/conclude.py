"""What follows from all that was tried, and no more than that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.why.effects import Effect, Tried
from pellucid.why.factors import Factor
from pellucid.why.plan import NAMES_NO_CAUSE
from pellucid.why.seen import Seen, Stage
from pellucid.why.signers import same_other_key

__all__ = ["Finding", "comes_and_goes", "conclude"]

#: With these a server answers a client that has no certificate for it: as RFC 9846 4.5.1.3 and RFC 5246 7.4.6
#: have it; as one does that has certificates judged by the application; and as GnuTLS 3.7 does.
_WITHOUT_CERTIFICATE = frozenset(
    {"certificate_required", "handshake_failure", "bad_certificate", "access_denied", "decode_error"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What makes the difference.

    first       what the first connection showed; ``tried`` the further ones, in order
    untried     factors for which there was no time, or no connection left
    isolated    the factors each of which, changed alone, gets past the failure; empty: none does.
                ``decisive``: those of ``tried`` that showed it; ``repeated``: and showed it again
    cause       the id of the cause, "" where it stays open; ``proved``: by what was tried, not by what the
                first connection showed alone
    steady      whether the same again failed the same, and what got past got past again; None where the
                first of these was not asked or not answered
    by_other_key   the server's signatures are good, by one key that is not the certificate's
    """

    first: Seen
    tried: tuple[Tried, ...]
    untried: tuple[Factor, ...] = ()
    isolated: tuple[Factor, ...] = ()
    decisive: tuple[Tried, ...] = ()
    repeated: bool = False
    cause: str = ""
    proved: bool = False
    steady: bool | None = None
    by_other_key: bool = False


def conclude(first: Seen, tried: Sequence[Tried], untried: Iterable[Factor]) -> Finding:
    """What a first connection and further ones come to; ``untried`` are the factors that were left out."""
    made = {one.probe.factor for one in tried}
    left_out = tuple(dict.fromkeys(factor for factor in untried if factor not in made))
    known = "" if first.failure in NAMES_NO_CAUSE else first.failure
    if comes_and_goes(tried):
        return Finding(first=first, tried=tuple(tried), untried=left_out, cause=known, steady=False)
    steady = True if _repetitions(tried, Factor.NOTHING) else None
    decisive = _decisive(first, tried)
    isolated = _factors(decisive, tried)
    repeated = bool(decisive) and all(_repetitions(tried, one.probe.factor) for one in decisive)
    by_other_key = first.failure == "bad_signature" and _one_key(first, tried)
    cause = ""
    if by_other_key:
        cause = "key_does_not_match_certificate"
    elif steady and repeated and len(isolated) == 1:
        # Otherwise it may be chance; or something that what helps has in common.
        causes = {_cause_of(one, first) for one in decisive}
        cause = causes.pop() if len(causes) == 1 else ""
    return Finding(
        first=first,
        tried=tuple(tried),
        untried=left_out,
        isolated=isolated,
        decisive=tuple(decisive),
        repeated=repeated,
        cause=cause or known,
        proved=bool(cause),
        steady=steady,
        by_other_key=by_other_key,
    )


def comes_and_goes(tried: Sequence[Tried]) -> bool:
    """Whether the same has gone in two ways: unchanged, or with a change that had made a difference."""
    unchanged = _repetitions(tried, Factor.NOTHING)
    changed = [one for one in tried if one.probe.repeats and one.answered]
    return any(one.effect is not Effect.SAME for one in unchanged) or not all(one.differs for one in changed)


def _repetitions(tried: Sequence[Tried], factor: Factor) -> list[Tried]:
    """Of this factor those that had been tried before, and that the server let come as far as TLS."""
    again = factor is Factor.NOTHING
    of_it = [one for one in tried if one.probe.factor is factor and one.answered]
    return [one for one in of_it if again or one.probe.repeats]


def _decisive(first: Seen, tried: Sequence[Tried]) -> list[Tried]:
    found = [one for one in tried if one.differs and not one.probe.repeats]
    agreed = [one for one in found if one.seen.stage >= Stage.RETRIED]
    if first.stage < Stage.RETRIED and agreed:
        # An alert in the place of silence is no way past the failure where something else is.
        found = agreed
    short = [one for one in found if one.probe.factor is Factor.HELLO_SIZE]
    if short and _explained_by_length(tried, found):
        return short
    return found


def _explained_by_length(tried: Sequence[Tried], found: Sequence[Tried]) -> bool:
    """Whether all that got past was shorter than all that did not, one as long without hybrids among them."""
    stuck = [one for one in tried if not one.further and one.probe.factor is not Factor.NOTHING]
    countered = any(one.probe.counters for one in stuck)
    longest = max(one.seen.hello_length for one in found)
    return countered and all(one.seen.hello_length > longest for one in stuck)


def _factors(decisive: Sequence[Tried], tried: Sequence[Tried]) -> tuple[Factor, ...]:
    factors = _each_once(one.probe.factor for one in decisive)
    if any(one.probe.counters and one.further for one in tried):
        # As long, and it gets through: it was what the share is of, not its length.
        return _each_once(Factor.GROUPS if one is Factor.HELLO_SIZE else one for one in factors)
    return factors


def _cause_of(one: Tried, first: Seen) -> str:
    """The cause that a decisive change proves; "" where it shows only on what the failure depends."""
    probe, seen = one.probe, one.seen
    if probe.factor is Factor.CLIENT_CERTIFICATE:
        return _about_certificate(one, first)
    if first.stage >= Stage.NEGOTIATED or seen.stage < Stage.RETRIED:
        return ""
    match probe.factor:
        # The server takes what it is offered more, and had refused all else.
        case Factor.CIPHER_SUITES if seen.cipher_suite in probe.added:
            return "no_shared_cipher_suite"
        case Factor.GROUPS if seen.group in probe.added:
            return "no_shared_group"
        case Factor.SIGNATURE_SCHEMES if seen.scheme in probe.added:
            return "no_shared_signature_scheme"
        # By version, protocol and name a server chooses among settings and certificates of its own, of which
        # any may be what is wrong; so it has to have said itself that it is this.
        case Factor.VERSION if seen.protocol in probe.added:
            return _as_said(first, "no_shared_version")
        case Factor.ALPN if seen.alpn in probe.added or not probe.widens:
            return _as_said(first, "alpn_mismatch")
        case Factor.NAME:
            return _as_said(first, "unrecognized_name")
    return ""


def _as_said(first: Seen, cause: str) -> str:
    return cause if first.failure == cause and first.direction == "received" else ""


def _about_certificate(one: Tried, first: Seen) -> str:
    """Without one of ours, or with it, it failed; with a stranger's, or without ours, it went otherwise."""
    if one.probe.widens:
        # That a stranger's is refused as such says nothing of an alert that had another reason.
        said = first.direction == "received" and first.alert in _WITHOUT_CERTIFICATE
        return "client_certificate_missing" if one.further or said else ""
    said = first.failure == "client_certificate_untrusted"
    return "client_certificate_untrusted" if one.further or said else ""


def _each_once(factors: Iterable[Factor]) -> tuple[Factor, ...]:
    return tuple(dict.fromkeys(factors))


def _one_key(first: Seen, tried: Sequence[Tried]) -> bool:
    failed = [one.seen for one in tried if one.seen.failure == "bad_signature"]
    return any(same_other_key(first, other) for other in failed)
