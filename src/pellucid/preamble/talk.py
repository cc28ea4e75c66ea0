"""One side of a dialogue in the clear: what was sent and received, with bounds on what a peer can say.

    def pop3(talk: Talk) -> Steps[None]:
        greeting = yield from talk.line()
        yield from talk.say(b"STLS\r\n")
        ...

Whoever runs it sends what is yielded, and answers a None with what arrived, or with b"" at the end of the TCP
stream. What arrived and was not asked for stays in ``rest``: nothing that was said in the clear may pass for
something that was said in TLS.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeVar

from pellucid.errors import PreambleFailed, Reason
from pellucid.printable import printable

__all__ = ["MAX_LINE_BYTES", "MAX_RECEIVED_BYTES", "RECORD_TYPES", "Said", "Steps", "Talk"]

T = TypeVar("T")

#: A dialogue: yields bytes to send, or None to be given what arrives (b"" at the end of the stream).
Steps = Generator[bytes | None, bytes, T]

#: RFC 5321 4.5.3.1.5 allows replies of 512 bytes, RFC 1939 3 of POP3 as many; lines of IMAP's capabilities
#: and headers of a proxy are longer, and 8,000 is what RFC 7162 4 asks servers of IMAP to bear.
MAX_LINE_BYTES = 8192

#: All that a peer may say before TLS. The longest that is meant well are the features of an XMPP server and
#: the page of a proxy that refuses: a few thousand bytes.
MAX_RECEIVED_BYTES = 65_536

#: What is kept of one thing that was said, in characters.
_SHOWN = 300
#: How many such things are kept: a dialogue has a dozen lines.
_MOST_SAID = 40

# RFC 9846 5.1: content types, and the first byte of the version that follows each.
RECORD_TYPES = range(20, 25)
_RECORD_VERSION = b"\x03"


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the dialogue, made fit to be shown."""

    direction: Literal["sent", "received"]
    text: str


class Talk:
    """The dialogue with one peer, as long as it lasts.

    ``who`` is the peer in words ("the SMTP server"). ``wrong`` is the reason where it does not follow the
    protocol, ``refused`` where it ends the dialogue. ``received`` is what arrived before it began.
    """

    def __init__(self, who: str, *, wrong: Reason, refused: Reason, received: bytes = b"") -> None:
        self.who = who
        self.said: list[Said] = []
        self._wrong = wrong
        self._refused = refused
        self._received = bytearray(received)
        self._count = len(received)

    @property
    def rest(self) -> bytes:
        """What has arrived and was not asked for."""
        return bytes(self._received)

    @property
    def has_heard(self) -> bool:
        """Whether the peer has said anything."""
        return self._count > 0

    @property
    def last_heard(self) -> str:
        """What the peer said last, fit to be shown; "" for nothing."""
        return next((said.text for said in reversed(self.said) if said.direction == "received"), "")

    # -- saying and hearing

    def say(self, data: bytes, shown: str | None = None) -> Steps[None]:
        """Send ``data``; ``shown`` is what the story has of it, where that is not the text itself."""
        self._note("sent", data.decode("latin-1") if shown is None else shown)
        yield data

    def line(self) -> Steps[str]:
        """The next line, without its end. Bytes that are not ASCII are taken for Latin-1."""
        text = (yield from self.until(b"\n", MAX_LINE_BYTES)).rstrip(b"\r\n").decode("latin-1")
        self._note("received", text)
        return text

    def until(self, end: bytes, limit: int) -> Steps[bytes]:
        """All up to and with ``end``, at most ``limit`` bytes."""
        searched = 0
        while (at := self._received.find(end, searched)) < 0:
            if len(self._received) >= limit:
                raise self.unlike(f"more than {limit:,} bytes without an end")
            searched = max(0, len(self._received) - len(end) + 1)
            yield from self._more()
        if at + len(end) > limit:
            raise self.unlike(f"more than {limit:,} bytes without an end")
        return self._take(at + len(end))

    def expect(self, firsts: bytes, what: str) -> Steps[None]:
        """The next byte is one of ``firsts``, or what comes is no ``what``.

        So a peer that speaks something else is found out by its first byte, and need not end a line.
        """
        while not self._received:
            yield from self._more()
        if self._received[0] not in firsts:
            raise self.unlike(f"what is no {what}")

    def exactly(self, count: int) -> Steps[bytes]:
        """The next ``count`` bytes."""
        while len(self._received) < count:
            yield from self._more()
        return self._take(count)

    def note(self, text: str) -> None:
        """For the story: what bytes that were received mean."""
        self._note("received", text)

    def _more(self) -> Steps[None]:
        if self._count >= MAX_RECEIVED_BYTES:
            raise self.unlike(f"more than {MAX_RECEIVED_BYTES:,} bytes, and it had not come to the point")
        data = yield None
        if not data:
            raise self.closed()
        self._count += len(data)
        self._received += data

    def _take(self, count: int) -> bytes:
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    def _note(self, direction: Literal["sent", "received"], text: str) -> None:
        if len(self.said) < _MOST_SAID:
            self.said.append(Said(direction, printable(text.rstrip("\r\n"), _SHOWN)))

    # -- what can go wrong

    def closed(self) -> PreambleFailed:
        """The peer has ended the TCP stream."""
        if self._received:
            how = f"in the middle of an answer: {self.quoted(self.rest)}"
        elif not self.said:
            how = "without a word"
        elif self.said[-1].direction == "sent":
            how = f'without an answer to "{self.said[-1].text}"'
        else:
            how = f'after "{self.said[-1].text}"'
        return PreambleFailed(self._refused, f"{self.who} closed the connection {how}")

    def broken(self, error: OSError) -> PreambleFailed:
        """The peer has reset the connection."""
        return PreambleFailed(
            self._refused, f"{self.who} broke the connection off: {error.strerror or error}"
        )

    def unlike(self, what: str, seen: bytes | str = b"") -> PreambleFailed:
        """What came does not follow the protocol. ``seen``: the bytes; what is left of them if not given."""
        data = seen.encode("latin-1", "replace") if isinstance(seen, str) else seen
        data = data or self.rest
        # A control character: no text begins so, even where its second byte is not here yet.
        if data[:1] and data[0] in RECORD_TYPES and data[1:2] in (b"", _RECORD_VERSION):
            seen_as = f"what begins a TLS record ({data[:5].hex(' ')})"
            return PreambleFailed(self._wrong, f"{self.who} sent {seen_as}: it speaks TLS from the start")
        came = f": {self.quoted(data)}" if data else ""
        return PreambleFailed(self._wrong, f"{self.who} sent {what}{came}")

    def refused(self, asked: str, words: str) -> PreambleFailed:
        """It follows the protocol and says no; ``words`` are its own."""
        return PreambleFailed(self._refused, f'{self.who} refused {asked}: "{printable(words, _SHOWN)}"')

    @staticmethod
    def quoted(data: bytes) -> str:
        """The first line if it is text, else the first bytes in hexadecimal."""
        line = (data.splitlines() or [b""])[0].decode("latin-1")
        if line and line.isascii() and line.isprintable():
            return f'"{printable(line)}"'
        return data[:16].hex(" ")
