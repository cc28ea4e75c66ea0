"""What is in a page: its data as JSON, without a browser; and traces to make pages of."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from loopback import NAME, client_config, credential, server_config

from pellucid import ClientConfig, ClientConnection, ServerConfig, ServerConnection, TLSError
from pellucid.codes import CipherSuite, NamedGroup
from pellucid.crypto.suites import SUITES
from pellucid.crypto.suites12 import SUITES12
from pellucid.identity.lab_keys import KINDS
from pellucid.messages import describe
from pellucid.policy import SUPPORTED_GROUPS, SUPPORTED_SIGNATURE_SCHEMES
from pellucid.trace import MessageEvent, Trace
from pellucid.trace.html import page
from pellucid.trace.html.fields import UNNAMED, field_nodes
from pellucid.wire import Wire

Nodes = Sequence[dict[str, Any]]


def content_of(text: str) -> dict[str, Any]:
    """The data that a page carries."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def content(*traces: Trace, **words: Any) -> dict[str, Any]:
    return content_of(page(traces, **{"heading": "A test", **words}))


def every(nodes: Nodes) -> Iterator[dict[str, Any]]:
    """All nodes of a forest."""
    for node in nodes:
        yield node
        yield from every(node.get("parts", ()))


def named(nodes: Nodes, name: str) -> dict[str, Any]:
    """The first node of that name."""
    return next(node for node in every(nodes) if node["name"] == name)


def leaves(nodes: Nodes) -> Iterator[dict[str, Any]]:
    """The nodes without parts, in the order of their bytes."""
    return (node for node in every(nodes) if "parts" not in node)


def assert_owned(nodes: Nodes, size: int) -> None:
    """Each of the bytes belongs to one leaf, and each part lies within what it is a part of."""
    position = 0
    for leaf in leaves(nodes):
        assert (leaf["name"], leaf["at"]) == (leaf["name"], position)
        position += leaf["size"]
    assert position == size
    for node in every(nodes):
        inner = node.get("parts", ())
        if inner:
            assert sum(part["size"] for part in inner) == node["size"], node["name"]


def assert_every_byte_has_an_owner(trace: Trace) -> None:
    """In every message of a trace, whose bytes alone would leave room for none without a name."""
    messages = [event for event in trace.events if isinstance(event, MessageEvent)]
    assert messages
    for event in messages:
        _assert_named(event.name, event.raw, event.cls)


# A matrix shows the same certificates again and again, and each message twice.
@cache
def _assert_named(name: str, raw: bytes, cls: type[Wire] | None) -> None:
    nodes = field_nodes(describe(raw, cls), raw, name)
    assert_owned(nodes, len(raw))
    assert UNNAMED not in {node["name"] for node in every(nodes)}


def messages_of(connection: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of all steps that have bytes."""
    for step in connection["steps"]:
        yield from (part for part in step["parts"] if part["kind"] == "message")


def converse(client: ClientConfig, server: ServerConfig, *, reveal: bool = True) -> Trace:
    """A connection with data and close_notify, or until it fails; both sides in one trace."""
    trace = Trace(reveal_secrets=reveal, clock=itertools.count().__next__, started_at=1_800_000_000.0)
    us = ClientConnection(replace(client, trace=trace), NAME)
    them = ServerConnection(replace(server, trace=trace))
    if _talk(us, them):
        for act in (lambda: us.send_data(b"hello"), lambda: them.send_data(b"you"), us.close, them.close):
            act()
            _talk(us, them)
    return trace


def _talk(client: ClientConnection, server: ServerConnection) -> bool:
    fine = moved = True
    while moved:
        moved = False
        for source, target in ((client, server), (server, client)):
            while out := source.data_to_send():
                moved = True
                try:
                    target.receive_data(out)
                except TLSError:
                    fine = False
    return fine


def configs13(
    suite: CipherSuite, group: NamedGroup, kind: str, *, mutual: bool, retried: bool
) -> tuple[ClientConfig, ServerConfig]:
    """Both sides of a TLS 1.3 handshake with all of these."""
    client: dict[str, Any] = {
        "cipher_suites": [suite],
        "groups": [group],
        "key_shares": [] if retried else [group],
        "signature_schemes": SUPPORTED_SIGNATURE_SCHEMES,
        "alpn_protocols": ["h2", "http/1.1"],
    }
    server: dict[str, Any] = {
        "cipher_suites": [suite],
        "groups": [group],
        "credentials": [credential(kind)],
        "signature_schemes": SUPPORTED_SIGNATURE_SCHEMES,
        "alpn_protocols": ["http/1.1"],
        "cookie": retried,
    }
    if mutual:
        client["credentials"] = [credential(kind, "client")]
        server["client_authentication"] = "required"
    return client_config(**client), server_config(**server)


def configs12(suite: CipherSuite, *, mutual: bool) -> tuple[ClientConfig, ServerConfig]:
    """Both sides of a TLS 1.2 handshake with this suite."""
    kind = "ecdsa" if SUITES12[suite].authentication == "ECDSA" else "rsa"
    both: dict[str, Any] = {"policy": "compatible", "protocols": ["TLSv1.2"], "cipher_suites": [suite]}
    client, server = dict(both), both | {"credentials": [credential(kind)]}
    if mutual:
        client["credentials"] = [credential(kind, "client")]
        server["client_authentication"] = "required"
    return client_config(**client), server_config(**server)


def matrix() -> Iterator[tuple[str, tuple[ClientConfig, ServerConfig]]]:
    """Handshakes in which every suite, group, kind of certificate and way of shaking hands occurs."""
    flags = itertools.cycle(itertools.product((False, True), repeat=2))
    suites = itertools.cycle(SUITES)
    kinds = itertools.cycle(KINDS)
    for group in SUPPORTED_GROUPS:
        suite, kind, (mutual, retried) = next(suites), next(kinds), next(flags)
        yield f"{suite}-{group}-{kind}", configs13(suite, group, kind, mutual=mutual, retried=retried)
    for number, suite in enumerate(SUITES12):
        yield str(suite), configs12(suite, mutual=number % 2 == 0)
