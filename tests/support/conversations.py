"""Whole connections of both versions in memory: their traces, their key logs, and the bytes that went."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from loopback import NAME, clock, credential, laboratory
from raw_keys import RAW, asking, raw_credential, showing, spki, trusting

from pellucid import ClientConfig, ClientConnection, ServerConfig, ServerConnection
from pellucid.codes import ProtocolVersion
from pellucid.errors import TLSError
from pellucid.keys.key_log import key_log_line
from pellucid.sessions import SessionStore, TicketKeys
from pellucid.trace import Trace

#: Whose connections are traced.
View = Literal["both", "client", "server"]

STARTED_AT = 1_800_000_000.25

#: More than two records.
MUCH = bytes(range(256)) * 160

Wire = dict[str, bytes]


@dataclass
class Conversation:
    """One connection. ``wire``: what each side sent; ``at_handshake``: how many events there were by then."""

    trace: Trace
    key_log: list[str] = field(default_factory=list)
    wire: Wire = field(default_factory=lambda: {"client": b"", "server": b""})
    at_handshake: int = 0


def tls12(suite: str, **knobs: Any) -> dict[str, Any]:
    return {"policy": "compatible", "protocols": ["TLSv1.2"], "cipher_suites": [suite]} | knobs


def _of_rsa(**knobs: Any) -> dict[str, Any]:
    return {"credentials": [credential("rsa")]} | knobs


MUTUAL_CLIENT = {"credentials": [credential("ecdsa", "client", ("client.test",))]}
MUTUAL_SERVER = {"trust": laboratory().trust, "client_authentication": "required"}
RAW_CLIENT = {"trust": trusting(spki()), "peer_certificate_types": [RAW], **showing("ed25519")}
RAW_SERVER = {"credentials": [raw_credential()], **asking("ed25519")}
ECDHE = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
CBC = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
RSA = "TLS_RSA_WITH_AES_128_CBC_SHA"
DHE = "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"

#: By name: what client and server are configured with beside the usual.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "full": ({}, {}),
    "resumed": ({}, {}),
    "retried": ({"key_shares": ["x25519"]}, {"groups": ["secp384r1"]}),
    "mutual": (MUTUAL_CLIENT, MUTUAL_SERVER),
    "padded": ({"padding": lambda _kind, _length: 77}, {"padding": lambda _kind, _length: 3}),
    "small records": ({"record_size_limit": 64}, {"record_size_limit": 80}),
    "1.2 ecdhe": (tls12(ECDHE), tls12(ECDHE)),
    "1.2 cbc": (tls12(CBC), tls12(CBC)),
    "1.2 dhe": (tls12(DHE), _of_rsa(**tls12(DHE))),
    "1.2 rsa": (tls12(RSA), _of_rsa(**tls12(RSA))),
    "1.2 mutual": (tls12(ECDHE, **MUTUAL_CLIENT), tls12(ECDHE, **MUTUAL_SERVER)),
    "1.2 resumed": (tls12(ECDHE), tls12(ECDHE)),
}
#: With keys in place of certificates (RFC 7250), which other programs do not all follow.
RAW_KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "raw keys": (RAW_CLIENT, RAW_SERVER),
    "1.2 raw keys": (tls12(ECDHE, **RAW_CLIENT), tls12(ECDHE, **RAW_SERVER)),
}
VIEWS: tuple[View, ...] = ("both", "client", "server")


def converse(
    kind: str = "full", view: View = "both", *, ends_well: bool = True, **trace_options: Any
) -> Conversation:
    """A handshake of this kind, data each way, key updates where there are any, and close_notify each way."""
    of_client, of_server = (KINDS | RAW_KINDS)[kind]
    sessions, tickets = SessionStore(), TicketKeys(os.urandom, clock)
    for is_last in (False, True) if kind.endswith("resumed") else (True,):
        options = {"clock": itertools.count().__next__, "started_at": STARTED_AT, "limit": 10_000}
        options |= trace_options
        talk = Conversation(Trace(**options))
        traced = {side: {"trace": talk.trace} if view in ("both", side) else {} for side in talk.wire}
        client = ClientConfig(
            clock=clock, sessions=sessions, key_log=_logging(talk),
            **{"trust": laboratory().trust} | of_client, **traced["client"],
        )  # fmt: skip
        server = ServerConfig(
            **{"credentials": [credential()], "clock": clock, "tickets": tickets} | of_server,
            **traced["server"],
        )
        us, them = ClientConnection(client, NAME), ServerConnection(server)
        _carry(us, them, talk)
        talk.at_handshake = len(talk.trace.events)
        for act in _acts(us, them, much=is_last) if ends_well else ():
            act()
            _carry(us, them, talk)
    return talk


def _logging(talk: Conversation) -> Callable[[str, bytes, bytes], None]:
    return lambda *line: talk.key_log.append(key_log_line(*line))


def _acts(us: ClientConnection, them: ServerConnection, *, much: bool) -> list[Callable[[], None]]:
    tls13 = us.negotiated is not None and us.negotiated.protocol is ProtocolVersion.TLSv1_3
    return [
        partial(us.send_data, b"hello"),
        *([us.key_update] if tls13 else []),
        partial(them.send_data, MUCH if much else b"you"),
        *([partial(them.key_update, request=False)] if tls13 else []),
        partial(us.send_data, b"thank you"),
        us.close,
        them.close,
    ]


def _carry(us: ClientConnection, them: ServerConnection, talk: Conversation) -> list[TLSError]:
    """Bring bytes both ways until nobody has any; what was raised."""
    errors: list[TLSError] = []
    moved = True
    while moved:
        moved = False
        for side, source, target in (("client", us, them), ("server", them, us)):
            while out := source.data_to_send():
                moved = True
                talk.wire[side] += out
                try:
                    target.receive_data(out)
                except TLSError as error:
                    errors.append(error)
    return errors
