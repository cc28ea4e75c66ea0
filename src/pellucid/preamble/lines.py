"""STARTTLS of the protocols of text lines: SMTP, IMAP, POP3 and FTP."""

from __future__ import annotations

from pellucid.errors import PreambleFailed, Reason
from pellucid.preamble.talk import Steps, Talk
from pellucid.printable import printable

__all__ = ["ftp", "imap", "pop3", "smtp"]

#: Lines of one reply, or before the one that was waited for. The longest are a server's capabilities.
_MOST_LINES = 128

#: What is shown of a server's words, in characters.
_SHOWN = 200

# RFC 5321 4.1.3 takes an address in brackets where a host has no name to give; this one tells nothing of us.
_OURSELVES = "[127.0.0.1]"

# RFC 5321 4.2.2, RFC 959 4.2.1: "unrecognized", "not implemented". Others are about who asks, or the moment.
_UNKNOWN_COMMAND = ("500", "502")


def smtp(talk: Talk, _: str) -> Steps[None]:
    """RFC 3207 4, within the session of RFC 5321 3.1 and 3.2."""
    code, lines = yield from _reply(talk, "SMTP greeting")
    if code != "220":
        raise talk.refused("the session", f"{code} {lines[-1]}")
    yield from talk.say(f"EHLO {_OURSELVES}\r\n".encode("ascii"))
    code, lines = yield from _reply(talk, "reply of SMTP")
    if code in _UNKNOWN_COMMAND:  # a server older than EHLO
        raise _not_offered(talk, "STARTTLS", "EHLO", f"{code} {lines[-1]}")
    if code != "250":
        raise talk.refused("EHLO", f"{code} {lines[-1]}")
    # RFC 5321 4.1.1.1: the first line greets; each line after it begins with a keyword.
    keywords = [line.split(" ")[0].upper() for line in lines[1:]]
    if "STARTTLS" not in keywords:
        raise _not_offered(talk, "STARTTLS", "EHLO", " ".join(keywords) or f"{code} {lines[0]}")
    yield from talk.say(b"STARTTLS\r\n")
    code, lines = yield from _reply(talk, "reply of SMTP")
    if code != "220":
        raise talk.refused("STARTTLS", f"{code} {lines[-1]}")


def ftp(talk: Talk, _: str) -> Steps[None]:
    """RFC 4217 4, with the replies of RFC 959 4.2."""
    code, lines = yield from _reply(talk, "FTP greeting")
    if code == "120":  # "service ready in nnn minutes"
        code, lines = yield from _reply(talk, "FTP greeting")
    if code != "220":
        raise talk.refused("the session", f"{code} {lines[-1]}")
    # Asked without FEAT before it: the answer says the same.
    yield from talk.say(b"AUTH TLS\r\n")
    code, lines = yield from _reply(talk, "reply of FTP")
    if code != "234":
        # RFC 4217 4: 500 or 502 of a server that does not know the command, 504 of one without "TLS".
        if code in (*_UNKNOWN_COMMAND, "504"):
            raise _not_offered(talk, "AUTH TLS", "AUTH TLS", f"{code} {lines[-1]}")
        raise talk.refused("AUTH TLS", f"{code} {lines[-1]}")


def _reply(talk: Talk, what: str) -> Steps[tuple[str, list[str]]]:
    """A reply of SMTP (RFC 5321 4.2.1) or FTP (RFC 959 4.2): its code, and the texts of its lines."""
    yield from talk.expect(b"12345", what)
    first = yield from talk.line()
    code, mark = first[:3], first[3:4]
    if not (len(code) == 3 and code.isascii() and code.isdigit() and mark in ("", " ", "-")):
        raise talk.unlike(f"what is no {what}", first)
    texts = [first[4:]]
    while mark == "-":
        if len(texts) == _MOST_LINES:
            raise talk.unlike(f"a {what} of more than {_MOST_LINES} lines", first)
        line = yield from talk.line()
        # RFC 959 4.2: only the first and the last line have to have the code, that one with a space behind.
        # Others may begin as they like, with "2200 users" as well.
        coded = line[:3] == code and line[3:4] in ("", " ", "-")
        mark = line[3:4] if coded else "-"
        texts.append(line[4:] if coded else line)
    return code, texts


