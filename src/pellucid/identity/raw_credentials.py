"""Who we are by a key alone (RFC 7250), for peers that have it on a list."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from math import inf
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.codes import CertificateType
from pellucid.crypto import signatures
from pellucid.identity.credentials import Credential, Staple
from pellucid.identity.key_uses import curve_of, schemes_of
from pellucid.identity.keys import PublicKey
from pellucid.identity.names import DnsName, NamePatterns, parse_server_name
from pellucid.identity.private_keys import PrivateKey, bad_file, usable_key, usable_public_key
from pellucid.identity.raw_keys import raw_key_text
from pellucid.identity.signers import Signer

__all__ = ["RawKeyCredential"]


class RawKeyCredential(Credential):
    """A private key, whose public half is shown as it is. ``Credential.from_raw_key`` reads one.

    ``chain`` has one element, the SubjectPublicKeyInfo in DER, which is what is sent; ``subject`` has its
    pin, as ``TrustStore.from_keys`` takes it. ``names`` are the hosts that the key is for, as far as we say:
    no peer is told, but a server that has several credentials, or is strict about names, goes by them.
    """

    __slots__ = ()

    certificate_type = CertificateType.RawPublicKey

    def __init__(
        self, key: PrivateKey | PublicKey, names: Iterable[str] = (), signer: Signer | None = None
    ) -> None:
        """``signer`` stands in the place of a private key, and ``key`` is the public one then."""
        self.signer = signer
        self._key = usable_key(key) if signer is None else None
        public_key = usable_public_key(key) if self._key is None else self._key.public_key()
        spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._public_key = public_key
        self._staple = None
        self._staple_until = inf
        self._patterns = _patterns(names)
        self.names = self._patterns.names
        self.chain = (spki,)
        self.issuers = frozenset()
        self.subject = raw_key_text(spki)
        self.chain_schemes = ()
        self.can_sign = True
        # The library writes every RSA key as rsaEncryption.
        self.can_decrypt = isinstance(self._key, rsa.RSAPrivateKey)
        self.key_kind = signatures.key_kind(public_key)
        self.curve = curve_of(public_key)
        self.schemes = schemes_of(public_key, spki, signatures.schemes_for, rsa_pss_oid=False)
        self.schemes12 = schemes_of(public_key, spki, signatures.schemes12_for, rsa_pss_oid=False)
        if not self.schemes:
            raise bad_file("the key fits no signature scheme of TLS 1.3")

    def with_staple(self, staple: Staple) -> NoReturn:
        """Misuse: nobody vouches for a key that no authority has certified."""
        raise bad_file(f"a raw public key has no issuer, so no OCSP response ({type(staple).__name__})")

    def __repr__(self) -> str:
        return f"RawKeyCredential({self.subject!r}, {self.schemes[0]})"


def _patterns(names: Iterable[str]) -> NamePatterns:
    if isinstance(names, str):
        raise bad_file("names: give a list of them")
    hosts: list[str] = []
    addresses: list[IPv4Address | IPv6Address] = []
    for name in map(parse_server_name, names):
        if isinstance(name, DnsName):
            hosts.append(name.text)
        else:
            addresses.append(name.address)
    return NamePatterns(hosts, addresses)
