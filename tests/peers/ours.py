"""Our side of a test against a real peer: a laboratory in files, our servers in a thread, what they do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pellucid.config import ClientConfig, ServerConfig
from pellucid.identity import Credential, TrustStore
from pellucid.identity.lab import Issued, Laboratory
from pellucid.io.blocking import TLSSocket, connect, listen
from pellucid.keys.key_log import key_log_line
from pellucid.result import Negotiated
from pellucid.trace import AlertEvent, MessageEvent, Trace
from support import DEADLINE_SECONDS, program, run_peer

#: No handshake or exchange takes so long, on any machine; a test that waits in vain ends then.
SECONDS = 15.0

#: The name in the certificates of clients.
CLIENT_NAME = "client.test"

Purpose = Literal["server", "client"]
Handler = Callable[[TLSSocket], Any]


class Pki:
    """One laboratory as pellucid's objects, and as the files that other programs want."""

    def __init__(self, folder: Path, laboratory: Laboratory | None = None) -> None:
        self.laboratory = laboratory or Laboratory(None, time.time())
        self.folder = folder
        self.root = self._write("root.pem", self.laboratory.root_pem)
        self.intermediate = self._write("intermediate.pem", self.laboratory.intermediate_pem)
        #: Has signed nothing that anybody here shows, unless the test says so.
        self.other_laboratory = Laboratory(None, time.time())
        self.other_root = self._write("other.pem", self.other_laboratory.root_pem)
        self._issued: dict[tuple[str, ...], Issued] = {}

    def issued(
        self,
        kind: str = "ecdsa",
        purpose: Purpose = "server",
        name: str = "localhost",
        issuer: Literal["intermediate", "root"] = "intermediate",
    ) -> Issued:
        """A certificate; the same one each time, so that sessions go on to fit."""
        arguments = (kind, purpose, name, issuer)
        if arguments not in self._issued:
            names = [name, "127.0.0.1", "::1"] if purpose == "server" else [name]
            self._issued[arguments] = self.laboratory.issue(kind, names, purpose, issuer=issuer)
        return self._issued[arguments]

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def files(self, *arguments: Any, **named: Any) -> tuple[Path, Path]:
        """The chain, leaf first, and the key, of what `issued` with these arguments gives."""
        issued = self.issued(*arguments, **named)
        stem = f"{issued.certificate.serial_number:x}"
        return self._write(f"{stem}.pem", issued.chain_pem), self._write(f"{stem}.key", issued.key_pem)

    def client_files(self, kind: str = "ecdsa") -> tuple[Path, Path]:
        """The same of a client's certificate."""
        return self.files(kind, "client", CLIENT_NAME)

    def credential(
        self, kind: str = "ecdsa", purpose: Purpose = "server", name: str = "localhost"
    ) -> Credential:
        return self.issued(kind, purpose, name).credential

    def server(self, kind: str = "ecdsa", **options: Any) -> ServerConfig:
        return ServerConfig(**{"credentials": [self.credential(kind)], **options})

    def mutual_server(self, **options: Any) -> ServerConfig:
        trusting = {"client_authentication": "required", "trust": self.laboratory.trust}
        return self.server(**(trusting | options))

    def client(self, **options: Any) -> ClientConfig:
        return ClientConfig(**{"trust": self.laboratory.trust, "sessions": None, **options})

    def client_credential(self, kind: str = "ecdsa") -> Credential:
        return self.credential(kind, "client", CLIENT_NAME)


