"""What the hellos of TLS 1.2 agree on, as both sides read it: RFC 5246 7.4.1.3, and the extensions."""

from __future__ import annotations

from pellucid.codes import CipherSuite, CompressionMethod, ExtensionType, ProtocolVersion, name_of
from pellucid.crypto.suites12 import SUITES12
from pellucid.decode.flow import Watched
from pellucid.decode.security12 import Security
from pellucid.decode.sessions import By
from pellucid.messages import ClientHello, ServerHello
from pellucid.messages import extensions as ext
from pellucid.plain import plain

__all__ = ["Offered", "read_hellos", "tell_session"]

# How IANA begins the names of suites whose key exchange has one of the forms that are read here.
_EXCHANGES = {
    "TLS_RSA_WITH_": "RSA",
    "TLS_DHE_RSA_WITH_": "DHE",
    "TLS_DHE_DSS_WITH_": "DHE",
    "TLS_ECDHE_RSA_WITH_": "ECDHE",
    "TLS_ECDHE_ECDSA_WITH_": "ECDHE",
}


@plain(frozen=True)
class Offered:
    """The session that the client offers, and whether the server's hello has said that it resumes it."""

    by: By
    name: bytes
    echoed: bool
    #: Only what the server says next tells (RFC 5077 3.4: a ticket that came with an empty session ID).
    undecided: bool


def read_hellos(w: Watched, hello: ClientHello, answer: ServerHello) -> tuple[Security, Offered | None]:
    """What was agreed on, told as the client finds it in the ServerHello."""
    extensions = answer.extensions
    client = w.view("client")
    compression = name_of(answer.legacy_compression_method, CompressionMethod)
    null = answer.legacy_compression_method == 0
    client.check(what="compression_method", expected="null", found=compression, ok=null)
    _check_renegotiation_info(w, answer)
    offered = _offered(w, hello, answer)
    if offered is not None and not offered.undecided:
        tell_session(w, offered, resumed=offered.echoed)
    extended = ExtensionType.extended_master_secret in extensions
    client.check(
        what="extended_master_secret",
        expected="where both sides know it",
        found="both sides have it" if extended else "not agreed on",
        ok=True,
    )
    _take_protocol(w, hello, answer)
    suite = SUITES12.get(answer.cipher_suite)
    name = name_of(answer.cipher_suite, CipherSuite)
    exchanges = (exchange for start, exchange in _EXCHANGES.items() if name.startswith(start))
    return Security(
        suite=suite,
        suite_name=name,
        key_exchange=next(exchanges, ""),
        server_random=answer.random,
        extended=extended,
        # RFC 7366 3: it is for CBC alone.
        encrypt_then_mac=ExtensionType.encrypt_then_mac in extensions and not (suite and suite.aead),
        compressed=not null,
    ), offered


def tell_session(w: Watched, offered: Offered, *, resumed: bool) -> None:
    """Whether the server resumes what the client offers."""
    rule = "the server echoes its ID" if resumed else "the server does not echo its ID: it starts anew"
    if offered.undecided:
        rule = "the server goes on with it" if resumed else "the server starts anew"
    w.view("client").choice(
        what="session", ours=[f"by {offered.by}"], chosen=offered.by if resumed else "", rule=rule
    )


def _offered(w: Watched, hello: ClientHello, answer: ServerHello) -> Offered | None:
    ticket = hello.extensions.find(ext.SessionTicket)
    session_id = hello.legacy_session_id
    echoed = bool(session_id) and answer.legacy_session_id_echo == session_id
    if ticket is not None and ticket.ticket:
        return Offered("ticket", ticket.ticket, echoed, undecided=not session_id)
    versions = hello.extensions.find(ext.SupportedVersionsClientHello)
    disguise = versions is not None and ProtocolVersion.TLSv1_3 in versions.versions
    if disguise and not echoed and w.sessions.find("session ID", session_id) is None:
        return None  # RFC 9846 E.4: the ID means nothing
    return Offered("session ID", session_id, echoed, undecided=False) if session_id else None


def _check_renegotiation_info(w: Watched, answer: ServerHello) -> None:
    """RFC 5746 3.4: in a first handshake the extension is there, and empty."""
    info = answer.extensions.find(ext.RenegotiationInfo)
    found = "missing" if info is None else info.renegotiated_connection.hex() or "empty"
    w.view("client").check(what="renegotiation_info", expected="empty", found=found, ok=found == "empty")


def _take_protocol(w: Watched, hello: ClientHello, answer: ServerHello) -> None:
    """RFC 7301: the application protocol that the server chose, if any."""
    chosen = answer.extensions.find(ext.ProtocolNameList)
    if chosen is None or not chosen.protocol_name_list:
        return
    offer = hello.extensions.find(ext.ProtocolNameList)
    ours = [_text(name) for name in offer.protocol_name_list] if offer else []
    w.agreed["alpn"] = _text(chosen.protocol_name_list[0])
    w.view("client").choice(what="alpn", ours=ours, chosen=w.agreed["alpn"], rule="the server chose it")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
