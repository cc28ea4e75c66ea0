"""One document by HTTP: within one deadline and one size, whatever the other side does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Self

import pytest
from responder import authority

from pellucid.io import fetching
from pellucid.io.fetching import MAX_HEAD_BYTES, FetchFailed, Unreachable, fetch, take_apart
from pellucid.io.waiting import Deadline

SECONDS = 10.0


@contextmanager
def saying(answer: bytes, *, then_silent: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says ``answer`` whatever it is asked, and closes, or keeps the connection open."""
    asked: list[bytes] = []
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                asked.append(peer.recv(65_536))
                peer.sendall(answer)
                if then_silent:
                    over.wait(SECONDS)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/path?query", asked
        finally:
            over.set()
            thread.join()


def fetched(answer: bytes, limit: int = 100, *, post: tuple[str, bytes] | None = None) -> tuple[bytes, bytes]:
    with saying(answer) as (url, asked):
        return fetch(url, Deadline(SECONDS), limit, post), asked[0]


def failure(answer: bytes, limit: int = 100) -> str:
    with saying(answer) as (url, _), pytest.raises(FetchFailed) as caught:
        fetch(url, Deadline(SECONDS), limit)
    return str(caught.value)


def test_a_document_is_fetched() -> None:
    body, asked = fetched(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
    assert body == b"body"
    assert asked.startswith(b"GET /path?query HTTP/1.0\r\nHost: 127.0.0.1:")
    assert asked.endswith(b"\r\nConnection: close\r\n\r\n")


def test_something_is_posted() -> None:
    _, asked = fetched(b"HTTP/1.0 200 OK\r\n\r\n", post=("application/ocsp-request", b"question"))
    assert asked.startswith(b"POST /path?query HTTP/1.0\r\n")
    assert b"\r\nContent-Type: application/ocsp-request\r\nContent-Length: 8\r\n" in asked
    assert asked.endswith(b"\r\n\r\nquestion")


def test_without_a_length_the_end_is_the_connections() -> None:
    assert fetched(b"HTTP/1.0 200 OK\r\n\r\nall of it")[0] == b"all of it"


def test_what_follows_the_body_is_not_read() -> None:
    assert fetched(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody and more")[0] == b"body"


def test_a_body_as_long_as_the_limit_is_accepted() -> None:
    assert len(fetched(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(100))[0]) == 100


@pytest.mark.parametrize(
    "answer, words",
    [
        (b"", "closes the connection within its headers"),
        (b"HTTP/1.0 200 OK\r\nContent-Le", "closes the connection within its headers"),
        (b"HTTP/1.0 200 OK\r\n" + b"x" * 2 * MAX_HEAD_BYTES, "bytes of headers"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "answers 404 Not Found"),
        (b"HTTP/1.0 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", "answers 301 Moved"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nbody", "closes the connection after 4 of 9 bytes"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 101\r\n\r\n", "has 101 bytes, and 100 are accepted"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "a length that is no number"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", "a length that is no number"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + bytes(101), "more than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "answers in pieces"),
    ],
)
def test_what_is_no_document_fails(answer: bytes, words: str) -> None:
    assert words in failure(answer)


def test_who_falls_silent_is_not_waited_for() -> None:
    for answer in (b"", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nbody"):
        with saying(answer, then_silent=True) as (url, _), pytest.raises(FetchFailed, match="cannot be had"):
            fetch(url, Deadline(0.05), 100)


def test_who_is_not_there_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchFailed, match="cannot be had"):
        fetch(f"http://127.0.0.1:{port}/", Deadline(SECONDS), 100)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://ocsp.example/",
        "ldap://ocsp.example/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://user@ocsp.example/",
        "http://ocsp.example:99999/",
        "http://[::1/",
        "http://ocsp.example/ HTTP/1.0",
        "http://ocsp.example/\r\nHost: other",
        "http://ocsp.ex\u00e4mple/",
    ],
)
def test_what_is_no_http_url_is_not_asked(url: str) -> None:
    with pytest.raises(FetchFailed):
        fetch(url, Deadline(SECONDS), 100)


def test_a_url_is_taken_apart() -> None:
    assert tuple(take_apart("http://ocsp.example")) == ("ocsp.example", 80, "ocsp.example", "/")
    assert tuple(take_apart("HTTP://[::1]:8080/a/b?c")) == ("::1", 8080, "[::1]:8080", "/a/b?c")


def test_what_a_url_holds_is_shown_safely() -> None:
    with pytest.raises(FetchFailed) as caught:
        fetch("http://ocsp.example/\x1b[31m", Deadline(SECONDS), 100)
    assert "\x1b" not in str(caught.value)


class At:
    """A connection to an address that nobody here has. Nothing may be sent to it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def getpeername(self) -> tuple[str, int]:
        return self.address, 80


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0", "fe80::1", "224.0.0.1"]
)
def test_what_is_at_a_link_local_address_is_not_asked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Whatever the name in the URL is: what counts is where it leads."""
    monkeypatch.setattr(fetching, "dial", lambda *_: At(address))
    with pytest.raises(FetchFailed, match="where no authority is"):
        fetch("http://ocsp.example/latest/meta-data/", Deadline(SECONDS), 100)


def test_who_cannot_be_reached_is_told_from_who_answers_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable):
        fetch(f"http://127.0.0.1:{port}/", Deadline(SECONDS), 100)
    with saying(b"HTTP/1.0 404 Not Found\r\n\r\n") as (url, _), pytest.raises(FetchFailed) as caught:
        fetch(url, Deadline(SECONDS), 100)
    assert not isinstance(caught.value, Unreachable)


def test_a_body_that_is_packed_is_not_unpacked() -> None:
    """So what is small on the wire cannot grow here. Nobody asks for it, and no authority does it."""
    assert fetched(b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b")[0] == b"\x1f\x8b"


def test_the_librarys_server_is_understood() -> None:
    with authority() as one:
        one.crl = b"a list"
        assert fetch(one.url, Deadline(SECONDS), 100) == b"a list"
