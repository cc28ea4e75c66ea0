"""The trace of TLS 1.2's flows: nothing in it goes unexplained, unnamed or untold."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from loopback import client_config, clock, credential, server_config
from pages import converse as converse_openly

from pellucid import ClientConfig, ServerConfig
from pellucid.identity.lab import Laboratory
from pellucid.sessions import SessionCache, SessionStore, TicketKeys
from pellucid.trace import CheckEvent, ChoiceEvent, Event, MessageEvent, SecretEvent, Trace
from pellucid.trace.agreed import agreed_in
from pellucid.trace.explanations import event_id, explain
from pellucid.trace.json import schema, to_json
from pellucid.trace.narration import Step, narrate
from pellucid.trace.summary import summarise

#: What is recorded as usual: the fingerprints of secrets.
converse = partial(converse_openly, reveal=False)


def old(**knobs: Any) -> dict[str, Any]:
    return {"policy": "compatible", "protocols": ["TLSv1.2"]} | knobs


RSA, ECDHE, DHE = (
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
KEYS = {RSA: "rsa", ECDHE: "ecdsa", DHE: "rsa"}


def both(suite: str, **server_knobs: Any) -> tuple[ClientConfig, ServerConfig]:
    return (
        client_config(**old(sessions=SessionStore())),
        server_config(
            **old(cipher_suites=[suite], credentials=[credential(KEYS[suite])], session_cache=SessionCache()),
            **server_knobs,
        ),
    )


@pytest.fixture(scope="module")
def traces() -> dict[str, Trace]:
    """One trace of each kind of handshake."""
    found: dict[str, Trace] = {}
    for name, suite in (("rsa", RSA), ("ecdhe", ECDHE), ("dhe", DHE)):
        client, server = both(suite, tickets=TicketKeys(os.urandom, clock))
        found[name] = converse(client, server)
        found[f"{name}, by ticket"] = converse(client, server)
        found[f"{name}, not resumed"] = converse(
            client, replace(server, tickets=TicketKeys(os.urandom, clock))
        )
    client, server = both(ECDHE, tickets=False)
    for name in ("session ID", "by session ID"):
        found[name] = converse(client, server)
    client, server = both(DHE, client_authentication="required")
    found["mutual"] = converse(
        replace(client, credentials=[credential("ecdsa", "client")], encrypt_then_mac=False), server
    )
    client, server = both(RSA)
    found["no extended secret"] = converse(replace(client, extended_master_secret="never"), server)
    found["mac then encrypt"] = converse(replace(client, encrypt_then_mac=False), server)
    found["both versions offered"] = converse(
        client_config(sessions=None), server_config(**old(cipher_suites=[ECDHE]))
    )
    found["unknown root"] = converse(replace(client, trust=Laboratory(b"another", clock()).trust), server)
    found["nothing in common"] = converse(replace(client, cipher_suites=[ECDHE]), server)
    found["no certificate"] = converse(*both(ECDHE, client_authentication="required"))
    return found


KINDS = (
    *("rsa", "ecdhe", "dhe", "mutual", "no extended secret", "mac then encrypt", "both versions offered"),
    *("rsa, by ticket", "ecdhe, by ticket", "dhe, by ticket", "session ID", "by session ID"),
    *("rsa, not resumed", "ecdhe, not resumed", "dhe, not resumed"),
    *("unknown root", "nothing in common", "no certificate"),
)
CONNECTED = KINDS[:-3]
RESUMED = tuple(kind for kind in KINDS if " by " in f" {kind}")


@pytest.fixture(params=KINDS)
def trace(request: pytest.FixtureRequest, traces: dict[str, Trace]) -> Trace:
    return traces[request.param]


def of_client(trace: Trace) -> list[Event]:
    return [event for event in trace.events if event.side == "client"]


def test_there_is_a_trace_of_each_kind(traces: dict[str, Trace]) -> None:
    assert set(traces) == set(KINDS)
    for kind, trace in traces.items():
        outcome = summarise(trace.events).outcome
        assert outcome is not None
        assert (outcome.status == "connected") == (kind in CONNECTED), kind
        assert outcome.resumed == (kind in RESUMED), kind


def test_every_event_is_explained(trace: Trace) -> None:
    agreed = agreed_in(trace.events)
    unexplained = [event for event in trace.events if explain(event, agreed) is None]
    assert sorted({event_id(event, agreed) for event in unexplained}) == []


def test_the_document_follows_its_schema(trace: Trace) -> None:
    Draft202012Validator(schema()).validate(to_json(trace))


def test_every_message_is_told_once_and_in_order(trace: Trace) -> None:
    told = [
        event for step in narrate(trace.events) for event in step.events if isinstance(event, MessageEvent)
    ]
    assert told == [e for e in trace.events if isinstance(e, MessageEvent) and e.direction == "sent"]


def test_every_step_has_a_title_and_a_purpose(trace: Trace) -> None:
    for events in (trace.events, of_client(trace)):
        assert [step for step in narrate(events) if not (step.title and step.purpose)] == []


def test_every_message_is_read_to_its_end(trace: Trace) -> None:
    for event in trace.events:
        if isinstance(event, MessageEvent):
            meanings = [field.meaning for field in event.fields]
            assert "not readable" not in meanings, event.name
            assert sum(field.length for field in event.fields) == len(event.raw), event.name


def test_no_step_is_told_twice_on_one_side(trace: Trace) -> None:
    for events in (trace.events, of_client(trace)):
        actions = [(step.side, step.id) for step in narrate(events) if step.kind == "action"]
        assert len(set(actions)) == len(actions)


def test_every_step_is_right_until_something_fails(traces: dict[str, Trace]) -> None:
    for kind in CONNECTED:
        assert [step for step in narrate(traces[kind].events) if not step.ok] == [], kind


@pytest.mark.parametrize("kind", CONNECTED)
def test_both_sides_come_to_the_same_secrets(traces: dict[str, Trace], kind: str) -> None:
    def secrets(side: str) -> set[tuple[str, str]]:
        events = (e for e in traces[kind].events if isinstance(e, SecretEvent) and e.side == side)
        return {(event.name, str(event.value)) for event in events}

    assert secrets("client") == secrets("server")
    assert {"key_block", "client_write_key", "client_verify_data"} <= {name for name, _ in secrets("client")}


def step_of(trace: Trace, identifier: str) -> Step:
    return next(step for step in narrate(trace.events) if step.id.startswith(identifier))


@pytest.mark.parametrize("kind", RESUMED)
def test_the_abbreviated_handshake_says_by_what(traces: dict[str, Trace], kind: str) -> None:
    rows = {row.label: row.value for row in step_of(traces[kind], "step:choose").details}
    assert rows["resumption"] == ("session ID" if "ID" in kind else "ticket")
    assert summarise(traces[kind].events).round_trips == 1
    by = "" if "ID" in kind else ":ticket"
    assert summarise(traces[kind].events).forward_secrecy == f"forward_secrecy:session{by}"


def test_why_a_session_was_not_resumed_is_said(traces: dict[str, Trace]) -> None:
    row = next(
        row
        for row in step_of(traces["ecdhe, not resumed"], "step:choose").details
        if row.label == "resumption"
    )
    assert (row.value, row.note, row.ok) == ("none, so everything anew", "unknown", True)


def test_what_takes_the_place_of_the_extended_secret_is_told(traces: dict[str, Trace]) -> None:
    purposes = [
        step_of(traces[kind], "step:master").purpose for kind in ("no extended secret", "mac then encrypt")
    ]
    assert "both randoms" in purposes[0]
    assert "hash of all messages" in purposes[1]


@pytest.mark.parametrize("kind, why", [("rsa", "refused unread"), ("mac then encrypt", "Lucky 13")])
def test_what_cbc_lacks_depends_on_encrypt_then_mac(traces: dict[str, Trace], kind: str, why: str) -> None:
    lacks = [row.value for row in step_of(traces[kind], "step:choose").details if row.label == "· lacks"]
    assert any(why in lack for lack in lacks)


def test_a_hello_that_offers_both_versions_is_told_as_that(traces: dict[str, Trace]) -> None:
    purpose = narrate(traces["both versions offered"].events)[0].purpose
    assert "all versions" in purpose


def test_a_failure_does_not_accuse_what_was_merely_tried(traces: dict[str, Trace]) -> None:
    failure = to_json(traces["nothing in common"])["outcome"]["failure"]
    assert failure["id"] == "no_shared_cipher_suite"
    assert "For " not in failure["observed"]
    assert failure["observed"].count(ECDHE) == 1  # what the error says already is not said again


def test_each_choice_and_check_has_words_for_its_id(traces: dict[str, Trace]) -> None:
    """What a flow may record in some case that is not among these would show as the bare kind."""
    for trace in traces.values():
        for step in narrate(trace.events):
            kinds = {event.kind for event in step.events if isinstance(event, ChoiceEvent | CheckEvent)}
            assert not kinds & {row.label for row in step.details}
