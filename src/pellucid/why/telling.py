"""An investigation in words: what each connection showed, and what follows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pellucid.printable import printable
from pellucid.trace.texts import Place, filled, texts
from pellucid.why.conclude import Finding
from pellucid.why.effects import Effect, Tried
from pellucid.why.factors import Factor
from pellucid.why.plan import MOST_PROBES
from pellucid.why.seen import Seen, Stage

__all__ = ["conclusion", "confirm", "fix", "short_name", "showed"]

_TEXTS = "why.toml"

#: How far a connection came that then failed.
_REACHED = {
    Stage.ANSWERED: "an answer came",
    Stage.RETRIED: "a HelloRetryRequest came",
    Stage.NEGOTIATED: "a ServerHello came",
    Stage.CERTIFIED: "the server's certificate holds",
    Stage.COMPLETED: "the handshake was complete",
}


#: Options that a change stands in the place of, or that do not fit to it.
_REPLACED = {
    Factor.CIPHER_SUITES: ("--suite",),
    Factor.GROUPS: ("--group",),
    Factor.HELLO_SIZE: ("--group",),
    Factor.VERSION: ("--tls", "--suite", "--group", "--policy"),
    Factor.ALPN: ("--alpn",),
}

#: What to do about a server that takes a version which was not offered.
_OTHER_VERSION = (
    "Offer the version that the server takes; or look at what it has for this one: whether it is enabled, "
    "and with which cipher suites and certificates."
)


def short_name(factor: Factor) -> str:
    """A factor in a word or two."""
    return texts(_TEXTS)[factor]["short"]


def showed(one: Tried, first: Seen) -> str:
    """What one further connection showed beside the first, in a phrase."""
    seen = one.seen
    if seen.stage is Stage.UNREACHED:
        return f"TLS did not begin ({_failed(seen)})"
    match one.effect:
        case Effect.CONNECTED:
            return f"connected: {_agreed(one)}{_other_leaf(seen, first)}"
        case Effect.FURTHER:
            agreed = f" ({_agreed(one)})" if seen.stage >= Stage.NEGOTIATED else ""
            return f"further: {_REACHED[seen.stage]}{agreed}, then {_failed(seen)}{_other_leaf(seen, first)}"
        case Effect.SAME:
            return f"the same{_same_leaf(seen, first)}{_other_leaf(seen, first)}{_not_shown(one)}"
        case Effect.OTHER:
            return f"otherwise: {_failed(seen)}{_other_leaf(seen, first)}{_not_shown(one)}"
    return f"not even so far: {_failed(seen)}"


def _agreed(one: Tried) -> str:
    """What the server took; where something was offered more, that."""
    seen, added = one.seen, one.probe.added
    taken = (seen.protocol, seen.cipher_suite, seen.group, seen.scheme, seen.alpn)
    new = [name for name in taken if name and name in added]
    return f"the server took {' and '.join(new)}" if new else f"{seen.protocol} {seen.cipher_suite}".strip()


def _failed(seen: Seen) -> str:
    if seen.direction == "received":
        return f"{seen.failure}, alert {seen.alert} received"
    return seen.failure


def _other_leaf(seen: Seen, first: Seen) -> str:
    if seen.leaf is None or seen.leaf == first.leaf:
        return ""
    if first.leaf is None:
        return f"; its certificate is for {_first(seen.leaf.names)}" if _names_matter(seen) else ""
    names = _first(seen.leaf.names) or printable(seen.leaf.subject)
    return f"; another certificate, for {names} ({seen.leaf.key}, until {seen.leaf.not_after[:10]})"


def _first(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:3]))


def _names_matter(seen: Seen) -> bool:
    return seen.failure == "hostname_mismatch" and seen.leaf is not None and bool(seen.leaf.names)


def _same_leaf(seen: Seen, first: Seen) -> str:
    return ", with the same certificate" if seen.leaf is not None and seen.leaf == first.leaf else ""


def _not_shown(one: Tried) -> str:
    wanted = one.probe.factor is Factor.CLIENT_CERTIFICATE and one.probe.widens
    if not wanted or one.seen.shown or not one.seen.asked:
        return ""
    return " (it was not shown: the server names authorities, and none of them has issued it)"


# -- what follows


def conclusion(finding: Finding) -> list[str]:
    """What was found, in sentences: what it is, on what that rests, and what stays open."""
    said = _known(finding) + _main(finding)
    if finding.proved:
        inferred = "" if finding.by_other_key else texts("failures.toml")[finding.cause]["inferred"] + " "
        said.append(f"{inferred}That is {finding.cause}.")
    if finding.isolated and finding.steady:
        once = "got past it again." if finding.repeated else "was tried once alone."
        said.append(f"With nothing changed it failed in the same way again; what was changed {once}")
    elif finding.isolated:
        said.append("With nothing changed it was not tried again, so that this may be chance.")
    if finding.untried:
        labels = ", ".join(_label(factor) for factor in finding.untried)
        said.append(f"There was no time, or none of {MOST_PROBES} connections left, to try: {labels}.")
    return said


def _known(finding: Finding) -> list[str]:
    if not finding.cause or finding.proved:
        return []
    return [f"The first connection tells by itself what it is: {finding.cause}."]


def _main(finding: Finding) -> list[str]:
    if finding.by_other_key:
        return [
            "The signatures are good, all by one key that is not the certificate's: damage would not do that."
        ]
    if finding.steady is False:
        unchanged = [one for one in finding.tried if one.probe.factor is Factor.NOTHING]
        went = texts(_TEXTS)["nothing"]["isolated"]
        if all(one.effect is Effect.SAME for one in unchanged):
            went = "The failure comes and goes: what got past it once did not do so again."
        return [went, "So what was changed cannot be told from chance."]
    if len(finding.isolated) == 1:
        factor = finding.isolated[0]
        said = [f"What makes the difference: {_label(factor)}."]
        return said if finding.proved else [*said, texts(_TEXTS)[factor]["isolated"], *_about_length(finding)]
    if finding.isolated:
        labels = "; ".join(_label(factor) for factor in finding.isolated)
        return [f"Each of these alone makes the difference: {labels}."]
    return _nothing(finding)


def _about_length(finding: Finding) -> list[str]:
    """Whether it is the length of the ClientHello, or what was left out of it."""
    shorter = [one for one in finding.tried if one.probe.factor is Factor.HELLO_SIZE and one.further]
    counters = [one for one in finding.tried if one.probe.counters]
    short = f"{min(one.seen.hello_length for one in shorter):,}" if shorter else ""
    match finding.isolated[0], counters:
        case Factor.HELLO_SIZE, [one, *_]:
            long = f"{one.seen.hello_length:,}"
            said = f"One of {short} bytes does, and one of {long} without anything post-quantum does not."
            return [f"{said} So it goes with the length, and not with what is post-quantum in it."]
        case Factor.HELLO_SIZE, []:
            return ["Whether for its length or for what was left out was not tried."]
        case Factor.GROUPS, [one, *_]:
            long = f"{one.seen.hello_length:,}"
            return [f"Without post-quantum ones {long} bytes get through as well: it is not the length."]
    return []


def _nothing(finding: Finding) -> list[str]:
    if not finding.tried and not finding.untried:
        why = {
            Stage.UNREACHED: "No ClientHello went out, so that nothing in it can have mattered.",
            Stage.CONNECTED: "The connection is fine: there is nothing to ask.",
        }
        return [why.get(finding.first.stage, "There is nothing in a ClientHello that could change this.")]
    made = [one for one in finding.tried if one.probe.factor is not Factor.NOTHING]
    changes = [one for one in made if one.answered]
    if made and not changes:
        return ["Nothing is isolated: none of the further connections came as far as a ClientHello."]
    what = f"none of {len(changes)} changes gets past the failure" if changes else "no change was tried"
    if len(changes) == 1:
        what = "the one change does not get past the failure"
    return [f"Nothing is isolated: {what}."]


def _label(factor: Factor) -> str:
    return texts(_TEXTS)[factor]["label"]


def fix(finding: Finding, place: Place) -> str:
    """What to do, at this host and port; "" where no more is known than the first connection says."""
    text = ""
    if finding.steady is False:
        text = texts(_TEXTS)["nothing"]["fix"]
    elif finding.proved:
        text = texts("failures.toml")[finding.cause].get("fix", "")
    elif finding.isolated == (Factor.VERSION,) and finding.decisive[0].probe.widens:
        text = _OTHER_VERSION
    elif len(finding.isolated) == 1:
        text = texts(_TEXTS)[finding.isolated[0]]["fix"]
    return filled(text, place)


def confirm(finding: Finding, place: Place, given: Sequence[tuple[str, ...]] = ()) -> str:
    """A command that does what worked; "" where nothing did, or no option does it.

    ``given``: the options, with their values, with which the first connection was made.
    """
    for one in finding.decisive:
        option = _option(one) if one.effect is Effect.CONNECTED else ""
        if option:
            replaced = _REPLACED[one.probe.factor]
            kept = [shlex.join(each) for each in given if each[0] not in replaced]
            return filled(" ".join(("pellucid connect {host}:{port}", *kept, option)), place)
    return ""


def _option(one: Tried) -> str:
    seen = one.seen
    match one.probe.factor:
        case Factor.CIPHER_SUITES if seen.cipher_suite:
            return f"--suite {seen.cipher_suite}"
        case Factor.GROUPS if seen.group:
            return f"--group {seen.group}"
        case Factor.HELLO_SIZE:
            return f"--group {one.probe.settings['key_shares'][0]}"
        case Factor.VERSION if seen.protocol:
            return f"--tls {seen.protocol.removeprefix('TLSv')}"
        case Factor.ALPN if one.probe.widens and seen.alpn:
            return f"--alpn {seen.alpn}"
    return ""
