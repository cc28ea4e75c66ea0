"""STARTTLS, proxies and existing connections under the blocking driver, over loopback."""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from clear import SERVERS, Script, http_proxy, listening, relayed, smtp, socks5_proxy, then_tls

from pellucid import wrap
from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import CertificateRejected, Misuse, PeerMisbehaved, PreambleFailed, Reason
from pellucid.io.blocking import connect
from pellucid.trace import NetworkEvent, Trace

SECONDS = 10.0  # for what should take milliseconds


def echo(tls: Any) -> None:
    while data := tls.recv(65536):
        tls.sendall(data)


@pytest.fixture
def serve(server_config: ServerConfig) -> Callable[[Script], Any]:
    """`with serve(script) as port`: the script, then TLS that echoes."""
    return lambda script: listening(then_tls(script, server_config, echo))


def network_events(trace: Trace) -> list[NetworkEvent]:
    return [event for event in trace.events if isinstance(event, NetworkEvent)]


def nothing(_: socket.socket) -> None:
    """TLS from the start."""


# -- STARTTLS


@pytest.mark.parametrize("name", SERVERS)
def test_tls_begins_where_the_protocol_ends(serve: Any, client_config: ClientConfig, name: str) -> None:
    with (
        serve(SERVERS[name]) as port,
        connect("127.0.0.1", port, client_config, "localhost", SECONDS, starttls=name) as tls,
    ):
        tls.sendall(b"and on we go")
        assert tls.recv(100) == b"and on we go"


def test_who_is_asked_for_tls_still_has_to_prove_who_it_is(serve: Any, client_config: ClientConfig) -> None:
    with serve(smtp) as port, pytest.raises(CertificateRejected) as caught:
        connect("127.0.0.1", port, client_config, "elsewhere.example", SECONDS, starttls="smtp")
    assert caught.value.reason is Reason.HOSTNAME_MISMATCH


def test_a_protocol_that_there_is_not_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(Misuse, match="'nntp' is not one of"):
        connect("127.0.0.1", 9, server_name="localhost", starttls="nntp")


@pytest.mark.parametrize("where", ["in one piece", "behind it"])
def test_what_was_put_behind_the_last_answer_never_reaches_the_application(
    client_config: ClientConfig, where: str
) -> None:
    """Command injection in the clear, of the kind of CVE-2011-0411: whichever way TCP cuts it, TLS fails."""
    after: list[bytes] = []

    def inject(sock: socket.socket) -> None:
        sock.sendall(b"220 hi\r\n")
        sock.recv(100)
        sock.sendall(b"250-me\r\n250 STARTTLS\r\n")
        sock.recv(100)
        if where == "in one piece":
            sock.sendall(b"220 go\r\n250 all is yours\r\n")
        else:
            sock.sendall(b"220 go\r\n")
            assert sock.recv(1, socket.MSG_PEEK)  # the ClientHello is here
            sock.sendall(b"250 all is yours\r\n")
        while data := sock.recv(65536):
            after.append(data)

    errors: list[Exception] = []
    with listening(inject, errors=errors) as port, pytest.raises(PeerMisbehaved) as caught:
        connect("127.0.0.1", port, client_config, "localhost", SECONDS, starttls="smtp")
    assert caught.value.reason is (Reason.STARTTLS_INJECTION if where == "in one piece" else Reason.NOT_TLS)
    assert "250 all is yours" in caught.value.detail
    assert errors == []
    if where == "in one piece":
        assert after == []  # no ClientHello either


@pytest.mark.parametrize(
    "said, words",
    [
        (b"", "nothing came, as from one that begins with TLS"),
        (b"220-still\r\n", 'the last that came was "220-still"'),
        (b"220 wai", 'what came is no whole answer: "220 wai"'),
    ],
)
def test_a_dialogue_that_stalls_is_ended_by_the_deadline_with_what_has_come(
    client_config: ClientConfig, said: bytes, words: str
) -> None:
    def stall(sock: socket.socket) -> None:
        sock.sendall(said)
        sock.recv(1)

    with listening(stall) as port, pytest.raises(TimeoutError) as caught:
        connect("127.0.0.1", port, client_config, "localhost", 0.2, starttls="smtp")
    assert "the dialogue before TLS did not finish within 0.2 s; of the SMTP server " in str(caught.value)
    assert words in str(caught.value)


def test_a_server_that_resets_in_the_dialogue_has_refused(client_config: ClientConfig) -> None:
    def reset(sock: socket.socket) -> None:
        sock.sendall(b"220 hi\r\n")
        assert sock.recv(1)  # and the rest of it unread: closing makes that a RST

    with listening(reset) as port, pytest.raises(PreambleFailed) as caught:
        connect("127.0.0.1", port, client_config, "localhost", SECONDS, starttls="smtp")
    assert caught.value.reason is Reason.STARTTLS_REFUSED


# -- proxies

