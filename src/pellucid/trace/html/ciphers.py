"""What the name of a cipher suite says of the form of its records, and the Python that opens one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cipher", "cipher_of"]

_HEADER_LENGTH = 5
_EXPLICIT_NONCE = 8  # RFC 5288 3
_BLOCK = 16
_TAG, _SHORT_TAG = 16, 8
_MAC_LENGTHS = {"SHA": 20, "SHA256": 32, "SHA384": 48}


@dataclass(frozen=True, slots=True)
class Cipher:
    """``before`` and ``after``: names and sizes of what stands around the encrypted content of a record."""

    tls12: bool
    suite: str
    before: tuple[str, int] = ("", 0)
    after: tuple[str, int] = ("", 0)

    def opener(self, key: bytes, iv: bytes, number: int, record: bytes, content_length: int) -> str:
        """A Python program that prints the content of ``record``, its ``number``-th under ``key``, as hex."""
        if "_CBC_" in self.suite:
            return self._cbc(key, record)
        module, make = _AEADS.get(self._mode, _AEADS["GCM"])
        make = make.format(tag=self.after[1])
        lines = [f"from cryptography.hazmat.primitives.ciphers.aead import {module}", *_given(key, record)]
        lines.append(f"iv, number = bytes.fromhex('{iv.hex()}'), {number}")
        if self.before[1]:
            lines.append(
                f"nonce, sealed = iv + record[5:{5 + self.before[1]}], record[{5 + self.before[1]}:]"
            )
        else:
            lines.append("nonce = (int.from_bytes(iv, 'big') ^ number).to_bytes(12, 'big')")
            lines.append("sealed = record[5:]")
        if self.tls12:
            length = f"({content_length}).to_bytes(2, 'big')"
            lines.append(f"authenticated = number.to_bytes(8, 'big') + record[:3] + {length}")
        else:
            lines.append("authenticated = record[:5]")
        return _python([*lines, f"print({make}.decrypt(nonce, sealed, authenticated).hex())"])

    @property
    def tail(self) -> str:
        """What stands behind the content when a record is open."""
        if "_CBC_" in self.suite:
            return "padding" if self.after[1] else "MAC and padding"
        return "" if self.tls12 else "content type"

    @property
    def _mode(self) -> str:
        return next((mode for mode in ("CHACHA20", "CCM") if mode in self.suite), "GCM")

    def _cbc(self, key: bytes, record: bytes) -> str:
        """Its MAC and padding are at the end of what is printed, unless the MAC is outside."""
        end = f":-{self.after[1]}" if self.after[1] else ":"
        return _python(
            [
                "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes",
                *_given(key, record),
                "opener = Cipher(algorithms.AES(key), modes.CBC(record[5:21])).decryptor()",
                f"print(opener.update(record[21{end}]).hex())",
            ]
        )


_AEADS = {
    "GCM": ("AESGCM", "AESGCM(key)"),
    "CCM": ("AESCCM", "AESCCM(key, {tag})"),
    "CHACHA20": ("ChaCha20Poly1305", "ChaCha20Poly1305(key)"),
}


def _given(key: bytes, record: bytes) -> list[str]:
    return [f"key = bytes.fromhex('{key.hex()}')", f"record = bytes.fromhex('{record.hex()}')"]


def _python(lines: list[str]) -> str:
    return 'python3 -c "\n' + "\n".join(lines) + '"'


def cipher_of(suite: str, *, tls12: bool, encrypt_then_mac: bool) -> Cipher:
    """The form of the records that ``suite`` protects."""
    if not tls12:
        return Cipher(tls12, suite, after=("tag", _SHORT_TAG if "_CCM_8" in suite else _TAG))
    if "_CBC_" in suite:
        mac = _MAC_LENGTHS.get(suite.rpartition("_")[2], 0)
        return Cipher(tls12, suite, ("IV", _BLOCK), ("MAC", mac) if encrypt_then_mac else ("", 0))
    explicit = ("", 0) if "CHACHA20" in suite else ("explicit_nonce", _EXPLICIT_NONCE)
    return Cipher(tls12, suite, explicit, ("tag", _SHORT_TAG if suite.endswith("_CCM_8") else _TAG))
