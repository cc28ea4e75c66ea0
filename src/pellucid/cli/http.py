"""As much HTTP/1.1 as it takes to answer one GET: the request line is read, the rest is only waited for."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.printable import printable

if TYPE_CHECKING:
    from pellucid.io.blocking import TLSSocket

__all__ = ["Request", "read_request", "response"]

# RFC 9110 9: methods are names in capitals; the longest that is registered has 17 letters.
_METHOD = re.compile(r"[A-Z]{1,17}")
# Browsers send 1 to 2 KiB, with cookies more; a server that shows one page needs no more than this.
_MAX_HEAD_BYTES = 16384
# RFC 9110 12.5.1. Browsers name it; curl and others take anything.
_WANTS_HTML = re.compile(rb"^accept:[^\r\n]*text/html", re.IGNORECASE | re.MULTILINE)
_NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'"
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


@dataclass(frozen=True)
class Request:
    """The first line of a request; ``wants_html``: it comes from a browser, by its Accept."""

    method: str
    path: str
    wants_html: bool = False


def read_request(tls: TLSSocket, seconds: float) -> Request | None:
    """The next request, within ``seconds`` as a whole; None if the peer left without one.

    What is not HTTP, or too long, is a request without a method. ``TimeoutError`` if it takes too long: a
    peer that sends a byte now and then does not get more time by it.
    """
    head = b""
    deadline = time.monotonic() + seconds
    while b"\r\n\r\n" not in head:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not come in time")
        tls.settimeout(left)
        piece = tls.recv(_MAX_HEAD_BYTES)
        head += piece
        if not piece or len(head) > _MAX_HEAD_BYTES:
            return None if not head else Request("", "")
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not _METHOD.fullmatch(words[0]):
        return Request("", "")
    return Request(words[0], printable(words[1].partition("?")[0]), bool(_WANTS_HTML.search(head)))


def response(request: Request, page: str, policy: str = _NO_SCRIPT) -> bytes:
    """The answer to it: the page at /, and errors for the rest. The connection ends with it.

    ``policy``: the page's Content-Security-Policy.
    """
    status, body = _answer(request, page)
    payload = body.encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(payload)}\r\n"
        f"Content-Security-Policy: {policy}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if request.method == "HEAD" else payload)


def _answer(request: Request, page: str) -> tuple[int, str]:
    if not request.method:
        return 400, "<!doctype html><title>400</title><p>This is not an HTTP/1.1 request.</p>\n"
    if request.method not in ("GET", "HEAD"):
        return 405, "<!doctype html><title>405</title><p>Only GET is answered here.</p>\n"
    if request.path != "/":
        return 404, '<!doctype html><title>404</title><p>There is <a href="/">one page</a> here.</p>\n'
    return 200, page
