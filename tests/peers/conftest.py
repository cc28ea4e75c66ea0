"""PKIs for all tests against real peers, and a browser for those of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser import Browser
from compared import Captures
from ours import OpensslPki, Pki
from pellucid.identity import Credential
from showing import DESKTOP, written


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


@pytest.fixture(scope="session")
def captures(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Captures:
    """Conversations of other stacks, as tshark and as we read them."""
    return Captures(pki, tmp_path_factory.mktemp("captures"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="session")
def tls13(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("tls13"), "--mutual")


@pytest.fixture(scope="session")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("resumed"), "--resume")


@pytest.fixture(scope="session")
def tls12(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("tls12"), "--tls", "1.2", "--key-exchange", "rsa")


@pytest.fixture
def show(browser: Browser) -> Iterator[Browser]:
    """A browser that shows nothing yet; afterwards nothing may have gone wrong in it."""
    browser.pretend()
    browser.resize(*DESKTOP)
    browser.open("about:blank")
    browser.errors.clear()
    browser.requests.clear()
    yield browser
    assert browser.errors == []
    beyond = [one for one in browser.requests if not one.startswith(("file:", "data:", "about:"))]
    assert beyond == []
