"""Records of TLS 1.2 that are forged, cut, swapped, too long, in clear behind the keys, or between two parts.

As in test_record_abuse.py. Here the true type and the version of a record stand in its header, and both are
authenticated; what follows a ChangeCipherSpec is protected, alerts as well. CBC is there in both its orders.
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import connect_pair, shake_hands
from rogue import assert_dead, plaintext, refuses_data, sealed
from rogue12 import Side, alerts_of, client_of, server_of

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.codes import AlertDescription, AlertLevel, ContentType
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.events import DataReceived

A = AlertDescription
C = ContentType
BAD = A.bad_record_mac
BOTH = pytest.mark.parametrize("side", ["client", "server"])

#: A suite and whether the MAC is behind the ciphertext.
PROTECTIONS: dict[str, tuple[str, bool]] = {
    "GCM": ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", False),
    "ChaCha20": ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", False),
    "CCM_8": ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", False),
    "CBC, MAC first": ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", False),
    "CBC, MAC last": ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", True),
}
EACH = pytest.mark.parametrize("protection", PROTECTIONS)


def pair(protection: str, **knobs: Any) -> tuple[ClientConnection, ServerConnection]:
    suite, encrypt_then_mac = PROTECTIONS[protection]
    knobs = {"cipher_suites": [suite], "encrypt_then_mac": encrypt_then_mac} | knobs
    asking = {name: knobs.pop(name) for name in ("max_fragment_length",) if name in knobs}
    return shake_hands(client_of(sessions=None, **knobs, **asking), server_of(**knobs))


def connected(side: Side, protection: str, **knobs: Any) -> tuple[Connection, Connection]:
    """(victim, the other one)"""
    client, server = pair(protection, **knobs)
    return (client, server) if side == "client" else (server, client)


def record_of(sender: Connection, data: bytes) -> bytes:
    sender.send_data(data)
    return sender.data_to_send()


# -- forged


@EACH
@BOTH
def test_any_byte_of_a_record_changed_is_refused(side: Side, protection: str) -> None:
    """The version in its header as well: TLS 1.2 authenticates it, where TLS 1.3 ignores it."""
    victim, sender = connected(side, protection)
    length = len(record_of(sender, b"pay 100"))
    for at in range(length):
        victim, sender = connected(side, protection)
        record = record_of(sender, b"pay 100")
        forged = record[:at] + bytes([record[at] ^ 0x08]) + record[at + 1 :]
        # A longer length is waited for, and then what is behind is part of the record.
        forged += bytes(4096) if at in (3, 4) else b""
        with alerts_of(victim) as alerts, pytest.raises(TLSError) as caught:
            victim.receive_data(forged)
        # Of the header, type and length can be wrong by themselves.
        seen = {Reason.BAD_RECORD_MAC}
        seen |= {Reason.UNEXPECTED_RECORD} if at == 0 else {Reason.RECORD_OVERFLOW} if at in (3, 4) else set()
        assert caught.value.reason in seen, at
        assert len(alerts) == 1
        assert_dead_without_more(victim, caught.value)


def assert_dead_without_more(victim: Connection, error: TLSError) -> None:
    assert victim.data_to_send()
    assert_dead(victim, error)


@EACH
@BOTH
def test_data_is_not_made_an_alert_or_a_message(side: Side, protection: str) -> None:
    """The type is part of what is authenticated, though it stands in clear."""
    for other_type in (C.alert, C.handshake):
        victim, sender = connected(side, protection)
        record = record_of(sender, b"\x01\x00")
        refuses_data(victim, sender, bytes([other_type]) + record[1:], Reason.BAD_RECORD_MAC, BAD)


@EACH
@BOTH
def test_a_record_shorter_than_its_protection_is_refused(side: Side, protection: str) -> None:
    for length in range(33):
        victim, sender = connected(side, protection)
        record = plaintext(C.application_data, bytes(length))
        refuses_data(victim, sender, record, Reason.BAD_RECORD_MAC, BAD)


# -- out of order


@EACH
@BOTH
def test_a_record_has_its_place(side: Side, protection: str) -> None:
    """Twice, left out, swapped: each ends the connection, for the number of a record is part of it."""
    for order in ((0, 0), (1,), (1, 0), (0, 2)):
        victim, sender = connected(side, protection)
        records = [record_of(sender, b"%d" % number) for number in range(3)]
        got: list[Any] = []
        with pytest.raises(TLSError) as caught:
            got += victim.receive_data(b"".join(records[number] for number in order))
        assert caught.value.reason is Reason.BAD_RECORD_MAC
        assert caught.value.events == (() if order[0] else (DataReceived(b"0"),))
        assert got == []


@EACH
def test_a_record_of_another_connection_or_direction_is_refused(protection: str) -> None:
    client, server = pair(protection)
    other_client, _ = pair(protection)
    refuses_data(server, client, record_of(other_client, b"pay 100"), Reason.BAD_RECORD_MAC, BAD)
    _, server = pair(protection)
    with pytest.raises(TLSError) as caught:
        server.receive_data(record_of(server, b"pay 100"))
    assert caught.value.reason is Reason.BAD_RECORD_MAC


# -- too long


@EACH
@BOTH
def test_content_of_more_than_2_14_bytes_is_refused(side: Side, protection: str) -> None:
    victim, sender = connected(side, protection)
    assert victim.receive_data(sealed(sender, C.application_data, bytes(2**14))) == [
        DataReceived(bytes(2**14))
    ]
    record = sealed(sender, C.application_data, bytes(2**14 + 1))
    refuses_data(victim, sender, record, Reason.RECORD_OVERFLOW, A.record_overflow)


@EACH
@BOTH
def test_a_length_of_more_than_there_may_be_is_refused_at_the_header(side: Side, protection: str) -> None:
    """RFC 5246 6.2.3: 2^14 + 2048; nothing is waited for."""
    victim, sender = connected(side, protection)
    header = b"\x17\x03\x03" + (2**14 + 2049).to_bytes(2, "big")
    refuses_data(victim, sender, header, Reason.RECORD_OVERFLOW, A.record_overflow)


@EACH
@BOTH
@pytest.mark.parametrize("knob", ["max_fragment_length", "record_size_limit"])
def test_content_of_more_than_was_asked_for_is_refused(side: Side, protection: str, knob: str) -> None:
    victim, sender = connected(side, protection, **{knob: 512})
    assert victim.receive_data(sealed(sender, C.application_data, bytes(512))) == [DataReceived(bytes(512))]
    record = sealed(sender, C.application_data, bytes(513))
    refuses_data(victim, sender, record, Reason.RECORD_OVERFLOW, A.record_overflow)


@BOTH
def test_a_record_in_clear_of_more_than_2_14_bytes_is_refused(side: Side) -> None:
    client, server = connect_pair(client_of(sessions=None), server_of())
    victim: Connection = server
    if side == "client":
        client.data_to_send()
        victim = client
    header = b"\x16\x03\x03" + (2**14 + 1).to_bytes(2, "big")
    with alerts_of(victim) as alerts, pytest.raises(TLSError) as caught:
        victim.receive_data(header)
    assert caught.value.reason is Reason.RECORD_OVERFLOW
    assert alerts == [bytes((AlertLevel.fatal, A.record_overflow))]


# -- in clear behind the keys


@EACH
@BOTH
@pytest.mark.parametrize(
    "content_type, content",
    [
        (C.alert, b"\x02\x28"),
        (C.alert, b"\x01\x00"),
        (C.handshake, b"\x00\x00\x00\x00"),
        (C.application_data, b"data in clear"),
        (C.change_cipher_spec, b"\x01"),
    ],
    ids=["fatal alert", "close_notify", "HelloRequest", "data", "ChangeCipherSpec"],
)
def test_nothing_comes_in_clear_after_the_handshake(
    side: Side, protection: str, content_type: int, content: bytes
) -> None:
    """An alert that anybody could have sent ends nothing in order, and nothing else is believed either."""
    victim, sender = connected(side, protection)
    record = plaintext(content_type, content)
    refuses_data(victim, sender, record, Reason.BAD_RECORD_MAC, BAD)


@BOTH
@pytest.mark.parametrize("content_type", [0, 19, 24, 25, 26, 255])
def test_a_record_of_an_unknown_type_is_refused(side: Side, content_type: int) -> None:
    victim, sender = connected(side, "GCM")
    record = plaintext(content_type, bytes(40))
    refuses_data(victim, sender, record, Reason.UNEXPECTED_RECORD, A.unexpected_message)
    victim, sender = connected(side, "GCM")
    record = sealed(sender, content_type, b"x")
    refuses_data(victim, sender, record, Reason.UNEXPECTED_RECORD, A.unexpected_message)


# -- inside a message


@pytest.mark.parametrize(
    "content_type, content",
    [(C.alert, b"\x01\x5a"), (C.alert, b"\x01\x00"), (C.change_cipher_spec, b"\x01")],
    ids=["warning", "close_notify", "ChangeCipherSpec"],
)
@BOTH
def test_no_other_record_comes_between_the_parts_of_a_message(
    side: Side, content_type: int, content: bytes
) -> None:
    client, server = connect_pair(client_of(sessions=None), server_of())
    hello = client.data_to_send()
    victim, other, data = server, client, hello[5:]
    if side == "client":
        server.receive_data(hello)
        victim, other, data = client, server, server.data_to_send()[5:]  # type: ignore[assignment]
    between = plaintext(C.handshake, data[:60]) + plaintext(content_type, content)
    refuses_data(victim, other, between, Reason.MESSAGE_ACROSS_KEY_CHANGE, A.unexpected_message)


@BOTH
def test_nothing_stands_behind_a_message_when_the_keys_change(side: Side) -> None:
    """What is left of a record in clear would be read as if it had been protected."""
    client, server = connect_pair(client_of(), server_of())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    victim, other = server, client
    if side == "client":
        server.receive_data(client.data_to_send())
        victim, other = client, server  # type: ignore[assignment]
    flight = other.data_to_send()
    length = int.from_bytes(flight[3:5], "big")
    # The beginning of one more message, of the kind that is due behind the ChangeCipherSpec.
    clear = plaintext(C.handshake, flight[5 : 5 + length] + b"\x14\x00")
    error = Reason.UNEXPECTED_MESSAGE
    refuses_data(victim, other, clear + flight[5 + length :], error, A.unexpected_message)


@EACH
def test_data_before_a_forged_record_is_handed_out(protection: str) -> None:
    client, server = pair(protection)
    good = record_of(client, b"good")
    forged = record_of(client, b"bad")
    forged = forged[:-1] + bytes([forged[-1] ^ 1])
    with pytest.raises(TLSError) as caught:
        server.receive_data(good + forged)
    assert caught.value.events == (DataReceived(b"good"),)
