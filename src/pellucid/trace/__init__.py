"""Every step of a connection as a typed event, to be watched, stored, compared and explained.

``Trace`` collects the events and ``TraceView`` records into it; ``explanations`` says what each is for;
``narration`` turns them into numbered steps, ``json`` into the document ``pellucid.trace/1``. Only the
first two are imported here, as they are what the engine needs.
"""

from pellucid.trace.certificates import summary_of
from pellucid.trace.events import (
    AlertEvent,
    CertificateEvent,
    CertificateSummary,
    CheckEvent,
    ChoiceEvent,
    DataEvent,
    Event,
    KeysEvent,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    Redacted,
    SealedEvent,
    SecretEvent,
    Side,
    StateEvent,
    UnreadEvent,
)
from pellucid.trace.network import ClearLine, NetworkEvent
from pellucid.trace.paths import CandidateSummary, PathsEvent, RuleCheck, VerdictSummary
from pellucid.trace.recorder import Trace, TraceView

__all__ = [
    "AlertEvent",
    "CandidateSummary",
    "CertificateEvent",
    "CertificateSummary",
    "CheckEvent",
    "ChoiceEvent",
    "ClearLine",
    "DataEvent",
    "Event",
    "KeysEvent",
    "MessageEvent",
    "NetworkEvent",
    "OutcomeEvent",
    "PathsEvent",
    "RecordEvent",
    "Redacted",
    "RuleCheck",
    "SealedEvent",
    "SecretEvent",
    "Side",
    "StateEvent",
    "Trace",
    "TraceView",
    "UnreadEvent",
    "VerdictSummary",
    "summary_of",
]
