"""Conversations of TLS 1.2 as captures, and what `decode` makes of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from loopback import NAME, NOW, client12, clock, credential, laboratory, pump, server12

from pellucid import ClientConnection, ServerConnection, TLSError
from pellucid.codes import CipherSuite
from pellucid.crypto.suites12 import SUITES12
from pellucid.decode import Decoded, Decoder, KeyMaterial
from pellucid.identity import TrustStore
from pellucid.keys import CipherKeys, key_log_line
from pellucid.record import sealer12
from pellucid.sessions import SessionCache, SessionStore, TicketKeys
from pellucid.trace import Trace
from pellucid.trace.events import (
    CheckEvent,
    Event,
    KeysEvent,
    MessageEvent,
    RecordEvent,
    SealedEvent,
    SecretEvent,
    Side,
    other_side,
)
from pellucid.trace.pcapng import write_pcapng

RSA = "TLS_RSA_WITH_AES_128_GCM_SHA256"
RSA_CBC = "TLS_RSA_WITH_AES_256_CBC_SHA256"
DHE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
ECDHE = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
CBC = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"

MUTUAL_CLIENT: dict[str, Any] = {"credentials": [credential("ecdsa", "client", ("client.test",))]}
MUTUAL_SERVER: dict[str, Any] = {"trust": laboratory().trust, "client_authentication": "required"}

Act = Callable[[ClientConnection, ServerConnection], None]


@dataclass
class Talk:
    """Connections one after the other between the same two: their traces, and the lines of the key log.

    ``errors``: what either side has raised.
    """

    traces: list[Trace] = field(default_factory=list)
    key_log: list[str] = field(default_factory=list)
    errors: list[TLSError] = field(default_factory=list)

    def capture(self, *, with_keys: bool = True) -> bytes:
        """As a file, with the key log in it or without."""
        return b"".join(write_pcapng(self.traces, self.key_log if with_keys else ()))


def rsa_key() -> Any:
    """The private key that belongs to the tests' credential "rsa"."""
    return laboratory().issue("rsa", (NAME, "127.0.0.1")).private_key


def say_something(us: ClientConnection, them: ServerConnection) -> None:
    """Data each way, and close_notify."""
    for act in (lambda: us.send_data(b"hello"), lambda: them.send_data(b"you" * 9), us.close, them.close):
        act()
        pump(us, them)


def talk12(
    suite: str,
    *,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    times: int = 1,
    act: Act = say_something,
) -> Talk:
    """So many connections with this suite; the later ones resume if they can. ``act``: what is done then."""
    talk, sessions = Talk(), SessionStore()
    kept = {"tickets": TicketKeys(os.urandom, clock), "session_cache": SessionCache()}
    usual = {"policy": "compatible", "cipher_suites": [suite]}
    shown = {"credentials": [credential("rsa" if "_RSA_" in suite else "ecdsa")]}
    for number in range(times):
        ticks = itertools.count(step=0.001)
        trace = Trace(reveal_secrets=True, clock=ticks.__next__, started_at=NOW + 10 * number, limit=10_000)
        talk.traces.append(trace)
        seen = {"trace": trace, "key_log": lambda *line: talk.key_log.append(key_log_line(*line))}
        us = ClientConnection(client12(**(usual | {"sessions": sessions} | seen | (client or {}))), NAME)
        them = ServerConnection(server12(**(usual | kept | shown | {"trace": trace} | (server or {}))))
        talk.errors += carry(us, them)
        if us.handshake_complete and them.handshake_complete:
            act(us, them)
    return talk


def carry(us: ClientConnection, them: ServerConnection) -> list[TLSError]:
    """Bring bytes both ways until nobody has any, alerts as well; what was raised."""
    errors: list[TLSError] = []
    while moved := [(them, us.data_to_send()), (us, them.data_to_send())]:
        if not any(data for _, data in moved):
            break
        for target, data in moved:
            try:
                target.receive_data(data)
            except TLSError as error:
                errors.append(error)
    return errors


def add_record(trace: Trace, side: Side, content_type: int, content: bytes) -> None:
    """One more record that ``side`` sends under its keys, behind what it has sent in ``trace``.

    What our own connections never do, such as to renegotiate, is done with this.
    """
    keys = next(
        e for e in trace.events if isinstance(e, KeysEvent) and (e.side, e.direction) == (side, "write")
    )
    parts = [part for part in (keys.mac_key, keys.key, keys.iv) if isinstance(part, bytes)]
    sealer = sealer12(
        SUITES12[CipherSuite[keys.cipher_suite]], CipherKeys(*parts), encrypt_then_mac=False, entropy=bytes
    )
    sent = (e for e in trace.events if isinstance(e, RecordEvent) and (e.side, e.direction) == (side, "sent"))
    sealer.sequence = sum(record.encrypted for record in sent)
    raw = sealer.seal(content_type, content)
    for view, direction in ((trace.view(side), "sent"), (trace.view(other_side(side)), "received")):
        view.record(
            direction=direction,  # type: ignore[arg-type]
            content_type=content_type,
            length=len(raw) - 5,
            encrypted=True,
            header=raw[:5],
            content_length=len(content),
            raw=raw,
        )


def decode(
    capture: bytes,
    *,
    key_log: str = "",
    private_key: Any = None,
    trust: TrustStore | None = None,
    reveal_secrets: bool = True,
) -> list[Decoded]:
    """All connections of the capture. ``trust`` None: the laboratory's."""
    keys = KeyMaterial()
    keys.add_key_log(key_log)
    if private_key is not None:
        keys.add_private_key(private_key)
    decoder = Decoder(
        BytesIO(capture), keys=keys, trust=trust or laboratory().trust, reveal_secrets=reveal_secrets
    )
    return list(decoder.connections())


def events_of(decoded: Decoded) -> list[Event]:
    assert decoded.trace is not None
    return decoded.trace.events


def messages(events: list[Event]) -> list[tuple[str, str, str, str]]:
    """Side, direction, name and bytes of each."""
    return [
        (event.side, event.direction, event.name, event.raw.hex())
        for event in events
        if isinstance(event, MessageEvent)
    ]


def secrets(events: list[Event]) -> dict[tuple[str, str], object]:
    """By side and name."""
    return {(event.side, event.name): event.value for event in events if isinstance(event, SecretEvent)}


def checks(events: list[Event], what: str = "") -> list[CheckEvent]:
    """All, or those of one kind."""
    found = [event for event in events if isinstance(event, CheckEvent)]
    return [event for event in found if not what or event.what == what]


def sealed(decoded: Decoded) -> list[tuple[str, str]]:
    """Side and reason of what stays closed, the client's first."""
    told = [event for event in events_of(decoded) if isinstance(event, SealedEvent)]
    found = sorted((one.side, one.reason, one.detail) for one in told)
    assert found == sorted((one.side, one.reason, one.detail) for one in decoded.sealed)
    return [(side, reason) for side, reason, _ in found]


def names(decoded: Decoded) -> list[str]:
    """Of the messages, where they were sent."""
    found = (event for event in events_of(decoded) if isinstance(event, MessageEvent))
    return [event.name for event in found if event.direction == "sent"]


def detail(decoded: Decoded) -> str:
    [found] = {event.detail for event in decoded.sealed}
    return found


def raw_of(talk: Talk, name: str) -> bytes:
    """The first message with this name in the first connection."""
    return next(e.raw for e in talk.traces[0].events if isinstance(e, MessageEvent) and e.name == name)
