"""Credentials whose key is elsewhere: a function signs for them, and what it gives is looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from pellucid.codes import SignatureScheme as S
from pellucid.crypto import signatures
from pellucid.errors import Misuse, Reason
from pellucid.identity import Credential
from pellucid.identity.lab import Laboratory

NOW = 1_800_000_000.0
DATA = b"what is to be signed"
KINDS = ("ecdsa", "ecdsa_p384", "rsa", "rsa_pss", "ed25519", "ed448", "mldsa44")


class SigningLaboratory(Laboratory):
    """Issues certificates, and keeps their keys."""

    def signed_for(self, kind: str, how: Callable[[Credential], Any] | None = None) -> Credential:
        """A credential whose signer is made by ``how`` out of one with the key; by default an honest one."""
        issued = self.issue(kind)
        return Credential.from_signer(issued.chain_pem, (how or (lambda own: own.sign))(issued.credential))


@pytest.fixture(scope="module")
def laboratory() -> SigningLaboratory:
    return SigningLaboratory(b"signers", NOW)


def failure(credential: Credential, scheme: S, *, tls12: bool = False) -> str:
    with pytest.raises(Misuse) as caught:
        credential.sign(scheme, DATA, tls12=tls12)
    assert caught.value.reason is Reason.SIGNING_FAILED
    assert '"CN=localhost"' in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rsa_pss"])
def test_a_function_signs_by_every_scheme_of_its_certificates_key(
    laboratory: SigningLaboratory, kind: str
) -> None:
    own = laboratory.issue(kind).credential
    credential = laboratory.signed_for(kind)
    assert (credential.schemes, credential.schemes12) == (own.schemes, own.schemes12)
    assert (credential.chain, credential.key_kind) == (own.chain, own.key_kind)
    for scheme in own.schemes:
        signature = credential.sign(scheme, DATA)
        signatures.verify(own._public_key, scheme, signature, DATA)


def test_in_tls12_the_scheme_names_the_hash_and_the_curve_is_the_keys(laboratory: SigningLaboratory) -> None:
    credential = laboratory.signed_for("ecdsa", lambda own: partial(own.sign, tls12=True))
    signature = credential.sign(S.ecdsa_secp384r1_sha384, DATA, tls12=True)
    signatures.verify(credential._public_key, S.ecdsa_secp384r1_sha384, signature, DATA, tls12=True)


def test_the_function_is_given_the_scheme_and_the_data_itself(laboratory: SigningLaboratory) -> None:
    asked: list[tuple[S, bytes]] = []

    def recording(own: Credential) -> Callable[[S, bytes], bytes]:
        def sign(scheme: S, data: bytes) -> bytes:
            asked.append((scheme, data))
            return own.sign(scheme, data)

        return sign

    laboratory.signed_for("ecdsa", recording).sign(S.ecdsa_secp256r1_sha256, DATA)
    assert asked == [(S.ecdsa_secp256r1_sha256, DATA)]


def test_the_chain_may_be_der(laboratory: SigningLaboratory) -> None:
    own = laboratory.issue().credential
    assert Credential.from_signer(own.chain, own.sign).chain == own.chain


def test_it_says_that_a_function_signs_and_shows_no_secret(laboratory: SigningLaboratory) -> None:
    assert repr(laboratory.signed_for("ecdsa")) == (
        "Credential('CN=localhost', 2 certificates, ecdsa_secp256r1_sha256, signed for by a function)"
    )


# -- what comes instead of a signature


def raises(error: BaseException) -> Callable[[Credential], Any]:
    def sign(_: S, __: bytes) -> bytes:
        raise error

    return lambda _: sign


def gives(value: object) -> Callable[[Credential], Any]:
    return lambda _: lambda __, ___: value


@pytest.mark.parametrize(
    "how, said",
    [
        (raises(TimeoutError("the HSM is silent")), "TimeoutError: the HSM is silent"),
        (raises(KeyError()), "KeyError"),
        (gives(None), "a NoneType instead of bytes"),
        (gives("3045"), "a str instead of bytes"),
    ],
    ids=["timeout", "without words", "None", "text"],
)
def test_what_goes_wrong_in_the_function_is_told(
    laboratory: SigningLaboratory, how: Callable[[Credential], Any], said: str
) -> None:
    told = failure(laboratory.signed_for("ecdsa", how), S.ecdsa_secp256r1_sha256)
    assert told == f'the signer of "CN=localhost" gave no ecdsa_secp256r1_sha256 signature: {said}'


def test_what_the_function_raised_is_the_cause(laboratory: SigningLaboratory) -> None:
    error = TimeoutError("the HSM is silent")
    with pytest.raises(Misuse) as caught:
        laboratory.signed_for("ecdsa", raises(error)).sign(S.ecdsa_secp256r1_sha256, DATA)
    assert caught.value.__cause__ is error


def test_a_function_that_gives_a_coroutine_is_told_what_to_be(laboratory: SigningLaboratory) -> None:
    async def later(_: S, __: bytes) -> bytes:
        return b""

    def sign(scheme: S, data: bytes) -> Any:
        return later(scheme, data)

    told = failure(laboratory.signed_for("ecdsa", lambda _: sign), S.ecdsa_secp256r1_sha256)
    assert "is to be a coroutine function" in told


def test_a_coroutine_function_is_not_called_where_nobody_waits(laboratory: SigningLaboratory) -> None:
    async def later(_: S, __: bytes) -> bytes:
        raise AssertionError

    told = failure(laboratory.signed_for("ecdsa", lambda _: later), S.ecdsa_secp256r1_sha256)
    assert "is a coroutine function" in told


def side_by_side(own: Credential) -> Any:
    def sign(scheme: S, data: bytes) -> bytes:
        r, s = decode_dss_signature(own.sign(scheme, data))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def hashed_before(own: Credential) -> Any:
    def sign(scheme: S, data: bytes) -> bytes:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(data)
        return own.sign(scheme, digest.finalize())

    return sign


@pytest.mark.parametrize(
    "kind, how, scheme, said",
    [
        ("ecdsa", side_by_side, S.ecdsa_secp256r1_sha256, "it is r and s side by side"),
        ("ecdsa", hashed_before, S.ecdsa_secp256r1_sha256, "the data was hashed twice"),
        ("rsa", hashed_before, S.rsa_pss_rsae_sha256, "the data was hashed twice"),
        (
            "rsa",
            lambda own: lambda _, data: own.sign(S.rsa_pkcs1_sha256, data, tls12=True),
            S.rsa_pss_rsae_sha256,
            "it is one by rsa_pkcs1_sha256",
        ),
        (
            "rsa",
            lambda own: lambda _, data: own.sign(S.rsa_pss_rsae_sha256, data),
            S.rsa_pss_rsae_sha384,
            "it is one by rsa_pss_rsae_sha256",
        ),
        (
            "rsa",
            lambda own: lambda scheme, data: own.sign(scheme, data + b"!"),
            S.rsa_pss_rsae_sha256,
            "it is not of what was to be signed, or not by the certificate's key; PSS is with MGF1",
        ),
        ("ed25519", gives(bytes(64)), S.ed25519, "it is not of what was to be signed"),
        ("ecdsa", gives(b""), S.ecdsa_secp256r1_sha256, "it is not of what was to be signed"),
        ("mldsa44", gives(b"?" * 5000), S.mldsa44, "it is not of what was to be signed"),
    ],
    ids=["r and s", "ecdsa twice", "rsa twice", "pkcs1", "hash", "data", "ed25519", "empty", "long"],
)
def test_a_wrong_signature_is_found_and_the_mistake_named_where_it_can_be(
    laboratory: SigningLaboratory, kind: str, how: Callable[[Credential], Any], scheme: S, said: str
) -> None:
    assert f"gave a wrong {scheme} signature: {said}" in failure(laboratory.signed_for(kind, how), scheme)


def test_another_keys_signature_is_wrong(laboratory: SigningLaboratory) -> None:
    other = Laboratory(b"others", NOW).issue().credential
    told = failure(laboratory.signed_for("ecdsa", lambda _: other.sign), S.ecdsa_secp256r1_sha256)
    assert "not by the certificate's key" in told


def test_a_scheme_that_is_not_the_keys_is_not_asked_for(laboratory: SigningLaboratory) -> None:
    told = failure(laboratory.signed_for("ecdsa", raises(AssertionError())), S.rsa_pss_rsae_sha256)
    assert "does not sign with rsa_pss_rsae_sha256" in told


# -- what a signer can do


def test_a_signer_may_have_fewer_schemes_in_an_order_of_its_own(laboratory: SigningLaboratory) -> None:
    issued = laboratory.issue("rsa")
    wanted = ["rsa_pkcs1_sha256", S.rsa_pss_rsae_sha384, "rsa_pss_rsae_sha256"]
    credential = Credential.from_signer(issued.chain_pem, issued.credential.sign, schemes=wanted)
    assert credential.schemes == (S.rsa_pss_rsae_sha384, S.rsa_pss_rsae_sha256)
    assert credential.schemes12 == (S.rsa_pkcs1_sha256, S.rsa_pss_rsae_sha384, S.rsa_pss_rsae_sha256)
    assert "rsa_pss_rsae_sha512" in failure(credential, S.rsa_pss_rsae_sha512)


def test_a_signer_may_be_of_tls12_alone(laboratory: SigningLaboratory) -> None:
    issued = laboratory.issue("rsa")
    credential = Credential.from_signer(
        issued.chain_pem, issued.credential.sign, schemes=["rsa_pkcs1_sha256"]
    )
    assert (credential.schemes, credential.schemes12) == ((), (S.rsa_pkcs1_sha256,))
    assert "rsa_pkcs1_sha256" in repr(credential)


@pytest.mark.parametrize("schemes", [["ed25519"], ["ecdsa_secp256r1_sha256", "rsa_md5"]])
def test_schemes_that_the_key_does_not_have_are_refused(
    laboratory: SigningLaboratory, schemes: list[str]
) -> None:
    issued = laboratory.issue("ecdsa")
    with pytest.raises(Misuse, match=f"schemes: .* no signature by {schemes[-1]}") as caught:
        Credential.from_signer(issued.chain_pem, issued.credential.sign, schemes=schemes)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_what_cannot_be_called_signs_nothing(laboratory: SigningLaboratory) -> None:
    not_a_function: Any = b"a key?"
    with pytest.raises(Misuse, match="what signs is a function, not a bytes"):
        Credential.from_signer(laboratory.issue().chain_pem, not_a_function)


def test_a_signer_needs_a_certificate() -> None:
    with pytest.raises(Misuse, match="at least one certificate"):
        Credential.from_signer([], lambda _, data: data)


# -- RSA key exchange


def test_a_function_only_signs_and_does_not_decrypt(laboratory: SigningLaboratory) -> None:
    credential = laboratory.signed_for("rsa")
    assert laboratory.issue("rsa").credential.can_decrypt
    assert not credential.can_decrypt
    with pytest.raises(Misuse, match="does not decrypt: a function signs in its place, and only signs"):
        credential.decrypt_premaster(bytes(256), 0x0303, bytes(48))


def test_a_certificate_for_key_exchange_alone_is_none_for_a_signer(forge: Any) -> None:
    leaf = forge.leaf(None, "rsa_2048", usage=forge.key_usage("key_encipherment"))
    with pytest.raises(Misuse, match="is for RSA key exchange, which takes the key itself") as caught:
        Credential.from_signer(leaf.pem, lambda _, data: data)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE


def test_a_staple_goes_with_a_signer_as_with_a_key(laboratory: SigningLaboratory) -> None:
    issued = laboratory.issue()
    credential = laboratory.signed_for("ecdsa").with_staple(laboratory.ocsp_response(issued.certificate))
    assert credential.staples
    assert credential.sign(S.ecdsa_secp256r1_sha256, DATA)
