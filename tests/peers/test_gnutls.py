"""`gnutls-cli` against our server, and our client against `gnutls-serv`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ours import (
    CLIENT_NAME,
    KeyLines,
    Pki,
    alerts,
    assert_printed,
    connected,
    messages,
    printed_hex,
    receive_all,
    receive_until,
    serving,
    shout,
)
from ours12 import DATA, longest_record, there_and_back
from pellucid.codes import AlertDescription
from pellucid.errors import AlertReceived, CertificateRejected, PeerIncompatible, PeerMisbehaved, Reason
from pellucid.io.blocking import TLSSocket
from pellucid.result import Negotiated
from pellucid.sessions import ExternalPsk, SessionStore
from pellucid.trace import Trace
from support import gnutls_serv
from with_gnutls import (
    NO_CLIENT_CERTIFICATE,
    TLS13,
    converse,
    echoed,
    echoing,
    gnutls_cli,
    refusal,
    shouted,
    theirs_is_the_client,
    theirs_is_the_server,
)

PSK = ExternalPsk(b"sensor", bytes(range(32)))

ONLY_PSK = f"{TLS13}:-KX-ALL:+ECDHE-PSK:+DHE-PSK"


def group_priority(*groups: str) -> str:
    return ":".join([TLS13, "-GROUP-ALL", *(f"+GROUP-{group}" for group in groups)])


def suite_priority(suite: str) -> str:
    return f"{TLS13}:-CIPHER-ALL:+{suite}"


KINDS = [
    ("ecdsa", "ecdsa_secp256r1_sha256"),
    ("ecdsa_p384", "ecdsa_secp384r1_sha384"),
    ("ecdsa_p521", "ecdsa_secp521r1_sha512"),
    ("rsa", "rsa_pss_rsae_sha256"),
    ("ed25519", "ed25519"),
    ("ed448", "ed448"),
]
SUITES = [
    ("AES-128-GCM", "TLS_AES_128_GCM_SHA256"),
    ("AES-256-GCM", "TLS_AES_256_GCM_SHA384"),
    ("CHACHA20-POLY1305", "TLS_CHACHA20_POLY1305_SHA256"),
    ("AES-128-CCM", "TLS_AES_128_CCM_SHA256"),
    ("AES-128-CCM-8", "TLS_AES_128_CCM_8_SHA256"),
]
GROUPS = [
    ("X25519", "x25519"),
    ("SECP256R1", "secp256r1"),
    ("SECP384R1", "secp384r1"),
    ("SECP521R1", "secp521r1"),
    ("X448", "x448"),
    ("FFDHE2048", "ffdhe2048"),
    ("FFDHE3072", "ffdhe3072"),
    ("FFDHE4096", "ffdhe4096"),
]


# -- their client, our server


@theirs_is_the_client
@pytest.mark.parametrize("kind, scheme", KINDS)
def test_it_takes_each_kind_of_certificate(pki: Pki, kind: str, scheme: str) -> None:
    output, negotiated = shouted(pki, pki.server(kind))
    assert_printed("Status: The certificate is trusted.", output)
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == scheme


@theirs_is_the_client
@pytest.mark.parametrize("theirs, suite", SUITES)
def test_it_takes_each_suite(pki: Pki, theirs: str, suite: str) -> None:
    config = pki.server(cipher_suites=[suite])
    output, negotiated = shouted(pki, config, "--priority", suite_priority(theirs))
    assert_printed(f"-({theirs})\n", output)
    assert negotiated.cipher_suite.name == suite


@theirs_is_the_client
@pytest.mark.parametrize("theirs, group", GROUPS)
def test_it_takes_each_group(pki: Pki, theirs: str, group: str) -> None:
    trace = Trace()
    config = pki.server(groups=[group], trace=trace)
    output, negotiated = shouted(pki, config, "--priority", group_priority(theirs))
    assert_printed(f"-{theirs})-(", output)
    assert negotiated.group.name == group
    assert "HelloRetryRequest" not in messages(trace)


@theirs_is_the_client
@pytest.mark.parametrize("cookie", [False, True])
def test_it_sends_the_share_that_we_ask_for(pki: Pki, cookie: bool) -> None:
    trace = Trace()
    config = pki.server(groups=["secp384r1"], cookie=cookie, trace=trace)
    arguments = ["--single-key-share", "--priority", group_priority("X25519", "SECP384R1")]
    _, negotiated = shouted(pki, config, *arguments)
    assert negotiated.group.name == "secp384r1"
    assert messages(trace)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


@theirs_is_the_client
def test_it_authenticates_itself(pki: Pki) -> None:
    chain, key = pki.client_files()
    arguments = ["--x509certfile", chain, "--x509keyfile", key]
    _, negotiated = shouted(pki, pki.mutual_server(), *arguments)
    assert negotiated.mutual
    assert negotiated.peer_identity is not None
    assert CLIENT_NAME in negotiated.peer_identity.names


@theirs_is_the_client
def test_a_client_without_certificate_is_told_that_one_is_required(pki: Pki) -> None:
    with serving(pki.mutual_server(), shout) as server, gnutls_cli(pki, server.port) as peer:
        error = server.exception()
        peer.wait_for("alert.*Certificate is required")
        assert peer.wait() != 0
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.CLIENT_CERTIFICATE_MISSING


@theirs_is_the_client
def test_we_hear_that_it_does_not_trust_our_root(pki: Pki) -> None:
    other = ["--x509cafile", pki.other_root]
    with serving(pki.server(), shout) as server, gnutls_cli(pki, server.port, *other) as peer:
        error = server.exception()
        assert peer.wait() != 0
        assert_printed("The certificate is NOT trusted", peer.output)
    assert isinstance(error, AlertReceived)


@theirs_is_the_client
def test_it_is_told_that_no_group_is_shared(pki: Pki) -> None:
    priority = ["--priority", group_priority("SECP384R1")]
    config = pki.server(groups=["x25519"])
    with serving(config, shout) as server, gnutls_cli(pki, server.port, *priority) as peer:
        error = server.exception()
        peer.wait_for("alert.*Handshake failed")
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.NO_SHARED_GROUP


@theirs_is_the_client
@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"])
def test_it_resumes_with_our_ticket(pki: Pki, suite: str) -> None:
    with serving(pki.server(cipher_suites=[suite]), shout, shout) as server:
        with gnutls_cli(pki, server.port, "--resume", "--waitresumption") as peer:
            peer.wait_for("Resume Handshake was completed")
            assert_printed("*** This is a resumed session", converse(peer))
        assert not server.result(0).resumed
        assert server.result(1).resumed


@theirs_is_the_client
def test_early_data_that_our_ticket_does_not_allow_is_not_sent(pki: Pki, tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.write_bytes(b"early")
    arguments = ["--resume", "--waitresumption", "--earlydata", early]
    with serving(pki.server(), shout, shout) as server:
        with gnutls_cli(pki, server.port, *arguments) as peer:
            peer.wait_for("Resume Handshake was completed")
            converse(peer)
        assert server.result(1).resumed


@theirs_is_the_client
def test_it_and_we_have_a_pre_shared_key(pki: Pki) -> None:
    identity = ["--pskusername", PSK.identity.decode(), "--pskkey", PSK.key.hex()]
    output, negotiated = shouted(pki, pki.server(psks=[PSK]), *identity, "--priority", ONLY_PSK)
    assert_printed(f"PSK authentication. Connected as '{PSK.identity.decode()}'", output)
    assert negotiated.psk_identity == PSK.identity


@theirs_is_the_client
def test_a_wrong_pre_shared_key_is_refused(pki: Pki) -> None:
    wrong = ["--pskusername", PSK.identity.decode(), "--pskkey", "42" * 32, "--priority", ONLY_PSK]
    with serving(pki.server(psks=[PSK]), shout) as server, gnutls_cli(pki, server.port, *wrong) as peer:
        error = server.exception()
        peer.wait_for("alert.*Decrypt error")
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.BAD_PSK_BINDER


@theirs_is_the_client
@pytest.mark.parametrize("command, answers", [(b"^rekey^\n", 1), (b"^rekey1^\n", 0)])
def test_we_follow_its_key_update(pki: Pki, command: bytes, answers: int) -> None:
    trace = Trace()
    with serving(pki.server(trace=trace), shout) as server:
        with gnutls_cli(pki, server.port, "--inline-commands") as peer:
            peer.send(b"before\n")
            peer.wait_for("^BEFORE$")
            peer.send(command)
            peer.wait_for("Rekey was completed")
            converse(peer)
        server.result()
    assert messages(trace).count("KeyUpdate") == 1 + answers


@theirs_is_the_client
def test_what_it_calls_a_rehandshake_is_a_key_update(pki: Pki) -> None:
    trace = Trace()
    output, _ = shouted(pki, pki.server(trace=trace), "--rehandshake")
    assert_printed("ReHandshake was completed", output)
    assert messages(trace).count("KeyUpdate") == 2


def update_at_each_line(*, request: bool) -> Any:
    def update(tls: TLSSocket) -> Negotiated:
        for _ in range(3):
            line = receive_until(tls, b"\n")
            tls.connection.key_update(request=request)
            tls.sendall(line.upper())
        return shout(tls)

    return update


@theirs_is_the_client
@pytest.mark.parametrize("request_theirs", [False, True])
def test_it_follows_our_key_updates(pki: Pki, request_theirs: bool) -> None:
    trace = Trace()
    with serving(pki.server(trace=trace), update_at_each_line(request=request_theirs)) as server:
        with gnutls_cli(pki, server.port) as peer:
            for word in "first", "second", "third":
                peer.send(word.encode() + b"\n")
                peer.wait_for(f"^{word.upper()}$")
            converse(peer)
        server.result()
    assert messages(trace).count("KeyUpdate") == 3 * (1 + request_theirs)


@theirs_is_the_client
def test_it_and_our_server_agree_on_alpn(pki: Pki) -> None:
    config = pki.server(alpn_protocols=["h2", "http/1.1"])
    output, negotiated = shouted(pki, config, "--alpn", "http/1.1", "--alpn", "h2")
    assert_printed("- Application protocol: h2\n", output)
    assert negotiated.alpn == "h2"


@theirs_is_the_client
def test_it_reads_our_padded_records(pki: Pki) -> None:
    shouted(pki, pki.server(padding=lambda _, length: -length % 256))


@theirs_is_the_client
def test_our_server_keeps_to_the_records_that_it_asks_for(pki: Pki) -> None:
    trace = Trace()
    arguments = ["--priority", TLS13, "--recordsize", "512"]
    config = pki.server(trace=trace)
    with (
        serving(config, lambda tls: tls.sendall(DATA)) as server,
        gnutls_cli(pki, server.port, *arguments) as peer,
    ):
        peer.wait_for("Peer has closed the GnuTLS connection")
        assert_printed(DATA.decode(), peer.output)
    assert longest_record(trace, "sent") <= 512 + 17


@theirs_is_the_client
def test_it_and_our_server_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    environment = {"SSLKEYLOGFILE": str(tmp_path / "keys")}
    shouted(pki, pki.server(key_log=lines), environment=environment)
    lines.assert_all_in(tmp_path / "keys")


@theirs_is_the_client
def test_it_and_our_server_export_the_same_keying_material(pki: Pki) -> None:
    def exported(tls: TLSSocket) -> str:
        material = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        shout(tls)
        return material.hex()

    arguments = ["--keymatexport", "EXPORTER-Pellucid", "--keymatexportsize", "48"]
    with serving(pki.server(), exported) as server:
        with gnutls_cli(pki, server.port, *arguments) as peer:
            output = converse(peer)
        assert printed_hex(output, "- Key material:") == server.result()


# -- our client, their server


@theirs_is_the_server
@pytest.mark.parametrize("kind, scheme", KINDS)
def test_we_take_each_kind_of_certificate(pki: Pki, kind: str, scheme: str) -> None:
    with echoing(pki, NO_CLIENT_CERTIFICATE, kind=kind) as peer:
        negotiated = echoed(peer.port, pki.client(signature_schemes=[scheme]))
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == scheme


@theirs_is_the_server
@pytest.mark.parametrize("theirs, suite", SUITES)
def test_we_take_each_suite(pki: Pki, theirs: str, suite: str) -> None:
    with echoing(pki, NO_CLIENT_CERTIFICATE, priority=suite_priority(theirs)) as peer:
        assert echoed(peer.port, pki.client(cipher_suites=[suite])).cipher_suite.name == suite


@theirs_is_the_server
@pytest.mark.parametrize("theirs, group", GROUPS)
def test_we_take_each_group(pki: Pki, theirs: str, group: str) -> None:
    trace = Trace()
    with echoing(pki, NO_CLIENT_CERTIFICATE, priority=group_priority(theirs)) as peer:
        assert echoed(peer.port, pki.client(groups=[group], trace=trace)).group.name == group
    assert "HelloRetryRequest" not in messages(trace)


@theirs_is_the_server
@pytest.mark.parametrize("key_shares", [["x25519"], []], ids=["another-share", "no-share"])
def test_we_send_the_share_that_it_asks_for(pki: Pki, key_shares: list[str]) -> None:
    trace = Trace()
    config = pki.client(groups=["x25519", "secp384r1"], key_shares=key_shares, trace=trace)
    with echoing(pki, NO_CLIENT_CERTIFICATE, priority=group_priority("SECP384R1")) as peer:
        assert echoed(peer.port, config).group.name == "secp384r1"
    assert messages(trace)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


@theirs_is_the_server
@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_we_authenticate_ourselves(pki: Pki, kind: str) -> None:
    config = pki.client(credentials=[pki.client_credential(kind)])
    required = ["--require-client-cert", "--verify-client-cert", "--x509cafile", pki.root]
    with echoing(pki, *required) as peer:
        assert echoed(peer.port, config).mutual
        peer.wait_for("The certificate is trusted")


@theirs_is_the_server
def test_we_hear_that_a_certificate_is_required(pki: Pki) -> None:
    required = ["--require-client-cert", "--x509cafile", pki.root]
    with echoing(pki, *required) as peer, connected(peer.port, pki.client()) as tls:
        # Our handshake was complete before the server saw that no certificate came.
        with pytest.raises(AlertReceived) as caught:
            tls.recv(1)
        assert caught.value.description == AlertDescription.certificate_required


@theirs_is_the_server
def test_without_a_certificate_we_are_welcome_where_it_is_optional(pki: Pki) -> None:
    trace = Trace()
    with echoing(pki, "--x509cafile", pki.root) as peer:
        assert not echoed(peer.port, pki.client(trace=trace)).mutual
    assert "CertificateRequest" in messages(trace)


@theirs_is_the_server
def test_it_hears_that_we_do_not_trust_its_root(pki: Pki) -> None:
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer:
        with pytest.raises(CertificateRejected):
            connected(peer.port, pki.client(trust=pki.other_laboratory.trust))
        peer.wait_for("A TLS fatal alert has been received")  # it does not say which


@theirs_is_the_server
def test_we_are_told_that_no_group_is_shared(pki: Pki) -> None:
    priority = group_priority("SECP384R1")
    config = pki.client(groups=["x25519"])
    with echoing(pki, NO_CLIENT_CERTIFICATE, priority=priority) as peer:
        assert refusal(peer.port, config) == AlertDescription.handshake_failure


@theirs_is_the_server
@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"])
def test_we_resume_its_sessions(pki: Pki, suite: str) -> None:
    config = pki.client(sessions=SessionStore(), cipher_suites=[suite])
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer:
        outcomes = [echoed(peer.port, config) for _ in range(3)]
    assert [outcome.resumed for outcome in outcomes] == [False, True, True]


@theirs_is_the_server
def test_a_ticket_that_allows_early_data_is_used_without(pki: Pki) -> None:
    config = pki.client(sessions=SessionStore())
    with echoing(pki, NO_CLIENT_CERTIFICATE, "--earlydata", "--maxearlydata", "16384") as peer:
        outcomes = [echoed(peer.port, config) for _ in range(2)]
    assert [outcome.resumed for outcome in outcomes] == [False, True]


@theirs_is_the_server
def test_we_and_it_have_a_pre_shared_key(pki: Pki, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{PSK.identity.decode()}:{PSK.key.hex()}\n")
    with echoing(pki, "--pskpasswd", keys, priority=ONLY_PSK) as peer:
        negotiated = echoed(peer.port, pki.client(psks=[PSK]))
    assert negotiated.psk_identity == PSK.identity


@theirs_is_the_server
def test_the_wrong_pre_shared_key_is_refused(pki: Pki, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{PSK.identity.decode()}:{'42' * 32}\n")
    with echoing(pki, "--pskpasswd", keys, priority=ONLY_PSK) as peer:
        # RFC 9846 4.3.11 says only that the handshake is aborted.
        told = refusal(peer.port, pki.client(psks=[PSK]))
        assert told in {AlertDescription.illegal_parameter, AlertDescription.decrypt_error}


@theirs_is_the_server
@pytest.mark.parametrize("request_theirs", [False, True])
def test_a_server_follows_our_key_updates(pki: Pki, request_theirs: bool) -> None:
    trace = Trace()
    config = pki.client(trace=trace)
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer, connected(peer.port, config) as tls:
        for line in b"first\n", b"second\n", b"third\n":
            tls.connection.key_update(request=request_theirs)
            tls.sendall(line)
            assert receive_until(tls, b"\n") == line
    assert messages(trace).count("KeyUpdate") == 3 * (1 + request_theirs)


@theirs_is_the_server
def test_we_follow_the_key_update_of_a_server(pki: Pki) -> None:
    trace = Trace()
    config = pki.client(trace=trace)
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer, connected(peer.port, config) as tls:
        tls.sendall(b"**REHANDSHAKE**\n")  # a command to it: in TLS 1.3 it does a KeyUpdate
        assert receive_until(tls, b"\n") == b"Successfully executed command\n"
        tls.sendall(b"hello\n")
        assert receive_until(tls, b"\n") == b"hello\n"
        tls.sendall(b"again\n")
        assert receive_until(tls, b"\n") == b"again\n"
    assert messages(trace).count("KeyUpdate") == 2


@theirs_is_the_server
def test_it_and_our_client_agree_on_alpn(pki: Pki) -> None:
    with echoing(pki, NO_CLIENT_CERTIFICATE, "--alpn", "h2") as peer:
        assert echoed(peer.port, pki.client(alpn_protocols=["http/1.1", "h2"])).alpn == "h2"


@theirs_is_the_server
def test_bulk_goes_there_and_back(pki: Pki) -> None:
    bulk = b"0123456789abcde\n" * 16384
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer, connected(peer.port, pki.client()) as tls:
        got = b""
        for at in range(0, len(bulk), 8192):
            tls.sendall(bulk[at : at + 8192])
            while len(got) < at + 8192:
                got += tls.recv(65536)
    assert got == bulk


@theirs_is_the_server
@pytest.mark.parametrize("size", [512, 4097])
def test_it_keeps_to_the_records_that_our_client_asks_for(pki: Pki, size: int) -> None:
    trace = Trace()
    config = pki.client(record_size_limit=size, trace=trace)
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer, connected(peer.port, config) as tls:
        there_and_back(tls)
    # RFC 8449 4: the content's type counts; the tag does not.
    assert longest_record(trace, "received") == size + 16


@theirs_is_the_server
def test_our_client_keeps_to_the_records_that_it_asks_for(pki: Pki) -> None:
    trace = Trace()
    config = pki.client(record_size_limit=16385, trace=trace)
    arguments = [NO_CLIENT_CERTIFICATE, "--recordsize", "512"]
    with echoing(pki, *arguments) as peer, connected(peer.port, config) as tls:
        there_and_back(tls)
    assert longest_record(trace, "sent") <= 512 + 17


@theirs_is_the_server
def test_it_reads_the_padded_records_of_our_client(pki: Pki) -> None:
    with echoing(pki, NO_CLIENT_CERTIFICATE) as peer:
        echoed(peer.port, pki.client(padding=lambda _, length: -length % 256))


@theirs_is_the_server
def test_we_see_the_close_notify_of_a_server(pki: Pki) -> None:
    trace = Trace()
    chain, key = pki.files()
    with gnutls_serv("--http", NO_CLIENT_CERTIFICATE, "--x509certfile", chain, "--x509keyfile", key) as peer:
        with connected(peer.port, pki.client(trace=trace)) as tls:
            tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert receive_all(tls).startswith(b"HTTP/1.0 200 OK")
        assert alerts(trace, "received") == ["close_notify"]


@theirs_is_the_server
def test_it_and_our_client_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    environment = {"SSLKEYLOGFILE": str(tmp_path / "keys")}
    with echoing(pki, NO_CLIENT_CERTIFICATE, environment=environment) as peer:
        echoed(peer.port, pki.client(key_log=lines))
    lines.assert_all_in(tmp_path / "keys")


@theirs_is_the_server
def test_it_and_our_client_export_the_same_keying_material(pki: Pki) -> None:
    arguments = ["--keymatexport", "EXPORTER-Pellucid", "--keymatexportsize", "48"]
    with echoing(pki, NO_CLIENT_CERTIFICATE, *arguments) as peer, connected(peer.port, pki.client()) as tls:
        peer.wait_for(r"Key material: \w+\n")
        ours = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        assert printed_hex(peer.output, "Key material:") == ours.hex()
