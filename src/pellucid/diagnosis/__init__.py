"""Why a connection failed: evidence -> rules -> ``Diagnosis``.

``Evidence`` is what was known at the failure, ``rules`` say what it means, ``failures.toml`` and
``variants.toml`` in ``trace/`` have the words. Nothing here runs for a connection that succeeds, nor for a
failure that nobody asks about.
"""

from pellucid.diagnosis.compose import diagnose_error, diagnosis_of, identify
from pellucid.diagnosis.evidence import Circumstances, Evidence, from_events
from pellucid.trace.failure import Diagnosis, Fact

__all__ = [
    "Circumstances",
    "Diagnosis",
    "Evidence",
    "Fact",
    "diagnose_error",
    "diagnosis_of",
    "from_events",
    "identify",
]
