"""``pellucid check`` on files that OpenSSL has made, in the forms in which it writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pellucid.identity import TrustStore
from pellucid.identity.inspection import Inspection, Material, Wish, inspect, read_material

pytestmark = pytest.mark.peer("openssl", "openssl")

NOW = 1_800_000_000.0


def openssl(*words: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False, timeout=60)


def look(*paths: Path, **wish: Any) -> Inspection:
    material = Material()
    for path in paths:
        material.add(read_material(path.read_bytes(), path.name))
    return inspect(material, Wish(**{"trust": TrustStore.empty(), "now": NOW, **wish}))


def ids(inspection: Inspection) -> list[str]:
    return [str(one.id) for one in inspection.everything]


KEYS = {
    "rsa": ("genrsa", "-traditional", "2048"),
    "rsa, PKCS #8": ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "ec with its parameters": ("ecparam", "-name", "prime256v1", "-genkey"),
    "ed25519": ("genpkey", "-algorithm", "ed25519"),
}


@pytest.mark.parametrize("words", KEYS.values(), ids=KEYS)
def test_a_key_as_openssl_writes_it_is_that_of_its_certificate(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_bytes(openssl(*words).stdout)
    made = openssl(
        *("req", "-x509", "-key", key, "-out", cert, "-days", "1000", "-subj", "/CN=x.example"),
        *("-addext", "subjectAltName=DNS:x.example", "-text"),  # with all of it in words before the PEM
    )
    assert made.returncode == 0, made.stderr
    now = look(cert).chains[0].leaf.certificate.not_valid_before_utc.timestamp()
    inspection = look(cert, key, now=now)
    assert inspection.chains[0].key_source == "key.pem"
    assert "self_signed" in ids(inspection)
    trusting = look(cert, key, now=now, trust=TrustStore.from_files(cert), names=["x.example"])
    assert ids(trusting) == []


def test_an_encrypted_key_is_known_as_one(tmp_path: Path) -> None:
    for number, words in enumerate(
        (
            ("genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "2048"),
            ("genpkey", "-algorithm", "ed25519", "-aes128", "-pass", "pass:secret"),
        )
    ):
        key = tmp_path / f"key{number}.pem"
        key.write_bytes(openssl(*words).stdout)
        assert "key_encrypted" in ids(look(key))


def test_pkcs12_is_told_how_to_be_opened(tmp_path: Path) -> None:
    key, cert, bundle = (tmp_path / name for name in ("key.pem", "cert.pem", "site.p12"))
    openssl(
        *("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x"),
    )
    openssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-out", bundle, "-passout", "pass:")
    (finding,) = look(bundle).everything
    assert finding.id == "bad_certificate_file"
    assert "pkcs12" in finding.fix


def test_blocks_on_one_line_do_stop_openssl(tmp_path: Path) -> None:
    key, cert, joined = (tmp_path / name for name in ("key.pem", "cert.pem", "joined.pem"))
    openssl(
        *("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x"),
    )
    joined.write_bytes(cert.read_bytes().rstrip() + cert.read_bytes())
    assert openssl("verify", "-CAfile", cert, cert).returncode == 0
    assert openssl("verify", "-CAfile", joined, cert).returncode != 0
    assert "bad_certificate_file" in ids(look(joined))
