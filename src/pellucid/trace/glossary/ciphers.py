"""Entries for cipher suites: each taken apart, with what is to be thought of it."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.codes import CipherSuite
from pellucid.trace.glossary.entry import Entry, Row, Standings, offered
from pellucid.trace.suites import Anatomy, Part, anatomy
from pellucid.trace.texts import texts

__all__ = ["suites"]

_EXCHANGE_TERMS = {"RSA": "RSA key exchange", "ECDH": "ECDHE", "PSK": "PSK"}
_PROOF_TERMS = {"RSA": "RSA", "ECDSA": "ECDSA", "PSK": "PSK"}
# The last two tables go by what stands in the cipher's name.
_DEFINED_IN = {
    "CHACHA20": "RFC 7905 2",
    "CAMELLIA": "RFC 5932",
    "SEED": "RFC 4162",
    "IDEA": "RFC 5469",
    "DES40": "RFC 2246 A.5",
    "RC2": "RFC 2246 A.5",
    "RC4_40": "RFC 2246 A.5",
}
_CIPHER_TERMS = {
    "3DES": "3DES",
    "RC4": "RC4",
    "GCM": "GCM",
    "CCM": "CCM",
    "CHACHA20": "ChaCha20",
    "CBC": "CBC",
}


def suites(standings: Standings) -> Iterator[Entry]:
    signals = texts("suites.toml")
    for suite in CipherSuite:
        identifier, number = f"suite:{suite.name}", f"0x{suite:04X}"
        if signal := signals.get(f"signal:{suite.name}"):
            yield Entry(
                identifier, "cipher suite", suite.name, signal["text"], suite, number,
                rfc=signal["rfc"], related=("cipher suite", "ClientHello"),
            )  # fmt: skip
        elif pieces := anatomy(suite.name):
            yield _of_tls12(suite, pieces, identifier, number, standings)
        else:
            yield _of_tls13(suite, identifier, number, standings)


def _of_tls13(suite: CipherSuite, identifier: str, number: str, standings: Standings) -> Entry:
    cipher, _, hash_name = suite.name.removeprefix("TLS_").rpartition("_")
    # Of the same cipher the words are the same.
    inside = list(Anatomy("ECDHE", "RSA", cipher, hash_name).parts())[2:]
    apart = texts("suites.toml")
    rows = [
        *(Row(part.role, f"{part.name}: {part.text}") for part in inside),
        *(
            Row(role, f"negotiated apart, {apart[f'{role}:negotiated apart']['text']}")
            for role in ("key exchange", "server's proof")
        ),
        Row("forward secrecy", "yes, unless a pre-shared key is used alone"),
        *_standing(suite, inside, standings),
    ]
    text = "A cipher suite of TLS 1.3: how records are encrypted, and which hash makes the keys. No more."
    return Entry(
        identifier, "cipher suite", suite.name, text, suite, number, rows=tuple(rows), rfc="RFC 9846 B.4",
        related=("cipher suite", "TLS 1.3", *_terms(cipher), "key_share", "signature_algorithms"),
    )  # fmt: skip


def _of_tls12(
    suite: CipherSuite, pieces: Anatomy, identifier: str, number: str, standings: Standings
) -> Entry:
    parts = list(pieces.parts())
    secrecy = "yes" if pieces.forward_secrecy else "no: one stolen key opens every recording"
    rows = [
        *(Row(part.role, f"{part.name}: {part.text}") for part in parts),
        Row("forward secrecy", secrecy),
        *_standing(suite, parts, standings),
    ]
    # RFC 5246 A.5, RFC 5288 4: what needs the PRF with SHA-256 or SHA-384 cannot be used in older versions.
    recent = pieces.hash in ("SHA256", "SHA384")
    versions = "TLS 1.2" if recent else "TLS 1.2 and before"
    text = f"A cipher suite of {versions}, whose name says all: key exchange, proof, cipher, hash."
    exchange = _EXCHANGE_TERMS.get(pieces.key_exchange, pieces.key_exchange)
    proof = _PROOF_TERMS.get(pieces.authentication)
    names = ("cipher suite", exchange, *([proof] if proof else []), *_terms(pieces.cipher))
    related: dict[str, None] = dict.fromkeys(names)
    return Entry(
        identifier, "cipher suite", suite.name, text, suite, number, also=_names_of_openssl(pieces),
        rows=tuple(rows), rfc=_rfc(pieces), related=tuple(related),
    )  # fmt: skip


def _rfc(pieces: Anatomy) -> str:
    """Where the suite is defined."""
    curves = "EC" in pieces.key_exchange
    for piece, rfc in _DEFINED_IN.items():
        if piece in pieces.cipher:
            return rfc
    if "PSK" in (pieces.key_exchange, pieces.authentication):
        return "RFC 5487 2" if "GCM" in pieces.cipher else "RFC 4279"
    if "CCM" in pieces.cipher:
        return "RFC 7251 2" if curves else "RFC 6655 3"
    if curves:
        return "RFC 5289 3" if pieces.hash in ("SHA256", "SHA384") else "RFC 4492 6, RFC 8422 6"
    return "RFC 5288 3" if "GCM" in pieces.cipher else "RFC 5246 A.5"


def _standing(suite: CipherSuite, parts: list[Part], standings: Standings) -> Iterator[Row]:
    policies = standings.get(suite.name)
    yield Row("offered", offered(policies, f"--suite {suite.name}"))
    refused = [part.refused for part in parts if part.refused]
    lacking = [f"{part.lacks} ({part.why})" for part in parts if part.lacks]
    if policies is None:
        why = "; ".join(dict.fromkeys(refused)) or "another suite does the same work, and is better known"
        yield Row("verdict", f"refused: {why}")
    elif lacking:
        yield Row("verdict", f"old: it works, and lacks {'; '.join(lacking)}")
    elif "default" in policies:
        yield Row("verdict", "good: nothing is missing")
    else:
        yield Row("verdict", "sound, but slower or rarer than what is offered by default")


def _terms(cipher: str) -> tuple[str, ...]:
    return tuple(term for piece, term in _CIPHER_TERMS.items() if piece in cipher)


def _names_of_openssl(pieces: Anatomy) -> tuple[str, ...]:
    """What OpenSSL, and so the configuration of most servers, calls it: ECDHE-RSA-AES128-GCM-SHA256."""
    if pieces.authentication not in ("RSA", "ECDSA") or pieces.key_exchange == "ECDH":
        return ()
    cipher = pieces.cipher.replace("AES_", "AES").removesuffix("_CBC").replace("_", "-")
    if not cipher.startswith(("AES", "CHACHA20")):
        return ()
    exchange = [] if pieces.key_exchange == "RSA" else [pieces.key_exchange, pieces.authentication]
    words = [*exchange, cipher]
    hashless = cipher.startswith("CHACHA20") or "CCM" in cipher
    return ("-".join(words if hashless else [*words, pieces.hash]).replace("CCM-8", "CCM8"),)
