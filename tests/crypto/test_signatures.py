"""Signing and verifying: every scheme, the wrong key, the wrong data, the bounds of RSA keys."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa, x25519

from pellucid.codes import SignatureScheme
from pellucid.crypto.signatures import (
    CERTIFICATE_VERIFY_SCHEMES,
    SCHEMES,
    is_too_costly,
    schemes_for,
    sign,
    verify,
)
from pellucid.errors import CertificateRejected, Misuse, PeerMisbehaved, Reason

S = SignatureScheme
RFC8448 = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8448.json").read_text())
DATA = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32)

MAKE: dict[str, Callable[[], Any]] = {
    "ecdsa_secp256r1": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa_secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa_secp521r1": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}
KINDS = list(MAKE)


def kind_of(scheme: SignatureScheme) -> str:
    """The kind of key that a scheme needs, from its name."""
    return next(kind for kind in KINDS if scheme.name.startswith(kind))


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    return {kind: make() for kind, make in MAKE.items()}


each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)


@each_scheme
def test_a_signature_verifies(scheme: SignatureScheme, keys: dict[str, Any]) -> None:
    key = keys[kind_of(scheme)]
    assert verify(key.public_key(), scheme, sign(key, scheme, DATA), DATA) is None


@each_scheme
def test_a_signature_of_other_data_is_refused(scheme: SignatureScheme, keys: dict[str, Any]) -> None:
    key = keys[kind_of(scheme)]
    with pytest.raises(PeerMisbehaved, match=scheme.name) as caught:
        verify(key.public_key(), scheme, sign(key, scheme, DATA), DATA + b"\0")
    assert caught.value.reason is Reason.BAD_SIGNATURE


@each_scheme
def test_a_changed_signature_is_refused(scheme: SignatureScheme, keys: dict[str, Any]) -> None:
    key = keys[kind_of(scheme)]
    signature = bytearray(sign(key, scheme, DATA))
    signature[len(signature) // 2] ^= 1
    with pytest.raises(PeerMisbehaved) as caught:
        verify(key.public_key(), scheme, bytes(signature), DATA)
    assert caught.value.reason is Reason.BAD_SIGNATURE


@each_scheme
@pytest.mark.parametrize("signature", [b"", b"\0", b"\xff" * 600], ids=["empty", "short", "long"])
def test_bytes_that_are_no_signature_are_refused(
    scheme: SignatureScheme, signature: bytes, keys: dict[str, Any]
) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        verify(keys[kind_of(scheme)].public_key(), scheme, signature, DATA)
    assert caught.value.reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "scheme, kind",
    [
        pytest.param(scheme, kind, id=f"{scheme.name}-{kind}")
        for scheme in SCHEMES
        for kind in KINDS
        if kind != kind_of(scheme)
    ],
)
def test_a_scheme_for_another_key_is_refused(
    scheme: SignatureScheme, kind: str, keys: dict[str, Any]
) -> None:
    with pytest.raises(PeerMisbehaved, match=scheme.name) as caught:
        verify(keys[kind].public_key(), scheme, b"", DATA)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


def test_a_scheme_that_is_not_supported_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(PeerMisbehaved, match="ecdsa_sha1, which is not supported") as caught:
        verify(keys["ecdsa_secp256r1"].public_key(), S.ecdsa_sha1, b"", DATA)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


def test_an_unknown_number_is_refused_as_a_scheme(keys: dict[str, Any]) -> None:
    with pytest.raises(PeerMisbehaved, match="0xfe42") as caught:
        verify(keys["ed25519"].public_key(), 0xFE42, b"", DATA)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


def test_we_do_not_sign_with_a_scheme_for_another_key(keys: dict[str, Any]) -> None:
    with pytest.raises(Misuse, match="ed25519") as caught:
        sign(keys["ecdsa_secp256r1"], S.ed25519, DATA)
    assert caught.value.reason is Reason.SIGNING_FAILED


def test_rsae_and_pss_schemes_are_one_algorithm(keys: dict[str, Any]) -> None:
    # They differ in the OID of the key in the certificate alone, which is the certificate layer's to check.
    signature = sign(keys["rsa"], S.rsa_pss_rsae_sha256, DATA)
    assert verify(keys["rsa"].public_key(), S.rsa_pss_pss_sha256, signature, DATA) is None


@pytest.mark.parametrize("salt_length", [0, 31, 33])
def test_a_pss_salt_that_is_not_as_long_as_the_digest_is_refused(
    salt_length: int, keys: dict[str, Any]
) -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length)
    signature = keys["rsa"].sign(DATA, pss, hashes.SHA256())
    with pytest.raises(PeerMisbehaved) as caught:
        verify(keys["rsa"].public_key(), S.rsa_pss_rsae_sha256, signature, DATA)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_another_hash_for_the_mask_is_refused(keys: dict[str, Any]) -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), 32)
    signature = keys["rsa"].sign(DATA, pss, hashes.SHA256())
    with pytest.raises(PeerMisbehaved) as caught:
        verify(keys["rsa"].public_key(), S.rsa_pss_rsae_sha256, signature, DATA)
    assert caught.value.reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "kind, schemes",
    [
        ("ecdsa_secp256r1", (S.ecdsa_secp256r1_sha256,)),
        ("ecdsa_secp384r1", (S.ecdsa_secp384r1_sha384,)),
        ("ecdsa_secp521r1", (S.ecdsa_secp521r1_sha512,)),
        ("ed25519", (S.ed25519,)),
        ("ed448", (S.ed448,)),
        ("rsa", (S.rsa_pss_rsae_sha256, S.rsa_pss_rsae_sha384, S.rsa_pss_rsae_sha512)),
        ("mldsa44", (S.mldsa44,)),
        ("mldsa65", (S.mldsa65,)),
        ("mldsa87", (S.mldsa87,)),
    ],
)
def test_a_key_s_schemes(kind: str, schemes: tuple[SignatureScheme, ...], keys: dict[str, Any]) -> None:
    assert schemes_for(keys[kind].public_key()) == schemes


def test_a_key_of_id_rsassa_pss_has_the_pss_schemes_alone(keys: dict[str, Any]) -> None:
    assert schemes_for(keys["rsa"].public_key(), rsa_pss_oid=True) == (
        S.rsa_pss_pss_sha256,
        S.rsa_pss_pss_sha384,
        S.rsa_pss_pss_sha512,
    )


def rsa_public_key(bits: int) -> rsa.RSAPublicKey:
    """A number of that size, which is no product of two primes: nothing here finds out."""
    return rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()


# RFC 8017 9.1.1: the modulus, less one bit, holds hash and salt and two bytes: 130 bytes for SHA-512.
@pytest.mark.parametrize("bits, holds", [(1024, False), (1033, False), (1034, True), (2048, True)])
def test_a_small_rsa_key_cannot_sign_with_sha512(bits: int, holds: bool) -> None:
    assert (S.rsa_pss_rsae_sha512 in schemes_for(rsa_public_key(bits))) is holds


def test_keys_that_tls_has_no_use_for_have_no_schemes() -> None:
    assert schemes_for(x25519.X25519PrivateKey.generate().public_key()) == ()
    assert schemes_for(ec.generate_private_key(ec.BrainpoolP256R1()).public_key()) == ()


def test_pkcs1_never_signs_a_certificate_verify(keys: dict[str, Any]) -> None:
    assert {s for s in SCHEMES if s not in CERTIFICATE_VERIFY_SCHEMES} == {
        S.rsa_pkcs1_sha256,
        S.rsa_pkcs1_sha384,
        S.rsa_pkcs1_sha512,
    }


@pytest.mark.parametrize("bits", [1024, 2047])
def test_an_rsa_key_that_is_too_small_is_refused(bits: int) -> None:
    with pytest.raises(CertificateRejected, match=f"{bits} bits; 2048 is the least") as caught:
        verify(rsa_public_key(bits), S.rsa_pss_rsae_sha256, bytes(bits // 8), DATA)
    assert caught.value.reason is Reason.WEAK_KEY


def test_an_rsa_key_that_costs_too_much_is_refused() -> None:
    with pytest.raises(CertificateRejected, match="8193 bits; 8192 is the most") as caught:
        verify(rsa_public_key(8193), S.rsa_pss_rsae_sha256, bytes(1025), DATA)
    assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE


def test_an_rsa_key_whose_exponent_costs_too_much_is_refused() -> None:
    modulus = rsa_public_key(2048).public_numbers().n
    for bits in (64, 65, 2047):
        key = rsa.RSAPublicNumbers((1 << (bits - 1)) + 1, modulus).public_key()
        assert is_too_costly(key) is (bits > 64)
        with pytest.raises((CertificateRejected, PeerMisbehaved)) as caught:
            verify(key, S.rsa_pss_rsae_sha256, bytes(256), DATA)
        assert caught.value.reason is (Reason.UNSUPPORTED_CERTIFICATE if bits > 64 else Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("bits", [2048, 8192])
def test_the_bounds_themselves_are_accepted(bits: int) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        verify(rsa_public_key(bits), S.rsa_pss_rsae_sha256, bytes(bits // 8), DATA)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_the_server_s_signature_in_rfc_8448_verifies() -> None:
    public_key = x509.load_der_x509_certificate(bytes.fromhex(RFC8448["rsa_certificate"])).public_key()
    messages = {m["name"]: bytes.fromhex(m["raw"]) for m in RFC8448["traces"][0]["messages"][:5]}
    *signed, certificate_verify = messages.values()
    transcript = hashes.Hash(hashes.SHA256())
    transcript.update(b"".join(signed))
    content = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + transcript.finalize()
    signed = S.rsa_pss_rsae_sha256, certificate_verify[8:], content
    assert verify(public_key, *signed, rsa_minimum_bits=1024) is None  # which is what the RFC's key has
    with pytest.raises(CertificateRejected, match="1024 bits; 2048 is the least"):
        verify(public_key, *signed)


def test_ed25519_gives_the_signature_of_rfc_8032() -> None:
    # RFC 8032 7.1, test 1: an empty message
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert sign(key, S.ed25519, b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )
