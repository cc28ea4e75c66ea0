"""Servers that speak no TLS: sockets that greet, answer, close, reset or say nothing."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Ends = Literal["close", "reset", "stays"]


@contextmanager
def plain_server(greeting: bytes = b"", answer: bytes = b"", ends: Ends = "close") -> Iterator[int]:
    """Its port. To one client it says ``greeting`` at once, and ``answer`` to the client's first bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        done = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, greeting, answer, ends, done), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join(20)
            assert not thread.is_alive()


def _serve(
    listener: socket.socket, greeting: bytes, answer: bytes, ends: Ends, done: threading.Event
) -> None:
    client, _ = listener.accept()
    with client:
        client.sendall(greeting)
        client.settimeout(20)
        client.recv(65536)
        client.sendall(answer)
        if ends == "stays":
            done.wait(20)
        elif ends == "reset":
            # SO_LINGER of no seconds: what close() sends is a RST.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def stalling_relay(port: int, most_bytes: int) -> Iterator[int]:
    """The port of a relay to ``port`` for one client: of what the server says, ``most_bytes`` and no more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        done = threading.Event()
        thread = threading.Thread(target=_relay, args=(listener, port, most_bytes, done), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join(20)
            assert not thread.is_alive()


def _relay(listener: socket.socket, port: int, most_bytes: int, done: threading.Event) -> None:
    client, _ = listener.accept()
    with client, socket.create_connection(("127.0.0.1", port), 20) as server:
        client.settimeout(20)
        server.sendall(client.recv(65536))
        said = b""
        while len(said) < most_bytes:
            said += server.recv(65536)
        client.sendall(said[:most_bytes])
        done.wait(20)
