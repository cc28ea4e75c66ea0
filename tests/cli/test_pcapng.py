"""``--pcapng``: where the capture goes, what is in it, and what may go wrong with its file."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conversations import converse
from pcapng_blocks import (
    FIN,
    PACKET,
    RST,
    SECRETS,
    Packet,
    blocks,
    names,
    packets,
    secrets,
    told_steps,
    whole_blocks,
)

from pellucid.cli.output import Output
from pellucid.cli.serving import Server
from pellucid.cli.serving_settings import Wish
from pellucid.config import ClientConfig
from pellucid.identity import TrustStore
from pellucid.io.blocking import connect

Pellucid = Callable[..., Any]
Peer = Callable[[Callable[[socket.socket], object]], int]

DEADLINE_SECONDS = 20.0


def captured(pellucid: Pellucid, tmp_path: Path, *arguments: object) -> bytes:
    file = tmp_path / "capture.pcapng"
    pellucid(*arguments, "--pcapng", file)
    return file.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--mutual"],
        ["--group", "secp384r1"],
        ["--tls", "1.2", "--key-exchange", "rsa"],
        ["--tls", "1.2", "--key-exchange", "dhe"],
    ],
    ids=" ".join,
)
def test_a_demo_is_captured_with_its_story(pellucid: Pellucid, tmp_path: Path, options: list[str]) -> None:
    file = tmp_path / "capture.pcapng"
    story = pellucid("demo", *options, "--pcapng", file)
    assert story.code == 0
    data = file.read_bytes()
    assert secrets(data)
    assert names(data) == [("192.0.2.1", "client"), ("192.0.2.2", "localhost")]
    assert len(list(told_steps(packets(data)))) == len(
        [line for line in story.out.splitlines() if line[:3].strip().isdigit()]
    )


def test_the_capture_has_the_records_of_the_trace(pellucid: Pellucid, tmp_path: Path) -> None:
    file = tmp_path / "capture.pcapng"
    document = pellucid("demo", "--json", "-", "--pcapng", file).document
    sent = [e for e in document["events"] if e["kind"] == "record" and e["direction"] == "sent"]
    payloads = [packet.payload for packet in packets(file.read_bytes()) if packet.payload]
    assert [payload[:5].hex() for payload in payloads] == [event["header"] for event in sent]


def test_both_connections_of_a_resumption_are_in_one_file(pellucid: Pellucid, tmp_path: Path) -> None:
    data = captured(pellucid, tmp_path, "demo", "--resume")
    assert len({packet.source_port for packet in packets(data) if packet.outbound}) == 2
    assert len({line.split()[1] for line in secrets(data)}) == 2


def test_secrets_can_be_left_out(pellucid: Pellucid, tmp_path: Path) -> None:
    data = captured(pellucid, tmp_path, "demo", "--no-secrets")
    assert SECRETS not in [block.kind for block in blocks(data)]
    assert PACKET in [block.kind for block in blocks(data)]


def test_the_key_log_gets_what_the_capture_gets(pellucid: Pellucid, tmp_path: Path) -> None:
    keylog = tmp_path / "keys"
    data = captured(pellucid, tmp_path, "demo", "--keylog", keylog)
    assert secrets(data) == keylog.read_text().splitlines()


@pytest.mark.parametrize("options", [[], ["--resume"], ["--tls", "1.2"]], ids=["1.3", "resumed", "1.2"])
def test_with_a_seed_the_capture_is_the_same_to_the_byte(
    pellucid: Pellucid, tmp_path: Path, options: list[str]
) -> None:
    first, second = (captured(pellucid, tmp_path, "demo", "--seed", 1, *options) for _ in range(2))
    assert first == second


# -- where it goes


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pellucid", *arguments]
    return subprocess.run(command, check=False, capture_output=True, timeout=60, **options)


def test_on_standard_output_it_is_alone() -> None:
    done = run("demo", "--seed", "1", "--pcapng", "-")
    assert done.returncode == 0
    assert len(packets(done.stdout)) > 10
    assert "✓ connected" in done.stderr.decode()


@pytest.mark.parametrize("other", ["--json", "--keylog"])
def test_two_outputs_cannot_share_standard_output(pellucid: Pellucid, other: str) -> None:
    ran = pellucid("demo", other, "-", "--pcapng", "-")
    assert ran.code == 2
    assert f"{other} and --pcapng cannot both go to standard output" in ran.err


def test_a_file_that_cannot_be_written_is_said_first(pellucid: Pellucid, tmp_path: Path) -> None:
    ran = pellucid("demo", "--pcapng", tmp_path / "missing" / "capture.pcapng")
    assert ran.code == 2
    assert "No such file or directory" in ran.err
    assert not ran.out


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("there_before", [False, True])
def test_a_file_with_secrets_is_for_its_owner_alone(
    pellucid: Pellucid, tmp_path: Path, there_before: bool
) -> None:
    file = tmp_path / "capture.pcapng"
    if there_before:
        file.write_bytes(b"something longer than nothing")
        file.chmod(0o644)
    captured(pellucid, tmp_path, "demo")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert packets(file.read_bytes())


@contextmanager
def broken_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that takes no more and does not wait; who reads it is asleep."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    yield writing
    os.close(writing)
    os.close(reading)


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
@pytest.mark.parametrize(
    "pipe, why", [(broken_pipe, errno.EPIPE), (full_pipe, errno.EAGAIN)], ids=["broken", "full"]
)
def test_a_reader_that_takes_no_more_does_not_end_the_story(pipe: Any, why: int) -> None:
    with pipe() as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "pellucid", "demo", "--pcapng", "-"],
            check=False, stdout=stdout, stderr=subprocess.PIPE, timeout=60,
        )  # fmt: skip
    story = done.stderr.decode()
    assert done.returncode == 0
    assert "✓ connected" in story
    assert story.count(f"--pcapng: {os.strerror(why)}: the capture ends here") == 1
    assert "Exception" not in story


# -- connections that are real


@contextmanager
def serving(files: Any, output: Output, connections: int = 1, **wishes: Any) -> Iterator[Server]:
    """``pellucid serve`` in a thread."""
    settings: dict[str, Any] = {
        **dict.fromkeys(("client_ca", "group", "suite", "write_root")),
        "cert": files.server_cert,
        "key": files.server_key,
        "host": "127.0.0.1",
        "port": 0,
        "certificate": "ecdsa",
        "timeout_seconds": DEADLINE_SECONDS,
        "connections": connections,
    }
    server = Server(Wish(**{**settings, **wishes}), output)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
        thread.join(DEADLINE_SECONDS)
    finally:
        server.__exit__()


@pytest.mark.parametrize("tls", ["1.3", "1.2"])
def test_a_real_connection_has_its_name_its_port_and_its_view(
    pellucid: Pellucid, tmp_path: Path, files: Any, tls: str
) -> None:
    file = tmp_path / "capture.pcapng"
    with serving(files, Output()) as server:
        target = f"localhost:{server.port}"
        assert pellucid("connect", target, "--tls", tls, "--cafile", files.root, "--pcapng", file).code == 0
    data = file.read_bytes()
    first = packets(data)[0]
    assert names(data) == [(str(first.source), "client"), (str(first.destination), "localhost")]
    assert f"to 127.0.0.1 port {server.port}." in first.comments[0]
    assert first.outbound
    assert len(secrets(data)) == (4 if tls == "1.3" else 1)


def test_the_secrets_are_there_without_a_key_log_too(
    pellucid: Pellucid, tmp_path: Path, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    with serving(files, Output()) as server:
        data = captured(pellucid, tmp_path, "connect", f"localhost:{server.port}", "--cafile", files.root)
    assert len(secrets(data)) == 4


def test_visitors_at_the_same_time_do_not_mix(tmp_path: Path, files: Any) -> None:
    file = tmp_path / "capture.pcapng"
    trust = TrustStore.from_files(files.root)
    with (
        Output(pcapng_file=str(file)) as output,
        serving(files, output, 2) as server,
        connect("127.0.0.1", server.port, ClientConfig(trust=trust), "localhost") as one,
        connect("127.0.0.1", server.port, ClientConfig(trust=trust), "localhost") as two,
    ):
        for tls in (two, one):
            tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while tls.recv(65536):
                pass
    found = packets(file.read_bytes())
    assert len(secrets(file.read_bytes())) == 8
    for port in (50000, 50001):
        own = [packet for packet in found if port in (packet.source_port, packet.destination_port)]
        assert [packet.flags & FIN for packet in own[-3:]] == [FIN, FIN, 0]
        assert len(own) > 10


class Reader:
    """The reading end of a FIFO, as Wireshark has it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.data = b""

    def until(self, there: Callable[[list[Packet]], object]) -> list[Packet]:
        """Read until what is looked for is among the packets; AssertionError if it never is."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not there(found := packets(whole_blocks(self.data))):
            left = deadline - time.monotonic()
            assert left > 0, f"{len(found)} packets, and nothing more comes"
            if select.select([self.descriptor], [], [], left)[0]:
                self.data += os.read(self.descriptor, 65536)
        return found

    def close(self) -> None:
        os.close(self.descriptor)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs here")
def test_a_pipe_has_a_handshake_as_soon_as_it_is_complete(tmp_path: Path, files: Any) -> None:
    reader = Reader(tmp_path / "pipe")
    config = ClientConfig(trust=TrustStore.from_files(files.root))
    try:
        with Output(pcapng_file=str(tmp_path / "pipe")) as output, serving(files, output) as server:
            with connect("127.0.0.1", server.port, config, "localhost"):
                told = reader.until(lambda found: "client Finished" in str(found))
                assert secrets(whole_blocks(reader.data))
                assert not any(packet.flags & FIN for packet in told)
            reader.until(lambda found: sum(packet.flags & FIN for packet in found) == 2)
    finally:
        reader.close()


# -- connections that fail


def failing(pellucid: Pellucid, tmp_path: Path, port: int, files: Any) -> list[Packet]:
    target = ("connect", f"localhost:{port}", "--timeout", 2, "--cafile", files.root)
    return packets(captured(pellucid, tmp_path, *target))


def test_what_a_peer_without_tls_says_is_captured(
    pellucid: Pellucid, tmp_path: Path, peer: Peer, files: Any
) -> None:
    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    found = failing(pellucid, tmp_path, peer(speak), files)
    assert found[4].payload == b"HTTP/1.1 400 Bad Request\r\n\r\n"
    assert any("The connection failed: not_tls." in text for text in found[5].comments)


def test_a_reset_is_captured_as_the_peers(pellucid: Pellucid, tmp_path: Path, peer: Peer, files: Any) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    last = failing(pellucid, tmp_path, peer(reset), files)[-1]
    assert last.flags & RST
    assert not last.outbound


def test_of_a_silent_peer_nothing_is_captured(
    pellucid: Pellucid, tmp_path: Path, peer: Peer, files: Any
) -> None:
    def listen_only(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    found = failing(pellucid, tmp_path, peer(listen_only), files)
    assert [packet.outbound for packet in found[3:]] == [True, True]
    assert found[-1].time_ns - found[3].time_ns > 1.5e9  # we gave up then


def test_a_certificate_that_is_refused_is_captured_with_the_reason(
    pellucid: Pellucid, tmp_path: Path, files: Any
) -> None:
    file = tmp_path / "capture.pcapng"
    with serving(files, Output()) as server:
        target = f"localhost:{server.port}"
        assert pellucid("connect", target, "--cafile", files.stranger_root, "--pcapng", file).code == 5
    comments = [text for packet in packets(file.read_bytes()) for text in packet.comments]
    assert any("client verifies the server's certificate path: this fails." in text for text in comments)
    assert any("The connection failed: unknown_root." in text for text in comments)


def test_a_peer_that_has_left_already_is_captured_without_its_address(tmp_path: Path) -> None:
    class Gone:
        def getsockname(self) -> Any:
            raise OSError(errno.ENOTCONN, "not connected")

    file = tmp_path / "capture.pcapng"
    with Output(pcapng_file=str(file)) as output:
        talk = converse("full", "server")
        place = output.capture(talk.trace)
        place.between(Gone(), "server", "localhost")  # type: ignore[arg-type]
        place.finish("server")
    assert names(file.read_bytes()) == [("192.0.2.1", "client"), ("192.0.2.2", "localhost")]


def test_where_tcp_fails_the_capture_is_empty(pellucid: Pellucid, tmp_path: Path, files: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failing(pellucid, tmp_path, port, files) == []
