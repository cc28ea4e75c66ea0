"""Real servers that are set up to fail: what our client makes of it, who sent the alert, how we exit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from diagnosing import met
from plain_servers import plain_server, stalling_relay

from ours import Pki
from pellucid.config import ClientConfig
from pellucid.errors import TLSError
from pellucid.faults import Bench
from pellucid.identity.lab import Issued
from pellucid.trace import Trace
from support import openssl_s_server
from with_gnutls import TLS12, echoing
from with_openssl import refused, s_server

OPENSSL = pytest.mark.peer("openssl s_server", "openssl")
GNUTLS = pytest.mark.peer("gnutls-serv", "gnutls-serv")
S_CLIENT = pytest.mark.peer("openssl s_client", "openssl")
A_MOMENT = 0.5
DAY = 86_400

#: Id, alert, who sent it (as this side sees it), exit code of `connect`.
Told = tuple[str, str | None, str | None, int]


def told(port: int, config: ClientConfig, name: str = "localhost", seconds: float = 15.0) -> Told:
    failure, code = met(config, port, name, seconds)
    return failure.id, failure.alert, failure.direction, code


# -- certificates, shown by openssl s_server


def _valid(first: float, last: float) -> Callable[[Bench], Issued]:
    return lambda bench: bench.laboratory.issue(
        "ecdsa", bench.names, validity=(bench.now + first * DAY, bench.now + last * DAY)
    )


def _unknown_root(bench: Bench) -> Issued:
    issued = bench.stranger.issue("ecdsa", bench.names)
    return Issued(issued.certificate, (*issued.issuers, bench.stranger.root), issued.private_key)


ISSUED: dict[str, tuple[str, Callable[[Bench], Issued]]] = {
    "certificate_expired": ("certificate_expired", _valid(-100, -10)),
    "certificate_not_yet_valid": ("certificate_expired", _valid(10, 100)),
    "hostname_mismatch": ("bad_certificate", lambda b: b.laboratory.issue("ecdsa", ("other.example",))),
    "no_subject_alternative_name": (
        "bad_certificate",
        lambda b: b.laboratory.without(b.issued, "subjectAltName"),
    ),
    "self_signed": ("unknown_ca", lambda b: b.laboratory.self_signed(b.issued)),
    "unknown_root": ("unknown_ca", _unknown_root),
    "missing_intermediate": (
        "unknown_ca",
        lambda b: Issued(b.issued.certificate, (), b.issued.private_key),
    ),
    "wrong_purpose": (
        "unsupported_certificate",
        lambda b: b.laboratory.issue("ecdsa", b.names, "client"),
    ),
    "weak_key": ("bad_certificate", lambda b: b.laboratory.issue("rsa1024", b.names)),
    "strict_profile_only": (
        "bad_certificate",
        lambda b: b.laboratory.without(b.issued, "authorityKeyIdentifier"),
    ),
}


def shown(issued: Issued, folder: Path) -> list[str | Path]:
    """What s_server is to be told for it to show this chain."""
    leaf, key, others = folder / "leaf.pem", folder / "leaf.key", folder / "others.pem"
    leaf.write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(issued.key_pem)
    others.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in issued.issuers))
    # It does not load a key of 1,024 bits otherwise.
    arguments: list[str | Path] = ["-cipher", "DEFAULT@SECLEVEL=0", "-cert", leaf, "-key", key]
    return [*arguments, "-cert_chain", others] if issued.issuers else arguments


@OPENSSL
@pytest.mark.shows(
    "certificate_expired",
    "certificate_not_yet_valid",
    "hostname_mismatch",
    "no_subject_alternative_name",
    "self_signed",
    "unknown_root",
    "missing_intermediate",
    "wrong_purpose",
    "weak_key",
    "strict_profile_only",
)
@pytest.mark.parametrize("name", ISSUED)
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_certificate_that_we_reject(
    name: str, version: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    marker = request.node.get_closest_marker("shows")
    assert name in marker.args
    bench = Bench(time.time())
    alert, make = ISSUED[name]
    config = ClientConfig(trust=bench.laboratory.trust, trace=Trace(), protocols=[version])
    with openssl_s_server(*shown(make(bench), tmp_path)) as peer:
        assert told(peer.port, config) == (name, alert, "sent", 5)


@OPENSSL
@pytest.mark.shows("certificate_revoked")
def test_a_certificate_that_its_server_says_is_revoked(tmp_path: Path) -> None:
    bench = Bench(time.time())
    response = tmp_path / "response.der"
    response.write_bytes(bench.laboratory.ocsp_response(bench.issued.certificate, "revoked"))
    config = ClientConfig(trust=bench.laboratory.trust, trace=Trace(), revocation="staple")
    with openssl_s_server(*shown(bench.issued, tmp_path), "-status_file", response) as peer:
        assert told(peer.port, config) == ("certificate_revoked", "certificate_revoked", "sent", 5)


# -- what the two do not have in common

NOTHING_IN_COMMON: dict[str, tuple[list[str], dict[str, Any], Told]] = {
    "version": (
        ["-tls1_2"],
        {"protocols": ["TLSv1.3"]},
        ("no_shared_version", "protocol_version", "received", 4),
    ),
    "suite": (
        ["-tls1_2", "-cipher", "AES256-SHA256"],
        {"protocols": ["TLSv1.2"]},
        ("handshake_failure", "handshake_failure", "received", 4),
    ),
    "suite of TLS 1.3": (
        ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
        {"cipher_suites": ["TLS_AES_128_GCM_SHA256"]},
        ("handshake_failure", "handshake_failure", "received", 4),
    ),
    "group": (
        ["-tls1_3", "-groups", "P-521"],
        {"groups": ["x25519"]},
        ("handshake_failure", "handshake_failure", "received", 4),
    ),
    "signature scheme": (
        ["-tls1_3"],
        {"protocols": ["TLSv1.3"], "signature_schemes": ["ed25519"]},
        ("handshake_failure", "handshake_failure", "received", 4),
    ),
    "application protocol": (
        ["-alpn", "h2"],
        {"alpn_protocols": ["http/1.1"]},
        ("alpn_mismatch", "no_application_protocol", "received", 4),
    ),
}


@OPENSSL
@pytest.mark.shows(
    "no_shared_version",
    "no_shared_cipher_suite",
    "no_shared_group",
    "no_shared_signature_scheme",
    "alpn_mismatch",
)
@pytest.mark.parametrize("what", NOTHING_IN_COMMON)
def test_a_server_with_nothing_in_common(what: str, pki: Pki) -> None:
    arguments, options, expected = NOTHING_IN_COMMON[what]
    with s_server(pki, *arguments) as peer:
        assert told(peer.port, pki.client(trace=Trace(), **options)) == expected


CLIENTS: dict[str, tuple[list[str], dict[str, Any], str | None]] = {
    "no_shared_version": (["-tls1_2"], {"protocols": ["TLSv1.3"]}, "protocol_version"),
    "no_shared_cipher_suite": (
        ["-ciphersuites", "TLS_AES_256_GCM_SHA384", "-tls1_3"],
        {"cipher_suites": ["TLS_AES_128_GCM_SHA256"]},
        "handshake_failure",
    ),
    "no_shared_group": (["-groups", "P-521", "-tls1_3"], {"groups": ["x25519"]}, "handshake_failure"),
    "no_shared_signature_scheme": (["-sigalgs", "RSA-PSS+SHA256", "-tls1_3"], {}, "handshake_failure"),
    "alpn_mismatch": (
        ["-alpn", "http/1.1"],
        {"alpn_protocols": ["h2"]},
        "no_application_protocol",
    ),
    "unrecognized_name": (["-tls1_3"], {"strict_server_name": True}, "unrecognized_name"),
}


@S_CLIENT
@pytest.mark.shows(
    "no_shared_version",
    "no_shared_cipher_suite",
    "no_shared_group",
    "no_shared_signature_scheme",
    "alpn_mismatch",
    "unrecognized_name",
)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_with_nothing_in_common_is_told_apart_by_our_server(name: str, pki: Pki) -> None:
    """It has both lists, and so the id says which it is."""
    arguments, options, alert = CLIENTS[name]
    asked = "other.test" if name == "unrecognized_name" else "localhost"
    _, error = refused(pki, pki.server(**options), *arguments, name=asked)
    assert isinstance(error, TLSError)
    found = error.diagnosis
    assert (found.id, found.alert, found.direction) == (name, alert, "sent")
    if alert == "handshake_failure" and name != "no_shared_signature_scheme":
        assert {fact.what: fact.found for fact in found.evidence}["in common"] == "none"


@OPENSSL
@pytest.mark.shows("unrecognized_name")
def test_a_server_that_does_not_serve_the_name(pki: Pki) -> None:
    chain, key = pki.files(name="second.test", issuer="root")
    second = ["-servername", "second.test", "-servername_fatal", "-cert2", chain, "-key2", key]
    with s_server(pki, *second) as peer:
        config = pki.client(trace=Trace())
        assert told(peer.port, config) == ("unrecognized_name", "unrecognized_name", "received", 4)


# -- certificates of clients


@OPENSSL
@pytest.mark.shows("client_certificate_missing")
@pytest.mark.parametrize(
    "version, alert", [("TLSv1.2", "handshake_failure"), ("TLSv1.3", "certificate_required")]
)
def test_openssl_wants_a_certificate(version: str, alert: str, pki: Pki) -> None:
    with s_server(pki, "-Verify", "1", "-CAfile", pki.root) as peer:
        config = pki.client(trace=Trace(), protocols=[version])
        assert told(peer.port, config) == ("client_certificate_missing", alert, "received", 6)


@OPENSSL
@pytest.mark.shows("client_certificate_untrusted")
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_openssl_does_not_trust_our_certificate(version: str, pki: Pki) -> None:
    trusting = ["-Verify", "1", "-verify_return_error", "-CAfile", pki.other_root]
    with s_server(pki, *trusting) as peer:
        config = pki.client(trace=Trace(), protocols=[version], credentials=[pki.client_credential()])
        failure, code = met(config, peer.port)
    assert (failure.id, failure.direction, code) == ("client_certificate_untrusted", "received", 6)
    assert failure.alert == "unknown_ca"
    # Both laboratories call their root the same.
    assert "an authority of the same name" in failure.possible


@GNUTLS
@pytest.mark.shows("client_certificate_missing")
def test_gnutls_wants_a_certificate(pki: Pki) -> None:
    with echoing(pki, "--x509cafile", pki.root, "--require-client-cert") as peer:
        config = pki.client(trace=Trace())
        expected = ("client_certificate_missing", "certificate_required", "received", 6)
        assert told(peer.port, config) == expected


@GNUTLS
def test_an_alert_that_is_for_something_else_does_not_prove_it(pki: Pki) -> None:
    """In TLS 1.2 gnutls-serv 3.7 calls an empty list of certificates a decode_error."""
    wanting = ["--x509cafile", pki.root, "--require-client-cert"]
    with echoing(pki, *wanting, priority=TLS12) as peer:
        failure, code = met(pki.client(trace=Trace()), peer.port)
    assert (failure.id, failure.direction, code) == ("alert_received", "received", 4)
    assert "had asked for a client certificate, and got none" in failure.possible


@GNUTLS
def test_gnutls_does_not_say_that_it_is_the_version(pki: Pki) -> None:
    """It takes the suites of TLS 1.3 for unknown ones, and says that it shares none."""
    with echoing(pki, priority=TLS12) as peer:
        config = pki.client(trace=Trace(), protocols=["TLSv1.3"])
        assert told(peer.port, config) == ("handshake_failure", "handshake_failure", "received", 4)


@OPENSSL
def test_openssl_calls_it_the_version_when_it_is_the_signature_scheme(pki: Pki) -> None:
    with s_server(pki, "-tls1_3", "-sigalgs", "RSA+SHA256") as peer:
        failure, code = met(pki.client(trace=Trace(), protocols=["TLSv1.3"]), peer.port)
    assert (failure.id, failure.alert, code) == ("no_shared_version", "protocol_version", 4)
    assert "signature schemes" in failure.possible


# -- no TLS, or nothing

GREETINGS = {
    "HTTP": (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", "curl -v"),
    "SMTP": (b"220 mail.example ESMTP Postfix\r\n", b"", "--starttls smtp"),
    "FTP": (b"220 (vsFTPd 3.0.5)\r\n", b"", "--starttls ftp"),
    "POP3": (b"+OK Dovecot ready.\r\n", b"", "--starttls pop3"),
    "IMAP": (b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", b"", "--starttls imap"),
    "MySQL": (b"\x4a\0\0\0\x0a8.0.36\0" + bytes(60), b"", "--starttls mysql"),
    "XMPP": (b"", b"<?xml version='1.0'?><stream:stream>", "--starttls xmpp"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"", "nc "),
}


@pytest.mark.shows("not_tls")
@pytest.mark.parametrize("protocol", GREETINGS)
def test_another_protocol_is_known_by_its_first_bytes(protocol: str, pki: Pki) -> None:
    greeting, answer, confirm = GREETINGS[protocol]
    with plain_server(greeting, answer) as port:
        failure, code = met(pki.client(trace=Trace()), port)
    assert (failure.id, failure.alert, failure.direction, code) == ("not_tls", None, None, 8)
    facts = {fact.what: fact.found for fact in failure.evidence}
    assert facts["first bytes"].startswith((greeting or answer)[:8].hex(" "))
    assert protocol in facts["looks like"]
    assert confirm in failure.confirm


@pytest.mark.shows("closed_after_client_hello")
def test_a_socket_that_closes(pki: Pki) -> None:
    with plain_server() as port:
        expected = ("closed_after_client_hello", "close_notify", "sent", 4)
        assert told(port, pki.client(trace=Trace())) == expected


@pytest.mark.shows("reset_after_client_hello")
def test_a_socket_that_resets(pki: Pki) -> None:
    with plain_server(ends="reset") as port:
        assert told(port, pki.client(trace=Trace())) == ("reset_after_client_hello", None, None, 4)


@pytest.mark.shows("silent_after_client_hello")
def test_a_socket_that_is_silent(pki: Pki) -> None:
    with plain_server(ends="stays") as port:
        config = pki.client(trace=Trace())
        assert told(port, config, seconds=A_MOMENT) == ("silent_after_client_hello", None, None, 7)


@OPENSSL
@pytest.mark.shows("stalled_mid_flight")
def test_an_answer_that_stops_in_the_middle(pki: Pki) -> None:
    most_bytes = 1000
    with s_server(pki) as peer, stalling_relay(peer.port, most_bytes) as port:
        failure, code = met(pki.client(trace=Trace()), port, seconds=3.0)
    assert (failure.id, failure.alert, failure.direction, code) == ("stalled_mid_flight", None, None, 7)
    assert {fact.what: fact.found for fact in failure.evidence}["received"] == f"{most_bytes:,} bytes"


@GNUTLS
@pytest.mark.shows("no_secure_renegotiation")
def test_a_server_without_renegotiation_info(pki: Pki) -> None:
    with echoing(pki, priority=f"{TLS12}:%DISABLE_SAFE_RENEGOTIATION") as peer:
        expected = ("no_secure_renegotiation", "handshake_failure", "sent", 4)
        assert told(peer.port, pki.client(trace=Trace())) == expected