TOKEN = "Basic " + b64encode(b"me:p@ss").decode()
PROXIES = {
    "http": ("http://127.0.0.1:{}", relayed(http_proxy)),
    "http with a password": (
        "http://me:p%40ss@127.0.0.1:{}",
        relayed(partial(http_proxy, authorization=TOKEN)),
    ),
    "socks5": ("socks5://127.0.0.1:{}", relayed(socks5_proxy)),
    "socks5 with a password": (
        "socks5h://me:p%40ss@127.0.0.1:{}",
        relayed(partial(socks5_proxy, login=(b"me", b"p@ss"))),
    ),
}


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("starttls", [None, "smtp", "ldap"])
def test_tls_goes_through_a_proxy(
    serve: Any, client_config: ClientConfig, kind: str, starttls: str | None
) -> None:
    url, proxy = PROXIES[kind]
    server = SERVERS[starttls] if starttls else nothing
    with (
        serve(server) as port,
        listening(proxy) as proxy_port,
        connect(
            "localhost", port, client_config, timeout=SECONDS, proxy=url.format(proxy_port), starttls=starttls
        ) as tls,
    ):
        assert tls.getpeername()[1] == proxy_port
        tls.sendall(b"through")
        assert tls.recv(100) == b"through"


@pytest.mark.parametrize("kind", ["http with a password", "socks5 with a password"])
def test_a_proxy_that_is_not_told_a_password_lets_nobody_through(
    client_config: ClientConfig, kind: str
) -> None:
    url, proxy = PROXIES[kind]
    with listening(proxy) as proxy_port, pytest.raises(PreambleFailed) as caught:
        connect("localhost", 9, client_config, proxy=url.replace("me:p%40ss@", "").format(proxy_port))
    assert caught.value.reason is Reason.PROXY_AUTHENTICATION_FAILED


def test_a_proxy_that_is_not_there_is_told_as_the_one_that_is_missing(client_config: ClientConfig) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ConnectionRefusedError, match="no way to the proxy: cannot connect to "):
            connect("localhost", 9, client_config, proxy=url)


def test_a_proxy_without_an_address_is_told_as_the_one_that_has_none(client_config: ClientConfig) -> None:
    with pytest.raises(socket.gaierror, match="the proxy http://no"):
        connect("localhost", 9, client_config, proxy="http://no.such.proxy.invalid", timeout=SECONDS)


