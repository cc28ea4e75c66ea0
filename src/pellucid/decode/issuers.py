"""Which of the certificates that were sent has signed which: all that can be judged without a root.

They need not stand in the order in which they certify each other, and some may have no part in it: RFC 9846
4.5.1 has clients cope with both. So the issuer of each is looked for among all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.identity import MAX_CHAIN_LENGTH
from pellucid.identity.der import UNDECODABLE, certificate_fields
from pellucid.identity.reasoning.view import signed_by
from pellucid.identity.rules import is_too_costly, issuer_text, where
from pellucid.plain import plain

__all__ = ["Row", "row_of"]


@plain(frozen=True)
class Row:
    """The leaf, then each one's issuer, as far as they were sent; by their places among those.

    ``fault``: why this is not as it has to be, or ""; ``notes``: what is worth a word, and no fault.
    ``missing``: the name of the last one's issuer, where that was not sent; a root need not be.
    """

    places: tuple[int, ...]
    fault: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""


def row_of(chain: Sequence[bytes], certificates: Sequence[Any | None]) -> Row:
    """``chain``: what was sent (DER), leaf first; ``certificates``: the same, or None if unreadable."""
    if not certificates:
        return Row((), "there is no certificate")
    if len(certificates) > MAX_CHAIN_LENGTH:
        return Row((0,), f"{len(certificates)} certificates; up to {MAX_CHAIN_LENGTH} are looked at")
    unreadable = [str(place) for place, one in enumerate(certificates) if one is None]
    if unreadable:
        return Row((), f"certificate {', '.join(unreadable)} cannot be read")
    return _search(certificates, [_names(der) for der in chain])


def _search(certificates: Sequence[Any], names: Sequence[tuple[bytes, bytes]]) -> Row:
    places = [0]
    while names[places[-1]][0] != names[places[-1]][1]:  # until one is its own issuer
        child = certificates[places[-1]]
        wanted = names[places[-1]][0]
        named = [place for place in range(len(names)) if names[place][1] == wanted and place not in places]
        issuer = next((place for place in named if _has_signed(certificates[place], child)), None)
        if issuer is None and named:
            above = where(certificates[named[0]], named[0])
            return Row(tuple(places), f"{where(child, places[-1])} is not signed by the key of {above}")
        if issuer is None:
            missing = issuer_text(child)
            notes = (*_notes(places, len(names)), f"the issuer of the last, {missing}, was not sent")
            return Row(tuple(places), notes=notes, missing=missing)
        places.append(issuer)
    return Row(tuple(places), notes=_notes(places, len(names)))


def _notes(places: list[int], sent: int) -> tuple[str, ...]:
    notes = []
    if places != sorted(places):
        notes.append("they were sent in another order, which clients cope with")
    if extra := sent - len(places):
        are = "is" if extra == 1 else "are"
        notes.append(f"{extra} more {are} repeated or without a part in it, which clients cope with")
    return tuple(notes)


def _names(der: bytes) -> tuple[bytes, bytes]:
    """Issuer and subject, as they stand there."""
    try:
        fields = certificate_fields(der)
    except UNDECODABLE:
        return b"", b""
    return fields.issuer, fields.subject


def _has_signed(issuer: Any, child: Any) -> bool:
    return not is_too_costly(issuer) and signed_by(child, issuer)
