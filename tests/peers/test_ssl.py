"""The standard library's `ssl` (OpenSSL) as client and as server, against pellucid over loopback."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import AlertReceived, CertificateRejected, PeerMisbehaved, Reason
from pellucid.identity.lab import Issued, Laboratory
from pellucid.io import aio
from pellucid.io.blocking import TLSSocket, connect, listen
from pellucid.keys.key_log import key_log_line
from pellucid.sessions import SessionStore
from pellucid.trace import MessageEvent, Trace

SECONDS = 20.0
BULK = os.urandom(4096) * 512  # 2 MiB

pytestmark = [
    pytest.mark.peer("standard library ssl", "module:ssl"),
    pytest.mark.skipif(not ssl.HAS_TLSv1_3, reason="this OpenSSL has no TLS 1.3"),
]


@dataclass
class Pki:
    """One laboratory as both libraries want it."""

    laboratory: Laboratory
    folder: Path

    def file(self, issued: Issued) -> str:
        path = self.folder / f"{issued.certificate.serial_number:x}.pem"
        path.write_bytes(issued.chain_pem + issued.key_pem)
        return str(path)

    def ssl_server(self, kind: str = "ecdsa") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.file(self.laboratory.issue(kind)))
        return context

    def ssl_client(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.laboratory.root_pem.decode())
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def server(self, kind: str = "ecdsa", **options: Any) -> ServerConfig:
        return ServerConfig(credentials=[self.laboratory.credential(kind)], **options)

    def client(self, **options: Any) -> ClientConfig:
        return ClientConfig(**{"trust": self.laboratory.trust, "sessions": None, **options})

    def client_certificate(self) -> Issued:
        return self.laboratory.issue(names=["client.test"], purpose="client")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(Laboratory(b"tests against ssl", time.time()), tmp_path_factory.mktemp("pki"))


Handler = Callable[[Any], Any]


@contextmanager
def ssl_serving(context: ssl.SSLContext, *handlers: Handler) -> Iterator[tuple[Any, list[Future[Any]]]]:
    """An ssl server that gives its n-th connection to the n-th handler."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(SECONDS)

        def run(handler: Handler) -> Any:
            raw, _ = listener.accept()
            raw.settimeout(SECONDS)
            with raw, context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False) as tls:
                return handler(tls)

        yield listener.getsockname(), [pool.submit(run, handler) for handler in handlers]


@contextmanager
def serving(config: ServerConfig, *handlers: Handler) -> Iterator[tuple[Any, list[Future[Any]]]]:
    """The same with a server of ours."""
    with listen("127.0.0.1", 0, config, timeout=SECONDS) as listener, ThreadPoolExecutor(1) as pool:

        def run(handler: Handler) -> Any:
            with listener.accept(timeout=SECONDS) as tls:
                return handler(tls)

        yield listener.address, [pool.submit(run, handler) for handler in handlers]


@contextmanager
def ssl_connected(
    context: ssl.SSLContext, address: Any, name: str = "localhost", **options: Any
) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(address, SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=name, suppress_ragged_eofs=False, **options) as tls,
    ):
        yield tls


def connected(address: Any, config: ClientConfig, name: str = "localhost") -> TLSSocket:
    return connect(*address, config, name, timeout=SECONDS)


def receive_all(tls: Any) -> bytes:
    return b"".join(iter(lambda: tls.recv(65536), b""))


def receive_exactly(tls: Any, size: int) -> bytes:
    with tls.makefile("rb") as file:
        return bytes(file.read(size))


def echo_once(tls: Any) -> None:
    tls.sendall(tls.recv(65536))


def answer_all(tls: Any) -> None:
    """Read to the peer's close_notify, and only then answer."""
    tls.sendall(receive_all(tls)[::-1])


def close_with_notify(tls: ssl.SSLSocket) -> None:
    """OpenSSL's one-sided close: send close_notify, do not wait for the peer's."""
    tls.settimeout(0)
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        tls.settimeout(SECONDS)


def names_of_messages(trace: Trace) -> list[str]:
    return [event.name for event in trace.events if isinstance(event, MessageEvent)]


# -- our client, their server


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "rsa", "ed25519"])
def test_our_client_talks_to_an_ssl_server(pki: Pki, kind: str) -> None:
    with ssl_serving(pki.ssl_server(kind), echo_once) as (address, [served]):
        with connected(address, pki.client()) as tls:
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"
            assert tls.negotiated.protocol.label == "TLSv1.3"
        served.result(SECONDS)


@pytest.mark.parametrize(
    "suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
)
def test_our_client_and_an_ssl_server_agree_on_the_suite(pki: Pki, suite: str) -> None:
    with ssl_serving(pki.ssl_server(), lambda tls: tls.cipher()) as (address, [served]):
        with connected(address, pki.client(cipher_suites=[suite])) as tls:
            assert tls.negotiated.cipher_suite.name == suite
        assert served.result(SECONDS)[0] == suite


