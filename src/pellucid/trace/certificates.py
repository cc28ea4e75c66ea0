"""From a parsed certificate to the few facts that a reader wants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pellucid.trace.events import CertificateSummary

__all__ = ["summary_of"]

_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"


def summary_of(certificate: Any, verdict: str = "ok") -> CertificateSummary:
    """Summarise an ``x509.Certificate`` of the cryptography package.

    It is taken by its shape: the trace does not depend on that package.
    """
    return CertificateSummary(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=_names(certificate),
        not_before=_iso(certificate.not_valid_before_utc),
        not_after=_iso(certificate.not_valid_after_utc),
        key=_key(certificate),
        signature_algorithm=_algorithm(certificate.signature_algorithm_oid),
        verdict=verdict,
    )


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _algorithm(oid: Any) -> str:
    return str(getattr(oid, "_name", oid.dotted_string))


def _names(certificate: Any) -> tuple[str, ...]:
    for extension in certificate.extensions:
        if extension.oid.dotted_string == _SUBJECT_ALTERNATIVE_NAME:
            return tuple(str(name.value) for name in extension.value)
    return ()


def _key(certificate: Any) -> str:
    key = certificate.public_key()
    kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    curve = getattr(key, "curve", None)
    if curve is not None:
        return f"EC {curve.name}"
    size = getattr(key, "key_size", None)
    return f"{kind} {size} bits" if size else kind
