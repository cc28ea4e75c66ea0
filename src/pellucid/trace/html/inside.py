"""What there is to see inside opaque values: certificates, names, points, hybrid shares, signatures."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.trace.html.values import Json
from pellucid.trace.html.x509 import CERTIFICATE, ECDSA_SIGNATURE, KEY_INFO, NAME, OTHER, der_nodes
from pellucid.wire.field import shown

__all__ = ["inside"]

# ML-KEM-768 and -1024 (FIPS 203): encapsulation key, ciphertext.
_KEM_768, _KEM_1024 = (1184, 1088), (1568, 1568)
# draft-ietf-tls-ecdhe-mlkem: size of the curve's share, sizes of the KEM's, and which comes first.
_HYBRIDS = ((32, _KEM_768, "kem"), (65, _KEM_768, "curve"), (97, _KEM_1024, "curve"))
# An uncompressed point (RFC 9846 4.3.8.2) on secp256r1, secp384r1 and secp521r1.
_POINTS = frozenset({65, 97, 133})
_UNCOMPRESSED = 4
# RFC 9846 4.2.3: "DOWNGRD" and a byte that says from which version.
_SENTINELS = (b"DOWNGRD\x01", b"DOWNGRD\x00")
_SENTINEL_LENGTH = 8


def inside(name: str, message: str, raw: bytes, start: int, end: int) -> list[Json]:
    """The parts of the content ``raw[start:end]`` of the field ``name``; [] where there is no more to it."""
    reader = _READERS.get(name)
    return reader(message, raw, start, end) if reader and start < end else []


def _part(name: str, raw: bytes, start: int, end: int, about: str = "", meaning: str = "") -> Json:
    made: Json = {"name": name, "at": start, "size": end - start, "value": shown(raw[start:end])}
    if meaning:
        made["meaning"] = meaning
    return made | {"about": about or name}


def _share(message: str, raw: bytes, start: int, end: int) -> list[Json]:
    for curve, (key, ciphertext), first in _HYBRIDS:
        kem = key if message == "ClientHello" else ciphertext
        if end - start != curve + kem:
            continue
        middle = start + (kem if first == "kem" else curve)
        kem_name = "ML-KEM encapsulation key" if message == "ClientHello" else "ML-KEM ciphertext"
        halves = (kem_name, "curve share") if first == "kem" else ("curve share", kem_name)
        return [_part(halves[0], raw, start, middle), _part(halves[1], raw, middle, end)]
    return _point(message, raw, start, end)


def _point(_: str, raw: bytes, start: int, end: int) -> list[Json]:
    if end - start not in _POINTS or raw[start] != _UNCOMPRESSED:
        return []
    middle = start + 1 + (end - start) // 2
    return [
        _part("legacy_form", raw, start, start + 1, meaning="uncompressed"),
        _part("X", raw, start + 1, middle),
        _part("Y", raw, middle, end),
    ]


def _random(message: str, raw: bytes, start: int, end: int) -> list[Json]:
    tail = end - _SENTINEL_LENGTH
    if message != "ServerHello" or raw[tail:end] not in _SENTINELS:
        return []
    about = f"{message}/random"
    return [
        _part("random, its first 24 bytes", raw, start, tail, about),
        _part("downgrade sentinel", raw, tail, end, meaning=repr(raw[tail:end])[2:-1]),
    ]


def _der(shape: str) -> Callable[[str, bytes, int, int], list[Json]]:
    return lambda _, raw, start, end: der_nodes(raw, start, end, shape)


_READERS: dict[str, Callable[[str, bytes, int, int], list[Json]]] = {
    "key_exchange": _share,
    "public": _point,
    "ecdh_Yc": _point,
    "random": _random,
    "cert_data": _der(CERTIFICATE),
    "ASN1_subjectPublicKeyInfo": _der(KEY_INFO),
    "certificate_list": _der(CERTIFICATE),
    "authorities": _der(NAME),
    "certificate_authorities": _der(NAME),
    "signature": _der(ECDSA_SIGNATURE),
    "response": _der(OTHER),
}
