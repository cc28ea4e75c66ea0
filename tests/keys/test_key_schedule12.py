"""The secrets of TLS 1.2: OpenSSL's own handshakes computed again, and each function's rules."""

import hashlib
import hmac
import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest

from pellucid.codes import CipherSuite
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.errors import Misuse, Reason
from pellucid.keys import (
    CipherKeys,
    export_keying_material12,
    extended_master_secret,
    finished_verify_data12,
    key_block,
    master_secret,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "openssl_tls12_secrets.json").read_text())
HANDSHAKES = {
    f"{each['cipher_suite']}-{'extended' if each['extended_master_secret'] else 'plain'}": each
    for each in VECTORS["handshakes"]
}
each_handshake = pytest.mark.parametrize("handshake", HANDSHAKES.values(), ids=HANDSHAKES.keys())
each_suite = pytest.mark.parametrize("suite", SUITES12.values(), ids=str)

MASTER = bytes(range(48))
CLIENT_RANDOM, SERVER_RANDOM = b"c" * 32, b"s" * 32


def suite_of(handshake: dict[str, Any]) -> Suite12:
    return SUITES12[CipherSuite[handshake["cipher_suite"]]]


def values(handshake: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(handshake[name]) for name in names]


@each_handshake
def test_the_master_secret_is_openssl_s(handshake: dict[str, Any]) -> None:
    suite = suite_of(handshake)
    premaster, expected = values(handshake, "premaster_secret", "master_secret")
    if handshake["extended_master_secret"]:
        messages = b"".join(bytes.fromhex(message) for message in handshake["messages"])
        session_hash = hashlib.new(suite.hash_name, messages).digest()
        assert extended_master_secret(suite.hash_name, premaster, session_hash) == expected
    else:
        randoms = values(handshake, "client_random", "server_random")
        assert master_secret(suite.hash_name, premaster, *randoms) == expected


@each_handshake
@pytest.mark.parametrize("side", ["client", "server"])
def test_the_finished_is_openssl_s(handshake: dict[str, Any], side: Literal["client", "server"]) -> None:
    suite = suite_of(handshake)
    messages = b"".join(bytes.fromhex(message) for message in handshake["messages"])
    if side == "server":
        messages += bytes.fromhex(handshake["client_finished"])
    transcript_hash = hashlib.new(suite.hash_name, messages).digest()
    [master, finished] = values(handshake, "master_secret", f"{side}_finished")
    assert finished_verify_data12(suite.hash_name, master, side, transcript_hash) == finished[4:]


@each_handshake
def test_exported_keys_are_openssl_s(handshake: dict[str, Any]) -> None:
    master, *randoms = values(handshake, "master_secret", "client_random", "server_random")
    assert len(handshake["exports"]) == 3
    for export in handshake["exports"]:
        context = None if export["context"] is None else bytes.fromhex(export["context"])
        value = bytes.fromhex(export["value"])
        found = export_keying_material12(
            suite_of(handshake).hash_name, master, *randoms, export["label"].encode(), context, len(value)
        )
        assert found == value


def p_hash(hash_name: str, secret: bytes, seed: bytes, blocks: int) -> bytes:
    """RFC 5246 5, by the standard library's HMAC."""
    a, output = seed, b""
    for _ in range(blocks):
        a = hmac.digest(secret, a, hash_name)
        output += hmac.digest(secret, a + seed, hash_name)
    return output


@each_suite
def test_the_key_block_is_cut_in_the_rfc_s_order(suite: Suite12) -> None:
    keys = key_block(suite, MASTER, CLIENT_RANDOM, SERVER_RANDOM)
    # RFC 5246 6.3: MAC keys, keys, IVs, the client's first each time; the server's random first in the seed.
    parts = [
        keys.client.mac_key, keys.server.mac_key, keys.client.key, keys.server.key, keys.client.iv,
        keys.server.iv
    ]  # fmt: skip
    whole = p_hash(suite.hash_name, MASTER, b"key expansion" + SERVER_RANDOM + CLIENT_RANDOM, 8)
    assert whole.startswith(b"".join(parts))
    lengths = suite.mac_length, suite.key_length, suite.fixed_iv_length
    assert [len(part) for part in parts] == [length for length in lengths for _ in range(2)]


