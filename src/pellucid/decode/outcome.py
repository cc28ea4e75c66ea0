"""How a watched connection ended: from alerts that were read, and else from what everybody can see.

Nothing is named that the evidence does not imply: what is only likely stands among the possible, and what the
capture does not show is "unknown".
"""

from __future__ import annotations

from pellucid.capture import How
from pellucid.codes import AlertDescription, ProtocolVersion, name_of
from pellucid.decode.advice import advised
from pellucid.decode.conversation import Conversation
from pellucid.decode.flow import Watched
from pellucid.decode.prologue import Prologue
from pellucid.decode.seen import Seen, Turn
from pellucid.diagnosis import diagnosis_of, from_events, identify
from pellucid.errors import AlertReceived, PeerMisbehaved, Reason, TLSError
from pellucid.record.first_bytes import require_tls
from pellucid.record.limits import HEADER_LENGTH
from pellucid.trace.events import Side, other_side

__all__ = ["Ending", "tell_outcome"]

#: A side that gives up after so many seconds without an answer has waited for one.
PATIENCE_NS = 1_000_000_000

#: On whose side it failed, the id, and what was observed.
_Found = tuple[Side, str, str]


class Ending:
    """What TCP tells of how a connection ended. ``by``: who closed it first, or else reset it.

    ``lost``: who has said something that is not in the capture.
    """

    def __init__(self) -> None:
        self.how = How.CAPTURE_ENDED
        self.by: Side | None = None
        self.lost: tuple[Side, ...] = ()
        #: How long the last word of each side had been said by the end.
        self.silent_ns: dict[Side, int] = {}
        self._last_ns: dict[Side, int] = {}

    def speaks(self, side: Side, time_ns: int) -> None:
        self._last_ns[side] = time_ns

    def closes(self, side: Side) -> None:
        if self.by is None:
            self.by = side

    def ends(self, how: How, side: Side | None, time_ns: int, lost: tuple[Side, ...] = ()) -> None:
        if how is How.RESET and self.by is None:
            self.how, self.by = how, side
        self.lost = lost
        self.silent_ns = {each: time_ns - last_ns for each, last_ns in self._last_ns.items()}

    def how_it_ended(self) -> str:
        """The end of a sentence that begins with who ended it."""
        return "reset the TCP connection" if self.how is How.RESET else "closed the TCP connection"

    def fell_silent(self, side: Side) -> str:
        """For how long ``side`` had said nothing, if that is long enough to give up; else ""."""
        silent_ns = self.silent_ns.get(side, 0)
        return f"{silent_ns / 1e9:.1f} s" if silent_ns >= PATIENCE_NS else ""


def tell_outcome(conversation: Conversation, ending: Ending, prologue: Prologue | None) -> None:
    """Tell how it ended, unless the flow has and nothing came after. ``prologue``: where nobody spoke TLS."""
    seen, watched = conversation.seen, conversation.watched
    if prologue is not None:
        _tell_no_tls(conversation, ending, prologue)
    elif seen.fatal is not None:
        _tell_alert(conversation, *seen.fatal)
    elif not watched.is_connected:
        _tell_unfinished(conversation, ending)


def _tell_alert(conversation: Conversation, sender: Side, description: int) -> None:
    name = name_of(description, AlertDescription)
    detail = f"the {sender} ended the connection with the alert {name}"
    _tell_failure(conversation, other_side(sender), AlertReceived(description, detail))


def _tell_unfinished(conversation: Conversation, ending: Ending) -> None:
    seen, watched = conversation.seen, conversation.watched
    # That something was not said is known only where all that was said is in the capture.
    whole = not (seen.missing or ending.lost or seen.began_late)
    for side, start in seen.not_tls.items():
        if whole and side not in seen.spoke:
            _tell_failure(conversation, other_side(side), _no_tls(side, start))
            return
    if not watched.refuted and _shows_success(seen, watched, ending):
        conversation.story.outcome("client", status="connected", **watched.agreed)
        return
    found = _inferred(seen, watched, ending) if whole else None
    if found is not None:
        side, identifier, detail = found
        _tell_failure(
            conversation, side, TLSError(Reason.CLOSED_DURING_HANDSHAKE, detail), identifier=identifier
        )
        return
    conversation.story.outcome("client", status="unknown", **watched.agreed)


# -- what shows without being said


