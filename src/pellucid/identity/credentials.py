"""Who we are: a certificate chain and the private key that goes with it."""

import copy
import os
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import ClassVar, Literal, Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.codes import CertificateType, NamedGroup, SignatureScheme
from pellucid.crypto import signatures
from pellucid.crypto.rsa import decrypt_premaster
from pellucid.errors import Misuse, Reason
from pellucid.identity.chain_schemes import chain_schemes
from pellucid.identity.der import UNDECODABLE, CertificateFields, certificate_fields
from pellucid.identity.key_uses import can_decrypt, curve_of, look_at_leaf, schemes_of
from pellucid.identity.names import NamePatterns, parse_server_name
from pellucid.identity.pem import parse_certificate, parse_certificates
from pellucid.identity.private_keys import (
    PrivateKey,
    bad_file,
    belongs,
    kind_of_key,
    load_private_key,
    load_private_key_der,
    load_public_key,
    usable_key,
)
from pellucid.identity.rules import has_pss_key, may_sign, patterns_in, subject_text
from pellucid.identity.signers import Signer, SignFunction, ask, checked, narrowed

#: An OCSP response, or a function that gives the latest.
Staple: TypeAlias = bytes | Callable[[], bytes | None]


class Credential:
    """A certificate chain with its private key, or with a function that signs for it. Immutable; what a
    handshake needs is worked out once, here.

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
        "signer",
        "subject",
    )

    #: What is shown to peers (RFC 7250): certificates, or in ``RawKeyCredential`` a key alone.
    certificate_type: ClassVar[CertificateType] = CertificateType.X509
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
    #: What signs in place of a private key; None where there is the key.
    signer: Signer | None

    def __init__(self, certificates: Sequence[x509.Certificate], private_key: PrivateKey | Signer) -> None:
        if not certificates:
            raise bad_file("a credential needs at least one certificate")
        leaf = certificates[0]
        self.signer = private_key if isinstance(private_key, Signer) else None
        self._key = None if isinstance(private_key, Signer) else usable_key(private_key)
        if self._key is not None and not belongs(self._key, leaf):
            detail = f"the key does not match the certificate: {_describe(self._key, leaf)}"
            raise Misuse(Reason.KEY_DOES_NOT_MATCH_CERTIFICATE, detail)
        seen = look_at_leaf(leaf)
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
        self.can_decrypt = self._key is not None and can_decrypt(leaf, seen)
        self.key_kind = signatures.key_kind(public_key)
        self.curve = curve_of(public_key)
        self.schemes = self.schemes12 = ()
        if self.can_sign:
            spki, pss = fields[0].subject_public_key_info, has_pss_key(leaf)
            self.schemes = schemes_of(public_key, spki, signatures.schemes_for, rsa_pss_oid=pss)
            self.schemes12 = schemes_of(public_key, spki, signatures.schemes12_for, rsa_pss_oid=pss)
            if not self.schemes:
                raise bad_file(f'the key of "{self.subject}" fits no signature scheme of TLS 1.3')

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
        return cls(certificates, load_private_key_der(key))

    @classmethod
    def from_pem(
        cls, chain_pem: bytes, key_pem: bytes | None = None, password: bytes | None = None
    ) -> "Credential":
        """From PEM. Key and certificates may stand in any order, in one text (``key_pem`` None) or in two.

        The leaf is the certificate that belongs to the key; its issuers follow it in order. ``password``
        opens an encrypted key.
        """
        certificates = parse_certificates(chain_pem, "the certificate chain")
        key = load_private_key(chain_pem if key_pem is None else key_pem, password)
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

    @classmethod
    def from_raw_key(
        cls,
        key_pem: bytes,
        password: bytes | None = None,
        *,
        names: Iterable[str] = (),
        sign: SignFunction | None = None,
    ) -> "Credential":
        """A key without a certificate (RFC 7250), for peers that have its public half on a list; from PEM.

        ``names``: the hosts that it is for, where a server chooses by the name that is asked for. ``sign``:
        as of ``from_signer``; then ``key_pem`` has the public key. Raises Misuse (``bad_certificate_file``).
        """
        from pellucid.identity.raw_credentials import RawKeyCredential  # noqa: PLC0415 - for who has one

        if sign is not None:
            return RawKeyCredential(load_public_key(key_pem), names, Signer(sign))
        return RawKeyCredential(load_private_key(key_pem, password), names)

    @classmethod
    def from_signer(
        cls,
        chain: bytes | Sequence[bytes],
        sign: SignFunction,
        *,
        schemes: Sequence[SignatureScheme | str] = (),
    ) -> "Credential":
        """A key that is elsewhere (an HSM, an agent, another machine): ``sign(scheme, data)`` signs with it.

        ``chain``: PEM, or DER certificates, the leaf first in both. ``sign`` is a function or a coroutine
        function. It is given the data itself, not a hash of it, and gives the signature as TLS carries it:
        ECDSA in DER, RSA-PSS with MGF1 of the same hash and a salt of its length. Of an ECDSA scheme the
        hash counts: in TLS 1.2 its name says nothing about the curve, which is the key's. It may be called
        in several threads at once. ``schemes``: what it can do, preferred first, where that is less than what
        the certificate's key could.

        The signature is verified before it is sent. One that is wrong, and whatever ``sign`` raises, ends the
        handshake with ``signing_failed``. It only signs: RSA key exchange (TLS 1.2) needs the key itself.
        Raises Misuse as the other constructors, and ``bad_configuration`` for ``schemes`` that the key cannot
        do.
        """
        ders = [chain] if isinstance(chain, bytes) else chain
        certificates = [one for der in ders for one in parse_certificates(der, "the certificate chain")]
        credential = cls(certificates, Signer(sign))
        credential._signs_only(schemes)
        return credential

    def _signs_only(self, schemes: Sequence[SignatureScheme | str]) -> None:
        """Called once, by who made it: less than what the key could do."""
        if not self.can_sign:
            detail = f'the keyUsage of "{self.subject}" is for RSA key exchange, which takes the key itself'
            raise bad_file(f"{detail}: a function only signs")
        if schemes:
            able = {str(one) for one in (*self.schemes, *self.schemes12)}
            unable = ", ".join(str(one) for one in schemes if str(one) not in able)
            if unable:
                detail = f'schemes: the key of "{self.subject}" makes no signature by {unable}'
                raise Misuse(Reason.BAD_CONFIGURATION, detail)
            self.schemes, self.schemes12 = narrowed(self.schemes, schemes), narrowed(self.schemes12, schemes)

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
            raise bad_file(f"a staple is bytes or a function, not a {type(staple).__name__}")
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

        Misuse (``signing_failed``) for any other, and where a signer fails, or would have to be waited for.
        """
        if scheme not in (self.schemes12 if tls12 else self.schemes):
            detail = f'the key of "{self.subject}" does not sign with {scheme}'
            raise Misuse(Reason.SIGNING_FAILED, detail)
        if self.signer is not None:
            return self.checked(scheme, data, ask(self, self.signer, scheme, data), tls12=tls12)
        return signatures.sign(self._key, scheme, data, tls12=tls12, public_key=self._public_key)

    def checked(self, scheme: SignatureScheme, data: bytes, signature: object, *, tls12: bool) -> bytes:
        """What a signer gave, if it is the signature that was asked for; else Misuse (``signing_failed``)."""
        return checked(self, self._public_key, scheme, data, signature, tls12=tls12)

    def decrypt_premaster(self, ciphertext: bytes, client_version: int, random_premaster: bytes) -> bytes:
        """The server's part of RSA key exchange: 48 bytes, be the ciphertext right or wrong.

        See ``crypto.rsa.decrypt_premaster``. Misuse (``internal_error``) unless ``can_decrypt``.
        """
        if not (self.can_decrypt and isinstance(self._key, rsa.RSAPrivateKey)):
            why = "" if self.signer is None else ": a function signs in its place, and only signs"
            raise Misuse(Reason.INTERNAL_ERROR, f'the key of "{self.subject}" does not decrypt{why}')
        return decrypt_premaster(self._key, ciphertext, client_version, random_premaster)

    def __repr__(self) -> str:
        count = len(self.chain)
        use = next(iter(self.schemes or self.schemes12), "RSA key exchange only")
        where = "" if self.signer is None else ", signed for by a function"
        return f"Credential({self.subject!r}, {count} certificate{'s' if count > 1 else ''}, {use}{where})"


def _read(path: str | os.PathLike[str]) -> bytes:
    from pathlib import Path  # noqa: PLC0415 - 3 ms, which those who read no file need not wait for

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise bad_file(f"{path} cannot be read: {error}") from error


def _in_order(certificates: Iterable[x509.Certificate], key: PrivateKey) -> list[x509.Certificate]:
    """Leaf first, then each one's issuer. RFC 9846 4.5.1: "Each following certificate SHOULD directly certify
    the one immediately preceding it". What certifies nothing in the chain keeps its place at the end.
    """
    rest = list(dict.fromkeys(certificates))
    leaf = next((certificate for certificate in rest if belongs(key, certificate)), None)
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
