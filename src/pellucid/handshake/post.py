"""After the handshake: NewSessionTicket and KeyUpdate (RFC 9846 4.7); in TLS 1.2, renegotiation refused."""

from pellucid.codes import AlertDescription, KeyUpdateRequest
from pellucid.errors import Misuse, PeerMisbehaved, Reason
from pellucid.events import KeyUpdated, SessionReceived
from pellucid.handshake.effects import (
    Emit,
    Flow,
    InstallKeys,
    SealTicket,
    Send,
    StoreSession,
    UpdateKeys,
    Warn,
)
from pellucid.handshake.flow import AnyHandshake, ClientHandshake, ServerHandshake, receive
from pellucid.handshake.proofs import Connected, Origin
from pellucid.keys import next_traffic_secret, resumption_psk
from pellucid.messages import ClientHello, Extensions, KeyUpdate, NewSessionTicket, tls12
from pellucid.sessions import MAX_CHAIN_BYTES, MAX_KEPT_TICKET_BYTES, Session, TicketState

#: How often in one connection of TLS 1.2 another handshake may be asked for. Nobody needs to be told no more
#: often, and who does not read our answers would make us keep them.
MAX_RENEGOTIATIONS = 16

#: RFC 9846 4.7.3: sending implementations "MUST NOT allow the epoch [...] to exceed 2^48-1".
MAX_EPOCH = 2**48 - 1


def client_post_handshake(hs: ClientHandshake, connected: Connected) -> Flow[None]:
    """What a server may send while data flows, for as long as it does."""
    while True:
        message = yield from receive(hs, "CONNECTED", NewSessionTicket, KeyUpdate, hashed=False)
        if isinstance(message, KeyUpdate):
            yield from receive_key_update(hs, message)
        else:
            yield from _receive_ticket(hs, connected, message)


def server_post_handshake(hs: ServerHandshake, connected: Connected) -> Flow[None]:
    """Tickets first, then what a client may send."""
    if hs.resumption_secret and connected.origin is not None and _fits(connected):
        for number in range(hs.config.tickets_per_handshake):
            yield from _send_ticket(hs, connected, connected.origin, number)
    hs.resumption_secret = b""
    while True:
        message = yield from receive(hs, "CONNECTED", KeyUpdate, hashed=False)
        yield from receive_key_update(hs, message)


def client_post_handshake12(hs: ClientHandshake, connected: Connected) -> Flow[None]:
    """Tell of the session that there is now; then a server may ask for another handshake, and is told no."""
    if connected.session is not None:
        yield StoreSession(connected.session)
        yield Emit(SessionReceived(connected.session))
    yield from _refuse_renegotiation(hs, tls12.HelloRequest)


def server_post_handshake12(hs: ServerHandshake) -> Flow[None]:
    """A client may ask for another handshake by its ClientHello, and is told no.

    RFC 5246 7.2.2: it is a warning, and who asked "can decide whether to proceed with the connection".
    """
    yield from _refuse_renegotiation(hs, ClientHello)


def _refuse_renegotiation(hs: AnyHandshake, wish: type[ClientHello | tls12.HelloRequest]) -> Flow[None]:
    for _ in range(MAX_RENEGOTIATIONS):
        yield from receive(hs, "CONNECTED", wish, hashed=False)
        yield Warn(AlertDescription.no_renegotiation)
    yield from receive(hs, "CONNECTED", wish, hashed=False)
    raise too_many_renegotiations(MAX_RENEGOTIATIONS)


def too_many_renegotiations(limit: int) -> PeerMisbehaved:
    return PeerMisbehaved(
        Reason.TOO_MANY_RENEGOTIATIONS, f"the peer asks for another handshake more than {limit} times"
    )


def _fits(connected: Connected) -> bool:
    return sum(map(len, connected.negotiated.peer_chain)) <= MAX_CHAIN_BYTES


