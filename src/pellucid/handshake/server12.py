"""A TLS 1.2 handshake as the server sees it (RFC 5246 7.3; RFC 5077 for the ticket).

ClientHello            -------->
                                     ServerHello
                                     Certificate
                              CertificateStatus*
                              ServerKeyExchange*
                             CertificateRequest*
                       <--------  ServerHelloDone
Certificate*
ClientKeyExchange
CertificateVerify*
[ChangeCipherSpec]
Finished               -------->
                               NewSessionTicket*
                              [ChangeCipherSpec]
                       <--------        Finished
[Application Data]     <------->  [Application Data]

and where a session is resumed:

ClientHello            -------->
                                     ServerHello
                               NewSessionTicket*
                              [ChangeCipherSpec]
                       <--------        Finished
[ChangeCipherSpec]
Finished               -------->
"""

from pellucid.codes import (
    CertificateStatusType,
    CertificateType,
    ECPointFormat,
    ExtensionType,
    ProtocolVersion,
)
from pellucid.config import fingerprint
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.handshake.authenticate12 import (
    NOTHING_SHOWN,
    certificate_message,
    certificate_request,
    identify_client,
    receive_client_certificate,
    receive_client_proof,
)
from pellucid.handshake.certificate_types import (
    answer_types,
    require_shared_type,
    tell_type,
    type_to_ask_for,
)
from pellucid.handshake.choose import agree_on_protocol, require_certificate_for
from pellucid.handshake.choose12 import Choice12, choose12
from pellucid.handshake.client_hello12 import Request12, check_client_hello12
from pellucid.handshake.effects import Flow, StoreCached
from pellucid.handshake.exchange12 import (
    receive_client_key_exchange,
    receive_encrypted_premaster,
    send_server_key_exchange,
)
from pellucid.handshake.flow import ServerHandshake
from pellucid.handshake.proofs import BySession, Connected, Origin
from pellucid.handshake.record_sizes import answer_record_sizes
from pellucid.handshake.resume12 import Resumed12, find_session12, send_ticket, session_state
from pellucid.handshake.security12 import (
    SecurityParameters,
    check_extended_master_secret,
    receive_finished,
    send_finished,
    take_master_secret,
    take_premaster_secret,
)
from pellucid.handshake.staple import response_to_staple
from pellucid.messages import DOWNGRADE_TLS12, ClientHello, Extensions, ServerHello, tls12
from pellucid.messages import extensions as ext
from pellucid.plain import plain
from pellucid.result import Negotiated

#: RFC 5246 7.4.1.2: `opaque SessionID<0..32>`; random, so that nobody guesses another's.
SESSION_ID_LENGTH = 32


@plain
class Answer12:
    """What the ServerHello has said."""

    security: SecurityParameters
    session_id: bytes
    alpn: str | None
    sends_ticket: bool


def server12(hs: ServerHandshake, hello: ClientHello) -> Flow[Connected]:
    request = check_client_hello12(hs, hello)
    check_extended_master_secret(hs, agreed=request.extended)
    resumed = yield from find_session12(hs, request)
    if resumed is not None:
        return (yield from _resume(hs, request, resumed))
    return (yield from _full(hs, request))


