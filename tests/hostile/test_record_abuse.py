"""Records too long, empty, of the wrong type, unprotected, out of order, or in the middle of a message.

RFC 9846 5 and 5.1 to 5.4. Each ends the connection, with the alert that the RFC gives it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config, shake_hands
from rogue import (
    RogueHandshake,
    Tamper,
    assert_refused,
    client_refuses,
    connected_rogue,
    framed,
    plaintext,
    refuses_data,
    rogue_client,
    rogue_server,
    sealed,
    send,
    server_refuses,
)

from pellucid import TLSError
from pellucid.codes import AlertDescription, AlertLevel, ContentType, HandshakeType
from pellucid.errors import Reason
from pellucid.events import DataReceived
from pellucid.messages import (
    Certificate,
    EncryptedExtensions,
    Extensions,
    Finished,
    HandshakeMessage,
    KeyUpdate,
    NewSessionTicket,
    ServerHello,
)

A = AlertDescription
DATA, HANDSHAKE, ALERT = ContentType.application_data, ContentType.handshake, ContentType.alert
UNEXPECTED = A.unexpected_message
BOTH = pytest.mark.parametrize("side", ["client", "server"])
UPDATE = KeyUpdate(0).encode()
TICKET = NewSessionTicket(60, 0, b"n", b"ticket", Extensions()).encode()
FATAL = bytes((AlertLevel.fatal, A.handshake_failure))

# -- too long


def test_a_plaintext_record_of_more_than_2_14_bytes_is_refused() -> None:
    rogue, victim = connect_pair()
    rogue.data_to_send()
    header = plaintext(HANDSHAKE, bytes(2**14 + 1))[:5]
    refuses_data(victim, rogue, header, Reason.RECORD_OVERFLOW, A.record_overflow)


@BOTH
def test_a_protected_record_of_more_than_2_14_and_256_bytes_is_refused(side: str) -> None:
    """By its header alone: nobody waits for the rest."""
    victim, rogue = connected_rogue(side)
    header = b"\x17\x03\x03" + (2**14 + 257).to_bytes(2, "big")
    refuses_data(victim, rogue, header, Reason.RECORD_OVERFLOW, A.record_overflow)


@BOTH
@pytest.mark.parametrize("content, padding", [(2**14 + 1, 0), (2**14, 1), (0, 2**14 + 1)], ids=str)
def test_content_of_more_than_2_14_bytes_is_refused(side: str, content: int, padding: int) -> None:
    """RFC 9846 5.4: content, type and padding together are 2^14 + 1 bytes at most."""
    victim, rogue = connected_rogue(side)
    record = sealed(rogue, DATA, bytes(content), padding)
    refuses_data(victim, rogue, record, Reason.RECORD_OVERFLOW, A.record_overflow)


@BOTH
def test_content_of_2_14_bytes_is_taken(side: str) -> None:
    victim, rogue = connected_rogue(side)
    assert victim.receive_data(sealed(rogue, DATA, bytes(2**14))) == [DataReceived(bytes(2**14))]


@pytest.mark.parametrize("length", [2**16 + 1, 2**24 - 1])
def test_an_oversized_client_hello_is_refused_by_its_header(length: int) -> None:
    rogue, victim = connect_pair()
    rogue.data_to_send()
    record = plaintext(HANDSHAKE, bytes([HandshakeType.client_hello]) + length.to_bytes(3, "big"))
    refuses_data(victim, rogue, record, Reason.MESSAGE_TOO_LONG, A.illegal_parameter)


def test_an_oversized_server_hello_is_refused_by_its_header() -> None:
    victim, rogue = connect_pair()
    rogue.receive_data(victim.data_to_send())
    rogue.data_to_send()
    record = plaintext(HANDSHAKE, bytes([HandshakeType.server_hello]) + b"\xff\xff\xff")
    refuses_data(victim, rogue, record, Reason.MESSAGE_TOO_LONG, A.illegal_parameter)


@BOTH
def test_an_oversized_certificate_is_refused_by_its_header(side: str) -> None:
    """Of the 16 MiB that are announced not one is kept."""

    def announce(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        return [b"\x0b\xff\xff\xff" + message.raw[4:] if isinstance(message, Certificate) else message.raw]

    refuses = client_refuses if side == "client" else server_refuses
    client = client_config(credentials=[credential("ecdsa", "client")])
    server = server_config(client_authentication="required")
    refuses(announce, Reason.MESSAGE_TOO_LONG, A.illegal_parameter, client=client, server=server)


# -- empty, or of the wrong type


@pytest.mark.parametrize("content_type", [HANDSHAKE, ALERT], ids=str)
def test_an_empty_plaintext_record_is_refused(content_type: int) -> None:
    rogue, victim = connect_pair()
    rogue.data_to_send()
    refuses_data(victim, rogue, plaintext(content_type, b""), Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("content_type", [HANDSHAKE, ALERT], ids=str)
def test_an_empty_protected_record_is_refused(side: str, content_type: int) -> None:
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, sealed(rogue, content_type, b""), Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("padding", [0, 1, 100, 2**14])
def test_a_record_of_zeros_alone_is_refused(side: str, padding: int) -> None:
    """RFC 9846 5.4: without a non-zero octet there is no content type."""
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, sealed(rogue, 0, b"", padding), Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("content_type", [1, 19, 24, 25, 26, 64, 255])
def test_a_protected_record_of_an_unknown_type_is_refused(side: str, content_type: int) -> None:
    """24 is Heartbeat, which TLS 1.3 still has a number for and which nobody here speaks."""
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, sealed(rogue, content_type, b"\x01"), Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("content_type", [0, 19, 24, 25, 255])
def test_an_unprotected_record_of_an_unknown_type_is_refused(side: str, content_type: int) -> None:
    victim, rogue = connected_rogue(side)
    record = plaintext(content_type, b"\x01\x00\x00")
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
@pytest.mark.parametrize("alert", [FATAL[:1], FATAL + FATAL, FATAL + b"\x00"], ids=bytes.hex)
def test_an_alert_record_holds_one_alert(side: str, alert: bytes) -> None:
    """RFC 9846 5.1: exactly one, in one record."""
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, sealed(rogue, ALERT, alert), Reason.MALFORMED, A.decode_error)


# -- unprotected when there are keys


@BOTH
@pytest.mark.parametrize(
    "content_type, content",
    [(HANDSHAKE, UPDATE), (ALERT, FATAL), (ALERT, b"\x01\x00")],
    ids=["handshake", "alert", "close_notify"],
)
def test_nothing_comes_unprotected_after_the_handshake(side: str, content_type: int, content: bytes) -> None:
    """Nobody on the path may close a connection, or break it in another's name."""
    victim, rogue = connected_rogue(side)
    record = plaintext(content_type, content)
    refuses_data(victim, rogue, record, Reason.UNEXPECTED_RECORD, UNEXPECTED)


