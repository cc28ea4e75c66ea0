"""Does the other side speak TLS at all? The first five bytes tell, and say what it speaks instead."""

from collections.abc import Iterable

from pellucid.codes import ProtocolVersion, name_of
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason

# change_cipher_spec to heartbeat: every type that IANA's registry has had for TLS over TCP. The last two in a
# first record are faults of TLS, not signs of another protocol.
_TYPES = range(20, 25)

# RFC 5246 E.2: where TLS 1.2 has 0x0303, "version" of an SSL 2.0 client is 0x0002.
_SSL2 = 0x0002

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

    Or `PeerIncompatible` NO_SHARED_VERSION where that is because it starts with a hello in SSL 2.0's form.
    `more` is what followed, and is only shown.
    """
    # RFC 9846 5.1: legacy_record_version "MUST be ignored for all purposes", so the type alone decides.
    if data[0] in _TYPES:
        return
    _refuse_ssl2(data)
    raise PeerMisbehaved(Reason.NOT_TLS, f"the first bytes are {likeness(b''.join((data[:_SHOWN], *more)))}")


def likeness(data: bytes) -> str:
    """What bytes that are no TLS record look like, and their beginning, as text if they are text."""
    seen = data[:_SHOWN]
    what = next((name for start, name in _KNOWN_STARTS if seen.startswith(start)), "not a TLS record")
    return f"{what}: {_printable(seen)}"


def _refuse_ssl2(data: bytes) -> None:
    """Refuse an SSL 2.0 CLIENT-HELLO, which clients of that time sent to servers of any version.

    RFC 5246 E.2: two bytes of length with the high bit set, msg_type 1, and the highest version they had.
    """
    version = data[3] << 8 | data[4]
    if not data[0] & 0x80 or data[2] != 1 or (version != _SSL2 and data[3] != 3):
        return
    # RFC 9846 E.5: "Implementations are NOT RECOMMENDED to accept an SSL version 2.0 compatible CLIENT-HELLO
    # to negotiate older versions of TLS." It has no room for the extensions that make TLS 1.2 safe.
    name = "SSL 2.0 itself" if version == _SSL2 else name_of(version, ProtocolVersion)
    raise PeerIncompatible(
        Reason.NO_SHARED_VERSION,
        f"the first bytes are an SSL 2.0 CLIENT-HELLO, which is not accepted; it asks for {name} at most",
    )


def _printable(seen: bytes) -> str:
    """Text as text, up to the end of its first line; anything else in hexadecimal."""
    line = seen.split(b"\r")[0].split(b"\n")[0]
    if line and all(0x20 <= byte < 0x7F for byte in line):
        return f'"{line.decode("ascii")}"'
    return seen[:16].hex(" ")
