"""How a watched connection ended: from alerts that were read, and else from what everybody can see.

Nothing is named that the evidence does not imply: what is only likely stands among the possible, and what the
capture does not show is "unknown".
"""

from __future__ import annotations

import re
from dataclasses import replace

from pellucid.capture import How
from pellucid.codes import AlertDescription, ContentType, name_of
from pellucid.decode.conversation import Conversation
from pellucid.decode.seen import Seen
from pellucid.errors import AlertReceived, PeerMisbehaved, Reason, TLSError
from pellucid.record.first_bytes import require_tls
from pellucid.record.limits import HEADER_LENGTH
from pellucid.trace.events import Side, other_side
from pellucid.trace.failure import Failure, failure_id, failure_of

__all__ = ["Ending", "tell_outcome"]

# RFC 9846 5.2: an alert in a protected record is 2 bytes, a type, and a tag of 16 (8 for one suite). Few hide
# its length; a Finished, which may come in its place, has 36 bytes or more where that has 2.
_ALERT_LENGTHS = (19, 11)

#: A side that gives up after so many seconds without an answer has waited for one.
PATIENCE_NS = 1_000_000_000

_HANDSHAKE = int(ContentType.handshake)
_APPLICATION_DATA = int(ContentType.application_data)


class Ending:
    """What TCP tells of how a connection ended. ``by``: who reset it, or closed first."""

    def __init__(self) -> None:
        self.how = How.CAPTURE_ENDED
        self.by: Side | None = None
        #: How long the last word of each side had been said by the end.
        self.silent_ns: dict[Side, int] = {}
        self._first_to_close: Side | None = None
        self._last_ns: dict[Side, int] = {}

    def speaks(self, side: Side, time_ns: int) -> None:
        self._last_ns[side] = time_ns

    def closes(self, side: Side) -> None:
        if self._first_to_close is None:
            self._first_to_close = side

    def ends(self, how: How, side: Side | None, time_ns: int) -> None:
        self.how = how
        self.by = side if how is How.RESET else self._first_to_close
        self.silent_ns = {each: time_ns - last_ns for each, last_ns in self._last_ns.items()}

    def how_it_ended(self) -> str:
        """The end of a sentence that begins with who ended it."""
        return "reset the TCP connection" if self.how is How.RESET else "closed the TCP connection"


def tell_outcome(conversation: Conversation, ending: Ending, first: dict[Side, bytes] | None) -> None:
    """Tell how it ended, unless the flow has and nothing came after. ``first``: where nobody spoke TLS."""
    if first is not None:
        _tell_no_tls(conversation, ending, first)
        return
    seen, watched = conversation.seen, conversation.watched
    if seen.fatal is not None:
        _tell_alert(conversation, *seen.fatal)
    elif not watched.is_connected:
        _tell_unfinished(conversation, ending)


def _tell_alert(conversation: Conversation, sender: Side, description: int) -> None:
    name = name_of(description, AlertDescription)
    detail = f"the {sender} ended the connection with the alert {name}"
    _tell_failure(conversation, other_side(sender), AlertReceived(description, detail))


def _tell_unfinished(conversation: Conversation, ending: Ending) -> None:
    seen, agreed = conversation.seen, conversation.watched.agreed
    for side, start in seen.not_tls.items():
        if not seen.spoke >= {side}:
            _tell_failure(conversation, other_side(side), _no_tls(side, start))
            return
    if _shows_success(seen):
        conversation.story.outcome("client", status="connected", **agreed)
        return
    found = _inferred(seen, ending)
    if found is None:
        conversation.story.outcome("client", status="unknown", **agreed)
        return
    side, identifier, detail = found
    _tell_failure(conversation, side, TLSError(Reason.CLOSED_DURING_HANDSHAKE, detail), identifier=identifier)


def _shows_success(seen: Seen) -> bool:
    """Whether records that stay closed look like those of a handshake that both sides have completed."""
    if {side for side, kind, _ in seen.closed if kind == _HANDSHAKE} == {"client", "server"}:
        return True  # TLS 1.2: both Finished, which alone are protected handshake records so early
    turns = _turns(seen)
    if not seen.hellos:
        return {"client", "server"} <= set(turns)  # under way when the capture began
    # TLS 1.3: the server has spoken, the client has answered by its Finished, and the server has gone on.
    return not _speaks12(seen) and turns[:3] == ["server", "client", "server"]


def _speaks12(seen: Seen) -> bool:
    messages = {name for _, name in seen.messages}
    return "ServerHelloDone" in messages or any(kind == _HANDSHAKE for _, kind, _ in seen.closed)


