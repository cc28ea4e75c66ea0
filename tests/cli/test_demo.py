from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pellucid.trace.json import schema

Pellucid = Callable[..., Any]


def titles(out: str) -> list[str]:
    """The steps of a story, without numbers and sizes."""
    lines = [line for line in out.splitlines() if line[:3].strip().isdigit() and line[3] == " "]
    return [" ".join(line[4:].split("  ")[0].split() + line[24:].split()) for line in lines]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--mutual"],
        ["--resume"],
        ["--group", "X25519MLKEM768"],
        ["--group", "x25519"],
        ["--group", "secp384r1"],
        ["--suite", "TLS_CHACHA20_POLY1305_SHA256"],
        ["--suite", "TLS_AES_128_CCM_8_SHA256"],
        ["--certificate", "ed25519"],
        ["--certificate", "ed448", "--mutual"],
        ["--certificate", "mldsa44", "--resume"],
        ["--resume", "--mutual", "--group", "ffdhe2048"],
        ["-v"],
        ["-vv", "--reveal-secrets"],
    ],
    ids=lambda arguments: " ".join(arguments) or "plain",
)
def test_it_connects(pellucid: Pellucid, arguments: list[str]) -> None:
    ran = pellucid("demo", *arguments)
    assert ran.code == 0
    assert ran.err == ""
    assert "✓ connected: TLSv1.3" in ran.out


@pytest.mark.parametrize(
    "kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "mldsa65", "mldsa87"]
)
def test_every_kind_of_certificate(pellucid: Pellucid, kind: str) -> None:
    ran = pellucid("demo", "--certificate", kind, "--json", "-", "--seed", "1")
    assert ran.code == 0
    assert kind[:5] in ran.document["outcome"]["signature_scheme"].replace("rsa_pss_rsae_sha256", "rsa")


def test_a_plain_story_is_20_to_30_steps_on_lines_of_80(pellucid: Pellucid) -> None:
    out = pellucid("demo").out
    assert 20 <= len(titles(out)) <= 30
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 135


@pytest.mark.parametrize("options", [["-v", "--mutual"], ["-vv", "--resume", "--reveal-secrets"]])
def test_lines_stay_within_80_columns(pellucid: Pellucid, options: list[str]) -> None:
    assert max(map(len, pellucid("demo", *options).out.splitlines())) <= 80


def test_steps_are_numbered(pellucid: Pellucid) -> None:
    out = pellucid("demo").out
    numbers = [int(line[:3]) for line in out.splitlines() if line[:3].strip().isdigit() and line[3] == " "]
    assert numbers == list(range(1, len(numbers) + 1))


def test_another_group_needs_a_hello_retry_request(pellucid: Pellucid) -> None:
    out = pellucid("demo", "--group", "secp384r1").out
    assert "HelloRetryRequest" in out
    assert "ClientHello, again" in out
    assert "round trips      2" in out


def test_its_client_shares_x25519_alone_then(pellucid: Pellucid) -> None:
    events = pellucid("demo", "--group", "secp384r1", "--json", "-").document["events"]
    hello = next(event for event in events if event["kind"] == "message")
    shares = next(f for f in hello["fields"] if f["name"] == "extensions")["fields"]
    key_share = next(f for f in shares if f["name"] == "key_share")
    assert [share["fields"][0]["meaning"] for share in key_share["fields"][0]["fields"]] == ["x25519"]


@pytest.mark.parametrize("group", ["x25519", "X25519MLKEM768"])
def test_a_group_that_is_shared_at_once_needs_none(pellucid: Pellucid, group: str) -> None:
    ran = pellucid("demo", "--group", group, "--json", "-")
    assert ran.document["outcome"]["group"] == group
    assert "HelloRetryRequest" not in ran.err


def test_mutual_shows_both_identities(pellucid: Pellucid) -> None:
    ran = pellucid("demo", "--mutual", "--json", "-")
    assert ran.document["outcome"]["mutual"] is True
    assert "verifies the client's certificate path" in ran.err
    assert "CN=client.pellucid.example, vouched for by" in ran.err


def test_resume_tells_the_second_connection_and_keeps_the_first(pellucid: Pellucid) -> None:
    ran = pellucid("demo", "--resume", "--json", "-")
    assert ran.document["outcome"]["resumed"] is True
    assert [earlier["outcome"]["resumed"] for earlier in ran.document["previous"]] == [False]
    assert "verifies the binder" in ran.err


