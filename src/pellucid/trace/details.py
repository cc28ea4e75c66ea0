"""The particulars under a step: rows of label, value and note, and from which verbosity they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.trace.agreed import NOTHING, Agreed
from pellucid.trace.events import (
    CertificateEvent,
    CheckEvent,
    ChoiceEvent,
    Event,
    KeysEvent,
    MessageEvent,
    Redacted,
    SealedEvent,
    SecretEvent,
)
from pellucid.trace.explanations import event_id, explanation
from pellucid.trace.fingerprints import fingerprints
from pellucid.trace.paths import PathsEvent

__all__ = ["GREAT_CHECKS", "OPTIONAL_CHOICES", "Detail", "details_of", "ladder", "protection_of", "shown"]


# Checks that deserve a step of their own; the others of one message are told together, in a line each.
GREAT_CHECKS = frozenset(
    {
        *("certificate_chain", "certificate_signatures", "raw_public_key", "revocation"),
        *("certificate_verify", "finished", "psk_binder", "ticket"),
        *("server_key_exchange", "dh_group", "own_signature"),
    }
)

# No session to resume, no client certificate (and so no scheme for it), no staple: the handshake goes on
# without.
OPTIONAL_CHOICES = frozenset(
    {
        *("psk", "session", "kept_session", "stapled_status"),
        *("client_certificate", "client_certificate_type", "signature_scheme"),
    }
)


@dataclass(frozen=True, slots=True)
class Detail:
    """One row. ``level`` is the verbosity from which it is shown: 0 always, 1 with fields, 2 with bytes."""

    label: str
    value: str
    note: str = ""
    level: int = 0
    ok: bool = True


def protection_of(side: str, epoch: str) -> str:
    """In words, under which key a message travels: "in the clear", "server's handshake key"."""
    if epoch == "plaintext":
        return "in the clear"
    name, _, count = epoch.partition(" ")
    return f"{side}'s {name} key" + (f" {count}" if count else "")


def shown(value: str | bytes | Redacted) -> str:
    """A value of the trace as text: hex for bytes, length and fingerprint for what is redacted."""
    return value.hex() if isinstance(value, bytes) else str(value)


def ladder(events: Iterable[Event], agreed: Agreed = NOTHING) -> list[str]:
    """The explanation ids of the secrets among ``events``, in order."""
    return [event_id(event, agreed) for event in events if isinstance(event, SecretEvent)]


def details_of(events: Sequence[Event], agreed: Agreed = NOTHING, *, brief: bool = False) -> list[Detail]:
    """Rows for all actions among ``events``; ``brief`` when the other side's were the same."""
    rows: list[Detail] = []
    secrets = [
        event.name
        for event in events
        if isinstance(event, SecretEvent) and not event.name.startswith("derived_")
    ]
    if secrets:
        rows.append(Detail("makes", _made(secrets), level=1 if brief else 0))
    for event in events:
        match event:
            case MessageEvent(name="ClientHello"):
                rows += _fingerprints(event)
            case ChoiceEvent():
                rows += _choice(event, agreed)
            case CheckEvent():
                rows += _check(event)
            case CertificateEvent():
                rows += _certificate(event)
            case PathsEvent():
                rows += _paths(event)
            case SecretEvent():
                rows.append(Detail(event.name, shown(event.value), level=1))
                rows.append(Detail("", f"= {event.formula}", note=event.used_for, level=1))
                rows += [Detail("", f"{label}: {shown(item)}", level=2) for label, item in event.inputs]
            case KeysEvent():
                label = f"{event.direction} key"
                rows.append(Detail(label, shown(event.key), note=event.cipher_suite, level=1))
                if event.mac_key:
                    rows.append(Detail(f"{event.direction} MAC key", shown(event.mac_key), level=1))
                if event.iv:
                    rows.append(Detail(f"{event.direction} IV", shown(event.iv), level=1))
            case SealedEvent():
                rows += _sealed(event, brief=brief)
    return rows


def _fingerprints(event: MessageEvent) -> list[Detail]:
    found = fingerprints(event.raw)
    return [Detail("JA3", found.ja3, level=1), Detail("JA4", found.ja4, level=1)] if found else []


def _made(names: list[str]) -> str:
    """One secret from the other; those that are made from the same one stand beside each other."""
    if "key_block" in names:
        pieces = names[names.index("key_block") + 1 :]
        names = names[: names.index("key_block") + 1]
        return " → ".join([*names, ", ".join(_brief(pieces))])
    return " → ".join(_brief(names)).replace(" → exporter_secret", ", exporter_secret")


def _brief(names: list[str]) -> list[str]:
    """``client_x`` and ``server_x`` next to each other become one: ``client_ and server_x``."""
    brief: list[str] = []
    for name in names:
        previous = brief[-1] if brief else ""
        if name.startswith("server_") and previous == "client_" + name.removeprefix("server_"):
            brief[-1] = f"client_ and {name}"
        elif name != previous:
            brief.append(name)
    return brief


