"""An explanation of a chain as an event: recorded from its shape, told in the story, written as JSON."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pellucid.trace import PathsEvent, Trace
from pellucid.trace.details import details_of
from pellucid.trace.html import page
from pellucid.trace.json import schema, to_json
from pellucid.trace.narration import narrate
from pellucid.trace.paths import path_parts


def certificate(subject: str) -> Any:
    return SimpleNamespace(subject=SimpleNamespace(rfc4514_string=lambda: subject))


def check(rule: str, position: int, found: str, *, ok: bool = True) -> Any:
    return SimpleNamespace(
        rule=rule, position=position, ok=ok, expected="it holds", found=found, rfc="RFC 5280 6"
    )


REPORT = SimpleNamespace(
    candidates=(
        SimpleNamespace(
            certificates=(certificate("CN=leaf"), certificate("CN=ro\not")),
            end="trusted",
            checks=(check("dates", 0, "in date"), check("name", 0, "is for another name", ok=False)),
        ),
    ),
    verdicts={
        "web": SimpleNamespace(
            profile="web", accepted=False, rule="name", reason="hostname_mismatch",
            sentence="is for another name",
        ),
        "openssl": SimpleNamespace(
            profile="openssl", accepted=True, rule="", reason=None, sentence="2 certificates"
        ),
    },
    differs=("name",),
    cut_short=True,
)  # fmt: skip


@pytest.fixture
def trace() -> Trace:
    trace = Trace(clock=lambda: 0.0)
    trace.view("client").paths(whose="server", **path_parts(REPORT))
    return trace


def test_it_is_recorded_by_its_shape(trace: Trace) -> None:
    (event,) = trace.events
    assert isinstance(event, PathsEvent)
    (candidate,) = event.candidates
    assert candidate.line == '"CN=leaf" > "CN=ro\\u000aot"'  # what a peer wrote is made fit to be shown
    assert [one.rule for one in candidate.failed] == ["name"]
    assert [verdict.short for verdict in event.verdicts] == ["refuses it by name", "accepts it"]
    assert not event.ok


def test_the_document_follows_the_schema(trace: Trace) -> None:
    document = to_json(trace)
    Draft202012Validator(schema()).validate(document)
    (event,) = document["events"]
    assert (event["kind"], event["whose"], event["differs"], event["cut_short"]) == (
        *("paths", "server", ["name"], True),
    )
    assert event["candidates"][0]["certificates"] == ["CN=leaf", "CN=ro\\u000aot"]
    assert event["candidates"][0]["checks"][1]["found"] == "is for another name"
    assert event["verdicts"][1] == {
        "profile": "openssl", "accepted": True, "rule": "", "reason": "", "sentence": "2 certificates",
    }  # fmt: skip


def test_it_is_a_step_of_its_own(trace: Trace) -> None:
    (step,) = narrate(trace.events)
    assert (step.side, step.kind, step.ok) == ("client", "action", True)
    assert step.title == "goes through the candidate paths"
    assert step.rfc == "RFC 5280 6.1"


def test_the_details_say_what_breaks_and_who_minds(trace: Trace) -> None:
    rows = [(row.label, row.value, row.level, row.ok) for row in details_of(trace.events)]
    assert ("· name", "is for another name", 0, False) in rows
    assert ("· dates", "0: in date", 1, True) in rows
    assert ("web", "refuses it by name", 0, False) in rows
    assert ("openssl", "accepts it", 0, True) in rows
    assert any("more" in value for _, value, _, _ in rows)


def test_nothing_is_said_twice(trace: Trace) -> None:
    rows = details_of(trace.events)
    assert sum("is for another name" in f"{row.value} {row.note}" for row in rows) == 1


def test_the_page_has_it(trace: Trace) -> None:
    text = page([trace], heading="paths")
    assert "openssl accepts it" in text
    assert "is for another name" in text


def test_of_many_paths_the_first_are_told_in_full() -> None:
    trace = Trace(clock=lambda: 0.0)
    many = SimpleNamespace(**{**vars(REPORT), "candidates": REPORT.candidates * 8})
    trace.view("client").paths(whose="server", **path_parts(many))
    rows = [row for row in details_of(trace.events) if row.label == "· name"]
    assert [row.level for row in rows] == [0, 0, 1, 1, 1, 1, 1, 1]
