"""Sessions of TLS 1.2 on the server: by an ID in our cache (RFC 5246 7.3), or by a ticket (RFC 5077)."""

from typing import Literal

from pellucid.codes import ExtensionType, ProtocolVersion
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.handshake.client_hello12 import Request12
from pellucid.handshake.effects import FindCached, Flow, OpenTicket, SealTicket
from pellucid.handshake.flow import ServerHandshake
from pellucid.handshake.proofs import Origin
from pellucid.handshake.resume import why_not_resume
from pellucid.handshake.security12 import SecurityParameters
from pellucid.identity import VerifiedIdentity
from pellucid.messages import extensions as ext
from pellucid.messages import tls12
from pellucid.plain import plain
from pellucid.result import Negotiated
from pellucid.sessions import MAX_CHAIN_BYTES, TicketState


@plain
class Resumed12:
    """The session that the server resumes, how it was found, and who the client was."""

    state: TicketState
    by: Literal["ticket", "session ID"]
    client_identity: VerifiedIdentity | None


def find_session12(hs: ServerHandshake, request: Request12) -> Flow[Resumed12 | None]:
    """The session that the client offers, if we know it and may resume it; the trace says why not."""
    session_id = request.hello.legacy_session_id
    by: Literal["ticket", "session ID"] = "ticket" if request.ticket else "session ID"
    found: TicketState | str = "we keep no sessions"
    if request.ticket:
        # RFC 5077 3.4: with a ticket, the session ID is not looked up.
        if hs.config.ticket_keys is not None:
            found = yield OpenTicket(request.ticket)
    elif not session_id:
        return None
    elif hs.config.cache is not None:
        # A client that offers TLS 1.3 as well may send an ID that means nothing.
        found = yield FindCached(session_id)
        if found == "unknown" and _offers_13(request):
            return None
    resumed: Resumed12 | None = None
    refusal = found if isinstance(found, str) else ""
    if not isinstance(found, str):
        refusal, client = yield from _why_not_resume(hs, request, found)
        resumed = None if refusal else Resumed12(found, by, client)
    if hs.trace:
        rule = refusal or f"the client's {by} is one of ours"
        hs.trace.choice(what="session", ours=[], theirs=[by], chosen=by if resumed else "", rule=rule)
    if refusal == CLIENT_LACKS_EMS:
        # RFC 7627 5.3: in this case "the server MUST abort the abbreviated handshake."
        raise PeerMisbehaved(
            Reason.EXTENDED_MASTER_SECRET_CHANGED, "the session has an extended master secret, the client not"
        )
    return resumed


def _offers_13(request: Request12) -> bool:
    versions = request.hello.extensions.find(ext.SupportedVersionsClientHello)
    return versions is not None and ProtocolVersion.TLSv1_3 in versions.versions


#: The one refusal that ends the handshake.
CLIENT_LACKS_EMS = "the session has an extended master secret, and the client has none any more"


def _why_not_resume(
    hs: ServerHandshake, request: Request12, state: TicketState
) -> Flow[tuple[str, VerifiedIdentity | None]]:
    if state.suite not in request.hello.cipher_suites:
        return "the client does not offer the session's suite", None
    if state.suite not in hs.config.parameters.suites12:
        return "the session's suite is not accepted any more", None
    offers = ExtensionType.extended_master_secret in request.hello.extensions
    if state.extended_master_secret and not offers:
        return CLIENT_LACKS_EMS, None
    if not (state.extended_master_secret and request.extended):
        # RFC 7627 5.3: where only the session lacks it "the server MUST NOT perform the abbreviated
        # handshake"; where neither has it, to resume would be "legacy insecure resumption".
        return "without an extended master secret on both occasions nothing is resumed", None
    return (yield from why_not_resume(hs, state, request.server_name))


def session_state(
    hs: ServerHandshake,
    security: SecurityParameters,
    negotiated: Negotiated,
    origin: Origin,
    lifetime_seconds: int,
) -> TicketState:
    """What has to be remembered of a session, by us or in a ticket."""
    return TicketState(
        protocol=ProtocolVersion.TLSv1_2,
        suite=security.suite.code,
        secret=security.master_secret,
        extended_master_secret=security.extended,
        max_fragment_length=security.max_fragment_length,
        created_at=hs.now(),
        lifetime_seconds=lifetime_seconds,
        server_name=negotiated.server_name,
        alpn=negotiated.alpn,
        client_chain=negotiated.peer_chain,
        client_key=negotiated.peer_raw_public_key,
        server_identity=origin.server_identity,
        authenticated_at=origin.authenticated_at,
    )


def send_ticket(
    hs: ServerHandshake, security: SecurityParameters, negotiated: Negotiated, origin: Origin
) -> Flow[None]:
    """RFC 5077 3.3: the message that the ServerHello announced; empty where a huge chain fits no ticket."""
    keys = hs.config.ticket_keys
    assert keys is not None
    ticket = b""
    if sum(map(len, negotiated.peer_chain)) <= MAX_CHAIN_BYTES:
        ticket = yield SealTicket(session_state(hs, security, negotiated, origin, keys.lifetime_seconds))
    yield hs.send(tls12.NewSessionTicket(keys.lifetime_seconds, ticket))