def test_bulk_from_our_client_to_an_ssl_server_and_back(pki: Pki) -> None:
    with ssl_serving(pki.ssl_server(), answer_all) as (address, [served]):
        with connected(address, pki.client()) as tls:
            tls.sendall(BULK)
            tls.shutdown()  # a half close: OpenSSL may still answer
            assert receive_exactly(tls, len(BULK)) == BULK[::-1]
        served.result(SECONDS)


def test_our_client_retries_for_an_ssl_server_with_another_group(pki: Pki) -> None:
    context = pki.ssl_server()
    context.set_ecdh_curve("secp384r1")
    trace = Trace()
    with ssl_serving(context, echo_once) as (address, _), connected(address, pki.client(trace=trace)) as tls:
        tls.sendall(b"second attempt")
        assert tls.recv(100) == b"second attempt"
        assert tls.negotiated.group.name == "secp384r1"
    assert "HelloRetryRequest" in names_of_messages(trace)


def test_our_client_authenticates_itself_to_an_ssl_server(pki: Pki) -> None:
    context = pki.ssl_server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pki.laboratory.root_pem.decode())
    credentials = [pki.client_certificate().credential]
    with ssl_serving(context, lambda tls: tls.getpeercert()) as (address, [served]):
        with connected(address, pki.client(credentials=credentials)) as tls:
            assert tls.negotiated.mutual
        assert ("DNS", "client.test") in served.result(SECONDS)["subjectAltName"]


def test_our_client_hears_that_an_ssl_server_wants_a_certificate(pki: Pki) -> None:
    context = pki.ssl_server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pki.laboratory.root_pem.decode())
    with ssl_serving(context, echo_once) as (address, [served]):
        with (
            connected(address, pki.client()) as tls,
            pytest.raises(AlertReceived, match="certificate_required"),
        ):
            tls.recv(1)
        assert isinstance(served.exception(SECONDS), ssl.SSLError)


def test_our_client_resumes_a_session_of_an_ssl_server(pki: Pki) -> None:
    def served(tls: ssl.SSLSocket) -> bool | None:
        echo_once(tls)
        return tls.session_reused

    config = pki.client(sessions=SessionStore())
    outcomes = []
    with ssl_serving(pki.ssl_server(), served, served) as (address, results):
        for result in results:
            with connected(address, config) as tls:
                tls.sendall(b"hello")  # the answer comes behind the tickets
                tls.recv(100)
                outcomes.append(tls.negotiated.resumed)
            assert result.result(SECONDS) is outcomes[-1]
    assert outcomes == [False, True]


def test_our_client_and_an_ssl_server_agree_on_alpn(pki: Pki) -> None:
    context = pki.ssl_server()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        ssl_serving(context, lambda tls: tls.selected_alpn_protocol()) as (address, [served]),
        connected(address, pki.client(alpn_protocols=["http/1.1", "h2"])) as tls,
    ):
        assert tls.negotiated.alpn == served.result(SECONDS) == "h2"


def test_an_ssl_server_hears_why_our_client_rejects_it(pki: Pki) -> None:
    with ssl_serving(pki.ssl_server(), echo_once) as (address, [served]):
        with pytest.raises(CertificateRejected) as caught:
            connected(address, pki.client(), "elsewhere.test")
        assert caught.value.reason is Reason.HOSTNAME_MISMATCH
        with pytest.raises(ssl.SSLError, match="BAD_CERTIFICATE"):
            served.result(SECONDS)


def test_our_client_tells_close_notify_of_an_ssl_server_from_a_truncation(pki: Pki) -> None:
    def close(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"whole")
        close_with_notify(tls)

    def cut(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"partial")
        tls.shutdown(socket.SHUT_WR)

    with ssl_serving(pki.ssl_server(), close, cut) as (address, _):
        with connected(address, pki.client()) as tls:
            assert receive_all(tls) == b"whole"
        with connected(address, pki.client()) as tls:
            assert tls.recv(100) == b"partial"
            with pytest.raises(PeerMisbehaved) as caught:
                tls.recv(100)
    assert caught.value.reason is Reason.TRUNCATED


def test_an_ssl_server_sees_our_clients_close_notify(pki: Pki) -> None:
    with ssl_serving(pki.ssl_server(), receive_all) as (address, [served]):
        with connected(address, pki.client()) as tls:
            tls.sendall(b"all of it")
        assert served.result(SECONDS) == b"all of it"  # it does not suppress ragged ends


