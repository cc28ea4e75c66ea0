"""HKDF-Expand-Label, and what can be prepared of it before any secret is known (RFC 9846 7.1)."""

from __future__ import annotations

from typing import NamedTuple

from pellucid.crypto.kdf import HASH_LENGTHS, hash_digest, hkdf_expand, hkdf_extract, keyed_hmac

#: An info of HKDF-Expand that gives one block ends with the block's number (RFC 5869 2.3).
FIRST_BLOCK = b"\x01"


def hkdf_label(length: int, label: bytes, context: bytes) -> bytes:
    """RFC 9846 7.1: struct HkdfLabel, the `info` of HKDF-Expand-Label. `label` is without its "tls13 "."""
    return _label_prefix(length, label, len(context)) + context


def _label_prefix(length: int, label: bytes, context_length: int) -> bytes:
    full_label = b"tls13 " + label
    return length.to_bytes(2, "big") + bytes((len(full_label),)) + full_label + bytes((context_length,))


def hkdf_expand_label(hash_name: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """RFC 9846 7.1: HKDF-Expand-Label(Secret, Label, Context, Length).

    `label` is without its "tls13 " and at most 249 bytes long, `context` at most 255; ValueError otherwise.
    """
    return hkdf_expand(hash_name, secret, hkdf_label(length, label, context), length)


def derive_secret(hash_name: str, secret: bytes, label: bytes, transcript_hash: bytes) -> bytes:
    """RFC 9846 7.1: Derive-Secret(Secret, Label, Messages), given Transcript-Hash(Messages)."""
    return hkdf_expand_label(hash_name, secret, label, transcript_hash, HASH_LENGTHS[hash_name])


class Leaf(NamedTuple):
    """What leaves the diagram to the right: Derive-Secret(secret of `stage`, `label`, `messages`)."""

    name: str
    stage: str
    label: str
    messages: str
    used_for: str


_HELLOS = "ClientHello...ServerHello"
_SERVER_FLIGHT = "ClientHello...server Finished"
_CLIENT_FLIGHT = "ClientHello...client Finished"

# fmt: off
#: By name; binder_key, which has one of two labels, by those.
LEAVES = {
    "external_binder_key": Leaf("binder_key", "early", "ext binder", '""', "the binder of an external PSK"),
    "resumption_binder_key": Leaf("binder_key", "early", "res binder", '""', "the binder of a ticket's PSK"),
    **{leaf.name: leaf for leaf in (
        Leaf("client_early_traffic_secret", "early", "c e traffic", "ClientHello",
             "keys of 0-RTT data"),
        Leaf("early_exporter_secret", "early", "e exp master", "ClientHello",
             "exporters in 0-RTT"),
        Leaf("client_handshake_traffic_secret", "handshake", "c hs traffic", _HELLOS,
             "keys and Finished of the client's side of the handshake"),
        Leaf("server_handshake_traffic_secret", "handshake", "s hs traffic", _HELLOS,
             "keys and Finished of the server's side of the handshake"),
        Leaf("client_application_traffic_secret_0", "main", "c ap traffic", _SERVER_FLIGHT,
             "keys of the client's application data"),
        Leaf("server_application_traffic_secret_0", "main", "s ap traffic", _SERVER_FLIGHT,
             "keys of the server's application data"),
        Leaf("exporter_secret", "main", "exp master", _SERVER_FLIGHT,
             "exporters"),
        Leaf("resumption_secret", "main", "res master", _CLIENT_FLIGHT,
             "the PSKs of tickets"),
    )},
}
# fmt: on


class HashConstants:
    """What the schedule takes from the hash alone, computed once for each hash.

    `leaf_prefixes` has HkdfLabel up to its context, a transcript hash; an `_info` is the whole input of the
    one HMAC that HKDF-Expand comes to, where the context is fixed.
    """

    def __init__(self, hash_name: str) -> None:
        length = HASH_LENGTHS[hash_name]
        empty_hash = hash_digest(hash_name, b"")

        def info(label: bytes, context: bytes) -> bytes:
            return hkdf_label(length, label, context) + FIRST_BLOCK

        self.zeros = bytes(length)
        self.empty_hash = empty_hash
        self.leaf_prefixes = {
            key: _label_prefix(length, leaf.label.encode(), length) for key, leaf in LEAVES.items()
        }
        self.derived_info = info(b"derived", empty_hash)
        self.finished_info = info(b"finished", b"")
        self.traffic_update_info = info(b"traffic upd", b"")
        # RFC 9846 7.1: "if PSK is not in use, Early Secret will still be HKDF-Extract(0, 0)". So without a
        # PSK nothing secret enters before the key exchange, and all up to there is the same for everybody.
        self.early_secret_without_psk = hkdf_extract(hash_name, self.zeros, self.zeros)
        early_secret = self.early_secret_without_psk
        self.salt_without_psk = derive_secret(hash_name, early_secret, b"derived", empty_hash)
        self.extract_without_psk = keyed_hmac(hash_name, self.salt_without_psk)


CONSTANTS = {hash_name: HashConstants(hash_name) for hash_name in ("sha256", "sha384")}
