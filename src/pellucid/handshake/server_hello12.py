"""What a client of TLS 1.2 reads from the ServerHello, checked: RFC 5246 7.4.1.3, and what mends it."""

from pellucid.codes import ECPointFormat, ExtensionType
from pellucid.crypto.suites12 import SUITES12
from pellucid.errors import PeerIncompatible, PeerMisbehaved, Reason
from pellucid.handshake.answers import agreed_protocol, check_answer
from pellucid.handshake.certificate_types import CertificateTypes, agreed_types
from pellucid.handshake.flow import ClientHandshake
from pellucid.handshake.offer import Offer
from pellucid.handshake.security12 import SecurityParameters, check_extended_master_secret
from pellucid.messages import ServerHello
from pellucid.messages import extensions as ext
from pellucid.plain import plain
from pellucid.sessions import Session


@plain
class Agreed:
    """What the two hellos of TLS 1.2 come to. ``session``: the one that the server resumes, if any."""

    security: SecurityParameters
    session: Session | None
    session_id: bytes
    alpn: str | None
    sends_ticket: bool
    may_send_status: bool
    types: CertificateTypes


def check_server_hello(hs: ClientHandshake, offer: Offer, hello: ServerHello) -> Agreed:
    """The ServerHello's word on everything, as far as it may have one."""
    check_answer(hs, offer, hello)
    extensions = hello.extensions
    suite = SUITES12[hello.cipher_suite]
    _check_renegotiation_info(hs, hello)
    formats = extensions.find(ext.ECPointFormatList)
    if formats is not None and ECPointFormat.uncompressed not in formats.ec_point_format_list:
        # RFC 8422 5.1.2: everybody has to know the uncompressed form.
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, "the server does not know uncompressed points")
    encrypt_then_mac = ExtensionType.encrypt_then_mac in extensions
    if encrypt_then_mac and suite.aead:
        # RFC 7366 3: it is not for suites that have nothing to change the order of.
        raise PeerMisbehaved(Reason.ILLEGAL_PARAMETER, f"encrypt_then_mac with {suite}")
    extended = ExtensionType.extended_master_secret in extensions
    session = _resumed_session(hs, offer, hello, extended=extended)
    check_extended_master_secret(hs, agreed=extended)
    return Agreed(
        security=SecurityParameters(suite, hs.client_random, hello.random, extended, encrypt_then_mac),
        session=session,
        session_id=hello.legacy_session_id_echo,
        alpn=agreed_protocol(hs, extensions),
        sends_ticket=ExtensionType.session_ticket in extensions,
        may_send_status=ExtensionType.status_request in extensions,
        types=agreed_types(hs, extensions, resumed=session is not None),
    )


def _check_renegotiation_info(hs: ClientHandshake, hello: ServerHello) -> None:
    """RFC 5746 3.4: a server that knows it can tell our first handshake from somebody's second one."""
    info = hello.extensions.find(ext.RenegotiationInfo)
    ok = info is not None and not info.renegotiated_connection
    if hs.trace:
        found = "missing" if info is None else info.renegotiated_connection.hex() or "empty"
        hs.trace.check(what="renegotiation_info", expected="empty", found=found, ok=ok)
    if info is None:
        # RFC 5746 4.1: to make sure, clients "need to terminate the connection immediately".
        raise PeerIncompatible(
            Reason.NO_SECURE_RENEGOTIATION,
            "the server does not know renegotiation_info (RFC 5746): others may have spoken to it before us",
        )
    if not ok:
        raise PeerMisbehaved(
            Reason.BAD_RENEGOTIATION_INFO, "renegotiation_info is not empty in a first handshake"
        )


def _resumed_session(
    hs: ClientHandshake, offer: Offer, hello: ServerHello, *, extended: bool
) -> Session | None:
    """The session that we offered, if the server says by the echo of its ID that it resumes it."""
    session = offer.session12
    session_id = offer.hello.legacy_session_id
    resumed = bool(session_id) and hello.legacy_session_id_echo == session_id
    if resumed and session is None:
        # The ID is a disguise of TLS 1.3's, and names no session.
        raise PeerMisbehaved(Reason.SESSION_MISMATCH, "the server resumes a session that there never was")
    if session is None:
        return None
    if hs.trace:
        kind = "ticket" if session.ticket else "session ID"
        hs.trace.choice(
            what="session",
            ours=[f"{session.cipher_suite}, by {kind}"],
            chosen=kind if resumed else "",
            rule="the server echoes its ID" if resumed else "the server does not echo its ID: it starts anew",
        )
    if not resumed:
        return None
    if hello.cipher_suite != session.cipher_suite:
        # RFC 5246 7.4.1.3: "For resumed sessions, this field is the value from the state of the session being
        # resumed."
        raise PeerMisbehaved(
            Reason.SESSION_MISMATCH,
            f"the session is of {session.cipher_suite}, and resumed with another suite",
        )
    if not extended:
        # RFC 7627 5.3: "the client MUST abort the handshake." All sessions that we keep have it.
        raise PeerMisbehaved(
            Reason.EXTENDED_MASTER_SECRET_CHANGED,
            "the session has an extended master secret, and the server resumes it without",
        )
    return session
