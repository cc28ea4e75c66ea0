"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from pellucid.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(found)


def commands() -> list[list[str]]:
    lines = (shlex.split(line, comments=True) for line in block("sh").splitlines())
    return [words[1:] for words in lines if words and words[0] == "pellucid"]


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    for name in ("SSLKEYLOGFILE", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    result = CliRunner().invoke(app, arguments, prog_name="pellucid")
    return result.exit_code, result.output


def test_the_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    program = block("python")
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - our own text
    agreed, *events = capsys.readouterr().out.splitlines()
    assert agreed == "X25519MLKEM768 TLS_AES_128_GCM_SHA256 echo"
    assert len(events) == 5


def test_the_commands_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In their order, since one of them reads what another has written."""
    monkeypatch.chdir(tmp_path)
    for arguments in commands():
        assert arguments[0] in {"demo", "decode", "explain"}, "whatever else is shown needs a test of its own"
        code, output = run(arguments, monkeypatch)
        assert code == 0, f"{' '.join(arguments)}: {output}"


def test_the_commands_that_need_others_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their servers are examples; so each is read with all its options, and not run."""
    monkeypatch.chdir(tmp_path)
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / name).write_text("")
    shown = [shlex.split(line, comments=True) for line in block("console").splitlines()]
    assert len(shown) >= 5
    for _, name, *arguments in shown:
        command = app.commands[name]
        context = command.make_context(name, arguments)
        assert context.params, " ".join(arguments)


def test_the_diagnosis_is_the_one_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (story,) = re.findall(r"^    \$ pellucid demo (--fault .*)\n((?:    .*\n)+)", README, re.MULTILINE)
    code, output = run(["demo", *story[0].split()], monkeypatch)
    shown = [line.strip() for line in story[1].splitlines() if line.strip() != "..."]
    told = [line.strip() for line in output.splitlines()]
    assert code == 5
    assert len(shown) > 8
    assert [line for line in shown if line not in told] == []


def test_there_are_commands_to_run() -> None:
    assert len(commands()) >= 3


def test_the_story_is_the_one_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of it, but for those that are left out."""
    (story,) = re.findall(r"^    \$ make demo\n((?:    .*\n)+)", README, re.MULTILINE)
    _, output = run(["demo"], monkeypatch)
    shown = [line.strip() for line in story.splitlines() if line.strip() != "..."]
    told = [line.strip() for line in output.splitlines()]
    assert len(shown) > 15
    assert [line for line in shown if line not in told] == []


def test_the_goals_of_make_exist() -> None:
    named = set(re.findall(r"^ +(?:\$ )?make (\w+)", README, re.MULTILINE)) | set(
        re.findall(r"`make (\w+)`", README)
    )
    goals = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named <= goals


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert {"SECURITY.md", "docs/design.md"} <= set(links)
    assert [link for link in links if not (ROOT / link).is_file()] == []