def imap(talk: Talk, _: str) -> Steps[None]:
    """RFC 9051 6.2.1 (RFC 3501 6.2.1 was the same)."""
    yield from talk.expect(b"*", "IMAP greeting")
    greeting = yield from talk.line()
    state = greeting.upper().split(" ")[:2]
    if state[0] != "*" or len(state) < 2 or state[1] not in ("OK", "PREAUTH", "BYE"):
        raise talk.unlike("what is no IMAP greeting", greeting)
    if state[1] == "BYE":
        raise talk.refused("the session", greeting[2:])
    if state[1] == "PREAUTH":
        # RFC 9051 6.2 has STARTTLS in the not authenticated state alone. Somebody on the way who puts this
        # greeting in the place of the server's would keep the client from TLS.
        raise _not_offered(talk, "STARTTLS", "its greeting", greeting[2:])
    yield from talk.say(b"a1 CAPABILITY\r\n")
    status, before = yield from _tagged(talk, "a1")
    if not status.upper().startswith("OK"):
        raise talk.refused("CAPABILITY", status)
    listed = [line.upper().split(" ")[2:] for line in before if line.upper().startswith("* CAPABILITY ")]
    capabilities = [word for line in listed for word in line]
    if "STARTTLS" not in capabilities:
        raise _not_offered(talk, "STARTTLS", "CAPABILITY", " ".join(capabilities) or status)
    yield from talk.say(b"a2 STARTTLS\r\n")
    status, _before = yield from _tagged(talk, "a2")
    if not status.upper().startswith("OK"):
        raise talk.refused("STARTTLS", status)


def _tagged(talk: Talk, tag: str) -> Steps[tuple[str, list[str]]]:
    """The status of the command ``tag``, and the untagged lines before it (RFC 9051 2.2.2)."""
    untagged: list[str] = []
    while True:
        line = yield from talk.line()
        if line.startswith(f"{tag} "):
            return line[len(tag) + 1 :], untagged
        if not line.startswith("* "):
            raise talk.unlike("what is no answer of IMAP", line)
        if len(untagged) == _MOST_LINES:
            raise talk.unlike(f"more than {_MOST_LINES} lines before its answer", line)
        untagged.append(line)


def pop3(talk: Talk, _: str) -> Steps[None]:
    """RFC 2595 4, with CAPA of RFC 2449 5."""
    words = yield from _status(talk, "POP3 greeting")
    if not words.startswith("+OK"):
        raise talk.refused("the session", words)
    yield from talk.say(b"CAPA\r\n")
    words = yield from _status(talk, "answer of POP3")
    if words.startswith("+OK"):  # otherwise the server is older than CAPA, and may have STLS all the same
        capabilities = yield from _listed(talk)
        if "STLS" not in capabilities:
            raise _not_offered(talk, "STLS", "CAPA", " ".join(capabilities) or words)
    yield from talk.say(b"STLS\r\n")
    words = yield from _status(talk, "answer of POP3")
    if not words.startswith("+OK"):
        raise talk.refused("STLS", words)


def _status(talk: Talk, what: str) -> Steps[str]:
    yield from talk.expect(b"+-", what)
    line = yield from talk.line()
    if line.split(" ")[0] not in ("+OK", "-ERR"):
        raise talk.unlike(f"what is no {what}", line)
    return line


def _listed(talk: Talk) -> Steps[list[str]]:
    """The first words of the lines up to the one that is a dot alone."""
    words: list[str] = []
    while (line := (yield from talk.line())) != ".":
        if len(words) == _MOST_LINES:
            raise talk.unlike(f"a list of more than {_MOST_LINES} lines", line)
        words.append(line.split(" ")[0].upper())
    return words


def _not_offered(talk: Talk, command: str, where: str, words: str) -> PreambleFailed:
    says = "it says" if where == "its greeting" else f"its answer to {where} is"
    detail = f'{talk.who} does not offer {command}: {says} "{printable(words, _SHOWN)}"'
    return PreambleFailed(Reason.STARTTLS_NOT_OFFERED, detail)
