"""The page of what is hostile: bounded, whole, and without a gap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from pages import assert_owned, content, content_of, every, messages_of, named

from pellucid import ServerConnection, TLSError, Trace
from pellucid.messages import Certificate, CertificateEntry, Extensions, describe
from pellucid.trace.html import page
from pellucid.trace.html.document import MOST_STEPS
from pellucid.trace.html.fields import MOST_ITEMS, MOST_NODES, field_nodes
from pellucid.trace.html.steps import MOST_NAMES
from pellucid.trace.narration import narrate

_VERSIONS = (0x002B, b"\x02\x03\x04")
_RECORD = 16_000
_LARGE = 500_000


def hello(*extensions: tuple[int, bytes], suites: bytes = b"\x13\x01") -> bytes:
    """A ClientHello with these and nothing that a server would need beside."""
    rest = b"".join(pack(">HH", code, len(body)) + body for code, body in extensions)
    body = bytes((3, 3)) + bytes(32) + b"\0" + pack(">H", len(suites)) + suites + b"\x01\0"
    body += pack(">H", len(rest)) + rest
    return b"\x01" + len(body).to_bytes(3, "big") + body


def listed(items: bytes) -> bytes:
    return pack(">H", len(items)) + items


HOSTILE = {
    "30,000 suites": hello(_VERSIONS, suites=b"\x13\x01" * 30_000),
    "30,000 groups": hello(_VERSIONS, (0x000A, listed(b"\x0a\x0a" * 30_000))),
    "29,000 protocols": hello(_VERSIONS, (0x0010, listed(b"\x01a" * 29_000))),
    "14,000 extensions": hello(_VERSIONS, *((0x4000 + code, b"") for code in range(14_000))),
    "60,000 bytes of nothing": hello(_VERSIONS, (0x7777, bytes(60_000))),
}


def heard(message: bytes) -> Trace:
    """What a server records of it."""
    trace = Trace()
    server = ServerConnection(server_config(trace=trace))
    pieces = (message[at : at + _RECORD] for at in range(0, len(message), _RECORD))
    with pytest.raises(TLSError):
        server.receive_data(b"".join(b"\x16\x03\x01" + pack(">H", len(piece)) + piece for piece in pieces))
    return trace


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hello_of_60_kilobytes_makes_a_page_like_any_other(message: bytes) -> None:
    text = page([heard(message)], heading="A test")
    assert len(text) < _LARGE
    (connection,) = content_of(text)["connections"]
    part = next(messages_of(connection))
    assert part["raw"] == message.hex()
    assert_owned(part["fields"], len(message))


def test_of_very_many_items_the_first_are_shown_and_the_others_as_one() -> None:
    message = HOSTILE["30,000 suites"]
    suites = named(field_nodes(describe(message), message, "ClientHello"), "cipher_suites")["parts"]
    length, *shown, rest = suites
    assert (length["name"], len(shown), rest["name"]) == ("length", MOST_ITEMS, "the other 29,600")
    assert rest["size"] == 2 * 29_600


def test_a_chain_of_fifty_certificates_is_shown_whole() -> None:
    raw = chained(50)
    nodes = field_nodes(describe(raw), raw, "Certificate")
    assert_owned(nodes, len(raw))
    assert sum(node["name"] == "tbsCertificate" for node in every(nodes)) == 50


def test_a_chain_beyond_all_measure_is_shown_without_what_is_deepest() -> None:
    raw = chained(380)
    nodes = field_nodes(describe(raw), raw, "Certificate")
    assert_owned(nodes, len(raw))
    assert sum(1 for _ in every(nodes)) <= MOST_NODES + len(nodes)
    assert sum(node["name"].startswith("certificate_list[") for node in every(nodes)) == 380


def chained(count: int) -> bytes:
    entry = CertificateEntry(cert_data=credential().chain[0], extensions=Extensions([]))
    return Certificate(certificate_request_context=b"", certificate_list=[entry] * count).encode()


def test_of_many_names_the_first_are_shown_with_how_many_more_there_are() -> None:
    names = tuple(f"www{number}.example.org" for number in range(MOST_NAMES + 5))
    credentials = [credential(names=("localhost", *names))]
    trace = Trace()
    pump(*connect_pair(client_config(trace=trace), server_config(credentials=credentials)))
    (connection,) = content(trace)["connections"]
    leaves = (part["path"][0] for part in parts_of(connection, "certificate"))
    assert next(leaves)["names"][-2:] == [f"www{MOST_NAMES - 2}.example.org", "and 6 more"]


@pytest.fixture(scope="module")
def chatty() -> Trace:
    """Of a connection whose keys were renewed again and again, with a word in between."""
    trace = Trace(reveal_secrets=True, clock=itertools.count().__next__)
    client, server = connect_pair(client_config(trace=trace), server_config(trace=trace))
    pump(client, server)
    for _ in range(150):
        client.key_update()
        client.send_data(b"x")
        pump(client, server)
    client.close()
    pump(client, server)
    return trace


def test_of_a_long_connection_beginning_and_end_are_shown(chatty: Trace) -> None:
    told = list(narrate(chatty.events))
    assert len(told) > MOST_STEPS + 100
    text = page([chatty], heading="A test")
    assert len(text) < 3 * _LARGE
    (connection,) = content_of(text)["connections"]
    numbers = [step["number"] for step in connection["steps"]]
    assert len(numbers) == MOST_STEPS
    assert (numbers[0], numbers[-1]) == (1, len(told))
    assert connection["steps"][-1]["title"] == told[-1].title
    known = {key["id"] for key in connection["keys"]}
    assert {part["key"] for part in parts_of(connection, "secret")} <= known


def parts_of(connection: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for step in connection["steps"]:
        yield from (part for part in step["parts"] if part["kind"] == kind)
