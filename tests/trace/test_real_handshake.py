"""The trace of the engine itself: nothing in it goes unexplained, unnamed or untold."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import TLSError
from pellucid.identity.lab import Laboratory
from pellucid.sessions import TicketKeys
from pellucid.trace import CertificateEvent, MessageEvent, SecretEvent, Trace
from pellucid.trace.explanations import event_id, explain
from pellucid.trace.json import dumps, schema, to_json
from pellucid.trace.narration import narrate
from pellucid.trace.summary import summarise

NOW = 1_767_225_600.0


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory(b"trace tests", NOW)


def talk(client: ClientConnection, server: ServerConnection) -> list[TLSError]:
    """Carry bytes until nobody has any; what each side raised."""
    errors: list[TLSError] = []
    moved = True
    while moved:
        moved = False
        for source, target in ((client, server), (server, client)):
            while out := source.data_to_send():
                moved = True
                try:
                    target.receive_data(out)
                except TLSError as error:
                    errors.append(error)
    return errors


def converse(client: ClientConfig, server: ServerConfig, **trace_options: Any) -> Trace:
    """A whole connection with data, a key update and close_notify, both sides in one trace."""
    trace = Trace(clock=itertools.count().__next__, **trace_options)
    us = ClientConnection(replace(client, trace=trace), "localhost")
    them = ServerConnection(replace(server, trace=trace))
    errors = talk(us, them)
    if not errors:
        us.send_data(b"hello")
        us.key_update()
        them.send_data(b"hello yourself")
        talk(us, them)
        us.close()
        them.close()
        talk(us, them)
    return trace


@pytest.fixture(scope="module")
def traces(laboratory: Laboratory) -> dict[str, Trace]:
    """One trace of each kind of handshake."""
    client = ClientConfig(trust=laboratory.trust, clock=lambda: NOW, alpn_protocols=["h2"])
    server = ServerConfig(
        credentials=[laboratory.credential()],
        clock=lambda: NOW,
        alpn_protocols=["h2"],
        cookie=True,
        tickets=TicketKeys(os.urandom, lambda: NOW),
    )
    mutual = {"trust": laboratory.trust, "client_authentication": "required"}
    stranger = Laboratory(b"another", NOW)
    retry = replace(client, groups=["x25519", "secp384r1"], key_shares=["x25519"])
    return {
        "full": converse(client, server),
        "resumed": converse(client, server),
        "mutual": converse(
            replace(client, sessions=None, credentials=[laboratory.credential(purpose="client")]),
            replace(server, **mutual),
        ),
        "retry": converse(replace(retry, sessions=None), replace(server, groups=["secp384r1"])),
        "no shared group": converse(
            replace(client, sessions=None, groups=["x25519"], key_shares=None),
            replace(server, groups=["secp521r1"]),
        ),
        "unknown root": converse(replace(client, sessions=None, trust=stranger.trust), server),
        "client certificate missing": converse(replace(client, sessions=None), replace(server, **mutual)),
    }


KINDS = (
    "full",
    "resumed",
    "mutual",
    "retry",
    "no shared group",
    "unknown root",
    "client certificate missing",
)


@pytest.fixture(params=KINDS)
def trace(request: pytest.FixtureRequest, traces: dict[str, Trace]) -> Trace:
    return traces[request.param]


def test_every_event_is_explained(trace: Trace) -> None:
    assert sorted({event_id(event) for event in trace.events if explain(event) is None}) == []


def test_the_document_follows_its_schema(trace: Trace) -> None:
    Draft202012Validator(schema()).validate(to_json(trace))


def test_every_step_has_a_title_and_a_purpose(trace: Trace) -> None:
    assert [step for step in narrate(trace.events) if not (step.title and step.purpose)] == []


def test_every_message_is_told(trace: Trace) -> None:
    told = [
        event for step in narrate(trace.events) for event in step.events if isinstance(event, MessageEvent)
    ]
    assert told == [e for e in trace.events if isinstance(e, MessageEvent) and e.direction == "sent"]


def test_fields_are_named_and_lie_within_their_parent(trace: Trace) -> None:
    def check(fields: Any, start: int, end: int) -> None:
        for field in fields:
            assert field.name
            assert start <= field.offset <= field.offset + field.length <= end
            check(field.fields, field.offset, field.offset + field.length)

    for event in trace.events:
        if isinstance(event, MessageEvent):
            check(event.fields, 0, len(event.raw))


@pytest.mark.parametrize("kind", ["full", "mutual", "resumed", "retry"])
def test_a_plain_story_is_short_enough_to_read(traces: dict[str, Trace], kind: str) -> None:
    assert 20 <= len(narrate(traces[kind].events)) <= 42  # the demo has no key update, and two steps less


@pytest.mark.parametrize("kind", ["full", "mutual", "resumed", "retry"])
def test_both_sides_come_to_the_same_secrets(traces: dict[str, Trace], kind: str) -> None:
    def secrets(side: str) -> set[tuple[str, str]]:
        events = (e for e in traces[kind].events if isinstance(e, SecretEvent) and e.side == side)
        return {(event.name, str(event.value)) for event in events}

    shared = {"shared_secret", "handshake_secret", "main_secret", "client_handshake_traffic_secret"}
    assert {pair for pair in secrets("client") if pair[0] in shared} == {
        pair for pair in secrets("server") if pair[0] in shared
    }
    assert shared <= {name for name, _ in secrets("client")}


def test_a_redacted_document_holds_no_secret_of_a_revealed_one(laboratory: Laboratory) -> None:
    def streams() -> Iterator[Trace]:
        for reveal in (False, True):
            counter = itertools.count()
            entropy = lambda size: bytes(next(counter) % 256 for _ in range(size))  # noqa: B023, E731
            client = ClientConfig(
                trust=laboratory.trust, clock=lambda: NOW, entropy=entropy, groups=["x25519"]
            )
            server = ServerConfig(
                credentials=[laboratory.credential("ed25519")], clock=lambda: NOW, entropy=entropy
            )
            yield converse(client, server, reveal_secrets=reveal)

    redacted, revealed = (dumps(trace) for trace in streams())
    secrets = re.findall(r'"(?:value|key|iv)": "([0-9a-f]{24,})"', revealed)
    # A field of a message is on the wire, under a key that is redacted; a secret never is.
    values = {e["value"] for e in to_json_events(revealed) if e["kind"] == "secret"}
    values |= {e[name] for e in to_json_events(revealed) if e["kind"] == "keys" for name in ("key", "iv")}
    assert len(secrets) > 10
    assert len(values) > 10
    assert [value for value in values if value in redacted] == []


def to_json_events(text: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(text)["events"]
    return events


def test_the_summary_says_who_was_proved(traces: dict[str, Trace]) -> None:
    full, mutual = summarise(traces["full"].events), summarise(traces["mutual"].events)
    assert full.server_identity is not None
    assert full.server_identity.subject == "CN=localhost"
    assert full.client_identity is None
    assert mutual.client_identity is not None


@pytest.mark.parametrize("kind, trips", [("full", 1), ("resumed", 1), ("mutual", 1), ("retry", 2)])
def test_the_summary_counts_round_trips(traces: dict[str, Trace], kind: str, trips: int) -> None:
    trace = traces[kind]
    assert summarise(trace.events).round_trips == trips
    assert summarise([event for event in trace.events if event.side == "server"]).round_trips == trips


def test_both_sides_count_the_same_bytes(traces: dict[str, Trace]) -> None:
    def sizes(side: str) -> tuple[int, int]:
        summary = summarise([event for event in traces["full"].events if event.side == side])
        return summary.bytes_from_client, summary.bytes_from_server

    assert sizes("client") == sizes("server")
    assert min(sizes("client")) > 500


@pytest.mark.parametrize(
    "kind, identifier",
    [
        ("no shared group", "no_shared_group"),
        ("unknown root", "unknown_root"),
        ("client certificate missing", "client_certificate_missing"),
    ],
)
def test_a_failure_has_its_id(traces: dict[str, Trace], kind: str, identifier: str) -> None:
    document = to_json(traces[kind])
    assert document["outcome"]["status"] == "failed"
    assert document["outcome"]["failure"]["id"] == identifier
    assert document["outcome"]["failure"]["direction"] == "sent"


def test_change_cipher_spec_is_told_where_it_is_on_the_wire(traces: dict[str, Trace]) -> None:
    def order(kind: str) -> list[str]:
        return [
            f"{step.side} {step.title}" for step in narrate(traces[kind].events) if step.kind == "message"
        ]

    assert order("full")[:4] == [
        "client ClientHello",
        "server ServerHello",
        "server ChangeCipherSpec",
        "server EncryptedExtensions",
    ]
    assert order("retry")[:5] == [
        "client ClientHello",
        "server HelloRetryRequest",
        "server ChangeCipherSpec",
        "client ChangeCipherSpec",
        "client ClientHello, again",
    ]


@pytest.mark.parametrize(
    "trusted, validity, verdicts",
    [
        (True, (NOW - 200, NOW - 100), ["certificate_expired", "not checked"]),
        (False, None, ["not checked", "unknown_root"]),
    ],
    ids=["an expired leaf", "a root that is not trusted"],
)
def test_a_refused_chain_has_its_fault_at_the_certificate_that_has_it(
    trusted: bool, validity: tuple[float, float] | None, verdicts: list[str]
) -> None:
    elsewhere, trace = Laboratory(b"elsewhere", NOW), Trace()
    trust = elsewhere.trust if trusted else Laboratory(b"here", NOW).trust
    client = ClientConnection(ClientConfig(trust=trust, clock=lambda: NOW, trace=trace), "localhost")
    server = ServerConnection(ServerConfig(credentials=[elsewhere.credential(validity=validity)]))
    assert talk(client, server)
    (judged,) = (event for event in trace.events if isinstance(event, CertificateEvent))
    assert [one.verdict for one in judged.path] == verdicts


def test_a_client_that_refuses_sends_its_change_cipher_spec_before_the_alert() -> None:
    trace = Trace()
    trust = Laboratory(b"here", NOW).trust
    client = ClientConnection(ClientConfig(trust=trust, clock=lambda: NOW, trace=trace), "localhost")
    server = ServerConnection(ServerConfig(credentials=[Laboratory(b"elsewhere", NOW).credential()]))
    assert talk(client, server)
    told = [step.title for step in narrate(trace.events) if step.kind == "message" and step.side == "client"]
    assert told == ["ClientHello", "ChangeCipherSpec", "unknown_ca"]
