"""SLOTH (2016): in TLS 1.2 a handshake may be signed with MD5 or SHA-1, whose collisions can be found.

Whoever finds two transcripts of one hash uses a client's signature in another connection. Here neither hash,
nor SHA-224, nor DSA signs anything, is offered, or is asked for, wherever a peer could bring it in:
ServerKeyExchange, CertificateVerify, and the lists of ClientHello and CertificateRequest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from loopback import NAME, client_config, credential, laboratory, pump, server_config
from rogue import Tamper, edit
from rogue12 import client_of, meeting, mutual_client_of, mutual_server_of, refused12, server_of

from pellucid import ClientConfig, ClientConnection, Misuse, ServerConfig, ServerConnection
from pellucid.codes import AlertDescription, ClientCertificateType, ExtensionType, SignatureScheme
from pellucid.errors import Reason
from pellucid.messages import ClientHello, ServerHello, decode_handshake, tls12
from pellucid.messages import extensions as ext
from pellucid.policy import POLICIES, SUPPORTED_SIGNATURE_SCHEMES

A = AlertDescription
S = SignatureScheme

WEAK = [
    S.rsa_pkcs1_md5,
    S.rsa_pkcs1_sha1,
    S.ecdsa_sha1,
    S.rsa_pkcs1_sha224,
    S.ecdsa_sha224,
    S.dsa_sha1,
    S.dsa_sha224,
    S.dsa_sha256,
    S.dsa_sha384,
    S.dsa_sha512,
    # RFC 5246 7.4.1.4.1: anonymous, and hash "none".
    0x0000,
    0x0001,
    0x0400,
    0x0103,
]
EACH = pytest.mark.parametrize("scheme", WEAK, ids=lambda scheme: getattr(scheme, "name", hex(scheme)))


def signed_by(kind: type[Any], scheme: int) -> Tamper:
    """The message says that it is signed so; what stands in it is the right signature of a better scheme."""
    return edit(kind, lambda message: setattr(message, "algorithm", scheme))


# -- ServerKeyExchange


@EACH
@pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "ECDHE_RSA", "DHE_RSA"])
def test_no_weak_hash_signs_a_server_key_exchange(exchange: str, scheme: int) -> None:
    refused12(
        "client",
        Reason.SCHEME_NOT_OFFERED,
        A.illegal_parameter,
        signed_by(tls12.ServerKeyExchange, scheme),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


def test_a_true_signature_of_sha1_is_refused_as_well() -> None:
    """Not only the name is looked for: here the server has really signed so."""
    key: Any = laboratory().issue("rsa", (NAME, "127.0.0.1")).private_key
    assert isinstance(key, rsa.RSAPrivateKey)
    randoms: list[bytes] = []

    def tamper(hs: Any, message: Any) -> list[bytes]:
        if isinstance(message, tls12.ServerKeyExchange):
            content = hs.client_random + randoms[0] + message.signed_params
            message.algorithm = S.rsa_pkcs1_sha1
            message.signature = key.sign(content, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
            message.encode()
        elif isinstance(message, ServerHello):
            randoms.append(message.random)
        return [message.raw]

    client, server = client_of("ECDHE_RSA", sessions=None), server_of("ECDHE_RSA")
    refused12("client", Reason.SCHEME_NOT_OFFERED, A.illegal_parameter, tamper, client=client, server=server)


# -- CertificateVerify


@EACH
def test_no_weak_hash_signs_a_certificate_verify(scheme: int) -> None:
    refused12(
        "server",
        Reason.SCHEME_NOT_OFFERED,
        A.illegal_parameter,
        signed_by(tls12.CertificateVerify, scheme),
        client=mutual_client_of(),
        server=mutual_server_of(),
    )


def test_a_true_certificate_verify_of_sha1_is_refused_as_well() -> None:
    key: Any = laboratory().issue("ecdsa", (NAME, "127.0.0.1"), "client").private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)

    def tamper(hs: Any, message: Any) -> list[bytes]:
        if isinstance(message, tls12.CertificateVerify):
            message.algorithm = S.ecdsa_sha1
            message.signature = key.sign(hs.transcript.messages, ec.ECDSA(hashes.SHA1()))  # noqa: S303
            message.encode()
        return [message.raw]

    refused12(
        "server",
        Reason.SCHEME_NOT_OFFERED,
        A.illegal_parameter,
        tamper,
        client=mutual_client_of(),
        server=mutual_server_of(),
    )


# -- what is offered and asked for


def schemes_of_hello(config: ClientConfig) -> set[int]:
    hello = decode_handshake(ClientConnection(config, NAME).data_to_send()[5:])
    assert isinstance(hello, ClientHello)
    found = hello.extensions.find(ext.SignatureSchemeList)
    in_certificates = hello.extensions.find(ext.SignatureSchemeListCert)
    assert found is not None
    others = in_certificates.supported_signature_algorithms if in_certificates else []
    return {*found.supported_signature_algorithms, *others}


@pytest.mark.parametrize("policy", POLICIES)
def test_no_client_offers_a_weak_hash(policy: str) -> None:
    """RFC 5246 7.4.1.4.1: without the extension the server might take SHA-1, so it is always there."""
    assert not schemes_of_hello(client_config(policy=policy)) & {*WEAK}


@pytest.mark.parametrize("policy", ["default", "compatible"])
def test_no_server_asks_for_a_weak_hash(policy: str) -> None:
    config = server_config(policy=policy, protocols=["TLSv1.2"], client_authentication="optional")
    asked: list[tls12.CertificateRequest] = []
    tamper = edit(tls12.CertificateRequest, asked.append)
    client, server, _, _ = meeting("client", client_of(), config, tamper)
    server.receive_data(client.data_to_send())
    assert not {*asked[0].supported_signature_algorithms} & {*WEAK}
    assert {*asked[0].certificate_types} == {ClientCertificateType.rsa_sign, ClientCertificateType.ecdsa_sign}


def test_no_weak_hash_can_be_asked_for_by_name() -> None:
    assert not {*SUPPORTED_SIGNATURE_SCHEMES} & {*WEAK}
    for make in (ClientConfig, ServerConfig):
        with pytest.raises(Misuse) as caught:
            make(signature_schemes=["rsa_pkcs1_sha1"], credentials=[credential()], trust=laboratory().trust)
        assert caught.value.reason is Reason.BAD_CONFIGURATION


def only_weak(hello: Any) -> None:
    hello.extensions.add(ext.SignatureSchemeList([scheme for scheme in WEAK if scheme]))


def without_schemes(hello: Any) -> None:
    """RFC 5246 7.4.1.4.1: that means SHA-1 with whatever key the suite asks for."""
    del hello.extensions[ExtensionType.signature_algorithms]


@pytest.mark.parametrize("change", [only_weak, without_schemes])
@pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "ECDHE_RSA", "DHE_RSA"])
def test_a_server_signs_nothing_with_a_weak_hash(exchange: str, change: Callable[[Any], None]) -> None:
    refused12(
        "server",
        Reason.NO_SUITABLE_CERTIFICATE,
        A.handshake_failure,
        edit(ClientHello, change),
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )


def test_a_client_signs_nothing_with_a_weak_hash() -> None:
    """A server that wants nothing better gets no certificate, and no signature to find a collision for."""
    tamper = edit(
        tls12.CertificateRequest,
        lambda message: setattr(message, "supported_signature_algorithms", [s for s in WEAK if s]),
    )
    server = server_of(client_authentication="optional", trust=laboratory().trust)
    client_side, server_side, victim, _ = meeting("client", mutual_client_of(), server, tamper)
    pump(client_side, server_side)
    assert victim.negotiated is not None
    assert not victim.negotiated.mutual
    assert isinstance(server_side, ServerConnection)
    assert server_side.negotiated is not None
    assert server_side.negotiated.peer_chain == ()
