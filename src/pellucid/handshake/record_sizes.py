"""Shorter records for who lacks memory: record_size_limit (RFC 8449), max_fragment_length (RFC 6066 4).

Both versions have both; where a peer speaks of both, the first counts, as RFC 8449 5 says.
"""

from pellucid.codes import MaxFragmentLengthCode, ProtocolVersion
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.effects import Flow, LimitRecords
from pellucid.handshake.flow import AnyHandshake, ClientHandshake, ServerHandshake
from pellucid.messages import Extensions
from pellucid.messages import extensions as ext

#: A full record, where nobody asks for less.
FULL_RECORD = 2**14
#: RFC 8449 4: who asks for less is to be refused with illegal_parameter.
LEAST_RECORD = 64


def ask_for_record_sizes(hs: ClientHandshake, extensions: Extensions) -> None:
    """What the configuration wants, into the ClientHello."""
    if hs.config.record_size_limit is not None:
        # RFC 8449 4: no more than the version allows.
        most = FULL_RECORD + (ProtocolVersion.TLSv1_3 in hs.config.parameters.protocols)
        extensions.add(ext.RecordSizeLimit(min(hs.config.record_size_limit, most)))
    if hs.config.max_fragment_length is not None:
        # RFC 6066 4: the codes 1 to 4 stand for 2^9 to 2^12.
        code = hs.config.max_fragment_length.bit_length() - 9
        extensions.add(ext.MaxFragmentLength(MaxFragmentLengthCode(code)))


def check_record_sizes(asked: Extensions) -> None:
    """Of a ClientHello, before anything is answered: what it asks for can be asked for."""
    limit, fragment = asked.find(ext.RecordSizeLimit), asked.find(ext.MaxFragmentLength)
    if limit is not None:
        _check_limit(limit)
    elif fragment is not None and not isinstance(fragment.max_fragment_length, MaxFragmentLengthCode):
        # RFC 6066 4: "it MUST abort the handshake with an "illegal_parameter" alert."
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER, f"max_fragment_length {fragment.max_fragment_length} is not defined"
        )


def answer_record_sizes(
    hs: ServerHandshake, asked: Extensions, answer: Extensions, of_session: int | None = None
) -> Flow[int]:
    """A server's answer to what the client asks for; it holds from the next record on.

    ``of_session``: the max_fragment_length of the session of TLS 1.2 that is resumed, 0 for none. Gives the
    one that holds now.
    """
    limit, fragment = asked.find(ext.RecordSizeLimit), asked.find(ext.MaxFragmentLength)
    if limit is not None:
        ours = min(hs.config.record_size_limit or FULL_RECORD + 1, FULL_RECORD + _type_bytes(hs))
        answer.add(ext.RecordSizeLimit(ours))
        yield from _limit(hs, limit.record_size_limit, ours)
        return 0
    if of_session is not None:
        # RFC 6066 1.1: of what is asked on this occasion nothing is answered, and what was agreed on stays.
        return (yield from _fragments(of_session))
    if fragment is None:
        return 0
    answer.add(ext.MaxFragmentLength(fragment.max_fragment_length))
    return (yield from _fragments(_octets(fragment)))


def take_record_sizes(
    hs: ClientHandshake, asked: Extensions, answer: Extensions, of_session: int | None = None
) -> Flow[int]:
    """What the server says to what we asked for; the rest is as above."""
    limit, fragment = answer.find(ext.RecordSizeLimit), answer.find(ext.MaxFragmentLength)
    if limit is not None and fragment is not None:
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER, "the server answers both record_size_limit and max_fragment_length"
        )
    if fragment is not None and fragment != asked.find(ext.MaxFragmentLength):
        # RFC 6066 4: an answer other than what was asked for is refused with illegal_parameter.
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER, f"the server answers max_fragment_length {fragment.max_fragment_length}"
        )
    ours = asked.find(ext.RecordSizeLimit)
    if limit is not None and ours is not None:
        _check_limit(limit)
        yield from _limit(hs, limit.record_size_limit, ours.record_size_limit)
        return 0
    # OpenSSL repeats it when it resumes, though RFC 6066 1.1 would have it say nothing.
    return (yield from _fragments(_octets(fragment) if fragment is not None else of_session or 0))


def _limit(hs: AnyHandshake, theirs: int, ours: int) -> Flow[None]:
    yield LimitRecords(
        min(theirs - _type_bytes(hs), FULL_RECORD),
        min(ours - _type_bytes(hs), FULL_RECORD),
        plaintext=False,
    )


def _fragments(length: int) -> Flow[int]:
    if length:
        # RFC 6066 4: it holds at once, for "messages (including handshake messages)".
        yield LimitRecords(length, length, plaintext=True)
    return length


def _octets(fragment: ext.MaxFragmentLength) -> int:
    code = fragment.max_fragment_length
    assert isinstance(code, MaxFragmentLengthCode)
    return code.octets


def _check_limit(limit: ext.RecordSizeLimit) -> None:
    if limit.record_size_limit < LEAST_RECORD:
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER,
            f"record_size_limit is {limit.record_size_limit}; {LEAST_RECORD} is the least",
        )


def _type_bytes(hs: AnyHandshake) -> int:
    """RFC 8449 4: in TLS 1.3 the limit covers the content type and padding, too."""
    return 1 if hs.version is ProtocolVersion.TLSv1_3 else 0
