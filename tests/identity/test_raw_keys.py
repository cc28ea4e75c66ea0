"""Raw public keys: how they are given, which are trusted, and credentials made of one."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from loopback import credential, laboratory
from raw_keys import raw_credential, spki, trusting

from pellucid import Credential, TrustStore
from pellucid.codes import CertificateType
from pellucid.codes import SignatureScheme as S
from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.der import element
from pellucid.identity.lab_keys import make_key
from pellucid.identity.raw_keys import verify_raw_key

KEY = make_key("ecdsa", b"pellucid tests", "raw key of the server")
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PIN = hashlib.sha256(spki()).digest()


def public_der(key: Any) -> bytes:
    der: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


# -- the list


@pytest.mark.parametrize(
    "given",
    [
        PIN,
        base64.b64encode(PIN).decode(),
        "sha256//" + base64.b64encode(PIN).decode(),
        spki(),
        PUBLIC_PEM,
        PUBLIC_PEM.decode(),
        b"\n# the server's key\n"[:1] + PUBLIC_PEM,
    ],
    ids=["bytes", "base64", "as curl has it", "DER", "PEM", "PEM as text", "PEM behind a line"],
)
def test_a_key_is_given_by_its_pin_or_itself(given: str | bytes) -> None:
    assert TrustStore.from_keys([given]).keys == {PIN}


@pytest.mark.parametrize(
    "given",
    [
        b"\x30" * 33,
        b"",
        b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        laboratory().root_pem,
        PUBLIC_PEM + PUBLIC_PEM,
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "\ud800",
        None,
        7,
    ],
)
def test_what_is_no_key_is_refused(given: Any) -> None:
    with pytest.raises(Misuse) as caught:
        TrustStore.from_keys([given])
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_keys_come_on_top_of_roots() -> None:
    both = laboratory().trust.with_keys([PIN])
    assert both.certificates == laboratory().trust.certificates
    assert both.keys == {PIN}
    assert both.with_keys([hashlib.sha256(b"").digest()]).keys == {PIN, hashlib.sha256(b"").digest()}
    assert both.fingerprint != laboratory().trust.fingerprint
    assert both.description == "the laboratory's trust store, and 1 pinned key"


def test_pins_of_paths_stay_with_added_keys() -> None:
    assert laboratory().trust.pinned_to([PIN]).with_keys([spki("rsa")]).pins == {PIN}


# -- verified


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa_p384", "ecdsa_p521", "rsa", "ed25519", "ed448"])
def test_a_key_on_the_list_is_whose_it_is(kind: str) -> None:
    identity = verify_raw_key(spki(kind), trusting(spki(kind)))
    assert identity.raw_public_key == spki(kind)
    assert identity.subject == raw_credential(kind).subject
    assert identity.public_key == raw_credential(kind)._public_key
    assert not identity.rsa_pss_oid
    assert repr(identity) == f"VerifiedKey({identity.subject})"


@pytest.mark.parametrize(
    "key, reason",
    [
        (rsa.generate_private_key(65537, 1024), Reason.WEAK_KEY),  # noqa: S505 - that is the point
        (ec.generate_private_key(ec.SECP256K1()), Reason.UNSUPPORTED_CERTIFICATE),
        (x25519.X25519PrivateKey.generate(), Reason.UNSUPPORTED_CERTIFICATE),
    ],
    ids=["RSA of 1024 bits", "secp256k1", "X25519"],
)
def test_a_key_on_the_list_has_to_be_of_use(key: Any, reason: Reason) -> None:
    der = public_der(key)
    with pytest.raises(CertificateRejected) as caught:
        verify_raw_key(der, TrustStore.from_keys([der]))
    assert caught.value.reason is reason
    assert caught.value.detail.startswith("the raw public key is ")


def test_a_pin_of_what_is_no_key_helps_nobody() -> None:
    junk = b"\x30\x03\x02\x01\x00"
    with pytest.raises(CertificateRejected) as caught:
        verify_raw_key(junk, TrustStore.from_keys([hashlib.sha256(junk).digest()]))
    assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE


def test_rsa_key_exchange_takes_a_key_that_encrypts() -> None:
    assert verify_raw_key(spki("rsa"), trusting(spki("rsa")), key_exchange=True)
    with pytest.raises(CertificateRejected) as caught:
        verify_raw_key(spki(), trusting(spki()), key_exchange=True)
    assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE


def test_a_key_for_pss_alone_is_known_as_one() -> None:
    """RFC 4055: the same numbers under another OID, so another key to the list."""
    ours = spki("rsa")
    bit_string = ours[element(ours, element(ours, 0).content).end :]
    content = bytes.fromhex("300b06092a864886f70d01010a") + bit_string
    der = b"\x30\x82" + len(content).to_bytes(2) + content
    identity = verify_raw_key(der, TrustStore.from_keys([der]))
    assert identity.rsa_pss_oid
    with pytest.raises(CertificateRejected):
        verify_raw_key(der, trusting(spki("rsa")))
    with pytest.raises(CertificateRejected):
        verify_raw_key(der, TrustStore.from_keys([der]), key_exchange=True)


# -- a credential of one


def test_a_credential_of_a_key_shows_that_key() -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made = Credential.from_raw_key(pem)
    assert made.certificate_type is CertificateType.RawPublicKey
    assert credential().certificate_type is CertificateType.X509
    assert made.chain == (spki(),)
    assert made.schemes == (S.ecdsa_secp256r1_sha256,)
    assert made.subject == "raw public key sha256//" + base64.b64encode(PIN).decode()
    assert repr(made) == f"RawKeyCredential({made.subject!r}, ecdsa_secp256r1_sha256)"
    assert (made.names, made.issuers, made.staples) == ((), frozenset(), False)


def test_the_key_may_be_encrypted() -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert Credential.from_raw_key(pem, b"secret").chain == (spki(),)
    with pytest.raises(Misuse) as caught:
        Credential.from_raw_key(pem)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE


def test_a_key_is_for_the_names_that_we_say() -> None:
    made = raw_credential(names=("www.example", "192.0.2.1"))
    assert [made.matches(name) for name in ("www.example", "192.0.2.1", "other.example")] == [
        True,
        True,
        False,
    ]
    assert not raw_credential().matches("www.example")
    with pytest.raises(Misuse):
        raw_credential(names=("not a name",))
    with pytest.raises(Misuse):
        Credential.from_raw_key(
            KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), names="www.example"
        )


def test_a_key_that_makes_no_signature_is_refused() -> None:
    pem = x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(Misuse) as caught:
        Credential.from_raw_key(pem)
    assert caught.value.reason is Reason.BAD_CERTIFICATE_FILE
