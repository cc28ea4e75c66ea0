"""`openssl s_client` against our server."""

from __future__ import annotations

import base64
import hashlib
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
    messages,
    printed_hex,
    receive_all,
    receive_until,
    serving,
    shout,
)
from ours12 import DATA, longest_record, take_and_give
from pellucid.codes import AlertDescription
from pellucid.config import ServerConfig
from pellucid.errors import (
    AlertReceived,
    CertificateRejected,
    PeerIncompatible,
    PeerMisbehaved,
    Reason,
)
from pellucid.io.blocking import TLSSocket
from pellucid.result import Negotiated
from pellucid.sessions import ExternalPsk
from pellucid.trace import RecordEvent, Trace
from support import openssl_s_client, openssl_s_server
from with_openssl import client_certificate, converse, refused, s_client, shouted

pytestmark = pytest.mark.peer("openssl s_client", "openssl")

PSK = ExternalPsk(b"a sensor", bytes(range(32)))


# -- what can be agreed on


@pytest.mark.parametrize(
    "kind, signature, scheme",
    [
        ("ecdsa", "ECDSA", "ecdsa_secp256r1_sha256"),
        ("ecdsa_p384", "ECDSA", "ecdsa_secp384r1_sha384"),
        ("ecdsa_p521", "ECDSA", "ecdsa_secp521r1_sha512"),
        ("rsa", "RSA-PSS", "rsa_pss_rsae_sha256"),
        ("ed25519", "ed25519", "ed25519"),
        ("ed448", "ed448", "ed448"),
    ],
)
def test_each_kind_of_certificate(pki: Pki, kind: str, signature: str, scheme: str) -> None:
    output, negotiated = shouted(pki, pki.server(kind))
    assert_printed("Verify return code: 0 (ok)", output)
    assert_printed(f"Peer signature type: {signature}\n", output)
    assert negotiated.signature_scheme is not None
    assert negotiated.signature_scheme.name == scheme


def test_a_certificate_with_an_rsa_pss_key(rsa_pss: OpensslPki) -> None:
    trusting = ["-CAfile", rsa_pss.root, "-verify_return_error"]
    with serving(ServerConfig(credentials=[rsa_pss.credential]), shout) as server:
        with openssl_s_client(server.port, "-servername", "localhost", *trusting) as peer:
            converse(peer)
        negotiated = server.result()
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
    output, negotiated = shouted(pki, pki.server(cipher_suites=[suite]), "-ciphersuites", suite)
    assert_printed(f"New, TLSv1.3, Cipher is {suite}\n", output)
    assert negotiated.cipher_suite.name == suite


GROUPS = [
    ("X25519", "x25519"),
    ("P-256", "secp256r1"),
    ("P-384", "secp384r1"),
    ("P-521", "secp521r1"),
    ("X448", "x448"),
    ("ffdhe2048", "ffdhe2048"),
    ("ffdhe3072", "ffdhe3072"),
    ("ffdhe4096", "ffdhe4096"),
]


@pytest.mark.parametrize("theirs, group", GROUPS)
def test_each_group(pki: Pki, theirs: str, group: str) -> None:
    trace = Trace()
    _, negotiated = shouted(pki, pki.server(groups=[group], trace=trace), "-groups", theirs)
    assert negotiated.group.name == group
    assert "HelloRetryRequest" not in messages(trace)


