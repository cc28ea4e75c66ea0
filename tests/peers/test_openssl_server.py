"""Our client against `openssl s_server`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ours import (
    CLIENT_NAME,
    KeyLines,
    OpensslPki,
    Pki,
    alerts,
    assert_printed,
    connected,
    messages,
    printed_hex,
    receive_all,
    receive_until,
)
from pellucid.codes import AlertDescription
from pellucid.errors import AlertReceived, CertificateRejected, PeerMisbehaved, Reason
from pellucid.identity import Credential
from pellucid.io.blocking import TLSSocket
from pellucid.sessions import ExternalPsk, SessionStore
from pellucid.trace import RecordEvent, Trace
from support import openssl_s_server
from with_openssl import VERIFY, exchange_lines, identity, reversed_lines, s_server

pytestmark = pytest.mark.peer("openssl s_server", "openssl")

PSK = ExternalPsk(b"a sensor", bytes(range(32)))


# -- what can be agreed on


@pytest.mark.parametrize(
    "kind, scheme",
    [
        ("ecdsa", "ecdsa_secp256r1_sha256"),
        ("ecdsa_p384", "ecdsa_secp384r1_sha384"),
        ("ecdsa_p521", "ecdsa_secp521r1_sha512"),
        ("rsa", "rsa_pss_rsae_sha256"),
        ("ed25519", "ed25519"),
        ("ed448", "ed448"),
    ],
)
def test_each_kind_of_certificate(pki: Pki, kind: str, scheme: str) -> None:
    with s_server(pki, "-rev", kind=kind) as peer:
        negotiated = reversed_lines(peer.port, pki.client(signature_schemes=[scheme]))
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == scheme
    assert negotiated.peer_chain == pki.credential(kind).chain


def test_a_certificate_with_an_rsa_pss_key(pki: Pki, rsa_pss: OpensslPki) -> None:
    with openssl_s_server("-cert", rsa_pss.chain, "-key", rsa_pss.key, "-rev") as peer:
        negotiated = reversed_lines(peer.port, pki.client(trust=rsa_pss.trust))
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == "rsa_pss_pss_sha256"


@pytest.mark.parametrize(
    "suite",
    [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    ],
)
def test_each_suite(pki: Pki, suite: str) -> None:
    with s_server(pki, "-rev", "-ciphersuites", suite) as peer:
        negotiated = reversed_lines(peer.port, pki.client(cipher_suites=[suite]))
        peer.wait_for(f"Ciphersuite: {suite}$")
    assert negotiated.cipher_suite.name == suite


@pytest.mark.parametrize(
    "theirs, group",
    [
        ("X25519", "x25519"),
        ("P-256", "secp256r1"),
        ("P-384", "secp384r1"),
        ("P-521", "secp521r1"),
        ("X448", "x448"),
        ("ffdhe2048", "ffdhe2048"),
        ("ffdhe3072", "ffdhe3072"),
        ("ffdhe4096", "ffdhe4096"),
    ],
)
def test_each_group(pki: Pki, theirs: str, group: str) -> None:
    trace = Trace()
    with s_server(pki, "-rev", "-groups", theirs) as peer:
        negotiated = reversed_lines(peer.port, pki.client(groups=[group], trace=trace))
    assert negotiated.group.name == group
    assert "HelloRetryRequest" not in messages(trace)


def test_without_ml_kem_the_x25519_part_of_our_share_saves_the_round_trip(pki: Pki) -> None:
    trace = Trace()
    with s_server(pki, "-rev") as peer:
        negotiated = reversed_lines(peer.port, pki.client(trace=trace))
    assert negotiated.group.name == "x25519"
    assert "HelloRetryRequest" not in messages(trace)


@pytest.mark.parametrize("key_shares", [["x25519"], []], ids=["another-share", "no-share"])
def test_we_send_the_share_that_it_asks_for(pki: Pki, key_shares: list[str]) -> None:
    trace = Trace()
    config = pki.client(groups=["x25519", "secp384r1"], key_shares=key_shares, trace=trace)
    with s_server(pki, "-groups", "P-384") as peer, connected(peer.port, config) as tls:
        exchange_lines(peer, tls)
        assert tls.negotiated.group.name == "secp384r1"
    assert messages(trace)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


def second_identity(pki: Pki) -> list[str | Path]:
    """For "second.test", from the root itself: s_server sends no chain with it."""
    chain, key = pki.files(name="second.test", issuer="root")
    return ["-servername", "second.test", "-servername_fatal", "-cert2", chain, "-key2", key]


def test_it_shows_the_certificate_for_the_name_that_we_send(pki: Pki) -> None:
    with s_server(pki, "-rev", *second_identity(pki)) as peer:
        negotiated = reversed_lines(peer.port, pki.client(), "second.test")
    assert negotiated.peer_identity is not None
    assert "second.test" in negotiated.peer_identity.names


def test_a_name_that_it_does_not_know_is_refused(pki: Pki) -> None:
    with s_server(pki, "-rev", *second_identity(pki)) as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, pki.client(), "third.test")
    assert caught.value.description == AlertDescription.unrecognized_name


def test_an_ip_address_needs_no_name(pki: Pki) -> None:
    with s_server(pki, "-rev") as peer:
        assert reversed_lines(peer.port, pki.client(), "127.0.0.1").peer_identity is not None


def test_alpn(pki: Pki) -> None:
    with s_server(pki, "-rev", "-alpn", "h2,http/1.1") as peer:
        negotiated = reversed_lines(peer.port, pki.client(alpn_protocols=["http/1.1", "h2"]))
    assert negotiated.alpn == "h2"


@pytest.mark.parametrize("theirs, ours", [([], False), (["-no_middlebox"], True)])
def test_one_side_may_be_without_the_middlebox_compatibility_mode(
    pki: Pki, theirs: list[str], ours: bool
) -> None:
    with s_server(pki, "-rev", *theirs) as peer:
        reversed_lines(peer.port, pki.client(middlebox_compatibility=ours))


def test_without_the_middlebox_compatibility_mode_nobody_sends_change_cipher_spec(pki: Pki) -> None:
    trace = Trace()
    with s_server(pki, "-rev") as peer:
        reversed_lines(peer.port, pki.client(middlebox_compatibility=False, trace=trace))
    records = [event for event in trace.events if isinstance(event, RecordEvent)]
    assert records
    assert not [event for event in records if "change_cipher_spec" in str(event.content_type)]


# -- what cannot


@pytest.mark.parametrize(
    "knobs, arguments, alert",
    [
        ({"protocols": ["TLSv1.3"]}, ["-tls1_2"], AlertDescription.protocol_version),
        (
            {"cipher_suites": ["TLS_AES_128_GCM_SHA256"]},
            ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            AlertDescription.handshake_failure,
        ),
        ({"groups": ["x25519"]}, ["-tls1_3", "-groups", "P-384"], AlertDescription.handshake_failure),
        ({"signature_schemes": ["ed25519"]}, ["-tls1_3"], AlertDescription.handshake_failure),
        ({"alpn_protocols": ["imap"]}, ["-alpn", "h2"], AlertDescription.no_application_protocol),
    ],
    ids=["version", "suite", "group", "signature", "alpn"],
)
def test_we_are_told_what_is_not_shared(
    pki: Pki, knobs: dict[str, Any], arguments: list[str], alert: AlertDescription
) -> None:
    with s_server(pki, "-rev", *arguments) as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, pki.client(**knobs))
    assert caught.value.description == alert


def test_it_hears_that_we_do_not_trust_its_root(pki: Pki) -> None:
    other = pki.other_laboratory.trust
    with s_server(pki) as peer:
        with pytest.raises(CertificateRejected) as caught:
            connected(peer.port, pki.client(trust=other))
        peer.wait_for("alert unknown ca")
    assert caught.value.reason is Reason.UNKNOWN_ROOT


def test_it_hears_that_it_has_another_name(pki: Pki) -> None:
    with s_server(pki) as peer:
        with pytest.raises(CertificateRejected) as caught:
            connected(peer.port, pki.client(), "elsewhere.test")
        peer.wait_for("alert bad certificate")
    assert caught.value.reason is Reason.HOSTNAME_MISMATCH


def test_it_hears_that_its_chain_is_not_whole(pki: Pki) -> None:
    chain, key = pki.files()
    with openssl_s_server("-cert", chain, "-key", key) as peer:
        with pytest.raises(CertificateRejected) as caught:
            connected(peer.port, pki.client())
        peer.wait_for("alert unknown ca")
    assert caught.value.reason is Reason.MISSING_INTERMEDIATE


# -- mutual authentication


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "ed448"])
def test_we_authenticate_ourselves(pki: Pki, kind: str) -> None:
    config = pki.client(credentials=[pki.client_credential(kind)])
    with s_server(pki, "-rev", *VERIFY, "-CAfile", pki.root) as peer:
        negotiated = reversed_lines(peer.port, config)
        peer.wait_for(rf"^Peer certificate: CN = {CLIENT_NAME}$")
        assert_printed("Verification: OK", peer.output)
    assert negotiated.mutual


def test_we_show_the_certificate_that_it_can_verify(pki: Pki, foreign: Credential) -> None:
    config = pki.client(credentials=[foreign, pki.client_credential("ed25519"), pki.client_credential()])
    verify = [*VERIFY, "-CAfile", pki.root, "-client_sigalgs", "ECDSA+SHA256"]
    with s_server(pki, "-rev", *verify) as peer:
        reversed_lines(peer.port, config)
        peer.wait_for(rf"^Peer certificate: CN = {CLIENT_NAME}$")
        assert_printed("Signature type: ECDSA", peer.output)


def hears(tls: TLSSocket) -> AlertReceived:
    """The alert that follows where our handshake was complete before the server had seen our certificate."""
    with pytest.raises(AlertReceived) as caught:
        tls.recv(1)
    return caught.value


def test_we_hear_that_a_certificate_is_required(pki: Pki) -> None:
    verify = [*VERIFY, "-CAfile", pki.root]
    with s_server(pki, "-rev", *verify) as peer, connected(peer.port, pki.client()) as tls:
        error = hears(tls)
    assert error.description == AlertDescription.certificate_required


def test_without_a_certificate_we_are_welcome_where_it_is_optional(pki: Pki) -> None:
    with s_server(pki, "-rev", "-verify", "3", "-CAfile", pki.root) as peer:
        negotiated = reversed_lines(peer.port, pki.client())
        peer.wait_for("^No peer certificate$")
    assert not negotiated.mutual


def test_we_hear_that_it_does_not_trust_our_certificate(pki: Pki) -> None:
    config = pki.client(credentials=[pki.client_credential()])
    # A root of the same name, so that the client believes its certificate to be what is wanted.
    verify = [*VERIFY, "-CAfile", pki.other_root]
    with s_server(pki, "-rev", *verify) as peer, connected(peer.port, config) as tls:
        error = hears(tls)
    assert error.description == AlertDescription.unknown_ca


# -- resumption, pre-shared keys


@pytest.mark.parametrize(
    "arguments",
    [
        ["-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        ["-ciphersuites", "TLS_AES_256_GCM_SHA384"],
        ["-no_ticket"],
        ["-num_tickets", "5"],
    ],
    ids=["sha256", "sha384", "server-side", "five-tickets"],
)
def test_we_resume_its_sessions(pki: Pki, arguments: list[str]) -> None:
    config = pki.client(sessions=SessionStore())
    with s_server(pki, "-rev", *arguments) as peer:
        outcomes = [reversed_lines(peer.port, config) for _ in range(4)]
    assert [outcome.resumed for outcome in outcomes] == [False, True, True, True]
    assert outcomes[3].peer_chain == outcomes[0].peer_chain


def test_we_resume_after_a_hello_retry_request(pki: Pki) -> None:
    trace = Trace()
    groups = {"groups": ["x25519", "secp384r1"], "key_shares": ["x25519"]}
    config = pki.client(sessions=SessionStore(), trace=trace, **groups)
    with s_server(pki, "-rev", "-groups", "P-384") as peer:
        outcomes = [reversed_lines(peer.port, config) for _ in range(2)]
    assert [outcome.resumed for outcome in outcomes] == [False, True]
    assert messages(trace).count("HelloRetryRequest") == 2


def test_we_resume_as_whom_we_authenticated_ourselves(pki: Pki) -> None:
    config = pki.client(sessions=SessionStore(), credentials=[pki.client_credential()])
    with s_server(pki, "-rev", *VERIFY, "-CAfile", pki.root) as peer:
        outcomes = [reversed_lines(peer.port, config) for _ in range(2)]
        peer.wait_for(rf"(?s)(Peer certificate: CN = {CLIENT_NAME}\n.*){{2}}")
    assert [outcome.resumed for outcome in outcomes] == [False, True]


def test_tickets_that_it_no_longer_knows_lead_to_a_full_handshake(pki: Pki) -> None:
    config = pki.client(sessions=SessionStore())
    with s_server(pki, "-rev") as first:
        reversed_lines(first.port, config)
    with s_server(pki, "-rev") as second:
        negotiated = reversed_lines(second.port, config)
    assert not negotiated.resumed
    assert negotiated.peer_identity is not None


def test_an_external_psk(pki: Pki) -> None:
    psk = ["-nocert", "-psk_identity", PSK.identity.decode(), "-psk", PSK.key.hex()]
    with openssl_s_server(*psk, "-rev") as peer, connected(peer.port, pki.client(psks=[PSK])) as tls:
        tls.sendall(b"hello\n")
        assert receive_until(tls, b"\n") == b"olleh\n"
        assert tls.negotiated.psk_identity == PSK.identity
        assert tls.negotiated.signature_scheme is None


def test_a_wrong_external_psk_is_refused(pki: Pki) -> None:
    psk = ["-nocert", "-psk_identity", PSK.identity.decode(), "-psk", "42" * 32]
    with openssl_s_server(*psk, "-rev") as peer, pytest.raises(AlertReceived) as caught:
        connected(peer.port, pki.client(psks=[PSK]))
    # OpenSSL says the one or the other, by version.
    assert caught.value.description in {AlertDescription.illegal_parameter, AlertDescription.decrypt_error}


def test_without_the_external_psk_its_certificate_does(pki: Pki) -> None:
    with s_server(pki, "-rev", "-psk_identity", "somebody", "-psk", "42" * 32) as peer:
        negotiated = reversed_lines(peer.port, pki.client(psks=[PSK]))
    assert negotiated.psk_identity is None
    assert negotiated.peer_identity is not None


def test_a_ticket_that_allows_early_data_is_used_without(pki: Pki) -> None:
    config = pki.client(sessions=SessionStore())
    outcomes = []
    with s_server(pki, "-early_data", "-max_early_data", "16384") as peer:
        for _ in range(2):
            with connected(peer.port, config) as tls:
                exchange_lines(peer, tls)
                outcomes.append(tls.negotiated.resumed)
    assert outcomes == [False, True]


# -- key updates


KEY_UPDATE_SENT = r">>> [^\n]*KeyUpdate"
KEY_UPDATE_RECEIVED = r"<<< [^\n]*KeyUpdate"


@pytest.mark.parametrize("command, answers", [(b"k\n", 0), (b"K\n", 1)])
def test_we_follow_its_key_update(pki: Pki, command: bytes, answers: int) -> None:
    trace = Trace()
    with s_server(pki, "-msg") as peer, connected(peer.port, pki.client(trace=trace)) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        for count in 1, 2:
            peer.send(command)
            peer.wait_for(rf"(?s)({KEY_UPDATE_SENT}.*){{{count}}}")
            peer.send(b"under new keys\n")
            assert receive_until(tls, b"\n") == b"under new keys\n"
            tls.sendall(f"line {count}\n".encode())
            peer.wait_for(f"line {count}")
        assert len(re.findall(KEY_UPDATE_RECEIVED, peer.output)) == 2 * answers
    assert messages(trace).count("KeyUpdate") == 2 + 2 * answers


@pytest.mark.parametrize("request_theirs", [False, True])
def test_it_follows_our_key_updates(pki: Pki, request_theirs: bool) -> None:
    trace = Trace()
    with s_server(pki) as peer, connected(peer.port, pki.client(trace=trace)) as tls:
        for word in "first", "second", "third":
            tls.connection.key_update(request=request_theirs)
            tls.sendall(word.encode() + b"\n")
            peer.wait_for(f"^{word}$")
            peer.send(b"from it\n")  # and before that, its answer to a request
            assert receive_until(tls, b"\n") == b"from it\n"
    assert messages(trace).count("KeyUpdate") == 3 * (1 + request_theirs)


# -- records


def test_we_read_its_padded_records(pki: Pki) -> None:
    trace = Trace()
    with s_server(pki, "-rev", "-record_padding", "512") as peer:
        reversed_lines(peer.port, pki.client(trace=trace))
    records = [event for event in trace.events if isinstance(event, RecordEvent)]
    protected = [event for event in records if event.direction == "received" and event.encrypted]
    assert protected
    assert {event.length % 512 for event in protected} == {16}  # the tag


def test_it_reads_our_padded_records(pki: Pki) -> None:
    with s_server(pki, "-rev") as peer:
        reversed_lines(peer.port, pki.client(padding=lambda _, length: -length % 256))


BULK = b"0123456789abcde\n" * 65536


@pytest.mark.parametrize(
    "arguments",
    [[], ["-max_send_frag", "512"], ["-split_send_frag", "1000", "-max_pipelines", "4"]],
    ids=["whole", "small", "split"],
)
def test_bulk_from_it_arrives_whatever_the_size_of_its_records(
    pki: Pki, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "bulk").write_bytes(BULK)
    with openssl_s_server(*identity(pki), "-HTTP", *arguments, cwd=tmp_path) as peer:
        tls = connected(peer.port, pki.client())
        with tls:
            tls.sendall(b"GET /bulk HTTP/1.0\r\n\r\n")
            assert receive_all(tls) == BULK


@pytest.mark.parametrize("arguments", [[], ["-read_buf", "40000"]], ids=["", "read_buf"])
def test_bulk_from_us_arrives(pki: Pki, arguments: list[str]) -> None:
    with s_server(pki, *arguments) as peer:
        with connected(peer.port, pki.client()) as tls:
            tls.sendall(BULK + b"and that is all\n")
            peer.wait_for("and that is all")
        assert_printed(BULK.decode(), peer.output)


# -- the end


def test_we_see_its_close_notify(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"hello")
    trace = Trace()
    # Only its HTTP servers send one: at a "Q" it closes the socket first.
    with openssl_s_server(*identity(pki), "-HTTP", cwd=tmp_path) as peer:
        with connected(peer.port, pki.client(trace=trace)) as tls:
            tls.sendall(b"GET /page HTTP/1.0\r\n\r\n")
            assert receive_all(tls) == b"hello"
        assert alerts(trace, "received") == ["close_notify"]


def test_it_sees_our_close_notify(pki: Pki) -> None:
    with s_server(pki, "-msg") as peer, connected(peer.port, pki.client()) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        tls.close()
        peer.wait_for(r"^<<< TLS 1.3, Alert \[length 0002\], warning close_notify$")


def test_a_server_that_is_killed_is_a_truncation(pki: Pki) -> None:
    with s_server(pki) as peer, connected(peer.port, pki.client()) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        peer.kill()
        with pytest.raises(PeerMisbehaved) as caught:
            receive_all(tls)
    assert caught.value.reason is Reason.TRUNCATED


# -- what both sides know, what it says of our messages


def test_both_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    with s_server(pki, "-rev", "-keylogfile", tmp_path / "keys") as peer:
        reversed_lines(peer.port, pki.client(key_log=lines))
    lines.assert_all_in(tmp_path / "keys")


def test_both_export_the_same_keying_material(pki: Pki) -> None:
    arguments = ["-keymatexport", "EXPORTER-Pellucid", "-keymatexportlen", "48"]
    with s_server(pki, *arguments) as peer, connected(peer.port, pki.client()) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        ours = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        assert printed_hex(peer.output, "Keying material:") == ours.hex()


def test_it_finds_nothing_strange_in_our_messages(pki: Pki) -> None:
    trace = Trace()
    config = pki.client(credentials=[pki.client_credential()], alpn_protocols=["http/1.1"], trace=trace)
    arguments = ["-trace", "-alpn", "http/1.1", *VERIFY, "-CAfile", pki.root]
    with s_server(pki, *arguments) as peer, connected(peer.port, config) as tls:
        tls.sendall(b"a first line\n")
        peer.wait_for("a first line")
        output = peer.output
    for name in messages(trace):
        assert_printed(f"    {name}, Length=", output)
    for complaint in "extraneous data", "parse error", "UNKNOWN":
        assert complaint not in output.replace("UNKNOWN (4588)", "")  # X25519MLKEM768, in older ones
