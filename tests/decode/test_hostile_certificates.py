"""Certificates and names that were made to be costly, unreadable or dangerous to show."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from conversations import converse
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from loopback import laboratory
from watched import Wire, decode_one, turns_of

from pellucid.decode import Decoded
from pellucid.identity import TrustStore
from pellucid.trace.events import CertificateEvent
from pellucid.trace.html import page
from pellucid.trace.json import dumps
from pellucid.trace.narration import narrate

EVIL = "</script><script>alert(1)</script>\x1b[31m\x07\u202e{host}%s[bold]"

#: ECDHE with a certificate of RSA or ECDSA: only Certificate and ServerHelloDone are said.
SUITE = 0xC02F


@cache
def authority() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(12345, ec.SECP256R1())


def certificate(key: Any = None, subject: Any = "leaf", *extensions: Any, **validity: datetime) -> bytes:
    if isinstance(subject, str):
        with warnings.catch_warnings(action="ignore"):  # RFC 5280 A.1 allows for 64 characters
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject, _validate=False)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key or authority().public_key())
        .serial_number(5)
        .not_valid_before(validity.get("begin", datetime(2020, 1, 1)))  # noqa: DTZ001 - of the builder's
        .not_valid_after(validity.get("end", datetime(2040, 1, 1)))  # noqa: DTZ001
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(authority(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def rsa_key(bits: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    """A number of so many bits, of which nobody knows the factors."""
    modulus = random.Random(bits).getrandbits(bits) | 1 | 1 << (bits - 1)
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def names(count: int, suffix: str = "example.test") -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(f"h{n}.{suffix}") for n in range(count)])


def constrained(count: int) -> bytes:
    trees = [x509.DNSName(f"d{n}.test") for n in range(count)]
    return certificate(
        None,
        "authority",
        x509.BasicConstraints(ca=True, path_length=None),
        x509.NameConstraints(trees, trees),
    )


def units(count: int) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"unit {n}") for n in range(count)]
    )


def with_another_curve() -> bytes:
    """Its key is of a curve that there is not."""
    return certificate().replace(bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030108"))


CHAINS: dict[str, Callable[[], Sequence[bytes]]] = {
    "none": list,
    "no certificate": lambda: [b"\x30\x00"],
    "empty": lambda: [b"\x30\x00", b"0"],
    "deep, and longer than it is": lambda: [b"\x30\x84\x7f\xff\xff\xff" + b"\x30\x80" * 10_000],
    "RSA-16384": lambda: [certificate(rsa_key(16_384))] * 2,
    "RSA with a large exponent": lambda: [certificate(rsa_key(8192, 2**33 - 1))] * 2,
    "another curve": lambda: [with_another_curve()],
    "a hundred": lambda: [certificate()] * 100,
    "signed by themselves": lambda: [certificate(None, "authority")] * 9,
    "thousands of names": lambda: [certificate(None, "leaf", names(3000))],
    "thousands of constraints": lambda: [
        certificate(None, "leaf", names(2000, "d1.test")),
        *[constrained(1500)] * 2,
    ],
    "thousands of units": lambda: [certificate(None, units(4000))],
    "a long name": lambda: [certificate(None, "A" * 60_000)],
    "names that act": lambda: [
        certificate(None, EVIL, x509.SubjectAlternativeName([x509.DNSName("a\x1b[2J</script>")]))
    ],
    "all times": lambda: [
        certificate(begin=datetime(1950, 1, 1), end=datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001
    ],
}


def vector(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + vector(body)


def records(data: bytes) -> bytes:
    pieces = [data[start : start + 16_384] for start in range(0, len(data), 16_384)]
    return b"".join(b"\x16\x03\x03" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def shown(chain: Sequence[bytes], trust: TrustStore | None) -> Decoded:
    """A server of TLS 1.2 shows this chain."""
    hello = b"\3\3" + bytes(33) + SUITE.to_bytes(2, "big") + b"\0" + bytes.fromhex("0005ff01000100")
    flight = message(2, hello) + message(11, vector(b"".join(map(vector, chain)))) + message(14, b"")
    wire = Wire().say(turns_of(converse("1.2 ecdhe"))[0], ("server", records(flight)), most=60_000)
    return decode_one(wire.close().capture, trust=trust)


@pytest.mark.filterwarnings("ignore:Attribute's length")  # the library's, of names that are too long
@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize("judged", [True, False], ids=["roots", "no roots"])
def test_any_chain_is_told_and_shown(kind: str, judged: bool) -> None:
    found = shown(CHAINS[kind](), laboratory().trust if judged else None)
    assert found.trace is not None
    (told,) = [event for event in found.trace.events if isinstance(event, CertificateEvent)]
    assert len(told.path) <= 10
    assert not (judged and told.ok)
    assert dumps(found.trace)
    story = "".join(detail.value for step in narrate(found.trace.events) for detail in step.details)
    assert not any(character in story for character in "\x1b\x07\u202e")
    html = page([found.trace], heading="heading", note="note")
    assert "<script>alert" not in html
    assert "\x1b" not in html
