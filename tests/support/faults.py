"""Lies by the dozen: how to make them, what they have in common, and whom they are told to.

A ``Fault`` is one broken rule: who breaks it, in which message, and what the other side has to say.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from tampering import Lie, lying

from pellucid import ExternalPsk, TLSError
from pellucid.codes import ExtensionType
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.messages import HandshakeMessage
from pellucid.messages import extensions as ext

Side = Literal["client", "server"]
PSK = ExternalPsk(b"an identity", b"sixteen bytes or more")
MUTUAL = ({"credentials": [credential(purpose="client")]}, {"client_authentication": "required"})
RETRY = ({"groups": ["x25519", "secp256r1"], "key_shares": ["x25519"]}, {"groups": ["secp256r1"]})
ALPN = ({"alpn_protocols": ["h2", "http/1.1"]}, {"alpn_protocols": ["h2"]})
ONLY_13 = {"protocols": ["TLSv1.3"]}
ONLY_X25519 = ({"groups": ["x25519"]}, {"groups": ["x25519"]})
WITH_PSK = ({"psks": [PSK]}, {"psks": [PSK], "credentials": []})
Knobs = tuple[dict[str, Any], dict[str, Any]]


class Fault(NamedTuple):
    liar: Side
    message: type[HandshakeMessage]
    lie: Lie
    error: type[TLSError]
    reason: Reason
    knobs: Knobs = ({}, {})


def truly(_: Any) -> None:
    """No lie: what the configuration makes it say is the fault."""


def put(**values: Any) -> Lie:
    """Set fields of a message."""

    def lie(message: Any) -> None:
        for name, value in values.items():
            setattr(message, name, value)

    return lie


def add(*bodies: ext.ExtensionBody) -> Lie:
    return lambda message: message.extensions.add(*bodies)


def drop(code: ExtensionType) -> Lie:
    return lambda message: message.extensions.pop(code)


def change(body: type[ext.ExtensionBody], **values: Any) -> Lie:
    """Set fields of an extension of a message."""
    return lambda message: put(**values)(message.extensions.find(body))


def raw_extension(code: ExtensionType, data: bytes = b"") -> Lie:
    return lambda message: message.extensions.update({code: ext.UnknownExtension(data)})


def flipped(name: str, at: int = 0) -> Lie:
    def lie(message: Any) -> None:
        value = bytearray(getattr(message, name))
        value[at] ^= 1
        setattr(message, name, bytes(value))

    return lie


def to_first_entry(lie: Lie) -> Lie:
    return lambda message: lie(message.certificate_list[0])


def second(lie: Lie) -> Lie:
    """To tell the truth the first time."""
    told: list[Any] = []

    def later(message: Any) -> None:
        told.append(message)
        if len(told) == 2:
            lie(message)

    return later


def fail(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> tuple[Connection, Connection, TLSError]:
    """Shake hands with a liar; gives the liar, the one who was lied to, and what that one raised."""
    lying(monkeypatch, fault.liar, {fault.message: fault.lie})
    client, server = connect_pair(client_config(**fault.knobs[0]), server_config(**fault.knobs[1]))
    with pytest.raises(TLSError) as caught:
        pump(client, server)
    liar, victim = (client, server) if fault.liar == "client" else (server, client)
    return liar, victim, caught.value
