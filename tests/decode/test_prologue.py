"""Where TLS begins: at once, behind STARTTLS or CONNECT, or before the capture does."""

from __future__ import annotations

from functools import cache

import pytest
from conversations import Conversation, converse
from watched import Turns, Wire, decode_one, turns_of

from pellucid.decode.prologue import MAX_PROLOGUE
from pellucid.trace.events import MessageEvent


@cache
def talk() -> Conversation:
    return converse("full")


def turns() -> Turns:
    return turns_of(talk())


SMTP: Turns = [
    ("server", b"220 mail.test ESMTP\r\n"),
    ("client", b"EHLO client.test\r\n"),
    ("server", b"250-mail.test\r\n250 STARTTLS\r\n"),
    ("client", b"STARTTLS\r\n"),
    ("server", b"220 go ahead\r\n"),
]
PROXY: Turns = [
    ("client", b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n"),
    ("server", b"HTTP/1.1 200 Connection established\r\n\r\n"),
]
POSTGRES: Turns = [("client", bytes.fromhex("0000000804d2162f")), ("server", b"S")]


@pytest.mark.parametrize("before", [[], SMTP, PROXY, POSTGRES], ids=["nothing", "smtp", "proxy", "postgres"])
@pytest.mark.parametrize("most", [1, 7, 1460])
def test_plain_bytes_before_tls_are_passed_over(before: Turns, most: int) -> None:
    said = turns()[:7]
    found = decode_one(Wire().say(*before).say(*said, most=most).close().capture, talk().key_log)
    assert (found.tls, found.sealed, found.server_name) == (True, (), "localhost")
    assert found.outcome is not None
    assert found.outcome.status == "connected"
    assert found.bytes_from_client == sum(len(raw) for side, raw in before + said if side == "client")


def test_plain_bytes_in_the_packet_of_the_client_hello() -> None:
    (side, hello), *rest = turns()
    found = decode_one(Wire().say((side, b"STARTTLS\r\n" + hello), *rest).close().capture, talk().key_log)
    assert (found.tls, found.sealed) == (True, ())


@pytest.mark.parametrize("length, tls", [(MAX_PROLOGUE - 100, True), (MAX_PROLOGUE + 2000, False)])
def test_a_client_hello_is_waited_for_up_to_a_limit(length: int, tls: bool) -> None:
    found = decode_one(Wire().say(("client", b"x" * length), *turns()).close().capture, talk().key_log)
    assert found.tls is tls
    assert found.bytes_from_client == length + sum(len(raw) for side, raw in turns() if side == "client")


def test_an_answer_that_was_captured_before_the_question() -> None:
    wire = Wire().say(turns()[0])
    hello = wire.packets[3:]
    del wire.packets[3:]
    wire.say(turns()[1])
    wire.packets += hello
    found = decode_one(wire.say(*turns()[2:]).close().capture, talk().key_log)
    assert found.sealed == ()


def test_a_server_that_speaks_tls_to_nobody() -> None:
    found = decode_one(Wire().say(turns()[1]).close("server").capture)
    assert (found.tls, {s.reason for s in found.sealed}) == (True, {"no_client_hello"})


def test_bytes_that_look_like_a_record_within_plain_text_are_text() -> None:
    said = [("client", b"hello \x17\x03\x03\x00\x10 there, my friend"), ("server", b"\x17\x03\x03 likewise")]
    found = decode_one(Wire().say(*said).close().capture)
    assert found.tls is False


def test_what_came_before_is_not_told_as_a_message() -> None:
    found = decode_one(Wire().say(*SMTP, *turns()).close().capture, talk().key_log)
    assert found.trace is not None
    first = next(e for e in found.trace.events if isinstance(e, MessageEvent))
    assert (first.side, first.name, first.raw) == ("client", "ClientHello", turns()[0][1][5:])
