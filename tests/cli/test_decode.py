"""`pellucid decode`: one connection, what it is opened with, and what is written of it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crowds import packets_of, secrets_of
from jsonschema import Draft202012Validator
from pages import content_of

from pellucid.identity.lab import Laboratory
from pellucid.trace import Trace
from pellucid.trace.collection import schema

Recorded = Callable[..., Path]

KINDS = {
    "plain": [],
    "retry": ["--group", "secp384r1"],
    "mutual": ["--mutual"],
    "resumed": ["--resume"],
    "rsa": ["--tls", "1.2", "--key-exchange", "rsa"],
    "ecdhe 1.2": ["--tls", "1.2", "--mutual"],
    "resumed 1.2": ["--tls", "1.2", "--resume"],
    "CBC": ["--tls", "1.2", "--suite", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"],
}
each_kind = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


@pytest.fixture
def recorded(pellucid: Any, tmp_path: Path) -> Recorded:
    """``recorded("--tls", "1.2")`` is the capture of such a demo; its trace stands beside it, as .json."""

    def record(*options: object) -> Path:
        file = tmp_path / "trace.pcapng"
        ran = pellucid("demo", "--seed", "1", "--pcapng", file, "--json", file.with_suffix(".json"), *options)
        assert ran.code == 0
        return file

    return record


@pytest.fixture
def keylog(tmp_path: Path) -> Callable[[Path], Path]:
    """The secrets of a capture, as a key log."""

    def write(capture: Path) -> Path:
        file = tmp_path / "keys.txt"
        file.write_text(secrets_of(capture))
        return file

    return write


def messages(document: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Who sent or received what."""
    return [
        (event["side"], event["direction"], event["name"], event["raw"])
        for event in document["events"]
        if event["kind"] == "message"
    ]


def arrows(story: str) -> list[str]:
    """The lines of a story that show messages, without their numbers."""
    return [line[4:] for line in story.splitlines() if re.match(r" *\d+ .*(───▶|◀───)", line)]


# -- what is told


@each_kind
def test_the_story_of_a_capture_is_that_of_the_connection(
    pellucid: Any, recorded: Recorded, options: list[str]
) -> None:
    file = recorded(*options)
    number = 1 + ("--resume" in options)
    ran = pellucid("decode", file, "--connection", number)
    assert ran.code == 0
    story = ran.out
    demo = pellucid("demo", "--seed", "1", *options).out
    assert arrows(story)
    assert arrows(story) == arrows(demo[demo.rindex("── TLS ") :])
    assert "✓ connected: TLSv1." in story
    assert "✗" not in story


@each_kind
def test_the_messages_are_those_of_the_connection(
    pellucid: Any, recorded: Recorded, options: list[str]
) -> None:
    file = recorded(*options)
    document = pellucid("decode", file, "--json", "-").document
    Draft202012Validator(schema()).validate(document)
    live = json.loads(file.with_suffix(".json").read_text())
    told = [*live.get("previous", ()), live]
    by_number = sorted(document["connections"], key=lambda one: one["connection"]["number"])
    assert [messages(one) for one in by_number] == [messages(one) for one in told]
    assert document["capture"]["problem"] is None


def test_what_is_seen_first_is_the_list(pellucid: Any, recorded: Recorded) -> None:
    lines = pellucid("decode", recorded()).out.splitlines()
    assert lines[0].startswith("── ")
    (row,) = [line for line in lines[:8] if line.startswith(" 1  ")]
    assert row.split()[2:] == ["192.0.2.1", "localhost", "1.3", "✓", "connected,", "decrypted"]
    assert lines.index(row) < next(i for i, line in enumerate(lines) if line.startswith("── connection 1: "))


def test_nothing_is_wider_than_the_terminal(pellucid: Any, recorded: Recorded) -> None:
    for options in [], ["-v"]:
        ran = pellucid("decode", recorded("--mutual"), *options)
        list_alone = ran.out[: ran.out.index("── connection 1")]
        assert all(len(line) <= 80 for line in list_alone.splitlines())


