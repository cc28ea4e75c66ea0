"""STARTTLS of LDAP: an extended operation (RFC 4511 4.14), in the little BER that it needs."""

from __future__ import annotations

from pellucid.errors import PreambleFailed, Reason
from pellucid.preamble.talk import Steps, Talk
from pellucid.printable import printable

__all__ = ["ldap"]

#: RFC 4511 4.14.1: the name of the request, and of its response.
_START_TLS = b"1.3.6.1.4.1.1466.20037"

#: A response is some dozen bytes and what the server says in words.
_MAX_RESPONSE_BYTES = 16_384

_SEQUENCE, _INTEGER, _OCTET_STRING, _ENUMERATED = 0x30, 0x02, 0x04, 0x0A
# RFC 4511 4.12: [APPLICATION 23] with requestName [0], [APPLICATION 24]
_EXTENDED_REQUEST, _REQUEST_NAME, _EXTENDED_RESPONSE = 0x77, 0x80, 0x78

#: RFC 4511 4.1.9 and appendix A: those that a server may answer with.
_RESULTS = {
    1: "operationsError",
    2: "protocolError",
    8: "strongerAuthRequired",
    10: "referral",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    48: "inappropriateAuthentication",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    80: "other",
}
# RFC 4511 4.14.2: "protocolError" of a server that does not support it.
_PROTOCOL_ERROR = 2

#: Of our request. RFC 4511 4.4: what a server says by itself, that it is about to leave, has the number 0.
_NUMBER, _UNSOLICITED = 1, 0

#: A result code or a message's number has no more bytes (RFC 4511 4.1.1: up to 2^31 - 1).
_MAX_NUMBER_BYTES = 4


def ldap(talk: Talk, _: str) -> Steps[None]:
    """RFC 4511 4.14: ask for it in the first message; the server does not speak before."""
    name = bytes((_REQUEST_NAME, len(_START_TLS))) + _START_TLS
    message = bytes((_INTEGER, 1, _NUMBER, _EXTENDED_REQUEST, len(name))) + name
    yield from talk.say(bytes((_SEQUENCE, len(message))) + message, "ExtendedRequest StartTLS")
    response = yield from _message(talk)
    try:
        number, code, words = _extended_response(response)
    except ValueError:
        raise talk.unlike("what is no LDAP response", response) from None
    if number not in (_NUMBER, _UNSOLICITED):
        raise talk.unlike(f"an answer to the request {number}, and there was none", response)
    result = f"{_RESULTS.get(code, 'result')} ({code}){f': {words}' if words else ''}"
    talk.note(f"ExtendedResponse {result if code else 'success'}")
    if code == _PROTOCOL_ERROR and number == _NUMBER:
        detail = f"{talk.who} does not offer StartTLS: it answers {printable(result)}"
        raise PreambleFailed(Reason.STARTTLS_NOT_OFFERED, detail)
    if code or number == _UNSOLICITED:
        raise talk.refused("StartTLS", result)


def _message(talk: Talk) -> Steps[bytes]:
    """One LDAPMessage as it was sent."""
    head = yield from talk.exactly(2)
    if head[0] != _SEQUENCE:
        raise talk.unlike("what is no LDAP response", head + talk.rest)
    length = head[1]
    if length & 0x80:
        # RFC 4511 5.1: only the definite form; four octets of length are more than there is to be said.
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise talk.unlike("what is no LDAP response", head)
        octets = yield from talk.exactly(count)
        head += octets
        length = int.from_bytes(octets, "big")
    if length > _MAX_RESPONSE_BYTES:
        raise talk.unlike(f"an LDAP response of {length:,} bytes", head)
    return head + (yield from talk.exactly(length))


def _extended_response(message: bytes) -> tuple[int, int, str]:
    """Message number, result code and the server's words. ValueError for what is something else."""
    from pellucid.identity.der import element  # noqa: PLC0415 - for who speaks LDAP

    whole = element(message, 0)
    number = element(message, whole.content)
    response = element(message, number.end)
    code = element(message, response.content)
    matched = element(message, code.end)
    words = element(message, matched.end)
    tags = (number.tag, response.tag, code.tag, matched.tag, words.tag)
    if tags != (_INTEGER, _EXTENDED_RESPONSE, _ENUMERATED, _OCTET_STRING, _OCTET_STRING):
        raise ValueError("not an ExtendedResponse")
    if words.end > response.end or response.end > whole.end:
        raise ValueError("an element ends outside of the one that it is in")
    said = message[words.content : words.end].decode("utf-8", "replace")
    return _number(message[number.content : number.end]), _number(message[code.content : code.end]), said


def _number(content: bytes) -> int:
    """An INTEGER or ENUMERATED. ValueError for one that no message of LDAP has."""
    number = int.from_bytes(content, "big", signed=True)
    if not 1 <= len(content) <= _MAX_NUMBER_BYTES or number < 0:
        raise ValueError("not a number of LDAP")
    return number
