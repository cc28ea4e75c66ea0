"""Raw public keys (RFC 7250) on the command line: ``connect`` and ``serve`` with keys, not certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jsonschema import Draft202012Validator
from raw_keys import asking, raw_credential

from pellucid.cli.output import Output
from pellucid.cli.serving import Server
from pellucid.cli.serving_settings import Wish
from pellucid.identity.lab_keys import make_key
from pellucid.trace.json import schema

Pellucid = Callable[..., Any]
Start = Callable[..., int]


@dataclass(frozen=True)
class KeyFiles:
    """One key of the tests, both halves in PEM."""

    private: Path
    public: Path
    pin: str


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, KeyFiles]:
    found = {}
    for whose in ("server", "client"):
        key = make_key("ecdsa", b"pellucid tests", f"raw key of the {whose}")
        private, public = tmp_path / f"{whose}.key", tmp_path / f"{whose}.pub"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        found[whose] = KeyFiles(private, public, raw_credential(whose=whose).subject.rpartition(" ")[2])
    return found


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """``serve(**wishes)`` is ``pellucid serve`` for one connection; gives its port."""
    started: list[tuple[Server, threading.Thread]] = []

    def begin(**wishes: Any) -> int:
        nothing = dict.fromkeys(("cert", "key", "client_ca", "group", "suite", "write_root"))
        server = Server(
            Wish(
                "127.0.0.1", 0, **nothing, certificate="ecdsa", timeout_seconds=5.0, connections=1, **wishes
            ),
            Output(),
        )
        thread = threading.Thread(target=server.serve, daemon=True)
        started.append((server, thread))
        thread.start()
        return server.port

    yield begin
    for server, thread in started:
        thread.join(20)
        server.__exit__()


def words(text: str) -> str:
    """Without the line breaks of 80 columns."""
    return " ".join(text.split())


@pytest.mark.parametrize("given", ["file", "pin"])
def test_a_server_s_key_is_given_as_a_file_or_by_its_pin(
    pellucid: Pellucid, server: Start, keys: dict[str, KeyFiles], given: str
) -> None:
    key = keys["server"].public if given == "file" else keys["server"].pin
    port = server(credentials=[raw_credential()])
    ran = pellucid("connect", f"localhost:{port}", "--server-key", key)
    assert ran.code == 0
    assert "verifies the raw public key" in ran.out
    assert f"{keys['server'].pin}, which is on the list of trusted keys, signed with" in words(ran.out)


@pytest.mark.parametrize("tls", ["1.3", "1.2"])
def test_a_client_shows_its_key(
    pellucid: Pellucid, server: Start, keys: dict[str, KeyFiles], tls: str
) -> None:
    port = server(credentials=[raw_credential()], **asking())
    both = ["--server-key", keys["server"].public, "--raw-key", keys["client"].private]
    ran = pellucid("connect", f"localhost:{port}", "--tls", tls, *both)
    assert ran.code == 0
    assert f"showed raw public key {keys['client'].pin}" in words(ran.out)


def test_another_key_is_an_exit_code_and_an_explanation(
    pellucid: Pellucid, server: Start, keys: dict[str, KeyFiles]
) -> None:
    port = server(credentials=[raw_credential()])
    ran = pellucid("connect", f"localhost:{port}", "--server-key", keys["client"].public, "--json", "-")
    assert ran.code == 5
    failure = ran.document["outcome"]["failure"]
    assert failure["id"] == "raw_key_not_trusted"
    assert keys["server"].pin in failure["observed"]
    Draft202012Validator(schema()).validate(ran.document)


def test_with_roots_either_will_do(
    pellucid: Pellucid, server: Start, keys: dict[str, KeyFiles], files: Any
) -> None:
    either = ["--server-key", keys["server"].public, "--cafile", files.root]
    for credentials in ({}, {"credentials": [raw_credential()]}):
        ran = pellucid("connect", f"localhost:{server(**credentials)}", *either)
        assert ran.code == 0
        assert ("which is on the list of trusted keys" in words(ran.out)) is bool(credentials)


def test_a_server_that_has_only_certificates_is_refused(
    pellucid: Pellucid, server: Start, keys: dict[str, KeyFiles]
) -> None:
    ran = pellucid("connect", f"localhost:{server()}", "--server-key", keys["server"].public)
    assert ran.code == 4
    assert "id no_shared_certificate_type" in words(ran.out)


@pytest.mark.parametrize("key", ["sha256//short", "sha256//!", "no such file"])
def test_what_is_no_key_is_said_to_be_none(pellucid: Pellucid, key: str) -> None:
    ran = pellucid("connect", "localhost:1", "--server-key", key)
    assert ran.code != 0
    assert "server-key" in ran.err or "pins: " in ran.out + ran.err


def test_a_file_that_holds_something_else_is_said_to(pellucid: Pellucid, files: Any) -> None:
    ran = pellucid("connect", "localhost:1", "--server-key", files.root)
    assert "give one PUBLIC KEY each; there are 0" in words(ran.out + ran.err)


def test_a_served_key_is_announced(
    pellucid: Pellucid,
    serve: Callable[..., int],
    keys: dict[str, KeyFiles],
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = serve(raw_key=keys["server"].private)
    assert f"for clients to trust: raw public key {keys['server'].pin}" in words(capsys.readouterr().out)
    assert pellucid("connect", f"localhost:{port}", "--server-key", keys["server"].pin).code == 0


def test_served_clients_are_asked_for_a_key(
    pellucid: Pellucid, serve: Callable[..., int], keys: dict[str, KeyFiles]
) -> None:
    wishes = {"raw_key": keys["server"].private, "client_keys": (keys["client"].public,)}
    both = ["--server-key", keys["server"].pin, "--raw-key", keys["client"].private]
    assert pellucid("connect", f"localhost:{serve(**wishes)}", *both).code == 0


def test_a_client_without_a_key_is_not_served(
    pellucid: Pellucid, serve: Callable[..., int], keys: dict[str, KeyFiles]
) -> None:
    wishes = {"raw_key": keys["server"].private, "client_keys": (keys["client"].pin,)}
    ran = pellucid("connect", f"localhost:{serve(**wishes)}", "--server-key", keys["server"].pin)
    assert ran.code == 4
    assert "id no_shared_certificate_type" in words(ran.out)


def test_a_laboratory_s_root_is_not_written_where_there_is_none(
    pellucid: Pellucid, keys: dict[str, KeyFiles], tmp_path: Path
) -> None:
    ran = pellucid("serve", "--raw-key", keys["server"].private, "--write-root", tmp_path / "root.pem")
    assert ran.code == 2
    assert "--write-root" in ran.err
