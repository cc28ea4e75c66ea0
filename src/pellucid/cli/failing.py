"""From an exception of any layer to the failure that is shown and written."""

from __future__ import annotations

from pellucid.diagnosis import from_events
from pellucid.errors import TLSError
from pellucid.io.diagnosing import diagnose
from pellucid.trace import Side, Trace
from pellucid.trace.failure import Diagnosis
from pellucid.trace.summary import final_outcome

__all__ = ["record_failure"]

# What had been agreed stays true when the connection breaks later.
_AGREED = (
    *("protocol", "cipher_suite", "group", "signature_scheme", "alpn", "resumed", "server_name", "mutual"),
)


def record_failure(trace: Trace, side: Side, error: Exception) -> Diagnosis:
    """The failure of a connection; the outcome of ``trace``, unless the engine has said it already."""
    outcome = final_outcome(trace.events)
    if isinstance(error, TLSError) and outcome and outcome.failure:
        return outcome.failure
    failure = diagnose(error, otherwise=lambda: from_events(trace.events, side, trace.place))
    agreed = {} if outcome is None else {name: getattr(outcome, name) for name in _AGREED}
    trace.view(side).outcome(status="failed", failure=failure, **agreed)
    return failure
