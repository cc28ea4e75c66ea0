"""The document "pellucid.traces/1", written piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pellucid.trace import Trace
from pellucid.trace.collection import Collection, schema
from pellucid.trace.fingerprints import Fingerprints
from pellucid.trace.json import to_json


@dataclass
class Told:
    """What is told of a connection beside its trace."""

    number: int = 1
    client: tuple[str, int] = ("192.0.2.1", 50_000)
    server: tuple[str, int] = ("2001:db8::2", 443)
    started_at: float = 1_700_000_000.25
    duration_us: int = 1234
    tls: bool = True
    bytes_from_client: int = 700
    bytes_from_server: int = 3000
    hellos: list[Fingerprints] = field(default_factory=lambda: [Fingerprints("a", "b", "c", "d")])


def written(*connections: tuple[Told, Trace], **end: Any) -> tuple[str, list[str]]:
    """The document, and the pieces that it came in."""
    pieces: list[str] = []
    collection = Collection(pieces.append)
    for told, trace in connections:
        collection.add(told, trace)
    collection.finish(**end)
    return "".join(pieces), pieces


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    "end",
    [
        {},
        {"packets": 0},
        {"packets": 9, "segments": 7, "skipped": {"not TCP": 2}, "problem": ("cut_short", "It ends.")},
    ],
    ids=["a part", "nothing", "cut short"],
)
def test_however_it_ends_it_follows_the_schema(
    told: Trace, validator: Draft202012Validator, count: int, end: dict[str, Any]
) -> None:
    text, _ = written(*((Told(number), told) for number in range(1, count + 1)), **end)
    document = json.loads(text)
    validator.validate(document)
    assert document["schema"] == "pellucid.traces/1"
    assert [one["connection"]["number"] for one in document["connections"]] == list(range(1, count + 1))
    assert ("capture" in document) == bool(end)


def test_a_connection_is_its_trace_and_more(told: Trace) -> None:
    text, _ = written((Told(), told))
    (connection,) = json.loads(text)["connections"]
    about = connection.pop("connection")
    assert connection == to_json(told)
    assert about == {
        "number": 1,
        "client": {"address": "192.0.2.1", "port": 50_000},
        "server": {"address": "2001:db8::2", "port": 443},
        "started_at": 1_700_000_000.25,
        "duration_us": 1234,
        "tls": True,
        "bytes_from_client": 700,
        "bytes_from_server": 3000,
        "hellos": [{"ja3": "a", "ja3_text": "b", "ja4": "c", "ja4_raw": "d"}],
    }


def test_what_the_capture_came_to_stands_at_the_end() -> None:
    text, _ = written(packets=9, segments=7, skipped={"not TCP": 2}, problem=("damaged", "A block is."))
    assert json.loads(text)["capture"] == {
        "packets": 9,
        "segments": 7,
        "skipped": {"not TCP": 2},
        "problem": {"id": "damaged", "detail": "A block is."},
    }


def test_each_connection_is_written_when_it_is_added(told: Trace) -> None:
    pieces: list[str] = []
    collection = Collection(pieces.append)
    for number in (1, 2):
        collection.add(Told(number), told)
        assert f'"number": {number}' in "".join(pieces)
    assert not "".join(pieces).endswith("]\n}\n")


def test_all_of_it_is_ascii() -> None:
    trace = Trace()
    trace.view("client").state(name="bücher\x1b[2J")
    text, _ = written((Told(client=("…", 1)), trace))
    assert text.isascii()
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(schema="pellucid.trace/1"),
        lambda d: d.pop("connections"),
        lambda d: d["connections"][0].pop("connection"),
        lambda d: d["connections"][0].pop("outcome"),
        lambda d: d["connections"][0]["events"][0].update(side="middle"),
        lambda d: d["connections"][0]["connection"].update(number=0),
        lambda d: d["connections"][0]["connection"]["client"].update(port=70_000),
        lambda d: d["connections"][0]["connection"]["hellos"][0].pop("ja4"),
        lambda d: d["capture"].pop("problem"),
        lambda d: d["capture"].update(problem={"id": "Not an id", "detail": ""}),
    ],
)
def test_the_schema_refuses_what_is_not_such_a_document(
    told: Trace, validator: Draft202012Validator, spoil: Callable[[dict[str, Any]], object]
) -> None:
    document = json.loads(written((Told(), told), packets=1)[0])
    validator.validate(document)
    spoil(document)
    with pytest.raises(ValidationError):
        validator.validate(document)
