"""Servers that speak in the clear before TLS: STARTTLS of each protocol, and proxies, over real sockets.

Each is a script over one accepted connection, good enough for `openssl s_client -starttls` and `gnutls-cli
--starttls-proto` as well, and ends where TLS begins.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

SECONDS = 10.0  # for what should take milliseconds

Script = Callable[[socket.socket], object]


def line(sock: socket.socket) -> str:
    """The next line, byte by byte: what follows it stays in the socket."""
    data = b""
    while not data.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError("the client has left")
        data += byte
    return data.decode("ascii").rstrip("\r\n")


def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionError("the client has left")
        data += piece
    return data


def until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += exactly(sock, 1)
    return data


# -- STARTTLS


def smtp(sock: socket.socket) -> None:
    sock.sendall(b"220-mail.example ESMTP\r\n220 be welcome\r\n")
    assert line(sock).startswith("EHLO ")
    sock.sendall(b"250-mail.example\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 8BITMIME\r\n")
    assert line(sock) == "STARTTLS"
    sock.sendall(b"220 go ahead\r\n")


def imap(sock: socket.socket) -> None:
    sock.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    while True:
        tag, command = line(sock).split(" ")[:2]
        if command.upper() == "STARTTLS":
            sock.sendall(f"{tag} OK begin now\r\n".encode())
            return
        assert command.upper() == "CAPABILITY"
        sock.sendall(f"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n{tag} OK done\r\n".encode())


def pop3(sock: socket.socket) -> None:
    sock.sendall(b"+OK ready <1@mail.example>\r\n")
    command = line(sock)
    if command == "CAPA":
        sock.sendall(b"+OK here they are\r\nUSER\r\nSTLS\r\n.\r\n")
        command = line(sock)
    assert command == "STLS"
    sock.sendall(b"+OK begin\r\n")


def ftp(sock: socket.socket) -> None:
    sock.sendall(b"220-files.example\r\n be welcome\r\n220 ready\r\n")
    command = line(sock)
    if command == "FEAT":
        sock.sendall(b"211-Features:\r\n AUTH TLS\r\n211 End\r\n")
        command = line(sock)
    assert command == "AUTH TLS"
    sock.sendall(b"234 go on\r\n")


# An ExtendedResponse: number 1, success, no matchedDN, no words.
LDAP_SUCCESS = bytes.fromhex("300c020101 7807 0a0100 0400 0400")


def ldap(sock: socket.socket) -> None:
    head = exactly(sock, 2)
    assert exactly(sock, head[1])[-22:] == b"1.3.6.1.4.1.1466.20037"
    sock.sendall(LDAP_SUCCESS)


def postgres(sock: socket.socket) -> None:
    assert exactly(sock, 8) == bytes.fromhex("00000008 04d2162f")
    sock.sendall(b"S")


def mysql_greeting(capabilities: int = 0xFFFF) -> bytes:
    payload = b"\x0a8.4.0-lab\0" + (7).to_bytes(4, "little") + b"8 bytes!\0"
    payload += (
        capabilities.to_bytes(2, "little") + b"\x2d\x02\x00\xff\xc1\x15" + bytes(10) + b"12 bytes ...\0"
    )
    payload += b"caching_sha2_password\0"
    return len(payload).to_bytes(3, "little") + b"\0" + payload


def mysql(sock: socket.socket) -> None:
    sock.sendall(mysql_greeting())
    request = exactly(sock, 36)
    assert request[:4] == b"\x20\0\0\x01"
    assert int.from_bytes(request[4:8], "little") & 0x800


XMPP_STREAM = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    " id='1' from='localhost' version='1.0'>"
)
XMPP_FEATURES = (
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
    "</stream:features>"
)
XMPP_PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def xmpp(sock: socket.socket) -> None:
    stream = b""
    while not re.search(rb"<stream:stream[^>]*>$", stream):
        stream += exactly(sock, 1)
    sock.sendall((XMPP_STREAM + XMPP_FEATURES).encode())
    assert b"<starttls" in until(sock, b">")
    sock.sendall(XMPP_PROCEED.encode())


SERVERS: dict[str, Script] = {
    "smtp": smtp,
    "imap": imap,
    "pop3": pop3,
    "ftp": ftp,
    "ldap": ldap,
    "postgres": postgres,
    "mysql": mysql,
    "xmpp": xmpp,
}


# -- proxies


def http_proxy(sock: socket.socket, *, authorization: str | None = None) -> socket.socket | None:
    """One CONNECT; the connection to where it asks, or None where it was refused."""
    head = until(sock, b"\r\n\r\n").decode("ascii").split("\r\n")
    method, target, version = head[0].split(" ")
    assert (method, version) == ("CONNECT", "HTTP/1.1")
    given = [text.partition(": ")[2] for text in head if text.lower().startswith("proxy-authorization:")]
    if authorization is not None and given != [authorization]:
        sock.sendall(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=lab\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        return None
    host, _, port = target.rpartition(":")
    server = socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS)
    sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: lab\r\n\r\n")
    return server


def socks5_proxy(sock: socket.socket, *, login: tuple[bytes, bytes] | None = None) -> socket.socket | None:
    """One CONNECT of SOCKS5; as ``http_proxy``."""
    version, count = exactly(sock, 2)
    assert version == 5
    wanted = 0 if login is None else 2
    if wanted not in exactly(sock, count):
        sock.sendall(b"\x05\xff")
        return None
    sock.sendall(bytes((5, wanted)))
    if login is not None:
        user = exactly(sock, exactly(sock, 2)[1])
        password = exactly(sock, exactly(sock, 1)[0])
        sock.sendall(b"\x01\x00" if (user, password) == login else b"\x01\x01")
        if (user, password) != login:
            return None
    _, command, _, kind = exactly(sock, 4)
    assert command == 1
    match kind:
        case 1:
            host = socket.inet_ntop(socket.AF_INET, exactly(sock, 4))
        case 4:
            host = socket.inet_ntop(socket.AF_INET6, exactly(sock, 16))
        case _:
            host = exactly(sock, exactly(sock, 1)[0]).decode("ascii")
    port = int.from_bytes(exactly(sock, 2), "big")
    server = socket.create_connection((host, port), timeout=SECONDS)
    sock.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return server


def relayed(connect: Callable[[socket.socket], socket.socket | None]) -> Script:
    """A proxy: who has connected gets what the other side says, both ways, until either ends."""

    def script(sock: socket.socket) -> None:
        server = connect(sock)
        if server is None:
            return
        with server:
            back = threading.Thread(target=_copy, args=(server, sock), daemon=True)
            back.start()
            _copy(sock, server)
            back.join(SECONDS)

    return script


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


# -- listening


@contextlib.contextmanager
def listening(script: Script, *, errors: list[Exception] | None = None) -> Iterator[int]:
    """The port of a server on loopback that gives each connection to ``script`` in a thread of its own.

    What a script raises is in ``errors``, if they are wanted.
    """
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(sock: socket.socket) -> None:
            try:
                with sock:
                    sock.settimeout(SECONDS)
                    script(sock)
            except Exception as error:  # noqa: BLE001  # for whoever asks for it
                if errors is not None:
                    errors.append(error)

        def accept() -> None:
            while True:
                try:
                    sock = listener.accept()[0]
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
    accepting.join(SECONDS)
    for thread in threads:
        thread.join(SECONDS)


def then_tls(script: Script, config: Any, say: Callable[[Any], object] = lambda tls: tls.recv(1)) -> Script:
    """``script``, then TLS of ours over the same connection."""

    def whole(sock: socket.socket) -> None:
        from pellucid import wrap

        script(sock)
        with wrap(sock, config, timeout=SECONDS) as tls:
            say(tls)

    return whole
