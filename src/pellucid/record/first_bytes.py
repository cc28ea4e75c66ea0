"""Does the other side speak TLS at all? The first five bytes tell, and say what it speaks instead."""

from collections.abc import Iterable

from pellucid.errors import PeerMisbehaved, Reason

# change_cipher_spec to heartbeat: every type that IANA's registry has had for TLS over TCP. The last two in a
# first record are faults of TLS, not signs of another protocol.
_TYPES = range(20, 25)

# Enough to recognise a banner or a status line; not enough to fill a log.
_SHOWN = 48

_KNOWN_STARTS = (
    (b"HTTP/", "an HTTP response: the port speaks plain HTTP"),
    (b"<", "markup: the port speaks plain HTTP, or something like it"),
    (b"GET ", "a plain HTTP request"),
    (b"POST ", "a plain HTTP request"),
    (b"HEAD ", "a plain HTTP request"),
    (b"PUT ", "a plain HTTP request"),
    (b"OPTIONS ", "a plain HTTP request"),
    (b"CONNECT ", "a plain HTTP request to a proxy"),
    (b"PRI * HTTP/2", "plain HTTP/2"),
    (b"SSH-", "an SSH banner"),
    (b"220 ", "an SMTP or FTP greeting, which may offer STARTTLS"),
    (b"220-", "an SMTP or FTP greeting, which may offer STARTTLS"),
    (b"+OK", "a POP3 greeting, which may offer STLS"),
    (b"* OK", "an IMAP greeting, which may offer STARTTLS"),
)


def require_tls(data: bytes, more: Iterable[bytes] = ()) -> None:
    """Raise `PeerMisbehaved` NOT_TLS where `data`, at least 5 bytes, does not start with a TLS record.

    `more` is what followed, and is only shown.
    """
    # RFC 9846 5.1: legacy_record_version "MUST be ignored for all purposes", so the type alone decides.
    if data[0] in _TYPES:
        return
    seen = b"".join((data[:_SHOWN], *more))[:_SHOWN]
    # SSL 2.0: two bytes of length with the high bit set, then CLIENT-HELLO (1). RFC 9846 E.5 forbids it.
    if data[0] & 0x80 and data[2] == 1:
        what = "an SSL 2.0 CLIENT-HELLO"
    else:
        what = next((name for start, name in _KNOWN_STARTS if seen.startswith(start)), "not a TLS record")
    raise PeerMisbehaved(Reason.NOT_TLS, f"the first bytes are {what}: {_printable(seen)}")


def _printable(seen: bytes) -> str:
    """Text as text, up to the end of its first line; anything else in hexadecimal."""
    line = seen.split(b"\r")[0].split(b"\n")[0]
    if line and all(0x20 <= byte < 0x7F for byte in line):
        return f'"{line.decode("ascii")}"'
    return seen[:16].hex(" ")
