"""Why did it fail? Further connections, each with one factor changed, and the cause that they isolate.

No sockets here: ``investigate`` is a generator that says what to try next and is told what that showed
(``look`` reads it from a trace). Who makes the connections bounds their time.
"""

from pellucid.why.conclude import Finding
from pellucid.why.effects import Effect, Tried
from pellucid.why.factors import Factor, Probe
from pellucid.why.investigate import Investigation, investigate
from pellucid.why.plan import MOST_PROBES, SLOW
from pellucid.why.seen import Seen, Stage, look

__all__ = [
    "MOST_PROBES",
    "SLOW",
    "Effect",
    "Factor",
    "Finding",
    "Investigation",
    "Probe",
    "Seen",
    "Stage",
    "Tried",
    "investigate",
    "look",
]