@BOTH
def test_unprotected_data_does_not_authenticate(side: str) -> None:
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, plaintext(DATA, b"plain"), Reason.BAD_RECORD_MAC, A.bad_record_mac)


@pytest.mark.parametrize("kind", [EncryptedExtensions, Finished], ids=lambda kind: kind.__name__)
def test_a_client_takes_no_unprotected_message_behind_the_server_hello(kind: type[HandshakeMessage]) -> None:
    def strip(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, kind):
            hs.driver.writer.install(None)
        return [message.raw]

    victim, rogue = connect_pair()[0], rogue_server(strip)
    rogue.receive_data(victim.data_to_send())
    with pytest.raises(TLSError) as caught:
        victim.receive_data(rogue.data_to_send())
    assert caught.value.reason is Reason.UNEXPECTED_RECORD


def test_a_client_takes_no_unprotected_alert_behind_the_server_hello() -> None:
    """A server that has sent a ServerHello has keys, and nobody else may end the handshake."""
    victim, rogue = connect_pair()
    rogue.receive_data(victim.data_to_send())
    flight = rogue.data_to_send()
    victim.receive_data(flight[: 5 + int.from_bytes(flight[3:5], "big")])
    refuses_data(victim, rogue, plaintext(ALERT, FATAL), Reason.UNEXPECTED_RECORD, UNEXPECTED)


def test_a_server_takes_an_unprotected_alert_until_the_client_has_keys() -> None:
    """A client that cannot accept the ServerHello has no keys to say so with."""
    client, server = connect_pair()
    server.receive_data(client.data_to_send())
    with pytest.raises(TLSError) as caught:
        server.receive_data(plaintext(ALERT, FATAL))
    assert caught.value.reason is Reason.ALERT_RECEIVED


