"""KeyUpdates in the middle of things: within one large write, in both directions at once, byte by byte."""

from __future__ import annotations

import random
from typing import Any

import pytest
from loopback import client_config, connect_pair, feed, pump, server_config, shake_hands

from pellucid import Misuse
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.events import DataReceived, Event, KeyUpdated

AFTER = 4
RECORDS = 20
DATA = random.Random(7).randbytes(RECORDS * 2**14)


def drained(connection: Connection) -> bytes:
    found = b""
    while out := connection.data_to_send():
        found += out
    return found


def received(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, DataReceived))


def updates(events: list[Event]) -> int:
    return sum(isinstance(event, KeyUpdated) for event in events)


def limited(**knobs: Any) -> tuple[Connection, Connection]:
    """Both sides take a new key after a few records."""
    return shake_hands(client_config(key_update_after=AFTER), server_config(key_update_after=AFTER, **knobs))


@pytest.mark.parametrize("piece", [None, 1, 1000], ids=str)
def test_one_large_write_takes_several_keys(piece: int | None) -> None:
    """RFC 9846 5.5: "prior to reaching these limits", however much is written at once."""
    client, server = limited()
    client.send_data(DATA)
    events = feed(server, drained(client), piece)
    assert received(events) == DATA
    # One record of each key is the KeyUpdate itself.
    assert updates(events) >= RECORDS // AFTER


def test_no_key_seals_more_than_its_limit() -> None:
    client, _ = limited()
    sealed: list[int] = []
    writer = client._driver.writer
    client.send_data(DATA)
    while client.data_to_send():
        sealed.append(writer.records_sealed)
    assert max(sealed) <= AFTER


def test_both_directions_take_keys_of_their_own() -> None:
    client, server = limited()
    client.send_data(DATA)
    server.send_data(DATA[::-1])
    to_server, to_client = drained(client), drained(server)
    assert received(server.receive_data(to_server)) == DATA
    assert received(client.receive_data(to_client)) == DATA[::-1]


def test_many_small_writes_take_new_keys_too() -> None:
    client, server = limited()
    for number in range(100):
        client.send_data(b"%d" % number)
        assert received(server.receive_data(client.data_to_send())) == b"%d" % number
    assert client._hs.write_epoch >= 100 // AFTER


def test_the_limit_is_kept_with_padding() -> None:
    client, server = shake_hands(client_config(key_update_after=AFTER, padding=lambda *_: 10))
    client.send_data(DATA)
    events = server.receive_data(drained(client))
    assert received(events) == DATA
    assert updates(events) >= RECORDS // AFTER


@pytest.mark.parametrize("request_update", [True, False], ids=["answered", "alone"])
@pytest.mark.parametrize("piece", [None, 1], ids=["whole", "byte by byte"])
def test_data_before_and_behind_an_update_arrives(request_update: bool, piece: int | None) -> None:
    for speaker, listener in ((0, 1), (1, 0)):
        pair = shake_hands()
        pair[speaker].send_data(b"before ")
        pair[speaker].key_update(request=request_update)
        pair[speaker].send_data(b"behind")
        events = feed(pair[listener], drained(pair[speaker]), piece)
        assert received(events) == b"before behind"
        assert updates(events) == 1
        pair[listener].send_data(b"answer")
        answer = feed(pair[speaker], drained(pair[listener]), piece)
        assert received(answer) == b"answer"
        assert updates(answer) == request_update


def test_both_ask_at_the_same_time() -> None:
    """RFC 9846 4.7.3: "each side increments by two generations"."""
    client, server = shake_hands()
    client.key_update()
    server.key_update()
    to_server, to_client = client.data_to_send(), server.data_to_send()
    client.receive_data(to_client)
    server.receive_data(to_server)
    client_events, server_events = pump(client, server)
    assert updates(client_events) == updates(server_events) == 1
    epochs = [(one._hs.read_epoch, one._hs.write_epoch) for one in (client, server)]
    assert epochs == [(2, 2), (2, 2)]
    client.send_data(b"still")
    server.send_data(b"here")
    client_events, server_events = pump(client, server)
    assert (received(client_events), received(server_events)) == (b"here", b"still")


def test_an_update_is_answered_before_more_data() -> None:
    """RFC 9846 4.7.3: "prior to sending its next Application Data record", queued data included."""
    client, server = shake_hands()
    server.send_data(DATA)
    before = received(client.receive_data(server.data_to_send()))
    client.key_update()
    server.receive_data(client.data_to_send())
    events = client.receive_data(drained(server))
    assert isinstance(events[0], KeyUpdated)
    assert before + received(events) == DATA


def test_a_hundred_keys_one_after_the_other() -> None:
    client, server = shake_hands()
    for number in range(100):
        speaker, listener = (client, server) if number % 2 else (server, client)
        speaker.key_update()
        pump(client, server)
        speaker.send_data(b"%d" % number)
        assert received(listener.receive_data(speaker.data_to_send())) == b"%d" % number
    assert client._hs.read_epoch == client._hs.write_epoch == 100


@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_there_is_nothing_to_update_before_the_handshake(side: int) -> None:
    with pytest.raises(Misuse) as caught:
        connect_pair()[side].key_update()
    assert caught.value.reason is Reason.HANDSHAKE_NOT_COMPLETE


def test_an_update_behind_close_is_refused_and_one_before_it_goes_first() -> None:
    client, server = shake_hands()
    client.send_data(b"last")
    client.key_update(request=False)
    client.close()
    with pytest.raises(Misuse) as caught:
        client.key_update()
    assert caught.value.reason is Reason.CONNECTION_CLOSED
    events = server.receive_data(drained(client))
    assert received(events) == b"last"
    assert server.peer_closed


def test_a_closed_side_still_follows_the_peers_keys() -> None:
    client, server = shake_hands()
    client.close()
    server.receive_data(client.data_to_send())
    for _ in range(3):
        server.key_update(request=False)
        server.send_data(b"on")
        assert received(client.receive_data(server.data_to_send())) == b"on"
    assert client.data_to_send() == b""
