from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

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


@pytest.mark.parametrize(
    "command", [[], ["demo"], ["connect"], ["serve"], ["check"], ["decode"], ["explain"]]
)
def test_help_has_examples_and_keeps_to_80_columns(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "Examples:" in told
    assert [line for line in told.splitlines() if len(line) > 80] == []


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


def test_a_library_s_warning_about_a_certificate_is_not_shown(tmp_path: Path) -> None:
    """Roots in wide use have a serial number of zero, which X.509 does not allow."""
    key = ec.derive_private_key(0x5EED, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    root = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start).sign(key, hashes.SHA256())
    )  # fmt: skip
    version = b"\xa0\x03\x02\x01\x02"
    der = root.public_bytes(Encoding.DER).replace(version + b"\x02\x01\x01", version + b"\x02\x01\x00")
    (tmp_path / "root.der").write_bytes(der)
    command = [
        sys.executable,
        "-m",
        "pellucid",
        "connect",
        "localhost:1",
        "--cafile",
        str(tmp_path / "root.der"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert "Warning" not in done.stderr
