"""A TLS 1.2 handshake from ServerHello on, as the client sees it (RFC 5246 7.3; RFC 5077 for the ticket).

       <--------                 ServerHello
                                Certificate
                         CertificateStatus*
                         ServerKeyExchange*
                        CertificateRequest*
       <--------            ServerHelloDone
Certificate*
ClientKeyExchange
CertificateVerify*
[ChangeCipherSpec]
Finished   ---->
                          NewSessionTicket*
                         [ChangeCipherSpec]
       <--------                  Finished
[Application Data] <----->  [Application Data]

and where a session is resumed:

       <--------                 ServerHello
                          NewSessionTicket*
                         [ChangeCipherSpec]
       <--------                  Finished
[ChangeCipherSpec]
Finished   ---->
"""

from typing import Any

from pellucid.codes import ProtocolVersion
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.authenticate12 import answer_request, prove_key, receive_server_certificate
from pellucid.handshake.effects import Flow, StoreSession
from pellucid.handshake.exchange12 import check_server_key_exchange, exchange
from pellucid.handshake.flow import ClientHandshake, check_revocation, receive, verify_identity
from pellucid.handshake.offer import Offer
from pellucid.handshake.proofs import (
    ByCertificate,
    ByDecryption,
    BySession,
    Connected,
    Origin,
    SignatureVerified,
)
from pellucid.handshake.record_sizes import take_record_sizes
from pellucid.handshake.security12 import (
    receive_finished,
    send_finished,
    take_master_secret,
    take_premaster_secret,
)
from pellucid.handshake.server_hello12 import Agreed, check_server_hello
from pellucid.handshake.staple import staple_of
from pellucid.identity import VerifiedIdentity
from pellucid.messages import ServerHello, tls12
from pellucid.result import Negotiated
from pellucid.sessions import MAX_KEPT_TICKET_BYTES, MAX_SESSION_ID_SECONDS, Session


def client12(hs: ClientHandshake, offer: Offer, hello: ServerHello) -> Flow[Connected]:
    if hs.change_cipher_specs:
        # In TLS 1.3 it means nothing; here it would have been the switch to keys that there are none of yet.
        raise PeerMisbehaved(Reason.UNEXPECTED_RECORD, "change_cipher_spec came before the ServerHello")
    agreed = check_server_hello(hs, offer, hello)
    hs.transcript.start(agreed.security.suite.hash_name, keep=True)
    hs.transcript.add(hello.raw)
    of_session = agreed.session.max_fragment_length if agreed.session is not None else None
    agreed.security.max_fragment_length = yield from take_record_sizes(
        hs, offer.hello.extensions, hello.extensions, of_session
    )
    if agreed.session is not None:
        return (yield from _resume(hs, agreed, agreed.session))
    return (yield from _full(hs, offer, agreed))


def _full(hs: ClientHandshake, offer: Offer, agreed: Agreed) -> Flow[Connected]:
    security = agreed.security
    shown = yield from receive_server_certificate(hs, agreed.types.server, offer.server_name)
    identity = yield from verify_identity(
        shown.ders,
        "server",
        offer.server_name,
        encrypts=security.suite.key_exchange == "RSA",
        certificate_type=shown.certificate_type,
    )
    message, good_until = yield from _after_certificate(hs, agreed, identity)
    signature: SignatureVerified | None = None
    server_share: tls12.ServerKeyExchange | None = None
    if isinstance(message, tls12.ServerKeyExchange):
        server_share = message
        signature = check_server_key_exchange(hs, security, server_share, identity)
        message = yield from receive(hs, "WAIT_CR", tls12.CertificateRequest, tls12.ServerHelloDone)
    request: tls12.CertificateRequest | None = None
    if isinstance(message, tls12.CertificateRequest):
        request = message
        yield from receive(hs, "WAIT_SHD", tls12.ServerHelloDone)

    credential = None
    if request is not None:
        credential = yield from answer_request(hs, request, agreed.types.client)
    exchanged = exchange(hs, server_share, identity)
    yield hs.send(exchanged.message)
    take_premaster_secret(hs, security, exchanged.premaster_secret)
    if credential is not None:
        yield from prove_key(hs, *credential)
    hs.transcript.forget_messages()
    yield from send_finished(hs, security)

    ticket = yield from _receive_ticket(hs, agreed)
    finished = yield from receive_finished(hs, security)
    peer: ByCertificate | ByDecryption
    if signature is not None:
        peer = ByCertificate(shown.chain, identity, signature)
    else:
        peer = ByDecryption(shown.chain, identity, finished)
    negotiated = Negotiated(
        protocol=ProtocolVersion.TLSv1_2,
        cipher_suite=security.suite.code,
        group=exchanged.group,
        signature_scheme=signature.scheme if signature else None,
        alpn=agreed.alpn,
        peer_chain=shown.chain,
        peer_raw_public_key=identity.raw_public_key,
        peer_identity=identity,
        server_name=str(offer.server_name) if offer.server_name else None,
        mutual=credential is not None,
    )
    origin = Origin(hs.now(), identity=identity, good_until=good_until)
    session = _session(hs, agreed, negotiated, origin, ticket)
    return Connected(peer, finished, negotiated, origin, session)


