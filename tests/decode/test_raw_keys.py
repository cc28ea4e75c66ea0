"""Raw public keys (RFC 7250) in a capture: told as what they are, and what they have signed is checked."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from conversations import RAW_KINDS, Conversation, converse
from raw_keys import raw_credential
from watching12 import checks, decode, events_of, messages

from pellucid.decode import Decoded
from pellucid.trace.events import CertificateEvent, ChoiceEvent, MessageEvent
from pellucid.trace.narration import narrate
from pellucid.trace.pcapng import write_pcapng
from pellucid.trace.summary import summarise

each_kind = pytest.mark.parametrize("kind", RAW_KINDS)
#: By the side that checks.
SUBJECTS = {"client": raw_credential().subject, "server": raw_credential("ed25519", "client").subject}


@cache
def live(kind: str) -> Conversation:
    return converse(kind, reveal_secrets=True)


@cache
def decoded(kind: str) -> Decoded:
    (found,) = decode(b"".join(write_pcapng([live(kind).trace], live(kind).key_log)))
    return found


@each_kind
def test_the_messages_are_those_of_the_live_trace(kind: str) -> None:
    def read(events: list[Any]) -> list[Any]:
        return [(event.name, event.fields) for event in events if isinstance(event, MessageEvent)]

    assert messages(events_of(decoded(kind))) == messages(live(kind).trace.events)
    assert read(events_of(decoded(kind))) == read(live(kind).trace.events)


@each_kind
def test_both_keys_are_told_and_no_certificate(kind: str) -> None:
    events = events_of(decoded(kind))
    found = {check.side: check for check in checks(events, "raw_public_key")}
    assert {side: check.found for side, check in found.items()} == SUBJECTS
    assert all(check.ok and check.by_onlooker for check in found.values())
    assert not any(isinstance(event, CertificateEvent) for event in events)
    summary = summarise(events)
    assert (summary.server_key, summary.client_key) == (SUBJECTS["client"], SUBJECTS["server"])


@each_kind
def test_the_signatures_are_checked_with_these_keys(kind: str) -> None:
    events = events_of(decoded(kind))
    signed = checks(events, "certificate_verify") + checks(events, "server_key_exchange")
    assert len(signed) == 2
    assert all(check.ok and check.found == "it holds" for check in signed)


@each_kind
def test_what_was_agreed_on_is_told(kind: str) -> None:
    choices = {e.what: e.chosen for e in events_of(decoded(kind)) if isinstance(e, ChoiceEvent)}
    assert choices["server_certificate_type"] == "RawPublicKey"
    assert choices["client_certificate_type"] == "RawPublicKey"
    assert decoded(kind).outcome.mutual


@each_kind
def test_the_story_has_words_for_it(kind: str) -> None:
    steps = {step.id: step for step in narrate(events_of(decoded(kind)))}
    assert "message:Certificate:raw:server" in steps
    seen = [step for name, step in steps.items() if name.startswith("check:raw_public_key:seen")]
    assert seen
    assert all("a list, which a capture does not show" in step.purpose for step in seen)
