"""What a certificate demands of its server (RFC 7633): mostly, to staple ("must-staple").

The extension is read here and not by the library, which refuses it whole for a feature that it has no name
for, and all extensions of a certificate for a fault in one of them. What is demanded must not be overlooked
for what stands beside it.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509

from pellucid.codes import ExtensionType
from pellucid.identity.der import CONTEXT_3, SEQUENCE, element, inside

_INTEGER = 0x02
#: The content of the OBJECT IDENTIFIER id-pe-tlsfeature, 1.3.6.1.5.5.7.1.24.
_TLS_FEATURE = bytes.fromhex("2b06010505070118")


@lru_cache(maxsize=64)
def must_staple(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that its server answers status_request: the TLS feature 5.

    Also where it cannot be read what the certificate demands. Not for status_request_v2, which TLS 1.3 has
    given up (RFC 9846 4.5.1.1) and nobody here asks for.
    """
    tbs = certificate.tbs_certificate_bytes
    try:
        return any(ExtensionType.status_request in _features(value) for value in _values(tbs, _TLS_FEATURE))
    except ValueError:
        return True


def _values(tbs: bytes, wanted: bytes) -> list[bytes]:
    """The extnValue of each extension of this kind in a TBSCertificate (RFC 5280 4.1)."""
    found = []
    for tagged in inside(tbs, element(tbs, 0)):
        if tagged.tag != CONTEXT_3:
            continue
        (extensions,) = inside(tbs, tagged)
        for extension in inside(tbs, extensions):
            identifier, *_, value = inside(tbs, extension)
            if tbs[identifier.content : identifier.end] == wanted:
                found.append(tbs[value.content : value.end])
    return found


def _features(value: bytes) -> set[int]:
    """RFC 7633: Features, a SEQUENCE OF INTEGER."""
    whole = element(value, 0)
    if whole.tag != SEQUENCE or whole.end != len(value):
        raise ValueError("no list of features")
    features = inside(value, whole)
    if any(one.tag != _INTEGER for one in features):
        raise ValueError("a feature that is no number")
    return {int.from_bytes(value[one.content : one.end], signed=True) for one in features}
