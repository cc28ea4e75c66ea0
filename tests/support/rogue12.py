"""Rogues of TLS 1.2: handshakes of each key exchange to break, and the ChangeCipherSpec to break them with.

In TLS 1.2 the switch to keys is a step that can be left out, repeated or moved like a message, so a rogue has
a ``Switch`` beside its ``Tamper``: the records that it sends in the place of its ChangeCipherSpec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple
from unittest import mock

from loopback import NAME, client_config, credential, laboratory, server_config, shake_hands
from rogue import RogueDriver, RogueHandshake, Tamper, assert_dead, framed, honest, run

from pellucid import ClientConfig, ClientConnection, ServerConfig, ServerConnection, TLSError
from pellucid.codes import AlertDescription, AlertLevel, ContentType, HandshakeType, SignatureScheme
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.handshake import effects as fx
from pellucid.messages import HandshakeMessage, ServerHello, tls12
from pellucid.record import RecordWriter

Side = Literal["client", "server"]


class Exchange(NamedTuple):
    """A key exchange: a suite that has it, a certificate for that, and its two messages."""

    suite: str
    kind: str
    server: type[tls12.ServerKeyExchange] | None
    client: type[tls12.ClientKeyExchange]


EXCHANGES = {
    "ECDHE_ECDSA": Exchange(
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ecdsa",
        tls12.ServerKeyExchangeECDHE,
        tls12.ClientKeyExchangeECDHE,
    ),
    "ECDHE_RSA": Exchange(
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "rsa",
        tls12.ServerKeyExchangeECDHE,
        tls12.ClientKeyExchangeECDHE,
    ),
    "DHE_RSA": Exchange(
        "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "rsa", tls12.ServerKeyExchangeDHE, tls12.ClientKeyExchangeDHE
    ),
    "RSA": Exchange("TLS_RSA_WITH_AES_128_GCM_SHA256", "rsa", None, tls12.ClientKeyExchangeRSA),
}
GROUPS = ["x25519", "secp256r1", "ffdhe2048"]


def client_of(exchange: str = "ECDHE_ECDSA", **knobs: Any) -> ClientConfig:
    """A client of TLS 1.2 with one suite of this key exchange; ``knobs`` as for ``client_config``."""
    defaults = {"protocols": ["TLSv1.2"], "cipher_suites": [EXCHANGES[exchange].suite], "groups": GROUPS}
    return client_config(**(defaults | knobs))


def server_of(exchange: str = "ECDHE_ECDSA", **knobs: Any) -> ServerConfig:
    """A server for the same."""
    defaults = {
        "protocols": ["TLSv1.2"],
        "cipher_suites": [EXCHANGES[exchange].suite],
        "groups": GROUPS,
        "credentials": [credential(EXCHANGES[exchange].kind)],
    }
    return server_config(**(defaults | knobs))


@cache
def mutual_client_of(exchange: str = "ECDHE_ECDSA") -> ClientConfig:
    """One that shows a certificate, and keeps no sessions."""
    return client_of(exchange, credentials=[credential("ecdsa", "client")], sessions=None)


@cache
def mutual_server_of(exchange: str = "ECDHE_ECDSA") -> ServerConfig:
    """One that wants to see it."""
    return server_of(exchange, client_authentication="required", trust=laboratory().trust)


By = Literal["ticket", "session ID"]


def met12(
    exchange: str = "ECDHE_ECDSA", by: By = "ticket", **knobs: Any
) -> tuple[ClientConfig, ServerConfig]:
    """A client and a server that have shaken hands: the next time the session is resumed."""
    client, server = client_of(exchange, **knobs), server_of(exchange, tickets=by == "ticket")
    shake_hands(client, server)
    return client, server


def server_flight(exchange: str) -> tuple[type[HandshakeMessage], ...]:
    """What a server that asks for a certificate says in answer to the ClientHello."""
    share = EXCHANGES[exchange].server
    middle = () if share is None else (share,)
    return (ServerHello, tls12.Certificate, *middle, tls12.CertificateRequest, tls12.ServerHelloDone)


def client_flight(exchange: str) -> tuple[type[HandshakeMessage], ...]:
    """What a client with a certificate says to that, up to its ChangeCipherSpec and Finished."""
    return tls12.Certificate, EXCHANGES[exchange].client, tls12.CertificateVerify


# -- rogues

#: A content type and a content: a record that is queued.
Piece = tuple[int, bytes]
CHANGE_CIPHER_SPEC: Piece = (ContentType.change_cipher_spec, b"\x01")

#: Gives what is sent in the place of a ChangeCipherSpec, before the keys.
Switch = Callable[["Rogue12Handshake"], Iterable[Piece]]


def switching(*pieces: Piece) -> Switch:
    return lambda _hs: pieces


usual = switching(CHANGE_CIPHER_SPEC)


class Rogue12Handshake(RogueHandshake):
    """``switch``: as above. ``protects``: whether what follows is under the keys."""

    __slots__ = ("protects", "switch")

    switch: Switch
    protects: bool


class Rogue12Driver(RogueDriver):
    """A driver that leaves it to the rogue how the keys come into use."""

    __slots__ = ()

    def _switch(self, effect: fx.SendChangeCipherSpec) -> None:
        if effect.disguise:
            self._send_change_cipher_spec(effect)
            return
        for content_type, content in self._hs.switch(self._hs):
            self.writer.queue(content_type, content)

    def _protect(self, effect: fx.InstallCipher) -> None:
        if effect.direction == "read" or self._hs.protects:
            self._install_cipher(effect)

    _ACTIONS: ClassVar[dict[type, Any]] = RogueDriver._ACTIONS | {
        fx.SendChangeCipherSpec: _switch,
        fx.InstallCipher: _protect,
    }


def rogue12(
    side: Side,
    config: ClientConfig | ServerConfig,
    tamper: Tamper = honest,
    switch: Switch = usual,
    *,
    protects: bool = True,
) -> Connection:
    """A rogue of either side."""

    def handshake(*arguments: Any) -> Rogue12Handshake:
        hs = Rogue12Handshake(*arguments)
        hs.tamper, hs.switch, hs.protects = tamper, switch, protects
        return hs

    with (
        mock.patch("pellucid.connection.sides.Handshake", handshake),
        mock.patch("pellucid.connection.base.Driver", Rogue12Driver),
    ):
        if isinstance(config, ClientConfig):
            return ClientConnection(config, NAME)
        return ServerConnection(config)


def meeting(
    victim_side: Side,
    client: ClientConfig,
    server: ServerConfig,
    tamper: Tamper = honest,
    switch: Switch = usual,
    *,
    protects: bool = True,
) -> tuple[Connection, Connection, Connection, Connection]:
    """(client, server, victim, rogue), before they have exchanged a byte."""
    if victim_side == "client":
        victim: Connection = ClientConnection(client, NAME)
        rogue = rogue12("server", server, tamper, switch, protects=protects)
        return victim, rogue, victim, rogue
    victim = ServerConnection(server)
    rogue = rogue12("client", client, tamper, switch, protects=protects)
    return rogue, victim, victim, rogue


def refused12(
    victim_side: Side,
    reason: Reason,
    alert: AlertDescription | None,
    tamper: Tamper = honest,
    switch: Switch = usual,
    *,
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    protects: bool = True,
    connected: bool = False,
) -> TLSError:
    """The victim ends its connection to a rogue for ``reason``, with ``alert`` and nothing else.

    ``connected``: its handshake was complete by then, for what is wrong comes behind the rogue's Finished.
    """
    one, other, victim, _ = meeting(
        victim_side,
        client or client_of(sessions=None),
        server or server_of(),
        tamper,
        switch,
        protects=protects,
    )
    with alerts_of(victim) as alerts:
        error = run(one, other, victim)
    assert error.reason is reason, error
    assert victim.failure is error
    assert victim.state == "FAILED"
    assert victim.handshake_complete is connected
    said = records(victim.data_to_send())
    if alert is None:
        assert (alerts, said) == ([], [])
    else:
        # A rogue that was answered what it did not expect can read no more: what is queued tells.
        assert alerts == [bytes((AlertLevel.fatal, alert))]
        assert [content_type for content_type, _ in said].index(ContentType.alert) == len(said) - 1
    assert_dead(victim, error)
    return error


@contextmanager
def alerts_of(connection: Connection) -> Iterator[list[bytes]]:
    """The alerts that the connection queues meanwhile."""
    queue = RecordWriter.queue
    alerts: list[bytes] = []

    def watch(writer: RecordWriter, content_type: int, content: bytes) -> None:
        if content_type == ContentType.alert and writer is connection._driver.writer:
            alerts.append(content)
        queue(writer, content_type, content)

    with mock.patch.object(RecordWriter, "queue", watch):
        yield alerts


def records(data: bytes) -> list[Piece]:
    """What goes over the wire, by record: the type and the fragment."""
    found = []
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        found.append((data[0], data[5:end]))
        data = data[end:]
    return found


def messages_in(data: bytes) -> list[bytes]:
    """The handshake messages of a flight in clear, with their headers."""
    stream = b"".join(
        fragment for content_type, fragment in records(data) if content_type == ContentType.handshake
    )
    found = []
    while stream:
        end = 4 + int.from_bytes(stream[1:4], "big")
        found.append(stream[:end])
        stream = stream[end:]
    return found


def signing(params: bytes) -> Tamper:
    """A ServerKeyExchange of these parameters, truly signed by the server for this connection."""
    random: list[bytes] = []

    def tamper(hs: Any, message: HandshakeMessage) -> list[bytes]:
        if isinstance(message, ServerHello):
            random.append(message.random)
        if not isinstance(message, tls12.ServerKeyExchange):
            return [message.raw]
        assert isinstance(message.algorithm, SignatureScheme)
        content = hs.client_random + random[0] + params
        signature = hs.config.credentials[0].sign(message.algorithm, content, tls12=True)
        end = message.algorithm.to_bytes(2, "big") + len(signature).to_bytes(2, "big") + signature
        return [framed(HandshakeType.server_key_exchange, params + end)]

    return tamper
