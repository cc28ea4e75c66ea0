"""Who we are: a certificate chain and the private key that goes with it."""

import copy
import os
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Literal, Self, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pellucid.codes import NamedGroup, SignatureScheme
from pellucid.crypto import signatures
from pellucid.crypto.rsa import decrypt_premaster
from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity.chain_schemes import chain_schemes
from pellucid.identity.der import UNDECODABLE, CertificateFields, certificate_fields, pss_hash
from pellucid.identity.names import NamePatterns, parse_server_name
from pellucid.identity.pem import Block, blocks, parse_certificate, parse_certificates
from pellucid.identity.rules import (
    Purpose,
    Seen,
    check_leaf_usage,
    has_pss_key,
    look_at,
    may_encipher_keys,
    may_sign,
    patterns_in,
    subject_text,
)

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
_KEY_TYPES = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
    mldsa.MLDSA44PrivateKey,
    mldsa.MLDSA65PrivateKey,
    mldsa.MLDSA87PrivateKey,
)

#: An OCSP response, or a function that gives the latest.
Staple: TypeAlias = bytes | Callable[[], bytes | None]

# The hash algorithms' OIDs (RFC 8017 B.1) as encoded.
_PSS_HASHES = {
    SignatureScheme.rsa_pss_pss_sha256: bytes.fromhex("608648016503040201"),
    SignatureScheme.rsa_pss_pss_sha384: bytes.fromhex("608648016503040202"),
    SignatureScheme.rsa_pss_pss_sha512: bytes.fromhex("608648016503040203"),
}


