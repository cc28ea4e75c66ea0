from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pellucid.codes import SignatureScheme
from pellucid.crypto.ecdsa_signers import possible_signers

CURVES = [
    (ec.SECP256R1(), hashes.SHA256(), SignatureScheme.ecdsa_secp256r1_sha256),
    (ec.SECP384R1(), hashes.SHA384(), SignatureScheme.ecdsa_secp384r1_sha384),
    (ec.SECP521R1(), hashes.SHA512(), SignatureScheme.ecdsa_secp521r1_sha512),
    # TLS 1.2 ties no hash to a curve: a longer one is cut off, a shorter one is taken as it is.
    (ec.SECP256R1(), hashes.SHA512(), SignatureScheme.ecdsa_secp521r1_sha512),
    (ec.SECP521R1(), hashes.SHA256(), SignatureScheme.ecdsa_secp256r1_sha256),
]
CONTENT = b"what was signed"


def key_of(private: ec.EllipticCurvePrivateKey) -> tuple[str, int, int]:
    numbers = private.public_key().public_numbers()
    return private.curve.name, numbers.x, numbers.y


@pytest.mark.parametrize("curve, digest, scheme", CURVES)
def test_who_signed_is_among_the_few_that_can_have(
    curve: ec.EllipticCurve, digest: hashes.HashAlgorithm, scheme: SignatureScheme
) -> None:
    private = ec.generate_private_key(curve)
    signature = private.sign(CONTENT, ec.ECDSA(digest))
    signers = possible_signers(scheme, signature, CONTENT)
    assert key_of(private) in signers
    for name, x, y in signers:
        assert name == curve.name
        # pyca agrees: under each of them the signature holds.
        ec.EllipticCurvePublicNumbers(x, y, curve).public_key().verify(signature, CONTENT, ec.ECDSA(digest))


def test_two_signatures_leave_the_one_key_that_made_both() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    scheme, ecdsa = SignatureScheme.ecdsa_secp256r1_sha256, ec.ECDSA(hashes.SHA256())
    first = possible_signers(scheme, private.sign(b"one", ecdsa), b"one")
    second = possible_signers(scheme, private.sign(b"other", ecdsa), b"other")
    assert first & second == {key_of(private)}


def test_damaged_signatures_leave_none() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    scheme, ecdsa = SignatureScheme.ecdsa_secp256r1_sha256, ec.ECDSA(hashes.SHA256())
    found = []
    for content in (b"one", b"other"):
        r, s = decode_dss_signature(private.sign(content, ecdsa))
        found.append(possible_signers(scheme, encode_dss_signature(r, s ^ 1), content))
    assert all(found)
    assert not found[0] & found[1]


@pytest.mark.parametrize("r, s", [(0, 1 << 255), (1 << 255, 0), (1, 1), (1 << 600, 1 << 600), (1 << 4000, 1)])
def test_numbers_that_no_signature_has_lead_nowhere(r: int, s: int) -> None:
    signature = encode_dss_signature(r, s)
    assert possible_signers(SignatureScheme.ecdsa_secp256r1_sha256, signature, CONTENT) == frozenset()


@pytest.mark.parametrize(
    "scheme, signature",
    [
        (SignatureScheme.ecdsa_secp256r1_sha256, b""),
        (SignatureScheme.ecdsa_secp256r1_sha256, b"\x30\x02\x02\x00"),
        (SignatureScheme.ed25519, bytes(64)),
        (SignatureScheme.rsa_pss_rsae_sha256, bytes(256)),
        (0xFFFF, bytes(64)),
    ],
)
def test_what_is_no_signature_by_ecdsa_has_no_signers(
    scheme: SignatureScheme | int, signature: bytes
) -> None:
    assert possible_signers(scheme, signature, CONTENT) == frozenset()
