"""Authorities that are asked about certificates under asyncio: in a thread, while others are served."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection
from pellucid.errors import AlertReceived, CertificateRejected, Misuse, Reason
from pellucid.identity.lab import Issued, Laboratory
from pellucid.identity.revocation import Fetched, StatusQuery
from pellucid.io import aio
from pellucid.io.aio_protocol import TLSProtocol

SECONDS = 10.0  # for what should take milliseconds
URL = "http://status.example/"
VERSIONS = ("TLSv1.3", "TLSv1.2")
both_versions = pytest.mark.parametrize("version", VERSIONS)


class Slow:
    """A ``revocation_source`` that answers when ``may_answer`` is set; ``asked`` is set in the loop."""

    def __init__(self, laboratory: Laboratory, verdict: Any = "good") -> None:
        self.laboratory, self.verdict = laboratory, verdict
        self.asked, self.loop = asyncio.Event(), asyncio.get_running_loop()
        self.may_answer = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, query: StatusQuery) -> Iterable[Fetched]:
        self.threads.add(threading.get_ident())
        self.loop.call_soon_threadsafe(self.asked.set)
        assert self.may_answer.wait(SECONDS)
        yield Fetched("OCSP", URL, self.laboratory.ocsp_response(query.certificate, self.verdict))


@pytest.fixture(scope="session")
def issued(laboratory: Laboratory) -> Issued:
    return laboratory.issue("ecdsa", ocsp_url=URL)


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await main

    asyncio.run(bounded())


async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()
    await writer.wait_closed()


async def serving(config: ServerConfig, errors: list[Exception]) -> asyncio.Server:
    return await aio.start_server(
        greet, "127.0.0.1", 0, config=config, on_error=lambda error, _: errors.append(error)
    )


async def greeted(server: asyncio.Server, config: ClientConfig) -> bytes:
    address = server.sockets[0].getsockname()
    reader, writer = await aio.open_connection(*address, config=config, server_name="localhost")
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@both_versions
def test_others_go_on_while_a_client_asks(laboratory: Laboratory, issued: Issued, version: str) -> None:
    async def main() -> None:
        slow = Slow(laboratory)
        plain = ClientConfig(trust=laboratory.trust, protocols=[version], sessions=None)
        asking = ClientConfig(
            trust=laboratory.trust, protocols=[version], revocation="hard", revocation_source=slow
        )
        async with await serving(ServerConfig(credentials=[issued.credential]), []) as server:
            first = asyncio.create_task(greeted(server, asking))
            await slow.asked.wait()
            assert [await greeted(server, plain) for _ in range(5)] == [b"hello"] * 5
            assert not first.done()
            slow.may_answer.set()
            assert await first == b"hello"
        assert threading.get_ident() not in slow.threads

    run(main())


@both_versions
def test_others_are_served_while_a_server_asks_about_a_client(
    laboratory: Laboratory, issued: Issued, version: str
) -> None:
    async def main() -> None:
        slow = Slow(laboratory)
        config = ServerConfig(
            credentials=[issued.credential],
            protocols=[version],
            trust=laboratory.trust,
            client_authentication="optional",
            revocation="hard",
            revocation_source=slow,
        )
        nobody = ClientConfig(trust=laboratory.trust, sessions=None)
        somebody = ClientConfig(
            trust=laboratory.trust,
            credentials=[laboratory.issue("ecdsa", purpose="client", ocsp_url=URL).credential],
        )
        async with await serving(config, []) as server:
            first = asyncio.create_task(greeted(server, somebody))
            await slow.asked.wait()
            assert await greeted(server, nobody) == b"hello"
            assert not first.done()
            slow.may_answer.set()
            assert await first == b"hello"

    run(main())


def test_a_client_that_has_said_all_and_left_is_heard(laboratory: Laboratory, issued: Issued) -> None:
    """Its end is there before the authority's answer, in the same segment as its certificate or not."""

    async def main() -> None:
        slow = Slow(laboratory)
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.read())
            writer.close()

        config = ServerConfig(
            credentials=[issued.credential],
            trust=laboratory.trust,
            client_authentication="required",
            revocation="hard",
            revocation_source=slow,
        )
        somebody = ClientConfig(
            trust=laboratory.trust,
            credentials=[laboratory.issue("ecdsa", purpose="client", ocsp_url=URL).credential],
        )
        server = await aio.start_server(listening, "127.0.0.1", 0, config=config)
        async with server:
            client = ClientConnection(somebody, "localhost")
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(client.data_to_send())
            while not client.handshake_complete:
                client.receive_data(await reader.read(65536))
            client.send_data(b"request")
            client.close()
            writer.write(client.data_to_send())
            writer.write_eof()
            await slow.asked.wait()
            for _ in range(10):  # the end comes in one of these rounds
                await asyncio.sleep(0)
            slow.may_answer.set()
            assert await heard == b"request"
            writer.close()
            await writer.wait_closed()

    run(main())


def test_who_is_revoked_is_refused(laboratory: Laboratory, issued: Issued) -> None:
    async def main() -> None:
        slow, errors = Slow(laboratory, "revoked"), list[Exception]()
        slow.may_answer.set()
        asking = ClientConfig(trust=laboratory.trust, revocation="soft", revocation_source=slow)
        server = await serving(ServerConfig(credentials=[issued.credential]), errors)
        async with server:
            with pytest.raises(CertificateRejected) as caught:
                await greeted(server, asking)
            assert caught.value.reason is Reason.CERTIFICATE_REVOKED
        await server.wait_closed()
        (told,) = errors
        assert isinstance(told, AlertReceived)

    run(main())


def test_a_source_that_fails_is_told_as_it_is(laboratory: Laboratory, issued: Issued) -> None:
    def broken(_: StatusQuery) -> Iterable[Fetched]:
        raise ZeroDivisionError("no authority")

    async def main() -> None:
        asking = ClientConfig(trust=laboratory.trust, revocation="soft", revocation_source=broken)
        async with await serving(ServerConfig(credentials=[issued.credential]), []) as server:
            with pytest.raises(Misuse, match="ZeroDivisionError: no authority"):
                await greeted(server, asking)

    run(main())


def test_the_deadline_counts_the_asking_in(
    laboratory: Laboratory, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[Any] = []

    def start_timer(protocol: TLSProtocol, _: float, action: Any) -> None:
        if not protocol.endpoint.server_side:
            timers.append(action)

    monkeypatch.setattr(TLSProtocol, "_start_timer", start_timer)

    async def main() -> None:
        slow = Slow(laboratory)
        asking = ClientConfig(trust=laboratory.trust, revocation="hard", revocation_source=slow)
        async with await serving(ServerConfig(credentials=[issued.credential]), []) as server:
            waiting = asyncio.create_task(greeted(server, asking))
            await slow.asked.wait()
            (too_slow,) = timers
            too_slow()
            with pytest.raises(TimeoutError, match=r"within 10 s \(state WAIT_REVOCATION\)"):
                await waiting
            slow.may_answer.set()

    run(main())


def test_who_is_cancelled_meanwhile_leaves_at_once(laboratory: Laboratory, issued: Issued) -> None:
    async def main() -> None:
        slow, errors = Slow(laboratory), list[Exception]()
        asking = ClientConfig(trust=laboratory.trust, revocation="hard", revocation_source=slow)
        server = await serving(ServerConfig(credentials=[issued.credential]), errors)
        async with server:
            waiting = asyncio.create_task(greeted(server, asking))
            await slow.asked.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            slow.may_answer.set()
        await server.wait_closed()

    run(main())
