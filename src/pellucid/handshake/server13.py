"""A TLS 1.3 handshake as the server sees it (RFC 9846 figure 1).

ClientHello            -------->
                       <--------       HelloRetryRequest   (where the share is missing)
ClientHello            -------->
                                             ServerHello
                                   {EncryptedExtensions}
                                   {CertificateRequest*}
                                          {Certificate*}
                                    {CertificateVerify*}
                       <--------              {Finished}
{Certificate*}
{CertificateVerify*}
{Finished}             -------->
[Application Data]     <------->      [Application Data]
"""

from functools import partial

from pellucid.codes import CertificateType, NamedGroup, ProtocolVersion, SignatureScheme
from pellucid.config import fingerprint
from pellucid.crypto.groups import respond
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.authenticate import (
    CERTIFICATES,
    certificate_authorities,
    receive_certificate,
    send_certificate,
)
from pellucid.handshake.certificate_types import (
    answer_types,
    require_shared_type,
    tell_type,
    type_to_ask_for,
)
from pellucid.handshake.choose import (
    agree_on_protocol,
    choose_cipher_suite,
    choose_group,
    require_certificate_for,
)
from pellucid.handshake.client_hello import Request, check_client_hello, check_second_hello
from pellucid.handshake.effects import Flow, SendChangeCipherSpec, SkipEarlyData
from pellucid.handshake.flow import (
    ServerHandshake,
    receive,
    select_credential,
)
from pellucid.handshake.proofs import Anonymous, ByCertificate, ByPsk, Connected, Origin, verify_finished
from pellucid.handshake.psk import SelectedPsk, check_binder, select_psk
from pellucid.handshake.record_sizes import answer_record_sizes
from pellucid.identity import Credential, VerifiedIdentity
from pellucid.keys import KeySchedule, export_keying_material, finished_verify_data
from pellucid.messages import (
    HELLO_RETRY_RANDOM,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    Extensions,
    Finished,
    HelloRetryRequest,
    ServerHello,
)
from pellucid.messages import extensions as ext
from pellucid.plain import plain
from pellucid.result import Negotiated

#: Long enough that no two handshakes share one by chance; it only has to come back unchanged.
COOKIE_LENGTH = 32


@plain
class Answer:
    """What the server has decided on."""

    group: NamedGroup
    psk: SelectedPsk | None
    alpn: str | None
    credential: tuple[Credential, SignatureScheme] | None
    retried: bool


def server13(hs: ServerHandshake, hello: ClientHello) -> Flow[Connected]:
    request = check_client_hello(hello)
    psk = yield from select_psk(hs, request)
    hs.suite = choose_cipher_suite(
        hs.config.parameters.suites13, hello.cipher_suites, psk.hash_name if psk else None, hs.trace
    )
    hs.transcript.start(hs.suite.hash_name)
    group = choose_group(hs.config.parameters.groups, request.groups, request.shares, hs.trace)
    retried = group not in request.shares
    if retried:
        request, psk = yield from _retry(hs, request, group, psk)
        hello = request.hello
    if psk is not None:
        check_binder(hs, request, psk)
    credential = None if psk else (yield from _choose_credential(hs, request))
    client_type = type_to_ask_for(hs, hello.extensions) if credential else None
    answer = Answer(
        group,
        psk,
        agree_on_protocol(hs.config.alpn_protocols, hello.extensions, hs.trace),
        credential,
        retried,
    )
    hs.transcript.add(hello.raw)

    schedule, client_secret, server_secret = yield from _send_server_hello(hs, request, answer)
    encrypted_extensions = _encrypted_extensions(request, answer, client_type)
    yield from answer_record_sizes(hs, hello.extensions, encrypted_extensions.extensions)
    yield hs.send(encrypted_extensions)
    certificate_request = _certificate_request(hs, client_type) if client_type is not None else None
    if certificate_request is not None:
        yield hs.send(certificate_request)
    if credential is not None:
        yield from send_certificate(hs, "server", *credential, hello.extensions)
    verify_data = finished_verify_data(
        hs.suite.hash_name, server_secret, hs.transcript.digest(), trace=hs.trace
    )
    yield hs.send(Finished(verify_data))

    schedule.main()
    transcript_hash = hs.transcript.digest()
    client_application, server_application = schedule.application_traffic_secrets(transcript_hash)
    hs.exporter = partial(
        export_keying_material, hs.suite.hash_name, schedule.exporter_secret(transcript_hash)
    )
    hs.log_key("CLIENT_TRAFFIC_SECRET_0", client_application)
    hs.log_key("SERVER_TRAFFIC_SECRET_0", server_application)
    yield hs.install_keys("write", "application", server_application)

    peer = yield from _receive_client_certificate(hs, certificate_request, psk, client_type)
    transcript_hash = hs.transcript.digest()
    finished = yield from receive(hs, "WAIT_FINISHED", Finished)
    verified = verify_finished(hs, finished, client_secret, transcript_hash)
    yield hs.install_keys("read", "application", client_application)
    hs.read_secret, hs.write_secret = client_application, server_application
    origin = _origin(hs, request, answer)
    if origin is not None and origin.resumable and hs.config.ticket_keys is not None:
        hs.resumption_secret = schedule.resumption_secret(hs.transcript.digest())
    return Connected(peer, verified, _negotiated(hs, request, answer, peer), origin)


