"""Forged proofs: SHA-1 and SLOTH, schemes nobody offered, signatures by other keys and for other purposes,
a Finished that is not the MAC of the handshake. RFC 9846 4.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from loopback import NAME, client_config, connect_pair, credential, laboratory, pump, server_config
from rogue import (
    RogueHandshake,
    Tamper,
    assert_refused,
    client_refuses,
    connected_rogue,
    edit,
    rogue_client,
    rogue_server,
    run,
    server_refuses,
)

from pellucid import ClientConfig, Credential, ServerConfig
from pellucid.codes import AlertDescription, SignatureScheme
from pellucid.errors import Reason
from pellucid.handshake.proofs import certificate_verify_content
from pellucid.messages import Certificate, CertificateVerify, Finished, HandshakeMessage

A = AlertDescription
S = SignatureScheme


@cache
def client() -> ClientConfig:
    return client_config(credentials=[credential("ecdsa", "client")], sessions=None)


@cache
def server() -> ServerConfig:
    return server_config(client_authentication="required")


def refused(side: str, tamper: Tamper, reason: Reason, alert: A, **configs: Any) -> None:
    refuses = client_refuses if side == "client" else server_refuses
    refuses(tamper, reason, alert, **({"client": client(), "server": server()} | configs))


BOTH = pytest.mark.parametrize("side", ["client", "server"])

# -- schemes

NOT_FOR_HANDSHAKES = [
    S.rsa_pkcs1_md5,
    S.rsa_pkcs1_sha1,
    S.ecdsa_sha1,
    S.dsa_sha1,
    S.rsa_pkcs1_sha224,
    S.ecdsa_sha224,
    S.dsa_sha256,
    # Offered for certificates, which is not for this.
    S.rsa_pkcs1_sha256,
    S.rsa_pkcs1_sha384,
    S.rsa_pkcs1_sha512,
]


@BOTH
@pytest.mark.parametrize("scheme", NOT_FOR_HANDSHAKES, ids=str)
def test_sha1_and_its_like_sign_no_handshake(side: str, scheme: int) -> None:
    """SLOTH lived off hashes that collide; RFC 9846 4.3.3 leaves none of them."""
    change = edit(CertificateVerify, lambda message: setattr(message, "algorithm", scheme))
    refused(side, change, Reason.SCHEME_NOT_OFFERED, A.illegal_parameter)


@BOTH
@pytest.mark.parametrize(
    "scheme", [S.ed448, S.mldsa65, 0x1A1A, 0xFFFF], ids=["ed448", "mldsa65", "GREASE", "unknown"]
)
def test_a_scheme_that_was_not_offered_signs_nothing(side: str, scheme: int) -> None:
    change = edit(CertificateVerify, lambda message: setattr(message, "algorithm", scheme))
    refused(side, change, Reason.SCHEME_NOT_OFFERED, A.illegal_parameter)


@BOTH
@pytest.mark.parametrize("scheme", [S.ecdsa_secp384r1_sha384, S.ed25519, S.rsa_pss_rsae_sha256], ids=str)
def test_a_scheme_that_does_not_fit_the_key_signs_nothing(side: str, scheme: int) -> None:
    """In TLS 1.3 a scheme names curve and hash together: P-256 with SHA-384 there is not."""
    change = edit(CertificateVerify, lambda message: setattr(message, "algorithm", scheme))
    refused(side, change, Reason.ILLEGAL_PARAMETER, A.illegal_parameter)


def test_an_rsa_key_of_the_usual_kind_makes_no_pss_pss_signature() -> None:
    """RFC 9846 4.3.3: rsae for rsaEncryption keys, pss for id-RSASSA-PSS keys; the padding is the same."""
    change = edit(CertificateVerify, lambda message: setattr(message, "algorithm", S.rsa_pss_pss_sha256))
    config = server_config(credentials=[credential("rsa")])
    client_refuses(change, Reason.SCHEME_NOT_OFFERED, A.illegal_parameter, server=config)


# -- signatures

SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda signature: signature[:-1],
    "longer": lambda signature: signature + b"\x00",
    "a bit flipped": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "r and s zero": lambda _: bytes.fromhex("3006020100020100"),
    "not DER": lambda _: bytes(64),
}


@BOTH
@pytest.mark.parametrize("change", SIGNATURES.values(), ids=list(SIGNATURES))
def test_a_faulty_signature_is_refused(side: str, change: Callable[[bytes], bytes]) -> None:
    tamper = edit(CertificateVerify, lambda message: setattr(message, "signature", change(message.signature)))
    refused(side, tamper, Reason.BAD_SIGNATURE, A.decrypt_error)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa_p384", "rsa"])
def test_a_faulty_signature_of_any_kind_is_refused(kind: str) -> None:
    flipped = edit(
        CertificateVerify,
        lambda message: setattr(message, "signature", SIGNATURES["a bit flipped"](message.signature)),
    )
    zeros = edit(
        CertificateVerify, lambda message: setattr(message, "signature", bytes(len(message.signature)))
    )
    for one in (flipped, zeros):
        config = server_config(credentials=[credential(kind)])
        client_refuses(one, Reason.BAD_SIGNATURE, A.decrypt_error, server=config)


def signing(key: Credential, content: Callable[[RogueHandshake], bytes]) -> Tamper:
    """A CertificateVerify is signed by ``key``, over what ``content`` says."""

    def tamper(hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, CertificateVerify):
            assert isinstance(message.algorithm, SignatureScheme)
            message.signature = key.sign(message.algorithm, content(hs))
            message.encode()
        return [message.raw]

    return tamper


def ours(whose: str) -> Credential:
    return credential("ecdsa", "server" if whose == "server" else "client")


def peer_of(side: str) -> str:
    return "server" if side == "client" else "client"


@BOTH
def test_a_right_signature_is_taken(side: str) -> None:
    """The tests below differ from this one in one thing each."""
    peer = peer_of(side)
    tamper = signing(ours(peer), lambda hs: certificate_verify_content(peer, hs.transcript.digest()))
    victim, _ = connected_rogue(side, tamper, client=client(), server=server())
    assert victim.handshake_complete


@BOTH
def test_a_signature_by_another_key_is_refused(side: str) -> None:
    """Somebody shows a certificate of somebody else."""
    peer = peer_of(side)
    other = credential("ecdsa", "server", ("elsewhere.test",))
    tamper = signing(other, lambda hs: certificate_verify_content(peer, hs.transcript.digest()))
    refused(side, tamper, Reason.BAD_SIGNATURE, A.decrypt_error)


@BOTH
def test_a_signature_made_for_the_other_role_is_refused(side: str) -> None:
    """RFC 9846 4.5.2: the context string keeps a server's signature from being used as a client's."""
    peer = peer_of(side)
    tamper = signing(ours(peer), lambda hs: certificate_verify_content(side, hs.transcript.digest()))
    refused(side, tamper, Reason.BAD_SIGNATURE, A.decrypt_error)


@BOTH
def test_a_signature_of_another_handshake_is_refused(side: str) -> None:
    """Triple Handshake: what is signed is this transcript, keys and all."""
    peer = peer_of(side)
    tamper = signing(ours(peer), lambda _: certificate_verify_content(peer, bytes(32)))
    refused(side, tamper, Reason.BAD_SIGNATURE, A.decrypt_error)


@BOTH
def test_a_signature_of_the_transcript_alone_is_refused(side: str) -> None:
    """Without the 64 spaces and the context: what older versions sign."""
    peer = peer_of(side)
    tamper = signing(ours(peer), lambda hs: hs.transcript.digest())
    refused(side, tamper, Reason.BAD_SIGNATURE, A.decrypt_error)


def test_the_servers_signature_is_not_the_clients() -> None:
    """A client without a key shows the server's own certificate, and what the server has signed."""
    both = both_purposes()
    signed: list[bytes] = []

    def listen(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, CertificateVerify):
            signed.append(message.signature)
        return [message.raw]

    def reflect(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, CertificateVerify):
            message.signature = signed[0]
            message.encode()
        return [message.raw]

    victim = rogue_server(listen, server_config(credentials=[both], client_authentication="required"))
    rogue = rogue_client(reflect, client_config(credentials=[both], sessions=None))
    assert_refused(victim, rogue, run(rogue, victim, victim), Reason.BAD_SIGNATURE, A.decrypt_error)