def test_our_client_and_an_ssl_server_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    context = pki.ssl_server()
    context.keylog_filename = str(tmp_path / "server")
    lines: list[str] = []
    config = pki.client(key_log=lambda *secret: lines.append(key_log_line(*secret)))
    with ssl_serving(context, echo_once) as (address, _), connected(address, config) as tls:
        tls.sendall(b"hello")
        tls.recv(100)
    theirs = set((tmp_path / "server").read_text().splitlines())
    assert len({line.split()[0] for line in lines}) >= 4
    assert set(lines) <= theirs


# -- our server, their client


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519"])
def test_an_ssl_client_talks_to_our_server(pki: Pki, kind: str) -> None:
    with serving(pki.server(kind), echo_once) as (address, [served]):
        with ssl_connected(pki.ssl_client(), address) as tls:
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"
            assert tls.version() == "TLSv1.3"
        served.result(SECONDS)


def test_an_ssl_client_without_a_name_to_send_talks_to_our_server(pki: Pki) -> None:
    with (
        serving(pki.server(), echo_once) as (address, _),
        ssl_connected(pki.ssl_client(), address, "127.0.0.1") as tls,
    ):
        tls.sendall(b"hello")
        assert tls.recv(100) == b"hello"


@pytest.mark.parametrize(
    "suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
)
def test_our_server_chooses_the_suite_for_an_ssl_client(pki: Pki, suite: str) -> None:
    with serving(pki.server(cipher_suites=[suite]), lambda tls: tls.negotiated) as (address, [served]):
        with ssl_connected(pki.ssl_client(), address) as tls:
            cipher = tls.cipher()
            assert cipher is not None
            assert cipher[0] == suite
        assert served.result(SECONDS).cipher_suite.name == suite


def test_bulk_from_an_ssl_client_to_our_server_and_back(pki: Pki) -> None:
    def answer(tls: TLSSocket) -> None:
        tls.sendall(receive_exactly(tls, len(BULK))[::-1])

    with serving(pki.server(), answer) as (address, _), ssl_connected(pki.ssl_client(), address) as tls:
        tls.sendall(BULK)
        assert receive_all(tls) == BULK[::-1]


def test_our_server_makes_an_ssl_client_retry_with_another_group(pki: Pki) -> None:
    trace = Trace()
    with serving(pki.server(groups=["secp384r1"], trace=trace), echo_once) as (address, [served]):
        with ssl_connected(pki.ssl_client(), address) as tls:
            tls.sendall(b"second attempt")
            assert tls.recv(100) == b"second attempt"
        served.result(SECONDS)
    assert "HelloRetryRequest" in names_of_messages(trace)


def test_an_ssl_client_brings_back_our_cookie(pki: Pki) -> None:
    config = pki.server(groups=["secp384r1"], cookie=True)
    with serving(config, echo_once) as (address, _), ssl_connected(pki.ssl_client(), address) as tls:
        tls.sendall(b"with a cookie")
        assert tls.recv(100) == b"with a cookie"


def test_an_ssl_client_authenticates_itself_to_our_server(pki: Pki) -> None:
    context = pki.ssl_client()
    client = pki.client_certificate()
    context.load_cert_chain(pki.file(client))
    config = pki.server(client_authentication="required", trust=pki.laboratory.trust)
    with serving(config, lambda tls: tls.negotiated) as (address, [served]):
        with ssl_connected(context, address) as tls:
            assert tls.recv(1) == b""
        negotiated = served.result(SECONDS)
    assert negotiated.mutual
    assert negotiated.peer_chain[0] == client.credential.chain[0]


def test_an_ssl_client_hears_that_our_server_wants_a_certificate(pki: Pki) -> None:
    config = pki.server(client_authentication="required", trust=pki.laboratory.trust)
    with serving(config, echo_once) as (address, [served]):
        with (
            ssl_connected(pki.ssl_client(), address) as tls,
            pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
        ):
            tls.recv(1)
        assert served.exception(SECONDS) is not None


def test_an_ssl_client_resumes_a_session_of_our_server(pki: Pki) -> None:
    def served(tls: TLSSocket) -> bool:
        echo_once(tls)
        return tls.negotiated.resumed

    context = pki.ssl_client()
    session: ssl.SSLSession | None = None
    outcomes = []
    with serving(pki.server(), served, served) as (address, results):
        for result in results:
            with ssl_connected(context, address, session=session) as tls:
                tls.sendall(b"hello")
                tls.recv(100)
                session = tls.session
                outcomes.append(tls.session_reused)
            assert result.result(SECONDS) is outcomes[-1]
    assert outcomes == [False, True]


def test_an_ssl_client_and_our_server_agree_on_alpn(pki: Pki) -> None:
    context = pki.ssl_client()
    context.set_alpn_protocols(["http/1.1", "h2"])
    config = pki.server(alpn_protocols=["h2", "http/1.1"])
    with serving(config, lambda tls: tls.negotiated.alpn) as (address, [served]):
        with ssl_connected(context, address) as tls:
            assert tls.selected_alpn_protocol() == "h2"
        assert served.result(SECONDS) == "h2"


