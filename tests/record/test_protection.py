"""Protection of single records: RFC 8448's own, every suite, and everything that must be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid.codes import ContentType
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.keys.key_schedule import TrafficKeys
from pellucid.record import Opener, Sealer
from pellucid.record.limits import MAX_FRAGMENT
from pellucid.record.workspace import Workspace

TRACES = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8448.json").read_text())["traces"]
APPLICATION_DATA = int(ContentType.application_data)
HANDSHAKE = int(ContentType.handshake)


def protected_records() -> Iterator[object]:
    """Every run of protected records in RFC 8448: the key, and (type, content, record) in their order."""
    for trace in TRACES:
        for sender in ("client", "server"):
            records = [
                (
                    int(ContentType[record["content_type"]]),
                    bytes.fromhex(record["content"]),
                    bytes.fromhex(record["record"]),
                )
                for record in trace["records"]
                if record["sender"] == sender
            ]
            left = [record for record in records if record[2][0] == APPLICATION_DATA]
            for entry in trace["traffic_keys"]:
                if entry["sender"] != sender:
                    continue
                keys = TrafficKeys(bytes.fromhex(entry["key"]), bytes.fromhex(entry["iv"]))
                run = []
                opener = Opener(SUITES[0x1301], keys)
                while left and opens(opener, left[0][2]):
                    run.append(left.pop(0))
                yield pytest.param(keys, run, id=f"{trace['name']}-{sender}-{entry['epoch']}")
            assert not left, f"no key of {trace['name']} opens the rest of what the {sender} sent"


def opens(opener: Opener, record: bytes) -> bool:
    try:
        opener.open(record[:5], record[5:], MAX_FRAGMENT)
    except PeerMisbehaved:
        return False
    return True


@pytest.mark.parametrize("keys,records", list(protected_records()))
class TestRFC8448:
    def test_every_record_is_sealed_as_printed(
        self, keys: TrafficKeys, records: list[tuple[int, bytes, bytes]]
    ) -> None:
        sealer = Sealer(SUITES[0x1301], keys)
        assert [sealer.seal(kind, content) for kind, content, _ in records] == [
            sealed for *_, sealed in records
        ]

    def test_every_record_is_opened_as_printed(
        self, keys: TrafficKeys, records: list[tuple[int, bytes, bytes]]
    ) -> None:
        opener = Opener(SUITES[0x1301], keys)
        opened = [opener.open(sealed[:5], sealed[5:], MAX_FRAGMENT) for *_, sealed in records]
        assert opened == [(kind, content) for kind, content, _ in records]


def test_no_protected_record_of_rfc8448_is_left_out() -> None:
    there = sum(record["record"].startswith("17") for trace in TRACES for record in trace["records"])
    assert sum(len(run.values[1]) for run in protected_records()) == there == 27  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [0, 1, 100, 1024, 16383, 16384])
@pytest.mark.parametrize("padding", [0, 1, 77])
def test_what_is_sealed_is_opened(suite: Suite, keys: TrafficKeys, size: int, padding: int) -> None:
    padding = min(padding, MAX_FRAGMENT - size)
    content = bytes(index % 251 for index in range(size))
    record = Sealer(suite, keys).seal(HANDSHAKE, content, padding)
    assert Opener(suite, keys).open(record[:5], record[5:], MAX_FRAGMENT) == (HANDSHAKE, content)


@pytest.mark.parametrize("size,count", [(1, 3), (100, 1), (100, 7), (16384, 3)])
def test_sealing_a_run_makes_the_same_records(suite: Suite, keys: TrafficKeys, size: int, count: int) -> None:
    data = bytes(index % 251 for index in range(size * count))
    workspace = Workspace()
    workspace.inner[:] = b"\xff" * len(workspace.inner)  # what an earlier record left behind
    run, single = Sealer(suite, keys), Sealer(suite, keys)
    for _ in range(2):
        length = run.seal_run(workspace, APPLICATION_DATA, memoryview(data), size)
        assert bytes(workspace.out[:length]) == b"".join(
            single.seal(APPLICATION_DATA, data[start : start + size]) for start in range(0, len(data), size)
        )
    assert run.sequence == single.sequence == 2 * count


def test_the_last_record_of_a_run_may_be_shorter(suite: Suite, keys: TrafficKeys) -> None:
    workspace = Workspace()
    length = Sealer(suite, keys).seal_run(workspace, APPLICATION_DATA, memoryview(b"aaabbbc"), 3)
    single = Sealer(suite, keys)
    records = [single.seal(APPLICATION_DATA, content) for content in (b"aaa", b"bbb", b"c")]
    assert bytes(workspace.out[:length]) == b"".join(records)


def test_no_more_of_a_run_is_opened_than_was_asked_for(suite: Suite, keys: TrafficKeys) -> None:
    sealer, opener = Sealer(suite, keys), Opener(suite, keys)
    records = [sealer.seal(APPLICATION_DATA, content) for content in (b"aa", b"bb", b"cc")]
    out = Workspace().out
    found = opener.open_run(b"".join(records), 0, len(records[0]), 2, out, 0, MAX_FRAGMENT)
    assert (found, bytes(out[:4]), opener.sequence) == ((2, 4, None), b"aabb", 2)


def test_a_refused_record_ends_a_run_and_is_told_as_its_first(suite: Suite, keys: TrafficKeys) -> None:
    sealer, opener = Sealer(suite, keys), Opener(suite, keys)
    one, two = sealer.seal(APPLICATION_DATA, b"aa"), sealer.seal(APPLICATION_DATA, b"bb")
    data = one + two[:-1] + bytes([two[-1] ^ 1])
    out = Workspace().out
    assert opener.open_run(data, 0, len(one), 2, out, 0, MAX_FRAGMENT) == (1, 2, None)
    with pytest.raises(PeerMisbehaved):
        opener.open_run(data, len(one), len(two), 1, out, 2, MAX_FRAGMENT)


@pytest.mark.parametrize("size,padding", [(0, 0), (0, 9), (1, 0), (100, 50), (16384, 0), (16000, 384)])
def test_opening_into_a_workspace_gives_the_same_content(
    suite: Suite, keys: TrafficKeys, size: int, padding: int
) -> None:
    content = b"c" * size
    record = Sealer(suite, keys).seal(APPLICATION_DATA, content, padding)
    out = Workspace().out
    found = Opener(suite, keys).open_run(b"??" + record, 2, len(record), 1, out, 11, MAX_FRAGMENT)
    assert (found, bytes(out[11 : 11 + size])) == ((1, 11 + size, None if size else (23, b"")), content)


def test_content_that_ends_in_zeros_keeps_them(suite: Suite, keys: TrafficKeys) -> None:
    record = Sealer(suite, keys).seal(APPLICATION_DATA, b"data\0\0", 3)
    assert Opener(suite, keys).open(record[:5], record[5:], MAX_FRAGMENT) == (APPLICATION_DATA, b"data\0\0")


def test_the_header_is_that_of_the_rfc(suite: Suite, keys: TrafficKeys) -> None:
    sealer = Sealer(suite, keys)
    record = sealer.seal(HANDSHAKE, b"content", 10)
    # RFC 9846 5.2: opaque_type 23, legacy_record_version 0x0303, content + type + padding + tag
    assert record[:5] == b"\x17\x03\x03" + (7 + 1 + 10 + suite.tag_length).to_bytes(2, "big")
    assert len(record) == 7 + 10 + sealer.overhead


def test_no_nonce_is_used_twice(suite: Suite, keys: TrafficKeys) -> None:
    sealer = Sealer(suite, keys)
    records = {sealer.seal(APPLICATION_DATA, b"the same") for _ in range(300)}
    assert (len(records), sealer.sequence) == (300, 300)


def test_the_sequence_number_is_part_of_the_nonce_to_its_last_byte(suite: Suite, keys: TrafficKeys) -> None:
    sequence = 0x0102030405060708
    sealer = Sealer(suite, keys)
    sealer.sequence = sequence
    iv = bytearray(keys.iv)
    for index, byte in enumerate(sequence.to_bytes(8, "big")):
        iv[4 + index] ^= byte
    record = sealer.seal(APPLICATION_DATA, b"data")
    assert suite.make_aead(keys.key).decrypt(bytes(iv), record[5:], record[:5]) == b"data\x17"


class Refusals:
    """Each way of opening, given one record."""

    @staticmethod
    def open(opener: Opener, record: bytes, max_fragment: int = MAX_FRAGMENT) -> None:
        opener.open(record[:5], record[5:], max_fragment)

    @staticmethod
    def open_run(opener: Opener, record: bytes, max_fragment: int = MAX_FRAGMENT) -> None:
        opener.open_run(record, 0, len(record), 1, Workspace().out, 0, max_fragment)


BOTH_WAYS = pytest.mark.parametrize("way", [Refusals.open, Refusals.open_run])


@BOTH_WAYS
class TestRefused:
    def test_every_altered_byte(self, suite: Suite, keys: TrafficKeys, way: object) -> None:
        record = Sealer(suite, keys).seal(APPLICATION_DATA, b"content", 2)
        opener = Opener(suite, keys)
        reasons = set()
        for index in range(len(record)):
            altered = bytearray(record)
            altered[index] ^= 0x01
            with pytest.raises(PeerMisbehaved) as caught:
                way(opener, bytes(altered))  # type: ignore[operator]
            reasons.add(caught.value.reason)
        assert reasons == {Reason.BAD_RECORD_MAC}

    def test_a_record_out_of_order(self, suite: Suite, keys: TrafficKeys, way: object) -> None:
        sealer = Sealer(suite, keys)
        sealer.seal(APPLICATION_DATA, b"lost")
        with pytest.raises(PeerMisbehaved) as caught:
            way(Opener(suite, keys), sealer.seal(APPLICATION_DATA, b"second"))  # type: ignore[operator]
        assert caught.value.reason is Reason.BAD_RECORD_MAC

    @pytest.mark.parametrize("length", [0, 1, 7])
    def test_a_record_shorter_than_a_tag(
        self, suite: Suite, keys: TrafficKeys, way: object, length: int
    ) -> None:
        with pytest.raises(PeerMisbehaved) as caught:
            way(Opener(suite, keys), bytes([23, 3, 3, 0, length]) + bytes(length))  # type: ignore[operator]
        assert caught.value.reason is Reason.BAD_RECORD_MAC

    @pytest.mark.parametrize("inner", [b"", b"\0", bytes(500)])
    def test_zeros_alone(self, suite: Suite, keys: TrafficKeys, way: object, inner: bytes) -> None:
        with pytest.raises(PeerMisbehaved) as caught:
            way(Opener(suite, keys), sealed_by_hand(suite, keys, inner))  # type: ignore[operator]
        assert caught.value.reason is Reason.UNEXPECTED_RECORD

    @pytest.mark.parametrize(
        "inner", [b"d" * 16385 + b"\x17", b"d" + b"\x17" + bytes(16384)], ids=["content", "padding"]
    )
    def test_an_inner_plaintext_of_more_than_2_to_14_and_1(
        self, suite: Suite, keys: TrafficKeys, way: object, inner: bytes
    ) -> None:
        with pytest.raises(PeerMisbehaved) as caught:
            way(Opener(suite, keys), sealed_by_hand(suite, keys, inner))  # type: ignore[operator]
        assert caught.value.reason is Reason.RECORD_OVERFLOW

    def test_more_than_the_limit_that_was_asked_for(
        self, suite: Suite, keys: TrafficKeys, way: object
    ) -> None:
        record = Sealer(suite, keys).seal(APPLICATION_DATA, b"d" * 65)
        with pytest.raises(PeerMisbehaved) as caught:
            way(Opener(suite, keys), record, 64)  # type: ignore[operator]
        assert caught.value.reason is Reason.RECORD_OVERFLOW

    def test_and_the_right_record_is_still_opened(self, suite: Suite, keys: TrafficKeys, way: object) -> None:
        record = Sealer(suite, keys).seal(APPLICATION_DATA, b"content")
        opener = Opener(suite, keys)
        with pytest.raises(PeerMisbehaved):
            way(opener, record[:-1] + b"!")  # type: ignore[operator]
        assert opener.open(record[:5], record[5:], MAX_FRAGMENT) == (APPLICATION_DATA, b"content")


def sealed_by_hand(suite: Suite, keys: TrafficKeys, inner: bytes) -> bytes:
    header = b"\x17\x03\x03" + (len(inner) + suite.tag_length).to_bytes(2, "big")
    return header + suite.make_aead(keys.key).encrypt(keys.iv, inner, header)


def test_neither_end_shows_its_key(suite: Suite, keys: TrafficKeys) -> None:
    shown = repr(Sealer(suite, keys)) + repr(Opener(suite, keys))
    assert keys.key.hex() not in shown
    assert repr(keys.key) not in shown
