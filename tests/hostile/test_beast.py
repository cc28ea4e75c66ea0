"""BEAST (2011): who can foresee the IV of the next CBC record can test a guess of what another one holds.

TLS 1.0 took the end of one record as the IV of the next. TLS 1.2 sends an IV with each record, and here it is
drawn when the record is made, not before: nothing of what was sent or is known tells it.
"""

from __future__ import annotations

import pytest
from protections12 import CBC, Protection

from pellucid.record import RecordWriter

DATA = 23


@pytest.mark.parametrize("protection", CBC, ids=str)
def test_an_iv_is_drawn_for_each_record_when_it_is_made(protection: Protection) -> None:
    drawn: list[bytes] = []

    def entropy(length: int) -> bytes:
        drawn.append(bytes([len(drawn) + 1]) * length)
        return drawn[-1]

    writer = RecordWriter()
    writer.install(protection.sealer(entropy))
    for number in range(1, 4):
        writer.queue(DATA, b"the same")
        assert len(drawn) == number - 1
        record = writer.take()
        assert drawn[-1] == record[5:21]
        assert len(drawn) == number
    writer.queue(DATA, bytes(3 * 16384))
    wire = b""
    while taken := writer.take():
        wire += taken
    length = len(wire) // 3
    assert [wire[start + 5 : start + 21] for start in range(0, 3 * length, length)] == drawn[3:]


@pytest.mark.parametrize("protection", CBC, ids=str)
def test_nothing_that_was_sent_is_an_iv_again(protection: Protection) -> None:
    sealer = protection.sealer()
    blocks: list[bytes] = []
    for _ in range(50):
        fragment = sealer.seal(DATA, b"the same content")[5:]
        assert fragment[:16] not in blocks
        blocks += (fragment[start : start + 16] for start in range(0, len(fragment), 16))
