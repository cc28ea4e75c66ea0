"""``pellucid explain``: what is shown, what is written, and what happens when nothing has the name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Pellucid = Callable[..., Any]


def test_a_suite_is_a_table_of_its_parts_with_a_verdict(pellucid: Pellucid) -> None:
    ran = pellucid("explain", "TLS_RSA_WITH_AES_128_CBC_SHA")
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith("── TLS_RSA_WITH_AES_128_CBC_SHA · cipher suite 0x002F ──")
    for label in (
        "key exchange",
        "server's proof",
        "encryption",
        "MAC",
        "forward secrecy",
        "offered",
        "verdict",
    ):
        assert f"\n    {label:17}" in ran.out
    for words in ("RSA decryption", "forward secrecy  no", "verdict          old", "--suite", "RFC 5246 A.5"):
        assert words in ran.out


def test_words_need_no_quotes(pellucid: Pellucid) -> None:
    assert pellucid("explain", "master", "secret").out == pellucid("explain", "master secret").out


@pytest.mark.parametrize(
    "asked",
    [
        "ecdhe",
        "0xc02f",
        "40",
        "10",
        "server_name",
        "x25519",
        "finshed",
        "cipher suites",
        "missing_intermediate",
    ],
)
def test_it_fits_eighty_columns(pellucid: Pellucid, asked: str) -> None:
    ran = pellucid("explain", asked)
    assert ran.code == 0
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_an_alert_says_who_sends_it_and_what_to_do(pellucid: Pellucid) -> None:
    told = pellucid("explain", "unknown_ca").out
    for label in ("who sends it", "level", "usual cause", "what to do", "read on", "see also"):
        assert f"\n    {label} " in told


def test_what_would_go_wrong_and_what_the_textbook_says_stand_there(pellucid: Pellucid) -> None:
    told = pellucid("explain", "Finished").out
    assert "Without it, an attacker could have changed the hellos" in told
    assert "Unlike the textbook: It is more than a test" in told


def test_a_few_meanings_are_all_told(pellucid: Pellucid) -> None:
    told = pellucid("explain", "certificate").out
    assert "── X.509 certificate · term" in told
    assert "── Certificate · message 11" in told


def test_many_meanings_are_a_list(pellucid: Pellucid) -> None:
    told = pellucid("explain", "10").out
    for words in ("unexpected_message", "(alert 10)", "supported_groups", "(extension 10)"):
        assert words in told
    assert told.endswith("Each in full: pellucid explain NAME\n")
    assert "──" not in told


def test_of_very_many_some_are_listed_and_the_rest_counted(pellucid: Pellucid) -> None:
    told = pellucid("explain", "aes").out + pellucid("explain", "tls with").out
    assert "more\n" in told


def test_a_typo_is_seen_through_and_said(pellucid: Pellucid) -> None:
    ran = pellucid("explain", "finshed")
    assert ran.code == 0
    assert ran.out.startswith("There is no 'finshed'. What looks most like it:\n")
    assert "── Finished · message 20" in ran.out


def test_nothing_of_that_name_ends_with_what_there_is_instead(pellucid: Pellucid) -> None:
    ran = pellucid("explain", "cert_exprd")
    assert (ran.code, ran.out) == (2, "")
    assert "nothing here is called 'cert_exprd'; did you mean certificate_expired" in ran.err


def test_nothing_asked_is_a_mistake(pellucid: Pellucid) -> None:
    assert pellucid("explain").code == 2


def test_what_was_asked_cannot_act_on_the_terminal(pellucid: Pellucid) -> None:
    ran = pellucid("explain", "\x1b[31mfinshed\x07")
    assert "\x1b" not in ran.out + ran.err
    assert "\x07" not in ran.out + ran.err


def test_json_has_the_same(pellucid: Pellucid) -> None:
    ran = pellucid("explain", "handshake_failure", "--json", "-")
    assert ran.code == 0
    document = ran.document
    assert document.keys() == {"schema", "asked", "found", "entries", "instead"}
    assert document["schema"] == "pellucid.explanation/1"
    assert (document["asked"], document["found"]) == ("handshake_failure", "name")
    (entry,) = document["entries"]
    assert (entry["id"], entry["kind"], entry["code"]) == ("alert:handshake_failure", "alert", 40)
    assert {row["label"] for row in entry["rows"]} >= {"who sends it", "what to do"}


def test_json_says_that_there_is_nothing(pellucid: Pellucid, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    ran = pellucid("explain", "qqqqq", "--json", file)
    assert ran.code == 2
    document = json.loads(file.read_text())
    assert (document["found"], document["entries"]) == ("nothing", [])


def test_what_has_no_number_has_none_in_json(pellucid: Pellucid) -> None:
    (entry,) = pellucid("explain", "ECDHE", "--json", "-").document["entries"]
    assert entry["code"] is None
    assert entry["number"] == ""
