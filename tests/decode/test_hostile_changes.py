"""TLS 1.3 handshakes that somebody with the keys has changed: told as wrong, and not as a success."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from conversations import Conversation, converse
from watched import Turns, Wire, decode_one, turns_of

from pellucid.crypto.suites import SUITES, Suite
from pellucid.decode import Decoded
from pellucid.keys import traffic_keys
from pellucid.record import Opener, Sealer
from pellucid.record.limits import HEADER_LENGTH, MAX_FRAGMENT
from pellucid.trace.events import CheckEvent, OutcomeEvent

CERTIFICATE, CERTIFICATE_VERIFY, FINISHED = 11, 15, 20
CHECKS = ("certificate_signatures", "certificate_verify", "finished")

Change = Callable[[str, bytearray], None]


@cache
def talk(kind: str) -> Conversation:
    return converse(kind)


def suite_of(kind: str) -> Suite:
    name = next(e.cipher_suite for e in talk(kind).trace.events if isinstance(e, OutcomeEvent))
    return next(suite for suite in SUITES.values() if suite.name == name)


def secret(kind: str, label: str) -> bytes:
    return bytes.fromhex(next(line for line in talk(kind).key_log if line.startswith(label + " ")).split()[2])


def messages_in(content: bytes) -> list[bytearray]:
    found, place = [], 0
    while place < len(content):
        end = place + 4 + int.from_bytes(content[place + 1 : place + 4], "big")
        found.append(bytearray(content[place:end]))
        place = end
    return found


def handshake(kind: str, change: Change) -> Turns:
    """The handshake up to the client's Finished, with ``change`` made to each encrypted message of it."""
    suite, turns = suite_of(kind), []
    keys = {
        side: traffic_keys(suite, secret(kind, f"{side.upper()}_HANDSHAKE_TRAFFIC_SECRET"))
        for side in ("client", "server")
    }
    openers = {side: Opener(suite, each) for side, each in keys.items()}
    sealers = {side: Sealer(suite, each) for side, each in keys.items()}
    for side, raw in turns_of(talk(kind)):
        if raw[0] != 23:
            turns.append((side, raw))
            continue
        content_type, content = openers[side].open(raw[:HEADER_LENGTH], raw[HEADER_LENGTH:], MAX_FRAGMENT)
        messages = messages_in(content)
        for message in messages:
            change(side, message)
        turns.append((side, sealers[side].seal(content_type, b"".join(messages))))
        if side == "client" and messages[-1][0] == FINISHED:
            break
    return turns


def flipped(side: str, message_type: int, place: int = -1) -> Change:
    def change(sender: str, message: bytearray) -> None:
        if (sender, message[0]) == (side, message_type):
            message[place] ^= 1

    return change


def failed_checks(found: Decoded) -> list[str]:
    assert found.trace is not None
    checks = [e for e in found.trace.events if isinstance(e, CheckEvent) and e.what in CHECKS]
    return [f"{check.side}: {check.what}" for check in checks if not check.ok]


def test_unchanged_everything_holds() -> None:
    turns = handshake("mutual", lambda _side, _message: None)
    found = decode_one(Wire().say(*turns).close().capture, talk("mutual").key_log)
    assert (found.sealed, failed_checks(found)) == ((), [])


@pytest.mark.parametrize(
    "change, first",
    [
        (flipped("server", CERTIFICATE_VERIFY), "client: certificate_verify"),
        (flipped("server", FINISHED), "client: finished"),
        (flipped("server", FINISHED, 4), "client: finished"),
        (flipped("client", CERTIFICATE_VERIFY), "server: certificate_verify"),
        (flipped("client", FINISHED), "server: finished"),
    ],
)
@pytest.mark.parametrize("end", ["reset", "closed"])
def test_what_was_changed_is_told_as_wrong_and_not_as_a_success(change: Change, first: str, end: str) -> None:
    wire = Wire().say(*handshake("mutual", change))
    (wire.close if end == "closed" else lambda: wire.reset("server"))()
    found = decode_one(wire.capture, talk("mutual").key_log)
    assert failed_checks(found)[0] == first
    assert found.outcome is not None
    assert found.outcome.status != "connected"


def test_the_signature_in_a_certificate_is_looked_at() -> None:
    """The last byte of the leaf's signature: two of no extensions stand behind it."""
    turns = handshake("full", lambda side, message: _spoil_leaf(message) if side == "server" else None)
    found = decode_one(Wire().say(*turns).close().capture, talk("full").key_log)
    assert failed_checks(found)[0] == "client: certificate_signatures"


def _spoil_leaf(message: bytearray) -> None:
    if message[0] == CERTIFICATE:
        length = int.from_bytes(message[8:11], "big")
        message[11 + length - 1] ^= 1
