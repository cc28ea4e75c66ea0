"""One connection of ``pellucid connect``, from the name to the last that the server says by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.cli.request import Request, configuration

if TYPE_CHECKING:
    from pellucid.cli.capturing import Captured
    from pellucid.cli.exits import Exit
    from pellucid.cli.output import Output
    from pellucid.config import ClientConfig
    from pellucid.io.blocking import TLSSocket
    from pellucid.io.waiting import Deadline
    from pellucid.trace import Trace
    from pellucid.trace.failure import Diagnosis

__all__ = ["Attempt", "attempt", "listening_seconds"]

# After the handshake we listen for so long: for tickets, which come by themselves, and for an alert about
# our certificate, which in TLS 1.3 comes after our side of the handshake is complete.
_LISTEN_SECONDS = 0.3
_LISTEN_IF_ASKED_SECONDS = 1.0
# However far away the server is, and however much it has to say.
_MOST_LISTEN_SECONDS = 5.0
_MOST_LISTEN_BYTES = 65_536


@dataclass(frozen=True)
class Attempt:
    """What one connection came to.

    ``config`` is None where the files that the options name are not what they should be. ``failure`` is None
    of a connection that is fine; otherwise ``trace`` ends with it. ``code`` is what to exit with.
    ``heard_out``: after the handshake there was time to wait for all that the server might have to say.
    """

    request: Request
    trace: Trace
    config: ClientConfig | None
    error: Exception | None
    failure: Diagnosis | None
    code: Exit
    heard_out: bool = True


def attempt(request: Request, output: Output, *, until: Deadline | None = None, **changes: Any) -> Attempt:
    """Connect once, within ``request.timeout_seconds``, into a trace of its own; never raises for a failure.

    After the handshake the server is listened to, which ``until`` bounds as well.
    ``changes`` are settings of ``ClientConfig`` that stand in the place of what the options say.
    """
    from pellucid.cli.exits import exit_code
    from pellucid.cli.failing import record_failure
    from pellucid.cli.way import trust_of
    from pellucid.errors import TLSError
    from pellucid.trace import CertificateEvent
    from pellucid.trace.failure import tls_began

    trace = output.trace()
    trace.place = request.place
    captured = output.capture(trace)
    error: Exception | None = None
    config: ClientConfig | None = None
    heard_out = True
    try:
        config = configuration(request, output.key_log, trace, **changes)
        heard_out = _connect(request, config, captured, trace, until)
    except (TLSError, OSError) as failed:
        error = failed
    began = tls_began(trace.events)
    failure = None if error is None else record_failure(trace, "client", error)
    captured.finish("client", error)
    if config is not None and any(isinstance(event, CertificateEvent) for event in trace.events):
        trace.trust = trust_of(config)
    code = exit_code(error, tls_began=began, failure_id=failure.id if failure else "")
    return Attempt(request, trace, config, error, failure, code, heard_out)


def _connect(
    request: Request, config: ClientConfig, captured: Captured, trace: Trace, until: Deadline | None
) -> bool:
    """Whether there was time to hear the server out."""
    from pellucid.io.blocking import connect as connect_tls
    from pellucid.io.waiting import Deadline

    deadline = Deadline(request.timeout_seconds)
    with connect_tls(
        request.host,
        request.port,
        config,
        request.name,
        request.timeout_seconds,
        starttls=request.starttls,
        proxy=request.proxy,
        handshake=False,
    ) as tls:
        captured.between(tls, "client", request.name)
        tls.handshake_until(deadline)
        captured.advance()
        return _listen(tls, trace, until)


def _listen(tls: TLSSocket, trace: Trace, until: Deadline | None) -> bool:
    """Wait a little for what the server says by itself: tickets, or an alert about our certificate.

    A server may greet before it has judged our certificate (in TLS 1.3 it can send with its Finished), so
    what it says is no consent. False where ``until`` came before its silence could be one.
    """
    from pellucid.io.waiting import Deadline
    from pellucid.trace import MessageEvent

    asked = any(isinstance(e, MessageEvent) and e.name == "CertificateRequest" for e in trace.events)
    wanted = listening_seconds(asked=asked, first_answer_seconds=_first_answer_seconds(trace))
    there_is = until.left() if until else None
    deadline = Deadline(wanted if there_is is None else min(wanted, there_is))
    received = 0
    while received < _MOST_LISTEN_BYTES and (left := deadline.left()):
        tls.settimeout(left)
        try:
            data = tls.recv(_MOST_LISTEN_BYTES)
        except TimeoutError:
            break  # silence is consent
        if not data:
            return True
        received += len(data)
    return there_is is None or wanted <= there_is


def listening_seconds(*, asked: bool, first_answer_seconds: float) -> float:
    """How long to listen after the handshake; ``asked``: the server wants to know who we are."""
    if not asked:
        return _LISTEN_SECONDS
    # Our certificate has to get there and the alert back: twice what the first answer took, to be sure.
    return max(_LISTEN_IF_ASKED_SECONDS, min(2 * first_answer_seconds, _MOST_LISTEN_SECONDS))


def _first_answer_seconds(trace: Trace) -> float:
    """From our first record to the first of the server."""
    from pellucid.trace import RecordEvent

    records = [event for event in trace.events if isinstance(event, RecordEvent)]
    answers = [event.time_us for event in records if event.direction == "received"]
    return (answers[0] - records[0].time_us) / 1e6 if answers else 0.0
