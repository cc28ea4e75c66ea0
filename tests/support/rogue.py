"""A peer that breaks the rules, and the check that whoever meets it does what RFC 9846 asks.

A rogue is a connection of ours whose messages pass through a ``Tamper`` before they are hashed and sent: it
may change them, add to them or drop them. Its transcript holds what it sent, so both ends have the same keys
and a fault is found where it is, not at the Finished. Whole records are made by ``sealed`` and ``plaintext``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar
from unittest import mock

import pytest
from loopback import MAX_ROUNDS, NAME, client_config, pump, server_config

from pellucid import ClientConfig, ClientConnection, ServerConfig, ServerConnection, TLSError
from pellucid.codes import AlertDescription, AlertLevel, ContentType
from pellucid.connection import Connection
from pellucid.driver import Driver
from pellucid.errors import AlertReceived, Misuse, Reason
from pellucid.handshake.effects import Send
from pellucid.handshake.flow import Handshake
from pellucid.messages import HandshakeMessage

#: Gives what is sent in the place of a message: whole messages with their headers.
Tamper = Callable[["RogueHandshake", HandshakeMessage], Iterable[bytes]]

Message = TypeVar("Message", bound=HandshakeMessage)
C = TypeVar("C", bound=Connection)


class RogueHandshake(Handshake[Any]):
    """A handshake whose messages are tampered with; ``driver`` queues records out of turn."""

    __slots__ = ("driver", "tamper")

    tamper: Tamper
    driver: Driver

    def send_encoded(self, message: HandshakeMessage) -> Send:
        # A copy: certificate messages are encoded once and shared by all connections.
        message = copy.deepcopy(message)
        message.raw = b"".join(self.tamper(self, message))
        return super().send_encoded(message)


class RogueDriver(Driver):
    """A driver that sends nothing where nothing is left of a message."""

    __slots__ = ()

    def __init__(self, hs: Any) -> None:
        super().__init__(hs)
        hs.driver = self

    def _send_what_is_left(self, effect: Send) -> None:
        if effect.message.raw:
            self._send(effect)

    _ACTIONS: ClassVar[dict[type, Any]] = Driver._ACTIONS | {Send: _send_what_is_left}


def honest(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
    """No tampering, for a rogue that misbehaves in its records alone."""
    return [message.raw]


def edit(kind: type[Message], change: Callable[[Message], object]) -> Tamper:
    """Messages of one kind are changed and encoded again."""

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, kind):
            change(message)
            message.encode()
        return [message.raw]

    return tamper


def put(kind: type[HandshakeMessage], **values: Any) -> Tamper:
    """These fields of messages of one kind have these values."""
    return edit(kind, lambda message: [setattr(message, name, value) for name, value in values.items()])


def replace(kind: type[Message], change: Callable[[bytes], bytes]) -> Tamper:
    """The bodies of messages of one kind are changed as bytes; the header's length follows."""

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        return [framed(message.raw[0], change(message.raw[4:])) if isinstance(message, kind) else message.raw]

    return tamper


def framed(msg_type: int, body: bytes = b"") -> bytes:
    """A handshake message of any type with any body."""
    return bytes([msg_type]) + len(body).to_bytes(3, "big") + body


def _make(connection: Callable[[], C], tamper: Tamper) -> C:
    def handshake(*arguments: Any) -> RogueHandshake:
        hs = RogueHandshake(*arguments)
        hs.tamper = tamper
        return hs

    with (
        mock.patch("pellucid.connection.sides.Handshake", handshake),
        mock.patch("pellucid.connection.base.Driver", RogueDriver),
    ):
        return connection()


def rogue_client(
    tamper: Tamper = honest, config: ClientConfig | None = None, server_name: str | None = NAME
) -> ClientConnection:
    return _make(lambda: ClientConnection(config or client_config(), server_name), tamper)


def rogue_server(tamper: Tamper = honest, config: ServerConfig | None = None) -> ServerConnection:
    return _make(lambda: ServerConnection(config or server_config()), tamper)


# -- records out of turn


def plaintext(content_type: int, content: bytes, version: bytes = b"\x03\x03") -> bytes:
    """An unprotected record."""
    return bytes([content_type]) + version + len(content).to_bytes(2, "big") + content


def sealed(sender: Connection, content_type: int, content: bytes, padding: int = 0) -> bytes:
    """A record under the key that ``sender`` writes with now, whatever is in it. Nothing may be queued."""
    assert not sender._driver.writer.pending
    assert sender.data_to_send() == b""
    sealer = sender._driver.writer._sealer
    assert sealer is not None
    return sealer.seal(content_type, content, padding)


