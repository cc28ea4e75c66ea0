"""Credentials: certificates and the key that goes with them, however they come."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pellucid.codes import SignatureScheme as S
from pellucid.crypto import signatures
from pellucid.errors import Misuse, Reason
from pellucid.identity import Credential
from pellucid.identity.der import certificate_fields

SHA384_PARAMETERS = bytes.fromhex(
    "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)


@pytest.fixture(scope="module")
def chain(forge: Any) -> tuple[Any, Any, Any]:
    """Leaf, intermediate, root."""
    root = forge.ca("Root")
    intermediate = forge.ca("Intermediate", root)
    return forge.leaf(intermediate), intermediate, root


def reason_of(error: pytest.ExceptionInfo[Misuse]) -> Reason:
    return error.value.reason


def test_the_chain_is_sent_as_given_leaf_first(chain: tuple[Any, Any, Any]) -> None:
    leaf, intermediate, _ = chain
    credential = Credential.from_pem(leaf.pem + intermediate.pem, leaf.key_pem)
    assert credential.chain == (leaf.der, intermediate.der)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_certificates_in_any_order_are_sent_leaf_first_each_followed_by_its_issuer(
    chain: tuple[Any, Any, Any], order: tuple[int, ...]
) -> None:
    pem = b"".join(chain[index].pem for index in order)
    assert Credential.from_pem(pem, chain[0].key_pem).chain == tuple(one.der for one in chain)


def test_key_and_certificates_may_be_one_text_in_any_order(chain: tuple[Any, Any, Any]) -> None:
    leaf, intermediate, _ = chain
    combined = intermediate.pem + leaf.key_pem + leaf.pem
    assert Credential.from_pem(combined).chain == (leaf.der, intermediate.der)


def test_key_text_may_hold_certificates_and_parameters_too(chain: tuple[Any, Any, Any]) -> None:
    leaf = chain[0]
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    credential = Credential.from_pem(leaf.pem, parameters + leaf.pem + leaf.key_pem)
    assert credential.chain == (leaf.der,)


def test_the_same_from_files_der_and_objects(chain: tuple[Any, Any, Any], tmp_path: Path) -> None:
    leaf, intermediate, _ = chain
    (tmp_path / "chain.pem").write_bytes(leaf.pem + intermediate.pem)
    (tmp_path / "key.pem").write_bytes(leaf.key_pem)
    key = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    expected = (leaf.der, intermediate.der)
    assert Credential.from_files(tmp_path / "chain.pem", str(tmp_path / "key.pem")).chain == expected
    assert Credential.from_der([leaf.der, intermediate.der], key).chain == expected
    assert Credential.from_objects([leaf.certificate, intermediate.certificate], leaf.key).chain == expected


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_opens_with_its_password(chain: tuple[Any, Any, Any], form: PrivateFormat) -> None:
    leaf = chain[0]
    encrypted = leaf.key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret"))
    assert Credential.from_pem(leaf.pem, encrypted, b"secret").chain == (leaf.der,)


@pytest.mark.parametrize("password,words", [(None, "needs a password"), (b"wrong", "is the password right")])
def test_an_encrypted_key_without_its_password_is_misuse(
    chain: tuple[Any, Any, Any], password: bytes | None, words: str
) -> None:
    leaf = chain[0]
    encrypted = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    with pytest.raises(Misuse, match=words):
        Credential.from_pem(leaf.pem, encrypted, password)


def test_a_password_for_a_key_in_clear_is_misuse(chain: tuple[Any, Any, Any]) -> None:
    with pytest.raises(Misuse, match="is not encrypted"):
        Credential.from_pem(chain[0].pem, chain[0].key_pem, b"secret")


@pytest.mark.parametrize("other", ["ecdsa", "ecdsa_p384", "rsa_2048", "ed25519"])
def test_a_key_that_is_not_the_certificate_s_is_refused(
    forge: Any, chain: tuple[Any, Any, Any], other: str
) -> None:
    stranger = forge.leaf(None, other, name="stranger")
    with pytest.raises(Misuse, match="the key does not match the certificate") as error:
        Credential.from_pem(chain[0].pem, stranger.key_pem)
    assert reason_of(error) is Reason.KEY_DOES_NOT_MATCH_CERTIFICATE


@pytest.mark.parametrize(
    "key,words",
    [
        (b"", "no PEM private key"),
        (b"-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n", "cannot be read"),
        (b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n", "cannot be read"),
    ],
)
def test_what_is_no_key_is_misuse(chain: tuple[Any, Any, Any], key: bytes, words: str) -> None:
    with pytest.raises(Misuse, match=words) as error:
        Credential.from_pem(chain[0].pem, key)
    assert reason_of(error) is Reason.BAD_CERTIFICATE_FILE


def test_two_keys_are_misuse(chain: tuple[Any, Any, Any]) -> None:
    with pytest.raises(Misuse, match="2 private keys"):
        Credential.from_pem(chain[0].pem, chain[0].key_pem + chain[1].key_pem)


def test_a_key_without_a_tls_signature_scheme_is_refused(forge: Any) -> None:
    leaf = forge.leaf(None, "brainpool")
    with pytest.raises(Misuse, match=r"fits no signature scheme of TLS 1\.3"):
        Credential.from_pem(leaf.pem, leaf.key_pem)


def test_a_leaf_that_may_not_sign_is_refused(forge: Any) -> None:
    leaf = forge.leaf(None, usage=forge.key_usage("key_encipherment"))
    with pytest.raises(Misuse, match="lacks digitalSignature"):
        Credential.from_pem(leaf.pem, leaf.key_pem)


def test_no_certificate_is_misuse(chain: tuple[Any, Any, Any]) -> None:
    with pytest.raises(Misuse, match="at least one certificate"):
        Credential.from_objects([], chain[0].key)


@pytest.mark.parametrize(
    "kind,schemes",
    [
        ("ecdsa", (S.ecdsa_secp256r1_sha256,)),
        ("ecdsa_p384", (S.ecdsa_secp384r1_sha384,)),
        ("ecdsa_p521", (S.ecdsa_secp521r1_sha512,)),
        ("rsa_2048", (S.rsa_pss_rsae_sha256, S.rsa_pss_rsae_sha384, S.rsa_pss_rsae_sha512)),
        ("ed25519", (S.ed25519,)),
        ("ed448", (S.ed448,)),
        ("mldsa44", (S.mldsa44,)),
        ("mldsa65", (S.mldsa65,)),
        ("mldsa87", (S.mldsa87,)),
    ],
)
def test_each_kind_of_key_signs_by_its_own_schemes(forge: Any, kind: str, schemes: tuple[S, ...]) -> None:
    leaf = forge.leaf(None, kind)
    credential = Credential.from_pem(leaf.pem, leaf.key_pem)
    assert credential.schemes == schemes
    for scheme in schemes:
        signature = credential.sign(scheme, b"data")
        signatures.verify(leaf.certificate.public_key(), scheme, signature, b"data")


@pytest.mark.parametrize(
    "parameters,schemes",
    [
        (b"", (S.rsa_pss_pss_sha256, S.rsa_pss_pss_sha384, S.rsa_pss_pss_sha512)),
        (SHA384_PARAMETERS, (S.rsa_pss_pss_sha384,)),
    ],
)
def test_an_rsa_pss_key_signs_by_pss_schemes_only_and_by_the_hash_in_its_parameters(
    forge: Any, parameters: bytes, schemes: tuple[S, ...]
) -> None:
    ca = forge.ca(kind="rsa_2048")
    leaf = forge.leaf(ca, "rsa_2048")
    key = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert Credential.from_der([forge.with_pss_key(leaf, ca, parameters)], key).schemes == schemes


def test_signing_by_a_scheme_that_is_not_the_key_s_is_misuse(chain: tuple[Any, Any, Any]) -> None:
    credential = Credential.from_pem(chain[0].pem, chain[0].key_pem)
    with pytest.raises(Misuse) as error:
        credential.sign(S.ed25519, b"data")
    assert reason_of(error) is Reason.SIGNING_FAILED


def test_names_and_matching_follow_the_leaf_s_subject_alternative_name(forge: Any) -> None:
    leaf = forge.leaf(None, name="common.example", names=("a.example", "*.b.example", "192.0.2.1", "::1"))
    credential = Credential.from_pem(leaf.pem, leaf.key_pem)
    assert credential.names == ("a.example", "*.b.example", "192.0.2.1", "::1")
    assert [
        name
        for name in (
            "A.example",
            "x.b.example",
            "b.example",
            "192.0.2.1",
            "0::1",
            "common.example",
            "",
            "a b",
            "\x00",
        )
        if credential.matches(name)
    ] == ["A.example", "x.b.example", "192.0.2.1", "0::1"]


def test_a_leaf_without_subject_alternative_name_matches_nothing(forge: Any) -> None:
    leaf = forge.leaf(None, name="leaf.example", names=None)
    credential = Credential.from_pem(leaf.pem, leaf.key_pem)
    assert (credential.names, credential.matches("leaf.example")) == ((), False)


def test_issuers_are_the_names_that_certificate_authorities_would_list(chain: tuple[Any, Any, Any]) -> None:
    leaf, intermediate, root = chain
    credential = Credential.from_pem(leaf.pem + intermediate.pem, leaf.key_pem)
    expected = {certificate_fields(one.der).subject for one in (intermediate, root)}
    assert credential.issuers == expected


def test_repr_shows_no_key(chain: tuple[Any, Any, Any]) -> None:
    credential = Credential.from_pem(chain[0].pem, chain[0].key_pem)
    assert repr(credential) == "Credential('CN=leaf.example', 1 certificate, ecdsa_secp256r1_sha256)"
    assert isinstance(chain[0].key, ec.EllipticCurvePrivateKey)


def test_a_name_that_cannot_be_decoded_is_sent_as_it_is(chain: tuple[Any, Any, Any]) -> None:
    """What was certified is for peers to judge; here it is compared, and not read."""
    leaf = chain[0]
    odd = leaf.der.replace(b"Intermediate", b"\xff" * len("Intermediate"))
    key = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    credential = Credential.from_der([odd], key)
    assert credential.chain == (odd,)
    assert credential.chain_schemes == Credential.from_der([leaf.der], key).chain_schemes
