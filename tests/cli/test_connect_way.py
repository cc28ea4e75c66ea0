"""`pellucid connect`: STARTTLS, proxies, where the time went, what is trusted, and alerts that come late."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from clear import (
    SERVERS,
    Script,
    http_proxy,
    listening,
    mysql_greeting,
    relayed,
    smtp,
    socks5_proxy,
    then_tls,
)
from jsonschema import Draft202012Validator

from pellucid.cli import attempt
from pellucid.codes import AlertDescription
from pellucid.config import ServerConfig
from pellucid.errors import TLSError
from pellucid.identity import Credential, TrustStore
from pellucid.io.blocking import TLSSocket
from pellucid.preamble import STARTTLS
from pellucid.trace.json import schema

Pellucid = Callable[..., Any]


@pytest.fixture
def config(files: Any) -> Callable[..., ServerConfig]:
    def configured(**settings: Any) -> ServerConfig:
        settings.setdefault("credentials", [Credential.from_files(files.server_cert, files.server_key)])
        return ServerConfig(**settings)

    return configured


@pytest.fixture
def mail(config: Callable[..., ServerConfig]) -> Script:
    return then_tls(smtp, config())


# -- STARTTLS


@pytest.mark.parametrize("name", SERVERS)
def test_starttls_of_each_protocol_tells_a_handshake(
    pellucid: Pellucid, config: Callable[..., ServerConfig], files: Any, name: str
) -> None:
    with listening(then_tls(SERVERS[name], config())) as port:
        ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--starttls", name)
    assert ran.code == 0
    assert "STARTTLS" in ran.out
    assert "✓ connected: TLSv1.3" in ran.out


def test_with_v_the_dialogue_is_shown(pellucid: Pellucid, mail: Script, files: Any) -> None:
    with listening(mail) as port:
        ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--starttls", "smtp", "-v")
    assert "───▶ EHLO [127.0.0.1]" in ran.out
    assert "◀─── 220 go ahead" in ran.out


@pytest.mark.parametrize("name", STARTTLS)
def test_a_protocol_has_its_own_port(pellucid: Pellucid, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked = []
    monkeypatch.setattr("pellucid.cli.connect.run", lambda request, _: asked.append(request.port) or 0)
    assert pellucid("connect", "localhost", "--starttls", name).code == 0
    assert pellucid("connect", "localhost:9", "--starttls", name).code == 0
    assert asked == [STARTTLS[name].port, 9]


def said(text: bytes) -> Script:
    def script(sock: socket.socket) -> None:
        sock.sendall(text)
        sock.recv(1000)

    return script


@pytest.mark.parametrize(
    "name, script, failure",
    [
        ("smtp", said(b"554 not you\r\n"), "starttls_refused"),
        ("imap", said(b"220 mail.example ESMTP\r\n"), "starttls_wrong_protocol"),
        ("mysql", said(mysql_greeting(0xF7FF)), "starttls_not_offered"),
        (
            "xmpp",
            lambda sock: (sock.recv(1000), sock.sendall(b"HTTP/1.1 400 no\r\n")),
            "starttls_wrong_protocol",
        ),
    ],
)
def test_a_server_that_does_not_come_to_tls_exits_8_and_says_why(
    pellucid: Pellucid, name: str, script: Script, failure: str
) -> None:
    with listening(script) as port:
        ran = pellucid("connect", f"127.0.0.1:{port}", "--starttls", name, "--json", "-")
    Draft202012Validator(schema()).validate(ran.document)
    assert ran.code == 8
    assert ran.document["outcome"]["failure"]["id"] == failure
    assert ran.document["outcome"]["failure"]["fix"]
    assert [(step["step"], step["ok"]) for step in ran.document["timing"]] == [
        ("tcp", True),
        ("starttls", False),
    ]


def test_what_came_behind_the_last_answer_exits_4(pellucid: Pellucid) -> None:
    def inject(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"S extra")
        sock.recv(100)

    with listening(inject) as port:
        ran = pellucid("connect", f"127.0.0.1:{port}", "--starttls", "postgres", "--json", "-")
    assert ran.code == 4
    assert ran.document["outcome"]["failure"]["id"] == "starttls_injection"


def test_a_dialogue_that_never_ends_exits_7(pellucid: Pellucid) -> None:
    with listening(lambda sock: sock.recv(1)) as port:
        ran = pellucid("connect", f"127.0.0.1:{port}", "--starttls", "smtp", "--timeout", "0.2")
    assert ran.code == 7
    assert "nothing came, as from one that begins with TLS" in " ".join(ran.out.split())


# -- proxies


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_through_a_proxy(pellucid: Pellucid, mail: Script, files: Any, kind: str) -> None:
    proxy = relayed(http_proxy if kind == "http" else socks5_proxy)
    with listening(mail) as port, listening(proxy) as proxy_port:
        ran = pellucid(
            *("connect", f"localhost:{port}", "--cafile", files.root, "--starttls", "smtp", "--json", "-"),
            *("--proxy", f"{kind}://127.0.0.1:{proxy_port}"),
        )
    Draft202012Validator(schema()).validate(ran.document)
    assert ran.code == 0
    steps = [event for event in ran.document["events"] if event["kind"] == "network"]
    assert [step["what"] for step in steps] == ["tcp", "proxy", "starttls"]
    assert steps[2]["lines"][-1] == {"direction": "received", "text": "220 go ahead"}


@pytest.mark.parametrize(
    "answer, failure, words",
    [
        ("407 Who are you", "proxy_authentication_failed", "no user and password were given"),
        ("403 Forbidden", "proxy_refused", "403 Forbidden"),
        ("502 Bad Gateway", "proxy_cannot_connect", "502 Bad Gateway"),
        ("220 mail", "proxy_refused", "220 mail"),
    ],
)
def test_a_proxy_that_does_not_let_through_exits_3(
    pellucid: Pellucid, answer: str, failure: str, words: str
) -> None:
    def script(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(f"HTTP/1.1 {answer}\r\n\r\n".encode())

    if answer.startswith("220"):  # nobody connects where a server of mail answers
        script = said(b"220 mail\r\n")
        failure = "not_a_proxy"
    with listening(script) as port:
        ran = pellucid("connect", "localhost:9", "--proxy", f"http://127.0.0.1:{port}", "--json", "-")
    assert ran.code == 3
    assert ran.document["outcome"]["failure"]["id"] == failure
    assert words in ran.document["outcome"]["failure"]["observed"] or failure == "not_a_proxy"


def test_a_proxys_password_is_shown_nowhere(pellucid: Pellucid, mail: Script, files: Any) -> None:
    with listening(mail) as port, listening(relayed(http_proxy)) as proxy_port:
        url = f"http://me:hunter2@127.0.0.1:{proxy_port}"
        arguments = ("connect", f"localhost:{port}", "--cafile", files.root, "--starttls", "smtp", "-vv")
        told = pellucid(*arguments, "--proxy", url, "--reveal-secrets")
        written = pellucid(*arguments, "--proxy", url, "--json", "-")
    for text in (told.out, told.err, written.out, written.err):
        assert "hunter2" not in text
        assert "bWU6aHVudGVyMg" not in text  # the same as Basic has it


@pytest.mark.parametrize("url", ["https://proxy", "proxy:3128", "http://me:hunter2@proxy/x"])
def test_what_is_no_proxy_is_refused_at_once(pellucid: Pellucid, url: str) -> None:
    ran = pellucid("connect", "localhost:9", "--proxy", url)
    assert ran.code == 2
    assert "hunter2" not in ran.err


# -- where the time went, and what is trusted


def test_the_time_of_each_step_is_told(pellucid: Pellucid, server: Callable[..., int], files: Any) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root)
    told = " ".join(ran.out.split())
    assert "step by step name " in told
    for step in ("TCP", "hello", "server's flight", "verifying", "Finished"):
        assert f", {step} " in told
    assert "✗" not in told.partition("step by step")[2]


def test_the_document_has_the_time_of_each_step(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root, "--json", "-")
    timing = ran.document["timing"]
    assert [step["step"] for step in timing] == ["name", "tcp", "hello", "flight", "verify", "finished"]
    assert all(step["ok"] and step["us"] >= 0 for step in timing)


def test_a_name_that_there_is_not_has_its_time(pellucid: Pellucid) -> None:
    ran = pellucid("connect", "no.such.name.invalid", "--json", "-")
    assert [(step["step"], step["ok"]) for step in ran.document["timing"]] == [("name", False)]


def test_the_trust_store_is_named_with_its_anchors(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--cafile", files.root)
    # A long path is broken at its hyphens.
    assert f"trustedhere1certificateof{files.root}" in "".join(ran.out.split())


def test_also_where_it_does_not_help(
    pellucid: Pellucid, server: Callable[..., int], files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(files.stranger_root))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    ran = pellucid("connect", f"localhost:{server()}", "--json", "-")
    assert ran.code == 5
    assert ran.document["trust"] == {
        "description": f"the system's trust store (SSL_CERT_FILE={files.stranger_root})",
        "anchors": 1,
        "skipped": 0,
        "keys": 0,
        "pins": 0,
    }


def test_where_no_certificate_was_judged_nothing_is_said_of_trust(pellucid: Pellucid) -> None:
    with listening(said(b"220 hi\r\n")) as port:
        ran = pellucid("connect", f"127.0.0.1:{port}", "--json", "-")
    assert "trust" not in ran.document


# -- what comes after the handshake


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, what is late is waited for."""
    monkeypatch.setattr(attempt, "_LISTEN_IF_ASKED_SECONDS", 20)
    monkeypatch.setattr(attempt, "_LISTEN_SECONDS", 20)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("shows", [False, True])
