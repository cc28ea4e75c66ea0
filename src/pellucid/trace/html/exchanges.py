"""Python that makes the shared secret again, from a private key of the exchange and the other side's share.

It takes the package ``cryptography``, on which pellucid itself stands. There is none where the trace has no
private key: connections keep theirs to themselves, unless a demonstration is to show everything.
"""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.trace.events import Redacted

__all__ = ["exchange_program"]

Value = str | bytes | Redacted

_MODULE = "cryptography.hazmat.primitives.asymmetric"
_CURVES = {"secp256r1": "SECP256R1", "secp384r1": "SECP384R1", "secp521r1": "SECP521R1"}
_MONTGOMERY = {"x25519": "X25519", "x448": "X448"}
# KEM, size of its ciphertext, curve, and whether the KEM comes first (draft-ietf-tls-ecdhe-mlkem).
_HYBRIDS = {
    "X25519MLKEM768": ("MLKEM768", 1088, "x25519", True),
    "SecP256r1MLKEM768": ("MLKEM768", 1088, "secp256r1", False),
    "SecP384r1MLKEM1024": ("MLKEM1024", 1568, "secp384r1", False),
}
_SEED_LENGTH = 64  # FIPS 203: d and z
# RFC 7919 A: p = 2^b - 2^(b-64) + {[2^(b-130) e] + X} * 2^64 - 1; b and X of each group.
_FIELDS = {
    "ffdhe2048": (2048, 560316),
    "ffdhe3072": (3072, 2625351),
    "ffdhe4096": (4096, 5736041),
    "ffdhe6144": (6144, 15705020),
    "ffdhe8192": (8192, 10965728),
}


def exchange_program(formula: str, inputs: Mapping[str, Value], length: int) -> str:
    """The program for a formula like "x25519(our private key, the server's share)"; "" if there is none.

    ``length``: of the secret in bytes; in TLS 1.2 one of a finite field has lost its leading zeros.
    """
    private, share = inputs.get("our_private_key"), inputs.get("peer_share")
    group = formula.partition("(")[0]
    if not isinstance(private, bytes) or not isinstance(share, bytes):
        return ""
    if group in _HYBRIDS:
        return _hybrid(group, private, share)
    if group in _CURVES or group in _MONTGOMERY:
        return "\n".join([*_imports(group), f"print({_exchanged(group, private, share)}.hex())"])
    if group in _FIELDS:
        return _power(group, private, share, length)
    return ""


def _power(group: str, private: bytes, share: bytes, length: int) -> str:
    bits, offset = _FIELDS[group]
    lines = [
        f"# RFC 7919 A: the prime of {group}, from the digits of e = 1 + 1/1! + 1/2! + ...",
        f"bits, X, n = {bits}, {offset}, 1",
        "e = term = 1 << bits - 66",
        "while term:",
        "    term, n = term // n, n + 1",
        "    e += term",
        "p = (1 << bits) - (1 << bits - 64) + ((e >> 64) + X << 64) - 1",
        f"private = int('{private.hex()}', 16)",
        f"share = int('{share.hex()}', 16)",
        f"print(pow(share, private, p).to_bytes({length}, 'big').hex())",
    ]
    return "\n".join(lines)


def _hybrid(group: str, private: bytes, share: bytes) -> str:
    kem, length, curve, first = _HYBRIDS[group]
    if first:
        seed, scalar, ciphertext, point = (
            private[:_SEED_LENGTH], private[_SEED_LENGTH:], share[:length], share[length:],
        )  # fmt: skip
    else:
        seed, scalar, ciphertext, point = (
            private[-_SEED_LENGTH:], private[:-_SEED_LENGTH], share[-length:], share[:-length],
        )  # fmt: skip
    lines = [
        f"from {_MODULE}.mlkem import {kem}PrivateKey",
        *_imports(curve),
        f"kem = {kem}PrivateKey.from_seed_bytes(bytes.fromhex('{seed.hex()}'))",
        f"one = kem.decapsulate(bytes.fromhex('{ciphertext.hex()}'))",
        f"two = {_exchanged(curve, scalar, point)}",
        f"print(({'one + two' if first else 'two + one'}).hex())",
    ]
    return "\n".join(lines)


def _imports(group: str) -> list[str]:
    if group in _CURVES:
        return [f"from {_MODULE} import ec"]
    name = _MONTGOMERY[group]
    return [f"from {_MODULE}.{group} import {name}PrivateKey, {name}PublicKey"]


def _exchanged(group: str, private: bytes, share: bytes) -> str:
    """The expression that is the secret of the two."""
    if group in _CURVES:
        curve = f"ec.{_CURVES[group]}()"
        peer = f"ec.EllipticCurvePublicKey.from_encoded_point({curve}, bytes.fromhex('{share.hex()}'))"
        return f"ec.derive_private_key(0x{private.hex()}, {curve}).exchange(ec.ECDH(), {peer})"
    name = _MONTGOMERY[group]
    peer = f"{name}PublicKey.from_public_bytes(bytes.fromhex('{share.hex()}'))"
    return f"{name}PrivateKey.from_private_bytes(bytes.fromhex('{private.hex()}')).exchange({peer})"
