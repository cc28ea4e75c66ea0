"""`pellucid decode`: files that are something else, broken, or large; keys that do not fit."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from captures import conversation, enhanced, interface, ipv4, pcap, section, tcp
from crowds import crowd, packets_of
from cryptography.hazmat.primitives import serialization
from loopback import NOW, client12, connect_pair, laboratory, server12

from pellucid import Credential
from pellucid.cli import source
from pellucid.cli.source import Unreadable, opened
from pellucid.identity.lab import Issued, Laboratory

_READ = """
import sys
from pellucid.cli.source import opened
with opened(sys.argv[1]) as file:
    print(sum(map(len, iter(lambda: file.read1(65536), b""))))
"""


@pytest.fixture
def trace(pellucid: Any, tmp_path: Path) -> Path:
    file = tmp_path / "trace.pcapng"
    assert pellucid("demo", "--seed", "1", "--pcapng", file).code == 0
    return file


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    """A file with this in it."""

    def write(content: bytes) -> Path:
        file = tmp_path / "input"
        file.write_bytes(content)
        return file

    return write


# -- what is not a capture, or not a whole one


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "the file is empty"),
        (b"hello world\n", "neither pcap nor pcapng"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gunzip"),
        (b"CLIENT_RANDOM 00 00\n", "a key log, which opens a capture and is none"),
        (pcap([])[:11], "the file ends inside"),
    ],
    ids=["empty", "text", "gzip", "key log", "cut in the header"],
)
def test_what_is_no_capture_is_refused_in_a_line(
    pellucid: Any, written: Callable[[bytes], Path], tmp_path: Path, content: bytes, words: str
) -> None:
    file, target = written(content), tmp_path / "x.json"
    target.write_text("what was there before")
    ran = pellucid("decode", file, "--json", target)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(f"Error: {file}: ")
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert target.read_text() == "what was there before"


def test_a_folder_is_refused(pellucid: Any, tmp_path: Path) -> None:
    ran = pellucid("decode", tmp_path)
    assert ran.code == 2
    assert "is a directory" in ran.err


def test_a_file_that_is_not_there_is_refused(pellucid: Any, tmp_path: Path) -> None:
    ran = pellucid("decode", tmp_path / "none")
    assert ran.code == 2
    assert "does not exist" in ran.err


def test_a_capture_without_tcp_says_what_is_in_it(pellucid: Any, written: Callable[[bytes], Path]) -> None:
    for content, words in (
        (pcap([]), "0 packets, and no TCP connection in them."),
        (pcap([(0, ipv4(b"\0" * 20, protocol=17))] * 3), "Packets passed over:"),
        (pcap([(0, b"\0" * 60)], link_type=147), "link type 147, which is not read here (1)"),
    ):
        ran = pellucid("decode", written(content))
        assert ran.code == 0
        assert words in " ".join(ran.out.split())


def test_help_has_examples_and_exit_codes(pellucid: Any) -> None:
    ran = pellucid("decode", "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert "Exit codes: 0" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "options",
    [["--connection", "0"], ["--json", "-", "--html", "-"], ["--keylog", "/no/such/file"], ["--pcapng", "x"]],
)
def test_wrong_options_exit_2(pellucid: Any, trace: Path, options: list[str]) -> None:
    ran = pellucid("decode", trace, *options)
    assert ran.code == 2
    assert "Error: " in ran.err


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_capture_that_is_cut_short_is_told_as_far_as_it_goes(
    pellucid: Any, trace: Path, written: Callable[[bytes], Path], kept: float
) -> None:
    data = trace.read_bytes()
    ran = pellucid("decode", written(data[: int(len(data) * kept)]), "--json", "-")
    assert ran.code == 0
    document = ran.document
    assert document["capture"]["problem"]["id"] == "cut_short"
    assert len(document["connections"]) == 1
    assert "ClientHello" in ran.err
    assert "ends early, and what comes before has been told: the file ends inside" in ran.err


def test_a_damaged_capture_is_told_up_to_the_damage(
    pellucid: Any, trace: Path, written: Callable[[bytes], Path]
) -> None:
    packets = packets_of(trace)
    good = crowd(packets)
    ran = pellucid("decode", written(good + b"\xff" * 64), "--json", "-")
    assert ran.code == 0
    assert ran.document["capture"]["problem"]["id"] == "damaged"
    assert len(ran.document["connections"]) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_times_beyond_all_calendars_are_survived(
    pellucid: Any, written: Callable[[bytes], Path], order: str
) -> None:
    syn = ipv4(tcp(flags=2))
    content = section(order) + interface(101, order) + enhanced(syn, 2**64 - 1, order)
    ran = pellucid("decode", written(content), "--json", "-")
    assert ran.code == 0
    assert "1 TCP connection" in ran.err


def test_a_file_that_breaks_while_it_is_read_is_no_internal_error(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.BytesIO):
        def readinto(self, _: Any, /) -> int:
            raise OSError(5, os.strerror(5))

    monkeypatch.setattr(source, "_raw", lambda *_: Broken())
    with opened("trace.pcap") as file, pytest.raises(Unreadable, match=r"trace\.pcap cannot be read: Input"):
        file.read(1)


def test_ctrl_c_ends_a_recording_and_then_what_was_recorded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to both ends of a pipe."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1234")))
    before = signal.getsignal(signal.SIGINT)
    with opened("-") as file:
        signal.raise_signal(signal.SIGINT)
        assert file.read() == b"1234"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


# -- keys that are none


@pytest.fixture(scope="session")
def issued() -> Issued:
    return laboratory().issue("rsa")


@pytest.fixture
def recorded(issued: Issued, written: Callable[[bytes], Path]) -> Callable[[str], Path]:
    """``recorded("ECDHE_RSA")`` is a capture of TLS 1.2 with such a key exchange."""

    def record(key_exchange: str) -> Path:
        suites = [f"TLS_{key_exchange}_WITH_AES_128_GCM_SHA256"]
        credential = Credential.from_pem(issued.chain_pem, issued.key_pem)
        server = server12(credentials=[credential], cipher_suites=suites)
        ends = connect_pair(client12(cipher_suites=suites), server)
        turns: list[tuple[str, bytes]] = []
        for end, peer, name in [(*ends, "client"), (*ends[::-1], "server")] * 4:
            data = end.data_to_send()
            peer.receive_data(data)
            turns += [(name, data)] if data else []
        assert ends[0].handshake_complete
        packets = conversation(turns)
        return written(pcap((int(NOW) * 10**9 + 1000 * at, data) for at, data in enumerate(packets)))

    return record


@pytest.fixture
def by_rsa(recorded: Callable[[str], Path]) -> Path:
    return recorded("RSA")


def key_file(folder: Path, pem: bytes) -> Path:
    file = folder / "key.pem"
    file.write_bytes(pem)
    return file


def test_the_servers_rsa_key_opens_an_rsa_key_exchange(
    pellucid: Any, by_rsa: Path, issued: Issued, tmp_path: Path
) -> None:
    assert "sealed: no secrets" in pellucid("decode", by_rsa).out
    ran = pellucid("decode", by_rsa, "--key", key_file(tmp_path, issued.key_pem))
    assert "connected, decrypted" in ran.out


def test_another_rsa_key_does_not_fit(pellucid: Any, by_rsa: Path, tmp_path: Path) -> None:
    other = Laboratory(b"another", NOW).issue("rsa")
    ran = pellucid("decode", by_rsa, "--key", key_file(tmp_path, other.key_pem))
    assert ran.code == 0
    assert "sealed: key does not fit" in ran.out


def test_a_key_does_not_open_what_has_forward_secrecy(
    pellucid: Any, recorded: Callable[[str], Path], issued: Issued, tmp_path: Path
) -> None:
    ran = pellucid("decode", recorded("ECDHE_RSA"), "--key", key_file(tmp_path, issued.key_pem))
    assert "sealed: forward secrecy" in ran.out


def test_an_encrypted_key_is_refused_with_what_to_do(
    pellucid: Any, by_rsa: Path, issued: Issued, tmp_path: Path
) -> None:
    key = serialization.load_pem_private_key(issued.key_pem, None)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    ran = pellucid("decode", by_rsa, "--key", key_file(tmp_path, pem))
    assert ran.code == 2
    assert "is encrypted" in ran.err
    assert "openssl pkey -in" in ran.err


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_a_key_that_opens_nothing_is_refused(pellucid: Any, by_rsa: Path, tmp_path: Path, kind: Any) -> None:
    ran = pellucid("decode", by_rsa, "--key", key_file(tmp_path, laboratory().issue(kind).key_pem))
    assert ran.code == 2
    assert "an RSA key is wanted" in ran.err


@pytest.mark.parametrize("option", ["--key", "--cafile"])
def test_a_file_that_is_not_pem_is_refused(pellucid: Any, by_rsa: Path, option: str) -> None:
    ran = pellucid("decode", by_rsa, option, by_rsa)
    assert ran.code == 2
    assert f"Error: {option}: " in ran.err
    assert "PEM" in ran.err


# -- large ones


def large(trace: Path, megabytes: int) -> bytes:
    """Many connections."""
    packets = packets_of(trace)
    size = len(crowd(packets))
    return crowd(*[packets] * (megabytes * 2**20 // size + 1))


def test_memory_does_not_grow_with_the_capture(
    pellucid: Any, trace: Path, written: Callable[[bytes], Path]
) -> None:
    """Twenty times as many connections take no more, but for the rows of the list."""
    peaks = []
    for copies in 1, 20:
        file = written(crowd(*[packets_of(trace)] * (20 * copies)))
        gc.collect()
        tracemalloc.start()
        try:
            assert pellucid("decode", file, "--json", os.devnull).code == 0
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + 400 * 4096


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("megabytes", [1, 9])
def test_a_large_file_has_a_bar_if_somebody_can_see_it(
    trace: Path, written: Callable[[bytes], Path], megabytes: int
) -> None:
    import pty

    file = written(large(trace, megabytes))
    reading, writing = pty.openpty()
    environment = {"PYTHONPATH": ":".join(sys.path), "TERM": "xterm", "COLUMNS": "80"}
    argv = [sys.executable, "-c", _READ, str(file)]
    with (
        os.fdopen(reading, "rb", buffering=0) as terminal,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=writing, env=environment) as running,
    ):
        os.close(writing)
        shown = b"".join(until_it_hangs_up(terminal)).decode()
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert told.split() == [str(file.stat().st_size).encode()]
    assert ("reading" in shown) is (megabytes > 8)
    assert ("100%" in shown) is (megabytes > 8)


def until_it_hangs_up(terminal: IO[bytes]) -> Iterator[bytes]:
    """What is written to a terminal, until nobody has it open any more: Linux says EIO then."""
    with contextlib.suppress(OSError):
        while data := terminal.read(4096):
            yield data


def test_no_bar_is_shown_to_nobody(
    trace: Path, written: Callable[[bytes], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(large(trace, 9))
    with opened(str(file)) as reading:
        assert len(reading.read()) == file.stat().st_size
    assert capsys.readouterr() == ("", "")
