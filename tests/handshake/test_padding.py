"""A padding policy is the application's: when it fails, so does the connection, and no data is half sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import client_config, connect_pair, pump, server_config, shake_hands

from pellucid import ClientConnection, DataReceived, Misuse, Reason, ServerConnection, TLSError
from pellucid.codes import ContentType
from pellucid.crypto.suites import SUITES
from pellucid.errors import AlertReceived
from pellucid.keys import TrafficKeys
from pellucid.record import RecordWriter, Sealer

DATA = int(ContentType.application_data)


def raising(_content_type: int, _length: int) -> int:
    raise RuntimeError("the policy is broken")


def negative(_content_type: int, _length: int) -> int:
    return -1


def no_number(_content_type: int, _length: int) -> Any:
    return "some"


BROKEN = [raising, negative, no_number]


class Policy:
    """No padding, until it breaks."""

    def __init__(self) -> None:
        self.now: Callable[[int, int], int] = lambda *_: 0

    def __call__(self, content_type: int, length: int) -> int:
        return self.now(content_type, length)


def connected_with(policy: Policy) -> tuple[ClientConnection, ServerConnection]:
    return shake_hands(client_config(padding=policy))


@pytest.mark.parametrize("broken", BROKEN)
def test_a_padding_policy_that_fails_ends_the_connection_as_our_fault(broken: Any) -> None:
    policy = Policy()
    client, server = connected_with(policy)
    client.send_data(b"data")
    policy.now = broken
    with pytest.raises(Misuse) as caught:
        client.data_to_send()
    assert client.failure is caught.value
    assert client.state == "FAILED"
    with pytest.raises(TLSError) as again:
        client.receive_data(b"")
    assert again.value is caught.value
    with pytest.raises(Misuse) as misuse:
        client.send_data(b"more")
    assert misuse.value.reason is Reason.CONNECTION_CLOSED
    # The peer is told, and gets no data.
    with pytest.raises(AlertReceived, match="internal_error") as told:
        server.receive_data(client.data_to_send())
    assert told.value.events == ()
    assert client.data_to_send() == b""


@pytest.mark.parametrize("broken", BROKEN)
def test_a_padding_policy_that_fails_in_a_handshake_ends_it(broken: Any) -> None:
    """What is not padded is sent first, so that the client has the keys to read the alert with."""
    client, server = connect_pair(server=server_config(padding=broken))
    server.receive_data(client.data_to_send())
    server_hello = server.data_to_send()
    assert server.failure is None
    with pytest.raises(Misuse):
        server.data_to_send()
    assert server.state == "FAILED"
    client.receive_data(server_hello)
    assert client.state == "WAIT_EE"
    with pytest.raises(AlertReceived, match="internal_error"):
        client.receive_data(server.data_to_send())


def test_data_before_the_failure_arrives() -> None:
    policy = Policy()
    client, server = connected_with(policy)
    client.send_data(b"early")
    sent = client.data_to_send()
    client.send_data(b"late")
    policy.now = raising
    with pytest.raises(Misuse):
        client.data_to_send()
    assert server.receive_data(sent) == [DataReceived(b"early")]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("size", [1, 20_000], ids=["one record", "several records"])
def test_padding_is_asked_for_before_data_leaves_the_queue(broken: Any, size: int) -> None:
    writer = RecordWriter()
    writer.install(Sealer(SUITES[0x1301], TrafficKeys(b"k" * 16, b"i" * 12)))
    writer.queue(DATA, b"x" * size)
    writer.queue(DATA, b"more")
    writer.padding = broken
    with pytest.raises((RuntimeError, Misuse, TypeError)):
        writer.take()
    assert writer.pending == size + 4
    assert writer.records_sealed == 0


def test_a_policy_that_fails_for_a_while_loses_nothing() -> None:
    """In the middle of a write, behind records that are sealed already."""
    policy = Policy()
    client, server = connected_with(policy)
    writer = client._driver.writer
    data = bytes(range(256)) * 200
    asked: list[int] = []

    def failing_at_times(_content_type: int, length: int) -> int:
        asked.append(length)
        if len(asked) % 2 == 0:
            raise RuntimeError("not now")
        return 5

    policy.now = failing_at_times
    for start in range(0, len(data), 10_000):
        client.send_data(data[start : start + 10_000])
    sent = b""
    failures = 0
    while writer.pending:
        try:
            sent += writer.take()
        except RuntimeError:
            failures += 1
    assert len(asked) > 5
    assert failures == 0
    events = server.receive_data(sent)
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == data


def test_padding_that_asks_for_more_than_fits_is_cut() -> None:
    """RFC 9846 5.4: padding is free within the limits of the record."""
    policy = Policy()
    client, server = connected_with(policy)
    policy.now = lambda *_: 10**6
    for size in (1, 2**14 - 1, 2**14, 40_000):
        client.send_data(bytes(size))
        _, events = pump(client, server)
        assert sum(len(event.data) for event in events if isinstance(event, DataReceived)) == size
