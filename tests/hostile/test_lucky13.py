"""Lucky Thirteen: how long a MAC takes tells how much padding there was, and so what the ciphertext says.

AlFardan and Paterson, 2013. A hash works in blocks, so a MAC over some bytes less needs one call less of its
compression function; over a network, that call was measured. Here every forged record costs as many calls as
any other of its length. What Python cannot equalise is told in `pellucid.record.cbc`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from protections12 import MAC_THEN_ENCRYPT, Protection

from pellucid.crypto.cbc import aes_cbc_encrypt
from pellucid.crypto.kdf import KeyedHmac, keyed_hmac
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.record import cbc

IV = bytes(16)


class CountingHmac:
    """An HMAC that counts what its inner hash compresses, the block of the key included."""

    calls = 0

    def __init__(self, hash_name: str, mac: KeyedHmac) -> None:
        self.mac = mac
        self.name = hash_name
        self.block, self.trailer = (128, 16) if hash_name == "sha384" else (64, 8)
        self.taken = 0

    def copy(self) -> CountingHmac:
        copied = CountingHmac(self.name, self.mac.copy())
        copied.taken = self.taken
        return copied

    def update(self, data: bytes) -> None:
        self.mac.update(data)
        before = self.taken // self.block
        self.taken += len(data)
        CountingHmac.calls += self.taken // self.block - before

    def finalize(self) -> bytes:
        # One bit of padding at least, and the length of all.
        CountingHmac.calls += (self.taken % self.block + self.trailer) // self.block + 1
        return self.mac.finalize()


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cbc, "keyed_hmac", lambda name, key: CountingHmac(name, keyed_hmac(name, key)))


def forged(protection: Protection, plaintext: bytes) -> bytes:
    """A record that decrypts to `plaintext`; an attack gets there by trying, for want of the key."""
    body = IV + aes_cbc_encrypt(protection.keys.key, IV, plaintext)
    return b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body


def ends() -> Iterator[bytes]:
    """Every proper padding, and ways of it to be wrong."""
    for value in range(256):
        yield bytes([value]) * (value + 1)
    yield from (bytes([7]) * 7 + bytes([8]), b"\x00" + b"\x01" * 1, b"\xfe" + b"\xff" * 255, b"\x13\x37")


def calls(protection: Protection, record: bytes) -> int:
    opener = protection.opener()
    CountingHmac.calls = 0
    with pytest.raises(PeerMisbehaved) as caught:
        opener.open(record[:5], record[5:], 2**14)
    assert caught.value.reason is Reason.BAD_RECORD_MAC
    return CountingHmac.calls


# Lucky Thirteen's own, 288 bytes; the edges of a block; the longest padding and none; a full record.
@pytest.mark.parametrize("length", [*range(32, 161, 16), 256, 272, 288, 320, 336, 16384 + 64])
@pytest.mark.parametrize("protection", MAC_THEN_ENCRYPT, ids=str)
def test_every_forged_record_of_a_length_costs_as_many_compressions(
    protection: Protection, length: int
) -> None:
    if length <= protection.suite.mac_length:
        length += 32
    found = {
        calls(protection, forged(protection, bytes(length - len(end)) + end))
        for end in ends()
        if len(end) <= length
    }
    assert len(found) == 1


@pytest.mark.parametrize("protection", MAC_THEN_ENCRYPT, ids=str)
def test_which_are_those_of_the_longest_content_there_might_be(protection: Protection) -> None:
    suite = protection.suite
    for length in (288, 304, 320, 336):
        hashed = 13 + length - suite.mac_length - 1
        block, trailer = (128, 16) if suite.mac_name == "sha384" else (64, 8)
        record = forged(protection, bytes(length - 256) + b"\xff" * 256)
        assert calls(protection, record) == -(-(hashed + 1 + trailer) // block)


@pytest.mark.parametrize("protection", MAC_THEN_ENCRYPT, ids=str)
def test_a_record_that_is_authentic_costs_no_less(protection: Protection) -> None:
    """So the time until an answer does not tell either how long the padding of a good record was."""
    found = set()
    for padding in (0, 60, 120, 180):
        opener = protection.opener()
        # The content shrinks as the padding grows.
        record = protection.sealer().seal(23, bytes(300 - padding), padding)
        CountingHmac.calls = 0
        opener.open(record[:5], record[5:], 2**14)
        found.add((len(record), CountingHmac.calls))
    assert len(found) == 1
