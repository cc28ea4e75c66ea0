"""A server in whose flow somebody meddles: at one step it says or does something else than it should.

What is changed in a message is changed before it is hashed, so that both sides' transcripts are the same: a
client that does not look for the fault gets through, and does not find another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from pellucid.config import ServerConfig
from pellucid.connection import Connection, ServerConnection
from pellucid.driver import trace_view
from pellucid.errors import TLSError
from pellucid.handshake.effects import Flow, Receive, Send
from pellucid.handshake.flow import Handshake
from pellucid.messages import HandshakeMessage

__all__ = [
    "STOPPED",
    "Edit",
    "Tamper",
    "TamperedServer",
    "edited",
    "left_out",
    "refusing",
    "replaced",
    "stopping_before",
]

#: Gives what is said in the place of a message.
Edit = Callable[[HandshakeMessage], HandshakeMessage]
#: Gives what is done in the place of an effect, None being nothing, or raises what the server fails with.
Tamper = Callable[[Any], Any]

Message = TypeVar("Message", bound=HandshakeMessage)

#: The state of a flow that has stopped.
STOPPED = "STOPPED"

_HEADER_LENGTH = 4


class TamperedServer(ServerConnection):
    """The server's side, whose messages go through ``edit`` and whose effects through ``tamper``."""

    def __init__(
        self, config: ServerConfig, *, edit: Edit | None = None, tamper: Tamper | None = None
    ) -> None:
        hs = _Handshake("server", config, trace_view(config, "server"))
        hs.edit = edit
        flow = self._flow(hs)
        # Not ServerConnection's, which would make a handshake of its own.
        Connection.__init__(self, hs, _tampered(flow, tamper) if tamper else flow)


class _Handshake(Handshake[ServerConfig]):
    __slots__ = ("edit",)

    edit: Edit | None

    def send_encoded(self, message: HandshakeMessage) -> Send:
        return super().send_encoded(self.edit(message) if self.edit else message)


def _tampered(flow: Flow[None], tamper: Tamper) -> Flow[None]:
    effect = next(flow)
    while True:
        replaced = tamper(effect)
        try:
            answer = None if replaced is None else (yield replaced)
        except TLSError as error:
            effect = flow.throw(error)
        else:
            effect = flow.send(answer)


def edited(kind: type[Message], change: Callable[[Message], object]) -> Edit:
    """Messages of one kind are changed and encoded again."""

    def edit(message: HandshakeMessage) -> HandshakeMessage:
        if not isinstance(message, kind):
            return message
        # A copy: messages with certificates are encoded once and shared by all connections.
        changed = copy.deepcopy(message)
        change(changed)
        changed.encode()
        return changed

    return edit


def replaced(kind: type[HandshakeMessage], change: Callable[[bytes], bytes]) -> Edit:
    """The bodies of messages of one kind are changed as bytes; the header's length follows."""

    def edit(message: HandshakeMessage) -> HandshakeMessage:
        if not isinstance(message, kind):
            return message
        changed = copy.deepcopy(message)
        body = change(message.raw[_HEADER_LENGTH:])
        changed.raw = message.raw[:1] + len(body).to_bytes(3, "big") + body
        return changed

    return edit


def left_out(kind: type[HandshakeMessage]) -> tuple[Edit, Tamper]:
    """Messages of one kind are never said, nor hashed; both are needed for that."""

    def silence(message: HandshakeMessage) -> HandshakeMessage:
        if not isinstance(message, kind):
            return message
        silent = copy.deepcopy(message)
        silent.raw = b""
        return silent

    def skip(effect: Any) -> Any:
        return None if isinstance(effect, Send) and not effect.message.raw else effect

    return silence, skip


def refusing(error: Callable[[], TLSError]) -> Tamper:
    """The ClientHello is answered by the alert for this error, whatever it offers."""

    def tamper(effect: Any) -> Any:
        if isinstance(effect, Receive) and effect.state == "START":
            return effect
        raise error()

    return tamper


def stopping_before(*kinds: type[HandshakeMessage]) -> Tamper:
    """The first message of one of these kinds is never sent, nor is anything after it."""

    def tamper(effect: Any) -> Any:
        if isinstance(effect, Send) and isinstance(effect.message, kinds):
            return Receive(STOPPED, ())
        return effect

    return tamper
