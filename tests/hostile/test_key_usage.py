"""Keys for the wrong use: a certificate to sign with that is encrypted to, and the other way round.

RFC 5246 7.4.2: for RSA "the certificate MUST allow the key to be used for encryption (the keyEncipherment bit
MUST be set if the key usage extension is present)", for the others it has to allow signing. A key that does
both is what lets one use forge the other (ROBOT signed with a server's key by having it decrypt); whoever has
kept the two apart must find them kept apart here.
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from leaves import leaf, usage
from loopback import credential, laboratory, pump
from rogue import Tamper, edit
from rogue12 import client_of, meeting, mutual_client_of, mutual_server_of, refused12, server_of

from pellucid import Credential
from pellucid.codes import AlertDescription
from pellucid.errors import Reason
from pellucid.messages import tls12

A = AlertDescription
SIGNS, DECRYPTS, BOTH = (
    usage("digital_signature"),
    usage("key_encipherment"),
    usage("digital_signature", "key_encipherment"),
)


def showing(chain: tuple[bytes, ...]) -> Tamper:
    return edit(tls12.Certificate, lambda message: setattr(message, "certificate_list", list(chain)))


def refused(exchange: str, key_usage: x509.KeyUsage, kind: str = "rsa") -> None:
    """The client refuses the certificate: nothing is encrypted to it, and nothing believed that it signed."""
    chain, _ = leaf(key_usage=key_usage, kind=kind)
    refused12(
        "client",
        Reason.WRONG_PURPOSE,
        A.unsupported_certificate,
        showing(chain),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


def test_nothing_is_encrypted_to_a_key_that_may_only_sign() -> None:
    refused("RSA", SIGNS)


@pytest.mark.parametrize("exchange", ["ECDHE_RSA", "DHE_RSA"])
def test_nothing_is_believed_from_a_key_that_may_only_decrypt(exchange: str) -> None:
    refused(exchange, DECRYPTS)


@pytest.mark.parametrize(
    "uses",
    [
        ("key_agreement",),
        ("data_encipherment",),
        ("content_commitment",),
        ("key_cert_sign", "crl_sign"),
        ("key_agreement", "decipher_only"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("exchange", ["RSA", "ECDHE_RSA", "DHE_RSA"])
def test_another_use_is_neither(exchange: str, uses: tuple[str, ...]) -> None:
    refused(exchange, usage(*uses))


@pytest.mark.parametrize("key_usage", [None, BOTH], ids=["no keyUsage", "both"])
@pytest.mark.parametrize("exchange", ["RSA", "ECDHE_RSA", "DHE_RSA"])
def test_who_says_nothing_or_both_is_taken(exchange: str, key_usage: x509.KeyUsage | None) -> None:
    """The tests above differ from this one in the bits alone."""
    chain, key = leaf(key_usage=key_usage)
    certificates = [x509.load_der_x509_certificate(der) for der in chain]
    ours = Credential.from_objects(certificates, key)
    client, server, victim, _ = meeting(
        "client", client_of(exchange, sessions=None), server_of(exchange, credentials=[ours])
    )
    pump(client, server)
    assert victim.handshake_complete


def test_nothing_is_encrypted_to_a_key_that_cannot_decrypt() -> None:
    """Whatever its keyUsage says: an ECDSA key with keyEncipherment is no RSA key."""
    chain, key = leaf(key_usage=BOTH, kind="ecdsa")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    client, server = client_of("RSA", sessions=None), server_of("RSA")
    reason, alert = Reason.UNSUPPORTED_CERTIFICATE, A.unsupported_certificate
    refused12("client", reason, alert, showing(chain), client=client, server=server)


# -- a server of ours


def ours(key_usage: x509.KeyUsage) -> Credential:
    chain, key = leaf(key_usage=key_usage)
    return Credential.from_objects([x509.load_der_x509_certificate(der) for der in chain], key)


@pytest.mark.parametrize(
    "exchange, key_usage", [("RSA", SIGNS), ("ECDHE_RSA", DECRYPTS), ("DHE_RSA", DECRYPTS)]
)
def test_a_server_does_not_use_its_key_for_what_it_is_not_for(
    exchange: str, key_usage: x509.KeyUsage
) -> None:
    """It would be refused; and if it were not, the two uses would no longer be apart."""
    server = server_of(exchange, credentials=[ours(key_usage)])
    client = client_of(exchange, sessions=None)
    refused12("server", Reason.NO_SUITABLE_CERTIFICATE, A.handshake_failure, client=client, server=server)


def test_a_server_with_a_key_for_each_takes_the_right_one() -> None:
    signs, decrypts = ours(SIGNS), ours(DECRYPTS)
    for exchange, right in (("RSA", decrypts), ("ECDHE_RSA", signs)):
        shown: list[list[bytes]] = []
        look = edit(tls12.Certificate, lambda message, seen=shown: seen.append(message.certificate_list))
        knobs: dict[str, Any] = {
            "credentials": [decrypts, signs] if exchange == "ECDHE_RSA" else [signs, decrypts]
        }
        client, server, victim, _ = meeting(
            "client", client_of(exchange, sessions=None), server_of(exchange, **knobs), look
        )
        pump(client, server)
        assert victim.handshake_complete
        assert shown == [list(right.chain)]


# -- clients


def test_a_client_signs_with_a_key_that_may_sign() -> None:
    """RFC 5246 7.4.6 has no use for one that may only decrypt, and its server refuses such a one."""
    chain, _ = leaf(key_usage=DECRYPTS)
    refused12(
        "server",
        Reason.WRONG_PURPOSE,
        A.unsupported_certificate,
        showing(chain),
        client=mutual_client_of(),
        server=mutual_server_of(),
    )


@pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "RSA"])
def test_a_certificate_of_a_server_is_none_of_a_client(exchange: str) -> None:
    """And the other way round: extendedKeyUsage tells the two apart, with every key exchange."""
    server_s = credential("rsa").chain
    refused12(
        "server",
        Reason.WRONG_PURPOSE,
        A.unsupported_certificate,
        showing(server_s),
        client=mutual_client_of(exchange),
        server=mutual_server_of(exchange),
    )
    clients = laboratory().credential("rsa", ("localhost",), "client").chain
    refused12(
        "client",
        Reason.WRONG_PURPOSE,
        A.unsupported_certificate,
        showing(clients),
        client=client_of("RSA", sessions=None),
        server=server_of("RSA"),
    )