def _receive_ticket(hs: ClientHandshake, connected: Connected, message: NewSessionTicket) -> Flow[None]:
    # RFC 9846 4.7.1: "The value of zero indicates that the ticket should be discarded immediately."
    negotiated, origin = connected.negotiated, connected.origin
    useless = message.ticket_lifetime == 0 or len(message.ticket) > MAX_KEPT_TICKET_BYTES
    if useless or not hs.resumption_secret or negotiated.server_name is None or origin is None:
        return
    session = Session(
        protocol=negotiated.protocol,
        cipher_suite=negotiated.cipher_suite,
        hash_name=hs.suite.hash_name,
        secret=_psk(hs, message.ticket_nonce),
        ticket=message.ticket,
        ticket_age_add=message.ticket_age_add,
        lifetime_seconds=message.ticket_lifetime,
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
    yield StoreSession(session)
    yield Emit(SessionReceived(session))


def _send_ticket(hs: ServerHandshake, connected: Connected, origin: Origin, number: int) -> Flow[None]:
    # RFC 9846 4.7.1: the nonce is "unique across all tickets issued on this connection".
    nonce = number.to_bytes(1, "big")
    assert hs.config.ticket_keys is not None
    age_add = int.from_bytes(hs.entropy(4), "big")
    lifetime_seconds = hs.config.ticket_keys.lifetime_seconds
    negotiated = connected.negotiated
    ticket: bytes = yield SealTicket(
        TicketState(
            suite=negotiated.cipher_suite,
            secret=_psk(hs, nonce),
            age_add=age_add,
            created_at=hs.now(),
            lifetime_seconds=lifetime_seconds,
            server_name=negotiated.server_name,
            alpn=negotiated.alpn,
            client_chain=negotiated.peer_chain,
            client_key=negotiated.peer_raw_public_key,
            server_identity=origin.server_identity,
            authenticated_at=origin.authenticated_at,
        )
    )
    message = NewSessionTicket(lifetime_seconds, age_add, nonce, ticket, Extensions())
    message.encode()
    yield Send(message)


def _psk(hs: AnyHandshake, nonce: bytes) -> bytes:
    return resumption_psk(hs.suite.hash_name, hs.resumption_secret, nonce, trace=hs.trace)


def receive_key_update(hs: AnyHandshake, message: KeyUpdate) -> Flow[None]:
    """RFC 9846 4.7.3: the peer's next records are under its next key; ours too, if it asks for that."""
    if not isinstance(message.request_update, KeyUpdateRequest):
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, f"request_update is {message.request_update}")
    hs.awaits_key_update = False
    hs.read_epoch += 1
    hs.read_secret = _next_secret(hs, hs.read_secret, hs.peer, hs.read_epoch)
    yield InstallKeys("read", f"application {hs.read_epoch}", hs.suite, hs.read_secret)
    requested = message.request_update is KeyUpdateRequest.update_requested
    answered = False
    if requested:
        answered = yield UpdateKeys(KeyUpdateRequest.update_not_requested, answers=True)
    yield Emit(KeyUpdated(answered))


def next_write_keys(hs: AnyHandshake, request: KeyUpdateRequest) -> tuple[KeyUpdate, str]:
    """The KeyUpdate to send, encoded, and the name of the epoch whose secret is now ``hs.write_secret``.

    Of two requests in a row the second asks for nothing.
    """
    if hs.write_epoch >= MAX_EPOCH:
        raise Misuse(Reason.KEY_LIMIT_REACHED, "this connection has had all the keys that it may have")
    # RFC 9846 4.7.3: "Until receiving a subsequent KeyUpdate from the peer, the sender MUST NOT send another
    # KeyUpdate with request_update set to "update_requested"."
    if request is KeyUpdateRequest.update_requested and hs.awaits_key_update:
        request = KeyUpdateRequest.update_not_requested
    hs.awaits_key_update |= request is KeyUpdateRequest.update_requested
    message = KeyUpdate(request)
    message.encode()
    hs.write_epoch += 1
    hs.write_secret = _next_secret(hs, hs.write_secret, hs.side, hs.write_epoch)
    return message, f"application {hs.write_epoch}"


def _next_secret(hs: AnyHandshake, secret: bytes, sender: str, generation: int) -> bytes:
    name = f"{sender}_application_traffic_secret_{generation}"
    return next_traffic_secret(hs.suite.hash_name, secret, trace=hs.trace, name=name)
