"""`pellucid decode` and files: names that act on a terminal, outputs onto inputs, closed ends."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from captures import pcap
from crowds import packets_of, secrets_of

from pellucid.cli import opening

NAME = "a\x1b[31mb\x07.pcap"


@pytest.fixture
def capture(pellucid: Any, tmp_path: Path) -> Path:
    file = tmp_path / "trace.pcapng"
    assert pellucid("demo", "--seed", "1", "--pcapng", file).code == 0
    return file


@pytest.mark.parametrize("option", ["--json", "--html"])
@pytest.mark.parametrize("read", ["FILE", "--keylog", "--key"])
def test_what_is_read_is_not_overwritten(
    pellucid: Any, capture: Path, tmp_path: Path, option: str, read: str
) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    before = capture.read_bytes()
    file.write_bytes(before)
    link.symlink_to(file)
    ran = pellucid("decode", *([file] if read == "FILE" else [capture, read, file]), option, link)
    assert ran.code == 2
    assert f"{option}: " in ran.err
    assert "would be overwritten" in " ".join(ran.err.split())
    assert file.read_bytes() == before


def test_an_output_of_before_is_written_anew(pellucid: Any, capture: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert pellucid("decode", capture, "--json", tmp_path / "trace.json").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["decode", "{it}"],
        ["decode", "{capture}", "--key", "{it}"],
        ["decode", "{capture}", "--keylog", "{it}"],
        ["decode", "{capture}", "--cafile", "{it}"],
        ["decode", "{other}", "--connection", "7"],
        ["decode", "{other}"],
    ],
)
def test_a_name_cannot_act_on_the_terminal(
    pellucid: Any, capture: Path, tmp_path: Path, arguments: list[str]
) -> None:
    it, other = tmp_path / NAME, tmp_path / f"other {NAME}"
    it.write_bytes(b"neither capture nor key")
    other.write_bytes(capture.read_bytes())
    ran = pellucid(*(each.format(it=it, other=other, capture=capture) for each in arguments))
    told = ran.out + ran.err
    assert "\\u001b[31mb\\u0007.pcap" in told.replace("\n", "")
    assert not {"\x1b", "\x07"} & set(told)


def test_a_closed_standard_input_is_told() -> None:
    code = "import sys; sys.stdin = None; from pellucid.cli import main; sys.exit(main(['decode', '-']))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "Error: standard input is closed\n"


def test_a_key_log_without_an_end_of_line_is_not_held(pellucid: Any, capture: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys.txt"
    with log.open("wb") as file:
        file.truncate(32 * 2**20)
    tracemalloc.start()
    try:
        ran = pellucid("decode", capture, "--keylog", log)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ran.code == 0
    assert "holds no secret" in ran.err
    assert peak < 24 * 2**20


def test_lines_over_the_edge_of_a_piece_are_read(
    pellucid: Any, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, log = tmp_path / "bare.pcap", tmp_path / "keys.txt"
    bare.write_bytes(pcap(packets_of(capture)))
    log.write_text(secrets_of(capture).strip().replace("\n", "\r\n"))
    for size in (1, 7, 100, 1000):
        monkeypatch.setattr(opening, "_PIECE", size)
        ran = pellucid("decode", bare, "--keylog", log)
        assert (ran.code, ran.err) == (0, "")
        assert "decrypted" in ran.out
