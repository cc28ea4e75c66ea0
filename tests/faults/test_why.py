"""``connect --why`` over sockets, where TCP has its part in what is seen: resets, silence, late alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from faulty import Running
from jsonschema import Draft202012Validator

from pellucid.cli.app import app
from pellucid.faults import FAULTS, Bench
from pellucid.trace.json import schema


@pytest.fixture
def root(bench: Bench, tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(bench.laboratory.root_pem)
    return path


def connect(server: Running, name: str, *arguments: str | Path) -> tuple[int, str]:
    place = f"localhost:{server.port(FAULTS[name])}"
    ran = CliRunner().invoke(app, ["connect", place, "--why", *map(str, arguments)], prog_name="pellucid")
    return ran.exit_code, ran.stdout


@pytest.mark.parametrize(
    "name, cause, isolated",
    [
        ("reset_after_client_hello", None, []),
        ("closed_during_handshake", None, []),
        ("silent_to_large_client_hello", None, ["hello_size"]),
        ("client_certificate_missing", "client_certificate_missing", ["client_certificate"]),
        ("unrecognized_name", "unrecognized_name", ["name"]),
        ("key_does_not_match_certificate", "key_does_not_match_certificate", []),
        ("certificate_expired", "certificate_expired", []),
        ("not_tls_smtp", "not_tls", []),
    ],
)
def test_it_comes_to_the_same_over_sockets(
    server: Running, root: Path, name: str, cause: str | None, isolated: list[str]
) -> None:
    code, out = connect(server, name, "--cafile", root, "--timeout", "1.5", "--json", "-")
    document: dict[str, Any] = json.loads(out)
    Draft202012Validator(schema()).validate(document)
    why = document["why"]
    assert (why["failure"], code) == (FAULTS[name].diagnosis, FAULTS[name].exit_code)
    assert (why["cause"], why["isolated"], why["steady"] is not False) == (cause, isolated, True)


def test_the_capture_and_the_key_log_have_every_connection(
    server: Running, root: Path, tmp_path: Path
) -> None:
    capture, keys = tmp_path / "why.pcapng", tmp_path / "keys.log"
    outputs = ["--cafile", root, "--pcapng", capture, "--keylog", keys]
    assert connect(server, "no_shared_cipher_suite", *outputs)[0] == 4
    # Two came to an agreement, the change that helps and the same once more: their secrets, and no others.
    assert len({line.split()[1] for line in keys.read_text().splitlines()}) == 2
    decoded = CliRunner().invoke(app, ["decode", str(capture), "--json", "-"], prog_name="pellucid")
    ends = [each["outcome"]["status"] for each in json.loads(decoded.stdout)["connections"]]
    assert (len(ends), ends.count("failed")) == (9, 7)
