from __future__ import annotations

import subprocess
import sys

import pytest

import pellucid as package
from pellucid import cli


@pytest.mark.parametrize("missing", [["click"], ["rich"], ["click", "rich"]])
def test_without_its_packages_the_command_says_in_one_line_what_to_install(
    missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in missing else object())
    assert cli.main(["demo"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "pip install 'pellucid[cli]'" in captured.err
    assert " and ".join(missing) in captured.err


def test_the_package_can_be_run_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"pellucid, version {package.__version__}\n"


@pytest.mark.parametrize("command", [[], ["demo"], ["connect"], ["serve"]])
def test_help_has_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    assert "Examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--tls", "1.1"],
        ["connect", "localhost", "--policy", "nonsense"],
        ["demo", "--group", "nosuchgroup"],
        ["demo", "--suite", "TLS_NULL_WITH_NULL_NULL"],
        ["demo", "--certificate", "dsa"],
        ["demo", "--seed", "x"],
        ["demo", "--json", "-", "--keylog", "-"],
        ["connect"],
        ["connect", "localhost", "--cert", __file__],
        ["connect", "localhost", "--cafile", "/no/such/file"],
        ["connect", "localhost:99999"],
        ["connect", "localhost:http"],
        ["connect", ":443"],
        ["connect", "[::1"],
        ["connect", "localhost", "--timeout", "0"],
        ["serve", "--port", "65536"],
        ["serve", "--key", __file__],
        ["nonsense"],
    ],
)
def test_wrong_usage_exits_2_and_says_why(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "Error: " in capsys.readouterr().err
