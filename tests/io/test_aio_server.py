"""The asyncio server among clients that are slow, silent, broken or many."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import BadMessage, PeerMisbehaved, Reason, TLSError
from pellucid.io import aio
from pellucid.io.aio_gate import HandshakeGate

SECONDS = 10.0  # for what should take milliseconds
CONNECTIONS = 300
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Errors:
    """An `on_error` that can be waited for."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[Exception, Any]] = asyncio.Queue()

    def __call__(self, error: Exception, peername: Any) -> None:
        self.queue.put_nowait((error, peername))

    async def next(self) -> Exception:
        return (await self.queue.get())[0]


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await main

    asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until `condition()` is true."""
    for _ in iter(condition, True):
        await asyncio.sleep(0)


def collect_reports() -> list[dict[str, Any]]:
    """What the loop's exception handler is told from now on."""
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    return reports


async def greet(_: Reader, writer: Writer) -> None:
    writer.write(b"hello")
    writer.close()
    await writer.wait_closed()


async def greeted(address: tuple[str, int], config: ClientConfig) -> bool:
    reader, writer = await aio.open_connection(*address, config=config)
    try:
        return await reader.read() == b"hello"
    finally:
        writer.close()
        await writer.wait_closed()


async def tcp(address: tuple[str, int], data: bytes = b"") -> tuple[Reader, Writer]:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    return reader, writer


def test_many_connections_at_once(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        everybody = asyncio.Event()
        served = 0

        async def hold(reader: Reader, writer: Writer) -> None:
            nonlocal served
            served += 1
            if served == CONNECTIONS:
                everybody.set()
            await everybody.wait()
            await greet(reader, writer)

        errors = Errors()
        server = await aio.start_server(
            hold, "127.0.0.1", 0, config=server_config, backlog=CONNECTIONS, on_error=errors
        )
        async with server:
            address = server.sockets[0].getsockname()
            assert all(await asyncio.gather(*(greeted(address, client_config) for _ in range(CONNECTIONS))))
        assert errors.queue.empty()

    run(main())


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "beginning"])
def test_a_client_that_stops_half_way_is_gone_at_the_timeout(
    server_config: ServerConfig, hello: bytes
) -> None:
    async def main() -> None:
        errors = Errors()
        server = await aio.start_server(
            greet, "127.0.0.1", 0, config=server_config, handshake_timeout=0.05, on_error=errors
        )
        async with server:
            reader, writer = await tcp(server.sockets[0].getsockname(), hello)
            assert await reader.read() == b""
            assert isinstance(await errors.next(), TimeoutError)
            writer.close()

    run(main())


def test_a_client_that_sends_a_byte_now_and_then_is_gone_at_the_timeout(server_config: ServerConfig) -> None:
    async def main() -> None:
        errors = Errors()
        server = await aio.start_server(
            greet, "127.0.0.1", 0, config=server_config, handshake_timeout=0.1, on_error=errors
        )
        async with server:
            reader, writer = await tcp(server.sockets[0].getsockname(), b"\x16\x03\x01\x40\x00")

            async def drip() -> None:
                while True:
                    writer.write(b"\0")
                    await asyncio.sleep(0.01)

            dripping = asyncio.create_task(drip())
            assert isinstance(await errors.next(), TimeoutError)
            dripping.cancel()
            writer.close()
            await asyncio.gather(dripping, writer.wait_closed(), reader.read(), return_exceptions=True)

    run(main())


def test_a_client_that_leaves_without_a_word_is_no_error(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        errors = Errors()
        reports = collect_reports()
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config, on_error=errors)
        async with server:
            address = server.sockets[0].getsockname()
            _, writer = await tcp(address)
            writer.close()
            await writer.wait_closed()
            assert await greeted(address, client_config)
        assert errors.queue.empty()
        assert reports == []

    run(main())


def test_a_client_that_speaks_no_tls_is_reported_with_its_address(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        errors = Errors()
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config, on_error=errors)
        async with server:
            address = server.sockets[0].getsockname()
            reader, writer = await tcp(address, b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            error, peername = await errors.queue.get()
            assert isinstance(error, PeerMisbehaved)
            assert error.reason is Reason.NOT_TLS
            assert peername == writer.get_extra_info("sockname")
            assert await greeted(address, client_config)

    run(main())


def test_a_client_that_makes_a_mistake_is_told(server_config: ServerConfig) -> None:
    async def main() -> None:
        errors = Errors()
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config, on_error=errors)
        async with server:
            empty_hello = b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"
            reader, writer = await tcp(server.sockets[0].getsockname(), empty_hello)
            assert (await reader.read()).hex() == "15030300020232"  # an alert: fatal, decode_error
            writer.close()
            assert isinstance(await errors.next(), BadMessage)

    run(main())


