"""What a caller hands in by mistake is refused where it comes in, and not found out later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from loopback import client_config, connect_pair, server_config, shake_hands

from pellucid import Misuse, Reason
from pellucid.identity import parse_server_name
from pellucid.identity.names import MAX_NAME_LENGTH

SURROGATE = "h\ud800"


@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
@pytest.mark.parametrize("thing", [5, "text", None, [104, 105], (1, 2)], ids=repr)
def test_only_bytes_are_data(side: int, thing: Any) -> None:
    """`bytes(5)` would be five zeros."""
    connection = shake_hands()[side]
    for call in (connection.send_data, connection.receive_data):
        with pytest.raises(TypeError, match=type(thing).__name__):
            call(thing)
    assert connection.failure is None
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_come_in_several_types(kind: Callable[[bytes], Any]) -> None:
    client, server = shake_hands()
    client.send_data(kind(b"data"))
    (event,) = server.receive_data(kind(client.data_to_send()))
    assert event.data == b"data"  # type: ignore[union-attr]


def test_a_connection_that_shakes_hands_takes_only_bytes_too() -> None:
    for connection in connect_pair():
        with pytest.raises(TypeError):
            connection.receive_data(5)  # type: ignore[arg-type]
        assert connection.failure is None


@pytest.mark.parametrize("make", [client_config, server_config])
def test_a_protocol_name_that_is_no_text_is_refused(make: Callable[..., object]) -> None:
    with pytest.raises(Misuse) as caught:
        make(alpn_protocols=["h2", SURROGATE])
    assert caught.value.reason is Reason.BAD_CONFIGURATION
    assert str(caught.value).isascii()


LONG = {
    "labels": "a." * 200 + "test",
    "one character too long": "a" * 62 + ".b" * 96,
    "a zone": "fe80::1%" + "z" * 1_000_000,
    "not ASCII": "\u00fc" * 1_000_000,
    "not ASCII, with dots": "\u00fc\u3002" * 500_000,
    "digits": "1" * 1_000_000,
    "spaces": " " * 1_000_000,
}


@pytest.mark.parametrize("what", LONG)
def test_a_name_that_is_too_long_is_refused_at_once_and_not_kept(what: str) -> None:
    before = parse_server_name.cache_info().currsize
    start = time.process_time()
    with pytest.raises(Misuse) as caught:
        parse_server_name(LONG[what])
    # IDNA alone would take minutes for the longest.
    assert time.process_time() - start < 0.3
    assert caught.value.reason is Reason.BAD_SERVER_NAME
    assert len(str(caught.value)) < 4_096
    assert parse_server_name.cache_info().currsize == before


def test_the_longest_name_is_taken() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(longest) == MAX_NAME_LENGTH
    assert str(parse_server_name(longest)) == longest
    assert str(parse_server_name(longest + ".")) == longest


@pytest.mark.parametrize("name", [SURROGATE, "a\x00b.test", "a\nb.test", "a\x1b[2J.test"])
def test_a_name_that_is_no_text_is_refused_in_text(name: str) -> None:
    with pytest.raises(Misuse) as caught:
        parse_server_name(name)
    assert caught.value.reason is Reason.BAD_SERVER_NAME
    assert str(caught.value).isprintable()
