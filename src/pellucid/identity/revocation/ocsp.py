"""OCSP (RFC 6960): one signed answer for one certificate, judged.

An answer counts if it is about this certificate, signed by the certificate's issuer or by a responder that
the issuer has appointed, and of now. A nonce is neither sent nor looked for: what is stapled has none, and
responders mostly answer with what they have ready (RFC 5019). So until an answer's nextUpdate, whoever is
on the way can give it in place of a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID

from pellucid.errors import CertificateRejected
from pellucid.identity import rules
from pellucid.identity.der import CONTEXT_1, SEQUENCE, UNDECODABLE, certificate_fields, element, inside
from pellucid.identity.reasoning.view import signed_by
from pellucid.identity.revocation.signed import (
    check_algorithm,
    issuer_key,
    responder_key,
    signed_response,
)
from pellucid.identity.revocation.status import (
    RevocationStatus,
    Verdict,
    posix,
    reason_name,
    unusable,
)

#: A response for one certificate with a responder's certificate has 0.5 to 3 KiB, with ML-DSA up to 20: the
#: signature and the certificate are what is long.
MAX_OCSP_RESPONSE_BYTES = 65_536
#: The responder's own is needed, and none more. Each costs two signatures to check.
MAX_RESPONDER_CERTIFICATES = 4

_VERDICTS: dict[ocsp.OCSPCertStatus, Verdict] = {
    ocsp.OCSPCertStatus.GOOD: "good",
    ocsp.OCSPCertStatus.REVOKED: "revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}

# RFC 6960 4.1.1: these hashes only find the issuer again, its key is what is trusted; so SHA-1, which
# responders still use the most, does no harm here.
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - see above
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response whose signature holds. ``signer``: the responder's certificate; None: the issuer itself."""

    verdict: Verdict
    this_update: float
    next_update: float | None
    revoked_at: float | None
    why_revoked: str
    signer: x509.Certificate | None


def read_ocsp(
    response: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    now: float,
    source: str = "an OCSP response",
) -> RevocationStatus:
    """What the DER ``response`` says of ``certificate`` at ``now`` (POSIX seconds).

    ``issuer`` is the certificate above it in a verified path. Raises CertificateRejected
    (``bad_certificate_status``) for a response that proves nothing: RFC 6960 3.2 has the conditions.
    """
    # The size first: what is too long is not even hashed to be looked up.
    if len(response) > MAX_OCSP_RESPONSE_BYTES:
        raise unusable(f"{source} of {len(response)} bytes: {MAX_OCSP_RESPONSE_BYTES} are accepted")
    answer = _signed_answer(response, certificate, issuer, source)
    signer = "the issuer"
    if answer.signer is not None:
        _check_dates(answer.signer, now, source)
        signer = f'the issuer\'s responder "{rules.subject_text(answer.signer)}"'
    status = RevocationStatus(
        answer.verdict,
        source,
        signer,
        answer.this_update,
        answer.next_update,
        answer.revoked_at,
        answer.why_revoked,
    )
    if fault := status.why_not_current(now):
        raise unusable(fault)
    return status


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """The DER request to be sent to a responder. RFC 5019 2.1.1 has SHA-1 here, which all of them know."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def responder_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Where the issuer says that it answers (RFC 5280 4.2.2.1), http alone: what comes back is signed."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNDECODABLE):
        return ()
    return http_urls(
        description.access_location
        for description in found
        if description.access_method == AuthorityInformationAccessOID.OCSP
    )


def http_urls(names: Iterator[x509.GeneralName]) -> tuple[str, ...]:
    texts = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    return tuple(text for text in texts if text.lower().startswith("http://"))


def load_ocsp(response: bytes, source: str = "the OCSP response") -> ocsp.OCSPResponse:
    """The response parsed, if it is one with an answer in it. Raises as ``read_ocsp``."""
    try:
        parsed = ocsp.load_der_ocsp_response(response)
        status = parsed.response_status
    except UNDECODABLE as error:
        raise unusable(f"{source} cannot be read: {error}") from error
    if status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        name = status.name.lower()
        raise unusable(f"{source} has no answer in it, but the responder's excuse {name}")
    return parsed


def answers_for(
    parsed: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> list[ocsp.OCSPSingleResponse]:
    """The answers that are about ``certificate``; mostly one. Raises one of ``UNDECODABLE``."""
    # RFC 6960 4.1.1: "The hash shall be calculated over the DER encoding of the issuer's name field in the
    # certificate being checked"; "over the value (excluding tag and length) of the subject public key field".
    name = certificate_fields(certificate.public_bytes(Encoding.DER)).issuer
    key = _key_bits(certificate_fields(issuer.public_bytes(Encoding.DER)).subject_public_key_info)
    serial_number, named, found = certificate.serial_number, {}, []
    for single in parsed.responses:
        used = single.hash_algorithm.name
        if single.serial_number != serial_number or used not in _HASHES:
            continue
        if used not in named:
            named[used] = _digest(_HASHES[used], name), _digest(_HASHES[used], key)
        if (single.issuer_name_hash, single.issuer_key_hash) == named[used]:
            found.append(single)
    return found


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _key_bits(subject_public_key_info: bytes) -> bytes:
    """The content of the BIT STRING subjectPublicKey, behind its octet of unused bits."""
    algorithm = element(subject_public_key_info, element(subject_public_key_info, 0).content)
    bits = element(subject_public_key_info, algorithm.end)
    return subject_public_key_info[bits.content + 1 : bits.end]


@lru_cache(maxsize=64)
def _signed_answer(
    response: bytes, certificate: x509.Certificate, issuer: x509.Certificate, source: str
) -> _Answer:
    """The answer, but for its dates. What holds is kept: a server staples the same bytes for days.

    What does not hold raises, and so is never kept.
    """
    parsed = load_ocsp(response, source)
    try:
        found = answers_for(parsed, certificate, issuer)
        if not found:
            raise unusable(f"{source} is about another certificate")
        check_algorithm(source, parsed)
        signer = _signer(parsed, issuer, source)
        _check_critical(parsed, source)
        # More than one about the same certificate is odd: the worst counts, then the latest.
        answer = max(
            found,
            key=lambda one: (one.certificate_status is ocsp.OCSPCertStatus.REVOKED, one.this_update_utc),
        )
        return _Answer(
            _VERDICTS[answer.certificate_status],
            answer.this_update_utc.timestamp(),
            posix(answer.next_update_utc),
            posix(answer.revocation_time_utc),
            reason_name(answer.revocation_reason),
            signer,
        )
    except UNDECODABLE as error:
        raise unusable(f"{source} cannot be read: {error}") from error


def _check_critical(parsed: ocsp.OCSPResponse, source: str) -> None:
    # RFC 6960 4.1.2: unrecognized extensions are ignored "unless they have the critical flag set and are not
    # understood"; none is understood here.
    extensions = list(parsed.extensions)
    if len(list(parsed.responses)) == 1:
        extensions += list(parsed.single_extensions)
    elif _is_critical_beside_others(parsed.tbs_response_bytes):
        raise unusable(f"{source} has an answer with a critical extension")
    for extension in extensions:
        if extension.critical:
            raise unusable(f"{source} has the critical extension {extension.oid.dotted_string}")


def _is_critical_beside_others(response_data: bytes) -> bool:
    """Whether an answer has a critical extension. The library shows an answer's only where it is alone.

    RFC 6960 4.2.1: in a SingleResponse they are behind certID, certStatus and thisUpdate, with the tag [1].
    An Extension has its flag between identifier and value, where it is true.
    """
    answers = next(one for one in inside(response_data, element(response_data, 0)) if one.tag == SEQUENCE)
    return any(
        len(inside(response_data, extension)) > 2
        for answer in inside(response_data, answers)
        for tagged in inside(response_data, answer)[3:]
        if tagged.tag == CONTEXT_1
        for extensions in inside(response_data, tagged)
        for extension in inside(response_data, extensions)
    )


def _signer(parsed: ocsp.OCSPResponse, issuer: x509.Certificate, source: str) -> x509.Certificate | None:
    """Who signed: a responder's certificate, None for the issuer itself. Raises where nobody did who may."""
    if _is_responder(parsed, issuer) and signed_response(parsed, issuer_key(issuer, source)):
        return None
    faults = [f'it is not signed by the issuer "{rules.subject_text(issuer)}"']
    for responder in parsed.certificates[:MAX_RESPONDER_CERTIFICATES]:
        if responder == issuer or not _is_responder(parsed, responder):
            continue
        fault = _why_not_appointed(responder, issuer)
        if not fault and signed_response(parsed, responder_key(responder, source)):
            return responder
        name = rules.subject_text(responder)
        faults.append(f'"{name}" {fault}' if fault else f'it is not signed by the key of "{name}"')
    raise unusable(f"{source} is signed by nobody who may: {'; '.join(faults)}")


