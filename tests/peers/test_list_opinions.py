"""OpenSSL as a second opinion on revocation lists: it clears whom we clear, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from ours import Pki
from pellucid.errors import CertificateRejected
from pellucid.identity.lab import Issued, Laboratory
from pellucid.identity.lab_status import sign_crl
from pellucid.identity.revocation import RevocationList
from support import program, run_peer

HOUR, DAY = 3_600, 86_400
openssl = pytest.mark.peer("openssl verify", "openssl")


@pytest.fixture(scope="module")
def issued(pki: Pki) -> Issued:
    """Directly below the root, so that one list is enough."""
    return pki.laboratory.issue("ecdsa", ["localhost"], issuer="root")


def scope(**knobs: Any) -> x509.IssuingDistributionPoint:
    names = {"full_name": None, "relative_name": None, "only_some_reasons": None, "indirect_crl": False}
    kinds = dict.fromkeys(("user_certs", "ca_certs", "attribute_certs"), False)
    flags = {f"only_contains_{kind}": value for kind, value in kinds.items()}
    return x509.IssuingDistributionPoint(**names | flags | knobs)


ELSEWHERE = [x509.UniformResourceIdentifier("http://crl.example/2.crl")]
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


class Case(NamedTuple):
    """How a list is made. Times are seconds from now on."""

    lists_it: bool = False
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    this_update: float = -HOUR
    next_update: float = DAY
    key: Callable[[Laboratory], CertificateIssuerPrivateKeyTypes] = lambda lab: lab._root_key


CASES = {
    "of all": Case(),
    "with it": Case(lists_it=True),
    "of leaves": Case(extensions=((scope(only_contains_user_certs=True), True),)),
    "of leaves, with it": Case(lists_it=True, extensions=((scope(only_contains_user_certs=True), True),)),
    "of authorities": Case(extensions=((scope(only_contains_ca_certs=True), True),)),
    "of attributes": Case(extensions=((scope(only_contains_attribute_certs=True), True),)),
    "of another part": Case(extensions=((scope(full_name=ELSEWHERE), True),)),
    "for some reasons": Case(
        extensions=((scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), True),)
    ),
    "with what is critical and unknown": Case(extensions=((UNKNOWN, True),)),
    "with what is unknown": Case(extensions=((UNKNOWN, False),)),
    "a delta": Case(extensions=((x509.DeltaCRLIndicator(1), True),)),
    "out of date": Case(this_update=-2 * DAY, next_update=-DAY),
    "of the future": Case(this_update=DAY, next_update=2 * DAY),
    "by another key": Case(key=lambda lab: lab._intermediate_key),
}


@openssl
@pytest.mark.parametrize("name", CASES)
def test_whom_a_list_clears(pki: Pki, issued: Issued, tmp_path: Path, name: str) -> None:
    case, now = CASES[name], time.time()
    revoked = [issued.certificate] if case.lists_it else []
    root = pki.laboratory.root
    der = sign_crl(
        root, case.key(pki.laboratory), now + case.this_update, revoked,
        next_update=now + case.next_update, extensions=case.extensions,
    )  # fmt: skip
    assert openssl_clears(root, issued.certificate, der, tmp_path) is (
        verdict(der, issued.certificate, root, now) == "good"
    )


def verdict(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: float) -> str:
    try:
        return RevocationList(der).status_of(certificate, issuer, now).verdict
    except CertificateRejected:
        return "none"


def openssl_clears(root: x509.Certificate, leaf: x509.Certificate, crl: bytes, folder: Path) -> bool:
    (folder / "root").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "leaf").write_bytes(leaf.public_bytes(Encoding.PEM))
    (folder / "crl").write_bytes(x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM))
    command = [program("openssl") or "openssl", "verify", "-crl_check", "-CRLfile", folder / "crl"]
    code, output = run_peer([*command, "-CAfile", folder / "root", folder / "leaf"])
    assert (code == 0) is output.strip().endswith(": OK"), output
    return code == 0
