"""What speaks in the place of TLS, by its first bytes; and what usually has a port."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["PORTS", "Guess", "guess"]


class Guess(NamedTuple):
    """A protocol in words, and the name under which ``connect --starttls`` knows it; "" for none."""

    title: str
    starttls: str = ""


#: RFC 5321 4.2: a mail server greets with 220; RFC 959 5.4: so does FTP. Only their words tell them apart.
_MAIL_OR_FILES = re.compile(rb"220[ -]([^\r\n]*)")

#: MySQL's greeting (Protocol::HandshakeV10): three bytes of length, sequence number 0, protocol 10, the
#: server's version as text that ends in a zero. Or, in its place, an error: 255 and a number.
_MYSQL = re.compile(rb"...\0(?:\x0a[0-9][\x20-\x7e]*\0|\xff)", re.DOTALL)

#: RFC 4511 4.1.1: an LDAPMessage is a SEQUENCE that begins with a message ID; here that of a
#: notice of disconnection (4.4.1), which is 0, and an ExtendedResponse behind it.
_LDAP = re.compile(rb"\x30(?:.|\x81.|\x82..|\x84....)\x02\x01\0\x78", re.DOTALL)

_STARTS = (
    (b"HTTP/", Guess("plain HTTP")),
    (b"<?xml", Guess("XML, as XMPP begins", "xmpp")),
    (b"<stream:", Guess("XMPP", "xmpp")),
    (b"<", Guess("markup, as a web server of old answers")),
    (b"SSH-", Guess("SSH")),
    (b"+OK", Guess("POP3", "pop3")),
    (b"-ERR", Guess("POP3 or Redis")),
    (b"* OK", Guess("IMAP", "imap")),
    (b"* BYE", Guess("IMAP", "imap")),
    (b"* PREAUTH", Guess("IMAP", "imap")),
    (b"AMQP", Guess("AMQP")),
    (b"RFB ", Guess("VNC")),
)

#: By which port, as IANA assigns them, a protocol is found that asks for TLS in the clear first.
PORTS = {
    21: Guess("FTP", "ftp"),
    25: Guess("SMTP", "smtp"),
    110: Guess("POP3", "pop3"),
    143: Guess("IMAP", "imap"),
    389: Guess("LDAP", "ldap"),
    587: Guess("mail submission (SMTP)", "smtp"),
    3306: Guess("MySQL", "mysql"),
    5222: Guess("XMPP", "xmpp"),
    5432: Guess("PostgreSQL", "postgres"),
}


def guess(first: bytes, port: int | str = "") -> Guess | None:
    """What the first bytes look like; None for nothing known. ``port`` decides where they leave it open."""
    greeting = _MAIL_OR_FILES.match(first)
    if greeting:
        return _mail_or_files(greeting[1], port)
    if _MYSQL.match(first):
        return Guess("MySQL", "mysql")
    if _LDAP.match(first):
        return Guess("LDAP", "ldap")
    return next((found for start, found in _STARTS if first.startswith(start)), None)


def _mail_or_files(words: bytes, port: int | str) -> Guess:
    said = words.upper()
    if b"SMTP" in said or b"MAIL" in said:
        return Guess("SMTP", "smtp")
    if b"FTP" in said:
        return Guess("FTP", "ftp")
    usual = PORTS.get(port) if isinstance(port, int) else None
    return usual if usual and usual.starttls in ("smtp", "ftp") else Guess("SMTP or FTP")
