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
        extensions.add(ext.RecordSizeLimit(hs.config.record_size_limit))
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


def answer_record_sizes(hs: ServerHandshake, asked: Extensions, answer: Extensions) -> Flow[None]:
    """A server's answer to what the client asks for; it holds from the next protected record on."""
    limit, fragment = asked.find(ext.RecordSizeLimit), asked.find(ext.MaxFragmentLength)
    if limit is not None:
        answer.add(ext.RecordSizeLimit(hs.config.record_size_limit or FULL_RECORD + _type_bytes(hs)))
    elif fragment is not None:
        answer.add(ext.MaxFragmentLength(fragment.max_fragment_length))
    yield from _limit(hs, answer, asked)


def take_record_sizes(hs: ClientHandshake, asked: Extensions, answer: Extensions) -> Flow[None]:
    """What the server says to what we asked for."""
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
    if limit is not None:
        _check_limit(limit)
    yield from _limit(hs, asked, answer)


def _limit(hs: AnyHandshake, ours: Extensions, theirs: Extensions) -> Flow[None]:
    our_limit, their_limit = ours.find(ext.RecordSizeLimit), theirs.find(ext.RecordSizeLimit)
    our_fragment, their_fragment = ours.find(ext.MaxFragmentLength), theirs.find(ext.MaxFragmentLength)
    if our_limit is not None and their_limit is not None:
        yield LimitRecords(
            min(their_limit.record_size_limit - _type_bytes(hs), FULL_RECORD),
            min(our_limit.record_size_limit - _type_bytes(hs), FULL_RECORD),
            plaintext=False,
        )
    elif our_fragment is not None and their_fragment is not None:
        code = our_fragment.max_fragment_length
        assert isinstance(code, MaxFragmentLengthCode)
        # RFC 6066 4: it holds at once, for "messages (including handshake messages)".
        yield LimitRecords(code.octets, code.octets, plaintext=True)


def _check_limit(limit: ext.RecordSizeLimit) -> None:
    if limit.record_size_limit < LEAST_RECORD:
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER,
            f"record_size_limit is {limit.record_size_limit}; {LEAST_RECORD} is the least",
        )


def _type_bytes(hs: AnyHandshake) -> int:
    """RFC 8449 4: in TLS 1.3 the limit covers the content type and padding, too."""
    return 1 if hs.version is ProtocolVersion.TLSv1_3 else 0
