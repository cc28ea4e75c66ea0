"""``--why`` against servers of others that were set up to fail: the cause that it isolates is the true one.

OpenSSL and GnuTLS say handshake_failure for nearly everything; what is wrong shows only where one thing is
changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from ours import Pki
from pellucid.cli.app import app
from pellucid.trace.json import schema
from support import gnutls_serv
from with_gnutls import TLS12, TLS13, theirs_is_the_server
from with_openssl import VERIFY, s_server

openssl_server = pytest.mark.peer("openssl s_server", "openssl")

Why = Callable[..., dict[str, Any]]


@pytest.fixture
def why(pki: Pki) -> Why:
    """``why(port, ...)`` gives what ``connect --why --json`` says of the server on this port."""

    def ask(port: int, *arguments: str | Path) -> dict[str, Any]:
        command = ["connect", f"localhost:{port}", "--cafile", pki.root, "--why", "--json", "-", *arguments]
        ran = CliRunner().invoke(app, list(map(str, command)), prog_name="pellucid")
        document = json.loads(ran.stdout)
        Draft202012Validator(schema()).validate(document)
        found: dict[str, Any] = document["why"]
        return found

    return ask


def assert_proved(found: dict[str, Any], factor: str, cause: str) -> None:
    assert factor in found["isolated"], found
    assert (found["cause"], found["proved"], found["steady"]) == (cause, True, True), found


OPENSSL: dict[str, tuple[list[str], list[str], str, str]] = {
    "suites of TLS 1.3": (
        *(["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"], []),
        *("cipher_suites", "no_shared_cipher_suite"),
    ),
    "suites of TLS 1.2": (
        *(["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM8"], []),
        *("cipher_suites", "no_shared_cipher_suite"),
    ),
    "groups of TLS 1.3": (["-tls1_3", "-groups", "P-521"], [], "groups", "no_shared_group"),
    "groups of TLS 1.2": (["-tls1_2", "-groups", "P-521"], [], "groups", "no_shared_group"),
    "a version that was left out": (["-tls1_3"], ["--tls", "1.2"], "version", "no_shared_version"),
    "another that was left out": (["-tls1_2"], ["--tls", "1.3"], "version", "no_shared_version"),
    "ALPN": (["-alpn", "imap"], ["--alpn", "h2"], "alpn", "alpn_mismatch"),
}


@openssl_server
@pytest.mark.parametrize("name", OPENSSL)
def test_what_an_openssl_server_lacks(pki: Pki, why: Why, name: str) -> None:
    theirs, ours, factor, cause = OPENSSL[name]
    with s_server(pki, *theirs) as peer:
        assert_proved(why(peer.port, *ours), factor, cause)


@openssl_server
def test_an_openssl_server_that_signs_with_few_schemes(pki: Pki, why: Why) -> None:
    with s_server(pki, "-tls1_3", kind="ed448") as peer:
        assert_proved(why(peer.port), "signature_schemes", "no_shared_signature_scheme")


@openssl_server
def test_an_openssl_server_that_refuses_a_name(pki: Pki, why: Why) -> None:
    chain, key = pki.files("ecdsa", name="other.example")
    names = ["-servername", "other.example", "-servername_fatal", "-cert2", chain, "-key2", key]
    with s_server(pki, *names) as peer:
        assert_proved(why(peer.port), "name", "unrecognized_name")


@openssl_server
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_an_openssl_server_that_wants_a_certificate(pki: Pki, why: Why, version: str) -> None:
    with s_server(pki, version, *VERIFY) as peer:
        assert_proved(why(peer.port), "client_certificate", "client_certificate_missing")


@openssl_server
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_an_openssl_server_that_does_not_trust_our_certificate(pki: Pki, why: Why, version: str) -> None:
    chain, key = pki.client_files("ecdsa")
    trusting = [*VERIFY, "-CAfile", pki.other_root, "-no-CApath", "-no-CAstore"]
    with s_server(pki, version, *trusting) as peer:
        found = why(peer.port, "--cert", chain, "--key", key)
    assert found["failure"] == "client_certificate_untrusted"
    assert found["cause"] == "client_certificate_untrusted"


GNUTLS: dict[str, tuple[str, list[str], str, str]] = {
    "suites of TLS 1.3": (
        f"{TLS13}:-CIPHER-ALL:+AES-128-CCM-8",
        [],
        "cipher_suites",
        "no_shared_cipher_suite",
    ),
    "suites of TLS 1.2": (f"{TLS12}:-CIPHER-ALL:+AES-256-CCM", [], "cipher_suites", "no_shared_cipher_suite"),
    "groups of TLS 1.3": (f"{TLS13}:-GROUP-ALL:+GROUP-SECP521R1", [], "groups", "no_shared_group"),
}


@theirs_is_the_server
@pytest.mark.parametrize("name", GNUTLS)
def test_what_a_gnutls_server_lacks(pki: Pki, why: Why, name: str) -> None:
    priority, ours, factor, cause = GNUTLS[name]
    chain, key = pki.files("ecdsa")
    files = ["--x509certfile", chain, "--x509keyfile", key, "--disable-client-cert"]
    with gnutls_serv("--echo", "--priority", priority, *files) as peer:
        assert_proved(why(peer.port, *ours), factor, cause)


@theirs_is_the_server
def test_a_gnutls_server_without_our_version_says_nothing_of_versions(pki: Pki, why: Why) -> None:
    """Its alert is handshake_failure, as of one that has our version and no suite for it."""
    chain, key = pki.files("ecdsa")
    files = ["--x509certfile", chain, "--x509keyfile", key, "--disable-client-cert"]
    with gnutls_serv("--echo", "--priority", TLS13, *files) as peer:
        found = why(peer.port, "--tls", "1.2")
    assert (found["isolated"], found["cause"], found["steady"]) == (["version"], None, True)
    assert f"localhost:{peer.port} --cafile {pki.root} --tls 1.3" in found["confirm"]


@theirs_is_the_server
@pytest.mark.parametrize("priority", [TLS12, TLS13])
def test_a_gnutls_server_that_wants_a_certificate(pki: Pki, why: Why, priority: str) -> None:
    chain, key = pki.files("ecdsa")
    files = ["--x509certfile", chain, "--x509keyfile", key, "--x509cafile", pki.root]
    with gnutls_serv("--echo", "--priority", priority, "--require-client-cert", *files) as peer:
        found = why(peer.port)
    # In TLS 1.2 its alert is decode_error, from which nobody would guess it.
    assert_proved(found, "client_certificate", "client_certificate_missing")
