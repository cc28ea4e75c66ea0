"""The records of one connection: their bytes, what they carried, and how to open them."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.codes import ContentType, name_of
from pellucid.trace.agreed import Agreed
from pellucid.trace.carried import Content, carried
from pellucid.trace.details import protection_of
from pellucid.trace.events import Event, KeysEvent, MessageEvent, RecordEvent
from pellucid.trace.explanations import sender
from pellucid.trace.html.ciphers import Cipher, cipher_of
from pellucid.trace.html.values import Json
from pellucid.trace.narration import Step
from pellucid.wire.field import shown

__all__ = ["Records"]

_HEADER_LENGTH = 5
_VERSIONS = {"0301": "TLSv1.0", "0302": "TLSv1.1", "0303": "TLSv1.2"}
# A handshake takes some kilobytes. Of a download the first records are shown with their bytes: enough to see
# how it goes, and the page stays small.
MOST_DATA_BYTES = 65_536
# A record holds 16 KiB; a command as long as that, twice over in hex, is none to copy any more.
MOST_COMMAND_BYTES = 4096


class Records:
    """The records that are shown, numbered from 1 in the order in which they were recorded.

    Of a trace of both sides these are the ones sent; each was received as it was sent.
    """

    def __init__(self, events: Sequence[Event], agreed: Agreed, *, both: bool) -> None:
        self._agreed = agreed
        self._carried = carried(events)
        self._events = events
        self._keys = [event for event in events if isinstance(event, KeysEvent)]
        self._counts: dict[tuple[str, str], int] = {}
        self._room = MOST_DATA_BYTES
        self._of: dict[int, list[int]] = {}
        self.nodes: list[Json] = []
        records = [
            e for e in events if isinstance(e, RecordEvent) and not (both and e.direction == "received")
        ]
        self._numbers = [event.n for event in records]
        for number, event in enumerate(records, 1):
            for each in (event, *self._carried[event.n]):
                self._of.setdefault(each.n, []).append(number)
            self.nodes.append(self._node(number, event))

    def of(self, event: Event) -> list[int]:
        """The numbers of the records that carried this message, alert or data, or that it is itself."""
        return self._of.get(event.n, [])

    def _node(self, number: int, event: RecordEvent) -> Json:
        who = sender(event)
        kept = event.raw if self._has_room(event) else b""
        made: Json = {
            "number": number, "side": who, "encrypted": event.encrypted,
            "size": _HEADER_LENGTH + event.length,
            "inside": name_of(event.content_type, ContentType),
            "outside": name_of(event.header[0], ContentType),
            "content": event.content_length,
        }  # fmt: skip
        cipher = None
        if event.encrypted:
            epoch = self._epoch(event, self._carried[event.n])
            count = self._counts.setdefault((who, epoch), 0)
            self._counts[who, epoch] += 1
            keys = self._keys_of(who, epoch)
            if epoch:
                made |= {"protection": protection_of(who, epoch), "sequence": count}
            if not self._carried[event.n]:
                made["closed"] = True
            suite = keys.cipher_suite if keys else self._agreed.cipher_suite
            cipher = cipher_of(
                suite, tls12=self._agreed.tls12, encrypt_then_mac=self._agreed.encrypt_then_mac
            )
            if keys and isinstance(keys.key, bytes) and isinstance(keys.iv, bytes) and event.content_length:
                made |= {"padding": self._padding(event, cipher), "tail": cipher.tail}
                if 0 < len(kept) <= MOST_COMMAND_BYTES:
                    made["open"] = cipher.opener(keys.key, keys.iv, count, kept, event.content_length)
        raw = kept or event.header
        return made | {"raw": raw.hex(), "fields": _fields(raw, cipher)}

    def place(self, steps: Sequence[Step]) -> None:
        """Give the closed records their places: ``after`` is the step behind which each of them comes."""
        began = [(min(event.n for event in step.events), step.number) for step in steps if step.events]
        for node, n in zip(self.nodes, self._numbers, strict=True):
            if node.get("closed"):
                node["after"] = max((number for first, number in began if first < n), default=0)

    def _has_room(self, event: RecordEvent) -> bool:
        """Whether the record is shown with its bytes: data only up to a limit."""
        if event.content_type != ContentType.application_data:
            return True
        self._room -= len(event.raw)
        return self._room >= 0

    def _padding(self, event: RecordEvent, cipher: Cipher) -> int:
        """How many zeros stand behind the content and its type; TLS 1.2 pads blocks alone."""
        return 0 if cipher.tls12 else event.length - event.content_length - 1 - cipher.after[1]

    def _epoch(self, record: RecordEvent, contents: Sequence[Content]) -> str:
        """Under which keys it was: those of the messages in it, or the latest that there were before it."""
        for content in contents:
            if isinstance(content, MessageEvent):
                return content.epoch
        way = "write" if record.direction == "sent" else "read"
        latest = ""
        for keys in self._keys:
            if keys.side == record.side and keys.direction == way and keys.n < record.n:
                latest = keys.epoch
        return latest

    def _keys_of(self, who: str, epoch: str) -> KeysEvent | None:
        return next(
            (k for k in self._keys if k.epoch == epoch and (k.side == who) == (k.direction == "write")), None
        )


def _fields(raw: bytes, cipher: Cipher | None) -> list[Json]:
    """The header, and what stands behind it by the form of its protection."""
    version, length = raw[1:3].hex(), int.from_bytes(raw[3:_HEADER_LENGTH], "big")
    nodes = [
        _node(raw, "type", 0, 1, name_of(raw[0], ContentType)),
        _node(raw, "legacy_record_version", 1, 3, _VERSIONS.get(version, "")),
        _node(raw, "length", 3, _HEADER_LENGTH, f"{length:,} byte{'' if length == 1 else 's'}"),
    ]
    end = len(raw)
    if end == _HEADER_LENGTH:
        return nodes
    if cipher is None or end < _HEADER_LENGTH + cipher.before[1] + cipher.after[1]:
        return [*nodes, _node(raw, "fragment", _HEADER_LENGTH, end)]
    start, stop = _HEADER_LENGTH + cipher.before[1], end - cipher.after[1]
    pieces = (
        (cipher.before[0], _HEADER_LENGTH, start),
        ("encrypted_record", start, stop),
        (cipher.after[0], stop, end),
    )
    return nodes + [_node(raw, name, at, to) for name, at, to in pieces if at < to]


def _node(raw: bytes, name: str, start: int, end: int, meaning: str = "") -> Json:
    made: Json = {"name": name, "at": start, "size": end - start, "value": shown(raw[start:end])}
    return made | ({"meaning": meaning} if meaning else {}) | {"about": f"record/{name}"}
