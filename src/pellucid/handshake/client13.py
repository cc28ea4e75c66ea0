"""A TLS 1.3 handshake from ServerHello on, as the client sees it (RFC 9846 figure 1).

       <--------              ServerHello
                         {EncryptedExtensions}
                          {CertificateRequest*}
                                 {Certificate*}
                           {CertificateVerify*}
       <--------                     {Finished}
{Certificate*}
{CertificateVerify*}
{Finished} -------->
[Application Data] <------->  [Application Data]
"""

from functools import partial

from pellucid.codes import NamedGroup, ProtocolVersion, SignatureScheme, name_of
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.answers import agreed_protocol, check_unsolicited
from pellucid.handshake.authenticate import CERTIFICATES, answer_request, receive_certificate
from pellucid.handshake.certificate_types import agreed_types
from pellucid.handshake.effects import Flow
from pellucid.handshake.flow import ClientHandshake, exchange_inputs, receive
from pellucid.handshake.offer import Offer, Psk
from pellucid.handshake.proofs import ByCertificate, ByPsk, Connected, Origin, verify_finished
from pellucid.handshake.record_sizes import take_record_sizes
from pellucid.keys import export_keying_material, finished_verify_data
from pellucid.messages import CertificateRequest, EncryptedExtensions, Finished, ServerHello
from pellucid.messages import extensions as ext
from pellucid.result import Negotiated


def client13(hs: ClientHandshake, offer: Offer, server_hello: ServerHello) -> Flow[Connected]:
    psk = _selected_psk(hs, offer, server_hello)
    group, shared_secret = _key_exchange(hs, offer, server_hello)
    schedule = psk.schedule if psk else hs.key_schedule(hs.suite, None)
    schedule.handshake(shared_secret)
    client_secret, server_secret = schedule.handshake_traffic_secrets(hs.transcript.digest())
    hs.log_key("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client_secret)
    hs.log_key("SERVER_HANDSHAKE_TRAFFIC_SECRET", server_secret)
    yield hs.install_keys("read", "handshake", server_secret)
    yield hs.install_keys("write", "handshake", client_secret)

    encrypted_extensions = yield from receive(hs, "WAIT_EE", EncryptedExtensions)
    check_unsolicited(offer, encrypted_extensions.extensions)
    alpn = agreed_protocol(hs, encrypted_extensions.extensions)
    yield from take_record_sizes(hs, offer.hello.extensions, encrypted_extensions.extensions)
    types = agreed_types(hs, encrypted_extensions.extensions, resumed=psk is not None)

    request: CertificateRequest | None = None
    peer: ByCertificate | ByPsk
    if psk is not None:
        peer = ByPsk(psk.identity)
    else:
        certificate = CERTIFICATES[types.server]
        message = yield from receive(hs, "WAIT_CERT_CR", certificate, CertificateRequest)
        if isinstance(message, CertificateRequest):
            request = _check_request(message)
            message = yield from receive(hs, "WAIT_CERT", certificate)
        peer = yield from receive_certificate(
            hs, message, "server", offer.hello.extensions, offer.server_name
        )

    transcript_hash = hs.transcript.digest()
    finished = yield from receive(hs, "WAIT_FINISHED", Finished)
    verified = verify_finished(hs, finished, server_secret, transcript_hash)

    schedule.main()
    transcript_hash = hs.transcript.digest()
    client_application, server_application = schedule.application_traffic_secrets(transcript_hash)
    hs.exporter = partial(
        export_keying_material, hs.suite.hash_name, schedule.exporter_secret(transcript_hash)
    )
    hs.log_key("CLIENT_TRAFFIC_SECRET_0", client_application)
    hs.log_key("SERVER_TRAFFIC_SECRET_0", server_application)
    yield hs.install_keys("read", "application", server_application)
    mutual = False
    if request is not None:
        mutual = yield from answer_request(hs, request, types.client)
    verify_data = finished_verify_data(
        hs.suite.hash_name, client_secret, hs.transcript.digest(), trace=hs.trace
    )
    yield hs.send(Finished(verify_data))
    yield hs.install_keys("write", "application", client_application)
    hs.read_secret, hs.write_secret = server_application, client_application
    if hs.config.sessions is not None:
        hs.resumption_secret = schedule.resumption_secret(hs.transcript.digest())
    return Connected(
        peer, verified, _negotiated(hs, offer, peer, psk, group, alpn, mutual), _origin(hs, peer, psk)
    )


def _selected_psk(hs: ClientHandshake, offer: Offer, server_hello: ServerHello) -> Psk | None:
    """RFC 9846 4.3.11: the server took one of ours, and a suite with that one's hash."""
    selected = server_hello.extensions.find(ext.SelectedPsk)
    psk: Psk | None = None
    if selected is not None:
        if selected.selected_identity >= len(offer.psks):
            raise PeerMisbehaved(
                Reason.PSK_NOT_OFFERED,
                f"the server took PSK {selected.selected_identity} of {len(offer.psks)}",
            )
        psk = offer.psks[selected.selected_identity]
        if psk.suite.hash_name != hs.suite.hash_name:
            raise PeerMisbehaved(
                Reason.PSK_NOT_OFFERED, f"the server took a PSK of {psk.suite.hash_name} with {hs.suite}"
            )
    if hs.trace and offer.psks:
        chosen = f"PSK {selected.selected_identity}" if selected else "none"
        ours = ["session ticket" if p.session else "external PSK" for p in offer.psks]
        hs.trace.choice(what="psk", ours=ours, chosen=chosen, rule="the server chose it")
    return psk


def _key_exchange(hs: ClientHandshake, offer: Offer, server_hello: ServerHello) -> tuple[NamedGroup, bytes]:
    """The secret that the server's share and ours make (RFC 9846 4.3.8, 7.4)."""
    key_share = server_hello.extensions.find(ext.KeyShareServerHello)
    if key_share is None:
        if server_hello.extensions.find(ext.SelectedPsk) is not None:
            # RFC 9846 4.3.11: a key_share has to be there "if required by the ClientHello
            # psk_key_exchange_modes", and we offer no PSK without one.
            raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "the server took a PSK without a key_share")
        raise PeerMisbehaved(
            Reason.MISSING_EXTENSION, "the ServerHello has neither key_share nor pre_shared_key"
        )
    entry = key_share.server_share
    group = entry.group
    # After a HelloRetryRequest offer.shares holds only the share that the server asked for.
    if not isinstance(group, NamedGroup) or group not in offer.shares:
        raise PeerMisbehaved(
            Reason.GROUP_NOT_OFFERED,
            f"the server's share is of {name_of(group, NamedGroup)}, which we sent none of",
        )
    if hs.trace:
        hs.trace.choice(
            what="group",
            ours=[str(g) for g in hs.config.parameters.groups],
            chosen=str(group),
            rule="the server chose it",
        )
    share = offer.shares[group]
    secret = share.secret(entry.key_exchange)
    if hs.trace:
        hs.trace.secret(
            name="shared_secret",
            formula=f"{group}(our private key, the server's share)",
            inputs=exchange_inputs(hs, share, entry.key_exchange),
            value=secret,
            used_for="the handshake secret",
        )
    return group, secret


