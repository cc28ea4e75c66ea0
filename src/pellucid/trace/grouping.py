"""Which step of the story an action belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.trace.agreed import Agreed
from pellucid.trace.details import GREAT_CHECKS, OPTIONAL_CHOICES
from pellucid.trace.events import (
    CertificateEvent,
    CheckEvent,
    ChoiceEvent,
    Event,
    KeysEvent,
    SecretEvent,
    other_side,
)
from pellucid.trace.explanations import event_id, is_extended
from pellucid.trace.paths import PathsEvent

__all__ = ["HELD", "OWN_CHOICES", "decided", "group_of", "has_failed", "is_by_onlooker"]

# Secrets that wait for the message they are for.
HELD = "held"
# What a client chooses by itself, for the certificate that it shows.
OWN_CHOICES = frozenset({"client_certificate", "signature_scheme"})
# What a Finished, or a binder, is made with: TLS 1.3 has a key for it, TLS 1.2 the very bytes.
_PROOFS = frozenset({"finished_key", "client_verify_data", "server_verify_data"})


# In this order the choices of TLS 1.2 are told, whichever had to be made first. The rest follows.
_ORDER = (
    *("version", "session", "cipher_suite", "group"),
    *("certificate", "client_certificate", "signature_scheme", "alpn"),
)


def decided(run: Sequence[Event], agreed: Agreed) -> list[Event]:
    """The actions of ``run``; in TLS 1.2 with its choices in order."""
    if not agreed.tls12:
        return list(run)
    choices = [event for event in run if isinstance(event, ChoiceEvent)]
    choices.sort(key=lambda event: _ORDER.index(event.what) if event.what in _ORDER else len(_ORDER))
    first = next((n for n, event in enumerate(run) if isinstance(event, ChoiceEvent)), 0)
    others = [event for event in run[first:] if not isinstance(event, ChoiceEvent)]
    return [*run[:first], *choices, *others]


def is_by_onlooker(event: Event) -> bool:
    """Whether who reads a capture has checked this."""
    return isinstance(event, CheckEvent | CertificateEvent | PathsEvent) and event.by_onlooker


def has_failed(event: Event) -> bool:
    """Whether this check or choice ends the handshake."""
    match event:
        case CheckEvent(what="ticket"):
            return False  # who comes with an old ticket gets a full handshake
        case CheckEvent() | CertificateEvent():
            return not event.ok
        case ChoiceEvent():
            return not event.chosen and event.what not in OPTIONAL_CHOICES
    return False


def group_of(event: Event, run: Sequence[Event], agreed: Agreed) -> str:
    """The id of the step of an action, one of ``run``, the actions of one side in a row."""
    if isinstance(event, SecretEvent):
        return _group_of_secret(event, run, agreed)
    variant = ":tls12" if agreed.tls12 else ""
    match event:
        case ChoiceEvent(what="kept_session"):
            return "step:offer"
        case ChoiceEvent(side="client", what="group") if agreed.tls12:
            return f"step:premaster:{agreed.key_exchange}"  # it comes with the server's share
        case ChoiceEvent(side="client"):
            return f"choice:client_certificate{variant}" if event.what in OWN_CHOICES else _answer(variant)
        case ChoiceEvent():
            return f"step:choose{variant}"
        case CertificateEvent() | CheckEvent(what="certificate_chain" | "certificate_signatures"):
            seen = ":seen" if event.by_onlooker else ""
            return f"certificate:{other_side(event.side)}{_unjudged(run) or seen}{variant}"
        case PathsEvent():
            return "step:paths"
        case CheckEvent():
            if event.what in GREAT_CHECKS:
                return event_id(event, agreed)
            if event.side == "client":
                return _answer(variant)
            # TLS 1.2 has nothing to check in what comes after the ClientHello that has no step of its own.
            return "step:choose:tls12" if agreed.tls12 else "step:verify"
        case KeysEvent():
            if event.epoch.startswith("application "):
                return "step:derive:updated"
            return _session_keys(agreed) if event.epoch == "session" else f"step:derive:{event.epoch}"
    return f"step:derive{variant}"


def _unjudged(run: Sequence[Event]) -> str:
    """A path is judged unless who tells it was given no roots to judge it by, as with a capture."""
    checks = {event.what for event in run if isinstance(event, CheckEvent)}
    return ":unjudged" if "certificate_signatures" in checks else ""


def _answer(variant: str) -> str:
    return f"step:answer{variant}"


def _session_keys(agreed: Agreed) -> str:
    return "step:derive:session:resuming" if agreed.resumed else "step:derive:session"


def _group_of_secret(secret: SecretEvent, run: Sequence[Event], agreed: Agreed) -> str:
    if secret.name in _PROOFS:
        return _use_of_proof(secret, run, agreed)
    if not agreed.tls12:
        return _derivation(secret.name, run)
    if secret.name == "premaster_secret":
        return f"step:premaster:{agreed.key_exchange}"
    if secret.name == "master_secret":
        return "step:master:extended" if is_extended(secret) else "step:master"
    if secret.name == "key_block" or "_write_" in secret.name:
        return _session_keys(agreed)
    return "step:derive:tls12"


def _use_of_proof(secret: SecretEvent, run: Sequence[Event], agreed: Agreed) -> str:
    """It is made to check a MAC, or to make one: then it belongs to the message that holds it."""
    for event in run[run.index(secret) :]:
        if isinstance(event, CheckEvent) and event.what in ("finished", "psk_binder"):
            return group_of(event, run, agreed)
    return HELD


def _derivation(name: str, run: Sequence[Event]) -> str:
    """TLS 1.3: which rung of the key schedule it is."""
    names = {event.name for event in run if isinstance(event, SecretEvent)}
    if name.startswith("resumption"):
        return "step:derive:resumption"
    if "application_traffic" in name:
        return "step:derive:application" if name.endswith("_0") else "step:derive:updated"
    rung = name in ("main_secret", "exporter_secret", "derived_handshake_secret")
    if rung and any("application" in other for other in names):
        return "step:derive:application"
    if "handshake" in name or name == "shared_secret" or "handshake_secret" in names:
        return "step:derive:handshake"
    if name in ("early_secret", "derived_early_secret", "binder_key", "psk", "external_psk"):
        return "step:derive:psk"
    return "step:derive"