def _origin(hs: ServerHandshake, request: Request, answer: Answer) -> Origin | None:
    if answer.psk is not None:
        return answer.psk.origin
    assert answer.credential is not None
    # RFC 9846 4.7.1: tickets are for a client whose hello "contained a suitable "psk_key_exchange_modes""
    identity = fingerprint(answer.credential[0])
    return Origin(hs.now(), server_identity=identity, resumable=request.accepts_psk_dhe_ke)


def _retry(
    hs: ServerHandshake, request: Request, group: NamedGroup, psk: SelectedPsk | None
) -> Flow[tuple[Request, SelectedPsk | None]]:
    """RFC 9846 4.2.4: ask for another ClientHello, with a share of ``group``."""
    hello = request.hello
    if psk is None:
        require_shared_type(hs, hello.extensions)  # for without one this costs a round trip in vain
    hs.transcript.add(hello.raw)
    hs.transcript.replace_with_message_hash()
    extensions = Extensions.of(
        ext.SupportedVersionsServerHello(ProtocolVersion.TLSv1_3), ext.KeyShareHelloRetryRequest(group)
    )
    cookie = ext.Cookie(hs.entropy(COOKIE_LENGTH)) if hs.config.cookie else None
    if cookie is not None:
        extensions.add(cookie)
    yield hs.send(
        HelloRetryRequest(
            legacy_version=ProtocolVersion.TLSv1_2,
            random=HELLO_RETRY_RANDOM,
            legacy_session_id_echo=hello.legacy_session_id,
            cipher_suite=hs.suite.code,
            legacy_compression_method=0,
            extensions=extensions,
        ),
    )
    if hello.legacy_session_id:
        yield SendChangeCipherSpec(disguise=True)
    if request.offers_early_data:
        yield SkipEarlyData(hs.config.max_skipped_early_data_bytes)
    second = yield from receive(hs, "START", ClientHello, hashed=False)
    again = check_client_hello(second)
    check_second_hello(hs, request, again, group, cookie)
    if psk is not None:
        # The client may have dropped PSKs or offer them in another order.
        psk = yield from select_psk(hs, again, hash_name=hs.suite.hash_name)
    return again, psk