@pytest.mark.parametrize("cookie", [False, True])
def test_it_sends_the_share_that_we_ask_for(pki: Pki, cookie: bool) -> None:
    trace = Trace()
    config = pki.server(groups=["secp384r1"], cookie=cookie, trace=trace)
    _, negotiated = shouted(pki, config, "-groups", "X25519:P-384")
    assert negotiated.group.name == "secp384r1"
    assert messages(trace)[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


def test_we_choose_the_certificate_that_it_can_verify(pki: Pki) -> None:
    config = pki.server(credentials=[pki.credential("ed25519"), pki.credential("rsa")])
    output, _ = shouted(pki, config, "-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA256")
    assert_printed("Peer signature type: RSA-PSS\n", output)


def test_we_choose_the_certificate_for_the_name_that_it_sends(pki: Pki) -> None:
    config = pki.server(credentials=[pki.credential(), pki.credential(name="second.test")])
    with serving(config, shout, shout) as server:
        for index, name in enumerate(["localhost", "second.test"]):
            with s_client(pki, server.port, name=name) as peer:
                assert_printed(f"Verified peername: {name}\n", converse(peer))
            assert server.result(index).server_name == name


def test_it_may_send_no_name(pki: Pki) -> None:
    with serving(pki.server(), shout) as server:
        with s_client(pki, server.port, "-verify_ip", "127.0.0.1", name=None) as peer:
            converse(peer)
        assert server.result().server_name is None


def test_a_name_that_no_certificate_has_is_refused_by_a_strict_server(pki: Pki) -> None:
    output, error = refused(pki, pki.server(strict_server_name=True), name="elsewhere.test")
    assert error.reason is Reason.UNRECOGNIZED_NAME
    assert_printed("unrecognized name", output)


def test_alpn(pki: Pki) -> None:
    config = pki.server(alpn_protocols=["h2", "http/1.1"])
    output, negotiated = shouted(pki, config, "-alpn", "http/1.1,h2")
    assert_printed("ALPN protocol: h2\n", output)
    assert negotiated.alpn == "h2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-status"],
        ["-enable_pha"],
        ["-use_srtp", "SRTP_AES128_CM_SHA1_80"],
        ["-serverinfo", "18,4242"],
        ["-no_ticket"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_extensions_that_we_do_not_answer_are_no_obstacle(pki: Pki, arguments: list[str]) -> None:
    output, _ = shouted(pki, pki.server(), *arguments)
    assert_printed("Verify return code: 0 (ok)", output)


def test_both_keep_to_the_fragments_that_it_asks_for(pki: Pki) -> None:
    trace = Trace()
    config = pki.server(trace=trace)
    with serving(config, take_and_give) as server, s_client(pki, server.port, "-maxfraglen", "1024") as peer:
        peer.send(DATA)
        server.result()
        # Beside the content: its type, and the tag.
        assert longest_record(trace, "sent") <= 1024 + 17
        assert longest_record(trace, "received") <= 1024 + 17


def test_without_the_middlebox_compatibility_mode_nobody_sends_change_cipher_spec(pki: Pki) -> None:
    trace = Trace()
    output, _ = shouted(pki, pki.server(trace=trace), "-no_middlebox", "-msg")
    assert "ChangeCipherSpec" not in output
    records = [event for event in trace.events if isinstance(event, RecordEvent)]
    assert records
    assert not [event for event in records if "change_cipher_spec" in str(event.content_type)]


# -- what cannot


@pytest.mark.parametrize(
    "knobs, arguments, reason, alert",
    [
        ({"protocols": ["TLSv1.3"]}, ["-tls1_2"], Reason.NO_SHARED_VERSION, "protocol version"),
        (
            {"cipher_suites": ["TLS_AES_128_GCM_SHA256"]},
            ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            Reason.NO_SHARED_CIPHER_SUITE,
            "handshake failure",
        ),
        (
            {"groups": ["secp384r1"]},
            ["-tls1_3", "-groups", "X25519"],
            Reason.NO_SHARED_GROUP,
            "handshake failure",
        ),
        (
            {},
            ["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"],
            Reason.NO_SHARED_SIGNATURE_SCHEME,
            "handshake failure",
        ),
        (
            {"alpn_protocols": ["h2"]},
            ["-alpn", "imap"],
            Reason.NO_SHARED_APPLICATION_PROTOCOL,
            "no application protocol",
        ),
    ],
    ids=["version", "suite", "group", "signature", "alpn"],
)
def test_it_is_told_what_is_not_shared(
    pki: Pki, knobs: dict[str, Any], arguments: list[str], reason: Reason, alert: str
) -> None:
    output, error = refused(pki, pki.server(**knobs), *arguments)
    assert isinstance(error, PeerIncompatible)
    assert error.reason is reason
    assert_printed(f"alert {alert}", output)


def test_we_hear_that_it_does_not_trust_our_root(pki: Pki) -> None:
    with serving(pki.server(), shout) as server:
        trusting = ["-CAfile", pki.other_root, "-no-CApath", "-no-CAstore", "-verify_return_error"]
        with openssl_s_client(server.port, "-servername", "localhost", *trusting) as peer:
            error = server.exception()
            assert peer.wait() == 1
    assert isinstance(error, AlertReceived)
    assert error.description == AlertDescription.unknown_ca


# -- mutual authentication


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519"])
def test_it_authenticates_itself(pki: Pki, kind: str) -> None:
    output, negotiated = shouted(pki, pki.mutual_server(), *client_certificate(pki, kind))
    assert negotiated.mutual
    assert negotiated.peer_identity is not None
    assert negotiated.peer_chain == pki.client_credential(kind).chain
    assert CLIENT_NAME in negotiated.peer_identity.names
    assert_printed("Acceptable client certificate CA names\nCN = Pellucid Laboratory Root\n", output)


def test_a_client_without_certificate_is_told_that_one_is_required(pki: Pki) -> None:
    output, error = refused(pki, pki.mutual_server())
    assert isinstance(error, PeerIncompatible)
    assert error.reason is Reason.CLIENT_CERTIFICATE_MISSING
    assert_printed("alert certificate required", output)


def test_a_client_without_certificate_is_welcome_where_it_is_optional(pki: Pki) -> None:
    config = pki.server(client_authentication="optional", trust=pki.laboratory.trust)
    _, negotiated = shouted(pki, config)
    assert not negotiated.mutual


def test_a_servers_certificate_is_no_clients_certificate(pki: Pki) -> None:
    chain, key = pki.files()
    arguments = ["-cert", chain, "-key", key, "-cert_chain", pki.intermediate]
    output, error = refused(pki, pki.mutual_server(), *arguments)
    assert isinstance(error, CertificateRejected)
    assert error.reason is Reason.WRONG_PURPOSE
    assert_printed("alert unsupported certificate", output)


def test_a_clients_chain_without_its_intermediate_is_refused(pki: Pki, tmp_path: Path) -> None:
    leaf = tmp_path / "leaf.pem"
    chain, key = pki.client_files()
    leaf.write_text(chain.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    output, error = refused(pki, pki.mutual_server(), "-cert", leaf, "-key", key)
    assert isinstance(error, CertificateRejected)
    assert error.reason is Reason.MISSING_INTERMEDIATE
    assert_printed("alert unknown ca", output)


# -- resumption, pre-shared keys


def test_it_resumes_with_our_ticket(pki: Pki, tmp_path: Path) -> None:
    ticket = tmp_path / "session"
    with serving(pki.server(), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", ticket) as peer:
            converse(peer)
        with s_client(pki, server.port, "-sess_in", ticket) as peer:
            assert_printed("Reused, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256\n", converse(peer))
        assert not server.result(0).resumed
        assert server.result(1).resumed


def test_it_resumes_after_a_hello_retry_request(pki: Pki, tmp_path: Path) -> None:
    ticket = tmp_path / "session"
    trace = Trace()
    config = pki.server(groups=["secp384r1"], trace=trace)
    with serving(config, shout, shout) as server:
        for argument in "-sess_out", "-sess_in":
            with s_client(pki, server.port, argument, ticket, "-groups", "X25519:P-384") as peer:
                output = converse(peer)
        assert_printed("Reused, TLSv1.3", output)
        assert server.result(1).resumed
    assert messages(trace).count("HelloRetryRequest") == 2


def test_a_resumed_client_is_still_known_by_its_certificate(pki: Pki, tmp_path: Path) -> None:
    ticket = tmp_path / "session"
    with serving(pki.mutual_server(), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", ticket, *client_certificate(pki)) as peer:
            converse(peer)
        with s_client(pki, server.port, "-sess_in", ticket, *client_certificate(pki)) as peer:
            converse(peer)
        again = server.result(1)
    assert again.resumed
    assert again.mutual
    assert again.peer_chain == pki.client_credential().chain


def test_a_ticket_for_one_name_does_not_open_another(pki: Pki, tmp_path: Path) -> None:
    ticket = tmp_path / "session"
    config = pki.server(credentials=[pki.credential(), pki.credential(name="second.test")])
    with serving(config, shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", ticket) as peer:
            converse(peer)
        with s_client(pki, server.port, "-sess_in", ticket, name="second.test") as peer:
            assert_printed("New, TLSv1.3", converse(peer))
        assert not server.result(1).resumed


def test_it_reconnects_again_and_again(pki: Pki) -> None:
    with serving(pki.server(), *[receive_all] * 5, shout) as server:
        with s_client(pki, server.port, "-reconnect") as peer:
            assert converse(peer).count("drop connection and then reconnect") == 5
        assert [server.result(index) for index in range(5)] == [b""] * 5


def test_an_external_psk(pki: Pki) -> None:
    output, negotiated = shouted(
        pki, pki.server(psks=[PSK]), "-psk_identity", PSK.identity.decode(), "-psk", PSK.key.hex()
    )
    assert negotiated.psk_identity == PSK.identity
    assert not negotiated.resumed
    assert_printed("no peer certificate available", output)


def test_a_wrong_external_psk_is_refused(pki: Pki) -> None:
    output, error = refused(
        pki, pki.server(psks=[PSK]), "-psk_identity", PSK.identity.decode(), "-psk", "42" * 32
    )
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.BAD_PSK_BINDER
    assert_printed("alert decrypt error", output)


def test_with_an_unknown_psk_it_gets_our_certificate(pki: Pki) -> None:
    output, negotiated = shouted(
        pki, pki.server(psks=[PSK]), "-psk_identity", "somebody", "-psk", PSK.key.hex()
    )
    assert negotiated.psk_identity is None
    assert_printed("Verified peername: localhost\n", output)


# -- early data, which we refuse


def allow_early_data(session: Path, size: int) -> None:
    """Make a session file of OpenSSL's say that its ticket allows `size` bytes of early data."""
    # SSL_SESSION in ASN.1: most fields are [n] EXPLICIT, in the order of n. max_early_data is 15, or absent.
    der = base64.b64decode("".join(session.read_text().splitlines()[1:-1]))
    at = der_content(der, 0).start
    while at < len(der) and der[at] < 0xA0 + 15:
        at = der_content(der, at).stop
    number = size.to_bytes(size.bit_length() // 8 + 1, "big")
    field = bytes([0xA0 + 15, len(number) + 2, 0x02, len(number)]) + number
    fields = der[der_content(der, 0).start : at] + field + der[at:]
    patched = b"\x30\x82" + len(fields).to_bytes(2, "big") + fields
    marker = "SSL SESSION PARAMETERS-----"
    session.write_text(f"-----BEGIN {marker}\n{base64.encodebytes(patched).decode()}-----END {marker}\n")


def der_content(der: bytes, at: int) -> slice:
    """Where the content of the element at `at` is."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(der[at + 2 : start], "big")
    return slice(start, start + length)


@pytest.fixture
def early_data(tmp_path: Path) -> Path:
    path = tmp_path / "early"
    path.write_bytes(b"early " * 2000)  # in one record of 12,000 bytes
    return path


@pytest.mark.parametrize("groups", [["x25519"], ["secp384r1"]], ids=["", "hello-retry-request"])
def test_early_data_is_skipped_where_we_resume(
    pki: Pki, tmp_path: Path, early_data: Path, groups: list[str]
) -> None:
    session = tmp_path / "session"
    with serving(pki.server(groups=groups), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", session) as peer:
            converse(peer)
        allow_early_data(session, 16384)
        with s_client(pki, server.port, "-sess_in", session, "-early_data", early_data) as peer:
            output = converse(peer)
        assert server.result(1).resumed
    assert_printed("Reused, TLSv1.3", output)
    assert_printed("Early data was rejected", output)
    assert "EARLY" not in output


@pytest.mark.parametrize("groups", [["x25519"], ["secp384r1"]], ids=["", "hello-retry-request"])
def test_early_data_under_a_ticket_of_another_server_is_skipped(
    pki: Pki, tmp_path: Path, early_data: Path, groups: list[str]
) -> None:
    session = tmp_path / "session"
    chain, key = pki.files()
    arguments = ["-cert", chain, "-key", key, "-cert_chain", pki.intermediate, "-max_early_data", "16384"]
    with (
        openssl_s_server(*arguments, "-rev") as other,
        s_client(pki, other.port, "-sess_out", session) as peer,
    ):
        peer.send(b"hello\n")
        peer.wait_for("olleh")
    with serving(pki.server(groups=groups), shout) as server:
        with s_client(pki, server.port, "-sess_in", session, "-early_data", early_data) as peer:
            output = converse(peer)
        assert not server.result().resumed
    assert_printed("Early data was rejected", output)


def test_more_early_data_than_we_care_to_skip_ends_the_connection(
    pki: Pki, tmp_path: Path, early_data: Path
) -> None:
    session = tmp_path / "session"
    with serving(pki.server(max_skipped_early_data_bytes=4096), shout, shout) as server:
        with s_client(pki, server.port, "-sess_out", session) as peer:
            converse(peer)
        allow_early_data(session, 16384)
        with s_client(pki, server.port, "-sess_in", session, "-early_data", early_data) as peer:
            error = server.exception(1)
            peer.wait()
            assert_printed("alert unexpected message", peer.output)
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.TOO_MUCH_EARLY_DATA


# -- key updates


@pytest.mark.parametrize("command, answers", [(b"k\n", 0), (b"K\n", 1)])
def test_we_follow_its_key_update(pki: Pki, command: bytes, answers: int) -> None:
    trace = Trace()
    with serving(pki.server(trace=trace), shout) as server:
        with s_client(pki, server.port, "-msg") as peer:
            peer.send(b"before\n")
            peer.wait_for("BEFORE")
            peer.send(command)
            peer.wait_for(r"^>>> .*KeyUpdate")
            if answers:
                peer.wait_for(r"^<<< .*KeyUpdate")
            assert len(re.findall(r"^<<< .*KeyUpdate", converse(peer), re.MULTILINE)) == answers
        server.result()
    assert messages(trace).count("KeyUpdate") == 1 + answers


@pytest.mark.parametrize("request_theirs", [False, True])
def test_it_follows_our_key_updates(pki: Pki, request_theirs: bool) -> None:
    def update(tls: TLSSocket) -> Negotiated:
        for _ in range(3):
            line = receive_until(tls, b"\n")
            tls.connection.key_update(request=request_theirs)
            tls.sendall(line.upper())  # OpenSSL answers a request when it next sends
        return shout(tls)

    with serving(pki.server(), update) as server:
        with s_client(pki, server.port, "-msg") as peer:
            for word in "first", "second", "third":
                peer.send(word.encode() + b"\n")
                peer.wait_for(word.upper())
            output = converse(peer)
        server.result()
    assert len(re.findall(r"^<<< .*KeyUpdate", output, re.MULTILINE)) == 3
    assert len(re.findall(r"^>>> .*KeyUpdate", output, re.MULTILINE)) == 3 * request_theirs


# -- records


def test_it_pads_its_records(pki: Pki) -> None:
    output, _ = shouted(pki, pki.server(), "-record_padding", "512")
    assert_printed("Verify return code: 0 (ok)", output)


def test_it_reads_our_padded_records(pki: Pki) -> None:
    config = pki.server(padding=lambda _, length: -length % 256)
    output, _ = shouted(pki, config, "-msg")
    # 256 bytes of content and padding, one for the content type, 16 for the tag
    assert_printed("<<< TLS 1.2, RecordHeader [length 0005]\n    17 03 03 01 11\n", output)


BULK = b"0123456789abcde\n" * 65536


@pytest.mark.parametrize(
    "arguments",
    [[], ["-max_send_frag", "512"], ["-split_send_frag", "1000", "-max_pipelines", "4"]],
    ids=["whole", "small", "split"],
)
def test_bulk_from_it_arrives_whatever_the_size_of_its_records(pki: Pki, arguments: list[str]) -> None:
    def digest(tls: TLSSocket) -> None:
        got = b""
        while len(got) < len(BULK):
            got += tls.recv(65536)
        tls.sendall(hashlib.sha256(got).hexdigest().encode())

    with serving(pki.server(), digest) as server:
        with s_client(pki, server.port, "-quiet", *arguments) as peer:
            peer.send(BULK)
            peer.wait_for(hashlib.sha256(BULK).hexdigest())
            assert peer.wait() == 0
        server.result()


@pytest.mark.parametrize("arguments", [[], ["-read_buf", "40000"]], ids=["", "read_buf"])
def test_bulk_from_us_arrives(pki: Pki, arguments: list[str]) -> None:
    with (
        serving(pki.server(), lambda tls: tls.sendall(BULK)) as server,
        s_client(pki, server.port, "-quiet", *arguments) as peer,
    ):
        server.result()
        assert peer.wait() == 0
        # What it says of our certificates comes first, on its standard error.
        assert peer.output.endswith(BULK.decode())


# -- the end


def test_it_sees_our_close_notify(pki: Pki) -> None:
    with serving(pki.server(), lambda tls: tls.sendall(b"goodbye\n")) as server:
        with s_client(pki, server.port, "-msg") as peer:
            peer.wait_for("goodbye")
            peer.wait_for(r"^<<< TLS 1.3, Alert \[length 0002\], warning close_notify$")
            assert peer.wait() == 0
        server.result()


def test_a_client_that_is_killed_is_a_truncation(pki: Pki) -> None:
    with serving(pki.server(), shout) as server, s_client(pki, server.port) as peer:
        peer.send(b"partial\n")
        peer.wait_for("PARTIAL")
        peer.kill()
        error = server.exception()
    assert isinstance(error, PeerMisbehaved)
    assert error.reason is Reason.TRUNCATED


# -- what both sides know, what it says of our messages


def test_both_log_the_same_secrets(pki: Pki, tmp_path: Path) -> None:
    lines = KeyLines()
    shouted(pki, pki.server(key_log=lines), "-keylogfile", tmp_path / "keys")
    lines.assert_all_in(tmp_path / "keys")


def test_both_export_the_same_keying_material(pki: Pki) -> None:
    def exported(tls: TLSSocket) -> str:
        material = tls.connection.export_keying_material(b"EXPORTER-Pellucid", None, 48)
        shout(tls)
        return material.hex()

    with serving(pki.server(), exported) as server:
        with s_client(
            pki, server.port, "-keymatexport", "EXPORTER-Pellucid", "-keymatexportlen", "48"
        ) as peer:
            output = converse(peer)
        assert printed_hex(output, "Keying material:") == server.result()


def test_it_finds_nothing_strange_in_our_messages(pki: Pki) -> None:
    trace = Trace()
    config = pki.mutual_server(alpn_protocols=["http/1.1"], trace=trace)
    arguments = ["-trace", "-alpn", "http/1.1", *client_certificate(pki)]
    output, _ = shouted(pki, config, *arguments)
    received = "".join(re.split(r"^(?=Received|Sent) ?", output, flags=re.MULTILINE))
    for name in messages(trace):
        assert_printed(f"    {name}, Length=", received)
    assert "extraneous data" not in output
    assert "UNKNOWN" not in output
    assert "Message length parse error" not in output
    assert not alerts(trace, "received")[1:]  # close_notify alone