def test_a_greeting_before_the_alert_is_no_consent(
    pellucid: Pellucid, config: Callable[..., ServerConfig], files: Any, shows: bool
) -> None:
    """In TLS 1.3 a server may speak before it has judged the client: here it greets, and refuses then."""
    trust = TrustStore.from_files(files.root)  # it judges by something else than this
    settings = config(trust=trust, client_authentication="optional")

    def greet_and_refuse(tls: TLSSocket) -> None:
        tls.sendall(b"220 welcome\r\n")
        refuse(tls, AlertDescription.unknown_ca if shows else AlertDescription.certificate_required)

    identity = ["--cert", files.client_cert, "--key", files.client_key] if shows else []
    with listening(then_tls(lambda _: None, settings, greet_and_refuse)) as port:
        ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--json", "-", *identity)
    assert ran.code == 6
    failure = ran.document["outcome"]["failure"]
    assert failure["id"] == ("client_certificate_untrusted" if shows else "client_certificate_missing")
    assert failure["direction"] == "received"
    assert ran.document["timing"][-1]["step"] == "late"


def refuse(tls: TLSSocket, description: AlertDescription) -> None:
    """End an open connection with a fatal alert, as a server does that judges late."""
    tls.connection._send_alert(description)
    tls.sendall(b"")


