"""`gnutls-cli` against our server in TLS 1.2."""

from __future__ import annotations

from pathlib import Path

import pytest

from ours import (
    CLIENT_NAME,
    KeyLines,
    Pki,
    alerts,
    assert_printed,
    messages,
    printed_hex,
    serving,
    shout,
)
from ours12 import (
    ABBREVIATED,
    DATA,
    FULL,
    FULL_BY_ID,
    ONLY_12,
    agreed_on,
    each_suite,
    key_for,
    longest_record,
    receive_exactly,
    server12,
    server_hello,
    take_and_give,
)
from pellucid.codes import ExtensionType, NamedGroup
from pellucid.config import ServerConfig
from pellucid.crypto.suites12 import Suite12
from pellucid.errors import (
    AlertReceived,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
    TLSError,
)
from pellucid.io.blocking import TLSSocket
from pellucid.result import Negotiated
from pellucid.trace import Trace
from with_gnutls import (
    ONLY_TLS12,
    TLS12,
    cipher_name,
    converse,
    each_group12,
    gnutls_cli,
    group_priority12,
    shouted,
    skip_without_suite12,
    suite_priority12,
    theirs_is_the_client,
)

pytestmark = theirs_is_the_client

KINDS = ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "ed448"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def given_and_taken(pki: Pki, config: ServerConfig, *arguments: str | Path) -> tuple[str, Negotiated]:
    """DATA there and back: what the peer printed, and what our server agreed on."""
    with serving(config, take_and_give) as server, gnutls_cli(pki, server.port, *arguments) as peer:
        peer.send(DATA)
        negotiated = server.result()
        peer.wait_for("Peer has closed the GnuTLS connection")
        assert_printed(DATA.decode(), peer.output)
    assert isinstance(negotiated, Negotiated)
    return peer.output, negotiated


@each_suite
def test_it_takes_each_suite(pki: Pki, suite: Suite12, encrypt_then_mac: bool) -> None:
    skip_without_suite12(suite, "gnutls-cli")
    trace = Trace()
    config = server12(pki, key_for(suite), cipher_suites=[suite.name], trace=trace)
    priority = suite_priority12(suite, encrypt_then_mac)
    output, negotiated = given_and_taken(pki, config, "--priority", priority)
    assert negotiated.cipher_suite is suite.code
    assert_printed(f"-({cipher_name(suite)})", output)
    assert agreed_on(trace, ExtensionType.encrypt_then_mac) is (not suite.aead and encrypt_then_mac)
    assert agreed_on(trace, ExtensionType.extended_master_secret)


@each_kind
def test_it_takes_each_kind_of_certificate(pki: Pki, kind: str) -> None:
    output, _ = shouted(pki, server12(pki, kind), *ONLY_TLS12)
    assert_printed("Status: The certificate is trusted.", output)


@each_group12
def test_it_takes_each_group(pki: Pki, theirs: str, group: str) -> None:
    config = server12(pki, "rsa", groups=[group])
    _, negotiated = shouted(pki, config, "--priority", group_priority12(theirs))
    assert negotiated.group is NamedGroup[group]


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_it_authenticates_itself(pki: Pki, kind: str) -> None:
    chain, key = pki.client_files(kind)
    arguments = ["--x509certfile", chain, "--x509keyfile", key]
    _, negotiated = shouted(pki, pki.mutual_server(**ONLY_12), *ONLY_TLS12, *arguments)
    assert negotiated.peer_identity is not None
    assert CLIENT_NAME in negotiated.peer_identity.names


def test_a_client_without_certificate_is_refused(pki: Pki) -> None:
    with (
        serving(pki.mutual_server(**ONLY_12), shout) as server,
        gnutls_cli(pki, server.port, *ONLY_TLS12) as peer,
    ):
        error = server.exception()
        peer.wait_for("alert.*Handshake failed")
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.CLIENT_CERTIFICATE_MISSING


def test_we_hear_that_it_does_not_trust_our_root(pki: Pki) -> None:
    other = [*ONLY_TLS12, "--x509cafile", pki.other_root]
    with serving(server12(pki), shout) as server, gnutls_cli(pki, server.port, *other) as peer:
        error = server.exception()
        assert peer.wait() != 0
    assert isinstance(error, AlertReceived)


@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session-ID"])
@pytest.mark.parametrize("suite", ["ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"])
def test_it_resumes_our_sessions(pki: Pki, tickets: bool, suite: str) -> None:
    trace = Trace()
    config = server12(pki, cipher_suites=[f"TLS_{suite}"], tickets=tickets, trace=trace)
    with serving(config, shout, shout) as server:
        with gnutls_cli(pki, server.port, *ONLY_TLS12, "--resume") as peer:
            peer.wait_for("Resume Handshake was completed")
            assert_printed("*** This is a resumed session", converse(peer))
        assert not server.result(0).resumed
        assert server.result(1).resumed
    assert messages(trace) == [*(FULL if tickets else FULL_BY_ID), *ABBREVIATED]


