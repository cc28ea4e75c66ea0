"""A server reloads its certificate under many open connections and a stream of new ones: none fails."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from pellucid.config import ClientConfig, ReloadableConfig, ServerConfig
from pellucid.errors import Misuse
from pellucid.identity import Credential, TrustStore
from pellucid.identity.lab import Laboratory
from pellucid.io import aio
from pellucid.io.blocking import TLSListener, TLSSocket, connect, listen

SECONDS = 20.0  # for what should take a second
OPEN = 200
RELOADS = 10
NEW_AT_A_TIME = 4  # and each is followed by the next


class Renewals:
    """Certificates for one server, one after the other, and clients that trust all of them."""

    def __init__(self) -> None:
        laboratories = [Laboratory(seed, time.time()) for seed in (b"before", b"after")]
        roots = [laboratory.root for laboratory in laboratories]
        self.trust = TrustStore.from_certificates(roots, "both laboratories")
        self.credentials = [
            Credential.from_pem(issued.chain_pem, issued.key_pem)
            for issued in (laboratories[0].issue("ecdsa"), laboratories[1].issue("ed25519"))
        ]
        self.config = ReloadableConfig(ServerConfig(credentials=self.credentials[:1]))
        self.leaves = [credential.chain[0] for credential in self.credentials]

    def client(self) -> ClientConfig:
        """Without sessions: each connection shows the certificate that it was given."""
        return ClientConfig(trust=self.trust, sessions=None)

    def reload(self, number: int) -> bytes:
        """The ``number``th time; gives the leaf that is shown from here on."""
        index = number % 2
        self.config.reload(credentials=[self.credentials[index]])
        return self.leaves[index]


@pytest.fixture
def renewals() -> Renewals:
    return Renewals()


# -- asyncio

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def answered(streams: Streams, text: bytes) -> bool:
    reader, writer = streams
    writer.write(text)
    return await reader.readexactly(len(text)) == text


def leaf_seen(streams: Streams) -> bytes:
    leaf: bytes = streams[1].get_extra_info("negotiated").peer_chain[0]
    return leaf


def test_an_asyncio_server_reloads_and_no_connection_fails(renewals: Renewals) -> None:
    async def main() -> None:
        errors: list[Exception] = []
        server = await aio.start_server(
            echo,
            "127.0.0.1",
            0,
            config=renewals.config,
            backlog=OPEN,
            on_error=lambda error, _: errors.append(error),
        )
        address = server.sockets[0].getsockname()[:2]

        async def begin() -> Streams:
            return await aio.open_connection(*address, config=renewals.client(), server_name="localhost")

        seen: set[bytes] = set()
        done = asyncio.Event()

        async def visit_on_and_on() -> int:
            visits = 0
            while not done.is_set():
                visitor = await begin()
                seen.add(leaf_seen(visitor))
                assert await answered(visitor, b"new")
                visitor[1].close()
                visits += 1
            return visits

        async with server:
            held = await asyncio.gather(*(begin() for _ in range(OPEN)))
            visitors = [asyncio.create_task(visit_on_and_on()) for _ in range(NEW_AT_A_TIME)]
            for number in range(1, RELOADS + 1):
                shown = renewals.reload(number)
                fresh = await begin()
                assert leaf_seen(fresh) == shown
                assert all(await asyncio.gather(*(answered(each, b"%d" % number) for each in (*held, fresh))))
                fresh[1].close()
            done.set()
            assert all(await asyncio.gather(*visitors))
            assert seen == set(renewals.leaves)
            assert {leaf_seen(each) for each in held} == {renewals.leaves[0]}
            for each in held:
                each[1].close()
        assert errors == []

    async def bounded() -> None:
        async with asyncio.timeout(SECONDS):
            await main()

    asyncio.run(bounded())


# -- blocking


@contextmanager
def echoing(listener: TLSListener, errors: list[Exception]) -> Iterator[None]:
    """A thread accepts, and each connection has one that echoes."""
    threads: list[threading.Thread] = []

    def converse(tls: TLSSocket) -> None:
        try:
            with tls:
                tls.handshake()
                while data := tls.recv(100):
                    tls.sendall(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one too many
            errors.append(error)

    def accept() -> None:
        while True:
            try:
                tls = listener.accept(handshake=False)
            except OSError:
                return  # closed
            threads.append(threading.Thread(target=converse, args=(tls,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield
    finally:
        listener.close()
        accepting.join(SECONDS)
        for each in threads:
            each.join(SECONDS)
        assert not any(each.is_alive() for each in (accepting, *threads))


def echoed(tls: TLSSocket, text: bytes) -> bool:
    tls.sendall(text)
    return tls.recv(100) == text


def test_a_blocking_server_reloads_and_no_connection_fails(renewals: Renewals) -> None:
    errors: list[Exception] = []
    listener = listen("127.0.0.1", 0, renewals.config, backlog=OPEN, timeout=SECONDS)
    host, port = listener.address[:2]

    def begin() -> TLSSocket:
        return connect(host, port, renewals.client(), "localhost", timeout=SECONDS)

    done = threading.Event()
    seen: set[bytes] = set()

    def visit_on_and_on() -> int:
        visits = 0
        while not done.is_set():
            with begin() as visitor:
                seen.add(visitor.negotiated.peer_chain[0])
                assert echoed(visitor, b"new")
            visits += 1
        return visits

    with echoing(listener, errors), ThreadPoolExecutor(NEW_AT_A_TIME) as pool, ExitStack() as open_ones:
        held = [open_ones.enter_context(begin()) for _ in range(OPEN)]
        visitors = [pool.submit(visit_on_and_on) for _ in range(NEW_AT_A_TIME)]
        try:
            for number in range(1, RELOADS + 1):
                shown = renewals.reload(number)
                with begin() as fresh:
                    assert fresh.negotiated.peer_chain[0] == shown
                    assert all(echoed(each, b"%d" % number) for each in (*held, fresh))
        finally:
            done.set()
        assert all(visitor.result(SECONDS) for visitor in visitors)
        assert {each.negotiated.peer_chain[0] for each in held} == {renewals.leaves[0]}
    assert errors == []
    assert seen == set(renewals.leaves)


def test_who_waits_for_a_client_gives_it_what_is_current_when_it_comes(renewals: Renewals) -> None:
    """accept() may have begun long before, with another certificate."""
    with listen("127.0.0.1", 0, renewals.config, timeout=SECONDS) as listener, ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(listener.accept, timeout=SECONDS)
        while not accepted.running():
            threading.Event().wait(0.001)
        shown = renewals.reload(1)
        with connect(*listener.address[:2], renewals.client(), "localhost", timeout=SECONDS) as tls:
            assert tls.negotiated.peer_chain[0] == shown
            accepted.result(SECONDS).close()


@pytest.mark.parametrize("other", [ClientConfig, lambda: None], ids=["a client's", "None"])
def test_a_server_is_not_started_with_what_is_no_configuration_of_one(other: object) -> None:
    wrong = other()  # type: ignore[operator]
    with pytest.raises(Misuse, match="give a ServerConfig"):
        listen("127.0.0.1", 0, wrong)

    async def main() -> None:
        with pytest.raises(Misuse, match="give a ServerConfig"):
            await aio.start_server(echo, "127.0.0.1", 0, config=wrong)

    asyncio.run(main())
