"""Certificates of TLS 1.2 and the proofs of their keys: RFC 5246 7.4.2, 7.4.4, 7.4.6 and 7.4.8."""

from functools import lru_cache

from pellucid.codes import CertificateType, ClientCertificateType, SignatureScheme
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.authenticate import certificate_authorities, require_name_to_verify
from pellucid.handshake.effects import Flow, KeyNeeds, SelectCredential, Selected
from pellucid.handshake.flow import (
    ClientHandshake,
    ServerHandshake,
    check_revocation,
    receive,
    sign,
    verify_identity,
)
from pellucid.handshake.proofs import Anonymous, ByCertificate, verify_signed
from pellucid.identity import Credential, ServerName, VerifiedIdentity
from pellucid.messages import tls12
from pellucid.plain import plain

#: What a CertificateRequest calls the kinds of keys that can sign. RFC 8422 5.5: ecdsa_sign is for the keys
#: of RFC 8032 as well.
KINDS = {ClientCertificateType.rsa_sign: "RSA", ClientCertificateType.ecdsa_sign: "ECDSA"}


#: RFC 7250 3: a raw public key has a Certificate of another form.
CERTIFICATES: dict[CertificateType, type[tls12.Certificate | tls12.CertificateRawPublicKey]] = {
    CertificateType.X509: tls12.Certificate,
    CertificateType.RawPublicKey: tls12.CertificateRawPublicKey,
}


@plain
class Shown:
    """What a Certificate holds, DER: certificates, which are its ``chain``, or one key, or nothing."""

    certificate_type: CertificateType
    ders: tuple[bytes, ...]
    chain: tuple[bytes, ...] = ()


NOTHING_SHOWN = Shown(CertificateType.X509, ())


def certificate_message(credential: Credential) -> tls12.Certificate | tls12.CertificateRawPublicKey:
    return _certificate_message(credential.certificate_type, credential.chain)


@lru_cache(maxsize=64)
def _certificate_message(
    certificate_type: CertificateType, chain: tuple[bytes, ...]
) -> tls12.Certificate | tls12.CertificateRawPublicKey:
    """The message that shows ``chain``: it is the same in every handshake, and encoded once."""
    message: tls12.Certificate | tls12.CertificateRawPublicKey
    if certificate_type is CertificateType.X509:
        message = tls12.Certificate(list(chain))
    else:
        message = tls12.CertificateRawPublicKey(chain[0])
    message.encode()
    return message


def shown_in(certificate: tls12.Certificate | tls12.CertificateRawPublicKey) -> Shown:
    """What a Certificate of either form holds."""
    if isinstance(certificate, tls12.Certificate):
        chain = tuple(certificate.certificate_list)
        return Shown(CertificateType.X509, chain, chain)
    key = certificate.ASN1_subjectPublicKeyInfo
    return Shown(CertificateType.RawPublicKey, (key,) if key else ())


def receive_server_certificate(
    hs: ClientHandshake, certificate_type: CertificateType, server_name: ServerName | None
) -> Flow[Shown]:
    certificate = yield from receive(hs, "WAIT_CERT", CERTIFICATES[certificate_type])
    if certificate_type is CertificateType.X509:
        require_name_to_verify(server_name)
    shown = shown_in(certificate)
    if not shown.ders:
        # RFC 5246 7.4.2: a server's certificate is always there with every suite that we have.
        raise PeerMisbehaved(Reason.EMPTY_CERTIFICATE, "the server sent no certificate")
    return shown


# -- the client's certificate


def certificate_request(hs: ServerHandshake, certificate_type: CertificateType) -> tls12.CertificateRequest:
    """RFC 5246 7.4.4: kinds of keys, signatures that we verify, and whom we trust, unless it is for keys."""
    authorities = (
        certificate_authorities(hs.config.trust) if certificate_type is CertificateType.X509 else None
    )
    return tls12.CertificateRequest(
        list(KINDS), list(hs.config.parameters.schemes12), authorities.authorities if authorities else []
    )


def answer_request(
    hs: ClientHandshake, request: tls12.CertificateRequest, certificate_type: CertificateType
) -> Flow[tuple[Credential, SignatureScheme] | None]:
    """Show the certificate that fits, or none; the signature with its key comes later.

    RFC 5246 7.4.6: without a suitable one "the client MUST send a certificate message containing no
    certificates."
    """
    hs.asked_for_certificate = True
    kinds = [kind for code, kind in KINDS.items() if code in request.certificate_types]
    schemes = request.supported_signature_algorithms
    selected: Selected = yield SelectCredential(
        None, schemes, schemes, request.certificate_authorities, KeyNeeds(kinds), [certificate_type]
    )
    credential, scheme = selected or (None, None)
    if credential is None or scheme is None:
        # Of either form: three zeros.
        yield hs.send(tls12.Certificate([]))
        return None
    yield hs.send_encoded(certificate_message(credential))
    return credential, scheme


def prove_key(hs: ClientHandshake, credential: Credential, scheme: SignatureScheme) -> Flow[None]:
    """RFC 5246 7.4.8: sign all messages so far, as they were sent: not their hash, as in TLS 1.3."""
    signature = yield from sign(credential, scheme, hs.transcript.messages, tls12=True)
    yield hs.send(tls12.CertificateVerify(scheme, signature))


def receive_client_certificate(hs: ServerHandshake, certificate_type: CertificateType) -> Flow[Shown]:
    """The client's chain or key; nothing where it has none and need not have one."""
    certificate = yield from receive(hs, "WAIT_CERT", CERTIFICATES[certificate_type])
    shown = shown_in(certificate)
    if not shown.ders and hs.config.client_authentication == "required":
        raise PeerIncompatible(Reason.CLIENT_CERTIFICATE_MISSING, "the client showed no certificate")
    return shown


def receive_client_proof(
    hs: ServerHandshake, chain: tuple[bytes, ...], identity: VerifiedIdentity | None
) -> Flow[ByCertificate | Anonymous]:
    """Behind the ClientKeyExchange: the CertificateVerify of a client that has shown a certificate."""
    if identity is None:
        return Anonymous()
    signed = hs.transcript.messages
    message = yield from receive(hs, "WAIT_CV", tls12.CertificateVerify)
    signature = verify_signed(hs, "certificate_verify", message, identity, "client", signed)
    return ByCertificate(chain, identity, signature)


def identify_client(hs: ServerHandshake, shown: Shown) -> Flow[VerifiedIdentity | None]:
    """Who the client says it is; None where it does not say."""
    if not shown.ders:
        return None
    identity = yield from verify_identity(shown.ders, "client", None, certificate_type=shown.certificate_type)
    yield from check_revocation(hs, identity, {})
    return identity
