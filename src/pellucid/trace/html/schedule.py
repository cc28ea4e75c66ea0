"""The key schedule as a graph: each secret once, where its inputs come from, and how to compute it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from pellucid.trace.agreed import Agreed
from pellucid.trace.details import protection_of
from pellucid.trace.events import Event, KeysEvent, MessageEvent, Redacted, SecretEvent, other_side
from pellucid.trace.explanations import explain, explanation
from pellucid.trace.html.origins import Origins
from pellucid.trace.html.recompute import key_commands, mac_commands, secret_commands
from pellucid.trace.html.transcript import macs_in
from pellucid.trace.html.values import Json, shown_value

__all__ = ["Schedule"]

_GENERATION = re.compile(r"application (\d+)")
_SIDES = ("client", "server")


class Schedule:
    """The nodes, in the order in which they were made first; ``id_of`` finds the one of an event."""

    def __init__(self, events: Sequence[Event], agreed: Agreed, origins: Origins) -> None:
        self._agreed = agreed
        self._origins = origins
        self._nodes: dict[tuple[str, object], Json] = {}
        self._of: dict[int, str] = {}
        # What each side means by a name: the last value that it gave it.
        self._named: dict[tuple[str, str], str] = {}
        self._values: dict[str, dict[str, bytes | Redacted]] = {side: {} for side in _SIDES}
        self._mac_keys: dict[str, list[tuple[str, bytes]]] = {side: [] for side in _SIDES}
        for event in events:
            if isinstance(event, SecretEvent):
                self._secret(event)
            elif isinstance(event, KeysEvent):
                self._keys(event)
        for event in events:
            if isinstance(event, MessageEvent):
                self._proofs(event)
        self.nodes = list(self._nodes.values())
        _rank(self.nodes)

    def id_of(self, event: Event) -> str:
        """The id of the node that this event made or saw again; "" if it has none."""
        return self._of.get(event.n, "")

    @property
    def _prf_hash(self) -> str:
        return "sha384" if self._agreed.cipher_suite.endswith("_SHA384") else "sha256"

    def _add(self, name: str, value: object, event: Event, made: Json) -> Json:
        """The node of this name and value: the one there is, or ``made``."""
        node = self._nodes.get((name, value))
        if node is None:
            taken = {each["id"] for each in self._nodes.values()}
            slug = re.sub(r"[^A-Za-z0-9]+", "-", name)
            free = (slug if n == 1 else f"{slug}-{n}" for n in count(1))
            free_id = next(one for one in free if one not in taken)
            node = {"id": free_id, "name": name, "sides": [], **made}
            self._nodes[name, value] = node
        if event.side not in node["sides"]:
            node["sides"].append(event.side)
        self._of[event.n] = node["id"]
        return node

    def _secret(self, event: SecretEvent) -> None:
        inputs = [self._input(event.side, name, value) for name, value in event.inputs]
        found = explain(event, self._agreed)
        values = self._values[event.side]
        node = self._add(
            event.name, event.value, event,
            {
                "lane": _lane(event.name, [text for _, text in event.inputs if isinstance(text, str)]),
                "formula": event.formula, "value": shown_value(event.value), "used_for": event.used_for,
                "inputs": inputs, "text": found.text if found else "", "rfc": found.rfc if found else "",
                "recompute": secret_commands(event, values, self._prf_hash),
            },
        )  # fmt: skip
        self._take_private_key(node, event, inputs)
        values[event.name] = event.value
        self._named[event.side, event.name] = node["id"]
        if event.name == "finished_key" and isinstance(event.value, bytes):
            self._mac_keys[event.side].append((node["id"], event.value))

    def _take_private_key(self, node: Json, event: SecretEvent, inputs: list[Json]) -> None:
        """Each side has a key of its own for a shared secret: the command is for the one that shows it."""
        if not node["recompute"] and (commands := secret_commands(event, {}, self._prf_hash)):
            node["recompute"], node["inputs"], node["formula"] = commands, inputs, event.formula

    def _input(self, side: str, name: str, value: str | bytes | Redacted) -> Json:
        made: Json = {"name": name, **shown_value(value)}
        if isinstance(value, str):
            if source := self._named.get((side, value)):
                made["from"] = {"key": source}
            return made
        return made | self._origins.of(side, value, name)

    def _keys(self, event: KeysEvent) -> None:
        sender = event.side if event.direction == "write" else other_side(event.side)
        if event.epoch == "session":  # TLS 1.2: pieces of the key block, which were told one by one
            return
        traffic = _traffic_secret(sender, event.epoch)
        secret = self._values[event.side].get(traffic)
        found = explain(event)
        parts = [("key", event.key), ("iv", event.iv)]
        made: Json = {
            "lane": sender, "keys": True,
            "formula": 'HKDF-Expand-Label(traffic secret, "key" and "iv", "", length)',
            "parts": [{"name": name} | shown_value(value) for name, value in parts],
            "used_for": f"what the {sender} sends under its {event.epoch} key, with {event.cipher_suite}",
            "inputs": [self._input(event.side, "Secret", traffic)] if secret is not None else [],
            "text": found.text if found else "", "rfc": found.rfc if found else "",
            "recompute": [],
        }  # fmt: skip
        if secret is not None:
            hash_name = "sha384" if event.cipher_suite.endswith("_SHA384") else "sha256"
            for label, value in parts:
                length = len(value) if isinstance(value, bytes) else value.length
                shown = secret if isinstance(secret, bytes) else traffic
                commands = key_commands(hash_name, shown, label, length)
                made["recompute"] += [one | {"of": label} for one in commands]
        self._add(protection_of(sender, event.epoch), (event.key, event.iv), event, made)

    def _proofs(self, event: MessageEvent) -> None:
        """TLS 1.3: the MACs in a Finished and in a ClientHello, where key and messages are known."""
        for name, mac in macs_in(event):
            for key_id, key in self._mac_keys[event.side]:
                found = self._origins.mac_of(event.side, key, mac)
                if found is not None:
                    self._proof(event, name, key_id, key, mac, found)
                    break

    def _proof(
        self, event: MessageEvent, name: str, key_id: str, key: bytes, mac: bytes, over: tuple[bytes, Json]
    ) -> None:
        digest, origin = over
        sender = event.side if event.direction == "sent" else other_side(event.side)
        words = explanation("check:psk_binder" if name == "binder" else "check:finished")
        made: Json = {
            "lane": sender, "formula": "HMAC(finished_key, Transcript-Hash(what comes before it))",
            "value": {"hex": mac.hex()}, "used_for": f"the {event.name} of the {sender}",
            "inputs": [
                {"name": "finished_key", "text": "finished_key", "from": {"key": key_id}},
                {"name": "transcript_hash", "hex": digest.hex()} | origin,
            ],
            "text": words.text if words else "", "rfc": words.rfc if words else "",
            "recompute": mac_commands("sha256" if len(key) == len(mac) == 32 else "sha384", key, digest),
        }  # fmt: skip
        self._add(name if name == "binder" else f"{sender}_verify_data", mac, event, made)


def _traffic_secret(sender: str, epoch: str) -> str:
    if epoch in ("early", "handshake"):
        return f"{sender}_{epoch}_traffic_secret"
    generation = _GENERATION.fullmatch(epoch)
    return f"{sender}_application_traffic_secret_{generation[1] if generation else 0}"


def _lane(name: str, inputs: Sequence[str]) -> str:
    """Whose it is: "client", "server", or "both"; a finished_key is by what it is made from.

    A binder is the client's proof.
    """
    for text in (name, *inputs):
        if text.startswith("binder"):
            return "client"
        for side in _SIDES:
            if text.startswith(side):
                return side
    return "both"


def _rank(nodes: Sequence[Json]) -> None:
    """Give each node the length of the longest way to it, and those that it is used by."""
    by_id: Mapping[str, Json] = {node["id"]: node for node in nodes}
    for node in nodes:
        # Inputs were made before what is made of them, so they have their rank.
        sources = [by_id[source] for source in dict.fromkeys(_sources(node))]
        node["rank"] = 1 + max((source["rank"] for source in sources), default=-1)
        node["used_by"] = []
        for source in sources:
            source["used_by"].append(node["id"])
    for node in nodes:
        # What comes from outside stands just above where it goes in.
        if node["used_by"] and not any(_sources(node)):
            node["rank"] = min(by_id[user]["rank"] for user in node["used_by"]) - 1


def _sources(node: Json) -> Iterator[str]:
    for each in node["inputs"]:
        origin = each.get("from", {})
        if "key" in origin and "connection" not in origin:
            yield origin["key"]