def send(sender: Connection, *messages: bytes) -> bytes:
    """Handshake messages of any kind as the next records of ``sender``."""
    for raw in messages:
        sender._driver.writer.queue(ContentType.handshake, raw)
    return sender.data_to_send()


# -- what the victim does


def run(client: Connection, server: Connection, victim: Connection) -> TLSError:
    """Carry bytes until ``victim`` fails, and give its error. The other side may fail too, and is silent."""
    other = server if victim is client else client
    for _ in range(MAX_ROUNDS):
        to_other, to_victim = victim.data_to_send(), other.data_to_send()
        assert to_other or to_victim, f"nobody speaks, and {victim} has found no fault"
        try:
            victim.receive_data(to_victim)
        except TLSError as error:
            return error
        if other.failure is None:
            try:
                other.receive_data(to_other)
            except TLSError as error:
                if error.reason is Reason.INTERNAL_ERROR:
                    raise
    raise AssertionError("client and server do not come to rest")


def assert_refused(
    victim: Connection, rogue: Connection, error: TLSError, reason: Reason, alert: AlertDescription | None
) -> None:
    """``victim`` failed for ``reason``, tells the rogue so by ``alert`` and by nothing else, and is dead."""
    assert error.reason is reason, error
    assert victim.failure is error
    assert victim.state == "FAILED"
    said = victim.data_to_send()
    if alert is None:
        assert said == b""
    else:
        assert received_alert(rogue, said) == (AlertLevel.fatal, alert)
    assert_dead(victim, error)


def received_alert(receiver: Connection, data: bytes) -> tuple[int, int]:
    """Level and description of the alert that ``receiver`` finds at the end of ``data``."""
    seen: list[bytes] = []
    on_alert = type(receiver)._on_alert

    def watch(connection: Connection, record: Any) -> None:
        seen.append(record.fragment)
        on_alert(connection, record)

    handlers = dict(type(receiver)._ON_RECORD) | {ContentType.alert: watch}
    with mock.patch.object(type(receiver), "_ON_RECORD", handlers), pytest.raises(AlertReceived):
        receiver.receive_data(data)
    return seen[-1][0], seen[-1][1]


def assert_dead(victim: Connection, error: TLSError) -> None:
    """Nothing is decrypted or sent any more."""
    assert victim.data_to_send() == b""
    with pytest.raises(TLSError) as again:
        victim.receive_data(plaintext(ContentType.handshake, b"\x00" * 8))
    assert again.value is error
    with pytest.raises(TLSError) as again:
        victim.receive_eof()
    assert again.value is error
    with pytest.raises(Misuse) as misuse:
        victim.send_data(b"more")
    assert misuse.value.reason is Reason.CONNECTION_CLOSED
    with pytest.raises(Misuse):
        victim.key_update()
    victim.close()
    assert victim.data_to_send() == b""


def client_refuses(
    tamper: Tamper,
    reason: Reason,
    alert: AlertDescription | None,
    *,
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
) -> TLSError:
    """A client meets a rogue server, and ends the handshake for ``reason``."""
    victim, rogue = ClientConnection(client or client_config(), NAME), rogue_server(tamper, server)
    error = run(victim, rogue, victim)
    assert not victim.handshake_complete
    assert_refused(victim, rogue, error, reason, alert)
    return error


def server_refuses(
    tamper: Tamper,
    reason: Reason,
    alert: AlertDescription | None,
    *,
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
) -> TLSError:
    """A server meets a rogue client, and ends the handshake for ``reason``."""
    victim, rogue = ServerConnection(server or server_config()), rogue_client(tamper, client)
    error = run(rogue, victim, victim)
    assert not victim.handshake_complete
    assert_refused(victim, rogue, error, reason, alert)
    return error


def refuses_data(
    victim: Connection, rogue: Connection, data: bytes, reason: Reason, alert: AlertDescription | None
) -> TLSError:
    """``data`` from the rogue, which has sent nothing else since the two came to rest, is refused."""
    with pytest.raises(TLSError) as caught:
        victim.receive_data(data)
    assert_refused(victim, rogue, caught.value, reason, alert)
    return caught.value


def connected_rogue(
    side: str,
    tamper: Tamper = honest,
    *,
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
) -> tuple[Connection, Connection]:
    """(victim, rogue), connected and at rest; ``side`` is the victim's."""
    victim: Connection
    rogue: Connection
    if side == "client":
        victim, rogue = ClientConnection(client or client_config(), NAME), rogue_server(tamper, server)
        pump(victim, rogue)
    else:
        victim, rogue = ServerConnection(server or server_config()), rogue_client(tamper, client)
        pump(rogue, victim)
    assert victim.handshake_complete
    assert rogue.handshake_complete
    return victim, rogue
