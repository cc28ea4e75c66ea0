"""STARTTLS of XMPP (RFC 6120 5), with the little of XML that a stream may hold before it."""

from __future__ import annotations

import re
from typing import NamedTuple

from pellucid.errors import PreambleFailed, Reason
from pellucid.preamble.talk import MAX_LINE_BYTES, Steps, Talk
from pellucid.printable import printable

__all__ = ["xmpp"]

_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
_STREAMS = "http://etherx.jabber.org/streams"

#: Elements before the one that is waited for, the features' own included: a server lists a few dozen.
_MOST_TAGS = 512

# A name, and attributes whose values stand in quotes, as XML wants it.
_NAME = re.compile(r"[^\s/>=\"'<]+")
_ATTRIBUTE = re.compile(r"\s+([^\s/>=\"'<]+)\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")
_REST = re.compile(r"\s*/?\s*")
# What may not stand in the value of an attribute (XML 1.0 2.3).
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", "'": "&apos;"})
_QUOTES = re.compile("[\"']")


class Tag(NamedTuple):
    """``<name ...>``, ``<name .../>`` or ``</name>``; names without their prefix."""

    name: str
    namespace: str
    opens: bool
    closes: bool


def xmpp(talk: Talk, domain: str) -> Steps[None]:
    """RFC 6120 5.4, as a client of ``domain``."""
    to = domain.translate(_ESCAPED)
    header = f"<?xml version='1.0'?><stream:stream to='{to}' version='1.0' xmlns='jabber:client'"
    yield from talk.say(f"{header} xmlns:stream='{_STREAMS}'>".encode())
    yield from talk.expect(b"< \t\r\n", "XMPP stream")
    first = yield from _tag(talk, behind_text=False)
    if first.name == "?xml":
        first = yield from _tag(talk, behind_text=False)
    if (first.name, first.opens) != ("stream", True):
        raise talk.unlike("what is no XMPP stream", f"<{first.name}")
    # RFC 6120 4.3.2: the features come first; a server that has none for us says why in an error.
    features = yield from _element(talk)
    if features[0].name == "error":
        raise talk.refused("the stream", _condition(features))
    if features[0].name != "features":
        raise talk.unlike("no stream features", f"<{features[0].name}")
    if not any(tag.name == "starttls" and tag.namespace == _TLS for tag in features):
        listed = " ".join(dict.fromkeys(tag.name for tag in features[1:] if tag.opens)) or "none"
        detail = f"{talk.who} does not offer STARTTLS: its features are {printable(listed, 200)}"
        raise PreambleFailed(Reason.STARTTLS_NOT_OFFERED, detail)
    yield from talk.say(f"<starttls xmlns='{_TLS}'/>".encode())
    answer = yield from _element(talk)
    if answer[0].name != "proceed" or answer[0].namespace != _TLS:
        raise talk.refused("STARTTLS", f"<{answer[0].name}> {_condition(answer)}".rstrip())


def _condition(tags: list[Tag]) -> str:
    """What an error names as its condition: its first child."""
    return tags[1].name if len(tags) > 1 and tags[1].opens else ""


def _element(talk: Talk) -> Steps[list[Tag]]:
    """The next element of the stream: its tags, to the one that closes it."""
    tags: list[Tag] = []
    depth = 0
    while True:
        tag = yield from _tag(talk, behind_text=depth > 0)
        tags.append(tag)
        depth += tag.opens - tag.closes
        if depth < 0:
            raise talk.refused("STARTTLS", "</stream>")
        if depth == 0:
            return tags
        if len(tags) == _MOST_TAGS:
            raise talk.unlike(f"an element of more than {_MOST_TAGS} tags", f"<{tags[0].name}")


def _tag(talk: Talk, *, behind_text: bool) -> Steps[Tag]:
    """The next tag. RFC 6120 11.7 has white space between the elements of a stream, and no text."""
    if behind_text:
        yield from talk.until(b"<", MAX_LINE_BYTES)
    else:
        while (byte := (yield from talk.exactly(1))).isspace():
            pass
        if byte != b"<":
            raise talk.unlike("what is no XMPP stream", byte + talk.rest)
    inside = yield from _inside(talk)
    talk.note(f"<{inside}>")
    tag = _read(inside)
    if tag is None:
        raise talk.unlike("what no XMPP stream may hold", f"<{inside}>")
    return tag


def _inside(talk: Talk) -> Steps[str]:
    """All up to the ">" that ends the tag, for one may stand in the value of an attribute."""
    text = b""
    quote = ""
    while True:
        piece = yield from talk.until(b">", MAX_LINE_BYTES)
        text += piece
        for mark in _QUOTES.findall(piece.decode("latin-1")):
            quote = mark if not quote else "" if mark == quote else quote
        if not quote:
            return text[:-1].decode("utf-8", "replace")
        if len(text) > MAX_LINE_BYTES:
            raise talk.unlike("a tag without an end", text)


def _read(inside: str) -> Tag | None:
    """None for what RFC 6120 11.1 prohibits (comments, instructions, declarations), and what is no XML."""
    if inside.startswith("?xml ") and inside.endswith("?"):
        return Tag("?xml", "", opens=False, closes=False)
    closing = inside.startswith("/")
    name = _NAME.match(inside, 1 if closing else 0)
    if name is None or name[0][0] in "!?":
        return None
    prefix, colon, local = name[0].rpartition(":")
    namespace, at = "", name.end()
    while attribute := _ATTRIBUTE.match(inside, at):
        if attribute[1] == (f"xmlns:{prefix}" if colon else "xmlns"):
            namespace = attribute[2] or attribute[3] or ""
        at = attribute.end()
    if not _REST.fullmatch(inside, at):
        return None
    return Tag(local, namespace, opens=not closing, closes=closing or inside.endswith("/"))
