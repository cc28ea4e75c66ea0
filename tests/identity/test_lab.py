"""The laboratory: every kind of leaf, the same from the same seed, and liked by strict verifiers."""

import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import Misuse
from pellucid.identity import TrustStore, verify_client, verify_server
from pellucid.identity.lab import Laboratory
from pellucid.identity.lab_keys import KINDS

NOW = 1_800_000_000.0
OPENSSL_3_0_LACKS = {"mldsa44", "mldsa65", "mldsa87"}
SEEDED_SIGNATURES = [kind for kind in KINDS if not kind.startswith("mldsa")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_leaf_of_each_kind_is_verified_for_each_default_name(lab: Any, kind: str) -> None:
    chain = lab.credential(kind).chain
    for name in ("localhost", "127.0.0.1", "::1"):
        assert len(verify_server(chain, name, lab.trust, NOW).path) == 3


def test_a_client_s_leaf_is_for_clients(lab: Any) -> None:
    credential = lab.credential("ecdsa", ("alice.example",), "client")
    assert verify_client(credential.chain, lab.trust, NOW).names == ("alice.example",)


def test_a_leaf_may_be_issued_by_the_root_itself(lab: Any) -> None:
    assert len(lab.credential(issuer="root").chain) == 1


def test_the_validity_can_be_chosen(lab: Any) -> None:
    certificate = lab.issue(validity=(NOW - 20, NOW - 10)).certificate
    assert certificate.not_valid_after_utc.timestamp() == NOW - 10


def test_a_leaf_is_valid_for_90_days_and_so_within_what_browsers_allow(lab: Any) -> None:
    certificate = lab.issue().certificate
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 90


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_and_time_give_the_same_certificates(kind: str) -> None:
    one, two = (Laboratory(b"seed", NOW).issue(kind) for _ in range(2))
    assert (one.chain_pem, one.key_pem) == (two.chain_pem, two.key_pem)


@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
def test_the_same_seed_gives_the_same_cas_where_signatures_are_deterministic(kind: str) -> None:
    assert Laboratory(b"seed", NOW, ca_kind=kind).root_pem == Laboratory(b"seed", NOW, ca_kind=kind).root_pem


def test_another_seed_purpose_name_or_kind_gives_another_key() -> None:
    lab = Laboratory(b"seed", NOW)
    keys = {
        issued.key_pem
        for issued in (
            lab.issue(),
            lab.issue(purpose="client"),
            lab.issue(names=("other.example",)),
            lab.issue("ecdsa_p384"),
            Laboratory(b"other", NOW).issue(),
        )
    }
    assert len(keys) == 5


def test_without_a_seed_every_laboratory_is_another() -> None:
    assert Laboratory(None, NOW).root_pem != Laboratory(None, NOW).root_pem


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rsa"])
def test_fresh_keys_of_each_kind_are_made_without_a_seed(kind: str) -> None:
    fresh = Laboratory(None, NOW)
    assert verify_server(fresh.credential(kind).chain, "localhost", fresh.trust, NOW)


def test_an_unknown_kind_is_misuse_that_lists_the_kinds(lab: Any) -> None:
    with pytest.raises(Misuse, match="ecdsa, ecdsa_p384"):
        lab.credential("dsa")


@pytest.mark.parametrize("kind", ["ecdsa_p384", "rsa", "ed25519", "mldsa65"])
def test_the_cas_keys_may_be_of_another_kind(kind: str) -> None:
    other = Laboratory(b"seed", NOW, ca_kind=kind)
    assert verify_server(other.credential().chain, "localhost", other.trust, NOW)


def test_repr_shows_no_key(lab: Any) -> None:
    assert repr(lab.issue()) == "Issued('CN=localhost')"


def test_the_root_as_pem_makes_the_same_store(lab: Any) -> None:
    assert TrustStore.from_pem(lab.root_pem).certificates == (lab.root,)


def test_cas_are_marked_as_such_and_bounded(lab: Any) -> None:
    lengths = []
    for ca in (lab.root, lab.intermediate):
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        lengths.append(constraints.value.path_length)
    assert lengths == [1, 0]


@pytest.mark.peer("openssl verify", "openssl")
@pytest.mark.parametrize("purpose", ["server", "client"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OPENSSL_3_0_LACKS])
def test_openssl_s_strict_verifier_accepts_every_leaf(
    lab: Any, tmp_path: Path, kind: str, purpose: Any
) -> None:
    issued = lab.issue(kind, purpose=purpose)
    (tmp_path / "root.pem").write_bytes(lab.root_pem)
    (tmp_path / "intermediate.pem").write_bytes(lab.intermediate_pem)
    (tmp_path / "leaf.pem").write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    run = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-purpose", f"ssl{purpose}", "-attime", str(int(NOW)),
         "-verify_hostname", "localhost", "-CAfile", "root.pem", "-untrusted", "intermediate.pem",
         "leaf.pem"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "leaf.pem: OK\n"), run.stderr


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_the_standard_library_s_strict_mode_accepts_the_chain(tmp_path: Path, kind: str) -> None:
    """A handshake in memory between two ssl objects, with VERIFY_X509_STRICT; now is the machine's, as ssl's
    is.
    """
    lab = Laboratory(b"seed", time.time())
    issued = lab.issue(kind)
    (tmp_path / "server.pem").write_bytes(issued.chain_pem + issued.key_pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "server.pem")
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.load_verify_locations(cadata=lab.root_pem.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.getpeercert()["subject"] == ((("commonName", "localhost"),),)