class Credential:
    """A certificate chain with its private key. Immutable; what a handshake needs is worked out once, here.

    Raises Misuse: ``key_does_not_match_certificate``, or ``bad_certificate_file`` for what cannot be
    parsed, a missing part, a wrong password, or a key that no handshake has a use for.
    """

    __slots__ = (
        "_key",
        "_patterns",
        "_public_key",
        "_staple",
        "_staple_until",
        "can_decrypt",
        "can_sign",
        "chain",
        "chain_schemes",
        "curve",
        "issuers",
        "key_kind",
        "names",
        "schemes",
        "schemes12",
        "subject",
    )

    #: The certificates in DER, leaf first, as they are sent.
    chain: tuple[bytes, ...]
    #: What the key can sign a CertificateVerify of TLS 1.3 with, preferred first.
    schemes: tuple[SignatureScheme, ...]
    #: What it can sign a handshake of TLS 1.2 with, preferred first.
    schemes12: tuple[SignatureScheme, ...]
    #: Whether it may sign at all, by the leaf's keyUsage; if not, both of these are empty.
    can_sign: bool
    #: Whether it can do the server's part of RSA key exchange (TLS 1.2): rsaEncryption, and allowed by
    #: keyUsage.
    can_decrypt: bool
    #: What suites of TLS 1.2 call its kind; "" where they have no name for it.
    key_kind: Literal["RSA", "ECDSA", ""]
    #: The curve of an ECDSA key, which TLS 1.2 negotiates (RFC 8422 5.1); None for other keys.
    curve: NamedGroup | None
    #: For each signature of the chain, the schemes any of which allows it.
    chain_schemes: tuple[frozenset[SignatureScheme], ...]
    #: The host names and addresses that the leaf is for.
    names: tuple[str, ...]
    #: The issuer of each certificate of the chain (DER names): what certificate_authorities is compared with.
    issuers: frozenset[bytes]
    #: The leaf's subject, for people.
    subject: str

    def __init__(self, certificates: Sequence[x509.Certificate], private_key: PrivateKey) -> None:
        if not certificates:
            raise _bad("a credential needs at least one certificate")
        if not isinstance(private_key, _KEY_TYPES):
            raise _bad(f"TLS has no use for a {type(private_key).__name__}")
        leaf = certificates[0]
        if not _belongs(private_key, leaf):
            detail = f"the key does not match the certificate: {_describe(private_key, leaf)}"
            raise Misuse(Reason.KEY_DOES_NOT_MATCH_CERTIFICATE, detail)
        seen = _look_at_leaf(leaf)
        self._key = private_key
        self._staple: Staple | None = None
        self._staple_until = inf
        self._patterns = patterns_in(seen) or NamePatterns()
        self.names = self._patterns.names
        self.chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)
        fields = [certificate_fields(der) for der in self.chain]
        self.issuers = frozenset(field.issuer for field in fields)
        self.subject = subject_text(leaf)
        self.chain_schemes = chain_schemes(certificates)
        public_key = self._public_key = leaf.public_key()
        self.can_sign = may_sign(seen)
        self.can_decrypt = _can_decrypt(leaf, seen)
        self.key_kind = signatures.key_kind(public_key)
        self.curve = _curve(public_key)
        self.schemes = self.schemes12 = ()
        if self.can_sign:
            spki = fields[0].subject_public_key_info
            self.schemes = _schemes(leaf, spki, signatures.schemes_for)
            self.schemes12 = _schemes(leaf, spki, signatures.schemes12_for)
            if not self.schemes:
                raise _bad(f'the key of "{self.subject}" fits no signature scheme of TLS 1.3')

    @classmethod
    def from_objects(cls, certificates: Sequence[x509.Certificate], private_key: PrivateKey) -> "Credential":
        """From pyca's objects; the leaf comes first."""
        return cls(certificates, private_key)

    @classmethod
    def from_der(cls, chain: Sequence[bytes], key: bytes) -> "Credential":
        """From DER certificates, the leaf first, and a DER private key that is not encrypted."""
        certificates = [
            parse_certificate(der, f"certificate {number} of the chain")
            for number, der in enumerate(chain, 1)
        ]
        try:
            private_key = serialization.load_der_private_key(key, None)
        except UNDECODABLE as error:
            raise _bad(f"the private key cannot be read: {error}") from error
        return cls(certificates, _usable(private_key))

    @classmethod
    def from_pem(
        cls, chain_pem: bytes, key_pem: bytes | None = None, password: bytes | None = None
    ) -> "Credential":
        """From PEM. Key and certificates may stand in any order, in one text (``key_pem`` None) or in two.

        The leaf is the certificate that belongs to the key; its issuers follow it in order. ``password``
        opens an encrypted key.
        """
        certificates = parse_certificates(chain_pem, "the certificate chain")
        key = _load_key(chain_pem if key_pem is None else key_pem, password)
        return cls(_in_order(certificates, key), key)

    @classmethod
    def from_files(
        cls,
        chain_path: str | os.PathLike[str],
        key_path: str | os.PathLike[str] | None = None,
        password: bytes | None = None,
        *,
        ocsp: str | os.PathLike[str] | None = None,
    ) -> "Credential":
        """From PEM files, as ``from_pem``. Misuse where one cannot be read.

        ``ocsp``: a file with the OCSP response to staple, as of ``openssl ocsp -respout``; it is read once.
        """
        key_pem = None if key_path is None else _read(key_path)
        credential = cls.from_pem(_read(chain_path), key_pem, password)
        return credential if ocsp is None else credential.with_staple(_read(ocsp))

    def with_staple(self, staple: Staple) -> Self:
        """The same, and an OCSP response to give to peers that ask for one (RFC 6066 8).

        DER bytes have to be a response about the leaf, or Misuse is raised (``bad_certificate_file``); once
        its nextUpdate is past it is not given any more. A function is called in each handshake in which it is
        asked for, so it should have its answer ready, such as a ``StapleFetcher``; what it
        gives is sent as it is, and None is for nothing.
        """
        until = inf
        if isinstance(staple, bytes):
            from pellucid.identity.revocation.own import good_until  # noqa: PLC0415 - for who has one

            until = good_until(staple, self.chain)
        elif not callable(staple):
            raise _bad(f"a staple is bytes or a function, not a {type(staple).__name__}")
        other = copy.copy(self)
        other._staple, other._staple_until = staple, until
        return other

    @property
    def staples(self) -> bool:
        """Whether there may be an OCSP response to give."""
        return self._staple is not None

    def ocsp_response(self, now: float) -> bytes | None:
        """The OCSP response to give at ``now`` (POSIX seconds), DER; None where none is current."""
        if isinstance(self._staple, bytes):
            # RFC 6066 8: clients have to refuse one that is out of date, and may do without.
            return self._staple if now <= self._staple_until else None
        # A response of no bytes has no form on the wire: it is none.
        return (None if self._staple is None else self._staple()) or None

    def matches(self, server_name: str) -> bool:
        """Whether the leaf is for this host name (wildcards count) or address; False if it is neither."""
        try:
            return self._patterns.match(parse_server_name(server_name))
        except Misuse:
            return False

    def sign(self, scheme: SignatureScheme, data: bytes, *, tls12: bool = False) -> bytes:
        """The signature of ``data`` with one of ``schemes``, or with ``tls12`` one of ``schemes12``.

        Misuse (``signing_failed``) for any other.
        """
        if scheme not in (self.schemes12 if tls12 else self.schemes):
            detail = f'the key of "{self.subject}" does not sign with {scheme}'
            raise Misuse(Reason.SIGNING_FAILED, detail)
        return signatures.sign(self._key, scheme, data, tls12=tls12, public_key=self._public_key)

    def decrypt_premaster(self, ciphertext: bytes, client_version: int, random_premaster: bytes) -> bytes:
        """The server's part of RSA key exchange: 48 bytes, be the ciphertext right or wrong.

        See ``crypto.rsa.decrypt_premaster``. Misuse (``internal_error``) unless ``can_decrypt``.
        """
        if not (self.can_decrypt and isinstance(self._key, rsa.RSAPrivateKey)):
            raise Misuse(Reason.INTERNAL_ERROR, f'the key of "{self.subject}" does not decrypt')
        return decrypt_premaster(self._key, ciphertext, client_version, random_premaster)

    def __repr__(self) -> str:
        count = len(self.chain)
        use = self.schemes[0] if self.schemes else "RSA key exchange only"
        return f"Credential({self.subject!r}, {count} certificate{'s' if count > 1 else ''}, {use})"