def test_the_most_key_material_is_128_bytes() -> None:
    # RFC 5246 6.3: "The currently defined cipher suite which requires the most material is
    # AES_256_CBC_SHA256."
    suite = SUITES12[CipherSuite.TLS_RSA_WITH_AES_256_CBC_SHA256]
    keys = key_block(suite, MASTER, CLIENT_RANDOM, SERVER_RANDOM)
    assert sum(len(own.mac_key) + len(own.key) + len(own.iv) for own in keys) == 128


def test_the_directions_have_different_keys() -> None:
    for suite in SUITES12.values():
        keys = key_block(suite, MASTER, CLIENT_RANDOM, SERVER_RANDOM)
        assert keys.client.key != keys.server.key


@pytest.mark.parametrize("other", [(CLIENT_RANDOM, b"S" * 32), (b"C" * 32, SERVER_RANDOM)])
def test_another_connection_has_other_keys(other: tuple[bytes, bytes]) -> None:
    # What keeps a resumed session's connections apart.
    suite = SUITES12[0xC02F]
    ours = key_block(suite, MASTER, CLIENT_RANDOM, SERVER_RANDOM)
    assert ours.client.key != key_block(suite, MASTER, *other).client.key


def test_a_session_hash_of_other_messages_gives_another_master_secret() -> None:
    # The triple handshake: equal randoms and premaster secret are not enough.
    one, other = (extended_master_secret("sha256", b"p" * 48, bytes([n]) * 32) for n in (1, 2))
    assert one != other
    assert len(one) == 48


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
@pytest.mark.parametrize("length", [1, 32, 48, 66, 256, 1024])
def test_a_master_secret_has_48_bytes_whatever_it_is_made_of(hash_name: str, length: int) -> None:
    made = master_secret(hash_name, bytes(length), CLIENT_RANDOM, SERVER_RANDOM)
    assert made == p_hash(hash_name, bytes(length), b"master secret" + CLIENT_RANDOM + SERVER_RANDOM, 2)[:48]


def test_the_two_finished_of_one_transcript_differ() -> None:
    sides: tuple[Literal["client", "server"], ...] = ("client", "server")
    client, server = (finished_verify_data12("sha256", MASTER, side, b"h" * 32) for side in sides)
    assert client != server
    assert len(client) == len(server) == 12


def test_keys_are_in_no_repr() -> None:
    keys = key_block(SUITES12[0xC028], MASTER, CLIENT_RANDOM, SERVER_RANDOM)
    assert repr(keys.client) == "<CipherKeys, mac_key of 48 bytes, key of 32, iv of 0>"
    assert repr(CipherKeys(b"", b"k" * 16, b"iv")) == "<CipherKeys, mac_key of 0 bytes, key of 16, iv of 2>"
    assert keys.client.key.hex() not in repr(keys)


def exported(label: bytes = b"EXPORTER-x", context: bytes | None = None, length: int = 32) -> bytes:
    return export_keying_material12("sha256", MASTER, CLIENT_RANDOM, SERVER_RANDOM, label, context, length)


def test_no_context_an_empty_one_and_another_export_different_keys() -> None:
    found = [exported(context=context) for context in (None, b"", b"\0", b"\0\0")]
    assert len(set(found)) == len(found)


def test_every_exporter_s_label_has_its_own_keys() -> None:
    assert exported(b"EXPORTER-a") != exported(b"EXPORTER-b")


def test_longer_exports_begin_with_the_shorter_ones() -> None:
    # RFC 5705 4 binds the length to nothing; TLS 1.3's exporter does.
    assert all(b.startswith(a) for a, b in pairwise(exported(length=n) for n in (1, 32, 33, 100, 255 * 32)))


@pytest.mark.parametrize(
    "label, words",
    [
        (b"", "not empty"),
        (b"client finished", "of the handshake itself"),
        (b"server finished", "of the handshake itself"),
        (b"master secret", "of the handshake itself"),
        (b"extended master secret", "of the handshake itself"),
        (b"key expansion", "of the handshake itself"),
    ],
)
def test_a_label_that_would_give_away_a_secret_of_the_handshake_is_refused(label: bytes, words: str) -> None:
    with pytest.raises(Misuse, match=words) as caught:
        exported(label)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1])
def test_a_length_out_of_bounds_is_refused(length: int) -> None:
    with pytest.raises(Misuse, match="gives 1 to 8160 bytes") as caught:
        exported(length=length)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_a_context_too_long_for_its_length_field_is_refused() -> None:
    assert exported(context=bytes(65535))
    with pytest.raises(Misuse, match="at most 65535 bytes, not 65536"):
        exported(context=bytes(65536))
