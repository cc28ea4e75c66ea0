"""tshark computes the same JA3: of our own hellos, and of any that can be written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import pytest
from captures import ipv4, pcap, tcp
from conversations import KINDS, converse
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strategies import UNKNOWN_TYPES, values_of

from pellucid.codes import ExtensionType
from pellucid.messages import ClientHello
from pellucid.messages.extensions.lists import UnknownExtension
from pellucid.trace import MessageEvent
from pellucid.trace.fingerprints import fingerprints
from support import DEADLINE_SECONDS, program

pytestmark = pytest.mark.peer("tshark", "tshark")

FIRST_PORT, HTTPS = 40_000, 443


def readable(hello: ClientHello) -> bytes:
    """Without the extensions whose bodies are random, as we do not read them: tshark does, and gives up."""
    for code, body in list(hello.extensions.items()):
        unread = isinstance(body, UnknownExtension) and code not in UNKNOWN_TYPES
        if unread or code == ExtensionType.certificate_authorities:
            del hello.extensions[code]
    return bytes(hello.encode())


HELLOS = values_of(ClientHello.codec).map(readable)


def by_tshark(hellos: Sequence[bytes]) -> list[list[str]]:
    """[ja3_full, ja3] of each, which begins a TCP connection of its own."""
    packets = [
        ipv4(tcp(b"\x16\x03\x01" + len(raw).to_bytes(2, "big") + raw, ports=(FIRST_PORT + number, HTTPS)))
        for number, raw in enumerate(hellos)
    ]
    done = subprocess.run(
        [program("tshark") or "tshark", "-r", "-", "-T", "fields",
         "-e", "tls.handshake.ja3_full", "-e", "tls.handshake.ja3"],
        check=False, input=pcap((number, data) for number, data in enumerate(packets)),
        capture_output=True, timeout=DEADLINE_SECONDS, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def ours(raw: bytes) -> list[str]:
    found = fingerprints(raw)
    assert found is not None
    return [found.ja3_text, found.ja3]


def test_of_our_own_hellos() -> None:
    hellos = [
        event.raw
        for kind in KINDS
        for event in converse(kind, "client").trace.events
        if isinstance(event, MessageEvent) and event.name == "ClientHello"
    ]
    assert by_tshark(hellos) == [ours(raw) for raw in hellos]
    assert len(hellos) > len(KINDS)  # with the second one of a retry


# To make a failing list shorter would take hundreds of runs of tshark.
@settings(max_examples=5, phases=[Phase.generate])
@given(st.lists(HELLOS, min_size=40, max_size=40))
def test_of_any_hello(hellos: list[bytes]) -> None:
    assert by_tshark(hellos) == [ours(raw) for raw in hellos]
