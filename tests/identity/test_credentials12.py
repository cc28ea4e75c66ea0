"""What a credential can do in TLS 1.2: sign by other schemes, and decrypt."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pellucid.codes import NamedGroup
from pellucid.codes import SignatureScheme as S
from pellucid.crypto import signatures
from pellucid.crypto.rsa import encrypt_premaster
from pellucid.errors import Misuse, Reason
from pellucid.identity.credentials import Credential
from pellucid.identity.lab import Laboratory

RSA_SCHEMES = (
    S.rsa_pss_rsae_sha256,
    S.rsa_pss_rsae_sha384,
    S.rsa_pss_rsae_sha512,
    S.rsa_pkcs1_sha256,
    S.rsa_pkcs1_sha384,
    S.rsa_pkcs1_sha512,
)
ECDSA_SCHEMES = (S.ecdsa_secp256r1_sha256, S.ecdsa_secp384r1_sha384, S.ecdsa_secp521r1_sha512)
NOW = 1_800_000_000.0
PREMASTER = b"\x03\x03" + bytes(46)


def credential_of(forged: Any) -> Credential:
    return Credential.from_pem(forged.pem, forged.key_pem)


@pytest.mark.parametrize(
    "kind, key_kind, curve, schemes",
    [
        ("ecdsa", "ECDSA", NamedGroup.secp256r1, ECDSA_SCHEMES),
        ("ecdsa_p384", "ECDSA", NamedGroup.secp384r1, (ECDSA_SCHEMES[1], ECDSA_SCHEMES[0], ECDSA_SCHEMES[2])),
        ("ecdsa_p521", "ECDSA", NamedGroup.secp521r1, (ECDSA_SCHEMES[2], ECDSA_SCHEMES[0], ECDSA_SCHEMES[1])),
        ("rsa_2048", "RSA", None, RSA_SCHEMES),
        ("ed25519", "ECDSA", None, (S.ed25519,)),
        ("ed448", "ECDSA", None, (S.ed448,)),
        ("mldsa44", "", None, ()),
    ],
)
def test_each_kind_of_key_is_what_suites_call_it_and_signs_by_its_schemes(
    forge: Any, kind: str, key_kind: str, curve: NamedGroup | None, schemes: tuple[S, ...]
) -> None:
    leaf = forge.leaf(None, kind)
    credential = credential_of(leaf)
    assert (credential.key_kind, credential.curve, credential.schemes12) == (key_kind, curve, schemes)
    for scheme in schemes:
        signature = credential.sign(scheme, b"data", tls12=True)
        signatures.verify(leaf.certificate.public_key(), scheme, signature, b"data", tls12=True)


@pytest.mark.parametrize(
    "kind, usage, can_sign, can_decrypt",
    [
        ("rsa_2048", None, True, True),
        ("rsa_2048", ("digital_signature", "key_encipherment"), True, True),
        ("rsa_2048", ("digital_signature",), True, False),
        ("rsa_2048", ("key_encipherment",), False, True),
        ("ecdsa", None, True, False),
        ("ecdsa", ("digital_signature",), True, False),
        ("ecdsa", ("digital_signature", "key_encipherment"), True, False),
    ],
)
def test_key_usage_says_what_a_key_may_do(
    forge: Any, kind: str, usage: tuple[str, ...] | None, can_sign: bool, can_decrypt: bool
) -> None:
    leaf = forge.leaf(None, kind, usage=None if usage is None else forge.key_usage(*usage))
    credential = credential_of(leaf)
    assert (credential.can_sign, credential.can_decrypt) == (can_sign, can_decrypt)
    assert bool(credential.schemes) == bool(credential.schemes12) == can_sign


@pytest.mark.parametrize("usage", [("key_agreement",), ("key_encipherment",)])
def test_a_key_that_may_neither_sign_nor_decrypt_is_refused(forge: Any, usage: tuple[str, ...]) -> None:
    for kind in ("ecdsa", "rsa_2048") if usage == ("key_agreement",) else ("ecdsa",):
        leaf = forge.leaf(None, kind, usage=forge.key_usage(*usage))
        with pytest.raises(Misuse, match="lacks digitalSignature") as caught:
            credential_of(leaf)
        assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE


def test_a_key_that_may_not_sign_does_not(forge: Any) -> None:
    credential = credential_of(forge.leaf(None, "rsa_2048", usage=forge.key_usage("key_encipherment")))
    for tls12 in (False, True):
        with pytest.raises(Misuse) as caught:
            credential.sign(S.rsa_pss_rsae_sha256, b"data", tls12=tls12)
        assert caught.value.reason is Reason.SIGNING_FAILED
    assert repr(credential) == "Credential('CN=leaf.example', 1 certificate, RSA key exchange only)"


def test_an_id_rsassa_pss_key_signs_by_pss_alone_and_does_not_decrypt(forge: Any) -> None:
    ca = forge.ca(kind="rsa_2048")
    leaf = forge.leaf(ca, "rsa_2048", usage=None)
    key = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    credential = Credential.from_der([forge.with_pss_key(leaf, ca, b"")], key)
    assert credential.schemes12 == (S.rsa_pss_pss_sha256, S.rsa_pss_pss_sha384, S.rsa_pss_pss_sha512)
    assert credential.key_kind == "RSA"
    assert not credential.can_decrypt


@pytest.mark.parametrize("scheme", [S.rsa_pkcs1_sha256, S.ecdsa_secp384r1_sha384])
def test_a_scheme_of_tls_12_alone_does_not_sign_tls_13(forge: Any, scheme: S) -> None:
    credential = credential_of(forge.leaf(None, "rsa_2048" if "rsa" in scheme.name else "ecdsa"))
    assert credential.sign(scheme, b"data", tls12=True)
    with pytest.raises(Misuse) as caught:
        credential.sign(scheme, b"data")
    assert caught.value.reason is Reason.SIGNING_FAILED


def test_a_premaster_secret_is_decrypted(forge: Any) -> None:
    leaf = forge.leaf(None, "rsa_2048", usage=None)
    ciphertext = encrypt_premaster(leaf.certificate.public_key(), PREMASTER)
    assert credential_of(leaf).decrypt_premaster(ciphertext, 0x0303, b"\xff" * 48) == PREMASTER


def test_a_wrong_one_is_replaced(forge: Any) -> None:
    leaf = forge.leaf(None, "rsa_2048", usage=None)
    found = credential_of(leaf).decrypt_premaster(bytes(256), 0x0303, b"\xff" * 48)
    assert found == b"\x03\x03" + b"\xff" * 46


@pytest.mark.parametrize("kind, usage", [("ecdsa", "digital_signature"), ("rsa_2048", "digital_signature")])
def test_a_key_that_may_not_decrypt_does_not(forge: Any, kind: str, usage: str) -> None:
    credential = credential_of(forge.leaf(None, kind, usage=forge.key_usage(usage)))
    with pytest.raises(Misuse, match="does not decrypt") as caught:
        credential.decrypt_premaster(bytes(256), 0x0303, bytes(48))
    assert caught.value.reason is Reason.INTERNAL_ERROR


@pytest.mark.parametrize("scheme", ECDSA_SCHEMES)
def test_a_laboratory_with_a_seed_repeats_its_signatures_in_tls_12(scheme: S) -> None:
    issued = Laboratory(b"seed", NOW).issue()
    credential = issued.credential
    first, second = (credential.sign(scheme, b"data", tls12=True) for _ in range(2))
    assert first == second
    signatures.verify(issued.certificate.public_key(), scheme, first, b"data", tls12=True)
