"""Handshake messages out of fragments: any cut, any number in a record, and limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.codes import HandshakeType
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.record import HandshakeJoiner
from pellucid.record.joiner import MESSAGE_LIMITS


def message(message_type: int, body: bytes) -> bytes:
    return bytes([message_type]) + len(body).to_bytes(3, "big") + body


def taken(joiner: HandshakeJoiner) -> list[bytes]:
    messages = []
    while (one := joiner.next()) is not None:
        messages.append(one)
    return messages


messages_of_a_flight = st.lists(
    st.builds(message, st.sampled_from([2, 8, 11, 15, 20]), st.binary(max_size=200)), min_size=1, max_size=6
)


@given(messages_of_a_flight, st.data())
def test_messages_come_out_whole_however_they_are_cut(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    joiner = HandshakeJoiner()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        joiner.add(stream[start:end])
        found += taken(joiner)
    assert found == messages
    assert not joiner.pending


def test_a_message_cut_into_single_bytes_is_joined() -> None:
    whole = message(HandshakeType.certificate, bytes(1000))
    joiner = HandshakeJoiner()
    for byte in whole[:-1]:
        joiner.add(bytes([byte]))
        assert joiner.next() is None
    joiner.add(whole[-1:])
    assert joiner.next() == whole


def test_a_message_without_a_body_is_a_message() -> None:
    joiner = HandshakeJoiner()
    joiner.add(message(HandshakeType.end_of_early_data, b""))
    assert joiner.next() == b"\x05\x00\x00\x00"


@pytest.mark.parametrize("held", [b"\x14", b"\x14\x00\x00\x20", b"\x14\x00\x00\x02\x01"])
def test_part_of_a_message_stands_in_the_way_of_a_key_change(held: bytes) -> None:
    joiner = HandshakeJoiner()
    joiner.add(held)
    assert joiner.next() is None
    assert joiner.pending
    with pytest.raises(PeerMisbehaved) as caught:
        joiner.require_boundary("a key change")
    assert caught.value.reason is Reason.MESSAGE_ACROSS_KEY_CHANGE
    assert "finished" in caught.value.detail


def test_a_further_message_in_the_record_stands_in_the_way_of_a_key_change() -> None:
    joiner = HandshakeJoiner()
    joiner.add(
        message(HandshakeType.server_hello, b"hello") + message(HandshakeType.encrypted_extensions, b"")
    )
    joiner.next()
    with pytest.raises(PeerMisbehaved) as caught:
        joiner.require_boundary("a key change")
    assert caught.value.reason is Reason.MESSAGE_ACROSS_KEY_CHANGE


def test_at_the_end_of_a_record_keys_may_change() -> None:
    joiner = HandshakeJoiner()
    joiner.add(message(HandshakeType.finished, bytes(32)))
    joiner.next()
    joiner.require_boundary("a key change")
    assert not joiner.pending


@pytest.mark.parametrize("message_type", [*MESSAGE_LIMITS, HandshakeType.encrypted_extensions, 99])
def test_a_header_that_announces_too_much_is_refused_before_the_rest_comes(message_type: int) -> None:
    limit = MESSAGE_LIMITS.get(message_type, 2**16 + 1024)
    joiner = HandshakeJoiner()
    joiner.add(bytes([message_type]) + (limit + 1).to_bytes(3, "big"))
    with pytest.raises(PeerMisbehaved) as caught:
        joiner.next()
    assert caught.value.reason is Reason.MESSAGE_TOO_LONG


@pytest.mark.parametrize("message_type", [*MESSAGE_LIMITS, HandshakeType.encrypted_extensions, 99])
def test_a_message_as_long_as_its_limit_is_taken(message_type: int) -> None:
    whole = message(message_type, bytes(MESSAGE_LIMITS.get(message_type, 2**16 + 1024)))
    joiner = HandshakeJoiner()
    joiner.add(whole)
    assert joiner.next() == whole
