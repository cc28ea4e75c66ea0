"""``pellucid check``: what it says of files, in words and as a document, and what it exits with."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pellucid.cli.check_report import schema
from pellucid.identity.lab import Laboratory

Pellucid = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def said(ran: Any) -> str:
    """The story without its line breaks."""
    return " ".join(ran.out.split())


def test_a_good_chain_exits_0(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.server_cert, files.server_key, "--cafile", files.root)
    assert ran.code == 0
    assert "✓ nothing wrong found with 1 chain" in ran.out
    assert "names localhost, 127.0.0.1, ::1" in said(ran)
    assert "web ✓ accepts it" in said(ran)
    assert ran.err == ""


def test_findings_exit_10_with_what_to_do(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.server_cert, "--cafile", files.stranger_root)
    assert ran.code == 10
    assert "✗ unknown root" in ran.out
    assert "Refused by web, private, openssl, python" in said(ran)
    assert "--cafile ROOT.pem" in said(ran)
    assert "✗ 1 finding" in ran.out


def test_the_name_that_is_asked_for_has_to_be_there(pellucid: Pellucid, files: Any) -> None:
    arguments = ["check", files.server_cert, "--cafile", files.root]
    assert pellucid(*arguments, "--name", "localhost", "--name", "::1").code == 0
    ran = pellucid(*arguments, "--name", "localhost", "--name", "www.example.org")
    assert ran.code == 10
    assert "not for www.example.org" in said(ran)


def test_a_clients_certificate_is_for_a_client(pellucid: Pellucid, files: Any) -> None:
    arguments = ["check", files.client_cert, "--cafile", files.root]
    assert pellucid(*arguments, "--purpose", "client").code == 0
    ran = pellucid(*arguments)
    assert ran.code == 10
    assert "Id wrong_purpose" in said(ran)


def test_another_time_may_be_asked_about(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.server_cert, "--cafile", files.root, "--at", "2100-01-01")
    assert ran.code == 10
    assert "Id certificate_expired" in said(ran)


def test_what_ends_soon_may_be_as_late_as_one_likes(pellucid: Pellucid, files: Any) -> None:
    later = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 70 * 86_400))
    arguments = ["check", files.server_cert, "--cafile", files.root, "--at", later]
    assert pellucid(*arguments, "--days", "5").code == 0
    ran = pellucid(*arguments, "--days", "28")
    assert ran.code == 10
    assert "Id expires_soon" in said(ran)


def test_a_key_of_another_certificate_is_a_finding(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.server_cert, files.client_key, "--cafile", files.root)
    assert ran.code == 10
    assert "Id key_does_not_match_certificate" in said(ran)


def test_only_the_profiles_that_are_asked_are_told(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.server_cert, "--cafile", files.root, "--profiles", "python,private")
    assert ran.code == 0
    assert "python ✓ accepts it" in said(ran)
    assert "openssl" not in ran.out


def test_more_is_shown_when_asked(pellucid: Pellucid, files: Any) -> None:
    brief = pellucid("check", files.server_cert, "--cafile", files.root)
    ran = pellucid("check", files.server_cert, "--cafile", files.root, "-v")
    assert "path_length" not in brief.out
    assert "path_length ✓ 1: 0, with 0 CA certificates below it" in said(ran)
    assert "to a trusted certificate" in said(ran)


def test_a_revoked_certificate_is_found_in_a_list(pellucid: Pellucid, folder: Path) -> None:
    laboratory = Laboratory(None, time.time())
    issued = laboratory.issue()
    paths = [folder / name for name in ("chain.pem", "root.pem", "none.crl", "one.crl")]
    contents = [issued.chain_pem, laboratory.root_pem, laboratory.revocation_list()]
    contents.append(laboratory.revocation_list([issued.certificate]))
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    chain, root, none, one = paths
    assert pellucid("check", chain, "--cafile", root, "--crl", none).code == 0
    ran = pellucid("check", chain, "--cafile", root, "--crl", one)
    assert ran.code == 10
    assert "Id certificate_revoked" in said(ran)


def test_authorities_are_told_with_their_ends(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.root, files.stranger_root)
    assert ran.code == 0
    assert said(ran).count("authority CN=Pellucid Laboratory Root (until ") == 2


def test_a_chain_may_come_from_standard_input(
    pellucid: Pellucid, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = io.TextIOWrapper(io.BytesIO(files.server_cert.read_bytes()))
    monkeypatch.setattr("pellucid.cli.source._raw", lambda *_: piped.buffer)
    ran = pellucid("check", "-", "--cafile", files.root)
    assert ran.code == 0
    assert "── standard input: " in ran.out


def test_a_file_that_is_named_twice_is_read_once(pellucid: Pellucid, files: Any) -> None:
    assert pellucid("check", files.server_cert, files.server_cert, "--cafile", files.root).code == 0


def test_a_date_is_in_utc_unless_it_says_otherwise(pellucid: Pellucid, files: Any) -> None:
    for text, meant in [
        ("2100-01-01", "2100-01-01T00:00:00Z"),
        ("2100-01-01T12:00:00", "2100-01-01T12:00:00Z"),
        ("2100-01-01T12:00:00Z", "2100-01-01T12:00:00Z"),
        ("2100-01-01T12:00:00+02:00", "2100-01-01T10:00:00Z"),
    ]:
        document = pellucid("check", files.server_cert, "--at", text, "--json", "-").document
        assert document["at"] == meant


def test_an_end_just_past_was_no_day_ago(pellucid: Pellucid, folder: Path) -> None:
    laboratory = Laboratory(None, time.time())
    path, root = folder / "chain.pem", folder / "root.pem"
    path.write_bytes(laboratory.issue(validity=(time.time() - 90_000, time.time() - 3_600)).chain_pem)
    root.write_bytes(laboratory.root_pem)
    assert "0 days ago" in said(pellucid("check", path, "--cafile", root))


# -- as a document


def test_the_document_follows_its_schema(pellucid: Pellucid, files: Any) -> None:
    Draft202012Validator.check_schema(schema())
    arguments = [files.server_cert, files.server_key, files.client_cert, "--cafile", files.root]
    ran = pellucid("check", *arguments, "--json", "-", "--name", "localhost")
    Draft202012Validator(schema()).validate(ran.document)
    assert ran.code == 10
    server, client = ran.document["chains"]
    assert server["key_file"] == str(files.server_key)
    assert client["key_file"] is None
    assert server["findings"] == []
    assert [verdict["profile"] for verdict in server["explained"][0]["verdicts"]] == [
        *("web", "private", "openssl", "python")
    ]
    assert {finding["id"] for finding in client["findings"]} >= {"wrong_purpose", "hostname_mismatch"}
    assert "✗" in ran.err  # the story goes beside the data


def test_the_document_has_each_rule_of_each_path(pellucid: Pellucid, files: Any) -> None:
    document = pellucid("check", files.server_cert, "--cafile", files.root, "--json", "-").document
    (candidate,) = document["chains"][0]["explained"][0]["candidates"]
    assert candidate["end"] == "trusted"
    assert len(candidate["certificates"]) == 3
    assert {check["rule"] for check in candidate["checks"]} >= {"dates", "signature", "path_length"}
    assert document["chains"][0]["explained"][0]["name"] == "localhost"


def test_the_document_of_nothing_follows_its_schema(pellucid: Pellucid, folder: Path) -> None:
    path = folder / "empty.pem"
    path.write_bytes(b"")
    ran = pellucid("check", path, "--json", "-")
    Draft202012Validator(schema()).validate(ran.document)
    assert ran.code == 10
    assert [finding["id"] for finding in ran.document["findings"]] == ["bad_certificate_file"]


def test_the_document_may_go_to_a_file(pellucid: Pellucid, files: Any, folder: Path) -> None:
    path = folder / "check.json"
    ran = pellucid("check", files.server_cert, "--cafile", files.root, "--json", path)
    assert "✓" in ran.out
    assert '"schema": "pellucid.check/1"' in path.read_text()


# -- what makes no sense


@pytest.mark.parametrize(
    "more",
    [
        ["--profiles", "safari"],
        ["--profiles", ""],
        ["--name", "not a name"],
        ["--at", "yesterday"],
        ["--days", "-1"],
        ["--days", "nan"],
        ["--days", "1e300"],
        ["--at", "9999-12-31T23:59:59-02:00"],
        ["--name", "localhost", "--purpose", "client"],
        ["--cafile", "/nonexistent"],
        ["--purpose", "mail"],
    ],
)
def test_wishes_that_make_no_sense_exit_2(pellucid: Pellucid, files: Any, more: list[str]) -> None:
    assert pellucid("check", files.server_cert, *more).code == 2


def test_a_cafile_that_is_none_exits_2(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("check", files.server_cert, "--cafile", files.server_key)
    assert ran.code == 2
    assert "holds no PEM certificate" in ran.err


def test_no_file_exits_2(pellucid: Pellucid) -> None:
    assert pellucid("check").code == 2


def test_no_key_log_is_opened(
    pellucid: Pellucid, files: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(folder / "keys"))
    assert pellucid("check", files.server_cert, "--cafile", files.root).code == 0
    assert not (folder / "keys").exists()


def test_names_of_files_and_subjects_do_not_act_on_the_terminal(pellucid: Pellucid, folder: Path) -> None:
    laboratory = Laboratory(None, time.time())
    path = folder / "a\x1b[2Jb.pem"
    path.write_bytes(laboratory.issue(names=("x.example",)).chain_pem)
    ran = pellucid("check", path)
    assert "\x1b" not in ran.out
    assert "\\u001b" in ran.out
