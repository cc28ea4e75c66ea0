"""Signing and verifying, by SignatureScheme: a scheme names the key's kind, the hash and the padding at once.

RFC 9846 4.3.3 has the schemes; draft-ietf-tls-mldsa adds ML-DSA. What is signed comes from above: in TLS
1.3 it is the content of RFC 9846 4.5.2, with its 64 spaces and context string, and not a hash of it. In TLS
1.2, `tls12`, the code points are the same, and those of ECDSA say nothing of the curve. MD5 and SHA-1 sign
nothing here in either version.

ECDSA and RSA-PSS draw randomness of their own from the library, so that such a signature cannot be replayed;
Ed25519, Ed448 and PKCS #1 v1.5 give the same signature each time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa

from pellucid.codes import SignatureScheme, name_of
from pellucid.errors import CertificateRejected, Misuse, PeerMisbehaved, Reason

#: Bounds in bits of the RSA keys whose signatures we verify. Below 2048 a key is within reach of those who
#: can spend enough (NIST SP 800-57 part 1 rates 2048 at 112 bits, and 1024, at 80, as not to be used).
RSA_MINIMUM_BITS = 2048
#: A verification costs as the square of the size, and the peer chooses the size before it has proved
#: anything: 8192 bits take 0.3 ms (0.9 with the worst exponent), and no public CA issues more than 4096.
RSA_MAXIMUM_BITS = 8192
#: The library bounds the exponent by itself above 3072 bits only: below, one as long as the modulus takes
#: 4 ms. Nobody issues more than 32 bits of it.
RSA_MAXIMUM_EXPONENT_BITS = 64

#: The curves that keys for ECDSA are on.
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class Algorithm(ABC):
    """How one scheme signs and verifies. `key_name` says in an error which kind of key it needs."""

    key_name: str

    @abstractmethod
    def fits(self, public_key: object) -> bool:
        """Whether `public_key` is of the kind (and for curves, on the curve) that the scheme is for."""

    @abstractmethod
    def sign(self, private_key: Any, data: bytes) -> bytes:
        """The signature, in the form that CertificateVerify carries."""

    @abstractmethod
    def verify(self, public_key: Any, signature: bytes, data: bytes) -> None:
        """Raises InvalidSignature unless `signature` is one of `data`, however large the key."""


class Ecdsa(Algorithm):
    """ECDSA (FIPS 186-5 6); the signature is a DER ECDSA-Sig-Value.

    RFC 9846 4.3.3: in TLS 1.3 the scheme ties the hash to the curve. `curve` None takes any of `CURVES`, as
    TLS 1.2 does.
    """

    def __init__(self, curve: type[ec.EllipticCurve] | None, hash_algorithm: hashes.HashAlgorithm) -> None:
        self.key_name = "a key on one of NIST's curves" if curve is None else f"a key on {curve.name}"
        self._curves = CURVES if curve is None else (curve,)
        self._ecdsa = ec.ECDSA(hash_algorithm)

    def fits(self, public_key: object) -> bool:
        return isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(
            public_key.curve, self._curves
        )

    def sign(self, private_key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        return private_key.sign(data, self._ecdsa)

    def verify(self, public_key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
        public_key.verify(signature, data, self._ecdsa)


class RsaPss(Algorithm):
    """RSASSA-PSS (RFC 8017 8.1) with MGF1, one hash for both."""

    key_name = "an RSA key"

    def __init__(self, hash_algorithm: hashes.HashAlgorithm) -> None:
        # RFC 9846 4.3.3: "The length of the Salt MUST be equal to the length of the output of the digest
        # algorithm."
        self._padding = padding.PSS(padding.MGF1(hash_algorithm), hash_algorithm.digest_size)
        self._hash = hash_algorithm

    def fits(self, public_key: object) -> bool:
        if not isinstance(public_key, rsa.RSAPublicKey):
            return False
        # RFC 8017 9.1.1: the encoded message has one bit less than the modulus, and holds hash, salt and 2
        # bytes.
        return (public_key.key_size - 1 + 7) // 8 >= 2 * self._hash.digest_size + 2

    def sign(self, private_key: rsa.RSAPrivateKey, data: bytes) -> bytes:
        return private_key.sign(data, self._padding, self._hash)

    def verify(self, public_key: rsa.RSAPublicKey, signature: bytes, data: bytes) -> None:
        public_key.verify(signature, data, self._padding, self._hash)


class RsaPkcs1(Algorithm):
    """RSASSA-PKCS1-v1_5 (RFC 8017 8.2): in certificates, and in TLS 1.2."""

    key_name = "an RSA key"

    def __init__(self, hash_algorithm: hashes.HashAlgorithm) -> None:
        self._padding = padding.PKCS1v15()
        self._hash = hash_algorithm

    def fits(self, public_key: object) -> bool:
        return isinstance(public_key, rsa.RSAPublicKey)

    def sign(self, private_key: rsa.RSAPrivateKey, data: bytes) -> bytes:
        return private_key.sign(data, self._padding, self._hash)

    def verify(self, public_key: rsa.RSAPublicKey, signature: bytes, data: bytes) -> None:
        public_key.verify(signature, data, self._padding, self._hash)


class Pure(Algorithm):
    """Ed25519, Ed448 (RFC 8032) and ML-DSA (FIPS 204): the message as it is, and nothing to choose.

    The context string of ML-DSA is empty in TLS (draft-ietf-tls-mldsa), which is the library's default.
    """

    def __init__(self, key_name: str, public_class: type[Any]) -> None:
        self.key_name = key_name
        self._public_class = public_class

    def fits(self, public_key: object) -> bool:
        return isinstance(public_key, self._public_class)

    def sign(self, private_key: Any, data: bytes) -> bytes:
        signature: bytes = private_key.sign(data)
        return signature

    def verify(self, public_key: Any, signature: bytes, data: bytes) -> None:
        public_key.verify(signature, data)


_S = SignatureScheme

_PSS_RSAE = (_S.rsa_pss_rsae_sha256, _S.rsa_pss_rsae_sha384, _S.rsa_pss_rsae_sha512)
_PSS_PSS = (_S.rsa_pss_pss_sha256, _S.rsa_pss_pss_sha384, _S.rsa_pss_pss_sha512)
_PKCS1 = (_S.rsa_pkcs1_sha256, _S.rsa_pkcs1_sha384, _S.rsa_pkcs1_sha512)
_NOT_BY_PSS_KEYS = (*_PSS_RSAE, *_PKCS1)
_PSS = (RsaPss(hashes.SHA256()), RsaPss(hashes.SHA384()), RsaPss(hashes.SHA512()))

# What CertificateVerify may be signed with in TLS 1.3.
_TLS13: dict[SignatureScheme, Algorithm] = {
    _S.ecdsa_secp256r1_sha256: Ecdsa(ec.SECP256R1, hashes.SHA256()),
    _S.ecdsa_secp384r1_sha384: Ecdsa(ec.SECP384R1, hashes.SHA384()),
    _S.ecdsa_secp521r1_sha512: Ecdsa(ec.SECP521R1, hashes.SHA512()),
    _S.ed25519: Pure("an Ed25519 key", ed25519.Ed25519PublicKey),
    _S.ed448: Pure("an Ed448 key", ed448.Ed448PublicKey),
    **dict(zip(_PSS_RSAE, _PSS, strict=True)),
    **dict(zip(_PSS_PSS, _PSS, strict=True)),
    _S.mldsa44: Pure("an ML-DSA-44 key", mldsa.MLDSA44PublicKey),
    _S.mldsa65: Pure("an ML-DSA-65 key", mldsa.MLDSA65PublicKey),
    _S.mldsa87: Pure("an ML-DSA-87 key", mldsa.MLDSA87PublicKey),
}
# RFC 9846 4.3.3: these "refer solely to signatures which appear in certificates".
_CERTIFICATES_ONLY: dict[SignatureScheme, Algorithm] = {
    _S.rsa_pkcs1_sha256: RsaPkcs1(hashes.SHA256()),
    _S.rsa_pkcs1_sha384: RsaPkcs1(hashes.SHA384()),
    _S.rsa_pkcs1_sha512: RsaPkcs1(hashes.SHA512()),
}

#: The schemes that may sign a CertificateVerify in TLS 1.3.
CERTIFICATE_VERIFY_SCHEMES: frozenset[int] = frozenset(_TLS13)
#: All schemes that `verify` knows.
SCHEMES: tuple[SignatureScheme, ...] = (*_TLS13, *_CERTIFICATES_ONLY)

# What ServerKeyExchange and CertificateVerify may be signed with in TLS 1.2, where PKCS #1 v1.5 may as well,
# and where RFC 9846 4.3.3: "the old semantics did not constrain the signing curve". What RFC 5246 7.4.1.4.1
# has besides is not here, and no configuration can ask for it: of SHA-1 and MD5 an attacker can have
# collisions, and with them a handshake's signature (SLOTH). RFC 9846 4.3.3: "MD5 [SLOTH], SHA-224, and DSA
# MUST NOT be used."
_TLS12: dict[SignatureScheme, Algorithm] = {
    _S.ecdsa_secp256r1_sha256: Ecdsa(None, hashes.SHA256()),
    _S.ecdsa_secp384r1_sha384: Ecdsa(None, hashes.SHA384()),
    _S.ecdsa_secp521r1_sha512: Ecdsa(None, hashes.SHA512()),
    _S.ed25519: _TLS13[_S.ed25519],
    _S.ed448: _TLS13[_S.ed448],
    **dict(zip(_PSS_RSAE, _PSS, strict=True)),
    **dict(zip(_PSS_PSS, _PSS, strict=True)),
    **_CERTIFICATES_ONLY,
}

#: The schemes that may sign a handshake of TLS 1.2.
TLS12_SCHEMES: frozenset[int] = frozenset(_TLS12)

_ALGORITHMS: dict[int, Algorithm] = dict((*_TLS13.items(), *_CERTIFICATES_ONLY.items()))
_ALGORITHMS12: dict[int, Algorithm] = dict(_TLS12.items())


def sign(
    private_key: Any, scheme: int, data: bytes, *, tls12: bool = False, public_key: object = None
) -> bytes:
    """The signature of `data` by `scheme`, in the form that CertificateVerify carries.

    `tls12`: by what the scheme means in TLS 1.2. `public_key`: the one that belongs to `private_key`, where
    it is at hand. Raises Misuse(SIGNING_FAILED) if the key is not one for the scheme, or cannot hold its
    padding.
    """
    algorithm = (_ALGORITHMS12 if tls12 else _ALGORITHMS).get(scheme)
    if algorithm is None or not algorithm.fits(public_key or private_key.public_key()):
        kind = type(private_key).__name__
        raise Misuse(Reason.SIGNING_FAILED, f"a {kind} cannot sign with {name_of(scheme, SignatureScheme)}")
    return algorithm.sign(private_key, data)


def verify(
    public_key: Any,
    scheme: int,
    signature: bytes,
    data: bytes,
    *,
    tls12: bool = False,
    rsa_minimum_bits: int | None = None,
) -> None:
    """Returns if `signature` is one of `data` by `public_key` and `scheme`; raises otherwise.

    PeerMisbehaved(BAD_SIGNATURE) if it is not; PeerMisbehaved(ILLEGAL_PARAMETER) if the scheme is not one
    for the key; CertificateRejected(WEAK_KEY) for an RSA key below `RSA_MINIMUM_BITS`,
    (UNSUPPORTED_CERTIFICATE) for one above `RSA_MAXIMUM_BITS`. The library does not tell id-RSASSA-PSS keys
    from rsaEncryption: whether rsae or pss schemes may be used follows from the certificate, by
    `schemes_for`. `tls12`: by what the scheme means in TLS 1.2. `rsa_minimum_bits` is given only
    by who looks on and decides nothing.
    """
    algorithm = (_ALGORITHMS12 if tls12 else _ALGORITHMS).get(scheme)
    # RFC 9846 4.5.2: "the signature algorithm MUST be compatible with the key in the sender's end-entity
    # certificate."
    if algorithm is None or not algorithm.fits(public_key):
        needed = "which is not supported" if algorithm is None else f"which needs {algorithm.key_name}"
        kind = type(public_key).__name__
        name = name_of(scheme, SignatureScheme)
        raise PeerMisbehaved(
            Reason.ILLEGAL_PARAMETER, f"the peer signed with {name}, {needed}; its key is a {kind}"
        )
    if isinstance(public_key, rsa.RSAPublicKey):
        check_rsa_size(public_key, rsa_minimum_bits)
    try:
        algorithm.verify(public_key, signature, data)
    except InvalidSignature as error:
        name = name_of(scheme, SignatureScheme)
        raise PeerMisbehaved(Reason.BAD_SIGNATURE, f"the peer's {name} signature is wrong") from error


def is_signature(public_key: Any, scheme: int, signature: bytes, data: bytes, *, tls12: bool = False) -> bool:
    """Whether `signature` is one of `data`, for signatures of our own: the size of the key is no question."""
    algorithm = (_ALGORITHMS12 if tls12 else _ALGORITHMS).get(scheme)
    if algorithm is None or not algorithm.fits(public_key):
        return False
    try:
        algorithm.verify(public_key, signature, data)
    except InvalidSignature:
        return False
    return True


def check_rsa_size(public_key: rsa.RSAPublicKey, minimum_bits: int | None = None) -> None:
    """Raises CertificateRejected unless the key is within `RSA_MINIMUM_BITS`, or the minimum that is given,
    `RSA_MAXIMUM_BITS` and `RSA_MAXIMUM_EXPONENT_BITS`.
    """
    bits = public_key.key_size
    minimum_bits = RSA_MINIMUM_BITS if minimum_bits is None else minimum_bits
    if bits < minimum_bits:
        raise CertificateRejected(Reason.WEAK_KEY, f"an RSA key of {bits} bits; {minimum_bits} is the least")
    if bits > RSA_MAXIMUM_BITS:
        raise CertificateRejected(
            Reason.UNSUPPORTED_CERTIFICATE, f"an RSA key of {bits} bits; {RSA_MAXIMUM_BITS} is the most"
        )
    exponent_bits = public_key.public_numbers().e.bit_length()
    if exponent_bits > RSA_MAXIMUM_EXPONENT_BITS:
        most = f"{RSA_MAXIMUM_EXPONENT_BITS} is the most"
        detail = f"an RSA key with an exponent of {exponent_bits} bits; {most}"
        raise CertificateRejected(Reason.UNSUPPORTED_CERTIFICATE, detail)


def is_too_costly(public_key: object) -> bool:
    """Whether checking a signature by this key takes longer than a peer may make us work.

    DSA always does: its sizes are hardly bounded, and no signature by it counts for anything here.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        exponent_bits = public_key.public_numbers().e.bit_length()
        return public_key.key_size > RSA_MAXIMUM_BITS or exponent_bits > RSA_MAXIMUM_EXPONENT_BITS
    return isinstance(public_key, dsa.DSAPublicKey)


