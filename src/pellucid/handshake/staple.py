"""Stapled OCSP responses, asked for and given: RFC 6066 8, RFC 9846 4.5.1.1."""

from pellucid.codes import CertificateStatusType, ExtensionType
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.flow import AnyHandshake
from pellucid.identity import Credential
from pellucid.messages import Certificate, CertificateRawPublicKey, Extensions, tls12
from pellucid.messages import extensions as ext


def response_to_staple(hs: AnyHandshake, credential: Credential, asked: Extensions) -> bytes | None:
    """The OCSP response to send with ``credential``, where the peer asks for one and we have one.

    ``asked``: the extensions of the ClientHello, or of the CertificateRequest.
    """
    if not (credential.staples and _wants_status(asked)):
        return None
    response = credential.ocsp_response(hs.now())
    if hs.trace:
        chosen = "" if response is None else f"OCSP response, {len(response)} bytes"
        rule = "we have none that is current" if response is None else "the peer asks for one"
        hs.trace.choice(what="stapled_status", ours=["ocsp"], theirs=["ocsp"], chosen=chosen, rule=rule)
    return response


def _wants_status(asked: Extensions) -> bool:
    request = asked.find(ext.CertificateStatusRequest)
    # In a CertificateRequest the extension is empty: there it can only mean OCSP.
    if isinstance(request, ext.CertificateStatusRequest):
        return request.status_type == CertificateStatusType.ocsp
    return ExtensionType.status_request in asked


def staples_in(certificate: Certificate | CertificateRawPublicKey, asked: Extensions) -> dict[int, bytes]:
    """TLS 1.3: the response that came with each certificate, by its position; unasked there is none."""
    if ExtensionType.status_request not in asked or isinstance(certificate, CertificateRawPublicKey):
        return {}
    found: dict[int, bytes] = {}
    for position, entry in enumerate(certificate.certificate_list):
        status = entry.extensions.find(ext.CertificateStatus)
        if status is not None:
            found[position] = _response(status)
    return found


def staple_of(status: tls12.CertificateStatus | None) -> dict[int, bytes]:
    """TLS 1.2: the response in the one message that there may be, which is about the leaf."""
    return {} if status is None else {0: _response(status)}


def _response(status: ext.CertificateStatus | tls12.CertificateStatus) -> bytes:
    if status.status_type != CertificateStatusType.ocsp:
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER,
            f"a certificate status of type {status.status_type}, and OCSP was asked for",
        )
    return status.response
