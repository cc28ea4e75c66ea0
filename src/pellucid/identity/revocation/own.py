"""The response that we staple ourselves: whether it is about our certificate, and how long it is good."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509 import ocsp

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.revocation.ocsp import load_ocsp
from pellucid.identity.revocation.status import end_of, posix


def good_until(response: bytes, chain: Sequence[bytes]) -> float:
    """Until when to give it, in POSIX seconds: its nextUpdate, or a day where it names none, as with clients.

    ``chain``: DER, ours. Only the serial number is compared, and no signature checked: we need not have the
    issuer's certificate, and it is for clients to judge. Raises Misuse (``bad_certificate_file``).
    """
    serial_number = x509.load_der_x509_certificate(chain[0]).serial_number
    try:
        answers = list(load_ocsp(response).responses)
        ends = [_end(one) for one in answers if one.serial_number == serial_number]
    except CertificateRejected as error:
        raise _bad(error.detail) from error
    except UNDECODABLE as error:
        raise _bad(f"the OCSP response cannot be read: {error}") from error
    if not ends:
        raise _bad("the OCSP response is about another certificate")
    return min(ends)


def _end(answer: ocsp.OCSPSingleResponse) -> float:
    return end_of(answer.this_update_utc.timestamp(), posix(answer.next_update_utc))


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CERTIFICATE_FILE, detail)
