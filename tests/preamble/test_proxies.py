"""Proxies: what they are asked, and what each of their answers is told as."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Callable

import pytest
from dialogues import Ran, run
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import Misuse, PreambleFailed, Reason
from pellucid.preamble.proxies import Proxy, talk_with, through

HTTP = "http://proxy.example:3128"
SOCKS = "socks5://proxy.example"
YES = b"HTTP/1.1 200 Connection established\r\n\r\n"
SOCKS_YES = b"\x05\x00\x00\x01\x0a\x00\x00\x01\x1f\x90"

Ask = Callable[..., Ran]


def asked(url: str, *said: bytes, host: str = "example.org", port: int = 443) -> Ran:
    proxy = Proxy.parse(url)
    talk = talk_with(proxy)
    return run(talk, through(proxy, talk, host, port), said)


@pytest.fixture(params=["in pieces", "byte by byte"])
def ask(request: pytest.FixtureRequest) -> Ask:
    def asking(url: str, *said: bytes, **whom: str | int) -> Ran:
        whole = b"".join(said)
        pieces = said if request.param == "in pieces" else [bytes((byte,)) for byte in whole]
        return asked(url, *pieces, **whom)  # type: ignore[arg-type]  # host and port

    return asking


def refusal(ask: Ask, url: str, *said: bytes) -> PreambleFailed:
    with pytest.raises(PreambleFailed) as caught:
        ask(url, *said)
    return caught.value


# -- URLs


@pytest.mark.parametrize(
    "url, expected",
    [
        ("http://a:3128", Proxy("http", "a", 3128)),
        ("http://a", Proxy("http", "a", 80)),
        ("http://a/", Proxy("http", "a", 80)),
        ("socks5://[::1]:9", Proxy("socks5", "::1", 9)),
        ("socks5h://a", Proxy("socks5h", "a", 1080)),
        ("http://[fe80::1%25eth0]:9", Proxy("http", "fe80::1%eth0", 9)),
        ("http://b\u00fccher.example", Proxy("http", "b\u00fccher.example", 80)),
        ("http://me@a", Proxy("http", "a", 80, b"me")),
        ("http://me:p%40ss%3A@a", Proxy("http", "a", 80, b"me", b"p@ss:")),
    ],
)
def test_a_url_names_a_proxy(url: str, expected: Proxy) -> None:
    assert Proxy.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:3128",
        "https://a",
        "ftp://a",
        "http://",
        "http://a:x",
        "http://a:70000",
        "http://a/path",
        "http://a?q",
        "http://m%3Ae:p@a",
        "socks5://me@a",
        f"socks5://{'x' * 256}:p@a",
        "http://[::1",
        "http://a:0",
        "http://a b",
        "http://a%0d%0aX-Evil:1",
        "http://me:pass/word@a",
        "http://me:pass#word@a",
    ],
)
def test_what_names_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(Misuse) as caught:
        Proxy.parse(url)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_a_password_is_shown_nowhere() -> None:
    proxy = Proxy.parse("http://me:hunter2@a:1")
    assert "hunter2" not in f"{proxy!r} {proxy}"


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@a:1/path",
        "http://me:hunter2/x@a:1",  # "hunter2" is taken for a port
        "http://me:hunter2#x@a:1",
        "http://me:hunter2?x@a",
        "http://me:hunter2@a:99999",
        "http://me:hunter2@[::g]",
        "http://me:hunter2@a b",
        "me:hunter2@a:1",
        "https://me:hunter2@a",
    ],
)
def test_a_password_in_what_is_no_url_is_not_repeated(url: str) -> None:
    with pytest.raises(Misuse) as caught:
        Proxy.parse(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True)).replace(url, "")


# -- HTTP


def test_connect_asks_for_host_and_port(ask: Ask) -> None:
    ran = ask(HTTP, YES)
    assert ran.sent == [b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"]
    assert ran.talk.rest == b""


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert (
        asked(HTTP, YES, host="2001:db8::1", port=8443).sent[0].startswith(b"CONNECT [2001:db8::1]:8443 HTTP")
    )


def test_user_and_password_are_sent_and_not_told() -> None:
    ran = asked("http://me:secret@proxy.example", YES)
    token = b64encode(b"me:secret")
    assert b"Proxy-Authorization: Basic " + token + b"\r\n" in ran.sent[0]
    told = " ".join(said.text for said in ran.talk.said)
    assert token.decode() not in told
    assert "secret" not in told


def test_what_follows_the_headers_is_the_servers() -> None:
    assert asked(HTTP, YES + b"220 hello\r\n").talk.rest == b"220 hello\r\n"


def test_interim_answers_are_passed_over(ask: Ask) -> None:
    assert ask(HTTP, b"HTTP/1.1 100 Continue\r\n\r\n", YES).talk.rest == b""


AUTHENTICATION = Reason.PROXY_AUTHENTICATION_FAILED
HTTP_ANSWERS = [
    (b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=x\r\n", AUTHENTICATION, "it takes Basic"),
    (b"HTTP/1.1 403 Forbidden\r\n", Reason.PROXY_REFUSED, '"403 Forbidden"'),
    (b"HTTP/1.0 405 Method Not Allowed\r\n", Reason.PROXY_REFUSED, "405"),
    (b"HTTP/1.1 301 Elsewhere\r\n", Reason.PROXY_REFUSED, "301"),
    (b"HTTP/1.1 502 Bad Gateway\r\n", Reason.PROXY_CANNOT_CONNECT, '"502 Bad Gateway"'),
    (b"HTTP/1.1 503\r\n", Reason.PROXY_CANNOT_CONNECT, '"503"'),
    (b"HTTP/1.1 504 Gateway Timeout\r\n", Reason.PROXY_CANNOT_CONNECT, "504"),
    (b"HTTP/1.1 000 ok\r\n", Reason.NOT_A_PROXY, "000"),
    (b"HTTP/1.1 403 \x1b[2J\x9b\r\n", Reason.PROXY_REFUSED, "403 \\u001b[2J\\u009b"),
    (b"HTTP/2 200 ok\r\n", Reason.NOT_A_PROXY, "HTTP/2"),
    (b"HTTP/1.1 2000 ok\r\n", Reason.NOT_A_PROXY, "2000"),
    (b"220 mail.example ESMTP\r\n", Reason.NOT_A_PROXY, '"2'),
    (b"\x15\x03\x01\x00\x02\x02\x46", Reason.NOT_A_PROXY, "TLS"),
    (b"", Reason.PROXY_REFUSED, "closed the connection"),
]  # fmt: skip


@pytest.mark.parametrize("head, reason, words", HTTP_ANSWERS)
def test_an_answer_that_is_no_tunnel_is_told(ask: Ask, head: bytes, reason: Reason, words: str) -> None:
    error = refusal(ask, HTTP, head + b"\r\n" if head else b"")
    assert error.reason is reason
    assert words in error.detail
    assert "http://proxy.example:3128" in error.detail


def test_without_a_password_a_407_says_that_there_was_none(ask: Ask) -> None:
    head = b"HTTP/1.1 407 Who?\r\n\r\n"
    assert "no user and password were given" in refusal(ask, HTTP, head).detail
    assert "those given will not do" in refusal(ask, "http://me:p@proxy.example", head).detail


def test_headers_without_an_end_are_bounded() -> None:
    with pytest.raises(PreambleFailed, match="16,384 bytes without an end"):
        asked(HTTP, b"HTTP/1.1 200 ok\r\n", *[b"X: y\r\n" * 1000] * 20)


def test_interim_answers_without_an_end_are_bounded() -> None:
    with pytest.raises(PreambleFailed, match="more than 8 interim answers"):
        asked(HTTP, *[b"HTTP/1.1 102 Processing\r\n\r\n"] * 20)


# -- SOCKS5


def test_socks_asks_with_the_name(ask: Ask) -> None:
    ran = ask(SOCKS, b"\x05\x00", SOCKS_YES)
    assert ran.sent == [b"\x05\x01\x00", b"\x05\x01\x00\x03\x0bexample.org\x01\xbb"]
    assert ran.talk.rest == b""


@pytest.mark.parametrize(
    "host, address", [("192.0.2.1", "01 c0000201"), ("2001:db8::1", f"04 20010db8{'00' * 11}01")]
)
def test_socks_asks_with_an_address_as_such(host: str, address: str) -> None:
    ran = asked(SOCKS, b"\x05\x00", SOCKS_YES, host=host, port=1)
    assert ran.sent[1] == b"\x05\x01\x00" + bytes.fromhex(address) + b"\x00\x01"


def test_socks_logs_in_where_it_is_asked_to(ask: Ask) -> None:
    ran = ask("socks5://me:secret@proxy.example", b"\x05\x02", b"\x01\x00", SOCKS_YES)
    assert ran.sent[:2] == [b"\x05\x02\x00\x02", b"\x01\x02me\x06secret"]
    assert "secret" not in " ".join(said.text for said in ran.talk.said)


@pytest.mark.parametrize(
    "bound", [b"\x01\x0a\x00\x00\x01", b"\x03\x01a", b"\x03\xff" + bytes(255), b"\x04" + bytes(16)]
)
def test_the_address_that_socks_connects_from_is_passed_over(ask: Ask, bound: bytes) -> None:
    ran = ask(SOCKS, b"\x05\x00", b"\x05\x00\x00" + bound + b"\x00\x50")
    assert ran.talk.rest == b""


def socks_reply(number: int) -> bytes:
    return bytes((5, number, 0, 1)) + bytes(6)


SOCKS_ANSWERS = [
    ([b"\x05\xff"], AUTHENTICATION, "accepts no method"),
    ([b"\x05\x02"], Reason.NOT_A_PROXY, "method 2"),
    ([b"\x05\x00", socks_reply(1)], Reason.PROXY_CANNOT_CONNECT, "general SOCKS server failure"),
    ([b"\x05\x00", socks_reply(2)], Reason.PROXY_REFUSED, "not allowed by ruleset"),
    ([b"\x05\x00", socks_reply(4)], Reason.PROXY_CANNOT_CONNECT, "host unreachable (reply 4)"),
    ([b"\x05\x00", socks_reply(5)], Reason.PROXY_CANNOT_CONNECT, "connection refused"),
    ([b"\x05\x00", socks_reply(7)], Reason.PROXY_REFUSED, "command not supported"),
    ([b"\x05\x00", socks_reply(99)], Reason.PROXY_CANNOT_CONNECT, "unassigned (reply 99)"),
    ([b"\x05\x00", b"\x05\x05"], Reason.PROXY_CANNOT_CONNECT, "connection refused"),
    ([b"\x05\x00", b"\x05\x02\x00\x00"], Reason.PROXY_REFUSED, "not allowed by ruleset"),
    ([b"\x05\x00", b"\x05\x00\x00\x02"], Reason.NOT_A_PROXY, "05 00 00 02"),
    ([b"\x05\x00", b"\x04\x00\x00\x01"], Reason.NOT_A_PROXY, "04 00"),
    ([b"HTTP/1.1 400 Bad Request\r\n"], Reason.NOT_A_PROXY, '"H'),
    ([], Reason.PROXY_REFUSED, "closed the connection"),
]  # fmt: skip


@pytest.mark.parametrize("said, reason, words", SOCKS_ANSWERS)
def test_a_reply_of_socks_is_told(ask: Ask, said: list[bytes], reason: Reason, words: str) -> None:
    error = refusal(ask, SOCKS, *said)
    assert error.reason is reason
    assert words in error.detail


def test_a_password_that_socks_does_not_accept_is_told(ask: Ask) -> None:
    error = refusal(ask, "socks5://me:secret@proxy.example", b"\x05\x02", b"\x01\x01")
    assert error.reason is Reason.PROXY_AUTHENTICATION_FAILED
    assert "secret" not in error.detail


@pytest.mark.parametrize("url", [HTTP, SOCKS, "socks5://me:p@a"])
@given(pieces=st.lists(st.binary(min_size=1, max_size=60), max_size=8))
def test_whatever_a_proxy_says_ends_in_a_tunnel_or_an_error_of_ours(url: str, pieces: list[bytes]) -> None:
    try:
        told = f"{asked(url, *pieces).talk.last_heard}"
    except PreambleFailed as error:
        told = error.detail
    assert told.isprintable()
