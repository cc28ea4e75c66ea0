"""Certificate and CertificateVerify, sent and received: RFC 9846 4.5. Both sides do both."""

from functools import lru_cache
from typing import Literal

from pellucid.codes import CertificateStatusType, CertificateType, ExtensionType, SignatureScheme, name_of
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.effects import Flow
from pellucid.handshake.flow import (
    AnyHandshake,
    ClientHandshake,
    check_revocation,
    receive,
    select_credential,
    sign,
    verify_identity,
)
from pellucid.handshake.proofs import ByCertificate, certificate_verify_content, verify_signature
from pellucid.handshake.staple import response_to_staple, staples_in
from pellucid.identity import Credential, ServerName, TrustStore
from pellucid.messages import (
    Certificate,
    CertificateEntry,
    CertificateRawPublicKey,
    CertificateRequest,
    CertificateVerify,
    Extensions,
    RawPublicKeyEntry,
)
from pellucid.messages import extensions as ext

#: Half of what all extensions of a message may take together.
MAX_AUTHORITIES_BYTES = 2**15


#: RFC 9846 4.5.1: what the entries of a Certificate hold depends on what was agreed on (RFC 7250).
CERTIFICATES: dict[CertificateType, type[Certificate | CertificateRawPublicKey]] = {
    CertificateType.X509: Certificate,
    CertificateType.RawPublicKey: CertificateRawPublicKey,
}


def receive_certificate(
    hs: AnyHandshake,
    certificate: Certificate | CertificateRawPublicKey,
    whose: Literal["client", "server"],
    asked: Extensions,
    server_name: ServerName | None,
) -> Flow[ByCertificate]:
    """Verify the peer's chain or key, wait for its CertificateVerify, verify that too.

    ``asked`` is the extensions of the message that asked for the certificate: an answer may only be to
    one of them.
    """
    is_key = isinstance(certificate, CertificateRawPublicKey)
    if whose == "server" and not is_key:
        require_name_to_verify(server_name)
    shown = _check_certificate(certificate, whose, asked)
    certificate_type = CertificateType.RawPublicKey if is_key else CertificateType.X509
    identity = yield from verify_identity(shown, whose, server_name, certificate_type=certificate_type)
    staples = staples_in(certificate, asked)
    good_until = yield from check_revocation(hs, identity, staples)
    transcript_hash = hs.transcript.digest()
    certificate_verify = yield from receive(hs, "WAIT_CV", CertificateVerify)
    signature = verify_signature(hs, certificate_verify, identity, whose, transcript_hash)
    return ByCertificate(() if is_key else shown, identity, signature, good_until)


def require_name_to_verify(server_name: ServerName | None) -> None:
    """A client that goes without a name relies on its PSKs, or on raw public keys that it has on a list."""
    if server_name is None:
        raise PeerIncompatible(
            Reason.NO_SUITABLE_CERTIFICATE,
            "the server shows a certificate, which there is no name to verify for: only a PSK or a raw public"
            " key tells who it is without",
        )


def _check_certificate(
    certificate: Certificate | CertificateRawPublicKey, whose: str, asked: Extensions
) -> tuple[bytes, ...]:
    """What it holds, DER: certificates or one key."""
    # RFC 9846 4.5.1: for a server "this field SHALL be zero length", and ours was when we asked a client.
    if certificate.certificate_request_context:
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "the Certificate has a context that nobody asked for")
    entries = certificate.certificate_list
    if not entries:
        raise PeerMisbehaved(Reason.EMPTY_CERTIFICATE, f"the {whose} sent no certificate")
    for entry in entries:
        for code in entry.extensions:
            if code not in asked:
                name = name_of(code, ExtensionType)
                raise PeerMisbehaved(
                    Reason.UNSOLICITED_EXTENSION, f"a certificate comes with {name}, unasked"
                )
    if isinstance(certificate, Certificate):
        return tuple(entry.cert_data for entry in certificate.certificate_list)
    if len(entries) > 1:
        # RFC 9846 4.5.1: of raw public keys there "MUST" be "no more than one CertificateEntry".
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, f"the {whose} sent {len(entries)} raw public keys")
    return (certificate.certificate_list[0].ASN1_subjectPublicKeyInfo,)


@lru_cache(maxsize=64)
def _raw_public_key(subject_public_key_info: bytes) -> CertificateRawPublicKey:
    """The message that shows a key alone; encoded once, likewise."""
    message = CertificateRawPublicKey(b"", [RawPublicKeyEntry(subject_public_key_info, Extensions())])
    message.encode()
    return message


@lru_cache(maxsize=64)
def _certificate(chain: tuple[bytes, ...], staple: bytes | None) -> Certificate:
    """The message that shows ``chain``: it is the same in many handshakes, and encoded once."""
    entries = [CertificateEntry(der, Extensions()) for der in chain]
    if staple is not None:
        entries[0].extensions.add(ext.CertificateStatus(CertificateStatusType.ocsp, staple))
    message = Certificate(b"", entries)
    message.encode()
    return message


def send_certificate(
    hs: AnyHandshake,
    whose: Literal["client", "server"],
    credential: Credential,
    scheme: SignatureScheme,
    asked: Extensions,
) -> Flow[None]:
    """Show our chain or key, stapled if ``asked`` has the wish for that, and sign the transcript with it."""
    if credential.certificate_type is CertificateType.RawPublicKey:
        yield hs.send_encoded(_raw_public_key(credential.chain[0]))
    else:
        staple = response_to_staple(hs, credential, asked)
        yield hs.send_encoded(_certificate(credential.chain, staple))
    content = certificate_verify_content(whose, hs.transcript.digest())
    signature = yield from sign(credential, scheme, content)
    yield hs.send(CertificateVerify(scheme, signature))


def certificate_authorities(trust: TrustStore | None) -> ext.CertificateAuthorities | None:
    """Whom we trust, to be told to the peer; None where there is nobody, or too many to tell.

    It only helps the peer to choose, so it is left out rather than fill the message that it stands in.
    """
    subjects = trust.subjects if trust else ()
    if not 0 < sum(2 + len(subject) for subject in subjects) <= MAX_AUTHORITIES_BYTES:
        return None
    return ext.CertificateAuthorities(list(subjects))


def answer_request(
    hs: ClientHandshake, request: CertificateRequest, certificate_type: CertificateType
) -> Flow[bool]:
    """A client's answer to a CertificateRequest: the credential that fits, or no certificate.

    RFC 9846 4.5.1: without a suitable one "the client MUST send a Certificate message containing no
    certificates". Gives whether there was one.
    """
    hs.asked_for_certificate = True
    selected = yield from select_credential(None, request.extensions, [certificate_type])
    if selected is None:
        yield hs.send(Certificate(b"", []))
        return False
    credential, scheme = selected
    yield from send_certificate(hs, "client", credential, scheme, request.extensions)
    return True
