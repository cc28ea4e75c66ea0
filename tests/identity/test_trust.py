"""Trust stores: from memory, from files, and the system's."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import TrustStore, verify_server
from pellucid.identity.der import certificate_fields

NOW = 1_800_000_000.0


@pytest.fixture
def two_roots(forge: Any) -> tuple[Any, Any]:
    return forge.ca("One"), forge.ca("Two", kind="rsa_2048")


def test_every_certificate_in_pem_is_trusted_whatever_stands_between(two_roots: tuple[Any, Any]) -> None:
    one, two = two_roots
    store = TrustStore.from_pem(b"# One\r\n" + one.pem.replace(b"\n", b"\r\n") + b"\n# Two\n" + two.pem)
    assert store.certificates == (one.certificate, two.certificate)


def test_der_pem_and_files_give_the_same_store(two_roots: tuple[Any, Any], tmp_path: Path) -> None:
    one, two = two_roots
    (tmp_path / "one.der").write_bytes(one.der)
    (tmp_path / "two.pem").write_bytes(two.pem)
    from_files = TrustStore.from_files(tmp_path / "one.der", str(tmp_path / "two.pem"))
    assert from_files.certificates == TrustStore.from_der([one.der, two.der]).certificates


def test_a_certificate_given_twice_is_one(two_roots: tuple[Any, Any]) -> None:
    one, _ = two_roots
    assert len(TrustStore.from_pem(one.pem * 2)) == 1


def test_the_subjects_are_the_names_as_encoded(two_roots: tuple[Any, Any]) -> None:
    one, two = two_roots
    store = TrustStore.from_der([one.der, two.der])
    assert store.subjects == (certificate_fields(one.der).subject, certificate_fields(two.der).subject)


@pytest.mark.parametrize(
    "pem",
    [
        b"", b"nothing", b"\x30\x03\x02\x01\x00",
        b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n",
    ],
)  # fmt: skip
def test_what_holds_no_certificate_is_misuse(pem: bytes) -> None:
    with pytest.raises(Misuse) as error:
        TrustStore.from_pem(pem)
    assert error.value.reason is Reason.BAD_CERTIFICATE_FILE


def test_one_malformed_certificate_among_good_ones_is_misuse_that_names_it(
    two_roots: tuple[Any, Any],
) -> None:
    bad = b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n"
    with pytest.raises(Misuse, match="certificate 2 of the trust store's PEM"):
        TrustStore.from_pem(two_roots[0].pem + bad)


def test_a_file_that_cannot_be_read_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="cannot be read"):
        TrustStore.from_files(tmp_path / "missing.pem")


def test_an_empty_store_trusts_nobody_and_says_so(lab: Any) -> None:
    chain = lab.credential(issuer="root").chain
    with pytest.raises(CertificateRejected, match="an empty trust store"):
        verify_server(chain, "localhost", TrustStore.empty(), NOW)


def test_an_empty_store_is_true() -> None:
    assert TrustStore.empty()


def test_ssl_cert_file_replaces_the_system_s_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_roots: tuple[Any, Any]
) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(two_roots[0].pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert TrustStore.system().certificates == (two_roots[0].certificate,)


def test_ssl_cert_dir_is_a_list_of_directories(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_roots: tuple[Any, Any]
) -> None:
    for number, root in enumerate(two_roots):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "3513523f.0").write_bytes(root.pem)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / '0'}:{tmp_path / '1'}:{tmp_path / 'missing'}")
    assert TrustStore.system().certificates == tuple(root.certificate for root in two_roots)


def test_what_cannot_be_parsed_in_the_system_s_store_is_skipped_and_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_roots: tuple[Any, Any]
) -> None:
    malformed = b"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n"
    (tmp_path / "a.pem").write_bytes(malformed + two_roots[0].pem)
    (tmp_path / "b.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
    (tmp_path / "README").write_bytes(b"not a certificate\n")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    store = TrustStore.system()
    assert (store.certificates, store.skipped) == ((two_roots[0].certificate,), 2)


def test_a_missing_ssl_cert_file_leaves_an_empty_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    store = TrustStore.system()
    assert (len(store), store.skipped) == (0, 1)


def test_the_system_s_store_is_read_once_and_only_when_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_roots: tuple[Any, Any]
) -> None:
    path = tmp_path / "late.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    store = TrustStore.system()
    path.write_bytes(two_roots[0].pem)
    assert len(store) == 1
    path.unlink()
    assert TrustStore.system() is store
    assert len(TrustStore.system()) == 1


def test_the_machine_s_own_store_loads_under_warnings_as_errors() -> None:
    """In a process without the variables; a machine without any root gives an empty store, not an error."""
    code = "from pellucid.identity import TrustStore; print(len(TrustStore.system()) >= 0)"
    source = str(Path(__file__).parents[2] / "src")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONPATH": source}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (run.stdout, run.stderr) == ("True\n", "")


@pytest.mark.parametrize("kept", ["-----BEGIN ", "-----BEGIN CERTIF", "-----BEGIN CERTIFICATE-----\nMII"])
def test_a_file_that_is_half_written_is_misuse(two_roots: tuple[Any, Any], kept: str) -> None:
    """The roots that are there already are not all that there will be."""
    one, two = two_roots
    whole = two.pem.decode()
    end = whole.index(kept[:11]) + len(kept) if "MII" not in kept else whole.index("MII") + 400
    with pytest.raises(Misuse, match=r"certificate 2 is cut off: it begins, and does not end") as caught:
        TrustStore.from_pem(one.pem + whole[:end].encode())
    assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE


def test_what_begins_and_is_no_certificate_is_passed_over(two_roots: tuple[Any, Any]) -> None:
    one, _ = two_roots
    assert len(TrustStore.from_pem(one.pem + b"-----BEGIN X509 CRL-----\nMII")) == 1
