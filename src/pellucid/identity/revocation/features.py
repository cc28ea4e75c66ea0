"""What a certificate demands of its server (RFC 7633): mostly, to staple ("must-staple")."""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509

from pellucid.identity.der import UNDECODABLE


@lru_cache(maxsize=64)
def must_staple(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that its server answers status_request: the TLS feature 5.

    Not for status_request_v2, which TLS 1.3 has given up (RFC 9846 4.5.1.1) and nobody here asks for.
    """
    try:
        features = certificate.extensions.get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, *UNDECODABLE):
        return False
    return x509.TLSFeatureType.status_request in features
