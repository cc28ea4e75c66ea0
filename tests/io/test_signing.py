"""Signers under sockets: a function or a coroutine function signs, fails, takes too long, is cancelled."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Coroutine
from typing import Any, Self

import pytest

from pellucid.codes import SignatureScheme
from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection
from pellucid.errors import AlertReceived, Misuse, PeerMisbehaved, Reason, TLSError
from pellucid.events import SignatureWanted
from pellucid.identity import Credential
from pellucid.identity.lab import Issued, Laboratory
from pellucid.io import aio
from pellucid.io.aio_protocol import State, TLSProtocol
from pellucid.io.blocking import TLSSocket, connect, listen
from pellucid.io.pump import RECEIVE_BYTES
from pellucid.io.signing import run_signer
from pellucid.io.waiting import Deadline

SECONDS = 10.0  # for what should take milliseconds
VERSIONS = ("TLSv1.3", "TLSv1.2")
both_versions = pytest.mark.parametrize("version", VERSIONS)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Signers:
    """Signers for one certificate: of each kind, and what they were called with and from where."""

    def __init__(self, issued: Issued) -> None:
        self.issued = issued
        self.threads: list[int] = []

    def credential(self, sign: Any) -> Credential:
        return Credential.from_signer(self.issued.chain_pem, sign)

    def function(self, scheme: SignatureScheme, data: bytes) -> bytes:
        self.threads.append(threading.get_ident())
        return self.issued.credential.sign(scheme, data)

    async def coroutine(self, scheme: SignatureScheme, data: bytes) -> bytes:
        await asyncio.sleep(0)
        return self.function(scheme, data)

    async def fails(self, _: SignatureScheme, __: bytes) -> bytes:
        await asyncio.sleep(0)
        raise TimeoutError("the HSM is silent")

    async def lies(self, scheme: SignatureScheme, data: bytes) -> bytes:
        return self.function(scheme, data + b"!")


class Stuck:
    """A coroutine function that never ends by itself; tells when it was asked and when it was cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, _: SignatureScheme, __: bytes) -> bytes:
        self.asked.set()
        try:
            return await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@pytest.fixture(scope="session")
def server_signers(laboratory: Laboratory) -> Signers:
    return Signers(laboratory.issue("ecdsa"))


@pytest.fixture(scope="session")
def client_signers(laboratory: Laboratory) -> Signers:
    return Signers(laboratory.issue("ecdsa", purpose="client"))


def serving(signers: Signers, sign: Any, **knobs: Any) -> ServerConfig:
    return ServerConfig(credentials=[signers.credential(sign)], **knobs)


def echo(tls: TLSSocket) -> bytes:
    data = tls.recv(10)
    tls.sendall(data)
    return data


# -- blocking


@both_versions
@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_blocking_server_signs_elsewhere(
    serve: Any,
    server_signers: Signers,
    client_config: ClientConfig,
    version: str,
    kind: str,
) -> None:
    config = serving(server_signers, getattr(server_signers, kind), protocols=[version])
    with serve(echo, config) as server, connect(*server.address, client_config) as tls:
        tls.sendall(b"ping")
        assert tls.recv(10) == b"ping"
        assert server.result() == b"ping"


@both_versions
@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_blocking_client_signs_elsewhere(
    serve: Any, client_signers: Signers, laboratory: Laboratory, version: str, kind: str
) -> None:
    config = ServerConfig(
        credentials=[laboratory.credential()], trust=laboratory.trust, client_authentication="required"
    )
    ours = client_signers.credential(getattr(client_signers, kind))
    asking = ClientConfig(trust=laboratory.trust, protocols=[version], credentials=[ours])
    with serve(echo, config) as server, connect(*server.address, asking) as tls:
        tls.sendall(b"ping")
        assert tls.recv(10) == b"ping"
        assert tls.negotiated.mutual


