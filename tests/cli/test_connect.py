from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from pellucid.cli.request import parse_target
from pellucid.identity import TrustStore
from pellucid.trace.json import schema

Pellucid = Callable[..., Any]
Peer = Callable[[Callable[[socket.socket], object]], int]


@pytest.mark.parametrize(
    "target, expected",
    [
        ("example.org", ("example.org", 443)),
        ("example.org:8443", ("example.org", 8443)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("::1", ("::1", 443)),
        ("[::1]", ("::1", 443)),
        ("[::1]:65535", ("::1", 65535)),
        ("example.org:", ("example.org", 443)),
    ],
)
def test_a_target_is_a_host_and_perhaps_a_port(target: str, expected: tuple[str, int]) -> None:
    assert parse_target(target) == expected


@pytest.mark.parametrize(
    "target", ["", ":1", "a:0", "a:65536", "a:-1", "a:x", "a:\u0661", "[::1", "[]:1", "[::1]x"]
)
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_target(target)


def test_it_tells_a_handshake_and_exits_0(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root)
    assert ran.code == 0
    assert "verifies the server's certificate path" in ran.out
    assert "✓ connected: TLSv1.3" in ran.out
    assert "NewSessionTicket" in ran.out


def test_options_make_the_offer(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    port = server(alpn_protocols=["h2"])
    offer = [
        "--group",
        "secp384r1",
        "--suite",
        "TLS_CHACHA20_POLY1305_SHA256",
        "--alpn",
        "h3",
        "--alpn",
        "h2",
    ]
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--json", "-", *offer)
    Draft202012Validator(schema()).validate(ran.document)
    outcome = ran.document["outcome"]
    assert outcome["group"] == "secp384r1"
    assert outcome["cipher_suite"] == "TLS_CHACHA20_POLY1305_SHA256"
    assert outcome["alpn"] == "h2"
    assert outcome["server_name"] == "localhost"


def test_another_name_may_be_asked_for(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    arguments = ["connect", f"127.0.0.1:{server()}", "--cafile", files.root]
    assert pellucid(*arguments, "--server-name", "localhost").code == 0
    assert pellucid(*arguments, "--server-name", "elsewhere.example").code == 5


@pytest.mark.parametrize("name", ["elsewhere.example", "127.0.0.2"])
def test_the_wrong_name_exits_5_with_the_names_that_there_are(
    pellucid: Pellucid, server: Callable[..., int], files: Any, name: str
) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root, "--server-name", name)
    assert ran.code == 5
    assert "hostname_mismatch" in ran.out
    assert "localhost" in ran.out


def test_a_wrong_root_exits_5(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    port = server()
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.stranger_root, "--json", "-")
    failure = ran.document["outcome"]["failure"]
    assert ran.code == 5
    assert (failure["id"], failure["alert"], failure["direction"]) == ("unknown_root", "unknown_ca", "sent")
    assert "Fix " in ran.err


def test_a_client_certificate_is_shown(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    port = server(trust=TrustStore.from_files(files.root), client_authentication="required")
    identity = ["--cert", files.client_cert, "--key", files.client_key]
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, *identity)
    assert ran.code == 0
    assert "CN=client.example" in ran.out


def test_a_missing_client_certificate_exits_6_though_it_is_noticed_late(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    port = server(trust=TrustStore.from_files(files.root), client_authentication="required")
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root)
    assert ran.code == 6
    assert "client_certificate_missing" in ran.out
    assert "--cert CLIENT.pem" in ran.out


def test_a_missing_client_certificate_is_not_taken_for_a_missing_suite_in_tls_12(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    trust = TrustStore.from_files(files.root)
    port = server(trust=trust, client_authentication="required", protocols=["TLSv1.2"])
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root)
    assert ran.code == 6
    assert "The client has no certificate to show." in " ".join(ran.out.split())
    assert "handshake_failure, sent by the peer" in ran.out
    assert "id client_certificate_missing" in ran.out


def test_a_refused_client_certificate_exits_6(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    port = server(trust=TrustStore.from_files(files.stranger_root), client_authentication="required")
    identity = ["--cert", files.client_cert, "--key", files.client_key]
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, *identity)
    assert ran.code == 6
    assert "client_certificate_untrusted" in ran.out


def test_nothing_in_common_exits_4(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    port = server(groups=["x448"])
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root)
    assert ran.code == 4
    assert "handshake_failure, sent by the peer" in ran.out


def test_a_closed_port_exits_3(pellucid: Pellucid) -> None:
    with socket.socket() as bound:  # bound and not listening: nobody else gets the port, nobody answers
        bound.bind(("127.0.0.1", 0))
        ran = pellucid("connect", f"127.0.0.1:{bound.getsockname()[1]}", "--json", "-")
    assert ran.code == 3
    assert ran.document["outcome"]["failure"]["id"] == "connection_failed"
    assert "refused" in ran.err


def test_an_unknown_name_exits_3(pellucid: Pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    ran = pellucid("connect", "no-such-name.invalid", "--json", "-")
    assert ran.code == 3
    assert ran.document["outcome"]["failure"]["id"] == "name_not_found"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n", b"SSH-2.0-x\r\n"]
)
def test_a_peer_without_tls_exits_8_and_its_words_are_shown(
    pellucid: Pellucid, peer: Peer, answer: bytes
) -> None:
    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    ran = pellucid("connect", f"127.0.0.1:{peer(speak)}")
    assert ran.code == 8
    assert answer.decode().split("\r")[0][:12] in ran.out
    assert "not_tls" in ran.out


def test_silence_exits_7(pellucid: Pellucid, peer: Peer) -> None:
    def listen_only(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    ran = pellucid("connect", f"127.0.0.1:{peer(listen_only)}", "--timeout", "0.2", "--json", "-")
    assert ran.code == 7
    assert ran.document["outcome"]["failure"]["id"] == "silent_after_client_hello"


def test_a_peer_that_hangs_up_exits_4(pellucid: Pellucid, peer: Peer) -> None:
    ran = pellucid("connect", f"127.0.0.1:{peer(lambda connection: connection.recv(65536))}", "--json", "-")
    assert ran.code == 4
    assert ran.document["outcome"]["failure"]["id"] == "closed_after_client_hello"


def test_a_reset_exits_4(pellucid: Pellucid, peer: Peer) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    ran = pellucid("connect", f"127.0.0.1:{peer(reset)}", "--json", "-")
    assert ran.code == 4
    assert ran.document["outcome"]["failure"]["id"] == "reset_after_client_hello"


@pytest.mark.parametrize("fatal", [70, 40, 112, 200])
def test_an_alert_exits_4_and_is_said_to_be_the_peers(pellucid: Pellucid, peer: Peer, fatal: int) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(bytes([21, 3, 3, 0, 2, 2, fatal]))

    ran = pellucid("connect", f"127.0.0.1:{peer(refuse)}")
    assert ran.code == 4
    assert "sent by the peer: the peer found" in ran.out


def test_a_cafile_without_certificates_exits_2(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("connect", "localhost:1", "--cafile", files.server_key)
    assert ran.code == 2
    assert "bad_certificate_file" in ran.out


def test_a_key_of_another_certificate_exits_2(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("connect", "localhost:1", "--cert", files.client_cert, "--key", files.server_key)
    assert ran.code == 2
    assert "key_does_not_match_certificate" in ran.out


@pytest.mark.parametrize("option", ["--cert", "--key"])
def test_certificate_and_key_go_together(pellucid: Pellucid, files: Any, option: str) -> None:
    assert pellucid("connect", "localhost:1", option, files.client_cert).code == 2


def test_the_key_log_has_the_secrets(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root, "--keylog", "-")
    assert len(ran.out.splitlines()) == 4
    assert "✓ connected" in ran.err


def test_ssl_cert_file_is_honoured(
    pellucid: Pellucid, server: Callable[..., int], files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    TrustStore.system.cache_clear() if hasattr(TrustStore.system, "cache_clear") else None
    assert pellucid("connect", f"localhost:{server()}").code == 0


@pytest.mark.parametrize(
    "option, right", [("--suite", "TLS_AES_128_GCM_SHA256"), ("--group", "X25519MLKEM768")]
)
def test_a_wrong_name_gets_the_list_as_iana_writes_it(pellucid: Pellucid, option: str, right: str) -> None:
    ran = pellucid("connect", "localhost:1", option, "WRONG")
    assert ran.code == 2
    assert right in ran.err


def test_a_name_may_be_written_in_any_case(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    target = f"localhost:{server()}"
    ran = pellucid(
        "connect", target, "--cafile", files.root, "--suite", "tls_aes_256_gcm_sha384", "--json", "-"
    )
    assert ran.document["outcome"]["cipher_suite"] == "TLS_AES_256_GCM_SHA384"


# -- versions and policies


@pytest.mark.parametrize(
    "options, served, protocol",
    [
        ([], {}, "TLSv1.3"),
        ([], {"protocols": ["TLSv1.2"]}, "TLSv1.2"),
        (["--tls", "1.2"], {}, "TLSv1.2"),
        (["--tls", "1.3"], {}, "TLSv1.3"),
        (["--policy", "modern"], {}, "TLSv1.3"),
    ],
)
def test_the_highest_version_that_both_have_is_spoken(
    pellucid: Pellucid,
    server: Callable[..., int],
    files: Any,
    options: list[str],
    served: dict[str, Any],
    protocol: str,
) -> None:
    target = f"localhost:{server(**served)}"
    ran = pellucid("connect", target, "--cafile", files.root, "--json", "-", *options)
    assert ran.code == 0
    Draft202012Validator(schema()).validate(ran.document)
    assert ran.document["outcome"]["protocol"] == protocol
    assert "    forward secrecy  yes" in ran.err


def test_a_server_with_old_suites_alone_needs_the_compatible_policy(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    target = f"localhost:{server(cipher_suites=['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA'])}"
    refused = pellucid("connect", target, "--cafile", files.root)
    assert refused.code == 4
    assert "--policy compatible" in " ".join(refused.out.split())
    accepted = pellucid("connect", target, "--cafile", files.root, "--policy", "compatible")
    assert accepted.code == 0
    assert "· lacks          authenticated encryption" in accepted.out


def test_a_version_that_the_server_lacks_is_said_to_be(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    target = f"localhost:{server(protocols=['TLSv1.2'])}"
    ran = pellucid("connect", target, "--cafile", files.root, "--tls", "1.3", "--json", "-")
    assert ran.code == 4
    assert ran.document["outcome"]["failure"]["id"] == "no_shared_version"


def test_a_version_that_the_policy_lacks_is_wrong_usage(pellucid: Pellucid) -> None:
    ran = pellucid("connect", "localhost:1", "--tls", "1.2", "--policy", "modern")
    assert ran.code == 2
    assert "the policy has no cipher suites of it" in " ".join(ran.out.split())
