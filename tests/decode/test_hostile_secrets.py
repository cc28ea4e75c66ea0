"""What opens a connection shows to nobody who has not asked for it: in no story, no JSON and no page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

import pytest
from conversations import converse
from watched import Wire, decode_one, turns_of
from watching12 import CBC, DHE, ECDHE, RSA, Talk, decode, rsa_key, talk12

from pellucid.decode import Decoded
from pellucid.trace import Trace
from pellucid.trace.events import KeysEvent, SecretEvent
from pellucid.trace.html import page
from pellucid.trace.json import dumps
from pellucid.trace.narration import narrate

#: It is what a Finished says.
NOT_SECRET = ("client_verify_data", "server_verify_data")

SUITES12 = (RSA, DHE, ECDHE, CBC)


def secrets_of(trace: Trace, key_log: list[str]) -> Iterator[bytes]:
    """All that both sides have computed, and what the key log says."""
    for event in trace.events:
        if isinstance(event, SecretEvent) and event.name not in NOT_SECRET:
            yield bytes(event.value)  # type: ignore[arg-type] # they were recorded with their values
        elif isinstance(event, KeysEvent):
            yield from (part for part in (event.key, event.mac_key) if isinstance(part, bytes) and part)
    yield from (bytes.fromhex(line.split()[2]) for line in key_log)


def told(found: Decoded) -> str:
    """In every way, with all there is to tell."""
    assert found.trace is not None
    story = repr(narrate(found.trace.events))
    html = page([found.trace], heading="heading", note="note")
    return "".join((story, repr(found), repr(found.trace.events), dumps(found.trace), html))


def hold(found: Decoded, secrets: list[bytes]) -> None:
    assert found.sealed == ()  # it was opened
    assert len(secrets) > 8
    text = told(found)
    packed = text.replace(" ", "").replace("\\n", "").replace(":", "").lower()
    for secret in secrets:
        assert secret[:12].hex() not in packed
        assert b64encode(secret)[:16].decode() not in text
        assert repr(secret[:12])[2:-1] not in text


@pytest.mark.parametrize("kind", ["full", "retried", "mutual", "resumed"])
def test_no_secret_of_tls13_shows(kind: str) -> None:
    talk = converse(kind, reveal_secrets=True)
    found = decode_one(Wire().say(*turns_of(talk)).close().capture, talk.key_log)
    hold(found, list(secrets_of(talk.trace, talk.key_log)))


@pytest.mark.parametrize("suite", SUITES12)
def test_no_secret_of_tls12_shows(suite: str) -> None:
    talk = talk12(suite)
    (found,) = decode(talk.capture(), reveal_secrets=False)
    hold(found, list(secrets_of(talk.traces[0], talk.key_log)))


def test_nothing_that_a_private_key_opens_shows() -> None:
    talk: Talk = talk12(RSA)
    key = rsa_key()
    (found,) = decode(talk.capture(with_keys=False), private_key=key, reveal_secrets=False)
    numbers = key.private_numbers()
    parts = [number.to_bytes(128, "big") for number in (numbers.p, numbers.q)]
    hold(found, [*secrets_of(talk.traces[0], talk.key_log), *parts])


def test_all_of_them_show_where_they_are_asked_for() -> None:
    """The search above finds what there is."""
    talk = talk12(ECDHE)
    (found,) = decode(talk.capture(), reveal_secrets=True)
    (line,) = talk.key_log
    assert line.split()[2] in told(found)
