"""RFC 8448's traces, and what it takes to make our engine say the same bytes.

A trace fixes what a handshake leaves open: random values, private keys, signatures, and the taste of its
implementation (which extensions, in which order). The first three are injected as a user could: ``Script`` is
a source of entropy, ``Replayed`` a credential. For the taste there is ``in_the_words_of``, which lets our
messages pass in the RFC's wording after it has seen that they say the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pellucid import Credential
from pellucid.codes import NamedGroup, SignatureScheme
from pellucid.crypto.groups import PrivateShare, generate
from pellucid.crypto.signatures import verify
from pellucid.handshake.effects import Flow, Send
from pellucid.handshake.flow import Handshake
from pellucid.handshake.offer import Offer, Psk
from pellucid.identity import DnsName, VerifiedIdentity, parse_server_name
from pellucid.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    HandshakeMessage,
    decode_handshake,
)
from pellucid.trace import TraceView

VECTORS = Path(__file__).parents[1] / "vectors" / "rfc8448.json"
NAMES = ("simple_1rtt", "resumed_0rtt", "hello_retry_request", "client_authentication", "compatibility_mode")
SERVER_NAME = "server"


@dataclass
class Vectors:
    """One trace; all values as bytes."""

    data: dict[str, Any]

    def messages(self, sender: str, name: str) -> list[bytes]:
        found = (m for m in self.data["messages"] if (m["sender"], m["name"]) == (sender, name))
        return [bytes.fromhex(message["raw"]) for message in found]

    def message(self, sender: str, name: str) -> Any:
        """The first message of that name, decoded."""
        return decode_handshake(self.messages(sender, name)[0])

    def records(self, sender: str | None = None) -> list[tuple[str, bytes, bytes]]:
        """(content type, content, record) in the order of the trace."""
        return [
            (r["content_type"], bytes.fromhex(r["content"]), bytes.fromhex(r["record"]))
            for r in self.data["records"]
            if sender in (None, r["sender"])
        ]

    def flight(self, sender: str, content_type: str) -> list[bytes]:
        """The records of one sender that carry ``content_type``."""
        return [record for kind, _, record in self.records(sender) if kind == content_type]

    def handshake_flight(self, sender: str) -> bytes:
        """Everything that ``sender`` sends up to its Finished, tickets and early data left out."""
        *_, finished = self.messages(sender, "Finished")
        sent = b""
        for kind, content, record in self.records(sender):
            if kind in ("handshake", "change_cipher_spec"):
                sent += record
            if content.endswith(finished):
                break
        return sent

    def secrets(self) -> dict[str, bytes]:
        return {secret["name"]: bytes.fromhex(secret["value"]) for secret in self.data["secrets"]}

    def traffic_keys(self) -> dict[tuple[str, str], tuple[bytes, bytes]]:
        """(sender, epoch) to key and IV."""
        return {
            (keys["sender"], keys["epoch"]): (bytes.fromhex(keys["key"]), bytes.fromhex(keys["iv"]))
            for keys in self.data["traffic_keys"]
        }

    def private_keys(self, side: str) -> dict[NamedGroup, bytes]:
        return {
            NamedGroup[share["group"]]: bytes.fromhex(share["private_key"])
            for share in self.data["key_shares"]
            if share["side"] == side
        }

    def private_share(self, group: NamedGroup) -> PrivateShare:
        return generate(group, Script([self.private_keys("client")[group]]))

    @property
    def binder(self) -> dict[str, bytes]:
        (binder,) = self.data["binders"]
        return {name: bytes.fromhex(value) for name, value in binder.items()}


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return document


def vectors(name: str) -> Vectors:
    return Vectors(next(trace for trace in _document()["traces"] if trace["name"] == name))


class Script:
    """A source of entropy that says what the RFC's said, and complains when it is asked for anything else."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values

    def __call__(self, length: int) -> bytes:
        value = self.values.pop(0)
        assert len(value) == length
        return value


class Replayed(Credential):
    """A credential without a key: it knows one signature, and what that is a signature of."""

    def __init__(self, certificate: Certificate, certificate_verify: CertificateVerify) -> None:
        assert isinstance(certificate_verify.algorithm, SignatureScheme)
        self.chain = tuple(entry.cert_data for entry in certificate.certificate_list)
        self.schemes = (certificate_verify.algorithm,)
        self.names = (SERVER_NAME,)
        self.issuers = frozenset()
        self.chain_schemes = ()
        self.subject = "CN=replayed"
        self.signer = None
        self._staple = None
        self.signature = certificate_verify.signature

    def matches(self, server_name: str) -> bool:
        return server_name in self.names

    def sign(self, scheme: SignatureScheme, data: bytes, tls12: bool = False) -> bytes:
        assert not tls12
        verify(identity_of(self.chain).public_key, scheme, self.signature, data)
        return self.signature


def identity_of(chain: tuple[bytes, ...], *_: object, **__: object) -> VerifiedIdentity:
    """For ``verify_server`` and ``verify_client``: the RFC's certificates have no root, and small keys."""
    certificates = tuple(x509.load_der_x509_certificate(der) for der in chain)
    return VerifiedIdentity(certificates, certificates, certificates[0].public_key())  # type: ignore[arg-type]


def in_the_words_of(trace: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent goes out as the RFC's message, if it says the same in another order of extensions.

    Two messages may say more or other things than ours, since they show what an implementation can do:
    EncryptedExtensions and CertificateRequest.
    """
    sent: Counter[tuple[str, str]] = Counter()

    def send(hs: Handshake[Any], message: HandshakeMessage) -> Send:
        name = type(message).__name__
        raw = trace.messages(hs.side, name)[sent[hs.side, name]]
        sent[hs.side, name] += 1
        theirs = decode_handshake(raw)
        if isinstance(message, EncryptedExtensions) and isinstance(theirs, EncryptedExtensions):
            assert set(message.extensions) <= set(theirs.extensions)
        elif not isinstance(message, CertificateRequest):
            assert message == theirs
        message.raw = raw
        return hs.send_encoded(message)

    monkeypatch.setattr(Handshake, "send", send)


def offering(trace: Vectors, psks: Callable[[TraceView | None], list[Psk]]) -> Callable[..., Flow[Offer]]:
    """For ``make_offer``: the RFC's ClientHello and the private key behind its share."""

    def make_offer(hs: Handshake[Any], server_name: DnsName) -> Iterator[Any]:
        hello = trace.message("client", "ClientHello")
        hs.client_random = hello.random
        share = trace.private_share(NamedGroup.x25519)
        return Offer(hello, {NamedGroup.x25519: share}, psks(hs.trace), None, server_name)
        yield

    return make_offer  # type: ignore[return-value]


def server_name() -> Any:
    return parse_server_name(SERVER_NAME)
