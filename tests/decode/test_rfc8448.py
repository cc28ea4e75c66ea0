"""The traces of RFC 8448, decoded from captures made of them."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import pytest
from captures import conversation, pcap
from rfc8448 import NAMES, SERVER_NAME, vectors
from watching12 import checks, events_of, messages, secrets

from pellucid.decode import Decoded, Decoder, KeyMaterial
from pellucid.keys import KEY_LOG_LABELS, key_log_line
from pellucid.trace.events import ChoiceEvent, DataEvent, KeysEvent, MessageEvent, Side

each_trace = pytest.mark.parametrize("name", NAMES)

#: The traces' certificates are made for them: RSA of 1024 bits, valid in 2016.
WHEN_NS = 1_470_000_000 * 10**9


def turns(name: str) -> list[tuple[str, bytes]]:
    records = vectors(name).data["records"]
    return [(record["sender"], bytes.fromhex(record["record"])) for record in records]


def key_log(name: str, *, without: frozenset[str] = frozenset()) -> str:
    trace = vectors(name)
    client_random = trace.message("client", "ClientHello").random
    known = {KEY_LOG_LABELS[n]: value for n, value in trace.secrets().items() if n in KEY_LOG_LABELS}
    lines = [key_log_line(label, client_random, v) for label, v in known.items() if label not in without]
    return "\n".join([*lines, ""])


def decode(name: str, *, without: frozenset[str] = frozenset()) -> Decoded:
    packets = conversation(turns(name))
    capture = pcap((WHEN_NS + number * 10**6, packet) for number, packet in enumerate(packets))
    keys = KeyMaterial()
    keys.add_key_log(key_log(name, without=without))
    (found,) = Decoder(BytesIO(capture), keys=keys, reveal_secrets=True).connections()
    return found


@cache
def decoded(name: str) -> Decoded:
    return decode(name)


def sent(name: str) -> list[tuple[str, str]]:
    """Sender and raw message, of all that the RFC has, in its order."""
    return [(message["sender"], message["raw"]) for message in vectors(name).data["messages"]]


@each_trace
def test_every_message_is_told_as_it_was_sent_and_as_it_was_received(name: str) -> None:
    told = messages(events_of(decoded(name)))
    assert [(side, raw) for side, direction, _, raw in told if direction == "sent"] == sent(name)
    both = {"client": "server", "server": "client"}
    received = [(both[side], raw) for side, direction, _, raw in told if direction == "received"]
    assert sorted(received) == sorted(sent(name))


@each_trace
def test_the_finished_of_both_sides_are_checked(name: str) -> None:
    finished = checks(events_of(decoded(name)), "finished")
    assert [(check.side, check.ok) for check in finished] == [("client", True), ("server", True)]


@each_trace
def test_signatures_hold(name: str) -> None:
    verified = checks(events_of(decoded(name)), "certificate_verify")
    count = {"resumed_0rtt": 0, "client_authentication": 2}.get(name, 1)
    assert [(check.ok, check.found) for check in verified] == [(True, "it holds")] * count


@each_trace
def test_secrets_and_keys_are_the_rfcs(name: str) -> None:
    trace, found = vectors(name), decoded(name)
    theirs = trace.secrets()
    ours = {n: value for (_, n), value in secrets(events_of(found)).items() if n != "finished_key"}
    assert ours.items() <= theirs.items()
    epochs = {"handshake": "handshake", "application": "application", "early data": "early_data"}
    keys = {
        (e.side, e.epoch): (e.key, e.iv)
        for e in events_of(found)
        if isinstance(e, KeysEvent) and e.direction == "write"
    }
    known = trace.traffic_keys()
    for (side, epoch), pair in keys.items():
        assert known.get((side, epochs[epoch]), pair) == pair
    assert len(keys) == 4 + (name == "resumed_0rtt")


@each_trace
def test_how_it_came_out(name: str) -> None:
    found = decoded(name)
    assert found.outcome is not None
    assert (found.outcome.status, found.outcome.protocol) == ("connected", "TLSv1.3")
    assert found.outcome.resumed is (name == "resumed_0rtt")
    assert found.outcome.mutual is (name == "client_authentication")
    assert found.outcome.group == ("secp256r1" if name == "hello_retry_request" else "x25519")
    assert (found.server_name, found.sealed) == (SERVER_NAME, ())
    assert len(found.hellos) == (2 if name == "hello_retry_request" else 1)


def test_early_data_is_told_before_the_server_answers() -> None:
    events = events_of(decoded("resumed_0rtt"))
    kinds = [
        (e.side, e.kind)
        for e in events
        if isinstance(e, DataEvent) or (isinstance(e, MessageEvent) and e.direction == "sent")
    ]
    assert kinds[:3] == [("client", "message"), ("client", "data"), ("server", "message")]
    (choice,) = (e for e in events if isinstance(e, ChoiceEvent) and e.what == "early_data")
    assert choice.chosen == "accepted"
    received = [e.length for e in events if isinstance(e, DataEvent) and e.direction == "received"]
    assert received == [6, 50, 50]
    assert [e.epoch for e in events if isinstance(e, MessageEvent) and e.name == "EndOfEarlyData"] == [
        "early data"
    ] * 2


def test_without_the_early_secret_only_early_data_stays_closed() -> None:
    found = decode("resumed_0rtt", without=frozenset({"CLIENT_EARLY_TRAFFIC_SECRET"}))
    events = events_of(found)
    assert [check.ok for check in checks(events, "finished")] == [True, True]
    names: list[tuple[Side, str]] = [
        (e.side, e.name) for e in events if isinstance(e, MessageEvent) and e.direction == "sent"
    ]
    assert ("client", "EndOfEarlyData") not in names
    assert [e.length for e in events if isinstance(e, DataEvent) and e.direction == "received"] == [50, 50]