def test_a_terminal_without_utf_8_gets_ascii(recorded: Recorded) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "decode", str(recorded())],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path), "COLUMNS": "80"},
        check=True,
        timeout=60,
    )
    assert done.stdout.isascii()
    assert b"+ connected, decrypted" in done.stdout


# -- what it is opened with


def test_without_secrets_it_says_how_to_have_them(pellucid: Any, recorded: Recorded) -> None:
    ran = pellucid("decode", recorded("--no-secrets"))
    assert ran.code == 0
    assert "sealed: no secrets" in ran.out
    assert "SSLKEYLOGFILE" in ran.out
    assert "--keylog FILE" in " ".join(ran.out.split())


def test_secrets_that_open_nothing_are_counted(
    pellucid: Any, recorded: Recorded, keylog: Callable[[Path], Path]
) -> None:
    keys = keylog(recorded("--resume"))
    closed = recorded("--no-secrets", "--seed", "2")
    ran = pellucid("decode", closed, "--keylog", keys)
    assert "sealed: no secrets" in ran.out
    assert "There are secrets of 2 connections." in ran.out


@pytest.mark.parametrize("given", ["option", "environment"])
def test_a_key_log_opens_it(
    pellucid: Any,
    recorded: Recorded,
    keylog: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    given: str,
) -> None:
    keys = keylog(recorded())
    before = keys.read_text()
    closed = recorded("--no-secrets")
    options = ["--keylog", keys] if given == "option" else []
    if not options:
        monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    ran = pellucid("decode", closed, *options)
    assert "connected, decrypted" in ran.out
    assert ran.err == ""
    assert keys.read_text() == before


def test_secrets_may_be_in_several_key_logs(
    pellucid: Any, recorded: Recorded, keylog: Callable[[Path], Path], tmp_path: Path
) -> None:
    lines = keylog(recorded()).read_text().splitlines()
    closed = recorded("--no-secrets")
    options: list[object] = []
    for number, line in enumerate(lines):
        file = tmp_path / f"part{number}"
        file.write_bytes(line.encode() + (b"\r\n" if number % 2 else b"\r"))
        options += ["--keylog", file]
    assert "connected, decrypted" in pellucid("decode", closed, *options).out


