"""From an exception of any layer to the failure that is shown and written."""

from __future__ import annotations

import socket

from pellucid.errors import Reason, TLSError
from pellucid.trace import Side, Trace
from pellucid.trace.failure import Failure, failure_of
from pellucid.trace.summary import final_outcome

__all__ = ["record_failure"]

# What had been agreed stays true when the connection breaks later.
_AGREED = (
    *("protocol", "cipher_suite", "group", "signature_scheme", "alpn", "resumed", "server_name", "mutual"),
)


def record_failure(trace: Trace, side: Side, error: Exception) -> Failure:
    """The failure of a connection; the outcome of ``trace``, unless the engine has said it already."""
    outcome = final_outcome(trace.events)
    if isinstance(error, TLSError) and outcome and outcome.failure:
        return outcome.failure
    failure = _failure(trace, side, error)
    agreed = {} if outcome is None else {name: getattr(outcome, name) for name in _AGREED}
    trace.view(side).outcome(status="failed", failure=failure, **agreed)
    return failure


def _failure(trace: Trace, side: Side, error: Exception) -> Failure:
    match error:
        case TLSError():
            return failure_of(error, trace.events, side)
        case socket.gaierror():
            failed = TLSError(Reason.CONNECTION_FAILED, error.strerror or str(error))
            return failure_of(failed, identifier="name_not_found")
        case TimeoutError():
            return failure_of(TLSError(Reason.TIMEOUT, str(error)), trace.events, side)
        case OSError():
            text = error.strerror if error.errno and error.strerror else str(error)
            return failure_of(TLSError(Reason.CONNECTION_FAILED, text), trace.events, side)
    return failure_of(TLSError(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}"), trace.events, side)
