"""A TLS 1.2 handshake from ServerHello on, as an onlooker sees it (RFC 5246 7.3; RFC 5077 for the ticket).

client                                          server
                       <--------           ServerHello
                                           Certificate
                                    CertificateStatus*
                                    ServerKeyExchange*
                                   CertificateRequest*
                       <--------       ServerHelloDone
Certificate*
ClientKeyExchange
CertificateVerify*
[ChangeCipherSpec]
Finished               -------->
                                     NewSessionTicket*
                                    [ChangeCipherSpec]
                       <--------              Finished
[Application Data]     <------->    [Application Data]

and where a session is resumed:

                       <--------           ServerHello
                                     NewSessionTicket*
                                    [ChangeCipherSpec]
                       <--------              Finished
[ChangeCipherSpec]
Finished               -------->
"""

from __future__ import annotations

from typing import Any

from pellucid.codes import ExtensionType, SignatureScheme, name_of
from pellucid.decode.certificates import Leaf
from pellucid.decode.checks import check_signed
from pellucid.decode.clear12 import hear_in_clear
from pellucid.decode.flow import Flow, Watched, heard, heard_any
from pellucid.decode.groups12 import take_group, tell_group
from pellucid.decode.hello12 import Offered, read_hellos, tell_session
from pellucid.decode.raw_keys import judge_shown, read_types
from pellucid.decode.security12 import (
    Security,
    change_keys,
    find_premaster,
    hear_finished,
    keep_session,
    take_exchange,
    take_session,
)
from pellucid.handshake.authenticate12 import CERTIFICATES, shown_in
from pellucid.messages import CertificateVerify, ChangeCipherSpec, ClientHello, ServerHello, tls12
from pellucid.trace.events import Side

__all__ = ["flow12"]

_SHARES: dict[str, tuple[type[tls12.ServerKeyExchange], ...]] = {
    "RSA": (),
    "DHE": (tls12.ServerKeyExchangeDHE,),
    "ECDHE": (tls12.ServerKeyExchangeECDHE,),
}
_EXCHANGES: dict[str, type[tls12.ClientKeyExchange]] = {
    "RSA": tls12.ClientKeyExchangeRSA,
    "DHE": tls12.ClientKeyExchangeDHE,
    "ECDHE": tls12.ClientKeyExchangeECDHE,
}


def flow12(w: Watched, hello: ClientHello, server_hello: ServerHello) -> Flow[None]:
    """To be entered behind the ServerHello."""
    security, offered = read_hellos(w, hello, server_hello)
    if security.suite is not None:
        w.transcript.start(security.suite.hash_name, keep=True)
    read_types(w, server_hello.extensions)
    if not security.key_exchange:
        detail = f"The server chose {security.suite_name}."
        return (yield from hear_in_clear(w, "unknown_cipher_suite", detail, tls12_forms=True))
    if offered is not None and offered.echoed:
        take_session(w, security, offered.by, offered.name)
    sends_ticket = ExtensionType.session_ticket in server_hello.extensions
    state = "WAIT_CERT"
    if offered is not None and offered.echoed:
        state = "WAIT_TICKET" if sends_ticket else "WAIT_CCS"
    shown = CERTIFICATES[w.types.server]
    message = yield from heard(w, "server", state, shown, tls12.NewSessionTicket, ChangeCipherSpec)
    if offered is not None and offered.undecided:
        tell_session(w, offered, resumed=not isinstance(message, shown))
    if isinstance(message, tls12.Certificate | tls12.CertificateRawPublicKey):
        complete = yield from _full(w, security, server_hello, message)
    else:
        complete = yield from _resumed(w, security, offered, message)
    if complete:
        yield from _go_on(w)
    return None


def _full(
    w: Watched,
    security: Security,
    server_hello: ServerHello,
    certificate: tls12.Certificate | tls12.CertificateRawPublicKey,
) -> Flow[bool]:
    w.agreed["resumed"] = False
    encrypts = security.key_exchange == "RSA"
    leaf = judge_shown(w, "server", shown_in(certificate).ders, key_exchange=encrypts)
    group, asks = yield from _rest_of_server(w, security, server_hello, leaf)

    w.agreed["mutual"] = False
    ders: tuple[bytes, ...] = ()
    client: Leaf | None = None
    if asks:
        shown = yield from heard(w, "client", "WAIT_CERT", CERTIFICATES[w.types.client])
        ders = shown_in(shown).ders
        client = judge_shown(w, "client", ders)

    def answers(_: Side, exchange: tls12.ClientKeyExchange) -> None:
        if group:
            tell_group(w, group)
        find_premaster(w, security, leaf, exchange)

    yield from heard(w, "client", "WAIT_CKE", _EXCHANGES[security.key_exchange], before=answers)
    take_exchange(w, security, leaf)
    if ders:
        yield from _client_proof(w, client)
    return (yield from _finish(w, security, server_hello))


