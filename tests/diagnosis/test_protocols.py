"""What speaks in the place of TLS, by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.diagnosis.protocols import PORTS, guess
from pellucid.preamble import STARTTLS


@pytest.mark.parametrize(
    "first, title, starttls",
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "plain HTTP", ""),
        (b"220 mx.example ESMTP Postfix\r\n", "SMTP", "smtp"),
        (b"220-mail.example welcomes you\r\n", "SMTP", "smtp"),
        (b"220 ProFTPD Server ready.\r\n", "FTP", "ftp"),
        (b"+OK POP3 ready\r\n", "POP3", "pop3"),
        (b"* OK IMAP4rev1 ready\r\n", "IMAP", "imap"),
        (b"* BYE too many\r\n", "IMAP", "imap"),
        (b"<stream:stream xmlns='jabber:server'>", "XMPP", "xmpp"),
        (b"\x4a\0\0\0\x0a8.0.36\0" + bytes(20), "MySQL", "mysql"),
        (b"\x45\0\0\0\xff\x6a\x04Host is not allowed", "MySQL", "mysql"),
        (bytes.fromhex("300c02010078070a010204000400"), "LDAP", "ldap"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH", ""),
    ],
)
def test_a_protocol_is_known_by_how_it_begins(first: bytes, title: str, starttls: str) -> None:
    found = guess(first)
    assert found is not None
    assert (title in found.title, found.starttls) == (True, starttls)


@pytest.mark.parametrize(
    "port, starttls", [(25, "smtp"), (587, "smtp"), (21, "ftp"), (8443, ""), ("PORT", "")]
)
def test_a_greeting_of_either_mail_or_files_is_decided_by_the_port(port: int | str, starttls: str) -> None:
    found = guess(b"220 welcome\r\n", port)
    assert found is not None
    assert found.starttls == starttls


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x03", b"hello", b"\x30\x03\x02\x01\x05"])
def test_what_is_not_known_is_not_guessed(first: bytes) -> None:
    assert guess(first) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_looked_at_without_fault(first: bytes) -> None:
    found = guess(first)
    assert found is None or not found.starttls or found.starttls in STARTTLS


def test_what_is_advised_can_be_asked_for() -> None:
    """--starttls knows every name, and has the same idea of the ports."""
    assert {found.starttls for found in PORTS.values()} == set(STARTTLS)
    assert {known.port: name for name, known in STARTTLS.items()}.items() <= {
        port: found.starttls for port, found in PORTS.items()
    }.items()
