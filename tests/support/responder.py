"""An authority on loopback: OCSP responses by POST and a CRL by GET, as it is told to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.x509 import ocsp


class Authority:
    """``answer`` gets the serial number that is asked about, and gives DER; ``crl`` is what a GET gets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Callable[[int], bytes] = lambda _serial: b""
        self.crl = b""
        self.status = 200
        #: Method, path and Content-Type of each request.
        self.requests: list[tuple[str, str, str | None]] = []


class _Handler(BaseHTTPRequestHandler):
    authority: Authority

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ocsp.load_der_ocsp_request(body)
        self._give(self.authority.answer(request.serial_number), "application/ocsp-response")

    def do_GET(self) -> None:
        self._give(self.authority.crl, "application/pkix-crl")

    def _give(self, body: bytes, kind: str) -> None:
        self.authority.requests.append((self.command, self.path, self.headers["Content-Type"]))
        self.send_response(self.authority.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing to standard error."""


@contextmanager
def authority() -> Iterator[Authority]:
    """One that listens on a free port, and is gone afterwards."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {})) as server:
        server.RequestHandlerClass.authority = one = Authority(f"http://127.0.0.1:{server.server_port}/")  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()