def _full(hs: ServerHandshake, request: Request12) -> Flow[Connected]:
    if hs.config.strict_server_name:
        require_certificate_for(hs.config.credentials, request.server_name)
    types = require_shared_type(hs, request.hello.extensions)
    client_type = type_to_ask_for(hs, request.hello.extensions)
    choice = yield from choose12(hs, request, types)
    tell_type(hs, request.hello.extensions, choice.credential.certificate_type)
    staple = response_to_staple(hs, choice.credential, request.hello.extensions)
    answer = yield from _send_server_hello(
        hs, request, choice.suite, choice=choice, staples=staple is not None, client_type=client_type
    )
    security = answer.security
    yield hs.send_encoded(certificate_message(choice.credential))
    if staple is not None:
        # RFC 6066 8: "immediately after the "Certificate" message"
        yield hs.send(tls12.CertificateStatus(CertificateStatusType.ocsp, staple))
    ours = None
    if choice.group is not None and choice.scheme is not None:
        ours = yield from send_server_key_exchange(
            hs, security, choice.group, choice.credential, choice.scheme
        )
    if client_type is not None:
        yield hs.send(certificate_request(hs, client_type))
    yield hs.send(tls12.ServerHelloDone())

    shown = NOTHING_SHOWN if client_type is None else (yield from receive_client_certificate(hs, client_type))
    client = yield from identify_client(hs, shown)
    if choice.suite.key_exchange == "RSA":
        version = request.hello.legacy_version
        premaster_secret = yield from receive_encrypted_premaster(hs, choice.credential, version)
    else:
        premaster_secret = yield from receive_client_key_exchange(hs, choice.suite, ours)
    take_premaster_secret(hs, security, premaster_secret)
    peer = yield from receive_client_proof(hs, shown.chain, client)
    hs.transcript.forget_messages()
    finished = yield from receive_finished(hs, security)

    negotiated = Negotiated(
        protocol=ProtocolVersion.TLSv1_2,
        cipher_suite=choice.suite.code,
        group=choice.group,
        signature_scheme=choice.scheme,
        alpn=answer.alpn,
        peer_chain=shown.chain,
        peer_raw_public_key=client.raw_public_key if client else b"",
        peer_identity=client,
        server_name=request.server_name,
        mutual=client is not None,
    )
    origin = Origin(hs.now(), server_identity=fingerprint(choice.credential))
    if answer.sends_ticket:
        yield from send_ticket(hs, security, negotiated, origin)
    yield from send_finished(hs, security)
    if answer.session_id:
        assert hs.config.cache is not None
        lifetime_seconds = hs.config.cache.lifetime_seconds
        state = session_state(hs, security, negotiated, origin, lifetime_seconds)
        yield StoreCached(answer.session_id, state)
    return Connected(peer, finished, negotiated, origin)


def _resume(hs: ServerHandshake, request: Request12, resumed: Resumed12) -> Flow[Connected]:
    """The abbreviated handshake: both know the master secret; fresh randoms make fresh keys of it."""
    state = resumed.state
    answer = yield from _send_server_hello(hs, request, SUITES12[state.suite], resumed=resumed)
    security = answer.security
    hs.transcript.forget_messages()
    take_master_secret(hs, security, state.secret)
    negotiated = Negotiated(
        protocol=ProtocolVersion.TLSv1_2,
        cipher_suite=state.suite,
        group=None,
        alpn=answer.alpn,
        peer_chain=state.client_chain,
        peer_raw_public_key=state.client_key,
        peer_identity=resumed.client_identity,
        resumed=True,
        server_name=request.server_name,
        mutual=resumed.client_identity is not None,
    )
    authenticated_at = state.authenticated_at or state.created_at
    origin = Origin(authenticated_at, server_identity=state.server_identity)
    if answer.sends_ticket:
        yield from send_ticket(hs, security, negotiated, origin)
    yield from send_finished(hs, security)
    finished = yield from receive_finished(hs, security)
    return Connected(BySession(finished), finished, negotiated, origin)


