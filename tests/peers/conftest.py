"""PKIs for all tests against real peers."""

from __future__ import annotations

import pytest

from ours import OpensslPki, Pki
from pellucid.identity import Credential


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def rsa_pss(tmp_path_factory: pytest.TempPathFactory) -> OpensslPki:
    """A certificate whose key is id-RSASSA-PSS, not rsaEncryption."""
    folder = tmp_path_factory.mktemp("rsa_pss")
    return OpensslPki.make(folder, "RSA-PSS", "rsa_keygen_bits:2048")


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Credential:
    """A credential that is from another root, of another name, than those of `pki`."""
    return OpensslPki.make(tmp_path_factory.mktemp("foreign"), "EC", "ec_paramgen_curve:P-256").credential