def key_oid_allows(scheme: SignatureScheme, *, rsa_pss_oid: bool) -> bool:
    """RFC 9846 4.3.3: id-RSASSA-PSS keys sign with the pss schemes, rsaEncryption keys with all the others.

    The library does not tell the two apart: `rsa_pss_oid` comes from the certificate.
    """
    return scheme not in (_NOT_BY_PSS_KEYS if rsa_pss_oid else _PSS_PSS)


def schemes_for(public_key: object, *, rsa_pss_oid: bool = False) -> tuple[SignatureScheme, ...]:
    """The schemes by which `public_key`'s owner can sign a TLS 1.3 CertificateVerify, best first.

    `rsa_pss_oid`: the certificate names the key id-RSASSA-PSS, which allows the pss schemes and forbids the
    rsae ones. A small RSA key lacks the schemes whose hash and salt do not fit its modulus. Empty for a key
    that TLS 1.3 has no use for.
    """
    return _fitting(_TLS13, public_key, rsa_pss_oid=rsa_pss_oid)


def schemes12_for(public_key: object, *, rsa_pss_oid: bool = False) -> tuple[SignatureScheme, ...]:
    """The schemes by which `public_key`'s owner can sign a handshake of TLS 1.2, best first.

    PSS comes before PKCS #1 v1.5, and for ECDSA the hash that goes with the curve before the others.
    `rsa_pss_oid` and what is left out: as `schemes_for`.
    """
    fitting = _fitting(_TLS12, public_key, rsa_pss_oid=rsa_pss_oid)
    # Stable: what TLS 1.3 would sign with leads, the rest keeps its order.
    return tuple(sorted(fitting, key=lambda s: s not in _TLS13 or not _TLS13[s].fits(public_key)))


def _fitting(
    algorithms: dict[SignatureScheme, Algorithm], public_key: object, *, rsa_pss_oid: bool
) -> tuple[SignatureScheme, ...]:
    return tuple(
        scheme
        for scheme, algorithm in algorithms.items()
        if key_oid_allows(scheme, rsa_pss_oid=rsa_pss_oid) and algorithm.fits(public_key)
    )


_EDWARDS = (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)


def key_kind(public_key: object) -> Literal["RSA", "ECDSA", ""]:
    """What suites of TLS 1.2 call the kind of key; "" for one that they have no name for, such as ML-DSA.

    RFC 8422 2.1: where a suite says ECDSA, the certificate has "an ECDSA- or EdDSA-capable public key".
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return "RSA"
    return "ECDSA" if isinstance(public_key, (ec.EllipticCurvePublicKey, *_EDWARDS)) else ""


def authentication_of(scheme: SignatureScheme) -> Literal["RSA", "ECDSA", ""]:
    """What suites of TLS 1.2 call those who sign by `scheme`; "" for a scheme that TLS 1.2 does not have."""
    if scheme not in _TLS12:
        return ""
    return "RSA" if isinstance(_TLS12[scheme], RsaPss | RsaPkcs1) else "ECDSA"