def test_its_wishes_for_another_handshake_are_refused(pki: Pki) -> None:
    trace = Trace()
    config = server12(pki, trace=trace)
    with serving(config, shout) as server, gnutls_cli(pki, server.port, *ONLY_TLS12, "--rehandshake") as peer:
        error = server.exception()
        peer.wait_for("alert.*No renegotiation is allowed")
    assert set(alerts(trace, "sent")) >= {"no_renegotiation"}
    # It asks again and again, until one of the two has enough.
    assert isinstance(error, AlertReceived | PeerMisbehaved)


def test_it_and_our_server_agree_on_alpn(pki: Pki) -> None:
    config = server12(pki, alpn_protocols=["h2", "http/1.1"])
    output, negotiated = shouted(pki, config, *ONLY_TLS12, "--alpn", "http/1.1", "--alpn", "h2")
    assert_printed("- Application protocol: h2\n", output)
    assert negotiated.alpn == "h2"


@pytest.mark.parametrize("size", [512, 1000, 4096])
def test_our_server_keeps_to_the_records_that_it_asks_for(pki: Pki, size: int) -> None:
    trace = Trace()
    config = server12(pki, trace=trace)
    arguments = [*ONLY_TLS12, "--recordsize", str(size)]
    with (
        serving(config, lambda tls: tls.sendall(DATA)) as server,
        gnutls_cli(pki, server.port, *arguments) as peer,
    ):
        peer.wait_for("Peer has closed the GnuTLS connection")
        assert_printed(DATA.decode(), peer.output)
    assert agreed_on(trace, ExtensionType.record_size_limit)
    assert longest_record(trace, "sent") == size + 24  # nonce and tag


@pytest.mark.parametrize("size", [512, 1000, 2048])
def test_it_keeps_to_the_records_that_our_server_asks_for(pki: Pki, size: int) -> None:
    trace = Trace()
    config = server12(pki, record_size_limit=size, trace=trace)
    with (
        serving(config, lambda tls: receive_exactly(tls, size)) as server,
        gnutls_cli(pki, server.port, *ONLY_TLS12) as peer,
    ):
        # What it reads at once goes into one record, and what does not fit into that is dropped.
        peer.send(DATA[:5000])
        assert server.result() == DATA[:size]
    assert longest_record(trace, "received") == size + 24


def test_a_client_without_extended_master_secret_is_welcome_where_it_may_be(pki: Pki) -> None:
    priority = ["--priority", f"{TLS12}:%NO_SESSION_HASH"]
    shouted(pki, server12(pki), *priority)
    with serving(pki.server(), shout) as server, gnutls_cli(pki, server.port, *priority) as peer:
        error = server.exception()
        peer.wait_for("alert.*Handshake failed")
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.EXTENDED_MASTER_SECRET_MISSING


def test_a_client_without_any_extensions_has_nothing_but_rsa(pki: Pki) -> None:
    trace = Trace()
    old = f"{TLS12}:%NO_EXTENSIONS:-KX-ALL:+RSA"
    _, negotiated = shouted(pki, server12(pki, "rsa", trace=trace), "--priority", old)
    assert negotiated.cipher_suite.name == "TLS_RSA_WITH_AES_128_GCM_SHA256"
    assert not server_hello(trace).extensions


def test_a_client_that_names_no_signatures_wants_sha_1_and_does_not_get_it(pki: Pki) -> None:
    old = ["--priority", f"{TLS12}:%NO_EXTENSIONS:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"]
    with serving(server12(pki), shout) as server, gnutls_cli(pki, server.port, *old) as peer:
        error = server.exception()
        peer.wait_for("alert.*Handshake failed")
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.NO_SUITABLE_CERTIFICATE


def test_it_may_be_older_than_we(pki: Pki) -> None:
    _, negotiated = shouted(pki, pki.server(), *ONLY_TLS12)
    assert negotiated.protocol.label == "TLSv1.2"


def test_we_may_be_older_than_it(pki: Pki) -> None:
    _, negotiated = shouted(pki, server12(pki), "--priority", "NORMAL")
    assert negotiated.protocol.label == "TLSv1.2"


def test_its_fallback_from_what_we_have_is_refused(pki: Pki) -> None:
    fallback = ["--priority", f"{TLS12}:%FALLBACK_SCSV"]
    with serving(pki.server(), shout) as server, gnutls_cli(pki, server.port, *fallback) as peer:
        error = server.exception()
        peer.wait_for("(?i)alert.*fallback")
    assert isinstance(error, TLSError)
    assert error.reason is Reason.INAPPROPRIATE_FALLBACK


def test_it_and_our_server_log_the_same_secret(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    environment = {"SSLKEYLOGFILE": str(tmp_path / "keys")}
    shouted(pki, server12(pki, key_log=lines), *ONLY_TLS12, environment=environment)
    lines.assert_all_in(tmp_path / "keys", least=1)


def test_it_and_our_server_export_the_same_keying_material(pki: Pki) -> None:
    def exported(tls: TLSSocket) -> str:
        material = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        shout(tls)
        return material.hex()

    arguments = [*ONLY_TLS12, "--keymatexport", "EXPORTER-Pellucid", "--keymatexportsize", "48"]
    with serving(server12(pki), exported) as server:
        with gnutls_cli(pki, server.port, *arguments) as peer:
            output = converse(peer)
        assert printed_hex(output, "- Key material:") == server.result()
