"""Certificate transparency: what logs have promised in a certificate itself (RFC 6962 3.3), in words.

They are shown and not verified: that takes the keys of the logs that one trusts, which change from month to
month, and pellucid has none.
"""

from __future__ import annotations

from cryptography import x509

from pellucid.identity.der import UNDECODABLE

#: Certificates have two to five. The peer writes this list, and a line is for people.
MOST_SHOWN = 8


def timestamps_in(certificate: x509.Certificate) -> tuple[str, ...]:
    """Each log that has seen the certificate before it was issued, and when; () where it names none."""
    try:
        found = certificate.extensions.get_extension_for_class(
            x509.PrecertificateSignedCertificateTimestamps
        ).value
        said = [f"log {one.log_id.hex()[:16]} at {one.timestamp:%Y-%m-%d %H:%M:%S} UTC" for one in found]
    except (x509.ExtensionNotFound, OverflowError, *UNDECODABLE):
        return ()
    more = len(said) - MOST_SHOWN
    return (*said[:MOST_SHOWN], *([f"{more} more"] if more > 0 else []))
