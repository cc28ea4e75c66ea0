"""From a parsed certificate to the few facts that a reader wants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from pellucid.printable import escaped
from pellucid.trace.events import CertificateSummary

__all__ = ["UNREADABLE", "readable", "summary_of"]

UNREADABLE = "unreadable"

T = TypeVar("T")

_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"


def summary_of(certificate: Any, verdict: str = "ok") -> CertificateSummary:
    """Summarise an ``x509.Certificate`` of the cryptography package.

    It is taken by its shape: the trace does not depend on that package.
    """
    return CertificateSummary(
        subject=readable(lambda: escaped(certificate.subject.rfc4514_string()), UNREADABLE),
        issuer=readable(lambda: escaped(certificate.issuer.rfc4514_string()), UNREADABLE),
        names=readable(lambda: _names(certificate), ()),
        not_before=_iso(certificate.not_valid_before_utc),
        not_after=_iso(certificate.not_valid_after_utc),
        key=readable(lambda: _key(certificate), UNREADABLE),
        signature_algorithm=_algorithm(certificate.signature_algorithm_oid),
        verdict=verdict,
    )


def readable(part: Callable[[], T], otherwise: T) -> T:
    """A part of a certificate, whose sender alone answers for it: watching must not change what happens."""
    try:
        return part()
    except Exception:  # noqa: BLE001 - the package has no common type for what it cannot decode
        return otherwise


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _algorithm(oid: Any) -> str:
    return str(getattr(oid, "_name", oid.dotted_string))


def _names(certificate: Any) -> tuple[str, ...]:
    for extension in certificate.extensions:
        if extension.oid.dotted_string == _SUBJECT_ALTERNATIVE_NAME:
            return tuple(escaped(str(name.value)) for name in extension.value)
    return ()


def _key(certificate: Any) -> str:
    key = certificate.public_key()
    kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    curve = getattr(key, "curve", None)
    if curve is not None:
        return f"EC {curve.name}"
    size = getattr(key, "key_size", None)
    return f"{kind} {size} bits" if size else kind
