"""Clients and servers that show their keys alone (RFC 7250); each key is made once, from a seed."""

from __future__ import annotations

from functools import cache
from typing import Any

from loopback import client_config, laboratory, server_config

from pellucid import ClientConfig, ServerConfig, TrustStore
from pellucid.identity.lab_keys import make_key
from pellucid.identity.raw_credentials import RawKeyCredential

RAW, X509 = "RawPublicKey", "X509"


@cache
def raw_credential(
    kind: str = "ecdsa", whose: str = "server", names: tuple[str, ...] = ()
) -> RawKeyCredential:
    return RawKeyCredential(make_key(kind, b"pellucid tests", f"raw key of the {whose}"), names)


def spki(kind: str = "ecdsa", whose: str = "server") -> bytes:
    """The SubjectPublicKeyInfo, as it is sent."""
    return raw_credential(kind, whose).chain[0]


def trusting(*keys: bytes, roots: bool = False) -> TrustStore:
    """These keys, and the laboratory's root if that is wanted."""
    return laboratory().trust.with_keys(keys) if roots else TrustStore.from_keys(keys)


def raw_client(kind: str = "ecdsa", **knobs: Any) -> ClientConfig:
    """It takes the server's key of that kind, and nothing else."""
    defaults = {"trust": trusting(spki(kind)), "peer_certificate_types": [RAW], "sessions": None}
    return client_config(**(defaults | knobs))


def raw_server(kind: str = "ecdsa", **knobs: Any) -> ServerConfig:
    """It has that key, and no certificate."""
    return server_config(**({"credentials": [raw_credential(kind)]} | knobs))


def asking(kind: str = "ecdsa", **knobs: Any) -> dict[str, Any]:
    """Knobs of a server that asks clients for a key of that kind."""
    asked = {
        "client_authentication": "required",
        "trust": trusting(spki(kind, "client")),
        "peer_certificate_types": [RAW],
    }
    return asked | knobs


def showing(kind: str = "ecdsa") -> dict[str, Any]:
    """Knobs of a client that can show one."""
    return {"credentials": [raw_credential(kind, "client")]}
