"""STARTTLS, proxies and existing connections under asyncio, over loopback."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from clear import SERVERS, http_proxy, listening, relayed, smtp, socks5_proxy, then_tls

from pellucid import aio
from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection
from pellucid.errors import Misuse, PeerMisbehaved, PreambleFailed, Reason
from pellucid.io.aio_reaching import ClearProtocol
from pellucid.io.aio_streams import Opening
from pellucid.trace import NetworkEvent, Trace

SECONDS = 10.0  # for what should take milliseconds
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await main

    asyncio.run(bounded())


def echo(tls: Any) -> None:
    while data := tls.recv(65536):
        tls.sendall(data)


async def exchange(reader: Reader, writer: Writer) -> None:
    writer.write(b"and on we go")
    assert await reader.readexactly(12) == b"and on we go"
    writer.close()
    await writer.wait_closed()


# -- STARTTLS and proxies


@pytest.mark.parametrize("name", SERVERS)
def test_tls_begins_where_the_protocol_ends(
    client_config: ClientConfig, server_config: ServerConfig, name: str
) -> None:
    async def main(port: int) -> None:
        await exchange(
            *await aio.open_connection(
                "127.0.0.1", port, config=client_config, server_name="localhost", starttls=name
            )
        )

    with listening(then_tls(SERVERS[name], server_config, echo)) as port:
        run(main(port))


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("starttls", [None, "smtp"])
def test_tls_goes_through_a_proxy(
    client_config: ClientConfig, server_config: ServerConfig, kind: str, starttls: str | None
) -> None:
    script = smtp if starttls else lambda _: None
    proxy = relayed(http_proxy if kind == "http" else partial(socks5_proxy, login=(b"me", b"p")))
    user = "" if kind == "http" else "me:p@"
    trace = Trace()

    async def main(port: int, proxy_port: int) -> None:
        streams = await aio.open_connection(
            "localhost",
            port,
            config=replace(client_config, trace=trace),
            proxy=f"{kind}://{user}127.0.0.1:{proxy_port}",
            starttls=starttls,
        )
        await exchange(*streams)

    with listening(then_tls(script, server_config, echo)) as port, listening(proxy) as proxy_port:
        run(main(port, proxy_port))
    steps = [event.what for event in trace.events if isinstance(event, NetworkEvent)]
    assert steps == ["tcp", "proxy", *(["starttls"] if starttls else [])]


def test_without_either_the_trace_has_tcp_before_the_hello(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    trace = Trace()

    async def main(port: int) -> None:
        streams = await aio.open_connection("localhost", port, config=replace(client_config, trace=trace))
        await exchange(*streams)

    with listening(then_tls(lambda _: None, server_config, echo)) as port:
        run(main(port))
    kinds = [event.kind for event in trace.events]
    assert kinds.index("network") < kinds.index("record")


def test_more_in_the_clear_than_the_protocol_has_is_refused(client_config: ClientConfig) -> None:
    def inject(sock: socket.socket) -> None:
        sock.sendall(b"+OK\r\n")
        sock.recv(100)
        sock.sendall(b"-ERR\r\n")
        sock.recv(100)
        sock.sendall(b"+OK\r\n+OK logged in\r\n")
        sock.recv(1)

    async def main(port: int) -> None:
        with pytest.raises(PeerMisbehaved) as caught:
            await aio.open_connection(
                "127.0.0.1", port, config=client_config, server_name="localhost", starttls="pop3"
            )
        assert caught.value.reason is Reason.STARTTLS_INJECTION

    with listening(inject) as port:
        run(main(port))


@pytest.mark.parametrize(
    "said, end, expected, words",
    [
        (b"", "stall", TimeoutError, "nothing came, as from one that begins with TLS"),
        (b"220-still\r\n", "stall", TimeoutError, 'the last that came was "220-still"'),
        (b"220-still\r\n", "close", PreambleFailed, "closed the connection"),
        (b"554 no\r\n", "close", PreambleFailed, '"554 no"'),
    ],
)
def test_a_dialogue_that_fails_is_told(
    client_config: ClientConfig, said: bytes, end: str, expected: type[Exception], words: str
) -> None:
    def script(sock: socket.socket) -> None:
        sock.sendall(said)
        if end == "stall":
            sock.recv(1)

    async def main(port: int) -> None:
        with pytest.raises(expected) as caught:
            await aio.open_connection(
                *("127.0.0.1", port),
                config=client_config,
                server_name="localhost",
                starttls="smtp",
                handshake_timeout=0.2 if end == "stall" else SECONDS,
            )
        assert words in str(caught.value)

    with listening(script) as port:
        run(main(port))


def test_a_timeout_of_tcp_itself_is_not_told_as_ours(
    client_config: ClientConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gave_up(_: ClearProtocol) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    monkeypatch.setattr(ClearProtocol, "receive", gave_up)

    async def main(port: int) -> None:
        with pytest.raises(TimeoutError) as caught:
            await aio.open_connection("127.0.0.1", port, config=client_config, starttls="smtp")
        assert "Connection timed out" in str(caught.value)
        assert "did not finish within" not in str(caught.value)

    with listening(lambda sock: sock.recv(1)) as port:
        run(main(port))


@pytest.mark.parametrize("error", [None, ConnectionResetError(104, "reset")])
def test_a_connection_that_was_lost_behind_the_dialogue_is_told(error: Exception | None) -> None:
    """Nobody would tell the TLS protocol again, which would wait for it."""

    async def main() -> None:
        clear = ClearProtocol()
        clear.connection_made(asyncio.Transport())
        clear.connection_lost(error)
        opening = Opening(ClientConnection, limit=1, handshake_timeout=SECONDS, shutdown_timeout=SECONDS)
        with pytest.raises(type(error) if error else ConnectionAbortedError):
            clear.hand_over(opening.tls)

    run(main())


def test_cancelling_a_dialogue_closes_its_connection(client_config: ClientConfig) -> None:
    left = []

    def script(sock: socket.socket) -> None:
        left.append(sock.recv(1))

    async def main(port: int) -> None:
        task = asyncio.create_task(
            aio.open_connection(
                "127.0.0.1", port, config=client_config, server_name="localhost", starttls="smtp"
            )
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    errors: list[Exception] = []
    with listening(script, errors=errors) as port:
        run(main(port))
    assert left in ([], [b""])  # cancelled before TCP stood, or after
    assert all(isinstance(error, ConnectionError) for error in errors)


def test_a_proxy_that_is_not_there_is_named(client_config: ClientConfig) -> None:
    async def main(url: str) -> None:
        with pytest.raises(ConnectionRefusedError) as caught:
            await aio.open_connection("localhost", 9, config=client_config, proxy=url)
        assert caught.value.__notes__ == [f"this was on the way to the proxy {url}"]

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        run(main(f"http://127.0.0.1:{bound.getsockname()[1]}"))


def test_a_connection_that_exists_can_be_asked_for_tls(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def main(port: int) -> None:
        sock = socket.create_connection(("127.0.0.1", port))
        await exchange(
            *await aio.open_connection(
                sock=sock, config=client_config, server_name="localhost", starttls="smtp"
            )
        )

    with listening(then_tls(smtp, server_config, echo)) as port:
        run(main(port))


# -- streams that become TLS


def test_streams_become_tls_on_both_sides(client_config: ClientConfig, server_config: ServerConfig) -> None:
    served = asyncio.Event

    async def handle(done: asyncio.Event, reader: Reader, writer: Writer) -> None:
        assert await reader.readline() == b"STARTTLS\r\n"
        writer.write(b"220 go\r\n")
        reader, writer = await aio.wrap(reader, writer, server_config)
        writer.write(await reader.readexactly(12))
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        done.set()

    async def main() -> None:
        done = served()
        server = await asyncio.start_server(partial(handle, done), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"STARTTLS\r\n")
            assert await reader.readline() == b"220 go\r\n"
            streams = await aio.wrap(reader, writer, client_config, "localhost")
            del reader, writer
            gc.collect()  # a writer that nobody has any more closes its connection
            assert streams[1].get_extra_info("negotiated").server_name == "localhost"
            await exchange(*streams)
            await done.wait()

    run(main())


def test_what_was_received_before_is_the_first_of_tls(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    """The client may be faster than the server's own code: its hello is in the reader already."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1)  # and the hello with it
        reader, writer = await aio.wrap(reader, writer, server_config)
        writer.write(await reader.readexactly(12))
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b".")
            await exchange(*await aio.wrap(reader, writer, client_config, "localhost"))

    run(main())


