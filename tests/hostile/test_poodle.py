"""POODLE (2014): SSL 3.0 did not say what padding is made of, and so nobody could check it.

A block of the ciphertext, copied to where a whole block of padding stood, was taken whenever its last byte
decrypted to 15: one byte of a secret for every 256 tries. SSL 3.0 is refused, and so is what kept the attack
alive in TLS: a receiver that looks at the last byte of the padding alone (CVE-2014-8730 and its later kin).
"""

from __future__ import annotations

from typing import Any

import pytest
from loopback import client_config, server_config, shake_hands
from rogue import edit, refuses_data
from rogue12 import Side, client_of, refused12, server_of

from pellucid.codes import AlertDescription, ProtocolVersion
from pellucid.connection import Connection
from pellucid.crypto.cbc import aes_cbc_decrypt, aes_cbc_encrypt
from pellucid.errors import Reason
from pellucid.messages import ClientHello, ServerHello
from pellucid.messages import extensions as ext
from pellucid.record.cbc import EncryptThenMacSealer, MacThenEncryptSealer

A = AlertDescription
CBC = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
]
BOTH = pytest.mark.parametrize("side", ["client", "server"])
EACH = pytest.mark.parametrize("suite", CBC)


def connected(suite: str, *, encrypt_then_mac: bool = False) -> tuple[Connection, Connection]:
    knobs: dict[str, Any] = {"cipher_suites": [suite], "encrypt_then_mac": encrypt_then_mac}
    return shake_hands(client_of(sessions=None, **knobs), server_of(**knobs))


# -- SSL 3.0


@pytest.mark.parametrize("kind, side", [(ClientHello, "server"), (ServerHello, "client")])
def test_ssl_3_is_refused(kind: type[Any], side: Side) -> None:
    """RFC 7568. The hello is understood, so the peer is told why."""
    change = edit(kind, lambda hello: setattr(hello, "legacy_version", ProtocolVersion.SSLv3))
    error = refused12(side, Reason.NO_SHARED_VERSION, A.protocol_version, change)
    assert "SSLv3" in str(error)


def test_a_dance_down_to_ssl_3_ends_at_its_first_step() -> None:
    """The fallback of browsers, which the attack was built on: each step down is refused by itself."""

    def fall_back(hello: ClientHello) -> None:
        hello.legacy_version = ProtocolVersion.SSLv3
        hello.extensions.clear()

    refused12("server", Reason.NO_SHARED_VERSION, A.protocol_version, edit(ClientHello, fall_back))


# -- padding in TLS


def with_a_block_of_padding(sender: Connection, suite: str) -> bytes:
    """A record of two blocks of content and more, at whose end a whole block is padding."""
    mac_length = {"SHA": 20, "SHA256": 32, "SHA384": 48}[suite.rpartition("_")[2]]
    content = 64 - mac_length % 16
    sender.send_data(b"\x0f" * content)
    return sender.data_to_send()


@EACH
@BOTH
def test_a_block_in_the_place_of_padding_is_never_taken(side: Side, suite: str) -> None:
    """The attack itself, with each block of the record; none of them is taken, and all have one answer."""
    for block in range(1, 5):
        client, server = connected(suite)
        victim, sender = (client, server) if side == "client" else (server, client)
        record = with_a_block_of_padding(sender, suite)
        end = 5 + 16 * block
        forged = record[:-16] + record[end : end + 16]
        assert len(forged) == len(record)
        refuses_data(victim, sender, forged, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@EACH
def test_every_byte_of_the_padding_counts(suite: str) -> None:
    """With the key in hand: padding whose last byte is right, and another one is not."""
    for at in range(2, 17):
        client, server = connected(suite)
        record = with_a_block_of_padding(client, suite)
        sealer = client._driver.writer._sealer
        assert isinstance(sealer, MacThenEncryptSealer)
        iv = record[5:21]
        plain = bytearray(aes_cbc_decrypt(sealer._key, iv, record[21:]))
        assert plain[-16:] == bytes([15]) * 16
        plain[-at] ^= 0x80
        forged = record[:21] + aes_cbc_encrypt(sealer._key, iv, bytes(plain))
        refuses_data(server, client, forged, Reason.BAD_RECORD_MAC, A.bad_record_mac)


@EACH
def test_who_can_have_the_mac_behind_has_it(suite: str) -> None:
    """RFC 7366: then a record that is not authentic is not decrypted, and there is no padding to look at."""
    for wanted in (True, False):
        pair = connected(suite, encrypt_then_mac=wanted)
        kinds = {type(end._driver.writer._sealer) for end in pair}
        assert kinds == {EncryptThenMacSealer if wanted else MacThenEncryptSealer}
    assert client_of(cipher_suites=[suite]).encrypt_then_mac
    assert server_of(cipher_suites=[suite]).encrypt_then_mac


def test_encrypt_then_mac_is_for_cbc_alone() -> None:
    """RFC 7366 3: a server that says so with an AEAD has not understood which protection is meant."""
    change = edit(ServerHello, lambda hello: hello.extensions.add(ext.EncryptThenMac()))
    client = client_of(sessions=None, cipher_suites=["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", *CBC])
    refused12("client", Reason.ILLEGAL_PARAMETER, A.illegal_parameter, change, client=client)


@pytest.mark.parametrize("policy", ["default", "modern"])
def test_no_cbc_is_used_unaskedly(policy: str) -> None:
    for config in (client_config(policy=policy), server_config(policy=policy)):
        assert not any("CBC" in str(suite) for suite in config.cipher_suites)
