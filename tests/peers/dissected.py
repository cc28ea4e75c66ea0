"""What tshark makes of a capture: each connection's records, handshake messages, alerts and fields of them.

One run for a capture: `-T json -x` has for each field what tshark shows and, as `-T jsonraw` does, its bytes
and where they stand. An offset counts from the begin of whatever the bytes are part of, the packet or
something decrypted or put together; here it counts from the message.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from captures import SERVER

from recorded import SERVER_PORT
from support import DEADLINE_SECONDS, program

Side = Literal["client", "server"]

#: A JSON object as it stands in the text: its names come more than once.
Pairs: TypeAlias = list[tuple[str, Any]]


@dataclass(frozen=True)
class Shown:
    """One field: its name, what tshark shows of it, its bytes, and where they begin. `data` may be none."""

    name: str
    value: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class DissectedMessage:
    """A handshake message, with all fields in it that are of TLS, or an alert."""

    side: Side
    raw: bytes
    fields: tuple[Shown, ...]

    def values(self, name: str) -> list[str]:
        return [one.value for one in self.fields if one.name == name]


@dataclass(frozen=True)
class DissectedRecord:
    """A record as it was on the wire, and its own fields."""

    side: Side
    raw: bytes
    fields: tuple[Shown, ...]


@dataclass
class Dissected:
    """One connection. `data`: which side sent how much application data, record by record."""

    records: list[DissectedRecord] = field(default_factory=list)
    messages: list[DissectedMessage] = field(default_factory=list)
    alerts: list[DissectedMessage] = field(default_factory=list)
    data: list[tuple[Side, int]] = field(default_factory=list)


def dissect(
    capture: Path | bytes,
    *options: str,
    connections: int = 1,
    server: tuple[str, int] = (SERVER, SERVER_PORT),
) -> list[Dissected]:
    """The connections of the capture, in their order; `options` say how tshark can open them."""
    follow = [word for number in range(connections) for word in ("-z", f"follow,tls,raw,{number}")]
    data, file = (b"", str(capture)) if isinstance(capture, Path) else (capture, "-")
    printed = _tshark("-r", file, *options, "-n", "-T", "json", "-x", "-J", "tls", *follow, data=data)
    packets, end = json.JSONDecoder(object_pairs_hook=list).raw_decode(printed)
    found: dict[int, Dissected] = {}
    for packet in packets:
        layers = _only(_only(packet, "_source"), "layers")
        ports = bytes.fromhex(_only(layers, "tcp_raw")[0])[:4]
        source, target = int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")
        side: Side = "server" if source == server[1] else "client"
        connection = found.setdefault(target if side == "server" else source, Dissected())
        for name, value in layers:
            if name == "tls" and isinstance(value, list):
                _read_layer(value, side, connection)
    assert len(found) == connections
    for connection, text in zip(found.values(), _followed(printed[end:]), strict=True):
        connection.data = list(_data(text, server[0]))
    return list(found.values())


def _tshark(*arguments: str, data: bytes = b"") -> str:
    done = subprocess.run(
        [program("tshark") or "tshark", *arguments],
        check=False, input=data, capture_output=True, timeout=DEADLINE_SECONDS,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _only(pairs: Pairs, name: str) -> Any:
    return next(value for key, value in pairs if key == name)


def _read_layer(layer: Pairs, side: Side, into: Dissected) -> None:
    for name, raw, inner in _subtrees(layer):
        if name == "tls.record":
            into.records.append(DissectedRecord(side, raw.data, tuple(_own_fields(inner, raw.offset))))
            _read_record(inner, side, into)


def _read_record(record: Pairs, side: Side, into: Dissected) -> None:
    lists = {"tls.handshake": into.messages, "tls.alert_message": into.alerts}
    for name, raw, inner in _subtrees(record):
        # What is only a part of a message has no fields.
        if name in lists and any(key.endswith((".type", ".level")) for key, _ in inner):
            # tshark 4.0 has a KeyUpdate's own field beside the message, which is the last one of its record.
            beside = (pair for pair in record if pair[0].startswith("tls.handshake.key_update"))
            fields = *_fields(inner, raw.offset), *_fields(list(beside), raw.offset)
            lists[name].append(DissectedMessage(side, raw.data, tuple(fields)))


def _subtrees(pairs: Pairs) -> Iterator[tuple[str, Shown, Pairs]]:
    """The named parts that have parts of their own, and where they stand."""
    raw: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name.endswith("_raw"):
            raw[name.removesuffix("_raw")] = value
        elif isinstance(value, list) and name in raw:
            yield name, _shown(name, "", raw[name], 0), value


def _shown(name: str, value: str, raw: Sequence[Any], start: int) -> Shown:
    data, offset, length, _mask, _type = raw
    assert len(data) == 2 * length, name
    return Shown(name, value, offset - start, bytes.fromhex(data))


def _own_fields(pairs: Pairs, start: int) -> Iterator[Shown]:
    """Those that have no parts and belong to no message."""
    raw: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name.endswith("_raw"):
            raw[name.removesuffix("_raw")] = value
        elif isinstance(value, str) and name.startswith("tls.") and not name.startswith("tls.handshake"):
            nowhere = ["", start, 0, 0, 0]
            yield _shown(name, value, raw.pop(name, nowhere), start)


def _fields(pairs: Pairs, start: int) -> Iterator[Shown]:
    """All, those with parts before their parts. What has no name of TLS is a heading, or in a certificate."""
    raw: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name.endswith("_raw"):
            raw[name.removesuffix("_raw")] = value
            continue
        if name.startswith("tls.") and not name.endswith("_tree"):
            text = value if isinstance(value, str) else ""
            yield _shown(name, text, raw.pop(name, ["", start, 0, 0, 0]), start)
        if isinstance(value, list) and not name.startswith("x509"):
            yield from _fields(value, start)


def _followed(text: str) -> list[str]:
    """What `-z follow` prints of each connection, from the last to the first, in the order of connections."""
    parts = re.findall(r"Filter: tcp.stream eq (\d+)\n(.*?)\n=====", text, re.DOTALL)
    return [part for _, part in sorted(parts, key=lambda pair: int(pair[0]))]


def _data(text: str, server: str) -> Iterator[tuple[Side, int]]:
    """A line for each record, in hex; those of the second node begin with a tab."""
    first_node, _, *lines = text.splitlines()
    first_is_server = f" {server}:" in first_node
    for line in lines:
        side: Side = "server" if first_is_server != line.startswith("\t") else "client"
        yield side, len(line.strip()) // 2