def test_our_server_hears_why_an_ssl_client_rejects_it(pki: Pki) -> None:
    context = ssl.create_default_context(cadata=pki.laboratory.root_pem.decode())
    with serving(pki.server(), echo_once) as (address, [served]):
        with pytest.raises(ssl.SSLCertVerificationError), ssl_connected(context, address, "elsewhere.test"):
            pass
        error = served.exception(SECONDS)
    assert isinstance(error, AlertReceived)


def test_an_ssl_client_that_allows_only_older_versions_is_told(pki: Pki) -> None:
    context = ssl.create_default_context(cadata=pki.laboratory.root_pem.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(pki.server(protocols=["TLSv1.3"]), echo_once) as (address, [served]):
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"), ssl_connected(context, address):
            pass
        error = served.exception(SECONDS)
    assert getattr(error, "reason", None) is Reason.NO_SHARED_VERSION


def test_our_server_tells_close_notify_of_an_ssl_client_from_a_truncation(pki: Pki) -> None:
    with serving(pki.server(), receive_all, receive_all) as (address, [closed, cut]):
        with ssl_connected(pki.ssl_client(), address) as tls:
            tls.sendall(b"whole")
            close_with_notify(tls)
            assert closed.result(SECONDS) == b"whole"
        with ssl_connected(pki.ssl_client(), address) as tls:
            tls.sendall(b"partial")
            tls.shutdown(socket.SHUT_WR)
            error = cut.exception(SECONDS)
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.TRUNCATED


def test_an_ssl_client_sees_our_servers_close_notify(pki: Pki) -> None:
    with (
        serving(pki.server(), lambda tls: tls.sendall(BULK)) as (address, _),
        ssl_connected(pki.ssl_client(), address) as tls,
    ):
        assert receive_all(tls) == BULK


def test_an_ssl_client_follows_our_servers_key_updates(pki: Pki) -> None:
    def update(tls: TLSSocket) -> bytes:
        for part in (b"one ", b"two ", b"three"):
            tls.sendall(part)
            tls.connection.key_update(request=True)
        tls.shutdown()
        return receive_all(tls)

    with (
        serving(pki.server(), update) as (address, [served]),
        ssl_connected(pki.ssl_client(), address) as tls,
    ):
        assert receive_all(tls) == b"one two three"
        tls.sendall(b"under the client's new keys")
        close_with_notify(tls)
        assert served.result(SECONDS) == b"under the client's new keys"


def test_an_ssl_client_and_our_server_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    context = pki.ssl_client()
    context.keylog_filename = str(tmp_path / "client")
    lines: list[str] = []
    config = pki.server(key_log=lambda *secret: lines.append(key_log_line(*secret)))
    with serving(config, echo_once) as (address, _), ssl_connected(context, address) as tls:
        tls.sendall(b"hello")
        tls.recv(100)
    theirs = set((tmp_path / "client").read_text().splitlines())
    assert len({line.split()[0] for line in lines}) >= 4
    assert set(lines) <= theirs


# -- asyncio on both sides, in both versions

each_version = pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])


def of(version: str, context: ssl.SSLContext) -> ssl.SSLContext:
    """The context, allowing this version alone."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = context.minimum_version = ssl.TLSVersion[version.replace(".", "_")]
    return context


async def echo_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def send_and_collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    async def send() -> None:
        for at in range(0, len(BULK), 65536):
            writer.write(BULK[at : at + 65536])
            await writer.drain()

    sending = asyncio.create_task(send())
    got = await reader.readexactly(len(BULK))
    await sending
    writer.close()
    await writer.wait_closed()
    return got


@each_version
def test_bulk_between_our_asyncio_client_and_asyncios_ssl_server(pki: Pki, version: str) -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo_all, "127.0.0.1", 0, ssl=of(version, pki.ssl_server()))
        async with asyncio.timeout(SECONDS), server:
            address = server.sockets[0].getsockname()
            streams = await aio.open_connection(
                *address, config=pki.client(protocols=[version]), server_name="localhost"
            )
            assert await send_and_collect(*streams) == BULK

    asyncio.run(main())


@each_version
def test_bulk_between_asyncios_ssl_client_and_our_asyncio_server(pki: Pki, version: str) -> None:
    async def main() -> None:
        server = await aio.start_server(echo_all, "127.0.0.1", 0, config=pki.server(protocols=[version]))
        async with asyncio.timeout(SECONDS), server:
            address = server.sockets[0].getsockname()
            streams = await asyncio.open_connection(
                *address, ssl=of(version, pki.ssl_client()), server_hostname="localhost"
            )
            assert await send_and_collect(*streams) == BULK

    asyncio.run(main())
