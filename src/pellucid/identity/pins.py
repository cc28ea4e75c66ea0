"""Pins: the SHA-256 of a key's SubjectPublicKeyInfo, as `curl --pinnedpubkey` and RFC 7469 2.4 have it."""

import base64
import binascii
import hashlib
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from pellucid.errors import Misuse, Reason
from pellucid.identity.der import UNDECODABLE, certificate_fields
from pellucid.identity.pem import ders_of

_PREFIX = "sha256//"
_PIN_BYTES = 32

#: RFC 7468 13.
_KEY_LABELS = frozenset({b"PUBLIC KEY"})


def pin_of(certificate: x509.Certificate) -> bytes:
    """The pin of a certificate's key, 32 bytes."""
    fields = certificate_fields(certificate.public_bytes(Encoding.DER))
    return pin_of_key(fields.subject_public_key_info)


def pin_of_key(subject_public_key_info: bytes) -> bytes:
    """The pin of a key, 32 bytes; the key in DER."""
    return hashlib.sha256(subject_public_key_info).digest()


def pin_text(pin: bytes) -> str:
    """As curl writes it: ``sha256//`` and base64."""
    return _PREFIX + base64.b64encode(pin).decode("ascii")


def parse_pins(pins: Iterable[str | bytes]) -> frozenset[bytes]:
    """Pins of 32 bytes, or in text: base64 with or without ``sha256//`` before it; or the public keys
    themselves, SubjectPublicKeyInfo in DER or in PEM.

    Misuse (``bad_configuration``) for anything else, and where there is none.
    """
    if isinstance(pins, str | bytes):
        raise _bad("give a list of them")
    found = frozenset(map(_parse, pins))
    if not found:
        raise _bad("give one at least")
    return found


def _parse(pin: object) -> bytes:
    data = pin.encode(errors="replace") if isinstance(pin, str) else pin
    if isinstance(data, bytes) and data.lstrip().startswith(b"-----BEGIN "):
        return _pin_of_pem(data)
    if isinstance(pin, bytes) and len(pin) > _PIN_BYTES:
        return _pin_of_der(pin)
    if isinstance(pin, str):
        try:
            pin = base64.b64decode(pin.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise _bad(f"{pin[:100]!r} is not base64") from error
    if not isinstance(pin, bytes) or len(pin) != _PIN_BYTES:
        raise _bad("each is the SHA-256 of a SubjectPublicKeyInfo, so 32 bytes, or a public key")
    return pin


def _pin_of_pem(data: bytes) -> bytes:
    try:
        keys = ders_of(data, _KEY_LABELS, "public key")
    except ValueError as error:
        raise _bad(str(error)) from error
    if len(keys) != 1:
        raise _bad(f"in PEM, give one PUBLIC KEY each; there are {len(keys)}")
    return _pin_of_der(keys[0])


def _pin_of_der(key: bytes) -> bytes:
    """Of the bytes as they are: to encode the key anew may change them (id-RSASSA-PSS)."""
    try:
        load_der_public_key(key)
    except UNDECODABLE as error:
        raise _bad(f"that is no public key: {error}") from error
    return pin_of_key(key)


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CONFIGURATION, f"pins: {detail}")
