"""``pellucid demo --tls 1.2``: the handshake as it is taught, in each key exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click import UsageError
from jsonschema import Draft202012Validator

from pellucid.cli.plan import KEY_EXCHANGES, Plan
from pellucid.crypto.suites12 import SUITES12
from pellucid.trace.json import schema

Pellucid = Callable[..., Any]


def steps(out: str) -> list[str]:
    """Who does what, without numbers, sizes and protection."""
    lines = [line for line in out.splitlines() if line[:3].strip().isdigit() and line[3] == " "]
    return [
        f"{'client' if 'client' in line[:24] else 'server'}: {line[24:].split('  ')[0]}" for line in lines
    ]


def messages(document: dict[str, Any], side: str = "client") -> list[str]:
    return [e["name"] for e in document["events"] if e["kind"] == "message" and e["side"] == side]


def test_rsa_is_told_in_the_order_of_the_textbook(pellucid: Pellucid) -> None:
    ran = pellucid("demo", "--tls", "1.2", "--key-exchange", "rsa")
    wanted = [
        "client: ClientHello",
        "server: chooses",
        "server: Certificate",
        "client: verifies the server's certificate path",
        "server: ServerHelloDone",
        "client: makes the premaster secret and encrypts it",
        "client: ClientKeyExchange",
        "client: computes the master secret",
        "server: decrypts the premaster secret",
        "server: computes the master secret",
        "client: ChangeCipherSpec",
        "client: Finished",
        "server: verifies Finished",
        "server: ChangeCipherSpec",
        "server: Finished",
        "client: verifies Finished",
        "client: application data",
    ]
    assert ran.code == 0
    assert [step for step in steps(ran.out) if step in wanted] == wanted
    assert "encrypted with   AES_128_GCM" in ran.out
    assert "its own order" in ran.out


@pytest.mark.parametrize(
    "exchange, between",
    [("rsa", []), ("dhe", ["ServerKeyExchange"]), ("ecdhe", ["ServerKeyExchange"])],
)
@pytest.mark.parametrize("mutual", [False, True])
def test_the_messages_are_those_of_the_rfcs_figure(
    pellucid: Pellucid, exchange: str, between: list[str], mutual: bool
) -> None:
    options = ["--mutual"] if mutual else []
    document = pellucid("demo", "--tls", "1.2", "--key-exchange", exchange, "--json", "-", *options).document
    Draft202012Validator(schema()).validate(document)
    expected = [
        *("ClientHello", "ServerHello", "Certificate", *between),
        *(["CertificateRequest"] if mutual else []),
        "ServerHelloDone",
        *(["Certificate"] if mutual else []),
        "ClientKeyExchange",
        *(["CertificateVerify"] if mutual else []),
        *("ChangeCipherSpec", "Finished", "NewSessionTicket", "ChangeCipherSpec", "Finished"),
    ]
    assert messages(document) == messages(document, "server") == expected
    assert document["outcome"]["protocol"] == "TLSv1.2"
    assert document["outcome"]["mutual"] is mutual


def test_the_second_handshake_is_abbreviated_and_says_so(pellucid: Pellucid) -> None:
    ran = pellucid("demo", "--tls", "1.2", "--key-exchange", "rsa", "--resume", "--json", "-")
    Draft202012Validator(schema()).validate(ran.document)
    assert messages(ran.document) == [
        *("ClientHello", "ServerHello", "ChangeCipherSpec", "Finished", "ChangeCipherSpec", "Finished"),
    ]
    assert ran.document["outcome"]["resumed"] is True
    assert "resumption       ticket" in ran.err
    assert "round trips      1," in ran.err


@pytest.mark.parametrize("exchange, answer", [("rsa", "no."), ("dhe", "yes, but"), ("ecdhe", "yes, but")])
def test_the_last_line_is_about_forward_secrecy(pellucid: Pellucid, exchange: str, answer: str) -> None:
    out = pellucid("demo", "--tls", "1.2", "--key-exchange", exchange).out
    assert f"    forward secrecy  {answer}" in out


def test_so_it_is_in_tls_13(pellucid: Pellucid) -> None:
    assert "    forward secrecy  yes." in pellucid("demo").out


@pytest.mark.parametrize("suite", SUITES12.values(), ids=str)
def test_every_suite_can_be_watched(pellucid: Pellucid, suite: Any) -> None:
    ran = pellucid("demo", "--tls", "1.2", "--suite", suite.name, "-v")
    assert ran.code == 0, ran.err
    assert f"✓ connected: TLSv1.2 {suite.name}" in ran.out
    for lack in suite.lacks:
        assert f"· lacks          {lack if 'tag' not in lack else 'a full tag'}: " in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "options",
    [
        ["--certificate", "rsa"],
        ["--certificate", "ecdsa_p384", "--group", "secp521r1"],
        ["--certificate", "ed25519", "--mutual", "--resume"],
        ["--certificate", "ed448", "--group", "x448"],
        ["--group", "ffdhe3072"],
        ["--key-exchange", "rsa", "--mutual", "--resume", "-vv", "--reveal-secrets"],
    ],
    ids=" ".join,
)
def test_options_fit_together(pellucid: Pellucid, options: list[str]) -> None:
    ran = pellucid("demo", "--tls", "1.2", *options)
    assert (ran.code, ran.err) == (0, "")
    assert "✓ connected: TLSv1.2" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("options", [[], ["--resume"], ["--key-exchange", "dhe", "--mutual"]])
def test_with_a_seed_the_story_is_the_same_each_time(pellucid: Pellucid, options: list[str]) -> None:
    arguments = ["demo", "--tls", "1.2", "--seed", "7", *options]
    assert pellucid(*arguments).out == pellucid(*arguments).out


@pytest.mark.parametrize("exchange", KEY_EXCHANGES)
def test_a_plain_story_can_be_read_in_one_go(pellucid: Pellucid, exchange: str) -> None:
    out = pellucid("demo", "--tls", "1.2", "--key-exchange", exchange).out
    assert 23 <= len(steps(out)) <= 30
    assert len(out.splitlines()) <= 155


def test_the_key_log_has_the_master_secret(pellucid: Pellucid) -> None:
    out = pellucid("demo", "--tls", "1.2", "--keylog", "-").out
    assert [line.split(" ")[0] for line in out.splitlines()] == ["CLIENT_RANDOM"]


def test_secrets_are_hidden_unless_revealed(pellucid: Pellucid) -> None:
    options = ["demo", "--tls", "1.2", "--key-exchange", "rsa", "--seed", "1", "--json", "-"]
    revealed = pellucid(*options, "--reveal-secrets").document["events"]
    # What goes into Finished is shown there, encrypted or not.
    secrets = {
        e["value"] for e in revealed if e["kind"] == "secret" and not e["name"].endswith("_verify_data")
    }
    hidden = pellucid(*options).out
    assert len(secrets) >= 6
    assert [secret for secret in secrets if secret in hidden] == []


# -- what does not fit together


@pytest.mark.parametrize(
    "wishes, why",
    [
        ({"key_exchange": "rsa"}, "forward secrecy"),
        ({"suite": "TLS_RSA_WITH_AES_128_GCM_SHA256"}, "--tls 1.2"),
        ({"key_exchange": "dhe", "group": "x25519"}, "no group for dhe"),
        ({"key_exchange": "ecdhe", "group": "ffdhe2048"}, "no group for ecdhe"),
        ({"tls": "1.2", "suite": "TLS_AES_128_GCM_SHA256"}, "a suite of TLS 1.3"),
        ({"tls": "1.2", "key_exchange": "rsa", "certificate": "ecdsa"}, "has to be rsa"),
        ({"tls": "1.2", "key_exchange": "rsa", "group": "x25519"}, "no group"),
        ({"tls": "1.2", "key_exchange": "ecdhe", "group": "ffdhe2048"}, "no group for ecdhe"),
        ({"tls": "1.2", "group": "X25519MLKEM768"}, "TLS 1.3 alone"),
        ({"tls": "1.2", "certificate": "mldsa44"}, "no suite"),
        ({"tls": "1.2", "key_exchange": "dhe", "suite": "TLS_RSA_WITH_AES_128_CCM"}, "is rsa, not dhe"),
        (
            {"tls": "1.2", "certificate": "rsa", "suite": "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"},
            "another kind: ecdsa or",
        ),
    ],
)
def test_wishes_that_contradict_each_other_are_refused_with_the_reason(
    wishes: dict[str, str], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        Plan(**wishes).settled()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wishes, exchange, kind",
    [
        ({}, "ecdhe", "ecdsa"),
        ({"key_exchange": "rsa"}, "rsa", "rsa"),
        ({"key_exchange": "dhe"}, "dhe", "rsa"),
        ({"group": "ffdhe3072"}, "dhe", "rsa"),
        ({"suite": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}, "ecdhe", "rsa"),
        ({"suite": "TLS_DHE_RSA_WITH_AES_128_CCM"}, "dhe", "rsa"),
        ({"certificate": "ed25519"}, "ecdhe", "ed25519"),
    ],
)
def test_what_was_not_asked_for_follows_from_the_rest(
    wishes: dict[str, str], exchange: str, kind: str
) -> None:
    plan = Plan(tls="1.2", **wishes).settled()  # type: ignore[arg-type]
    assert (plan.key_exchange, plan.kind) == (exchange, kind)
    assert plan.suites
    assert {SUITES12[suite].key_exchange.lower() for suite in plan.suites} == {exchange}


def test_dhe_in_tls_13_is_a_group() -> None:
    assert Plan(key_exchange="dhe").settled().group == "ffdhe2048"
