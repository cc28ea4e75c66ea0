"""What happens below TLS, or instead of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.connection import ServerConnection
from pellucid.faults.bench import Bench
from pellucid.faults.fault import Fault, Prepare, broken, detected
from pellucid.faults.pages import page
from pellucid.faults.peers import Ending, Lossy, Peer, Script, Sieve, Speaker
from pellucid.faults.tampering import TamperedServer, stopping_before
from pellucid.messages import Certificate, tls12

__all__ = ["TRANSPORT"]

_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 38\r\nConnection: close\r\n\r\n"
    b"This is plain HTTP, and not HTTP+TLS.\n"
)
_SMTP = b"220 localhost ESMTP ready\r\n"
_SMTP_ANSWER = b"500 5.5.2 Syntax error, command unrecognized\r\n"
_SSH = b"SSH-2.0-OpenSSH_9.2\r\n"

#: What of a ClientHello goes into one packet of Ethernet's 1,500 bytes (IPv6, TCP with timestamps), and is
#: exceeded by one with a post-quantum key share.
_ONE_PACKET_BYTES = 1400

#: And of a server's answer into two, over IPv4 with timestamps.
_TWO_PACKETS_BYTES = 2 * 1448

_WAITS = 7  # exit code of a timeout

# RFC 9846 6.1: who closes says so, and a peer that has only closed its own side can hear it.
_CLOSES_TOO: dict[str, Any] = {"alert": "close_notify", "direction": "sent"}


def _script(answer: bytes = b"", ending: Ending | None = None, greeting: bytes = b"") -> Prepare:
    return lambda _bench: lambda: Script(answer, ending, greeting=greeting)


def _stopping(ending: Ending | None) -> Prepare:
    def prepare(bench: Bench) -> Callable[[], Peer]:
        config = bench.server()
        tamper = stopping_before(Certificate, tls12.Certificate)
        return lambda: Speaker(TamperedServer(config, tamper=tamper), page(), stopped=ending)

    return prepare


def _cut(where: str) -> Prepare:
    def prepare(bench: Bench) -> Callable[[], Peer]:
        config = bench.server()
        return lambda: Speaker(ServerConnection(config), page(), cut=where)

    return prepare


def _losing_packets(bench: Bench) -> Callable[[], Peer]:
    many = (*bench.names, *(f"server-{number:02}.pellucid.example" for number in range(1, 100)))
    config = bench.server(bench.laboratory.issue("ecdsa", many).credential)
    return lambda: Lossy(_TWO_PACKETS_BYTES, Speaker(ServerConnection(config), page()))


def _silent_to_large(bench: Bench) -> Callable[[], Peer]:
    config = bench.server()
    return lambda: Sieve(_ONE_PACKET_BYTES, lambda: Speaker(ServerConnection(config), page()))


TRANSPORT: tuple[Fault, ...] = (
    broken("not_tls", "Plain HTTP on the port.", _script(_HTTP, Ending.CLOSE), exit_code=8),
    broken(
        "not_tls_smtp",
        "A mail server on the port, which speaks first and wants STARTTLS.",
        _script(_SMTP_ANSWER, Ending.CLOSE, _SMTP),
        exit_code=8,
        diagnosis="not_tls",
    ),
    broken(
        "not_tls_ssh",
        "An SSH server on the port.",
        _script(b"", Ending.CLOSE, _SSH),
        exit_code=8,
        diagnosis="not_tls",
    ),
    broken(
        "closed_after_client_hello",
        "The server closes the connection when it has the ClientHello.",
        _script(ending=Ending.CLOSE),
        exit_code=4,
        **_CLOSES_TOO,
    ),
    broken(
        "reset_after_client_hello",
        "The server resets the connection when it has the ClientHello.",
        _script(ending=Ending.RESET),
        exit_code=4,
    ),
    broken(
        "silent_after_client_hello",
        "The server never answers.",
        _script(),
        exit_code=_WAITS,
    ),
    broken(
        "silent_to_large_client_hello",
        f"The server never answers a ClientHello of more than {_ONE_PACKET_BYTES:,} bytes, as if something on"
        " the way lost what does not fit into one packet.",
        _silent_to_large,
        exit_code=_WAITS,
        diagnosis="silent_after_client_hello",
        needs="a client with a post-quantum key share, or other large extensions",
    ),
    broken(
        "stalled_mid_flight",
        "The server begins, and falls silent before its certificate.",
        _stopping(None),
        exit_code=_WAITS,
    ),
    broken(
        "stalled_mid_flight_packets",
        f"Of a long certificate the first {_TWO_PACKETS_BYTES:,} bytes come, as if what is behind two packets"
        " were lost on the way.",
        _losing_packets,
        exit_code=_WAITS,
        diagnosis="stalled_mid_flight",
    ),
    broken(
        "closed_during_handshake",
        "The server begins, and closes the connection before its certificate.",
        _stopping(Ending.CLOSE),
        exit_code=4,
        **_CLOSES_TOO,
    ),
    broken(
        "reset_during_handshake",
        "The server begins, and resets the connection before its certificate.",
        _stopping(Ending.RESET),
        exit_code=4,
        diagnosis="closed_during_handshake",
    ),
    detected(
        "truncated",
        "After the handshake TCP ends, without close_notify: whoever cuts the line can do this.",
        _cut("before"),
        completes=True,
    ),
    detected(
        "truncated_answer",
        "TCP ends in the middle of the answer to a request, without close_notify.",
        _cut("inside"),
        diagnosis="truncated",
        completes=True,
        needs="a client that sends a request",
    ),
)
