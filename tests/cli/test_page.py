from __future__ import annotations

from typing import Any

import pytest

from pellucid.cli.page import offer_of, page
from pellucid.codes import CipherSuite, NamedGroup, ProtocolVersion
from pellucid.config import ClientConfig
from pellucid.connection import ClientConnection
from pellucid.identity.lab import Laboratory
from pellucid.result import Negotiated


@pytest.fixture
def client_hello(laboratory: Laboratory) -> Any:
    def make(name: str = "localhost", **settings: Any) -> bytes:
        config = ClientConfig(trust=laboratory.trust, **settings)
        return ClientConnection(config, name).data_to_send()[5:]

    return make


def test_an_offer_is_read_in_the_clients_order(client_hello: Any) -> None:
    offer = offer_of(
        client_hello(
            groups=["secp384r1", "x25519"],
            key_shares=["x25519"],
            cipher_suites=["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"],
            alpn_protocols=["h2", "http/1.1"],
        )
    )
    assert offer.server_name == "localhost"
    assert offer.versions == ("TLSv1.3",)
    assert offer.groups == ("secp384r1", "x25519")
    assert offer.key_shares == ("x25519",)
    assert offer.cipher_suites == ("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")
    assert offer.alpn == ("h2", "http/1.1")
    assert "ecdsa_secp256r1_sha256" in offer.signature_schemes
    assert "supported_groups" in offer.extensions


def test_an_address_is_no_server_name(client_hello: Any) -> None:
    assert offer_of(client_hello("127.0.0.1")).server_name == ""


def test_the_page_marks_what_was_chosen(client_hello: Any) -> None:
    negotiated = Negotiated(
        protocol=ProtocolVersion.TLSv1_3,
        cipher_suite=CipherSuite.TLS_AES_256_GCM_SHA384,
        group=NamedGroup.x25519,
    )
    html = page(offer_of(client_hello()), negotiated, "CN=<b>me</b>")
    assert '<code class="chosen">TLS_AES_256_GCM_SHA384</code>' in html
    assert html.count("<code>TLS_AES_128_GCM_SHA256</code>") == 1
    assert "CN=&lt;b&gt;me&lt;/b&gt;" in html
    assert "none: the session was resumed" in html


def test_the_page_loads_nothing_from_elsewhere(client_hello: Any) -> None:
    negotiated = Negotiated(
        protocol=ProtocolVersion.TLSv1_3,
        cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256,
        group=NamedGroup.x25519,
    )
    html = page(offer_of(client_hello()), negotiated)
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html