def _title(event: Event) -> str:
    found = explanation(event_id(event))
    return found.title if found else event.kind


def _choice(event: ChoiceEvent, agreed: Agreed) -> list[Detail]:
    fine = bool(event.chosen)
    optional = event.what in OPTIONAL_CHOICES
    nothing = _NOTHING.get(event.what, "none that fits" if optional else "nothing in common")
    rule = event.rule if fine or event.what in _RESUMPTIONS else ""
    rows = [Detail(_title(event), event.chosen or nothing, note=rule, ok=fine or optional)]
    if event.what == "cipher_suite" and event.chosen == agreed.cipher_suite:
        rows += _suite(agreed)
    other = "client" if event.side == "server" else "server"
    for whose, values in ((event.side, event.ours), (other, event.theirs)):
        if values:
            rows.append(Detail(f"{whose} has", ", ".join(values), level=1 if fine or optional else 0))
    return rows


_NOTHING = {"session": "none, so everything anew", "kept_session": "not offered"}
# Where there is none of these the rule says why not.
_RESUMPTIONS = frozenset({"session", "kept_session", "psk"})


def _suite(agreed: Agreed) -> list[Detail]:
    """A suite of TLS 1.2 taken apart. The pieces that a resumed session has no use for are left out."""
    if agreed.suite is None:
        return []
    parts = list(agreed.suite.parts(encrypt_then_mac=agreed.encrypt_then_mac))
    if agreed.resumed:
        parts = [part for part in parts if part.role not in ("key exchange", "server's proof")]
    rows = [Detail(f"· {part.role}", f"{part.name}: {part.text}") for part in parts]
    return rows + [Detail("· lacks", f"{part.lacks}: {part.why}") for part in parts if part.lacks]


# By whether it is right, and whether it is a ticket: those may come too late without any fault.
_VERDICTS = {
    (True, False): "as it must be",
    (True, True): "taken",
    (False, False): "WRONG",
    (False, True): "not taken",
}


# More than one thing may be right.
_TOLD_AS_FOUND = frozenset({"extended_master_secret"})


def _check(event: CheckEvent) -> list[Detail]:
    level = 1 if event.ok else 0
    rows = []
    if event.what not in GREAT_CHECKS or not event.ok:
        found = event.found if event.ok and event.what in _TOLD_AS_FOUND else ""
        rows.append(Detail(_title(event), found or _VERDICTS[event.ok, event.what == "ticket"], ok=event.ok))
    if event.expected == event.found:
        return [*rows, Detail("both", event.found, note="expected and found", level=level, ok=event.ok)]
    return [
        *rows,
        Detail("expected", event.expected, level=level),
        Detail("found", event.found, level=level, ok=event.ok),
    ]


def _sealed(event: SealedEvent, *, brief: bool) -> list[Detail]:
    found = explanation(event_id(event))
    rows = [Detail("here", event.detail)] if event.detail else []
    return [*rows, Detail("to open it", found.fix)] if found and found.fix and not brief else rows


def _certificate(event: CertificateEvent) -> list[Detail]:
    rows: list[Detail] = []
    for index, summary in enumerate(event.path):
        label = "leaf" if index == 0 else "root" if summary.subject == summary.issuer else "signed by"
        fine = summary.verdict == "ok"
        rows.append(Detail(label, summary.subject, note=summary.key if fine else summary.verdict, ok=fine))
        if summary.names:
            rows.append(Detail("names", ", ".join(summary.names), level=1))
        rows.append(Detail("valid", f"{summary.not_before} to {summary.not_after}", level=1))
        rows.append(Detail("signature", summary.signature_algorithm, level=1))
    return rows


# Candidate paths whose faults are told without being asked. Those that lead furthest come first, and who
# sends a thicket of certificates is not to fill the screen.
_FULLY_TOLD = 2


def _paths(event: PathsEvent) -> list[Detail]:
    rows: list[Detail] = []
    for number, candidate in enumerate(event.candidates):
        fine = not candidate.failed
        rows.append(Detail("path", candidate.line, note="every rule holds" if fine else "", ok=fine))
        for check in candidate.checks:
            if check.ok:
                found = f"{check.position}: {check.found}"
                rows.append(Detail(f"· {check.rule}", found, note=check.rfc, level=1))
            else:
                level = 0 if number < _FULLY_TOLD else 1
                rows.append(Detail(f"· {check.rule}", check.found, note=check.rfc, level=level, ok=False))
    if event.cut_short:
        rows.append(Detail("path", "there may be more: the search has limits"))
    said = {check.found for candidate in event.candidates for check in candidate.failed}
    for verdict in event.verdicts:
        note = "" if verdict.accepted or verdict.sentence in said else verdict.sentence
        said.add(verdict.sentence)
        rows.append(Detail(verdict.profile, verdict.short, note=note, ok=verdict.accepted))
    return rows
