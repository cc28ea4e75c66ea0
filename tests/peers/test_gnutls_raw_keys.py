"""Raw public keys (RFC 7250) with `gnutls-cli` and `gnutls-serv`, in both versions and both directions.

OpenSSL has them since 3.2, and neither its programs nor pyOpenSSL lead there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ours import Pki, connected, serving, shout
from pellucid.codes import AlertDescription as A
from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import CertificateRejected, PeerIncompatible, Reason
from pellucid.identity import Credential, TrustStore
from pellucid.identity.private_keys import PrivateKey
from pellucid.sessions import SessionStore
from support import PeerProcess, gnutls_serv, program
from with_gnutls import converse, echoed, refusal, theirs_is_the_client, theirs_is_the_server

each_version = pytest.mark.parametrize("version", ["1.3", "1.2"])

RAW, X509 = "RawPublicKey", "X509"


def priority(version: str, server: str, client: str) -> str:
    """``server`` and ``client``: what either shows, RAWPK or X509."""
    return f"NORMAL:-VERS-ALL:+VERS-TLS{version}:-CTYPE-ALL:+CTYPE-SRV-{server}:+CTYPE-CLI-{client}"


class Key:
    """A key of one kind: in files for GnuTLS, as a credential and as trust for us."""

    def __init__(self, folder: Path, name: str, private: PrivateKey) -> None:
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.public_pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.private_file, self.public_file = folder / f"{name}.key", folder / f"{name}.pub"
        self.private_file.write_bytes(pem)
        self.public_file.write_bytes(self.public_pem)
        self.credential = Credential.from_raw_key(pem)
        self.trust = TrustStore.from_keys([self.public_pem])
        self.arguments = ("--rawpkkeyfile", self.private_file, "--rawpkfile", self.public_file)


MAKERS = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}
each_kind = pytest.mark.parametrize("kind", MAKERS)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    folder = tmp_path_factory.mktemp("raw_keys")
    made = {kind: Key(folder, kind, make()) for kind, make in MAKERS.items()}
    return made | {"other": Key(folder, "other", MAKERS["ecdsa"]())}


def our_client(version: str, server: Key, **options: object) -> ClientConfig:
    knobs = {"trust": server.trust, "peer_certificate_types": [RAW], "sessions": None}
    return ClientConfig(**{"protocols": [f"TLSv{version}"], **knobs, **options})  # type: ignore[arg-type]


def our_server(version: str, key: Key, **options: object) -> ServerConfig:
    return ServerConfig(**{"credentials": [key.credential], "protocols": [f"TLSv{version}"], **options})  # type: ignore[arg-type]


# -- their server


@theirs_is_the_server
@each_version
@each_kind
def test_a_server_shows_its_key_alone(keys: dict[str, Key], version: str, kind: str) -> None:
    key = keys[kind]
    chosen = priority(version, "RAWPK", "X509")
    with gnutls_serv("--echo", "--priority", chosen, *key.arguments, "--disable-client-cert") as peer:
        negotiated = echoed(peer.port, our_client(version, key))
    assert negotiated.peer_raw_public_key == key.credential.chain[0]
    assert negotiated.peer_chain == ()


@theirs_is_the_server
@each_version
@each_kind
def test_a_client_shows_its_key_as_well(keys: dict[str, Key], version: str, kind: str) -> None:
    server, client = keys["other"], keys[kind]
    chosen = priority(version, "RAWPK", "RAWPK")
    with gnutls_serv("--echo", "--priority", chosen, *server.arguments, "--require-client-cert") as peer:
        config = our_client(version, server, credentials=[client.credential])
        assert echoed(peer.port, config).mutual
        peer.wait_for(client.public_pem.decode().splitlines()[1].replace("+", r"\+"))


@theirs_is_the_server
@each_version
def test_a_server_with_certificates_is_shown_a_key(keys: dict[str, Key], pki: Pki, version: str) -> None:
    client = keys["ecdsa"]
    chain, key = pki.files()
    chosen = priority(version, "X509", "RAWPK")
    certificate = ["--x509certfile", chain, "--x509keyfile", key]
    with gnutls_serv("--echo", "--priority", chosen, *certificate, "--require-client-cert") as peer:
        config = pki.client(credentials=[client.credential], protocols=[f"TLSv{version}"])
        negotiated = echoed(peer.port, config)
    assert negotiated.mutual
    assert negotiated.peer_chain


@theirs_is_the_server
@each_version
def test_a_server_shows_what_the_client_likes_better(keys: dict[str, Key], pki: Pki, version: str) -> None:
    server = keys["ecdsa"]
    chain, key = pki.files()
    certificate = ["--x509certfile", chain, "--x509keyfile", key]
    both = f"{priority(version, 'RAWPK', 'X509')}:+CTYPE-SRV-X509"
    trust = pki.laboratory.trust.with_keys([server.public_pem])
    with gnutls_serv("--echo", "--priority", both, *server.arguments, *certificate) as peer:
        for types in ([RAW, X509], [X509, RAW]):
            config = our_client(version, server, trust=trust, peer_certificate_types=types)
            assert bool(echoed(peer.port, config).peer_raw_public_key) is (types[0] == RAW)


@theirs_is_the_server
@each_version
def test_another_key_of_a_server_is_refused(keys: dict[str, Key], version: str) -> None:
    chosen = priority(version, "RAWPK", "X509")
    with (
        gnutls_serv("--echo", "--priority", chosen, *keys["ecdsa"].arguments) as peer,
        pytest.raises(CertificateRejected) as caught,
    ):
        connected(peer.port, our_client(version, keys["other"]))
    assert caught.value.reason is Reason.RAW_KEY_NOT_TRUSTED


@theirs_is_the_server
@each_version
def test_a_server_without_a_key_cannot_serve_who_takes_keys_alone(
    keys: dict[str, Key], pki: Pki, version: str
) -> None:
    chain, key = pki.files()
    certificate = ["--x509certfile", chain, "--x509keyfile", key]
    with gnutls_serv("--echo", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", *certificate) as peer:
        assert refusal(peer.port, our_client(version, keys["ecdsa"])) == A.unsupported_certificate


@theirs_is_the_server
@each_version
def test_a_session_with_a_key_is_resumed(keys: dict[str, Key], version: str) -> None:
    server = keys["ecdsa"]
    chosen = priority(version, "RAWPK", "X509")
    config = our_client(version, server, sessions=SessionStore())
    with gnutls_serv("--echo", "--priority", chosen, *server.arguments, "--disable-client-cert") as peer:
        first = echoed(peer.port, config)
        second = echoed(peer.port, config)
    assert (first.resumed, second.resumed) == (False, True)
    assert second.peer_raw_public_key == server.credential.chain[0]


# -- their client


def gnutls_cli(port: int, version: str, *arguments: str | Path, client: str = "X509") -> PeerProcess:
    command = [program("gnutls-cli") or "gnutls-cli", "--port", str(port), "--no-ca-verification"]
    chosen = ["--priority", priority(version, "RAWPK", client), "--sni-hostname", "localhost"]
    return PeerProcess([*command, *chosen, *arguments, "127.0.0.1"])


@theirs_is_the_client
@each_version
@each_kind
def test_a_client_takes_our_key_alone(keys: dict[str, Key], version: str, kind: str) -> None:
    key = keys[kind]
    with serving(our_server(version, key), shout) as server:
        with gnutls_cli(server.port, version, "--print-cert") as peer:
            output = converse(peer)
        negotiated = server.result()
    assert key.public_pem.decode().splitlines()[1] in output
    assert not negotiated.mutual


@theirs_is_the_client
@each_version
@each_kind
def test_a_client_shows_us_its_key(keys: dict[str, Key], version: str, kind: str) -> None:
    client = keys[kind]
    config = our_server(
        version,
        keys["other"],
        client_authentication="required",
        trust=client.trust,
        peer_certificate_types=[RAW],
    )
    with serving(config, shout) as server:
        with gnutls_cli(server.port, version, *client.arguments, client="RAWPK") as peer:
            converse(peer)
        negotiated = server.result()
    assert negotiated.peer_raw_public_key == client.credential.chain[0]
    assert negotiated.mutual


@theirs_is_the_client
@each_version
def test_a_client_that_wants_certificates_alone_is_refused(
    keys: dict[str, Key], pki: Pki, version: str
) -> None:
    with serving(our_server(version, keys["ecdsa"]), shout) as server:
        command = [program("gnutls-cli") or "gnutls-cli", "--port", str(server.port), "127.0.0.1"]
        with PeerProcess([*command, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}"]) as peer:
            peer.wait_for("Unsupported certificate|unsupported certificate|alert.*43")
        failure = server.exception()
    assert isinstance(failure, PeerIncompatible)
    assert failure.reason is Reason.NO_SHARED_CERTIFICATE_TYPE
