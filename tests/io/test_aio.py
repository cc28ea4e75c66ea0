"""asyncio streams over TLS: what reader and writer promise, from both sides."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import AlertReceived, CertificateRejected, Misuse, PeerMisbehaved, Reason, TLSError
from pellucid.identity import TrustStore
from pellucid.io import aio, aio_protocol

SECONDS = 10.0  # for what should take milliseconds
BULK = os.urandom(4096) * 1024  # 4 MiB: more than the sockets' buffers hold
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await main

    asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until `condition()` is true."""
    for _ in iter(condition, True):
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(handler: Callable[[Reader, Writer], Awaitable[None]], config: ServerConfig, **options: Any):
    """A server on a free port; yields its address, and waits at the end until its connections are gone."""
    tasks: list[asyncio.Task[None]] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        tasks.append(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    server = await aio.start_server(handle, "127.0.0.1", 0, config=config, **options)
    async with server:
        yield server.sockets[0].getsockname()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def connected(address: tuple[str, int], config: ClientConfig, **options: Any):
    reader, writer = await aio.open_connection(*address, config=config, **options)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def echo(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


# -- the shapes of asyncio's streams


def test_data_goes_both_ways(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        async with (
            serving(echo, server_config) as address,
            connected(address, client_config) as (reader, writer),
        ):
            writer.writelines([b"ping ", bytearray(b"and "), memoryview(b"pong")])
            assert await reader.readexactly(13) == b"ping and pong"

    run(main())


def test_extra_info_tells_of_tls_and_tcp(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        async with (
            serving(echo, server_config) as address,
            connected(address, client_config, server_name="localhost") as (_, writer),
        ):
            assert writer.get_extra_info("negotiated").server_name == "localhost"
            assert writer.get_extra_info("connection").handshake_complete
            assert writer.get_extra_info("peername") == address
            assert writer.get_extra_info("nothing", "default") == "default"

    run(main())


def test_the_reader_reads_as_asyncios_does(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def speak(_: Reader, writer: Writer) -> None:
        writer.write(b"line\nfield;1234the rest")

    async def main() -> None:
        async with serving(speak, server_config) as address, connected(address, client_config) as (reader, _):
            assert await reader.readline() == b"line\n"
            assert await reader.readuntil(b";") == b"field;"
            assert await reader.readexactly(4) == b"1234"
            assert await reader.read() == b"the rest"
            assert reader.at_eof()

    run(main())


def test_too_little_before_close_notify_is_an_incomplete_read(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def speak(_: Reader, writer: Writer) -> None:
        writer.write(b"abc")

    async def main() -> None:
        async with serving(speak, server_config) as address, connected(address, client_config) as (reader, _):
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await reader.readexactly(4)
            assert caught.value.partial == b"abc"

    run(main())


def test_a_plain_function_may_be_the_servers_callback(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    def greet(_: Reader, writer: Writer) -> None:
        writer.write(b"hello")
        writer.close()

    async def main() -> None:
        server = await aio.start_server(greet, "127.0.0.1", 0, config=server_config)
        async with server, connected(server.sockets[0].getsockname(), client_config) as (reader, _):
            assert await reader.read() == b"hello"

    run(main())


def test_a_connection_without_a_name_to_verify_is_refused(client_config: ClientConfig) -> None:
    with pytest.raises(Misuse) as caught:
        run(aio.open_connection(config=client_config))  # type: ignore[arg-type]
    assert caught.value.reason is Reason.BAD_SERVER_NAME


def test_a_connected_socket_may_be_brought_along(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        async with serving(echo, server_config) as address:
            sock = socket.create_connection(address)
            reader, writer = await aio.open_connection(
                sock=sock, config=client_config, server_name="localhost"
            )
            writer.write(b"over my socket")
            assert await reader.readexactly(14) == b"over my socket"
            writer.close()
            await writer.wait_closed()

    run(main())


# -- half close, close, truncation


def test_after_write_eof_reading_goes_on(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        request = await reader.read()
        writer.write(request.upper())

    async def main() -> None:
        async with (
            serving(answer, server_config) as address,
            connected(address, client_config) as (reader, writer),
        ):
            writer.write(b"question")
            assert writer.can_write_eof()
            writer.write_eof()
            assert await reader.read() == b"QUESTION"

    run(main())


def test_writing_after_write_eof_is_refused(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        async with serving(echo, server_config) as address, connected(address, client_config) as (_, writer):
            writer.write_eof()
            with pytest.raises(RuntimeError, match="write_eof"):
                writer.write(b"more")

    run(main())


def test_what_is_no_bytes_is_refused(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        async with serving(echo, server_config) as address, connected(address, client_config) as (_, writer):
            with pytest.raises(TypeError, match="not str"):
                writer.write("text")  # type: ignore[arg-type]

    run(main())


def test_close_brings_all_that_was_written_and_a_close_notify(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    got = bytearray()

    async def collect(reader: Reader, _: Writer) -> None:
        got.extend(await reader.read())

    async def main() -> None:
        async with serving(collect, server_config) as address:
            _, writer = await aio.open_connection(*address, config=client_config)
            writer.write(BULK)
            writer.close()
            assert writer.is_closing()
            await writer.wait_closed()

    run(main())
    assert got == BULK


def test_abort_looks_like_a_truncation(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def vanish(_: Reader, writer: Writer) -> None:
        writer.write(b"half of it")
        await writer.drain()
        writer.transport.abort()

    async def main() -> None:
        async with (
            serving(vanish, server_config) as address,
            connected(address, client_config) as (reader, writer),
        ):
            assert await reader.read(100) == b"half of it"
            assert not reader.at_eof()
            with pytest.raises(PeerMisbehaved) as caught:
                await reader.read(100)
            assert caught.value.reason is Reason.TRUNCATED
            with pytest.raises(PeerMisbehaved):
                await writer.drain()

    run(main())


def test_tcp_closed_under_the_connection_is_no_end_of_the_data(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        async with (
            serving(echo, server_config) as address,
            connected(address, client_config) as (reader, writer),
        ):
            writer.transport._tls.raw.close()
            with pytest.raises(ConnectionAbortedError):
                await reader.read()

    run(main())


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.read(),
        lambda reader: reader.readexactly(100),
        lambda reader: reader.readline(),
        lambda reader: reader.readuntil(b";"),
    ],
    ids=["read", "readexactly", "readline", "readuntil"],
)
def test_no_way_of_reading_takes_a_truncation_for_the_end(
    server_config: ServerConfig, client_config: ClientConfig, read: Callable[[Reader], Awaitable[bytes]]
) -> None:
    async def vanish(_: Reader, writer: Writer) -> None:
        writer.write(b"half of it")
        await writer.drain()
        writer.transport.abort()

    async def main() -> None:
        async with (
            serving(vanish, server_config) as address,
            connected(address, client_config) as (reader, _),
        ):
            with pytest.raises(PeerMisbehaved) as caught:
                await read(reader)
            assert caught.value.reason is Reason.TRUNCATED

    run(main())


def test_close_gives_up_on_a_peer_that_does_not_read(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    done = asyncio.Event()

    async def ignore(_: Reader, __: Writer) -> None:
        await done.wait()

    async def main() -> None:
        async with serving(ignore, server_config) as address:
            _, writer = await aio.open_connection(*address, config=client_config, shutdown_timeout=0.05)
            for _ in range(4):
                writer.write(BULK)
            writer.close()
            with pytest.raises(TimeoutError, match="did not take"):
                await writer.wait_closed()
            done.set()

    run(main())


def test_a_close_with_unread_data_does_not_destroy_what_was_written(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def refuse(reader: Reader, writer: Writer) -> None:
        await reader.readline()
        await until(
            lambda: not writer.transport.is_reading()
        )  # until so much has come that reading is paused
        writer.write(b"too much: " + BULK)

    async def main() -> None:
        async with (
            serving(refuse, server_config, limit=1024) as address,
            connected(address, client_config) as (reader, writer),
        ):
            writer.write(b"POST\n" + bytes(300_000))
            assert await reader.read() == b"too much: " + BULK

    run(main())


# -- backpressure


def test_a_peer_that_does_not_read_holds_the_writer_back(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    read = asyncio.Event()
    got = bytearray()

    async def later(reader: Reader, _: Writer) -> None:
        await read.wait()
        got.extend(await reader.read())

    async def main() -> None:
        async with serving(later, server_config) as address, connected(address, client_config) as (_, writer):
            writer.write(BULK * 4)
            draining = asyncio.create_task(writer.drain())
            await asyncio.sleep(0)
            assert not draining.done()
            assert writer.transport.get_write_buffer_size() > len(BULK)
            # what the system has not taken is kept as it was written: sealed is one piece at most
            raw = writer.transport._tls.raw  # type: ignore[attr-defined]
            assert raw.get_write_buffer_size() <= raw.get_write_buffer_limits()[1] + 65536
            read.set()
            await draining

    run(main())
    assert got == BULK * 4


def test_a_reader_that_does_not_read_holds_the_peer_back(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    held_back = asyncio.Event()

    async def pour(_: Reader, writer: Writer) -> None:
        writer.write(BULK * 4)
        draining = asyncio.create_task(writer.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        held_back.set()
        await draining

    async def main() -> None:
        async with (
            serving(pour, server_config) as address,
            connected(address, client_config, limit=10_000) as (reader, writer),
        ):
            await held_back.wait()
            await until(lambda: not writer.transport.is_reading())
            assert len(reader._buffer) <= 2 * 10_000 + 65536  # type: ignore[attr-defined]
            assert await reader.read() == BULK * 4

    run(main())


def test_what_waits_to_be_sent_does_not_change_with_the_writers_buffer(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    read = asyncio.Event()
    got = bytearray()

    async def later(reader: Reader, _: Writer) -> None:
        await read.wait()
        got.extend(await reader.read())

    async def main() -> None:
        async with serving(later, server_config) as address, connected(address, client_config) as (_, writer):
            buffer = bytearray(BULK * 2)
            writer.write(buffer)
            buffer[:] = bytes(len(buffer))
            read.set()
            await writer.drain()

    run(main())
    assert got == BULK * 2


def test_bulk_in_both_directions_at_once(server_config: ServerConfig, client_config: ClientConfig) -> None:
    async def main() -> None:
        async with (
            serving(echo, server_config) as address,
            connected(address, client_config) as (reader, writer),
        ):

            async def send() -> None:
                for at in range(0, len(BULK), 65536):
                    writer.write(BULK[at : at + 65536])
                    await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            assert await reader.read() == BULK
            await sending

    run(main())


# -- failures of the handshake


def test_the_server_hears_why_the_client_rejects_it(server_config: ServerConfig) -> None:
    errors: list[Exception] = []

    async def main() -> None:
        heard = asyncio.Event()

        def on_error(error: Exception, _: Any) -> None:
            errors.append(error)
            heard.set()

        async with serving(echo, server_config, on_error=on_error) as address:
            with pytest.raises(CertificateRejected):
                await aio.open_connection(*address, config=ClientConfig(trust=TrustStore.empty()))
            await heard.wait()

    run(main())
    assert [type(error) for error in errors] == [AlertReceived]


def test_the_client_hears_why_the_server_rejects_it(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    async def main() -> None:
        over = asyncio.Event()
        config = replace(server_config, groups=["x25519"])
        async with serving(echo, config, on_error=lambda *_: over.set()) as address:
            with pytest.raises(AlertReceived):
                await aio.open_connection(
                    *address, config=replace(client_config, groups=["x448"], key_shares=["x448"])
                )
            await over.wait()

    run(main())


def test_a_server_that_says_nothing_is_left_at_the_timeout(client_config: ClientConfig) -> None:
    async def main() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            pytest.raises(TimeoutError, match="the TLS handshake did not finish within"),
        ):
            await aio.open_connection(*silent.getsockname(), config=client_config, handshake_timeout=0.05)

    run(main())


def test_a_server_that_hangs_up_is_a_tls_error(client_config: ClientConfig) -> None:
    async def main() -> None:
        async def hang_up(reader: Reader, writer: Writer) -> None:
            await reader.read(1)
            writer.transport.write_eof()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            with pytest.raises(TLSError) as caught:
                await aio.open_connection(*server.sockets[0].getsockname(), config=client_config)
            assert caught.value.reason in {Reason.TRUNCATED, Reason.CLOSED_DURING_HANDSHAKE}

    run(main())


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8])
def test_a_cancelled_connection_leaves_nothing_behind(client_config: ClientConfig, steps: int) -> None:
    """Cancelled while TCP connects or later, it closes its socket: the peer sees the end."""

    async def main() -> None:
        started, ended = 0, asyncio.Semaphore(0)

        async def silent(reader: Reader, writer: Writer) -> None:
            nonlocal started
            started += 1
            while await reader.read(65536):
                pass
            writer.close()
            ended.release()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()
            connecting = asyncio.create_task(aio.open_connection(*address, config=client_config))
            for _ in range(steps):
                await asyncio.sleep(0)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            _, last = await asyncio.open_connection(*address)  # accepted after the one before, if that came
            last.close()
            await ended.acquire()
            for _ in range(started - 1):
                await ended.acquire()

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        run(main())
        gc.collect()


def test_after_an_alert_we_read_on_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, client_config: ClientConfig
) -> None:
    monkeypatch.setattr(aio_protocol, "LINGER_BYTES", 1000)

    async def main() -> None:
        async def babble(_: Reader, writer: Writer) -> None:
            with contextlib.suppress(ConnectionError):  # what it ends with, if we cut it off
                while True:
                    writer.write(b"no TLS at all\n" * 1000)
                    await writer.drain()
            writer.close()

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        async with server:
            with pytest.raises(PeerMisbehaved) as caught:
                await aio.open_connection(*server.sockets[0].getsockname(), config=client_config)
            assert caught.value.reason is Reason.NOT_TLS

    run(main())
