"""A cipher suite of TLS 1.2 taken apart: its name says all that it is made of (RFC 5246 A.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pellucid.trace.texts import texts

__all__ = ["Anatomy", "Part", "anatomy"]

_HASHES = ("MD5", "SHA", "SHA256", "SHA384")
_AEADS = ("_GCM", "_CCM", "_CCM_8", "_POLY1305")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a suite's name: what it is in ("key exchange"), the piece, and what it does.

    ``lacks`` is what a suite with this piece lacks and ``why`` the reason that it matters, or "". ``refused``
    says why no suite with this piece is spoken here, or "".
    """

    role: str
    name: str
    text: str
    lacks: str = ""
    why: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The pieces: ``TLS_<key exchange>[_<authentication>]_WITH_<cipher>[_<hash>]``.

    ``hash`` is "SHA256" where the name has none (CCM), and without AEAD that of the HMAC of each record. The
    exchanges that are called ``DH_anon`` and ``ECDH_anon`` are made with fresh keys, and so DHE and ECDHE.
    """

    key_exchange: str
    authentication: str
    cipher: str
    hash: str

    @property
    def forward_secrecy(self) -> bool:
        """Whether the keys of the exchange are made for one connection and thrown away."""
        return self.key_exchange in ("DHE", "ECDHE")

    def parts(self, *, encrypt_then_mac: bool = False) -> Iterator[Part]:
        """The pieces in words, those that nobody wrote about left out."""
        known = texts("suites.toml")
        cbc, aead = self.cipher.endswith("_CBC"), self.cipher.endswith(_AEADS)
        proof = {"RSA": "RSA decryption", "ECDH": "ECDH"}.get(self.key_exchange, self.authentication)
        mode = self.cipher.removeprefix("AES_128_").removeprefix("AES_256_")
        for role, name, key in (
            ("key exchange", self.key_exchange, self.key_exchange),
            ("server's proof", proof, proof),
            ("encryption", self.cipher, "CBC, then MAC" if cbc and encrypt_then_mac else mode),
            ("hash" if aead else "MAC", self.hash, self.hash),
        ):
            found = known.get(f"{role}:{key}")
            if found:
                yield Part(role, name, **found)


def anatomy(name: str) -> Anatomy | None:
    """The pieces of the suite with this name; None if it is none of TLS 1.2's."""
    exchange, with_, rest = name.removeprefix("TLS_").partition("_WITH_")
    if not with_:
        return None
    key_exchange, _, authentication = exchange.removesuffix("_EXPORT").partition("_")
    if authentication == "anon":
        key_exchange += "E"
    cipher, _, hash_name = rest.rpartition("_")
    if hash_name not in _HASHES:
        cipher, hash_name = rest, "SHA256"
    return Anatomy(key_exchange, authentication or key_exchange, cipher, hash_name)