@pytest.mark.parametrize(
    "kind, said",
    [("fails", "gave no .*: TimeoutError: the HSM is silent"), ("lies", "gave a wrong")],
)
def test_a_blocking_server_whose_signer_fails_says_so_and_the_client_is_told_nothing_but_that(
    serve: Any, server_signers: Signers, client_config: ClientConfig, kind: str, said: str
) -> None:
    with serve(echo, serving(server_signers, getattr(server_signers, kind))) as server:
        with pytest.raises(AlertReceived, match="internal_error"):
            connect(*server.address, client_config)
        error = server.error()
        assert isinstance(error, Misuse)
        assert error.reason is Reason.SIGNING_FAILED
        with pytest.raises(Misuse, match=said):
            raise error


def test_a_coroutine_that_takes_too_long_is_cancelled_at_the_deadline(server_signers: Signers) -> None:
    stuck: list[Stuck] = []

    async def sign(scheme: SignatureScheme, data: bytes) -> bytes:
        stuck.append(Stuck())
        return await stuck[0](scheme, data)

    wanted = SignatureWanted(server_signers.credential(sign), SignatureScheme.ecdsa_secp256r1_sha256, b"data")
    with pytest.raises(TimeoutError, match=r"signing for the TLS handshake did not finish within 0\.01 s"):
        run_signer(wanted, Deadline(0.01))
    assert stuck[0].cancelled.is_set()


def test_ctrl_c_reaches_who_waits_for_a_coroutine(server_signers: Signers) -> None:
    """It cancels the coroutine, and is no failure of the signer, after which a server would go on."""

    async def sign(_: SignatureScheme, __: bytes) -> bytes:
        signal.raise_signal(signal.SIGINT)
        return await asyncio.get_running_loop().create_future()

    wanted = SignatureWanted(server_signers.credential(sign), SignatureScheme.ecdsa_secp256r1_sha256, b"data")
    with pytest.raises(KeyboardInterrupt):
        run_signer(wanted, Deadline(SECONDS))


def test_a_connection_that_was_closed_meanwhile_is_told_as_closed(
    server_signers: Signers, client_config: ClientConfig
) -> None:
    """By another thread, which gives up on it; the signature comes too late, and is not what failed."""
    accepted: list[TLSSocket] = []

    async def sign(scheme: SignatureScheme, data: bytes) -> bytes:
        accepted[0].close()
        return server_signers.function(scheme, data)

    with listen("127.0.0.1", 0, serving(server_signers, sign)) as listener:
        client = socket.create_connection(listener.address)
        with client:
            client.sendall(ClientConnection(client_config, "localhost").data_to_send())
            accepted.append(listener.accept(handshake=False))
            with pytest.raises(OSError, match="the connection was closed"):
                accepted[0].handshake()


def test_a_coroutine_that_is_cancelled_by_others_has_failed(server_signers: Signers) -> None:
    async def sign(_: SignatureScheme, __: bytes) -> bytes:
        raise asyncio.CancelledError

    wanted = SignatureWanted(server_signers.credential(sign), SignatureScheme.ecdsa_secp256r1_sha256, b"data")
    assert isinstance(run_signer(wanted, Deadline(SECONDS)), asyncio.CancelledError)


def test_in_a_thread_with_a_running_loop_a_coroutine_is_refused_with_the_way_out(
    serve: Any, client_signers: Signers, laboratory: Laboratory
) -> None:
    config = ServerConfig(
        credentials=[laboratory.credential()], trust=laboratory.trust, client_authentication="required"
    )
    asking = ClientConfig(
        trust=laboratory.trust, credentials=[client_signers.credential(client_signers.coroutine)]
    )

    async def main(address: tuple[str, int]) -> None:
        with pytest.raises(Misuse, match=r"this thread runs an event loop already: use pellucid\.aio"):
            connect(*address, asking)

    with serve(echo, config) as server:
        asyncio.run(main(server.address))
        assert server.error() is not None


# -- asyncio


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await main

    asyncio.run(bounded())


class Served:
    """An asyncio server that greets, with the errors of its handshakes."""

    def __init__(self) -> None:
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()
        self.address: tuple[str, int] = ("", 0)
        self.server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        return self

    async def start(self, config: ServerConfig, **options: Any) -> Self:
        def failed(error: Exception, _: object) -> None:
            self.errors.put_nowait(error)

        self.server = await aio.start_server(greet, "127.0.0.1", 0, config=config, on_error=failed, **options)
        self.address = self.server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()


