"""Bytes that nobody meant: a message, or refused in one of two ways; and they can be described."""

from __future__ import annotations

import pytest
from fieldtrees import assert_within
from hypothesis import example, given, settings
from hypothesis import strategies as st
from samples import MESSAGES, name_of_class, wire_classes, with_header
from strategies import values_of

from pellucid.errors import BadMessage, PeerMisbehaved
from pellucid.messages import (
    HELLO_RETRY_RANDOM,
    HandshakeMessage,
    HelloRetryRequest,
    decode_handshake,
    describe,
    message_class,
)
from pellucid.wire import Wire

ENCODED = [(message.encode(), type(message)) for message in MESSAGES]
CLASSES = sorted(wire_classes(), key=name_of_class)
MESSAGE_CLASSES = [cls for cls in CLASSES if issubclass(cls, HandshakeMessage)]


def read(raw: bytes, *expected: type[HandshakeMessage]) -> None:
    """Read and describe; whatever was read has to be written back as something that can be read again."""
    assert_within(describe(raw, message_class(raw, expected) if raw else None), 0, len(raw))
    try:
        message = decode_handshake(raw, expected)
    except (BadMessage, PeerMisbehaved):
        return
    assert message.raw == raw
    assert decode_handshake(type(message).decode(raw).encode(), expected) == message


@settings(max_examples=100)
@given(raw=st.binary(max_size=120))
@example(b"")
def test_random_bytes(raw: bytes) -> None:
    read(raw)


@settings(max_examples=150)
@given(cls=st.sampled_from(MESSAGE_CLASSES), body=st.binary(max_size=120))
def test_random_bodies(cls: type[HandshakeMessage], body: bytes) -> None:
    read(with_header(cls.msg_type, body), cls)


@settings(max_examples=300)
@given(sample=st.sampled_from(ENCODED), data=st.data())
def test_messages_with_changed_bytes(
    sample: tuple[bytes, type[HandshakeMessage]], data: st.DataObject
) -> None:
    raw, cls = sample
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(changed), cls)


@settings(max_examples=150)
@given(sample=st.sampled_from(ENCODED), data=st.data())
def test_messages_with_a_piece_cut_out_or_put_in(
    sample: tuple[bytes, type[HandshakeMessage]], data: st.DataObject
) -> None:
    raw, cls = sample
    start = data.draw(st.integers(4, len(raw)))
    stop = data.draw(st.integers(start, min(len(raw), start + 8)))
    read(with_header(raw[0], raw[4:start] + data.draw(st.binary(max_size=8)) + raw[stop:]), cls)


@pytest.mark.parametrize("cls", CLASSES, ids=name_of_class)
@settings(max_examples=10)
@given(data=st.data())
def test_any_value_is_read_as_it_was_written(cls: type[Wire], data: st.DataObject) -> None:
    value = data.draw(values_of(cls.codec))
    encoded = cls.codec.encode(value)
    assert cls.codec.read(encoded) == value
    assert cls.codec.encode(cls.codec.read(encoded)) == encoded


@pytest.mark.parametrize("cls", MESSAGE_CLASSES, ids=name_of_class)
@settings(max_examples=10)
@given(data=st.data())
def test_any_message_is_described_within_its_bytes(cls: type[HandshakeMessage], data: st.DataObject) -> None:
    message = data.draw(values_of(cls.codec))
    if cls is HelloRetryRequest:
        message.random = HELLO_RETRY_RANDOM
    raw = message.encode()
    assert type(decode_handshake(raw, (cls,))) is cls
    assert_within(describe(raw, cls), 0, len(raw))
    assert not any(field.meaning == "not readable" for field in describe(raw, cls))