def _turns(seen: Seen) -> list[Side]:
    """Who spoke under protection, one after the other, from the server's flight on; alerts left out."""
    turns: list[Side] = []
    for side, kind, length in seen.closed:
        if kind == _APPLICATION_DATA and length not in _ALERT_LENGTHS and turns[-1:] != [side]:
            turns.append(side)
    return turns[turns.index("server") :] if seen.hellos and "server" in turns else turns


def _inferred(seen: Seen, ending: Ending) -> tuple[Side, str, str] | None:
    """On whose side it failed, the id, and what was observed; None where the capture does not show it."""
    if ending.by is None:
        return None
    by, end = ending.by, ending.how_it_ended()
    if "server" not in seen.spoke:
        if by == "server":
            kind = "reset" if ending.how is How.RESET else "closed"
            return "client", f"{kind}_after_client_hello", f"the server {end} after the ClientHello"
        if ending.silent_ns.get("client", 0) >= PATIENCE_NS:
            seconds = ending.silent_ns["client"] / 1e9
            detail = f"the server sent nothing, and after {seconds:.1f} s the client {end}"
            return "client", "silent_after_client_hello", detail
        return None
    if by == "client":
        return _given_up(seen, ending)
    if "client" in _turns(seen):
        return None  # it may have been complete by then
    return "client", "closed_during_handshake", f"the server {end} before the handshake was complete"


def _given_up(seen: Seen, ending: Ending) -> tuple[Side, str, str] | None:
    """The client ended it, after the server had begun to answer."""
    end = ending.how_it_ended()
    if _has_shown_certificate(seen):
        last = [length for side, _, length in seen.closed if side == "client"]
        if not last:
            detail = f"the client {end} right after the server's certificate"
            return "server", "client_rejected_certificate", detail
        if len(last) == 1 and last[0] in _ALERT_LENGTHS:
            detail = (
                "right after the server's certificate the client sent one protected record of "
                f"{last[0]} bytes, as long as an alert is, and {end}"
            )
            return "server", "client_rejected_certificate", detail
        return None
    if ending.silent_ns.get("server", 0) >= PATIENCE_NS:
        seconds = ending.silent_ns["server"] / 1e9
        detail = f"the server began to answer and fell silent; after {seconds:.1f} s the client {end}"
        return "client", "stalled_mid_flight", detail
    return "server", "closed_during_handshake", f"the client {end} before the handshake was complete"


def _has_shown_certificate(seen: Seen) -> bool:
    """Whether the server's flight with its certificate went; where that is closed, whether it may have."""
    if any(side == "server" and name == "Certificate" for side, name in seen.messages):
        return True
    return any(side == "server" and length not in _ALERT_LENGTHS for side, _, length in seen.closed)


# -- no TLS


def _tell_no_tls(conversation: Conversation, ending: Ending, first: dict[Side, bytes]) -> None:
    """What the first bytes look like, the server's before the client's: it is the service."""
    for side in ("server", "client"):
        if first[side]:
            _tell_failure(conversation, other_side(side), _no_tls(side, first[side]))
            return
    if ending.how is How.RESET and ending.by is not None:
        detail = f"the {ending.by} reset the TCP connection before anybody said anything"
        error = TLSError(Reason.CONNECTION_FAILED, detail)
        _tell_failure(conversation, other_side(ending.by), error, identifier="connection_failed")
        return
    conversation.story.outcome("client", status="unknown")


def _no_tls(side: Side, start: bytes) -> TLSError:
    try:
        require_tls(start.ljust(HEADER_LENGTH, b"\0"))
    except TLSError as error:
        error.detail = f"{error.detail} (from the {side})"
        return error
    return PeerMisbehaved(
        Reason.NOT_TLS, f"the first bytes of the {side} are no record: {start[:16].hex(' ')}"
    )


# -- failures


def _tell_failure(conversation: Conversation, side: Side, error: TLSError, *, identifier: str = "") -> None:
    """A failure as ``side`` would tell it, in the words of somebody who takes no side."""
    story = conversation.story
    story.finish_flight()
    events = story.trace.events
    if not identifier:
        own = [event for event in events if event.side == side]
        found = failure_id(error, own, side)
        identifier = "server_certificate_refused" if found == "our_certificate_refused" else found
    failure = failure_of(error, events, side, identifier=identifier)
    story.outcome(side, status="failed", failure=_by_name(failure, side), **conversation.watched.agreed)


def _by_name(failure: Failure, side: Side) -> Failure:
    """``failure`` with the peer of ``side`` called by its name."""
    peer = other_side(side)

    def named(text: str) -> str:
        return re.sub(r"\bpeer\b", peer, text)

    return replace(
        failure,
        inferred=named(failure.inferred),
        possible=named(failure.possible),
        fix=named(failure.fix),
        confirm="" if "{host}" in failure.confirm else failure.confirm,
    )
