"""Application data: large writes in small pieces, both ways at once, padded, and cut as the network likes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config, shake_hands

from pellucid.connection import Connection
from pellucid.events import DataReceived, Event
from pellucid.policy import SUPPORTED_CIPHER_SUITES

MIB = 2**20
MAX_OUTPUT = 2**16
HEADER, OVERHEAD = 5, 17


def payload(length: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(length)


def data_in(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, DataReceived))


def outputs(connection: Connection) -> Iterator[bytes]:
    while out := connection.data_to_send():
        assert len(out) <= MAX_OUTPUT
        yield out


def record_lengths(data: bytes) -> list[int]:
    found = []
    while data:
        found.append(int.from_bytes(data[3:HEADER], "big"))
        data = data[HEADER + found[-1] :]
    return found


@pytest.mark.parametrize("suite", SUPPORTED_CIPHER_SUITES, ids=str)
def test_a_mebibyte_each_way_at_once(suite: str) -> None:
    """In alternation, no more than 64 KiB at a time, none of it mixed up."""
    keys = [credential(), credential("rsa")]
    pair = shake_hands(
        client_config(cipher_suites=[suite]), server_config(cipher_suites=[suite], credentials=keys)
    )
    sent = payload(MIB, 1), payload(MIB, 2)
    for connection, data in zip(pair, sent, strict=True):
        connection.send_data(data)
    received = [b"", b""]
    while True:
        pieces = [connection.data_to_send() for connection in pair]
        if not any(pieces):
            break
        for listener, piece in enumerate(reversed(pieces)):
            assert len(piece) <= MAX_OUTPUT
            received[listener] += data_in(pair[listener].receive_data(piece))
    assert tuple(reversed(received)) == sent


@pytest.mark.parametrize("size", [1, 100, 2**14 - 1, 2**14, 2**14 + 1, 2**16, 2**16 + 1, 200_001])
def test_a_write_of_any_size_arrives(size: int) -> None:
    client, server = shake_hands()
    data = payload(size)
    client.send_data(data)
    assert data_in(server.receive_data(b"".join(outputs(client)))) == data


def test_a_large_write_makes_full_records() -> None:
    client, _ = shake_hands()
    client.send_data(bytes(10 * 2**14))
    lengths = record_lengths(b"".join(outputs(client)))
    assert lengths == [2**14 + OVERHEAD] * 10


def test_small_writes_share_records() -> None:
    client, server = shake_hands()
    for _ in range(1000):
        client.send_data(b"0123456789")
    sealed = b"".join(outputs(client))
    assert len(record_lengths(sealed)) == 1
    assert data_in(server.receive_data(sealed)) == b"0123456789" * 1000


def test_an_empty_write_sends_nothing() -> None:
    client, _ = shake_hands()
    client.send_data(b"")
    assert client.data_to_send() == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_what_is_written_may_be_changed_afterwards(kind: type) -> None:
    client, server = shake_hands()
    buffer = bytearray(b"as it was")
    client.send_data(kind(buffer))
    buffer[:] = b"x" * len(buffer)
    assert data_in(server.receive_data(client.data_to_send())) == b"as it was"


@pytest.mark.parametrize("seed", range(6))
def test_the_network_may_cut_the_stream_anywhere(seed: int) -> None:
    client, server = shake_hands()
    source = random.Random(seed)
    data = payload(300_000, seed)
    client.send_data(data)
    stream = b"".join(outputs(client))
    received, position = b"", 0
    while position < len(stream):
        size = source.choice([1, 4, 5, 6, 1000, 16406, 40_000, 70_000])
        received += data_in(server.receive_data(stream[position : position + size]))
        position += size
    assert received == data


def test_data_with_the_clients_finished_arrives() -> None:
    """And a server's with its tickets, and both in one piece of network."""
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.send_data(b"at once")
    events = server.receive_data(client.data_to_send())
    assert data_in(events) == b"at once"
    server.send_data(b"likewise")
    assert data_in(client.receive_data(server.data_to_send())) == b"likewise"


# -- padding


def to_multiples_of(size: int) -> object:
    return lambda _content_type, length: -length % size


@pytest.mark.parametrize("length", [1, 63, 64, 65, 2**14 - 1, 2**14, 40_000])
def test_padding_hides_lengths(length: int) -> None:
    config = {"padding": to_multiples_of(64)}
    client, server = shake_hands(client_config(**config), server_config(**config))
    client.send_data(payload(length))
    sealed = b"".join(outputs(client))
    assert all((size - OVERHEAD) % 64 == 0 for size in record_lengths(sealed))
    assert all(size <= 2**14 + OVERHEAD for size in record_lengths(sealed))
    assert data_in(server.receive_data(sealed)) == payload(length)


def test_the_handshake_is_padded_too() -> None:
    """The length of a certificate tells which one it is."""
    config = {"padding": to_multiples_of(4096)}
    client, server = connect_pair(server=server_config(**config))
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    protected = flight[flight.index(b"\x17\x03\x03") :]
    assert [(size - OVERHEAD) % 4096 for size in record_lengths(protected)] == [0] * len(
        record_lengths(protected)
    )
    client.receive_data(flight)
    assert client.handshake_complete


def test_a_padding_that_asks_for_too_much_gets_what_fits() -> None:
    config = client_config(padding=lambda _content_type, _length: 2**20)
    client, server = shake_hands(config)
    client.send_data(b"x")
    sealed = b"".join(outputs(client))
    assert record_lengths(sealed) == [2**14 + OVERHEAD]
    assert data_in(server.receive_data(sealed)) == b"x"


def test_a_paused_reader_does_not_mix_up_two_streams() -> None:
    """What is written while the other side's bytes wait is in order on both sides."""
    client, server = shake_hands()
    said: list[bytes] = []
    for number in range(50):
        message = b"message %d;" % number
        said.append(message)
        client.send_data(message)
        server.send_data(message)
        if number % 7 == 0:
            client_events, server_events = pump(client, server)
            assert data_in(client_events) == data_in(server_events) == b"".join(said)
            said.clear()
