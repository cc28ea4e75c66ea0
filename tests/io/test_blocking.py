"""Blocking TLS: connect, listen and TLSSocket, against each other over loopback."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import pytest

from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import AlertReceived, CertificateRejected, Misuse, PeerMisbehaved, Reason
from pellucid.identity import TrustStore
from pellucid.io import duplex
from pellucid.io.blocking import TLSSocket, connect, listen

SECONDS = 10.0  # for what should take milliseconds
Serve = Callable[..., AbstractContextManager[Any]]  # the fixture `serve`
BULK = os.urandom(4096) * 1024  # 4 MiB: more than the sockets' buffers hold


def receive_all(tls: TLSSocket) -> bytes:
    return b"".join(iter(lambda: tls.recv(65536), b""))


def echo(tls: TLSSocket) -> None:
    while data := tls.recv(65536):
        tls.sendall(data)


def send_until_it_fails(tls: TLSSocket) -> None:
    while True:
        tls.sendall(b"is anybody there?")


def send_what_leaves(tls: TLSSocket) -> int:
    """Send BULK until nobody takes it any more; how much was taken."""
    sent = 0
    with suppress(BlockingIOError):
        while sent < len(BULK):
            sent += tls.send(BULK[sent:])
    return sent


def cut(tls: TLSSocket) -> None:
    """End TCP without a word of TLS, as somebody on the path could."""
    with socket.socket(fileno=os.dup(tls.fileno())) as tcp:
        tcp.shutdown(socket.SHUT_RDWR)


@contextmanager
def tcp_server(*, backlog: int = 1) -> Iterator[socket.socket]:
    """A listener that speaks no TLS."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as sock:
        sock.settimeout(SECONDS)
        yield sock


