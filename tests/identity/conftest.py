"""A forge for certificates that no laboratory would issue, and what the tests of identity share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pellucid.identity.der import element
from pellucid.identity.lab import Laboratory
from pellucid.identity.lab_keys import make_key
from pellucid.identity.trust import TrustStore

NOW = 1_800_000_000.0
DAY = 86_400
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH

Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Forged:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return private_pem(self.key)

    @property
    def trust(self) -> TrustStore:
        return TrustStore.from_certificates((self.certificate,))


@dataclass(frozen=True)
class PublicOnly:
    """Half a key, for certificates whose key signs nothing."""

    half: Any

    def public_key(self) -> Any:
        return self.half


def private_pem(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_usage(*names: str) -> x509.KeyUsage:
    usages = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{usage: usage in names for usage in usages})


class Forge:
    """Makes proper certificates, in which each part can be replaced, left out or forged."""

    def __init__(self) -> None:
        self._keys: dict[str, Any] = {}

    def key(self, kind: str, label: str) -> Any:
        """The same key each time, made once."""
        name = f"{kind} {label}"
        if name not in self._keys:
            if kind == "rsa_16384":
                # Never used: a modulus of that size takes minutes to find, and a public key need not have
                # been found.
                self._keys[name] = PublicOnly(rsa.RSAPublicNumbers(65_537, 2**16_383 + 1).public_key())
            elif kind == "rsa_costly_exponent":
                numbers = rsa.generate_private_key(65_537, 2048).public_key().public_numbers()
                self._keys[name] = PublicOnly(rsa.RSAPublicNumbers(numbers.n - 2, numbers.n).public_key())
            elif kind.startswith("rsa_"):
                self._keys[name] = rsa.generate_private_key(65_537, int(kind.removeprefix("rsa_")))
            elif kind.startswith("brainpool"):
                self._keys[name] = ec.derive_private_key(4711, ec.BrainpoolP256R1())
            else:
                self._keys[name] = make_key(kind, b"forge", name)
        return self._keys[name]

    def ca(
        self,
        name: str = "Root",
        issuer: Forged | None = None,
        kind: str = "ecdsa",
        *,
        path_length: int | None = None,
        basic_constraints: Extension | str | None = "usual",
        usage: x509.KeyUsage | str | None = "usual",
        **rest: Any,
    ) -> Forged:
        if basic_constraints == "usual":
            basic_constraints = (x509.BasicConstraints(ca=True, path_length=path_length), True)
        if usage == "usual":
            usage = key_usage("key_cert_sign", "crl_sign")
        return self._make(name, issuer, kind, basic_constraints, usage, **rest)

    def leaf(
        self,
        issuer: Forged | None,
        kind: str = "ecdsa",
        *,
        name: str = "leaf.example",
        names: Sequence[str] | None = ("leaf.example",),
        purposes: Sequence[x509.ObjectIdentifier] | None = (SERVER_AUTH,),
        basic_constraints: Extension | str | None = "usual",
        usage: x509.KeyUsage | str | None = "usual",
        extensions: Sequence[Extension] = (),
        **rest: Any,
    ) -> Forged:
        if basic_constraints == "usual":
            basic_constraints = (x509.BasicConstraints(ca=False, path_length=None), True)
        if usage == "usual":
            usage = key_usage("digital_signature")
        more = list(extensions)
        if names is not None:
            more.append((x509.SubjectAlternativeName([general_name(text) for text in names]), False))
        if purposes is not None:
            more.append((x509.ExtendedKeyUsage(purposes), False))
        return self._make(name, issuer, kind, basic_constraints, usage, extensions=more, **rest)

    @staticmethod
    def key_usage(*names: str) -> x509.KeyUsage:
        return key_usage(*names)

    @staticmethod
    def with_pss_key(leaf: Forged, issuer: Forged, parameters: bytes = b"") -> bytes:
        return with_pss_key(leaf, issuer, parameters)

    @staticmethod
    def as_version_1(leaf: Forged, issuer: Forged) -> bytes:
        return as_version_1(leaf, issuer)

    @staticmethod
    def altered(subject: Forged, issuer: Forged, alter: Callable[[list[bytes]], list[bytes]]) -> bytes:
        return altered(subject, issuer, alter)

    def _make(
        self,
        name: str,
        issuer: Forged | None,
        kind: str,
        basic_constraints: Any,
        usage: Any,
        *,
        extensions: Sequence[Extension] = (),
        days: tuple[float, float] = (-1, 30),
        signed_by: Any = None,
        hash_algorithm: hashes.HashAlgorithm | None = None,
        rsa_padding: padding.PSS | None = None,
        key_identifiers: bool = True,
        key_label: str | None = None,
    ) -> Forged:
        key = self.key(kind, key_label or name)
        signer = signed_by or (issuer.key if issuer else key)
        issuer_key = issuer.key if issuer else key
        first, last = (dt.datetime.fromtimestamp(NOW + day * DAY, dt.UTC) for day in days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(distinguished(name))
            .issuer_name(issuer.certificate.subject if issuer else distinguished(name))
            .public_key(key.public_key())
            .serial_number(0x1234_5678)
            .not_valid_before(first)
            .not_valid_after(last)
        )
        wanted = list(extensions)
        if basic_constraints is not None:
            wanted.append(basic_constraints)
        if usage is not None:
            wanted.append((usage, True))
        if key_identifiers:
            wanted.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
            wanted.append((authority, False))
        for extension, critical in wanted:
            builder = builder.add_extension(extension, critical)
        hashed = isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        algorithm = hash_algorithm or (hashes.SHA256() if hashed else None)
        repeatable = True if isinstance(signer, ec.EllipticCurvePrivateKey) else None
        signed = builder.sign(signer, algorithm, rsa_padding=rsa_padding, ecdsa_deterministic=repeatable)
        return Forged(signed, key)


def distinguished(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    return x509.Name(attributes)


def general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


RSA_PSS = bytes.fromhex("06092a864886f70d01010a")


def elements(data: bytes) -> list[bytes]:
    """The encoded elements that the outermost element of ``data`` holds."""
    found, offset = [], element(data, 0).content
    while offset < len(data):
        one = element(data, offset)
        found.append(data[one.start : one.end])
        offset = one.end
    return found


def altered(subject: Forged, issuer: Forged, alter: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """The DER of ``subject``'s certificate with the fields of its TBSCertificate altered, signed by
    ``issuer`` again.

    For what pyca reads, and cannot be made to write.
    """
    fields = elements(subject.certificate.tbs_certificate_bytes)
    tbs = der(0x30, *alter(fields))
    if isinstance(issuer.key, rsa.RSAPrivateKey):
        signature = issuer.key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(issuer.key, ec.EllipticCurvePrivateKey):
        signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    else:
        signature = issuer.key.sign(tbs)
    return der(0x30, tbs, fields[SIGNATURE], der(0x03, b"\x00", signature))


# The fields of a v3 TBSCertificate (RFC 5280 4.1), by their place.
VERSION, SERIAL, SIGNATURE, ISSUER, VALIDITY, SUBJECT, PUBLIC_KEY, EXTENSIONS = range(8)


def with_pss_key(leaf: Forged, issuer: Forged, parameters: bytes = b"") -> bytes:
    """An RSA leaf with its key named id-RSASSA-PSS."""

    def alter(fields: list[bytes]) -> list[bytes]:
        fields = list(fields)
        fields[PUBLIC_KEY] = der(0x30, der(0x30, RSA_PSS, parameters), elements(fields[PUBLIC_KEY])[1])
        return fields

    return altered(leaf, issuer, alter)


def as_version_1(leaf: Forged, issuer: Forged) -> bytes:
    """An X.509 v1 certificate: without version and extensions."""
    return altered(leaf, issuer, lambda fields: fields[SERIAL:EXTENSIONS])


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="session")
def lab() -> Laboratory:
    return Laboratory(b"tests", NOW)