def both_purposes() -> Credential:
    """A certificate that is good for clients and for servers."""
    lab = laboratory()
    key = ec.generate_private_key(ec.SECP256R1())
    issued = lab.issue("ecdsa", [NAME]).certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(issued.subject)
        .issuer_name(issued.issuer)
        .serial_number(7)
        .not_valid_before(issued.not_valid_before_utc)
        .not_valid_after(issued.not_valid_after_utc)
        .public_key(key.public_key())
    )
    for extension in issued.extensions:
        value: Any = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            value = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        elif isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, extension.critical)
    leaf = lab._sign(builder, lab._intermediate_key)
    return Credential.from_objects([leaf, lab.intermediate], key)


# -- Finished


@BOTH
@pytest.mark.parametrize(
    "change",
    [lambda data: bytes(len(data)), lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[::-1]],
    ids=["zeros", "a bit flipped", "reversed"],
)
def test_a_wrong_finished_is_refused(side: str, change: Callable[[bytes], bytes]) -> None:
    tamper = edit(Finished, lambda message: setattr(message, "verify_data", change(message.verify_data)))
    refused(side, tamper, Reason.BAD_FINISHED, A.decrypt_error)


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda data: data[:1],
        lambda data: data[:-1],
        lambda data: data + b"\x00",
        lambda data: data[:12],
    ],
    ids=["empty", "a byte", "short", "long", "of TLS 1.2's length"],
)
def test_a_finished_of_another_length_is_malformed(side: str, change: Callable[[bytes], bytes]) -> None:
    """A comparison up to the shorter length would take a MAC of one byte."""
    tamper = edit(Finished, lambda message: setattr(message, "verify_data", change(message.verify_data)))
    refused(side, tamper, Reason.MALFORMED, A.decode_error)