@pytest.mark.parametrize(
    "host, target",
    [
        ("my_host.internal", "my_host.internal"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_proxy_is_told_the_host_as_it_is_written_on_the_wire(
    client_config: ClientConfig, host: str, target: str
) -> None:
    asked = []

    def script(sock: socket.socket) -> None:
        asked.append(sock.recv(1000).partition(b"\r\n")[0].decode())

    with listening(script) as port, pytest.raises(PreambleFailed):
        connect(host, 443, client_config, "localhost", SECONDS, proxy=f"http://127.0.0.1:{port}")
    assert asked == [f"CONNECT {target}:443 HTTP/1.1"]


def test_a_host_that_could_end_the_line_is_never_sent(client_config: ClientConfig) -> None:
    with pytest.raises(Misuse) as caught:
        connect("a\r\nHost: b", 443, client_config, "localhost", proxy="http://127.0.0.1:9")
    assert caught.value.reason is Reason.BAD_SERVER_NAME


def test_what_comes_through_a_proxy_before_our_hello_is_no_tls(client_config: ClientConfig) -> None:
    def banner(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 200 ok\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n")
        sock.recv(1)

    with listening(banner) as port, pytest.raises(PeerMisbehaved, match="SSH banner") as caught:
        connect("localhost", 22, client_config, timeout=SECONDS, proxy=f"http://127.0.0.1:{port}")
    assert caught.value.reason is Reason.NOT_TLS


def test_a_page_in_the_place_of_a_tunnel_is_told_with_whom_it_came_through(
    client_config: ClientConfig,
) -> None:
    """RFC 9110 9.3.6: a 2xx to CONNECT has no content, so that what comes may as well be the server's."""

    def portal(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>log in<br>")
        sock.recv(1)

    with listening(portal) as port, pytest.raises(PeerMisbehaved) as caught:
        connect("localhost", 9, client_config, timeout=SECONDS, proxy=f"http://127.0.0.1:{port}")
    assert caught.value.reason is Reason.NOT_TLS
    assert f"through the proxy http://127.0.0.1:{port} before our ClientHello" in caught.value.detail
    assert '"<html>log in<br>"' in caught.value.detail


def test_a_proxy_that_never_answers_is_ended_by_the_deadline(client_config: ClientConfig) -> None:
    with (
        listening(lambda sock: sock.recv(1) and sock.recv(65536) and sock.recv(1)) as port,
        pytest.raises(TimeoutError, match="of the proxy http://127"),
    ):
        connect("localhost", 9, client_config, timeout=0.2, proxy=f"http://127.0.0.1:{port}")


# -- what the trace has of it


def test_the_trace_has_each_step_with_its_time(serve: Any, client_config: ClientConfig) -> None:
    from dataclasses import replace

    trace = Trace()
    url, proxy = PROXIES["http with a password"]
    with (
        serve(smtp) as port,
        listening(proxy) as proxy_port,
        connect(
            "localhost",
            port,
            replace(client_config, trace=trace),
            timeout=SECONDS,
            proxy=url.replace("127.0.0.1", "localhost").format(proxy_port),
            starttls="smtp",
        ),
    ):
        steps = network_events(trace)
    assert [(step.what, step.ok) for step in steps] == [
        ("name", True), ("tcp", True), ("proxy", True), ("starttls", True)
    ]  # fmt: skip
    assert all(step.duration_us >= 0 for step in steps)
    assert steps[1].detail == f"connected to 127.0.0.1:{proxy_port}"
    assert [line.text for line in steps[3].lines if line.direction == "sent"] == [
        "EHLO [127.0.0.1]",
        "STARTTLS",
    ]
    assert "p@ss" not in repr(trace.events)
    assert TOKEN not in repr(trace.events)


def test_a_step_that_failed_is_in_the_trace(client_config: ClientConfig) -> None:
    from dataclasses import replace

    trace = Trace()
    with (
        listening(lambda sock: sock.sendall(b"554 no\r\n")) as port,
        pytest.raises(PreambleFailed),
    ):
        connect("127.0.0.1", port, replace(client_config, trace=trace), "localhost", SECONDS, starttls="smtp")
    assert [(step.what, step.ok) for step in network_events(trace)] == [("tcp", True), ("starttls", False)]
    assert network_events(trace)[1].lines[0].text == "554 no"


# -- a connection that exists


def pair(family: int) -> tuple[socket.socket, socket.socket]:
    if family != socket.AF_INET:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        return ours, listener.accept()[0]


@pytest.mark.parametrize("family", ["tcp", "local"])
def test_tls_over_a_connection_that_exists(
    client_config: ClientConfig, server_config: ServerConfig, family: str
) -> None:
    ours, theirs = pair(socket.AF_INET if family == "tcp" else socket.AF_UNSPEC)
    with ThreadPoolExecutor(1) as pool, ours, theirs:
        server = pool.submit(wrap, theirs, server_config, timeout=SECONDS)
        with wrap(ours, client_config, "localhost", SECONDS) as tls, server.result(SECONDS) as peer:
            tls.sendall(b"hello")
            assert peer.recv(10) == b"hello"
            assert ours.fileno() == theirs.fileno() == -1  # nobody says anything in the clear any more


def test_a_wrong_use_leaves_the_socket_to_its_owner(client_config: ClientConfig) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(Misuse, match="server_name"):
            wrap(ours, client_config)
        with pytest.raises(Misuse, match="not a server name"):
            wrap(ours, client_config, "no name")
        ours.sendall(b"still here")
        assert theirs.recv(100) == b"still here"


def test_datagrams_carry_no_tls(client_config: ClientConfig) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(Misuse, match="stream"):
        wrap(sock, client_config, "localhost")


def test_a_socket_that_encrypts_already_is_not_torn_out_of_its_tls(client_config: ClientConfig) -> None:
    """Of an ``ssl.SSLSocket`` there would be the bare TCP connection left, and that in the middle of TLS."""
    ours, theirs = socket.socketpair()
    context = ssl.create_default_context()
    with (
        theirs,
        context.wrap_socket(ours, server_hostname="localhost", do_handshake_on_connect=False) as encrypted,
    ):
        with pytest.raises(Misuse, match="TLS already"):
            wrap(encrypted, client_config, "localhost")
        assert encrypted.fileno() != -1


def test_a_socket_that_is_not_connected_stays_what_it_is(client_config: ClientConfig) -> None:
    with socket.socket() as sock:
        with pytest.raises(OSError, match="not connected"):
            wrap(sock, client_config, "localhost")
        assert sock.fileno() != -1


def test_a_handshake_over_it_that_fails_closes_it(client_config: ClientConfig) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"220 this is no TLS\r\n")
        with pytest.raises(PeerMisbehaved) as caught:
            wrap(ours, client_config, "localhost", SECONDS)
        assert caught.value.reason is Reason.NOT_TLS
        theirs.settimeout(SECONDS)
        while theirs.recv(65536):  # our hello, and then the end
            pass


def test_commands_that_came_before_tls_are_none_of_its_data(server_config: ServerConfig) -> None:
    """The server's side of CVE-2011-0411: what lies in the socket behind STARTTLS is TLS, or the end."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(b"MAIL FROM:<attacker@example>\r\n")
        with pytest.raises(PeerMisbehaved) as caught:
            wrap(theirs, server_config, timeout=SECONDS)
    assert caught.value.reason is Reason.NOT_TLS
