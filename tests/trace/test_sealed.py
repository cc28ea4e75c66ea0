"""What stays closed in a capture, and what it does not show: told as such, everywhere."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from pellucid.trace import Trace
from pellucid.trace.explanations import explain, explanations
from pellucid.trace.html import page
from pellucid.trace.json import schema, to_json
from pellucid.trace.narration import narrate
from pellucid.trace.pcapng import write_pcapng
from pellucid.trace.summary import final_outcome, summarise

REASONS = [
    *("no_secrets", "no_client_hello", "unseen_session", "bytes_missing", "unknown_cipher_suite"),
    *("unsupported_version", "wrong_secrets", "key_does_not_fit", "forward_secrecy", "not_followed"),
]
HELLO = b"\x16\x03\x01\x00\x05"


@pytest.fixture
def closed() -> Trace:
    trace = Trace(clock=lambda: 0.0, started_at=0.0)
    client, server = trace.view("client"), trace.view("server")
    client.record(direction="sent", content_type=22, length=4, encrypted=False, header=HELLO,
                  content_length=4, raw=HELLO + b"\x01\0\0\0")  # fmt: skip
    client.sealed(reason="no_secrets", detail="The key log has 3 lines, and none for this connection.")
    server.sealed(reason="no_secrets", detail="The key log has 3 lines, and none for this connection.")
    for view in (client, server):
        view.outcome(status="unknown", server_name="example.org")
    return trace


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_its_words(reason: str) -> None:
    trace = Trace()
    trace.view("client").sealed(reason=reason, detail="")
    found = explain(trace.events[0])
    assert found is not None
    assert f"stays closed from here: {found.title}" == narrate(trace.events)[0].title


def test_where_there_is_no_tls_nothing_is_said_to_be_closed() -> None:
    trace = Trace()
    trace.view("server").sealed(reason="not_tls_records", detail="The server sends an SSH banner.")
    [step] = narrate(trace.events)
    assert step.title == "speaks no TLS from here"
    assert step.details[0].value == "The server sends an SSH banner."


def test_there_are_no_words_for_what_is_no_reason() -> None:
    assert {f"sealed:{reason}" for reason in (*REASONS, "not_tls_records")} == {
        i for i in explanations() if i[:7] == "sealed:"
    }


def test_the_narration_says_here_why_and_what_to_do(closed: Trace) -> None:
    client, _ = narrate(closed.events)
    assert (client.side, client.kind, client.id) == ("client", "action", "sealed:no_secrets")
    assert [detail.label for detail in client.details] == ["here", "to open it"]
    assert client.details[0].value == "The key log has 3 lines, and none for this connection."
    assert "--keylog" in client.details[1].value
    assert client.ok


def test_the_other_side_is_not_explained_again(closed: Trace) -> None:
    client, server = narrate(closed.events)
    assert server.title == client.title
    assert server.purpose == "So does this direction, for the same reason."
    assert [detail.label for detail in server.details] == ["here"]


def test_in_json_it_follows_the_schema(closed: Trace) -> None:
    document = to_json(closed)
    Draft202012Validator(schema()).validate(document)
    assert document["outcome"]["status"] == "unknown"
    sealed = [event for event in document["events"] if event["kind"] == "sealed"]
    assert sealed[0] == {
        "n": 2, "time_us": 0, "side": "client", "kind": "sealed", "direction": "sent", "reason": "no_secrets",
        "detail": "The key log has 3 lines, and none for this connection.",
    }  # fmt: skip


def test_the_summary_has_what_stays_closed(closed: Trace) -> None:
    summary = summarise(closed.events)
    assert [(event.side, event.reason) for event in summary.sealed] == [
        ("client", "no_secrets"),
        ("server", "no_secrets"),
    ]
    assert summary.forward_secrecy == ""


def test_an_unknown_end_is_neither_success_nor_failure(closed: Trace) -> None:
    outcome = final_outcome(closed.events)
    assert outcome is not None
    assert (outcome.status, outcome.failure) == ("unknown", None)


def test_in_a_capture_it_stands_in_a_comment(closed: Trace) -> None:
    file = b"".join(write_pcapng([closed]))
    assert b"client stays closed from here: no secrets for this connection." in file
    assert b"The connection failed" not in file


def test_the_page_shows_it(closed: Trace) -> None:
    text = page([closed], heading="A capture")
    assert "stays closed from here: no secrets for this connection" in text
    assert "a connection with example.org whose end is not known" in text
    assert "The key log has 3 lines, and none for this connection." in text
