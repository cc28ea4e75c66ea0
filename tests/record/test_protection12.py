"""Protection of single records in TLS 1.2: OpenSSL's own, every suite, and all that must be refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from protections12 import AEADS, PROTECTIONS, Protection, counting

from pellucid.codes import CipherSuite, ContentType
from pellucid.crypto.suites12 import SUITES12, Suite12
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.keys import CipherKeys
from pellucid.record import RecordOpener, opener12, sealer12
from pellucid.record.limits import MAX_FRAGMENT
from pellucid.record.workspace import Workspace

ALERT = int(ContentType.alert)
HANDSHAKE = int(ContentType.handshake)
DATA = int(ContentType.application_data)

VECTORS = Path(__file__).parents[1] / "vectors" / "openssl_tls12_records.json"
CONNECTIONS: list[dict[str, Any]] = json.loads(VECTORS.read_text())["connections"]

each_protection = pytest.mark.parametrize("protection", PROTECTIONS, ids=str)


def content_of(size: int) -> bytes:
    return bytes(index % 251 for index in range(size))


@pytest.mark.parametrize("sender", ["client", "server"])
@pytest.mark.parametrize(
    "connection", CONNECTIONS, ids=lambda told: f"{told['cipher_suite']}-{told['encrypt_then_mac']}"
)
class TestOpenSSL:
    @staticmethod
    def given(
        connection: dict[str, Any], sender: str
    ) -> tuple[Suite12, CipherKeys, bool, list[tuple[int, bytes, bytes]]]:
        keys = connection["keys"][sender]
        return (
            SUITES12[CipherSuite[connection["cipher_suite"]]],
            CipherKeys(*(bytes.fromhex(keys[name]) for name in ("mac_key", "key", "iv"))),
            connection["encrypt_then_mac"],
            [
                (told["content_type"], bytes.fromhex(told["content"]), bytes.fromhex(told["record"]))
                for told in connection["records"]
                if told["sender"] == sender
            ],
        )

    def test_its_records_are_opened(self, connection: dict[str, Any], sender: str) -> None:
        suite, keys, order, records = self.given(connection, sender)
        opener = opener12(suite, keys, encrypt_then_mac=order)
        opened = [opener.open(sealed[:5], sealed[5:], MAX_FRAGMENT) for *_, sealed in records]
        assert opened == [(kind, content) for kind, content, _ in records]

    def test_ours_differ_from_them_in_the_explicit_nonce_alone(
        self, connection: dict[str, Any], sender: str
    ) -> None:
        """Which OpenSSL counts from a random number, and we from 0; given the IVs of CBC, nothing differs."""
        suite, keys, order, records = self.given(connection, sender)
        ivs = iter([sealed[5:21] for *_, sealed in records])
        sealer = sealer12(suite, keys, encrypt_then_mac=order, entropy=lambda _: next(ivs))
        ours = [sealer.seal(kind, content) for kind, content, _ in records]
        theirs = [sealed for *_, sealed in records]
        if suite.explicit_length == 8:
            assert [(record[:5], len(record)) for record in ours] == [
                (record[:5], len(record)) for record in theirs
            ]
            assert [record[5:13] for record in ours] == [number.to_bytes(8, "big") for number in range(3)]
        else:
            assert ours == theirs


def test_openssl_has_made_records_of_every_kind() -> None:
    told = {
        (SUITES12[CipherSuite[one["cipher_suite"]]].cipher, one["encrypt_then_mac"]) for one in CONNECTIONS
    }
    assert told == {(protection.suite.cipher, protection.encrypt_then_mac) for protection in PROTECTIONS}
    assert len(CONNECTIONS) == len(PROTECTIONS)


@pytest.mark.parametrize("encrypt_then_mac", [False, True])
@pytest.mark.parametrize("suite", SUITES12.values(), ids=str)
def test_every_suite_protects_records(suite: Suite12, encrypt_then_mac: bool) -> None:
    protection = Protection(suite, encrypt_then_mac)
    sealer, opener = protection.sealer(), protection.opener()
    for content in (b"finished", b"data"):
        record = sealer.seal(HANDSHAKE, content)
        assert opener.open(record[:5], record[5:], MAX_FRAGMENT) == (HANDSHAKE, content)
    assert (sealer.limit, opener.hides_type) == (suite.record_limit, False)


@each_protection
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100, 1024, 16383, 16384])
@pytest.mark.parametrize("kind", [HANDSHAKE, DATA])
def test_what_is_sealed_is_opened(protection: Protection, size: int, kind: int) -> None:
    record = protection.sealer().seal(kind, content_of(size))
    assert protection.opener().open(record[:5], record[5:], MAX_FRAGMENT) == (kind, content_of(size))


@each_protection
def test_a_view_of_a_record_is_opened_too(protection: Protection) -> None:
    record = protection.sealer().seal(DATA, content_of(5000))
    opened = protection.opener().open(record[:5], memoryview(record)[5:], MAX_FRAGMENT)
    assert opened == (DATA, content_of(5000))


@each_protection
@pytest.mark.parametrize("kind", [ALERT, HANDSHAKE, DATA])
def test_the_header_shows_the_true_type(protection: Protection, kind: int) -> None:
    record = protection.sealer().seal(kind, b"content")
    assert record[:5] == bytes([kind, 3, 3]) + (len(record) - 5).to_bytes(2, "big")


@each_protection
def test_no_record_is_longer_than_its_overhead_says_nor_shorter(protection: Protection) -> None:
    sealer, opener = protection.sealer(), protection.opener()
    longer = [len(sealer.seal(DATA, bytes(size))) - size for size in range(65)]
    assert max(longer) == sealer.overhead
    assert min(longer) - 5 == opener.overhead


@each_protection
@pytest.mark.parametrize("size,count", [(1, 3), (100, 1), (100, 7), (16384, 3)])
def test_sealing_a_run_makes_the_same_records(protection: Protection, size: int, count: int) -> None:
    data = content_of(size * count)
    workspace = Workspace()
    workspace.inner[:] = b"\xff" * len(workspace.inner)  # what an earlier record left behind
    run, single = protection.sealer(), protection.sealer()
    for _ in range(2):
        length = run.seal_run(workspace, DATA, memoryview(data), size)
        assert bytes(workspace.out[:length]) == b"".join(
            single.seal(DATA, data[start : start + size]) for start in range(0, len(data), size)
        )
    assert run.sequence == single.sequence == 2 * count


@each_protection
def test_the_last_record_of_a_run_may_be_shorter(protection: Protection) -> None:
    workspace = Workspace()
    length = protection.sealer().seal_run(workspace, DATA, memoryview(b"aaabbbc"), 3)
    single = protection.sealer()
    records = [single.seal(DATA, content) for content in (b"aaa", b"bbb", b"c")]
    assert bytes(workspace.out[:length]) == b"".join(records)


@each_protection
def test_the_fullest_run_has_room_in_a_workspace(protection: Protection) -> None:
    sealer, opener, workspace = protection.sealer(), protection.opener(), Workspace()
    length = sealer.seal_run(workspace, DATA, memoryview(content_of(3 * 16384)), 16384)
    assert length <= 3 * (16384 + sealer.overhead) <= 2**16
    data, out = bytes(workspace.out[:length]), Workspace().out
    found = opener.open_run(data, 0, length // 3, 3, out, 16384, MAX_FRAGMENT)
    assert (found, out[16384:65536] == content_of(3 * 16384)) == ((3, 65536, None), True)


@each_protection
def test_no_more_of_a_run_is_opened_than_was_asked_for(protection: Protection) -> None:
    sealer, opener = protection.sealer(), protection.opener()
    records = [sealer.seal(DATA, content) for content in (b"aa", b"bb", b"cc")]
    out = Workspace().out
    found = opener.open_run(b"".join(records), 0, len(records[0]), 2, out, 0, MAX_FRAGMENT)
    assert (found, bytes(out[:4]), opener.sequence) == ((2, 4, None), b"aabb", 2)


@each_protection
def test_a_record_of_another_type_is_not_part_of_a_run(protection: Protection) -> None:
    sealer, opener = protection.sealer(), protection.opener()
    records = [sealer.seal(kind, b"aa") for kind in (DATA, HANDSHAKE)]
    out = Workspace().out
    found = opener.open_run(b"".join(records), 0, len(records[0]), 2, out, 0, MAX_FRAGMENT)
    assert (found, opener.sequence) == ((1, 2, None), 1)


@each_protection
def test_a_refused_record_ends_a_run_and_is_told_as_its_first(protection: Protection) -> None:
    sealer, opener = protection.sealer(), protection.opener()
    one, two = sealer.seal(DATA, b"aa"), sealer.seal(DATA, b"bb")
    data = one + two[:-1] + bytes([two[-1] ^ 1])
    out = Workspace().out
    assert opener.open_run(data, 0, len(one), 2, out, 0, MAX_FRAGMENT) == (1, 2, None)
    with pytest.raises(PeerMisbehaved):
        opener.open_run(data, len(one), len(two), 1, out, 2, MAX_FRAGMENT)


@each_protection
@pytest.mark.parametrize("kind,size", [(DATA, 0), (DATA, 1), (DATA, 100), (DATA, 16384), (HANDSHAKE, 100)])
def test_opening_into_a_workspace_gives_the_same_content(
    protection: Protection, kind: int, size: int
) -> None:
    record = protection.sealer().seal(kind, b"c" * size)
    out = Workspace().out
    found = protection.opener().open_run(b"??" + record, 2, len(record), 1, out, 11, MAX_FRAGMENT)
    if size and kind == DATA:
        assert (found, bytes(out[11 : 11 + size])) == ((1, 11 + size, None), b"c" * size)
    else:
        assert found == (1, 11, (kind, b"c" * size))


@each_protection
def test_no_record_is_like_another(protection: Protection) -> None:
    sealer = protection.sealer()
    records = {sealer.seal(DATA, b"the same") for _ in range(300)}
    assert (len(records), sealer.sequence) == (300, 300)


@pytest.mark.parametrize("protection", AEADS, ids=str)
def test_the_sequence_number_is_part_of_the_nonce_to_its_last_byte(protection: Protection) -> None:
    suite, keys = protection.suite, protection.keys
    sequence = 0x0102030405060708
    sealer, opener = protection.sealer(), protection.opener()
    sealer.sequence = opener.sequence = sequence
    record = sealer.seal(DATA, b"data")
    if suite.explicit_length:
        # RFC 5288 3, RFC 6655 3
        assert record[5:13] == sequence.to_bytes(8, "big")
        nonce = keys.iv + record[5:13]
    else:
        # RFC 7905 2
        padded = sequence.to_bytes(12, "big")
        nonce = bytes(a ^ b for a, b in zip(padded, keys.iv, strict=True))
    # RFC 5246 6.2.3.3
    additional_data = sequence.to_bytes(8, "big") + b"\x17\x03\x03\x00\x04"
    assert suite.make_aead is not None
    aead = suite.make_aead(keys.key)
    assert aead.decrypt(nonce, record[5 + suite.explicit_length :], additional_data) == b"data"
    assert opener.open(record[:5], record[5:], MAX_FRAGMENT) == (DATA, b"data")


@pytest.mark.parametrize("protection", AEADS, ids=str)
def test_an_aead_leaves_padding_out(protection: Protection) -> None:
    assert protection.sealer().seal(DATA, b"data", 100) == protection.sealer().seal(DATA, b"data")


Way = Callable[[RecordOpener, bytes, int], object]


def by_open(opener: RecordOpener, record: bytes, max_fragment: int = MAX_FRAGMENT) -> object:
    return opener.open(record[:5], record[5:], max_fragment)


def by_open_run(opener: RecordOpener, record: bytes, max_fragment: int = MAX_FRAGMENT) -> object:
    return opener.open_run(record, 0, len(record), 1, Workspace().out, 0, max_fragment)


def refusal(way: Way, opener: RecordOpener, record: bytes, max_fragment: int = MAX_FRAGMENT) -> Reason:
    before = opener.sequence
    with pytest.raises(PeerMisbehaved) as caught:
        way(opener, record, max_fragment)
    assert opener.sequence == before
    return caught.value.reason


@pytest.mark.parametrize("way", [by_open, by_open_run])
@each_protection
class TestRefused:
    def test_every_altered_byte(self, protection: Protection, way: Way) -> None:
        record = protection.sealer().seal(DATA, b"content")
        opener = protection.opener()
        texts = set()
        # The two bytes of length are the reader's, whose tests alter them.
        for index in {*range(len(record))} - {3, 4}:
            for change in (0x01, 0x80):
                altered = bytearray(record)
                altered[index] ^= change
                with pytest.raises(PeerMisbehaved) as caught:
                    way(opener, bytes(altered), MAX_FRAGMENT)
                texts.add(str(caught.value))
        assert len(texts) == 1
        assert way(opener, record, MAX_FRAGMENT)

    def test_a_record_cut_anywhere(self, protection: Protection, way: Way) -> None:
        record = protection.sealer().seal(DATA, b"content")
        opener = protection.opener()
        assert {refusal(way, opener, record[:end]) for end in range(5, len(record))} == {
            Reason.BAD_RECORD_MAC
        }

    @pytest.mark.parametrize("more", [1, 15, 16, 32, 256])
    def test_a_record_with_more_behind_it(self, protection: Protection, way: Way, more: int) -> None:
        record = protection.sealer().seal(DATA, b"content")
        assert refusal(way, protection.opener(), record + bytes(more)) is Reason.BAD_RECORD_MAC

    def test_a_record_out_of_order(self, protection: Protection, way: Way) -> None:
        sealer = protection.sealer()
        sealer.seal(DATA, b"lost")
        assert refusal(way, protection.opener(), sealer.seal(DATA, b"second")) is Reason.BAD_RECORD_MAC

    def test_a_record_that_comes_twice(self, protection: Protection, way: Way) -> None:
        record, opener = protection.sealer().seal(DATA, b"once"), protection.opener()
        way(opener, record, MAX_FRAGMENT)
        assert refusal(way, opener, record) is Reason.BAD_RECORD_MAC

    @pytest.mark.parametrize("kind", [20, 21, 22])
    def test_a_record_under_another_type(self, protection: Protection, way: Way, kind: int) -> None:
        record = protection.sealer().seal(DATA, b"content")
        assert refusal(way, protection.opener(), bytes([kind]) + record[1:]) is Reason.BAD_RECORD_MAC

    @pytest.mark.parametrize("version", [b"\x03\x00", b"\x03\x01", b"\x03\x02", b"\x03\x04"])
    def test_a_record_of_another_version(self, protection: Protection, way: Way, version: bytes) -> None:
        record = protection.sealer().seal(DATA, b"content")
        altered = record[:1] + version + record[3:]
        assert refusal(way, protection.opener(), altered) is Reason.BAD_RECORD_MAC

    def test_a_record_of_another_key(self, protection: Protection, way: Way) -> None:
        suite, keys = protection.suite, protection.keys
        for number, name in enumerate(("mac_key", "key", "iv")):
            parts = [keys.mac_key, keys.key, keys.iv]
            if not parts[number] or (name == "key" and protection.encrypt_then_mac):
                continue
            parts[number] = bytes(len(parts[number]))
            opener = opener12(suite, CipherKeys(*parts), encrypt_then_mac=protection.encrypt_then_mac)
            record = protection.sealer().seal(DATA, b"content")
            assert refusal(way, opener, record) is Reason.BAD_RECORD_MAC

    def test_more_than_2_to_14_bytes(self, protection: Protection, way: Way) -> None:
        record = protection.sealer().seal(DATA, bytes(16385))
        assert refusal(way, protection.opener(), record) is Reason.RECORD_OVERFLOW

    def test_as_much_as_a_header_may_announce(self, protection: Protection, way: Way) -> None:
        record = bytes([23, 3, 3]) + protection.opener().longest.to_bytes(2, "big")
        record += bytes(protection.opener().longest)
        assert refusal(way, protection.opener(), record) is Reason.RECORD_OVERFLOW

    @pytest.mark.parametrize("limit", [64, 512, 4096])
    def test_more_than_the_limit_that_was_asked_for(
        self, protection: Protection, way: Way, limit: int
    ) -> None:
        record = protection.sealer().seal(DATA, bytes(limit + 1))
        assert refusal(way, protection.opener(), record, limit) is Reason.RECORD_OVERFLOW
        assert way(protection.opener(), protection.sealer().seal(DATA, bytes(limit)), limit)

    def test_and_the_right_record_is_still_opened(self, protection: Protection, way: Way) -> None:
        record = protection.sealer().seal(DATA, b"content")
        opener = protection.opener()
        refusal(way, opener, record[:-1] + bytes([record[-1] ^ 1]))
        assert opener.open(record[:5], record[5:], MAX_FRAGMENT) == (DATA, b"content")


@each_protection
def test_neither_end_shows_its_keys(protection: Protection) -> None:
    shown = repr(protection.sealer(counting())) + repr(protection.opener())
    for key in (protection.keys.key, protection.keys.mac_key):
        assert not key or (key.hex() not in shown and repr(key) not in shown)