def _check_request(request: CertificateRequest) -> CertificateRequest:
    # RFC 9846 4.4.2: the context "SHALL be zero length unless used for the post-handshake authentication"
    if request.certificate_request_context:
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "the CertificateRequest of a handshake has a context")
    if request.extensions.find(ext.SignatureSchemeList) is None:
        raise PeerMisbehaved(Reason.MISSING_EXTENSION, "the CertificateRequest has no signature_algorithms")
    return request


def _origin(hs: ClientHandshake, peer: ByCertificate | ByPsk, psk: Psk | None) -> Origin | None:
    if isinstance(peer, ByCertificate):
        return Origin(hs.now(), identity=peer.identity, good_until=peer.good_until)
    session = psk.session if psk else None
    return Origin(session.authenticated_at, session=session) if session else None


def _negotiated(
    hs: ClientHandshake,
    offer: Offer,
    peer: ByCertificate | ByPsk,
    psk: Psk | None,
    group: NamedGroup,
    alpn: str | None,
    mutual: bool,
) -> Negotiated:
    session = psk.session if psk else None
    scheme: SignatureScheme | None = None
    chain = session.peer_chain if session else ()
    key = session.peer_raw_public_key if session else b""
    identity = None
    if isinstance(peer, ByCertificate):
        identity, scheme = peer.identity, peer.signature.scheme
        chain, key = peer.chain, peer.identity.raw_public_key
    return Negotiated(
        protocol=ProtocolVersion.TLSv1_3,
        cipher_suite=hs.suite.code,
        group=group,
        signature_scheme=scheme,
        alpn=alpn,
        peer_chain=chain,
        peer_raw_public_key=key,
        peer_identity=identity,
        resumed=session is not None,
        server_name=str(offer.server_name) if offer.server_name else None,
        mutual=mutual or (session is not None and session.mutual),
        psk_identity=psk.identity if psk and not session else None,
    )
