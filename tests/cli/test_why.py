"""``connect --why`` over sockets: what it prints, writes and exits with, and that it comes to an end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clear import http_proxy, listening, relayed, smtp, socks5_proxy, then_tls
from jsonschema import Draft202012Validator

from pellucid.cli.why import _seconds_needed
from pellucid.config import ServerConfig
from pellucid.identity import Credential
from pellucid.trace import Trace
from pellucid.trace.json import schema
from pellucid.trace.texts import Place, filled

Pellucid = Callable[..., Any]
Peer = Callable[[Callable[[socket.socket], object]], int]

RARE = ["TLS_AES_128_CCM_8_SHA256"]


def why(ran: Any) -> dict[str, Any]:
    Draft202012Validator(schema()).validate(ran.document)
    found: dict[str, Any] = ran.document["why"]
    return found


def test_it_tells_each_connection_and_what_they_isolate(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    port = server(cipher_suites=RARE)
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--why")
    assert ran.code == 4
    assert "✗ failed: handshake failure" in ran.out
    first, _, reasons = ran.out.partition("── why ─")
    assert first
    assert "2 cipher suites" in reasons
    assert "→ connected: the server took TLS_AES_128_CCM_8_SHA256" in reasons
    assert "3 cipher suites the same change again (offers" in " ".join(reasons.split())
    assert "4 unchanged" in reasons
    assert "5 groups" in reasons
    assert "What makes the difference: the cipher suites." in reasons
    assert "no_shared_cipher_suite" in reasons
    command = f"pellucid connect localhost:{port} --cafile {files.root} --suite TLS_AES_128_CCM_8_SHA256"
    assert command.replace(" ", "") in "".join(reasons.split())
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_json_has_the_last_connection_the_earlier_ones_and_why(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    port = server(cipher_suites=RARE)
    ran = pellucid("connect", f"localhost:{port}", "--cafile", files.root, "--why", "--json", "-")
    found = why(ran)
    assert (found["failure"], found["cause"], found["proved"]) == (
        "handshake_failure",
        "no_shared_cipher_suite",
        True,
    )
    assert (found["isolated"], found["steady"], found["untried"]) == (["cipher_suites"], True, [])
    first, *others = ran.document["previous"]
    assert first["outcome"]["failure"]["id"] == "handshake_failure"
    assert "why" not in first
    assert [each["connection"] for each in found["probes"]] == list(range(2, 10))
    # The probes are the connections behind the first, in order.
    for probe, trace in zip(found["probes"], [*others, ran.document], strict=True):
        failure = trace["outcome"]["failure"]
        assert probe["failure"] == (failure and failure["id"])


def test_a_connection_that_is_fine_is_left_alone(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    arguments = ["connect", f"localhost:{server()}", "--cafile", files.root, "--why"]
    ran = pellucid(*arguments)
    assert (ran.code, "it did not fail" in ran.out) == (0, True)
    document = pellucid(*arguments, "--json", "-").document
    assert "why" not in document
    assert "previous" not in document


def test_what_the_first_connection_says_by_itself_stays_its_own(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    ran = pellucid(
        *("connect", f"localhost:{server()}", "--cafile", files.stranger_root, "--why", "--json", "-")
    )
    assert ran.code == 5
    found = why(ran)
    assert found["cause"] == found["failure"] == ran.document["previous"][0]["outcome"]["failure"]["id"]
    assert (found["proved"], found["isolated"]) == (False, [])
    assert found["probes"]


def test_where_nothing_listens_nothing_is_varied(pellucid: Pellucid) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ran = pellucid("connect", f"127.0.0.1:{port}", "--why", "--json", "-")
    assert ran.code == 3
    assert why(ran)["probes"] == []
    assert "previous" not in ran.document


def test_our_own_mistakes_are_not_looked_for_at_the_server(pellucid: Pellucid, peer: Peer) -> None:
    port = peer(lambda connection: connection.close())
    ran = pellucid("connect", f"127.0.0.1:{port}", "--why", "--server-name", "a b")
    assert ran.code == 2
    assert "bad_server_name. No ClientHello went out" in " ".join(ran.out.split())


def test_files_that_cannot_be_used_leave_nothing_to_connect_with(
    pellucid: Pellucid, peer: Peer, tmp_path: Path
) -> None:
    broken = tmp_path / "root.pem"
    broken.write_text("no certificate")
    port = peer(lambda connection: connection.close())
    ran = pellucid("connect", f"127.0.0.1:{port}", "--why", "--cafile", broken)
    assert ran.code == 2
    assert "there is nothing to connect with" in ran.out


def test_a_server_that_is_silent_to_all_costs_no_more_than_was_said(pellucid: Pellucid, peer: Peer) -> None:
    # Reads until the client has had enough, and never answers.
    port = peer(lambda connection: [None for _ in iter(lambda: connection.recv(65536), b"")])
    begun = time.monotonic()
    ran = pellucid("connect", f"localhost:{port}", "--why", "--timeout", "0.4", "--json", "-")
    assert ran.code == 7
    # Once the timeout for the first connection, three times as long for all others together.
    assert time.monotonic() - begun < 0.4 * 4 + 5
    found = why(ran)
    assert (found["failure"], found["cause"], found["isolated"]) == ("silent_after_client_hello", None, [])
    assert found["probes"]
    assert {probe["effect"] for probe in found["probes"]} == {"same"}


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_it_goes_the_same_way_each_time_and_gives_no_password_away(
    pellucid: Pellucid, files: Any, tmp_path: Path, kind: str
) -> None:
    credential = Credential.from_files(files.server_cert, files.server_key)
    rare = ServerConfig(credentials=[credential], cipher_suites=RARE)
    login = b"me", b"hunter2"
    proxy = relayed(http_proxy if kind == "http" else partial(socks5_proxy, login=login))
    page = tmp_path / "page.html"
    with listening(then_tls(smtp, rare)) as port, listening(proxy) as proxy_port:
        way = f"{kind}://me:hunter2@127.0.0.1:{proxy_port}"
        ran = pellucid(
            *("connect", f"localhost:{port}", "--cafile", files.root, "--why", "--json", "-", "--html", page),
            *("--starttls", "smtp", "--proxy", way, "--server-name", "localhost"),
        )
    found = why(ran)
    assert (found["cause"], found["steady"]) == ("no_shared_cipher_suite", True)
    # The command does what worked, by the same way.
    assert found["confirm"] == (
        f"pellucid connect localhost:{port} --starttls smtp "
        f"--proxy {kind}://USER:PASSWORD@127.0.0.1:{proxy_port} "
        f"--server-name localhost --cafile {files.root} --suite TLS_AES_128_CCM_8_SHA256"
    )
    for text in (ran.out, ran.err, page.read_text()):
        assert "hunter2" not in text
        assert "bWU6aHVudGVyMg" not in text


def test_what_the_user_has_settled_stays_so_but_for_what_is_changed(
    pellucid: Pellucid, server: Callable[..., int], files: Any
) -> None:
    port = server(protocols=["TLSv1.2"], groups=["secp521r1"])
    ran = pellucid(
        *("connect", f"localhost:{port}", "--cafile", files.root, "--tls", "1.2", "--group", "x25519"),
        *("--why", "--json", "-"),
    )
    found = why(ran)
    assert found["cause"] == "no_shared_group"
    assert found["confirm"].endswith("--tls 1.2 --group secp521r1")
    for trace, probe in zip([*ran.document["previous"][1:], ran.document], found["probes"], strict=True):
        groups = [choice for choice in offers(trace) if choice in ("x25519", "secp521r1")]
        assert groups == (["x25519", "secp521r1"] if probe["factor"] in ("groups",) else ["x25519"])


def offers(trace: dict[str, Any]) -> list[str]:
    """The groups of a ClientHello."""
    hello = next(event for event in trace["events"] if event.get("name") == "ClientHello")
    text = json.dumps(hello["fields"])
    return [name for name in ("x25519", "secp521r1") if f'"{name}' in text or f"({name}" in text]


def test_listening_after_the_handshake_is_within_the_time_as_well(
    pellucid: Pellucid, server: Callable[..., int], files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.cli.attempt._LISTEN_SECONDS", 60.0)
    port = server(cipher_suites=RARE)
    begun = time.monotonic()
    arguments = ["--cafile", files.root, "--timeout", "0.5", "--json", "-", "--why"]
    ran = pellucid("connect", f"localhost:{port}", *arguments)
    assert time.monotonic() - begun < 20
    found = why(ran)
    # Nobody has heard it out, so that it counts for nothing.
    assert (found["isolated"], found["cause"]) == ([], None)
    assert "cipher_suites" in found["untried"]


@pytest.mark.parametrize(
    "failure, seconds", [("handshake_failure", 2 * 5.0), ("silent_after_client_hello", 2 * 1.5)]
)
def test_a_further_connection_gets_the_time_that_the_first_took(failure: str, seconds: float) -> None:
    """Of one that was silent to the end, the time up to our ClientHello: who greets late does so again."""
    now = 0.0
    record: dict[str, Any] = {"content_type": 22, "length": 9, "encrypted": False, "header": bytes(5)}
    trace = Trace(clock=lambda: now)
    now = 1.5
    trace.view("client").record(direction="sent", **record)
    now = 5.0
    trace.view("client").record(direction="received", **record)
    assert _seconds_needed(trace, failure) == pytest.approx(seconds)


def test_advice_for_an_ipv6_address_can_be_followed() -> None:
    assert (
        filled("pellucid connect {host}:{port} --why", Place("::1", 443))
        == "pellucid connect [::1]:443 --why"
    )
    assert filled("--server-name {host}", Place("::1", 443)) == "--server-name ::1"


def test_the_page_has_all_connections(
    pellucid: Pellucid, server: Callable[..., int], files: Any, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    port = server(protocols=["TLSv1.3"])
    arguments = ["--cafile", files.root, "--tls", "1.2", "--why", "--html", page]
    ran = pellucid("connect", f"localhost:{port}", *arguments)
    assert ran.code == 4
    assert "protocol_version" in page.read_text()
    assert page.read_text().count("ServerHello") > 0