def _bad(detail: str) -> Misuse:
    return Misuse(Reason.BAD_CERTIFICATE_FILE, detail)


def _read(path: str | os.PathLike[str]) -> bytes:
    from pathlib import Path  # noqa: PLC0415 - 3 ms, which those who read no file need not wait for

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _bad(f"{path} cannot be read: {error}") from error


def _usable(key: object) -> PrivateKey:
    if not isinstance(key, _KEY_TYPES):
        raise _bad(f"TLS has no use for a {type(key).__name__}")
    return key


def _load_key(pem: bytes, password: bytes | None) -> PrivateKey:
    found: list[Block] = [block for block in blocks(pem) if block.label.endswith(b"PRIVATE KEY")]
    if not found:
        raise _bad("there is no PEM private key")
    if len(found) > 1:
        raise _bad(f"there are {len(found)} private keys, and one is wanted")
    try:
        return _usable(serialization.load_pem_private_key(found[0].text, password))
    except TypeError as error:
        # The library's way to say that a password was needed and not given, or given and not needed.
        wanted = (
            "is encrypted, and needs a password"
            if password is None
            else "is not encrypted, and a password was given"
        )
        raise _bad(f"the private key {wanted}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "" if password is None else " (is the password right?)"
        raise _bad(f"the private key cannot be read{hint}: {error}") from error


def load_rsa_private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """The RSA key in ``pem``, for what was encrypted with its certificate. Misuse for any other."""
    key = _load_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _bad(f"the private key is {kind_of_key(key.public_key())} one, and an RSA key is wanted")
    return key


def _belongs(key: PrivateKey, certificate: x509.Certificate) -> bool:
    try:
        public = certificate.public_key()
    except UNDECODABLE:
        return False
    return public == key.public_key()


def _in_order(certificates: Iterable[x509.Certificate], key: PrivateKey) -> list[x509.Certificate]:
    """Leaf first, then each one's issuer. RFC 9846 4.5.1: "Each following certificate SHOULD directly certify
    the one immediately preceding it". What certifies nothing in the chain keeps its place at the end.
    """
    rest = list(dict.fromkeys(certificates))
    leaf = next((certificate for certificate in rest if _belongs(key, certificate)), None)
    if leaf is None:
        return rest
    ordered: list[x509.Certificate] = []
    following: x509.Certificate | None = leaf
    while following is not None:
        ordered.append(following)
        rest.remove(following)
        issuer = _fields(following).issuer
        following = next((other for other in rest if _fields(other).subject == issuer), None)
    return ordered + rest


def _fields(certificate: x509.Certificate) -> CertificateFields:
    return certificate_fields(certificate.public_bytes(Encoding.DER))


def _describe(key: PrivateKey, leaf: x509.Certificate) -> str:
    """Both public keys' kinds, which tells two files mixed up from a renewed key."""
    try:
        certified = kind_of_key(leaf.public_key())
    except UNDECODABLE:
        certified = "an unknown"
    ours = kind_of_key(key.public_key())
    return f'"{subject_text(leaf)}" has {certified} key, and the private key is another, {ours} one'


def kind_of_key(key: object) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"an EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"an RSA {key.key_size}-bit"
    return f"an {type(key).__name__.removesuffix('PublicKey')}"


def _look_at_leaf(leaf: x509.Certificate) -> Seen:
    try:
        seen = look_at(leaf, 0)
        check_leaf_usage(seen, Purpose.KEY_EXCHANGE if _can_decrypt(leaf, seen) else Purpose.SERVER)
    except CertificateRejected as error:
        raise _bad(error.detail) from error
    return seen


def _can_decrypt(leaf: x509.Certificate, seen: Seen) -> bool:
    """RFC 5246 7.4.2, and RFC 8017 A.2.3: an id-RSASSA-PSS key is for signatures alone."""
    rsa_encryption = leaf.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5
    return rsa_encryption and may_encipher_keys(seen)


_CURVES = {
    "secp256r1": NamedGroup.secp256r1,
    "secp384r1": NamedGroup.secp384r1,
    "secp521r1": NamedGroup.secp521r1,
}


def _curve(public_key: object) -> NamedGroup | None:
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _CURVES.get(public_key.curve.name)
    return None


def _schemes(
    leaf: x509.Certificate,
    subject_public_key_info: bytes,
    schemes_for: Callable[..., tuple[SignatureScheme, ...]],
) -> tuple[SignatureScheme, ...]:
    """RFC 9846 4.3.3: rsaEncryption keys sign rsa_pss_rsae_*, id-RSASSA-PSS keys rsa_pss_pss_*, and by no
    other hash than the one in the key's parameters.
    """
    rsa_pss_oid = has_pss_key(leaf)
    schemes = schemes_for(leaf.public_key(), rsa_pss_oid=rsa_pss_oid)
    bound = pss_hash(subject_public_key_info) if rsa_pss_oid else None
    return schemes if bound is None else tuple(scheme for scheme in schemes if _PSS_HASHES[scheme] == bound)
