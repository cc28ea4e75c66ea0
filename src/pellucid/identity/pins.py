"""Pins: the SHA-256 of a key's SubjectPublicKeyInfo, as `curl --pinnedpubkey` and RFC 7469 2.4 have it."""

import base64
import binascii
import hashlib
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import Misuse, Reason
from pellucid.identity.der import certificate_fields

_PREFIX = "sha256//"


def pin_of(certificate: x509.Certificate) -> bytes:
    """The pin of a certificate's key, 32 bytes."""
    fields = certificate_fields(certificate.public_bytes(Encoding.DER))
    return hashlib.sha256(fields.subject_public_key_info).digest()


def pin_text(pin: bytes) -> str:
    """As curl writes it: ``sha256//`` and base64."""
    return _PREFIX + base64.b64encode(pin).decode("ascii")


def parse_pins(pins: Iterable[str | bytes]) -> frozenset[bytes]:
    """Pins of 32 bytes, or in text: base64 with or without ``sha256//`` before it. Misuse
    (``bad_configuration``) for anything else, and where there is none.
    """
    if isinstance(pins, str | bytes):
        raise _bad("give a list of them")
    found = frozenset(map(_parse, pins))
    if not found:
        raise _bad("give one at least")
    return found


def _parse(pin: object) -> bytes:
    if isinstance(pin, str):
        try:
            pin = base64.b64decode(pin.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise _bad(f"{pin[:100]!r} is not base64") from error
    if not isinstance(pin, bytes) or len(pin) != 32:
        raise _bad("each is the SHA-256 of a SubjectPublicKeyInfo, so 32 bytes")
    return pin


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CONFIGURATION, f"pins: {detail}")