def _is_responder(parsed: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    """RFC 6960 4.2.1: a ResponderID is a name, or the SHA-1 of a key."""
    if parsed.responder_name is not None:
        return parsed.responder_name == certificate.subject
    key = certificate_fields(certificate.public_bytes(Encoding.DER)).subject_public_key_info
    return parsed.responder_key_hash == _digest(_HASHES["sha1"], _key_bits(key))


def _why_not_appointed(responder: x509.Certificate, issuer: x509.Certificate) -> str:
    """Why the issuer has not appointed this responder (RFC 6960 4.2.2.2); "" if it has.

    Its own revocation is not asked for: 4.2.2.2.1 leaves that to "local security policy" unless the issuer
    says how, and says with id-pkix-ocsp-nocheck, as nearly all do, that it need not be.
    """
    try:
        seen = rules.look_at(responder, 0)
        purposes = seen.find(x509.ExtendedKeyUsage)
        # RFC 6960 4.2.2.2: "OCSP signing delegation SHALL be designated by the inclusion of
        # id-kp-OCSPSigning": that any purpose will do is not enough.
        if purposes is None or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes.value:
            return "is not for OCSPSigning (extended key usage)"
        rules.check_version(seen)
        # RFC 6960 4.2.2.2.1: "This SHOULD be a non-critical extension", and what it says is done anyway.
        rules.check_critical_extensions(seen, rules.UNDERSTOOD | {ExtensionOID.OCSP_NO_CHECK})
        if not rules.may_sign(seen):
            return "may not sign: its keyUsage lacks digitalSignature"
        rules.check_signature_algorithm(responder, 0)
    except CertificateRejected as error:
        return f"cannot be used: {error.detail}"
    # "This certificate MUST be issued directly by the CA that is identified in the request."
    return "" if signed_by(responder, issuer) else "was not issued by the certificate's issuer"


def _check_dates(responder: x509.Certificate, now: float, source: str) -> None:
    try:
        rules.check_dates(responder, 0, now)
    except CertificateRejected as error:
        raise unusable(
            f"{source} is signed by a responder that may not any more, or not yet: {error.detail}"
        ) from error
