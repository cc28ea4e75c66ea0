"""What an authority says of its certificates' revocation: OCSP responses and CRLs, for laboratory and tests.

Their ECDSA signatures are made with fresh randomness: unlike the laboratory's certificates, these do not
repeat byte for byte.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pellucid.identity.private_keys import PrivateKey
from pellucid.identity.revocation.status import Verdict

#: What public authorities give: an answer is good for some days.
VALID_SECONDS = 7 * 86_400

_STATUSES = {
    "good": ocsp.OCSPCertStatus.GOOD,
    "revoked": ocsp.OCSPCertStatus.REVOKED,
    "unknown": ocsp.OCSPCertStatus.UNKNOWN,
}


def sign_ocsp_response(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    key: PrivateKey,
    this_update: float,
    verdict: Verdict = "good",
    *,
    next_update: float | None = None,
    responder: x509.Certificate | None = None,
    by_key: bool = True,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A DER response about ``certificate`` at ``this_update`` (POSIX seconds).

    ``key`` is the responder's, whose certificate goes along; without a ``responder`` it is the issuer's own.
    ``next_update`` None: not said. ``by_key``: how the responder is named; ``hash_algorithm``: in the CertID.
    """
    revoked = verdict == "revoked"
    moment = _moment(this_update)
    named = ocsp.OCSPResponderEncoding.HASH if by_key else ocsp.OCSPResponderEncoding.NAME
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            certificate,
            issuer,
            hash_algorithm or hashes.SHA1(),  # noqa: S303 - RFC 5019 2.1.1: it finds the issuer, and proves nothing
            _STATUSES[verdict],
            moment,
            None if next_update is None else _moment(next_update),
            moment if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(named, responder or issuer)
    )
    if responder is not None:
        builder = builder.certificates([responder])
    return builder.sign(key, _hash_for(key)).public_bytes(Encoding.DER)


def sign_crl(
    issuer: x509.Certificate,
    key: PrivateKey,
    this_update: float,
    revoked: Sequence[x509.Certificate] = (),
    *,
    next_update: float | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A DER CRL of ``issuer`` with the serial numbers of ``revoked``; see above for the times.

    ``extensions``: more of them, each with whether it is critical.
    """
    moment = _moment(this_update)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(moment)
        .next_update(_moment(this_update + VALID_SECONDS if next_update is None else next_update))
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for certificate in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(moment)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
        )
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, _hash_for(key)).public_bytes(Encoding.DER)


def _moment(posix_seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(posix_seconds), dt.UTC)


def _hash_for(key: PrivateKey) -> hashes.SHA256 | None:
    # Ed25519, Ed448 and ML-DSA have their hash within.
    return hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else None
