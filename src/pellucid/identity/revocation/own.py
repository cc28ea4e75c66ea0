"""The response that we staple ourselves: whether it is about our certificate, and how long it is good."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from cryptography import x509

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import UNDECODABLE
from pellucid.identity.revocation.ocsp import load_ocsp


def good_until(response: bytes, chain: Sequence[bytes]) -> float:
    """The response's nextUpdate in POSIX seconds; infinity where it names none.

    ``chain``: DER, ours. Only the serial number is compared, and no signature checked: we need not have the
    issuer's certificate, and it is for clients to judge. Raises Misuse (``bad_certificate_file``).
    """
    serial_number = x509.load_der_x509_certificate(chain[0]).serial_number
    try:
        answers = list(load_ocsp(response).responses)
        ends = [one.next_update_utc for one in answers if one.serial_number == serial_number]
    except CertificateRejected as error:
        raise _bad(error.detail) from error
    except UNDECODABLE as error:
        raise _bad(f"the OCSP response cannot be read: {error}") from error
    if not ends:
        raise _bad("the OCSP response is about another certificate")
    return min(inf if end is None else end.timestamp() for end in ends)


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CERTIFICATE_FILE, detail)