def test_without_on_error_a_tls_error_goes_to_the_loop(server_config: ServerConfig) -> None:
    async def main() -> None:
        reports = collect_reports()
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config)
        async with server:
            reader, writer = await tcp(server.sockets[0].getsockname(), b"GET / HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()
            await until(lambda: bool(reports))
        assert [report["message"] for report in reports] == ["TLS handshake failed"]
        assert isinstance(reports[0]["exception"], PeerMisbehaved)

    run(main())


def test_without_on_error_a_timeout_is_nobodys_business(server_config: ServerConfig) -> None:
    async def main() -> None:
        reports = collect_reports()
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config, handshake_timeout=0.02)
        async with server:
            reader, writer = await tcp(server.sockets[0].getsockname())
            assert await reader.read() == b""
            writer.close()
        assert reports == []

    run(main())


def test_a_tls_error_that_the_handler_does_not_catch_is_reported(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def read(reader: Reader, writer: Writer) -> None:
        writer.write(b"welcome")
        await reader.read()

    async def main() -> None:
        errors = Errors()
        server = await aio.start_server(read, "127.0.0.1", 0, config=server_config, on_error=errors)
        async with server:
            reader, writer = await aio.open_connection(*server.sockets[0].getsockname(), config=client_config)
            await reader.readexactly(7)  # with unread data TCP would send a RST
            writer.transport.abort()
            error = await errors.next()
            assert isinstance(error, TLSError)
            assert error.reason is Reason.TRUNCATED

    run(main())


def test_another_error_of_the_handler_goes_to_the_loop_and_closes_the_connection(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def fail(_: Reader, __: Writer) -> None:
        raise LookupError("a bug")

    async def main() -> None:
        errors = Errors()
        reports = collect_reports()
        server = await aio.start_server(fail, "127.0.0.1", 0, config=server_config, on_error=errors)
        async with server:
            address = server.sockets[0].getsockname()
            for _ in range(2):
                assert not await greeted(address, client_config)
        assert [type(report["exception"]) for report in reports] == [LookupError, LookupError]
        assert errors.queue.empty()

    run(main())


def test_a_cancelled_handler_closes_its_connection(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[Any] | None] = []

        async def wait(_: Reader, __: Writer) -> None:
            tasks.append(asyncio.current_task())
            await asyncio.Event().wait()

        server = await aio.start_server(wait, "127.0.0.1", 0, config=server_config)
        async with server:
            reader, writer = await aio.open_connection(*server.sockets[0].getsockname(), config=client_config)
            await until(lambda: bool(tasks))
            assert tasks[0] is not None
            tasks[0].cancel()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    run(main())


# -- how many handshakes at once


def test_who_finds_no_place_waits_for_the_one_before(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        errors = Errors()
        server = await aio.start_server(
            greet, "127.0.0.1", 0, config=server_config, max_handshakes=1, on_error=errors
        )
        async with server:
            address = server.sockets[0].getsockname()
            _, first = await tcp(address, b"\x16\x03\x01\x40\x00")  # takes the place
            second = asyncio.create_task(greeted(address, client_config))
            await until(lambda: server_has_waiting(server))
            assert not second.done()
            first.close()
            assert await second
            await errors.next()  # the first one's

    def server_has_waiting(server: asyncio.Server) -> bool:
        gate = server._protocol_factory.args[0].gate  # type: ignore[attr-defined]
        return bool(gate._waiting)

    run(main())


def test_with_few_places_everybody_is_served_in_the_end(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config, max_handshakes=2)
        async with server:
            address = server.sockets[0].getsockname()
            assert all(await asyncio.gather(*(greeted(address, client_config) for _ in range(20))))

    run(main())


def test_a_silent_client_takes_no_place(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config, max_handshakes=1)
        async with server:
            address = server.sockets[0].getsockname()
            with socket.create_connection(address):
                assert await greeted(address, client_config)
            assert await greeted(address, client_config)  # by then the server has seen the silent one go

    run(main())


def test_the_gate_lets_in_as_many_as_it_may_in_order() -> None:
    gate = HandshakeGate(2)
    log: list[str] = []
    entered = [gate.enter(lambda name=name: log.append(name)) for name in "abcd"]  # type: ignore[misc]
    gate.leave()
    gate.leave()
    assert entered == [True, True, False, False]
    assert log == ["c", "d"]


def test_who_gives_up_waiting_is_not_let_in() -> None:
    gate = HandshakeGate(1)
    log: list[str] = []
    admit_b, admit_c = (lambda: log.append("b")), (lambda: log.append("c"))
    gate.enter(lambda: None)
    gate.enter(admit_b)
    gate.enter(admit_c)
    gate.give_up(admit_b)
    gate.leave()
    assert log == ["c"]


def test_a_gate_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="serves nobody"):
        HandshakeGate(0)
