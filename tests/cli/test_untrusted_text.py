"""What a peer says does not act on the terminal, and secrets go only where they were asked for."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rich.console import Console

from pellucid.cli.http import Request, read_request
from pellucid.cli.output import Output
from pellucid.cli.render import Storyteller
from pellucid.printable import escaped, printable
from pellucid.trace import Trace, summary_of
from pellucid.trace.json import dumps

EVIL = "evil\x1b[2J\x9b31m\u202egpj.exe\x07"


def evil_certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, EVIL)])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def is_harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("text", [EVIL, "\x00", "\u2066", "\U000e0001", "a\nb"])
def test_escaped_text_is_printable(text: str) -> None:
    assert escaped(text).isprintable()


def test_printable_text_is_left_as_it_is() -> None:
    assert escaped("bücher ✓") == "bücher ✓"


def test_a_long_text_is_cut() -> None:
    assert printable("x" * 1000) == "x" * 120 + "..."


def test_the_names_in_a_certificate_are_harmless() -> None:
    summary = summary_of(evil_certificate())
    assert is_harmless(summary.subject + summary.issuer)
    assert "evil" in summary.subject


def test_no_line_of_the_story_acts_on_the_terminal() -> None:
    written = StringIO()
    Storyteller(Console(file=written, soft_wrap=True, force_terminal=False), 0).row("leaf", EVIL, EVIL)
    assert is_harmless(written.getvalue())


def test_a_warning_does_not_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Output() as output:
        output.warn(EVIL)
    assert is_harmless(capsys.readouterr().err)


def test_json_is_ascii_so_that_it_fits_every_output() -> None:
    trace = Trace()
    trace.view("client").state(name=f"…{EVIL}")
    text = dumps(trace)
    assert text.isascii()
    assert is_harmless(text)


class Visitor:
    """As much of a TLSSocket as reading a request asks for."""

    def __init__(self, head: bytes) -> None:
        self.head = head

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def recv(self, size: int) -> bytes:
        return self.head[:size]


@pytest.mark.parametrize(
    "line, request_read",
    [
        (b"GET / HTTP/1.1", Request("GET", "/")),
        (b"GE\x1b[2JT / HTTP/1.1", Request("", "")),
        (b"get / HTTP/1.1", Request("", "")),
        (b"GET /\x1b[2J\x9b HTTP/1.1", Request("GET", "/\\u001b[2J\\u009b")),
        (b"GET /" + b"x" * 500 + b" HTTP/1.1", Request("GET", "/" + "x" * 119 + "...")),
    ],
)
def test_a_request_is_shown_harmlessly(line: bytes, request_read: Request) -> None:
    visitor = Visitor(line + b"\r\n\r\n")
    assert read_request(visitor, 5.0) == request_read  # type: ignore[arg-type]


def test_a_dash_in_the_environment_puts_no_secrets_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSLKEYLOGFILE", "-")
    with Output() as output:
        assert output.key_log is not None
        output.key_log("CLIENT_TRAFFIC_SECRET_0", bytes(32), bytes(32))
    assert capsys.readouterr().out == ""
    assert "CLIENT_TRAFFIC_SECRET_0" in (tmp_path / "-").read_text()


def test_a_key_log_that_others_can_read_is_remarked_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys"
    file.touch(0o644)
    file.chmod(0o644)
    with Output(keylog_file=str(file)):
        assert "can be read by others" in capsys.readouterr().err


def test_revealed_secrets_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    file.touch()
    file.chmod(0o644)
    with Output(json_file=str(file), reveal_secrets=True) as output:
        output.write_json(output.trace())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
