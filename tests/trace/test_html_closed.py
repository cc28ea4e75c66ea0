"""The page of a capture that could not be opened: what stays closed has its place, and a reason."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from conversations import converse
from pages import assert_owned, content

from pellucid.decode import Decoder
from pellucid.trace.pcapng import write_pcapng

KINDS = ("full", "retried", "1.2 ecdhe", "1.2 rsa")


def decoded(kind: str, *, opened: bool) -> dict[str, Any]:
    """A conversation, captured and decoded, as the page has it."""
    talk = converse(kind)
    capture = b"".join(write_pcapng([talk.trace], talk.key_log if opened else []))
    (found,) = Decoder(BytesIO(capture)).connections()
    assert found.trace is not None
    connection: dict[str, Any] = content(found.trace)["connections"][0]
    return connection


@pytest.mark.parametrize("kind", KINDS)
def test_each_side_says_from_where_on_it_is_closed_and_why(kind: str) -> None:
    sealed = [step for step in decoded(kind, opened=False)["steps"] if step.get("sealed")]
    assert {step["side"] for step in sealed} == {"client", "server"}
    assert all("no secrets" in step["title"] for step in sealed)
    assert "to open it" in [row["label"] for row in sealed[0]["rows"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_record_comes_behind_the_step_that_says_why(kind: str) -> None:
    connection = decoded(kind, opened=False)
    since = {step["side"]: step["number"] for step in connection["steps"] if step.get("sealed")}
    closed = [record for record in connection["records"] if record.get("closed")]
    assert len(closed) > 4
    for record in closed:
        assert record["encrypted"]
        assert since[record["side"]] <= record["after"] <= len(connection["steps"])
        assert not {"protection", "sequence", "open"} & record.keys()
        assert_owned(record["fields"], record["size"])


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_capture_that_was_opened_nothing_is_closed(kind: str) -> None:
    connection = decoded(kind, opened=True)
    assert not any(record.get("closed") for record in connection["records"])
    assert not any(step.get("sealed") for step in connection["steps"])


def test_a_path_without_roots_is_not_said_to_be_trusted() -> None:
    steps = decoded("mutual", opened=True)["steps"]
    paths = [part for step in steps for part in step["parts"] if part["kind"] == "certificate"]
    assert [(part["whose"], part["ok"], part["judged"]) for part in paths] == [
        ("server", True, False),
        ("client", True, False),
    ]