@pytest.fixture
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which the peer stays after an alert."""
    monkeypatch.setattr(duplex, "LINGER_SECONDS", 0.05)


# -- connecting


def test_connect_returns_once_the_handshake_is_complete(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config, "localhost") as tls:
        assert tls.connection.handshake_complete
        assert tls.negotiated.server_name == "localhost"


def test_the_host_is_the_server_name_unless_another_is_given(
    serve: Serve, client_config: ClientConfig
) -> None:
    with serve(echo) as server, connect("localhost", server.address[1], client_config) as tls:
        assert tls.negotiated.server_name == "localhost"


def test_a_closed_port_refuses(client_config: ClientConfig) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect(*bound.getsockname(), client_config)


def test_a_server_that_says_nothing_is_left_at_the_deadline(client_config: ClientConfig) -> None:
    with tcp_server() as silent, pytest.raises(TimeoutError, match="the TLS handshake did not finish"):
        connect(*silent.getsockname(), client_config, timeout=0.1)


def test_a_server_that_says_a_byte_now_and_then_does_not_extend_the_deadline(
    client_config: ClientConfig,
) -> None:
    done = threading.Event()

    def drip(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"\x16\x03\x03\x40\x00")  # the header of a long record
            while not done.wait(0.01):
                sock.sendall(b"\0")

    with tcp_server() as listener, ThreadPoolExecutor(1) as pool:
        dripping = pool.submit(drip, listener)
        began = time.monotonic()
        try:
            with pytest.raises(TimeoutError):
                connect(*listener.getsockname(), client_config, timeout=0.2)
            assert time.monotonic() - began < 5
        finally:
            done.set()
        assert dripping.exception(SECONDS) is None or isinstance(dripping.exception(), ConnectionError)


def test_a_server_that_speaks_no_tls_is_told_apart(client_config: ClientConfig) -> None:
    def answer(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            while sock.recv(65536):
                pass

    with tcp_server() as listener, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer, listener)
        with pytest.raises(PeerMisbehaved) as caught:
            connect(*listener.getsockname(), client_config)
        assert caught.value.reason is Reason.NOT_TLS
        answered.result(SECONDS)


def test_the_server_reads_why_the_client_rejects_it(serve: Serve) -> None:
    with serve(echo) as server:
        with pytest.raises(CertificateRejected):
            connect(*server.address, ClientConfig(trust=TrustStore.empty()))
        assert isinstance(server.error(), AlertReceived)


def test_the_client_reads_why_the_server_rejects_it(
    serve: Serve, server_config: ServerConfig, client_config: ClientConfig
) -> None:
    with serve(echo, replace(server_config, groups=["x25519"])) as server:
        with pytest.raises(AlertReceived):
            connect(*server.address, replace(client_config, groups=["x448"], key_shares=["x448"]))
        assert server.error() is not None


def test_a_missing_client_certificate_is_heard_of_when_receiving(
    serve: Serve, server_config: ServerConfig, client_config: ClientConfig
) -> None:
    config = replace(server_config, client_authentication="required", trust=client_config.trust)
    with serve(echo, config) as server, connect(*server.address, client_config) as tls:
        with pytest.raises(AlertReceived):
            tls.recv(1)
        assert server.error() is not None


def test_a_missing_client_certificate_explains_why_sending_fails(
    short_linger: None, serve: Serve, server_config: ServerConfig, client_config: ClientConfig
) -> None:
    config = replace(server_config, client_authentication="required", trust=client_config.trust)
    with serve(echo, config) as server, connect(*server.address, client_config) as tls:
        assert server.error() is not None
        with pytest.raises(AlertReceived):
            send_until_it_fails(tls)


# -- data


def test_data_goes_both_ways(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        tls.sendall(b"ping")
        assert tls.recv(100) == b"ping"


def test_recv_gives_no_more_than_asked_for(serve: Serve, client_config: ClientConfig) -> None:
    with serve(lambda tls: tls.sendall(b"abcdef")) as server, connect(*server.address, client_config) as tls:
        assert tls.recv(2) == b"ab"
        assert tls.pending() == 4
        assert receive_all(tls) == b"cdef"


def test_recv_into_fills_a_part_of_a_buffer(serve: Serve, client_config: ClientConfig) -> None:
    with serve(lambda tls: tls.sendall(b"abc")) as server, connect(*server.address, client_config) as tls:
        buffer = bytearray(b"......")
        assert tls.recv_into(buffer, 2) == 2
        assert tls.recv_into(memoryview(buffer)[2:]) == 1
        assert buffer == b"abc..."


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bulk_arrives_whole(serve: Serve, client_config: ClientConfig, kind: type) -> None:
    with serve(receive_all) as server:
        with connect(*server.address, client_config) as tls:
            tls.sendall(kind(BULK))
        assert server.result() == BULK


def test_bulk_in_both_directions_at_once_does_not_block_itself(
    serve: Serve, client_config: ClientConfig
) -> None:
    with (
        serve(echo) as server,
        connect(*server.address, client_config) as tls,
        ThreadPoolExecutor(1) as pool,
    ):

        def send() -> None:
            tls.sendall(BULK)
            tls.shutdown()

        sending = pool.submit(send)
        assert receive_all(tls) == BULK
        sending.result(SECONDS)


def test_threads_that_send_do_not_mix_their_data(serve: Serve, client_config: ClientConfig) -> None:
    parts = [bytes([value]) * 100_000 for value in range(8)]
    with serve(receive_all) as server:
        with connect(*server.address, client_config) as tls, ThreadPoolExecutor(8) as pool:
            list(pool.map(tls.sendall, parts))
        got = server.result()
    assert sorted(got[at : at + 100_000] for at in range(0, len(got), 100_000)) == parts


def test_a_key_update_asked_for_through_the_engine_leaves_with_the_next_call(
    serve: Serve, client_config: ClientConfig
) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        tls.connection.key_update()
        tls.sendall(b"under new keys")
        assert tls.recv(100) == b"under new keys"


# -- timeouts


def test_a_timeout_of_recv_leaves_the_connection_usable(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        tls.settimeout(0.01)
        with pytest.raises(TimeoutError, match="receiving"):
            tls.recv(1)
        tls.settimeout(SECONDS)
        tls.sendall(b"still here")
        assert tls.recv(100) == b"still here"


def test_a_timeout_of_zero_does_not_wait(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        tls.settimeout(0)
        with pytest.raises(BlockingIOError):
            tls.recv(1)


def test_send_refuses_what_cannot_leave_and_loses_nothing(serve: Serve, client_config: ClientConfig) -> None:
    read = threading.Event()

    def later(tls: TLSSocket) -> bytes:
        read.wait(SECONDS)
        return receive_all(tls)

    with serve(later) as server:
        with connect(*server.address, client_config) as tls:
            tls.settimeout(0)
            sent = send_what_leaves(tls)
            with pytest.raises(BlockingIOError):
                tls.send(b"more")
            read.set()
        assert server.result() == BULK[:sent]


def test_a_sendall_that_times_out_ends_sending_and_looks_like_no_end(
    serve: Serve, client_config: ClientConfig
) -> None:
    read = threading.Event()

    def later(tls: TLSSocket) -> bytes:
        read.wait(SECONDS)
        return receive_all(tls)

    with serve(later) as server:
        with connect(*server.address, client_config) as tls:
            tls.settimeout(0.05)
            with pytest.raises(TimeoutError, match="sending"):
                tls.sendall(BULK * 4)
            with pytest.raises(Misuse) as caught:
                tls.sendall(b"more")
            assert caught.value.reason is Reason.CONNECTION_CLOSED
        read.set()
        error = server.error()
    assert isinstance(error, ConnectionResetError) or getattr(error, "reason", None) is Reason.TRUNCATED


def test_negative_values_are_refused(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        with pytest.raises(ValueError, match="not negative"):
            tls.settimeout(-1)
        with pytest.raises(ValueError, match="not negative"):
            tls.recv(-1)


# -- ends


def test_close_notify_is_the_end_and_stays_it(serve: Serve, client_config: ClientConfig) -> None:
    with serve(lambda tls: tls.sendall(b"all")) as server, connect(*server.address, client_config) as tls:
        assert receive_all(tls) == b"all"
        assert tls.recv(1) == b""


def test_a_tcp_end_without_close_notify_is_a_truncation_after_the_data(
    serve: Serve, client_config: ClientConfig
) -> None:
    def half(tls: TLSSocket) -> None:
        tls.sendall(b"half of it")
        cut(tls)

    with serve(half) as server, connect(*server.address, client_config) as tls:
        server.result()
        assert tls.recv(100) == b"half of it"
        for _ in range(2):
            with pytest.raises(PeerMisbehaved) as caught:
                tls.recv(100)
            assert caught.value.reason is Reason.TRUNCATED


def test_after_shutdown_reading_goes_on(serve: Serve, client_config: ClientConfig) -> None:
    def answer(tls: TLSSocket) -> None:
        request = receive_all(tls)
        tls.sendall(request.upper())

    with serve(answer) as server, connect(*server.address, client_config) as tls:
        tls.sendall(b"question")
        tls.shutdown()
        assert receive_all(tls) == b"QUESTION"


def test_after_shutdown_nothing_can_be_sent(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        tls.shutdown()
        with pytest.raises(Misuse):
            tls.sendall(b"more")


def test_shutdown_of_both_sides_ends_tcp(serve: Serve, client_config: ClientConfig) -> None:
    with serve(receive_all) as server, connect(*server.address, client_config) as tls:
        tls.shutdown(socket.SHUT_RDWR)
        assert server.result() == b""


def test_the_reading_side_alone_cannot_be_shut(serve: Serve, client_config: ClientConfig) -> None:
    with (
        serve(echo) as server,
        connect(*server.address, client_config) as tls,
        pytest.raises(ValueError, match="SHUT_WR"),
    ):
        tls.shutdown(socket.SHUT_RD)


def test_a_closed_socket_refuses_and_may_be_closed_again(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server:
        tls = connect(*server.address, client_config)
        tls.close()
        tls.close()
        assert tls.fileno() == -1
        for use in (lambda: tls.recv(1), lambda: tls.sendall(b"x"), tls.makefile, tls.shutdown):
            with pytest.raises(OSError, match="closed"):
                use()


def test_close_in_one_thread_ends_recv_in_another(serve: Serve, client_config: ClientConfig) -> None:
    closed = threading.Event()
    with serve(lambda _: closed.wait(SECONDS)) as server, ThreadPoolExecutor(1) as pool:
        tls = connect(*server.address, client_config)
        receiving = pool.submit(tls.recv, 1)
        while not tls._duplex._read_lock.locked():
            os.sched_yield()
        tls.close()
        error = receiving.exception(SECONDS)
        closed.set()
    assert isinstance(error, OSError)
    assert error.errno == errno.EBADF


def test_closing_with_unread_data_does_not_destroy_what_was_sent(
    serve: Serve, client_config: ClientConfig
) -> None:
    sent = threading.Event()

    def talkative(tls: TLSSocket) -> bytes:
        tls.sendall(b"nobody reads this")
        sent.set()
        return receive_all(tls)

    with serve(talkative) as server:
        with connect(*server.address, client_config) as tls:
            sent.wait(SECONDS)
            tls.sendall(BULK[:200_000])
        assert server.result() == BULK[:200_000]


# -- files


def test_a_file_reads_lines_and_writes(serve: Serve, client_config: ClientConfig) -> None:
    def answer(tls: TLSSocket) -> None:
        with tls.makefile("rwb") as file:
            for line in file:
                file.write(line.upper())
                file.flush()

    with (
        serve(answer) as server,
        connect(*server.address, client_config) as tls,
        tls.makefile("rw", encoding="utf-8", newline="\n") as file,
    ):
        file.write("one\ntwo\n")
        file.flush()
        assert [file.readline(), file.readline()] == ["ONE\n", "TWO\n"]


def test_a_file_keeps_the_connection_until_it_is_closed(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server:
        tls = connect(*server.address, client_config)
        file = tls.makefile("rb")
        tls.sendall(b"hello")
        tls.close()
        assert file.read(5) == b"hello"
        file.close()
        assert tls.fileno() == -1
        server.result()


def test_the_standard_librarys_http_client_works_over_it(serve: Serve, client_config: ClientConfig) -> None:
    def answer(tls: TLSSocket) -> None:
        with tls.makefile("rb") as file:
            while file.readline().strip():
                pass
        tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nthe body ends with the connection")

    with serve(answer) as server:
        http = HTTPConnection("localhost")
        http.sock = connect(*server.address, client_config)
        http.request("GET", "/")
        response = http.getresponse()
        http.close()
        assert response.read() == b"the body ends with the connection"


def test_closing_a_file_leaves_the_socket_open(serve: Serve, client_config: ClientConfig) -> None:
    with serve(echo) as server, connect(*server.address, client_config) as tls:
        tls.makefile("rb").close()
        tls.sendall(b"open")
        assert tls.recv(4) == b"open"


@pytest.mark.parametrize("mode, buffering", [("x", None), ("r", 0)])
def test_files_that_make_no_sense_are_refused(
    serve: Serve, client_config: ClientConfig, mode: str, buffering: int | None
) -> None:
    with (
        serve(echo) as server,
        connect(*server.address, client_config) as tls,
        pytest.raises(ValueError, match=r"mode|binary"),
    ):
        tls.makefile(mode, buffering)


# -- listening


def test_a_client_that_fails_leaves_the_listener_working(
    short_linger: None, server_config: ServerConfig, client_config: ClientConfig
) -> None:
    with listen("127.0.0.1", 0, server_config) as listener, ThreadPoolExecutor(1) as pool:
        with socket.create_connection(listener.address, SECONDS) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(PeerMisbehaved) as caught:
                listener.accept(timeout=SECONDS)
        assert caught.value.reason is Reason.NOT_TLS
        accepted = pool.submit(listener.accept, timeout=SECONDS)
        with connect(*listener.address, client_config) as tls, accepted.result(SECONDS) as other:
            other.sendall(b"welcome")
            assert tls.recv(100) == b"welcome"


def test_a_client_that_says_nothing_is_left_at_the_deadline(server_config: ServerConfig) -> None:
    with (
        listen("127.0.0.1", 0, server_config, timeout=0.05) as listener,
        socket.create_connection(listener.address, SECONDS),
        pytest.raises(TimeoutError, match="the TLS handshake"),
    ):
        listener.accept(timeout=SECONDS)


def test_the_handshake_may_be_left_to_another_thread(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    with listen("127.0.0.1", 0, server_config) as listener, ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(connect, *listener.address, client_config)
        with listener.accept(timeout=SECONDS, handshake=False) as tls:
            assert not tls.connection.handshake_complete
            tls.handshake()
            assert tls.connection.handshake_complete
            connecting.result(SECONDS).close()


def test_accept_gives_up_at_its_timeout(server_config: ServerConfig) -> None:
    with listen("127.0.0.1", 0, server_config) as listener, pytest.raises(TimeoutError, match="accepting"):
        listener.accept(timeout=0.01)


def test_closing_the_listener_ends_a_waiting_accept(server_config: ServerConfig) -> None:
    listener = listen("127.0.0.1", 0, server_config)
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(listener.accept)
        listener.close()
        with pytest.raises(OSError, match=r"Invalid argument|closed|Bad file"):
            accepting.result(SECONDS)


def test_listens_on_ipv6(server_config: ServerConfig, client_config: ClientConfig) -> None:
    try:
        listener = listen("::1", 0, server_config)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with listener, ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(listener.accept, timeout=SECONDS)
        with connect("::1", listener.address[1], client_config) as tls, accepted.result(SECONDS):
            assert tls.getpeername()[0] == "::1"
