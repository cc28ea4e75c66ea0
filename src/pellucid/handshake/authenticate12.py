"""Certificates of TLS 1.2 and the proofs of their keys: RFC 5246 7.4.2, 7.4.4, 7.4.6 and 7.4.8."""

from functools import lru_cache

from pellucid.codes import ClientCertificateType, SignatureScheme
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

#: What a CertificateRequest calls the kinds of keys that can sign. RFC 8422 5.5: ecdsa_sign is for the keys
#: of RFC 8032 as well.
KINDS = {ClientCertificateType.rsa_sign: "RSA", ClientCertificateType.ecdsa_sign: "ECDSA"}


@lru_cache(maxsize=64)
def certificate_message(chain: tuple[bytes, ...]) -> tls12.Certificate:
    """The message that shows ``chain``: it is the same in every handshake, and encoded once."""
    message = tls12.Certificate(list(chain))
    message.encode()
    return message


def check_server_chain(certificate: tls12.Certificate, server_name: ServerName | None) -> tuple[bytes, ...]:
    require_name_to_verify(server_name)
    if not certificate.certificate_list:
        # RFC 5246 7.4.2: a server's certificate is always there with every suite that we have.
        raise PeerMisbehaved(Reason.EMPTY_CERTIFICATE, "the server sent no certificate")
    return tuple(certificate.certificate_list)


# -- the client's certificate


def certificate_request(hs: ServerHandshake) -> tls12.CertificateRequest:
    """RFC 5246 7.4.4: kinds of keys, signatures that we verify, and whom we trust."""
    authorities = certificate_authorities(hs.config.trust)
    return tls12.CertificateRequest(
        list(KINDS), list(hs.config.parameters.schemes12), authorities.authorities if authorities else []
    )


def answer_request(
    hs: ClientHandshake, request: tls12.CertificateRequest
) -> Flow[tuple[Credential, SignatureScheme] | None]:
    """Show the certificate that fits, or none; the signature with its key comes later.

    RFC 5246 7.4.6: without a suitable one "the client MUST send a certificate message containing no
    certificates."
    """
    kinds = [kind for code, kind in KINDS.items() if code in request.certificate_types]
    schemes = request.supported_signature_algorithms
    selected: Selected = yield SelectCredential(
        None, schemes, schemes, request.certificate_authorities, KeyNeeds(kinds)
    )
    credential, scheme = selected or (None, None)
    if credential is None or scheme is None:
        yield hs.send(tls12.Certificate([]))
        return None
    yield hs.send_encoded(certificate_message(credential.chain))
    return credential, scheme


def prove_key(hs: ClientHandshake, credential: Credential, scheme: SignatureScheme) -> Flow[None]:
    """RFC 5246 7.4.8: sign all messages so far, as they were sent: not their hash, as in TLS 1.3."""
    signature = yield from sign(credential, scheme, hs.transcript.messages, tls12=True)
    yield hs.send(tls12.CertificateVerify(scheme, signature))


def receive_client_certificate(hs: ServerHandshake) -> Flow[tuple[bytes, ...]]:
    """The client's chain; () where it has none and need not have one."""
    certificate = yield from receive(hs, "WAIT_CERT", tls12.Certificate)
    if not certificate.certificate_list and hs.config.client_authentication == "required":
        raise PeerIncompatible(Reason.CLIENT_CERTIFICATE_MISSING, "the client showed no certificate")
    return tuple(certificate.certificate_list)


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


def identify_client(hs: ServerHandshake, chain: tuple[bytes, ...]) -> Flow[VerifiedIdentity | None]:
    """Who the client says it is; None where it does not say."""
    if not chain:
        return None
    identity = yield from verify_identity(chain, "client", None)
    yield from check_revocation(hs, identity, {})
    return identity