async def greet(_: Reader, writer: Writer) -> None:
    writer.write(b"hello")
    writer.close()
    await writer.wait_closed()


async def greeted(address: tuple[str, int], config: ClientConfig) -> bool:
    reader, writer = await aio.open_connection(*address, config=config, server_name="localhost")
    try:
        return await reader.read() == b"hello"
    finally:
        writer.close()
        await writer.wait_closed()


@both_versions
@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_an_asyncio_server_signs_elsewhere(
    server_signers: Signers, client_config: ClientConfig, version: str, kind: str
) -> None:
    async def main() -> None:
        config = serving(server_signers, getattr(server_signers, kind), protocols=[version])
        async with await Served().start(config) as server:
            assert await greeted(server.address, client_config)
            assert server.errors.empty()

    run(main())


@both_versions
@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_an_asyncio_client_signs_elsewhere(
    client_signers: Signers, laboratory: Laboratory, version: str, kind: str
) -> None:
    async def main() -> None:
        config = ServerConfig(
            credentials=[laboratory.credential()], trust=laboratory.trust, client_authentication="required"
        )
        ours = client_signers.credential(getattr(client_signers, kind))
        asking = ClientConfig(trust=laboratory.trust, protocols=[version], credentials=[ours])
        async with await Served().start(config) as server:
            assert await greeted(server.address, asking)
            assert server.errors.empty()

    run(main())


def test_a_function_runs_in_a_thread_and_a_coroutine_function_in_the_loop(
    server_signers: Signers, client_config: ClientConfig
) -> None:
    async def main() -> None:
        for kind, here in (("function", False), ("coroutine", True)):
            server_signers.threads.clear()
            config = serving(server_signers, getattr(server_signers, kind))
            async with await Served().start(config) as server:
                assert await greeted(server.address, client_config)
            assert [thread == threading.get_ident() for thread in server_signers.threads] == [here]

    run(main())


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_others_are_served_while_one_waits_for_its_signature(
    server_signers: Signers, client_config: ClientConfig, kind: str
) -> None:
    """The first that asks gets its signature only when ten others have been served."""

    async def main() -> None:
        first = threading.Lock()
        go_on, may_go_on = threading.Event(), asyncio.Event()
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def function(scheme: SignatureScheme, data: bytes) -> bytes:
            if first.acquire(blocking=False):
                loop.call_soon_threadsafe(asked.set)
                assert go_on.wait(SECONDS)
            return server_signers.function(scheme, data)

        async def coroutine(scheme: SignatureScheme, data: bytes) -> bytes:
            if first.acquire(blocking=False):
                asked.set()
                await may_go_on.wait()
            return server_signers.function(scheme, data)

        config = serving(server_signers, function if kind == "function" else coroutine)
        async with await Served().start(config) as server:
            slow = asyncio.create_task(greeted(server.address, client_config))
            await asked.wait()
            assert all([await greeted(server.address, client_config) for _ in range(10)])
            assert not slow.done()
            go_on.set()
            may_go_on.set()
            assert await slow

    run(main())


@pytest.mark.parametrize(
    "kind, said",
    [("fails", "gave no .*: TimeoutError: the HSM is silent"), ("lies", "gave a wrong")],
)
def test_an_asyncio_server_whose_signer_fails_says_so_and_goes_on(
    server_signers: Signers, client_config: ClientConfig, kind: str, said: str
) -> None:
    async def main() -> None:
        async with await Served().start(serving(server_signers, getattr(server_signers, kind))) as server:
            for _ in range(2):
                with pytest.raises(AlertReceived, match="internal_error"):
                    await greeted(server.address, client_config)
                error = await server.errors.get()
                with pytest.raises(Misuse, match=said):
                    raise error

    run(main())


def test_a_function_that_runs_out_of_values_has_failed(
    server_signers: Signers, client_config: ClientConfig
) -> None:
    """No future takes a StopIteration: until Python 3.12 nobody would have been told."""

    def sign(_: SignatureScheme, __: bytes) -> bytes:
        return next(iter([]))

    async def main() -> None:
        async with await Served().start(serving(server_signers, sign)) as server:
            with pytest.raises(AlertReceived, match="internal_error"):
                await greeted(server.address, client_config)
            assert "StopIteration" in str(await server.errors.get())

    run(main())