@pytest.mark.parametrize("content", [b"", b"# a comment\n", b"hello world\n", b"\x0a\x0d\x0d\x0a" * 300])
def test_a_key_log_without_a_secret_is_warned_about(
    pellucid: Any, recorded: Recorded, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "keys.txt"
    file.write_bytes(content)
    ran = pellucid("decode", recorded(), "--keylog", file)
    assert ran.code == 0
    assert f"{file} holds no secret" in ran.err
    assert "CLIENT_RANDOM" in ran.err
    assert "connected, decrypted" in ran.out


def test_an_unused_sslkeylogfile_is_not_made(
    pellucid: Any, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none"))
    file = recorded()
    (tmp_path / "none").unlink()  # the demo has written it
    assert pellucid("decode", file).err == ""
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "options, words",
    [
        ([], "no trusted roots were given"),
        (["--cafile", "root"], "✓ connected"),
        (["--cafile", "stranger_root"], "✗"),
    ],
    ids=["none", "its own", "another"],
)
def test_roots_are_those_that_were_given(
    pellucid: Any, recorded: Recorded, files: Any, tmp_path: Path, options: list[str], words: str
) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(Laboratory(b"demo 1", 1_767_225_600.0).root_pem)
    given = {"root": root, "stranger_root": files.stranger_root}
    ran = pellucid("decode", recorded(), "-v", *(given.get(option, option) for option in options))
    assert ran.code == 0
    assert words in " ".join(ran.out.split())


def test_a_check_that_failed_is_pointed_at(pellucid: Any, recorded: Recorded, files: Any) -> None:
    ran = pellucid("decode", recorded(), "--cafile", files.stranger_root)
    step = re.search(r"^ *(\d+) +onlooker +✗ verifies the server's certificate path", ran.out, re.MULTILINE)
    assert step is not None
    end = " ".join(ran.out[ran.out.index("✓ connected") :].split())
    assert f"look at step {step[1]}, which failed: verifies the server's certificate path" in end
    assert "look at" not in pellucid("decode", recorded()).out


def test_more_than_a_story_holds_is_said(
    pellucid: Any, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = recorded()
    assert "more than a story holds" not in pellucid("decode", file).out
    monkeypatch.setattr("pellucid.trace.recorder.Trace.has_room", _no_room)
    told = " ".join(pellucid("decode", file).out.split())
    assert "There was more than a story holds" in told
    assert "In all the client sent 1,642 bytes, and the server 2,640." in told


def _no_room(trace: Trace) -> bool:
    trace.dropped += 1
    return False


# -- where it goes


def test_json_alone_is_on_standard_output(pellucid: Any, recorded: Recorded) -> None:
    ran = pellucid("decode", recorded(), "--json", "-")
    assert ran.document["schema"] == "pellucid.traces/1"
    assert "ClientHello" in ran.err


def test_a_connection_carries_what_the_list_shows(pellucid: Any, recorded: Recorded) -> None:
    (connection,) = pellucid("decode", recorded(), "--json", "-").document["connections"]
    about = connection["connection"]
    assert about["number"] == 1
    assert about["client"] == {"address": "192.0.2.1", "port": 50_000}
    assert about["server"] == {"address": "192.0.2.2", "port": 443}
    assert about["tls"] is True
    assert about["bytes_from_client"] > 500
    assert about["bytes_from_server"] > 1000
    assert [hello["ja4"][:4] for hello in about["hellos"]] == ["t13d"]


def test_secrets_are_shown_only_if_asked_for(pellucid: Any, recorded: Recorded, tmp_path: Path) -> None:
    file = recorded()
    for options, expected in ([], dict), (["--show-secrets"], str):
        target = tmp_path / f"{len(options)}.json"
        pellucid("decode", file, "--json", target, *options)
        (connection,) = json.loads(target.read_text())["connections"]
        values = [event["value"] for event in connection["events"] if event["kind"] == "secret"]
        assert values
        assert {type(value) for value in values} == {expected}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_page_shows_it(pellucid: Any, recorded: Recorded, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = pellucid("decode", recorded(), "--html", page)
    assert ran.err == ""
    data = content_of(page.read_text(encoding="utf-8"))
    assert data["heading"] == "trace.pcapng, connection 1"
    assert "192.0.2.1:50000 → 192.0.2.2:443 (localhost)" in data["note"]
    assert data["banner"] == ""
    (connection,) = data["connections"]
    assert connection["outcome"]["status"] == "connected"


def test_standard_input_is_read_too(recorded: Recorded) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "decode", "-"],
        input=recorded().read_bytes(),
        capture_output=True,
        env={"PYTHONUTF8": "1", "PYTHONPATH": ":".join(sys.path)},
        check=True,
        timeout=60,
    )
    assert b"connected, decrypted" in done.stdout
    assert "── standard input ─" in done.stdout.decode()


def test_who_reads_only_the_start_sees_no_traceback(recorded: Recorded) -> None:
    argv = [sys.executable, "-m", "pellucid", "decode", str(recorded()), "-vv"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline()
        reading.stdout.close()
        assert reading.stderr is not None
        told = reading.stderr.read()
        reading.wait(60)
    assert b"Traceback" not in told


def test_a_capture_without_a_handshake_is_no_fault(pellucid: Any, recorded: Recorded, tmp_path: Path) -> None:
    """What begins in the middle is told as far as that goes."""
    from captures import pcap

    file = tmp_path / "late.pcap"
    file.write_bytes(pcap(packets_of(recorded())[8:]))
    ran = pellucid("decode", file)
    assert ran.code == 0
    assert "1 TCP connection" in ran.out
