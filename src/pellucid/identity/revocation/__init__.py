"""Revocation: is a certificate that was fine when it was issued still so?

Two kinds of answers: OCSP responses (``ocsp.py``), stapled by the server or fetched, and CRLs (``crl.py``). A
certificate may demand to be stapled (``features.py``). ``check.py`` puts them together for a path.
"""

from pellucid.identity.revocation.check import (
    LEVELS,
    Ask,
    Fetched,
    Finding,
    Level,
    RevocationCheck,
    StatusQuery,
)
from pellucid.identity.revocation.crl import MAX_CRL_BYTES, RevocationList, RevocationLists
from pellucid.identity.revocation.features import must_staple
from pellucid.identity.revocation.ocsp import MAX_OCSP_RESPONSE_BYTES, ocsp_request, read_ocsp
from pellucid.identity.revocation.status import CLOCK_TOLERANCE_SECONDS, RevocationStatus

__all__ = [
    "CLOCK_TOLERANCE_SECONDS",
    "LEVELS",
    "MAX_CRL_BYTES",
    "MAX_OCSP_RESPONSE_BYTES",
    "Ask",
    "Fetched",
    "Finding",
    "Level",
    "RevocationCheck",
    "RevocationList",
    "RevocationLists",
    "RevocationStatus",
    "StatusQuery",
    "must_staple",
    "ocsp_request",
    "read_ocsp",
]