def test_resume_does_not_send_a_certificate_again(pellucid: Pellucid) -> None:
    events = pellucid("demo", "--resume", "--json", "-").document["events"]
    assert "Certificate" not in [event.get("name") for event in events]


@pytest.mark.parametrize("options", [[], ["--mutual"], ["--resume"], ["--group", "secp521r1"]])
def test_with_a_seed_the_story_is_the_same_each_time(pellucid: Pellucid, options: list[str]) -> None:
    arguments = ["demo", "--seed", "7", "--certificate", "ed25519", *options]
    assert pellucid(*arguments).out == pellucid(*arguments).out


def test_with_a_seed_and_a_classic_group_every_byte_is_the_same(pellucid: Pellucid) -> None:
    arguments = ["demo", "--seed", "7", "--certificate", "ed25519", "--group", "x25519", "--json", "-"]
    assert pellucid(*arguments).document == pellucid(*arguments).document


def test_another_seed_makes_another_handshake(pellucid: Pellucid) -> None:
    arguments = ["demo", "--certificate", "ed25519", "--json", "-", "--seed"]
    assert pellucid(*arguments, 1).document != pellucid(*arguments, 2).document


@pytest.mark.parametrize("options", [[], ["--resume"], ["--mutual", "--reveal-secrets"]])
def test_json_alone_goes_to_standard_output(pellucid: Pellucid, options: list[str]) -> None:
    ran = pellucid("demo", "--json", "-", *options)
    Draft202012Validator(schema()).validate(ran.document)
    assert "✓ connected" in ran.err


def test_json_goes_to_a_file(pellucid: Pellucid, tmp_path: Path) -> None:
    ran = pellucid("demo", "--json", tmp_path / "trace.json")
    assert "✓ connected" in ran.out
    assert '"pellucid.trace/1"' in (tmp_path / "trace.json").read_text()


def test_a_json_file_that_cannot_be_written_is_wrong_usage(pellucid: Pellucid, tmp_path: Path) -> None:
    ran = pellucid("demo", "--json", tmp_path / "no folder" / "trace.json")
    assert ran.code == 2
    assert "--json" in ran.err


def test_key_log_lines_go_to_standard_output(pellucid: Pellucid) -> None:
    ran = pellucid("demo", "--keylog", "-")
    labels = [line.split(" ")[0] for line in ran.out.splitlines()]
    assert labels == [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ]


def test_a_key_log_file_is_appended_to_and_private(pellucid: Pellucid, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    for _ in range(2):
        pellucid("demo", "--keylog", path)
    assert len(path.read_text().splitlines()) == 8
    assert path.stat().st_mode & 0o077 == 0


def test_sslkeylogfile_is_honoured(
    pellucid: Pellucid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    pellucid("demo")
    assert "CLIENT_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()


def test_a_useless_sslkeylogfile_is_a_warning(
    pellucid: Pellucid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "no folder" / "keys"))
    ran = pellucid("demo")
    assert ran.code == 0
    assert "SSLKEYLOGFILE" in ran.err


def test_secrets_are_shown_only_when_revealed(pellucid: Pellucid) -> None:
    options = ["demo", "--seed", "7", "--group", "x25519", "-v"]
    hidden, shown = pellucid(*options).out, pellucid(*options, "--reveal-secrets").out
    assert "fingerprint" in hidden
    assert "--reveal-secrets" in hidden
    assert "fingerprint" not in shown


def test_fields_come_with_v_and_bytes_with_vv(pellucid: Pellucid) -> None:
    plain, fields, everything = (pellucid("demo", *option).out for option in ([], ["-v"], ["-vv"]))
    assert "legacy_version" not in plain
    assert "legacy_version: 0x0303  (TLSv1.2)" in fields
    assert "\n    0000  01 00 " not in fields
    assert "\n    0000  01 00 " in everything


def test_without_utf8_the_story_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    from pellucid.cli.render import Storyteller

    raw = io.BytesIO()
    story = Storyteller(Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=80))
    story.heading("TLS")
    story.row("makes", "a → b")
    story.console.file.flush()
    text = raw.getvalue().decode("ascii")
    assert text.startswith("-- TLS --")
    assert "a > b" in text


def test_no_color_means_no_escape_sequences(pellucid: Pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert re.search(r"\x1b\[(\d+;)*3[0-7]", pellucid("demo").out) is None
