"""Signatures of TLS 1.2: the same code points, with other meanings, and what is not to be had."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa

from pellucid.codes import SignatureScheme
from pellucid.crypto.signatures import (
    CERTIFICATE_VERIFY_SCHEMES,
    TLS12_SCHEMES,
    authentication_of,
    key_kind,
    key_oid_allows,
    schemes12_for,
    sign,
    verify,
)
from pellucid.errors import CertificateRejected, Misuse, PeerMisbehaved, Reason

S = SignatureScheme
DATA = b"c" * 32 + b"s" * 32 + b"\x03\x00\x1d\x20" + bytes(32)

MAKE: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
}

ECDSA = (S.ecdsa_secp256r1_sha256, S.ecdsa_secp384r1_sha384, S.ecdsa_secp521r1_sha512)
PSS = (S.rsa_pss_rsae_sha256, S.rsa_pss_rsae_sha384, S.rsa_pss_rsae_sha512)
PKCS1 = (S.rsa_pkcs1_sha256, S.rsa_pkcs1_sha384, S.rsa_pkcs1_sha512)
SCHEMES_OF = {
    "P-256": ECDSA,
    "P-384": (ECDSA[1], ECDSA[0], ECDSA[2]),
    "P-521": (ECDSA[2], ECDSA[0], ECDSA[1]),
    "Ed25519": (S.ed25519,),
    "Ed448": (S.ed448,),
    "RSA": (*PSS, *PKCS1),
    "ML-DSA-44": (),
    "brainpool": (),
}
PAIRS = [(kind, scheme) for kind, schemes in SCHEMES_OF.items() for scheme in schemes]
each_pair = pytest.mark.parametrize("kind, scheme", PAIRS, ids=str)
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    return {kind: make() for kind, make in MAKE.items()}


@pytest.mark.parametrize("kind", MAKE)
def test_a_key_s_schemes_best_first(kind: str, keys: dict[str, Any]) -> None:
    assert schemes12_for(keys[kind].public_key()) == SCHEMES_OF[kind]


def test_a_key_of_id_rsassa_pss_has_the_pss_schemes_alone(keys: dict[str, Any]) -> None:
    assert schemes12_for(keys["RSA"].public_key(), rsa_pss_oid=True) == (
        S.rsa_pss_pss_sha256, S.rsa_pss_pss_sha384, S.rsa_pss_pss_sha512
    )  # fmt: skip


@each_pair
def test_a_signature_verifies(kind: str, scheme: SignatureScheme, keys: dict[str, Any]) -> None:
    key = keys[kind]
    assert verify(key.public_key(), scheme, sign(key, scheme, DATA, tls12=True), DATA, tls12=True) is None


@each_pair
def test_a_signature_of_other_data_is_refused(
    kind: str, scheme: SignatureScheme, keys: dict[str, Any]
) -> None:
    signature = sign(keys[kind], scheme, DATA, tls12=True)
    with pytest.raises(PeerMisbehaved, match=scheme.name) as caught:
        verify(keys[kind].public_key(), scheme, signature, DATA + b"\0", tls12=True)
    assert caught.value.reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521"])
@pytest.mark.parametrize("scheme", ECDSA)
def test_a_scheme_of_ecdsa_names_the_hash_and_no_curve(
    kind: str, scheme: SignatureScheme, keys: dict[str, Any]
) -> None:
    algorithm = ec.ECDSA(HASHES[scheme.name.rpartition("_")[2]])
    assert keys[kind].public_key().verify(sign(keys[kind], scheme, DATA, tls12=True), DATA, algorithm) is None


@pytest.mark.parametrize("scheme", PKCS1)
def test_pkcs1_is_pkcs1(scheme: SignatureScheme, keys: dict[str, Any]) -> None:
    signature = sign(keys["RSA"], scheme, DATA, tls12=True)
    algorithm = HASHES[scheme.name.rpartition("_")[2]]
    assert keys["RSA"].public_key().verify(signature, DATA, padding.PKCS1v15(), algorithm) is None


def test_in_tls_13_the_scheme_still_ties_hash_and_curve(keys: dict[str, Any]) -> None:
    signature = sign(keys["P-384"], S.ecdsa_secp256r1_sha256, DATA, tls12=True)
    with pytest.raises(PeerMisbehaved, match="a key on secp256r1") as caught:
        verify(keys["P-384"].public_key(), S.ecdsa_secp256r1_sha256, signature, DATA)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


# SLOTH: a transcript's collision in MD5 or SHA-1 is a forged signature. DSA and SHA-224 go with them.
@pytest.mark.parametrize(
    "scheme",
    [
        S.rsa_pkcs1_md5,
        S.rsa_pkcs1_sha1,
        S.ecdsa_sha1,
        S.dsa_sha1,
        S.dsa_sha256,
        S.rsa_pkcs1_sha224,
        S.ecdsa_sha224,
    ],
)
@pytest.mark.parametrize("kind", ["RSA", "P-256"])
def test_broken_and_short_hashes_neither_sign_nor_verify(
    scheme: SignatureScheme, kind: str, keys: dict[str, Any]
) -> None:
    assert scheme not in TLS12_SCHEMES
    with pytest.raises(PeerMisbehaved, match="which is not supported") as caught:
        verify(keys[kind].public_key(), scheme, b"", DATA, tls12=True)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER
    with pytest.raises(Misuse) as misuse:
        sign(keys[kind], scheme, DATA, tls12=True)
    assert misuse.value.reason is Reason.SIGNING_FAILED


def test_ml_dsa_is_for_tls_13_alone(keys: dict[str, Any]) -> None:
    with pytest.raises(Misuse):
        sign(keys["ML-DSA-44"], S.mldsa44, DATA, tls12=True)
    with pytest.raises(PeerMisbehaved, match="not supported"):
        verify(keys["ML-DSA-44"].public_key(), S.mldsa44, b"", DATA, tls12=True)


def test_what_each_version_has_that_the_other_has_not() -> None:
    assert set(PKCS1) == TLS12_SCHEMES - CERTIFICATE_VERIFY_SCHEMES
    assert {S.mldsa44, S.mldsa65, S.mldsa87} == CERTIFICATE_VERIFY_SCHEMES - TLS12_SCHEMES


def test_a_curve_that_tls_does_not_have_signs_nothing(keys: dict[str, Any]) -> None:
    with pytest.raises(PeerMisbehaved, match="a key on one of NIST's curves"):
        verify(keys["brainpool"].public_key(), S.ecdsa_secp256r1_sha256, b"", DATA, tls12=True)


def test_an_rsa_key_that_is_too_short_is_refused() -> None:
    public = rsa.RSAPublicNumbers(65537, (1 << 1023) + 1).public_key()
    with pytest.raises(CertificateRejected) as caught:
        verify(public, S.rsa_pkcs1_sha256, bytes(128), DATA, tls12=True)
    assert caught.value.reason is Reason.WEAK_KEY


def test_an_id_rsassa_pss_key_does_not_sign_pkcs1() -> None:
    allowed = {scheme for scheme in (*PSS, *PKCS1) if key_oid_allows(scheme, rsa_pss_oid=True)}
    assert not allowed
    assert all(key_oid_allows(scheme, rsa_pss_oid=False) for scheme in (*PSS, *PKCS1))


@pytest.mark.parametrize("kind", MAKE)
def test_what_suites_call_a_key(kind: str, keys: dict[str, Any]) -> None:
    # RFC 8422 2.1: EdDSA goes by the name of ECDSA.
    expected = {"RSA": "RSA", "ML-DSA-44": ""}.get(kind, "ECDSA")
    assert key_kind(keys[kind].public_key()) == expected


@each_pair
def test_a_scheme_goes_with_the_suites_of_its_keys(
    kind: str, scheme: SignatureScheme, keys: dict[str, Any]
) -> None:
    assert authentication_of(scheme) == key_kind(keys[kind].public_key())


@pytest.mark.parametrize("scheme", [S.mldsa44, S.rsa_pkcs1_sha1, S.dsa_sha1])
def test_a_scheme_that_tls_12_does_not_have_goes_with_no_suite(scheme: SignatureScheme) -> None:
    assert authentication_of(scheme) == ""
