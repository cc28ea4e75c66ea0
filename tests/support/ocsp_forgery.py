"""OCSP responses that the library does not write: taken apart, changed, and signed anew."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from pellucid.identity.der import element

SEQUENCE, OCTETS, TRUE = 0x30, 0x04, b"\x01\x01\xff"
#: DER of the OBJECT IDENTIFIERs 1.2.3.4, id-RSASSA-PSS, id-mgf1.
_UNKNOWN, _PSS, _MGF1 = (
    bytes.fromhex(text) for text in ("06032a0304", "06092a864886f70d01010a", "06092a864886f70d010108")
)
_HASHES = {
    "sha1": "06052b0e03021a",
    "sha224": "0609608648016503040204",
    "sha256": "0609608648016503040201",
    "sha384": "0609608648016503040202",
    "sha512": "0609608648016503040203",
}


def tlv(tag: int, content: bytes) -> bytes:
    """DER: tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def parts(der: bytes) -> list[bytes]:
    """The elements within the one that ``der`` is."""
    whole = element(der, 0)
    found, position = [], whole.content
    while position < whole.end:
        one = element(der, position)
        found.append(der[one.start : one.end])
        position = one.end
    return found


def _basic(response: bytes) -> tuple[list[bytes], list[bytes]]:
    """Of a response: what is around the BasicOCSPResponse, and what is in it."""
    status, tagged = parts(response)
    (response_bytes,) = parts(tagged)
    kind, octets = parts(response_bytes)
    return [status, kind], parts(octets[element(octets, 0).content :])


def _whole(around: list[bytes], basic: list[bytes]) -> bytes:
    status, kind = around
    octets = tlv(OCTETS, tlv(SEQUENCE, b"".join(basic)))
    return tlv(SEQUENCE, status + tlv(0xA0, tlv(SEQUENCE, kind + octets)))


def _bits(signature: bytes) -> bytes:
    return tlv(0x03, b"\0" + signature)


def _ecdsa(key: Any, content: bytes) -> bytes:
    return _bits(key.sign(content, ec.ECDSA(hashes.SHA256())))


def _with_answers(response: bytes, key: Any, answers: bytes) -> bytes:
    """With other answers in it, signed by an ECDSA key; the algorithm stays."""
    around, (data, algorithm, _, *more) = _basic(response)
    changed = tlv(SEQUENCE, b"".join([*parts(data)[:-1], tlv(SEQUENCE, answers)]))
    return _whole(around, [changed, algorithm, _ecdsa(key, changed), *more])


def _answer(response: bytes) -> bytes:
    _, (data, *_) = _basic(response)
    (answer,) = parts(parts(data)[-1])
    return answer


def repeated(response: bytes, key: Any, times: int) -> bytes:
    """The one answer many times."""
    return _with_answers(response, key, _answer(response) * times)


def with_extension(response: bytes, key: Any, *, critical: bool, several: bool) -> bytes:
    """The answer with the unknown extension 1.2.3.4, alone or behind one about another serial number."""
    answer = _answer(response)
    extension = tlv(SEQUENCE, _UNKNOWN + (TRUE if critical else b"") + tlv(OCTETS, b"\x05\x00"))
    extended = tlv(SEQUENCE, b"".join(parts(answer)) + tlv(0xA1, tlv(SEQUENCE, extension)))
    identifier, *rest = parts(answer)
    other = tlv(SEQUENCE, b"".join([*parts(identifier)[:-1], b"\x02\x01\x07"]))
    before = tlv(SEQUENCE, b"".join([other, *rest])) if several else b""
    return _with_answers(response, key, before + extended)


def signed_with_pss(
    response: bytes, key: Any, used: hashes.HashAlgorithm, parameters: bytes | None = None
) -> bytes:
    """Signed by RSASSA-PSS with the hash ``used``; ``parameters``: what says so, the SEQUENCE's content."""
    around, (data, _, _, *more) = _basic(response)
    if parameters is None:
        named = tlv(SEQUENCE, bytes.fromhex(_HASHES[used.name]) + b"\x05\x00")
        mask = tlv(SEQUENCE, _MGF1 + named)
        salt = tlv(0x02, bytes([used.digest_size]))
        parameters = tlv(0xA0, named) + tlv(0xA1, mask) + tlv(0xA2, salt)
    algorithm = tlv(SEQUENCE, _PSS + tlv(SEQUENCE, parameters))
    scheme = padding.PSS(padding.MGF1(used), used.digest_size)
    return _whole(around, [data, algorithm, _bits(key.sign(data, scheme, used)), *more])
