"""The connections of a capture as one document, "pellucid.traces/1": see ``schema/traces-1.json``.

It is written while the capture is read, one trace after the other, so that none of them has to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from pellucid.trace.fingerprints import Fingerprints
from pellucid.trace.json import schema as trace_schema
from pellucid.trace.json import to_json
from pellucid.trace.recorder import Trace

__all__ = ["SCHEMA", "Captured", "Collection", "schema"]

SCHEMA = "pellucid.traces/1"

_START = f'{{\n "schema": "{SCHEMA}",\n "connections": ['


class Captured(Protocol):
    """What is told of one connection beside its trace.

    Ends are (address, port). Times are in POSIX seconds and in microseconds; bytes are those of TCP's
    streams; of ``hellos`` there is one for each ClientHello.
    """

    @property
    def number(self) -> int: ...
    @property
    def client(self) -> tuple[str, int]: ...
    @property
    def server(self) -> tuple[str, int]: ...
    @property
    def started_at(self) -> float: ...
    @property
    def duration_us(self) -> int: ...
    @property
    def tls(self) -> bool: ...
    @property
    def bytes_from_client(self) -> int: ...
    @property
    def bytes_from_server(self) -> int: ...
    @property
    def hellos(self) -> Sequence[Fingerprints]: ...


class Collection:
    """Writes the document: ``add`` for each connection, in the order in which they end, then ``finish``."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._separator = _START

    def add(self, connection: Captured, trace: Trace) -> None:
        """One more connection."""
        document = to_json(trace)
        # The schema leads, as everywhere.
        leading = {"schema": document.pop("schema"), "connection": _facts(connection)}
        self._write(self._separator + "\n" + _text(leading | document, "  "))
        self._separator = ","

    def finish(
        self,
        *,
        packets: int | None = None,
        segments: int = 0,
        skipped: Mapping[str, int] | None = None,
        problem: tuple[str, str] | None = None,
    ) -> None:
        """The end, with what the capture came to, where all of it was read (``packets`` is not None).

        ``problem``: why it could not be read further, as a stable id and a sentence.
        """
        empty = self._separator == _START
        self._write((self._separator if empty else "\n ") + "]")
        if packets is not None:
            capture = {
                "packets": packets,
                "segments": segments,
                "skipped": dict(skipped or {}),
                "problem": {"id": problem[0], "detail": problem[1]} if problem else None,
            }
            self._write(f',\n "capture": {_text(capture, " ").lstrip()}')
        self._write("\n}\n")


def schema() -> dict[str, Any]:
    """The JSON Schema of the document, with that of a trace inside it."""
    import pkgutil  # noqa: PLC0415 - only who validates pays for it

    data = pkgutil.get_data("pellucid.trace", "schema/traces-1.json")
    found: dict[str, Any] = json.loads(data or b"")
    one = trace_schema()
    found["$defs"][one["$id"]] = one
    return found


def _facts(connection: Captured) -> dict[str, Any]:
    return {
        "number": connection.number,
        "client": _end(connection.client),
        "server": _end(connection.server),
        "started_at": connection.started_at,
        "duration_us": connection.duration_us,
        "tls": connection.tls,
        "bytes_from_client": connection.bytes_from_client,
        "bytes_from_server": connection.bytes_from_server,
        "hellos": [asdict(hello) for hello in connection.hellos],
    }


def _end(end: tuple[str, int]) -> dict[str, Any]:
    return {"address": end[0], "port": end[1]}


def _text(document: Any, margin: str) -> str:
    """As ``trace.json.dumps`` has it, further to the right."""
    # No line ends within a JSON string.
    return margin + json.dumps(document, indent=1, ensure_ascii=True).replace("\n", f"\n{margin}")
