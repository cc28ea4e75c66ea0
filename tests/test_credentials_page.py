"""The programs of docs/credentials.md work as they stand there."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from pellucid import (
    ClientConfig,
    ClientConnection,
    Credential,
    HandshakeCompleted,
    Misuse,
    Reason,
    ServerConfig,
    ServerConnection,
    SignatureWanted,
    aio,
)
from pellucid.identity.lab import Laboratory

PAGE = (Path(__file__).parents[1] / "docs/credentials.md").read_text(encoding="utf-8")
SECONDS = 20.0


def program(heading: str) -> dict[str, Any]:
    """What the program under this heading defines."""
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    (text,) = re.findall(r"^```python\n(.*?)^```$", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(text, "docs/credentials.md", "exec"), names)  # noqa: S102 - our own text
    return names


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory(b"the page", time.time())


@pytest.fixture
def client(laboratory: Laboratory) -> ClientConfig:
    return ClientConfig(trust=laboratory.trust, sessions=None)


@pytest.mark.skipif(not hasattr(asyncio, "start_unix_server"), reason="there are no Unix sockets on Windows")
@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_the_agent_signs_for_a_server(
    laboratory: Laboratory, client: ClientConfig, tmp_path: Path, kind: str, version: str
) -> None:
    issued, path = laboratory.issue(kind), str(tmp_path / "agent.sock")
    names = program("An agent on a Unix socket")

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async def main() -> None:
        agent = await names["agent"](path, issued.credential)
        credential = Credential.from_signer(issued.chain_pem, names["signing_at"](path))
        config = ServerConfig(credentials=[credential], protocols=[version])
        async with agent, await aio.start_server(greet, "127.0.0.1", 0, config=config) as server:
            address = server.sockets[0].getsockname()
            reader, writer = await aio.open_connection(*address, config=client, server_name="localhost")
            assert await reader.read() == b"hello"
            writer.close()

    async def bounded() -> None:
        async with asyncio.timeout(SECONDS):
            await main()

    asyncio.run(bounded())


class Token:
    """A private key as a token of PKCS #11 has it: hashes in, r and s side by side out."""

    def __init__(self, key: Any) -> None:
        self._key: ec.EllipticCurvePrivateKey = key

    def sign(self, digest: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32) + s.to_bytes(32)


def shake_hands(client: ClientConfig, server: ServerConfig) -> ClientConnection:
    ours, theirs = ClientConnection(client, "localhost"), ServerConnection(server)
    for _ in range(3):
        theirs.receive_data(ours.data_to_send())
        ours.receive_data(theirs.data_to_send())
    return ours


def test_the_token_signs(laboratory: Laboratory, client: ClientConfig) -> None:
    issued = laboratory.issue("ecdsa")
    sign = program("PKCS #11")["signing_with"](Token(issued.private_key))
    config = ServerConfig(credentials=[Credential.from_signer(issued.chain_pem, sign)])
    assert shake_hands(client, config).handshake_complete


def test_what_a_connection_wants_is_given(laboratory: Laboratory, client: ClientConfig) -> None:
    receive, issued = program("Without IO")["receive"], laboratory.issue()

    async def sign(scheme: Any, data: bytes) -> bytes:
        return issued.credential.sign(scheme, data)

    async def main() -> None:
        server = ServerConnection(ServerConfig(credentials=[Credential.from_signer(issued.chain_pem, sign)]))
        ours = ClientConnection(client, "localhost")
        (wanted,) = await receive(server, ours.data_to_send())
        assert isinstance(wanted, SignatureWanted)
        ours.receive_data(server.data_to_send())
        (completed,) = await receive(server, ours.data_to_send())
        assert isinstance(completed, HandshakeCompleted)
        assert server.handshake_complete

    asyncio.run(main())


def test_what_a_connection_wants_is_refused(laboratory: Laboratory, client: ClientConfig) -> None:
    receive, issued = program("Without IO")["receive"], laboratory.issue()

    async def sign(_: Any, __: bytes) -> bytes:
        raise ConnectionRefusedError

    async def main() -> None:
        server = ServerConnection(ServerConfig(credentials=[Credential.from_signer(issued.chain_pem, sign)]))
        with pytest.raises(Misuse) as caught:
            await receive(server, ClientConnection(client, "localhost").data_to_send())
        assert caught.value.reason is Reason.SIGNING_FAILED

    asyncio.run(main())


def test_a_renewed_certificate_is_shown_and_a_bad_one_is_not(
    laboratory: Laboratory, client: ClientConfig, tmp_path: Path
) -> None:
    names = program("Certificates are renewed while a server runs")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    config: Any = None
    for kind in ("ecdsa", "rsa"):
        issued = laboratory.issue(kind)
        chain.write_bytes(issued.chain_pem)
        key.write_bytes(issued.key_pem)
        if config is None:
            config = names["start"](chain, key)
        else:
            assert names["renewed"](config, chain, key) == "new connections see the new certificate"
        negotiated = shake_hands(client, config.current).negotiated
        assert negotiated is not None
        assert negotiated.peer_chain[0] == issued.credential.chain[0]
    key.write_text("nothing")
    before = config.current
    assert names["renewed"](config, chain, key).startswith("the old certificate stays: there is no PEM")
    assert config.current is before
