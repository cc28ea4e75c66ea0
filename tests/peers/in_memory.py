"""Peers without sockets: OpenSSL as a library, and bytes carried between it and us by hand."""

from __future__ import annotations

import ssl
from typing import Any

from pellucid import ClientConfig, ClientConnection, ServerConfig, ServerConnection
from pellucid.connection import Connection
from pellucid.events import DataReceived


class Theirs:
    """A connection of pyOpenSSL in memory; a client where it has the server's name."""

    def __init__(self, context: Any, server_name: str | None = None, session: Any = None) -> None:
        from OpenSSL import SSL

        self.connection = SSL.Connection(context)
        self.received = b""
        self.closed = False
        self._nothing_yet = SSL.WantReadError
        self._closed = SSL.ZeroReturnError
        self._established = False
        if session is not None:
            self.connection.set_session(session)
        if server_name is None:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
            self.connection.set_tlsext_host_name(server_name.encode())

    def take(self, data: bytes) -> None:
        """Bytes from us; what data they bring is in `received`. Raises `SSL.Error`."""
        if data:
            self.connection.bio_write(data)
        try:
            if not self._established:
                self.connection.do_handshake()
                self._established = True
            while True:
                self.received += self.connection.recv(65536)
        except self._nothing_yet:
            pass
        except self._closed:
            self.closed = True

    def give(self) -> bytes:
        """Bytes for us."""
        out = b""
        try:
            while True:
                out += self.connection.bio_read(65536)
        except self._nothing_yet:
            return out

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def close(self) -> None:
        """Send close_notify; without, OpenSSL takes its session for unusable."""
        self.connection.shutdown()

    @property
    def version(self) -> str | None:
        return str(self.connection.get_protocol_version_name())

    @property
    def suite(self) -> str | None:
        """As OpenSSL calls it."""
        return self.connection.get_cipher_name()


class TheirsInSsl:
    """The same of the standard library."""

    def __init__(
        self, context: ssl.SSLContext, server_name: str | None = None, session: ssl.SSLSession | None = None
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_name is None,
            server_hostname=server_name,
            session=session,
        )
        self.received = b""
        self.closed = False
        self._established = False

    def take(self, data: bytes) -> None:
        """Bytes from us; what data they bring is in `received`. Raises `ssl.SSLError`."""
        self._incoming.write(data)
        try:
            if not self._established:
                self.connection.do_handshake()
                self._established = True
            while piece := self.connection.read(65536):
                self.received += piece
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # once it has closed, too
            self.closed = True

    def give(self) -> bytes:
        """Bytes for us."""
        return self._outgoing.read()

    def send(self, data: bytes) -> None:
        self.connection.write(data)

    def close(self) -> None:
        """Answer the close_notify that has come; without, OpenSSL takes its session for unusable."""
        self.connection.unwrap()

    @property
    def version(self) -> str | None:
        return self.connection.version()

    @property
    def suite(self) -> str | None:
        """As OpenSSL calls it."""
        cipher = self.connection.cipher()
        return cipher[0] if cipher else None


AnyOfTheirs = Theirs | TheirsInSsl


def exchange(ours: Connection, theirs: AnyOfTheirs, piece: int = 1 << 20) -> list[Any]:
    """Carry bytes both ways, at most `piece` at a time to us, until both are silent; our events."""
    events: list[Any] = []
    for _ in range(100):
        outgoing = b"".join(iter(ours.data_to_send, b""))
        theirs.take(outgoing)
        incoming = theirs.give()
        for at in range(0, len(incoming), piece):
            events += ours.receive_data(incoming[at : at + piece])
        if not outgoing and not incoming:
            return events
    raise AssertionError("the two do not come to rest")


def our_client(config: ClientConfig, theirs: AnyOfTheirs) -> ClientConnection:
    """Connected to this server of theirs."""
    ours = ClientConnection(config, "localhost")
    exchange(ours, theirs)
    return ours


def our_server(config: ServerConfig, theirs: AnyOfTheirs) -> ServerConnection:
    """Connected to this client of theirs."""
    ours = ServerConnection(config)
    exchange(ours, theirs)
    return ours


def assert_data_flows(
    ours: Connection, theirs: AnyOfTheirs, there: bytes = b"from us", back: bytes = b"from them"
) -> None:
    theirs.received = b""
    ours.send_data(there)
    theirs.send(back)
    events = exchange(ours, theirs)
    assert theirs.received == there
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == back


def close_both(ours: Connection, theirs: AnyOfTheirs) -> list[Any]:
    """We first; our events."""
    ours.close()
    exchange(ours, theirs)
    theirs.close()
    return exchange(ours, theirs)
