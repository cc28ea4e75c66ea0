"""One document by HTTP, within one deadline and one size: what authorities publish about revocation.

No library's client, because what answers need not be what the certificate's issuer meant: here nothing is
followed, kept or decoded, a byte now and then does not extend the time, and nothing is read beyond the limit.
What is fetched is signed, so http is enough, and is what authorities offer (RFC 5280 4.2.1.13, RFC 5019 5).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from pellucid.io.dial import dial
from pellucid.io.waiting import Deadline, receive_some, send_all
from pellucid.printable import printable

#: Status line and headers. CDNs send 1 to 2 KiB.
MAX_HEAD_BYTES = 16_384


class FetchFailed(OSError):
    """There is no document, and the message says why."""


class Unreachable(FetchFailed):
    """Nobody answers there, whatever is asked."""


class Target(NamedTuple):
    """A URL, taken apart; ``host`` as it is dialled, ``authority`` as it stands in the request."""

    host: str
    port: int
    authority: str
    path: str


#: ``fetch``, or what a test puts in its place: URL, deadline, most bytes, and what to post (type and body).
Fetch = Callable[[str, Deadline, int, tuple[str, bytes] | None], bytes]


def fetch(url: str, deadline: Deadline, limit: int, post: tuple[str, bytes] | None = None) -> bytes:
    """The body of what ``url`` answers, at most ``limit`` bytes of it. ``post``: the type and body to send.

    Raises FetchFailed; whoever asks has to live with that.
    """
    try:
        target = take_apart(url)
        with dial(target.host, target.port, deadline) as sock:
            _check_address(sock)
            send_all(sock, _request(target, post), deadline, "the request")
            head, body = _receive_head(sock, deadline)
            return _receive_body(sock, deadline, _checked_length(head, limit), body, limit)
    except FetchFailed as error:
        raise FetchFailed(f"{printable(url, 200)} {error}") from error
    except OSError as error:
        raise Unreachable(f"{printable(url, 200)} cannot be had: {printable(str(error), 200)}") from error


def take_apart(url: str) -> Target:
    """The parts of an http URL. FetchFailed for any other, and for what no request line may hold."""
    # The URL stands in somebody's certificate: a space or a line break in it would make another request.
    if not all("!" <= letter <= "~" for letter in url):
        raise FetchFailed("is no URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchFailed("is no URL") from error
    if parts.scheme != "http" or not host or parts.username is not None:
        raise FetchFailed("is not an http URL with a host and without a user")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, 80 if port is None else port, parts.netloc, path)


def _request(target: Target, post: tuple[str, bytes] | None) -> bytes:
    # HTTP/1.0: the answer is one piece, and ends with its length or the connection.
    lines = [f"{'GET' if post is None else 'POST'} {target.path} HTTP/1.0", f"Host: {target.authority}"]
    kind, body = post or ("", b"")
    if post is not None:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii") + body


def _check_address(sock: socket.socket) -> None:
    """That the URL leads where an authority can be, whatever name is in it and however that was looked up.

    A link-local address is of this machine's closest surroundings. In clouds it is where a machine gets its
    secrets; authorities are elsewhere. Private and loopback addresses are not refused: an organisation's own
    authority has one.
    """
    address = ip_address(sock.getpeername()[0].partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_link_local or address.is_multicast:
        raise FetchFailed(f"leads to {address}, where no authority is")


def _receive_head(sock: socket.socket, deadline: Deadline) -> tuple[list[str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > MAX_HEAD_BYTES:
            raise FetchFailed(f"has more than {MAX_HEAD_BYTES} bytes of headers")
        piece = receive_some(sock, deadline, "the answer")
        if not piece:
            raise FetchFailed("closes the connection within its headers")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), body


def _checked_length(head: list[str], limit: int) -> int | None:
    """The length that the headers tell, None where they do not."""
    protocol, _, status = head[0].partition(" ")
    if not protocol.startswith("HTTP/1."):
        raise FetchFailed("does not speak HTTP")
    if not status.startswith("200"):
        raise FetchFailed(f"answers {printable(status, 80)}")
    headers = {
        name.lower().strip(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    if headers.get("transfer-encoding", "identity") != "identity":
        raise FetchFailed("answers in pieces, which HTTP/1.0 does not have")
    length = headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        raise FetchFailed("has a length that is no number")
    if int(length) > limit:
        raise FetchFailed(f"has {length} bytes, and {limit} are accepted")
    return int(length)


def _receive_body(
    sock: socket.socket, deadline: Deadline, length: int | None, data: bytes, limit: int
) -> bytes:
    pieces, size = [data], len(data)
    while size <= limit and (length is None or size < length):
        piece = receive_some(sock, deadline, "the answer")
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    if length is not None and size < length:
        raise FetchFailed(f"closes the connection after {size} of {length} bytes")
    if length is None and size > limit:
        raise FetchFailed(f"has more than {limit} bytes, which is what is accepted")
    return b"".join(pieces)[:length]
