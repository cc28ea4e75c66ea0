"""Each command that the page offers, run in a shell, gives the value beside which it stands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import content_of

from support import DEADLINE_SECONDS, program

pytestmark = pytest.mark.peer("openssl kdf", "openssl", "sh")

STORIES = {
    "tls13": [],
    "mutual": ["--mutual"],
    "resumed": ["--resume"],
    "sha384 and retry": ["--suite", "TLS_AES_256_GCM_SHA384", "--group", "secp384r1"],
    "chacha": ["--suite", "TLS_CHACHA20_POLY1305_SHA256", "--group", "x25519"],
    "ccm_8": ["--suite", "TLS_AES_128_CCM_8_SHA256", "--group", "secp256r1"],
    "ccm": ["--suite", "TLS_AES_128_CCM_SHA256", "--group", "SecP256r1MLKEM768"],
    "secp521r1": ["--group", "secp521r1"],
    "x448": ["--group", "x448"],
    "kem of 1024": ["--group", "SecP384r1MLKEM1024"],
    "finite field": ["--group", "ffdhe3072"],
    "tls12": ["--tls", "1.2"],
    "rsa": ["--tls", "1.2", "--key-exchange", "rsa"],
    "ecdhe": ["--tls", "1.2", "--key-exchange", "ecdhe", "--group", "secp256r1"],
    "dhe": ["--tls", "1.2", "--key-exchange", "dhe", "--mutual"],
    "tls12 resumed": ["--tls", "1.2", "--resume"],
    "tls12 mutual": ["--tls", "1.2", "--mutual"],
    "tls12 sha384": ["--tls", "1.2", "--suite", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
    "tls12 chacha": ["--tls", "1.2", "--suite", "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"],
    "tls12 ccm_8": ["--tls", "1.2", "--suite", "TLS_RSA_WITH_AES_128_CCM_8"],
    "tls12 cbc": ["--tls", "1.2", "--suite", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"],
}
_MARK = "# the end of one #"


Connections = list[dict[str, Any]]


@pytest.fixture(scope="module", params=STORIES.values(), ids=STORIES.keys())
def connections(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Connections:
    """The connections on the page of a demonstration."""
    file = tmp_path_factory.mktemp("demo") / "demo.html"
    command = [sys.executable, "-m", "pellucid", "demo", "--seed", "7", "--html", file, *request.param]
    subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    found: Connections = content_of(file.read_text(encoding="utf-8"))["connections"]
    return found


def run_all(folder: Path, commands: list[str]) -> list[str]:
    """What each of them prints; `python3` in them is the Python that runs the tests."""
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    openssl = Path(program("openssl") or "openssl").parent
    script = "\n".join(f"{command}\necho '{_MARK}'" for command in commands)
    ran = subprocess.run(
        ["sh"],
        input=script,
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_SECONDS,
        env={"PATH": f"{folder}:{openssl}:/usr/bin:/bin"},
    )
    assert ran.stderr == ""
    return [printed.strip() for printed in ran.stdout.split(_MARK)[:-1]]


def derivations(connection: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(name, command, what it should print) of all secrets and of the hashes that go into them."""
    for key in connection["keys"]:
        values = {part["name"]: part["hex"] for part in key.get("parts", ())}
        for command in key["recompute"]:
            expected = values[command["of"]] if values else key["value"]["hex"]
            yield f"{key['name']} with {command['with']}", command["text"], expected
        for each in key["inputs"]:
            for command in each.get("recompute", ()):
                yield f"{each['name']} of {key['name']}", command["text"], each["hex"]


def test_each_secret_is_computed_again(tmp_path: Path, connections: Connections) -> None:
    found = [one for connection in connections for one in derivations(connection)]
    assert len(found) > 10
    printed = run_all(tmp_path, [command for _, command, _ in found])
    assert [(name, value) for (name, _, _), value in zip(found, printed, strict=True)] == [
        (name, expected) for name, _, expected in found
    ]


def test_each_secret_has_a_command_but_one_that_was_drawn(connections: Connections) -> None:
    without = {
        (key["name"], key["formula"])
        for connection in connections
        for key in connection["keys"]
        if not key["recompute"]
    }
    assert without <= {("premaster_secret", "client_version || random(46)")}


def test_each_encrypted_record_opens_to_what_it_carried(tmp_path: Path, connections: Connections) -> None:
    connection = connections[-1]
    sealed = [record for record in connection["records"] if record["encrypted"]]
    assert len(sealed) >= 4
    printed = run_all(tmp_path, [record["open"] for record in sealed])
    for record, opened in zip(sealed, printed, strict=True):
        content = bytes.fromhex(opened)
        assert content.startswith(carried_by(connection, record)), record["number"]
        assert (len(content) == record["content"]) is (not record["tail"]), record["number"]


def carried_by(connection: dict[str, Any], record: dict[str, Any]) -> bytes:
    """The messages in a record. Of data the trace keeps none, but the demonstration's is HTTP."""
    found = b""
    for step in connection["steps"]:
        for part in step["parts"]:
            if record["number"] in part.get("records", ()):
                first_words = b"POST / HTTP/1.1" if step["side"] == "client" else b"HTTP/1.1 200"
                found += first_words if part["kind"] == "data" else bytes.fromhex(part["raw"])
    assert found
    return found
