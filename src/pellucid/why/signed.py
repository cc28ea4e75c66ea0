"""What a server has signed in one connection, put together again from the trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.codes import SignatureScheme
from pellucid.crypto.suites import SUITES
from pellucid.errors import TLSError
from pellucid.handshake.proofs import certificate_verify_content
from pellucid.keys import Transcript
from pellucid.messages import CertificateVerify, ClientHello, HandshakeMessage, ServerHello, tls12
from pellucid.trace.events import Event, MessageEvent

__all__ = ["ServerSignature", "server_signature"]


@dataclass(frozen=True, slots=True)
class ServerSignature:
    """A signature of the handshake: the scheme that the server names, its bytes, what they are to sign."""

    scheme: SignatureScheme | int
    signature: bytes
    content: bytes


def server_signature(own: Sequence[Event]) -> ServerSignature | None:
    """Of a client's events: the server's CertificateVerify or ServerKeyExchange, and its content.

    None where neither came, or cannot be read.
    """
    messages = [event for event in own if isinstance(event, MessageEvent)]
    names = {"CertificateVerify": _in_13, "ServerKeyExchange": _in_12}
    for position, event in enumerate(messages):
        if event.direction == "received" and event.name in names:
            try:
                return names[event.name](messages[:position], event)
            except TLSError:
                return None  # the bytes are the peer's
    return None


def _in_13(before: Sequence[MessageEvent], event: MessageEvent) -> ServerSignature | None:
    """RFC 9846 4.5.2: the hash of all messages before it, where they lead up to it."""
    signed, hello = _read(event), _read_first(before, "ServerHello")
    if not isinstance(signed, CertificateVerify) or not isinstance(hello, ServerHello):
        return None
    suite = SUITES.get(hello.cipher_suite)
    if suite is None:
        return None
    transcript = Transcript()
    for message in before:
        if message.name == "HelloRetryRequest":
            transcript.start(suite.hash_name)
            transcript.replace_with_message_hash()
        transcript.add(message.raw)
    transcript.start(suite.hash_name)
    content = certificate_verify_content("server", transcript.digest())
    return ServerSignature(signed.algorithm, signed.signature, content)


def _in_12(before: Sequence[MessageEvent], event: MessageEvent) -> ServerSignature | None:
    """RFC 5246 7.4.3: both randoms and the parameters."""
    signed = _read(event)
    ours, theirs = _read_first(before, "ClientHello"), _read_first(before, "ServerHello")
    if not isinstance(signed, tls12.ServerKeyExchange):
        return None
    if not isinstance(ours, ClientHello) or not isinstance(theirs, ServerHello):
        return None
    content = ours.random + theirs.random + signed.signed_params
    return ServerSignature(signed.algorithm, signed.signature, content)


def _read_first(messages: Sequence[MessageEvent], name: str) -> HandshakeMessage | None:
    return next((_read(event) for event in messages if event.name == name), None)


def _read(event: MessageEvent) -> HandshakeMessage | None:
    if event.cls is None or not issubclass(event.cls, HandshakeMessage):
        return None
    return event.cls.decode(event.raw)
