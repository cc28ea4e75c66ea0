"""What cannot work is said at once, in a line, with what to do instead."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pellucid.cli.app import app

PELLUCID = [sys.executable, "-m", "pellucid"]


def test_a_url_is_told_from_a_host() -> None:
    result = CliRunner().invoke(app, ["connect", "https://localhost/x"])
    assert result.exit_code == 2
    assert "give HOST[:PORT]: localhost" in result.output


def test_json_into_a_folder_that_is_not_there_is_refused_before_the_story(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--json", str(tmp_path / "no" / "x.json")])
    assert result.exit_code == 2
    assert "ClientHello" not in result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_cannot_be_written_is_said_in_a_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PELLUCID, "demo"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_in_order_when_it_is_told_to(number: signal.Signals, tmp_path: Path) -> None:
    argv = [*PELLUCID, "serve", "--port", "0", "--write-root", str(tmp_path / "root.pem")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        while b"listening" not in (line := serving.stdout.readline()):
            assert line, "it ended before it listened"
        serving.send_signal(number)
        serving.communicate(timeout=30)
    assert serving.returncode == 0


def test_the_exporters_secret_stands_beside_the_traffic_secrets() -> None:
    result = CliRunner().invoke(app, ["demo"])
    assert ", exporter_secret" in " ".join(result.output.split())


def test_a_server_opens_a_ticket_before_it_chooses_to_resume() -> None:
    result = CliRunner().invoke(app, ["demo", "--resume"])
    assert result.output.index("verifies the ticket") < result.output.index("chooses")
