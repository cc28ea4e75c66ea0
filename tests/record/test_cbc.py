"""CBC with HMAC, in both orders: padding of every length, IVs, and what is checked before what."""

from __future__ import annotations

import pytest
from protections12 import CBC, ENCRYPT_THEN_MAC, Protection, counting

from pellucid.codes import ContentType
from pellucid.crypto.cbc import aes_cbc_decrypt, aes_cbc_encrypt
from pellucid.crypto.kdf import hmac_digest
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.record import RecordOpener, cbc
from pellucid.record.limits import MAX_FRAGMENT

DATA = int(ContentType.application_data)
IV = bytes(range(0xA0, 0xB0))

each_protection = pytest.mark.parametrize("protection", CBC, ids=str)


def by_hand(protection: Protection, content: bytes, padding: bytes) -> bytes:
    """The first record under these keys, with any padding: made from the RFCs' formulas alone."""
    suite, keys = protection.suite, protection.keys

    def authenticator(data: bytes) -> bytes:
        prefix = bytes(8) + b"\x17\x03\x03" + len(data).to_bytes(2, "big")
        return hmac_digest(suite.mac_name, keys.mac_key, prefix + data)

    if protection.encrypt_then_mac:
        body = IV + aes_cbc_encrypt(keys.key, IV, content + padding)
        body += authenticator(body)
    else:
        body = IV + aes_cbc_encrypt(keys.key, IV, content + authenticator(content) + padding)
    return b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body


def fitting(protection: Protection, size: int) -> list[int]:
    """The lengths of padding that make whole blocks of `size` bytes of content."""
    before = size if protection.encrypt_then_mac else size + protection.suite.mac_length
    return [count for count in range(1, 257) if not (before + count) % 16]


def opened(opener: RecordOpener, record: bytes, max_fragment: int = MAX_FRAGMENT) -> tuple[int, bytes]:
    return opener.open(record[:5], record[5:], max_fragment)


def refusal(protection: Protection, record: bytes, max_fragment: int = MAX_FRAGMENT) -> Reason:
    with pytest.raises(PeerMisbehaved) as caught:
        opened(protection.opener(), record, max_fragment)
    return caught.value.reason


@each_protection
def test_padding_of_every_length_is_taken_away(protection: Protection) -> None:
    lengths = set()
    for size in range(16):
        content = bytes(range(size))
        for count in fitting(protection, size):
            lengths.add(count)
            record = by_hand(protection, content, bytes([count - 1]) * count)
            assert opened(protection.opener(), record) == (DATA, content)
    assert lengths == set(range(1, 257))


@each_protection
def test_the_least_padding_is_what_is_sealed(protection: Protection) -> None:
    for size in range(40):
        count = fitting(protection, size)[0]
        record = protection.sealer(lambda _: IV).seal(DATA, bytes(size))
        assert record == by_hand(protection, bytes(size), bytes([count - 1]) * count)


@each_protection
@pytest.mark.parametrize("count", [16, 32, 240, 256])
def test_every_byte_of_padding_is_checked(protection: Protection, count: int) -> None:
    size = next(size for size in range(16) if count in fitting(protection, size))
    padding = bytes([count - 1]) * count
    for index in range(count):
        for change in (0x01, 0x80):
            wrong = padding[:index] + bytes([padding[index] ^ change]) + padding[index + 1 :]
            assert refusal(protection, by_hand(protection, bytes(size), wrong)) is Reason.BAD_RECORD_MAC


@each_protection
def test_padding_that_takes_in_more_than_it_may_is_refused(protection: Protection) -> None:
    """All that is decrypted is padding, of which some would lie where the MAC is, or before everything."""
    keys, mac_length = protection.keys, protection.suite.mac_length
    for length in range(16, 257, 16):
        for value in range(max(length - (0 if protection.encrypt_then_mac else mac_length), 0), 256):
            everything = bytes([value]) * length
            if protection.encrypt_then_mac:
                record = by_hand(protection, b"", everything)
            else:
                body = IV + aes_cbc_encrypt(keys.key, IV, everything)
                record = b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body
            assert refusal(protection, record) is Reason.BAD_RECORD_MAC


@each_protection
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_padding_hides_what_is_shorter(protection: Protection, size: int) -> None:
    """RFC 8449 4.1: a padded record is no longer than one with as much content would be."""
    for padding in (*range(0, 300, 7), 5000):
        record = protection.sealer().seal(DATA, bytes(size), padding)
        longest = max(fitting(protection, size))
        wanted = len(protection.sealer().seal(DATA, bytes(size + padding)))
        most = len(by_hand(protection, bytes(size), bytes(longest)))
        assert len(record) == min(wanted, most)
        assert opened(protection.opener(), record) == (DATA, bytes(size))


@each_protection
def test_each_record_has_an_iv_of_its_own_from_entropy(protection: Protection) -> None:
    sealer, expected = protection.sealer(counting()), counting()
    ivs = [sealer.seal(DATA, b"content")[5:21] for _ in range(20)]
    assert ivs == [expected(16) for _ in range(20)]


@each_protection
def test_the_fullest_record_with_the_longest_padding_is_opened(protection: Protection) -> None:
    content = bytes(index % 251 for index in range(16384))
    count = fitting(protection, 16384)[-1]
    record = by_hand(protection, content, bytes([count - 1]) * count)
    assert len(record) - 5 <= protection.opener().longest
    assert opened(protection.opener(), record) == (DATA, content)


@each_protection
def test_what_is_too_long_with_any_padding_is_not_decrypted(
    protection: Protection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6066 4: record_overflow "without decrypting the message"."""
    opener = protection.opener()
    for limit in (512, 16384):
        most = limit + opener.overhead - 1 + 256  # of a fragment that can be right
        assert refusal(protection, bytes([23, 3, 3, 0, 0]) + bytes(most), limit) is Reason.BAD_RECORD_MAC
    decrypted = watched(monkeypatch)
    for limit in (512, 16384):
        most = limit + opener.overhead - 1 + 256
        assert refusal(protection, bytes([23, 3, 3, 0, 0]) + bytes(most + 1), limit) is Reason.RECORD_OVERFLOW
    assert not decrypted


@pytest.mark.parametrize("protection", ENCRYPT_THEN_MAC, ids=str)
def test_nothing_is_decrypted_that_is_not_authentic(
    protection: Protection, monkeypatch: pytest.MonkeyPatch
) -> None:
    decrypted = watched(monkeypatch)
    record = protection.sealer().seal(DATA, b"content")
    opener = protection.opener()
    for index in range(5, len(record)):
        altered = record[:index] + bytes([record[index] ^ 1]) + record[index + 1 :]
        with pytest.raises(PeerMisbehaved):
            opened(opener, altered)
    assert not decrypted
    assert opened(opener, record) == (DATA, b"content")
    assert len(decrypted) == 1


@pytest.mark.parametrize("protection", ENCRYPT_THEN_MAC, ids=str)
def test_the_two_orders_do_not_open_each_others_records(protection: Protection) -> None:
    other = Protection(protection.suite, encrypt_then_mac=False)
    for sealing, opening in ((protection, other), (other, protection)):
        record = sealing.sealer().seal(DATA, b"content")
        assert refusal(opening, record) is Reason.BAD_RECORD_MAC


def watched(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is decrypted from now on, as a list that grows."""
    seen: list[bytes] = []

    def decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
        result = aes_cbc_decrypt(key, iv, data)
        seen.append(result)
        return result

    monkeypatch.setattr(cbc, "aes_cbc_decrypt", decrypt)
    return seen
