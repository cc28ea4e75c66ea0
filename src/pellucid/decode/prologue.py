"""What comes before TLS on a connection: nothing, or the plain text of STARTTLS or of a proxy's CONNECT."""

from __future__ import annotations

import re
from typing import NamedTuple

from pellucid.decode.speaker import is_record_header
from pellucid.trace.events import Side

__all__ = ["MAX_PROLOGUE", "Prologue", "Start"]

#: Plain bytes of a client that may come before its ClientHello. A dialogue of SMTP or IMAP up to STARTTLS has
#: some hundred; a CONNECT with a ticket of Kerberos in it a few thousand.
MAX_PROLOGUE = 2**14

# Of a side that does not speak TLS, kept to say what it speaks.
_SHOWN = 64

# RFC 9846 5.1: type 22, a version of which the major number is 3, a length; then 4: client_hello, and its
# length, which needs two of its three bytes at most.
_CLIENT_HELLO = re.compile(rb"\x16\x03[\x00-\x04]..\x01\x00", re.DOTALL)
_LONGEST_MATCH = 7

# RFC 5246 E.2: a ClientHello in the form of SSL 2.0, which asks for SSL 3.0 or more.
_HELLO2 = re.compile(rb"[\x80-\xff].\x01\x03", re.DOTALL)

_TEXT = re.compile(rb"[\x20-\x7e\r\n\t]{12}")

_HANDSHAKE = 22

# RFC 9846 5.2, RFC 5246 6.2.1: how a record of application data begins.
_PROTECTED = b"\x17\x03\x03"


class Start(NamedTuple):
    """Where TLS begins: the bytes of both sides from there on. ``seen_from_start``: with a ClientHello."""

    client: bytes
    server: bytes
    seen_from_start: bool


class Prologue:
    """Waits for TLS to begin. ``first``: what each side's first bytes are, as far as they were captured.

    ``whole``: the capture has the connection's beginning. ``missing``: whose bytes are not all there.
    """

    def __init__(self, *, whole: bool) -> None:
        self.first: dict[Side, bytes] = {"client": b"", "server": b""}
        self.missing: set[Side] = set()
        #: Whether so much came without a ClientHello that none is waited for any more.
        self.is_over = False
        self._whole = whole
        # Of whom the first bytes in the capture are not known to be the first.
        self._unsure: set[Side] = set() if whole else {"client", "server"}
        # Of whom the next bytes are the first behind a place where the capture begins anew.
        self._begins: set[Side] = {"client", "server"}
        self._client = bytearray()
        self._server = bytearray()
        self._passed = 0

    @property
    def whole(self) -> bool:
        """Whether nothing was missing so far, the connection's beginning included."""
        return self._whole and not self.missing

    def feed(self, side: Side, data: bytes) -> Start | None:
        """The next bytes of ``side``; where TLS begins, if it does now."""
        begins = side in self._begins
        self._begins.discard(side)
        if side not in self.missing:
            self.first[side] = (self.first[side] + data[:_SHOWN])[:_SHOWN]
        elif not self.first[side]:
            self._unsure.add(side)
            self.first[side] = data[:_SHOWN]
        if self._is_under_way(side, data, begins=begins):
            return Start(*((data, b"") if side == "client" else (b"", data)), seen_from_start=False)
        if side == "client":
            self._client += data
            return self._look()
        # What a server says before the client begins with TLS is plain text of before. Only where packets lie
        # out of order it may be the answer already.
        if len(self._server) < MAX_PROLOGUE:
            self._server += data
        return None

    def miss(self, side: Side) -> Start | None:
        """Bytes of ``side`` are not in the capture; where TLS has begun, if that shows now."""
        self.missing.add(side)
        self._begins.add(side)
        if side == "client":
            self._client.clear()  # what comes behind the gap does not belong to it
            if is_record_header(self._server):
                return Start(b"", bytes(self._server), seen_from_start=False)
        elif not is_record_header(self._server):
            self._server.clear()
        return None

    def finish(self) -> Start | None:
        """There are no more bytes; where TLS began without a ClientHello."""
        server = bytes(self._server)
        if not is_record_header(server) or self.shows_no_tls("client"):
            return None
        return Start(b"", server, seen_from_start=False)

    def shows_no_tls(self, side: Side) -> bool:
        """Whether what ``side`` said first is in the capture, and is neither a record nor a hello of SSL."""
        first = self.first[side]
        if not first or is_record_header(first) or (self._answers_hello2 and side == "client"):
            return False
        # Behind a gap anything may stand, but in what is encrypted hardly a line of text.
        return side not in self._unsure or bool(_TEXT.match(first))

    @property
    def _answers_hello2(self) -> bool:
        """Whether the client began in the form of SSL 2.0, and the server answered in TLS's."""
        return bool(_HELLO2.match(self.first["client"])) and is_record_header(self.first["server"])

    def _is_under_way(self, side: Side, data: bytes, *, begins: bool) -> bool:
        """Whether these bytes are of a connection whose ClientHello came before, or not as a record."""
        if not is_record_header(data) or _CLIENT_HELLO.match(data):
            return False
        if data[0] == _HANDSHAKE and len(data) < _LONGEST_MATCH:
            return False  # it may become one
        if begins and (side == "client" or self._answers_hello2):
            return True
        return not self.whole and (data[:3] == _PROTECTED or begins)

    def _look(self) -> Start | None:
        match = _CLIENT_HELLO.search(self._client)
        if match:
            answers = match.start() == 0 and is_record_header(self._server)
            server = bytes(self._server) if answers else b""
            return Start(bytes(self._client[match.start() :]), server, seen_from_start=True)
        gone = len(self._client) - _LONGEST_MATCH
        if gone > 0:
            del self._client[:gone]
            self._passed += gone
        if self._passed > MAX_PROLOGUE:
            self.is_over = True
        return None