def _shows_success(seen: Seen, watched: Watched, ending: Ending) -> bool:
    """Whether records that stay closed look like those of a handshake that both sides have completed."""
    if seen.finished12 == {"client", "server"}:
        return True  # up to TLS 1.2: both Finished, which alone are protected handshake records so early
    if seen.began_late and "server" not in seen.in_clear:
        # It was under way. A server has been answered before, or answers: its flight would be in the clear.
        return "server" in [turn.side for turn in _from(seen.turns, "client")]
    if _speaks12(seen):
        return False
    # TLS 1.3: the server has spoken, the client has answered by its Finished, and the server goes on. Where
    # there is early data, that may be sent while the server still speaks, and is no answer.
    early = watched.offers_early_data
    turns = seen.answered
    answers = (place for place, turn in enumerate(turns) if turn.side == "client")
    finished = next((place for place in answers if turns[place].has_finished or not early), len(turns))
    behind = turns[finished + 1 :]
    # One record, and then the server ends it: an alert of which the length is hidden looks the same.
    is_last_word = len(behind) == 1 and behind[0].records == 1 and not seen.alerts["server"]
    return bool(behind) and not (is_last_word and ending.by == "server")


def _from(turns: list[Turn], side: Side) -> list[Turn]:
    return turns if not turns or turns[0].side == side else turns[1:]


def _speaks12(seen: Seen) -> bool:
    return ("server", "ServerHelloDone") in seen.messages or bool(seen.finished12)


def _inferred(seen: Seen, watched: Watched, ending: Ending) -> _Found | None:
    """What did not come about; None where the capture does not show it."""
    by, end = ending.by, ending.how_it_ended()
    if by is None:
        return None
    if "server" not in seen.spoke:
        return _unanswered(ending, by)
    unfinished = f"the {by} {end} before the handshake was complete"
    if len(watched.refuted) == 2:
        return None  # then it is not the handshake that was seen
    if watched.refuted:
        (whose,) = watched.refuted
        judge = other_side(whose)
        detail = f"the {judge} {end} behind a Finished that does not fit the handshake"
        return (whose, "closed_during_handshake", detail) if by == judge else None
    if seen.client_has_gone_on:
        if not _lacks_change(seen, watched):
            return None  # it may have been complete by then
    elif by == "client" and _may_have_shown_certificate(seen, watched):
        return _given_up(seen, end)
    if by == "client" and (seconds := ending.fell_silent("server")):
        detail = f"the server began to answer and fell silent; after {seconds} the client {end}"
        return "client", "stalled_mid_flight", detail
    return other_side(by), "closed_during_handshake", unfinished


def _unanswered(ending: Ending, by: Side) -> _Found | None:
    """The server has sent nothing at all."""
    end = ending.how_it_ended()
    if by == "server":
        kind = "reset" if ending.how is How.RESET else "closed"
        return "client", f"{kind}_after_client_hello", f"the server {end} after the ClientHello"
    if seconds := ending.fell_silent("client"):
        detail = f"the server sent nothing, and after {seconds} the client {end}"
        return "client", "silent_after_client_hello", detail
    return None


def _lacks_change(seen: Seen, watched: Watched) -> bool:
    """Whether a side has not come to its ChangeCipherSpec, without which nothing ends up to TLS 1.2."""
    is_old = watched.version is not None and watched.version is not ProtocolVersion.TLSv1_3
    return (is_old or _speaks12(seen)) and len(seen.changed) < 2


def _given_up(seen: Seen, end: str) -> _Found:
    """The client has ended it, and said nothing but perhaps alerts to what may have been a certificate."""
    lengths = seen.alerts["client"]
    if not lengths:
        detail = f"the client {end} right after the server's certificate"
    elif len(lengths) == 1:
        detail = (
            "right after the server's certificate the client sent one protected record of "
            f"{lengths[0]} bytes, as long as an alert is, and {end}"
        )
    else:
        return "server", "closed_during_handshake", f"the client {end} before the handshake was complete"
    return "server", "client_rejected_certificate", detail


def _may_have_shown_certificate(seen: Seen, watched: Watched) -> bool:
    """Whether the server's flight with its certificate went; where that is closed, whether it may have."""
    if ("server", "Certificate") in seen.messages:
        return True
    closed = any(turn.side == "server" for turn in seen.turns) and watched.is_sealed("server")
    return closed and not watched.agreed.get("resumed")


# -- no TLS


def _tell_no_tls(conversation: Conversation, ending: Ending, prologue: Prologue) -> None:
    """What the first bytes look like, the server's before the client's: it is the service."""
    spoke = False
    for side in ("server", "client"):
        start = prologue.first[side]
        spoke = spoke or bool(start) or side in prologue.missing
        if start and prologue.shows_no_tls(side):
            _tell_failure(conversation, other_side(side), _no_tls(side, start))
            return
    if ending.how is How.RESET and ending.by is not None and not (spoke or ending.lost):
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
    evidence = from_events(story.trace.events, side)
    if not identifier:
        found = identify(error, evidence)
        identifier = "server_certificate_refused" if found == "our_certificate_refused" else found
    watched = conversation.watched
    failure = advised(diagnosis_of(error, evidence, identifier=identifier), side, watched.judged)
    story.outcome(side, status="failed", failure=failure, **watched.agreed)