def test_a_signer_that_is_cancelled_by_others_has_failed(
    server_signers: Signers, client_config: ClientConfig
) -> None:
    async def cancelled(_: SignatureScheme, __: bytes) -> bytes:
        raise asyncio.CancelledError

    async def main() -> None:
        async with await Served().start(serving(server_signers, cancelled)) as server:
            with pytest.raises(AlertReceived, match="internal_error"):
                await greeted(server.address, client_config)
            error = await server.errors.get()
            assert isinstance(error, Misuse)
            assert "it was cancelled" in str(error)

    run(main())


def test_a_signer_that_takes_too_long_is_cancelled_with_the_handshake(
    server_signers: Signers, client_config: ClientConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[Any] = []

    def start_timer(protocol: TLSProtocol, _: float, action: Any) -> None:
        if protocol.endpoint.server_side:
            timers.append(action)

    monkeypatch.setattr(TLSProtocol, "_start_timer", start_timer)

    async def main() -> None:
        stuck = Stuck()
        async with await Served().start(serving(server_signers, stuck), handshake_timeout=7.0) as server:
            waiting = asyncio.create_task(greeted(server.address, client_config))
            await stuck.asked.wait()
            (too_slow,) = timers
            too_slow()
            with pytest.raises((TLSError, ConnectionError)):
                await waiting
            error = await server.errors.get()
            assert isinstance(error, TimeoutError)
            assert str(error) == "the TLS handshake did not finish within 7 s (state WAIT_SIGNATURE)"
            await stuck.cancelled.wait()

    run(main())


def test_a_signer_is_cancelled_when_the_client_has_left(
    server_signers: Signers, client_config: ClientConfig
) -> None:
    async def main() -> None:
        stuck = Stuck()
        async with await Served().start(serving(server_signers, stuck)) as server:
            waiting = asyncio.create_task(greeted(server.address, client_config))
            await stuck.asked.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await stuck.cancelled.wait()
            assert await server.errors.get() is not None

    run(main())


def test_a_client_that_is_cancelled_cancels_its_signer(
    client_signers: Signers, laboratory: Laboratory
) -> None:
    async def main() -> None:
        stuck = Stuck()
        config = ServerConfig(
            credentials=[laboratory.credential()], trust=laboratory.trust, client_authentication="required"
        )
        asking = ClientConfig(trust=laboratory.trust, credentials=[client_signers.credential(stuck)])
        async with await Served().start(config) as server:
            waiting = asyncio.create_task(greeted(server.address, asking))
            await stuck.asked.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await stuck.cancelled.wait()
            assert await server.errors.get() is not None

    run(main())


def test_what_a_client_sends_meanwhile_is_bounded_and_read_later(
    server_signers: Signers, client_config: ClientConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sends on and on stops being read, and its fault is found behind the signature."""
    waiting: list[TLSProtocol] = []
    start_signing = TLSProtocol._start_signing

    def observed(protocol: TLSProtocol, wanted: SignatureWanted) -> None:
        waiting.append(protocol)
        start_signing(protocol, wanted)

    monkeypatch.setattr(TLSProtocol, "_start_signing", observed)

    async def main() -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def sign(scheme: SignatureScheme, data: bytes) -> bytes:
            asked.set()
            await go_on.wait()
            return server_signers.function(scheme, data)

        async with await Served().start(serving(server_signers, sign)) as server:
            _, writer = await asyncio.open_connection(*server.address[:2])
            writer.write(ClientConnection(client_config, "localhost").data_to_send())
            await asked.wait()
            writer.write(bytes(2**20))
            (protocol,) = waiting
            for _ in iter(protocol.raw.is_reading, False):
                await asyncio.sleep(0)
            assert 0 < protocol.pump.engine._driver.reader.buffered <= RECEIVE_BYTES
            go_on.set()
            for _ in iter(lambda: protocol.state is State.FAILED, True):
                await asyncio.sleep(0)
            writer.transport.abort()
            assert isinstance(await server.errors.get(), PeerMisbehaved)

    run(main())
