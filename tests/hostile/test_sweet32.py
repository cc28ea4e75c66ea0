"""Sweet32 (2016): a cipher with blocks of 64 bits repeats one after 32 GB, and equal blocks tell much.

So there is none of these ciphers. With AES's blocks of 128 bits the same takes 2^32 times as long, and before
that a key has had the records that it may have: in TLS 1.2, which cannot take another, the connection ends.
"""

from __future__ import annotations

import pytest
from loopback import shake_hands
from protections12 import AEADS, CBC, Protection
from rogue12 import client_of, server_of
from unspoken import assert_not_accepted, assert_not_offered, assert_not_taken, named

from pellucid import Misuse
from pellucid.crypto.suites12 import SUITES12
from pellucid.errors import Reason

SMALL_BLOCKS = named("DES", "IDEA", "RC2")

#: Blocks of 16 bytes in a full record of TLS 1.2: content, MAC, padding and IV at their longest.
BLOCKS = (2**14 + 48 + 256 + 16) // 16


def test_no_cipher_with_small_blocks_is_offered() -> None:
    assert_not_offered(SMALL_BLOCKS)


def test_no_cipher_with_small_blocks_is_accepted_by_a_server() -> None:
    assert_not_accepted(SMALL_BLOCKS)


def test_no_cipher_with_small_blocks_is_taken_by_a_client() -> None:
    assert_not_taken(SMALL_BLOCKS)


@pytest.mark.parametrize("protection", CBC, ids=str)
def test_a_cbc_key_ends_long_before_two_blocks_are_equal(protection: Protection) -> None:
    """Among q blocks, the chance of two equal ones is below q^2 / 2^129."""
    blocks = protection.suite.record_limit * BLOCKS
    assert blocks**2 / 2**129 < 2**-56


@pytest.mark.parametrize("suite", SUITES12.values(), ids=str)
def test_every_suite_has_a_limit(suite: object) -> None:
    limits = {each.sealer().limit for each in (*AEADS, *CBC) if each.suite is suite}
    # RFC 5246 6.1: sequence numbers "may not exceed 2^64-1".
    assert all(2 < limit <= 2**64 - 1 for limit in limits)


@pytest.mark.parametrize("exchange", ["ECDHE_ECDSA", "DHE_RSA"])
def test_at_the_limit_nothing_more_is_sealed(exchange: str) -> None:
    """Data is held back, and the connection ends with close_notify or an alert under the last of the key."""
    client, server = shake_hands(client_of(exchange), server_of(exchange))
    sealer = client._driver.writer._sealer
    assert sealer is not None
    sealer.limit = sealer.sequence + 3
    for _ in range(2):
        client.send_data(b"x")
        server.receive_data(client.data_to_send())
    client.send_data(b"one too many")
    with pytest.raises(Misuse) as caught:
        client.data_to_send()
    assert caught.value.reason is Reason.KEY_LIMIT_REACHED
    assert sealer.sequence <= sealer.limit
    assert client.failure is caught.value