def test_the_servers_finished_is_not_the_clients() -> None:
    """A reflected Finished: the two are MACs under different keys."""
    heard: list[bytes] = []

    def listen(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, Finished):
            heard.append(message.verify_data)
        return [message.raw]

    def reflect(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, Finished):
            message.verify_data = heard[0]
            message.encode()
        return [message.raw]

    victim, rogue = rogue_server(listen), rogue_client(reflect)
    assert_refused(victim, rogue, run(rogue, victim, victim), Reason.BAD_FINISHED, A.decrypt_error)


# -- no certificate


def without_certificates(message: Certificate) -> None:
    message.certificate_list = []


def test_a_server_shows_a_certificate() -> None:
    """RFC 9846 4.5.1.3: "the client MUST abort the handshake with a "decode_error" alert"."""
    client_refuses(edit(Certificate, without_certificates), Reason.EMPTY_CERTIFICATE, A.decode_error)


def test_a_client_without_a_certificate_is_refused_where_one_is_required() -> None:
    tamper = edit(Certificate, without_certificates)
    refused("server", tamper, Reason.CLIENT_CERTIFICATE_MISSING, A.certificate_required)


def test_a_client_without_a_certificate_proves_nothing() -> None:
    """Where a certificate is optional, an empty one with a CertificateVerify behind it is out of order."""
    config = server_config(client_authentication="optional")
    tamper = edit(Certificate, without_certificates)
    refused("server", tamper, Reason.UNEXPECTED_MESSAGE, A.unexpected_message, server=config)


def test_honest_peers_connect() -> None:
    one, other = connect_pair(client(), server())
    pump(one, other)
    assert other.negotiated is not None
    assert other.negotiated.mutual
