"""Servers that decide by the ClientHello what they are to a client: good, or of another kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from investigating import found

from pellucid.codes import ExtensionType
from pellucid.config import ClientConfig
from pellucid.connection import ServerConnection
from pellucid.errors import PeerIncompatible, Reason, TLSError
from pellucid.faults import Bench, Peer
from pellucid.faults.peers import Speaker
from pellucid.faults.tampering import TamperedServer, refusing
from pellucid.messages import ClientHello, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.why import Finding

_RECORD_HEADER = 5

Judge = Callable[[ClientHello], Peer]


class Gate(Peer):
    """Reads the ClientHello and leaves the rest to the peer that ``judge`` gives for it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._start = b""
        self._chosen: Peer | None = None

    def data_to_send(self) -> bytes:
        sent = self._chosen.data_to_send() if self._chosen else b""
        self.ending = self._chosen.ending if self._chosen else self.ending
        return sent

    def receive_data(self, data: bytes) -> None:
        if self._chosen is None:
            self._start += data
            length = int.from_bytes(self._start[3:_RECORD_HEADER], "big")
            if len(self._start) < _RECORD_HEADER + length or not length:
                return
            hello = decode_handshake(self._start[_RECORD_HEADER : _RECORD_HEADER + length], [ClientHello])
            assert isinstance(hello, ClientHello)
            self._chosen = self._judge(hello)
            data = self._start
        self._chosen.receive_data(data)
        self.ending = self._chosen.ending

    def receive_eof(self) -> None:
        assert self._chosen is not None
        self._chosen.receive_eof()


def good(bench: Bench, **settings: Any) -> Peer:
    return Speaker(ServerConnection(bench.server(**settings)), b"")


def refusal(bench: Bench, error: TLSError) -> Peer:
    return Speaker(TamperedServer(bench.server(), tamper=refusing(lambda: error)), b"")


def handshake_failure(bench: Bench) -> Peer:
    return refusal(bench, PeerIncompatible(Reason.NO_SHARED_CIPHER_SUITE, "a gate"))


def unless(bench: Bench, passes: Callable[[ClientHello], bool], otherwise: Callable[[], Peer]) -> Finding:
    """What is found out about a server that is good to hellos that pass."""

    def judge(hello: ClientHello) -> Peer:
        return good(bench) if passes(hello) else otherwise()

    return found(lambda: Gate(judge), client(bench))


def client(bench: Bench, **settings: Any) -> ClientConfig:
    return ClientConfig(trust=bench.laboratory.trust, **settings)


def offers_tls13(hello: ClientHello) -> bool:
    return ExtensionType.supported_versions in hello.extensions


def hybrids_in(hello: ClientHello) -> bool:
    shares = hello.extensions.find(ext.KeyShareClientHello)
    return shares is not None and any(len(entry.key_exchange) > 1000 for entry in shares.client_shares)