def _send_server_hello(
    hs: ServerHandshake,
    request: Request12,
    suite: Suite12,
    *,
    choice: Choice12 | None = None,
    staples: bool = False,
    client_type: CertificateType | None = None,
    resumed: Resumed12 | None = None,
) -> Flow[Answer12]:
    """Everything that is decided: the suite, the session, and the extensions that we take up."""
    encrypt_then_mac = (
        hs.config.encrypt_then_mac and not suite.aead and request.has(ExtensionType.encrypt_then_mac)
    )
    server_random = _random(hs)
    security = SecurityParameters(suite, hs.client_random, server_random, request.extended, encrypt_then_mac)
    sends_ticket = _sends_ticket(hs, request, resumed)
    answer = Answer12(
        security,
        _session_id(hs, request, resumed, sends_ticket),
        agree_on_protocol(hs.config.alpn_protocols, request.hello.extensions, hs.trace),
        sends_ticket,
    )
    extensions = _extensions(request, answer, choice)
    if choice is not None:
        ours = choice.credential.certificate_type
        answer_types(request.hello.extensions, extensions, ours, client_type)
    if staples:
        # RFC 6066 8: who sends a CertificateStatus "MUST have included" the extension, empty.
        extensions.add(ext.CertificateStatusRequested())
    resumed_length = resumed.state.max_fragment_length if resumed is not None else None
    security.max_fragment_length = yield from answer_record_sizes(
        hs, request.hello.extensions, extensions, resumed_length
    )
    message = ServerHello(
        legacy_version=ProtocolVersion.TLSv1_2,
        random=server_random,
        legacy_session_id_echo=answer.session_id,
        cipher_suite=suite.code,
        legacy_compression_method=0,
        extensions=extensions,
    )
    hs.transcript.start(suite.hash_name, keep=True)
    hs.transcript.add(request.hello.raw)
    yield hs.send(message)
    return answer


def _random(hs: ServerHandshake) -> bytes:
    random = hs.entropy(32)
    if ProtocolVersion.TLSv1_3 in hs.config.parameters.protocols:
        # RFC 9846 4.2.3: a TLS 1.3 server that negotiates TLS 1.2 says so where no change goes unnoticed.
        return random[: -len(DOWNGRADE_TLS12)] + DOWNGRADE_TLS12
    return random


def _sends_ticket(hs: ServerHandshake, request: Request12, resumed: Resumed12 | None) -> bool:
    # RFC 7627 5.3: a session without extended master secret would never be resumed.
    useless = not request.extended or not hs.config.tickets_per_handshake
    if request.ticket is None or hs.config.ticket_keys is None or useless:
        return False
    if resumed is None:
        return True
    # A ticket serves many times in TLS 1.2; a new one is due when half of its life is over.
    age_seconds = hs.now() - resumed.state.created_at
    return resumed.by == "ticket" and age_seconds * 2 > resumed.state.lifetime_seconds


def _session_id(
    hs: ServerHandshake, request: Request12, resumed: Resumed12 | None, sends_ticket: bool
) -> bytes:
    if resumed is not None:
        # RFC 5246 7.4.1.3: the echo says that the session is resumed; RFC 5077 3.4: with a ticket, too.
        return request.hello.legacy_session_id
    if sends_ticket or hs.config.cache is None or not request.extended:
        # RFC 5077 3.4: who is given a ticket "SHOULD" get an empty session ID.
        return b""
    return hs.entropy(SESSION_ID_LENGTH)


def _extensions(request: Request12, answer: Answer12, choice: Choice12 | None) -> Extensions:
    extensions = Extensions()
    if request.knows_renegotiation_info:
        extensions.add(ext.RenegotiationInfo(b""))
    name = request.server_name
    # RFC 6066 3: a server that resumes a session "MUST NOT include a server_name extension".
    if choice is not None and name is not None and choice.credential.matches(name):
        extensions.add(ext.ServerNameAcknowledged())
    if answer.security.extended:
        extensions.add(ext.ExtendedMainSecret())
    if answer.security.encrypt_then_mac:
        extensions.add(ext.EncryptThenMac())
    on_curve = choice is not None and choice.suite.key_exchange == "ECDHE"
    # RFC 8422 4: "In the case of session resumption, the server simply ignores" it.
    if on_curve and request.has(ExtensionType.ec_point_formats):
        extensions.add(ext.ECPointFormatList([ECPointFormat.uncompressed]))
    if answer.sends_ticket:
        extensions.add(ext.SessionTicketAcknowledged())
    if answer.alpn is not None:
        extensions.add(ext.ProtocolNameList([answer.alpn.encode()]))
    return extensions