def _send_server_hello(
    hs: ServerHandshake, request: Request, answer: Answer
) -> Flow[tuple[KeySchedule, bytes, bytes]]:
    """The last message in the clear. Gives the key schedule, and the client's and the server's handshake
    traffic secrets.
    """
    peer_share = request.shares[answer.group]
    share, shared_secret = respond(answer.group, peer_share, hs.key_entropy)
    if hs.trace:
        hs.trace.secret(
            name="shared_secret",
            formula=f"{answer.group}(our private key, the client's share)",
            inputs=[("our_share", share), ("peer_share", peer_share)],
            value=shared_secret,
            used_for="the handshake secret",
        )
    extensions = Extensions.of(
        ext.SupportedVersionsServerHello(ProtocolVersion.TLSv1_3),
        ext.KeyShareServerHello(ext.KeyShareEntry(answer.group, share)),
    )
    if answer.psk is not None:
        extensions.add(ext.SelectedPsk(answer.psk.index))
    session_id = request.hello.legacy_session_id
    yield hs.send(
        ServerHello(
            legacy_version=ProtocolVersion.TLSv1_2,
            random=hs.entropy(32),
            legacy_session_id_echo=session_id,
            cipher_suite=hs.suite.code,
            legacy_compression_method=0,
            extensions=extensions,
        ),
    )
    if session_id and not answer.retried:
        # RFC 9846 E.4: "immediately after its first handshake message"
        yield SendChangeCipherSpec(disguise=True)
    schedule = answer.psk.schedule if answer.psk else hs.key_schedule(hs.suite, None)
    schedule.handshake(shared_secret)
    client_secret, server_secret = schedule.handshake_traffic_secrets(hs.transcript.digest())
    yield hs.install_keys("write", "handshake", server_secret)
    # Behind the keys to write with, so that a key log that fails is told to the client by an alert that it
    # can read; before those to read with, so that the alert for a hello with more behind it is in the log.
    hs.log_key("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client_secret)
    hs.log_key("SERVER_HANDSHAKE_TRAFFIC_SECRET", server_secret)
    yield hs.install_keys("read", "handshake", client_secret)
    if request.offers_early_data and not answer.retried:
        yield SkipEarlyData(hs.config.max_skipped_early_data_bytes)
    return schedule, client_secret, server_secret


def _choose_credential(hs: ServerHandshake, request: Request) -> Flow[tuple[Credential, SignatureScheme]]:
    name = request.server_name
    credentials = hs.config.credentials
    if hs.config.strict_server_name:
        require_certificate_for(credentials, name)
    if not credentials:
        raise PeerIncompatible(
            Reason.NO_SUITABLE_CERTIFICATE,
            "the client offers no PSK that we know, and we have no certificate",
        )
    if not request.schemes:
        # RFC 9846 4.3.3: "If a server is authenticating via a certificate and the client has not sent a
        # "signature_algorithms" extension, then the server MUST abort the handshake with a
        # "missing_extension" alert". Only a client that offers PSKs comes here without.
        raise PeerMisbehaved(
            Reason.MISSING_EXTENSION, "no PSK of the client's is usable, and it has no signature_algorithms"
        )
    types = require_shared_type(hs, request.hello.extensions)
    selected = yield from select_credential(name, request.hello.extensions, types)
    if selected is None:
        raise PeerIncompatible(
            Reason.NO_SHARED_SIGNATURE_SCHEME, "no key of ours signs with a scheme that the client verifies"
        )
    tell_type(hs, request.hello.extensions, selected[0].certificate_type)
    return selected


def _encrypted_extensions(
    request: Request, answer: Answer, client_type: CertificateType | None
) -> EncryptedExtensions:
    extensions = Extensions()
    name = request.server_name
    if answer.credential is not None and name is not None and answer.credential[0].matches(name):
        # RFC 6066 3: the server acknowledges a name that it has used to pick the certificate.
        extensions.add(ext.ServerNameAcknowledged())
    if answer.credential is not None:
        ours = answer.credential[0].certificate_type
        answer_types(request.hello.extensions, extensions, ours, client_type)
    if answer.alpn is not None:
        extensions.add(ext.ProtocolNameList([answer.alpn.encode()]))
    return EncryptedExtensions(extensions)


def _certificate_request(hs: ServerHandshake, client_type: CertificateType) -> CertificateRequest:
    extensions = Extensions.of(ext.SignatureSchemeList(list(hs.config.parameters.offered_schemes)))
    if client_type is not CertificateType.X509:
        return CertificateRequest(b"", extensions)  # a key has no issuer
    authorities = certificate_authorities(hs.config.trust)
    if authorities is not None:
        extensions.add(authorities)
    if hs.config.revocation != "off":
        # RFC 9846 4.5.1.1: "A server MAY request that a client present an OCSP response".
        extensions.add(ext.CertificateStatusRequested())
    return CertificateRequest(b"", extensions)


def _receive_client_certificate(
    hs: ServerHandshake,
    request: CertificateRequest | None,
    psk: SelectedPsk | None,
    client_type: CertificateType | None,
) -> Flow[ByCertificate | ByPsk | Anonymous]:
    if psk is not None:
        return ByPsk(psk.identity)
    if request is None or client_type is None:
        return Anonymous()
    certificate = yield from receive(hs, "WAIT_CERT", CERTIFICATES[client_type])
    if not certificate.certificate_list and not certificate.certificate_request_context:
        if hs.config.client_authentication == "required":
            raise PeerIncompatible(Reason.CLIENT_CERTIFICATE_MISSING, "the client showed no certificate")
        return Anonymous()
    return (yield from receive_certificate(hs, certificate, "client", request.extensions, None))


def _negotiated(
    hs: ServerHandshake, request: Request, answer: Answer, peer: ByCertificate | ByPsk | Anonymous
) -> Negotiated:
    psk = answer.psk
    chain: tuple[bytes, ...] = ()
    identity: VerifiedIdentity | None = None
    if isinstance(peer, ByCertificate):
        chain, identity = peer.chain, peer.identity
    elif psk is not None:
        chain, identity = psk.client_chain, psk.client_identity
    return Negotiated(
        protocol=ProtocolVersion.TLSv1_3,
        cipher_suite=hs.suite.code,
        group=answer.group,
        signature_scheme=answer.credential[1] if answer.credential else None,
        alpn=answer.alpn,
        peer_chain=chain,
        peer_raw_public_key=identity.raw_public_key if identity else b"",
        peer_identity=identity,
        resumed=psk is not None and psk.resumes,
        server_name=request.server_name,
        mutual=identity is not None,
        psk_identity=psk.identity if psk and not psk.resumes else None,
    )