def _rest_of_server(
    w: Watched, security: Security, server_hello: ServerHello, leaf: Leaf | None
) -> Flow[tuple[str, bool]]:
    """From behind the Certificate to the ServerHelloDone: the group, and whether the client is asked."""
    shares = _SHARES[security.key_exchange]
    due: tuple[type[Any], ...] = shares or (tls12.CertificateRequest, tls12.ServerHelloDone)
    state = "WAIT_SKE" if shares else "WAIT_CR"
    # RFC 6066 8: a server that has said it would "MAY" still leave it out.
    announced = ExtensionType.status_request in server_hello.extensions
    first = "WAIT_STATUS" if announced else state
    message = yield from heard(w, "server", first, tls12.CertificateStatus, *due)
    if isinstance(message, tls12.CertificateStatus):
        message = yield from heard(w, "server", state, *due)
    group = ""
    if isinstance(message, tls12.ServerKeyExchange):
        # RFC 5246 7.4.3: both randoms are signed with it, so that it is of this handshake.
        content = w.client_random + security.server_random + message.signed_params
        check_signed(w, "server_key_exchange", message, leaf, "server", content, tls12=True)
        w.agreed["signature_scheme"] = name_of(message.algorithm, SignatureScheme)
        group = take_group(w, message)
        message = yield from heard(w, "server", "WAIT_CR", tls12.CertificateRequest, tls12.ServerHelloDone)
    asks = isinstance(message, tls12.CertificateRequest)
    if asks:
        yield from heard(w, "server", "WAIT_SHD", tls12.ServerHelloDone)
    return group, asks


def _client_proof(w: Watched, leaf: Leaf | None) -> Flow[None]:
    # RFC 5246 7.4.8: all messages so far are signed, not their hash.
    signed = w.transcript.messages
    message = yield from heard(w, "client", "WAIT_CV", CertificateVerify)
    check_signed(w, "certificate_verify", message, leaf, "client", signed, tls12=True)


def _finish(w: Watched, security: Security, server_hello: ServerHello) -> Flow[bool]:
    """Both Finished, the client's first."""
    keep_session(w, security, "session ID", server_hello.legacy_session_id_echo)
    yield from heard(w, "client", "WAIT_CCS", ChangeCipherSpec)
    change_keys(w, security, "client")
    client_ok = yield from hear_finished(w, security, "client")
    w.let_run("client")
    # RFC 5077 3.3: it "MUST be sent if the server included a SessionTicket extension in the ServerHello"
    sends_ticket = ExtensionType.session_ticket in server_hello.extensions
    state = "WAIT_TICKET" if sends_ticket else "WAIT_CCS"
    message = yield from heard(w, "server", state, tls12.NewSessionTicket, ChangeCipherSpec)
    if isinstance(message, tls12.NewSessionTicket):
        keep_session(w, security, "ticket", message.ticket)
        yield from heard(w, "server", "WAIT_CCS", ChangeCipherSpec)
    change_keys(w, security, "server")
    server_ok = yield from hear_finished(w, security, "server")
    return _connected(w, {"server": client_ok, "client": client_ok and server_ok})


def _resumed(
    w: Watched,
    security: Security,
    offered: Offered | None,
    message: tls12.NewSessionTicket | ChangeCipherSpec,
) -> Flow[bool]:
    """The abbreviated handshake: the server speaks first, and nobody shows a certificate."""
    if offered is not None and not offered.echoed:
        take_session(w, security, offered.by, offered.name)
    elif offered is None:
        w.seal_both("not_followed", "The server goes on with a session that the client has not offered.")
        return False
    if isinstance(message, tls12.NewSessionTicket):
        keep_session(w, security, "ticket", message.ticket)
        yield from heard(w, "server", "WAIT_CCS", ChangeCipherSpec)
    change_keys(w, security, "server")
    server_ok = yield from hear_finished(w, security, "server")
    w.let_run("server")
    yield from heard(w, "client", "WAIT_CCS", ChangeCipherSpec)
    change_keys(w, security, "client")
    client_ok = yield from hear_finished(w, security, "client")
    return _connected(w, {"client": server_ok, "server": server_ok and client_ok})


def _connected(w: Watched, verified: dict[Side, bool]) -> bool:
    """By side: whether it has verified what it needs to; in the order in which they come to know it."""
    w.is_heard_out = True
    for side, ok in verified.items():
        if ok:
            w.connected(side)
            w.view(side).state(name="CONNECTED")
    return all(verified.values())


def _go_on(w: Watched) -> Flow[None]:
    """Data, which no flow hears of; but either side may ask for another handshake (RFC 5246 7.4.1)."""
    while True:
        _, message = yield from heard_any(
            w, {"client": (ClientHello,), "server": (tls12.HelloRequest, ServerHello)}
        )
        if isinstance(message, ServerHello):
            w.seal_both(
                "not_followed",
                "Client and server shake hands once more (renegotiation).",
            )
            return
