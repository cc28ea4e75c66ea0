"""A cipher suite of TLS 1.2 taken apart: its name says all that it is made of (RFC 5246 A.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pellucid.trace.texts import texts

__all__ = ["Anatomy", "Part", "anatomy"]

_HASHES = ("SHA", "SHA256", "SHA384")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a suite's name: what it is in ("key exchange"), the piece, and what it does.

    ``lacks`` is what a suite with this piece lacks and ``why`` the reason that it matters, or "".
    """

    role: str
    name: str
    text: str
    lacks: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The pieces: ``TLS_<key exchange>[_<authentication>]_WITH_<cipher>[_<hash>]``.

    ``hash`` is "SHA256" where the name has none (CCM), and with CBC that of the HMAC of each record.
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
        cbc = self.cipher.endswith("_CBC")
        proof = "RSA decryption" if self.key_exchange == "RSA" else self.authentication
        mode = self.cipher.removeprefix("AES_128_").removeprefix("AES_256_")
        for role, name, key in (
            ("key exchange", self.key_exchange, self.key_exchange),
            ("server's proof", proof, proof),
            ("encryption", self.cipher, "CBC, then MAC" if cbc and encrypt_then_mac else mode),
            ("MAC" if cbc else "hash", self.hash, self.hash),
        ):
            found = known.get(f"{role}:{key}")
            if found:
                yield Part(role, name, **found)


def anatomy(name: str) -> Anatomy | None:
    """The pieces of the suite with this name; None if it is none of TLS 1.2's."""
    exchange, with_, rest = name.removeprefix("TLS_").partition("_WITH_")
    if not with_:
        return None
    key_exchange, _, authentication = exchange.partition("_")
    cipher, _, hash_name = rest.rpartition("_")
    if hash_name not in _HASHES:
        cipher, hash_name = rest, "SHA256"
    return Anatomy(key_exchange, authentication or key_exchange, cipher, hash_name)