def test_a_server_takes_no_unprotected_alert_from_a_client_that_has_keys() -> None:
    client = client_config(credentials=[credential("ecdsa", "client")])
    rogue, victim = (
        rogue_client(config=client),
        connect_pair(server=server_config(client_authentication="required"))[1],
    )
    victim.receive_data(rogue.data_to_send())
    rogue.receive_data(victim.data_to_send())
    victim.receive_data(rogue.data_to_send())
    refuses_data(victim, rogue, plaintext(ALERT, FATAL), Reason.UNEXPECTED_RECORD, UNEXPECTED)


# -- across a key change


def trailing(kind: type[HandshakeMessage], more: bytes) -> Tamper:
    return lambda _hs, message: [message.raw, more] if isinstance(message, kind) else [message.raw]


@pytest.mark.parametrize(
    "more", [b"\x08", framed(8, b"\x00\x00"), b"\x14\x00\x00\x20"], ids=["a byte", "a message", "a header"]
)
@pytest.mark.parametrize("kind", [ServerHello, Finished], ids=lambda kind: kind.__name__)
def test_a_client_takes_nothing_behind_the_last_message_under_a_key(
    kind: type[HandshakeMessage], more: bytes
) -> None:
    """RFC 9846 5.1: what stands before a key change aligns with a record's end. A message that begins
    unprotected and ends protected is half an attacker's.
    """
    client_refuses(trailing(kind, more), Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


@pytest.mark.parametrize("more", [b"\x18", UPDATE], ids=["a byte", "a message"])
def test_a_server_takes_nothing_behind_a_finished(more: bytes) -> None:
    server_refuses(trailing(Finished, more), Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


@pytest.mark.parametrize("more", [b"\x18", UPDATE], ids=["a byte", "a message"])
def test_a_server_takes_nothing_behind_a_hello(more: bytes) -> None:
    rogue, victim = connect_pair()
    record = plaintext(HANDSHAKE, rogue.data_to_send()[5:] + more)
    refuses_data(victim, rogue, record, Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


@BOTH
def test_nothing_stands_behind_a_key_update(side: str) -> None:
    victim, rogue = connected_rogue(side)
    record = sealed(rogue, HANDSHAKE, UPDATE + UPDATE)
    refuses_data(victim, rogue, record, Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


# -- inside a message


@BOTH
@pytest.mark.parametrize(
    "content_type, content",
    [(DATA, b"data"), (DATA, b""), (ALERT, FATAL), (ALERT, b"\x01\x00")],
    ids=["data", "empty data", "an alert", "close_notify"],
)
def test_no_other_record_comes_between_the_parts_of_a_message(
    side: str, content_type: int, content: bytes
) -> None:
    """RFC 9846 5.1: "there MUST NOT be any other records between them"."""
    victim, rogue = connected_rogue(side)
    victim.receive_data(sealed(rogue, HANDSHAKE, UPDATE[:3]))
    record = sealed(rogue, content_type, content)
    refuses_data(victim, rogue, record, Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


def test_no_alert_comes_between_the_parts_of_a_hello() -> None:
    rogue, victim = connect_pair()
    hello = rogue.data_to_send()[5:]
    victim.receive_data(plaintext(HANDSHAKE, hello[:9]))
    refuses_data(victim, rogue, plaintext(ALERT, FATAL), Reason.MESSAGE_ACROSS_KEY_CHANGE, UNEXPECTED)


@BOTH
def test_a_message_in_two_records_is_taken(side: str) -> None:
    victim, rogue = connected_rogue(side)
    raw = TICKET if side == "client" else UPDATE
    assert victim.receive_data(sealed(rogue, HANDSHAKE, raw[:3])) == []
    assert len(victim.receive_data(sealed(rogue, HANDSHAKE, raw[3:]))) == 1


# -- out of order


@BOTH
def test_a_record_that_comes_twice_is_refused(side: str) -> None:
    victim, rogue = connected_rogue(side)
    record = sealed(rogue, DATA, b"pay 100")
    assert victim.receive_data(record) == [DataReceived(b"pay 100")]
    refuses_data(victim, rogue, record, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_a_record_that_is_left_out_is_noticed(side: str) -> None:
    victim, rogue = connected_rogue(side)
    sealed(rogue, DATA, b"do not")
    refuses_data(victim, rogue, sealed(rogue, DATA, b"pay 100"), Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_records_that_are_swapped_are_refused(side: str) -> None:
    victim, rogue = connected_rogue(side)
    first, second = sealed(rogue, DATA, b"first"), sealed(rogue, DATA, b"second")
    refuses_data(victim, rogue, second + first, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_a_record_of_our_own_is_not_the_peers(side: str) -> None:
    """Reflection: each direction has its own key."""
    victim, rogue = connected_rogue(side)
    victim.send_data(b"hello")
    reflected = victim.data_to_send()
    rogue.receive_data(reflected)
    refuses_data(victim, rogue, reflected, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_a_record_of_another_connection_is_refused(side: str) -> None:
    victim, rogue = connected_rogue(side)
    other = shake_hands()[1 if side == "client" else 0]
    other.send_data(b"hello")
    refuses_data(victim, rogue, other.data_to_send(), Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_a_record_under_the_key_before_the_update_is_refused(side: str) -> None:
    """RFC 9846 4.7.3: after a KeyUpdate everything is under the next key."""
    victim, rogue = connected_rogue(side)
    record = sealed(rogue, HANDSHAKE, UPDATE) + sealed(rogue, DATA, b"old key")
    refuses_data(victim, rogue, record, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
@pytest.mark.parametrize("length", [0, 1, 15, 16])
def test_a_record_shorter_than_its_tag_is_refused(side: str, length: int) -> None:
    victim, rogue = connected_rogue(side)
    refuses_data(victim, rogue, plaintext(DATA, bytes(length)), Reason.BAD_RECORD_MAC, A.bad_record_mac)


@BOTH
def test_data_before_a_forged_record_is_kept(side: str) -> None:
    """What was authentic is told with the error; what comes behind is not looked at."""
    victim, rogue = connected_rogue(side)
    good, bad = sealed(rogue, DATA, b"authentic"), bytearray(sealed(rogue, DATA, b"forged"))
    bad[-1] ^= 1
    later = sealed(rogue, DATA, b"later")
    with pytest.raises(TLSError) as caught:
        victim.receive_data(good + bytes(bad) + later)
    assert caught.value.events == (DataReceived(b"authentic"),)
    assert_refused(victim, rogue, caught.value, Reason.BAD_RECORD_MAC, A.bad_record_mac)


# -- not TLS at all


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"\x00" * 64, b"\xff" * 64],
    ids=["HTTP", "SSH", "zeros", "ones"],
)
def test_a_peer_that_does_not_speak_tls_is_sent_nothing(data: bytes) -> None:
    rogue, victim = connect_pair()
    refuses_data(victim, rogue, data, Reason.NOT_TLS, None)


def test_sending_reaches_nobody_after_a_failure() -> None:
    """What was queued when the fault came is not sent: the peer is not to be trusted with it."""
    victim, _ = connected_rogue("server")
    victim.send_data(b"secret" * 1000)
    with pytest.raises(TLSError):
        victim.receive_data(plaintext(DATA, bytes(40)))
    said = victim.data_to_send()
    assert len(said) < 50
    assert victim.data_to_send() == b""


@BOTH
def test_nothing_is_said_after_an_alert_was_received(side: str) -> None:
    victim, rogue = connected_rogue(side)
    victim.send_data(b"more")
    refuses_data(victim, rogue, sealed(rogue, ALERT, FATAL), Reason.ALERT_RECEIVED, None)


@BOTH
@pytest.mark.parametrize("level", [0, 1, 2, 255])
@pytest.mark.parametrize("description", [10, 40, 41, 100, 199, 255])
def test_every_alert_but_two_ends_the_connection(side: str, description: int, level: int) -> None:
    """RFC 9846 6: unknown ones too, whatever their level."""
    victim, rogue = connected_rogue(side)
    record = sealed(rogue, ALERT, bytes((level, description)))
    refuses_data(victim, rogue, record, Reason.ALERT_RECEIVED, None)


def test_records_may_be_cut_as_the_network_likes() -> None:
    client, server = connect_pair()
    pump(client, server, 3)
    server.send_data(b"x" * 100)
    events = [event for byte in server.data_to_send() for event in client.receive_data(bytes([byte]))]
    assert events == [DataReceived(b"x" * 100)]
    assert send(server, TICKET)