def _resume(hs: ClientHandshake, agreed: Agreed, session: Session) -> Flow[Connected]:
    """The abbreviated handshake: the server speaks first, and nobody shows a certificate."""
    security = agreed.security
    hs.transcript.forget_messages()
    take_master_secret(hs, security, session.secret)
    ticket = yield from _receive_ticket(hs, agreed)
    finished = yield from receive_finished(hs, security)
    yield from send_finished(hs, security)
    negotiated = Negotiated(
        protocol=ProtocolVersion.TLSv1_2,
        cipher_suite=security.suite.code,
        group=None,
        alpn=agreed.alpn,
        peer_chain=session.peer_chain,
        peer_raw_public_key=session.peer_raw_public_key,
        resumed=True,
        server_name=session.server_name,
        mutual=session.mutual,
    )
    origin = Origin(session.authenticated_at, session=session)
    renewed: Session | None = None
    if ticket is not None and ticket.ticket:
        renewed = _session(hs, agreed, negotiated, origin, ticket)
    if renewed is None:
        # It is as good as it was: only a fault would have used it up (RFC 5246 7.2.2).
        yield StoreSession(session)
    return Connected(BySession(finished), finished, negotiated, origin, renewed)


def _after_certificate(
    hs: ClientHandshake, agreed: Agreed, identity: VerifiedIdentity
) -> Flow[tuple[Any, float]]:
    """The next message that tells how to go on, and until when the server is known to be good.

    A CertificateStatus before it is judged at once, so that nothing is sent to who is revoked.
    """
    due: tuple[type[Any], ...] = {
        "ECDHE": (tls12.ServerKeyExchangeECDHE,),
        "DHE": (tls12.ServerKeyExchangeDHE,),
        "RSA": (tls12.CertificateRequest, tls12.ServerHelloDone),
    }[agreed.security.suite.key_exchange]
    state = "WAIT_CR" if agreed.security.suite.key_exchange == "RSA" else "WAIT_SKE"
    status: tls12.CertificateStatus | None = None
    if agreed.may_send_status:
        # RFC 6066 8: a server that has said it would "MAY" still leave it out.
        message = yield from receive(hs, "WAIT_STATUS", tls12.CertificateStatus, *due)
        if not isinstance(message, tls12.CertificateStatus):
            return message, (yield from check_revocation(hs, identity, {}))
        status = message
    good_until = yield from check_revocation(hs, identity, staple_of(status))
    return (yield from receive(hs, state, *due)), good_until


def _receive_ticket(hs: ClientHandshake, agreed: Agreed) -> Flow[tls12.NewSessionTicket | None]:
    # RFC 5077 3.3: it "MUST be sent if the server included a SessionTicket extension in the ServerHello"
    if not agreed.sends_ticket:
        return None
    return (yield from receive(hs, "WAIT_TICKET", tls12.NewSessionTicket))


def _session(
    hs: ClientHandshake,
    agreed: Agreed,
    negotiated: Negotiated,
    origin: Origin,
    message: tls12.NewSessionTicket | None,
) -> Session | None:
    """What to come back with: the ticket, or the session ID; None where the server gave neither."""
    ticket = message.ticket if message is not None else b""
    # RFC 5077 3.4: with a ticket, the session ID is one that we made up.
    session_id = b"" if ticket else agreed.session_id
    security = agreed.security
    # RFC 7627 5.3: the client "SHOULD NOT offer" one "that does not use an extended master secret".
    useless = not security.extended or not (ticket or session_id) or len(ticket) > MAX_KEPT_TICKET_BYTES
    if useless or hs.config.sessions is None or negotiated.server_name is None:
        return None
    # RFC 5077 3.3: "A value of zero is reserved to indicate that the lifetime of the ticket is unspecified."
    lifetime_seconds = message.ticket_lifetime_hint if message is not None else 0
    return Session(
        protocol=negotiated.protocol,
        cipher_suite=negotiated.cipher_suite,
        hash_name=security.suite.hash_name,
        secret=security.master_secret,
        ticket=ticket,
        session_id=session_id,
        extended_master_secret=security.extended,
        max_fragment_length=security.max_fragment_length,
        lifetime_seconds=lifetime_seconds or MAX_SESSION_ID_SECONDS,
        received_at=hs.now(),
        server_name=negotiated.server_name,
        alpn=negotiated.alpn,
        peer_chain=negotiated.peer_chain,
        peer_raw_public_key=negotiated.peer_raw_public_key,
        mutual=negotiated.mutual,
        authenticated_at=origin.authenticated_at,
        certificate_expires_at=origin.expires_at,
        scope=hs.config.session_scope,
    )
