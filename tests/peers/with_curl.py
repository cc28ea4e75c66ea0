"""curl, and a small HTTPS server of ours for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ours import Pki, Serving
from pellucid.io.blocking import TLSSocket
from pellucid.result import Negotiated
from support import program, run_peer

BULK = os.urandom(4096) * 1024  # 4 MiB

#: https://curl.se/libcurl/c/libcurl-errors.html
PARTIAL_FILE, PEER_FAILED_VERIFICATION = 18, 60

TLS13 = ("--tlsv1.3",)
TLS12 = ("--tlsv1.2", "--tls-max", "1.2")


def answer(tls: TLSSocket, requests: int = 1) -> Negotiated:
    """Serve so many requests: an upload is answered with its digest, /bulk with BULK, others with JSON."""
    with tls.makefile("rb") as incoming:
        for _ in range(requests):
            method, path, _ = incoming.readline().decode().split()
            fields = {}
            while line := incoming.readline().strip():
                name, _, value = line.decode().partition(": ")
                fields[name.lower()] = value
            body = incoming.read(int(fields.get("content-length", 0)))
            if method == "PUT":
                content = hashlib.sha256(body).hexdigest().encode()
            else:
                content = BULK if path == "/bulk" else json.dumps({"path": path}).encode()
            tls.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    return tls.negotiated


def curl(
    pki: Pki,
    server: Serving,
    path: str,
    *arguments: str | Path,
    host: str = "localhost",
    versions: Sequence[str] = TLS13,
    **options: Any,
) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    command = [program("curl") or "curl", "--silent", "--show-error", "--ipv4", *versions, "--noproxy", "*"]
    url = f"https://{host}:{server.port}{path}"
    return run_peer([*command, "--cacert", pki.root, *arguments, url], **options)


def succeeded(result: tuple[int, str]) -> str:
    code, output = result
    assert code == 0, f"exit code {code}; it printed:\n{output}"
    return output
