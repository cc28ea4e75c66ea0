"""How PostgreSQL and MySQL come to TLS, each by a request of its own."""

from __future__ import annotations

from pellucid.errors import PreambleFailed, Reason
from pellucid.preamble.talk import Steps, Talk
from pellucid.printable import printable

__all__ = ["mysql", "postgres"]

#: A greeting or an error is some hundred bytes.
_MAX_PACKET_BYTES = 8192

# PostgreSQL, "Message Formats", SSLRequest: its length, and 1234 and 5679 where a version would stand.
_SSL_REQUEST = (8).to_bytes(4, "big") + (1234).to_bytes(2, "big") + (5679).to_bytes(2, "big")

# MySQL, "Capabilities Flags"
_CLIENT_PROTOCOL_41 = 0x200
_CLIENT_SSL = 0x800
_CLIENT_SECURE_CONNECTION = 0x8000
_CLIENT_PLUGIN_AUTH = 0x80000
_UTF8MB4 = 45
_MAX_PACKET = 1 << 24
_PROTOCOL_10 = 10
_ERROR = 0xFF


def postgres(talk: Talk, _: str) -> Steps[None]:
    """PostgreSQL's protocol 3.0, "SSL Session Encryption": one byte says yes or no."""
    yield from talk.say(_SSL_REQUEST, "SSLRequest")
    answer = yield from talk.exactly(1)
    match answer:
        case b"S":
            talk.note("S: willing")
        case b"N":
            talk.note("N: unwilling")
            detail = f'{talk.who} does not offer TLS: it answers SSLRequest with "N" (ssl is off there)'
            raise PreambleFailed(Reason.STARTTLS_NOT_OFFERED, detail)
        case b"E":
            raise talk.refused("SSLRequest", (yield from _postgres_error(talk)))
        case _:
            raise talk.unlike("what is no answer to SSLRequest", answer + talk.rest)


def _postgres_error(talk: Talk) -> Steps[str]:
    """The words of an ErrorResponse: fields of a letter and a text that a zero ends."""
    length = int.from_bytes((yield from talk.exactly(4)), "big") - 4
    if not 0 <= length <= _MAX_PACKET_BYTES:
        raise talk.unlike("what is no answer to SSLRequest", b"E" + (length + 4).to_bytes(4, "big"))
    body = yield from talk.exactly(length)
    fields = {field[:1]: field[1:].decode("utf-8", "replace") for field in body.split(b"\0") if field}
    return fields.get(b"M", "an error without a message")


def mysql(talk: Talk, _: str) -> Steps[None]:
    """MySQL's protocol 10, "Connection Phase": the server greets, the client answers with an SSLRequest."""
    payload = yield from _mysql_packet(talk)
    if payload[:1] == bytes((_ERROR,)):
        raise talk.refused("the session", _mysql_error(payload))
    version, zero, rest = payload[1:].partition(b"\0")
    if payload[:1] != bytes((_PROTOCOL_10,)) or not zero or len(rest) < 15:
        raise talk.unlike("what is no MySQL greeting", payload)
    shown = version.decode("utf-8", "replace")
    talk.note(f"greeting of {shown}")
    # After the version: number of the thread (4), part of a challenge (8), a zero, half of the capabilities.
    capabilities = int.from_bytes(rest[13:15], "little")
    if not capabilities & _CLIENT_SSL:
        detail = f"{talk.who} does not offer TLS: its greeting ({printable(shown)}) lacks CLIENT_SSL"
        raise PreambleFailed(Reason.STARTTLS_NOT_OFFERED, detail)
    ours = _CLIENT_PROTOCOL_41 | _CLIENT_SSL | _CLIENT_SECURE_CONNECTION | _CLIENT_PLUGIN_AUTH
    request = ours.to_bytes(4, "little") + _MAX_PACKET.to_bytes(4, "little") + bytes((_UTF8MB4,)) + bytes(23)
    # Nothing answers: TLS begins behind it.
    yield from talk.say(len(request).to_bytes(3, "little") + b"\x01" + request, "SSLRequest")


def _mysql_packet(talk: Talk) -> Steps[bytes]:
    """The first packet: a length of three bytes and the number 0 before it."""
    head = yield from talk.exactly(4)
    length = int.from_bytes(head[:3], "little")
    if head[3] or not 1 <= length <= _MAX_PACKET_BYTES:
        raise talk.unlike("what is no MySQL greeting", head + talk.rest)
    return (yield from talk.exactly(length))


def _mysql_error(payload: bytes) -> str:
    """The words of an ERR packet: behind a code, and a state of six bytes from "#" on if it has one."""
    words = payload[3:]
    words = words[6:] if words[:1] == b"#" else words
    return f"{int.from_bytes(payload[1:3], 'little')} {words.decode('utf-8', 'replace')}"