@pytest.mark.usefixtures("patient")
def test_an_end_of_tcp_in_the_place_of_an_answer_is_no_success(
    pellucid: Pellucid, config: Callable[..., ServerConfig], files: Any
) -> None:
    settings = config(trust=TrustStore.from_files(files.root), client_authentication="optional")

    def cut(tls: TLSSocket) -> None:
        with socket.socket(fileno=os.dup(tls.fileno())) as tcp:
            tcp.shutdown(socket.SHUT_RDWR)

    with listening(then_tls(lambda _: None, settings, cut)) as port:
        ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--json", "-")
    assert ran.code == 4
    assert ran.document["outcome"]["status"] == "failed"
    assert ran.document["timing"][-1] == {**ran.document["timing"][-1], "step": "late", "ok": False}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("shows", [False, True])
@pytest.mark.usefixtures("patient")
def test_a_client_certificate_that_is_refused_exits_6_in_either_version(
    pellucid: Pellucid, config: Callable[..., ServerConfig], files: Any, version: str, shows: bool
) -> None:
    trust = TrustStore.from_files(files.stranger_root if shows else files.root)
    settings = config(trust=trust, client_authentication="required")
    identity = ["--cert", files.client_cert, "--key", files.client_key] if shows else []
    with listening(then_tls(lambda _: None, settings)) as port:
        ran = pellucid(
            *("connect", f"localhost:{port}", "--cafile", files.root, "--tls", version, "--json", "-"),
            *identity,
        )
    assert ran.code == 6
    failure = ran.document["outcome"]["failure"]
    assert failure["id"] == ("client_certificate_untrusted" if shows else "client_certificate_missing")
    assert failure["direction"] == "received"


def test_a_far_away_server_is_given_the_time_for_its_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was waited for the first answer says how far: the alert needs as long to come back."""
    monkeypatch.setattr(attempt, "_LISTEN_IF_ASKED_SECONDS", 1.0)
    assert attempt.listening_seconds(asked=True, first_answer_seconds=0.01) == 1.0
    assert attempt.listening_seconds(asked=True, first_answer_seconds=1.5) == 3.0
    assert attempt.listening_seconds(asked=True, first_answer_seconds=60) == 5.0
    assert attempt.listening_seconds(asked=False, first_answer_seconds=60) == attempt._LISTEN_SECONDS


def test_who_talks_without_end_is_not_listened_to_forever(
    pellucid: Pellucid, config: Callable[..., ServerConfig], files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_LISTEN_SECONDS", 1000)

    def talk(tls: TLSSocket) -> None:
        with contextlib.suppress(OSError, TLSError):
            while True:
                tls.sendall(bytes(16_384))

    with listening(then_tls(lambda _: None, config(), talk)) as port:
        ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root)
    assert ran.code == 0