@dataclass(frozen=True)
class OpensslPki:
    """A root and a certificate for localhost that the `openssl` program has made."""

    root: Path
    chain: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, algorithm: str, *options: str) -> Self:
        """With a key of `algorithm`, as `openssl genpkey` names it, and its options "name:value"."""
        root, root_key, chain, key = (folder / name for name in ("root", "root_key", "chain", "key"))
        request = ["req", "-x509", "-days", "30", "-noenc", "-config", "/dev/null"]
        subject = ["-subj", "/CN=OpenSSL", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        _openssl(
            *[*request, *subject, "-keyout", root_key, "-out", root],
            *["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"],
        )
        pairs = [word for option in options for word in ("-pkeyopt", option)]
        _openssl("genpkey", "-algorithm", algorithm, *pairs, "-out", key)
        _openssl(
            *[*request, "-subj", "/CN=leaf", "-key", key, "-CA", root, "-CAkey", root_key, "-out", chain],
            *["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
            *["-addext", "keyUsage=critical,digitalSignature"],
            *["-addext", "extendedKeyUsage=serverAuth,clientAuth"],
        )
        return cls(root, chain, key)

    @property
    def credential(self) -> Credential:
        return Credential.from_files(self.chain, self.key)

    @property
    def trust(self) -> TrustStore:
        return TrustStore.from_files(self.root)


def _openssl(*arguments: str | Path) -> None:
    code, output = run_peer([program("openssl") or "openssl", *arguments])
    assert code == 0, output


class Serving:
    """A listening server of ours: its port, and what its handlers returned or raised."""

    def __init__(self, port: int, futures: list[Future[Any]]) -> None:
        self.port = port
        self._futures = futures

    def result(self, index: int = 0) -> Any:
        return self._futures[index].result(DEADLINE_SECONDS)

    def exception(self, index: int = 0) -> BaseException | None:
        return self._futures[index].exception(DEADLINE_SECONDS)

    @property
    def failures(self) -> list[BaseException]:
        ended = [future for future in self._futures if future.done() and not future.cancelled()]
        return [error for future in ended if (error := future.exception()) is not None]


@contextmanager
def serving(config: ServerConfig, *handlers: Handler) -> Iterator[Serving]:
    """A server of ours that gives its n-th connection to the n-th handler.

    Where the test fails, the message shows what went wrong in the server as well.
    """
    with ThreadPoolExecutor(1) as pool, listen("127.0.0.1", 0, config, timeout=SECONDS) as listener:

        def run(handler: Handler) -> Any:
            with listener.accept(timeout=SECONDS) as tls:
                return handler(tls)

        server = Serving(listener.address[1], [pool.submit(run, handler) for handler in handlers])
        try:
            yield server
        except BaseException as error:
            for failure in server.failures:
                error.add_note(f"our server failed with {type(failure).__name__}: {failure}")
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def connected(port: int, config: ClientConfig, name: str = "localhost") -> TLSSocket:
    """A client of ours, connected to a loopback port."""
    return connect("127.0.0.1", port, config, name, timeout=SECONDS)


def shout(tls: TLSSocket) -> Negotiated:
    """Answer all that comes in upper case, to the peer's close_notify."""
    while data := tls.recv(65536):
        tls.sendall(data.upper())
    return tls.negotiated


def receive_all(tls: TLSSocket) -> bytes:
    return b"".join(iter(lambda: tls.recv(65536), b""))


def receive_until(tls: TLSSocket, end: bytes) -> bytes:
    """Data up to and with `end`; AssertionError if the peer closes before."""
    data = b""
    while end not in data:
        piece = tls.recv(65536)
        assert piece, f"the peer closed after {data!r}, before {end!r} came"
        data += piece
    return data


class KeyLines:
    """A key log in memory, to compare with the peer's."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, label: str, client_random: bytes, secret: bytes, /) -> None:
        self.lines.append(key_log_line(label, client_random, secret))

    def assert_all_in(self, file: Path, least: int = 4) -> None:
        """Ours are four secrets at least, one in TLS 1.2, and the peer has written each of them."""
        self.assert_all_among(file.read_text().splitlines(), least)

    def assert_all_among(self, theirs: Iterable[str], least: int = 4) -> None:
        """The same where the peer's lines are in memory."""
        assert len({line.split()[0] for line in self.lines}) >= least
        assert set(self.lines) <= set(theirs)


def messages(trace: Trace) -> list[str]:
    """The names of the handshake messages, in order."""
    return [event.name for event in trace.events if isinstance(event, MessageEvent)]


def alerts(trace: Trace, direction: str) -> list[str]:
    """The descriptions of the alerts that were "sent" or "received"."""
    return [
        event.description
        for event in trace.events
        if isinstance(event, AlertEvent) and event.direction == direction
    ]


def assert_printed(text: str, output: str) -> None:
    """`text` is in what a peer has printed; the message shows all of that."""
    if text not in output:
        raise AssertionError(f"{text!r} is not in what the peer printed:\n{output}")


def printed_hex(output: str, pattern: str) -> str:
    """The hex digits that follow `pattern` in a peer's output, in lower case."""
    match = re.search(pattern + r"\s*([0-9A-Fa-f]+)", output)
    assert match, f"nothing like {pattern!r} in:\n{output}"
    return match[1].lower()
