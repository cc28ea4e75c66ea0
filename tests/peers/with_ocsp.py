"""`openssl ocsp` as the authority that tells of a certificate, and `openssl ca` as the one that lists it."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ours import Pki
from pellucid.identity.lab import Issued
from support import PeerProcess, program, run_peer, server_on_free_port

#: What the authority knows of a certificate.
GOOD, REVOKED, UNKNOWN = "V", "R", ""


def issue(pki: Pki, **how: Any) -> Issued:
    return pki.laboratory.issue("ecdsa", ["localhost", "127.0.0.1"], **how)


class OpensslAuthority:
    """The laboratory's intermediate, in the hands of the `openssl` program."""

    def __init__(self, pki: Pki, folder: Path, *, delegated: bool = False) -> None:
        self._folder, self._ca = folder, pki.intermediate
        self._ca_key = folder / "ca.key"
        self._ca_key.write_bytes(private_pem(pki.laboratory._intermediate_key))
        self._signer = [self._ca, self._ca_key]
        if delegated:
            self._signer = appoint(pki, folder)

    def _index(self, knows: str, certificate: x509.Certificate) -> Path:
        """The data base of `openssl ca`: state, end, revocation, serial, file, subject."""
        moment = f"{dt.datetime.now(dt.UTC) - dt.timedelta(hours=1):%y%m%d%H%M%SZ}"
        revoked = f"{moment},keyCompromise" if knows == REVOKED else ""
        line = [knows, "491231235959Z", revoked, serial_hex(certificate), "unknown", "/CN=x"]
        path = self._folder / "index.txt"
        path.write_text("\t".join(line) + "\n" if knows else "")
        return path

    def _command(self, knows: str, certificate: x509.Certificate) -> list[str | Path]:
        signer, key = self._signer
        return [
            *[program("openssl") or "openssl", "ocsp", "-index", self._index(knows, certificate)],
            *["-CA", self._ca, "-rsigner", signer, "-rkey", key, "-ndays", "7"],
        ]

    def response(self, knows: str, issued: Issued) -> Path:
        """A file with what it says."""
        leaf, answer = self._folder / "leaf.pem", self._folder / "response.der"
        leaf.write_bytes(issued.certificate.public_bytes(Encoding.PEM))
        request = ["-issuer", self._ca, "-cert", leaf, "-respout", answer, "-noverify"]
        code, output = run_peer([*self._command(knows, issued.certificate), *request])
        assert code == 0, output
        return answer

    @contextlib.contextmanager
    def responding(self, knows: str, issued: Issued, port: int | None = None) -> Iterator[PeerProcess]:
        """A responder on loopback."""
        command = self._command(knows, issued.certificate)
        with server_on_free_port(
            lambda free: [*command, "-port", str(port or free)], ready="waiting for OCSP client"
        ) as peer:
            yield peer

    def crl(self, knows: str, issued: Issued) -> Path:
        """A file with its list, PEM."""
        index, config, path = (
            self._index(knows, issued.certificate),
            self._folder / "ca.cnf",
            self._folder / "crl",
        )
        config.write_text(
            "[ca]\ndefault_ca=x\n[x]\n"
            f"database={index}\ncertificate={self._ca}\nprivate_key={self._ca_key}\n"
            "default_md=sha256\ndefault_crl_days=7\ncrl_extensions=y\n[y]\nauthorityKeyIdentifier=keyid\n"
        )
        code, output = run_peer(
            [program("openssl") or "openssl", "ca", "-config", config, "-gencrl", "-out", path]
        )
        assert code == 0, output
        return path


def serial_hex(certificate: x509.Certificate) -> str:
    """As OpenSSL writes it: whole bytes."""
    digits = f"{certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def private_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def appoint(pki: Pki, folder: Path) -> list[Path]:
    """A responder with a key and a certificate of its own, from the intermediate."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = dt.datetime.fromtimestamp(int(time.time()) - 3600, dt.UTC)
    issuer = pki.laboratory.intermediate
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Responder")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=7))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
    )
    certificate = builder.sign(pki.laboratory._intermediate_key, hashes.SHA256())  # type: ignore[arg-type]
    files = [folder / "responder.pem", folder / "responder.key"]
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(private_pem(key))
    return files
