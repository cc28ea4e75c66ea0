"""Padding oracles (Vaudenay 2002, POODLE, GOLDENDOODLE): who says why a CBC record is bad decrypts it.

POODLE needed SSL 3.0, whose padding had no fixed content; its later kin need a TLS that checks padding as SSL
3.0 did, or that answers a bad padding otherwise than a bad MAC. Here is every fault beside every other: same
reason, same words, same alert, nothing changed. Lucky Thirteen, which measures time, has its own file.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from protections12 import CBC, MAC_THEN_ENCRYPT, Protection

from pellucid.alerts import alert_for
from pellucid.codes import AlertDescription
from pellucid.crypto.cbc import aes_cbc_encrypt
from pellucid.crypto.kdf import hmac_digest
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.record import RecordReader

CONTENT = bytes(range(70))
IV = bytes(range(16))


def sealed(protection: Protection, plaintext: bytes) -> bytes:
    """A record of this plaintext, whatever stands in it; MAC-then-encrypt has its MAC in there."""
    keys = protection.keys
    body = IV + aes_cbc_encrypt(keys.key, IV, plaintext)
    if protection.encrypt_then_mac:
        body += authenticator(protection, body)
    return b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body


def authenticator(protection: Protection, data: bytes) -> bytes:
    prefix = bytes(8) + b"\x17\x03\x03" + len(data).to_bytes(2, "big")
    return hmac_digest(protection.suite.mac_name, protection.keys.mac_key, prefix + data)


def with_padding(protection: Protection, padding: bytes, mac_change: int = 0) -> bytes:
    """`CONTENT`, cut to fit, with this padding, and with a MAC that is right or not."""
    mac_length = 0 if protection.encrypt_then_mac else protection.suite.mac_length
    content = CONTENT[: len(CONTENT) - (len(CONTENT) + mac_length + len(padding)) % 16]
    mac = b"" if protection.encrypt_then_mac else authenticator(protection, content)
    mac = mac[:-1] + bytes([mac[-1] ^ mac_change]) if mac else mac
    return sealed(protection, content + mac + padding)


def right(value: int) -> bytes:
    return bytes([value]) * (value + 1)


def faults(protection: Protection) -> Iterator[bytes]:
    """Records that are wrong in one way each."""
    for value in (0, 1, 15, 16, 100, 255):
        good = right(value)
        for index in {0, value // 2, value}:
            yield with_padding(protection, good[:index] + bytes([good[index] ^ 0x20]) + good[index + 1 :])
        if not protection.encrypt_then_mac:
            yield with_padding(protection, good, mac_change=1)
    record = with_padding(protection, right(9))
    for index in range(5, len(record)):
        yield record[:index] + bytes([record[index] ^ 0x40]) + record[index + 1 :]
    for end in range(len(record)):
        yield record[:3] + max(end - 5, 0).to_bytes(2, "big") + record[5 : max(end, 5)]
    yield sealed(protection, b"\xff" * 64)  # padding longer than all there is
    yield sealed(protection, b"\x3f" * 64)  # padding and nothing else


def refused(protection: Protection, record: bytes) -> tuple[Reason, str, AlertDescription | None, int]:
    reader = RecordReader()
    opener = protection.opener()
    reader.install(opener)
    reader.feed(record)
    with pytest.raises(PeerMisbehaved) as caught:
        reader.next()
    return caught.value.reason, str(caught.value), alert_for(caught.value), opener.sequence


@pytest.mark.parametrize("protection", CBC, ids=str)
def test_every_fault_has_the_same_answer(protection: Protection) -> None:
    assert right(0) == b"\0"
    for value in (0, 9, 255):
        record = with_padding(protection, right(value))
        assert protection.opener().open(record[:5], record[5:], 2**14)
    if protection.encrypt_then_mac:
        # A padding of 64 bytes is nothing but proper where no MAC has to fit in beside it.
        wrong = [fault for fault in faults(protection) if fault != sealed(protection, b"\x3f" * 64)]
    else:
        wrong = list(faults(protection))
    answers = {refused(protection, record) for record in wrong}
    assert len(answers) == 1
    reason, _, alert, sequence = answers.pop()
    assert (reason, alert, sequence) == (Reason.BAD_RECORD_MAC, AlertDescription.bad_record_mac, 0)


@pytest.mark.parametrize("protection", MAC_THEN_ENCRYPT, ids=str)
def test_poodle_finds_no_byte(protection: Protection) -> None:
    """A block that the attacker is after, put in the place of a last block that is padding alone.

    Where only the padding's length was checked, one record in 256 was taken, and gave away a byte.
    """
    content = bytes(64 - protection.suite.mac_length % 16)
    record = protection.sealer(lambda _: IV).seal(23, content)
    assert len(record) % 16 == 5
    for start in range(5, len(record) - 16, 16):
        for change in range(256):
            block = bytearray(record[start : start + 16])
            block[15] ^= change
            altered = record[:-16] + bytes(block)
            if altered == record:
                continue
            with pytest.raises(PeerMisbehaved) as caught:
                protection.opener().open(altered[:5], altered[5:], 2**14)
            assert caught.value.reason is Reason.BAD_RECORD_MAC