def test_commands_that_came_before_tls_are_none_of_its_data(server_config: ServerConfig) -> None:
    async def main() -> None:
        failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def handle(reader: Reader, writer: Writer) -> None:
            assert await reader.readline() == b"STARTTLS\r\n"
            try:
                await aio.wrap(reader, writer, server_config)
            except PeerMisbehaved as error:
                failed.set_result(error)

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"STARTTLS\r\nMAIL FROM:<attacker@example>\r\n")
            error = await failed
            writer.close()
        assert isinstance(error, PeerMisbehaved)
        assert error.reason is Reason.NOT_TLS

    run(main())


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_leaves_instead_of_beginning_is_told(server_config: ServerConfig, when: str) -> None:
    async def main() -> None:
        failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        gone = asyncio.Event()

        async def handle(reader: Reader, writer: Writer) -> None:
            if when == "before":
                await gone.wait()
                assert await reader.read() == b""
            try:
                await aio.wrap(reader, writer, server_config)
            except (PeerMisbehaved, OSError) as error:
                failed.set_result(error)

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.close()
            await writer.wait_closed()
            gone.set()
            assert await failed

    run(main())


def test_streams_that_have_failed_are_not_left_open(client_config: ClientConfig) -> None:
    async def main(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reader.set_exception(ConnectionResetError(errno.ECONNRESET, "reset"))
        with pytest.raises(ConnectionResetError):
            await aio.wrap(reader, writer, client_config, "localhost")
        assert writer.transport.is_closing()

    with listening(lambda sock: sock.recv(1)) as port:
        run(main(port))


def test_a_wrong_use_leaves_the_streams_as_they_were(client_config: ClientConfig) -> None:
    async def main() -> None:
        async def handle(reader: Reader, writer: Writer) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            with pytest.raises(Misuse, match="server_name"):
                await aio.wrap(reader, writer, client_config)
            writer.write(b"still here\n")
            assert await reader.readline() == b"still here\n"
            writer.close()
            with pytest.raises(ConnectionAbortedError, match="closed before TLS"):
                await aio.wrap(reader, writer, client_config, "localhost")

    run(main())
